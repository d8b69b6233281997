"""Reconstructions from embeddings of few bits, which predictors may use under a bound."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqembed.codec.embedding_coder import EmbeddingCoder
from seqembed.codec.lattice import Lattice
from seqembed.codec.whole_decoder import WholeDecoder

# The mean and the axes of embeddings have 24 fractional bits, embeddings 12.
_AXIS_BITS, _EMBEDDING_BITS = 24, 12
_LARGEST_EMBEDDING = 1 << 10
# Sequences of similar lengths that are reconstructed at once, and how many timesteps they may have.
_BATCH, _TIMESTEPS_OF_BATCH = 128, 1 << 17


class Reconstructor(NamedTuple):
    """An encoder that rounds embeddings to few bits, and a decoder in whole numbers.

    Parameters
    ----------
    coder : EmbeddingCoder
        How embeddings become bytes. Only encoding needs its estimator.
    decoder : WholeDecoder
        What sequences are reconstructed by, the same on every machine.
    """

    coder: EmbeddingCoder
    decoder: WholeDecoder

    def numbers(self) -> list[np.ndarray]:
        """All numbers that decoding depends on."""
        decoder = self.decoder
        return [
            *self.coder.own_numbers(),
            *(numbers for layer in decoder.layers for numbers in layer),
            *(decoder.output_kernel, decoder.output_bias, decoder.center, decoder.scale),
            np.array([decoder.patch_size, decoder.relu], np.int64),
        ]

    def embed(self, sequences: list[np.ndarray]) -> np.ndarray:
        """Return the rounded embeddings of sequences, int64 of shape (n_samples, n_components)."""
        # So that sums are exact. The decoder bounds embeddings to less.
        largest = max(1, int(_LARGEST_EMBEDDING / self.coder.step))
        return np.clip(self.coder.integers(sequences), -largest, largest)

    def on_lattice(self, integers: np.ndarray, lengths: np.ndarray, lattice: Lattice) -> np.ndarray:
        """Return the integers on a lattice of what `reconstruct` returns, 0 where there is none."""
        return lattice.integers(self.reconstruct(integers, lengths))[0]

    def reconstruct(self, integers: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return what rounded embeddings are decoded to.

        Parameters
        ----------
        integers : int64 array of shape (n_samples, n_components)
            From `embed`.
        lengths : int array of shape (n_samples,)
            Timesteps of each sequence.

        Returns
        -------
        joined : float64 array of shape (n_timesteps of all, n_features)
            One sequence after the other.
        """
        unit = 2.0**_AXIS_BITS
        axes, mean = np.rint(self.coder.axes * self.coder.step * unit), np.rint(self.coder.mean * unit)
        embeddings = np.floor((integers.astype(np.float64) @ axes + mean) / 2.0 ** (_AXIS_BITS - _EMBEDDING_BITS))
        joined = np.empty((int(lengths.sum()), len(self.decoder.center)))
        starts, order, first = np.cumsum(lengths) - lengths, np.argsort(-lengths, kind="stable"), 0
        while first < len(order):
            longest = int(lengths[order[first]])
            rows = order[first : first + max(1, min(_BATCH, _TIMESTEPS_OF_BATCH // longest))]
            for row, sequence in zip(rows.tolist(), self.decoder.reconstruct(embeddings[rows], longest), strict=True):
                joined[starts[row] : starts[row] + lengths[row]] = sequence[: lengths[row]]
            first += len(rows)
        return joined
