import numpy as np
import pytest

from seqembed.network.architecture import Network
from seqembed.network.weights import initial_weights


def test_the_posts_network_has_248578_parameters():
    assert Network(n_features=2).n_parameters == 248_578


@pytest.mark.parametrize(("hidden_units", "widths"), [((), [[3], [3]]), ((7, 5), [[7, 5, 3], [3, 5, 7]])])
def test_the_decoder_mirrors_the_encoder(hidden_units, widths):
    network = Network(n_features=2, n_components=3, hidden_units=hidden_units)
    assert [[layer.units for layer in part] for part in (network.encoder, network.decoder)] == widths


def test_only_the_bottleneck_returns_its_last_step_alone():
    network = Network(n_features=2)
    layers = [*network.encoder, *network.decoder]
    assert [layer.return_sequences for layer in layers] == [True, False, True, True]


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
