"""The coder without a bound: embeddings of few bits, which the decoder of the network turns into sequences."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqembed.codec.container import DAMAGE, InvalidStreamError
from seqembed.codec.lengths import lengths_of, pack_lengths, unpack_lengths
from seqembed.codec.predictors import SCALE_UNITS
from seqembed.codec.range_coder import ResidualDecoder, ResidualEncoder, Tables, learn_tables

# Steps between which the one that gives the wanted number of bits is looked for, in deviations of the embedding.
_STEPS = (1e-4, 1e2)
_HALVINGS = 40
_LEAST_SPREAD = 1e-9
# Escapes have 32 bits.
_LARGEST_STEP = 1 << 30


class EmbeddingCoder(NamedTuple):
    """How embeddings become integers: rotated to their principal axes, with one step for all.

    The step is the same for all axes, so that those of small variance get few bits or none (reverse water-filling).

    Parameters
    ----------
    estimator : LSTMAutoencoder
        Fitted.
    mean : float64 array of shape (n_components,)
        Mean of the training embeddings.
    axes : float64 array of shape (n_components, n_components)
        A principal axis in each row.
    step : float
        Distance of neighbouring integers.
    sizes : int64 array of shape (n_components,)
        Typical size of the integers on each axis, in 64ths.
    tables : Tables
        How frequent integers are.

    References
    ----------
    T. M. Cover and J. A. Thomas, "Elements of information theory" (2006), section 10.3.3: reverse water-filling.
    """

    estimator: object
    mean: np.ndarray
    axes: np.ndarray
    step: float
    sizes: np.ndarray
    tables: Tables

    def numbers(self) -> list[np.ndarray]:
        """All numbers that decoding depends on."""
        network, estimator = self.estimator.network_, self.estimator
        settings = (
            network.n_components,
            network.patch_size,
            network.encoded_timesteps or 0,
            network.activation == "relu",
        )
        of_network = np.array(settings, np.int64), estimator.feature_means_, estimator.center_, estimator.scale_
        return [*self.own_numbers(), *of_network, *estimator.weights_.values()]

    def own_numbers(self) -> list[np.ndarray]:
        """Return the same without those of the network."""
        return [self.mean, self.axes, np.array([self.step]), self.sizes, self.tables.frequencies]

    def encode(self, sequences: list[np.ndarray]) -> bytes:
        """Encode sequences of one dtype."""
        start = pack_lengths(lengths_of(sequences))
        return start + self.encode_integers(self.integers(sequences)) if sequences else start

    def integers(self, sequences: list[np.ndarray]) -> np.ndarray:
        """Round the embeddings of sequences, to an int64 array of shape (n_samples, n_components)."""
        return _integers(self.estimator.transform(_as_input(self.estimator, sequences)), self)

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

    def decode(self, data: bytes, dtype) -> list[np.ndarray]:
        """Decode what `encode` returned."""
        lengths, place = unpack_lengths(data)
        if not len(lengths) or lengths.min() < 1:
            if lengths.any():
                raise InvalidStreamError("Got a damaged block with sequences of no timestep.")
            return []
        try:
            integers = self.decode_integers(data[place:], len(lengths))
        except DAMAGE as error:
            raise InvalidStreamError(f"Got a damaged block: {error}") from error
        embeddings = self.mean + (integers * self.step) @ self.axes
        decoded = self.estimator.inverse_transform(embeddings, lengths=lengths)
        return [np.reshape(sequence, (len(sequence), -1)).astype(dtype) for sequence in decoded]


def learn_embedding_coder(estimator: object, sequences: list[np.ndarray], bits: float) -> EmbeddingCoder:
    """Learn axes, step and tables from typical sequences.

    Parameters
    ----------
    estimator : LSTMAutoencoder
        Fitted on such sequences.
    sequences : list of arrays of shape (n_timesteps, n_features)
        Typical ones.
    bits : float
        Mean number of bits of a sequence.
    """
    embeddings = estimator.transform(_as_input(estimator, sequences)).astype(np.float64)
    mean = embeddings.mean(axis=0)
    _, columns = np.linalg.eigh((embeddings - mean).T @ (embeddings - mean))
    axes = columns.T[::-1].copy()
    # The same signs on every machine.
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, np.newaxis]
    spread = max(float(embeddings.std()), _LEAST_SPREAD)
    low, high = (spread * step for step in _STEPS)
    for _ in range(_HALVINGS):
        step = np.sqrt(low * high)
        coder = _with_step(estimator, embeddings, mean, axes, step)
        needed = coder.count_bits(_integers(embeddings, coder)) / len(embeddings)
        low, high = (step, high) if needed > bits else (low, step)
    return coder


def _with_step(estimator: object, embeddings: np.ndarray, mean: np.ndarray, axes: np.ndarray, step: float):
    coder = EmbeddingCoder(estimator, mean, axes, float(step), np.ones(len(mean), np.int64), None)
    integers = _integers(embeddings, coder)
    sizes = np.maximum(1, np.rint(SCALE_UNITS * np.abs(integers).mean(axis=0))).astype(np.int64)
    return coder._replace(sizes=sizes, tables=learn_tables(integers.ravel(), np.tile(sizes, len(integers))))


def _integers(embeddings: np.ndarray, coder: EmbeddingCoder) -> np.ndarray:
    steps = np.nan_to_num(np.rint((embeddings - coder.mean) @ coder.axes.T / coder.step))
    return np.clip(steps, -_LARGEST_STEP, _LARGEST_STEP).astype(np.int64)


def _as_input(estimator: object, sequences: list[np.ndarray]) -> list[np.ndarray]:
    """Return sequences in the layout that the estimator was fitted on."""
    return [sequence[:, 0] for sequence in sequences] if estimator.input_ndim_ == 2 else sequences
