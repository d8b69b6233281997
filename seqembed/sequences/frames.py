"""Conversion of long-format data frames to sequences.

`sequences_from_frame` makes the sequences. `frame_from_sequences` puts values of sequences back into the data frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqembed.extras import import_extra
from seqembed.sequences.collection import counted
from seqembed.sequences.times import as_dates, exceeds, on_grid


class FrameSequences(list):
    """A list of sequences that knows the ids and the times of its rows.

    Parameters
    ----------
    sequences : list of arrays of shape (n_timesteps, n_features)
        The sequences.
    ids : array of shape (n_sequences,)
        Id of each sequence, so that labels of the ids can be put into the same order.
    row_ids, row_times : arrays of shape (n_timesteps in all,)
        Id and time of each row of all sequences, one after the other. `sliding_windows` numbers rows in the same way:
        the window that starts at ``starts[k]`` is of the id ``row_ids[starts[k]]``, from the time
        ``row_times[starts[k]]``.
    """

    def __init__(self, sequences: list[np.ndarray], ids: np.ndarray, row_ids: np.ndarray, row_times: np.ndarray):
        super().__init__(sequences)
        self.ids, self.row_ids, self.row_times = ids, row_ids, row_times


def sequences_from_frame(
    frame, id: str, time: str, columns: Sequence[str] | None = None, *, max_gap=None, freq=None
) -> FrameSequences:
    """Cut a data frame in long format into one sequence per id.

    A data frame in long format has one row for each time of each id.

    Parameters
    ----------
    frame : data frame
        A data frame in memory, of pandas, polars or another library that narwhals supports. Its rows may be in any
        order.
    id : str
        Name of the column that holds the id of the sequence of each row.
    time : str
        Name of the column by which the rows of a sequence are sorted. It holds numbers, dates or ordered
        categories. Text is refused, because it sorts 10 before 2.
    columns : list of str, default=None
        Names of the columns of values, which are numbers or booleans. By default all columns except `id` and `time`.
    max_gap : number or timedelta, default=None
        Longest step in time within a sequence. Where a step is longer, the id gets another sequence. By default, the
        rows of an id are one sequence, however far apart they are.
    freq : number, timedelta or str, default=None
        Step in time from one row to the next, such as ``"1min"``, as in pandas. Rows that are absent from the frame
        become missing values. The times of a sequence must be whole steps from its first one. By default, neighbouring
        rows of the frame are neighbours in the sequence, however far apart they are.

    Returns
    -------
    sequences : FrameSequences
        A list of arrays of shape (n_timesteps, n_features), in the order in which the ids first appear. Each sequence
        is sorted by time. Its features are in the order of `columns`. The dtype is float32 if all columns are float32,
        else float64. Missing values are NaN. Its attribute `ids` holds the id of each sequence, and `row_ids` and
        `row_times` hold those of all rows, see `FrameSequences`. Dates of a time zone are in UTC there.

    Raises
    ------
    ValueError
        If the frame is empty, if columns don't exist or hold no numbers, if ids or times are missing, if an id has
        the same time twice, or if times are no whole steps of `freq` apart.
    TypeError
        If `frame` is not a data frame in memory, if `columns` is a string, or if `max_gap` or `freq` is no step between
        the times.
    ImportError
        If narwhals is not installed. ``pip install "seqembed[frames]"`` installs it.

    See Also
    --------
    frame_from_sequences : Put values of sequences back into the rows of their data frame.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "pump": ["b", "a", "b", "a", "b"],
    ...     "hour": [2, 1, 1, 2, 3],
    ...     "flow": [5.0, 1.0, 4.0, None, 6.0],
    ...     "on": [True, True, False, True, True],
    ... })
    >>> pump_b, pump_a = sequences_from_frame(frame, id="pump", time="hour")
    >>> pump_b
    array([[4., 0.],
           [5., 1.],
           [6., 1.]])
    >>> pump_a
    array([[ 1.,  1.],
           [nan,  1.]])
    >>> from seqembed import sliding_windows
    >>> sequences = sequences_from_frame(frame, id="pump", time="hour")
    >>> starts = sliding_windows(sequences, timesteps=2).starts
    >>> sequences.row_ids[starts].tolist(), sequences.row_times[starts].tolist()
    (['b', 'b', 'a'], [1, 2, 1])

    An hour that is absent becomes a missing value:

    >>> sequences_from_frame(frame.iloc[[2, 4]], id="pump", time="hour", columns=["flow"], freq=1)
    [array([[ 4.],
           [nan],
           [ 6.]])]
    """
    layout = _read_layout(frame, id, time, columns, max_gap, freq)
    features = [_as_floats(layout.frame.get_column(name)) for name in layout.columns]
    values = np.full((len(layout.times), len(features)), np.nan, np.result_type(*features))
    for position, feature in enumerate(features):
        values[layout.rows, position] = feature[layout.order]
    ids = layout.ids(id)
    row_ids = np.repeat(ids, layout.lengths)
    return FrameSequences(np.split(values, layout.starts[1:]), ids, row_ids, layout.times)


def _as_floats(column) -> np.ndarray:
    nw = import_extra("narwhals", extra="frames")
    # The cast turns the missing values of nullable integers and booleans into NaN.
    return (column if column.dtype == nw.Float32 else column.cast(nw.Float64)).to_numpy()


def frame_from_sequences(
    sequences, frame, id: str, time: str, columns: Sequence[str] | None = None, *, max_gap=None, freq=None
):
    """Put values of sequences, such as reconstructions, back into the rows of their data frame.

    Parameters
    ----------
    sequences : list of arrays of shape (n_timesteps, n_features), or array of shape (n_ids, n_timesteps, n_features)
        One sequence per id, in the order and with the lengths that `sequences_from_frame` returns.
    frame : data frame
        The data frame from which the sequences were made. It is not modified.
    id : str
        Name of the column that holds the id of the sequence of each row.
    time : str
        Name of the column by which the rows of a sequence are sorted.
    columns : list of str, default=None
        Names of the columns of values to replace. By default all columns except `id` and `time`.
    max_gap, freq : default=None
        As given to `sequences_from_frame`. Rows that are absent from the frame are left out again.

    Returns
    -------
    frame : data frame
        Of the same library as the given frame, with the same rows, index and other columns. Its `columns` hold the
        values of the sequences, in the dtype of the sequences if it is floating-point, else in float64.

    Raises
    ------
    ValueError
        If the number, the lengths or the features of the sequences don't match the frame, or if `sequences_from_frame`
        raises a ValueError for the same arguments.
    TypeError
        If `frame` is not a data frame in memory, or if `columns` is a string.
    ImportError
        If narwhals is not installed. ``pip install "seqembed[frames]"`` installs it.

    See Also
    --------
    sequences_from_frame : Cut a data frame into sequences.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"pump": ["b", "a", "b"], "hour": [2, 1, 1], "flow": [5, 1, 4], "site": ["x", "y", "x"]})
    >>> sequences = sequences_from_frame(frame, id="pump", time="hour", columns=["flow"])
    >>> halves = [sequence / 2 for sequence in sequences]
    >>> frame_from_sequences(halves, frame, id="pump", time="hour", columns=["flow"])
      pump  hour  flow site
    0    b     2   2.5    x
    1    a     1   0.5    y
    2    b     1   2.0    x
    """
    nw = import_extra("narwhals", extra="frames")
    layout = _read_layout(frame, id, time, columns, max_gap, freq)
    sorted_values = np.concatenate(_check_match(sequences, layout, id))[layout.rows]
    if not np.issubdtype(sorted_values.dtype, np.floating):
        sorted_values = sorted_values.astype(np.float64)
    values = np.empty_like(sorted_values, order="F")
    values[layout.order] = sorted_values
    backend = nw.get_native_namespace(layout.frame)
    replaced = [
        nw.new_series(name, column, backend=backend) for name, column in zip(layout.columns, values.T, strict=True)
    ]
    return layout.frame.with_columns(*replaced).to_native()


def _check_match(sequences, layout: _Layout, id: str) -> list[np.ndarray]:
    arrays = [np.asarray(sequence) for sequence in sequences]
    if len(arrays) != len(layout.starts):
        raise ValueError(
            f"Got sequences= of length {len(arrays)} for frame= with {counted(len(layout.starts), 'id')} in column "
            f"{id!r}, expected one sequence per id. Pass the frame from which the sequences were made, and the "
            f"same max_gap=."
        )
    for position, (array, length) in enumerate(zip(arrays, layout.lengths, strict=True)):
        expected = (int(length), len(layout.columns))
        if array.shape == expected:
            continue
        name = layout.ids(id)[position]
        if array.ndim != 2:
            remedy = "To get errors of each feature, use reconstruction_error(X, per='value')."
        elif array.shape[1] != len(layout.columns):
            remedy = "Pass the same columns=[...] as to sequences_from_frame."
        else:
            remedy = (
                "Pass the frame from which the sequences were made, and the same max_gap= and freq=. Keep the order of "
                "sequences_from_frame."
            )
        raise ValueError(
            f"Got sequences= whose sequence {position}, of id {name}, has shape {array.shape}, expected {expected}: "
            f"one row for each row of the id, and one column for each of {layout.columns}. {remedy}"
        )
    return arrays


class _Layout(NamedTuple):
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
        Where these rows stand among the rows of all sequences, one after the other. Rows between them are absent from
        the frame.
    starts : int array of shape (n_sequences,)
        Row of the sequences at which each of them starts.
    times : array of shape (n_rows_of_sequences,)
        Time of each row of the sequences.
    """

    frame: object
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
        return self.frame.get_column(name).to_numpy()[self.order[np.searchsorted(self.rows, self.starts)]]


def _read_layout(frame, id: str, time: str, columns: Sequence[str] | None, max_gap, freq) -> _Layout:
    frame = _check_frame(frame)
    columns = _check_columns(frame, id, time, columns)
    for name in (id, time):
        _check_none_missing(frame.get_column(name), name)
    _check_sortable(frame.get_column(time), time)
    order, is_start, times = _sort_rows(frame, id, time)
    if times.dtype == object and not (max_gap is None and freq is None):
        times = as_dates(times)
    if max_gap is not None:
        is_start[1:] |= exceeds(np.diff(times), max_gap)
    rows, grid = (np.arange(len(times)), times) if freq is None else on_grid(times, is_start, freq)
    return _Layout(frame, columns, order, rows, rows[is_start], grid)


def _sort_rows(frame, id: str, time: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows by id and time, whether an id starts at each of them, and their times."""
    nw = import_extra("narwhals", extra="frames")
    ids, times = frame.get_column(id), frame.get_column(time)
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
        raise ValueError(
            f"Got frame= in which id {ids[row]} has the time {times[row]} more than once, expected one row for each "
            f"{id!r} and {time!r}. Keep one of the rows: frame.drop_duplicates({[id, time]}) in pandas, "
            f"frame.unique({[id, time]}, maintain_order=True) in polars."
        )
    return order, is_start, sorted_times


def _check_frame(frame):
    nw = import_extra("narwhals", extra="frames")
    checked = nw.from_native(frame, pass_through=True)
    if isinstance(checked, nw.LazyFrame):
        raise TypeError(
            f"Got frame= of type {type(frame).__name__}, which is lazy, expected a data frame in memory. Pass "
            f"frame.collect()."
        )
    if not isinstance(checked, nw.DataFrame):
        raise TypeError(
            f"Got frame= of type {type(frame).__name__}, expected a data frame of pandas, polars or another library "
            f"that narwhals supports. Make one with pandas.DataFrame(...)."
        )
    if not len(checked):
        raise ValueError("Got frame= without rows, expected at least one row. Check the filters that made the frame.")
    return checked


def _check_columns(frame, id: str, time: str, columns: Sequence[str] | None) -> list[str]:
    if isinstance(columns, str):
        raise TypeError(f"Got columns={columns!r}, expected a list of names: columns=[{columns!r}].")
    existing = list(frame.columns)
    if id == time:
        raise ValueError(f"Got id={id!r} and time={time!r}, expected two different columns. Choose from {existing}.")
    columns = [name for name in existing if name not in (id, time)] if columns is None else list(columns)
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


def _check_numeric(frame, columns: list[str]):
    nw = import_extra("narwhals", extra="frames")
    dtypes = {name: frame.get_column(name).dtype for name in columns}
    numeric = [name for name, dtype in dtypes.items() if dtype.is_numeric() or dtype == nw.Boolean]
    others = [name for name in columns if name not in numeric]
    if others:
        raise ValueError(
            f"Got {', '.join(f'{name!r} ({dtypes[name]})' for name in others)} among the columns of values of frame=, "
            f"expected only numbers or booleans. Pass columns={numeric or '[...]'}, or convert them to numbers first: "
            f"{_line_to_numbers(others[0], dtypes[others[0]])}."
        )


def _line_to_numbers(name: str, dtype) -> str:
    if dtype.is_temporal():
        return (
            f"(frame[{name!r}] - frame[{name!r}].min()).dt.total_seconds() in pandas, .dt.epoch('s') in polars for "
            f"dates"
        )
    return f"pandas.to_numeric(frame[{name!r}]) in pandas, .cast(float) in polars"


def _check_sortable(times, name: str):
    nw = import_extra("narwhals", extra="frames")
    dtype = times.dtype
    if dtype == nw.Object and len(kinds := {type(each) for each in times.to_numpy()}) == 1 and str not in kinds:
        # Such as Python's own dates.
        return
    # The categories of an Enum have an order.
    if not (dtype.is_numeric() or dtype.is_temporal() or dtype in (nw.Boolean, nw.Enum)):
        raise ValueError(
            f"Got frame= whose column {name!r} holds {dtype}, such as {times[0]!r}, expected numbers or dates: text "
            f"sorts 10 before 2. Convert it: frame[{name!r}] = pandas.to_datetime(frame[{name!r}]), or "
            f"pandas.to_numeric(frame[{name!r}])."
        )


def _check_none_missing(keys, name: str):
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
