from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqembed.sequences.times import on_grid

MINUTES = np.datetime64("2026-01-01", "s") + np.array([0, 60, 240]) * np.timedelta64(1, "s")
FIRST = np.array([True, False, False])


@pytest.mark.parametrize("freq", ["1min", "min", pd.Timedelta("1min"), timedelta(minutes=1), np.timedelta64(60, "s")])
def test_absent_minutes_get_rows(freq):
    rows, grid = on_grid(MINUTES, FIRST, freq)
    np.testing.assert_array_equal(rows, [0, 1, 4])
    np.testing.assert_array_equal(grid, MINUTES[0] + np.arange(5) * np.timedelta64(60, "s"))


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
        (MINUTES, "soon", ValueError, "Got freq='soon', expected a step such as '5min' or 'h'"),
    ],
)
def test_a_grid_that_does_not_fit_the_times_is_refused(times, freq, error, message):
    with pytest.raises(error, match=message):
        on_grid(times, FIRST, freq)


def test_seconds_since_1970_lie_on_a_grid_of_hundredths():
    times = 1.7e9 + np.arange(1000) * 0.01
    rows, grid = on_grid(times, np.arange(1000) == 0, 0.01)
    np.testing.assert_array_equal(rows, np.arange(1000))
    np.testing.assert_allclose(grid, times, rtol=0, atol=1e-6)


def test_small_integers_do_not_overflow():
    rows, grid = on_grid(np.array([-100, 100], np.int8), np.array([True, False]), 50)
    assert rows.tolist() == [0, 4]
    assert grid.tolist() == [-100, -50, 0, 50, 100]
