"""Steps from the time of a row to that of the next."""

from __future__ import annotations

from datetime import timedelta
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from seqembed.extras import import_extra

# A step from one time to another: a number between numbers, a duration between dates. Those of pandas are timedeltas.
TimeStep: TypeAlias = float | timedelta | np.timedelta64


def pieces_without_gaps(times: np.ndarray, max_gap: TimeStep | str) -> list[slice]:
    """Cut the rows where the step from one time to the next exceeds `max_gap`.

    Parameters
    ----------
    times : array of shape (n_rows,)
        Time of each row, see `seqembed.sequences.times.checked_times`.
    max_gap : number, timedelta or str
        The longest step that is not cut.

    Returns
    -------
    pieces : list of slices
        Of rows, which are all rows together.

    Raises
    ------
    TypeError
        If `max_gap` is a number between dates or a duration between numbers.
    ValueError
        If `max_gap` is missing or not positive, or text that is no duration.

    Examples
    --------
    >>> pieces_without_gaps(np.array([0, 1, 5, 6]), max_gap=2)
    [slice(0, 2, None), slice(2, 4, None)]
    """
    gaps = np.flatnonzero(exceeds(times, max_gap)) + 1
    return [slice(int(start), int(stop)) for start, stop in zip([0, *gaps], [*gaps, len(times)], strict=True)]


def exceeds(times: np.ndarray, max_gap: TimeStep | str) -> np.ndarray:
    """Find the steps from one time to the next that are longer than the longest one allowed.

    Parameters
    ----------
    times : array of numbers, dates or durations of shape (n_rows,)
        Time of each row.
    max_gap : number, timedelta or str
        The longest step allowed. Text, such as ``"10min"``, is read by pandas.

    Returns
    -------
    longer : bool array of shape (n_rows - 1,)
        True for longer steps.

    Raises
    ------
    TypeError
        For a number where the times are dates, and for a duration where they are numbers.
    ValueError
        For a gap that is missing (NaN, NaT) or not positive, and for text that is no duration.

    Examples
    --------
    >>> import numpy as np
    >>> exceeds(np.array([1, 2, 7, 9]), max_gap=2)
    array([False,  True, False])
    """
    steps = np.diff(wide(times))
    longer: np.ndarray = steps > checked_step(checked_gap(max_gap), steps.dtype, "max_gap", max_gap)
    return longer


def wide(times: np.ndarray) -> np.ndarray:
    """Return times of narrow integers or truth values as int64, and others as they are.

    Differences of narrow integers could exceed their range, and those of truth values are none.

    Examples
    --------
    >>> np.diff(wide(np.array([-100, 100], np.int8)))
    array([200])
    """
    return times.astype(np.int64, copy=False) if times.dtype.kind in "biu" else times


def checked_gap(max_gap: TimeStep | str) -> Any:
    """Return the longest step between neighbouring rows as a number or a duration.

    Parameters
    ----------
    max_gap : number, timedelta or str
        The longest step allowed.

    Raises
    ------
    TypeError
        For what is no step.
    ValueError
        For a gap that is missing (NaN, NaT) or not positive, and for text that is no duration.

    Examples
    --------
    >>> checked_gap("10min"), checked_gap(2)
    (Timedelta('0 days 00:10:00'), 2)
    """
    longest = equal_step(max_gap, "max_gap")
    is_step = isinstance(longest, (Real, timedelta, np.timedelta64)) and not isinstance(longest, bool)
    if not is_step:
        raise TypeError(
            f"Got max_gap={max_gap!r}, expected the longest step between neighbouring rows: a number between numbers, "
            f"and pandas.Timedelta, datetime.timedelta or text such as '10min' between dates."
        )
    # Neither NaN nor NaT is larger than anything. A product with 0 is of the unit of the step.
    if not longest > 0 * longest:
        raise ValueError(
            f"Got max_gap={max_gap!r}, expected the longest step between neighbouring rows, which is positive. Pass at "
            f"least the usual step from row to row, or leave it out: then rows count and time does not."
        )
    return longest


def equal_step(step: Any, name: str) -> Any:
    """Read text and offsets of pandas as durations, and return other steps as they are.

    Parameters
    ----------
    step : object
        The step, such as ``"10min"`` or ``pandas.offsets.Minute(10)``.
    name : str
        Name of the parameter, for the message.

    Raises
    ------
    ValueError
        For text that is no duration, and for steps that are not all equally long, such as months.

    Examples
    --------
    >>> import pandas as pd
    >>> equal_step(pd.offsets.Minute(10), "every")
    Timedelta('0 days 00:10:00')
    """
    text = text_of_offset(step)
    if not isinstance(text, str):
        return step
    if calendar_offset(text) is not None:
        raise ValueError(
            f"Got {name}={text!r}, whose steps are not all equally long, expected a duration. Pass the longest one "
            f"in days, such as {name}='31D'."
        )
    return parsed_step(text, name)


def text_of_offset(step: Any) -> Any:
    """Return an offset of pandas, such as the ``freq`` of an index, as its text, and other steps as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> text_of_offset(pd.date_range("2026-01-01", periods=3, freq="MS").freq), text_of_offset(2)
    ('MS', 2)
    """
    # An index has a text of its freq too, but is no step.
    return step.freqstr if hasattr(step, "rule_code") else step


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
        For a number between dates, for a duration between numbers, and for what is no step.

    Examples
    --------
    >>> checked_step(timedelta(hours=1), np.dtype("m8[s]"), "max_gap", timedelta(hours=1))
    np.timedelta64(3600000000,'us')
    """
    is_duration = isinstance(step, (timedelta, np.timedelta64))
    is_number = isinstance(step, Real) and not isinstance(step, bool) and not is_duration
    if not (is_duration if dtype.kind == "m" else is_number):
        raise TypeError(
            f"Got {name}={given!r} for steps of dtype {dtype}, expected a step between times: a number for numbers, "
            f"and pandas.Timedelta, datetime.timedelta or text such as '10min' for dates."
        )
    if not is_duration:
        return step
    # NumPy would round pandas.Timedelta to microseconds, and does not compare nanoseconds with Python's durations.
    return step.to_timedelta64() if hasattr(step, "to_timedelta64") else np.timedelta64(step)


def parsed_step(text: str, name: str) -> Any:
    """Return a step that is given as text, as a pandas.Timedelta.

    Parameters
    ----------
    text : str
        Such as ``"5min"`` or ``"h"``.
    name : str
        Name of the parameter, for the message.

    Raises
    ------
    ValueError
        For other text.
    ImportError
        If pandas is not installed.

    Examples
    --------
    >>> parsed_step("90s", "freq")
    Timedelta('0 days 00:01:30')
    """
    pandas = import_extra("pandas", extra="frames")
    if not any(letter.isalpha() for letter in text):
        raise ValueError(f"Got {name}={text!r} without a unit, expected a step such as '5min', 'h' or 'D'.")
    try:
        return pandas.Timedelta(text if any(letter.isdigit() for letter in text) else f"1{text}")
    except ValueError as error:
        raise ValueError(f"Got {name}={text!r}, expected a step such as '5min', 'h' or 'D': {error}.") from error


def calendar_offset(text: str, zone: Any = None) -> Any:
    """Return steps that are not all equally long as a pandas.DateOffset, and None for others.

    Such are months and business days, and in a time zone also days and weeks.

    Parameters
    ----------
    text : str
        Such as ``"MS"``, ``"B"`` or ``"D"``.
    zone : str or tzinfo, default=None
        Time zone of the dates.

    Examples
    --------
    >>> calendar_offset("MS"), calendar_offset("D"), calendar_offset("D", "Europe/Berlin")
    (<MonthBegin>, None, <Day>)
    """
    pandas = import_extra("pandas", extra="frames")
    offsets = pandas.offsets
    # To pandas 2, "m" is an old name of months. We read minutes, as pandas.Timedelta does.
    if text.strip("0123456789.+- ") == "m":
        return None
    try:
        offset = pandas.tseries.frequencies.to_offset(text)
    except ValueError:
        return None
    if isinstance(offset, offsets.Week) and "-" not in text[1:]:
        # Text without a weekday means weeks from the first row on. To pandas they end on Sunday.
        offset = offsets.Day(7 * offset.n)
    if isinstance(offset, offsets.Day):
        return None if zone is None else offset
    return None if isinstance(offset, offsets.Tick) else offset
