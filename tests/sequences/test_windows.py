import re
from datetime import date, timedelta

import dask.array as da
import naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqembed import merge_windows, sequences_from_frame, sliding_windows, temporalize

SIZES = {"n_rows": st.integers(1, 30), "timesteps": st.integers(1, 8), "stride": st.integers(1, 9)}


def recording(n_rows, n_features=2):
    return np.random.default_rng(n_rows).normal(size=(n_rows, n_features)).astype(np.float32)


@given(**SIZES)
def test_windows_are_those_of_a_plain_loop(n_rows, timesteps, stride):
    X = recording(max(n_rows, timesteps))
    windows, starts, y = sliding_windows(X, timesteps, stride)
    expected_windows, expected_starts = naive.sliding_windows(X, timesteps, stride)
    np.testing.assert_array_equal(windows, expected_windows)
    np.testing.assert_array_equal(starts, expected_starts)
    assert y is None


def test_windows_of_a_memory_map_are_views_of_it(tmp_path):
    np.save(tmp_path / "X.npy", recording(20))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert np.shares_memory(sliding_windows(X, 5).windows, X)


LABELS = [0, 0, 1, 0, 0, 2, 2, 0]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("last", [1, 0, 0, 2, 2, 0]),
        ("first", [0, 0, 1, 0, 0, 2]),
        ("mode", [0, 0, 0, 0, 2, 2]),
        (np.max, [1, 1, 1, 2, 2, 2]),
    ],
)
def test_labels_of_windows(label, expected):
    np.testing.assert_array_equal(sliding_windows(np.arange(8.0), 3, y=LABELS, label=label).y, expected)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([False, False, False, True], [False, True]),
        ([0, 0, 0, 1], [False, True]),
        ([0.0, 0.0, 0.0, 1.0], [False, True]),
        ([1, 1, 1, -1], [1, -1]),
        ([1, 1, 1, 1], [1, 1]),
        ([True, True, True, True], [True, True]),
    ],
)
def test_any_answers_in_the_convention_of_the_labels(y, expected):
    labels = sliding_windows(np.arange(4.0), 3, y=y, label="any").y
    np.testing.assert_array_equal(labels, expected)
    assert labels.dtype == np.asarray(expected).dtype


def test_labels_of_dask_are_read_by_any_as_by_the_other_rules():
    y = da.from_array(np.array([0, 0, 0, 1]))
    assert sliding_windows(np.arange(4.0), 3, y=y, label="any").y.tolist() == [False, True]


def test_any_takes_its_convention_from_all_recordings():
    windows = sliding_windows([np.arange(3.0)] * 2, 3, y=[[1, 1, 1], [1, -1, 1]], label="any")
    np.testing.assert_array_equal(windows.y, [1, -1])


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([0, 0, np.nan, 1, np.nan, 0, 0, 0], [np.nan, 1, 1, 1, np.nan, 0]),
        ([1, 1, np.nan, -1, np.nan, 1, 1, 1], [np.nan, -1, -1, -1, np.nan, 1]),
        ([np.nan] * 8, [np.nan] * 6),
    ],
)
def test_any_refuses_missing_labels_with_the_function_that_keeps_what_is_not_known(y, expected):
    with pytest.raises(ValueError, match=r'Got label="any" with labels such as .*nan') as caught:
        sliding_windows(np.arange(8.0), 3, y=y, label="any")
    rule = eval(re.search(r"label=(lambda .*), which", str(caught.value))[1])
    np.testing.assert_array_equal(sliding_windows(np.arange(8.0), 3, y=y, label=rule).y, expected)


@pytest.mark.parametrize("y", [["walk", None, "walk", "run"], pd.Series([True, None, True, False], dtype="boolean")])
def test_the_most_frequent_label_of_several_kinds_is_refused_with_the_line_that_makes_text_of_them(y):
    with pytest.raises(ValueError, match="Got y= of several kinds") as caught:
        sliding_windows(np.arange(4.0), 3, y=y, label="mode")
    line = str(caught.value).partition(". Pass ")[2].rstrip(".")
    made = eval(line, {"y": [None if label is pd.NA else label for label in y]})
    assert sliding_windows(np.arange(4.0), 3, y=made, label="mode").y[0] == str(y[0])


@pytest.mark.parametrize("y", [["normal", "rare", "normal"], [0, np.nan, 1], [0, 1, 2], [-1, 0, 1]])
def test_any_refuses_labels_of_no_known_convention(y):
    with pytest.raises(ValueError, match='Got label="any" with labels such as'):
        sliding_windows(np.arange(3.0), 3, y=y, label="any")


def test_labels_ahead_of_the_window():
    windows, starts, y = sliding_windows(np.arange(8.0), 3, y=np.arange(8), horizon=2)
    np.testing.assert_array_equal(y, windows[:, -1, 0] + 2)
    np.testing.assert_array_equal(starts, [0, 1, 2, 3])


@pytest.mark.parametrize("label", ["last", "first"])
def test_labels_of_windows_are_no_view_of_those_of_the_rows(label):
    rows = np.arange(8)
    labels = sliding_windows(np.arange(8.0), 3, y=rows, label=label).y
    expected = labels.copy()
    rows[:] = -1
    np.testing.assert_array_equal(labels, expected)
    labels[0] = 7
    assert rows[0] == rows[2] == -1


def test_labels_ahead_of_the_window_are_of_the_same_recording_and_on_the_same_side_of_a_gap():
    _, starts, y = sliding_windows([np.arange(4.0), np.arange(3.0)], 2, y=[np.arange(4), np.arange(4, 7)], horizon=1)
    assert (starts.tolist(), y.tolist()) == ([0, 1, 4], [2, 3, 6])
    _, starts, y = sliding_windows(np.arange(8.0), 2, y=np.arange(8), horizon=1, time=MINUTES, max_gap=1)
    assert (starts.tolist(), y.tolist()) == ([0, 1, 4], [2, 3, 6])


def test_no_window_crosses_from_one_recording_to_the_next():
    first, second = recording(6), recording(5)
    windows, starts, y = sliding_windows([first, second], 4, y=[np.arange(6), np.arange(6, 11)])
    rows = np.concatenate([first, second])
    np.testing.assert_array_equal(starts, [0, 1, 2, 6, 7])
    for window, start in zip(windows, starts, strict=True):
        np.testing.assert_array_equal(window, rows[start : start + 4])
    np.testing.assert_array_equal(y, starts + 3)


@pytest.mark.parametrize("X", [[1, 2, 3, 4], [[1, 10], [2, 20], [3, 30], [4, 40]]])
def test_a_list_of_numbers_is_one_recording_as_its_array_is(X):
    windows, starts, y = sliding_windows(X, 2, y=[0, 1, 2, 3])
    expected = sliding_windows(np.array(X), 2, y=[0, 1, 2, 3])
    np.testing.assert_array_equal(windows, expected.windows)
    np.testing.assert_array_equal(starts, expected.starts)
    np.testing.assert_array_equal(y, expected.y)


def test_lists_of_lists_of_rows_are_several_recordings():
    windows, starts, _ = sliding_windows([[[1], [2], [3]], [[4], [5]]], 2)
    np.testing.assert_array_equal(windows[..., 0], [[1, 2], [2, 3], [4, 5]])
    np.testing.assert_array_equal(starts, [0, 1, 3])


def test_data_frames_are_recordings_and_series_their_labels():
    rows = recording(9)
    labels = pd.Series(np.arange(9), index=range(100, 109))
    frames = pd.DataFrame(rows, columns=["a", "b"], index=labels.index)
    one = sliding_windows(frames, 3, y=labels)
    np.testing.assert_array_equal(one.windows, sliding_windows(rows, 3).windows)
    np.testing.assert_array_equal(one.y, one.starts + 2)
    several = sliding_windows([frames[:5], frames[5:]], 3, y=[labels[:5], labels[5:]])
    np.testing.assert_array_equal(several.windows, sliding_windows([rows[:5], rows[5:]], 3).windows)
    np.testing.assert_array_equal(several.y, several.starts + 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"timesteps": 2.5}, "Got timesteps=2.5, expected an integer of at least 1, not a float"),
        ({"timesteps": 3.0}, "Got timesteps=3.0, expected an integer"),
        ({"timesteps": "3"}, "Got timesteps='3', expected an integer of at least 1, not a str"),
        ({"timesteps": None}, "Got timesteps=None"),
        ({"timesteps": 3, "stride": True}, "Got stride=True, expected an integer of at least 1, not a bool"),
        ({"timesteps": 3, "horizon": 1.0}, "Got horizon=1.0, expected an integer of at least 0, not a float"),
    ],
)
def test_lengths_that_are_no_integers_are_refused(arguments, message):
    with pytest.raises(TypeError, match=message):
        sliding_windows(np.arange(8.0), **arguments)


def test_lengths_may_be_integers_of_numpy():
    assert sliding_windows(np.arange(8.0), np.int64(3), np.int32(2)).windows.shape == (3, 3, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"timesteps": 0}, "Got timesteps=0, expected an integer of at least 1"),
        ({"timesteps": 3, "stride": 0}, "Got stride=0"),
        ({"timesteps": 3, "horizon": -1}, "Got horizon=-1"),
        ({"timesteps": 9}, "Got X= with a recording of 8 rows for timesteps=9, expected at least 9 rows"),
        ({"timesteps": 7, "y": LABELS, "horizon": 2}, "8 rows for timesteps=7 and horizon=2, expected at least 9 rows"),
        ({"timesteps": 3, "y": LABELS[:-1]}, r"Got y= of shape \(7,\) for 8 rows"),
        ({"timesteps": 3, "y": LABELS, "label": "middle"}, "Got label='middle', expected 'last', 'first'"),
    ],
)
def test_bad_windows_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        sliding_windows(np.arange(8.0), **arguments)


@pytest.mark.parametrize(
    ("recordings", "y", "message"),
    [
        ([], None, "Got X= as an empty list"),
        ([np.ones(4)], [[0], [0]], "Got y= of length 2 for X= with 1 recording, expected one array per recording"),
        (np.ones((2, 3, 4)), None, r"Got X= with a recording of shape \(2, 3, 4\)"),
        (pd.DataFrame({"flow": [1.0, 2.0]})[[]], None, r"of shape \(2, 0\), expected at least one feature"),
    ],
)
def test_bad_recordings_are_refused(recordings, y, message):
    with pytest.raises(ValueError, match=message):
        sliding_windows(recordings, 2, y=y)


@given(n_rows=st.integers(5, 30), lookback=st.integers(1, 3))
def test_temporalize_is_the_posts_function(n_rows, lookback):
    X, y = recording(n_rows), np.arange(n_rows)
    windows, labels = temporalize(X, y, lookback)
    expected_windows, expected_labels = naive.temporalize(X, y, lookback)
    np.testing.assert_array_equal(windows, expected_windows)
    np.testing.assert_array_equal(labels, expected_labels)


def test_the_posts_windows_begin_at_row_2():
    series = np.array([[k / 10, (k / 10) ** 3] for k in range(1, 10)])
    windows, _ = temporalize(series, np.zeros(9), lookback=3)
    assert windows.shape == (5, 3, 2)
    np.testing.assert_array_equal(windows[0], series[2:5])


@pytest.mark.parametrize(("lookback", "error"), [(0, ValueError), (2.0, TypeError), (True, TypeError)])
def test_a_lookback_that_is_no_number_of_rows_is_refused_by_its_name(lookback, error):
    with pytest.raises(error, match=f"Got lookback={lookback}, expected an integer of at least 1"):
        temporalize(np.zeros((9, 2)), np.zeros(9), lookback)


def test_temporalize_refuses_what_is_too_short_or_mislabelled():
    with pytest.raises(ValueError, match="Got X= of 4 rows for lookback=3, expected at least 5 rows"):
        temporalize(np.ones((4, 1)), np.zeros(4), 3)
    with pytest.raises(ValueError, match=r"Got y= of shape \(4,\) for 8 rows"):
        temporalize(np.ones((8, 1)), np.zeros(4), 3)


MINUTES = np.array([0, 1, 2, 3, 200, 201, 202, 500])


@pytest.mark.parametrize(
    ("time", "max_gap"),
    [
        (MINUTES, 1),
        (MINUTES.astype("M8[m]"), np.timedelta64(90, "s")),
        (MINUTES.astype("M8[m]").astype("M8[ns]"), timedelta(seconds=90)),
        (pd.Timestamp("2026-01-01") + pd.to_timedelta(MINUTES, unit="m"), pd.Timedelta("90s")),
        (pd.Timestamp("2026-01-01") + pd.to_timedelta(MINUTES, unit="m"), timedelta(seconds=90)),
        (pd.Timestamp("2026-01-01") + pd.to_timedelta(MINUTES, unit="m"), "90s"),
        (MINUTES.astype("M8[m]"), "min"),
        (MINUTES.astype("m8[m]"), "1min"),
        (MINUTES.astype("M8[m]"), pd.offsets.Minute(1)),
    ],
)
def test_no_window_spans_a_gap_in_time(time, max_gap):
    X = np.arange(8.0)
    windows, starts, y = sliding_windows(X, 3, y=np.arange(8), time=time, max_gap=max_gap)
    np.testing.assert_array_equal(windows[:, :, 0], [[0, 1, 2], [1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(starts, [0, 1, 4])
    np.testing.assert_array_equal(y, [2, 3, 6])
    np.testing.assert_array_equal(merge_windows(windows[:, :, 0], starts, 8), [0, 1, 2, 3, 4, 5, 6, np.nan])


@pytest.mark.parametrize(("dtype", "first"), [(np.int8, -100), (np.int16, -32700)])
def test_a_gap_between_narrow_integers_is_a_gap_though_their_difference_has_no_place_in_their_dtype(dtype, first):
    time = np.array([first, first + 1, 100, 101], dtype)
    assert sliding_windows(np.arange(4.0), 2, time=time, max_gap=5).starts.tolist() == [0, 2]
    frame = pd.DataFrame({"pump": "a", "hour": time, "flow": 1.0})
    assert len(sequences_from_frame(frame, "pump", "hour", max_gap=5)) == 2


def test_the_index_of_a_data_frame_is_its_time():
    frame = pd.DataFrame(
        {"x": np.arange(8.0)}, index=pd.Timestamp("2026-01-01", tz="Europe/Oslo") + pd.to_timedelta(MINUTES, unit="m")
    )
    assert sliding_windows(frame, 3, max_gap=pd.Timedelta("90s")).starts.tolist() == [0, 1, 4]
    assert sliding_windows([frame, frame], 3, max_gap=pd.Timedelta("90s")).starts.tolist() == [0, 1, 4, 8, 9, 12]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"time": [0, 2, 1, 3], "max_gap": 1}, ValueError, "times that run backwards.*row 2 has 1 after 2.*Sort"),
        ({"time": [0, 1], "max_gap": 1}, ValueError, r"expected time= of shape \(4,\)"),
        ({"max_gap": 1}, ValueError, "or a data frame whose index holds times"),
        ({"time": list("abcd"), "max_gap": 1}, ValueError, "pandas.to_datetime"),
        ({"time": [0, 1, 2, 3], "max_gap": "5min"}, TypeError, "a number for numbers"),
        ({"time": np.arange(4).astype("M8[s]"), "max_gap": "soon"}, ValueError, "Got max_gap='soon'.*'5min'"),
        ({"time": np.arange(4).astype("M8[s]"), "max_gap": "MS"}, ValueError, "max_gap='31D'"),
        ({"time": np.arange(4).astype("M8[s]"), "max_gap": pd.offsets.MonthBegin()}, ValueError, "max_gap='31D'"),
        ({"time": np.arange(4), "max_gap": 0}, ValueError, "Got max_gap=0, expected .* positive"),
        (
            {"time": np.arange(4).astype("M8[s]"), "max_gap": "-5min"},
            ValueError,
            "max_gap='-5min', expected .* positive",
        ),
        ({"time": np.arange(4), "max_gap": [1]}, TypeError, r"Got max_gap=\[1\]"),
        ({"time": [0, 1, 2, 3]}, ValueError, "Got time= without max_gap="),
        ({"time": [0, 10, 20, 30], "max_gap": 1}, ValueError, "or a larger max_gap="),
        ({"too_short": "skip"}, ValueError, "expected 'error' or 'drop'"),
    ],
)
def test_errors_of_times_and_gaps_say_what_to_do(options, error, message):
    with pytest.raises(error, match=message):
        sliding_windows(np.arange(4.0), 2, **options)


def test_recordings_that_are_too_short_or_differ_in_features_are_named():
    recordings = [np.ones((5, 2)), np.ones((2, 2)), np.ones((4, 2))]
    with pytest.raises(ValueError, match=r'recording 1\. Use fewer timesteps, or too_short="drop"'):
        sliding_windows(recordings, 3)
    assert sliding_windows(recordings, 3, too_short="drop").starts.tolist() == [0, 1, 2, 7, 8]
    with pytest.raises(ValueError, match="Recording 1 of X= has 3 features and an earlier one has 2"):
        sliding_windows([np.ones((5, 2)), np.ones((5, 3))], 3)
    with pytest.raises(ValueError, match=r"Sequence 1 has the columns \['b', 'a'\]"):
        sliding_windows([pd.DataFrame(np.ones((5, 2)), columns=list(names)) for names in ("ab", "ba")], 3)


def test_temporalize_names_its_own_parameter():
    with pytest.raises(TypeError, match=r"Got lookback=3\.0"):
        temporalize(np.ones((9, 2)), np.ones(9), 3.0)


def test_labels_and_times_of_recordings_are_taken_by_position_whatever_holds_them():
    recordings, labels = [np.arange(3.0), np.arange(3.0)], [[0, 0, 0], [1, 1, 1]]
    for y in (pd.Series(labels, index=[1, 0]), dict(zip("ab", labels, strict=True)).values()):
        np.testing.assert_array_equal(sliding_windows(recordings, 3, y=y).y, [0, 1])


@pytest.mark.parametrize("options", [{"y": 1}, {"time": 5, "max_gap": 1}])
def test_one_number_is_no_label_and_no_time_of_several_recordings(options):
    with pytest.raises(TypeError, match=r"of type int for X= with 2 recordings, expected one array per recording"):
        sliding_windows([np.arange(3.0), np.arange(3.0)], 2, **options)


def test_the_name_of_a_column_is_no_time_of_a_single_recording():
    for minutes in ([0, 1, 8, 9], pd.date_range("2026-01-01", periods=4, freq="min")):
        frame = pd.DataFrame({"flow": np.arange(4.0), "minute": minutes})
        with pytest.raises(TypeError, match=r"Pass the times themselves, time=X\['minute'\], and X= without this"):
            sliding_windows(frame, 2, time="minute", max_gap=1)


def test_masked_rows_of_a_recording_and_masked_values_of_windows_are_missing():
    recording = np.ma.masked_equal([1.0, -99.0, 3.0], -99)
    np.testing.assert_array_equal(sliding_windows(recording, 2).windows[:, :, 0], [[1, np.nan], [np.nan, 3]])
    merged = merge_windows(np.ma.masked_equal([[1.0, -99.0]], -99), [0], 2)
    np.testing.assert_array_equal(merged, [1, np.nan])


@pytest.mark.parametrize("lazily", [False, True])
def test_temporalize_reads_no_value_under_a_mask(lazily):
    recording = np.ma.masked_equal(np.arange(6.0)[:, np.newaxis], 3)
    windows, _ = temporalize(da.from_array(recording, chunks=2) if lazily else recording, np.zeros(6), 3)
    np.testing.assert_array_equal(windows[:, :, 0], [[2, np.nan, 4], [np.nan, 4, 5]])


def test_a_masked_label_is_missing_and_a_masked_time_is_refused():
    masked = np.ma.masked_equal([1, 2, 3], 2)
    np.testing.assert_array_equal(sliding_windows(np.arange(3.0), 1, y=masked).y, [1, np.nan, 3])
    with pytest.raises(ValueError, match=r"missing time in row 1"):
        sliding_windows(np.arange(3.0), 1, time=masked, max_gap=1)


@pytest.mark.parametrize(
    ("time", "max_gap", "error"),
    [
        (np.arange(4).astype("M8[s]"), 3600, TypeError),
        (np.arange(4), np.timedelta64(1, "h"), TypeError),
        (np.arange(4.0), np.nan, ValueError),
        (np.array([0, 2, 1, 3], np.uint64), 1, ValueError),
    ],
)
def test_a_gap_must_be_a_step_between_the_times(time, max_gap, error):
    with pytest.raises(error, match=r"Got max_gap=|run backwards"):
        sliding_windows(np.arange(4.0), 2, time=time, max_gap=max_gap)


def test_pythons_own_dates_and_durations_are_times():
    days = [date(2026, 1, 1) + timedelta(days=day) for day in (0, 1, 9, 10)]
    durations = pd.to_timedelta([0, 1, 9, 10], unit="D")
    for time in (days, durations, list(durations)):
        assert sliding_windows(np.arange(4.0), 2, time=time, max_gap=timedelta(days=1)).starts.tolist() == [0, 2]


def test_a_table_of_several_machines_is_not_one_recording():
    rows = pd.DataFrame({"flow": np.arange(20.0)})
    both = pd.concat({"a": rows, "b": rows}, names=["machine", "row"])
    with pytest.raises(
        ValueError, match=r"index of 2 levels, \['machine', 'row'\].*sequences_from_frame\(X.reset_index"
    ):
        sliding_windows(both, 5)
    assert len(sliding_windows(sequences_from_frame(both.reset_index(), "machine", "row"), 5).windows) == 32
    groups = [group for _, group in both.groupby(level="machine")]
    assert len(sliding_windows(groups, 5).windows) == 32


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_dates_that_run_backwards_get_a_warning(zone):
    index = pd.date_range("2026-01-01", periods=10, freq="min", tz=zone)
    recording = pd.DataFrame({"flow": np.arange(10.0)}, index=index)
    for wrong in (recording[::-1], pd.concat([recording[:6], recording])):
        with pytest.warns(UserWarning, match=r"dates of X= run backwards: row \d has .*X.sort_index()"):
            sliding_windows(wrong, timesteps=3)
    with pytest.warns(UserWarning, match=r"dates of X\[1\]= run backwards"):
        sliding_windows([recording, recording[::-1]], timesteps=3)


@pytest.mark.filterwarnings("error")
def test_dates_that_ascend_or_repeat_or_are_set_back_by_the_clock_get_no_warning():
    times = pd.date_range("2026-10-24 22:00", periods=12, freq="h", tz="UTC").tz_convert("Europe/Berlin")
    recording = pd.DataFrame({"flow": np.arange(12.0)}, index=times)
    for right in (recording, recording.tz_localize(None), recording.iloc[[0, 0, 1, 1, 2, 3]]):
        sliding_windows(right, timesteps=3)


def test_windows_of_narrow_integers_are_those_of_plain_ones():
    rows = np.arange(1000)
    narrow = sliding_windows(rows, np.uint8(200), np.uint8(3), y=rows, horizon=np.uint8(100))
    for mine, other in zip(narrow, sliding_windows(rows, 200, 3, y=rows, horizon=100), strict=True):
        np.testing.assert_array_equal(mine, other)
