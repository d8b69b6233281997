"""A trained network elsewhere: as a Keras model, or as an ONNX model."""
