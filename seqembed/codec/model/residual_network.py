"""A small network that predicts the distribution of a residual from its context."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import NamedTuple, TypeAlias

import numpy as np
from sklearn.neural_network import MLPClassifier

from seqembed.codec.bytes.symbols import LARGEST_SYMBOL, coded_symbols, raw_bit_counts
from seqembed.codec.model.decimals import fixed_decimal_context

# Scaled inputs are multiples of 1/32 of a standard deviation, kernels of 1/256, hidden values of 1/16.
_INPUT_UNITS, _KERNEL_UNITS, _HIDDEN_UNITS = 32, 256, 16
# Scaled inputs are clipped at four standard deviations, hidden values at almost 64.
_LARGEST_INPUT, _LARGEST_HIDDEN = 4 * _INPUT_UNITS, 1023
# Whole numbers below this are exact in float32.
_EXACT_IN_FLOAT32 = 1 << 24
# Frequencies are powers of two, in steps of 1/64 octave, from 2 ** 20 for the most probable symbol down to 1.
_STEPS_PER_OCTAVE, _N_OCTAVES = 64, 20
# Added to each frequency, so that no symbol is impossible.
_SMALLEST_FREQUENCY = 8
# The average of the logits of three networks needs fewer bits than one network.
_N_NETWORKS = 3
# Hidden units and epochs of each network.
_N_HIDDEN, _N_EPOCHS = 32, 20
_MOST_BATCH_ROWS, _LEARNING_RATE, _WEIGHT_DECAY = 256, 5e-3, 0.1
# Up to this number of features, each has a bias of its own.
_MOST_FEATURES_WITH_BIAS = 32
# Contexts computed at once. Buffers of more contexts leave the cache.
_CONTEXTS_AT_ONCE = 2048
# Inputs are divided by at least this standard deviation.
_SMALLEST_INPUT_DEVIATION = 2.0**-10

# Takes float32 inputs of shape (n_values, n_inputs), and the feature that they belong to. Yields float64 arrays of
# shape (n_some_values, n_symbols): whole numbers proportional to the probabilities of the symbols.
SymbolFrequencies: TypeAlias = Callable[[np.ndarray, int], Iterator[np.ndarray]]


class ResidualNetwork(NamedTuple):
    """A network with one hidden layer, in whole numbers, so that all machines get the same probabilities.

    Parameters
    ----------
    means, factors : float32 arrays of shape (n_inputs,)
        The means are subtracted from the inputs; the differences are multiplied by the factors.
    kernel : int64 array of shape (n_inputs, n_hidden)
        Kernel of the hidden layer, whose activation is relu.
    biases : int64 array of shape (n_features, n_hidden)
        Biases of the hidden layer for each feature. A single row is for all features.
    output_kernel : int64 array of shape (n_hidden, n_symbols)
        Kernel of the output layer. Its outputs are logarithms of base 2.
    output_bias : int64 array of shape (n_symbols,)
        Bias of the output layer. The number of symbols is odd; the one in the middle is 0. The first and the last are
        escapes.
    """

    means: np.ndarray
    factors: np.ndarray
    kernel: np.ndarray
    biases: np.ndarray
    output_kernel: np.ndarray
    output_bias: np.ndarray

    def count_bits(self, inputs: np.ndarray, features: np.ndarray, residuals: np.ndarray, scales: np.ndarray) -> float:
        """Count the bits that residuals need in theory, without their escapes."""
        frequencies, bits = self.frequencies(), float(raw_bit_counts(scales).sum())
        largest = len(self.output_bias) // 2
        columns = np.clip(coded_symbols(residuals, scales), -largest, largest) + largest
        for feature in np.unique(features).tolist():
            rows = np.flatnonzero(features == feature)
            symbol_frequencies = np.concatenate(list(frequencies(inputs[rows], feature)))
            chosen = symbol_frequencies[np.arange(len(rows)), columns[rows]]
            bits -= float(np.log2(chosen / symbol_frequencies.sum(axis=1)).sum())
        return bits

    def frequencies(self) -> SymbolFrequencies:
        """Prepare the layers, and return the function from contexts to probabilities."""
        hidden_layer = _exact_layer(self.kernel, self.biases, _LARGEST_INPUT)
        output_layer = _exact_layer(self.output_kernel, self.output_bias[np.newaxis], _LARGEST_HIDDEN)

        def batch_frequencies(inputs: np.ndarray, feature: int) -> np.ndarray:
            hidden = hidden_layer(_scaled(inputs, self.means, self.factors), feature)
            hidden *= _HIDDEN_UNITS / (_INPUT_UNITS * _KERNEL_UNITS)
            np.floor(np.minimum(np.maximum(hidden, 0, out=hidden), _LARGEST_HIDDEN, out=hidden), out=hidden)
            logits = output_layer(hidden, 0)
            # NumPy finds the maxima of rows faster over the columns of a transposed copy.
            below = logits.T.copy().max(axis=0)[:, np.newaxis] - logits
            below *= _STEPS_PER_OCTAVE / (_HIDDEN_UNITS * _KERNEL_UNITS)
            steps = np.minimum(below, len(_FREQUENCIES) - 1, out=below).astype(np.intp)
            frequencies: np.ndarray = _FREQUENCIES.take(steps)
            return frequencies

        def frequencies(inputs: np.ndarray, feature: int) -> Iterator[np.ndarray]:
            for start in range(0, len(inputs), _CONTEXTS_AT_ONCE):
                yield batch_frequencies(inputs[start : start + _CONTEXTS_AT_ONCE], feature)

        return frequencies


def _exact_layer(kernel: np.ndarray, biases: np.ndarray, largest: int) -> Callable[[np.ndarray, int], np.ndarray]:
    """Return a layer for whole numbers up to `largest`, whose sums are exact in any order of summation."""
    largest_sum = largest * int(np.abs(kernel).sum(axis=0).max(initial=0)) + int(np.abs(biases).max(initial=0))
    dtype = np.dtype(np.float32 if largest_sum < _EXACT_IN_FLOAT32 else np.float64)
    kernel, biases = kernel.astype(dtype), biases.astype(dtype)
    last = len(biases) - 1

    def layer(values: np.ndarray, feature: int) -> np.ndarray:
        product: np.ndarray = values.astype(dtype, copy=False) @ kernel
        product += biases[min(feature, last)]
        return product

    return layer


def _scaled(inputs: np.ndarray, means: np.ndarray, factors: np.ndarray) -> np.ndarray:
    values: np.ndarray = inputs - means
    values *= factors
    np.minimum(np.maximum(values, -_LARGEST_INPUT, out=values), _LARGEST_INPUT, out=values)
    np.rint(values, out=values)
    return values


def _frequencies_by_step() -> np.ndarray:
    """Return the frequency for each distance from the largest logit, in steps of 1/64 octave."""
    with fixed_decimal_context():
        first_octave = [
            int((Decimal(2) ** (_N_OCTAVES - Decimal(step) / _STEPS_PER_OCTAVE)).to_integral_value())
            for step in range(_STEPS_PER_OCTAVE)
        ]
    powers = [power >> octave for octave in range(_N_OCTAVES) for power in first_octave]
    return np.array([power + _SMALLEST_FREQUENCY for power in powers], np.float64)


_FREQUENCIES = _frequencies_by_step()


def learn_residual_network(inputs: np.ndarray, features: np.ndarray, symbols: np.ndarray) -> ResidualNetwork:
    """Learn from residuals and their contexts.

    Parameters
    ----------
    inputs : float32 array of shape (n_values, n_inputs)
        From `seqembed.codec.model.contexts.Contexts`.
    features : int array of shape (n_values,)
        The features that they belong to.
    symbols : int64 array of shape (n_values,)
        The symbols, see `seqembed.codec.bytes.symbols.coded_symbols`; at least two different ones.

    Returns
    -------
    network : ResidualNetwork
        Its symbols reach beyond the largest one that occurred by one.
    """
    largest = min(LARGEST_SYMBOL, int(np.abs(symbols).max()) + 1)
    means = inputs.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviations = inputs.std(axis=0, dtype=np.float64)
    factors = np.where(deviations > 0, _INPUT_UNITS / np.maximum(deviations, _SMALLEST_INPUT_DEVIATION), 0).astype(
        np.float32
    )
    n_features = int(features.max()) + 1
    n_features = n_features if n_features <= _MOST_FEATURES_WITH_BIAS else 1
    one_hot = np.eye(n_features, dtype=np.float32)[np.minimum(features, n_features - 1)]
    scaled = np.concatenate([_scaled(inputs, means, factors) / _INPUT_UNITS, one_hot], axis=1)
    networks = [_trained_network(scaled, symbols, seed) for seed in range(_N_NETWORKS)]
    n_inputs = len(means)
    kernel = np.concatenate([network.coefs_[0] for network in networks], axis=1)
    biases = np.concatenate([network.intercepts_[0] for network in networks]) + kernel[n_inputs:]
    known = networks[0].classes_ + largest
    # From natural logarithms to those of base 2, and from the sum of the networks' logits to their mean.
    octaves = np.log2(np.e) / _N_NETWORKS
    output_kernel = np.zeros((kernel.shape[1], 2 * largest + 1))
    parts = [_softmax_weights(network) for network in networks]
    output_kernel[:, known] = octaves * np.concatenate([part for part, _ in parts])
    output_bias = np.full(2 * largest + 1, -float(_N_OCTAVES))
    output_bias[known] = octaves * sum(bias for _, bias in parts)
    return ResidualNetwork(
        means,
        factors,
        _rounded_weights(kernel[:n_inputs], _KERNEL_UNITS),
        _rounded_weights(biases, _INPUT_UNITS * _KERNEL_UNITS),
        _rounded_weights(output_kernel, _KERNEL_UNITS),
        _rounded_weights(output_bias, _HIDDEN_UNITS * _KERNEL_UNITS),
    )


def _trained_network(inputs: np.ndarray, symbols: np.ndarray, seed: int) -> MLPClassifier:
    random = np.random.RandomState(seed)
    network = MLPClassifier(
        (_N_HIDDEN,),
        alpha=_WEIGHT_DECAY,
        batch_size=min(_MOST_BATCH_ROWS, len(inputs)),
        learning_rate_init=_LEARNING_RATE,
        random_state=random,
    )
    with np.errstate(under="ignore"):
        # The first call draws the weights, then the order of the rows.
        network.partial_fit(inputs, symbols, classes=np.unique(symbols))
        # scikit-learn gathers the rows of each batch, which takes long. Here the batches are slices of rows in order.
        network.shuffle = False
        for _ in range(_N_EPOCHS - 1):
            order = np.arange(len(inputs))
            random.shuffle(order)
            network.partial_fit(inputs[order], symbols[order])
    return network


def _softmax_weights(network: MLPClassifier) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of the output layer, a column for each class.

    For two classes, scikit-learn has the column of the second class only. That of the first one is 0.
    """
    kernel, bias = network.coefs_[1], network.intercepts_[1]
    if len(network.classes_) > 2:
        return kernel, bias
    return np.concatenate([np.zeros_like(kernel), kernel], axis=1), np.concatenate([[0], bias])


def _rounded_weights(values: np.ndarray, units: int) -> np.ndarray:
    whole: np.ndarray = np.rint(values * units).astype(np.int64)
    return whole
