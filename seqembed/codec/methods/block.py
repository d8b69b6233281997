"""Blocks as the methods see them: sequences to encode, or the shape of sequences to decode."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from seqembed.codec.bytes.lengths import sequence_lengths
from seqembed.codec.model.lattice import Lattice
from seqembed.codec.model.pieces import Pieces, cut_into_pieces
from seqembed.codec.model.quantised_autoencoder import QuantisedAutoencoder


class Block:
    """The sequences of a block, and intermediate results that methods share. Each is computed once.

    Parameters
    ----------
    sequences : list of arrays of shape (n_timesteps, n_features)
        Sequences of one dtype.
    lattice : Lattice
        Their lattice.
    tries_bins : bool, default=False
        Whether bins may need the fewest bytes.
    autoencoder : QuantisedAutoencoder or None, default=None
        For methods that predict from reconstructions.

    Attributes
    ----------
    values : array of shape (n_timesteps of all sequences, n_features)
        One sequence after the other.
    lengths : int64 array of shape (n_sequences,)
        Timesteps of each sequence.
    """

    def __init__(
        self,
        sequences: list[np.ndarray],
        lattice: Lattice,
        *,
        tries_bins: bool = False,
        autoencoder: QuantisedAutoencoder | None = None,
    ) -> None:
        self.sequences, self.lattice = sequences, lattice
        self.tries_bins, self.autoencoder = tries_bins, autoencoder
        self.values = np.concatenate(sequences) if sequences else np.empty((0, 1), np.float32)
        self.lengths = sequence_lengths(sequences)

    def every(self, step: int) -> Block:
        """Return a block of every `step`-th sequence."""
        return Block(self.sequences[::step], self.lattice, tries_bins=self.tries_bins, autoencoder=self.autoencoder)

    @cached_property
    def pieces(self) -> Pieces:
        """The pieces that predictors run on."""
        return cut_into_pieces(self.lengths)

    @cached_property
    def integers(self) -> tuple[np.ndarray, np.ndarray]:
        """The integers of the values, and which values have one, see `seqembed.codec.model.lattice.Lattice`."""
        return self.lattice.integers(self.values)

    @cached_property
    def can_be_embedded(self) -> bool:
        """Whether all sequences have embeddings."""
        return self.autoencoder is not None and self.autoencoder.can_embed(self.sequences)

    @cached_property
    def embeddings(self) -> tuple[bytes, np.ndarray]:
        """The bytes of the rounded embeddings, and the reconstruction from them as integers of the lattice."""
        assert self.autoencoder is not None
        embeddings = self.autoencoder.embed(self.sequences)
        reconstruction = self.autoencoder.reconstruct_on_lattice(embeddings, self.lengths, self.lattice)
        return self.autoencoder.coder.encode_integers(embeddings), reconstruction


class BlockShape(NamedTuple):
    """The facts about a block that a decoder knows before it reads the content.

    Parameters
    ----------
    lengths : int64 array of shape (n_sequences,)
        Timesteps of each sequence.
    dtype : dtype
        Dtype of the values.
    lattice : Lattice
        The lattice of the values.
    """

    lengths: np.ndarray
    dtype: np.dtype
    lattice: Lattice

    @property
    def n_timesteps(self) -> int:
        """Timesteps of all sequences."""
        return int(self.lengths.sum())

    @property
    def n_features(self) -> int:
        """Features of a sequence."""
        return len(self.lattice.unit)

    @property
    def n_values(self) -> int:
        """Values of all sequences."""
        return self.n_timesteps * self.n_features
