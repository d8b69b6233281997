"""Networks of all kinds, batches to try them on, and the gradient that TensorFlow finds by itself."""

import keras
import numpy as np
import tensorflow as tf

from seqembed.export.keras_model import build_keras_model
from seqembed.network.architecture import Network
from seqembed.network.weights import flat_parameters, named_weights
from seqembed.sequences.scaling import Scaling

# Each with a number of timesteps, in whole patches.
NETWORKS = [
    (Network(n_features=2, n_components=3, hidden_units=(5,)), 6),
    (Network(n_features=2, n_components=3, hidden_units=(5,), activation="relu"), 4),
    (Network(n_features=1, n_components=4, hidden_units=()), 5),
    (Network(n_features=3, n_components=2, hidden_units=(6, 4)), 1),
    (Network(n_features=2, n_components=3, hidden_units=(5,), encoded_timesteps=6), 6),
    (Network(n_features=2, n_components=3, hidden_units=(5,), bottleneck=False), 6),
    (Network(n_features=2, n_components=3, hidden_units=(5,), encoded_timesteps=6, bottleneck=False), 6),
    (Network(n_features=2, n_components=3, hidden_units=(5,), encoded_timesteps=12, patch_size=3), 12),
    (Network(n_features=1, n_components=3, hidden_units=(), bottleneck=False, patch_size=2), 8),
]


def draw_batch(network, n_timesteps, n_samples=7):
    """Draw parameters, a time-major batch in patches, the steps of its sequences, and weights of its values."""
    random = np.random.default_rng(0)
    n_steps = network.count_steps(n_timesteps)
    parameters = random.normal(0, 0.5, network.n_parameters).astype(np.float32)
    steps = random.normal(size=(n_steps, n_samples, network.n_values_per_step)).astype(np.float32)
    value_weight = random.random(steps.shape).astype(np.float32)
    return parameters, steps, random.integers(1, n_steps + 1, n_samples), value_weight


def unscaled(network):
    """The scaling that changes nothing."""
    zeros = np.zeros(network.n_features)
    return Scaling(means=zeros, center=zeros, scale=np.ones(network.n_features))


def keras_variables(network, model):
    """The variables of a Keras model under the names of our weights."""
    variables = {}
    for layer in network.layers:
        variables.update(zip(layer.weight_names, model.get_layer(layer.name).weights, strict=True))
    kernel, bias = model.get_layer("output").weights
    return variables | {"output/kernel": kernel, "output/bias": bias}


def keras_weights(network, model):
    """The weights of a Keras model by name."""
    return {name: variable.numpy() for name, variable in keras_variables(network, model).items()}


def keras_loss_and_gradient(network, parameters, steps, value_weight):
    """Differentiate through stock Keras layers; all sequences have all steps."""
    shapes, n_timesteps = network.weight_shapes, len(steps) * network.patch_size
    X, value_weight = (
        each.transpose(1, 0, 2).reshape(-1, n_timesteps, network.n_features) for each in (steps, value_weight)
    )
    model = build_keras_model(network, named_weights(shapes, parameters), unscaled(network), n_timesteps=n_timesteps)
    variables = {name: variable.value for name, variable in keras_variables(network, model).items()}
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(value_weight * keras.ops.square(model(X) - X))
    gradients = {name: gradient.numpy() for name, gradient in tape.gradient(loss, variables).items()}
    return float(loss), flat_parameters(shapes, gradients)


def largest_relative_error(network, gradient, expected):
    """Compare weight by weight, so that a small one counts as much as a large one."""
    own, others = (named_weights(network.weight_shapes, each) for each in (gradient, expected))
    return max(np.linalg.norm(own[name] - each) / max(np.linalg.norm(each), 1e-6) for name, each in others.items())
