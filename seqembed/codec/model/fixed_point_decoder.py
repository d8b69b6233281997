"""The decoder of a network in fixed-point arithmetic: all machines reconstruct the same from an embedding."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from seqembed.codec.model.autoencoder import decoder_weights
from seqembed.codec.model.decimals import fixed_decimal_context
from seqembed.inference.model import TrainedModel

# Embeddings, states and kernels have 12 fractional bits. Their products, and biases, have 24.
FRACTIONAL_BITS = 12
_ONE = 1 << FRACTIONAL_BITS
# States and weights are clipped at 2 ** 20, so that sums of their products stay below 2 ** 53.
_LARGEST_STATE, _LARGEST_WEIGHT = 1 << 20, 1 << 20
# The hyperbolic tangent is in a table, in steps of 1/1024 up to 8, where it is 1 to 12 bits.
_TANH_STEPS_PER_ONE, _LARGEST_TANH_ARGUMENT = 1024, 8


class FixedPointLayer(NamedTuple):
    """An LSTM layer. Gates are in the order i, f, c, o.

    Parameters
    ----------
    kernel, recurrent_kernel : int64 arrays of shape (n_inputs, 4 * units) and (units, 4 * units)
        With 12 fractional bits.
    biases : int64 array of shape (n_steps, 4 * units)
        With 24 fractional bits. The last row is for all later steps.
    """

    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    biases: np.ndarray


class FixedPointDecoder(NamedTuple):
    """The decoder of an LSTM autoencoder.

    Parameters
    ----------
    layers : list of FixedPointLayer
        The first layer reads the embedding at each step.
    output_kernel : int64 array of shape (units, n_values)
        With 12 fractional bits.
    output_bias : int64 array of shape (n_values,)
        With 24 fractional bits.
    center, scale : float64 arrays of shape (n_features,)
        Outputs are multiplied by `scale`; then `center` is added.
    patch_size : int
        Timesteps per step.
    relu : bool
        Whether the activation is relu instead of tanh.
    loadings : int64 array of shape (shortcut_size, n_timesteps, n_features)
        With 12 fractional bits: what the first numbers of an embedding add to the outputs. Without a shortcut, the
        first axis is empty.
    """

    layers: list[FixedPointLayer]
    output_kernel: np.ndarray
    output_bias: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    patch_size: int
    relu: bool
    loadings: np.ndarray

    def numbers(self) -> list[np.ndarray]:
        """Return all numbers that reconstructions depend on."""
        layers = [numbers for layer in self.layers for numbers in layer]
        output = [self.output_kernel, self.output_bias, self.center, self.scale]
        shortcut = [self.loadings] if len(self.loadings) else []
        return [*layers, *output, np.array([self.patch_size, self.relu], np.int64), *shortcut]

    def reconstruct(self, embeddings: np.ndarray, n_timesteps: int) -> np.ndarray:
        """Reconstruct sequences.

        Parameters
        ----------
        embeddings : float64 array of shape (n_samples, n_components)
            Whole numbers, with 12 fractional bits.
        n_timesteps : int
            Length of the reconstructions.

        Returns
        -------
        sequences : float64 array of shape (n_samples, n_timesteps, n_features)
            In the units of the data.
        """
        layers = [FixedPointLayer(*(numbers.astype(np.float64) for numbers in layer)) for layer in self.layers]
        output_kernel = self.output_kernel.astype(np.float64)
        states = [np.zeros((2, len(embeddings), len(layer.recurrent_kernel))) for layer in layers]
        projected = _clipped_states(embeddings) @ layers[0].kernel
        outputs = []
        for step in range(-(-n_timesteps // self.patch_size)):
            for number, (layer, state) in enumerate(zip(layers, states, strict=True)):
                sums = projected if number == 0 else states[number - 1][0] @ layer.kernel
                sums = sums + state[0] @ layer.recurrent_kernel + layer.biases[min(step, len(layer.biases) - 1)]
                _update(state, sums, relu=self.relu)
            outputs.append(states[-1][0] @ output_kernel + self.output_bias)
        values = np.stack(outputs, axis=1).reshape(len(embeddings), -1, len(self.center))[:, :n_timesteps]
        if len(self.loadings):
            n_added = min(n_timesteps, self.loadings.shape[1])
            flat = self.loadings[:, :n_added].astype(np.float64).reshape(len(self.loadings), -1)
            added = _clipped_states(embeddings[:, : len(flat)]) @ flat
            values[:, :n_added] += added.reshape(len(embeddings), n_added, -1)
        values *= 1 / _ONE**2
        values *= self.scale
        sequences: np.ndarray = values + self.center
        return sequences


def learn_fixed_point_decoder(trained: TrainedModel, n_timesteps: int) -> FixedPointDecoder:
    """Round the weights of a fitted autoencoder.

    Parameters
    ----------
    trained : TrainedModel
        That of an autoencoder.
    n_timesteps : int
        Length of the longest sequence. In longer ones, all later steps have the time encoding of the last step.
    """
    weights = decoder_weights(trained, n_timesteps)
    return FixedPointDecoder(
        [
            FixedPointLayer(
                _fixed_point(layer.kernel), _fixed_point(layer.recurrent_kernel), _fixed_point(layer.biases, _ONE**2)
            )
            for layer in weights.layers
        ],
        _fixed_point(weights.output_kernel),
        _fixed_point(weights.output_bias, _ONE**2),
        weights.center,
        weights.scale,
        weights.patch_size,
        weights.relu,
        _fixed_point(weights.loadings),
    )


def _fixed_point(values: np.ndarray, units: int = _ONE) -> np.ndarray:
    largest = _LARGEST_WEIGHT * (units // _ONE)
    whole: np.ndarray = np.clip(np.rint(values * units), -largest, largest).astype(np.int64)
    return whole


def _clipped_states(states: np.ndarray) -> np.ndarray:
    clipped: np.ndarray = np.minimum(np.maximum(states, -_LARGEST_STATE), _LARGEST_STATE)
    return clipped


def _update(state: np.ndarray, sums: np.ndarray, *, relu: bool) -> None:
    """Take a step of an LSTM layer. The state is the hidden state and the cell state, with 12 fractional bits."""
    hidden, cell = state
    units = cell.shape[1]
    candidate = slice(2 * units, 3 * units)
    if relu:
        positive = np.minimum(np.floor(np.maximum(sums[:, candidate], 0) / _ONE), _LARGEST_STATE)
    # A sigmoid is (1 + tanh(x / 2)) / 2.
    halves = np.full(4 * units, 0.5)
    halves[candidate] = 1
    gates = _tanh(sums * halves)
    i, f, c, o = np.split(gates, 4, axis=1)
    for gate in (i, f, o):
        gate += _ONE
        gate /= 2
        np.floor(gate, out=gate)
    cell[...] = _clipped_states(np.floor((f * cell + i * (positive if relu else c)) / _ONE))
    activated = np.maximum(cell, 0) if relu else _tanh(cell * _ONE)
    hidden[...] = np.floor(o * activated / _ONE)


def _tanh(sums: np.ndarray) -> np.ndarray:
    """Return the hyperbolic tangent, with 12 fractional bits, of sums with 24."""
    table = _tanh_table()
    steps = np.rint(sums * (_TANH_STEPS_PER_ONE / _ONE**2))
    steps += len(table) // 2
    np.minimum(np.maximum(steps, 0, out=steps), len(table) - 1, out=steps)
    return table.take(steps.astype(np.intp))


@lru_cache(maxsize=1)
def _tanh_table() -> np.ndarray:
    with fixed_decimal_context():
        steps = range(_LARGEST_TANH_ARGUMENT * _TANH_STEPS_PER_ONE + 1)
        powers = [(Decimal(-2 * step) / _TANH_STEPS_PER_ONE).exp() for step in steps]
        positive = [int(_ONE * (1 - power) / (1 + power) + Decimal("0.5")) for power in powers]
    return np.array([*(-value for value in positive[:0:-1]), *positive], np.float64)
