"""Models: how the codec predicts values and the size of its errors."""
