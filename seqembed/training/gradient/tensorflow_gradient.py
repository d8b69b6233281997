"""The gradient in TensorFlow: compiled for the processor, or through Keras's own layers where there is a GPU."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from seqembed.network.architecture import LSTMLayer, Network
from seqembed.training.gradient import lstm_kernel


def sees_gpu() -> bool:
    """Tell whether TensorFlow can compute on a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


@functools.lru_cache(maxsize=64)
def make_loss_and_gradient(network: Network, *, on_gpu: bool) -> Callable[..., tuple[float, np.ndarray]]:
    """Make what computes the loss and gradient of a network, once for all fits in this process.

    Its first batch of each shape takes seconds: TensorFlow keeps one version a shape.

    Parameters
    ----------
    network : Network
        The sizes.
    on_gpu : bool
        Whether to run Keras's layers, on cuDNN, instead of compiling our own.

    Returns
    -------
    loss_and_gradient : callable
        Takes and returns what `numpy_gradient.loss_and_gradient` does, but for the network.

    Examples
    --------
    >>> import numpy as np
    >>> network = Network(n_features=1, n_components=2, hidden_units=())
    >>> loss_and_gradient = make_loss_and_gradient(network, on_gpu=False)
    >>> sequences, value_weight = np.ones((3, 4, 1), np.float32), np.full((1, 4, 1), 1 / 12, np.float32)
    >>> parameters = np.zeros(network.n_parameters, np.float32)
    >>> loss, gradient = loss_and_gradient(parameters, sequences, np.full(4, 3), value_weight)
    >>> round(loss, 5), round(float(gradient[-1]), 5)  # that of the output's bias
    (1.0, -2.0)
    """
    run_layer = keras_lstm if on_gpu else lstm_kernel.lstm

    @tf.function(autograph=False, jit_compile=not on_gpu)
    def of_tensors(parameters, sequences, lengths, value_weight):
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            reconstruction = lstm_kernel.reconstruct(
                network, _split(network, parameters), sequences, lengths, run_layer
            )
            loss = tf.reduce_sum(tf.square(reconstruction - sequences) * value_weight)
        return loss, tape.gradient(loss, parameters)

    dtypes = tf.float32, tf.float32, tf.int32, tf.float32

    # TensorFlow itself takes a tenth of a millisecond to find the version of a shape, and holds up the other threads.
    @functools.cache
    def version_for(*shapes):
        return of_tensors.get_concrete_function(*map(tf.TensorSpec, shapes, dtypes))

    def loss_and_gradient(parameters, sequences, lengths, value_weight):
        arrays = parameters, sequences, lengths, value_weight
        version = version_for(*(array.shape for array in arrays))
        loss, gradient = version(*map(tf.constant, arrays, dtypes))
        return float(loss), gradient.numpy()

    return loss_and_gradient


def _split(network: Network, parameters: tf.Tensor) -> dict[str, tf.Tensor]:
    shapes = network.weight_shapes
    parts = tf.split(parameters, [math.prod(shape) for shape in shapes.values()])
    return {name: tf.reshape(part, shapes[name]) for name, part in zip(shapes, parts, strict=True)}


def keras_lstm(
    layer: LSTMLayer,
    activation: str,
    weights: dict[str, tf.Tensor],
    inputs: tf.Tensor,
    time_features: tf.Tensor | None = None,
) -> tf.Tensor:
    """Hidden states of one layer, see `seqembed.training.gradient.lstm_kernel.lstm`."""
    if time_features is not None:
        n_timesteps, n_time_features = time_features.shape
        _, n_samples, width = inputs.shape
        inputs = tf.concat(
            [
                tf.broadcast_to(inputs, [n_timesteps, n_samples, width]),
                tf.broadcast_to(time_features[:, None], [n_timesteps, n_samples, n_time_features]),
            ],
            axis=2,
        )
    keras_layer = _keras_layer(layer, activation)
    hidden, _ = keras_layer.stateless_call(
        [weights[name] for name in layer.weight_shapes],
        keras_layer.non_trainable_variables,
        tf.transpose(inputs, [1, 0, 2]),
    )
    return tf.transpose(hidden, [1, 0, 2])


@functools.lru_cache(maxsize=64)
def _keras_layer(layer: LSTMLayer, activation: str) -> keras.layers.LSTM:
    # Its own weights are never used. Zeros and a seed keep it from drawing on Python's global random state.
    keras_layer = keras.layers.LSTM(
        layer.units,
        activation=activation,
        return_sequences=True,
        kernel_initializer="zeros",
        recurrent_initializer="zeros",
        seed=0,
    )
    keras_layer.build((None, None, layer.n_inputs))
    return keras_layer
