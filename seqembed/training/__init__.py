"""Everything that imports TensorFlow: the trainable network, its training loop and its Keras twin."""
