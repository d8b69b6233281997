import io

import numpy as np
import pytest
from streams import Trickle

from seqembed import LSTMAutoencoder, LSTMReconstructor
from seqembed.export.onnx_graph import IR_VERSION, OPSET

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

RANDOM = np.random.default_rng(0)
# Walks, of which principal components explain much.
X = (3 + RANDOM.normal(size=(1000, 10, 3)).cumsum(axis=1)).astype(np.float32)
X[3, 2, 1] = np.nan
LENGTHS = RANDOM.integers(2, 11, 50)
LIST = [X[row, :length] for row, length in enumerate(LENGTHS)]
NETWORKS = {
    "tanh": {"hidden_units": (8,)},
    "patches": {"hidden_units": (), "patch_size": 3},
    "relu": {"hidden_units": (6, 5), "activation": "relu", "scale": None, "time_encoding": False},
}


def session(estimator, part=None):
    file = io.BytesIO()
    estimator.export_onnx(file, part)
    model = onnx.load_from_string(file.getvalue())
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.opset_import[0].version) == (IR_VERSION, OPSET) == (8, 17)
    return onnxruntime.InferenceSession(file.getvalue())


def test_a_model_is_exported_whole_into_a_file_that_takes_little(fitted):
    file, expected = Trickle(most=1000), io.BytesIO()
    fitted.export_onnx(file)
    fitted.export_onnx(expected)
    assert file.getvalue() == expected.getvalue()


def assert_close(values, expected, scale=1):
    np.testing.assert_allclose(values / scale, expected / scale, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_all_parts_compute_what_the_estimator_computes(name):
    autoencoder = LSTMAutoencoder(4, epochs=5, random_state=0, **NETWORKS[name]).fit(X[:100])
    assert autoencoder.network_.context_size > 0
    assert autoencoder.network_.shortcut_size > 0
    encoder, decoder, whole = (session(autoencoder, part) for part in ("encoder", "decoder", "autoencoder"))
    for n_samples in (1, 7, 1000):
        (embedding,) = encoder.run(["Z"], {"X": X[:n_samples]})
        assert_close(embedding, autoencoder.transform(X[:n_samples]))
        (decoded,) = decoder.run(["reconstruction"], {"Z": embedding})
        assert_close(decoded, autoencoder.inverse_transform(embedding), autoencoder.scale_)
        (reconstruction,) = whole.run(["reconstruction"], {"X": X[:n_samples]})
        assert_close(reconstruction, autoencoder.reconstruct(X[:n_samples]), autoencoder.scale_)


@pytest.mark.parametrize("name", NETWORKS)
def test_unequal_lengths_are_an_input_and_padding_does_not_matter(name):
    autoencoder = LSTMAutoencoder(4, epochs=5, random_state=0, **NETWORKS[name]).fit(LIST)
    encoder, whole = session(autoencoder), session(autoencoder, "autoencoder")
    for padding in (99, np.nan):
        padded = np.full((50, 14, 3), padding, np.float32)
        for row, sequence in zip(padded, LIST, strict=True):
            row[: len(sequence)] = sequence
        given = {"X": padded, "lengths": LENGTHS}
        (embedding,) = encoder.run(["Z"], given)
        assert_close(embedding, autoencoder.transform(LIST))
        (reconstruction,) = whole.run(["reconstruction"], given)
        for values, expected in zip(reconstruction, autoencoder.reconstruct(LIST), strict=True):
            assert_close(values[: len(expected)], expected, autoencoder.scale_)
    (decoded,) = session(autoencoder, "decoder").run(["reconstruction"], {"Z": embedding, "n_timesteps": np.array(14)})
    assert_close(decoded, np.array(autoencoder.inverse_transform(embedding, [14] * 50)), autoencoder.scale_)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_without_bottleneck_is_exported_as_a_whole(name):
    reconstructor = LSTMReconstructor(4, epochs=5, random_state=0, **NETWORKS[name]).fit(X[:100])
    (reconstruction,) = session(reconstructor).run(["reconstruction"], {"X": X})
    assert_close(reconstruction, reconstructor.reconstruct(X), reconstructor.scale_)
    with pytest.raises(ValueError, match="Got part='encoder', expected one of 'autoencoder'"):
        reconstructor.export_onnx(io.BytesIO(), "encoder")


def test_no_sequence_gives_no_row():
    autoencoder = LSTMAutoencoder(4, hidden_units=(), epochs=1).fit(X[:20])
    assert session(autoencoder).run(None, {"X": X[:0]})[0].shape == (0, 4)
    assert session(autoencoder, "decoder").run(None, {"Z": np.empty((0, 4), np.float32)})[0].shape == (0, 10, 3)
    assert session(autoencoder, "autoencoder").run(None, {"X": X[:0]})[0].shape == (0, 10, 3)


def test_sequences_far_from_zero_go_in_and_out_as_float64():
    far = np.random.default_rng(1).normal(1e6, 0.1, (50, 10))
    autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=5, random_state=0).fit(far)
    whole = session(autoencoder, "autoencoder")
    assert (whole.get_inputs()[0].type, whole.get_inputs()[0].shape) == ("tensor(double)", ["n_samples", 10])
    (reconstruction,) = whole.run(None, {"X": far})
    assert_close(reconstruction, autoencoder.reconstruct(far), autoencoder.scale_)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_value_that_marks_missing_ones_is_clipped_as_the_estimator_clips_it(activation):
    small = X[:20] / 100
    autoencoder = LSTMAutoencoder(4, hidden_units=(8,), activation=activation, epochs=1, random_state=0).fit(small)
    marked = small.copy()
    marked[0, 2], marked[1, 3, 1], marked[2, 4] = -3.4e38, 1e20, 3.4e38
    (reconstruction,) = session(autoencoder, "autoencoder").run(None, {"X": marked})
    np.testing.assert_allclose(reconstruction, autoencoder.reconstruct(marked), rtol=1e-4, atol=1e-6)


def test_weights_in_fortran_order_are_exported_right():
    autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=1, random_state=0).fit(X[:20])
    autoencoder.weights_ = {name: np.asfortranarray(weight) for name, weight in autoencoder.weights_.items()}
    assert_close(session(autoencoder).run(None, {"X": X})[0], autoencoder.transform(X))
