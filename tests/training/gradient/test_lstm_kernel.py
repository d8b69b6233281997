import numpy as np
import pytest
import tensorflow as tf

from seqembed.network.architecture import LSTMLayer
from seqembed.training.gradient.lstm_kernel import lstm
from seqembed.training.gradient.tensorflow_gradient import keras_lstm

N_TIMESTEPS, N_SAMPLES, WIDTH, UNITS = 6, 4, 3, 5


def draw(n_time_features):
    """Draw the weights of a layer, its inputs, and time features."""
    random = np.random.default_rng(0)
    layer = LSTMLayer("layer", n_inputs=WIDTH + n_time_features, units=UNITS, return_sequences=True)
    named = {name: tf.constant(random.normal(size=shape), tf.float32) for name, shape in layer.weight_shapes.items()}
    inputs = tf.constant(random.normal(size=(N_TIMESTEPS, N_SAMPLES, WIDTH)), tf.float32)
    return layer.weights(named), inputs, tf.constant(random.normal(size=(N_TIMESTEPS, n_time_features)), tf.float32)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("case", ["inputs alone", "with time features", "repeated input", "repeated without time"])
def test_states_and_gradients_equal_those_of_a_stock_keras_layer(activation, case):
    weights, inputs, time_features = draw(0 if case in ("inputs alone", "repeated without time") else 2)
    if case.startswith("repeated"):
        inputs = inputs[:1]
    arguments = (inputs,) if case == "inputs alone" else (inputs, time_features)
    results = []
    for layer in (lstm, keras_lstm):
        with tf.GradientTape() as tape:
            tape.watch((*weights, inputs))
            hidden = layer(weights, activation, *arguments)
            total = tf.reduce_sum(
                hidden * tf.sin(tf.reshape(tf.range(tf.size(hidden), dtype=tf.float32), hidden.shape))
            )
        results.append([hidden, *tape.gradient(total, (*weights, inputs))])
    for own, keras in zip(*results, strict=True):
        np.testing.assert_allclose(own, keras, rtol=1e-4, atol=1e-4)
