"""Rows: sequences, or pieces of them, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

# Fewer rows than this leave a processor idle between two timesteps: long sequences are cut into pieces.
_ROWS = 64
_SHORTEST_PIECE = 512
# Rows side by side take at most so many times the memory of their values.
_MOST_PADDING = 4


class Rows(NamedTuple):
    """Sequences, or pieces of them, of similar length side by side.

    Parameters
    ----------
    starts : int array of shape (n_rows,)
        Where each begins among all timesteps.
    lengths : int array of shape (n_rows,)
        Timesteps of each, the longest first.
    """

    starts: np.ndarray
    lengths: np.ndarray

    def places(self) -> Iterator[tuple[int, slice, slice]]:
        """Yield the number of each row, its part of the padded array, and its part of all timesteps."""
        for row, (start, length) in enumerate(zip(self.starts.tolist(), self.lengths.tolist(), strict=True)):
            yield row, slice(length), slice(start, start + length)

    def padded(self, joined: np.ndarray) -> np.ndarray:
        """Put rows of (n_timesteps, n_features) side by side, with 0 after their ends."""
        n_timesteps = int(self.lengths[0]) if len(self.lengths) else 0
        if (self.lengths == n_timesteps).all() and (np.diff(self.starts) == n_timesteps).all():
            return joined.reshape(len(self.lengths), n_timesteps, -1)
        padded = np.zeros((len(self.lengths), n_timesteps, joined.shape[1]), joined.dtype)
        for row, inside, part in self.places():
            padded[row, inside] = joined[part]
        return padded

    def joined(self, padded: np.ndarray) -> np.ndarray:
        """Undo `padded`."""
        joined = np.empty((int(self.lengths.sum()), padded.shape[2]), padded.dtype)
        for row, inside, part in self.places():
            joined[part] = padded[row, inside]
        return joined


def arrange(lengths: np.ndarray) -> Rows:
    """Cut long sequences into pieces, so that there are enough rows, and sort them by length.

    Examples
    --------
    >>> import numpy as np
    >>> arrange(np.array([2, 5]))
    Rows(starts=array([2, 0]), lengths=array([5, 2]))
    """
    total = int(lengths.sum())
    longest = max(_SHORTEST_PIECE, -(-total // _ROWS))
    n_pieces = -(-lengths // longest)
    # A long sequence beside many short ones would make all rows long.
    while longest > 1 and int(n_pieces.sum()) * min(longest, int(lengths.max(initial=0))) > _MOST_PADDING * total:
        longest //= 2
        n_pieces = -(-lengths // longest)
    starts, pieces, start = [], [], 0
    for length, count in zip(lengths.tolist(), n_pieces.tolist(), strict=True):
        if count:
            size = -(-length // count)
            first = np.arange(0, length, size)
            starts.append(start + first)
            pieces.append(np.minimum(size, length - first))
        start += length
    starts, pieces = (np.concatenate(each) if each else np.empty(0, np.int64) for each in (starts, pieces))
    order = np.argsort(-pieces, kind="stable")
    return Rows(starts[order], pieces[order])
