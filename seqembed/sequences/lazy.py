"""Dask arrays: something is computed of each block of rows when the result is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seqembed.extras import import_extra
from seqembed.sequences.batches import row_slices


def is_lazy(X: Any) -> bool:
    """Tell whether X is a dask array.

    Examples
    --------
    >>> is_lazy([[1.0, 2.0]])
    False
    """
    return type(X).__module__.partition(".")[0] == "dask" and hasattr(X, "chunks")


class LazyRows(NamedTuple):
    """A dask array of which each row is a sequence or an embedding.

    Parameters
    ----------
    X : dask array of shape (n_samples, ...)
        Its values are not read.
    lengths : int array of shape (n_samples,) or None
        Timesteps of each sequence.
    check : callable
        Takes some rows, their lengths or None, and the model that will read them; returns a checked collection. It
        travels to the workers.
    """

    X: Any
    lengths: np.ndarray | None
    check: Callable[[Any, Any, Any], Any]

    def batches(self, model: Any) -> Iterator[Any]:
        """Read the rows for a model, in slices of about half a million values, each checked."""
        for rows in row_slices(self.X):
            yield self.check(self.X[rows].compute(), None if self.lengths is None else self.lengths[rows], model)


def sample_row(X: Any, lengths: npt.ArrayLike | None) -> tuple[np.ndarray, list[int] | None]:
    """Make a row of zeros with the shape and the dtype of those of a dask array.

    A check of this row raises the errors of shape and dtype now, not when the values are there.

    Parameters
    ----------
    X : dask array of shape (n_samples, ...)
        Its values are not read.
    lengths : array-like of int of shape (n_samples,) or None
        Timesteps of each sequence of a padded array.

    Returns
    -------
    row : array of shape (1, ...)
        Zeros.
    lengths : list of int, or None
        Its timesteps, if lengths were given.

    Raises
    ------
    ValueError
        For a shape of which more is unknown than the number of sequences.

    Examples
    --------
    >>> import dask.array
    >>> sample_row(dask.array.ones((500, 3, 2)), None)[0].shape
    (1, 3, 2)
    """
    needed = X.shape if lengths is not None else X.shape[1:]
    if any(math.isnan(size) for size in needed):
        raise ValueError(
            f"Got X= of unknown shape {X.shape}, expected a known one. Call X.compute_chunk_sizes() first."
        )
    return np.zeros((1, *X.shape[1:]), X.dtype), None if lengths is None else [X.shape[1]]


def compute_lazily(
    compute: Callable[[Any, Any, Any], Any],
    X: Any,
    lengths: np.ndarray | None,
    model: Any,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
) -> Any:
    """Return a dask array of the results that a function will compute of each block of rows.

    Parameters
    ----------
    compute : callable
        Called with a model, an array of sequences, and their lengths or None, on the machine that has the block.
        Returns an array with a row for each sequence.
    X : dask array of shape (n_samples, ...)
        Sequences. Without lengths, the number of those in a block may be unknown.
    lengths : int array of shape (n_samples,) or None
        Timesteps of each sequence of a padded array.
    model : object
        Sent once to each worker, not once for each block.
    shape : tuple of int
        Shape of the result of a sequence.
    dtype : dtype
        Of the results.

    Returns
    -------
    results : dask array of shape (n_samples, *shape)
        In the blocks of `X`.

    Examples
    --------
    >>> import dask.array
    >>> X = dask.array.ones((5, 3, 2), chunks=(2, 3, 1))
    >>> def total(model, sequences, lengths):
    ...     return model * sequences.sum(axis=(1, 2))
    >>> compute_lazily(total, X, None, model=10, shape=(), dtype=float).compute()
    array([60., 60., 60., 60., 60.])
    """
    dask, array = import_extra("dask", "distributed"), import_extra("dask.array", "distributed")
    # A sequence is never divided.
    X = X.rechunk(dict.fromkeys(range(1, X.ndim), -1))
    inputs = [X, tuple(range(X.ndim))]
    if lengths is not None:
        inputs += [array.from_array(lengths, chunks=(X.chunks[0],)), (0,)]
    # Axes of the results have numbers of their own, since they are not cut as those of X are.
    axes = {X.ndim + position: size for position, size in enumerate(shape)}

    def compute_block(block: Any, lengths: Any = None, *, model: Any) -> Any:
        return compute(model, block, lengths) if len(block) else np.empty((0, *shape), dtype)

    return array.blockwise(
        compute_block,
        (0, *axes),
        *inputs,
        model=dask.delayed(model, traverse=False),
        new_axes=axes,
        concatenate=True,
        dtype=dtype,
        meta=np.empty((0,) * (1 + len(shape)), dtype),
    )
