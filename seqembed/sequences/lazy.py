"""Dask arrays: something is computed of each block of rows when the result is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from seqembed.extras import import_extra
from seqembed.sequences.collection import checked_lengths


def is_lazy(X) -> bool:
    """Tell whether X is a dask array.

    Examples
    --------
    >>> is_lazy([[1.0, 2.0]])
    False
    """
    return type(X).__module__.partition(".")[0] == "dask" and hasattr(X, "chunks")


def check_lazily(check: Callable, X, lengths) -> None:
    """Raise the errors of a dask array's shape and dtype now, not when its values are there.

    Parameters
    ----------
    check : callable
        Takes an array of sequences and their lengths or None; raises an error for what does not fit.
    X : dask array of shape (n_samples, ...)
        Sequences.
    lengths : array-like of int of shape (n_samples,) or None
        Timesteps of each sequence of a padded array.

    Raises
    ------
    ValueError
        For a shape of which more is unknown than the number of sequences, and whatever `check` raises.

    Examples
    --------
    >>> import dask.array
    >>> check_lazily(lambda X, lengths: print(X.shape), dask.array.ones((500, 3, 2)), None)
    (1, 3, 2)
    """
    needed = X.shape if lengths is not None else X.shape[1:]
    if any(math.isnan(size) for size in needed):
        raise ValueError(
            f"Got X= of unknown shape {X.shape}, expected a known one. Call X.compute_chunk_sizes() first."
        )
    one = np.zeros((1, *X.shape[1:]), X.dtype)
    check(one, None if lengths is None else [X.shape[1]])


def compute_lazily(compute: Callable, X, lengths, model: object, shape: tuple[int, ...], dtype):
    """Return a dask array of what a function will compute of each block of rows.

    Parameters
    ----------
    compute : callable
        Called with a model, an array of sequences, and their lengths or None, on the machine that has the block.
        Returns an array with a row for each sequence.
    X : dask array of shape (n_samples, ...)
        Sequences. Without lengths, the number of those in a block may be unknown.
    lengths : array-like of int of shape (n_samples,) or None
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

    Raises
    ------
    ValueError
        For lengths that don't fit `X`.

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
        lengths = array.from_array(checked_lengths(lengths, X.shape[0], X.shape[1]), chunks=(X.chunks[0],))
        inputs += [lengths, (0,)]
    # Axes of the results have numbers of their own, since they are not cut as those of X are.
    axes = {X.ndim + position: size for position, size in enumerate(shape)}

    def of_block(block, lengths=None, *, model):
        return compute(model, block, lengths) if len(block) else np.empty((0, *shape), dtype)

    return array.blockwise(
        of_block,
        (0, *axes),
        *inputs,
        model=dask.delayed(model, traverse=False),
        new_axes=axes,
        concatenate=True,
        dtype=dtype,
        meta=np.empty((0,) * (1 + len(shape)), dtype),
    )
