"""The genuine Keras model that carries an estimator's weights."""

from __future__ import annotations

import keras
import numpy as np

from seqembed.network import LSTMLayer, Network


def build_keras_model(
    network: Network,
    weights: dict[str, np.ndarray],
    n_timesteps: int,
    *,
    center: np.ndarray,
    scale: np.ndarray,
) -> keras.Model:
    """Build the network of standard Keras layers, with the weights given.

    Parameters
    ----------
    network : Network
        The sizes.
    weights : dict of str to float32 array
        As named by ``network.weight_shapes``.
    n_timesteps : int
        Length of the sequences.
    center, scale : arrays of shape (n_features,)
        How sequences are scaled. Unless they change nothing, two Normalization layers without weights do and undo it.

    Returns
    -------
    model : keras.Model
        From (n_samples, n_timesteps, n_features) to the reconstruction of the same shape, both in the user's units.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.network import initial_weights
    >>> network = Network(n_features=2)
    >>> weights = initial_weights(network, np.random.default_rng(0))
    >>> model = build_keras_model(network, weights, 3, center=np.zeros(2), scale=np.ones(2))
    >>> model.count_params()
    248578
    """
    layers = [
        keras.Input((n_timesteps, network.n_features), name="sequence"),
        *(_lstm(layer, network.activation) for layer in network.encoder),
        *([keras.layers.RepeatVector(n_timesteps, name="repeat")] if network.bottleneck else []),
        *(_lstm(layer, network.activation) for layer in network.decoder),
        keras.layers.TimeDistributed(keras.layers.Dense(network.n_features), name="output"),
    ]
    if center.any() or (scale != 1).any():
        statistics = {"mean": center.tolist(), "variance": np.square(scale).tolist()}
        layers.insert(1, keras.layers.Normalization(**statistics, name="scale"))
        layers.append(keras.layers.Normalization(**statistics, invert=True, name="unscale"))
    model = keras.Sequential(layers, name="lstm_autoencoder" if network.bottleneck else "lstm_reconstructor")
    model.set_weights(list(weights.values()))
    return model


def _lstm(layer: LSTMLayer, activation: str) -> keras.layers.LSTM:
    return keras.layers.LSTM(
        layer.units, activation=activation, return_sequences=layer.return_sequences, name=layer.name
    )
