import numpy as np
import pytest

from seqembed import LSTMAutoencoder
from seqembed.codec.model.fixed_point_decoder import FixedPointDecoder, FixedPointLayer, learn_fixed_point_decoder


def waves(n_timesteps=12):
    random, time = np.random.default_rng(0), np.arange(n_timesteps)
    X = np.sin(time / 3 + random.uniform(0, 6, (30, 1)))
    return np.stack([X, 50 + 9 * X**2], axis=2)


@pytest.mark.parametrize(
    ("parameters", "n_timesteps"),
    [
        ({}, 12),
        ({"hidden_units": ()}, 12),
        ({"hidden_units": (9, 7)}, 12),
        ({"time_encoding": False}, 12),
        ({"activation": "relu", "time_encoding": False}, 5),
        ({}, 61),
    ],
    ids=["default", "no hidden layer", "two", "no time encoding", "relu", "patches"],
)
def test_reconstructions_are_close_to_those_of_floats(parameters, n_timesteps):
    X = waves(n_timesteps)
    settings = {"n_components": 6, "hidden_units": (8,), "epochs": 5, "random_state": 0} | parameters
    autoencoder = LSTMAutoencoder(**settings).fit(X)
    embeddings = np.rint(autoencoder.transform(X).astype(np.float64) * 4096)
    expected = autoencoder.inverse_transform((embeddings / 4096).astype(np.float32))
    whole = learn_fixed_point_decoder(autoencoder.model_, n_timesteps).reconstruct(embeddings, n_timesteps)
    np.testing.assert_allclose(whole, expected, atol=0.01 * autoencoder.scale_.max())
    for row in range(3):
        alone = learn_fixed_point_decoder(autoencoder.model_, n_timesteps).reconstruct(
            embeddings[row : row + 1], n_timesteps
        )
        np.testing.assert_array_equal(alone[0], whole[row])


def naive_tanh(total):
    """Of a whole number with 24 fractional bits, with 12."""
    step = round(abs(total) / 2**14)
    return int(np.copysign(int(4096 * np.tanh(min(step, 8192) / 1024) + 0.5), total))


def test_all_is_computed_in_whole_numbers():
    random = np.random.default_rng(1)
    shapes = [(3, 8), (2, 8), (1, 8)]
    layer = FixedPointLayer(*(random.integers(-9000, 9000, shape) for shape in shapes))
    output_kernel, output_bias = random.integers(-9000, 9000, (2, 1)), np.array([12345])
    loadings = random.integers(-9000, 9000, (2, 4, 1))
    center, scale = np.array([1.0]), np.array([2.0])
    decoder = FixedPointDecoder(
        [layer], output_kernel, output_bias, center, scale, patch_size=1, relu=False, loadings=loadings
    )
    embeddings = random.integers(-4096, 4096, (4, 3))
    decoded = decoder.reconstruct(embeddings.astype(np.float64), 5)
    for row, embedding in enumerate(embeddings.tolist()):
        hidden, cell = [0, 0], [0, 0]
        for t in range(5):
            sums = [
                sum(value * int(weight) for value, weight in zip(embedding, layer.kernel[:, gate], strict=True))
                + sum(
                    value * int(weight) for value, weight in zip(hidden, layer.recurrent_kernel[:, gate], strict=True)
                )
                + int(layer.biases[0, gate])
                for gate in range(8)
            ]
            for unit in range(2):
                i, f, o = ((4096 + naive_tanh(sums[gate + unit] / 2)) // 2 for gate in (0, 2, 6))
                cell[unit] = (f * cell[unit] + i * naive_tanh(sums[4 + unit])) // 4096
                hidden[unit] = o * naive_tanh(cell[unit] * 4096) // 4096
            total = sum(value * int(weight) for value, weight in zip(hidden, output_kernel[:, 0], strict=True)) + 12345
            # After the last loading, the shortcut adds nothing.
            total += sum(embedding[k] * int(loadings[k, t, 0]) for k in range(2)) if t < 4 else 0
            assert decoded[row, t, 0] == total / 2**24 * 2 + 1


def test_later_timesteps_than_were_known_are_reconstructed():
    autoencoder = LSTMAutoencoder(4, hidden_units=(), epochs=1, random_state=0).fit(waves())
    decoder = learn_fixed_point_decoder(autoencoder.model_, 12)
    embeddings = np.rint(autoencoder.transform(waves()).astype(np.float64) * 4096)
    longer = decoder.reconstruct(embeddings, 40)
    np.testing.assert_array_equal(longer[:, :12], decoder.reconstruct(embeddings, 12))
    assert np.isfinite(longer).all()
