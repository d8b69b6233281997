"""The coder with a bound on every error: what it learns, and how it codes sequences."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqembed.codec.blocks import (
    Method,
    bins_are_short,
    decode_block,
    encode_block,
    kind_of_block,
)
from seqembed.codec.embedding_coder import learn_embedding_coder
from seqembed.codec.embedding_reconstructor import Reconstructor
from seqembed.codec.lattice import Lattice, learn_lattice
from seqembed.codec.lengths import lengths_of
from seqembed.codec.method_search import Aligned, Found, held_out_bits, learn_methods, search_settings
from seqembed.codec.rows import arrange
from seqembed.codec.whole_decoder import learn_whole_decoder

# Values that predictors are learned from, and the timesteps that are left of a sequence at least.
_TRAINING_VALUES, _SHORTEST = 1 << 20, 512
# Every fourth sequence, or the last fourth of each, judges predictors that were learned from the others.
_HELD_OUT = 4
# Bits of an embedding that are tried, and what share of all bits they have to save.
_BITS_OF_EMBEDDING, _LEAST_GAIN = (8, 16, 32, 64, 128), 0.97


class BoundedCoder(NamedTuple):
    """What was learned from typical sequences.

    Parameters
    ----------
    lattice : Lattice
        How values become integers.
    methods : list of Method
        The predictors that a block is tried with.
    tries_bins : bool
        Whether xz of the rounded values came near the predictions on the training sequences, so that it is tried.
    reconstructor : Reconstructor or None, default=None
        For predictors that use a reconstruction.
    """

    lattice: Lattice
    methods: list[Method]
    tries_bins: bool
    reconstructor: Reconstructor | None = None

    def numbers(self) -> list[np.ndarray]:
        """All numbers that decoding depends on."""
        of_methods = [
            each
            for method in self.methods
            for each in (*method.predictor[:-1], np.array([method.predictor.rounds]), *method.distribution)
        ]
        return [*self.lattice, *of_methods, *(self.reconstructor.numbers() if self.reconstructor else [])]

    def encode(self, sequences: list[np.ndarray]) -> bytes:
        """Encode sequences of one dtype."""
        return encode_block(
            sequences, self.lattice, self.methods, tries_bins=self.tries_bins, reconstructor=self.reconstructor
        )

    def decode(self, data: bytes, dtype) -> list[np.ndarray]:
        """Decode what `encode` returned."""
        return decode_block(data, dtype, self.lattice, self.methods, self.reconstructor)

    def kind(self, data: bytes) -> str:
        """Tell how a block is coded, see `seqembed.codec.blocks.kind_of_block`."""
        return kind_of_block(data, self.methods)

    def count_bytes_without_predictors(self, sequences: list[np.ndarray]) -> int:
        """Count the bytes that sequences take by xz and pcodec."""
        return len(encode_block(sequences, self.lattice, [], tries_bins=True))


def learn_bounded_coder(
    sequences: list[np.ndarray], bound: np.ndarray, estimator: object | None = None
) -> BoundedCoder:
    """Learn the lattice, and the methods that need the fewest bits on sequences that they were not learned from.

    Parameters
    ----------
    sequences : list of arrays of shape (n_timesteps, n_features)
        Typical ones.
    bound : float64 array of shape (n_features,)
        Largest error of each feature.
    estimator : LSTMAutoencoder or None, default=None
        A fitted one, whose embeddings are tried.
    """
    sequences = [sequence for sequence in sequences if len(sequence)]
    lattice = learn_lattice(np.concatenate(sequences), bound)
    units_of_bin, training = lattice.units_of_bin, _sample(sequences)
    parts = [_aligned(some, lattice) for some in _divided(training)]
    found = search_settings(*parts, units_of_bin)
    methods = learn_methods(*parts, _aligned(training, lattice), units_of_bin, found.settings)
    tries_bins, reconstructor = bins_are_short(training, lattice, methods[0]), None
    complete = [sequence for sequence in training if np.isfinite(sequence).all()]
    if estimator is not None and len(complete) >= _HELD_OUT:
        reconstructor, with_reconstruction = _with_reconstruction(estimator, complete, lattice, found)
        methods = [*with_reconstruction, *methods]
    return BoundedCoder(lattice, methods, tries_bins, reconstructor)


def _with_reconstruction(
    estimator: object, sequences: list[np.ndarray], lattice: Lattice, found: Found
) -> tuple[Reconstructor | None, list[Method]]:
    """Learn methods that predict from embeddings of few bits too, if that pays."""
    units_of_bin, divided = lattice.units_of_bin, _divided(sequences)
    settings = [each for each in found.settings if each["n_lags"]]
    decoder = learn_whole_decoder(estimator, max(map(len, sequences)))
    most, best = _LEAST_GAIN * found.bits, None
    for bits in _BITS_OF_EMBEDDING if settings else ():
        reconstructor = Reconstructor(learn_embedding_coder(estimator, sequences, bits), decoder)
        parts = [_aligned(some, lattice, reconstructor) for some in divided]
        needed = min(held_out_bits(*parts, units_of_bin, each) for each in settings)
        needed += reconstructor.coder.count_bits(reconstructor.embed(divided[1]))
        if needed < most:
            most, best = needed, reconstructor
    if best is None:
        return None, []
    parts = [_aligned(some, lattice, best) for some in (*divided, sequences)]
    return best, learn_methods(*parts, units_of_bin, settings)


def _aligned(sequences: list[np.ndarray], lattice: Lattice, reconstructor: Reconstructor | None = None) -> Aligned:
    lengths = lengths_of(sequences)
    rows = arrange(lengths)
    integers, _ = lattice.integers(np.concatenate(sequences))
    if reconstructor is None:
        return Aligned(rows.padded(integers), rows.lengths)
    reconstruction = reconstructor.on_lattice(reconstructor.embed(sequences), lengths, lattice)
    return Aligned(rows.padded(integers), rows.lengths, rows.padded(reconstruction))


def _divided(sequences: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Hold back every fourth sequence; of fewer than four, the last fourth of each."""
    if len(sequences) >= _HELD_OUT:
        held_out = sequences[_HELD_OUT - 1 :: _HELD_OUT]
        return [x for row, x in enumerate(sequences, 1) if row % _HELD_OUT], held_out
    ends = [len(sequence) * (_HELD_OUT - 1) // _HELD_OUT for sequence in sequences]
    first = [sequence[:end] for sequence, end in zip(sequences, ends, strict=True)]
    last = [sequence[end:] for sequence, end in zip(sequences, ends, strict=True)]
    return (first, last) if sum(ends) else (sequences, sequences)


def _sample(sequences: list[np.ndarray]) -> list[np.ndarray]:
    """Return sequences spread over all, of about a million values."""
    n_values = sum(sequence.size for sequence in sequences)
    chosen = sequences[:: max(1, n_values // _TRAINING_VALUES)]
    longest = max(1, _TRAINING_VALUES // (len(chosen) * sequences[0].shape[1]))
    # Of the few that are longer than their share, the start.
    return [sequence[: max(longest, _SHORTEST)] for sequence in chosen]
