"""Input that arrives in batches, because all of it does not fit into memory."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping, MappingView
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from seqembed.sequences.collection import Sequences, check_sequences, chunks
from seqembed.sequences.containers import SequencesLike, listed
from seqembed.sequences.lengths import checked_lengths
from seqembed.sequences.wording import counted

NO_BATCH = "Got an iterable without a single batch. A generator can be read only once: make a new one."


@contextmanager
def collected(
    X: SequencesLike, lengths: npt.ArrayLike | None = None, estimator: object = None, ndim: int = 3
) -> Iterator[Sequences]:
    """Check a collection of sequences, or collect one from batches in a temporary file.

    Parameters
    ----------
    X : object
        The user's input.
    lengths : array-like of int of shape (n_samples,), default=None
        Timesteps of each sequence of a padded array.
    estimator : object, default=None
        The estimator that asks, named in errors.
    ndim : {2, 3}, default=3
        Fewest dimensions of a batch, see `batches_of`: those of the fitted sequences, if the estimator is fitted.

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
    batches = batches_of(X, lengths, ndim)
    if batches is None:
        yield check_sequences(X, lengths, estimator=estimator)
        return
    with spooled(batches, estimator) as sequences:
        yield sequences


class UncheckedBatch(NamedTuple):
    """A batch of the user's input, which nobody has checked yet.

    Parameters
    ----------
    values : array-like or list of arrays
        Sequences or embeddings.
    lengths : int array of shape (n_samples,) or None, default=None
        Timesteps of each sequence of a padded array.
    """

    values: Any
    lengths: np.ndarray | None = None


def batches_of(X: Any, lengths: npt.ArrayLike | None = None, ndim: int = 3) -> Iterator[UncheckedBatch] | None:
    """Return the batches of X, or None if X is a collection of sequences.

    Parameters
    ----------
    X : object
        The user's input.
    lengths : array-like of int of shape (n_samples,), default=None
        Timesteps of each sequence of an array stored in chunks. Batches of an iterable have lengths of their own.
    ndim : {2, 3}, default=3
        Fewest dimensions of a batch that an iterable yields as an array. In two, it could be a single sequence.

    Returns
    -------
    batches : iterator of UncheckedBatch, or None
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
    >>> [len(batch.values) for batch in batches_of(np.zeros((size, 3, 2)) for size in (4, 1))]
    [4, 1]
    """
    if isinstance(X, (np.ndarray, MappingView)):
        return None
    # A frame may have a column called "chunks".
    if hasattr(X, "chunks") and hasattr(X, "shape") and not hasattr(X, "columns"):
        return slices_of(X, lengths)
    if not hasattr(X, "__iter__") or hasattr(X, "__getitem__") or hasattr(X, "shape"):
        return None
    if lengths is not None:
        raise ValueError(
            "Got lengths= beside an iterable of batches. Leave lengths= out and pass batches that are lists of arrays, "
            "which have lengths of their own."
        )
    return (UncheckedBatch(_as_batch(item, ndim)) for item in X)


def slices_of(X: Any, lengths: npt.ArrayLike | None = None) -> Iterator[UncheckedBatch]:
    """Cut an array of sequences into slices that are read when they are needed.

    Parameters
    ----------
    X : array of shape (n_samples, n_timesteps, ...)
        Of any kind, stored in chunks or not.
    lengths : array-like of int of shape (n_samples,), default=None
        Timesteps of each sequence.

    Returns
    -------
    slices : iterator of UncheckedBatch
        Of about half a million values each.

    Raises
    ------
    ValueError
        For an array that has no rows or an unknown number of them, and for lengths that don't fit it.

    Examples
    --------
    >>> import numpy as np
    >>> [len(batch.values) for batch in slices_of(np.zeros((5, 2, 2**17)))]
    [2, 2, 1]
    """
    slices = row_slices(X)
    ends = None if lengths is None else checked_lengths(lengths, X.shape[0], X.shape[1])
    return (UncheckedBatch(X[rows], None if ends is None else ends[rows]) for rows in slices)


def row_slices(X: Any) -> Iterator[slice]:
    """Cut the rows of an array into slices of about half a million values.

    Parameters
    ----------
    X : array of shape (n_samples, n_timesteps, ...)
        Of any kind. Its values are not read.

    Raises
    ------
    ValueError
        For an array that has no rows or an unknown number of them, and for one of fewer than two dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> list(row_slices(np.zeros((3, 2, 2**17))))
    [slice(0, 2, None), slice(2, 3, None)]
    """
    if any(math.isnan(size) for size in X.shape):
        raise ValueError(
            f"Got X= of unknown shape {X.shape}, expected a known one. Call X.compute_chunk_sizes() first."
        )
    if not X.shape or X.shape[0] == 0:
        raise ValueError(f"Got X= of shape {X.shape}, expected at least one sequence. Check how it was selected.")
    if len(X.shape) < 2:
        raise ValueError(f"Got X= of shape {X.shape}, expected (n_samples, n_timesteps, n_features). Pass X[:].")
    return chunks(X.shape[0], math.prod(X.shape[1:]))


def _as_batch(item: Any, ndim: int) -> Any:
    """Return the item of a data loader as a batch of sequences, or refuse it."""
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


def _count_dimensions(values: Any) -> int:
    if isinstance(values, (list, tuple)):
        return 1 + (_count_dimensions(values[0]) if values else 0)
    return np.ndim(values)


def check_read_twice(X: SequencesLike) -> None:
    """Refuse an iterator, which `fit` would use up before `transform` reads it.

    Raises
    ------
    ValueError
        For an iterator.

    Examples
    --------
    >>> check_read_twice([[1.0, 2.0]])
    """
    if isinstance(X, Iterator):
        raise ValueError(
            f"Got a {type(X).__name__}, which can be read only once, expected batches that can be read twice, by "
            f"fit and by transform. Pass what makes a new iterator each time, or call the two with one each."
        )


@contextmanager
def spooled(batches: Iterable[UncheckedBatch], estimator: object = None) -> Iterator[Sequences]:
    """Write batches to a temporary file, so that training can read the sequences again and again in any order.

    The file is as large as the data and lies in the folder that `tempfile` uses, which the variable TMPDIR chooses. It
    is removed when the context ends, also after an error.

    Parameters
    ----------
    batches : iterable of UncheckedBatch
        Each as `seqembed.sequences.collection.check_sequences` takes it, all of one layout and of the same features.
    estimator : object, default=None
        The estimator that asks, named in errors.

    Yields
    ------
    sequences : Sequences
        All of them, memory-mapped, in the dtype that holds the values of every batch, at least float32.

    Raises
    ------
    ValueError
        For no batch at all, and for a batch that doesn't fit the first.
    OSError
        If the folder is full.

    Examples
    --------
    >>> import numpy as np
    >>> with spooled(UncheckedBatch(np.full((2, 3, 1), k)) for k in range(4)) as sequences:
    ...     print(len(sequences), sequences.n_timesteps)
    8 3
    """
    first: Sequences | None = None
    lengths, complete, n_read = [], True, 0
    # A buffer would keep bytes that a full disk refuses, and refuse them again when the file is closed.
    with tempfile.TemporaryFile(buffering=0) as file:
        for number, batch in enumerate(batches):
            checked = check_sequences(batch.values, batch.lengths, estimator=estimator, first=n_read)
            if first is None:
                first, dtype = checked, checked.dtype
            _check_like_first(checked, first, number)
            wider = np.result_type(dtype, checked.dtype)
            if wider != dtype:
                _widen(file, dtype, wider)
                dtype = wider
            for rows in checked.chunks():
                _append(checked.timesteps(rows).astype(dtype, copy=False), file)
            lengths.append(checked.lengths)
            n_read += len(checked)
            complete = complete and checked.complete
        if first is None:
            raise ValueError(NO_BATCH)
        ends = np.concatenate(lengths)
        timesteps = np.memmap(file, dtype, "r", shape=(int(ends.sum()), first.n_features))
        values: np.ndarray | list[np.ndarray]
        if (ends == ends[0]).all():
            values = timesteps.reshape(len(ends), ends[0], first.n_features)
        else:
            values = np.split(timesteps, np.cumsum(ends[:-1]))
        yield replace(first, values=values, lengths=ends, complete=complete)


def _widen(file: IO[bytes], dtype: np.dtype, wider: np.dtype) -> None:
    """Rewrite the values of a file in a wider dtype, in place."""
    n_values = file.tell() // dtype.itemsize
    # From the end, so that no value is overwritten before it was read.
    for part in reversed(list(chunks(n_values, 1))):
        file.seek(part.start * dtype.itemsize)
        values = np.fromfile(file, dtype, part.stop - part.start)
        file.seek(part.start * wider.itemsize)
        _append(values.astype(wider), file)
    file.seek(n_values * wider.itemsize)


def _append(timesteps: np.ndarray, file: IO[bytes]) -> None:
    # ndarray.tofile says nothing of few values that a full disk refuses.
    rest = np.ascontiguousarray(timesteps).data.cast("B")
    try:
        while len(rest):
            rest = rest[file.write(rest) :]
    except OSError as error:
        message = (
            f"{error.strerror}, expected room for all batches in a temporary file, which got {file.tell():,} bytes: "
            f"set the variable TMPDIR to a larger folder than"
        )
        raise OSError(error.errno, message, tempfile.gettempdir()) from error


def _check_like_first(checked: Sequences, first: Sequences, number: int) -> None:
    """Refuse a batch that has other axes, features or columns than the first."""
    if (checked.ndim, checked.n_features) != (first.ndim, first.n_features):
        raise ValueError(
            f"Batch {number} holds sequences of {counted(checked.n_features, 'feature')} in {checked.ndim} "
            f"dimensions, but batch 0 holds {counted(first.n_features, 'feature')} in {first.ndim}. Give each "
            f"batch the axes and the features of the first."
        )
    if checked.names != first.names:
        names, first_names = (None if each is None else list(each) for each in (checked.names, first.names))
        raise ValueError(
            f"Batch {number} holds data frames with the columns {names}, but those of batch 0 have "
            f"{first_names}: expected the same columns in the same order. Select them: frame[columns]."
        )
