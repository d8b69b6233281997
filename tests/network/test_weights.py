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
    network = Network(n_features=2)
    weights = initial_weights(network, np.random.default_rng(0))
    for layer in network.layers:
        kernel = weights[f"{layer.name}/recurrent_kernel"]
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(layer.units), atol=1e-5)


def test_initial_kernels_fill_the_range_of_glorot():
    weights = initial_weights(Network(n_features=2), np.random.default_rng(0))
    kernels = [weight for name, weight in weights.items() if name.endswith("/kernel")]
    assert len(kernels) == 5
    for kernel in kernels:
        limit = np.sqrt(6 / sum(kernel.shape))
        assert 0.99 * limit < np.abs(kernel).max() <= limit


def test_initial_biases_are_zero_but_those_of_forget_gates_which_are_one():
    network = Network(n_features=2, n_components=3, hidden_units=(5,))
    weights = initial_weights(network, np.random.default_rng(0))
    for layer in network.layers:
        gates = weights[f"{layer.name}/bias"].reshape(4, layer.units)
        np.testing.assert_array_equal(gates, np.repeat([[0], [1], [0], [0]], layer.units, axis=1))
    assert not weights["output/bias"].any()
