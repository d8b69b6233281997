"""Training of a classifier with one hidden layer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Epochs, and rows of a batch.
_N_EPOCHS, _MOST_BATCH_ROWS = 20, 256
# Of Adam: the learning rate, the memories of the two moments, and what keeps the divisor from zero.
_LEARNING_RATE, _FIRST_MEMORY, _SECOND_MEMORY, _EPSILON = 5e-3, 0.9, 0.999, 1e-8
_WEIGHT_DECAY = 0.1


class Classifier(NamedTuple):
    """The weights of a classifier: relu in the hidden layer, a softmax at the end.

    Parameters
    ----------
    kernel, bias : float32 arrays of shape (n_inputs, n_hidden) and (n_hidden,)
        Hidden layer.
    output_kernel, output_bias : float32 arrays of shape (n_hidden, n_classes) and (n_classes,)
        Output layer. Its outputs are natural logarithms of probabilities, up to a constant.
    """

    kernel: np.ndarray
    bias: np.ndarray
    output_kernel: np.ndarray
    output_bias: np.ndarray


@np.errstate(under="ignore")
def train_classifier(inputs: np.ndarray, classes: np.ndarray, n_hidden: int, seed: int) -> Classifier:
    """Train by Adam, as scikit-learn's MLPClassifier does, to the same bits with three classes and more.

    MLPClassifier takes longer: for each small batch it gathers rows, checks arrays and computes the loss.

    Parameters
    ----------
    inputs : float32 array of shape (n_values, n_inputs)
        Inputs of the network.
    classes : int array of shape (n_values,)
        From 0; each occurs.
    n_hidden : int
        Units of the hidden layer.
    seed : int
        For the first weights, and for the order of the rows.

    Returns
    -------
    network : Classifier
        After 20 epochs.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization" (2015).

    Examples
    --------
    >>> inputs = np.random.default_rng(0).normal(size=(3000, 2)).astype(np.float32)
    >>> network = train_classifier(inputs, (inputs[:, 0] > 0).astype(int), n_hidden=4, seed=0)
    >>> logits = np.maximum(inputs @ network.kernel + network.bias, 0) @ network.output_kernel + network.output_bias
    >>> bool(np.mean(logits.argmax(axis=1) == (inputs[:, 0] > 0)) > 0.9)
    True
    """
    random = np.random.RandomState(seed)
    n_rows, n_inputs, n_classes = *inputs.shape, int(classes.max()) + 1
    sizes = n_inputs * n_hidden, n_hidden * n_classes, n_hidden, n_classes
    # All weights, and their gradient, lie in one array each: Adam is then a few operations.
    weights, gradient, first, second, buffer = np.zeros((5, sum(sizes)), np.float32)
    n_kernels = sizes[0] + sizes[1]
    network, slopes = (_views(array, sizes, n_inputs) for array in (weights, gradient))
    for kernel, bias in (network[:2], network[2:]):
        largest = np.sqrt(6 / sum(kernel.shape))
        for layer in (kernel, bias):
            layer[:] = random.uniform(-largest, largest, layer.shape)
    n_updates = 0
    for _ in range(_N_EPOCHS):
        order = np.arange(n_rows)
        random.shuffle(order)
        shuffled, targets = inputs[order], classes[order]
        for start in range(0, n_rows, _MOST_BATCH_ROWS):
            batch = slice(start, start + _MOST_BATCH_ROWS)
            n_batch = len(targets[batch])
            _sum_gradients(network, shuffled[batch], targets[batch], slopes)
            np.multiply(weights[:n_kernels], _WEIGHT_DECAY, out=buffer[:n_kernels])
            gradient[:n_kernels] += buffer[:n_kernels]
            gradient /= n_batch
            n_updates += 1
            np.multiply(gradient, 1 - _FIRST_MEMORY, out=buffer)
            first *= _FIRST_MEMORY
            first += buffer
            np.square(gradient, out=buffer)
            buffer *= 1 - _SECOND_MEMORY
            second *= _SECOND_MEMORY
            second += buffer
            np.sqrt(second, out=buffer)
            buffer += _EPSILON
            rate = _LEARNING_RATE * np.sqrt(1 - _SECOND_MEMORY**n_updates) / (1 - _FIRST_MEMORY**n_updates)
            weights += -rate * first / buffer
    return network


def _views(array: np.ndarray, sizes: tuple[int, ...], n_inputs: int) -> Classifier:
    """Return the layers that lie in an array one after the other: the kernels first, which decay."""
    kernel, output_kernel, bias, output_bias = np.split(array, np.cumsum(sizes)[:-1])
    return Classifier(
        kernel.reshape(n_inputs, len(bias)), bias, output_kernel.reshape(len(bias), len(output_bias)), output_bias
    )


def _sum_gradients(network: Classifier, inputs: np.ndarray, classes: np.ndarray, slopes: Classifier) -> None:
    """Write the gradient of the log loss, summed over a batch, into `slopes`."""
    hidden = inputs @ network.kernel
    hidden += network.bias
    np.maximum(hidden, 0, out=hidden)
    probabilities = hidden @ network.output_kernel
    probabilities += network.output_bias
    probabilities -= probabilities.max(axis=1)[:, np.newaxis]
    np.exp(probabilities, out=probabilities)
    probabilities /= probabilities.sum(axis=1)[:, np.newaxis]
    d_logits = probabilities
    d_logits[np.arange(len(classes)), classes] -= 1
    np.matmul(hidden.T, d_logits, out=slopes.output_kernel)
    np.sum(d_logits, axis=0, out=slopes.output_bias)
    d_hidden = d_logits @ network.output_kernel.T
    d_hidden *= hidden > 0
    np.matmul(inputs.T, d_hidden, out=slopes.kernel)
    np.sum(d_hidden, axis=0, out=slopes.bias)
