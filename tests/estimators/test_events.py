import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils import Bunch

from seqembed import LSTMAutoencoder, ReconstructionDetector, detect_events, sliding_windows

TIMESTEPS = 10


def waves(n_rows, random_state):
    noise = np.random.default_rng(random_state).normal(0, 0.1, (n_rows, 2))
    return np.sin(np.arange(2 * n_rows) / 3).reshape(n_rows, 2) + noise


@pytest.fixture(scope="module")
def detector():
    autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=10, random_state=0)
    detector = ReconstructionDetector(autoencoder, contamination=0, gap=TIMESTEPS - 1)
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


def test_flagged_windows_that_touch_are_one_event(detector):
    assert len(detect_events(detector, with_spikes(300, 100, 108), TIMESTEPS).table) == 1


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
    assert list(events.table) == ["start", "end", "score", "features"]


def test_without_pandas_the_table_is_a_bunch(detector, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    table = detect_events(detector, with_spikes(300, 200), TIMESTEPS).table
    assert isinstance(table, Bunch)
    assert table.start.dtype.kind == "i"
    assert next(iter(table.features[0])) == 1


def test_a_memory_map_is_judged_like_the_array(detector, tmp_path):
    recording = with_spikes(3000, 700)
    np.save(tmp_path / "recording.npy", recording)
    mapped = detect_events(detector, np.load(tmp_path / "recording.npy", mmap_mode="r"), TIMESTEPS)
    pd.testing.assert_frame_equal(mapped.table, detect_events(detector, recording, TIMESTEPS).table)


@pytest.mark.slow
def test_a_single_feature_may_lack_its_axis():
    rows = waves(300, 0)[:, 0]
    autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=10, random_state=0)
    detector = ReconstructionDetector(autoencoder, contamination=0, gap=TIMESTEPS - 1)
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


def test_a_gap_without_times_is_refused(detector):
    with pytest.raises(ValueError, match="Got max_gap= without the times of 50 rows"):
        detect_events(detector, waves(50, 0), TIMESTEPS, max_gap=1)


def test_windows_of_another_length_than_those_of_a_table_are_refused():
    rows = waves(60, 0)[:, 0]
    network = LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0)
    detector = ReconstructionDetector(network).fit(sliding_windows(rows, TIMESTEPS).windows[:, :, 0])
    with pytest.raises(ValueError, match=r"Got timesteps=8, expected 10.*timesteps=detector.n_timesteps_"):
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


def test_an_event_of_three_rows_is_three_rows_long(detector):
    (event,) = detect_events(detector, with_spikes(300, 200), TIMESTEPS).table.itertuples()
    assert (event.start, event.end) == (200, 202)


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
        assert -row_scores[row] == pytest.approx(of_windows**0.8 * of_row**0.2)


ZONES = ["America/New_York", "Asia/Ho_Chi_Minh", "Etc/GMT+5", "Europe/Berlin"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("rows", [(), (200,)])
def test_times_of_events_keep_their_zone(detector, zone, rows):
    minutes = pd.date_range("2026-10-24 22:00", periods=300, freq="min", tz=zone)
    recording = with_spikes(300, *rows)
    for options in ({"time": minutes}, {"time": pd.Series(minutes, index=np.arange(300) + 7)}):
        table = detect_events(detector, recording, TIMESTEPS, **options, max_gap=pd.Timedelta("1min")).table
        assert table.start_time.dtype == minutes.dtype
        assert table.start_time.tolist() == minutes[table.start].tolist()
    frame = pd.DataFrame(recording, index=minutes)
    assert detect_events(detector, frame, TIMESTEPS).table.equals(table)


@pytest.mark.parametrize("rows", [(), (200,)])
def test_times_of_polars_keep_their_zone_in_the_table(detector, rows):
    minutes = pd.date_range("2026-10-24 22:00", periods=300, freq="min", tz="Europe/Berlin")
    local = pl.Series(minutes.tz_convert("UTC").tz_localize(None).to_numpy()).dt.replace_time_zone("UTC")
    time = local.dt.convert_time_zone("Europe/Berlin")
    table = detect_events(detector, with_spikes(300, *rows), TIMESTEPS, time=time).table
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
