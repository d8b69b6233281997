"""Pieces: parts of sequences that are predicted side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

# With fewer pieces than this, the loop over timesteps takes longer than the arithmetic in it.
_FEWEST_PIECES = 64
# Timesteps. Shorter sequences are not cut to have more pieces: each piece starts without a past, which costs bits.
_SHORTEST_LIMIT = 512
# Pieces are padded to the longest one. They then take at most this many times the memory of their values.
_MOST_PADDING = 4


class Pieces(NamedTuple):
    """Parts of sequences, of similar length.

    Parameters
    ----------
    starts : int array of shape (n_pieces,)
        Position of the start of each piece among the timesteps of all sequences.
    lengths : int array of shape (n_pieces,)
        Timesteps of each piece, the longest first.
    """

    starts: np.ndarray
    lengths: np.ndarray

    def places(self) -> Iterator[tuple[int, slice, slice]]:
        """Yield the number of each piece, its part of a row of the padded array, and its part of all timesteps."""
        for piece, (start, length) in enumerate(zip(self.starts.tolist(), self.lengths.tolist(), strict=True)):
            yield piece, slice(length), slice(start, start + length)

    def padded(self, joined: np.ndarray) -> np.ndarray:
        """Put pieces side by side, with 0 after their ends.

        Parameters
        ----------
        joined : array of shape (n_timesteps of all sequences, n_features)
            One sequence after the other.

        Returns
        -------
        padded : array of shape (n_pieces, n_timesteps, n_features)
            A view of `joined` if all pieces are sequences of the same length.
        """
        n_timesteps = int(self.lengths[0]) if len(self.lengths) else 0
        if (self.lengths == n_timesteps).all() and (np.diff(self.starts) == n_timesteps).all():
            return joined.reshape(len(self.lengths), n_timesteps, joined.shape[1])
        padded = np.zeros((len(self.lengths), n_timesteps, joined.shape[1]), joined.dtype)
        for piece, inside, part in self.places():
            padded[piece, inside] = joined[part]
        return padded

    def joined(self, padded: np.ndarray) -> np.ndarray:
        """Undo `padded`."""
        joined = np.empty((int(self.lengths.sum()), padded.shape[2]), padded.dtype)
        for piece, inside, part in self.places():
            joined[part] = padded[piece, inside]
        return joined


def cut_into_pieces(lengths: np.ndarray) -> Pieces:
    """Cut long sequences, so that there are enough pieces, and sort the pieces by length.

    Parameters
    ----------
    lengths : int array of shape (n_samples,)
        Timesteps of each sequence.

    Examples
    --------
    >>> import numpy as np
    >>> cut_into_pieces(np.array([2, 5]))
    Pieces(starts=array([2, 0]), lengths=array([5, 2]))
    """
    total = int(lengths.sum())
    limit = max(_SHORTEST_LIMIT, -(-total // _FEWEST_PIECES))
    counts = -(-lengths // limit)
    # The padding of many short sequences beside a long one would take too much memory.
    while limit > 1 and int(counts.sum()) * min(limit, int(lengths.max(initial=0))) > _MOST_PADDING * total:
        limit //= 2
        counts = -(-lengths // limit)
    starts, piece_lengths, start = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    for length, count in zip(lengths.tolist(), counts.tolist(), strict=True):
        if count:
            size = -(-length // count)
            offsets = np.arange(0, length, size)
            starts.append(start + offsets)
            piece_lengths.append(np.minimum(size, length - offsets))
        start += length
    all_starts, all_lengths = np.concatenate(starts), np.concatenate(piece_lengths)
    order = np.argsort(-all_lengths, kind="stable")
    return Pieces(all_starts[order], all_lengths[order])
