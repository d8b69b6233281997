"""A trained network as a Keras model of standard layers."""

from __future__ import annotations

import keras
import numpy as np

from seqembed.network.architecture import LSTMLayer, Network
from seqembed.sequences.scaling import Scaling


def build_keras_model(
    network: Network,
    weights: dict[str, np.ndarray],
    scaling: Scaling,
    *,
    n_timesteps: int,
) -> keras.Model:
    """Build a network of standard Keras layers with the given weights.

    Parameters
    ----------
    network : Network
        Its architecture.
    weights : dict of str to float32 array
        As named by ``network.weight_shapes``.
    scaling : Scaling
        How sequences are scaled. If it changes anything, Rescaling layers, which have no weights, do and undo it.
    n_timesteps : int
        Length of the sequences.

    Returns
    -------
    model : keras.Model
        Takes sequences of shape (n_samples, n_timesteps, n_features) and returns their reconstruction, of the same
        shape, both in the user's units.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.network.weights import initial_weights
    >>> network = Network(n_features=2)
    >>> weights = initial_weights(network, np.random.default_rng(0))
    >>> scaling = Scaling(means=np.zeros(2), center=np.zeros(2), scale=np.ones(2))
    >>> model = build_keras_model(network, weights, scaling, n_timesteps=3)
    >>> model.count_params()
    248578
    """
    n_steps = network.count_steps(n_timesteps)
    into_patches, out_of_patches = _patching(network, scaling, n_timesteps)
    layers = [
        *into_patches,
        *(_lstm(layer, network.activation) for layer in network.encoder),
        *([keras.layers.RepeatVector(n_steps, name="repeat")] if network.bottleneck else []),
        *_time_encoding(network, n_steps),
        *(_lstm(layer, network.activation) for layer in network.decoder),
        keras.layers.TimeDistributed(keras.layers.Dense(network.n_values_per_step), name="output"),
        *out_of_patches,
    ]
    center, scale = scaling.center, scaling.scale
    if center.any() or (scale != 1).any():
        rescaling = keras.layers.Rescaling
        layers = [
            # Two layers, since a single product and sum would round values that lie far from zero.
            rescaling(1.0, (-center).tolist(), name="center"),
            rescaling((1 / scale).tolist(), name="scale"),
            *layers,
            rescaling(scale.tolist(), center.tolist(), name="unscale"),
        ]
    layers.insert(0, keras.Input((n_timesteps, network.n_features), name="sequence"))
    model = keras.Sequential(layers, name="lstm_autoencoder" if network.bottleneck else "lstm_reconstructor")
    for layer in network.layers:
        # In the order in which Keras lists them.
        kernel, recurrent_kernel, bias = layer.weights(weights)
        model.get_layer(layer.name).set_weights([kernel, recurrent_kernel, bias])
    model.get_layer("output").set_weights([weights["output/kernel"], weights["output/bias"]])
    # Keras refuses to export a model to ONNX that was never called; a symbolic call computes nothing.
    model(keras.KerasTensor((None, n_timesteps, network.n_features)))
    return model


def _patching(
    network: Network, scaling: Scaling, n_timesteps: int
) -> tuple[list[keras.layers.Layer], list[keras.layers.Layer]]:
    """Make the layers that cut sequences into patches, the last one filled up with means, and those that undo it."""
    if network.patch_size == 1:
        return [], []
    whole = network.whole_patches(n_timesteps)
    into = [keras.layers.Reshape((network.count_steps(n_timesteps), network.n_values_per_step), name="patches")]
    out_of = [keras.layers.Reshape((whole, network.n_features), name="timesteps")]
    if whole > n_timesteps:
        means = np.zeros((whole, network.n_features))
        means[n_timesteps:] = scaling.scaled_means
        filling = keras.layers.ZeroPadding1D((0, whole - n_timesteps), name="padding")
        into = [filling, keras.layers.Rescaling(1.0, means.tolist(), name="padding_means"), *into]
        out_of.append(keras.layers.Cropping1D((0, whole - n_timesteps), name="cropping"))
    return into, out_of


def _time_encoding(network: Network, n_steps: int) -> list[keras.Layer]:
    """Make the layers that append the time features to their input: first zeros, to which the features are added."""
    if not network.n_time_features:
        return []
    offset = np.zeros((n_steps, network.decoder[0].n_inputs))
    offset[:, network.n_components :] = network.time_features(n_steps)
    return [
        keras.layers.Permute((2, 1), name="time_last"),
        keras.layers.ZeroPadding1D((0, network.n_time_features), name="time_padding"),
        keras.layers.Permute((2, 1), name="time_first"),
        keras.layers.Rescaling(1.0, offset.tolist(), name="time_encoding"),
    ]


def _lstm(layer: LSTMLayer, activation: str) -> keras.layers.LSTM:
    return keras.layers.LSTM(
        layer.units, activation=activation, return_sequences=layer.return_sequences, name=layer.name
    )
