import re
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import dask.dataframe as dd
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqembed.sequences.frames import frame_from_sequences, sequences_from_frame
from seqembed.sequences.windows import sliding_windows

KEYS = {"id": "pump", "time": "hour"}
DAYS = np.datetime64("2026-01-01", "ns") + np.arange(3) * np.timedelta64(1, "D")


def pumps(**columns):
    """Pump b in three rows that are out of order, and pump a in two."""
    frame = {"pump": ["b", "a", "b", "a", "b"], "hour": [3, 1, 1, 2, 2], "flow": [6.0, 1.0, 4.0, 2.0, 5.0]}
    return pd.DataFrame(frame | columns)


def naive_sequences(frame, columns):
    return [
        np.array([[row[column] for column in columns] for _, row in group.sort_values("hour").iterrows()], float)
        for _, group in frame.groupby("pump", sort=False, observed=True)
    ]


@st.composite
def shuffled_frames(draw):
    """Frames of any ids, each with times of its own, rows in any order and values of which some are missing."""
    names = draw(st.sampled_from([["d", "a", "c", "b"], [7, -3, 0, 2], [0.5, -1.5, 2.0, 0.0]]))
    hours = st.lists(st.integers(-99, 99), unique=True, min_size=1, max_size=6)
    keys = [(name, hour) for name in names[: draw(st.integers(1, 4))] for hour in draw(hours)]
    frame = pd.DataFrame(draw(st.permutations(keys)), columns=["pump", "hour"])
    random = np.random.default_rng(draw(st.integers(0, 99)))
    frame["flow"] = random.normal(size=len(frame))
    frame["count"] = random.integers(0, 9, len(frame))
    frame.loc[random.random(len(frame)) < 0.2, "flow"] = np.nan
    frame.index = random.integers(0, 3, len(frame))
    if draw(st.booleans()):
        frame["pump"] = pd.Categorical(frame["pump"], categories=names)
    return frame


# The first example imports a library, which takes longer than the others.
@pytest.mark.slow
@settings(deadline=None)
@given(shuffled_frames())
def test_sequences_are_those_of_a_plain_loop_over_the_ids(frame):
    sequences = sequences_from_frame(frame, **KEYS)
    expected = naive_sequences(frame, ["flow", "count"])
    assert len(sequences) == len(expected)
    for sequence, plain in zip(sequences, expected, strict=True):
        np.testing.assert_array_equal(sequence, plain)


@pytest.mark.slow
# The first example imports a library, which takes longer than the others.
@settings(deadline=None)
@given(shuffled_frames())
def test_a_round_trip_is_exact_whatever_the_order_of_rows(frame):
    before = frame.copy(deep=True)
    back = frame_from_sequences(sequences_from_frame(frame, **KEYS), frame, **KEYS)
    pd.testing.assert_frame_equal(back, before.astype({"count": float}))
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.slow
# The first example imports a library, which takes longer than the others.
@settings(deadline=None)
@given(shuffled_frames())
def test_a_polars_frame_gives_the_sequences_of_the_pandas_frame_and_comes_back(frame):
    frame = frame.astype({"pump": str})
    in_polars = pl.DataFrame({name: frame[name].to_list() for name in frame})
    sequences = sequences_from_frame(in_polars, **KEYS)
    for sequence, expected in zip(sequences, sequences_from_frame(frame, **KEYS), strict=True):
        np.testing.assert_array_equal(sequence, expected)
    back = frame_from_sequences(sequences, in_polars, **KEYS)
    assert back.equals(in_polars.with_columns(pl.col("count").cast(float)))


def test_ids_come_in_the_order_in_which_they_first_appear_and_rows_in_the_order_of_time():
    pump_b, pump_a = sequences_from_frame(pumps(), **KEYS)
    np.testing.assert_array_equal(pump_b, [[4], [5], [6]])
    np.testing.assert_array_equal(pump_a, [[1], [2]])


def test_features_come_in_the_order_of_the_columns_named():
    pump_b, _ = sequences_from_frame(pumps(level=[0, 1, 2, 3, 4], site="x"), **KEYS, columns=["level", "flow"])
    np.testing.assert_array_equal(pump_b, [[2, 4], [4, 5], [0, 6]])


def test_columns_that_were_not_selected_come_back_as_they_were():
    frame = pumps(site=["x", "y", "x", "y", "x"], level=1)
    doubled = [2 * sequence for sequence in sequences_from_frame(frame, **KEYS, columns=["flow"])]
    back = frame_from_sequences(doubled, frame, **KEYS, columns=["flow"])
    pd.testing.assert_frame_equal(back, frame.assign(flow=2 * frame["flow"]))


def test_an_array_of_sequences_of_equal_length_comes_back_too():
    frame = pumps()[:4]
    X = np.array(sequences_from_frame(frame, **KEYS))
    assert X.shape == (2, 2, 1)
    pd.testing.assert_frame_equal(frame_from_sequences(X, frame, **KEYS), frame)


def test_what_comes_back_can_be_written_to_and_shares_nothing_with_the_sequences():
    frame = pumps()[:1]
    sequences = sequences_from_frame(frame, **KEYS)
    back = frame_from_sequences(sequences, frame, **KEYS)
    back.loc[0, "flow"] = -1
    assert frame.loc[0, "flow"] == sequences[0][0, 0] == 6


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        ({"flow": "float32", "level": "float32"}, np.float32),
        ({"flow": "float32", "level": "float64"}, np.float64),
        ({"flow": "float32", "level": "int8"}, np.float64),
        ({"flow": "Float32", "level": "float32"}, np.float32),
        ({"flow": "int64", "level": "bool"}, np.float64),
    ],
)
def test_sequences_are_in_float32_only_if_all_columns_are(dtypes, expected):
    assert {X.dtype for X in sequences_from_frame(pumps(level=1).astype(dtypes), **KEYS)} == {np.dtype(expected)}


@pytest.mark.parametrize(("given", "expected"), [("float32", "float32"), ("float64", "float64"), ("int64", "float64")])
def test_values_come_back_in_the_precision_of_the_sequences(given, expected):
    sequences = [X.astype(given) for X in sequences_from_frame(pumps(), **KEYS)]
    assert frame_from_sequences(sequences, pumps(), **KEYS)["flow"].dtype == expected


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean"])
def test_missing_values_of_nullable_columns_are_NaN(dtype):
    frame = pumps(flow=pd.array([1, 0, pd.NA, 1, 1], dtype=dtype))
    pump_b, pump_a = sequences_from_frame(frame, **KEYS)
    np.testing.assert_array_equal(pump_b, [[np.nan], [1], [1]])
    np.testing.assert_array_equal(pump_a, [[0], [1]])
    assert pump_b.dtype == np.float64


@pytest.mark.parametrize("dtype", ["Int64", "Float32", "Boolean"])
def test_nulls_of_polars_are_NaN(dtype):
    frame = pl.DataFrame({"pump": [1, 1], "hour": [2, 1], "flow": pl.Series([1, None]).cast(getattr(pl, dtype))})
    np.testing.assert_array_equal(sequences_from_frame(frame, **KEYS), [[[np.nan], [1]]])


def test_booleans_are_0_and_1():
    np.testing.assert_array_equal(
        sequences_from_frame(pumps(flow=[True, False, False, True, True]), **KEYS)[0], [[0], [1], [1]]
    )


@pytest.mark.parametrize(
    "hours",
    [
        DAYS[[2, 0, 0, 1, 1]],
        pd.DatetimeIndex(DAYS[[2, 0, 0, 1, 1]], tz="UTC").tz_convert("Europe/Oslo"),
        pd.to_timedelta([3, 1, 1, 2, 2], unit="h"),
        [0.3, 0.1, -np.inf, 0.2, 0.2],
        pd.Categorical(["late", "early", "early", "noon", "noon"], categories=["early", "noon", "late"], ordered=True),
        pd.array([3, 1, 1, 2, 2], dtype="Int64"),
        pd.array([date(2026, 1, day) for day in (3, 1, 1, 2, 2)], dtype=pd.ArrowDtype(pa.date32())),
        pd.array([timedelta(hour) for hour in (3, 1, 1, 2, 2)], dtype=pd.ArrowDtype(pa.duration("us"))),
    ],
    ids=[
        "dates",
        "dates of a time zone",
        "durations",
        "floats",
        "categories",
        "nullable integers",
        "days of Arrow",
        "durations of Arrow",
    ],
)
def test_times_are_anything_that_sorts(hours):
    frame = pumps(hour=hours)
    sequences = sequences_from_frame(frame, **KEYS)
    np.testing.assert_array_equal(sequences[0], [[4], [5], [6]])
    pd.testing.assert_frame_equal(frame_from_sequences(sequences, frame, **KEYS), frame)


@pytest.mark.parametrize(
    "hours", [["1", "10", "2", "3", "4"], [1, "10", 2, 3, 4], list("xyzab")], ids=["numbers", "mixed", "words"]
)
def test_times_that_are_text_are_refused_since_10_sorts_before_2(hours):
    with pytest.raises(ValueError, match=r"(?s)column 'hour' holds.*to_datetime\(.*to_numeric\("):
        sequences_from_frame(pumps(hour=hours), **KEYS)


@pytest.mark.parametrize("kind", ["Categorical", "Datetime"])
def test_categories_and_dates_of_polars_are_ids_and_times(kind):
    frame = pl.DataFrame(pumps().to_dict("list"))
    frame = frame.with_columns(
        pl.col("pump").cast(pl.Categorical) if kind == "Categorical" else pl.col("hour").cast(pl.Datetime)
    )
    sequences = sequences_from_frame(frame, **KEYS)
    np.testing.assert_array_equal(sequences[0], [[4], [5], [6]])
    assert frame_from_sequences(sequences, frame, **KEYS).equals(frame)


def test_categories_without_rows_give_no_sequences():
    frame = pumps()
    frame["pump"] = pd.Categorical(frame["pump"], categories=["a", "b", "unused"])
    assert [len(sequence) for sequence in sequences_from_frame(frame, **KEYS)] == [3, 2]


@pytest.mark.parametrize("index", [[9, 9, 3, 3, 1], list("vwxyz"), pd.to_datetime(["2026-01-01"] * 5)])
def test_the_index_of_a_pandas_frame_comes_back(index):
    frame = pumps().set_axis(index)
    pd.testing.assert_frame_equal(frame_from_sequences(sequences_from_frame(frame, **KEYS), frame, **KEYS), frame)


@pytest.mark.parametrize("names", [["id", "time", "row"], ["row", "first", "id"], [0, 1, 2]])
def test_columns_may_have_any_name(names):
    frame = pumps().set_axis(names, axis=1)
    sequences = sequences_from_frame(frame, id=names[0], time=names[1])
    np.testing.assert_array_equal(sequences[0], [[4], [5], [6]])
    pd.testing.assert_frame_equal(frame_from_sequences(sequences, frame, id=names[0], time=names[1]), frame)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"id": "pmup"}, r"Got frame= without the column 'pmup'.* Choose from \['pump', 'hour', 'flow'\]"),
        ({"columns": ["flow", "level", "x"]}, "Got frame= without the columns 'level', 'x'"),
        ({"time": "pump"}, "Got id='pump' and time='pump', expected two different columns"),
        ({"columns": []}, "Got no columns of values.* Name at least one with columns="),
        ({"columns": ["hour", "flow"]}, r"Got columns= with 'hour'.* = frame\['hour'\]"),
        ({"columns": ["flow", "flow"]}, r"expected each name once: columns=\['flow'\]"),
    ],
)
def test_bad_columns_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        sequences_from_frame(pumps(), **(KEYS | arguments))


def test_the_name_of_one_column_is_refused_with_the_list_to_pass():
    with pytest.raises(TypeError, match=r"Got columns='flow', expected a list of names: columns=\['flow'\]"):
        sequences_from_frame(pumps(), **KEYS, columns="flow")


def test_a_frame_of_nothing_but_ids_and_times_is_refused():
    with pytest.raises(
        ValueError, match="Got no columns of values, expected at least one column besides 'pump' and 'hour'"
    ):
        sequences_from_frame(pumps()[["pump", "hour"]], **KEYS)


def test_columns_that_hold_no_numbers_are_named_with_those_that_do():
    frame = pumps(site="x", since=DAYS[0])
    with pytest.raises(ValueError, match=r"'site' \(String\), 'since' \(Datetime.*columns=\['flow'\].*to_numeric"):
        sequences_from_frame(frame, **KEYS)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"pump": ["b", None, "b", None, "b"]}, r"'pump' has no value in 2 of 5 rows.*dropna\(subset=\['pump'\]"),
        ({"hour": [3, 1, np.nan, 2, 2]}, r"'hour' has no value in 1 of 5 rows.*drop_nans\('hour'\)"),
        ({"hour": [pd.NaT, *DAYS, DAYS[0]]}, "'hour' has no value in 1 of 5 rows"),
    ],
)
def test_missing_ids_and_times_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        sequences_from_frame(pumps(**columns), **KEYS)


def test_a_NaN_of_polars_is_no_time():
    with pytest.raises(ValueError, match="Got frame= whose column 'hour' has no value in 2 of 3 rows"):
        sequences_from_frame(pl.DataFrame({"pump": 1, "hour": [np.nan, None, 1.0], "flow": 1}, strict=False), **KEYS)


@pytest.mark.parametrize(("hours", "time"), [([1, 2, 2, 2, 1], "2"), (DAYS[[0, 1, 0, 1, 2]], "2026-01-02")])
def test_the_same_time_twice_is_refused_with_the_id_and_the_time(hours, time):
    frame = pumps(pump=["b", "a", "c", "a", "d"], hour=hours)
    with pytest.raises(
        ValueError,
        match=rf"frame= in which id a has the time {time}.* more than once.*drop_duplicates\(\['pump', 'hour",
    ):
        sequences_from_frame(frame, **KEYS)


def test_an_empty_frame_is_refused():
    with pytest.raises(ValueError, match="Got frame= without rows"):
        sequences_from_frame(pumps()[:0], **KEYS)


@pytest.mark.parametrize("frame", [np.ones((3, 3)), {"pump": [1]}, pumps()["flow"], None])
def test_what_is_no_data_frame_is_refused(frame):
    with pytest.raises(TypeError, match=rf"Got frame= of type {type(frame).__name__}, expected a data frame"):
        sequences_from_frame(frame, **KEYS)


def test_a_lazy_frame_is_refused_with_the_line_that_collects_it():
    with pytest.raises(TypeError, match=r"Got frame= of type LazyFrame, which is lazy.* Pass frame\.collect\(\)"):
        sequences_from_frame(pl.LazyFrame({"pump": [1], "hour": [1], "flow": [1]}), **KEYS)


def test_a_frame_of_dask_and_a_relation_of_duckdb_are_refused_with_the_lines_that_they_have():
    with pytest.raises(TypeError, match=r"Got frame= of type DataFrame, which is lazy.* Pass frame\.compute\(\)"):
        sequences_from_frame(dd.from_pandas(pumps(), npartitions=1), **KEYS)

    # duckdb is not installed: its module and its name are what tells a relation.
    relation = type("DuckDBPyRelation", (), {"__module__": "duckdb._relation", "df": lambda self: pumps()})()
    with pytest.raises(TypeError, match=r"Got frame= of type DuckDBPyRelation, which is lazy.* Pass frame\.df\(\)"):
        sequences_from_frame(relation, **KEYS)
    assert len(sequences_from_frame(relation.df(), **KEYS)) == 2


def test_another_lazy_frame_that_narwhals_knows_is_collected_by_narwhals():
    lazy = nw.from_native(pl.from_pandas(pumps()).lazy())
    line = "narwhals.from_native(frame).collect().to_native()"
    with pytest.raises(TypeError, match=re.escape(f"Pass {line}")):
        sequences_from_frame(lazy, **KEYS)
    collected = eval(line, {"narwhals": nw, "frame": lazy})
    assert len(sequences_from_frame(collected, **KEYS)) == 2


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ([], "Got sequences= of length 0 for frame= with 2 ids in column 'pump'"),
        (np.ones((3, 2, 1)), "Got sequences= of length 3 for frame= with 2 ids"),
        ([np.ones((3, 1)), np.ones((3, 1))], r"sequence 1, of id a, has shape \(3, 1\), expected \(2, 1\).*the order"),
        (np.ones((2, 2, 1)), r"sequence 0, of id b, has shape \(2, 1\), expected \(3, 1\)"),
        (
            [np.ones((3, 2)), np.ones((2, 2))],
            r"sequence 0, of id b, has shape \(3, 2\).*\['flow'\].*columns=\[\.\.\.\]",
        ),
        ([np.ones((3, 1)), np.ones(2)], r"sequence 1, of id a, has shape \(2,\).*per='value'"),
    ],
)
def test_sequences_that_do_not_match_the_frame_are_refused(sequences, message):
    with pytest.raises(ValueError, match=message):
        frame_from_sequences(sequences, pumps(), **KEYS)


def test_masked_values_of_sequences_are_missing_in_the_frame():
    frame = pd.DataFrame({"id": [1, 1], "time": [0, 1], "flow": [5.0, 6.0]})
    masked = np.ma.masked_equal([[5.0], [-99.0]], -99)
    np.testing.assert_array_equal(frame_from_sequences([masked], frame, "id", "time").flow, [5, np.nan])


def test_without_narwhals_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "narwhals", None)
    with pytest.raises(ImportError, match=r'narwhals: pip install "seqembed\[frames\]"'):
        sequences_from_frame(pumps(), **KEYS)
    with pytest.raises(ImportError, match=r'narwhals: pip install "seqembed\[frames\]"'):
        frame_from_sequences([], pumps(), **KEYS)


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_sequences_know_their_ids_and_the_times_of_their_rows(library):
    frame = library(pumps().to_dict("list"))
    sequences = sequences_from_frame(frame, **KEYS)
    ids, hours = (np.asarray(frame[name]) for name in ("pump", "hour"))
    assert list(sequences.ids) == list(dict.fromkeys(ids))
    values = np.concatenate(sequences)[:, 0]
    for value, id_, hour in zip(values, sequences.row_ids, sequences.row_times, strict=True):
        row = np.flatnonzero((ids == id_) & (hours == hour))
        assert np.asarray(frame["flow"])[row] == value


@pytest.mark.parametrize("in_days", [False, True])
def test_an_id_gets_another_sequence_after_a_gap_and_all_go_back_into_the_frame(in_days):
    hours = [1, 2, 9, 10, 1]
    times = DAYS[0] + pd.to_timedelta(hours, unit="h") if in_days else hours
    frame = pd.DataFrame({"pump": list("bbbba"), "hour": times, "flow": [1.0, 2, 3, 4, 5]})
    max_gap = pd.Timedelta("3h") if in_days else 3
    sequences = sequences_from_frame(frame, **KEYS, max_gap=max_gap)
    assert [sequence[:, 0].tolist() for sequence in sequences] == [[1, 2], [3, 4], [5]]
    assert list(sequences.ids) == ["b", "b", "a"]
    back = frame_from_sequences([10 * sequence for sequence in sequences], frame, **KEYS, max_gap=max_gap)
    assert back["flow"].tolist() == [10, 20, 30, 40, 50]


def test_a_gap_that_is_no_step_between_times_is_refused():
    with pytest.raises(TypeError, match=r"Got max_gap=3 .*pandas\.Timedelta.*text such as '10min'"):
        sequences_from_frame(pumps(hour=DAYS[[2, 0, 0, 1, 1]]), **KEYS, max_gap=3)


def test_a_gap_is_written_as_text_like_freq():
    hours = DAYS[0] + pd.to_timedelta([0, 2, 3, 8], unit="h")
    frame = pd.DataFrame({"pump": "a", "hour": hours, "flow": [1.0, 2, 3, 4]})
    sequences = sequences_from_frame(frame, **KEYS, max_gap="3h", freq="1h")
    assert [len(sequence) for sequence in sequences] == [4, 1]


def test_an_id_or_a_time_in_the_index_is_refused_with_the_line_that_mends_it():
    with pytest.raises(ValueError, match=r"'pump', 'hour' in its index.*Pass frame.reset_index\(\)"):
        sequences_from_frame(pumps().set_index(["pump", "hour"]), **KEYS)


@pytest.mark.parametrize(
    ("column", "line"),
    [
        (pd.date_range("2026-01-01", periods=5), r"\(frame\['flow'\] - frame\['flow'\].min\(\)\).dt.total_seconds\(\)"),
        (list("12345"), r"pandas.to_numeric\(frame\['flow'\]\)"),
    ],
)
def test_errors_of_columns_that_are_no_numbers_give_a_line_that_works(column, line):
    with pytest.raises(ValueError, match=line):
        sequences_from_frame(pumps(flow=column), **KEYS)


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("is_category", [False, True])
def test_the_error_of_a_column_of_words_gives_a_line_that_makes_numbers_of_it(library, is_category):
    frame = pumps(state=list("xyxzz"))
    frame = library((frame.astype({"state": "category"}) if is_category else frame).to_dict("series"))
    with pytest.raises(ValueError, match="0 and 1") as raised:
        sequences_from_frame(frame, **KEYS)
    of_pandas, of_polars = re.search(r"0 and 1: (.*), or (.*) in polars", str(raised.value)).groups()
    made = eval(of_pandas if library is pd.DataFrame else of_polars, {"frame": frame, "pandas": pd})
    np.testing.assert_array_equal(sequences_from_frame(made, **KEYS)[0], [[4, 1, 0, 0], [5, 0, 0, 1], [6, 1, 0, 0]])


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_absent_minutes_become_missing_values_and_are_left_out_again(library):
    minutes = pd.to_datetime(["2026-01-01 00:00", "2026-01-01 00:03", "2026-01-01 00:01", "2026-01-01 00:07"])
    frame = library({"machine": ["b", "b", "a", "a"], "minute": minutes, "flow": [1.0, 4.0, 2.0, 8.0]})
    sequences = sequences_from_frame(frame, "machine", "minute", freq="1min")
    np.testing.assert_array_equal(np.concatenate(sequences)[:, 0], [1, *[np.nan] * 2, 4, 2, *[np.nan] * 5, 8])
    assert sequences.ids.tolist() == ["b", "a"]
    assert sequences.row_ids.tolist() == ["b"] * 4 + ["a"] * 7
    assert (np.diff(sequences.row_times[4:]) == np.timedelta64(1, "m")).all()
    back = frame_from_sequences([2 * x for x in sequences], frame, "machine", "minute", freq="1min")
    assert back["flow"].to_list() == [2, 8, 4, 16]
    cut = sequences_from_frame(frame, "machine", "minute", freq="1min", max_gap=pd.Timedelta("5min"))
    assert [len(x) for x in cut] == [4, 1, 1]
    with pytest.raises(ValueError, match=r"the same max_gap= and freq="):
        frame_from_sequences(sequences, frame, "machine", "minute")
    with pytest.raises(ValueError, match=r"of length 2 for frame= with 3 ids.*the same max_gap="):
        frame_from_sequences(sequences, frame, "machine", "minute", freq="1min", max_gap=pd.Timedelta("5min"))


ZONES = ["America/New_York", "America/Los_Angeles", "Asia/Ho_Chi_Minh", "Etc/GMT+5", "Europe/Berlin", "UTC"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_times_of_any_zone_are_times_and_are_told_in_utc(zone, library):
    hours = pd.date_range("2026-03-08", periods=5, freq="h", tz=zone)
    frame = library({"pump": list("babab"), "hour": hours[::-1], "flow": [5.0, 4, 3, 2, 1]})
    options = KEYS | {"max_gap": pd.Timedelta("3h"), "freq": "1h"}
    sequences = sequences_from_frame(frame, **options)
    assert [x[:, 0].tolist()[::2] for x in sequences] == [[1, 3, 5], [2, 4]]
    in_utc = hours.tz_convert("UTC").tz_localize(None).to_numpy()
    np.testing.assert_array_equal(sequences.row_times, in_utc[[0, 1, 2, 3, 4, 1, 2, 3]])
    back = frame_from_sequences([2 * x for x in sequences], frame, **options)
    assert back["flow"].to_list() == [10, 8, 6, 4, 2]
    assert back["hour"].dtype == frame["hour"].dtype


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin"])
def test_a_frame_of_local_midnights_is_regular_in_days(zone):
    days = pd.date_range("2026-10-20", periods=20, tz=zone)
    frame = pd.DataFrame({"pump": "a", "hour": days, "flow": np.arange(20.0)}).drop(7)
    (sequence,) = sequences_from_frame(frame, **KEYS, freq="1D")
    assert np.flatnonzero(np.isnan(sequence[:, 0])).tolist() == [7]
    # pandas 2 has zones of pytz, which polars does not read.
    in_utc = frame.assign(hour=frame["hour"].dt.tz_convert("UTC"))
    in_polars = pl.DataFrame(in_utc.to_dict("list")).with_columns(pl.col("hour").dt.convert_time_zone(zone))
    np.testing.assert_array_equal(sequences_from_frame(in_polars, **KEYS, freq="1D")[0], sequence)


def test_local_midnights_as_pythons_own_dates_are_regular_in_days():
    # The clock is set back on 25 October, so that this day has 25 hours.
    midnights = [datetime(2026, 10, day, tzinfo=ZoneInfo("Europe/Berlin")) for day in (20, 24, 26)]
    frame = pd.DataFrame({"pump": "a", "hour": pd.Series(midnights, dtype=object), "flow": [1.0, 2.0, 3.0]})
    (sequence,) = sequences_from_frame(frame, **KEYS, freq="1D")
    assert np.flatnonzero(~np.isnan(sequence[:, 0])).tolist() == [0, 4, 6]


def test_pythons_own_times_of_a_zone_are_times():
    hours = pd.Series(list(pd.date_range("2026-03-08", periods=5, freq="h", tz="America/New_York")), dtype=object)
    for times in (hours, pd.Series([hour.to_pydatetime() for hour in hours], dtype=object)):
        frame = pd.DataFrame({"pump": "a", "hour": times, "flow": np.arange(5.0)}).drop(2)
        (sequence,) = sequences_from_frame(frame, **KEYS, freq="1h")
        np.testing.assert_array_equal(sequence[:, 0], [0, 1, np.nan, 3, 4])


@pytest.mark.parametrize("zone", ZONES)
def test_dates_of_any_zone_among_the_values_get_the_line_for_dates(zone):
    frame = pumps(since=pd.date_range("2026-01-01", periods=5, tz=zone))
    with pytest.raises(ValueError, match=r"'since'.*\(frame\['since'\] - frame\['since'\].min\(\)\).dt.total_seconds"):
        sequences_from_frame(frame, **KEYS)


def test_periods_as_times_get_the_line_that_makes_dates_of_them():
    months = pd.period_range("2026-01", periods=5, freq="M")
    with pytest.raises(ValueError, match=r"frame\['hour'\] = frame\['hour'\].dt.to_timestamp\(\)"):
        sequences_from_frame(pumps(hour=months), **KEYS)


@pytest.mark.parametrize("layout", ["one pump", "pumps one after the other", "pumps in turn", "sorted"])
def test_the_end_of_daylight_saving_time_deletes_no_hour(layout):
    hours = pd.date_range("2026-10-24 20:00", periods=80, freq="10min", tz="Europe/Berlin").tz_localize(None)
    frame = pd.DataFrame({"pump": "b", "hour": hours, "flow": np.arange(80.0)})
    if layout != "one pump":
        frame = pd.concat([frame, frame.assign(pump="a")], ignore_index=layout != "pumps in turn").sort_index()
    if layout == "sorted":
        frame = frame.sort_values(["pump", "hour"], kind="stable")
    with pytest.raises(ValueError, match=r"02:00:00 more than once.*daylight saving time") as caught:
        sequences_from_frame(frame, **KEYS)
    exec(str(caught.value).partition("with your zone: ")[2].rstrip("."), {"frame": frame})
    for sequence in sequences_from_frame(frame, **KEYS, freq="10min"):
        np.testing.assert_array_equal(sequence[:, 0], np.arange(80))


def test_rows_that_stand_twice_in_that_night_are_told_to_go():
    hours = pd.date_range("2026-10-24 20:00", periods=80, freq="10min")
    frame = pd.DataFrame({"pump": "b", "hour": hours.append(hours[30:50]), "flow": 1.0})
    with pytest.raises(ValueError, match=r"drop_duplicates\(\['pump', 'hour'\]\)"):
        sequences_from_frame(frame, **KEYS)


@pytest.mark.parametrize("zone", ["America/Havana", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"])
@pytest.mark.parametrize("kind", ["datetime", "Timestamp"])
def test_dates_of_python_in_an_hour_that_comes_twice_are_told_apart(zone, kind):
    start = datetime(2026, 10, 25 if zone == "Europe/Berlin" else 31, 0, 0, tzinfo=UTC)
    if zone == "Australia/Lord_Howe":
        start = datetime(2026, 4, 4, 12, 0, tzinfo=UTC)
    times = [(start + timedelta(minutes=30 * step)).astimezone(ZoneInfo(zone)) for step in range(72)]
    objects = pd.Series(times if kind == "datetime" else [pd.Timestamp(time) for time in times], dtype=object)
    frame = pd.DataFrame({"pump": 0, "hour": objects, "flow": np.arange(72.0)})
    shuffled = frame.sample(frac=1, random_state=0)
    (sequence,) = sequences_from_frame(shuffled, "pump", "hour")
    np.testing.assert_array_equal(sequence[:, 0], np.arange(72))
    back = frame_from_sequences([sequence], shuffled, "pump", "hour")
    np.testing.assert_array_equal(back["flow"], shuffled["flow"])


def test_windows_of_the_sequences_of_a_frame_know_its_columns():
    frame = pumps(heat=[1.0, 2.0, 3.0, 4.0, 5.0])
    sequences = sequences_from_frame(frame, **KEYS, columns=["heat", "flow"])
    assert sequences.columns == ["heat", "flow"]
    windows = sliding_windows(sequences, 2).windows
    assert windows.names == ("heat", "flow")
    of_frames = [group.sort_values("hour")[["heat", "flow"]] for _, group in frame.groupby("pump", sort=False)]
    np.testing.assert_array_equal(windows, sliding_windows(of_frames, 2).windows)


def test_several_names_of_ids_are_refused_and_the_line_makes_one_column_of_them():
    frame = pumps(sensor=["x", "x", "y", "x", "y"], number=range(5))
    names = ["pump", "sensor"]
    with pytest.raises(TypeError, match=r"expected the name of one column\. Make one column of them") as raised:
        sequences_from_frame(frame, names, "hour")
    line = str(raised.value).partition("of them: ")[2].partition(" in pandas")[0]
    sequences = sequences_from_frame(eval(line, {"frame": frame}), "series", "hour")
    assert (sequences.ids.tolist(), sequences.columns) == (["b x", "a x", "b y"], ["flow", "number"])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"id": None, "time": "hour"}, r"id=None.*frame.assign\(series=0\) in pandas, with id='series'"),
        ({"id": "pump", "time": None}, r"time=None.*frame.assign\(row=range\(len\(frame\)\)\)"),
        ({"id": "pump", "time": ["hour", "pump"]}, "Pass the one by which rows are sorted: time='hour'"),
    ],
)
def test_no_name_or_several_names_of_a_key_are_refused_with_what_to_pass(keys, message):
    with pytest.raises(TypeError, match=message):
        sequences_from_frame(pumps(), **keys)


@pytest.mark.parametrize("name", ["flow", "hour"])
def test_columns_of_one_name_are_refused_with_the_line_that_keeps_the_first(name):
    frame = pumps()
    twice = pd.concat([frame, frame[[name]]], axis=1)
    with pytest.raises(ValueError, match=rf"several columns of the name '{name}'.*~frame.columns.duplicated") as raised:
        sequences_from_frame(twice, **KEYS)
    line = str(raised.value).partition("first of each: ")[2].rstrip(".")
    for sequence, plain in zip(
        sequences_from_frame(eval(line, {"frame": twice}), **KEYS), sequences_from_frame(frame, **KEYS), strict=True
    ):
        np.testing.assert_array_equal(sequence, plain)


@pytest.mark.parametrize("times", [[3, 1, 1, 2, 2], pd.date_range("2026-03-07", periods=5, tz="America/New_York")])
def test_a_table_of_arrow_gives_the_sequences_of_the_frame_of_pandas(times):
    frame = pumps(hour=times)
    table = pa.Table.from_pandas(frame)
    sequences, expected = (sequences_from_frame(each, **KEYS) for each in (table, frame))
    for sequence, plain in zip(sequences, expected, strict=True):
        np.testing.assert_array_equal(sequence, plain)
    np.testing.assert_array_equal(sequences.row_times, expected.row_times)
    assert sequences.ids.tolist() == expected.ids.tolist()
    back = frame_from_sequences([each + 1 for each in sequences], table, **KEYS)
    assert back["flow"].to_pylist() == [7, 2, 5, 3, 6]


@pytest.mark.parametrize("part", [slice(1, None), slice(None, None, -1), slice(0, 0), slice(None, None, 2)])
def test_some_sequences_keep_their_ids_times_and_columns(part):
    sequences = sequences_from_frame(pumps(heat=range(5)), **KEYS)
    some = sequences[part]
    assert some.ids.tolist() == sequences.ids.tolist()[part]
    assert some.columns == ["flow", "heat"]
    assert [each.tolist() for each in some] == [each.tolist() for each in list(sequences)[part]]
    by_id = {"a": [1, 2], "b": [1, 2, 3]}
    assert some.row_ids.tolist() == [name for name in some.ids for _ in by_id[name]]
    assert some.row_times.tolist() == [time for name in some.ids for time in by_id[name]]
    assert sequences[1].tolist() == [[1, 1], [2, 3]]


@pytest.mark.parametrize("convert", [pa.Table.from_pandas, lambda frame: pl.from_arrow(pa.Table.from_pandas(frame))])
def test_the_index_of_pandas_is_no_feature_of_a_table_that_was_made_of_a_part_of_a_frame(convert):
    part = pumps()[lambda frame: frame["hour"] > 1]
    table = convert(part)
    assert "__index_level_0__" in (table.column_names if isinstance(table, pa.Table) else table.columns)
    sequences = sequences_from_frame(table, **KEYS)
    assert sequences.columns == ["flow"]
    for sequence, expected in zip(sequences, sequences_from_frame(part, **KEYS), strict=True):
        np.testing.assert_array_equal(sequence, expected)
    back = frame_from_sequences([-sequence for sequence in sequences], table, **KEYS)
    back = back if isinstance(back, pl.DataFrame) else pl.from_arrow(back)
    assert back["flow"].to_list() == (-part["flow"]).tolist()
    assert back["__index_level_0__"].to_list() == part.index.tolist()
    assert sequences_from_frame(table, **KEYS, columns=["__index_level_0__"])[0].shape == (2, 1)


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_column_without_any_value_is_missing_whatever_its_dtype(library):
    frame = library({"pump": ["b", "a", "b"], "hour": [2, 1, 1], "flow": [5.0, 1.0, 4.0], "heat": [None] * 3})
    sequences = sequences_from_frame(frame, "pump", "hour")
    assert sequences.columns == ["flow", "heat"]
    np.testing.assert_array_equal(sequences[0], [[4, np.nan], [5, np.nan]])


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
@pytest.mark.parametrize("steps", [{"freq": 1}, {"max_gap": 1}])
def test_decimals_are_times_with_steps_between_them(library, steps):
    hours = [Decimal("1.5"), Decimal("2.5"), Decimal("4.5")]
    sequences = sequences_from_frame(
        library({"pump": ["a"] * 3, "hour": hours, "flow": [1.0, 2.0, 3.0]}), "pump", "hour", **steps
    )
    expected = [1, 2, np.nan, 3] if "freq" in steps else [1, 2, 3]
    np.testing.assert_array_equal(np.concatenate(sequences)[:, 0], expected)
    assert len(sequences) == (1 if "freq" in steps else 2)


@pytest.mark.parametrize(
    ("times", "kind"),
    [
        ([time(1), time(2)], r"time, such as datetime\.time"),
        (pd.Categorical(["low", "high"], ["low", "high"], ordered=True), "str, such as 'low'"),
    ],
)
@pytest.mark.parametrize("steps", [{"freq": 1}, {"max_gap": 1}])
def test_times_without_steps_between_them_are_sorted_and_have_no_gaps(times, kind, steps):
    frame = pd.DataFrame({"pump": ["a", "a"], "when": times, "flow": [1.0, 2.0]})
    assert sequences_from_frame(frame[::-1], "pump", "when")[0].tolist() == [[1.0], [2.0]]
    with pytest.raises(ValueError, match=f"Got {next(iter(steps))}= with frame= whose column 'when' holds {kind}"):
        sequences_from_frame(frame, "pump", "when", **steps)


@pytest.mark.parametrize("columns", [{"flow", "heat"}, frozenset(["flow"]), 5, True])
def test_columns_without_an_order_are_refused(columns):
    frame = pd.DataFrame({"pump": ["a"], "hour": [0], "flow": [1.0], "heat": [2.0]})
    with pytest.raises(TypeError, match=f"Got columns= of type {type(columns).__name__}, expected a list of names in"):
        sequences_from_frame(frame, "pump", "hour", columns=columns)
    for ordered in ({"heat": "x", "flow": "y"}.keys(), pd.Index(["heat", "flow"]), ("heat", "flow")):
        assert sequences_from_frame(frame, "pump", "hour", columns=ordered).columns == ["heat", "flow"]


def test_text_in_the_place_of_times_is_refused_with_the_line_that_converts_it_in_polars():
    frame = pl.DataFrame({"pump": ["a", "a"], "hour": ["2026-01-01 10:00", "2026-01-01 02:00"], "flow": [1.0, 2.0]})
    with pytest.raises(ValueError, match="text sorts 10 before 2") as caught:
        sequences_from_frame(frame, "pump", "hour")
    line = re.search(r"In polars: (.*), or", str(caught.value))[1]
    converted = eval(line, {"frame": frame, "polars": pl})
    assert sequences_from_frame(converted, "pump", "hour")[0].tolist() == [[2.0], [1.0]]


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (pa.table({"pump": [[1], [1], [2]], "hour": [0, 1, 0], "flow": [1.0, 2.0, 3.0]}), "list"),
        (pa.table({"pump": [{"n": 1}, {"n": 1}, {"n": 2}], "hour": [0, 1, 0], "flow": [1.0, 2.0, 3.0]}), "dict"),
        (pd.DataFrame({"pump": [[1], [1], [2]], "hour": [0, 1, 0], "flow": [1.0, 2.0, 3.0]}), "list"),
    ],
)
def test_lists_and_mappings_as_ids_are_refused_with_the_line_that_makes_text_of_them(frame, kind):
    with pytest.raises(
        ValueError, match=f"column 'pump' holds {kind}, such as .*expected ids such as numbers"
    ) as error:
        sequences_from_frame(frame, **KEYS)
    frame = frame.to_pandas() if isinstance(frame, pa.Table) else frame
    exec(re.search(r"in pandas: (.*?\))\.", str(error.value))[1], {"frame": frame})
    assert [len(pump) for pump in sequences_from_frame(frame, **KEYS)] == [2, 1]
