"""Rows of a collection: their numbers, their order, and slices of them."""

from __future__ import annotations

from collections.abc import Iterator

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


def slices_of_rows(n_samples: int, n_rows: int) -> Iterator[slice]:
    """Cut rows into slices of equally many, of which the last may have fewer.

    Examples
    --------
    >>> list(slices_of_rows(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    # Not scikit-learn's gen_batches: its checks of two integers take a twentieth of the time of embedding a sequence.
    return (slice(start, min(start + n_rows, n_samples)) for start in range(0, n_samples, n_rows))
