import numpy as np
import pytest

from seqembed.estimators.rarity import (
    SHAPE,
    comparable_rarity,
    error_reached_once,
    heldout_logarithms,
    heldout_rarity,
    log_rarities,
    supported_windows,
    windows_between,
)
from seqembed.estimators.thresholds import exceeded_by_share


def normal_scores(n_samples, random_state=0):
    return -np.square(np.random.default_rng(random_state).normal(size=(n_samples, 20))).mean(axis=1)


@pytest.mark.parametrize("n_samples", [1, 5, 30, 1000])
def test_the_lower_a_score_the_rarer_it_is(n_samples):
    scores = -np.geomspace(0.01, 1e6, 2000)
    windows = windows_between(scores, normal_scores(n_samples))
    assert (windows >= 1).all()
    assert np.isfinite(windows).all()
    beyond = scores < normal_scores(n_samples).min()
    assert (np.diff(windows) >= 0).all()
    assert (np.diff(windows[beyond]) > 0).all()


@pytest.mark.parametrize("share", [0.5, 0.1, 0.013, 1 / 1001])
def test_the_threshold_of_a_share_is_reached_once_in_one_over_the_share(share):
    scores = normal_scores(1000)
    threshold = -exceeded_by_share(-scores, share)
    assert windows_between([threshold], scores)[0] == pytest.approx(1 / share)


@pytest.mark.parametrize("n_samples", [2, 9, 300])
def test_what_is_reached_once_in_so_many_windows_is_said_to_be(n_samples):
    for errors in (-normal_scores(n_samples), np.full(n_samples, 3.0), np.zeros(n_samples)):
        for n_windows in (1.5 * (n_samples + 1), 1e6):
            error = error_reached_once(n_windows, errors)
            assert windows_between([-error], -errors)[0] == pytest.approx(n_windows)


@pytest.mark.parametrize(("n_samples", "share"), [(40, 0.01), (300, 0.001)])
def test_numbers_of_sequences_exceed_a_threshold_beyond_all_held_out_ones_as_often_as_promised(n_samples, share):
    def joined(random, n):
        return np.exp(-np.log(random.uniform(size=(n, 4))).mean(axis=1)) ** SHAPE

    shares = []
    for seed in range(100):
        random = np.random.default_rng(seed)
        threshold = error_reached_once(1 / share, joined(random, n_samples))
        shares.append(np.mean(joined(random, 10_000) > threshold))
    assert share / 1.5 < np.mean(shares) < share * 1.5


def test_a_score_that_differs_by_rounding_from_two_that_are_lowest_is_as_rare_as_they_are():
    heldout = -np.array([*range(1, 100), 99.0])
    lowest, rounded, lower = windows_between([-99, -99 * (1 + 1e-6), -99 * (1 + 1e-4)], heldout)
    np.testing.assert_allclose([lowest, rounded], 101 / 2, rtol=1e-4)
    assert lower > 101


@pytest.mark.parametrize("tail", ["light", "heavy"])
def test_what_comes_once_in_ten_thousand_windows_is_said_to_be_about_as_rare(tail):
    def normal_errors(n_samples, random):
        size = (n_samples, 10)
        return np.square(random.normal(size=size) if tail == "light" else random.standard_t(8, size)).mean(axis=1)

    random = np.random.default_rng(0)
    score = -np.quantile(normal_errors(200_000, random), 1 - 1e-4)
    said = [windows_between([score], -normal_errors(500, random))[0] for _ in range(20)]
    assert 1_000 < np.median(said) < 100_000


def test_scores_that_are_all_alike_and_those_that_no_network_reads_have_a_number():
    assert windows_between([-1.0, -2.0], -np.ones(20))[1] > 21
    assert windows_between([-1e200], normal_scores(20))[0] == np.inf
    assert windows_between([], normal_scores(20)).shape == (0,)


def test_equal_held_out_scores_are_all_reached():
    np.testing.assert_allclose(windows_between([-1.0], -np.ones(99)), [100 / 99])
    np.testing.assert_allclose(windows_between([-1.0], -np.repeat([0.5, 1.0], [10, 89])), [100 / 89])


def test_no_event_is_said_to_come_once_in_more_windows_than_normal_data_can_tell_and_the_order_stays():
    logarithms = np.log(np.geomspace(1, 1e130, 1000))
    windows, supported = np.exp(logarithms), supported_windows(logarithms, n_normal=200)
    np.testing.assert_array_equal(supported[windows <= 10_000], windows[windows <= 10_000])
    assert (np.diff(supported) > 0).all()
    assert supported[windows < 5e16].max() < 1e6


def test_sequences_without_an_error_of_components_pass_the_threshold_as_often_as_the_others():
    random = np.random.default_rng(0)
    heldout_errors, errors = random.exponential(size=(2000, 4)), random.exponential(size=(8000, 4))
    errors[:4000, 3] = np.nan
    rarities = comparable_rarity(log_rarities(errors, heldout_errors), heldout_errors)
    exceed = rarities > np.quantile(heldout_rarity(heldout_errors), 0.95)
    assert exceed[:4000].mean() == pytest.approx(0.05, abs=0.015)
    assert exceed[4000:].mean() == pytest.approx(0.05, abs=0.015)


def test_sequences_without_any_distance_are_as_rare_as_their_error():
    random = np.random.default_rng(0)
    heldout_errors, errors = random.exponential(size=(50, 4)), random.exponential(size=(20, 4))
    errors[:, 1:] = np.nan
    logarithms = log_rarities(errors, heldout_errors)
    np.testing.assert_allclose(comparable_rarity(logarithms, heldout_errors), np.exp(logarithms[:, 0]))


def test_the_largest_of_some_held_out_errors_is_compared_with_the_others_that_are_known():
    errors = np.random.default_rng(0).exponential(size=(30, 2))
    with_unknown = np.insert(errors, [3, 20], np.nan, axis=0)
    known = ~np.isnan(with_unknown[:, 0])
    np.testing.assert_array_equal(heldout_logarithms(with_unknown)[known], heldout_logarithms(errors))


def test_kinds_that_no_held_out_sequence_has_are_left_out():
    errors = np.random.default_rng(0).exponential(size=(50, 4))
    heldout_errors = errors.copy()
    heldout_errors[:, 3] = np.nan
    expected = comparable_rarity(log_rarities(errors[:, :3], errors[:, :3]), errors[:, :3])
    np.testing.assert_allclose(comparable_rarity(log_rarities(errors, heldout_errors), heldout_errors), expected)
