"""The loss of a batch with its gradient, in NumPy or TensorFlow."""
