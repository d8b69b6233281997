"""A trained network elsewhere: as a Keras model."""
