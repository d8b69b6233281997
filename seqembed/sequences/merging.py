"""Values of windows, combined into values of the rows of the recording."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqembed.sequences.containers import as_array, as_numbers
from seqembed.sequences.windows import check_count
from seqembed.sequences.wording import counted


def merge_windows(
    values: npt.ArrayLike, starts: npt.ArrayLike, n_rows: int, how: str = "mean", *, timesteps: int | None = None
) -> np.ndarray:
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
        its centre is to the row. The weight falls to zero beyond the ends of the window, as the square of the distance
        from there. So the rows of an event stand out: windows that have the event in their middle count most.
        A missing value (NaN) of any window makes the row NaN; "max" takes the largest of the known values, and is NaN
        where no window has one.
    timesteps : int, default=None
        Rows of a window, for values of whole windows. Each row gets the values of the windows that cover it.

    Returns
    -------
    merged : float array of shape (n_rows, ...)
        In the dtype of `values` if it is floating-point, else in float64. NaN in rows that no window covers.

    Raises
    ------
    ValueError
        If `values` and `starts` don't match, if a window lies outside of the rows, or if `how` is unknown.
    TypeError
        If `values` are not real numbers, or if `starts`, `n_rows` or `timesteps` are not integers.

    Examples
    --------
    >>> import numpy as np
    >>> merge_windows([[1, 2, 3], [5, 6, 7]], starts=[0, 2], n_rows=6)
    array([ 1.,  2.,  4.,  6.,  7., nan])
    >>> merge_windows([0.1, 0.9], starts=[0, 2], n_rows=6, how="max", timesteps=3)
    array([0.1, 0.1, 0.9, 0.9, 0.9, nan])
    >>> [merge_windows([[1, np.nan], [5, 6]], [0, 1], n_rows=3, how=how).tolist() for how in ("mean", "max")]
    [[1.0, nan, 6.0], [1.0, 5.0, 6.0]]
    """
    combinations = {"mean": _means, "center": _centred_means, "median": _medians, "max": _maxima}
    if how not in combinations:
        raise ValueError(f"Got how={how!r}, expected 'mean', 'center', 'median' or 'max'.")
    values = np.asarray(values) if np.iscomplexobj(values) else as_numbers(values, "values")
    starts = as_array(starts)
    if values.dtype.kind not in "biuf" or (starts.size and starts.dtype.kind not in "iu"):
        raise TypeError(
            f"Got values= of dtype {values.dtype} and starts= of dtype {starts.dtype}, expected real numbers and "
            f"integers. Merge .real and .imag separately, and pass starts= as sliding_windows returned it."
        )
    check_count("n_rows", n_rows, 0)
    if timesteps is not None and values.ndim:
        check_count("timesteps", timesteps, 1)
        values = np.broadcast_to(values[:, np.newaxis], (len(values), timesteps, *values.shape[1:]))
    if values.ndim < 2 or starts.shape != values.shape[:1]:
        raise ValueError(
            f"Got values= of shape {values.shape} and starts= of shape {starts.shape}, expected (n_windows, timesteps, "
            f"...) and (n_windows,). For scores of windows, pass timesteps=, the rows of a window. For errors of "
            f"timesteps, use reconstruction_error(X, per='timestep')."
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
    # Infinities of both signs make NaN.
    with np.errstate(invalid="ignore"):
        return combinations[how](values, starts.astype(np.intp), n_rows).astype(dtype, copy=False)


def _means(values: np.ndarray, starts: np.ndarray, n_rows: int) -> np.ndarray:
    # Differences from the first value of each row are summed. So the mean of equal values is exact.
    first: np.ndarray = np.full((n_rows, *values.shape[2:]), np.nan)
    for step in range(values.shape[1] - 1, -1, -1):
        first[starts + step] = values[:, step]
    infinite = ~np.isfinite(values)
    if infinite.any():
        first[:] = 0
    sums, counts = np.zeros(first.shape), np.zeros(n_rows)
    for step in range(values.shape[1]):
        np.add.at(sums, starts + step, values[:, step] - first[starts + step])
        np.add.at(counts, starts + step, 1)
    counts = counts.reshape(-1, *[1] * (values.ndim - 2))
    if infinite.any():
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return first + sums / np.maximum(counts, 1)


def centre_weights(timesteps: int) -> np.ndarray:
    """Return weights of the rows of a window, which fall to zero beyond its ends as the square of the distance.

    Returns
    -------
    weights : float array of shape (timesteps,)
        1 in the centre of the window.

    Examples
    --------
    >>> centre_weights(3)
    array([0.25, 1.  , 0.25])
    """
    half = (timesteps + 1) / 2
    weights: np.ndarray = np.square(1 - np.abs(np.arange(timesteps) + 1 - half) / half)
    return weights


def _centred_means(values: np.ndarray, starts: np.ndarray, n_rows: int) -> np.ndarray:
    sums, total_weights = np.zeros((n_rows, *values.shape[2:])), np.zeros(n_rows)
    for step, weight in enumerate(centre_weights(values.shape[1])):
        np.add.at(sums, starts + step, weight * values[:, step])
        np.add.at(total_weights, starts + step, weight)
    total_weights = np.where(total_weights > 0, total_weights, np.nan)
    return sums / total_weights.reshape(-1, *[1] * (values.ndim - 2))


def _maxima(values: np.ndarray, starts: np.ndarray, n_rows: int) -> np.ndarray:
    merged = np.full((n_rows, *values.shape[2:]), np.nan)
    for step in range(values.shape[1]):
        np.fmax.at(merged, starts + step, values[:, step])
    return merged


def _medians(values: np.ndarray, starts: np.ndarray, n_rows: int) -> np.ndarray:
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
