import copy

import numpy as np
import pytest

from seqembed import LSTMReconstructor, ReconstructionDetector
from seqembed.estimators.severity import error_scale, normal_windows, severity
from seqembed.estimators.thresholds import exceeded_by_share


@pytest.fixture(scope="session")
def detector():
    X = np.random.default_rng(0).normal(size=(40, 5, 2))
    return ReconstructionDetector(LSTMReconstructor(3, hidden_units=(), epochs=1), random_state=0).fit(X)


def test_the_rarest_held_out_score_comes_once_in_all_windows_and_one_more(detector):
    ranked = np.sort(detector.heldout_scores_)
    np.testing.assert_allclose(normal_windows(detector, ranked[:4]), 41 / np.arange(1, 5))
    np.testing.assert_array_equal(severity(detector, ranked), normal_windows(detector, ranked))


@pytest.mark.parametrize("share", [1 / 500, 1e-3, 1e-6])
def test_a_threshold_far_beyond_all_held_out_scores_is_the_score_that_comes_once_in_one_over_the_share(detector, share):
    moved = copy.copy(detector).set_params(contamination=share)
    assert normal_windows(detector, [moved.offset_])[0] == pytest.approx(1 / share)


def test_the_smaller_the_share_the_farther_out_is_the_threshold(detector):
    moved = copy.copy(detector)
    offsets = [moved.set_params(contamination=share).offset_ for share in np.geomspace(0.5, 1e-6, 60)]
    assert (np.diff(offsets) <= 0).all()
    beyond = moved.set_params(contamination=1 / 50).offset_
    assert beyond == -exceeded_by_share(-detector.heldout_scores_, 1 / 50)


def test_the_order_stays_beyond_what_the_normal_windows_support(detector):
    scores = detector.heldout_scores_.min() * np.logspace(0, 12, 50)
    severities = severity(detector, scores)
    assert (np.diff(severities) > 0).all()
    assert severities[-1] < 1e6 < normal_windows(detector, scores[-1:])[0]


def test_scores_of_errors_alone_are_on_their_scale_already(detector):
    alone = ReconstructionDetector(LSTMReconstructor(3, hidden_units=(), epochs=1), distances=False)
    alone.fit(np.random.default_rng(0).normal(size=(40, 5, 2)))
    errors = np.array([1.0, 100.0])
    np.testing.assert_array_equal(error_scale(errors, alone), errors)
    assert error_scale(errors, detector)[1] < 100


def test_readings_that_no_sensor_makes_have_finite_severities_in_their_order():
    alone = ReconstructionDetector(LSTMReconstructor(3, hidden_units=(), epochs=1), distances=False)
    alone.fit(np.random.default_rng(0).normal(size=(40, 5, 2)))
    # Such as -3.4e38 for a missing value.
    severities = severity(alone, alone.score_samples(np.full((3, 5, 2), [[[1e20]], [[-3.4e38]], [[1e60]]])))
    assert np.isfinite(severities).all()
    assert (np.diff(severities) > 0).all()
