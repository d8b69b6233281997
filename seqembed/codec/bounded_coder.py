"""The coder with a bound on every error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqembed.codec.blocks import decode_block, encode_block, kind_of_block
from seqembed.codec.bytes.lengths import sequence_lengths
from seqembed.codec.methods import bins_xz, predicted
from seqembed.codec.methods.block import Block
from seqembed.codec.methods.method import Method
from seqembed.codec.model.embedding_coder import learn_embedding_coder
from seqembed.codec.model.fixed_point_decoder import learn_fixed_point_decoder
from seqembed.codec.model.lattice import Lattice, learn_lattice
from seqembed.codec.model.pieces import cut_into_pieces
from seqembed.codec.model.quantised_autoencoder import QuantisedAutoencoder
from seqembed.codec.model.residual_model import ResidualModel
from seqembed.codec.model.search import (
    AlignedPieces,
    SearchResult,
    count_held_out_bits,
    learn_residual_models,
    search_settings,
)
from seqembed.inference.model import TrainedModel

# Values that residual models are learned from.
_MOST_TRAINING_VALUES = 1 << 20
# Timesteps: a sample of long sequences has at least this many of each.
_SHORTEST_SAMPLE = 512
# Every fourth sequence, or the last fourth of each, is held out to compare models that are learned from the others.
_HELD_OUT = 4
# Bits of an embedding that are tried. They are kept if they need at most this share of the bits without embeddings.
_EMBEDDING_BITS, _MOST_BITS_WITH_EMBEDDINGS = (8, 16, 32, 64, 128), 0.97
# xz of the bins is tried if it needs fewer than 1.15 times the bytes of the predictions on the training sequences.
_MOST_BYTES_OF_BINS = 1.15


class BoundedCoder(NamedTuple):
    """The lattice and the residual models of a codec.

    Parameters
    ----------
    lattice : Lattice
        The conversion of values to integers.
    models : list of ResidualModel
        Each is a method that is tried on a block.
    tries_bins : bool
        Whether xz of the bins is tried, too: on the training sequences, it came near the predictions.
    autoencoder : QuantisedAutoencoder or None, default=None
        For models that need a reconstruction.
    """

    lattice: Lattice
    models: list[ResidualModel]
    tries_bins: bool
    autoencoder: QuantisedAutoencoder | None = None

    def numbers(self) -> list[np.ndarray]:
        """Return all numbers that decoding depends on."""
        model_numbers = [numbers for model in self.models for numbers in model.numbers()]
        return [
            *self.lattice.arrays().values(),
            *model_numbers,
            *(self.autoencoder.numbers() if self.autoencoder else []),
        ]

    def encode(self, sequences: list[np.ndarray]) -> bytes:
        """Encode sequences of one dtype."""
        block = Block(sequences, self.lattice, tries_bins=self.tries_bins, autoencoder=self.autoencoder)
        return encode_block(block, self._predictions())

    def decode(self, data: bytes, dtype: npt.DTypeLike) -> list[np.ndarray]:
        """Undo `encode`."""
        return decode_block(data, dtype, self.lattice, self._predictions())

    def kind(self, data: bytes) -> str:
        """Return the kind of the method of a block, see `seqembed.codec.blocks.kind_of_block`."""
        return kind_of_block(data, self._predictions())

    def count_bytes_without_predictors(self, sequences: list[np.ndarray]) -> int:
        """Count the bytes that sequences take by xz and pcodec."""
        return len(encode_block(Block(sequences, self.lattice, tries_bins=True), []))

    def _predictions(self) -> list[Method]:
        return predicted.prediction_methods(self.models, self.autoencoder)


def learn_bounded_coder(
    sequences: list[np.ndarray], bound: np.ndarray, trained: TrainedModel | None = None
) -> BoundedCoder:
    """Learn the lattice, and the residual models that need the fewest bits on held-out sequences.

    Parameters
    ----------
    sequences : list of arrays of shape (n_timesteps, n_features)
        Typical sequences.
    bound : float64 array of shape (n_features,)
        Largest error of each feature.
    trained : TrainedModel or None, default=None
        An autoencoder, whose embeddings are tried.
    """
    sequences = [sequence for sequence in sequences if len(sequence)]
    lattice = learn_lattice(np.concatenate(sequences), bound)
    bin_widths, training = lattice.bin_widths, _sample(sequences)
    first, held_out = (_aligned(part, lattice) for part in _divided(training))
    found = search_settings(first, held_out, bin_widths)
    models = learn_residual_models(first, held_out, _aligned(training, lattice), bin_widths, found.settings)
    tries_bins, autoencoder = _bins_come_near(Block(training, lattice), models[0]), None
    complete = [sequence for sequence in training if np.isfinite(sequence).all()]
    if trained is not None and len(complete) >= _HELD_OUT:
        autoencoder, with_reconstruction = _learn_with_embeddings(trained, complete, lattice, found)
        models = [*with_reconstruction, *models]
    return BoundedCoder(lattice, models, tries_bins, autoencoder)


def _bins_come_near(block: Block, model: ResidualModel) -> bool:
    """Return whether xz of the bins needs hardly more bytes than the predictions of a model."""
    return len(bins_xz.encode(block)) < _MOST_BYTES_OF_BINS * len(predicted.encode(model, block))


def _learn_with_embeddings(
    trained: TrainedModel, sequences: list[np.ndarray], lattice: Lattice, found: SearchResult
) -> tuple[QuantisedAutoencoder | None, list[ResidualModel]]:
    """Learn models that predict from embeddings of few bits, too, if these save enough bits."""
    bin_widths, (first, held_out) = lattice.bin_widths, _divided(sequences)
    settings = [each for each in found.settings if each["n_lags"]]
    decoder = learn_fixed_point_decoder(trained, max(map(len, sequences)))
    fewest, best = _MOST_BITS_WITH_EMBEDDINGS * found.bits, None
    for bits in _EMBEDDING_BITS if settings else ():
        autoencoder = QuantisedAutoencoder(learn_embedding_coder(trained, sequences, bits), decoder)
        pieces, held_out_pieces = (_aligned(part, lattice, autoencoder) for part in (first, held_out))
        needed = min(count_held_out_bits(pieces, held_out_pieces, bin_widths, each) for each in settings)
        needed += autoencoder.coder.count_bits(autoencoder.embed(held_out))
        if needed < fewest:
            fewest, best = needed, autoencoder
    if best is None:
        return None, []
    pieces, held_out_pieces, everything = (_aligned(part, lattice, best) for part in (first, held_out, sequences))
    return best, learn_residual_models(pieces, held_out_pieces, everything, bin_widths, settings)


def _aligned(
    sequences: list[np.ndarray], lattice: Lattice, autoencoder: QuantisedAutoencoder | None = None
) -> AlignedPieces:
    lengths = sequence_lengths(sequences)
    pieces = cut_into_pieces(lengths)
    integers, _ = lattice.integers(np.concatenate(sequences))
    if autoencoder is None:
        return AlignedPieces(pieces.padded(integers), pieces.lengths)
    reconstruction = autoencoder.reconstruct_on_lattice(autoencoder.embed(sequences), lengths, lattice)
    return AlignedPieces(pieces.padded(integers), pieces.lengths, pieces.padded(reconstruction))


def _divided(sequences: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return training sequences and held-out ones: every fourth, or of fewer than four the last fourth of each."""
    if len(sequences) >= _HELD_OUT:
        held_out = sequences[_HELD_OUT - 1 :: _HELD_OUT]
        return [x for row, x in enumerate(sequences, 1) if row % _HELD_OUT], held_out
    ends = [len(sequence) * (_HELD_OUT - 1) // _HELD_OUT for sequence in sequences]
    first = [sequence[:end] for sequence, end in zip(sequences, ends, strict=True)]
    last = [sequence[end:] for sequence, end in zip(sequences, ends, strict=True)]
    return (first, last) if sum(ends) else (sequences, sequences)


def _sample(sequences: list[np.ndarray]) -> list[np.ndarray]:
    """Return sequences spread over all of them, and only the start of long ones: about a million values."""
    n_values = sum(sequence.size for sequence in sequences)
    chosen = sequences[:: max(1, n_values // _MOST_TRAINING_VALUES)]
    longest = max(1, _MOST_TRAINING_VALUES // (len(chosen) * sequences[0].shape[1]))
    return [sequence[: max(longest, _SHORTEST_SAMPLE)] for sequence in chosen]
