import keras
import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import ALL_COLUMNS_ARE_EQUAL

from seqembed.network import forward, shortcut
from seqembed.network.architecture import Network
from seqembed.network.forward import ForwardPass
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
        Z = ForwardPass(network, weights).encode(X)
        np.testing.assert_allclose(Z, encoder.predict(X, verbose=0), atol=1e-5)
        np.testing.assert_allclose(
            ForwardPass(network, weights).decode(Z, n_timesteps), decoder.predict(Z, verbose=0), atol=1e-5
        )


@pytest.mark.slow
def test_biases_and_saturated_gates_count_as_in_keras():
    network = Network(n_features=2, n_components=3, hidden_units=(4,))
    random = np.random.default_rng(0)
    weights = {name: random.normal(0, 3, shape).astype(np.float32) for name, shape in network.weight_shapes.items()}
    encoder, _ = keras_parts(network, weights, 5)
    X = random.normal(0, 10, (6, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(ForwardPass(network, weights).encode(X), encoder.predict(X, verbose=0), atol=1e-5)


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
        of_all, of_some = (ForwardPass(network, weights).reconstruct(batch) for batch in (X, X[:n_samples]))
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
        Z, Y = ForwardPass(network, weights).encode(X), ForwardPass(network, weights).reconstruct(X)
        for n_samples in (1, 2, 20, 77, 150, 500):
            np.testing.assert_array_equal(ForwardPass(network, weights).encode(X[:n_samples]), Z[:n_samples])
            np.testing.assert_array_equal(ForwardPass(network, weights).reconstruct(X[:n_samples]), Y[:n_samples])


# Each with the number of timesteps of its sequences.
NETWORKS = [
    (Network(n_features=1, n_components=1, hidden_units=()), 1),
    (Network(n_features=2, n_components=3, hidden_units=(5, 4)), 6),
    (Network(n_features=2, n_components=3, hidden_units=(4,), activation="relu"), 4),
    (Network(n_features=2, n_components=3, hidden_units=(4,), encoded_timesteps=9, patch_size=3), 6),
    (Network(n_features=2, n_components=3, hidden_units=(4,), context_size=2), 5),
    (Network(n_features=1, n_components=3, hidden_units=(), encoded_timesteps=8, context_size=2, patch_size=2), 8),
    # Sums of more than 640 products, which are cut into three.
    (Network(n_features=650, n_components=2, hidden_units=()), 2),
]
SHORTCUTS = [
    (Network(n_features=2, n_components=3, hidden_units=(4,), shortcut_size=2), 6),
    (Network(n_features=2, n_components=3, hidden_units=(), activation="relu", shortcut_size=3), 4),
    (Network(n_features=1, n_components=3, hidden_units=(4,), shortcut_size=1, context_size=1, patch_size=2), 8),
]
WITHOUT_BOTTLENECK = [
    (Network(n_features=2, n_components=3, hidden_units=(4,), bottleneck=False), 5),
    (Network(n_features=2, n_components=3, hidden_units=(), bottleneck=False, encoded_timesteps=6), 4),
    (Network(n_features=1, n_components=3, hidden_units=(5, 4), bottleneck=False, patch_size=2), 6),
    (Network(n_features=2, n_components=3, hidden_units=(4,), bottleneck=False, activation="relu"), 5),
]


def drawn(network, n_timesteps, n_samples, n_steps_of_shortcut=6):
    """Weights, a batch, the lengths of its sequences, and a context for each."""
    random = np.random.default_rng(n_samples)
    weights = {name: random.normal(0, 0.5, shape).astype(np.float32) for name, shape in network.weight_shapes.items()}
    if network.shortcut_size:
        shape = (network.n_features * n_steps_of_shortcut, network.shortcut_size)
        axes = np.linalg.qr(random.normal(size=shape))[0].T.reshape(-1, n_steps_of_shortcut, network.n_features)
        weights |= shortcut.shortcut_weights(axes.astype(np.float32), np.ones(3), np.full(network.n_features, 0.25))
    X = random.normal(size=(n_samples, n_timesteps, network.n_features)).astype(np.float32)
    context = random.normal(size=(n_samples, network.context_size)).astype(np.float32)
    return weights, X, random.integers(1, n_timesteps + 1, n_samples), context if network.context_size else None


@pytest.mark.parametrize("n_samples", [1, 6])
@pytest.mark.parametrize(("network", "n_timesteps"), NETWORKS + SHORTCUTS)
def test_encoder_and_decoder_are_their_equations(network, n_timesteps, n_samples):
    weights, X, lengths, context = drawn(network, n_timesteps, n_samples)
    Z = naive.encode(network, weights, X, lengths, context)
    embedding = ForwardPass(network, weights).encode(X, lengths, context)
    assert embedding.dtype == np.float32
    np.testing.assert_allclose(embedding, Z, atol=1e-5)
    for length in (1, 3, n_timesteps + 3):
        reconstruction = ForwardPass(network, weights).decode(embedding, length)
        assert reconstruction.dtype == np.float32
        np.testing.assert_allclose(reconstruction, naive.decode(network, weights, Z, length), atol=2e-5)
    errors = ForwardPass(network, weights).squared_errors(X, lengths, context)
    np.testing.assert_allclose(errors, np.square(naive.decode(network, weights, Z, n_timesteps) - X), atol=1e-4)


@pytest.mark.parametrize("n_samples", [1, 6])
@pytest.mark.parametrize(("network", "n_timesteps"), WITHOUT_BOTTLENECK)
def test_a_network_without_bottleneck_is_its_equations(network, n_timesteps, n_samples):
    weights, X, *_ = drawn(network, n_timesteps, n_samples)
    reconstruction = ForwardPass(network, weights).reconstruct(X)
    assert reconstruction.dtype == np.float32
    np.testing.assert_allclose(reconstruction, naive.reconstruct_without_bottleneck(network, weights, X), atol=1e-5)


@pytest.mark.parametrize(("network", "n_timesteps"), [NETWORKS[3], SHORTCUTS[2]])
def test_sequences_without_lengths_are_read_to_their_end(network, n_timesteps):
    weights, X, _, context = drawn(network, n_timesteps, 4)
    ends = np.full(4, n_timesteps)
    np.testing.assert_array_equal(
        ForwardPass(network, weights).encode(X, None, context), ForwardPass(network, weights).encode(X, ends, context)
    )


def test_what_follows_the_end_of_a_sequence_changes_nothing():
    network, n_timesteps = NETWORKS[3]
    weights, X, lengths, _ = drawn(network, n_timesteps, 6)
    Z = ForwardPass(network, weights).encode(X, lengths)
    for sequence, length in zip(X, network.whole_patches(lengths), strict=True):
        sequence[length:] = np.nan
    np.testing.assert_array_equal(ForwardPass(network, weights).encode(X, lengths), Z)


@pytest.mark.parametrize("size", [0.1, 10])
def test_the_shortcut_is_bounded_and_neither_batch_nor_embedding_is_written_to(size):
    network, n_timesteps = SHORTCUTS[0]
    weights, X, lengths, _ = drawn(network, n_timesteps, 6)
    X *= size
    for array in (X, lengths, *weights.values()):
        array.flags.writeable = False
    Z = ForwardPass(network, weights).encode(X, lengths)
    np.testing.assert_allclose(Z, naive.encode(network, weights, X, lengths), atol=1e-5)
    Z.flags.writeable = False
    assert np.isfinite(ForwardPass(network, weights).decode(Z, n_timesteps)).all()


@pytest.mark.skipif(not ALL_COLUMNS_ARE_EQUAL, reason="BLAS of this processor rounds the last columns differently")
@pytest.mark.parametrize(("n_rows", "n_inner", "n_columns"), [(1, 50, 9), (9, 50, 1), (1, 50, 1), (33, 700, 12)])
def test_a_row_and_a_column_of_a_product_have_the_same_bits_in_larger_matrices(n_rows, n_inner, n_columns):
    random = np.random.default_rng(0)
    first = np.asfortranarray(random.normal(size=(150, n_inner)).astype(np.float32))
    second = random.normal(size=(n_inner, 40)).astype(np.float32)
    with one_blas_thread():
        product = forward._product(first, second)
        part = forward._product(np.asfortranarray(first[:n_rows]), second[:, :n_columns])
    assert part.shape == (n_rows, n_columns)
    np.testing.assert_array_equal(part, product[:n_rows, :n_columns])
    np.testing.assert_allclose(product, first.astype(float) @ second, atol=1e-3)
