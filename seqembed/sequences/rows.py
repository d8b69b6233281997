"""Rows of a collection: their numbers and their order."""

from __future__ import annotations

import numpy as np


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
