"""A small network that tells the distribution of a residual from its context."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import NamedTuple

import numpy as np
from sklearn.neural_network import MLPClassifier

from seqembed.codec.range_coder import LARGEST_SYMBOL, bits_after_symbols, symbols_of

# Inputs are multiples of 1/32 of their deviations, kernels of 1/256, hidden values of 1/16.
_INPUT_UNITS, _KERNEL_UNITS, _HIDDEN_UNITS = 32, 256, 16
_LARGEST_INPUT, _LARGEST_HIDDEN = 4 * _INPUT_UNITS, 1023
# Whole numbers below this are exact in float32.
_EXACT_IN_FLOAT32 = 1 << 24
# Probabilities are powers of two, in steps of 1/64 octave, down to 20 octaves below the most probable residual.
_STEPS_OF_OCTAVE, _OCTAVES = 64, 20
# In units of 2 ** -20: no residual is impossible.
_LEAST = 8
# The mean of so many networks is better than any of them.
_N_NETWORKS, _HIDDEN, _EPOCHS = 3, 32, 20
_MOST_FEATURES = 32
# More contexts at once leave the cache.
_ROWS = 2048
_LEAST_DEVIATION = 2.0**-10


class ResidualNetwork(NamedTuple):
    """A network of one hidden layer, in whole numbers: every machine gets the same probabilities.

    Parameters
    ----------
    means, factors : float32 arrays of shape (n_inputs,)
        What is subtracted from inputs, and what they are then multiplied with.
    kernel : int64 array of shape (n_inputs, n_hidden)
        Of the hidden layer, whose activation is relu.
    biases : int64 array of shape (n_features, n_hidden)
        Those of each feature; a single row holds for all.
    output_kernel : int64 array of shape (n_hidden, n_symbols)
        Of the output layer. Its outputs are logarithms of base 2.
    output_bias : int64 array of shape (n_symbols,)
        An odd number of symbols; the one in the middle is 0. The first and the last are escapes.
    """

    means: np.ndarray
    factors: np.ndarray
    kernel: np.ndarray
    biases: np.ndarray
    output_kernel: np.ndarray
    output_bias: np.ndarray

    def count_bits(self, inputs: np.ndarray, features: np.ndarray, residuals: np.ndarray, scales: np.ndarray) -> float:
        """Count the bits that residuals need in theory, without their escapes."""
        frequencies_of, bits = self.prepared(), float(bits_after_symbols(scales).sum())
        largest = len(self.output_bias) // 2
        columns = np.clip(symbols_of(residuals, scales), -largest, largest) + largest
        for feature in np.unique(features).tolist():
            rows = np.flatnonzero(features == feature)
            frequencies = np.concatenate(list(frequencies_of(inputs[rows], feature)))
            shares = frequencies[np.arange(len(rows)), columns[rows]] / frequencies.sum(axis=1)
            bits -= float(np.log2(shares).sum())
        return bits

    def prepared(self) -> Callable[[np.ndarray, int], Iterator[np.ndarray]]:
        """Return a function from contexts to probabilities.

        It takes float32 inputs of shape (n_values, n_inputs), from `seqembed.codec.contexts.Contexts`, and the feature
        that they belong to. It yields arrays of shape (some values, n_symbols): whole numbers, float64, proportional to
        the probabilities of the symbols.
        """
        hidden_layer = _exact_layer(self.kernel, self.biases, _LARGEST_INPUT)
        output_layer = _exact_layer(self.output_kernel, self.output_bias[np.newaxis], _LARGEST_HIDDEN)

        def frequencies(inputs: np.ndarray, feature: int) -> Iterator[np.ndarray]:
            for start in range(0, len(inputs), _ROWS):
                yield of_rows(inputs[start : start + _ROWS], feature)

        def of_rows(inputs: np.ndarray, feature: int) -> np.ndarray:
            hidden = hidden_layer(_scaled(inputs, self.means, self.factors), feature)
            hidden *= _HIDDEN_UNITS / (_INPUT_UNITS * _KERNEL_UNITS)
            np.floor(np.minimum(np.maximum(hidden, 0, out=hidden), _LARGEST_HIDDEN, out=hidden), out=hidden)
            logits = output_layer(hidden, 0)
            # The maximum of rows is faster over columns.
            below = logits.T.copy().max(axis=0)[:, np.newaxis] - logits
            below *= _STEPS_OF_OCTAVE / (_HIDDEN_UNITS * _KERNEL_UNITS)
            return _POWERS.take(np.minimum(below, len(_POWERS) - 1, out=below).astype(np.intp))

        return frequencies


def _exact_layer(kernel: np.ndarray, biases: np.ndarray, largest: int) -> Callable[[np.ndarray, int], np.ndarray]:
    """Return a layer for whole numbers, which is exact in whatever order BLAS sums."""
    most = largest * int(np.abs(kernel).sum(axis=0).max(initial=0)) + int(np.abs(biases).max(initial=0))
    dtype = np.float32 if most < _EXACT_IN_FLOAT32 else np.float64
    kernel, biases = kernel.astype(dtype), biases.astype(dtype)
    last = len(biases) - 1

    def layer(values: np.ndarray, feature: int) -> np.ndarray:
        product = values.astype(dtype, copy=False) @ kernel
        product += biases[min(feature, last)]
        return product

    return layer


def _scaled(inputs: np.ndarray, means: np.ndarray, factors: np.ndarray) -> np.ndarray:
    values = inputs - means
    values *= factors
    np.minimum(np.maximum(values, -_LARGEST_INPUT, out=values), _LARGEST_INPUT, out=values)
    return np.rint(values, out=values)


def _powers() -> np.ndarray:
    # Whatever context the caller has.
    with localcontext(Context(prec=28, rounding=ROUND_HALF_EVEN, traps=[])):
        of_octave = [
            int((Decimal(2) ** (_OCTAVES - Decimal(step) / _STEPS_OF_OCTAVE)).to_integral_value())
            for step in range(_STEPS_OF_OCTAVE)
        ]
    return np.array([(power >> octave) + _LEAST for octave in range(_OCTAVES) for power in of_octave], np.float64)


_POWERS = _powers()


def learn_residual_network(inputs: np.ndarray, features: np.ndarray, symbols: np.ndarray) -> ResidualNetwork:
    """Learn from residuals and their contexts.

    Parameters
    ----------
    inputs : float32 array of shape (n_values, n_inputs)
        From `seqembed.codec.contexts.Contexts`.
    features : int array of shape (n_values,)
        The features that they belong to.
    symbols : int64 array of shape (n_values,)
        What came, see `seqembed.codec.range_coder.symbols_of`. There are at least two different ones.

    Returns
    -------
    network : ResidualNetwork
        Of as many symbols as occurred.
    """
    largest = min(LARGEST_SYMBOL, int(np.abs(symbols).max()) + 1)
    means = inputs.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviations = inputs.std(axis=0, dtype=np.float64)
    factors = np.where(deviations > 0, _INPUT_UNITS / np.maximum(deviations, _LEAST_DEVIATION), 0).astype(np.float32)
    n_features = int(features.max()) + 1
    n_features = n_features if n_features <= _MOST_FEATURES else 1
    of_features = np.eye(n_features, dtype=np.float32)[np.minimum(features, n_features - 1)]
    scaled = np.concatenate([_scaled(inputs, means, factors) / _INPUT_UNITS, of_features], axis=1)
    networks = [_trained(scaled, symbols, seed) for seed in range(_N_NETWORKS)]
    n_inputs = len(means)
    kernel = np.concatenate([network.coefs_[0] for network in networks], axis=1)
    biases = np.concatenate([network.intercepts_[0] for network in networks]) + kernel[n_inputs:]
    known = networks[0].classes_ + largest
    octaves = np.log2(np.e) / _N_NETWORKS
    output_kernel = np.zeros((kernel.shape[1], 2 * largest + 1))
    parts = [_softmax_weights(network) for network in networks]
    output_kernel[:, known] = octaves * np.concatenate([part for part, _ in parts])
    output_bias = np.full(2 * largest + 1, -float(_OCTAVES))
    output_bias[known] = octaves * sum(bias for _, bias in parts)
    return ResidualNetwork(
        means,
        factors,
        _whole(kernel[:n_inputs], _KERNEL_UNITS),
        _whole(biases, _INPUT_UNITS * _KERNEL_UNITS),
        _whole(output_kernel, _KERNEL_UNITS),
        _whole(output_bias, _HIDDEN_UNITS * _KERNEL_UNITS),
    )


def _trained(inputs: np.ndarray, symbols: np.ndarray, seed: int) -> MLPClassifier:
    network = MLPClassifier(
        (_HIDDEN,),
        alpha=0.1,
        batch_size=min(256, len(inputs)),
        learning_rate_init=5e-3,
        # Epochs that go on with one another need an object.
        random_state=np.random.RandomState(seed),
    )
    classes = np.unique(symbols)
    with np.errstate(under="ignore"):
        for _ in range(_EPOCHS):
            network.partial_fit(inputs, symbols, classes=classes)
    return network


def _softmax_weights(network: MLPClassifier) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of the output layer, one column for each class. Of two, scikit-learn has the second alone."""
    kernel, bias = network.coefs_[1], network.intercepts_[1]
    if len(network.classes_) > 2:
        return kernel, bias
    return np.concatenate([np.zeros_like(kernel), kernel], axis=1), np.concatenate([[0], bias])


def _whole(values: np.ndarray, units: int) -> np.ndarray:
    return np.rint(values * units).astype(np.int64)
