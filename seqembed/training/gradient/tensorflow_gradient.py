"""The gradient in TensorFlow, compiled for the processor or through Keras's layers on a GPU."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from seqembed.network.architecture import LSTMWeights, Network
from seqembed.training.gradient import lstm_kernel


def sees_gpu() -> bool:
    """Return whether TensorFlow can compute on a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


@functools.lru_cache(maxsize=64)
def make_loss_and_gradient(
    network: Network, shapes: tuple[tuple[str, tuple[int, ...]], ...], *, on_gpu: bool
) -> Callable[..., tuple[float, float, np.ndarray]]:
    """Make a function that computes the loss and gradient of a network, once for all fits in this process.

    For the first batch of each shape, TensorFlow compiles a version of the function. This takes seconds.

    Parameters
    ----------
    network : Network
        Its architecture.
    shapes : tuple of (str, tuple of int)
        Name and shape of every weight.
    on_gpu : bool
        Whether to run Keras's layers, which use cuDNN, instead of compiling our own.

    Returns
    -------
    loss_and_gradient : callable
        Takes the arguments of `numpy_gradient.loss_and_gradient` but the network and the shapes. Returns the same.

    Examples
    --------
    >>> import numpy as np
    >>> network = Network(n_features=1, n_components=2, hidden_units=())
    >>> loss_and_gradient = make_loss_and_gradient(network, tuple(network.weight_shapes.items()), on_gpu=False)
    >>> sequences, value_weight = np.ones((3, 4, 1), np.float32), np.full((3, 4, 1), 1 / 12, np.float32)
    >>> parameters = np.zeros(network.n_parameters, np.float32)
    >>> loss, _, gradient = loss_and_gradient(parameters, sequences, np.full(4, 3), value_weight)
    >>> round(loss, 5), round(float(gradient[-1]), 5)  # that of the output's bias
    (1.0, -2.0)
    """
    run_layer = keras_lstm if on_gpu else lstm_kernel.lstm

    def compute(
        parameters: tf.Tensor,
        sequences: tf.Tensor,
        lengths: tf.Tensor,
        value_weight: tf.Tensor,
        targets: tf.Tensor | None = None,
        target_weight: tf.Tensor | None = None,
        context: tf.Tensor | None = None,
        components: tf.Tensor | None = None,
        loadings: tf.Tensor | None = None,
        inputs: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            weights = _split(shapes, parameters)
            encoded = encode(network, weights, sequences if inputs is None else inputs, lengths, run_layer, context)
            if network.shortcut_size:
                encoded = joined(encoded[0], components, network.activation)[None]
            reconstruction = decode(network, weights, encoded, sequences.shape[0], run_layer)
            if network.shortcut_size:
                reconstruction += tf.einsum("nk,ktv->tnv", encoded[0, :, : network.shortcut_size], loadings)
            loss = tf.reduce_sum(tf.square(reconstruction - sequences) * value_weight)
            readout_loss = tf.zeros([])
            if "readout/kernel" in weights:
                predicted = tf.matmul(encoded[0], weights["readout/kernel"]) + weights["readout/bias"]
                readout_loss = tf.reduce_sum(tf.square(predicted - targets) * target_weight)
            total = loss + readout_loss
        return loss, readout_loss, tape.gradient(total, parameters)

    function = tf.function(compute, autograph=False, jit_compile=not on_gpu)
    dtypes = tf.float32, tf.float32, tf.int32, *[tf.float32] * 7

    # TensorFlow needs 0.1 ms to find the version for a shape, and blocks the other threads. So the version is cached.
    @functools.cache
    def compiled_version(*shapes: tuple[int, ...]) -> tf.types.experimental.ConcreteFunction:
        return function.get_concrete_function(*map(tf.TensorSpec, shapes, dtypes))

    def loss_and_gradient(*arrays: np.ndarray) -> tuple[float, float, np.ndarray]:
        version = compiled_version(*(array.shape for array in arrays))
        # An argument that is left out would make TensorFlow write an error, with all values in it, at every call.
        left_out = [None] * (len(dtypes) - len(arrays))
        loss, readout_loss, gradient = version(*map(tf.constant, arrays, dtypes), *left_out)
        return float(loss), float(readout_loss), gradient.numpy()

    return loss_and_gradient


def _split(shapes: tuple[tuple[str, tuple[int, ...]], ...], parameters: tf.Tensor) -> dict[str, tf.Tensor]:
    parts = tf.split(parameters, [math.prod(shape) for _, shape in shapes])
    return {name: tf.reshape(part, shape) for (name, shape), part in zip(shapes, parts, strict=True)}


def encode(
    network: Network,
    weights: dict[str, tf.Tensor],
    sequences: tf.Tensor,
    lengths: tf.Tensor,
    run_layer: Callable[..., tf.Tensor],
    context: tf.Tensor | None = None,
) -> tf.Tensor:
    """Run the encoder.

    Parameters
    ----------
    network : Network
        Its architecture.
    weights : dict of str to tensor
        As named by ``network.weight_shapes``.
    sequences : tensor of shape (n_steps, n_samples, n_values_per_step)
        A batch in patches, time-major, of static shape.
    lengths : int32 tensor of shape (n_samples,)
        Steps of each sequence, at least 1. The padding after them has no influence on the embedding.
    run_layer : callable
        `seqembed.training.gradient.lstm_kernel.lstm`, or `keras_lstm`, which has the same arguments and results.
    context : tensor of shape (n_samples, context_size), default=None
        What the last layer reads at every step, if the network has a context.

    Returns
    -------
    encoded : tensor of shape (1, n_samples, n_components)
        The last states, before a shortcut joins them. Without a bottleneck, the states of all steps.
    """
    *others, last = network.encoder
    states = sequences
    for layer in others:
        states = run_layer(layer.weights(weights), network.activation, states)
    repeated = context if network.context_size else None
    states = run_layer(last.weights(weights), network.activation, states, repeated=repeated)
    if network.bottleneck:
        states = tf.gather_nd(states, tf.stack([lengths - 1, tf.range(sequences.shape[1])], axis=1))[None]
    return states


def joined(states: tf.Tensor, components: tf.Tensor, activation: str) -> tf.Tensor:
    """Join the last states of the encoder with the components of the shortcut.

    Parameters
    ----------
    states, components, activation
        See `seqembed.network.shortcut.joined`.

    Returns
    -------
    embedding : tensor of shape (n_samples, n_components)
        The numbers that the decoder reads.
    """
    n_joined = components.shape[1]
    first = states[:, :n_joined]
    if activation == "tanh":
        squashed = tf.tanh(components)
        first = (first + squashed) / (1 + first * squashed)
    else:
        first += components
    return tf.concat([first, states[:, n_joined:]], axis=1)


def decode(
    network: Network,
    weights: dict[str, tf.Tensor],
    encoded: tf.Tensor,
    n_steps: int,
    run_layer: Callable[..., tf.Tensor],
) -> tf.Tensor:
    """Run the decoder.

    Parameters
    ----------
    network, weights, run_layer
        As in `encode`.
    encoded : tensor of shape (1, n_samples, n_components)
        The result of `encode`.
    n_steps : int
        Number of steps to reconstruct.

    Returns
    -------
    reconstruction : tensor of shape (n_steps, n_samples, n_values_per_step)
        The output of the network.
    """
    first, *others = network.decoder
    time_features = tf.constant(network.time_features(n_steps))
    states = run_layer(first.weights(weights), network.activation, encoded, time_features)
    for layer in others:
        states = run_layer(layer.weights(weights), network.activation, states)
    n_samples = states.shape[1]
    flat = tf.reshape(states, [n_steps * n_samples, -1])
    output = tf.matmul(flat, weights["output/kernel"]) + weights["output/bias"]
    return tf.reshape(output, [n_steps, n_samples, network.n_values_per_step])


def keras_lstm(
    weights: LSTMWeights,
    activation: str,
    inputs: tf.Tensor,
    time_features: tf.Tensor | None = None,
    repeated: tf.Tensor | None = None,
) -> tf.Tensor:
    """Run one layer in Keras. Arguments and results are those of `seqembed.training.gradient.lstm_kernel.lstm`."""
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
    if repeated is not None:
        n_timesteps, n_samples, _ = inputs.shape
        inputs = tf.concat([inputs, tf.broadcast_to(repeated, [n_timesteps, *repeated.shape])], axis=2)
    n_inputs, n_gates = weights.kernel.shape
    keras_layer = _keras_layer(n_inputs, n_gates // 4, activation)
    hidden, _ = keras_layer.stateless_call(
        # In the order in which Keras lists them.
        [weights.kernel, weights.recurrent_kernel, weights.bias],
        keras_layer.non_trainable_variables,
        tf.transpose(inputs, [1, 0, 2]),
    )
    return tf.transpose(hidden, [1, 0, 2])


@functools.lru_cache(maxsize=64)
def _keras_layer(n_inputs: int, units: int, activation: str) -> keras.layers.LSTM:
    # Its own weights are never used. Zeros and a seed prevent draws from Python's global random state.
    keras_layer = keras.layers.LSTM(
        units,
        activation=activation,
        return_sequences=True,
        kernel_initializer="zeros",
        recurrent_initializer="zeros",
        seed=0,
    )
    keras_layer.build((None, None, n_inputs))
    return keras_layer
