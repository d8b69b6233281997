"""Steps from the time of a row to that of the next."""

from __future__ import annotations

from datetime import timedelta
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

# A step from one time to another: a number between numbers, a duration between dates. Those of pandas are timedeltas.
TimeStep: TypeAlias = float | timedelta | np.timedelta64


def pieces_without_gaps(times: np.ndarray, max_gap: TimeStep) -> list[slice]:
    """Cut the rows where the step from one time to the next exceeds `max_gap`.

    Parameters
    ----------
    times : array of shape (n_rows,)
        Time of each row, see `seqembed.sequences.times.checked_times`.
    max_gap : number or timedelta
        The longest step that is not cut.

    Returns
    -------
    pieces : list of slices
        Of rows, which are all rows together.

    Raises
    ------
    TypeError
        If `max_gap` is a number between dates or a duration between numbers.

    Examples
    --------
    >>> pieces_without_gaps(np.array([0, 1, 5, 6]), max_gap=2)
    [slice(0, 2, None), slice(2, 4, None)]
    """
    gaps = np.flatnonzero(exceeds(np.diff(times), max_gap)) + 1
    return [slice(int(start), int(stop)) for start, stop in zip([0, *gaps], [*gaps, len(times)], strict=True)]


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
    longest = checked_step(max_gap, steps.dtype, "max_gap", max_gap)
    if longest != longest:
        raise ValueError(f"Got max_gap={max_gap!r}, expected the longest step between neighbouring rows.")
    longer: np.ndarray = steps > longest
    return longer


def checked_step(step: Any, dtype: np.dtype, name: str, given: Any) -> Any:
    """Return a step as a number between numbers, and as NumPy's own duration between dates.

    Parameters
    ----------
    step : object
        The step.
    dtype : dtype
        That of the differences of the times.
    name : str
        Name of the parameter, for the message.
    given : object
        The argument that the step was read from.

    Raises
    ------
    TypeError
        For a number between dates, and for a duration between numbers.

    Examples
    --------
    >>> checked_step(timedelta(hours=1), np.dtype("m8[s]"), "max_gap", timedelta(hours=1))
    np.timedelta64(3600000000,'us')
    """
    is_duration = isinstance(step, (timedelta, np.timedelta64))
    is_number = isinstance(step, Real) and not is_duration
    if not (is_duration if dtype.kind == "m" else is_number):
        raise TypeError(
            f"Got {name}={given!r} for steps of dtype {dtype}, expected a step between times: a number for numbers, "
            f"and pandas.Timedelta or datetime.timedelta for dates."
        )
    if not is_duration:
        return step
    # NumPy would round pandas.Timedelta to microseconds, and does not compare nanoseconds with Python's durations.
    return step.to_timedelta64() if hasattr(step, "to_timedelta64") else np.timedelta64(step)
