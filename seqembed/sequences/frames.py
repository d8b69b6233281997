"""Long-format data frames to sequences, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqembed.extras import import_extra


def sequences_from_frame(frame, id: str, time: str, columns: Sequence[str] | None = None) -> list[np.ndarray]:
    """Cut a data frame in long format, one row for each time of each id, into one sequence for each id.

    Parameters
    ----------
    frame : data frame
        In memory, of pandas, polars or another library that narwhals supports. Its rows may be in any order.
    id : str
        Name of the column that tells the sequences apart.
    time : str
        Name of the column that orders the rows of a sequence: numbers, dates, anything that sorts.
    columns : list of str, default=None
        Names of the columns of values, numbers or booleans; by default all but `id` and `time`.

    Returns
    -------
    sequences : list of arrays of shape (n_timesteps, n_features)
        In the order in which the ids first appear, each sorted by time, its features in the order of `columns`. In
        float32 if all columns are, else in float64. Missing values are NaN.

    Raises
    ------
    ValueError
        For an empty frame, columns that don't exist or hold no numbers, missing ids or times, and a time that an id
        has twice.
    TypeError
        For what is no data frame in memory, and `columns` that are no list.
    ImportError
        Without narwhals, which ``pip install "seqembed[frames]"`` brings.

    See Also
    --------
    frame_from_sequences : The way back.

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
    """
    layout = _read_layout(frame, id, time, columns)
    features = [_as_floats(layout.frame.get_column(name)) for name in layout.columns]
    values = np.empty((len(layout.order), len(features)), np.result_type(*features))
    for position, feature in enumerate(features):
        values[:, position] = feature[layout.order]
    return np.split(values, layout.starts[1:])


def _as_floats(column) -> np.ndarray:
    nw = import_extra("narwhals", extra="frames")
    # The cast is what turns the missing values of nullable integers and booleans into NaN.
    return (column if column.dtype == nw.Float32 else column.cast(nw.Float64)).to_numpy()


def frame_from_sequences(sequences, frame, id: str, time: str, columns: Sequence[str] | None = None):
    """Put values computed of the sequences of a data frame, such as reconstructions, back onto its rows.

    Parameters
    ----------
    sequences : list of arrays of shape (n_timesteps, n_features), or array of shape (n_ids, n_timesteps, n_features)
        One sequence for each id, in the order and of the lengths that `sequences_from_frame` returns.
    frame : data frame
        The frame that the sequences came from; it is not modified.
    id : str
        Name of the column that tells the sequences apart.
    time : str
        Name of the column that orders the rows of a sequence.
    columns : list of str, default=None
        Names of the columns of values to replace; by default all but `id` and `time`.

    Returns
    -------
    frame : data frame
        Of the same kind as the one given, with its rows, its index and its other columns, and the given values in
        `columns`, in the precision of floating-point `sequences`, else float64.

    Raises
    ------
    ValueError
        For sequences that don't match the frame in number, length or features, and whatever `sequences_from_frame`
        refuses.
    TypeError
        For what is no data frame in memory, and `columns` that are no list.
    ImportError
        Without narwhals, which ``pip install "seqembed[frames]"`` brings.

    See Also
    --------
    sequences_from_frame : The way there.

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
    layout = _read_layout(frame, id, time, columns)
    sorted_values = np.concatenate(_check_match(sequences, layout, id))
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
            f"Got {len(arrays)} sequences for a frame of {len(layout.starts)} ids in column {id!r}: expected one for "
            f"each. Pass the frame that they came from."
        )
    lengths = np.diff(layout.starts, append=len(layout.order))
    for position, (array, length) in enumerate(zip(arrays, lengths, strict=True)):
        expected = (int(length), len(layout.columns))
        if array.shape == expected:
            continue
        name = layout.frame.get_column(id)[int(layout.order[layout.starts[position]])]
        if array.ndim != 2:
            remedy = "Errors with a number for each feature come from reconstruction_error(X, per='value')."
        elif array.shape[1] != len(layout.columns):
            remedy = "Name what the sequences hold: columns=[...], as passed to sequences_from_frame."
        else:
            remedy = "Pass the frame that they came from, and the sequences in the order of sequences_from_frame."
        raise ValueError(
            f"Sequence {position}, of id {name}, has shape {array.shape}, expected {expected}: a row for each row of "
            f"the id, and a column for each of {layout.columns}. {remedy}"
        )
    return arrays


class _Layout(NamedTuple):
    """Where the sequences of a frame lie.

    Parameters
    ----------
    frame : narwhals.DataFrame
        The frame.
    columns : list of str
        Names of the columns of values.
    order : int array of shape (n_rows,)
        Rows of the frame, those of one id together and sorted by time.
    starts : int array of shape (n_ids,)
        Position in `order` at which each id starts.
    """

    frame: object
    columns: list[str]
    order: np.ndarray
    starts: np.ndarray


def _read_layout(frame, id: str, time: str, columns: Sequence[str] | None) -> _Layout:
    frame = _check_frame(frame)
    columns = _check_columns(frame, id, time, columns)
    for name in (id, time):
        _check_none_missing(frame.get_column(name), name)
    return _Layout(frame, columns, *_sort_rows(frame, id, time))


def _sort_rows(frame, id: str, time: str) -> tuple[np.ndarray, np.ndarray]:
    nw = import_extra("narwhals", extra="frames")
    ids, times = frame.get_column(id), frame.get_column(time)
    # Column names may clash with ours, or be numbers, which narwhals takes for values: hence names of our own.
    keys = ids.alias("id").to_frame().with_columns(times.alias("time")).with_row_index("row")
    # An id is known by the row where it first appears: a number whatever the ids are, and in the order that we want.
    # A time that an id has twice is refused below, so the sort need not be stable.
    keys = keys.with_columns(nw.col("row").min().over("id").alias("first")).sort("first", "time")
    order, first = keys.get_column("row").to_numpy().astype(np.intp), keys.get_column("first").to_numpy()
    is_start = np.concatenate([[True], first[1:] != first[:-1]])
    sorted_times = keys.get_column("time").to_numpy()
    repeated = np.flatnonzero(~is_start[1:] & (sorted_times[1:] == sorted_times[:-1]))
    if repeated.size:
        row = int(order[repeated[0]])
        raise ValueError(
            f"Id {ids[row]} has the time {times[row]} more than once, expected one row for each {id!r} and {time!r}. "
            f"Keep one: frame.drop_duplicates({[id, time]}) in pandas, "
            f"frame.unique({[id, time]}, maintain_order=True) in polars."
        )
    return order, np.flatnonzero(is_start)


def _check_frame(frame):
    nw = import_extra("narwhals", extra="frames")
    checked = nw.from_native(frame, pass_through=True)
    if isinstance(checked, nw.LazyFrame):
        raise TypeError(f"Got a lazy {type(frame).__name__}, expected a data frame in memory: pass frame.collect().")
    if not isinstance(checked, nw.DataFrame):
        raise TypeError(
            f"Got {type(frame).__name__}, expected a data frame of pandas, polars or another library that narwhals "
            f"supports. Make one with pandas.DataFrame(...)."
        )
    if not len(checked):
        raise ValueError("Got a frame without rows, expected at least one. Look at what filtered them out.")
    return checked


def _check_columns(frame, id: str, time: str, columns: Sequence[str] | None) -> list[str]:
    if isinstance(columns, str):
        raise TypeError(f"Got columns={columns!r}, expected a list of names: columns=[{columns!r}].")
    existing = list(frame.columns)
    if id == time:
        raise ValueError(f"Got {id!r} for both id and time, expected two columns out of {existing}.")
    columns = [name for name in existing if name not in (id, time)] if columns is None else list(columns)
    unknown = [name for name in [id, time, *columns] if name not in existing]
    if unknown:
        raise ValueError(f"The frame has no column {_listed(unknown)}. Choose from those that it has: {existing}.")
    if not columns:
        raise ValueError(
            f"Got no columns of values, expected at least one beside {id!r} and {time!r}. The frame has {existing}: "
            f"name some with columns=[...]."
        )
    reserved = [name for name in columns if name in (id, time)]
    if reserved:
        raise ValueError(
            f"Got {_listed(reserved)} among the columns of values, expected neither the id nor the time. To have it as "
            f"a feature, copy it under another name: frame['feature'] = frame[{reserved[0]!r}] in pandas."
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
            f"Got columns that hold no numbers: {', '.join(f'{name!r} ({dtypes[name]})' for name in others)}. "
            f"Leave them out with columns={numeric or '[...]'}, or make numbers of them first: "
            f"frame[{others[0]!r}].astype(float) in pandas, .cast(float) in polars."
        )


def _check_none_missing(keys, name: str):
    missing, polars_line = keys.is_null(), f"frame.drop_nulls({name!r})"
    if keys.dtype.is_float():
        # To polars NaN is a value, to us it is no id and no time.
        missing, polars_line = missing | keys.is_nan(), f"{polars_line}.drop_nans({name!r})"
    if missing.any():
        raise ValueError(
            f"Column {name!r} is missing a value in {missing.sum()} of {len(keys)} rows, expected an id and a time in "
            f"each. Leave those rows out: frame.dropna(subset=[{name!r}]) in pandas, {polars_line} in polars."
        )


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names))
