"""Input that arrives in batches, because all of it does not fit into memory."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, MappingView
from contextlib import contextmanager
from functools import partial

import numpy as np
from scipy.sparse import issparse

from seqembed.sequences.collection import Sequences, check_sequences, checked_lengths, chunks, counted
from seqembed.sequences.containers import as_numbers, column_names, is_frame, listed

LISTED_RESULTS = (
    "Got out= for sequences of other lengths than that of the fit. Their results are a list of arrays: leave out= away."
)
_NO_BATCH = "Got an iterable without a single batch. A generator can be read only once: make a new one."


@contextmanager
def collected(X, lengths=None, estimator: object = None) -> Iterator[Sequences]:
    """Check a collection of sequences, or collect one from batches in a temporary file.

    Parameters
    ----------
    X : object
        What the user passed to `fit`.
    lengths : array-like of int of shape (n_samples,), default=None
        Timesteps of each sequence of a padded array.
    estimator : object, default=None
        The estimator that asks, named in errors.

    Yields
    ------
    sequences : Sequences
        All of them. Those in a temporary file can be read until the context ends, see `spooled`.

    Raises
    ------
    ValueError, TypeError
        For what `seqembed.sequences.collection.check_sequences` refuses, and for lengths beside batches.

    Examples
    --------
    >>> import numpy as np
    >>> with collected(np.zeros((2, 3, 1)) for _ in range(4)) as sequences:
    ...     len(sequences)
    8
    """
    batches = batches_of(X, lengths)
    if batches is None:
        yield check_sequences(X, lengths, estimator=estimator)
        return
    with spooled(batches, estimator) as sequences:
        yield sequences


def batches_of(X, lengths=None, ndim: int = 3) -> Iterable | None:
    """Return the batches of X, or None if X is a collection of sequences.

    Parameters
    ----------
    X : object
        What the user passed.
    lengths : array-like of int of shape (n_samples,), default=None
        Timesteps of each sequence of an array stored in chunks. Batches of an iterable have lengths of their own.
    ndim : {2, 3}, default=3
        Fewest dimensions of a batch that an iterable yields as an array. In two, it could be a single sequence.

    Returns
    -------
    batches : iterable or None
        The items of `X` if it can be iterated but not indexed, such as a generator or a data loader. A list of one
        array of three dimensions, as a PyTorch loader yields, counts as this array.
        Slices of `X` if it is an array stored in chunks (zarr, h5py, dask), each read when it is needed. None for
        everything else, such as arrays, memory maps, lists and views of mappings.

    Raises
    ------
    ValueError
        For lengths beside an iterable, and for an array stored in chunks that has no rows or an unknown number of them.
        When it is read, for an item that is a single sequence, or a pair of sequences and labels.
    TypeError
        When it is read, for an item that is a mapping.

    Examples
    --------
    >>> import numpy as np
    >>> batches_of(np.zeros((5, 3, 2))) is None
    True
    >>> [len(batch) for batch in batches_of(np.zeros((size, 3, 2)) for size in (4, 1))]
    [4, 1]
    """
    if isinstance(X, (np.ndarray, MappingView)) or is_frame(X):
        return None
    if hasattr(X, "chunks") and hasattr(X, "shape"):
        return slices_of(X, lengths)
    if not hasattr(X, "__iter__") or hasattr(X, "__getitem__") or hasattr(X, "shape"):
        return None
    if lengths is not None:
        raise ValueError(
            "Got lengths= beside an iterable of batches. Leave lengths= out and pass batches that are lists of arrays, "
            "which have lengths of their own."
        )
    return map(partial(_as_batch, ndim=ndim), X)


def slices_of(X, lengths=None) -> Iterator:
    """Cut an array into slices that are read when they are needed.

    Parameters
    ----------
    X : array of shape (n_samples, n_timesteps, ...)
        Of any kind, stored in chunks or not.
    lengths : array-like of int of shape (n_samples,), default=None
        Timesteps of each sequence.

    Returns
    -------
    slices : iterator
        Arrays of about half a million values; with lengths, lists of sequences without their padding.

    Raises
    ------
    ValueError
        For an array that has no rows or an unknown number of them, and for lengths that don't fit it.

    Examples
    --------
    >>> import numpy as np
    >>> [len(batch) for batch in slices_of(np.zeros((5, 2, 2**17)))]
    [2, 2, 1]
    """
    if any(math.isnan(size) for size in X.shape):
        raise ValueError(
            f"Got X= of unknown shape {X.shape}, expected a known one. Call X.compute_chunk_sizes() first."
        )
    if not X.shape or X.shape[0] == 0:
        raise ValueError(f"Got X= of shape {X.shape}, expected at least one sequence. Check how it was selected.")
    if len(X.shape) < 2:
        raise ValueError(f"Got X= of shape {X.shape}, expected (n_samples, n_timesteps, n_features). Pass X[:].")
    ends = None if lengths is None else checked_lengths(lengths, X.shape[0], X.shape[1])
    rows_of_slices = chunks(X.shape[0], math.prod(X.shape[1:]))
    if ends is None:
        return (as_numbers(X[rows], "X") for rows in rows_of_slices)
    return (
        [sequence[:end] for sequence, end in zip(as_numbers(X[rows], "X"), ends[rows], strict=True)]
        for rows in rows_of_slices
    )


def _as_batch(item, ndim: int):
    """Return what a data loader yields as a batch of sequences, or refuse it."""
    if isinstance(item, Mapping) and not issparse(item):
        raise TypeError(
            f"Got an iterable of {type(item).__name__}, expected batches. Pass (item[key] for item in X) with the key "
            f"of the sequences, one of {[str(key) for key in item][:10]}."
        )
    item = listed(item)
    dimensions = [_count_dimensions(each) for each in item] if isinstance(item, (list, tuple)) else None
    if dimensions == [3]:
        # A PyTorch loader of a TensorDataset yields lists of one tensor.
        return item[0]
    are_tensors = dimensions is not None and all(type(each).__module__.startswith("torch") for each in item)
    if are_tensors and dimensions == [2]:
        item, dimensions = item[0], None
    if dimensions is not None and len(dimensions) == 2 and (are_tensors or dimensions[0] > max(1, dimensions[1])):
        raise ValueError(
            "Got an iterable of pairs, perhaps of sequences and labels, expected sequences alone. Pass (x for x, y in "
            "X)."
        )
    if dimensions is None and _count_dimensions(item) < ndim:
        raise ValueError(
            f"Got an iterable of arrays of {counted(_count_dimensions(item), 'dimension')}, which can be sequences or "
            f"batches of sequences. Pass list(X) if each is a sequence, and (x[:, :, np.newaxis] for x in X) if each "
            f"is a batch of sequences of one feature."
        )
    return item


def _count_dimensions(values) -> int:
    if isinstance(values, (list, tuple)):
        return 1 + (_count_dimensions(values[0]) if values else 0)
    return np.ndim(values)


@contextmanager
def spooled(batches: Iterable, estimator: object = None) -> Iterator[Sequences]:
    """Write batches to a temporary file, so that training can read the sequences again and again in any order.

    The file is as large as the data and lies in the folder that `tempfile` uses, which the variable TMPDIR chooses. It
    is removed when the context ends, also after an error.

    Parameters
    ----------
    batches : iterable of array-likes or lists of arrays
        Each as `seqembed.sequences.collection.check_sequences` takes it, all of one layout and of the same features.
    estimator : object, default=None
        The estimator that asks, named in errors.

    Yields
    ------
    sequences : Sequences
        All of them, memory-mapped, in the dtype of the first batch, at least float32.

    Raises
    ------
    ValueError
        For no batch at all, and for a batch that doesn't fit the first.

    Examples
    --------
    >>> import numpy as np
    >>> with spooled(np.full((2, 3, 1), k) for k in range(4)) as sequences:
    ...     print(len(sequences), sequences.n_timesteps)
    8 3
    """
    first, lengths, complete = None, [], True
    with tempfile.TemporaryFile() as file:
        for number, batch in enumerate(batches):
            checked = check_sequences(batch, estimator=estimator)
            if first is None:
                first_names = column_names(batch)
                first, dtype = checked, np.result_type(checked.padded(slice(0, 1)).dtype, np.float32)
            if (checked.ndim, checked.n_features) != (first.ndim, first.n_features):
                raise ValueError(
                    f"Batch {number} holds sequences of {counted(checked.n_features, 'feature')} in {checked.ndim} "
                    f"dimensions, but batch 0 holds {counted(first.n_features, 'feature')} in {first.ndim}. Give each "
                    f"batch the axes and the features of the first."
                )
            names = column_names(batch)
            if names != first_names:
                raise ValueError(
                    f"Batch {number} holds data frames with the columns {names}, but those of batch 0 have "
                    f"{first_names}: expected the same columns in the same order. Select them: frame[columns]."
                )
            for rows in checked.chunks():
                checked.timesteps(rows).astype(dtype, copy=False).tofile(file)
            lengths.append(checked.lengths)
            complete = complete and checked.complete
        if first is None:
            raise ValueError(_NO_BATCH)
        file.flush()
        lengths = np.concatenate(lengths)
        timesteps = np.memmap(file, dtype, "r", shape=(int(lengths.sum()), first.n_features))
        if (lengths == lengths[0]).all():
            values = timesteps.reshape(len(lengths), lengths[0], first.n_features)
        else:
            values = np.split(timesteps, np.cumsum(lengths[:-1]))
        yield Sequences(values, lengths, first.ndim, complete)


def compute_by_batches(
    compute: Callable[[object, np.ndarray | None], np.ndarray | list[np.ndarray]],
    batches: Iterable,
    out: np.ndarray | None,
) -> np.ndarray | list[np.ndarray]:
    """Compute something of each batch, and join the results.

    Parameters
    ----------
    compute : callable
        Takes a batch and where to write, or None, and returns the result: an array, or a list of them.
    batches : iterable
        The batches.
    out : array or None
        Where to write the results, a row for each sequence. One that is stored in chunks (zarr, h5py) gets those of a
        batch when the batch is done.

    Returns
    -------
    results : array or list of arrays
        `out`, where it was given.

    Raises
    ------
    ValueError
        If `out` has no rows, too few or too many; the results so far stay in it.

    Examples
    --------
    >>> import numpy as np
    >>> def double(batch, out):
    ...     return np.multiply(2, batch, out=out)
    >>> compute_by_batches(double, iter([np.ones(2), np.ones(1)]), out=None)
    array([2., 2., 2.])
    """
    results, start = [], 0
    if out is not None and not getattr(out, "shape", ()):
        given = "shape ()" if hasattr(out, "shape") else f"type {type(out).__name__}"
        raise ValueError(f"Got out= of {given}, expected a row for each sequence. Pass np.empty((n_samples, ...)).")
    n_rows = None if out is None else out.shape[0]
    for batch in batches:
        if out is None:
            results.append(compute(batch, None))
            continue
        n_samples = len(batch)
        if start + n_samples > n_rows:
            raise ValueError(
                f"Got out= of {counted(n_rows, 'row')} for more sequences: expected one row for each sequence."
            )
        rows = slice(start, start + n_samples)
        if isinstance(out, np.ndarray):
            compute(batch, out[rows])
        else:
            # A slice of what is stored is a copy.
            computed = compute(batch, None)
            if isinstance(computed, list):
                raise ValueError(LISTED_RESULTS)
            out[rows] = computed
        start = rows.stop
    if out is not None:
        if start < n_rows:
            raise ValueError(
                f"Got out= of {counted(n_rows, 'row')} for {counted(start, 'sequence')}: expected a row for each."
            )
        return out
    if not results:
        raise ValueError(_NO_BATCH)
    if any(isinstance(result, list) for result in results):
        return [each for result in results for each in result]
    return np.concatenate(results)


def is_stored(out) -> bool:
    """Tell whether results go to an array that is stored in chunks (zarr, h5py).

    Examples
    --------
    >>> import numpy as np
    >>> is_stored(np.zeros(3))
    False
    """
    return all(hasattr(out, name) for name in ("chunks", "shape", "dtype", "__setitem__"))


def check_store(out, shape: tuple[int, ...]) -> None:
    """Refuse an array that can't hold results.

    Parameters
    ----------
    out : array stored in chunks
        Where to write.
    shape : tuple of int
        Shape of the result of a sequence.

    Raises
    ------
    ValueError
        For another shape, and for a dtype that is not one of floats.

    Examples
    --------
    >>> import numpy as np
    >>> check_store(np.zeros((3, 64), np.float32), shape=(64,))
    """
    if tuple(out.shape[1:]) != shape or np.dtype(out.dtype).kind != "f":
        expected = ", ".join(map(str, ("n_samples", *shape)))
        raise ValueError(
            f"Got out= of shape {tuple(out.shape)} and dtype {out.dtype}, expected ({expected}) and float32. Make it "
            f"so: zarr.create_array(store, shape=(n_samples, ...), dtype='float32')."
        )
