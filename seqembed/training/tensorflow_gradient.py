"""The gradient in TensorFlow: compiled for the processor, or through Keras's own layers where there is a GPU."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from seqembed.network import Network
from seqembed.training import cudnn, lstm


def sees_gpu() -> bool:
    """Tell whether TensorFlow can compute on a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def loss_and_gradient(
    network: Network,
    on_gpu: bool,
    parameters: np.ndarray,
    sequences: np.ndarray,
    lengths: np.ndarray,
    value_weight: np.ndarray,
) -> tuple[float, np.ndarray]:
    """Compute what `numpy_gradient.loss_and_gradient` computes; the first batch of a shape takes seconds.

    Parameters
    ----------
    network : Network
        The sizes.
    on_gpu : bool
        Whether to run Keras's layers, on cuDNN, instead of compiling our own.
    parameters, sequences, lengths, value_weight
        See `numpy_gradient.loss_and_gradient`.

    Returns
    -------
    loss : float
        Weighted sum of the squared errors of all values.
    gradient : float32 array of shape (n_parameters,)
        Its gradient by all weights.

    Examples
    --------
    >>> import numpy as np
    >>> network = Network(n_features=1, n_components=2, hidden_units=())
    >>> sequences, value_weight = np.ones((3, 4, 1), np.float32), np.full((1, 4, 1), 1 / 12, np.float32)
    >>> parameters = np.zeros(network.n_parameters, np.float32)
    >>> loss, gradient = loss_and_gradient(network, False, parameters, sequences, np.full(4, 3), value_weight)
    >>> round(loss, 5), round(float(gradient[-1]), 5)  # that of the output's bias
    (1.0, -2.0)
    """
    function = _make_function(network, cudnn.lstm if on_gpu else lstm.lstm, compiled=not on_gpu)
    batch = tf.constant(sequences), tf.constant(lengths, tf.int32), tf.constant(value_weight)
    loss, gradient = function(tf.constant(parameters), *batch)
    return float(loss), gradient.numpy()


@functools.lru_cache(maxsize=64)
def _make_function(network: Network, run_layer: Callable, *, compiled: bool) -> Callable:
    """Make the function of a network once for all fits in this process; TensorFlow keeps one version a shape."""

    @tf.function(autograph=False, jit_compile=compiled)
    def loss_and_gradient(parameters, sequences, lengths, value_weight):
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            reconstruction = lstm.reconstruct(network, _split(network, parameters), sequences, lengths, run_layer)
            loss = tf.reduce_sum(tf.square(reconstruction - sequences) * value_weight)
        return loss, tape.gradient(loss, parameters)

    return loss_and_gradient


def _split(network: Network, parameters: tf.Tensor) -> dict[str, tf.Tensor]:
    shapes = network.weight_shapes
    parts = tf.split(parameters, [math.prod(shape) for shape in shapes.values()])
    return {name: tf.reshape(part, shapes[name]) for name, part in zip(shapes, parts, strict=True)}
