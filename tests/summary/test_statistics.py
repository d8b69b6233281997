import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqembed.sequences.scaling import Batch
from seqembed.summary.statistics import count_statistics, sequence_statistics, standardised_statistics

QUANTILES, LAGS, NOISE = (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1), (1, 2, 3, 5, 8, 13), 0.03


def draw_ragged(seed, n_samples, n_timesteps, n_features, missing=0.0):
    """Draw sequences of unequal lengths, some of whose values are missing; the padding is not zero."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, n_timesteps + 1, n_samples)
    values = random.normal(size=(n_samples, n_timesteps, n_features)).astype(np.float32)
    inside = np.arange(n_timesteps) < lengths[:, np.newaxis]
    mask = inside[:, :, np.newaxis] & (random.random(values.shape) >= missing)
    return Batch(values, mask, lengths)


def naive_statistics(values, mask, length, n_timesteps):
    """The statistics of one feature of one sequence, as lists of values and plain loops; None is unknown."""
    known = {t: float(values[t]) for t in range(length) if mask[t]}
    n = len(known)
    mean = sum(known.values()) / n if n else None
    deviation = math.sqrt(sum((x - mean) ** 2 for x in known.values()) / n) if n else None
    statistics = {"mean": mean, "log_deviation": math.log(deviation + NOISE) if n else None}
    statistics["absolute_deviation"] = sum(abs(x - mean) for x in known.values()) / n if n else None
    standard = {t: (x - mean) / (deviation + NOISE) for t, x in known.items()}
    statistics["skewness"] = math.tanh(sum(x**3 for x in standard.values()) / n) if n else None
    ordered = sorted(known.values())
    for share in QUANTILES:
        statistics[f"quantile_{share:g}"] = ordered[round(share * (n - 1))] if n else None
    for lag in LAGS:
        if lag < n_timesteps:
            products = [x * standard[t + lag] for t, x in standard.items() if t + lag in standard]
            statistics[f"autocorrelation_{lag}"] = sum(products) / len(products) if products else None
    smooth, width = {t: x - mean for t, x in known.items()}, 1
    while 2 * width <= n_timesteps:
        pairs = {t // 2: (x, smooth[t + 1]) for t, x in smooth.items() if t % 2 == 0 and t + 1 in smooth}
        squares = [(second - first) ** 2 for first, second in pairs.values()]
        size = math.sqrt(sum(squares) / len(squares)) if squares else None
        statistics[f"log_detail_{width}"] = math.log(size + NOISE) if squares else None
        smooth = {t: (first + second) / 2 for t, (first, second) in pairs.items()}
        width *= 2
    for number in range(4):
        members = [x for t, x in known.items() if 4 * t // length == number]
        statistics[f"mean_{number + 1}"] = sum(members) / len(members) if members else None
    return statistics


@settings(deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_timesteps=st.integers(1, 40),
    n_features=st.integers(1, 3),
    missing=st.sampled_from([0.0, 0.3, 0.95]),
)
def test_statistics_equal_those_of_plain_loops(seed, n_timesteps, n_features, missing):
    batch = draw_ragged(seed, 4, n_timesteps, n_features, missing)
    statistics = sequence_statistics(batch, n_timesteps)
    statistics.pop("correlation", None)
    for row in range(4):
        for feature in range(n_features):
            expected = naive_statistics(
                batch.values[row, :, feature], batch.mask[row, :, feature], batch.lengths[row], n_timesteps
            )
            assert list(statistics) == list(expected)
            for name, value in expected.items():
                given = statistics[name][row, feature]
                assert np.isnan(given) if value is None else given == pytest.approx(value, abs=1e-4), name


def test_correlations_are_those_of_the_timesteps_at_which_both_features_are_known():
    batch = draw_ragged(0, 3, 30, 3, missing=0.2)
    correlations = sequence_statistics(batch, 30)["correlation"]
    for row, length in enumerate(batch.lengths):
        values = np.where(batch.mask[row], batch.values[row], np.nan)[:length]
        standard = (values - np.nanmean(values, axis=0)) / (np.nanstd(values, axis=0) + NOISE)
        expected = [np.nanmean(standard[:, i] * standard[:, j]) for i, j in ((0, 1), (0, 2), (1, 2))]
        np.testing.assert_allclose(correlations[row], expected, atol=1e-4)


@pytest.mark.parametrize(("n_features", "n_pairs"), [(1, 0), (16, 120), (17, 0)])
def test_the_number_of_correlations_is_bounded(n_features, n_pairs):
    statistics = sequence_statistics(draw_ragged(0, 2, 5, n_features), 5)
    assert statistics.get("correlation", np.empty((2, 0))).shape[1] == n_pairs


def test_no_sequence_has_no_statistics_and_all_of_their_columns():
    batch = Batch(np.ones((0, 24, 2), np.float32), np.ones((0, 24, 2), bool), np.array([], int))
    assert standardised_statistics(batch, np.float32(0), np.float32(1), 24).shape == (0, count_statistics(24, 2))


def test_padding_does_not_change_the_statistics():
    batch = draw_ragged(0, 5, 20, 2)
    padded = Batch(*(np.pad(each, ((0, 0), (0, 7), (0, 0))) for each in batch[:2]), batch.lengths)
    for each, other in zip(
        sequence_statistics(batch, 20).values(), sequence_statistics(padded, 20).values(), strict=True
    ):
        np.testing.assert_allclose(each, other, atol=1e-5)
