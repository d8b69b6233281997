"""Windows of long recordings, cut without copying them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seqembed.sequences.containers import as_array, as_numbers, check_same_columns, column_labels, listed
from seqembed.sequences.labels import check_one_label_each
from seqembed.sequences.named_windows import named_windows
from seqembed.sequences.steps import TimeStep, pieces_without_gaps
from seqembed.sequences.times import (
    check_is_no_column,
    check_levels,
    clock_is_set_back,
    holds_dates,
    plain_times,
    times_of_rows,
)
from seqembed.sequences.window_labels import label_rule
from seqembed.sequences.wording import counted
from seqembed.user_warning import warn_user


class Windows(NamedTuple):
    """Windows of one or several recordings.

    Parameters
    ----------
    windows : array of shape (n_windows, timesteps, n_features)
        A read-only view of a recording, or a copy of the rows of several recordings and of one with gaps. Windows of
        data frames, and of `FrameSequences`, know the names of the columns, see
        `seqembed.sequences.named_windows.NamedWindows`: an estimator that was fitted on them refuses other columns.
    starts : int array of shape (n_windows,)
        Row at which each window starts. The rows of several recordings are numbered as if they were concatenated.
    y : array of shape (n_windows,) or None
        Label of each window. None if no labels were given.

    Examples
    --------
    >>> result = sliding_windows(np.arange(5.0), timesteps=3)
    >>> result.windows.shape, result.starts.tolist(), result.y
    ((3, 3, 1), [0, 1, 2], None)
    """

    windows: np.ndarray
    starts: np.ndarray
    y: np.ndarray | None


def sliding_windows(
    X: npt.ArrayLike | Sequence[npt.ArrayLike],
    timesteps: int,
    stride: int = 1,
    *,
    y: npt.ArrayLike | Sequence[npt.ArrayLike] | None = None,
    label: str | Callable[[np.ndarray], object] = "last",
    horizon: int = 0,
    time: npt.ArrayLike | Sequence[npt.ArrayLike] | None = None,
    max_gap: TimeStep | str | None = None,
    too_short: str = "error",
) -> Windows:
    """Cut a recording into windows.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features) or (n_rows,), or list of such
        A recording, in memory or memory-mapped, or a list of several recordings. A list of numbers is one recording,
        and so is a list of lists of numbers. A list of arrays, of data frames or of lists of lists of numbers is a list
        of several recordings. All rows of a window are of the same recording.
    timesteps : int
        Rows per window.
    stride : int, default=1
        Rows from the start of one window to the start of the next.
    y : array-like of shape (n_rows,), or list of such, default=None
        A label for each row.
    label : {"last", "first", "any", "mode"} or callable, default="last"
        How the label of a window is computed from the labels of its rows. "last" and "first" take the label of the
        last or the first row. "any" is True if any of the labels is true or 1. For labels -1 (rare) and 1 (normal), it
        is -1 if any of them is -1. It refuses missing labels (NaN); the error shows a function that takes them. "mode"
        takes the most frequent label, and the smallest if several are equally frequent; NaN counts as a label. A
        function gets the array of the labels and returns the label of the window. The default, "last", uses no row
        after the end of the window.
    horizon : int, default=0
        Number of rows by which the labels are ahead of the rows of the window. Windows whose labels would be beyond
        the last row are left out. Without `y`, the horizon has no effect.
    time : array-like of shape (n_rows,), or list of such, default=None
        Time of each row, as numbers or dates, each later than the one before. By default, with `max_gap`, the index of
        a data frame.
    max_gap : number, timedelta or str, default=None
        Longest step in time between neighbouring rows of a window, such as ``"10min"`` between dates. The recording is
        cut where a step is longer, and pieces that are shorter than a window are left out. By default, rows count and
        time does not.
    too_short : {"error", "drop"}, default="error"
        What to do with a recording that is shorter than a window: raise an error, or leave it out.

    Returns
    -------
    windows : Windows
        ``(windows, starts, y)``.

    Raises
    ------
    ValueError
        If `timesteps`, `stride` or `horizon` is out of range, if the labels don't match the rows, if a recording is
        shorter than a window, if times are missing, run backwards or repeat, and for ``label="any"`` if the labels are
        neither truth values nor 0 and 1 nor -1 and 1.
    TypeError
        If `timesteps`, `stride` or `horizon` is not an integer, or if `max_gap` is a number between dates or a duration
        between numbers.

    Warns
    -----
    UserWarning
        If the index of a data frame has dates that run backwards, without `max_gap`.

    Examples
    --------
    >>> import numpy as np
    >>> windows, starts, y = sliding_windows(np.arange(7), timesteps=3, stride=2, y=[0, 0, 0, 0, 1, 0, 0], label="any")
    >>> windows[:, :, 0]
    array([[0, 1, 2],
           [2, 3, 4],
           [4, 5, 6]])
    >>> starts, y
    (array([0, 2, 4]), array([False,  True,  True]))
    """
    for name, value, least in (("timesteps", timesteps, 1), ("stride", stride, 1), ("horizon", horizon, 0)):
        check_count(name, value, least)
    # Sums of narrow integers of NumPy would overflow.
    timesteps, stride, horizon = int(timesteps), int(stride), int(horizon)
    if too_short not in ("error", "drop"):
        raise ValueError(f"Got too_short={too_short!r}, expected 'error' or 'drop'.")
    if time is not None and max_gap is None:
        raise ValueError("Got time= without max_gap=, expected both: pass the longest step between neighbouring rows.")
    recordings, labels, times = _listed_recordings(X, y, time)
    window_labels = None if labels is None else label_rule(label, labels)
    n_ahead = 0 if labels is None else horizon
    n_needed, offset = timesteps + n_ahead, 0
    parts: list[Windows] = []
    for position, recording in enumerate(recordings):
        name = "X" if len(recordings) == 1 else f"X[{position}]"
        row_times = None if times is None else times[position]
        # Before a column of dates is refused for not being numbers.
        check_is_no_column(recording, row_times, name)
        values = _checked_recording(recording, position)
        if parts and values.shape[1] != parts[0].windows.shape[2]:
            raise ValueError(
                f"Recording {position} of X= has {counted(values.shape[1], 'feature')} and an earlier one has "
                f"{parts[0].windows.shape[2]}: expected the same features in every recording."
            )
        row_labels = None if labels is None else _checked_labels(labels[position], len(values))
        pieces = [slice(0, len(values))]
        if max_gap is None:
            _warn_of_dates_that_go_back(recording, name)
        else:
            pieces = pieces_without_gaps(times_of_rows(recording, row_times, len(values), name), max_gap)
        if len(values) < n_needed and too_short == "error":
            raise ValueError(
                f"Got X= with a recording of {counted(len(values), 'row')} for timesteps={timesteps}"
                f"{f' and horizon={n_ahead}' if n_ahead else ''}, expected at least {counted(n_needed, 'row')}: "
                f'recording {position}. Use fewer timesteps, or too_short="drop".'
            )
        for rows in pieces:
            if rows.stop - rows.start >= n_needed:
                windows, starts = _cut(values[rows], timesteps, stride, n_ahead)
                part_labels = None
                if row_labels is not None and window_labels is not None:
                    part_labels = window_labels(_cut_labels(row_labels[rows], timesteps, stride, n_ahead))
                parts.append(Windows(windows, starts + rows.start + offset, part_labels))
        offset += len(values)
    if not parts:
        raise ValueError(
            f"Got X= without {counted(n_needed, 'row')} in succession for timesteps={timesteps}, expected at least one "
            f"window. Use fewer timesteps{'' if max_gap is None else ' or a larger max_gap='}."
        )
    joined = parts[0] if len(parts) == 1 else _joined(parts)
    names = column_labels(X) or column_labels(recordings)
    if names is None or not all(isinstance(name, str) for name in names):
        return joined
    return joined._replace(windows=named_windows(joined.windows, tuple(names)))


def _warn_of_dates_that_go_back(recording: Any, name: str) -> None:
    index: Any = getattr(recording, "index", None)
    if not holds_dates(index):
        return
    times = plain_times(index)
    back = np.flatnonzero(times[1:] < times[:-1]) + 1
    if len(back) and not clock_is_set_back(times):
        row = back[0]
        warn_user(
            f"The dates of {name}= run backwards: row {row} has {index[row]} after {index[row - 1]}, and windows join "
            f"such rows. Sort them with {name}.sort_index(), or pass a list of recordings if these are several."
        )


def _joined(parts: list[Windows]) -> Windows:
    labels = [part.y for part in parts if part.y is not None]
    return Windows(
        np.concatenate([part.windows for part in parts]),
        np.concatenate([part.starts for part in parts]),
        np.concatenate(labels) if labels else None,
    )


def check_count(name: str, value: Any, least: int) -> None:
    """Refuse a value that is not an integer of at least `least`.

    Parameters
    ----------
    name : str
        Name of the parameter, for the message.
    value : object
        The argument.
    least : int
        The smallest value allowed.

    Raises
    ------
    TypeError
        For a value that is not an integer, and for a truth value.
    ValueError
        For a smaller integer.

    Examples
    --------
    >>> check_count("stride", 2, least=1)
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"Got {name}={value!r}, expected an integer of at least {least}, not a {type(value).__name__}.")
    if value < least:
        raise ValueError(f"Got {name}={value!r}, expected an integer of at least {least}.")


def _listed_recordings(X: Any, y: Any, time: Any) -> tuple[Sequence[Any], Sequence[Any] | None, Sequence[Any] | None]:
    """Return recordings, their labels and their times as lists, also of a single recording."""
    X = listed(X)
    if not holds_recordings(X, "X"):
        return [X], None if y is None else [y], None if time is None else [time]
    check_same_columns(X)
    for name, each in (("y", y), ("time", time)):
        if each is not None and not isinstance(each, Iterable):
            raise TypeError(
                f"Got {name}= of type {type(each).__name__} for X= with {counted(len(X), 'recording')}, expected one "
                f"array per recording. Pass a list of arrays as {name}=."
            )
    labels, times = (None if each is None else list(listed(each)) for each in (y, time))
    for name, each in (("y", labels), ("time", times)):
        if each is not None and len(each) != len(X):
            raise ValueError(
                f"Got {name}= of length {len(each)} for X= with {counted(len(X), 'recording')}, expected one array per "
                f"recording. Pass a list of arrays as {name}=."
            )
    return X, labels, times


def holds_recordings(X: Any, name: str) -> bool:
    """Tell whether `X` is a list of recordings. A list of numbers or of rows is a single recording.

    Parameters
    ----------
    X : object
        The user's input.
    name : str
        Name of the parameter, for the message.

    Raises
    ------
    ValueError
        For an empty list.

    Examples
    --------
    >>> holds_recordings([np.zeros(5), np.zeros(9)], "X"), holds_recordings([[1, 2], [3, 4]], "X")
    (True, False)
    """
    if not isinstance(X, (list, tuple)):
        return False
    if not len(X):
        raise ValueError(f"Got {name}= as an empty list, expected at least one recording. Check how the list was made.")
    # An item of X that is a list of numbers is one row. An item that is an array of one dimension is one recording.
    return np.ndim(X[0]) >= (2 if isinstance(X[0], (list, tuple)) else 1)


def _checked_recording(recording: Any, position: int) -> np.ndarray:
    check_levels(recording, "X")
    values = as_numbers(recording, f"recording {position}")
    if values.ndim not in (1, 2):
        raise ValueError(
            f"Got X= with a recording of shape {values.shape}, expected (n_rows, n_features) or (n_rows,): recording "
            f"{position}. Pass several recordings as a list."
        )
    if values.ndim == 2 and not values.shape[1]:
        raise ValueError(
            f"Got X= with a recording of shape {values.shape}, expected at least one feature: recording {position}. "
            f"Check how its columns were selected."
        )
    return values[:, np.newaxis] if values.ndim == 1 else values


def _cut(values: np.ndarray, timesteps: int, stride: int, n_ahead: int) -> tuple[np.ndarray, np.ndarray]:
    """Return views of the windows of a recording without gaps, and their first rows."""
    n_usable = len(values) - n_ahead
    windows = np.lib.stride_tricks.sliding_window_view(values[:n_usable], timesteps, axis=0)[::stride]
    return windows.transpose(0, 2, 1), np.arange(0, n_usable - timesteps + 1, stride)


def _cut_labels(row_labels: np.ndarray, timesteps: int, stride: int, n_ahead: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(row_labels[n_ahead:], timesteps)[::stride]


def _checked_labels(y: npt.ArrayLike, n_rows: int) -> np.ndarray:
    y = as_array(y)
    of_rows = "y=[numpy.full(len(x), label) for x, label in zip(X, y)]"
    remedy = f"Repeat the label of a recording for each of its rows: {of_rows}." if y.ndim == 0 else None
    check_one_label_each(y, n_rows, "y", noun="row", remedy=remedy)
    return y


def temporalize(X: npt.ArrayLike, y: npt.ArrayLike, lookback: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut a recording into windows exactly as the post by C. Ranjan does, starting at row 2.

    Window k holds the rows k + 2 to k + 1 + `lookback`. Its label is the label of its last row, k + 1 + `lookback`. The
    loop in the post skips the first two rows. This function skips them too, so that it reproduces the numbers in the
    post. `sliding_windows` skips no rows.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        A recording.
    y : array-like of shape (n_rows,)
        A label for each row.
    lookback : int
        Rows per window.

    Returns
    -------
    windows : array of shape (n_rows - lookback - 1, lookback, n_features)
        A read-only view of `X`.
    labels : array of shape (n_rows - lookback - 1,)
        Label of the last row of each window.

    Raises
    ------
    ValueError
        If `lookback` is smaller than 1, if the recording has fewer than ``lookback + 2`` rows, or if the labels don't
        match the rows.
    TypeError
        If `lookback` is not an integer.

    References
    ----------
    C. Ranjan, "Step-by-step understanding LSTM Autoencoder layers" (2019).

    Examples
    --------
    >>> import numpy as np
    >>> series = np.array([[k / 10, (k / 10) ** 3] for k in range(1, 10)])
    >>> windows, _ = temporalize(series, np.zeros(9), lookback=3)
    >>> windows.shape
    (5, 3, 2)
    >>> bool((windows[0] == series[2:5]).all())
    True
    """
    X = as_numbers(X, "X")
    check_count("lookback", lookback, least=1)
    if len(X) < lookback + 2:
        raise ValueError(
            f"Got X= of {counted(len(X), 'row')} for lookback={lookback}, expected at least "
            f"{counted(lookback + 2, 'row')}, because the first window starts at row 2. Use sliding_windows, which "
            f"needs only {counted(lookback, 'row')}."
        )
    y = _checked_labels(y, len(X))
    return sliding_windows(X[2:], lookback).windows, y[lookback + 1 :].copy()
