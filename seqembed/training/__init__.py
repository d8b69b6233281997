"""Training: the gradient, in NumPy or TensorFlow, the optimiser and the loop; and the network's Keras twin."""
