"""Keras's own LSTM layers in place of ours: on a GPU they run on cuDNN."""

from __future__ import annotations

import functools

import keras
import tensorflow as tf

from seqembed.network.architecture import LSTMLayer


def lstm(
    layer: LSTMLayer,
    activation: str,
    weights: dict[str, tf.Tensor],
    inputs: tf.Tensor,
    time_features: tf.Tensor | None = None,
) -> tf.Tensor:
    """Hidden states of one layer, see `seqembed.training.lstm.lstm`."""
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
