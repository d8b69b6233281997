"""Networks of all kinds, batches to try them on, and the gradient that TensorFlow finds by itself."""

import keras
import numpy as np
import tensorflow as tf

from seqembed.export.keras_model import _name, build_keras_model
from seqembed.inference.model import Layout, TrainedModel
from seqembed.network.architecture import Network
from seqembed.network.weights import flat_parameters, named_weights
from seqembed.sequences.scaling import Scaling
from seqembed.training.readout import Targets

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


# Networks with a context, a shortcut, or both, likewise.
BESIDE = [
    (Network(n_features=2, n_components=3, hidden_units=(5,), context_size=2), 6),
    (Network(n_features=2, n_components=3, hidden_units=(5,), shortcut_size=2), 6),
    (Network(n_features=2, n_components=3, hidden_units=(5,), activation="relu", context_size=2, shortcut_size=1), 4),
    (Network(n_features=1, n_components=4, hidden_units=(), context_size=3, shortcut_size=4), 5),
    (
        Network(
            n_features=2,
            n_components=4,
            hidden_units=(6, 5),
            encoded_timesteps=12,
            patch_size=3,
            context_size=2,
            shortcut_size=2,
        ),
        12,
    ),
]


def draw_beside(network, n_steps, n_samples=7):
    """Draw contexts, components, and loadings in patches, for a batch of sequences."""
    random = np.random.default_rng(2)
    context = random.normal(size=(n_samples, network.context_size)).astype(np.float32)
    components = random.normal(size=(n_samples, network.shortcut_size)).astype(np.float32)
    shape = network.shortcut_size, n_steps, network.n_values_per_step
    return context, components, random.normal(size=shape).astype(np.float32)


def draw_batch(network, n_timesteps, n_samples=7):
    """Draw parameters, a time-major batch in patches, the steps of its sequences, and weights of its values."""
    random = np.random.default_rng(0)
    n_steps = network.count_steps(n_timesteps)
    parameters = random.normal(0, 0.5, network.n_parameters).astype(np.float32)
    steps = random.normal(size=(n_steps, n_samples, network.n_values_per_step)).astype(np.float32)
    value_weight = random.random(steps.shape).astype(np.float32)
    return parameters, steps, random.integers(1, n_steps + 1, n_samples), value_weight


def draw_readout(network, n_samples=7, n_statistics=4):
    """Draw a readout: its shapes, its parameters, and what it has to predict, one of which is left out."""
    random = np.random.default_rng(1)
    shapes = {"readout/kernel": (network.n_components, n_statistics), "readout/bias": (n_statistics,)}
    parameters = random.normal(size=(network.n_components + 1) * n_statistics).astype(np.float32)
    targets, weight = random.normal(size=(2, n_samples, n_statistics)).astype(np.float32)
    weight = np.abs(weight)
    weight[0, 0] = 0
    return shapes, parameters, Targets(targets, weight)


def unscaled_model(network, weights, n_timesteps):
    """A model of which the scaling changes nothing."""
    zeros = np.zeros(network.n_features)
    scaling = Scaling(means=zeros, center=zeros, scale=np.ones(network.n_features))
    return TrainedModel(network, weights, scaling, Layout(n_timesteps, network.n_features, one_length=True, ndim=3))


def keras_variables(network, model):
    """The variables of a Keras model under the names of our weights."""
    variables = {}
    for layer in network.layers:
        variables.update(zip(layer.weight_names, model.get_layer(_name(network, layer)).weights, strict=True))
    kernel, bias = model.get_layer("output").weights
    return variables | {"output/kernel": kernel, "output/bias": bias}


def keras_weights(network, model):
    """The weights of a Keras model by name."""
    return {name: variable.numpy() for name, variable in keras_variables(network, model).items()}


def keras_loss_and_gradient(network, parameters, steps, value_weight, readout=None, inputs=None):
    """Differentiate through stock Keras layers; all sequences have all steps, `readout` is from `draw_readout`.

    The encoder reads `inputs`, by default the sequences.
    """
    shapes, n_timesteps = network.weight_shapes, len(steps) * network.patch_size
    X, value_weight, read = (
        each.transpose(1, 0, 2).reshape(-1, n_timesteps, network.n_features)
        for each in (steps, value_weight, steps if inputs is None else inputs)
    )
    model = build_keras_model(unscaled_model(network, named_weights(shapes, parameters), n_timesteps))
    variables = {name: variable.value for name, variable in keras_variables(network, model).items()}
    readout_loss = 0.0
    if readout is not None:
        readout_shapes, readout_parameters, targets = readout
        shapes = shapes | readout_shapes
        variables |= {k: tf.Variable(v) for k, v in named_weights(readout_shapes, readout_parameters).items()}
        embedding = model.get_layer("embedding").output
        model = keras.Model(model.inputs[0], [*model.outputs, embedding])
    with tf.GradientTape() as tape:
        output, embedding = (model(read), None) if readout is None else model(read)
        loss = tf.reduce_sum(value_weight * keras.ops.square(output - X))
        if readout is not None:
            predicted = embedding @ variables["readout/kernel"] + variables["readout/bias"]
            readout_loss = tf.reduce_sum(targets.weight * tf.square(predicted - targets.values))
        total = loss + readout_loss
    gradients = {name: gradient.numpy() for name, gradient in tape.gradient(total, variables).items()}
    return float(loss), float(readout_loss), flat_parameters(shapes, gradients)


def stock_loss_and_gradient(network, parameters, steps, value_weight, beside, readout):
    """Differentiate through stock Keras layers that also read what stands in `beside`, from `draw_beside`."""
    context, components, loadings = beside
    n_steps, n_samples, _ = steps.shape
    readout_shapes, readout_parameters, targets = readout
    shapes = network.weight_shapes | readout_shapes
    flat = np.concatenate([parameters, readout_parameters])
    weights = {name: tf.Variable(weight) for name, weight in named_weights(shapes, flat).items()}

    def lstm(layer, inputs):
        stock = keras.layers.LSTM(layer.units, activation=network.activation, return_sequences=layer.return_sequences)
        stock.build(inputs.shape)
        variables = list(layer.weights(weights))
        return stock.stateless_call(variables, stock.non_trainable_variables, inputs)[0]

    with tf.GradientTape() as tape:
        states = tf.constant(steps.transpose(1, 0, 2))
        for layer in network.encoder:
            if layer == network.encoder[-1]:
                states = keras.layers.Concatenate()([states, keras.layers.RepeatVector(n_steps)(context)])
            states = lstm(layer, states)
        first = states[:, : network.shortcut_size]
        is_tanh = network.activation == "tanh"
        first = tf.tanh(tf.atanh(first) + components) if is_tanh else first + components
        embedding = tf.concat([first, states[:, network.shortcut_size :]], axis=1)
        states = keras.layers.RepeatVector(n_steps)(embedding)
        time_features = np.tile(network.time_features(n_steps), (n_samples, 1, 1))
        states = keras.layers.Concatenate()([states, time_features])
        for layer in network.decoder:
            states = lstm(layer, states)
        output = states @ weights["output/kernel"] + weights["output/bias"]
        output += tf.einsum("nk,ktv->ntv", embedding[:, : network.shortcut_size], loadings)
        loss = tf.reduce_sum(value_weight.transpose(1, 0, 2) * tf.square(output - steps.transpose(1, 0, 2)))
        predicted = embedding @ weights["readout/kernel"] + weights["readout/bias"]
        readout_loss = tf.reduce_sum(targets.weight * tf.square(predicted - targets.values))
        total = loss + readout_loss
    gradients = {name: gradient.numpy() for name, gradient in tape.gradient(total, weights).items()}
    return float(loss), float(readout_loss), flat_parameters(shapes, gradients)


def largest_relative_error(shapes, gradient, expected):
    """Compare weight by weight, so that a small one counts as much as a large one."""
    own, others = (named_weights(shapes, each) for each in (gradient, expected))
    return max(np.linalg.norm(own[name] - each) / max(np.linalg.norm(each), 1e-6) for name, each in others.items())
