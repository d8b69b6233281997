import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from seqembed import LSTMAutoencoder, load
from seqembed.codec import InvalidStreamError, SequenceCodec
from seqembed.codec.model.embedding_coder import learn_embedding_coder
from seqembed.codec.model.fixed_point_decoder import learn_fixed_point_decoder
from seqembed.codec.model.quantised_autoencoder import QuantisedAutoencoder
from seqembed.datasets import load_italy_power

FILES = Path(__file__).parents[1] / "files" / "version_1"


@pytest.fixture(scope="session")
def autoencoder():
    return load(FILES / "autoencoder.seqembed")


@pytest.fixture(scope="session")
def days():
    return load_italy_power(split="test").data


@pytest.fixture(scope="session")
def codec(autoencoder):
    return SequenceCodec(autoencoder, max_relative_error=0.1).fit(load_italy_power(split="train").data)


def assert_within_bound(codec, X):
    decoded = codec.decode(codec.encode(X))
    for x, again in zip(X, decoded, strict=True):
        known = np.isfinite(x)
        np.testing.assert_array_equal(x[~known], again[~known])
        assert (np.abs(x[known] - again[known].astype(np.float64)) <= codec.bound_[0]).all()


@pytest.mark.slow
def test_few_numbers_that_describe_a_window_save_bytes(codec, days):
    report = codec.report(days)
    without = SequenceCodec(max_relative_error=0.1).fit(load_italy_power(split="train").data).report(days)
    assert report["share_reconstructed"] == 1
    assert report["bytes"] < 0.95 * without["bytes"]
    assert_within_bound(codec, days)


@pytest.mark.slow
def test_where_embeddings_do_not_pay_there_are_none(autoencoder):
    noise = np.random.default_rng(0).normal(size=(100, 24, 1))
    codec = SequenceCodec(autoencoder, max_relative_error=0.1).fit(noise)
    assert codec.coder_.autoencoder is None
    assert_within_bound(codec, noise)


@pytest.mark.slow
def test_sequences_that_have_no_embedding_keep_their_bound_too(codec, days):
    with_gap = days[:20].copy()
    with_gap[3, 4:9], with_gap[5, 0, 0] = np.nan, np.inf
    for X in (with_gap, [days[0], days[1][:0], days[2]], [day[: 1 + row] for row, day in enumerate(days[:24])]):
        assert_within_bound(codec, X)
    assert codec.report(with_gap)["share_predicted"] == 1


@pytest.mark.slow
def test_sequences_of_any_length_are_reconstructed_as_they_are_alone(autoencoder, days):
    coder = learn_embedding_coder(autoencoder.model_, list(days[:50]), 16)
    quantised = QuantisedAutoencoder(coder, learn_fixed_point_decoder(autoencoder.model_, 24))
    sequences = [np.tile(days[row], (3, 1))[: 1 + 7 * row % 60] for row in range(300)]
    lengths = np.array([len(sequence) for sequence in sequences])
    integers = quantised.embed(sequences)
    joined, start = quantised.reconstruct(integers, lengths), 0
    for row, length in enumerate(lengths.tolist()):
        alone = quantised.reconstruct(integers[row : row + 1], lengths[row : row + 1])
        np.testing.assert_array_equal(joined[start : start + length], alone)
        start += length


@pytest.mark.slow
def test_one_long_sequence_takes_no_memory_for_the_short_ones(autoencoder, days):
    quantised = QuantisedAutoencoder(
        learn_embedding_coder(autoencoder.model_, list(days[:50]), 16),
        learn_fixed_point_decoder(autoencoder.model_, 24),
    )
    lengths = np.array([2_000, *[5] * 1000])
    tracemalloc.start()
    quantised.reconstruct(np.zeros((len(lengths), 8), np.int64), lengths)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_embeddings_of_outliers_come_back(activation, days):
    settings = {"hidden_units": (4,), "epochs": 3, "random_state": 0, "time_encoding": False}
    autoencoder = LSTMAutoencoder(3, activation=activation, **settings).fit(days[:60])
    coder = learn_embedding_coder(autoencoder.model_, list(days[:50]), 64)
    quantised = QuantisedAutoencoder(coder, learn_fixed_point_decoder(autoencoder.model_, 24))
    outliers = [day * size for day in days[:4].astype(np.float64) for size in (1e6, 1e12, -1e15, 1e18, 1e30)]
    integers, lengths = quantised.embed(outliers), np.full(len(outliers), 24)
    again = coder.decode_integers(coder.encode_integers(integers), len(outliers))
    np.testing.assert_array_equal(integers, again)
    assert np.isfinite(quantised.reconstruct(integers, lengths)).all()


@pytest.mark.slow
def test_damaged_content_is_refused_or_gives_values_whatever_the_checksum(codec, days):
    content, random, n_refused = codec.coder_.encode(list(days[:40])), np.random.default_rng(0), 0
    for _ in range(200):
        damaged = bytearray(content)
        for place in random.integers(0, len(content), random.integers(1, 4)):
            damaged[place] = random.integers(256)
        try:
            decoded = codec.coder_.decode(bytes(damaged[: random.integers(1, len(content) + 1)]), np.float32)
        except InvalidStreamError:
            n_refused += 1
        else:
            assert {(x.ndim, x.shape[1], x.dtype) for x in decoded} <= {(2, 1, np.dtype(np.float32))}
    assert n_refused > 50


CODE = """
import sys
from seqembed.codec import SequenceCodec
codec = SequenceCodec.load(sys.argv[1])
sys.stdout.buffer.write(codec.decode(open(sys.argv[2], "rb").read()).tobytes())
"""


@pytest.mark.slow
def test_other_kernels_of_blas_decode_to_the_same_values(codec, days, tmp_path):
    codec.save(tmp_path / "codec")
    data = codec.encode(days[:200])
    (tmp_path / "data").write_bytes(data)
    for kernel in ("Haswell", "Nehalem", "Prescott"):
        command = [sys.executable, "-c", CODE, str(tmp_path / "codec"), str(tmp_path / "data")]
        done = subprocess.run(
            command, env=os.environ | {"OPENBLAS_CORETYPE": kernel}, check=True, timeout=120, capture_output=True
        )
        assert done.stdout == codec.decode(data).tobytes()
