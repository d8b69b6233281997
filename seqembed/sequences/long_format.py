"""Positions of sequences in a data frame in long format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqembed.extras import import_extra
from seqembed.sequences.grids import on_grid
from seqembed.sequences.sources import check_is_no_source
from seqembed.sequences.steps import TimeStep, exceeds
from seqembed.sequences.times import (
    an_hour_comes_twice,
    as_dates,
    calendar_zone,
    clock_is_set_back,
    line_for_clock_change,
    plain_times,
    zone_of,
)
from seqembed.sequences.wording import counted


class LongFormat(NamedTuple):
    """Positions of the sequences in a data frame.

    Parameters
    ----------
    frame : narwhals.DataFrame
        The data frame.
    columns : list of str
        Names of the columns of values.
    order : int array of shape (n_rows,)
        Row numbers of the frame, grouped by id. Within an id they are sorted by time.
    rows : int array of shape (n_rows,)
        Positions of these rows among the rows of all sequences, one after the other. Rows between them are absent from
        the frame.
    starts : int array of shape (n_sequences,)
        Row of the sequences at which each of them starts.
    times : array of shape (n_rows_of_sequences,)
        Time of each row of the sequences.
    """

    frame: Any
    columns: list[str]
    order: np.ndarray
    rows: np.ndarray
    starts: np.ndarray
    times: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Timesteps of each sequence."""
        return np.diff(self.starts, append=len(self.times))

    def ids(self, name: str) -> np.ndarray:
        """Ids of the sequences, from the column of this name."""
        rows = self.order[np.searchsorted(self.rows, self.starts)]
        ids: np.ndarray = _column(self.frame, name).to_numpy()[rows]
        return ids


def read_long_format(
    frame: Any,
    id: str,
    time: str,
    columns: Sequence[str] | None,
    max_gap: TimeStep | str | None,
    freq: TimeStep | str | None,
) -> LongFormat:
    """Check a data frame and find its sequences.

    Parameters
    ----------
    frame, id, time, columns, max_gap, freq
        As given to `seqembed.sequences_from_frame`.

    Raises
    ------
    ValueError, TypeError
        See `seqembed.sequences_from_frame`.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"pump": ["b", "a", "b"], "hour": [2, 1, 1], "flow": [5, 1, 4]})
    >>> positions = read_long_format(frame, "pump", "hour", columns=None, max_gap=None, freq=None)
    >>> positions.order, positions.starts, positions.columns
    (array([2, 0, 1]), array([0, 2]), ['flow'])
    """
    frame = _checked_frame(frame)
    columns = _checked_columns(frame, id, time, columns)
    for name in (id, time):
        _check_none_missing(frame.get_column(name), name)
    _check_hashable(frame.get_column(id), id)
    _check_sortable(_column(frame, time), time)
    order, is_start, times = _sort_rows(frame, id, time)
    if times.dtype == object and not (max_gap is None and freq is None):
        times = plain_times(times)
        if times.dtype == object:
            raise ValueError(
                f"Got {'freq' if max_gap is None else 'max_gap'}= with frame= whose column {time!r} holds "
                f"{type(times[0]).__name__}, such as {times[0]!r}, expected numbers, dates or durations, between which "
                f"there are steps. Convert it, or leave out freq= and max_gap=."
            )
    if max_gap is not None:
        is_start[1:] |= exceeds(times, max_gap)
    rows, grid = np.arange(len(times)), times
    if freq is not None:
        given = frame.get_column(time)
        rows, grid = on_grid(times, is_start, freq, calendar_zone(given.to_native()) or zone_of(given))
    return LongFormat(frame, columns, order, rows, rows[is_start], grid)


def _sort_rows(frame: Any, id: str, time: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows by id and time, whether an id starts at each of them, and their times."""
    nw = import_extra("narwhals", extra="frames")
    ids, times = _column(frame, id), _column(frame, time)
    # We rename the columns. The user's names may be the same as "row" or "first". They may also be numbers, which
    # narwhals reads as values.
    keys = ids.alias("id").to_frame().with_columns(times.alias("time")).with_row_index("row")
    # Each id is replaced by the row in which it first appears. This is a number for ids of any type, and it sorts the
    # ids in the order that we return. The sort need not be stable: an id with the same time twice is an error below.
    keys = keys.with_columns(nw.col("row").min().over("id").alias("first")).sort("first", "time")
    order, first = keys.get_column("row").to_numpy().astype(np.intp), keys.get_column("first").to_numpy()
    is_start = np.concatenate([[True], first[1:] != first[:-1]])
    sorted_times = keys.get_column("time").to_numpy()
    repeated = np.flatnonzero(~is_start[1:] & (sorted_times[1:] == sorted_times[:-1]))
    if repeated.size:
        row = int(order[repeated[0]])
        # In the order of the frame.
        rows_of_id = np.sort(order[first == first[repeated[0]]])
        raise ValueError(
            f"Got frame= in which id {ids[row]} has the time {frame.get_column(time)[row]} more than once, expected "
            f"one row for each {id!r} and {time!r}. {_line_for_repeated(times, rows_of_id, id, time)}"
        )
    return order, is_start, sorted_times


def _line_for_repeated(times: Any, rows_of_id: np.ndarray, id: str, time: str) -> str:
    """Return what to do about a time that an id has twice, for the message."""
    local = np.empty(0) if zone_of(times) else times.to_numpy()[rows_of_id]
    line = f"frame[{time!r}] = frame[{time!r}].dt.LOCALIZE"
    if an_hour_comes_twice(local):
        return line_for_clock_change(line, f"~frame.duplicated({[id, time]}).to_numpy()")
    if clock_is_set_back(local):
        if len(rows_of_id) == len(times):
            return line_for_clock_change(line)
        # pandas infers from times that ascend, which those of several ids together do not.
        return line_for_clock_change(
            f"frame[{time!r}] = frame.groupby({id!r})[{time!r}].transform(lambda each: each.dt.LOCALIZE)"
        )
    return (
        f"Keep one of the rows: frame.drop_duplicates({[id, time]}) in pandas, frame.unique({[id, time]}, "
        f"maintain_order=True) in polars."
    )


def _column(frame: Any, name: str) -> Any:
    """Return a column of a frame. Dates of a time zone are in UTC in columns of pandas."""
    nw = import_extra("narwhals", extra="frames")
    column = frame.get_column(name)
    native = column.to_native()
    # An array of Arrow has no dtype.
    if hasattr(native, "dtype") and native.dtype == object:
        # Python compares dates of one zone by their clock, which shows an hour twice when it is set back.
        dates_in_utc = as_dates(native.to_numpy())
        if dates_in_utc.dtype.kind == "M":
            return nw.from_native(type(native)(dates_in_utc, index=native.index, name=native.name), series_only=True)
    if column.dtype in (nw.Date, nw.Duration, nw.Time):
        # pandas raises an error if such a column of Arrow is asked for its time zone.
        return column
    dates: Any = getattr(native, "dt", None)
    if getattr(dates, "tz", None) is None:
        return column
    # narwhals does not know the zones of pandas whose names have an underscore or a digit, such as America/New_York.
    return nw.from_native(dates.tz_convert("UTC"), series_only=True)


def _checked_frame(frame: Any) -> Any:
    check_is_no_source(frame, "frame=")
    nw = import_extra("narwhals", extra="frames")
    # Before narwhals, whose message is for programmers. Only pandas has frames with such columns that can be read.
    labels: Any = getattr(frame, "columns", None)
    if hasattr(labels, "duplicated") and labels.has_duplicates:
        raise ValueError(
            f"Got frame= with several columns of the name {labels[labels.duplicated()][0]!r}, expected each name once. "
            f"Rename them, or keep the first of each: frame.loc[:, ~frame.columns.duplicated()]."
        )
    checked = nw.from_native(frame, pass_through=True)
    if isinstance(checked, nw.LazyFrame):
        raise TypeError(
            f"Got frame= of type {type(frame).__name__}, which is lazy, expected a data frame in memory. Pass "
            f"narwhals.from_native(frame).collect().to_native()."
        )
    if not isinstance(checked, nw.DataFrame):
        raise TypeError(
            f"Got frame= of type {type(frame).__name__}, expected a data frame of pandas, polars or another library "
            f"that narwhals supports. Make one with pandas.DataFrame(...)."
        )
    if not len(checked):
        raise ValueError("Got frame= without rows, expected at least one row. Check the filters that made the frame.")
    return checked


def _checked_columns(frame: Any, id: str, time: str, columns: Sequence[str] | None) -> list[str]:
    if isinstance(columns, str):
        raise TypeError(f"Got columns={columns!r}, expected a list of names: columns=[{columns!r}].")
    # A set has another order in each process, and features are in the order of their names.
    if columns is not None and (isinstance(columns, (set, frozenset)) or not isinstance(columns, Iterable)):
        raise TypeError(
            f"Got columns= of type {type(columns).__name__}, expected a list of names in the order of the features. "
            f"Pass columns=[...]."
        )
    existing = list(frame.columns)
    for parameter, name in (("id", id), ("time", time)):
        check_is_one_name(name, existing, parameter)
    if id == time:
        raise ValueError(f"Got id={id!r} and time={time!r}, expected two different columns. Choose from {existing}.")
    if columns is None:
        columns = [name for name in existing if name not in (id, time) and not _holds_index(name)]
    columns = list(columns)
    unknown = [name for name in [id, time, *columns] if name not in existing]
    in_index = [name for name in unknown if name in getattr(getattr(frame.to_native(), "index", None), "names", ())]
    if in_index:
        raise ValueError(
            f"Got frame= with {_listed(in_index)} in its index, expected columns. Pass frame.reset_index()."
        )
    if unknown:
        raise ValueError(
            f"Got frame= without the {'column' if len(unknown) == 1 else 'columns'} {_listed(unknown)}, expected "
            f"every column that is named in id=, time= or columns=. Choose from {existing}."
        )
    if not columns:
        raise ValueError(
            f"Got no columns of values, expected at least one column besides {id!r} and {time!r}. The frame has the "
            f"columns {existing}. Name at least one with columns=[...], or add one to the frame."
        )
    reserved = [name for name in columns if name in (id, time)]
    if reserved:
        raise ValueError(
            f"Got columns= with {_listed(reserved)}, expected columns other than id={id!r} and time={time!r}. To use "
            f"such a column as a feature, copy it under another name: frame['feature'] = frame[{reserved[0]!r}] in "
            f"pandas."
        )
    if len(set(columns)) < len(columns):
        raise ValueError(f"Got columns={columns}, expected each name once: columns={list(dict.fromkeys(columns))}.")
    _check_numeric(frame, columns)
    return columns


def _holds_index(name: Any) -> bool:
    """Tell whether pandas gave a column this name, to keep an index without a name in a table of Arrow or a file."""
    return isinstance(name, str) and re.fullmatch(r"__index_level_\d+__", name) is not None


def check_is_one_name(name: Any, existing: list[str], parameter: str, frame: str = "frame") -> None:
    """Refuse several names, or none, in the place of one, with the column that pandas can make for it.

    Parameters
    ----------
    name : object
        As the user gave it.
    existing : list of str
        Names of the columns.
    parameter : {"id", "time"}
        The parameter that had the name.
    frame : str, default="frame"
        What the frame is called in the user's code, for the message.

    Raises
    ------
    TypeError
        For no name, for several, and for a column in the place of its name.

    Examples
    --------
    >>> check_is_one_name("pump", ["pump", "hour", "flow"], "id")
    """
    if not isinstance(name, (list, tuple)) and np.ndim(name):
        shown = getattr(name, "name", None) or parameter
        raise TypeError(
            f"Got {parameter}= of type {type(name).__name__}, expected the name of one column. Pass "
            f"{parameter}={shown!r}, if this is its name."
        )
    if name in existing or not (name is None or isinstance(name, (list, tuple))):
        return
    if name is None:
        new, values = ("series", "0") if parameter == "id" else ("row", f"range(len({frame}))")
        remedy = f"Add one: {frame}.assign({new}={values}) in pandas, with {parameter}={new!r}."
    elif parameter == "id":
        # Numbers among them would be read as features.
        names = list(name)
        remedy = (
            f"Make one column of them: {frame}.assign(series={frame}[{names}].astype(str).agg(' '.join, axis=1)).drop("
            f"columns={names}) in pandas, with id='series'."
        )
    else:
        remedy = f"Pass the one by which rows are sorted: {parameter}={next(iter(name), 'time')!r}."
    raise TypeError(f"Got {parameter}={name!r}, expected the name of one column. {remedy}")


def _check_numeric(frame: Any, columns: list[str]) -> None:
    nw = import_extra("narwhals", extra="frames")
    dtypes = {name: _column(frame, name).dtype for name in columns}
    numeric = [
        name
        for name, dtype in dtypes.items()
        if dtype.is_numeric() or dtype == nw.Boolean or _has_neither_values_nor_dtype(frame.get_column(name))
    ]
    others = [name for name in columns if name not in numeric]
    if others:
        raise ValueError(
            f"Got {', '.join(f'{name!r} ({dtypes[name]})' for name in others)} among the columns of values of frame=, "
            f"expected only numbers or booleans. Pass columns={numeric or '[...]'}, or convert them to numbers first: "
            f"{_line_to_numbers(others[0], dtypes[others[0]])}."
        )


def _has_neither_values_nor_dtype(column: Any) -> bool:
    """Tell whether a column is of a sensor that never spoke: all values are missing, and nothing says of which kind."""
    nw = import_extra("narwhals", extra="frames")
    # narwhals reads objects of pandas, of which all are None, as text.
    native = column.to_native()
    is_object = hasattr(native, "dtype") and native.dtype == object
    return bool((is_object or column.dtype == nw.Unknown) and column.is_null().all())


def _line_to_numbers(name: str, dtype: Any) -> str:
    nw = import_extra("narwhals", extra="frames")
    if dtype.is_temporal():
        return (
            f"(frame[{name!r}] - frame[{name!r}].min()).dt.total_seconds() in pandas, .dt.epoch('s') in polars for "
            f"dates"
        )
    line = f"pandas.to_numeric(frame[{name!r}]) in pandas, .cast(float) in polars"
    if dtype not in (nw.String, nw.Categorical, nw.Enum):
        return line
    return (
        f"{line}. Categories become columns of 0 and 1: pandas.get_dummies(frame, columns=[{name!r}]), or "
        f"frame.to_dummies({name!r}) in polars"
    )


def _check_hashable(ids: Any, name: str) -> None:
    """Refuse ids that are lists or mappings. Only polars groups rows by them."""
    native = ids.to_native()
    if hasattr(native, "dtype") and native.dtype == object:
        # Not isinstance of Hashable, which a tuple that holds a list is too.
        nested = next((each for each in native if isinstance(each, (list, dict, set, np.ndarray))), None)
    else:
        nested = ids[0] if ids.dtype.is_nested() and not ids.implementation.is_polars() else None
    if nested is not None:
        raise ValueError(
            f"Got frame= whose column {name!r} holds {type(nested).__name__}, such as {nested!r}, expected ids such as "
            f"numbers or text. Convert it in pandas: frame[{name!r}] = frame[{name!r}].astype(str). A table of Arrow "
            f"becomes a frame of pandas with frame.to_pandas()."
        )


def _check_sortable(times: Any, name: str) -> None:
    nw = import_extra("narwhals", extra="frames")
    dtype = times.dtype
    if dtype == nw.Object and len(kinds := {type(each) for each in times.to_numpy()}) == 1 and str not in kinds:
        # Objects of one type, such as Python's own dates.
        return
    if hasattr(getattr(times.to_native(), "dt", None), "to_timestamp"):
        raise ValueError(
            f"Got frame= whose column {name!r} holds periods, such as {times[0]!r}, expected numbers or dates. Convert "
            f"it: frame[{name!r}] = frame[{name!r}].dt.to_timestamp()."
        )
    # The categories of an Enum have an order.
    if not (dtype.is_numeric() or dtype.is_temporal() or dtype in (nw.Boolean, nw.Enum)):
        raise ValueError(
            f"Got frame= whose column {name!r} holds {dtype}, such as {times[0]!r}, expected numbers or dates: text "
            f"sorts 10 before 2. Convert it: frame[{name!r}] = pandas.to_datetime(frame[{name!r}]), or "
            f"pandas.to_numeric(frame[{name!r}]). In polars: frame.with_columns(polars.col({name!r})."
            f"str.to_datetime()), or .cast(float)."
        )


def _check_none_missing(keys: Any, name: str) -> None:
    missing, polars_line = keys.is_null(), f"frame.drop_nulls({name!r})"
    if keys.dtype.is_float():
        # In polars NaN is a value. As an id or a time, we treat it as missing.
        missing, polars_line = missing | keys.is_nan(), f"{polars_line}.drop_nans({name!r})"
    if missing.any():
        raise ValueError(
            f"Got frame= whose column {name!r} has no value in {missing.sum()} of {counted(len(keys), 'row')}, "
            f"expected an id and a time in every row. Leave out the rows without a value: "
            f"frame.dropna(subset=[{name!r}]) in pandas, {polars_line} in polars."
        )


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names))
