"""An autoencoder with embeddings of few bits, whose reconstructions help to predict values under a bound."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqembed.codec.model.embedding_coder import EmbeddingCoder
from seqembed.codec.model.fixed_point_decoder import FRACTIONAL_BITS, FixedPointDecoder
from seqembed.codec.model.lattice import Lattice

# The mean and the axes of embeddings have 24 fractional bits.
_AXIS_BITS = 24
# Embeddings are clipped at this size, so that their sums are exact. The decoder clips them at less.
_LARGEST_EMBEDDING = 1 << 10
# Sequences of similar lengths are reconstructed at once: at most this many, with this many timesteps in all.
_MOST_SEQUENCES_AT_ONCE, _MOST_TIMESTEPS_AT_ONCE = 128, 1 << 17


class QuantisedAutoencoder(NamedTuple):
    """An encoder that rounds embeddings to few bits, with a decoder in whole numbers.

    Parameters
    ----------
    coder : EmbeddingCoder
        Converts embeddings to bytes. Only its encoding needs the trained model.
    decoder : FixedPointDecoder
        Reconstructs sequences, the same on all machines.
    """

    coder: EmbeddingCoder
    decoder: FixedPointDecoder

    def numbers(self) -> list[np.ndarray]:
        """Return all numbers that decoding depends on."""
        return [*self.coder.own_numbers(), *self.decoder.numbers()]

    def can_embed(self, sequences: list[np.ndarray]) -> bool:
        """Return whether the trained model is there, and each sequence has timesteps and finite values only."""
        if self.coder.trained is None:
            return False
        return all(len(sequence) > 0 and bool(np.isfinite(sequence).all()) for sequence in sequences)

    def embed(self, sequences: list[np.ndarray]) -> np.ndarray:
        """Return the rounded embeddings of sequences, int64 of shape (n_samples, n_components)."""
        largest = max(1, int(_LARGEST_EMBEDDING / self.coder.step))
        embeddings: np.ndarray = np.clip(self.coder.integers(sequences), -largest, largest)
        return embeddings

    def reconstruct_on_lattice(self, embeddings: np.ndarray, lengths: np.ndarray, lattice: Lattice) -> np.ndarray:
        """Return the integers of `reconstruct` on a lattice, 0 for values that have none."""
        return lattice.integers(self.reconstruct(embeddings, lengths))[0]

    def reconstruct(self, embeddings: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Decode rounded embeddings.

        Parameters
        ----------
        embeddings : int64 array of shape (n_samples, n_components)
            From `embed`.
        lengths : int array of shape (n_samples,)
            Timesteps of each sequence.

        Returns
        -------
        joined : float64 array of shape (n_timesteps of all sequences, n_features)
            One sequence after the other.
        """
        unit = 2.0**_AXIS_BITS
        axes, mean = np.rint(self.coder.axes * self.coder.step * unit), np.rint(self.coder.mean * unit)
        inputs = np.floor((embeddings.astype(np.float64) @ axes + mean) / 2.0 ** (_AXIS_BITS - FRACTIONAL_BITS))
        joined = np.empty((int(lengths.sum()), len(self.decoder.center)))
        starts, order, first = np.cumsum(lengths) - lengths, np.argsort(-lengths, kind="stable"), 0
        while first < len(order):
            longest = int(lengths[order[first]])
            rows = order[first : first + max(1, min(_MOST_SEQUENCES_AT_ONCE, _MOST_TIMESTEPS_AT_ONCE // longest))]
            for row, sequence in zip(rows.tolist(), self.decoder.reconstruct(inputs[rows], longest), strict=True):
                joined[starts[row] : starts[row] + lengths[row]] = sequence[: lengths[row]]
            first += len(rows)
        return joined
