import datetime
import re
import warnings
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqembed.sequences.grids import on_grid

MINUTES = np.datetime64("2026-01-01", "s") + np.array([0, 60, 240]) * np.timedelta64(1, "s")
FIRST = np.array([True, False, False])


@pytest.mark.parametrize(
    "freq",
    ["1min", "min", pd.Timedelta("1min"), timedelta(minutes=1), np.timedelta64(60, "s"), pd.offsets.Minute(1)],
)
def test_absent_minutes_get_rows(freq):
    rows, grid = on_grid(MINUTES, FIRST, freq)
    np.testing.assert_array_equal(rows, [0, 1, 4])
    np.testing.assert_array_equal(grid, MINUTES[0] + np.arange(5) * np.timedelta64(60, "s"))


def test_nanoseconds_as_unsigned_integers_keep_their_last_digits():
    times = np.array([1764000000000000001, 1764000000000000002, 1764000000000000004], np.uint64)
    assert on_grid(times, FIRST, freq=1)[1].tolist() == [1764000000000000000 + k for k in (1, 2, 3, 4)]


@pytest.mark.parametrize("freq", [1, 1.0, 0.5, np.int32(1), 1 / 3])
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32, np.float64])
def test_numbers_are_times_too(freq, dtype):
    rows, grid = on_grid(np.array([3, 4, 7], dtype), FIRST, freq)
    np.testing.assert_allclose(grid[rows], [3, 4, 7])
    np.testing.assert_allclose(np.diff(grid), freq)


@given(
    st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True).map(sorted), min_size=1, max_size=4),
    st.sampled_from([1, 7, 0.1, 1e-3]),
)
def test_every_row_keeps_its_time_and_grids_are_regular(sequences, freq):
    times = np.concatenate([np.array(each) * freq for each in sequences])
    is_start = np.concatenate([np.arange(len(each)) == 0 for each in sequences])
    rows, grid = on_grid(times, is_start, freq)
    np.testing.assert_allclose(grid[rows], times, atol=1e-6 * freq)
    assert len(grid) == sum(each[-1] - each[0] + 1 for each in sequences)
    steps = np.diff(grid)
    inside = ~np.isin(np.arange(1, len(grid)), rows[is_start])
    np.testing.assert_allclose(steps[inside], freq, atol=1e-6 * freq)


@pytest.mark.parametrize(
    ("times", "freq", "error", "message"),
    [
        (MINUTES, 60, TypeError, r"Got freq=60 for steps of dtype timedelta64\[s\], expected a step between times"),
        (np.array([0, 1, 2]), timedelta(1), TypeError, "expected a step between times: a number for numbers"),
        (np.array([0, 1, 2]), 0, ValueError, "Got freq=0, expected a positive step"),
        (np.array([0.0, 1.0, 2.0]), np.nan, ValueError, "Got freq=nan, expected a positive step"),
        (MINUTES, "-1min", ValueError, "Got freq='-1min', expected a positive step"),
        (np.array([0, 2, 5]), 2, ValueError, r"with the time 5, 2.5 steps from the first.*Round the times first"),
        (np.array([0.0, 1.0, 1.0 + 1e-9]), 1, ValueError, r"with the time 1.0.*keep one row for each"),
        (MINUTES, "1ns", ValueError, r"which makes 2.4e\+11 rows of 3 rows.*Use a larger freq="),
        (MINUTES, "soon", ValueError, "Got freq='soon', expected a step such as '5min', 'h' or 'D'"),
    ],
)
def test_a_grid_that_does_not_fit_the_times_is_refused(times, freq, error, message):
    with pytest.raises(error, match=message):
        on_grid(times, FIRST, freq)


@pytest.mark.parametrize(
    ("times", "freq"),
    [
        (np.array([0.0, 1.4, 3.1]), 1),
        (np.array([0, 20, 49]), 10),
        (np.array([0, 20, 70], "m8[h]"), "1D"),
        (np.array(["2026-01-01 21:25", "2026-01-03 10:01", "2026-01-07 03:00"], "M8[s]"), "1D"),
        (np.array(["2026-01-01 21:25", "2026-01-03 10:01", "2026-01-07 03:00"], "M8[s]"), timedelta(hours=7)),
    ],
)
def test_the_line_for_times_off_the_grid_puts_them_on_it(times, freq):
    is_start = np.arange(3) == 0
    with pytest.raises(ValueError, match="expected whole steps") as raised:
        on_grid(times, is_start, freq)
    line = re.search("such as (.*) in pandas", str(raised.value))[1]
    names = {"frame": {"hour": pd.Series(times)}, "time": "hour", "datetime": datetime}
    on_grid(eval(line, names).to_numpy(), is_start, freq)


def test_seconds_since_1970_lie_on_a_grid_of_hundredths():
    times = 1.7e9 + np.arange(1000) * 0.01
    rows, grid = on_grid(times, np.arange(1000) == 0, 0.01)
    np.testing.assert_array_equal(rows, np.arange(1000))
    np.testing.assert_allclose(grid, times, rtol=0, atol=1e-6)


def test_small_integers_do_not_overflow():
    rows, grid = on_grid(np.array([-100, 100], np.int8), np.array([True, False]), 50)
    assert rows.tolist() == [0, 4]
    assert grid.tolist() == [-100, -50, 0, 50, 100]


def in_utc(times):
    return times.tz_convert("UTC").tz_localize(None).to_numpy()


@pytest.mark.parametrize(
    ("first", "zone"),
    [
        ("2026-10-22", "Europe/Berlin"),
        ("2026-03-06", "America/New_York"),
        ("2026-10-22 06:30", "Europe/Berlin"),
        # Midnight did not exist on the day of the change, which may also be the first day.
        ("2018-11-01", "America/Sao_Paulo"),
        ("2018-11-04", "America/Sao_Paulo"),
        ("2026-03-08", "America/Havana"),
    ],
)
@pytest.mark.parametrize("freq", ["1D", "D"])
def test_days_of_local_midnights_over_a_change_of_the_clock_are_days(first, zone, freq):
    days = pd.date_range(first, periods=9).tz_localize(zone, nonexistent="shift_forward")
    times, is_start = in_utc(days[[0, 2, 8, 4, 6]]), np.array([True, False, False, True, False])
    rows, grid = on_grid(times, is_start, freq, zone)
    assert rows.tolist() == [0, 2, 8, 9, 11]
    np.testing.assert_array_equal(grid, in_utc(days.append(days[4:7])))


def test_24_hours_are_no_day_where_the_clock_changes():
    days = in_utc(pd.date_range("2026-10-22", periods=9, tz="Europe/Berlin"))
    for freq in ("24h", pd.Timedelta("1D"), timedelta(days=1)):
        with pytest.raises(ValueError, match=r"the time 2026-10-26 00:00:00\+01:00, 4.04167 steps.*pass freq='1D'"):
            on_grid(days, np.arange(9) == 0, freq, "Europe/Berlin")
    hours = days[0] + np.arange(9) * np.timedelta64(24, "h")
    assert on_grid(hours, np.arange(9) == 0, "24h", "Europe/Berlin")[0].tolist() == list(range(9))


@pytest.mark.parametrize(
    ("freq", "first"),
    [
        ("MS", "2026-01-01"),
        ("ME", "2026-01-31"),
        ("2MS", "2026-01-01"),
        ("QS", "2026-01-01"),
        ("B", "2026-01-02"),
        ("W-MON", "2026-01-05"),
        ("MS", "2026-01-01 06:00"),
    ],
)
@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_months_and_business_days_are_steps(freq, first, zone):
    dates = pd.date_range(first, periods=7, freq=freq, tz=zone)
    times = dates.to_numpy() if zone is None else in_utc(dates)
    is_start = np.array([True, False, False, True])
    rows, grid = on_grid(times[[0, 3, 6, 2]], is_start, freq, zone)
    assert rows.tolist() == [0, 3, 6, 7]
    np.testing.assert_array_equal(grid, times[[*range(7), 2]])


def test_the_freq_of_an_index_is_a_step():
    days = pd.date_range("2026-01-01", periods=3, freq="MS")
    rows, _ = on_grid(days.to_numpy()[[0, 2]], np.array([True, False]), freq=days.freq)
    assert rows.tolist() == [0, 2]


def test_weeks_without_a_weekday_begin_with_the_first_row():
    thursdays = pd.date_range("2026-10-01", periods=6, freq="7D", tz="Europe/Berlin")
    for freq in ("W", "7D", "1W"):
        assert on_grid(in_utc(thursdays), np.arange(6) == 0, freq, "Europe/Berlin")[0].tolist() == list(range(6))
    assert on_grid(thursdays.tz_localize(None).to_numpy(), np.arange(6) == 0, "W")[0].tolist() == list(range(6))


def test_m_stands_for_minutes(monkeypatch):
    with monkeypatch.context() as patch:
        # All threads share the filters that it changes.
        patch.delattr(warnings, "catch_warnings")
        assert on_grid(MINUTES, FIRST, "m")[0].tolist() == on_grid(MINUTES, FIRST, "1min")[0].tolist() == [0, 1, 4]


@pytest.mark.parametrize(
    ("dates", "freq", "message"),
    [
        (["2026-01-01", "2026-02-15"], "MS", r"freq='MS' with the time 2026-02-15.*to_offset\('MS'\).rollback\)"),
        (["2026-01-15", "2026-02-15"], "MS", "freq='MS' with the time 2026-01-15"),
        (["2026-01-02", "2026-01-03"], "B", "freq='B' with the time 2026-01-03"),
        (["2026-01-01", "2026-01-02"], "-1MS", "Got freq='-1MS', expected a positive step"),
    ],
)
def test_dates_that_are_on_no_calendar_are_refused_with_the_line_that_moves_them(dates, freq, message):
    with pytest.raises(ValueError, match=message):
        on_grid(pd.DatetimeIndex(dates).to_numpy(), np.array([True, False]), freq)


@pytest.mark.parametrize("times", [np.array([0, 1, 2]), pd.to_timedelta([0, 1, 2], unit="D").to_numpy()])
def test_months_are_no_step_between_numbers_or_durations(times):
    with pytest.raises(TypeError, match=r"Got freq='MS' for times of dtype.*, expected dates"):
        on_grid(times, FIRST, "MS")
