import numpy as np

from seqembed.network.architecture import Network
from seqembed.network.weights import initial_weights


def test_initial_weights_have_the_shapes_and_order_of_the_network():
    network = Network(n_features=2, n_components=3, hidden_units=(5,))
    weights = initial_weights(network, np.random.default_rng(0))
    assert {name: weight.shape for name, weight in weights.items()} == network.weight_shapes
    assert list(weights) == list(network.weight_shapes)
    assert {weight.dtype for weight in weights.values()} == {np.dtype(np.float32)}


def test_initial_recurrent_kernels_are_orthogonal():
    kernel = initial_weights(Network(n_features=2), np.random.default_rng(0))["encoder_1/recurrent_kernel"]
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(128), atol=1e-5)


def test_initial_kernels_fill_the_range_of_glorot():
    kernel = initial_weights(Network(n_features=2), np.random.default_rng(0))["encoder_2/kernel"]
    limit = np.sqrt(6 / (128 + 256))
    assert 0.99 * limit < np.abs(kernel).max() <= limit
