"""Windows of long recordings: cut them out without copying, and put what was computed of them back onto the rows."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import NamedTuple

import numpy as np


class Windows(NamedTuple):
    """Windows of one recording or of several.

    Parameters
    ----------
    windows : array of shape (n_windows, timesteps, n_features)
        A read-only view of a single recording, or a copy of several.
    starts : int array of shape (n_windows,)
        Row at which each window starts; rows of several recordings count on from one recording to the next.
    y : array of shape (n_windows,) or None
        Label of each window, where labels were given.
    """

    windows: np.ndarray
    starts: np.ndarray
    y: np.ndarray | None


def sliding_windows(
    X,
    timesteps: int,
    stride: int = 1,
    *,
    y=None,
    label: str | Callable[[np.ndarray], object] = "last",
    horizon: int = 0,
) -> Windows:
    """Cut a recording into windows.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features) or (n_rows,), or list of such
        A recording, in memory or memory-mapped, or a list of several; no window crosses from one to the next. A list
        of numbers, or of lists of numbers, is one recording; a list of arrays, of data frames or of such lists is
        several.
    timesteps : int
        Rows a window.
    stride : int, default=1
        Rows from the start of a window to that of the next.
    y : array-like of shape (n_rows,), or list of such, default=None
        A label for each row.
    label : {"last", "first", "any", "mode"} or callable, default="last"
        How a window gets its label from those of its rows: the last's, the first's, whether any is true, the most
        frequent (of equally frequent ones the smallest), or what a function returns for the array of labels. "last" by
        default, since it uses nothing that lies ahead of the window's end.
    horizon : int, default=0
        By how many rows the labels lie ahead of the rows of the window; only windows with labels are returned.

    Returns
    -------
    windows : Windows
        ``(windows, starts, y)``.

    Raises
    ------
    ValueError
        For lengths out of range, labels that don't match the rows, or a recording shorter than a window.
    TypeError
        For lengths that are no integers.

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
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise TypeError(
                f"Got {name}={value!r}, expected an integer of at least {least}, not a {type(value).__name__}."
            )
        if value < least:
            raise ValueError(f"Got {name}={value!r}, expected an integer of at least {least}.")
    if not _holds_recordings(X):
        return _windows_of_one(X, timesteps, stride, y, label, horizon)
    if y is None:
        y = [None] * len(X)
    elif len(y) != len(X):
        raise ValueError(f"Got labels of {len(y)} recordings for {len(X)} recordings: pass one array for each.")
    parts = [
        _windows_of_one(recording, timesteps, stride, labels, label, horizon)
        for recording, labels in zip(X, y, strict=True)
    ]
    offsets = np.cumsum([0, *(len(recording) for recording in X[:-1])])
    return Windows(
        np.concatenate([part.windows for part in parts]),
        np.concatenate([part.starts + offset for part, offset in zip(parts, offsets, strict=True)]),
        None if parts[0].y is None else np.concatenate([part.y for part in parts]),
    )


def _holds_recordings(X) -> bool:
    """Tell a list of recordings from one recording that is written as a list of numbers or of rows."""
    if not isinstance(X, (list, tuple)):
        return False
    if not len(X):
        raise ValueError("Got an empty list, expected at least one recording.")
    # A list within a list is a row of numbers, where an array of one dimension is a recording of one feature.
    return np.ndim(X[0]) >= (2 if isinstance(X[0], (list, tuple)) else 1)


def _windows_of_one(X, timesteps: int, stride: int, y, label, horizon: int) -> Windows:
    X = np.asarray(X)
    if X.ndim == 1:
        X = X[:, np.newaxis]
    if X.ndim != 2:
        raise ValueError(f"Expected a recording of shape (n_rows, n_features), got shape {X.shape}.")
    n_usable = len(X) - (horizon if y is not None else 0)
    if n_usable < timesteps:
        raise ValueError(
            f"A recording of {len(X)} rows is too short for a window of {timesteps} timesteps"
            f"{f' with labels {horizon} rows ahead' if horizon and y is not None else ''}. Use fewer timesteps."
        )
    windows = np.lib.stride_tricks.sliding_window_view(X[:n_usable], timesteps, axis=0)[::stride].transpose(0, 2, 1)
    starts = np.arange(0, n_usable - timesteps + 1, stride)
    if y is None:
        return Windows(windows, starts, None)
    y = _check_labels(y, len(X))
    labels = np.lib.stride_tricks.sliding_window_view(y[horizon:], timesteps)[::stride]
    return Windows(windows, starts, _label_of_each(labels, label))


def _check_labels(y, n_rows: int) -> np.ndarray:
    y = np.asarray(y)
    if y.shape != (n_rows,):
        raise ValueError(f"Got labels of shape {y.shape} for {n_rows} rows: expected one label a row, ({n_rows},).")
    return y


def _label_of_each(labels: np.ndarray, label: str | Callable[[np.ndarray], object]) -> np.ndarray:
    if callable(label):
        return np.array([label(each) for each in labels])
    if label == "last":
        return labels[:, -1].copy()
    if label == "first":
        return labels[:, 0].copy()
    if label == "any":
        return labels.astype(bool).any(axis=1)
    if label == "mode":
        values, codes = np.unique(labels, return_inverse=True)
        codes = codes.reshape(labels.shape)
        return values[[np.bincount(each).argmax() for each in codes]]
    raise ValueError(f"Got label={label!r}, expected 'last', 'first', 'any', 'mode' or a function.")


def merge_windows(values, starts, n_rows: int, how: str = "mean") -> np.ndarray:
    """Put values of windows back onto the rows of the recording.

    Parameters
    ----------
    values : array-like of shape (n_windows, timesteps, ...)
        What was computed for each timestep of each window: reconstructions, errors, any trailing shape.
    starts : array-like of int of shape (n_windows,)
        Row at which each window starts, as `sliding_windows` returns.
    n_rows : int
        Rows of the recording.
    how : {"mean", "median"}, default="mean"
        How to combine the values where windows overlap.

    Returns
    -------
    merged : float array of shape (n_rows, ...)
        In the precision of floating-point `values`, else float64. NaN where no window covers a row.

    Raises
    ------
    ValueError
        For values and starts that don't match, windows beyond the last row, or an unknown `how`.

    Examples
    --------
    >>> import numpy as np
    >>> merge_windows([[1, 2, 3], [5, 6, 7]], starts=[0, 2], n_rows=6)
    array([ 1.,  2.,  4.,  6.,  7., nan])
    """
    values, starts = np.asarray(values), np.asarray(starts)
    if how not in ("mean", "median"):
        raise ValueError(f"Got how={how!r}, expected 'mean' or 'median'.")
    if values.ndim < 2 or starts.shape != values.shape[:1]:
        raise ValueError(
            f"Got values of shape {values.shape} and starts of shape {starts.shape}: expected (n_windows, timesteps, "
            f"...) and (n_windows,). Errors by timestep come from reconstruction_error(X, per='timestep')."
        )
    timesteps = values.shape[1]
    if starts.size and (starts.min() < 0 or starts.max() + timesteps > n_rows):
        raise ValueError(
            f"Windows of {timesteps} rows that start at rows {starts.min()} to {starts.max()} reach beyond the "
            f"n_rows={n_rows} given. Pass the length of the recording that they were cut from."
        )
    dtype = values.dtype if np.issubdtype(values.dtype, np.floating) else np.float64
    if not len(starts):
        return np.full((n_rows, *values.shape[2:]), np.nan, dtype)
    combine = _means_by_row if how == "mean" else _medians_by_row
    return combine(values, starts, n_rows).astype(dtype, copy=False)


def _means_by_row(values: np.ndarray, starts: np.ndarray, n_rows: int) -> np.ndarray:
    # Differences from the first value met: where all windows agree, their mean is that value to the bit.
    first = np.full((n_rows, *values.shape[2:]), np.nan)
    for step in range(values.shape[1] - 1, -1, -1):
        first[starts + step] = values[:, step]
    sums, counts = np.zeros(first.shape), np.zeros(n_rows)
    for step in range(values.shape[1]):
        np.add.at(sums, starts + step, values[:, step] - first[starts + step])
        np.add.at(counts, starts + step, 1)
    counts = counts.reshape(-1, *[1] * (values.ndim - 2))
    return first + sums / np.maximum(counts, 1)


def _medians_by_row(values: np.ndarray, starts: np.ndarray, n_rows: int) -> np.ndarray:
    rows = (starts[:, np.newaxis] + np.arange(values.shape[1])).ravel()
    order = np.argsort(rows, kind="stable")
    flat = values.reshape(-1, *values.shape[2:])[order]
    covered, first = np.unique(rows[order], return_index=True)
    merged = np.full((n_rows, *values.shape[2:]), np.nan)
    for row, group in zip(covered, np.split(flat, first[1:]), strict=True):
        merged[row] = np.median(group, axis=0)
    return merged


def temporalize(X, y, lookback: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut a recording into windows exactly as the post does, its start at row 2 included.

    Window k holds the rows k + 2 to k + 1 + `lookback`, and its label is that of row k + 1 + `lookback`, its last. The
    post's loop skips the first two rows and so do we, for its figures to come out; `sliding_windows` skips none.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        A recording.
    y : array-like of shape (n_rows,)
        A label for each row.
    lookback : int
        Rows a window.

    Returns
    -------
    windows : array of shape (n_rows - lookback - 1, lookback, n_features)
        A read-only view of `X`.
    labels : array of shape (n_rows - lookback - 1,)
        Label of the last row of each window.

    Raises
    ------
    ValueError
        For a recording of fewer than ``lookback + 2`` rows, and labels that don't match the rows.

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
    X = np.asarray(X)
    if len(X) < lookback + 2:
        raise ValueError(
            f"Got {len(X)} rows for lookback={lookback}: the post's windows need at least {lookback + 2}, "
            f"since they start at row 2. sliding_windows makes do with {lookback}."
        )
    y = _check_labels(y, len(X))
    windows, _, labels = sliding_windows(X[2:], lookback, y=y[2:], label="last")
    return windows, labels
