"""The coder without a bound: it codes embeddings in few bits, from which the network decodes sequences."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqembed.codec.bytes.damage import DAMAGE, InvalidStreamError
from seqembed.codec.bytes.lengths import check_lengths, most_values, pack_lengths, sequence_lengths, unpack_lengths
from seqembed.codec.bytes.range_coder import ResidualDecoder, ResidualEncoder
from seqembed.codec.bytes.symbols import LARGEST_RESIDUAL, SCALE_UNITS
from seqembed.codec.model.autoencoder import embed, model_numbers, reconstruct
from seqembed.codec.model.tables import Tables, learn_tables
from seqembed.inference.model import TrainedModel

# The step is searched between these, in standard deviations of the embeddings.
_SMALLEST_STEP, _LARGEST_STEP = 1e-4, 1e2
# Each halving of the interval, on a logarithmic scale, determines another bit of the step.
_N_HALVINGS = 40
# The standard deviation of embeddings that are all the same counts as this.
_SMALLEST_EMBEDDING_DEVIATION = 1e-9


class EmbeddingCoder(NamedTuple):
    """The conversion of embeddings to integers, and of these to bytes.

    Embeddings are rotated to their principal axes, and divided by one step for all axes. So axes of small variance get
    few bits or none, which is reverse water-filling.

    Parameters
    ----------
    trained : TrainedModel or None
        An autoencoder. Without it, integers can still be converted to bytes and back.
    mean : float64 array of shape (n_components,)
        Mean of the training embeddings.
    axes : float64 array of shape (n_components, n_components)
        A principal axis in each row.
    step : float
        Distance of neighbouring integers.
    sizes : int64 array of shape (n_components,)
        Typical size of the integers on each axis, in 64ths.
    tables : Tables
        Probabilities of the integers, by their typical size.

    References
    ----------
    T. M. Cover and J. A. Thomas, "Elements of information theory" (2006), section 10.3.3: reverse water-filling.
    """

    trained: TrainedModel | None
    mean: np.ndarray
    axes: np.ndarray
    step: float
    sizes: np.ndarray
    tables: Tables

    def numbers(self) -> list[np.ndarray]:
        """Return all numbers that decoding depends on."""
        return [*self.own_numbers(), *model_numbers(self._trained_model())]

    def own_numbers(self) -> list[np.ndarray]:
        """Return all numbers that decoding depends on, without those of the network."""
        return [self.mean, self.axes, np.array([self.step]), self.sizes, self.tables.frequencies]

    def count_network_bytes(self) -> int:
        """Count the bytes of the network's numbers as float32."""
        return 4 * sum(numbers.size for numbers in model_numbers(self._trained_model()))

    def encode(self, sequences: list[np.ndarray]) -> bytes:
        """Encode sequences of one dtype."""
        lengths = sequence_lengths(sequences)
        data = pack_lengths(lengths)
        if sequences:
            data += self.encode_integers(self.integers(sequences))
        # A decoder refuses them.
        if lengths.sum() > most_values(data):
            raise ValueError(
                f"Got {lengths.sum()} timesteps for {len(data)} bytes of embeddings, expected at most "
                f"{most_values(data)}. Cut long sequences into shorter ones, or fit with more bits=."
            )
        return data

    def integers(self, sequences: list[np.ndarray]) -> np.ndarray:
        """Embed and round sequences, to an int64 array of shape (n_samples, n_components)."""
        return self.rounded(embed(self._trained_model(), sequences))

    def rounded(self, embeddings: np.ndarray) -> np.ndarray:
        """Rotate and round embeddings, to an int64 array of their shape."""
        return _rounded_embeddings(embeddings, self.mean, self.axes, self.step)

    def unrounded(self, integers: np.ndarray) -> np.ndarray:
        """Return the embeddings that integers stand for."""
        embeddings: np.ndarray = self.mean + (integers * self.step) @ self.axes
        return embeddings

    def count_bits(self, integers: np.ndarray) -> float:
        """Count the bits that rounded embeddings need in theory."""
        return self.tables.count_bits(integers.ravel(), np.tile(self.sizes, len(integers)))

    def encode_integers(self, integers: np.ndarray) -> bytes:
        """Encode rounded embeddings."""
        encoder = ResidualEncoder()
        encoder.write(self.tables.models(), integers.ravel(), np.tile(self.sizes, len(integers)))
        return encoder.finish()

    def decode_integers(self, data: bytes, n_samples: int) -> np.ndarray:
        """Undo `encode_integers`."""
        decoder = ResidualDecoder(data, n_samples * len(self.mean))
        return decoder.read(self.tables.models(), np.tile(self.sizes, n_samples)).reshape(n_samples, -1)

    def decode(self, data: bytes, dtype: npt.DTypeLike) -> list[np.ndarray]:
        """Undo `encode`: return what the network decodes from the rounded embeddings.

        Raises
        ------
        InvalidStreamError
            For other bytes.
        """
        lengths, place = unpack_lengths(data)
        check_lengths(lengths, self._trained_model().layout.n_features)
        if not len(lengths) or lengths.min() < 1:
            if lengths.any():
                raise InvalidStreamError("Got a damaged block: it has sequences without timesteps.")
            return []
        try:
            integers = self.decode_integers(data[place:], len(lengths))
        except DAMAGE as error:
            raise InvalidStreamError(f"Got a damaged block: {error}") from error
        sequences = reconstruct(self._trained_model(), self.unrounded(integers), lengths)
        return [sequence.astype(dtype) for sequence in sequences]

    def _trained_model(self) -> TrainedModel:
        assert self.trained is not None
        return self.trained


def learn_embedding_coder(trained: TrainedModel, sequences: list[np.ndarray], bits: float) -> EmbeddingCoder:
    """Learn axes, step and tables from typical sequences.

    Parameters
    ----------
    trained : TrainedModel
        An autoencoder, fitted on such sequences.
    sequences : list of arrays of shape (n_timesteps, n_features)
        Typical sequences.
    bits : float
        Mean number of bits of a sequence.
    """
    return learn_rounding(embed(trained, sequences), bits)._replace(trained=trained)


def learn_rounding(embeddings: np.ndarray, bits: float) -> EmbeddingCoder:
    """Learn axes, step and tables from vectors, whatever made them.

    Parameters
    ----------
    embeddings : float64 array of shape (n_samples, n_components)
        Typical vectors.
    bits : float
        Mean number of bits of a vector.

    Returns
    -------
    coder : EmbeddingCoder
        Without a model: it converts vectors to integers, these to bytes, and back.

    Examples
    --------
    >>> vectors = np.random.default_rng(0).normal(size=(500, 2)) * [10, 1]
    >>> coder = learn_rounding(vectors, bits=6)
    >>> data = coder.encode_integers(coder.rounded(vectors))
    >>> decoded = coder.unrounded(coder.decode_integers(data, 500))
    >>> 5 < 8 * len(data) / 500 < 7, bool(np.abs(decoded - vectors).max() <= coder.step)
    (True, True)
    """
    mean = embeddings.mean(axis=0)
    _, columns = np.linalg.eigh((embeddings - mean).T @ (embeddings - mean))
    axes = columns.T[::-1].copy()
    # The sign of an eigenvector is arbitrary: the largest entry of each axis is made positive, on all machines.
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, np.newaxis]
    deviation = max(float(embeddings.std()), _SMALLEST_EMBEDDING_DEVIATION)
    low, high = deviation * _SMALLEST_STEP, deviation * _LARGEST_STEP
    for _ in range(_N_HALVINGS):
        step = float(np.sqrt(low * high))
        integers = _rounded_embeddings(embeddings, mean, axes, step)
        coder = _coder_with_step(integers, mean, axes, step)
        needed = coder.count_bits(integers) / len(embeddings)
        low, high = (step, high) if needed > bits else (low, step)
    return coder


def _coder_with_step(integers: np.ndarray, mean: np.ndarray, axes: np.ndarray, step: float) -> EmbeddingCoder:
    sizes = np.maximum(1, np.rint(SCALE_UNITS * np.abs(integers).mean(axis=0))).astype(np.int64)
    tables = learn_tables(integers.ravel(), np.tile(sizes, len(integers)))
    return EmbeddingCoder(None, mean, axes, step, sizes, tables)


def _rounded_embeddings(embeddings: np.ndarray, mean: np.ndarray, axes: np.ndarray, step: float) -> np.ndarray:
    steps = np.nan_to_num(np.rint((embeddings - mean) @ axes.T / step))
    integers: np.ndarray = np.clip(steps, -LARGEST_RESIDUAL, LARGEST_RESIDUAL).astype(np.int64)
    return integers
