"""Times of rows, and the steps from one to the next."""

from __future__ import annotations

from datetime import timedelta
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from seqembed.extras import import_extra
from seqembed.sequences.wording import counted

# A step from one time to another: a number between numbers, a duration between dates. Those of pandas are timedeltas.
TimeStep: TypeAlias = float | timedelta | np.timedelta64

# A time may differ from the grid by this part of a step: float64 rounds sums of steps.
_LARGEST_MISS = 1e-6
# With more rows of the grid per row of the data, missing values would fill the memory.
_MOST_ROWS_PER_ROW = 1000


def as_dates(times: np.ndarray) -> np.ndarray:
    """Return Python's own dates and durations as NumPy's, and other objects as they are.

    Examples
    --------
    >>> import datetime
    >>> import numpy as np
    >>> as_dates(np.array([datetime.date(2026, 1, 2)], object)).dtype
    dtype('<M8[us]')
    """
    try:
        return times.astype("m8[us]" if isinstance(times[0], timedelta) else "M8[us]")
    except (TypeError, ValueError):
        return times


def exceeds(steps: np.ndarray, max_gap: TimeStep) -> np.ndarray:
    """Find the steps in time that are longer than the longest one allowed.

    Parameters
    ----------
    steps : array of numbers or of durations
        From each time to the next.
    max_gap : number or timedelta
        The longest step allowed.

    Returns
    -------
    longer : bool array of the shape of `steps`
        True for longer steps.

    Raises
    ------
    TypeError
        For a number where the steps are durations, and for a duration where they are numbers.
    ValueError
        For a gap that is missing (NaN, NaT).

    Examples
    --------
    >>> import numpy as np
    >>> exceeds(np.array([1, 5, 2]), max_gap=2)
    array([False,  True, False])
    """
    _check_kind(max_gap, steps.dtype, "max_gap", max_gap)
    if max_gap != max_gap:
        raise ValueError(f"Got max_gap={max_gap!r}, expected the longest step between neighbouring rows.")
    longer: np.ndarray = steps > max_gap
    return longer


def on_grid(times: np.ndarray, is_start: np.ndarray, freq: TimeStep | str) -> tuple[np.ndarray, np.ndarray]:
    """Put the rows of sequences on a regular grid of times, which begins anew with each sequence.

    Parameters
    ----------
    times : array of numbers or dates of shape (n_rows,)
        In ascending order within each sequence.
    is_start : bool array of shape (n_rows,)
        Whether a sequence starts at a row.
    freq : number, timedelta or str
        The step of the grid. Text is read by pandas: ``"5min"``, ``"h"``.

    Returns
    -------
    rows : int array of shape (n_rows,)
        Position of each row on the grids of all sequences, one after the other.
    grid : array of shape (n_grid_rows,)
        The times of the grids.

    Raises
    ------
    TypeError
        For a number where the times are dates, and for a duration where they are numbers.
    ValueError
        For a step that is not positive; for a time that is not a whole number of steps after the first one of its
        sequence; and for a grid with more than a thousand times as many rows.

    Examples
    --------
    >>> import numpy as np
    >>> on_grid(np.array([3, 4, 6, 10]), np.array([True, False, False, True]), freq=1)
    (array([0, 1, 3, 4]), array([ 3,  4,  5,  6, 10]))
    """
    step: Any = _parsed_step(freq) if isinstance(freq, str) else freq
    # Differences of small integers could exceed their range.
    times = times.astype(np.int64) if times.dtype.kind in "bi" else times
    _check_kind(step, np.diff(times[:1]).dtype, "freq", freq)
    if times.dtype.kind in "mM":
        # NumPy would round pandas.Timedelta to microseconds.
        step = step.to_timedelta64() if hasattr(step, "to_timedelta64") else np.timedelta64(step)
    if not step > 0 * step:
        raise ValueError(f"Got freq={freq!r}, expected a positive step from one row to the next.")
    starts = np.flatnonzero(is_start)
    lengths = np.diff(starts, append=len(times))
    first_times = times[starts]
    steps = (times - np.repeat(first_times, lengths)) / step
    rows = np.rint(steps)
    # Seconds since 1970 have a rounding error of 1e-7 in float64, and a larger one in float32.
    rounding = 4 * np.spacing(np.abs(times).max()) / step if times.dtype.kind == "f" else 0
    misses = np.abs(steps - rows) > min(0.1, max(_LARGEST_MISS, rounding))
    misses[1:] |= ~is_start[1:] & (rows[1:] == rows[:-1])
    if misses.any():
        row = np.flatnonzero(misses)[0]
        raise ValueError(
            f"Got freq={freq!r} with the time {times[row]}, {steps[row]:.6g} steps from the first one of its sequence, "
            f"expected whole steps. Round the times first, such as frame[time].dt.round('1min') in pandas, and keep "
            f"one row for each time."
        )
    grid_lengths = rows[np.append(starts[1:], len(times)) - 1] + 1
    n_rows = grid_lengths.sum()
    if n_rows > _MOST_ROWS_PER_ROW * len(times):
        raise ValueError(
            f"Got freq={freq!r}, which makes {n_rows:.3g} rows of {counted(len(times), 'row')}: nearly all would be "
            f"missing. Use a larger freq=, or cut sequences at long gaps with max_gap=."
        )
    grid_lengths = grid_lengths.astype(np.intp)
    grid_starts = np.cumsum(grid_lengths) - grid_lengths
    grid_steps = np.arange(int(n_rows)) - np.repeat(grid_starts, grid_lengths)
    grid = np.repeat(first_times, grid_lengths) + grid_steps * step
    return rows.astype(np.intp) + np.repeat(grid_starts, lengths), grid


def _parsed_step(freq: str) -> Any:
    """Return a step that is given as text, as a pandas.Timedelta."""
    pandas = import_extra("pandas", extra="frames")
    try:
        return pandas.Timedelta(freq if any(letter.isdigit() for letter in freq) else f"1{freq}")
    except ValueError as error:
        raise ValueError(f"Got freq={freq!r}, expected a step such as '5min' or 'h': {error}.") from error


def _check_kind(step: Any, dtype: np.dtype, name: str, given: Any) -> None:
    """Refuse a number as a step between dates, and a duration as a step between numbers.

    `dtype` is that of the differences of the times.
    """
    is_duration = isinstance(step, (timedelta, np.timedelta64))
    is_number = isinstance(step, Real) and not is_duration
    if not (is_duration if dtype.kind == "m" else is_number):
        raise TypeError(
            f"Got {name}={given!r} for steps of dtype {dtype}, expected a step between times: a number for numbers, "
            f"and pandas.Timedelta or datetime.timedelta for dates."
        )
