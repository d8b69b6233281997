import keras
import numpy as np
import pytest
import tensorflow as tf

from seqembed.network import Network, named_weights
from seqembed.training import numpy_gradient, tensorflow_gradient
from seqembed.training.keras_model import build_keras_model

NETWORKS = [
    (Network(n_features=2, n_components=3, hidden_units=(5,)), 6),
    (Network(n_features=2, n_components=3, hidden_units=(5,), activation="relu"), 4),
    (Network(n_features=1, n_components=4, hidden_units=()), 5),
    (Network(n_features=3, n_components=2, hidden_units=(6, 4)), 1),
    (Network(n_features=2, n_components=3, hidden_units=(5,), encoded_timesteps=6), 6),
    (Network(n_features=2, n_components=3, hidden_units=(5,), encoded_timesteps=6, bottleneck=False), 6),
    (Network(n_features=2, n_components=3, hidden_units=(5,), bottleneck=False), 6),
]


def draw(network, n_timesteps, n_samples=7):
    random = np.random.default_rng(0)
    parameters = random.normal(0, 0.5, network.n_parameters).astype(np.float32)
    sequences = random.normal(size=(n_timesteps, n_samples, network.n_features)).astype(np.float32)
    value_weight = random.random(sequences.shape).astype(np.float32)
    return parameters, sequences, value_weight, random.integers(1, n_timesteps + 1, n_samples)


@pytest.mark.parametrize(("network", "n_timesteps"), NETWORKS)
def test_gradient_equals_the_automatic_one_through_stock_keras_layers(network, n_timesteps):
    parameters, sequences, value_weight, _ = draw(network, n_timesteps)
    model = build_keras_model(
        network,
        named_weights(network, parameters),
        n_timesteps,
        center=np.zeros(network.n_features),
        scale=np.ones(network.n_features),
    )
    X = sequences.transpose(1, 0, 2)
    with tf.GradientTape() as tape:
        expected_loss = tf.reduce_sum(value_weight.transpose(1, 0, 2) * keras.ops.square(model(X) - X))
    expected = tape.gradient(expected_loss, [variable.value for variable in model.trainable_variables])

    all_timesteps = np.full(sequences.shape[1], n_timesteps)
    loss, gradient = numpy_gradient.loss_and_gradient(network, parameters, sequences, all_timesteps, value_weight)

    assert loss == pytest.approx(float(expected_loss), rel=1e-5)
    for (name, own), each in zip(named_weights(network, gradient).items(), expected, strict=True):
        error = np.linalg.norm(own - each) / max(np.linalg.norm(each), 1e-6)
        assert error < 1e-4, f"{name}: relative error {error}"


@pytest.mark.parametrize(("network", "n_timesteps"), NETWORKS)
def test_gradient_of_padded_sequences_equals_the_compiled_one(network, n_timesteps):
    parameters, sequences, value_weight, lengths = draw(network, n_timesteps)
    batch = parameters, sequences, lengths, value_weight
    loss, gradient = numpy_gradient.loss_and_gradient(network, *batch)
    expected_loss, expected = tensorflow_gradient.loss_and_gradient(network, False, *batch)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert np.linalg.norm(gradient - expected) < 1e-5 * np.linalg.norm(expected)


def test_neither_the_batch_nor_the_parameters_are_written_to():
    network = NETWORKS[0][0]
    parameters, sequences, value_weight, lengths = draw(network, 6)
    copies = parameters.copy(), sequences.copy(), value_weight.copy()
    for array in (parameters, sequences, value_weight):
        array.flags.writeable = False
    numpy_gradient.loss_and_gradient(network, parameters, sequences, lengths, value_weight)
    for array, copy in zip((parameters, sequences, value_weight), copies, strict=True):
        np.testing.assert_array_equal(array, copy)
