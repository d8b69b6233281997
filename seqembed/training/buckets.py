"""Buckets of sequences of similar length, which are cut into batches of one shape."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from seqembed.sequences.rows import rows_by_length

# More buckets need less padding but more compilations.
_MOST_BUCKETS = 4


class Bucket(NamedTuple):
    """Rows of similar length, which are padded to one length and cut into batches of one size.

    Parameters
    ----------
    rows : int array
        The rows.
    n_timesteps : int
        Length of the longest of their sequences, rounded up to whole patches.
    n_batches : int
        Number of batches that the rows are cut into.
    """

    rows: np.ndarray
    n_timesteps: int
    n_batches: int

    @property
    def batch_size(self) -> int:
        """Number of sequences of the largest batch."""
        return math.ceil(len(self.rows) / self.n_batches)


def buckets_by_length(rows: np.ndarray, lengths: np.ndarray, batch_size: int) -> list[Bucket]:
    """Divide rows into buckets of similar length, so that short sequences need little padding.

    There are at most four buckets, since each needs a compilation.

    Parameters
    ----------
    rows : int array
        Rows to divide.
    lengths : int array of shape (n_samples,)
        Length of each sequence, also of those that are not in `rows`.
    batch_size : int
        Largest number of sequences in a batch.

    Returns
    -------
    buckets : list of Bucket
        From the shortest sequences to the longest.

    Examples
    --------
    >>> import numpy as np
    >>> lengths = np.array([9, 2, 9, 1])
    >>> [(bucket.rows.tolist(), bucket.n_timesteps) for bucket in buckets_by_length(np.arange(4), lengths, 1)]
    [([1, 3], 2), ([0, 2], 9)]
    """
    n_distinct = len(np.unique(lengths[rows]))
    n_buckets = max(1, min(_MOST_BUCKETS, n_distinct, len(rows) // (2 * batch_size)))
    parts = np.array_split(rows[rows_by_length(lengths[rows])], n_buckets)
    return [Bucket(np.sort(part), int(lengths[part].max()), math.ceil(len(part) / batch_size)) for part in parts]


def cut_into(buckets: list[Bucket], n_batches: int) -> list[Bucket]:
    """Cut buckets into more batches.

    Parameters
    ----------
    buckets : list of Bucket
        Buckets with at most `n_batches` batches together.
    n_batches : int
        Number of batches afterwards.

    Returns
    -------
    buckets : list of Bucket
        The same rows in `n_batches` batches. Some batches are empty if there are too few rows.

    Examples
    --------
    >>> import numpy as np
    >>> buckets = buckets_by_length(np.arange(6), np.full(6, 7), batch_size=4)
    >>> [(bucket.n_batches, bucket.batch_size) for bucket in cut_into(buckets, n_batches=3)]
    [(3, 2)]
    """
    buckets = list(buckets)
    for _ in range(n_batches - sum(bucket.n_batches for bucket in buckets)):
        number = max(range(len(buckets)), key=lambda number: buckets[number].batch_size)
        buckets[number] = buckets[number]._replace(n_batches=buckets[number].n_batches + 1)
    return buckets


def shuffled_batches(buckets: list[Bucket], random: np.random.Generator) -> Iterator[tuple[int, np.ndarray]]:
    """Yield batches in random order.

    Parameters
    ----------
    buckets : list of Bucket
        The rows.
    random : numpy.random.Generator
        Shuffles the rows within their buckets, and the batches.

    Yields
    ------
    number : int
        Number of a bucket.
    rows : int array
        Rows of a batch of this bucket.

    Examples
    --------
    >>> import numpy as np
    >>> buckets = buckets_by_length(np.arange(5), np.full(5, 7), batch_size=2)
    >>> [len(rows) for _, rows in shuffled_batches(buckets, np.random.default_rng(0))]
    [2, 2, 1]
    """
    batches = [
        (number, chosen)
        for number, bucket in enumerate(buckets)
        for chosen in np.array_split(random.permutation(bucket.rows), bucket.n_batches)
    ]
    for position in random.permutation(len(batches)) if len(buckets) > 1 else range(len(batches)):
        yield batches[position]
