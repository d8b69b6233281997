import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import ALL_COLUMNS_ARE_EQUAL

from seqembed.network import forward, shortcut
from seqembed.network.architecture import Network
from seqembed.network.weights import initial_weights
from seqembed.parallel import one_blas_thread


def keras_parts(network, weights, n_timesteps):
    """Encoder and decoder of stock Keras layers, written out as in the post."""
    encoder = keras.Sequential([keras.Input((n_timesteps, network.n_features))])
    for units in network.hidden_units:
        encoder.add(keras.layers.LSTM(units, activation=network.activation, return_sequences=True))
    encoder.add(keras.layers.LSTM(network.n_components, activation=network.activation))
    decoder = keras.Sequential([keras.Input((network.n_components,)), keras.layers.RepeatVector(n_timesteps)])
    for units in (network.n_components, *reversed(network.hidden_units)):
        decoder.add(keras.layers.LSTM(units, activation=network.activation, return_sequences=True))
    decoder.add(keras.layers.TimeDistributed(keras.layers.Dense(network.n_features)))
    for model, layers in ((encoder, network.encoder), (decoder, network.decoder)):
        lstms = [layer for layer in model.layers if isinstance(layer, keras.layers.LSTM)]
        for lstm, layer in zip(lstms, layers, strict=True):
            lstm.set_weights(list(layer.weights(weights)))
    decoder.layers[-1].set_weights([weights["output/kernel"], weights["output/bias"]])
    return encoder, decoder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "n_timesteps"),
    [
        (Network(n_features=6), 20),
        (Network(n_features=2, activation="relu"), 3),
        (Network(n_features=1, n_components=5, hidden_units=()), 9),
        (Network(n_features=3, n_components=4, hidden_units=(9, 6)), 1),
    ],
)
def test_encode_and_decode_equal_stock_keras_layers(network, n_timesteps):
    weights = initial_weights(network, np.random.default_rng(0))
    encoder, decoder = keras_parts(network, weights, n_timesteps)
    for n_samples in (1, 7, 1000):
        random = np.random.default_rng(n_samples)
        X = random.normal(size=(n_samples, n_timesteps, network.n_features)).astype(np.float32)
        Z = forward.encode(network, weights, X)
        np.testing.assert_allclose(Z, encoder.predict(X, verbose=0), atol=1e-5)
        np.testing.assert_allclose(
            forward.decode(network, weights, Z, n_timesteps), decoder.predict(Z, verbose=0), atol=1e-5
        )


def test_biases_and_saturated_gates_count_as_in_keras():
    network = Network(n_features=2, n_components=3, hidden_units=(4,))
    random = np.random.default_rng(0)
    weights = {name: random.normal(0, 3, shape).astype(np.float32) for name, shape in network.weight_shapes.items()}
    encoder, _ = keras_parts(network, weights, 5)
    X = random.normal(0, 10, (6, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(forward.encode(network, weights, X), encoder.predict(X, verbose=0), atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not ALL_COLUMNS_ARE_EQUAL, reason="BLAS of this processor rounds the last columns differently")
@settings(deadline=None, max_examples=30)
@given(
    n_features=st.sampled_from([1, 3, 500]),
    n_components=st.sampled_from([1, 16, 64, 400]),
    hidden_units=st.sampled_from([(), (8,), (128,), (400,)]),
    n_timesteps=st.sampled_from([1, 2, 7]),
    patch_size=st.sampled_from([1, 3]),
    bottleneck=st.booleans(),
    n_samples=st.integers(1, 70),
)
def test_a_sequence_gets_the_same_bits_in_every_batch(
    n_features, n_components, hidden_units, n_timesteps, patch_size, bottleneck, n_samples
):
    network = Network(
        n_features,
        n_components,
        hidden_units,
        bottleneck=bottleneck,
        encoded_timesteps=n_timesteps,
        patch_size=patch_size,
    )
    weights = initial_weights(network, np.random.default_rng(0))
    shape = (70, network.whole_patches(n_timesteps), n_features)
    X = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    with one_blas_thread():
        of_all, of_some = (forward.reconstruct(network, weights, batch) for batch in (X, X[:n_samples]))
    np.testing.assert_array_equal(of_some, of_all[:n_samples])


@pytest.mark.skipif(not ALL_COLUMNS_ARE_EQUAL, reason="BLAS of this processor rounds the last columns differently")
@pytest.mark.parametrize(("n_timesteps", "shortcut_size"), [(50, 1), (100, 8), (100, 40)])
def test_the_shortcut_gives_a_sequence_the_same_bits_in_every_batch(n_timesteps, shortcut_size):
    network = Network(n_features=6, n_components=40, hidden_units=(), shortcut_size=shortcut_size, patch_size=10)
    random = np.random.default_rng(0)
    weights = initial_weights(network, random)
    axes = random.normal(size=(shortcut_size, n_timesteps, 6)).astype(np.float32)
    weights |= shortcut.shortcut_weights(axes, np.ones(shortcut_size), np.zeros(6))
    X = random.normal(size=(512, n_timesteps, 6)).astype(np.float32)
    with one_blas_thread():
        Z, Y = forward.encode(network, weights, X), forward.reconstruct(network, weights, X)
        for n_samples in (1, 2, 20, 77, 150, 500):
            np.testing.assert_array_equal(forward.encode(network, weights, X[:n_samples]), Z[:n_samples])
            np.testing.assert_array_equal(forward.reconstruct(network, weights, X[:n_samples]), Y[:n_samples])
