"""The usual script: stock Keras layers, tanh, Adam at 1e-3, batches of 32, in the shape that the post gave it."""

from __future__ import annotations

import numpy as np


def keras_autoencoder(n_timesteps: int, n_features: int):
    """Build the post's network and the part of it that embeds."""
    from keras import Input, Model, layers

    sequence = Input((n_timesteps, n_features))
    states = layers.LSTM(128, return_sequences=True)(sequence)
    embedding = layers.LSTM(64)(states)
    states = layers.RepeatVector(n_timesteps)(embedding)
    states = layers.LSTM(64, return_sequences=True)(states)
    states = layers.LSTM(128, return_sequences=True)(states)
    model = Model(sequence, layers.TimeDistributed(layers.Dense(n_features))(states))
    model.compile("adam", "mse")
    return model, Model(sequence, embedding)


def fit_keras(scaled: np.ndarray, epochs: int, seed: int):
    """Train it. In inputs and targets, padding (NaN) becomes zero, the mean of each feature."""
    import keras

    keras.utils.set_random_seed(seed)
    model, encoder = keras_autoencoder(*scaled.shape[1:])
    filled = np.nan_to_num(scaled)
    history = model.fit(filled, filled, epochs=epochs, verbose=0)
    return model, encoder, history.history["loss"]
