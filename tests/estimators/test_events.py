import copy
import sys
import warnings
from decimal import Decimal
from fractions import Fraction
from functools import partial

import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils import Bunch

from seqembed import (
    EventStream,
    LSTMAutoencoder,
    LSTMReconstructor,
    ReconstructionDetector,
    alarm_rate,
    detect_events,
    sequences_from_frame,
    sliding_windows,
)
from seqembed.estimators import event_search
from seqembed.estimators.detector import scored
from seqembed.estimators.scoring import KINDS
from seqembed.estimators.severity import error_scale
from seqembed.sequences.collection import check_sequences

TIMESTEPS = 10


def waves(n_rows, random_state):
    noise = np.random.default_rng(random_state).normal(0, 0.1, (n_rows, 2))
    return np.sin(np.arange(2 * n_rows) / 3).reshape(n_rows, 2) + noise


@pytest.fixture(scope="session")
def detector():
    autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=10, random_state=0)
    detector = ReconstructionDetector(autoencoder, contamination=0, gap=TIMESTEPS - 1, cv=2)
    return detector.fit(sliding_windows(waves(300, 0), TIMESTEPS).windows)


def with_spikes(n_rows, *rows, feature=1):
    recording = waves(n_rows, 1)
    for row in rows:
        recording[row : row + 3, feature] = 8
    return recording


@pytest.mark.parametrize("stride", [1, 3])
def test_events_are_where_they_were_and_name_the_feature(detector, stride):
    events = detect_events(detector, with_spikes(300, 60, 200), TIMESTEPS, stride)
    assert len(events.table) == 2
    for spike, event in zip((60, 200), events.table.itertuples(), strict=True):
        assert spike - TIMESTEPS < event.start <= spike
        assert spike + 2 <= event.end < spike + TIMESTEPS
        assert event.score < events.offset
        assert next(iter(event.features)) == 1
        assert sum(event.features.values()) == pytest.approx(1)
    assert events.row_scores.shape == (300,)
    assert 58 <= np.nanargmin(events.row_scores[:150]) <= 64


def test_timesteps_and_strides_of_narrow_integers_are_those_of_plain_ones(detector):
    recording = with_spikes(300, 60, 200)
    narrow = detect_events(detector, recording, np.uint8(TIMESTEPS), np.uint8(3))
    plain = detect_events(detector, recording, TIMESTEPS, 3)
    pd.testing.assert_frame_equal(narrow.table, plain.table)
    np.testing.assert_array_equal(narrow.row_scores, plain.row_scores)


@pytest.mark.parametrize("kind", [Decimal, Fraction, np.uint8])
def test_numbers_of_any_kind_are_times(detector, kind):
    recording, minutes = with_spikes(60, 30), [kind(minute) for minute in range(60)]
    expected = detect_events(detector, recording, TIMESTEPS, time=range(60), max_gap=1)
    given = detect_events(detector, recording, TIMESTEPS, time=np.array(minutes, object), max_gap=1)
    np.testing.assert_array_equal(given.row_scores, expected.row_scores)
    assert given.table.start_time.tolist() == expected.table.start_time.tolist()


def test_dates_of_arrow_in_the_index_are_times(detector):
    minutes = pd.date_range("2026-01-01", periods=60, freq="min")
    frame = pd.DataFrame(with_spikes(60, 30), index=pd.Index(minutes.astype("timestamp[us][pyarrow]")))
    table = detect_events(detector, frame, TIMESTEPS).table
    assert table.start_time.tolist() == minutes[table.start].tolist()


def test_flagged_windows_that_touch_are_one_event(detector):
    assert len(detect_events(detector, with_spikes(300, 100, 108), TIMESTEPS).table) == 1


def test_windows_that_touch_without_a_common_row_are_one_event(detector):
    for second, n_events in ((113, 1), (123, 2)):
        table = detect_events(detector, with_spikes(300, 103, second), TIMESTEPS, stride=TIMESTEPS).table
        assert len(table) == n_events
        assert (table.start.iloc[0], table.end.iloc[-1]) == (103, second + 2)


def test_events_have_the_times_and_the_names_of_a_data_frame(detector):
    minutes = pd.date_range("2026-01-01", periods=300, freq="min")
    frame = pd.DataFrame(with_spikes(300, 200, feature=0), columns=["flow", "heat"], index=minutes)
    table = detect_events(detector, frame, TIMESTEPS).table
    assert table.start_time[0] == minutes[table.start[0]]
    assert table.end_time[0] == minutes[table.end[0]]
    assert next(iter(table.features[0])) == "flow"


def test_no_window_and_no_event_spans_a_gap(detector):
    time = np.arange(300.0)
    time[201:] += 1000
    recording = with_spikes(300, 199)
    events = detect_events(detector, recording, TIMESTEPS, time=time, max_gap=1)
    assert events.table.end[0] == 200
    assert events.table.start[1] == 201
    short = detect_events(detector, recording, TIMESTEPS, time=np.where(time < 295 + 1000, time, time + 9), max_gap=1)
    assert np.isnan(short.row_scores[295:]).all()


def test_a_recording_without_events_has_an_empty_table(detector):
    events = detect_events(detector, waves(300, 0)[100:250], TIMESTEPS)
    assert len(events.table) == 0
    assert list(events.table) == ["start", "end", "score", "severity", "found_by", "features", "window"]


class NoPandas:
    """Finds no pandas."""

    def find_spec(self, name, *_):
        if name.partition(".")[0] == "pandas":
            raise ModuleNotFoundError(name=name)


@pytest.fixture
def without_pandas(monkeypatch):
    """Has pandas not installed. None in sys.modules would be an error of scikit-learn 1.6."""
    monkeypatch.delitem(sys.modules, "pandas")
    monkeypatch.setattr(sys, "meta_path", [NoPandas(), *sys.meta_path])


@pytest.mark.usefixtures("without_pandas")
def test_without_pandas_the_table_is_a_bunch(detector):
    table = detect_events(detector, with_spikes(300, 200), TIMESTEPS).table
    assert isinstance(table, Bunch)
    assert table.start.dtype.kind == "i"
    assert next(iter(table.features[0])) == 1


@pytest.mark.slow
def test_a_memory_map_is_judged_like_the_array(detector, tmp_path):
    recording = with_spikes(3000, 700)
    np.save(tmp_path / "recording.npy", recording)
    mapped = detect_events(detector, np.load(tmp_path / "recording.npy", mmap_mode="r"), TIMESTEPS)
    pd.testing.assert_frame_equal(mapped.table, detect_events(detector, recording, TIMESTEPS).table)


@pytest.mark.slow
def test_a_single_feature_may_lack_its_axis():
    rows = waves(300, 0)[:, 0]
    autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=10, random_state=0)
    detector = ReconstructionDetector(autoencoder, contamination=0, gap=TIMESTEPS - 1, cv=2)
    detector.fit(sliding_windows(rows, TIMESTEPS).windows[:, :, 0])
    rows = waves(300, 0)[:, 0]
    rows[200] = 8
    assert detect_events(detector, rows, TIMESTEPS).table.start[0] <= 200


def test_mistakes_are_refused(detector):
    with pytest.raises(ValueError, match="with at least 10 rows"):
        detect_events(detector, waves(5, 0), TIMESTEPS)
    with pytest.raises(ValueError, match=r"of 1 feature, expected 2.*recording\[:, columns\]"):
        detect_events(detector, waves(50, 0)[:, 0], TIMESTEPS)
    with pytest.raises(ValueError, match=r"time= of shape \(9,\) for 50 rows"):
        detect_events(detector, waves(50, 0), TIMESTEPS, time=range(9))
    recording = waves(50, 0)
    recording[30, 1] = np.inf
    with pytest.raises(ValueError, match="infinity in row 30"):
        detect_events(detector, recording, TIMESTEPS)
    with pytest.raises(NotFittedError):
        detect_events(ReconstructionDetector(), waves(50, 0), TIMESTEPS)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (LSTMReconstructor(hidden_units=(), epochs=1), r"ReconstructionDetector\(LSTMReconstructor\(...\)\).fit"),
        (None, r"Pass ReconstructionDetector\(\).fit\(windows\)"),
        (ReconstructionDetector, r"of type type, expected a fitted.*Pass ReconstructionDetector\(\).fit\(windows\)"),
    ],
)
def test_what_is_no_detector_is_refused_with_the_line_that_makes_one(given, line):
    if isinstance(given, LSTMReconstructor):
        given.fit(waves(50, 0))
    for use in (
        lambda: detect_events(given, waves(50, 0), TIMESTEPS),
        lambda: EventStream(given, TIMESTEPS),
        lambda: alarm_rate(given, TIMESTEPS, every="1min"),
    ):
        with pytest.raises(TypeError, match=line):
            use()


def test_a_gap_that_cuts_every_row_from_the_next_is_refused(detector):
    minutes = pd.date_range("2026-01-01", periods=50, freq="min")
    for gap, message in [("30s", "Got recording without 10 rows in succession.*larger max_gap="), ("0min", "positive")]:
        with pytest.raises(ValueError, match=message):
            detect_events(detector, waves(50, 0), TIMESTEPS, time=minutes, max_gap=gap)


def test_one_of_several_recordings_that_cannot_be_judged_is_named(detector):
    recordings, time = {"a": waves(50, 0), "b": waves(50, 0)}, {"a": np.arange(50), "b": 2 * np.arange(50)}
    with pytest.warns(UserWarning, match=r"Got recording\['b'\] without 10 rows in succession") as caught:
        events = detect_events(detector, recordings, TIMESTEPS, time=time, max_gap=1)
    assert len(caught) == 1
    assert np.isnan(events.row_scores["b"]).all()
    assert np.isfinite(events.row_scores["a"]).all()


def test_windows_without_any_value_are_counted(detector):
    with pytest.warns(UserWarning, match=r"Got recording\[1\]= with 41 windows without any value"):
        detect_events(detector, [waves(50, 0), np.full((50, 2), np.nan)], TIMESTEPS)


def test_a_gap_without_times_is_refused(detector):
    with pytest.raises(ValueError, match="Got max_gap= without the times of 50 rows"):
        detect_events(detector, waves(50, 0), TIMESTEPS, max_gap=1)


def test_windows_of_another_length_than_those_of_a_table_are_refused():
    rows = waves(60, 0)[:, 0]
    network = LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0)
    detector = ReconstructionDetector(network).fit(sliding_windows(rows, TIMESTEPS).windows[:, :, 0])
    with pytest.raises(ValueError, match=r"Got timesteps=8, expected 10.*timesteps=10, which is detector.n_timesteps_"):
        detect_events(detector, rows, 8)


def test_no_word_about_columns_if_only_the_training_windows_had_names(recwarn):
    windows = [pd.DataFrame(window, columns=["flow", "heat"]) for window in sliding_windows(waves(60, 0), 10).windows]
    network = LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0)
    detect_events(ReconstructionDetector(network).fit(windows), waves(60, 1), TIMESTEPS)
    assert not [warning for warning in recwarn if "feature names" in str(warning.message)]


def test_rows_of_missing_values_have_no_score_and_hide_no_event(detector):
    recording = with_spikes(300, 200)
    recording[40:70] = np.nan
    events = detect_events(detector, recording, TIMESTEPS)
    assert np.isnan(events.row_scores[50:60]).all()
    assert 190 < events.table.start.iloc[-1] <= 200


def test_values_that_no_network_can_read_are_events(detector):
    recording = waves(300, 1)
    recording[200] = 1e200
    assert detect_events(detector, recording, TIMESTEPS).table.start.iloc[-1] in range(190, 201)


@pytest.mark.filterwarnings("error")
def test_the_largest_number_is_an_event_without_a_warning_of_numpy(detector):
    recording = waves(60, 1)
    recording[30] = np.finfo(float).max
    assert detect_events(detector, recording, TIMESTEPS).table.start.tolist() == [30]


@pytest.mark.parametrize("n_features", [1, 2, 3, 7])
@pytest.mark.parametrize("timesteps", [7, 10])
def test_a_score_that_equals_the_threshold_is_no_event(timesteps, n_features):
    # Sensors that all stand still have windows of one score, which is the threshold.
    rows = np.tile(1.5 + np.arange(n_features), (60, 1))
    network = LSTMReconstructor(2, hidden_units=(), epochs=1, random_state=0)
    detector = ReconstructionDetector(network, contamination=0.05, cv=2, gap=timesteps - 1)
    windows = sliding_windows(rows, timesteps).windows
    detector.fit(windows)
    np.testing.assert_array_equal(detector.score_samples(windows), detector.offset_)
    assert not len(detect_events(detector, rows, timesteps).table)


def test_the_score_of_an_event_is_that_of_its_window_to_the_bit(detector):
    recording = with_spikes(300, 100)
    (event,) = detect_events(detector, recording, TIMESTEPS).table.itertuples()
    assert detector.score_samples(sliding_windows(recording, TIMESTEPS).windows).min() == event.score


def test_an_event_of_three_rows_is_three_rows_long(detector):
    (event,) = detect_events(detector, with_spikes(300, 200), TIMESTEPS).table.itertuples()
    assert (event.start, event.end) == (200, 202)


@pytest.mark.parametrize("timesteps", [5, 8, 16, 20, 23, 24, 32, 39, 40, 75])
def test_the_score_of_a_row_reads_as_many_rows_before_it_as_after_it(timesteps):
    row_errors = np.ones(81)
    row_errors[40] = 1000
    scores = event_search._row_scores(np.array([np.ones(81), np.ones(81), row_errors, np.ones(81)]), timesteps, 2 / 5)
    np.testing.assert_allclose(scores, scores[::-1])
    assert scores.argmin() == 40
    assert (scores < -1.001).sum() <= max(1, timesteps // 8)


def test_an_event_of_one_row_is_one_row_long_in_windows_of_two_times_eight_rows():
    windows = sliding_windows(waves(300, 0), 16, stride=3).windows
    network = LSTMAutoencoder(4, hidden_units=(8,), epochs=10, random_state=0)
    of_sixteen = ReconstructionDetector(network, contamination=0, gap=5, cv=2).fit(windows)
    recording = waves(300, 1)
    recording[200, 1] = 8
    (event,) = detect_events(of_sixteen, recording, 16).table.itertuples()
    assert (event.start, event.end) == (200, 200)


def test_missing_values_around_a_row_leave_its_windows_to_tell(detector):
    recording = with_spikes(300, 200)
    recording[100:105] = np.nan
    row_scores = detect_events(detector, recording, TIMESTEPS).row_scores
    assert np.isfinite(row_scores).all()
    # They are no rarer than other rows, and no more normal.
    typical = np.median(row_scores)
    assert (2 * typical < row_scores[100:105]).all()
    assert (row_scores[100:105] < 0).all()


def test_scores_of_rows_come_from_windows_and_from_the_rows_themselves(detector):
    recording = with_spikes(60, 30)
    row_scores = detect_events(detector, recording, TIMESTEPS).row_scores
    windows, starts, _ = sliding_windows(recording, TIMESTEPS)
    shares = TIMESTEPS * detector.explain(windows).timestep
    weights = np.square(1 - np.abs(np.arange(TIMESTEPS) - 4.5) / 5.5)
    for row in range(60):
        steps = [(window, row - start) for window, start in enumerate(starts) if 0 <= row - start < TIMESTEPS]
        total = sum(weights[step] for _, step in steps)
        of_windows = sum(weights[step] * shares[window].mean() for window, step in steps) / total
        of_row = sum(weights[step] * shares[window, step] for window, step in steps) / total
        assert -row_scores[row] == pytest.approx(of_windows**0.6 * of_row**0.4)


@pytest.mark.parametrize("n_weights", [1, 2, 3, 8])
def test_neighbours_are_added_up_as_by_a_convolution(n_weights):
    values, weights = np.random.default_rng(0).normal(size=20), np.hanning(n_weights + 2)[1:-1]
    np.testing.assert_allclose(
        event_search._smoothed(values, weights), np.convolve(values, weights, mode="same"), atol=1e-12
    )


def test_what_is_not_known_of_windows_with_missing_values_has_found_no_event(detector):
    recording = with_spikes(60, 30)
    recording[::4, 0] = np.nan
    (event,) = detect_events(detector, recording, TIMESTEPS).table.itertuples()
    windows = check_sequences(sliding_windows(recording, TIMESTEPS).windows)
    rarities = scored(detector, windows, np.array([event.window])).rarities[0]
    assert np.isnan(rarities[-1])
    assert event.found_by == KINDS[np.nanargmax(rarities)]


@pytest.mark.parametrize(("height", "n_flagged"), [(3, None), (3, 4), (9, 6)])
def test_the_rows_of_an_event_are_judged_on_a_scale_of_errors(detector, height, n_flagged):
    recording = waves(120, 1)
    recording[60:75, 1] += height * np.hanning(15)
    windows, starts, _ = sliding_windows(recording, TIMESTEPS)
    window_errors = -detector.score_samples(windows)
    if n_flagged is not None:
        detector = copy.copy(detector)
        detector.offset_ = -np.sort(window_errors)[-n_flagged - 1]
    scaled = error_scale(window_errors, detector)
    shares = TIMESTEPS * detector.explain(windows).timestep * (scaled / window_errors)[:, np.newaxis]
    weights = np.square(1 - np.abs(np.arange(TIMESTEPS) - 4.5) / 5.5)
    row_scores = []
    for row in range(120):
        steps = [(window, row - start) for window, start in enumerate(starts) if 0 <= row - start < TIMESTEPS]
        of_step = [weights[step] for _, step in steps]
        of_windows = np.average([scaled[window] for window, _ in steps], weights=of_step)
        of_row = np.average([shares[window, step] for window, step in steps], weights=of_step)
        row_scores.append(-(of_windows**0.6 * of_row**0.4))
    flagged = starts[-window_errors < detector.offset_]
    covered = slice(flagged[0], flagged[-1] + TIMESTEPS)
    typical, offset = -error_scale([-np.median(detector.heldout_scores_), -detector.offset_], detector)
    rows = flagged[0] + np.array(event_search._extent(np.array(row_scores[covered]), typical, offset))
    (event,) = detect_events(detector, recording, TIMESTEPS).table.itertuples()
    np.testing.assert_array_equal((event.start, event.end), rows)


def test_severity_separates_what_is_far_below_the_threshold_from_what_is_near(detector):
    recording = with_spikes(300, 60)
    recording[200, 1] += 1.5
    table = detect_events(detector, recording, TIMESTEPS).table
    assert len(table) == 2
    assert table.start.is_monotonic_increasing
    rarest = table.sort_values("severity").iloc[-1]
    assert rarest.score == table.score.min()
    assert rarest.severity > 2 * table.severity.min()
    # Both are below all held-out scores.
    assert table.severity.min() > len(detector.heldout_scores_)


def test_events_follow_the_share_of_alarms_that_is_set_after_the_fit(detector):
    recording = with_spikes(300, 200)
    many = copy.copy(detector).set_params(contamination=0.2)
    events = detect_events(many, recording, TIMESTEPS)
    assert events.offset == many.offset_ > detector.offset_
    assert len(events.table) > len(detect_events(detector, recording, TIMESTEPS).table)


def outage(kind):
    """A recording with 30 rows without a value, and a spike three rows after or before them."""
    recording = waves(300, 1)
    recording[100:130] = np.nan
    spike = 133 if kind == "after" else 96
    recording[spike, 1] = 8
    return recording, spike


@pytest.mark.parametrize("kind", ["after", "before"])
def test_a_spike_beside_an_outage_is_found_on_its_own_rows(detector, kind):
    recording, spike = outage(kind)
    event = detect_events(detector, recording, TIMESTEPS).table.sort_values("severity").iloc[-1]
    assert (event.start, event.end) == (spike, spike)


@pytest.mark.slow
def test_events_begin_and_end_with_rows_that_have_values(detector):
    n_events = 0
    for first in range(125, 140):
        recording = waves(300, 1)
        recording[100:130] = np.nan
        recording[first : first + 6, 0] = np.nan
        recording[first + 4 : first + 8, 1] = 8
        recording[first + 8 : first + 30] = np.nan
        for event in detect_events(detector, recording, TIMESTEPS).table.itertuples():
            assert np.isfinite(recording[event.start]).any()
            assert np.isfinite(recording[event.end]).any()
            n_events += 1
    assert n_events >= 15


def test_a_gap_is_written_as_text(detector):
    minutes = pd.date_range("2026-01-01", periods=300, freq="min").where(np.arange(300) < 201)
    minutes = minutes.fillna(pd.Timestamp("2026-01-02")) + pd.to_timedelta(np.arange(300), "s")
    frame = pd.DataFrame(with_spikes(300, 199), index=minutes)
    text, duration = (detect_events(detector, frame, TIMESTEPS, max_gap=gap) for gap in ("2min", pd.Timedelta("2min")))
    pd.testing.assert_frame_equal(text.table, duration.table)
    assert 200 in text.table.end.tolist()


def machines():
    minutes = pd.date_range("2026-03-01", periods=300, freq="min", tz="Europe/Oslo")
    recordings = {"pump": with_spikes(300, 60, 200), "fan": with_spikes(150, 90), "still": waves(300, 0)[100:250]}
    return {name: pd.DataFrame(rows, minutes[: len(rows)], ["flow", "heat"]) for name, rows in recordings.items()}


def one_by_one(detector, recordings):
    found = {name: detect_events(detector, each, TIMESTEPS) for name, each in recordings.items()}
    tables = [events.table.assign(machine=name) for name, events in found.items() if len(events.table)]
    table = pd.concat(tables, ignore_index=True)
    return table[["machine", *table.columns[:-1]]], {name: events.row_scores for name, events in found.items()}


def test_a_mapping_of_machines_gives_one_table_with_their_names(detector):
    recordings = machines()
    table, row_scores = one_by_one(detector, recordings)
    events = detect_events(detector, recordings, TIMESTEPS)
    pd.testing.assert_frame_equal(events.table, table.rename(columns={"machine": "recording"}))
    assert list(events.row_scores) == list(recordings)
    for name, scores in row_scores.items():
        np.testing.assert_array_equal(events.row_scores[name], scores)
    times = {name: frame.index for name, frame in recordings.items()}
    arrays = {name: frame.to_numpy() for name, frame in recordings.items()}
    given = detect_events(detector, arrays, TIMESTEPS, time=times).table
    assert given.start_time.tolist() == events.table.start_time.tolist()


def test_names_of_recordings_without_events_keep_their_dtype(detector):
    silent = copy.copy(detector)
    silent.offset_ = -1e30
    names = detect_events(silent, {"a": waves(300, 0), "b": waves(300, 0)}, TIMESTEPS).table.recording
    assert len(names) == 0
    assert names.dtype == pd.Series(["a"]).dtype


def test_a_list_of_recordings_gives_one_table_with_their_positions(detector):
    recordings = list(machines().values())
    by_name = detect_events(detector, machines(), TIMESTEPS)
    events = detect_events(detector, recordings, TIMESTEPS, max_gap="1min")
    assert events.table.recording.tolist() == [0, 0, 1]
    pd.testing.assert_frame_equal(events.table.iloc[:, 1:], by_name.table.iloc[:, 1:])
    np.testing.assert_array_equal(events.row_scores[1], by_name.row_scores["fan"])
    arrays = [frame.to_numpy() for frame in recordings]
    times = [frame.index for frame in recordings]
    pd.testing.assert_frame_equal(
        detect_events(detector, arrays, TIMESTEPS, time=times).table.drop(columns="features"),
        events.table.drop(columns="features"),
    )


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_long_frame_gives_one_table_with_its_ids(detector, library):
    recordings = machines()
    long = pd.concat(
        {name: frame.rename_axis("minute").reset_index() for name, frame in recordings.items()}, names=["machine"]
    )
    long = long.reset_index(level="machine").sample(frac=1, random_state=0).reset_index(drop=True)
    order = list(dict.fromkeys(long.machine))
    table, row_scores = one_by_one(detector, {name: recordings[name] for name in order})
    frame = long if library == "pandas" else pl.from_pandas(long)
    events = detect_events(detector, frame, TIMESTEPS, time="minute", id="machine")
    if library == "polars":
        # Arrays of NumPy have no time zone.
        for name in ("start_time", "end_time"):
            table[name] = table[name].dt.tz_convert("UTC").dt.tz_localize(None)
    pd.testing.assert_frame_equal(events.table, table, check_dtype=library == "pandas")
    for name, scores in row_scores.items():
        rows = np.flatnonzero(long.machine == name)
        rows = rows[np.argsort(long.minute.to_numpy()[rows])]
        np.testing.assert_array_equal(events.row_scores[rows], scores)


def test_a_long_frame_may_have_other_columns_if_the_windows_were_named(recwarn):
    frame = pd.DataFrame(waves(60, 0), columns=["flow", "heat"])
    network = LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0)
    named = ReconstructionDetector(network).fit(sliding_windows(frame, TIMESTEPS).windows)
    long = frame.assign(machine="a", minute=np.arange(60), site="north")[["site", "heat", "minute", "flow", "machine"]]
    events = detect_events(named, long, TIMESTEPS, time="minute", id="machine")
    np.testing.assert_array_equal(events.row_scores, detect_events(named, frame, TIMESTEPS).row_scores)


def test_sequences_of_a_frame_keep_their_ids_times_and_columns():
    frame = pd.DataFrame(waves(60, 0), columns=["flow", "heat"])
    network = LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0)
    named = ReconstructionDetector(network, cv=2).fit(sliding_windows(frame, TIMESTEPS).windows)
    minutes = pd.date_range("2026-01-01", periods=120, freq="min")
    long = pd.concat(
        pd.DataFrame(with_spikes(120, at), columns=["flow", "heat"]).assign(machine=name, minute=minutes)
        for name, at in [("fan", 60), ("pump", 90)]
    ).reset_index(drop=True)
    sequences = sequences_from_frame(long, "machine", "minute")
    table = detect_events(named, sequences, TIMESTEPS).table.rename(columns={"recording": "machine"})
    expected = detect_events(named, long, TIMESTEPS, time="minute", id="machine").table
    assert set(expected.machine) == {"fan", "pump"}
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    with pytest.raises(ValueError, match="without 10 rows in succession"):
        detect_events(named, sequences, TIMESTEPS, max_gap="30s")
    of_numbers = detect_events(named, sequences, TIMESTEPS, time=[range(120)] * 2).table
    assert of_numbers.start_time.tolist() == of_numbers.start.tolist()
    other = sequences_from_frame(long, "machine", "minute", columns=["heat", "flow"])
    with pytest.raises(ValueError, match=r"columns \['heat', 'flow'\].*columns=list\(detector.feature_names_in_\)"):
        detect_events(named, other, TIMESTEPS)
    ranks = pd.Categorical([f"rank {row}" for row in range(60)], [f"rank {row}" for row in range(60)], ordered=True)
    ranked = sequences_from_frame(frame.assign(machine="fan", rank=ranks), "machine", "rank")
    assert "start_time" not in detect_events(named, ranked, TIMESTEPS).table


def test_a_refusal_of_a_long_frame_says_what_the_frame_is(detector):
    long = pd.DataFrame(waves(50, 0), columns=["flow", "heat"]).assign(machine="a", minute=0)
    with pytest.raises(ValueError, match="Got frame= in which id a has the time 0 more than once") as caught:
        detect_events(detector, long, TIMESTEPS, time="minute", id="machine")
    assert caught.value.__notes__ == ["What the message calls frame= is recording= of detect_events."]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_long_frame_with_more_columns_than_were_fitted_is_refused_with_the_line_that_selects_them(detector, library):
    long = pd.DataFrame(waves(50, 0), columns=["flow", "heat"]).assign(machine="a", minute=np.arange(50))
    # The detector was fitted without names.
    for other, message in (
        (1, r"3 columns besides id= and time=, \['flow', 'heat', 'site'\]"),
        ("x", "'site' .String."),
    ):
        frame = long.assign(site=other)
        frame = frame if library == "pandas" else pl.from_pandas(frame)
        with pytest.raises(ValueError, match=message) as caught:
            detect_events(detector, frame, TIMESTEPS, time="minute", id="machine")
        text = str(caught.value) + " ".join(getattr(caught.value, "__notes__", []))
        assert "recording[['machine', 'minute', " in text
    with pytest.raises(ValueError, match=r"Select them: recording\[columns\]\.$"):
        detect_events(detector, pd.DataFrame(waves(50, 0)).assign(other=1), TIMESTEPS)


@pytest.mark.usefixtures("without_pandas")
def test_several_recordings_without_pandas_have_one_bunch(detector):
    recordings = {"pump": with_spikes(300, 60, 200), "fan": with_spikes(150, 90)}
    table = detect_events(detector, recordings, TIMESTEPS).table
    assert table.recording.tolist() == ["pump", "pump", "fan"]
    assert next(iter(table)) == "recording"


def test_mistakes_with_several_recordings_name_the_recording(detector):
    long = pd.DataFrame(waves(50, 0), columns=["flow", "heat"]).assign(machine="a", minute=np.arange(50))
    for recording, options, error, message in [
        ([waves(50, 0), waves(5, 0)], {}, ValueError, r"Got recording\[1\]= of 5 rows"),
        ({"a": waves(50, 0), "b": waves(50, 0)[:, 0]}, {}, ValueError, r"Got recording\['b'\]= of 1 feature"),
        ([], {}, ValueError, "Got recording= as an empty list"),
        ({}, {}, ValueError, "Got recording= as an empty mapping"),
        ([waves(50, 0)] * 2, {"time": np.arange(50)}, ValueError, "expected a list of one array per recording"),
        ([waves(50, 0)] * 2, {"time": 5}, ValueError, "Got time= of type int for recording= with 2 recordings"),
        ([waves(50, 0)] * 2, {"time": [1]}, ValueError, "Got time= of type list of length 1 for recording="),
        ({"a": waves(50, 0)}, {"time": [np.arange(50)]}, ValueError, "expected a mapping of the same 1 name"),
        (
            long[["flow", "minute"]],
            {"time": "minute"},
            TypeError,
            r"time=recording\['minute'\], and recording= without",
        ),
        (
            long,
            {"id": ["machine", "minute"], "time": "minute"},
            TypeError,
            r"recording.assign\(series=",
        ),
        (waves(50, 0), {"id": "machine"}, TypeError, "Got id='machine' with recording= of type ndarray"),
        (long, {"id": "machine"}, TypeError, "expected the name of the column of times"),
        (long, {"id": "pump", "time": "minute"}, ValueError, r"without the column \['pump'\]"),
        (long, {"id": long.machine, "time": "minute"}, TypeError, r"Got id= of type Series.*Pass id='machine'"),
        (
            long.set_index(["machine", "minute"]),
            {"id": "machine", "time": "minute"},
            ValueError,
            r"\['machine', 'minute'\] in its index, expected columns. Pass recording.reset_index\(\)",
        ),
        (
            long.assign(score="a"),
            {"id": "score", "time": "minute"},
            ValueError,
            "Got id='score', expected another name",
        ),
        (np.zeros((3, 50, 2)), {}, ValueError, r"Pass several recordings as a list: list\(recording\)"),
    ]:
        with pytest.raises(error, match=message):
            detect_events(detector, recording, TIMESTEPS, **options)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_with_columns_in_several_orders_are_refused_with_the_line_that_orders_them(detector, library):
    frame = pd.DataFrame(waves(50, 0), columns=["flow", "heat"])
    other = frame[["heat", "flow"]]
    if library == "polars":
        frame, other = pl.from_pandas(frame), pl.from_pandas(other)
    for recording in ({"a": frame, "b": other}, [waves(50, 0), frame, other]):
        with pytest.raises(ValueError, match=r"\['heat', 'flow'\] after \['flow', 'heat'\]") as caught:
            detect_events(detector, recording, TIMESTEPS)
        ordered = eval(str(caught.value).split(" Pass ")[1].removesuffix("."))
        assert list(ordered.columns) == ["flow", "heat"]
    renamed = pd.DataFrame(waves(50, 0), columns=["flow of b", "heat of b"])
    assert len(detect_events(detector, {"a": frame, "b": renamed}, TIMESTEPS).row_scores) == 2


def test_recordings_of_arrow_and_dask_are_read_like_those_of_pandas():
    normal = sliding_windows(pd.DataFrame(waves(100, 0), columns=["flow", "heat"]), TIMESTEPS).windows
    named = ReconstructionDetector(LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0), cv=2).fit(normal)
    minutes = pd.date_range("2026-01-01", periods=120, freq="min", name="minute")
    frame = pd.DataFrame(with_spikes(120, 60), columns=["flow", "heat"], index=minutes)
    long = pd.concat([frame.assign(machine=name) for name in "ab"]).reset_index()
    expected = detect_events(named, frame, TIMESTEPS).table
    by_machine = detect_events(named, long, TIMESTEPS, time="minute", id="machine").table
    for convert in (pa.Table.from_pandas, partial(dd.from_pandas, npartitions=2)):
        pd.testing.assert_frame_equal(detect_events(named, convert(frame), TIMESTEPS).table, expected)
        listed = detect_events(named, {"a": convert(frame), "b": convert(frame)}.values(), TIMESTEPS).table
        assert listed.start_time.tolist() == 2 * expected.start_time.tolist()
        of_long = detect_events(named, convert(long), TIMESTEPS, time="minute", id="machine").table
        assert of_long.drop(columns="features").equals(by_machine.drop(columns="features"))
        with pytest.raises(ValueError, match=r"with the columns \['heat', 'flow'\], expected \['flow', 'heat'\]"):
            detect_events(named, convert(frame[["heat", "flow"]]), TIMESTEPS)


ZONES = ["America/New_York", "Asia/Ho_Chi_Minh", "Etc/GMT+5", "Europe/Berlin"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("rows", [(), (200,)])
def test_times_of_events_keep_their_zone(detector, zone, rows):
    minutes = pd.date_range("2026-10-24 22:00", periods=300, freq="min", tz=zone)
    recording = with_spikes(300, *rows)
    for options in (
        {"time": minutes},
        {"time": pd.Series(minutes, index=np.arange(300) + 7)},
        {"time": pa.array(minutes)},
        {"time": pa.chunked_array([pa.array(minutes)])},
    ):
        table = detect_events(detector, recording, TIMESTEPS, **options, max_gap=pd.Timedelta("1min")).table
        assert len(table) == len(rows)
        assert table.start_time.dtype == minutes.dtype
        assert table.start_time.tolist() == minutes[table.start].tolist()
    frame = pd.DataFrame(recording, index=minutes)
    assert detect_events(detector, frame, TIMESTEPS).table.equals(table)


@pytest.mark.parametrize("as_given", [list, pd.DatetimeIndex])
def test_days_of_a_list_of_local_midnights_are_those_of_its_calendar(detector, as_given):
    days = pd.date_range("2026-10-15", periods=40, tz="Europe/Berlin")
    given = days.delete(20)
    events = detect_events(detector, with_spikes(39), TIMESTEPS, time=as_given(given), freq="1D")
    assert events.row_scores.shape == (40,)


@pytest.mark.parametrize("rows", [(), (200,)])
def test_times_of_polars_keep_their_zone_in_the_table(detector, rows):
    minutes = pd.date_range("2026-10-24 22:00", periods=300, freq="min", tz="Europe/Berlin")
    local = pl.Series(minutes.tz_convert("UTC").tz_localize(None).to_numpy()).dt.replace_time_zone("UTC")
    time = local.dt.convert_time_zone("Europe/Berlin")
    table = detect_events(detector, with_spikes(300, *rows), TIMESTEPS, time=time).table
    assert len(table) == len(rows)
    assert table.start_time.dt.tz is not None
    assert table.start_time.tolist() == minutes[table.start].tolist()


@pytest.mark.parametrize(
    ("order", "line"),
    [
        (np.arange(300)[::-1], "recording.sort_index()"),
        (np.random.default_rng(0).permutation(300), "recording.sort_index()"),
        (np.append(np.arange(300), np.arange(10)), "recording.sort_index()"),
        (np.sort(np.append(np.arange(300), np.arange(10))), "recording[~recording.index.duplicated()]"),
    ],
    ids=["newest first", "shuffled", "ten rows again", "ten rows twice"],
)
def test_times_that_do_not_ascend_are_refused_with_the_line_that_mends_them(detector, order, line):
    minutes = pd.date_range("2026-01-01", periods=300, freq="min", tz="America/New_York")
    recording = pd.DataFrame(with_spikes(300, 200), index=minutes).iloc[order]
    with pytest.raises(ValueError, match=r"Got the index of recording= with times that (repeat|run)") as caught:
        detect_events(detector, recording, TIMESTEPS)
    assert line in str(caught.value)
    recording = eval(line)
    recording = recording[~recording.index.duplicated()]
    assert (detect_events(detector, recording, TIMESTEPS).table.start_time == minutes[200]).any()


def with_absent_rows(random_state=0):
    """Machines of which some rows are absent, on a grid with NaN rows and closed up."""
    grids = {}
    for name, frame in machines().items():
        kept = np.random.default_rng(random_state).uniform(size=len(frame)) > 0.05
        kept[[0, -1]] = True
        grids[name] = frame.where(pd.Series(kept, frame.index), axis=0)
    return grids, {name: grid.dropna() for name, grid in grids.items()}


@pytest.mark.slow
def test_closed_up_rows_are_judged_like_the_grid_that_they_come_from(detector):
    grids, closed = with_absent_rows()
    expected = detect_events(detector, grids, TIMESTEPS)
    assert len(expected.table) >= 3
    assert len(detect_events(detector, closed, TIMESTEPS).table) != len(expected.table)
    events = detect_events(detector, closed, TIMESTEPS, freq="1min")
    pd.testing.assert_frame_equal(events.table, expected.table)
    for name, scores in expected.row_scores.items():
        np.testing.assert_array_equal(events.row_scores[name], scores)
    arrays, times = {n: f.to_numpy() for n, f in closed.items()}, {n: f.index for n, f in closed.items()}
    given = detect_events(detector, arrays, TIMESTEPS, time=times, freq=pd.Timedelta("1min")).table
    pd.testing.assert_frame_equal(given.drop(columns="features"), expected.table.drop(columns="features"))
    single = detect_events(detector, closed["pump"], TIMESTEPS, freq="1min").table
    pd.testing.assert_frame_equal(single, detect_events(detector, grids["pump"], TIMESTEPS).table)
    numbers = np.flatnonzero(grids["pump"].notna().all(axis=1))
    table = detect_events(detector, arrays["pump"], TIMESTEPS, time=numbers, freq=1).table
    assert table.start_time.tolist() == table.start.tolist() == single.start.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_long_frame_with_absent_rows_is_judged_on_the_grid_of_its_sequences(detector, library):
    grids, closed = with_absent_rows()
    long = pd.concat({n: f.rename_axis("minute").reset_index() for n, f in closed.items()}, names=["machine"])
    long = long.reset_index(level="machine").reset_index(drop=True)
    frame = long if library == "pandas" else pl.from_pandas(long)
    events = detect_events(detector, frame, TIMESTEPS, time="minute", id="machine", freq="1min")
    expected = detect_events(detector, grids, TIMESTEPS)
    assert events.table.start.tolist() == expected.table.start.tolist()
    known = [expected.row_scores[name][grid.notna().all(axis=1)] for name, grid in grids.items()]
    np.testing.assert_array_equal(events.row_scores, np.concatenate(known))
    sequences = sequences_from_frame(frame, "machine", "minute", freq="1min")
    of_arrays = detect_events(detector, dict(zip(sequences.ids, sequences, strict=True)), TIMESTEPS).table
    assert of_arrays.start.tolist() == events.table.start.tolist()


def test_a_grid_begins_anew_after_a_gap(detector):
    minutes = np.arange(300.0)
    minutes[150:] += 1000.5
    kept = np.delete(np.arange(300), [40, 190])
    recording = with_spikes(300, 60, 200)
    options = {"time": minutes[kept], "max_gap": 5, "freq": 1}
    events = detect_events(detector, recording[kept], TIMESTEPS, **options)
    recording[[40, 190]] = np.nan
    expected = detect_events(detector, recording, TIMESTEPS, time=minutes, max_gap=5)
    pd.testing.assert_frame_equal(events.table, expected.table)
    np.testing.assert_array_equal(events.row_scores, expected.row_scores)


def test_a_grid_needs_times_that_lie_on_it(detector):
    with pytest.raises(ValueError, match="Got freq= without the times of 50 rows"):
        detect_events(detector, waves(50, 0), TIMESTEPS, freq="1min")
    with pytest.raises(ValueError, match="expected whole steps"):
        detect_events(detector, waves(50, 0), TIMESTEPS, time=np.arange(50) * 1.3, freq=1)
    with pytest.raises(TypeError, match="Got freq=True for steps of dtype int64"):
        detect_events(detector, waves(50, 0), TIMESTEPS, time=np.arange(50), freq=True)
    with pytest.raises(TypeError, match="Got freq='1min' for steps of dtype int64"):
        detect_events(detector, waves(50, 0), TIMESTEPS, time=np.arange(50), freq="1min")


def test_features_are_shares_of_the_scores_of_all_windows_of_an_event_and_one_of_them_is_named(detector):
    recording = with_spikes(300, 100)
    recording[104:107, 0] = 5
    (event,) = detect_events(detector, recording, TIMESTEPS).table.itertuples()
    windows, starts, _ = sliding_windows(recording, TIMESTEPS)
    scores, by_feature = detector.score_samples(windows), detector.explain(windows).feature
    flagged = scores < detector.offset_
    assert flagged.sum() == flagged[event.window - 12 : event.window + 13].sum()
    shares = by_feature[flagged].sum(axis=0) / by_feature[flagged].sum()
    assert [event.features[number] for number in range(2)] == pytest.approx(shares.tolist())
    rarest = sliding_windows(recording[event.window : event.window + TIMESTEPS], TIMESTEPS).windows
    assert detector.score_samples(rarest)[0] == pytest.approx(event.score)
    assert event.window == starts[scores.argmin()]


def test_the_window_of_an_event_is_counted_from_the_first_row_of_the_recording(detector):
    time = np.arange(300.0)
    time[100:] += 1000
    (event,) = detect_events(detector, with_spikes(300, 200), TIMESTEPS, time=time, max_gap=1).table.itertuples()
    assert event.window <= 200 <= event.window + TIMESTEPS


def test_windows_of_another_length_than_the_fitted_ones_are_refused_before_they_are_scored(detector, monkeypatch):
    def reconstruct(X):
        raise AssertionError("windows were scored")

    for network in detector.estimators_:
        monkeypatch.setattr(network, "reconstruct", reconstruct)
    with pytest.raises(ValueError, match=r"Got timesteps=8, expected 10: .* windows of 10 rows. Pass timesteps=10"):
        detect_events(detector, waves(50, 0), 8)


def test_a_detector_of_unequal_lengths_takes_windows_of_any():
    network = LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0)
    sequences = [waves(8 + number % 3, number) for number in range(12)]
    detector = ReconstructionDetector(network, distances=False).fit(sequences)
    for timesteps in (2, 9, 50):
        row_scores = detect_events(detector, waves(50, 0), timesteps).row_scores
        assert row_scores.shape == (50,)
        assert np.isfinite(row_scores).all()


def test_a_frame_of_several_machines_without_id_is_pointed_to_id():
    rows = pd.DataFrame(waves(60, 0), columns=["flow", "heat"])
    network = LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0)
    detector = ReconstructionDetector(network).fit(sliding_windows(rows, TIMESTEPS).windows)
    minutes = pd.date_range("2026-01-01", periods=60, freq="min")
    long = pd.concat([rows.assign(machine=name, time=minutes) for name in "ab"])
    with pytest.raises(
        ValueError, match=r"set_index\('time'\)\.drop\(columns='machine'\), or, .* id='machine' and time='time'"
    ):
        detect_events(detector, long, TIMESTEPS)
    with pytest.raises(
        ValueError, match=r"Got recording\['a'\]=.*Pass rows.set_index\('time'\)\.drop\(columns='machine'\)\."
    ):
        detect_events(detector, dict(list(long.groupby("machine"))), TIMESTEPS)
    with pytest.raises(ValueError, match=r"Pass recording.drop\(columns='machine'\), or, .* time=\.\.\."):
        detect_events(detector, long.drop(columns="time"), TIMESTEPS)
    with pytest.raises(ValueError, match=r"Column 'heat' of recording holds text.*pandas.to_numeric"):
        detect_events(detector, rows.assign(heat=rows.heat.astype(str)), TIMESTEPS)
    assert len(detect_events(detector, long, TIMESTEPS, id="machine", time="time").row_scores) == 120


def test_the_result_of_sliding_windows_is_no_recording(detector):
    with pytest.raises(TypeError, match=r"expected the recording that was cut\. Pass what sliding_windows got"):
        detect_events(detector, sliding_windows(waves(50, 0), TIMESTEPS), TIMESTEPS)


def test_an_error_about_a_table_of_arrow_says_how_it_becomes_the_frame_whose_lines_it_gives(detector):
    frame = pd.DataFrame(waves(60, 1), columns=["flow", "heat"])
    frame["time"] = pd.date_range("2026-01-01", periods=60, freq="1min")
    table, stream = pa.Table.from_pandas(frame), EventStream(detector, TIMESTEPS)
    for name, judge in (("recording", partial(detect_events, detector, timesteps=TIMESTEPS)), ("rows", stream.update)):
        with pytest.raises(ValueError, match=rf"Pass {name}\.set_index\('time'\)") as raised:
            judge(table)
        (note,) = raised.value.__notes__
        assert note.endswith(f"Begin with {name} = {name}.to_pandas().")
        judge(table.to_pandas().set_index("time"))
        with pytest.raises(ValueError, match="set_index") as raised:
            judge(frame)
        assert not hasattr(raised.value, "__notes__")


def test_sensors_have_their_names_in_the_table_from_a_long_frame_to_events():
    rows = pd.DataFrame(with_spikes(120, 100), columns=["flow", "heat"])
    long = rows.assign(machine="a", minute=np.arange(120))
    sequences = sequences_from_frame(long[:90], "machine", "minute")
    windows = sliding_windows(sequences, TIMESTEPS).windows
    network = LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0)
    detector = ReconstructionDetector(network, gap=9).fit(windows)
    assert detector.feature_names_in_.tolist() == ["flow", "heat"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tables = [
            detect_events(detector, long, TIMESTEPS, id="machine", time="minute").table,
            detect_events(detector, rows, TIMESTEPS).table,
            detect_events(detector, rows.to_numpy(), TIMESTEPS).table,
        ]
    for table in tables:
        assert next(iter(table.features.iloc[-1])) == "heat"


def test_lines_that_mend_columns_and_rows_work_for_frames(detector):
    names = ["flow", "heat"]
    named = copy.copy(detector)
    named.feature_names_in_ = np.array(names, object)
    frame = pd.DataFrame(waves(30, 0), columns=names)
    for recording, message in [
        (frame.assign(other=1.0), r"Select them: recording\[detector\.feature_names_in_\]"),
        (frame.iloc[0], r"A single row is recording\.to_frame\(\)\.T"),
        (frame[names[::-1]], r"Pass recording\[detector\.feature_names_in_\]"),
        (frame.rename(columns={"flow": "FLOW"}), r"Pass recording\.rename\(columns={'FLOW': 'flow'}\)"),
        (pd.concat({"a": frame, "b": frame}), "index of 2 levels"),
    ]:
        with pytest.raises(ValueError, match=message):
            detect_events(named, recording, TIMESTEPS)
    assert frame.iloc[0].to_frame().T.shape == (1, 2)


def test_rows_above_the_threshold_are_far_from_typical_ones_or_belong_to_no_event():
    row_scores = np.array([-1.0, -6, -7, -10, -6, -8, -1])
    # Three quarters of the way to the lowest score lie at -7.75.
    assert event_search._extent(row_scores, typical=-1, offset=-6.5) == (2, 5)
    assert event_search._extent(row_scores, typical=-1, offset=-9) == (3, 5)
    # No row is marked that is less than half as far as the lowest.
    assert event_search._extent(row_scores, typical=-1, offset=-2) == (1, 5)
