import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_overlapping_errors_have_the_best_f1_threshold():
    normal, rare = np.array([1.0, 2.0, 6.0]), np.array([5.0, 7.0, 8.0])
    assert best_f1(normal, rare) == 3.5
    assert best_f1(np.array([1.0]), np.array([1.0])) < 1


def test_quality_is_measured_where_the_threshold_was_not_chosen():
    random = np.random.default_rng(0)
    same = held_out_quality(random.normal(size=200), random.normal(size=20))
    assert same["precision"] < 0.3
    assert np.isnan(held_out_quality(np.arange(5.0), np.array([9.0]))["recall"])
