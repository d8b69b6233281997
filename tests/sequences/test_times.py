from datetime import UTC, date, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from seqembed.sequences.steps import pieces_without_gaps
from seqembed.sequences.times import an_hour_comes_twice, checked_times, clock_is_set_back, plain_times

HOURS = pd.date_range("2026-03-08", periods=4, freq="h", tz="America/New_York")


@pytest.mark.parametrize(
    "times",
    [
        HOURS,
        pd.Series(HOURS),
        pl.Series(HOURS),
        list(HOURS),
        HOURS.to_numpy(),
        [hour.to_pydatetime() for hour in HOURS],
        [hour.to_pydatetime().astimezone(UTC) for hour in HOURS],
    ],
)
def test_times_of_a_zone_are_read_in_utc_whatever_holds_them(times):
    np.testing.assert_array_equal(plain_times(times), np.datetime64("2026-03-08T05", "h") + np.arange(4))


def test_durations_of_numpy_among_objects_are_durations_whatever_their_units():
    seconds = plain_times(np.array([np.timedelta64(1, "s"), np.timedelta64(2, "m")], object))
    np.testing.assert_array_equal(seconds, np.array([1, 120], "m8[s]"))


@pytest.mark.parametrize("unit", ["M", "Y"])
def test_months_and_years_are_their_first_days(unit):
    months = np.array(["2026-01", "2026-03"], "M8[M]").astype(f"M8[{unit}]")
    times = plain_times(months)
    np.testing.assert_array_equal(times, months.astype("M8[D]"))
    assert pieces_without_gaps(times, "60D") == [slice(0, 2)]


@pytest.mark.parametrize("kind", [int, np.int64, np.uint64])
def test_integers_among_objects_keep_their_digits(kind):
    nanoseconds = [kind(1_770_000_000_000_000_000 + step) for step in range(3)]
    assert plain_times(np.array(nanoseconds, object)).tolist() == nanoseconds
    assert plain_times(np.array([2**70, 2**71], object)).tolist() == [2.0**70, 2.0**71]


def test_nanoseconds_of_a_zone_are_kept():
    times = pd.DatetimeIndex(["2026-01-01 00:00:00.000000001"], tz="Etc/GMT+5")
    for given in (times, list(times)):
        np.testing.assert_array_equal(plain_times(given), [np.datetime64("2026-01-01T05:00:00.000000001")])


@pytest.mark.parametrize("times", [["2026-01-01"], [date(2026, 1, 1), timedelta(1)], [1, "a"], []])
def test_what_is_no_date_stays_what_it_is(times):
    assert plain_times(np.array(times, object)).dtype == object


@pytest.mark.parametrize(
    ("times", "index_of", "message"),
    [
        ([0, 2, 1], None, r"Got time= with times that run backwards: row 2 has 1 after 2.*argsort\(time\)"),
        ([0, 1, 1], None, r"Got time= with times that repeat: row 2 has 1 after 1.*numpy.unique\(time"),
        ([0, 2, 1], "X", r"Got the index of X= with times that run backwards.* Sort.* X.sort_index\(\)\."),
        ([0, 1, 1], "X[3]", r"X\[3\]\[~X\[3\].index.duplicated\(\)\].*too coarse, pass time=numpy.arange\(3\)"),
        ([0.0, np.nan, 1], None, r"missing time in row 1.*rows\[numpy.isfinite\(time\)\]"),
        ([-np.inf, 0, 1], None, r"missing time in row 0, -inf, expected"),
        (pd.Index([0, 1, np.inf]), "X", r"missing time in row 2, inf.*X\[numpy.isfinite\(X.index\)\]"),
        (pd.DatetimeIndex([HOURS[0], pd.NaT, HOURS[1]]), "X", r"missing time in row 1.*X\[X.index.notna\(\)\]"),
        ([0, 1], None, r"Got time= of shape \(2,\) for 3 rows, expected time= of shape \(3,\)"),
        (list("abc"), None, r"Got time= of dtype <U1, expected numbers or dates.*pandas.to_datetime\(time\)"),
        (pd.Series(["2026-01-01", "2026-01-02", "2026-01-03"]), None, "expected numbers or dates"),
        (pd.period_range("2026-01", periods=3, freq="M"), None, r"Convert them with time.to_timestamp\(\)"),
    ],
)
def test_times_that_do_not_ascend_are_refused_with_the_line_that_mends_them(times, index_of, message):
    with pytest.raises(ValueError, match=message):
        checked_times(times, 3, index_of)


IN_BERLIN = pd.DatetimeIndex(["2026-01-01 00:02", "2026-01-01 00:01"], tz="Europe/Berlin")


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (IN_BERLIN, r"has 2026-01-01 00:01:00\+01:00 after 2026-01-01 00:02:00\+01:00"),
        (pd.Series(IN_BERLIN, index=[5, 6]), r"has 2026-01-01 00:01:00\+01:00 after"),
        (pl.Series(IN_BERLIN), r"has 2026-01-01 00:01:00\+01:00 after"),
        (pa.array(IN_BERLIN), r"has 2026-01-01 00:01:00\+01:00 after"),
        (list(IN_BERLIN.to_pydatetime()), r"has 2026-01-01 00:01:00\+01:00 after"),
        (list(IN_BERLIN.tz_convert(timezone(timedelta(hours=2)))), r"has 2026-01-01 01:01:00\+02:00 after"),
        (pa.array(IN_BERLIN.tz_convert("+02:00")), r"has 2026-01-01 01:01:00\+02:00 after"),
        (IN_BERLIN.tz_localize(None), r"has 2026-01-01T00:01:00\S* after"),
        (np.array(["20000-01-02", "20000-01-01"], "M8[D]"), "has 20000-01-01 after"),
    ],
)
def test_messages_tell_times_on_the_clock_on_which_they_were_given(times, message):
    with pytest.raises(ValueError, match=message):
        checked_times(times, 2)


def test_recordings_of_several_machines_one_after_the_other_are_not_sorted_into_one_another():
    times = np.tile(np.arange(4), 3)
    with pytest.raises(ValueError, match=r'pass a list of them, such as .* for _, each in X.groupby\("machine"\)\]'):
        checked_times(times, 12, "X")
    with pytest.raises(ValueError, match=r"pass a list of them and a list of their times, such as"):
        checked_times(times, 12)
    # Those that run from the last row to the first are a single recording.
    with pytest.raises(ValueError, match="Sort the rows by time first"):
        checked_times(times[4::-1], 5)


def local_times(first, zone, n_rows, step):
    """Times on the wall, as a logger without a zone writes them."""
    return pd.date_range(first, periods=n_rows, freq=step, tz=zone).tz_localize(None).to_numpy()


@pytest.mark.parametrize("step", ["1min", "7min", "30min", "1h"])
@pytest.mark.parametrize(
    ("first", "zone"),
    [
        ("2026-10-24 12:00", "Europe/Berlin"),
        ("2025-10-25 12:00", "Europe/London"),
        ("2026-10-31 12:00", "America/New_York"),
        ("2026-04-04 12:00", "Australia/Sydney"),
        ("2026-04-04 12:00", "Pacific/Auckland"),
        ("2026-04-04 12:00", "America/Santiago"),
    ],
)
def test_the_night_in_which_an_hour_comes_twice_is_known(step, first, zone):
    times = local_times(first, zone, 2000, step)
    assert clock_is_set_back(times)
    # A row was lost.
    assert clock_is_set_back(np.delete(times, 100))
    assert not clock_is_set_back(local_times(first, "UTC", 2000, step))


def test_other_repeated_times_are_no_change_of_the_clock():
    times = local_times("2026-10-24 12:00", "UTC", 300, "10min")
    night = slice(84, 90)
    assert times[night][0] == np.datetime64("2026-10-25T02:00")
    for repeated in (
        np.repeat(times, 2),
        times[::-1],
        np.random.default_rng(0).permutation(times),
        np.insert(times, 84, times[84]),
        np.append(times, times[night]),
        np.concatenate([times, times]),
        np.insert(times - np.timedelta64(1, "D"), 90, times[night] - np.timedelta64(1, "D")),
        np.insert(times - np.timedelta64(70, "D"), 90, times[night] - np.timedelta64(70, "D")),
    ):
        assert not clock_is_set_back(repeated)
    assert clock_is_set_back(np.insert(times, 90, times[night]))


def test_an_hour_that_comes_twice_is_known_in_sorted_rows_too():
    times = local_times("2026-10-24 12:00", "Europe/Berlin", 300, "10min")
    assert an_hour_comes_twice(np.sort(times))
    assert not clock_is_set_back(np.sort(times))
    once = np.unique(times)
    for repeated in (
        times,
        np.sort(times - np.timedelta64(1, "D")),
        np.repeat(once, 2),
        np.sort(np.append(once, once[84])),
        np.sort(np.append(once, once[84:96])),
        np.sort(np.append(times, times[84:90])),
        once,
        np.arange(5),
    ):
        assert not an_hour_comes_twice(repeated)


@pytest.mark.parametrize("given", ["index", "time="])
@pytest.mark.parametrize("order", [np.array, np.sort])
def test_the_end_of_daylight_saving_time_is_told_from_rows_that_stand_twice(given, order):
    times = pd.DatetimeIndex(order(local_times("2026-10-24 12:00", "Europe/Berlin", 300, "10min")))
    index_of = "recording" if given == "index" else None
    with pytest.raises(ValueError, match="daylight saving time") as caught:
        checked_times(times, 300, index_of)
    line = str(caught.value).partition("with your zone: ")[2].rstrip(".")
    frame = pd.DataFrame(index=times)
    names = {"pandas": pd, "time": times, "recording": frame}
    exec(line, names)
    mended = frame.index if index_of else names["time"]
    mended = mended.sort_values() if order is np.sort else mended
    assert (np.diff(checked_times(mended, 300)) == np.timedelta64(10, "m")).all()
