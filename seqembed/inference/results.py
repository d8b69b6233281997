"""Where results go: new arrays, arrays of the user, lists of arrays, arrays stored in chunks."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from seqembed.inference.model import Layout
from seqembed.inference.quantities import Quantity
from seqembed.sequences.axes import with_feature_axis, without_feature_axis
from seqembed.sequences.rows import row_numbers

LISTED_RESULTS = (
    "Got out= for sequences of other lengths than that of the fit. Their results are a list of arrays. Don't pass out=."
)


def result_shape(quantity: Quantity, layout: Layout) -> tuple[int, ...]:
    """Return the shape of the result of one sequence of the fitted length.

    Examples
    --------
    >>> from seqembed.inference.quantities import errors
    >>> layout = Layout(n_timesteps=24, n_features=2, one_length=True, ndim=3)
    >>> [result_shape(errors(per), layout) for per in ("sequence", "timestep", "value")]
    [(), (24,), (24, 2)]
    """
    if quantity.per == "sequence":
        return quantity.width
    return layout.shape if quantity.per == "value" else layout.shape[:1]


def allocate(
    quantity: Quantity, layout: Layout, lengths: np.ndarray, out: np.ndarray | None, *, are_listed: bool
) -> tuple[np.ndarray | list[np.ndarray], np.ndarray | list[np.ndarray]]:
    """Allocate results.

    Parameters
    ----------
    quantity : Quantity
        To be computed.
    layout : Layout
        That of the model.
    lengths : int array of shape (n_samples,)
        Timesteps of each sequence.
    out : float array or None
        The user's place for the results.
    are_listed : bool
        Whether results of timesteps or values are a list of arrays.

    Returns
    -------
    results : array or list of arrays
        As the user gets them: `out`, where it was given.
    rows : array or list of arrays
        The same memory, with the axis of features where the network has it.

    Raises
    ------
    ValueError
        For an `out` that results don't fit into.
    """
    has_features = quantity.per == "value"
    if quantity.per == "sequence" or not are_listed:
        array = _checked_out(out, (len(lengths), *result_shape(quantity, layout)), quantity.dtype)
        return array, with_feature_axis(array) if has_features else array
    if out is not None:
        raise ValueError(LISTED_RESULTS)
    width = (layout.n_features,) if has_features else ()
    arrays = [np.empty((length, *width), quantity.dtype) for length in lengths]
    return without_feature_axis(arrays) if has_features and layout.ndim == 2 else arrays, arrays


def write_rows(
    results: np.ndarray | list[np.ndarray], rows: slice | np.ndarray, batch: np.ndarray, lengths: np.ndarray
) -> None:
    """Write the results of a batch into their rows, without the padding.

    Examples
    --------
    >>> results = [np.zeros(2), np.zeros(1)]
    >>> write_rows(results, slice(0, 2), np.array([[1.0, 2.0], [3.0, 4.0]]), lengths=np.array([2, 1]))
    >>> results
    [array([1., 2.]), array([3.])]
    """
    if isinstance(results, np.ndarray):
        results[rows] = batch
        return
    for row, values, length in zip(row_numbers(rows, len(results)), batch, lengths, strict=True):
        results[row][:] = values[:length]


def _checked_out(out: np.ndarray | None, shape: tuple[int, ...], dtype: npt.DTypeLike) -> np.ndarray:
    """Return the user's array if it fits, or a new one."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype.kind != "f":
        given = (
            f"shape {out.shape} and dtype {out.dtype}" if isinstance(out, np.ndarray) else f"type {type(out).__name__}"
        )
        in_file = (
            f" For a file, pass np.lib.format.open_memmap(path, 'w+', np.float32, {shape})."
            if isinstance(out, (str, os.PathLike))
            else ""
        )
        raise ValueError(
            f"Got out= of {given}, expected np.empty({shape}, np.float32) or another array of floats.{in_file}"
        )
    if not out.flags.writeable:
        raise ValueError(
            "Got out= that is read-only, expected an array that can be written. Open a file for it with "
            "np.load(path, mmap_mode='r+'), or pass out.copy()."
        )
    return out


def is_stored(out: Any) -> bool:
    """Tell whether results go to an array that is stored in chunks (zarr, h5py).

    Examples
    --------
    >>> is_stored(np.zeros(3))
    False
    """
    return all(hasattr(out, name) for name in ("chunks", "shape", "dtype", "__setitem__"))


def check_rows(out: Any, shape: tuple[int, ...]) -> None:
    """Refuse an array whose rows can't hold the results of batches, however many these are.

    Parameters
    ----------
    out : array, also one that is stored in chunks
        The user's place for the results.
    shape : tuple of int
        Shape of the result of a sequence.

    Raises
    ------
    ValueError
        For another shape, and for a dtype that is not one of floats.

    Examples
    --------
    >>> check_rows(np.zeros((3, 64), np.float32), shape=(64,))
    """
    if tuple(out.shape[1:]) != shape or np.dtype(out.dtype).kind != "f":
        expected = ", ".join(map(str, ("n_samples", *shape)))
        raise ValueError(
            f"Got out= of shape {tuple(out.shape)} and dtype {out.dtype}, expected ({expected}) and float32. Pass "
            f"np.empty(({expected}), np.float32), or in a file zarr.create_array(store, shape=({expected}), "
            f"dtype='float32')."
        )
