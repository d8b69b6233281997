import copy
import functools
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from seqembed import ReconstructionDetector, alarm_rate, detect_events, sliding_windows

TIMESTEPS = 10


class Zeros(BaseEstimator):
    """Reconstructs zeros: scores are those of the noise."""

    def fit(self, X, y=None):
        return self

    def reconstruct(self, X):
        return np.zeros_like(X)


def noise(n_rows, random_state):
    random = np.random.default_rng(random_state)
    spikes = np.where(random.uniform(size=(n_rows, 1)) < 0.02, random.normal(0, 4, (n_rows, 1)), 0)
    return random.normal(size=(n_rows, 1)) + spikes


@functools.cache
def fitted_once(stride, n_rows):
    return ReconstructionDetector(Zeros()).fit(sliding_windows(noise(n_rows, 0), TIMESTEPS, stride).windows)


def fitted(stride=1, n_rows=1000, **changes):
    """A detector of one's own, whose threshold follows its parameters."""
    return copy.deepcopy(fitted_once(stride, n_rows)).set_params(**changes)


@pytest.mark.slow
@pytest.mark.parametrize("contamination", [0.01, 0.04])
@pytest.mark.parametrize(("training_stride", "stride"), [(1, 1), (4, 1), (1, 5)])
def test_as_many_alarms_are_raised_on_normal_data_as_expected(contamination, training_stride, stride):
    detector = fitted(training_stride, n_rows=5000, contamination=contamination)
    rate = alarm_rate(detector, TIMESTEPS, stride, every="1min", training_stride=training_stride)
    unseen = noise(15_000, 1)
    days = len(unseen) / (24 * 60)
    n_flagged = (detector.predict(sliding_windows(unseen, TIMESTEPS, stride).windows) == -1).sum()
    n_events = len(detect_events(detector, unseen, TIMESTEPS, stride).table)
    assert n_flagged / days == pytest.approx(rate.windows_per_day, rel=0.5)
    assert n_events / days == pytest.approx(rate.events_per_day, rel=0.5)


@pytest.mark.slow
def test_the_share_after_the_fit_counts_and_fewer_alarms_can_be_asked_for():
    detector = fitted(n_rows=5000, contamination=0.02)
    rate = alarm_rate(detector, TIMESTEPS, every="1min")
    share = 0.02 * 2 / rate.events_per_day
    asked = alarm_rate(detector.set_params(contamination=share), TIMESTEPS, every="1min")
    assert asked.events_per_day == pytest.approx(2, rel=0.5)
    assert asked.windows_per_day == pytest.approx(share * 24 * 60)


@pytest.mark.slow
def test_labels_and_a_threshold_of_ones_own_have_a_rate_too():
    labelled = noise(600, 2)
    labelled[300:310] = 8
    windows = sliding_windows(labelled, TIMESTEPS).windows
    of_labels = ReconstructionDetector(Zeros(), distances=False).fit(windows, (windows == 8).any(axis=(1, 2)))
    # No normal window is below the threshold of the labels, which is not that of `contamination`.
    assert of_labels.heldout_scores_.min() > of_labels.offset_
    rate = alarm_rate(of_labels, TIMESTEPS, every="1min")
    assert 0 < rate.windows_per_day < 24 * 60 / len(of_labels.heldout_scores_)
    detector = fitted(contamination=0.02)
    rate = alarm_rate(detector, TIMESTEPS, every="1min")
    detector.offset_ = detector.offset_ - 1e-9
    assert alarm_rate(detector, TIMESTEPS, every="1min").windows_per_day == pytest.approx(
        rate.windows_per_day, rel=0.01
    )
    assert alarm_rate(detector.set_params(contamination=0), TIMESTEPS, every="1min").windows_per_day > 0


def low_at(places):
    """A detector whose held-out scores are lowest at some windows, the first of them the lowest of all."""
    detector = fitted()
    scores = np.full(len(detector.heldout_scores_), -0.1)
    scores[places] = np.linspace(-2, -1, len(places))
    detector.heldout_scores_, detector.offset_ = scores, -0.5
    return detector


@pytest.mark.parametrize(
    ("training_stride", "stride", "events_per_window"),
    [(1, 1, 3 / 12), (1, 3, 9 / 12), (2, 1, 5 / 12 / 2), (1, 5, 1), (None, 1, 3 / 12), (None, 2, 5 / 12)],
)
def test_flagged_training_windows_that_touch_or_overlap_are_one_event(training_stride, stride, events_per_window):
    # Windows of ten rows touch if they start ten rows apart.
    detector = low_at([0, 1, 2, 12, 23, 24, 25, 26, 36, 60, 61, 62])
    rate = alarm_rate(detector, TIMESTEPS, stride, every="1min", training_stride=training_stride)
    assert rate.events_per_day / rate.windows_per_day == pytest.approx(events_per_window)


def test_with_few_flagged_windows_the_ten_lowest_say_how_many_make_an_event():
    detector = low_at([0, 100, 1, 2, 3, 4, 101, 102, 103, 104, 200, 300])
    detector.offset_ = np.sort(detector.heldout_scores_)[2]
    rate = alarm_rate(detector, TIMESTEPS, every="1min")
    assert rate.events_per_day / rate.windows_per_day == pytest.approx(2 / 10)


STEPS = "90s", timedelta(seconds=90), pd.Timedelta("90s"), pd.offsets.Second(90)


def test_the_step_is_text_or_a_duration():
    detector = fitted()
    rates = {alarm_rate(detector, TIMESTEPS, every=every) for every in STEPS}
    assert len(rates) == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"every": 60}, TypeError, "Got every=60, expected the time from one row to the next.*every='60s'"),
        ({"every": None}, TypeError, "Got every=None, expected the time .* as a duration.*every='1min'"),
        ({"every": "MS"}, ValueError, "Got every='MS', whose steps are not all equally long"),
        ({"every": "0s"}, ValueError, "Got every='0s', expected a positive step"),
        ({"every": "soon"}, ValueError, "Got every='soon', expected a step such as '5min'"),
        ({"every": "1min", "stride": 0}, ValueError, "Got stride=0"),
        ({"every": "1min", "training_stride": 0}, ValueError, "Got training_stride=0"),
    ],
)
def test_steps_that_are_none_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        alarm_rate(fitted(), TIMESTEPS, **options)


def test_windows_of_another_length_than_the_fitted_ones_have_no_rate():
    detector = fitted()
    for network in detector.estimators_:
        network.one_length_, network.n_timesteps_ = True, TIMESTEPS
    with pytest.raises(ValueError, match="Got timesteps=200, expected 10"):
        alarm_rate(detector, 200, every="1min")


def test_a_rate_needs_a_fit():
    with pytest.raises(NotFittedError):
        alarm_rate(ReconstructionDetector(), TIMESTEPS, every="1min")


@pytest.mark.slow
def test_a_forgotten_training_stride_that_gap_contradicts_is_not_silent():
    detector = fitted(4, gap=(TIMESTEPS - 1) // 4)
    with pytest.warns(
        UserWarning, match=r"count as 1 row apart, but gap=2 .* about 4 rows apart\. Pass training_stride="
    ):
        alarm_rate(detector, TIMESTEPS, every="1min")


@pytest.mark.slow
@pytest.mark.parametrize(("training_stride", "gap"), [(4, 0), (1, TIMESTEPS - 1), (1, TIMESTEPS // 2)])
def test_a_training_stride_that_agrees_with_gap_is_silent(training_stride, gap, recwarn):
    alarm_rate(fitted(training_stride, gap=gap), TIMESTEPS, every="1min")
    alarm_rate(fitted(4, gap=2), TIMESTEPS, every="1min", training_stride=4)
    assert not recwarn.list


def test_windows_of_several_rows_are_refused_by_a_detector_of_a_table_of_one_column():
    detector = ReconstructionDetector(Zeros(), distances=False, cv=2).fit(np.arange(15.0)[:, np.newaxis])
    with pytest.raises(ValueError, match="Got timesteps=5, expected 1: the detector was fitted on windows of 1 row"):
        alarm_rate(detector, 5, every="1min")
