"""The page of the format: a second decoder that follows it decodes what the codec encodes."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naive_decoder import NaiveDecoder, Residuals

from seqembed import LSTMAutoencoder
from seqembed.codec import SequenceCodec
from seqembed.codec.bytes.container import Layout, block, locate_blocks, pack, unpack_header
from seqembed.datasets import load_italy_power
from seqembed.files import safetensors_file

OLD_FILES = sorted((Path(__file__).parent / "files").glob("version_*/*.seqc"))


def assert_decoded_alike(codec, X):
    """Return the methods of the blocks."""
    file, data = io.BytesIO(), codec.encode(X)
    codec.save(file)
    decoded, methods = NaiveDecoder(file.getvalue()).decode(data)
    expected = np.concatenate(list(codec.decode(data)))
    assert decoded.dtype == expected.dtype
    assert decoded.tobytes() == expected.tobytes()
    return methods


@pytest.mark.slow
@pytest.mark.parametrize("path", OLD_FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_old_files_are_decoded_by_what_the_page_says(path):
    if path.stem == "embedding":
        pytest.skip("the network is in floats")
    decoder = NaiveDecoder(path.with_suffix(".seqembed").read_bytes())
    decoded, methods = decoder.decode(path.read_bytes())
    np.testing.assert_array_equal(decoded, np.load(path.with_suffix(".npy")))
    # Each file is coded in the way that it is named for.
    raw = {"xz": 0, "pcodec": 1, "bins": 2}
    if path.stem in raw:
        assert methods == [raw[path.stem]]
    else:
        (number,) = (method - 64 for method in methods)
        assert (f"{number}/kernel" in decoder.arrays) == (path.stem == "network")
        assert (len(decoder.arrays[f"{number}/reconstruction_weights"]) > 0) == (path.stem == "reconstruction")
        assert ("denominator" in decoder.arrays) == (path.stem == "decimals")


@pytest.mark.slow
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    dtype=st.sampled_from([np.float16, np.float32, np.float64, np.int8, np.int32, np.uint16, np.int64]),
    max_error=st.sampled_from([0, 1e-5, 1e-3, 0.05]),
    n_features=st.integers(1, 4),
    keeps_time=st.booleans(),
    unlike=st.sampled_from([1.0, 30.0, np.nan]),
    seed=st.integers(0, 1000),
)
def test_any_values_are_decoded_by_what_the_page_says(dtype, max_error, n_features, keeps_time, unlike, seed):
    random = np.random.default_rng(seed)
    shape = (14, 11, n_features)
    X = 20 * random.normal(size=(1 if keeps_time else 14, *shape[1:])).cumsum(axis=1) + random.normal(size=shape)
    # Features follow from one another.
    X = X.cumsum(axis=2)
    codec = SequenceCodec(max_relative_error=max_error).fit(X[:12].astype(dtype))
    others = X[12:]
    others[:, 2:7] *= unlike if np.dtype(dtype).kind == "f" else 1
    assert_decoded_alike(codec, [x[: 11 - row] for row, x in enumerate(others.astype(dtype))])


@pytest.mark.slow
def test_long_sequences_are_cut_as_the_page_says():
    random = np.random.default_rng(0)
    recording = random.normal(size=(2999, 2)).cumsum(axis=0)
    codec = SequenceCodec(max_relative_error=0.001).fit([recording])
    assert all(
        method >= 64 for method in assert_decoded_alike(codec, [recording[::-1], recording[:700], recording[:0]])
    )


@pytest.mark.slow
def test_large_residuals_and_escapes_are_as_the_page_says(monkeypatch):
    random = np.random.default_rng(1)
    X = random.normal(size=(40, 20, 2)).cumsum(axis=1)
    codec = SequenceCodec(max_relative_error=1e-6).fit(X)
    X[::3, 7] *= 50
    n_escapes, with_escapes = [], Residuals.with_escapes

    def counting(self, symbols, largest):
        n_before = len(self.escapes)
        residuals = with_escapes(self, symbols, largest)
        n_escapes.append(n_before - len(self.escapes))
        return residuals

    monkeypatch.setattr(Residuals, "with_escapes", counting)
    (method,) = assert_decoded_alike(codec, X)
    assert method >= 64
    assert sum(n_escapes) > 0, "nothing escaped: the test shows nothing"


@pytest.mark.slow
def test_a_recording_has_a_layout_of_its_own():
    recording = pd.DataFrame(np.random.default_rng(0).normal(size=(700, 2)).cumsum(axis=0), columns=["flow", "heat"])
    codec, file = SequenceCodec(max_relative_error=0.001).fit(recording), io.BytesIO()
    codec.save(file)
    data = codec.encode(recording)
    header, blocks = unpack_header(data), [block(data, place) for place in locate_blocks(data)]
    assert (header.layout, header.n_timesteps) == (Layout.RECORDING, 700)
    decoded, _ = NaiveDecoder(file.getvalue()).decode(data)
    np.testing.assert_array_equal(decoded, codec.decode(data))
    with pytest.raises(AssertionError):
        NaiveDecoder(file.getvalue()).decode(pack(header._replace(layout=Layout.RECORDING, n_timesteps=699), blocks))


@pytest.mark.slow
def test_the_loadings_of_a_shortcut_are_added_as_the_page_says():
    days, others = load_italy_power(split="train").data, load_italy_power(split="test").data[:40]
    autoencoder = LSTMAutoencoder(
        8, hidden_units=(8,), context_size=0, readout_weight=0, epochs=20, random_state=0
    ).fit(days)
    assert autoencoder.network_.shortcut_size > 0
    codec = SequenceCodec(autoencoder, max_relative_error=0.1).fit(days)
    file = io.BytesIO()
    codec.save(file)
    description, arrays = safetensors_file.unpack(file.getvalue())
    assert description["codec_version"] == 2
    (number,) = (method - 64 for method in assert_decoded_alike(codec, others))
    assert len(arrays[f"{number}/reconstruction_weights"]) > 0
    # The values of the days, some of them later than the last loading.
    assert_decoded_alike(codec, [np.concatenate([day, day[:7]]) for day in others])
    loaded = SequenceCodec.load(file.getvalue(), autoencoder)
    assert loaded.encode(others) == codec.encode(others)
