"""Rows of a collection: their numbers, their order, and slices for a pass over all of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.utils import gen_batches

# Values read at once in a pass over all the data: enough for fast arithmetic, and only a few megabytes.
_CHUNK = 2**19


def chunks(n_samples: int, values_per_sample: int) -> Iterator[slice]:
    """Cut a collection into slices of rows, each of about half a million values.

    Examples
    --------
    >>> [rows.stop for rows in chunks(5, values_per_sample=2**18)]
    [2, 4, 5]
    """
    slices: Iterator[slice] = gen_batches(n_samples, max(1, _CHUNK // max(1, values_per_sample)))
    return slices


def rows_by_length(lengths: np.ndarray) -> np.ndarray:
    """Sort rows by the length of their sequences, so that batches of neighbours need little padding.

    Examples
    --------
    >>> import numpy as np
    >>> rows_by_length(np.array([5, 2, 5, 1]))
    array([3, 1, 0, 2])
    """
    return np.argsort(lengths, kind="stable")


def row_numbers(rows: slice | np.ndarray, n_samples: int) -> range | np.ndarray:
    """Return the numbers of the rows of a batch, at a cost that does not grow with `n_samples`.

    Examples
    --------
    >>> list(row_numbers(slice(1, 3), n_samples=10))
    [1, 2]
    """
    return range(n_samples)[rows] if isinstance(rows, slice) else rows
