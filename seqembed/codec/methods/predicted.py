"""Residuals of predictions, coded by their probabilities.

A codec has a method of this kind for each residual model that it has learned.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Protocol

import numpy as np

from seqembed.codec.bytes.base128 import pack_part, unpack_part
from seqembed.codec.bytes.exact_values import encode_exact_values, replace_exact_values
from seqembed.codec.bytes.range_coder import ResidualDecoder, ResidualEncoder
from seqembed.codec.bytes.symbols import LARGEST_RESIDUAL
from seqembed.codec.methods.block import Block, BlockShape
from seqembed.codec.methods.method import Method
from seqembed.codec.model.contexts import exchange_with_contexts
from seqembed.codec.model.lattice import Lattice, nearest_bins
from seqembed.codec.model.pieces import Pieces, cut_into_pieces
from seqembed.codec.model.predictors import ResidualExchange, run_predictor
from seqembed.codec.model.quantised_autoencoder import QuantisedAutoencoder
from seqembed.codec.model.residual_model import ResidualModel
from seqembed.codec.model.tables import Tables

# The number of the method of the first residual model. The second one has the next number, and so on. Lower numbers are
# for the methods that all codecs have.
FIRST_NUMBER = 64
# Kinds of these methods in a report: a prediction with a reconstruction, and one without.
RECONSTRUCTED, PREDICTED = "reconstructed", "predicted"


def prediction_methods(models: list[ResidualModel], autoencoder: QuantisedAutoencoder | None) -> list[Method]:
    """Return the method of each residual model of a codec.

    Parameters
    ----------
    models : list of ResidualModel
        In the order of their numbers.
    autoencoder : QuantisedAutoencoder or None
        For models that need reconstructions.
    """
    return [
        Method(
            number,
            RECONSTRUCTED if model.predictor.needs_reconstruction() else PREDICTED,
            partial(_may_win, model),
            partial(encode, model),
            partial(decode, model, autoencoder),
        )
        for number, model in enumerate(models, FIRST_NUMBER)
    ]


def _may_win(model: ResidualModel, block: Block, n_bytes: float) -> bool:
    return block.values.size > 0 and (block.can_be_embedded or not model.predictor.needs_reconstruction())


def encode(model: ResidualModel, block: Block) -> bytes:
    """Encode a block by a residual model."""
    start, reconstruction = b"", None
    if model.predictor.needs_reconstruction():
        embeddings, joined = block.embeddings
        start, reconstruction = pack_part(embeddings), block.pieces.padded(joined)
    integers, fits = (block.pieces.padded(joined) for joined in block.integers)
    writer = _ResidualWriter(integers, fits, block.lattice.bin_widths)
    decoded = _run(model, block.lattice, block.pieces, writer, reconstruction)
    values = block.lattice.values(decoded, block.values.dtype)
    exact_values = encode_exact_values(block.values, values, block.lattice.bound)
    return start + pack_part(writer.finish()) + exact_values


def decode(
    model: ResidualModel, autoencoder: QuantisedAutoencoder | None, data: bytes, shape: BlockShape
) -> np.ndarray:
    """Undo `encode`."""
    pieces, reconstruction = cut_into_pieces(shape.lengths), None
    if model.predictor.needs_reconstruction():
        assert autoencoder is not None
        packed, data = unpack_part(data)
        embeddings = autoencoder.coder.decode_integers(packed, len(shape.lengths))
        joined = autoencoder.reconstruct_on_lattice(embeddings, shape.lengths, shape.lattice)
        reconstruction = pieces.padded(joined)
    residuals, exact_values = unpack_part(data)
    reader = _ResidualReader(residuals, shape.n_values)
    decoded = _run(model, shape.lattice, pieces, reader, reconstruction)
    return replace_exact_values(exact_values, shape.lattice.values(decoded, shape.dtype))


class _ResidualCoder(Protocol):
    """Codes the residuals of predictions at a timestep: an encoder writes them, a decoder reads them.

    Predictions and scales have the shape (n_active,) for one feature, or (n_active, n_features).
    """

    def code_with_tables(
        self, models: list[Any], t: int, features: slice, predicted: np.ndarray, scales: np.ndarray
    ) -> np.ndarray:
        """Return residuals in bins, by the models of tables."""

    def code_with_network(
        self, frequencies: Iterator[np.ndarray], t: int, feature: int, predicted: np.ndarray, scales: np.ndarray
    ) -> np.ndarray:
        """Return residuals in bins, by the probabilities that a network predicts for each."""


class _ResidualWriter:
    """Computes residuals from the integers of the values, and writes them."""

    def __init__(self, integers: np.ndarray, fits: np.ndarray, bin_widths: np.ndarray) -> None:
        self._integers, self._fits, self._bin_widths = integers, fits, bin_widths
        self._encoder = ResidualEncoder()

    def code_with_tables(
        self, models: list[Any], t: int, features: slice, predicted: np.ndarray, scales: np.ndarray
    ) -> np.ndarray:
        residuals = self._residuals(t, features, predicted)
        self._encoder.write(models, residuals.ravel(), scales.ravel())
        return residuals

    def code_with_network(
        self, frequencies: Iterator[np.ndarray], t: int, feature: int, predicted: np.ndarray, scales: np.ndarray
    ) -> np.ndarray:
        residuals = self._residuals(t, feature, predicted)
        self._encoder.write_with_frequencies(frequencies, residuals, scales)
        return residuals

    def _residuals(self, t: int, features: slice | int, predicted: np.ndarray) -> np.ndarray:
        part = slice(len(predicted)), t, features
        residuals = nearest_bins(self._integers[part] - predicted, self._bin_widths[features])
        # A value without an integer, or too far from its prediction, gets the residual 0, and is stored exactly.
        residuals[~self._fits[part] | (np.abs(residuals) >= LARGEST_RESIDUAL)] = 0
        return residuals

    def finish(self) -> bytes:
        return self._encoder.finish()


class _ResidualReader:
    """Reads residuals."""

    def __init__(self, data: bytes, n_values: int) -> None:
        self._decoder = ResidualDecoder(data, n_values)

    def code_with_tables(
        self, models: list[Any], t: int, features: slice, predicted: np.ndarray, scales: np.ndarray
    ) -> np.ndarray:
        return self._decoder.read(models, scales.ravel()).reshape(predicted.shape)

    def code_with_network(
        self, frequencies: Iterator[np.ndarray], t: int, feature: int, predicted: np.ndarray, scales: np.ndarray
    ) -> np.ndarray:
        return self._decoder.read_with_frequencies(frequencies, scales)


def _run(
    model: ResidualModel, lattice: Lattice, pieces: Pieces, coder: _ResidualCoder, reconstruction: np.ndarray | None
) -> np.ndarray:
    """Run a predictor, code its residuals, and return the decoded integers of all timesteps."""
    has_tables = isinstance(model.distribution, Tables)
    decoded = run_predictor(
        model.predictor,
        lattice.bin_widths,
        pieces.lengths,
        _exchange(model, lattice.bin_widths, len(pieces.lengths), coder),
        reconstruction=reconstruction,
        one_by_one=not has_tables,
    )
    return pieces.joined(decoded)


def _exchange(model: ResidualModel, bin_widths: np.ndarray, n_pieces: int, coder: _ResidualCoder) -> ResidualExchange:
    if isinstance(model.distribution, Tables):
        return partial(coder.code_with_tables, model.distribution.models())
    frequencies = model.distribution.frequencies()

    def exchange(t: int, feature: int, predicted: np.ndarray, scales: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        return coder.code_with_network(frequencies(inputs, feature), t, feature, predicted, scales)

    return exchange_with_contexts(bin_widths, n_pieces, exchange)
