"""Windows of long recordings.

`sliding_windows` cuts a recording into windows without copying it. `merge_windows` combines values of the windows into
values of the rows of the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqembed.sequences.collection import counted
from seqembed.sequences.containers import as_numbers, check_same_columns, listed
from seqembed.sequences.labels import checked_rare_label
from seqembed.sequences.times import as_dates, exceeds


class Windows(NamedTuple):
    """Windows of one or several recordings.

    Parameters
    ----------
    windows : array of shape (n_windows, timesteps, n_features)
        A read-only view of a recording, or a copy of the rows of several recordings and of one with gaps.
    starts : int array of shape (n_windows,)
        Row at which each window starts. The rows of several recordings are numbered as if they were concatenated.
    y : array of shape (n_windows,) or None
        Label of each window. None if no labels were given.
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
    time=None,
    max_gap=None,
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
        last or the first row. "any" tells whether any of the labels is true; of labels -1 (rare) and 1 (normal), it is
        -1 if any of them is. "mode" takes the most frequent label, and the smallest if several are equally frequent.
        A function gets the array of the labels and returns the label of the window. The default,
        "last", uses no row after the end of the window.
    horizon : int, default=0
        Number of rows by which the labels are ahead of the rows of the window. Windows whose labels would be beyond
        the last row are left out. Without `y`, the horizon has no effect.
    time : array-like of shape (n_rows,), or list of such, default=None
        Time of each row, as numbers or dates in ascending order. By default, with `max_gap`, the index of a data frame.
    max_gap : number or timedelta, default=None
        Longest step in time between neighbouring rows of a window. The recording is cut where a step is longer, and
        pieces that are shorter than a window are left out. By default, rows count and time does not.
    too_short : {"error", "drop"}, default="error"
        What happens to a recording that is shorter than a window. An error is the default, since a recording that is
        left out without a word would be missed.

    Returns
    -------
    windows : Windows
        ``(windows, starts, y)``.

    Raises
    ------
    ValueError
        If `timesteps`, `stride` or `horizon` is out of range, if the labels don't match the rows, if a recording is
        shorter than a window, if times run backwards, and for ``label="any"`` if the labels are neither truth values
        nor 0 and 1 nor -1 and 1.
    TypeError
        If `timesteps`, `stride` or `horizon` is not an integer, or if `max_gap` is no step between the times.

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
        _check_count(name, value, least)
    if too_short not in ("error", "drop"):
        raise ValueError(f"Got too_short={too_short!r}, expected 'error' or 'drop'.")
    if time is not None and max_gap is None:
        raise ValueError("Got time= without max_gap=, expected both: pass the longest step between neighbouring rows.")
    X = listed(X)
    if _holds_recordings(X):
        recordings, labels, times = X, *(None if each is None else list(listed(each)) for each in (y, time))
    else:
        recordings, labels, times = [X], *(None if each is None else [each] for each in (y, time))
    check_same_columns(recordings)
    for name, each in (("y", labels), ("time", times)):
        if each is not None and len(each) != len(recordings):
            raise ValueError(
                f"Got {name}= of length {len(each)} for X= with {counted(len(recordings), 'recording')}, expected one "
                f"array per recording. Pass a list of arrays as {name}=."
            )
    window_labels = None if labels is None else _label_rule(label, labels)
    n_ahead = 0 if y is None else horizon
    needed, parts, offset = timesteps + n_ahead, [], 0
    for position, recording in enumerate(recordings):
        values = _check_recording(recording, position)
        if parts and values.shape[1] != parts[0].windows.shape[2]:
            raise ValueError(
                f"Recording {position} of X= has {counted(values.shape[1], 'feature')} and an earlier one has "
                f"{parts[0].windows.shape[2]}: expected the same features in every recording."
            )
        of_rows = None if labels is None else _check_labels(labels[position], len(values))
        pieces = [slice(0, len(values))]
        if max_gap is not None:
            index = getattr(recording, "index", ())
            index = () if callable(index) else index
            pieces = pieces_without_gaps(index if times is None else times[position], len(values), max_gap)
        if len(values) < needed and too_short == "error":
            raise ValueError(
                f"Got X= with a recording of {counted(len(values), 'row')} for timesteps={timesteps}"
                f"{f' and horizon={n_ahead}' if n_ahead else ''}, expected at least {counted(needed, 'row')}: "
                f'recording {position}. Use fewer timesteps, or too_short="drop".'
            )
        for rows in pieces:
            if rows.stop - rows.start >= needed:
                piece = None if of_rows is None else of_rows[rows]
                part = _cut(values[rows], timesteps, stride, piece, window_labels, n_ahead)
                parts.append(part._replace(starts=part.starts + rows.start + offset))
        offset += len(values)
    if not parts:
        raise ValueError(
            f"Got X= without {counted(needed, 'row')} in succession for timesteps={timesteps}, expected at least one "
            f"window. Use fewer timesteps{'' if max_gap is None else ' or a larger max_gap='}."
        )
    if len(parts) == 1:
        return parts[0]
    return Windows(
        np.concatenate([part.windows for part in parts]),
        np.concatenate([part.starts for part in parts]),
        None if y is None else np.concatenate([part.y for part in parts]),
    )


def _check_count(name: str, value: int, least: int) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"Got {name}={value!r}, expected an integer of at least {least}, not a {type(value).__name__}.")
    if value < least:
        raise ValueError(f"Got {name}={value!r}, expected an integer of at least {least}.")


def _holds_recordings(X) -> bool:
    """Tell whether `X` is a list of recordings. A list of numbers or of rows is a single recording."""
    if not isinstance(X, (list, tuple)):
        return False
    if not len(X):
        raise ValueError("Got X= as an empty list, expected at least one recording. Check how the list was made.")
    # An item of X that is a list of numbers is one row. An item that is an array of one dimension is one recording.
    return np.ndim(X[0]) >= (2 if isinstance(X[0], (list, tuple)) else 1)


def _check_recording(X, position: int) -> np.ndarray:
    X = as_numbers(X, f"recording {position}")
    if X.ndim not in (1, 2):
        raise ValueError(
            f"Got X= with a recording of shape {X.shape}, expected (n_rows, n_features) or (n_rows,): recording "
            f"{position}. Pass several recordings as a list."
        )
    return X[:, np.newaxis] if X.ndim == 1 else X


def pieces_without_gaps(time, n_rows: int, max_gap) -> list[slice]:
    """Cut the rows where the step from one time to the next exceeds `max_gap`.

    Raises
    ------
    ValueError
        For times of another number than the rows, that are neither numbers nor dates, or that run backwards.

    Examples
    --------
    >>> pieces_without_gaps([0, 1, 5, 6], n_rows=4, max_gap=2)
    [slice(0, 2, None), slice(2, 4, None)]
    """
    times = np.asarray(time)
    if times.dtype == object and all(hasattr(each, "to_datetime64") for each in times.flat):
        # pandas keeps dates of a time zone as objects.
        times = np.array([each.to_datetime64() for each in times.flat])
    if times.shape != (n_rows,):
        raise ValueError(
            f"Got max_gap= without the times of {counted(n_rows, 'row')}, expected time= of shape ({n_rows},), or a "
            f"data frame whose index holds times."
        )
    if times.dtype == object:
        # Python's own dates and durations.
        times = as_dates(times)
    if times.dtype.kind not in "iufmM":
        raise ValueError(
            f"Got times of dtype {times.dtype}, expected numbers or dates. Convert them with pandas.to_datetime(time)."
        )
    backwards = np.flatnonzero(~(times[1:] >= times[:-1]))
    if len(backwards):
        raise ValueError(
            f"Got times that run backwards or are missing, expected ascending ones: row {backwards[0] + 1} has "
            f"{times[backwards[0] + 1]} after {times[backwards[0]]}. Sort the rows by time first."
        )
    gaps = np.flatnonzero(exceeds(np.diff(times), max_gap)) + 1
    return [slice(int(start), int(stop)) for start, stop in zip([0, *gaps], [*gaps, n_rows], strict=True)]


def _cut(
    X: np.ndarray,
    timesteps: int,
    stride: int,
    y: np.ndarray | None,
    window_labels: Callable[[np.ndarray], np.ndarray] | None,
    n_ahead: int,
) -> Windows:
    n_usable = len(X) - n_ahead
    windows = np.lib.stride_tricks.sliding_window_view(X[:n_usable], timesteps, axis=0)[::stride].transpose(0, 2, 1)
    starts = np.arange(0, n_usable - timesteps + 1, stride)
    if y is None or window_labels is None:
        return Windows(windows, starts, None)
    labels = np.lib.stride_tricks.sliding_window_view(y[n_ahead:], timesteps)[::stride]
    return Windows(windows, starts, window_labels(labels))


def _check_labels(y, n_rows: int) -> np.ndarray:
    y = np.asarray(y)
    if y.shape != (n_rows,):
        raise ValueError(
            f"Got y= of shape {y.shape} for {counted(n_rows, 'row')}, expected ({n_rows},). Pass one label per row."
        )
    return y


def _label_rule(
    label: str | Callable[[np.ndarray], object], y: Sequence[npt.ArrayLike]
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from labels of shape (n_windows, timesteps) to the label of each window."""
    if label == "any":
        return partial(_any_labels, rare=checked_rare_label(y))
    if callable(label):
        return lambda labels: np.array([label(each) for each in labels])
    if label == "last":
        return lambda labels: labels[:, -1].copy()
    if label == "first":
        return lambda labels: labels[:, 0].copy()
    if label == "mode":
        return _most_frequent_labels
    raise ValueError(f"Got label={label!r}, expected 'last', 'first', 'any', 'mode' or a function.")


def _any_labels(labels: np.ndarray, rare: int) -> np.ndarray:
    found = (labels == rare).any(axis=1)
    return np.where(found, -1, 1) if rare == -1 else found


def _most_frequent_labels(labels: np.ndarray) -> np.ndarray:
    values, codes = np.unique(labels, return_inverse=True)
    return values[[np.bincount(each).argmax() for each in codes.reshape(labels.shape)]]


def merge_windows(values, starts, n_rows: int, how: str = "mean", *, timesteps: int | None = None) -> np.ndarray:
    """Combine values of windows into values of the rows of the recording.

    Parameters
    ----------
    values : array-like of shape (n_windows, timesteps, ...), or (n_windows, ...) with `timesteps`
        Values of each timestep of each window, such as reconstructions or errors, or of each window, such as scores.
        Any trailing shape is possible.
    starts : array-like of int of shape (n_windows,)
        Row at which each window starts, as returned by `sliding_windows`.
    n_rows : int
        Rows of the recording.
    how : {"mean", "center", "median", "max"}, default="mean"
        How to combine the values of overlapping windows. "center" is a mean in which a window counts more, the nearer
        its centre is to the row: the weight falls to zero beyond its ends, as the square of the distance from there. It
        points at events: of windows that hold one, those count that have it in their middle.
    timesteps : int, default=None
        Rows of a window, for values of whole windows: each row gets those of the windows that cover it.

    Returns
    -------
    merged : float array of shape (n_rows, ...)
        In the dtype of `values` if it is floating-point, else in float64. NaN in rows that no window covers.

    Raises
    ------
    ValueError
        If `values` and `starts` don't match, if a window lies outside of the rows, or if `how` is unknown.
    TypeError
        If `values` are not real numbers, or `starts` are not integers.

    Examples
    --------
    >>> import numpy as np
    >>> merge_windows([[1, 2, 3], [5, 6, 7]], starts=[0, 2], n_rows=6)
    array([ 1.,  2.,  4.,  6.,  7., nan])
    >>> merge_windows([0.1, 0.9], starts=[0, 2], n_rows=6, how="max", timesteps=3)
    array([0.1, 0.1, 0.9, 0.9, 0.9, nan])
    """
    values = np.asarray(values) if np.iscomplexobj(values) else as_numbers(values, "values")
    starts = np.asarray(starts)
    combinations = {
        "mean": _means_by_row,
        "center": _centred_means_by_row,
        "median": _medians_by_row,
        "max": _maxima_by_row,
    }
    if how not in combinations:
        raise ValueError(f"Got how={how!r}, expected 'mean', 'center', 'median' or 'max'.")
    if values.dtype.kind not in "biuf" or (starts.size and starts.dtype.kind not in "iu"):
        raise TypeError(
            f"Got values= of dtype {values.dtype} and starts= of dtype {starts.dtype}, expected real numbers and "
            f"integers. Merge .real and .imag apart, and pass starts as sliding_windows returned it."
        )
    if timesteps is not None and values.ndim:
        _check_count("timesteps", timesteps, 1)
        values = np.broadcast_to(values[:, np.newaxis], (len(values), timesteps, *values.shape[1:]))
    if values.ndim < 2 or starts.shape != values.shape[:1]:
        raise ValueError(
            f"Got values= of shape {values.shape} and starts= of shape {starts.shape}, expected (n_windows, timesteps, "
            f"...) and (n_windows,). For scores of windows, pass timesteps=, the rows of a window. To get errors per "
            f"timestep, use reconstruction_error(X, per='timestep')."
        )
    timesteps = values.shape[1]
    if starts.size and (int(starts.min()) < 0 or int(starts.max()) + timesteps > n_rows):
        raise ValueError(
            f"Got starts= from {starts.min()} to {starts.max()} for windows of {counted(timesteps, 'row')} and "
            f"n_rows={n_rows}, expected all windows to lie within these rows. Pass as n_rows= the length of the "
            f"recording from which the windows were cut."
        )
    dtype = values.dtype if np.issubdtype(values.dtype, np.floating) else np.float64
    if not len(starts):
        return np.full((n_rows, *values.shape[2:]), np.nan, dtype)
    return combinations[how](values, starts.astype(np.intp), n_rows).astype(dtype, copy=False)


def _means_by_row(values: np.ndarray, starts: np.ndarray, n_rows: int) -> np.ndarray:
    # Sum the differences from the first value of each row. If all values of a row are equal, their mean is exact.
    first = np.full((n_rows, *values.shape[2:]), np.nan)
    for step in range(values.shape[1] - 1, -1, -1):
        first[starts + step] = values[:, step]
    infinite = ~np.isfinite(values)
    if infinite.any():
        first[:] = 0
    sums, counts = np.zeros(first.shape), np.zeros(n_rows)
    for step in range(values.shape[1]):
        with np.errstate(invalid="ignore"):
            np.add.at(sums, starts + step, values[:, step] - first[starts + step])
        np.add.at(counts, starts + step, 1)
    counts = counts.reshape(-1, *[1] * (values.ndim - 2))
    if infinite.any():
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return first + sums / np.maximum(counts, 1)


def centre_weights(timesteps: int) -> np.ndarray:
    """Weigh the rows of a window: 1 in its centre, falling to zero beyond its ends as the square of the distance."""
    half = (timesteps + 1) / 2
    return np.square(1 - np.abs(np.arange(timesteps) + 1 - half) / half)


def _centred_means_by_row(values: np.ndarray, starts: np.ndarray, n_rows: int) -> np.ndarray:
    sums, total = np.zeros((n_rows, *values.shape[2:])), np.zeros(n_rows)
    for step, weight in enumerate(centre_weights(values.shape[1])):
        np.add.at(sums, starts + step, weight * values[:, step])
        np.add.at(total, starts + step, weight)
    total = np.where(total > 0, total, np.nan)
    return sums / total.reshape(-1, *[1] * (values.ndim - 2))


def _maxima_by_row(values: np.ndarray, starts: np.ndarray, n_rows: int) -> np.ndarray:
    merged = np.full((n_rows, *values.shape[2:]), np.nan)
    for step in range(values.shape[1]):
        np.fmax.at(merged, starts + step, values[:, step])
    return merged


def _medians_by_row(values: np.ndarray, starts: np.ndarray, n_rows: int) -> np.ndarray:
    # Not scipy.ndimage.median: it takes more than four times as long, and orders NaN behind all numbers, so that the
    # median of a row with NaN would be a number.
    rows = (starts[:, np.newaxis] + np.arange(values.shape[1])).ravel()
    order = np.argsort(rows, kind="stable")
    flat = values.reshape(-1, *values.shape[2:])[order]
    covered, first = np.unique(rows[order], return_index=True)
    merged = np.full((n_rows, *values.shape[2:]), np.nan)
    for row, group in zip(covered, np.split(flat, first[1:]), strict=True):
        merged[row] = np.median(group, axis=0)
    return merged


def temporalize(X, y, lookback: int) -> tuple[np.ndarray, np.ndarray]:
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
        If the recording has fewer than ``lookback + 2`` rows, or if the labels don't match the rows.
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
    X = np.asarray(X)
    if not isinstance(lookback, Integral):
        raise TypeError(f"Got lookback={lookback!r}, expected an integer, not a {type(lookback).__name__}.")
    if len(X) < lookback + 2:
        raise ValueError(
            f"Got X= of {counted(len(X), 'row')} for lookback={lookback}, expected at least "
            f"{counted(lookback + 2, 'row')}, because the first window starts at row 2. Use sliding_windows, which "
            f"needs only {counted(lookback, 'row')}."
        )
    y = _check_labels(y, len(X))
    windows, _, labels = sliding_windows(X[2:], lookback, y=y[2:], label="last")
    return windows, labels
