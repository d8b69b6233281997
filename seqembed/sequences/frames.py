"""Conversion of data frames in long format to sequences and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from seqembed.extras import import_extra
from seqembed.sequences.containers import as_array
from seqembed.sequences.long_format import LongFormat, read_long_format
from seqembed.sequences.steps import TimeStep
from seqembed.sequences.wording import counted


class FrameSequences(list[np.ndarray]):
    """A list of sequences with the ids and the times of their rows.

    Parameters
    ----------
    sequences : list of arrays of shape (n_timesteps, n_features)
        The sequences.
    ids : array of shape (n_sequences,)
        Id of each sequence. Use it to put labels of the ids into the same order.
    columns : list of str
        Names of the features. Windows of the sequences have them too.
    row_ids, row_times : arrays of shape (n_timesteps in all,)
        Id and time of each row of all sequences, one after the other. `sliding_windows` numbers rows in the same way: a
        window that starts at row k belongs to the id ``row_ids[k]`` and starts at the time ``row_times[k]``.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"pump": ["b", "a", "a"], "hour": [0, 1, 0], "flow": [7.0, 6.0, 5.0]})
    >>> sequences = sequences_from_frame(frame, id="pump", time="hour")
    >>> sequences.ids.tolist(), sequences.columns, sequences.row_times.tolist(), sequences[0].tolist()
    (['b', 'a'], ['flow'], [0, 0, 1], [[7.0]])
    """

    def __init__(
        self,
        sequences: list[np.ndarray],
        ids: np.ndarray,
        row_ids: np.ndarray,
        row_times: np.ndarray,
        columns: list[str],
    ) -> None:
        super().__init__(sequences)
        self.ids, self.row_ids, self.row_times, self.columns = ids, row_ids, row_times, columns

    @overload
    def __getitem__(self, position: SupportsIndex) -> np.ndarray: ...

    @overload
    def __getitem__(self, position: slice) -> FrameSequences: ...

    def __getitem__(self, position: Any) -> Any:
        """Return a sequence, or some with their ids, times and columns."""
        chosen = super().__getitem__(position)
        if not isinstance(position, slice):
            return chosen
        starts = np.cumsum([0, *map(len, self)])
        rows = np.concatenate([np.arange(0), *(np.arange(*starts[k : k + 2]) for k in range(len(self))[position])])
        return FrameSequences(chosen, self.ids[position], self.row_ids[rows], self.row_times[rows], self.columns)


def sequences_from_frame(
    frame: Any,
    id: str,
    time: str,
    columns: Sequence[str] | None = None,
    *,
    max_gap: TimeStep | str | None = None,
    freq: TimeStep | str | None = None,
) -> FrameSequences:
    """Cut a data frame in long format into one sequence per id.

    A data frame in long format has one row for each time of each id.

    Parameters
    ----------
    frame : data frame
        A data frame in memory, of pandas, polars, pyarrow or another library that narwhals supports. Its rows may be in
        any order.
    id : str
        Name of the column that holds the id of the sequence of each row.
    time : str
        Name of the column by which the rows of a sequence are sorted. It holds numbers, dates or ordered
        categories. Text is refused, because it sorts 10 before 2.
    columns : list of str, default=None
        Names of the columns of values, which are numbers or booleans. By default all columns except `id`, `time`, and
        those such as ``__index_level_0__``, in which tables of Arrow and Parquet files keep the index of a frame of
        pandas.
    max_gap : number, timedelta or str, default=None
        Longest step in time within a sequence, such as ``"10min"`` between dates. Where a step is longer, the id gets
        another sequence. By default, the rows of an id are one sequence, however far apart they are.
    freq : number, timedelta or str, default=None
        Step in time from one row to the next, such as ``"1min"``, as in pandas. Rows that are absent from the frame
        become missing values. The times of a sequence must be whole steps from its first one. ``"MS"`` (starts of
        months), ``"ME"`` (their ends) and ``"B"`` (business days) are steps too. In a time zone, ``"1D"`` is a day of
        its calendar, also where the clock changes, and ``"24h"`` is not. By default, neighbouring rows of the frame are
        neighbours in the sequence, however far apart they are.

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
        the same time twice, or if times are not whole steps of `freq` apart.
    TypeError
        If `frame` is not a data frame in memory, if `id` or `time` is not one name, if `columns` is a string, or if
        `max_gap` or `freq` is a number between dates or a duration between numbers.
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
    layout = read_long_format(frame, id, time, columns, max_gap, freq)
    features = [_as_floats(layout.frame.get_column(name)) for name in layout.columns]
    values = np.full((len(layout.times), len(features)), np.nan, np.result_type(*features))
    for position, feature in enumerate(features):
        values[layout.rows, position] = feature[layout.order]
    ids = layout.ids(id)
    row_ids = np.repeat(ids, layout.lengths)
    return FrameSequences(np.split(values, layout.starts[1:]), ids, row_ids, layout.times, layout.columns)


def _as_floats(column: Any) -> np.ndarray:
    nw = import_extra("narwhals", extra="frames")
    # The cast turns the missing values of nullable integers and booleans into NaN.
    values: np.ndarray = (column if column.dtype == nw.Float32 else column.cast(nw.Float64)).to_numpy()
    return values


def frame_from_sequences(
    sequences: npt.ArrayLike | Sequence[npt.ArrayLike],
    frame: Any,
    id: str,
    time: str,
    columns: Sequence[str] | None = None,
    *,
    max_gap: TimeStep | str | None = None,
    freq: TimeStep | str | None = None,
) -> Any:
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
        Names of the columns of values to replace. By default those of `sequences_from_frame`.
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
    layout = read_long_format(frame, id, time, columns, max_gap, freq)
    sorted_values = np.concatenate(_checked_sequences(sequences, layout, id))[layout.rows]
    if not np.issubdtype(sorted_values.dtype, np.floating):
        sorted_values = sorted_values.astype(np.float64)
    values = np.empty_like(sorted_values, order="F")
    values[layout.order] = sorted_values
    backend = nw.get_native_namespace(layout.frame)
    replaced = [
        nw.new_series(name, column, backend=backend) for name, column in zip(layout.columns, values.T, strict=True)
    ]
    return layout.frame.with_columns(*replaced).to_native()


def _checked_sequences(sequences: Any, layout: LongFormat, id: str) -> list[np.ndarray]:
    arrays = [as_array(sequence) for sequence in sequences]
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
