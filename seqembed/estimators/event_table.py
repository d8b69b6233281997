"""Tables of rare events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from seqembed.estimators.event_search import Event
from seqembed.extras import import_extra
from seqembed.sequences.times import zone_of


def event_table(
    events: list[Event],
    names: list[Any],
    severity: Callable[[np.ndarray], np.ndarray],
    times: Any = None,
    first_row: int = 0,
) -> Any:
    """Make a table with a row for each event, as `seqembed.detect_events` describes it.

    Parameters
    ----------
    events : list of Event
        In the order of time.
    names : list
        Names of the features.
    severity : callable
        Takes scores; returns in how many windows of normal data each comes once.
    times : array-like of shape (n_rows,), default=None
        Times of the rows of the recording, as the user gave them.
    first_row : int, default=0
        Row that the first of the times belongs to.

    Returns
    -------
    table : pandas.DataFrame, or sklearn.utils.Bunch of arrays where pandas is not installed
        One row for each event.

    Examples
    --------
    >>> import numpy as np
    >>> event = Event(start=3, end=5, score=-9.0, errors=np.array([1.0, 3.0]), found_by="statistics", window=1)
    >>> table = event_table([event], ["flow", "heat"], severity=lambda scores: -scores)
    >>> table[["start", "end", "severity", "features", "window"]]
       start  end  severity                      features  window
    0      3    5       9.0  {'heat': 0.75, 'flow': 0.25}       1
    """
    columns: dict[str, Any] = {
        name: np.array([getattr(event, name) for event in events], int) for name in ("start", "end")
    }
    if times is not None:
        times = taken_times(times)
        columns |= {f"{name}_time": times.take(columns[name] - first_row) for name in ("start", "end")}
    columns["score"] = np.array([event.score for event in events], float)
    columns["severity"] = severity(columns["score"])
    columns["found_by"] = np.array([event.found_by for event in events], object)
    columns["features"] = np.empty(len(events), object)
    columns["features"][:] = [_shares(event.errors, names) for event in events]
    columns["window"] = np.array([event.window for event in events], int)
    try:
        return import_extra("pandas", extra="frames").DataFrame(columns)
    except ImportError:
        return Bunch(**columns)


def taken_times(times: Any) -> Any:
    """Return times as an array from which rows are taken. Arrays of pandas keep the time zone, also of no event.

    Examples
    --------
    >>> import pandas as pd
    >>> str(taken_times(pd.date_range("2026-01-01", periods=3, tz="Asia/Tokyo")).take([]).dtype.tz)
    'Asia/Tokyo'
    """
    if hasattr(times, "array"):
        return times.array
    # Times of rows that were taken before.
    if hasattr(getattr(times, "dtype", None), "tz"):
        return times
    zone = zone_of(times)
    if zone is None:
        return np.asarray(times)
    # NumPy has no zones: what it makes of dates of polars is in UTC.
    pandas = import_extra("pandas", extra="frames")
    return pandas.DatetimeIndex(np.asarray(times)).tz_localize("UTC").tz_convert(zone).array


def joined_times(first: Any, second: Any) -> Any:
    """Join arrays of times, one after the other.

    Parameters
    ----------
    first, second : arrays
        From `taken_times`.

    Examples
    --------
    >>> joined_times(np.array([1, 2]), np.array([5]))
    array([1, 2, 5])
    """
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.concatenate([np.asarray(first), np.asarray(second)])
    pandas = import_extra("pandas", extra="frames")
    return pandas.Index(first).append(pandas.Index(second)).array


def _shares(errors: np.ndarray, names: list[Any]) -> dict[Any, float]:
    """Name the share of each feature in the errors of windows, the largest first."""
    shares = errors / errors.sum()
    return {names[feature]: float(shares[feature]) for feature in np.argsort(-shares)}


def joined_tables(tables: Sequence[Any], names: Sequence[Any], column: str) -> Any:
    """Join the tables of several recordings, one after the other, with the name of the recording in front.

    Parameters
    ----------
    tables : sequence of tables
        From `event_table`, at least one.
    names : sequence
        Name of each recording.
    column : str
        Name of the column of these names.

    Returns
    -------
    table : pandas.DataFrame, or sklearn.utils.Bunch of arrays
        As the given ones.

    Examples
    --------
    >>> import numpy as np
    >>> event = Event(start=3, end=5, score=-9.0, errors=np.array([1.0]), found_by="statistics", window=1)
    >>> tables = [event_table(events, ["flow"], abs) for events in ([event], [], [event, event])]
    >>> joined_tables(tables, ["a", "b", "c"], "pump").pump.tolist()
    ['a', 'c', 'c']
    """
    lengths = [len(table["start"]) for table in tables]
    # Tables without events would change the dtypes of others, such as time zones.
    filled = [table for table, length in zip(tables, lengths, strict=True) if length] or tables[:1]
    positions = np.repeat(np.arange(len(lengths)), lengths)
    if isinstance(filled[0], Bunch):
        columns = {name: np.concatenate([table[name] for table in filled]) for name in filled[0]}
        return Bunch(**{column: np.asarray(names)[positions]}, **columns)
    pandas = import_extra("pandas", extra="frames")
    table = pandas.concat(filled, ignore_index=True)
    # Also of no event, the names keep their dtype.
    table.insert(0, column, pandas.Series(list(names)).array.take(positions))
    return table
