import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import genpareto

from seqembed.estimators.thresholds import best_f1, exceeded_by_share, held_out_quality

DRAWS = {
    "squares": lambda random, n: random.chisquare(5, n),
    "exponentials": lambda random, n: np.exp(0.5 * random.normal(size=n)),
    "normal": lambda random, n: 10 + random.normal(size=n),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize(("n_samples", "share", "factor"), [(40, 0.05, 1.1), (300, 0.01, 1.1), (40, 0.01, 3)])
def test_new_errors_exceed_the_threshold_as_often_as_promised(draw, n_samples, share, factor):
    shares = []
    for seed in range(300):
        random = np.random.default_rng(seed)
        threshold = exceeded_by_share(draw(random, n_samples), share)
        shares.append(np.mean(draw(random, 5000) > threshold))
    assert share / factor < np.mean(shares) < share * factor


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=60), st.floats(1e-6, 0.4), st.floats(1e-6, 0.4))
def test_a_smaller_share_has_no_lower_threshold(errors, first, second):
    low, high = (exceeded_by_share(np.array(errors), share) for share in sorted((first, second), reverse=True))
    assert min(errors) <= low <= high * (1 + 1e-9)


def test_a_share_of_zero_is_the_largest_error():
    assert exceeded_by_share(np.array([3.0, 1.0, 2.0]), 0) == 3


@pytest.mark.parametrize("k", [1, 2, 5, 20])
def test_the_kth_largest_of_n_errors_is_exceeded_by_a_share_of_k_of_one_more_than_n(k):
    errors = np.random.default_rng(0).permutation(np.arange(1.0, 40.0))
    assert exceeded_by_share(errors, k / 40) == pytest.approx(40 - k)


def tail_threshold(errors, share, n_tail):
    """The docstring's tail, a step at a time: moments, a wider shape, the quantile of the Pareto distribution."""
    ordered = sorted(errors, reverse=True)
    start = ordered[n_tail]
    excesses = np.array([error - start for error in ordered[:n_tail]])
    mean, deviation = excesses.mean(), excesses.std(ddof=1)
    shape = min(max((1 - (mean / deviation) ** 2) / 2, -0.5), 0.4)
    quantile = genpareto(shape + 0.5 / n_tail, scale=mean * (1 - shape)).ppf(1 - share * (len(errors) + 1) / n_tail)
    return max(ordered[0], start + quantile)


@pytest.mark.parametrize("power", [0.2, 1, 2, 8])
@pytest.mark.parametrize(("n_samples", "n_tail"), [(3, 2), (8, 7), (60, 10), (99, 10), (300, 30)])
def test_beyond_all_errors_the_tail_is_a_pareto_distribution_with_the_moments_of_the_largest_errors(
    n_samples, n_tail, power
):
    errors = np.random.default_rng(n_samples).exponential(size=n_samples) ** power
    share = 0.1 / n_samples
    assert exceeded_by_share(errors, share) == pytest.approx(tail_threshold(errors, share, n_tail), rel=1e-9)


def test_a_tail_without_spread_is_as_long_as_its_mean():
    # Of ten equal excesses of 2, the shape is that of an exponential, widened.
    errors = np.repeat([1.0, 3.0], [20, 10])
    expected = 1 + genpareto.isf(0.001 * 31 / 10, 0.05, scale=2)
    assert exceeded_by_share(errors, 0.001) == pytest.approx(expected)
    assert exceeded_by_share(np.array([5.0]), 0.01) == 5
    assert exceeded_by_share(np.full(4, 5.0), 0.01) == 5
    # A single excess.
    assert exceeded_by_share(np.array([1.0, 3.0]), 0.01) == pytest.approx(1 + genpareto.isf(0.03, 0.5, scale=2))


def test_overlapping_errors_have_the_best_f1_threshold():
    normal, rare = np.array([1.0, 2.0, 6.0]), np.array([5.0, 7.0, 8.0])
    assert best_f1(normal, rare) == pytest.approx(np.sqrt(2 * 5))
    assert best_f1(np.array([1.0]), np.array([1.0])) < 1


def test_one_extreme_rare_error_does_not_hide_those_that_are_less_extreme():
    normal, rare = np.array([1.0, 20.0, 69.0]), np.array([1.4e15, 3e20])
    threshold = best_f1(normal, rare)
    assert np.log(threshold) == pytest.approx(np.log([69, 1.4e15]).mean())
    # The result is the same at every power and in every unit of the errors.
    assert best_f1(normal**0.15, rare**0.15) == pytest.approx(threshold**0.15)
    assert best_f1(1e-9 * normal, 1e-9 * rare) == pytest.approx(1e-9 * threshold)
    assert best_f1(normal, np.array([1e300])) < 1e300


def test_neighbouring_numbers_and_errors_of_zero_are_separated():
    for low in (1.0, 0.0, 1e-320, 3.0, 1e130):
        high = np.nextafter(low, np.inf)
        assert low <= best_f1(np.array([low]), np.array([high])) < high
    assert best_f1(np.array([0.0]), np.array([5.0])) == 2.5


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20), st.lists(st.integers(0, 30), min_size=1, max_size=20))
def test_no_other_threshold_has_a_better_f1(normal, rare):
    def f1(threshold):
        n_found = sum(error > threshold for error in rare)
        return 2 * n_found / (n_found + sum(error > threshold for error in normal) + len(rare))

    threshold = best_f1(np.array(normal, float), np.array(rare, float))
    assert f1(threshold) == pytest.approx(max(f1(other) for other in np.arange(-0.5, 31)))


@pytest.mark.parametrize(("n_normal", "n_rare", "n_parts"), [(40, 17, 5), (3, 30, 3), (30, 2, 2)])
def test_quality_is_that_of_thresholds_from_the_other_contiguous_parts(n_normal, n_rare, n_parts):
    random = np.random.default_rng(n_rare)
    normal, rare = random.normal(size=n_normal), random.normal(1.5, size=n_rare)
    n_found = n_flagged = 0
    for normal_part, rare_part in zip(np.array_split(normal, n_parts), np.array_split(rare, n_parts), strict=True):
        others = normal[~np.isin(normal, normal_part)], rare[~np.isin(rare, rare_part)]
        threshold = best_f1(*others)
        n_found += (rare_part > threshold).sum()
        n_flagged += (rare_part > threshold).sum() + (normal_part > threshold).sum()
    quality = {"precision": n_found / n_flagged, "recall": n_found / n_rare}
    assert held_out_quality(normal, rare) == pytest.approx(quality)


def test_of_a_single_normal_or_rare_sequence_no_quality_is_known():
    for normal, rare in (([1.0], [2.0, 3.0]), ([1.0, 2.0], [3.0])):
        quality = held_out_quality(np.array(normal), np.array(rare))
        assert list(quality) == ["precision", "recall"]
        assert np.isnan(list(quality.values())).all()


def test_quality_is_measured_where_the_threshold_was_not_chosen():
    random = np.random.default_rng(0)
    same = held_out_quality(random.normal(size=200), random.normal(size=20))
    assert same["precision"] < 0.3
    assert np.isnan(held_out_quality(np.arange(5.0), np.array([9.0]))["recall"])
