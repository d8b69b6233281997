"""Keras's own LSTM layers in place of ours: on a GPU they run on cuDNN."""

from __future__ import annotations

import functools

import keras
import tensorflow as tf

from seqembed.network import LSTMLayer


def lstm(
    layer: LSTMLayer, activation: str, weights: dict[str, tf.Tensor], inputs: tf.Tensor, n_timesteps: int
) -> tf.Tensor:
    """Hidden states of one layer, see `seqembed.training.lstm.lstm`."""
    inputs = tf.broadcast_to(inputs, [n_timesteps, *inputs.shape[1:]])
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
