"""The decoder of a network in whole numbers: every machine reconstructs the same from an embedding."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import lru_cache
from typing import NamedTuple

import numpy as np

# States have 12 fractional bits, and so have weights. Products of both have 24.
_BITS = 12
_ONE = 1 << _BITS
# Larger states and weights are bounded, so that sums of products stay below 2 ** 53.
_LARGEST_STATE, _LARGEST_WEIGHT = 1 << 20, 1 << 20
# The hyperbolic tangent is looked up in steps of 1/1024 up to 8, where it is 1 in 12 bits.
_STEPS_OF_TANH, _LARGEST_IN_TANH = 1024, 8


class WholeLayer(NamedTuple):
    """An LSTM layer. Gates stand in the order i, f, c, o.

    Parameters
    ----------
    kernel, recurrent_kernel : int64 arrays of shape (n_inputs, 4 * units) and (units, 4 * units)
        With 12 fractional bits.
    biases : int64 array of shape (n_steps, 4 * units)
        With 24 fractional bits. The last row holds for all later steps.
    """

    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    biases: np.ndarray


class WholeDecoder(NamedTuple):
    """The decoder of an LSTM autoencoder.

    Parameters
    ----------
    layers : list of WholeLayer
        The first reads the embedding at each step.
    output_kernel : int64 array of shape (units, n_values)
        With 12 fractional bits.
    output_bias : int64 array of shape (n_values,)
        With 24 fractional bits.
    center, scale : float64 arrays of shape (n_features,)
        What outputs are multiplied with, and what is then added.
    patch_size : int
        Timesteps of a step.
    relu : bool
        Whether the activation is relu instead of tanh.
    """

    layers: list[WholeLayer]
    output_kernel: np.ndarray
    output_bias: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    patch_size: int
    relu: bool

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
        layers = [WholeLayer(*(each.astype(np.float64) for each in layer)) for layer in self.layers]
        output_kernel = self.output_kernel.astype(np.float64)
        states = [np.zeros((2, len(embeddings), len(layer.recurrent_kernel))) for layer in layers]
        projected = _bounded(embeddings) @ layers[0].kernel
        outputs = []
        for step in range(-(-n_timesteps // self.patch_size)):
            for number, (layer, state) in enumerate(zip(layers, states, strict=True)):
                sums = projected if number == 0 else states[number - 1][0] @ layer.kernel
                sums = sums + state[0] @ layer.recurrent_kernel + layer.biases[min(step, len(layer.biases) - 1)]
                _update(state, sums, relu=self.relu)
            outputs.append(states[-1][0] @ output_kernel + self.output_bias)
        values = np.stack(outputs, axis=1).reshape(len(embeddings), -1, len(self.center))[:, :n_timesteps]
        values *= 1 / _ONE**2
        values *= self.scale
        return values + self.center


def learn_whole_decoder(estimator: object, n_timesteps: int) -> WholeDecoder:
    """Round the weights of a fitted autoencoder.

    Parameters
    ----------
    estimator : LSTMAutoencoder
        Fitted.
    n_timesteps : int
        Length of the longest sequence. The time encoding of a longer one stays where it is.
    """
    network, weights = estimator.network_, estimator.weights_
    time_features = network.time_features(network.count_steps(n_timesteps)).astype(np.float64)
    layers = []
    for layer in network.decoder:
        kernel, recurrent_kernel, bias = (each.astype(np.float64) for each in layer.weights(weights))
        biases = bias[np.newaxis]
        if not layers:
            kernel, of_time = np.split(kernel, [network.n_components])
            biases = bias + time_features @ of_time
        layers.append(WholeLayer(_whole(kernel), _whole(recurrent_kernel), _whole(biases, _ONE**2)))
    return WholeDecoder(
        layers,
        _whole(weights["output/kernel"].astype(np.float64)),
        _whole(weights["output/bias"].astype(np.float64), _ONE**2),
        estimator.center_,
        estimator.scale_,
        network.patch_size,
        network.activation == "relu",
    )


def _whole(values: np.ndarray, units: int = _ONE) -> np.ndarray:
    largest = _LARGEST_WEIGHT * (units // _ONE)
    return np.clip(np.rint(values * units), -largest, largest).astype(np.int64)


def _bounded(states: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum(states, -_LARGEST_STATE), _LARGEST_STATE)


def _update(state: np.ndarray, sums: np.ndarray, *, relu: bool) -> None:
    """Take a step of an LSTM. The state is the hidden state and the cell state, with 12 fractional bits."""
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
    cell[...] = _bounded(np.floor((f * cell + i * (positive if relu else c)) / _ONE))
    activated = np.maximum(cell, 0) if relu else _tanh(cell * _ONE)
    hidden[...] = np.floor(o * activated / _ONE)


def _tanh(sums: np.ndarray) -> np.ndarray:
    """Return the hyperbolic tangent, with 12 fractional bits, of sums with 24."""
    table = _table_of_tanh()
    steps = np.rint(sums * (_STEPS_OF_TANH / _ONE**2))
    steps += len(table) // 2
    np.minimum(np.maximum(steps, 0, out=steps), len(table) - 1, out=steps)
    return table.take(steps.astype(np.intp))


@lru_cache(maxsize=1)
def _table_of_tanh() -> np.ndarray:
    # The last digit of math.tanh depends on the machine, and decimals on the caller's context.
    with localcontext(Context(prec=28, rounding=ROUND_HALF_EVEN, traps=[])):
        powers = [(Decimal(-2 * step) / _STEPS_OF_TANH).exp() for step in range(_LARGEST_IN_TANH * _STEPS_OF_TANH + 1)]
        positive = [int(_ONE * (1 - power) / (1 + power) + Decimal("0.5")) for power in powers]
    return np.array([*(-value for value in positive[:0:-1]), *positive], np.float64)
