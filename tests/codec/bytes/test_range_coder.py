import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqembed.codec.bytes.range_coder import ResidualDecoder, ResidualEncoder
from seqembed.codec.model.tables import learn_tables


@pytest.mark.slow
@given(
    seed=st.integers(0, 1000),
    size=st.sampled_from([0.1, 3, 100, 1e5]),
    groups=st.lists(st.integers(1, 50), min_size=1, max_size=6),
)
def test_residuals_come_back_whatever_was_expected(seed, size, groups):
    random = np.random.default_rng(seed)
    residuals = [np.rint(random.laplace(0, size, n)).astype(np.int64) for n in groups]
    # Of the wrong size too, so that there are escapes.
    scales = [random.integers(1, 10**7, n) for n in groups]
    models = learn_tables(np.concatenate(residuals), np.concatenate(scales)).models()
    encoder = ResidualEncoder()
    for each, expected in zip(residuals, scales, strict=True):
        encoder.write(models, each, expected)
    decoder = ResidualDecoder(encoder.finish(), sum(groups))
    for each, expected in zip(residuals, scales, strict=True):
        np.testing.assert_array_equal(decoder.read(models, expected), each)


def test_bytes_are_as_few_as_the_probabilities_allow():
    random = np.random.default_rng(0)
    residuals = np.rint(random.laplace(0, 2, 50_000)).astype(np.int64)
    scales = np.full(len(residuals), 32)
    tables = learn_tables(residuals, scales)
    encoder = ResidualEncoder()
    encoder.write(tables.models(), residuals, scales)
    assert 8 * len(encoder.finish()) == pytest.approx(tables.count_bits(residuals, scales), rel=0.01)
