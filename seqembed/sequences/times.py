"""Times of rows, as NumPy's own numbers, dates or durations."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from numbers import Integral, Real
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from seqembed.sequences.containers import as_array, is_missing
from seqembed.sequences.wording import counted

_HOUR = np.timedelta64(1, "h")
_DATES = (date, timedelta, np.datetime64, np.timedelta64)
# Clocks are set back in the night to a Sunday of these months. The hour that comes twice ends before four.
_MONTHS_OF_CHANGE, _LATEST_HOUR_OF_CHANGE = (3, 4, 9, 10, 11), 3


def plain_times(time: Any) -> np.ndarray:
    """Return times of any container as an array of numbers, dates or durations. Dates of a time zone are in UTC.

    Parameters
    ----------
    time : array-like of shape (n_rows,)
        A list, an array, or an index or a series of pandas or polars.

    Returns
    -------
    times : array of shape (n_rows,)
        Of NumPy's own dtypes. Months and years are their first days. Objects that are neither numbers nor dates nor
        durations stay as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> plain_times(pd.DatetimeIndex(["2026-01-01"], tz="America/New_York")).astype("M8[h]")
    array(['2026-01-01T05'], dtype='datetime64[h]')
    """
    if getattr(getattr(time, "dtype", None), "tz", None) is not None:
        # NumPy's own conversion would make an object of each date of pandas.
        time = time.to_numpy(f"M8[{time.dtype.unit}]")
    times = as_array(time)
    if times.dtype == object:
        return _of_objects(times)
    # Months and years have no length that steps compare with.
    is_calendar = times.dtype.kind == "M" and np.datetime_data(times.dtype)[0] in "MY"
    return times.astype("M8[D]") if is_calendar else times


def _of_objects(times: np.ndarray) -> np.ndarray:
    """Return dates, durations and numbers, such as decimals, as NumPy's, and other objects as they are."""
    values = times.ravel().tolist()
    # To NumPy, its durations are integers.
    has_durations = any(isinstance(each, np.timedelta64) for each in values)
    if not values or has_durations or not all(isinstance(each, (Real, Decimal)) for each in values):
        return as_dates(times)
    if all(isinstance(each, Integral) for each in values):
        # Floats would round nanoseconds since 1970.
        integers = np.array([int(each) for each in values]).reshape(times.shape)
        if integers.dtype == np.int64:
            return integers
    return times.astype(np.float64)


def as_dates(times: np.ndarray) -> np.ndarray:
    """Return dates and durations of Python or pandas as NumPy's, and other objects as they are.

    Parameters
    ----------
    times : array of objects of shape (n_rows,)
        Dates of a time zone become dates in UTC.

    Examples
    --------
    >>> import datetime
    >>> import numpy as np
    >>> as_dates(np.array([datetime.date(2026, 1, 2)], object)).dtype
    dtype('<M8[us]')
    """
    if not times.size or not all(is_missing(each) or isinstance(each, _DATES) for each in times.flat):
        return times
    try:
        converted = np.array([_without_zone(each) for each in times.flat]).reshape(times.shape)
        if converted.dtype.kind in "mM":
            return converted
        return converted.astype("m8[us]" if isinstance(times.flat[0], timedelta) else "M8[us]")
    except (TypeError, ValueError):
        # Dates beside durations.
        return times


def _without_zone(time: Any) -> Any:
    for convert in ("to_datetime64", "to_timedelta64"):
        if hasattr(time, convert):
            return getattr(time, convert)()
    if getattr(time, "tzinfo", None) is not None:
        return time.astimezone(UTC).replace(tzinfo=None)
    return time


def holds_dates(index: Any) -> bool:
    """Tell whether what may be the index of a data frame holds dates.

    Examples
    --------
    >>> import pandas as pd
    >>> holds_dates(pd.DatetimeIndex(["2026-01-01"])), holds_dates(pd.RangeIndex(3)), holds_dates(None)
    (True, False, False)
    """
    return getattr(getattr(index, "dtype", None), "kind", None) == "M"


def zone_of(time: Any) -> Any:
    """Return the time zone of a series, an index or an Arrow array of dates, and None without one.

    Examples
    --------
    >>> import pandas as pd
    >>> str(zone_of(pd.DatetimeIndex(["2026-01-01"], tz="America/New_York")))
    'America/New_York'
    """
    dtype = getattr(time, "dtype", None) or getattr(time, "type", None)
    return getattr(dtype, "tz", None) or getattr(dtype, "time_zone", None)


def calendar_zone(time: Any) -> Any:
    """Return the time zone in whose calendar the days of times are counted, and None without one.

    Parameters
    ----------
    time : array-like of shape (n_rows,)
        Of any kind. Python's own dates have a zone each; that of the first one counts.

    Returns
    -------
    zone : str, tzinfo or None
        None for Python's dates with an offset from UTC: that of another date of the same clock may differ.

    Examples
    --------
    >>> import datetime, zoneinfo
    >>> str(calendar_zone([datetime.datetime(2026, 10, 20, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))]))
    'Europe/Berlin'
    """
    zone = zone_of(time)
    if zone is not None:
        return zone
    own = getattr(next(iter(time), None), "tzinfo", None)
    return None if isinstance(own, timezone) else own


def local_time(time: Any, given: Any) -> Any:
    """Return a time on the clock on which it was given, for messages.

    Parameters
    ----------
    time : scalar of NumPy
        From `plain_times`: a date of a time zone is in UTC.
    given : array-like of shape (n_rows,)
        The times as the user gave them.

    Returns
    -------
    time : datetime.datetime or scalar of NumPy
        With its offset from UTC where the times have a zone. The time itself where they have none.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.DatetimeIndex(["2026-01-01"], tz="Europe/Berlin")
    >>> print(local_time(plain_times(index)[0], index))
    2026-01-01 00:00:00+01:00
    """
    zone = zone_of(given) or getattr(next(iter(given), None), "tzinfo", None)
    moment = time.astype("M8[us]").item() if zone is not None and time.dtype.kind == "M" else None
    # NumPy has dates that Python's years don't reach.
    if not isinstance(moment, datetime):
        return time
    return moment.replace(tzinfo=UTC).astimezone(rules_of(zone))


def rules_of(zone: Any) -> tzinfo:
    """Return a time zone by its name, or by its offset from UTC, as Arrow's zones may have one. Others stay.

    Examples
    --------
    >>> rules_of("Europe/Berlin"), rules_of("+02:00")
    (zoneinfo.ZoneInfo(key='Europe/Berlin'), datetime.timezone(datetime.timedelta(seconds=7200)))
    """
    if not isinstance(zone, str):
        rules: tzinfo = zone
        return rules
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError):
        pass
    try:
        return datetime.strptime(zone, "%z").tzinfo or UTC
    except ValueError:
        # A machine may have no table of zones.
        return UTC


def check_levels(recording: Any, name: str) -> None:
    """Refuse a table whose index names several recordings, by levels such as machine and time.

    Examples
    --------
    >>> import pandas as pd
    >>> check_levels(pd.DataFrame({"flow": [1.0, 2.0]}), "recording")
    """
    index: Any = getattr(recording, "index", None)
    # A group of such a table keeps all levels.
    if getattr(index, "nlevels", 1) > 1 and index.droplevel(-1).nunique() > 1:
        raise ValueError(
            f"Got {name}= with an index of {index.nlevels} levels, {list(index.names)}, expected a single recording. "
            f"Pass the recordings one by one: seqembed.sequences_from_frame({name}.reset_index(), id, time), with the "
            f"names of two of its columns."
        )


def times_of_rows(recording: Any, time: Any, n_rows: int, name: str, needed_for: str = "max_gap") -> np.ndarray:
    """Return the time of each row of a recording, by default the index of a data frame.

    Parameters
    ----------
    recording : object
        The recording, as the user gave it.
    time : array-like of shape (n_rows,) or None
        The times, if they were given.
    n_rows : int
        Rows of the recording.
    name : str
        Name of the recording in the user's code, for messages.
    needed_for : str, default="max_gap"
        The parameter that needs times, for messages.

    Returns
    -------
    times : array of shape (n_rows,)
        See `checked_times`.

    Raises
    ------
    ValueError
        If there are no times, and for times that `checked_times` refuses.
    TypeError
        For the name of a column.

    Examples
    --------
    >>> import pandas as pd
    >>> times_of_rows(pd.Series([7.5, 8.5], index=[10, 20]), None, 2, "recording")
    array([10, 20])
    """
    check_is_no_column(recording, time, name)
    if time is not None:
        return checked_times(time, n_rows)
    index = getattr(recording, "index", None)
    # A list has a method of this name.
    if index is None or callable(index):
        raise ValueError(
            f"Got {needed_for}= without the times of {counted(n_rows, 'row')}, expected time= of shape ({n_rows},), or "
            f"a data frame whose index holds times."
        )
    return checked_times(index, n_rows, index_of=name)


def check_is_no_column(recording: Any, time: Any, name: str) -> None:
    """Refuse the name of a column in the place of the times of a single recording.

    Examples
    --------
    >>> check_is_no_column([7.5, 8.5], [0, 1], "recording")
    """
    if isinstance(time, str) and time in getattr(recording, "columns", ()):
        raise TypeError(
            f"Got time={time!r}, expected the time of each row. Pass the times themselves, time={name}[{time!r}], and "
            f"{name}= without this column."
        )


def checked_times(time: Any, n_rows: int, index_of: str | None = None) -> np.ndarray:
    """Check that there is a time for each row, and that each is later than the one before.

    Parameters
    ----------
    time : array-like of shape (n_rows,)
        Numbers, dates or durations.
    n_rows : int
        Rows of the recording.
    index_of : str, default=None
        Name of the data frame whose index the times are, for messages. By default they were passed as ``time=``.

    Returns
    -------
    times : array of shape (n_rows,)
        Of NumPy's own dtypes. Dates of a time zone are in UTC.

    Raises
    ------
    ValueError
        If the number of times is not the number of rows, if times are neither numbers nor dates, or if they are
        missing, run backwards or repeat.

    Examples
    --------
    >>> checked_times([0, 1, 5], n_rows=3)
    array([0, 1, 5])
    """
    times = plain_times(time)
    given = "time=" if index_of is None else f"the index of {index_of}="
    if times.shape != (n_rows,):
        raise ValueError(
            f"Got {given} of shape {times.shape} for {counted(n_rows, 'row')}, expected time= of shape ({n_rows},): a "
            f"time for each row."
        )
    if times.dtype.kind not in "iufmM":
        source = "time" if index_of is None else f"{index_of}.index"
        line = f"{source}.to_timestamp()" if hasattr(time, "to_timestamp") else f"pandas.to_datetime({source})"
        raise ValueError(
            f"Got {given} of dtype {times.dtype}, expected numbers or dates as times. Convert them with {line}."
        )
    # An infinite time has no step to the next one.
    missing = np.flatnonzero(~np.isfinite(times))
    if len(missing):
        line = "numpy.isfinite(time)" if times.dtype.kind == "f" else "~numpy.isnat(time)"
        kept = f"numpy.isfinite({index_of}.index)" if times.dtype.kind == "f" else f"{index_of}.index.notna()"
        line = f"rows[{line}]" if index_of is None else f"{index_of}[{kept}]"
        raise ValueError(
            f"Got {given} with a missing time in row {missing[0]}, {times[missing[0]]}, expected a time for each row. "
            f"Leave out the rows without one: {line}."
        )
    late = np.flatnonzero(times[1:] <= times[:-1])
    if len(late):
        row = late[0] + 1
        repeats = times[row] == times[row - 1]
        raise ValueError(
            f"Got {given} with times that {'repeat' if repeats else 'run backwards'}: row {row} has "
            f"{local_time(times[row], time)} after {local_time(times[row - 1], time)}, expected ascending times. "
            f"{_line_that_mends(time, times, repeats, index_of)}"
        )
    return times


def _line_that_mends(time: Any, times: np.ndarray, repeats: bool, index_of: str | None) -> str:
    """Return the line after which times ascend, for the message."""
    if zone_of(time) is None:
        name = "time" if index_of is None else f"{index_of}.index"
        index = "pandas.DatetimeIndex(time)" if index_of is None else name
        if clock_is_set_back(times):
            return line_for_clock_change(f"{name} = {index}.LOCALIZE")
        if an_hour_comes_twice(times):
            return line_for_clock_change(f"{name} = {index}.LOCALIZE", f"~{index}.duplicated()")
    if repeats:
        line = f"{index_of}[~{index_of}.index.duplicated()]"
        if index_of is None:
            line = "with kept = numpy.unique(time, return_index=True)[1], pass rows[kept] and time[kept]"
        return f"Keep one row for each time: {line}. If the clock is too coarse, pass time=numpy.arange({len(times)})."
    line = f"{index_of}.sort_index()"
    if index_of is None:
        line = "with order = numpy.argsort(time), pass rows[order] and time[order]"
    is_first = np.append(True, times[1:] <= times[:-1])
    if is_first.sum() <= len(times) / 2 and (times[is_first] <= times[0]).all():
        # Time begins anew wherever it does not ascend.
        frame, pair = ("rows", " and a list of their times") if index_of is None else (index_of, "")
        return (
            f"If these are several recordings, one after the other, pass a list of them{pair}, such as "
            f'[each.drop(columns="machine") for _, each in {frame}.groupby("machine")]. If not, sort the rows by '
            f"time: {line}."
        )
    return f"Sort the rows by time first: {line}."


def clock_is_set_back(times: np.ndarray) -> bool:
    """Tell whether the times of rows look like those of a clock that was set back by an hour.

    The times are regular, but for steps that are an hour too short, in nights in which clocks change.

    Parameters
    ----------
    times : array of shape (n_rows,)
        Local times, in the order in which the rows were recorded.

    Examples
    --------
    >>> clock_is_set_back(np.array(["2026-10-25T01", "2026-10-25T02", "2026-10-25T02", "2026-10-25T03"], "M8[s]"))
    True
    >>> clock_is_set_back(np.array(["2026-12-25T01", "2026-12-25T02", "2026-12-25T02", "2026-12-25T03"], "M8[s]"))
    False
    """
    if times.dtype.kind != "M":
        return False
    times = times.astype("M8[us]")
    steps = np.diff(times)
    forwards = steps > np.timedelta64(0, "us")
    if forwards.all() or not forwards.any():
        return False
    # Where the clock was set back, this is how long the step took.
    took = (steps[~forwards] + _HOUR) / np.median(steps[forwards])
    return bool((_clocks_may_change(times[1:][~forwards]) & (took > 0.5) & (took < 2)).all())


def an_hour_comes_twice(times: np.ndarray) -> bool:
    """Tell whether sorted times look like those of a clock that was set back by an hour.

    In a night in which clocks change, each time of an hour comes twice, and no other does.

    Parameters
    ----------
    times : array of shape (n_rows,)
        Local times, in the order of the rows.

    Examples
    --------
    >>> minutes = np.datetime64("2026-10-25T02", "m") + np.array([-30, 0, 0, 30, 30, 60, 90])
    >>> an_hour_comes_twice(minutes), an_hour_comes_twice(minutes + np.timedelta64(1, "D"))
    (True, False)
    """
    if times.dtype.kind != "M":
        return False
    times = times.astype("M8[us]")
    steps = np.diff(times)
    repeated = times[1:][steps == np.timedelta64(0, "us")]
    if len(repeated) < 2 or (steps < np.timedelta64(0, "us")).any():
        return False
    first, last = repeated[0], repeated[-1]
    n_rows = ((times >= first) & (times <= last)).sum()
    is_an_hour = last - first < _HOUR <= last - first + 2 * np.median(np.diff(repeated))
    return bool(is_an_hour and n_rows == 2 * len(repeated) and _clocks_may_change(first))


def _clocks_may_change(times: Any) -> Any:
    """Tell at which times an hour may begin that comes twice."""
    ends = times + _HOUR
    days = ends.astype("M8[D]")
    # The first day of 1970 was a Thursday.
    is_sunday = (days.astype(int) + 4) % 7 == 0
    in_months = np.isin(ends.astype("M8[M]").astype(int) % 12 + 1, _MONTHS_OF_CHANGE)
    return is_sunday & in_months & ((ends - days) // _HOUR <= _LATEST_HOUR_OF_CHANGE)


def line_for_clock_change(line: str, ambiguous: str = '"infer"') -> str:
    """Say that an hour may come twice because the clock was set back, and the line that tells both hours apart.

    Parameters
    ----------
    line : str
        The line of code, in which ``LOCALIZE`` stands for the call that tells them apart.
    ambiguous : str, default='"infer"'
        How, in code: by default by the order of the rows.

    Examples
    --------
    >>> line_for_clock_change("index = index.LOCALIZE")[-62:]
    'index = index.tz_localize("Europe/Berlin", ambiguous="infer").'
    """
    line = line.replace("LOCALIZE", f'tz_localize("Europe/Berlin", ambiguous={ambiguous})')
    return (
        f"An hour may come twice because daylight saving time ended. Then no row is superfluous. Tell both hours "
        f"apart, with your zone: {line}."
    )
