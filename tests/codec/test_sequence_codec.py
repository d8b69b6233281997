import io
import os
import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from seqembed import LSTMAutoencoder, sliding_windows
from seqembed.codec import InvalidStreamError, SequenceCodec
from seqembed.codec.bytes.container import locate_blocks, pack, unpack_header
from seqembed.codec.bytes.lengths import pack_lengths
from seqembed.codec.model.residual_network import ResidualNetwork
from seqembed.codec.model.tables import Tables
from seqembed.datasets import load_ecg, load_italy_power, load_japanese_vowels


def waves(n_samples=40, n_timesteps=30, *, seed=0, dtype=np.float32):
    random, time = np.random.default_rng(seed), np.arange(n_timesteps)
    phases = random.uniform(0, 6, (n_samples, 1))
    X = np.stack([np.sin(time / 3 + phases), 100 + np.cos(time / 5 + phases)], axis=2)
    return (X + random.normal(0, 0.02, X.shape)).astype(dtype)


def assert_within_bound(X, decoded, bound):
    """Every finite value within its bound, every other one as it was; to the bit where the bound is 0."""
    X, decoded = np.asarray(X), np.asarray(decoded)
    assert (decoded.shape, decoded.dtype) == (X.shape, X.dtype)
    finite = np.isfinite(X)
    np.testing.assert_array_equal(X[~finite], decoded[~finite])
    errors = np.abs(np.where(finite, X, 0).astype(np.float64) - np.where(finite, decoded, 0).astype(np.float64))
    assert (errors <= bound).all()
    exact = np.broadcast_to(bound == 0, X.shape)
    np.testing.assert_array_equal(X[exact].tobytes(), decoded[exact].tobytes())


def bursts(n_samples=60, n_timesteps=40, *, seed=0):
    """Steps that are large for a while: what they are like is told by those before, and by the other feature's."""
    random = np.random.default_rng(seed)
    size = np.where(random.random((n_samples, n_timesteps // 8)) < 0.3, 8.0, 0.5).repeat(8, axis=1)
    return (random.normal(size=(n_samples, n_timesteps, 2)) * size[:, :, np.newaxis]).cumsum(axis=1).astype(np.float32)


@pytest.fixture(scope="session")
def bursts_codec():
    return SequenceCodec(max_relative_error=0.02).fit(bursts())


@pytest.fixture(scope="session")
def codec():
    return SequenceCodec(max_relative_error=0.01).fit(waves())


@pytest.mark.slow
@pytest.mark.parametrize("max_error", [0.2, 0.01, 1e-4, 1e-7, 0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_every_value_keeps_its_bound(max_error, dtype):
    # Networks, which are learned from 1,000 values or more, see no dtype.
    X, unseen = waves(40 if dtype == np.float32 else 20, dtype=dtype), waves(seed=1, dtype=dtype)
    codec = SequenceCodec(max_relative_error=max_error).fit(X)
    assert_within_bound(unseen, codec.decode(codec.encode(unseen)), codec.bound_)


@pytest.mark.slow
def test_a_bound_in_units_of_the_data_and_one_for_each_feature():
    X = waves()
    codec = SequenceCodec(max_error=[0.3, 0.0]).fit(X)
    np.testing.assert_array_equal(codec.bound_, [0.3, 0])
    assert_within_bound(X, codec.decode(codec.encode(X)), codec.bound_)


special = st.sampled_from([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, 5e-324, 3.4e38, -1e300])


@pytest.mark.slow
@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(
    data=st.data(),
    dtype=st.sampled_from([np.float32, np.float64]),
    scale=st.sampled_from([1e-20, 1e-3, 1.0, 1e6, 1e20]),
    offset=st.sampled_from([0.0, 1.0, -1e4]),
    max_error=st.sampled_from([0, 1e-6, 1e-3, 0.05, 0.5]),
    decimals=st.sampled_from([None, 0, 2]),
    seed=st.integers(0, 1000),
)
def test_the_bound_holds_for_any_values(data, dtype, scale, offset, max_error, decimals, seed):
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 3)))
    random = np.random.default_rng(seed)
    X = random.normal(size=shape).cumsum(axis=1) + offset
    X = X if decimals is None else X.round(decimals)
    with np.errstate(over="ignore", under="ignore"):
        X = (X * scale).astype(dtype)
    X[:, :, 0] = X[0, 0, 0] if data.draw(st.booleans()) else X[:, :, 0]
    for place in data.draw(st.lists(st.integers(0, X.size - 1), max_size=4)):
        with np.errstate(over="ignore", under="ignore"):
            X.ravel()[place] = data.draw(special)
    with np.errstate(over="ignore"):
        codec = SequenceCodec(max_relative_error=max_error).fit(X)
        decoded = codec.decode(codec.encode(X))
    assert_within_bound(X, decoded, codec.bound_)


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(
    hnp.arrays(
        st.sampled_from([np.int8, np.int16, np.int32, np.uint8, np.int64]),
        st.tuples(st.integers(1, 4), st.integers(1, 8)),
    )
)
def test_integers_of_any_kind_come_back(X):
    codec = SequenceCodec(max_relative_error=0).fit(X)
    np.testing.assert_array_equal(codec.decode(codec.encode(X)), X)
    assert codec.decode(codec.encode(X)).dtype == X.dtype


@pytest.mark.parametrize(
    "X",
    [
        waves(20),
        waves()[:, :, 0],
        [x[: 3 + row % 20] for row, x in enumerate(waves())],
        [x[: 3 + row % 20, 0] for row, x in enumerate(waves())],
        waves()[:1],
        waves()[:, :1],
        [np.zeros((0, 2), np.float32), waves()[0]],
    ],
    ids=["array", "one feature", "list", "list of one feature", "one sequence", "one timestep", "an empty sequence"],
)
def test_the_layout_comes_back(X):
    codec = SequenceCodec(max_relative_error=0.01).fit(X)
    decoded = codec.decode(codec.encode(X))
    assert type(decoded) is type(X)
    assert [np.shape(x) for x in decoded] == [np.shape(x) for x in X]


@pytest.mark.slow
@pytest.mark.parametrize("X", [np.empty((0, 30, 2), np.float32), []])
def test_no_sequence_at_all_is_encoded_too(codec, X):
    assert len(codec.decode(codec.encode(X))) == 0


@pytest.mark.slow
def test_a_sequence_longer_than_a_block_and_many_blocks_come_back(monkeypatch):
    monkeypatch.setattr("seqembed.codec.inputs.VALUES_OF_BLOCK", 100)
    X = [waves(1, length)[0] for length in (400, 3, 40, 140)]
    codec = SequenceCodec(max_relative_error=0.01).fit(X)
    data = codec.encode(X)
    assert len(locate_blocks(data)) == 2
    for x, decoded in zip(X, codec.decode(data), strict=True):
        assert_within_bound(x, decoded, codec.bound_)


@pytest.mark.slow
def test_blocks_can_be_read_alone(monkeypatch, codec):
    monkeypatch.setattr("seqembed.codec.inputs.VALUES_OF_BLOCK", 600)
    X = waves(seed=2)
    data = codec.encode(X)
    np.testing.assert_array_equal(codec.decode_block(data, 1), codec.decode(data)[10:20])
    with pytest.raises(ValueError, match="Got block 9, expected one from 0 to 3"):
        codec.decode_block(data, 9)


@pytest.mark.slow
def test_batches_in_a_file_are_read_one_at_a_time(tmp_path, codec):
    batches = [waves(seed=6), [x[:7] for x in waves(seed=7)]]
    with open(tmp_path / "batches", "wb") as file:
        for batch in batches:
            file.write(codec.encode(batch))
    with open(tmp_path / "batches", "rb") as file:
        for batch, decoded in zip(batches, codec.decode_batches(file), strict=True):
            np.testing.assert_array_equal(decoded, codec.decode(codec.encode(batch)))
    data = (tmp_path / "batches").read_bytes()
    for end in range(len(codec.encode(batches[0])) + 1, len(data), 7):
        readable = codec.decode_batches(io.BytesIO(data[:end]))
        next(readable)
        with pytest.raises(InvalidStreamError):
            next(readable)


@pytest.mark.slow
def test_real_sets_take_fewer_bytes_than_xz_of_their_bins():
    for load, most in ((load_italy_power, 0.85), (load_japanese_vowels, 0.85)):
        train, test = load(split="train").data, load(split="test").data
        # A third of the larger one is enough to learn from.
        codec = SequenceCodec(max_relative_error=0.01).fit(train[::3] if len(train) > 200 else train)
        report, by_xz = codec.report(test), codec.coder_.count_bytes_without_predictors(list(test))
        assert report["pays_back_after"] < np.inf
        assert report["bytes"] < most * by_xz


@pytest.mark.slow
def test_a_report_says_what_the_bytes_are_worth():
    X = load_ecg().data[:10_000]
    codec = SequenceCodec(max_relative_error=0.01).fit([X[: len(X) // 2]])
    report = codec.report([X[len(X) // 2 :]])
    assert report["bytes"] == len(codec.encode([X[len(X) // 2 :]]))
    assert report["bits_per_value"] == pytest.approx(32 / report["ratio"])
    assert 0 < report["rmse"] <= report["largest_error"] <= codec.bound_[0]
    assert 1000 < report["pays_back_after"] < np.inf
    assert [report[f"share_{kind}"] for kind in ("raw", "bins", "predicted")] == [0, 0, 1]
    noise = np.random.default_rng(0).normal(size=(50, 40, 1))
    assert SequenceCodec(max_relative_error=0).fit(noise).report(noise)["share_raw"] == 1


@pytest.mark.slow
def test_a_report_pooled_the_errors_of_features_of_other_units():
    X = waves()
    X[3, 4, 0], X[5] = np.nan, X[4]
    codec = SequenceCodec(max_error=[0.1, 0.5]).fit(X)
    for sequences in (X, list(X), pd.DataFrame(X[3])):
        report = codec.report(sequences)
        decoded = np.reshape(codec.decode(codec.encode(sequences)), (-1, 2))
        errors = np.abs(np.reshape(sequences, (-1, 2)).astype(np.float64) - decoded)
        np.testing.assert_array_equal(report["largest_error_by_feature"], np.nanmax(errors, axis=0))
        assert (report["largest_error_by_feature"] <= codec.bound_).all()
        assert 0.1 < report["largest_error"] == report["largest_error_by_feature"].max()
        np.testing.assert_allclose(report["rmse_by_feature"], np.sqrt(np.nanmean(np.square(errors), axis=0)))
        assert report["rmse_by_feature"].min() < report["rmse"] < report["rmse_by_feature"].max()


def test_a_report_said_a_few_bytes_less_than_the_file_of_the_codec_has(codec, tmp_path):
    codec.save(tmp_path / "codec.seqembed")
    report = codec.report(waves())
    assert report["codec_bytes"] == (tmp_path / "codec.seqembed").stat().st_size
    # A frame and a list have no itemsize to multiply with.
    for X, itemsize in ((waves(), 4), (list(waves()), 4), (waves().astype(np.float64), 8)):
        report = codec.report(X)
        assert report["pays_back_after_bytes"] == itemsize * report["pays_back_after"]


def test_steps_that_hide_in_floats_make_them_lossless_below_half_a_step():
    X = (np.random.default_rng(0).integers(0, 50, (40, 30, 1)) * 0.005).astype(np.float32)
    codec = SequenceCodec(max_error=0.0025).fit(X)
    np.testing.assert_array_equal(codec.decode(codec.encode(X)), X)


@pytest.mark.slow
def test_windows_that_overlap_are_refused_with_the_remedy(codec):
    recording = waves(1, 300)[0]
    windows = sliding_windows(recording, 30, stride=10).windows
    with pytest.raises(ValueError, match=r"starts at row 10 of the one before it.*as \[recording\]"):
        SequenceCodec(max_relative_error=0.01).fit(windows)
    with pytest.raises(ValueError, match="overlap"):
        codec.encode(np.array(windows))
    SequenceCodec(max_relative_error=0.01).fit(sliding_windows(recording, 30, stride=30).windows)
    # Constant sequences and repeated ones do not overlap.
    SequenceCodec(max_relative_error=0.01).fit(np.zeros((5, 30, 2)))
    # Windows that follow one another in a signal that repeats are shifted ones, too.
    hours = np.arange(3000) % 24
    SequenceCodec(max_error=0).fit(hours.reshape(30, 100))
    SequenceCodec(max_error=0).fit(np.stack([hours, hours % 12], axis=1).reshape(30, 100, 2))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "Got no value"),
        (np.empty((0, 3, 1)), "Got no value"),
        (np.zeros(4), "got a 1D array of 4 values"),
        ([np.zeros((3, 2)), np.zeros((3, 1))], "Sequence 1 has 1 feature and sequence 0 has 2"),
        (np.array([["a", "b"]]), "holds text"),
    ],
)
def test_bad_input_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        SequenceCodec(max_relative_error=0.01).fit(X)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
@pytest.mark.parametrize("bound", [0, 3, 100])
def test_integers_that_float64_cannot_hold_keep_their_bound(dtype, bound):
    X = (np.random.default_rng(0).integers(0, 1000, (20, 30, 1)) + 2**60).astype(dtype)
    codec = SequenceCodec(max_error=bound).fit(X)
    decoded = codec.decode(codec.encode(X))
    assert decoded.dtype == dtype
    assert max(abs(int(x) - int(y)) for x, y in zip(X.ravel(), decoded.ravel(), strict=True)) <= bound


@pytest.mark.slow
def test_a_predictor_that_runs_away_over_a_gap_breaks_no_bound():
    growing = np.cumprod(np.full(60, 1.05))
    X = growing + np.random.default_rng(0).normal(0, 1e-3, (40, 60))
    codec = SequenceCodec(max_relative_error=1e-4).fit(X)
    recording = np.concatenate([growing, np.full(400, np.nan), growing])
    (decoded,) = codec.decode(codec.encode([recording]))
    assert_within_bound(recording, decoded, codec.bound_)
    for model in codec.coder_.models:
        alone = codec.coder_._replace(models=[model], tries_bins=False)
        (again,) = alone.decode(alone.encode([recording[:, np.newaxis]]), np.float64)
        assert_within_bound(recording[:, np.newaxis], again, codec.bound_)


@pytest.mark.slow
def test_one_long_sequence_beside_many_short_ones_takes_no_more_memory_than_its_share():
    random = np.random.default_rng(0)
    X = [random.normal(size=(length, 1)) for length in (100_000, *[5] * 20_000)]
    codec = SequenceCodec(max_relative_error=0.05).fit(X[:2000])
    tracemalloc.start()
    data = codec.encode(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * sum(x.nbytes for x in X)
    for x, decoded in zip(X, codec.decode(data), strict=True):
        assert_within_bound(x, decoded, codec.bound_)


def test_forty_features_and_training_sequences_that_are_empty():
    X = np.random.default_rng(0).normal(size=(30, 20, 40)).cumsum(axis=1)
    codec = SequenceCodec(max_relative_error=0.01).fit([*X[:3], X[0][:0], *X[3:]])
    assert_within_bound(X, codec.decode(codec.encode(X)), codec.bound_)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bound", "network", "lossless", "bits"])
def test_content_that_no_encoder_wrote_is_refused_or_gives_values_whatever_its_checksum(kind, bursts_codec, codec):
    X, random = waves(20, seed=5), np.random.default_rng(0)
    if kind == "network":
        X, codec = bursts(seed=1), bursts_codec
    elif kind == "lossless":
        codec = SequenceCodec(max_relative_error=0).fit(X)
    elif kind == "bits":
        autoencoder = LSTMAutoencoder(3, hidden_units=(), epochs=1, random_state=0).fit(X)
        codec = SequenceCodec(autoencoder, bits=16).fit(X)
    content, n_refused = codec.coder_.encode(list(X)), 0
    for _ in range(300):
        damaged = bytearray(content)
        for place in random.integers(0, len(content), random.integers(1, 4)):
            damaged[place] = random.integers(256)
        try:
            decoded = codec.coder_.decode(bytes(damaged[: random.integers(1, len(content) + 1)]), X.dtype)
        except InvalidStreamError:
            n_refused += 1
        else:
            assert {(x.ndim, x.shape[1], x.dtype) for x in decoded} <= {(2, 2, X.dtype)}
    assert n_refused > 100


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 4), bool), "Got values of dtype bool"),
        ([np.zeros((3, 1), np.int64), np.zeros((3, 1), np.float32)], "float64 can't hold all values"),
    ],
)
def test_dtypes_that_would_not_come_back_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        SequenceCodec(max_relative_error=0).fit(waves(10, 4)[:, :, :1]).encode(X)


@pytest.mark.parametrize("max_error", [-1, np.nan, np.inf])
def test_bad_bounds_are_refused(max_error):
    with pytest.raises(ValueError, match="max_relative_error"):
        SequenceCodec(max_relative_error=max_error).fit(waves())


@pytest.mark.parametrize(
    "bound",
    [
        *("1%", "0.1", ["1%", "2%"], {"flow": 1}, [1j, 2], [[1], [1, 2]], np.ma.masked_equal([1.0, 2.0], 2), [None, 1]),
        *(np.array(["0.1", "0.2"], object), True, [True, False], np.array([0.1, True], object)),
    ],
)
@pytest.mark.parametrize("name", ["max_error", "max_relative_error"])
def test_a_bound_that_is_no_number_is_refused_with_the_line_for_a_share(name, bound):
    message = rf"Got {name}=.*, expected a number from 0, or one for each of 2 features.*max_relative_error=0.01"
    with pytest.raises(ValueError, match=message):
        SequenceCodec(**{name: bound}).fit(waves())


@pytest.mark.parametrize("wrap", [np.asarray, list, lambda X: pd.DataFrame(X[0])], ids=["array", "list", "frame"])
def test_truth_values_are_refused_by_fit_as_by_encode(wrap, codec):
    X = wrap(waves() > 0)
    message = r"Got values of dtype bool, expected .* X.astype\(np.uint8\) for truth values"
    for call in (
        SequenceCodec(max_error=0.1).fit,
        SequenceCodec(max_relative_error=0.1).fit,
        codec.encode,
        codec.report,
    ):
        with pytest.raises(ValueError, match=message):
            call(X)


def test_other_features_and_an_unfitted_codec_are_refused(codec):
    with pytest.raises(ValueError, match="Got sequences of 1 feature, but SequenceCodec was fitted on 2"):
        codec.encode(waves()[:, :, :1])
    with pytest.raises(NotFittedError):
        SequenceCodec(max_relative_error=0.01).encode(waves())


@pytest.mark.slow
def test_bytes_of_another_codec_are_refused(codec):
    other = SequenceCodec(max_relative_error=0.02).fit(waves(20))
    with pytest.raises(InvalidStreamError, match="Got bytes of another codec"):
        other.decode(codec.encode(waves()))


@pytest.mark.slow
def test_a_network_is_kept_where_it_needs_far_fewer_bytes_than_tables(bursts_codec, codec):
    X = bursts(seed=1)
    decoded = bursts_codec.decode(bursts_codec.encode(X))
    assert_within_bound(X, decoded, bursts_codec.bound_)
    with_networks, tables = bursts_codec.coder_.models[:-1], bursts_codec.coder_.models[-1:]
    assert {type(model.distribution) for model in with_networks} == {ResidualNetwork}
    assert isinstance(tables[0].distribution, Tables)
    sizes = [len(bursts_codec.coder_._replace(models=models).encode(list(X))) for models in (with_networks, tables)]
    assert sizes[0] < 0.97 * sizes[1]
    noise = np.random.default_rng(0).normal(size=(60, 40, 2)).cumsum(axis=1)
    of_noise = SequenceCodec(max_relative_error=0.01).fit(noise)
    assert {type(model.distribution) for model in of_noise.coder_.models} == {Tables}


@pytest.mark.slow
def test_rows_from_which_no_network_can_be_learned_do_no_harm(monkeypatch):
    # Of more values, every second row is read.
    monkeypatch.setattr("seqembed.codec.model.search._MOST_VALUES_FOR_NETWORK", 11_000)
    random, calm = np.random.default_rng(0), np.arange(200) % 2 == 0
    sizes = np.where(random.random((200, 10)) < 0.3, 8.0, 0.5).repeat(10, axis=1)
    X = np.where(calm[:, np.newaxis], 0, random.normal(size=(200, 100)) * sizes).astype(np.float32)
    codec = SequenceCodec(max_relative_error=0.01).fit(X)
    assert {type(model.distribution) for model in codec.coder_.models} == {Tables}
    assert_within_bound(X[:30], codec.decode(codec.encode(X[:30])), codec.bound_)


def test_many_features_have_no_networks_which_would_take_minutes():
    codec = SequenceCodec(max_relative_error=0.01).fit(
        np.random.default_rng(0).normal(size=(1, 100, 300)).cumsum(axis=1)
    )
    assert {type(model.distribution) for model in codec.coder_.models} == {Tables}


@pytest.mark.slow
def test_many_short_sequences_take_no_more_memory_than_their_share(bursts_codec):
    X = list(bursts(2, 200_000)[0].reshape(-1, 2, 2))
    alone = bursts_codec.coder_._replace(models=bursts_codec.coder_.models[:1], tries_bins=False)
    tracemalloc.start()
    alone.encode(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150 * sum(x.nbytes for x in X)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [bytearray, memoryview])
@pytest.mark.parametrize("max_error", [0, 0.01])
def test_any_buffer_is_decoded(kind, max_error):
    X = waves(20)
    codec = SequenceCodec(max_relative_error=max_error).fit(X)
    data = codec.encode(X)
    np.testing.assert_array_equal(codec.decode(kind(data)), codec.decode(data))


def test_headers_that_no_codec_wrote_are_refused(codec):
    data = codec.encode(waves(1, 0))
    header = unpack_header(data)
    for changes, message in (
        ({"n_timesteps": 1 << 40}, "which no codec wrote"),
        ({"layout": 3}, "in layout 3, which no codec wrote"),
        ({"layout": 9}, "Got layout 9 .* which this version does not have"),
    ):
        with pytest.raises(InvalidStreamError, match=message):
            codec.decode(pack(header._replace(**changes), []))
    with pytest.raises(InvalidStreamError, match="Got version 0, expected 1: no released seqembed wrote it"):
        codec.decode(data[:4] + bytes([0]) + data[5:])
    with pytest.raises(InvalidStreamError, match="Got version 2, expected 1: pip install -U"):
        codec.decode(data[:4] + bytes([2]) + data[5:])


@pytest.mark.slow
@pytest.mark.parametrize("n_features", [1, 4])
def test_a_bare_recording_was_coded_as_a_thousand_short_sequences_without_a_warning(n_features):
    recording = waves(1, 600)[0][:, [0, 1, 0, 1][:n_features]] + np.float32([1000, 20, 5000, 300][:n_features])
    for call in (SequenceCodec(max_error=0.1).fit, SequenceCodec(max_error=0.1).fit([[1.0], [2.0]]).encode):
        with pytest.warns(UserWarning, match=rf"a single recording of {n_features} feature.*pass \[X\]") as caught:
            call(recording)
        assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        codec = SequenceCodec(max_error=0.1).fit([recording])
        SequenceCodec(max_error=0.1).fit(waves()[:, :, 0]).encode(waves()[:, :, 0])
    if n_features > 1:
        with pytest.raises(ValueError, match=r"fitted on 4. Pass sequences"):
            codec.encode(recording[:0])
        with pytest.raises(ValueError, match=r"fitted on 4. Each row .* Pass \[X\]"):
            codec.encode(recording)


def test_a_bound_for_each_column_of_a_bare_recording_names_the_cause():
    recording = np.random.default_rng(0).normal(size=(60, 4))
    with pytest.raises(ValueError, match=r"one for each of 1 feature.*Each row .* of 4 timesteps .* pass \[X\]"):
        SequenceCodec(max_error=[1, 2, 3, 4]).fit(recording)
    SequenceCodec(max_error=[1, 2, 3, 4]).fit([recording])


def test_a_report_on_nothing_is_refused(codec):
    for nothing in ([], np.empty((3, 0, 2))):
        with pytest.raises(ValueError, match="Got no value"):
            codec.report(nothing)


def test_an_unfitted_codec_reads_no_block(codec):
    with pytest.raises(NotFittedError):
        SequenceCodec(max_relative_error=0.1).decode_block(codec.encode(waves()), 0)


@pytest.mark.slow
def test_sequences_unlike_those_learned_from_keep_their_bound(bursts_codec):
    for X in (1e6 * bursts(seed=2), bursts(seed=3)[:, ::-1], np.full((3, 9, 2), np.nan, np.float32), bursts(1, 4000)):
        for model in bursts_codec.coder_.models:
            alone = bursts_codec.coder_._replace(models=[model], tries_bins=False)
            for x, decoded in zip(X, alone.decode(alone.encode(list(X)), X.dtype), strict=True):
                assert_within_bound(x, decoded, bursts_codec.bound_)


def test_a_codec_travels_with_joblib(codec, tmp_path):
    joblib.dump(codec, tmp_path / "codec")
    X = waves(seed=3)
    data = codec.encode(X)
    np.testing.assert_array_equal(joblib.load(tmp_path / "codec").decode(data), codec.decode(data))


def test_every_truncation_and_any_flipped_byte_is_noticed(codec):
    X = waves(seed=4)
    data = codec.encode(X)
    for end in range(len(data)):
        with pytest.raises(InvalidStreamError):
            codec.decode(data[:end])
    with pytest.raises(InvalidStreamError, match="3 bytes after the last block"):
        codec.decode(data + b"abc")
    random = np.random.default_rng(0)
    for place in random.integers(0, len(data), int(os.environ.get("SEQEMBED_FLIPS", "500"))):
        damaged = bytearray(data)
        damaged[place] ^= int(random.integers(1, 256))
        with pytest.raises(InvalidStreamError):
            codec.decode(bytes(damaged))


def test_a_damaged_block_is_named_and_the_others_are_read(monkeypatch, codec):
    monkeypatch.setattr("seqembed.codec.inputs.VALUES_OF_BLOCK", 600)
    data = bytearray(codec.encode(waves(seed=2)))
    data[locate_blocks(bytes(data))[2].stop - 1] ^= 1
    with pytest.raises(InvalidStreamError, match="Block 2 is damaged"):
        codec.decode(bytes(data))
    assert len(codec.decode_block(bytes(data), 3)) == 10
    # Bytes that were cut off could not be read at all.
    assert len(codec.decode_block(bytes(data[:-1]), 1)) == 10
    with pytest.raises(InvalidStreamError, match=r"end within block 3.*Blocks before it can be read"):
        codec.decode_block(bytes(data[:-1]), 3)


def test_reading_goes_on_with_the_batch_after_a_damaged_one(codec):
    damaged, whole = bytearray(codec.encode(waves(5))), codec.encode(waves(7))
    damaged[-1] ^= 1
    file = io.BytesIO(damaged + whole)
    with pytest.raises(InvalidStreamError, match="Block 0 is damaged"):
        next(codec.decode_batches(file))
    assert [len(batch) for batch in codec.decode_batches(file)] == [7]


CODE = """
import sys
import joblib, numpy as np
codecs, sets, results = joblib.load(sys.argv[1]), np.load(sys.argv[2]), b""
for codec, X in zip(codecs, sets.values(), strict=True):
    data = codec.encode(X)
    results += data + codec.decode(data).tobytes()
open(sys.argv[3], "wb").write(results)
"""


@pytest.mark.slow
def test_other_kernels_of_blas_give_the_same_bytes_and_values(tmp_path, bursts_codec):
    of_waves = SequenceCodec(max_relative_error=1e-4).fit(waves())
    joblib.dump([of_waves, bursts_codec], tmp_path / "codecs")
    np.savez(tmp_path / "X.npz", waves(100, 64, seed=1), bursts(100, 64, seed=1))
    results = set()
    for kernel in ("Haswell", "Nehalem", "Prescott"):
        command = [sys.executable, "-c", CODE, *(str(tmp_path / name) for name in ("codecs", "X.npz", kernel))]
        subprocess.run(command, env=os.environ | {"OPENBLAS_CORETYPE": kernel}, check=True, timeout=120)
        results.add((tmp_path / kernel).read_bytes())
    assert len(results) == 1


FRAME = pd.DataFrame(
    {"pressure": waves()[0, :, 0], "temperature": 300 * waves()[1, :, 0] + 2000, "valve": 1e-3 * waves()[2, :, 0]}
)


def test_a_data_frame_is_a_recording_whose_columns_have_bounds_of_their_own():
    codec = SequenceCodec(max_relative_error=0.01).fit(FRAME)
    ranges = FRAME.to_numpy().max(axis=0) - FRAME.to_numpy().min(axis=0)
    np.testing.assert_allclose(codec.bound_, 0.01 * ranges, rtol=1e-6)
    assert codec.feature_names_in_.tolist() == ["pressure", "temperature", "valve"]
    decoded = codec.decode(codec.encode(FRAME))
    assert decoded.shape == FRAME.shape
    assert (np.abs(decoded - FRAME.to_numpy()).max(axis=0) <= codec.bound_).all()


@pytest.mark.parametrize("wrap", [lambda frame: frame, lambda frame: [frame, frame[:20]], pl.from_pandas])
def test_columns_in_another_order_are_refused_also_after_loading(wrap):
    codec = SequenceCodec(max_relative_error=[0.01, 0.05, 0.1]).fit(FRAME)
    file = io.BytesIO()
    codec.save(file)
    for each in (codec, SequenceCodec.load(file.getvalue())):
        each.encode(wrap(FRAME))
        with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
            each.encode(wrap(FRAME[["valve", "temperature", "pressure"]]))


def test_a_bound_in_units_is_a_bound_in_units_and_a_relative_one_is_a_share_of_the_range():
    X = 20 + 10 * waves(20)
    np.testing.assert_array_equal(SequenceCodec(max_error=0.5).fit(X).bound_, 0.5)
    ranges = X.max(axis=(0, 1)) - X.min(axis=(0, 1))
    np.testing.assert_allclose(SequenceCodec(max_relative_error=0.5).fit(X).bound_, 0.5 * ranges)
    with pytest.raises(ValueError, match=r"Got max_error= of shape \(3,\), expected one number, or one for each of 2"):
        SequenceCodec(max_error=[1, 2, 3]).fit(X)


def test_an_estimator_of_other_features_is_refused_with_the_remedy():
    hours = pd.DataFrame(waves()[:, :8, 0], columns=[f"hour {hour}" for hour in range(8)])
    autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(hours)
    with pytest.raises(ValueError, match=r"Got sequences of 8 features.*fitted on 1.*frame.to_numpy\(\)"):
        SequenceCodec(autoencoder, max_relative_error=0.1).fit(hours)


def test_the_names_of_the_estimator_are_those_of_the_codec():
    frames = [pd.DataFrame(x, columns=["flow", "heat"]) for x in waves()]
    autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0).fit(frames)
    with pytest.raises(ValueError, match="must be in the same order"):
        SequenceCodec(autoencoder, max_error=0.1).fit([frame[["heat", "flow"]] for frame in frames])


def test_a_cloned_codec_asks_for_a_frozen_estimator():
    autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0).fit(waves())
    with pytest.raises(NotFittedError, match=r"estimator= that is not fitted.*sklearn\.frozen\.FrozenEstimator"):
        clone(SequenceCodec(autoencoder, bits=8)).fit(waves())
    codec = clone(SequenceCodec(FrozenEstimator(autoencoder), bits=8)).fit(waves())
    assert codec.encode(waves()) == SequenceCodec(autoencoder, bits=8).fit(waves()).encode(waves())


def test_batches_are_encoded_one_at_a_time_and_the_message_says_so(codec):
    with pytest.raises(TypeError, match="Pass one batch at a time"):
        codec.encode(iter([waves()]))


def test_errors_do_not_number_the_rows_of_a_frame_as_sequences():
    frame = pd.DataFrame({"flow": ["high", "low"]})
    with pytest.raises(ValueError, match="Column 'flow' of X holds text"):
        SequenceCodec(max_error=0.1).fit(frame)


@pytest.mark.parametrize("given", ["codes.bin", b"codes"])
def test_batches_are_decoded_from_a_file_object_and_the_error_says_how_to_make_one(given):
    codec = SequenceCodec(max_error=0.1).fit(np.random.default_rng(0).normal(size=(20, 30)))
    with pytest.raises(TypeError, match=r"Got file= of type .*Pass open\(path, 'rb'\), or io.BytesIO"):
        next(codec.decode_batches(given))


@pytest.mark.parametrize("parameters", [{"max_error": 0.1}, {"bits": 8}])
def test_a_small_block_of_many_short_sequences_is_refused_in_little_memory(parameters):
    X = np.random.default_rng(0).normal(size=(30, 12, 2)).cumsum(axis=1)
    autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0).fit(X) if "bits" in parameters else None
    codec = SequenceCodec(autoencoder, **parameters).fit(X)
    header = unpack_header(codec.encode(list(X)))
    data = pack(header, [pack_lengths(np.full(1 << 20, 1)) + bytes([64]) + bytes(1000)])
    tracemalloc.start()
    with pytest.raises(InvalidStreamError, match="values before the last sequence"):
        codec.decode(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6


@pytest.mark.slow
def test_more_than_a_million_empty_sequences_were_encoded_but_not_decoded():
    codec = SequenceCodec(max_error=0).fit([np.arange(9)])
    decoded = codec.decode(codec.encode([np.empty(0)] * 1_200_000))
    assert len(decoded) == 1_200_000


def test_a_bound_with_names_goes_to_the_columns_of_these_names():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(90, 2)), columns=["a", "b"])
    bounds = pd.Series({"b": 5.0, "a": 0.01})
    assert SequenceCodec(max_error=bounds).fit(frame).bound_.tolist() == [0.01, 5]
    assert SequenceCodec(max_error=bounds).fit(frame.to_numpy()[np.newaxis]).bound_.tolist() == [5, 0.01]
    with pytest.raises(ValueError, match=r"bound for \['b', 'c'\], expected one for each of the columns \['a', 'b'\]"):
        SequenceCodec(max_error=pd.Series({"b": 5.0, "c": 0.01})).fit(frame)
    with pytest.raises(ValueError, match=r"By the names of columns: max_error=pandas.Series\({...}\), for a data"):
        SequenceCodec(max_error=bounds.to_dict()).fit(frame)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_lowest_float_as_a_mark_of_missing_values_gives_no_warning_of_numpy(dtype):
    X = np.random.default_rng(0).normal(size=(20, 10)).astype(dtype)
    X[3, 4] = np.finfo(dtype).min
    codec = SequenceCodec(max_error=0.1).fit(X)
    decoded = codec.decode(codec.encode(X))
    assert decoded.dtype == dtype
    assert np.abs(decoded - X).max() <= 0.1


@pytest.mark.parametrize("changed", [{"max_error": 5.0}, {"max_error": None, "bits": 8.0}, {"max_error": np.nan}])
def test_a_file_holds_the_parameters_of_the_fit_not_those_that_were_set_later(changed):
    X = np.random.default_rng(0).normal(size=(20, 10, 1))
    codec, file = SequenceCodec(max_error=0.1).fit(X), io.BytesIO()
    data = codec.encode(X)
    codec.set_params(**changed).save(file)
    loaded = SequenceCodec.load(file.getvalue())
    assert loaded.get_params() == {"estimator": None, "max_error": 0.1, "max_relative_error": None, "bits": None}
    np.testing.assert_array_equal(loaded.decode(data), codec.decode(data))


@pytest.mark.parametrize("data", ["x.bin", Path("x.bin"), None, io.BytesIO()])
def test_what_is_no_bytes_is_refused_with_the_line_that_reads_a_file(codec, data):
    for decode in (codec.decode, lambda data: codec.decode_block(data, 0)):
        with pytest.raises(TypeError, match=r"expected the bytes that encode returned. Pass open\(path, 'rb'\)"):
            decode(data)


def test_the_number_of_a_block_is_an_integer_and_there_may_be_none(codec):
    with pytest.raises(TypeError, match=r"number=0\.0, expected that of a block"):
        codec.decode_block(codec.encode([]), 0.0)
    with pytest.raises(ValueError, match="Got block 0, expected none, since no sequence was encoded"):
        codec.decode_block(codec.encode([]), 0)
