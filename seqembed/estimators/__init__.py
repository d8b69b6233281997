"""What scikit-learn sees: the networks as estimators, the detector of rare events."""
