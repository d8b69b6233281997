import copy
import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from kernels import ALL_COLUMNS_ARE_EQUAL
from sklearn.exceptions import NotFittedError

from seqembed import EventStream, LSTMAutoencoder, ReconstructionDetector, detect_events, sliding_windows

TIMESTEPS = 16
NAIVE = pd.date_range("2026-01-01", periods=40, freq="min")
# To the bit where BLAS rounds batches of all sizes alike, else up to rounding.
EQUAL = {"check_exact": True} if ALL_COLUMNS_ARE_EQUAL else {"rtol": 1e-6}


def waves(n_rows, random_state):
    noise = np.random.default_rng(random_state).normal(0, 0.1, (n_rows, 2))
    return np.sin(np.arange(2 * n_rows) / 3).reshape(n_rows, 2) + noise


@pytest.fixture(scope="session")
def detector():
    autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=5, random_state=0)
    detector = ReconstructionDetector(autoencoder, contamination=0.02, gap=TIMESTEPS - 1, cv=2)
    return detector.fit(sliding_windows(waves(300, 0), TIMESTEPS).windows)


def eventful():
    """Spikes alone, in pairs that touch, at both ends, and beside rows without values; a long event."""
    recording = waves(300, 1)
    recording[[2, 60, 75, 133, 190, 298], 1] = 6
    recording[100:130] = np.nan
    recording[150, 0] = np.nan
    recording[210:240, 0] += 1
    return recording


def streamed(stream, recording, n_rows, time=None):
    """All events of a stream that gets some rows at a time: those that have ended, and the last that have not."""
    tables = []
    for first in range(0, len(recording), n_rows):
        part = slice(first, first + n_rows)
        table = stream.update(recording[part], None if time is None else time[part])
        tables.append(table[table.ended])
    tables.append(table[~table.ended])
    filled = [table for table in tables if len(table)] or tables[:1]
    return pd.concat(filled, ignore_index=True).drop(columns="ended")


@pytest.mark.parametrize("stride", [1, 3, TIMESTEPS + 4])
@pytest.mark.parametrize("n_rows", [*(pytest.param(n, marks=pytest.mark.slow) for n in (1, 64)), 7, 300])
def test_the_events_of_a_stream_are_those_of_the_whole_recording(detector, n_rows, stride):
    whole = detect_events(detector, eventful(), TIMESTEPS, stride).table
    assert len(whole) > (3 if stride < TIMESTEPS else 1)
    stream = EventStream(detector, TIMESTEPS, stride)
    pd.testing.assert_frame_equal(streamed(stream, eventful(), n_rows), whole, **EQUAL)


def test_timesteps_and_strides_of_narrow_integers_are_those_of_plain_ones(detector):
    narrow, plain = (EventStream(detector, kind(TIMESTEPS), kind(3)) for kind in (np.uint8, int))
    tables = [streamed(stream, eventful(), 7) for stream in (narrow, plain)]
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.slow
def test_at_any_time_the_events_are_those_of_all_rows_so_far(detector):
    stream, ended, recording = EventStream(detector, TIMESTEPS), [], eventful()
    for n_rows in range(10, 301, 10):
        table = stream.update(recording[n_rows - 10 : n_rows])
        if n_rows < TIMESTEPS:
            assert not len(table)
            continue
        so_far = pd.concat([*ended, table], ignore_index=True).drop(columns="ended")
        whole = detect_events(detector, recording[:n_rows], TIMESTEPS).table
        assert len(so_far) == len(whole)
        if len(whole):
            pd.testing.assert_frame_equal(so_far, whole, **EQUAL, check_dtype=False)
        ended += [table[table.ended]] if table.ended.any() else []


def gap_after(row):
    minutes = np.arange(300)
    minutes[row:] += 60
    return pd.Timestamp("2026-03-29", tz="Europe/Berlin") + pd.to_timedelta(minutes, unit="min")


@pytest.mark.parametrize(
    ("kind", "n_rows"),
    [
        pytest.param("index", 1, marks=pytest.mark.slow),
        *[(kind, n_rows) for kind in ("index", "time", "numbers") for n_rows in (50, 300)],
    ],
)
def test_a_stream_knows_times_and_gaps(detector, kind, n_rows):
    time = gap_after(61)
    options = {"max_gap": 1 if kind == "numbers" else "1min"}
    recording = eventful()
    if kind == "index":
        recording, time = pd.DataFrame(recording, index=time), None
    elif kind == "numbers":
        time = time.tz_convert("UTC").tz_localize(None).to_numpy("M8[m]").astype(int)
    whole = detect_events(detector, recording, TIMESTEPS, time=time, **options).table
    assert 60 in whole.end.tolist()
    stream = EventStream(detector, TIMESTEPS, **options)
    pd.testing.assert_frame_equal(streamed(stream, recording, n_rows, time), whole, **EQUAL)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, int])
def test_rows_of_any_dtype_are_judged_like_the_whole(detector, dtype):
    recording = np.nan_to_num(eventful()).astype(dtype)
    whole = detect_events(detector, recording, TIMESTEPS).table
    pd.testing.assert_frame_equal(streamed(EventStream(detector, TIMESTEPS), recording, 9), whole, **EQUAL)


@pytest.mark.slow
def test_each_window_is_scored_once_and_few_rows_are_kept(detector, monkeypatch):
    network, scored = detector.estimators_[0], []
    reconstruct = network.reconstruct
    monkeypatch.setattr(network, "reconstruct", lambda X: scored.append(len(X)) or reconstruct(X))
    stream = EventStream(detector, TIMESTEPS)
    for rows in np.split(waves(300, 2), 60):
        stream.update(rows)
        assert stream._search.row_scores().shape[0] <= 4 * TIMESTEPS
    assert sum(scored) == 300 - TIMESTEPS + 1


def test_a_stream_keeps_the_threshold_that_it_began_with(detector):
    whole = detect_events(detector, eventful(), TIMESTEPS).table
    stream = EventStream(detector, TIMESTEPS)
    try:
        detector.set_params(contamination=0.3)
        pd.testing.assert_frame_equal(streamed(stream, eventful(), 50), whole)
    finally:
        detector.set_params(contamination=0.02)


def test_no_rows_are_no_news(detector):
    stream, nothing = EventStream(detector, TIMESTEPS), np.empty((0, 2))
    assert stream.update(nothing).empty
    table = stream.update(eventful()[:64])
    assert table.ended.tolist() == [True, False]
    # An event that has ended is told once.
    for _ in range(2):
        pd.testing.assert_frame_equal(stream.update(nothing), table[~table.ended].reset_index(drop=True))


@pytest.mark.parametrize("time", [NAIVE, NAIVE.tz_localize("Asia/Tokyo"), list(NAIVE.to_pydatetime()), np.arange(40)])
def test_the_table_of_a_first_update_without_rows_has_the_columns_of_later_ones(detector, time):
    stream, recording = EventStream(detector, TIMESTEPS), eventful()[50:90]
    before = stream.update(recording[:0], time[:0])
    after = stream.update(recording, time)
    assert list(before) == list(after)
    whole = detect_events(detector, recording, TIMESTEPS, time=time).table
    assert len(whole)
    pd.testing.assert_frame_equal(after.drop(columns="ended"), whole, **EQUAL)


def test_a_refused_update_leaves_the_stream_as_it_was(detector):
    recording, time = eventful(), gap_after(61)
    stream = EventStream(detector, TIMESTEPS)
    stream.update(recording[:50], time[:50])
    for rows, times, message in [
        (recording[50], None, r"Got rows= of 1 feature, expected 2.*rows\[numpy.newaxis\]"),
        (recording[50:60], None, "Got rows= without times after rows with times"),
        (recording[50:60], time[49:59], "Got time= that begins at .* expected later times"),
        (recording[50:60], np.arange(10), "expected later times"),
        (recording[50:60], time[50:55], r"time= of shape \(5,\) for 10 rows"),
        (np.full((10, 2), np.inf), time[50:60], "Got rows= with infinity in row 0"),
        (recording[np.newaxis, 50:60], None, "Begin a stream for each recording. If these are windows, pass the rec"),
    ]:
        with pytest.raises(ValueError, match=message):
            stream.update(rows, times)
    table = stream.update(recording[50:], time[50:])
    expected = detect_events(detector, recording, TIMESTEPS, time=time).table
    assert len(table) > 2
    same = expected[-len(table) :].reset_index(drop=True)
    pd.testing.assert_frame_equal(table.drop(columns="ended"), same, **EQUAL)


def test_an_update_of_earlier_times_tells_them_on_the_clock_of_their_zone(detector):
    stream, minutes = EventStream(detector, TIMESTEPS), pd.date_range("2026-01-01", periods=20, freq="1min")
    minutes = minutes.tz_localize("Europe/Berlin")
    stream.update(eventful()[:20], minutes)
    with pytest.raises(ValueError, match=r"begins at 2026-01-01 00:05:00\+01:00 after rows until .* 00:19:00\+01:00"):
        stream.update(eventful()[20:25], minutes[5:10])


@pytest.mark.parametrize("max_gap", [None, 1])
def test_an_update_whose_scoring_fails_may_be_repeated(detector, monkeypatch, max_gap):
    # A gap is in the middle of an update, so that rows before it are scored first.
    recording, time = eventful(), np.arange(300) + 10 * (np.arange(300) >= 80)
    network, n_left = detector.estimators_[1], [0]
    reconstruct = network.reconstruct

    def fails_once(X):
        n_left[0] -= 1
        if n_left[0] == 0:
            raise MemoryError("now")
        return reconstruct(X)

    stream, tables = EventStream(detector, TIMESTEPS, max_gap=max_gap), []
    monkeypatch.setattr(network, "reconstruct", fails_once)
    for first in range(0, 300, 50):
        part = slice(first, first + 50)
        for n_left[0] in (2, 1) if first == 50 and max_gap else (1,):
            with pytest.raises(MemoryError):
                stream.update(recording[part], time[part])
        table = stream.update(recording[part], time[part])
        tables.append(table if first == 250 else table[table.ended])
    whole = detect_events(detector, recording, TIMESTEPS, time=time, max_gap=max_gap).table
    together = pd.concat([table for table in tables if len(table)], ignore_index=True).drop(columns="ended")
    pd.testing.assert_frame_equal(together, whole, **EQUAL)


# The last fit has windows of the same shape, and another threshold.
@pytest.mark.parametrize(("n_features", "timesteps"), [(1, TIMESTEPS), (2, TIMESTEPS - 1), (2, TIMESTEPS)])
def test_a_detector_that_was_fitted_on_other_windows_in_the_meantime_is_refused(detector, n_features, timesteps):
    other = copy.deepcopy(detector)
    stream = EventStream(other, TIMESTEPS)
    stream.update(waves(30, 0))
    other.fit(sliding_windows(waves(60, 0)[:, :n_features], timesteps).windows)
    with pytest.raises(ValueError, match=r"fitted again since the stream began.*EventStream\("):
        stream.update(waves(30, 0))


def test_columns_that_change_places_between_updates_are_refused(detector):
    frame = pd.DataFrame(waves(60, 0), columns=["flow", "heat"])
    stream = EventStream(detector, TIMESTEPS)
    stream.update(frame[:20])
    with pytest.raises(ValueError, match=r"\['heat', 'flow'\] after \['flow', 'heat'\].* Pass rows\[columns\], with"):
        stream.update(frame[["heat", "flow"]][20:40])
    for rows in (frame.to_numpy()[20:30], frame[30:40], frame.rename(columns=str.upper)[40:50], pl.from_pandas(frame)):
        stream.update(rows)


def test_a_stream_needs_a_fitted_detector_and_counts(detector):
    with pytest.raises(NotFittedError):
        EventStream(ReconstructionDetector(), TIMESTEPS)
    with pytest.raises(ValueError, match="Got stride=0, expected an integer of at least 1"):
        EventStream(detector, TIMESTEPS, 0)
    with pytest.raises(ValueError, match="Got timesteps=9, expected 16"):
        EventStream(detector, 9)
    with pytest.raises(TypeError, match=r"Got timesteps=2\.5"):
        EventStream(detector, 2.5)


@pytest.mark.parametrize("max_gap", ["abc", "0min", [1], "MS"])
def test_a_gap_that_is_none_is_refused_before_the_first_row(detector, max_gap):
    with pytest.raises((TypeError, ValueError), match="Got max_gap="):
        EventStream(detector, TIMESTEPS, max_gap=max_gap)


def test_a_stream_in_which_every_row_follows_a_gap_warns_once(detector, recwarn):
    time = pd.date_range("2026-01-01", periods=60, freq="min")
    stream = EventStream(detector, TIMESTEPS, max_gap="30s")
    for first in range(0, 15, 5):
        stream.update(waves(5, 0), time[first : first + 5])
    with pytest.warns(UserWarning, match="Got 20 rows, each farther from the one before than max_gap='30s'"):
        stream.update(waves(5, 0), time[15:20])
    stream.update(waves(40, 0), time[20:])
    assert not recwarn.list


def test_a_stream_with_a_gap_after_a_while_is_silent(detector, recwarn):
    streamed(EventStream(detector, TIMESTEPS, max_gap="1min"), waves(60, 0), 1, gap_after(9)[:60])
    assert not recwarn.list


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (NAIVE, NAIVE.tz_localize("Asia/Tokyo"), "Got time= in Asia/Tokyo after times without a zone"),
        (NAIVE.tz_localize("Asia/Tokyo"), NAIVE, "Got time= without a zone after times in Asia/Tokyo"),
        (
            NAIVE.tz_localize("Asia/Tokyo"),
            NAIVE.tz_localize("UTC"),
            r'in UTC after times in Asia/Tokyo.*tz_convert\("Asia/Tokyo"\)',
        ),
        (list(NAIVE.to_pydatetime()), list(NAIVE.tz_localize("UTC").to_pydatetime()), "after times without a zone"),
    ],
)
def test_times_of_a_stream_are_of_one_zone(detector, first, second, message):
    stream = EventStream(detector, TIMESTEPS, max_gap="1min")
    stream.update(waves(20, 0), first[:20])
    with pytest.raises(ValueError, match=message):
        stream.update(waves(20, 0), second[20:])
    stream.update(waves(20, 0), first[20:])


def test_an_hour_that_comes_twice_between_two_updates_is_told_with_the_lines_that_tell_both_apart(detector):
    clock = pd.date_range("2026-10-25 01:00", periods=180, freq="min", tz="Europe/Berlin").tz_localize(None)
    stream = EventStream(detector, TIMESTEPS)
    stream.update(waves(120, 0), clock[:120])
    with pytest.raises(ValueError, match=r"begins at 2026-10-25T02:00.*daylight saving time ended") as caught:
        stream.update(waves(60, 0), clock[120:])
    line = re.search(r"pandas\..*ambiguous=False\)", str(caught.value))[0]
    stream = EventStream(detector, TIMESTEPS)
    for rows, line_of_update in (
        (slice(0, 120), line.replace("ambiguous=False", "ambiguous=True")),
        (slice(120, 180), line),
    ):
        stream.update(waves(180, 0)[rows], eval(line_of_update, {"pandas": pd, "time": clock[rows]}))
    with pytest.raises(ValueError, match=r"Pass only rows that are new: rows\[time > last_time\]\.$"):
        stream.update(waves(60, 0), clock[60:120].tz_localize("Europe/Berlin", ambiguous=True))


def test_ctrl_c_at_the_end_of_an_update_leaves_no_half_of_it(detector, monkeypatch):
    recording, times = eventful(), pd.date_range("2026-01-01", periods=300, freq="1min")
    stream = EventStream(detector, TIMESTEPS)
    stream.update(recording[:50], times[:50])
    expected = copy.copy(stream)
    expected.update(recording[50:140], times[50:140])

    def interrupted(stream, name, value):
        object.__setattr__(stream, name, value)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(EventStream, "__setattr__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            stream.update(recording[50:140], times[50:140])
    tables = [each.update(recording[140:], times[140:]) for each in (stream, expected)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_a_stream_goes_on_after_pickling(detector):
    stream, recording = EventStream(detector, TIMESTEPS), eventful()
    stream.update(recording[:70])
    restored = pickle.loads(pickle.dumps(stream))
    for first in range(70, len(recording), 50):
        rows = recording[first : first + 50]
        pd.testing.assert_frame_equal(restored.update(rows), stream.update(rows))


def test_a_stream_says_what_to_do_in_place_of_saving_it(detector):
    stream = EventStream(detector, TIMESTEPS)
    assert not hasattr(stream, "save")
    with pytest.raises(AttributeError, match=r"Pickle it, pickle.dumps\(stream\), .* begins anew, in row 0"):
        stream.save("stream.seqembed")
