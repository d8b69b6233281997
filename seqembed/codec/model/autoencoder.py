"""The autoencoder: all that the codec reads of a fitted LSTMAutoencoder."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np


class FittedAutoencoder(Protocol):
    """The attributes and methods of a fitted LSTMAutoencoder that the codec uses."""

    network_: Any
    weights_: dict[str, np.ndarray]
    center_: np.ndarray
    scale_: np.ndarray
    feature_means_: np.ndarray
    input_ndim_: int

    def transform(self, X: Any) -> np.ndarray:
        """Return the embeddings of sequences."""

    def inverse_transform(self, X: Any, lengths: Any) -> Any:
        """Return the sequences that embeddings are decoded to."""


class DecoderLayer(NamedTuple):
    """Weights of an LSTM layer of the decoder, float64. Gates are in the order i, f, c, o.

    Parameters
    ----------
    kernel, recurrent_kernel : arrays of shape (n_inputs, 4 * units) and (units, 4 * units)
        For the inputs and for the hidden state.
    biases : array of shape (n_steps, 4 * units)
        Biases of each step, which contain the time encoding. A single row is for all steps.
    """

    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    biases: np.ndarray


class DecoderWeights(NamedTuple):
    """Weights of the decoder, float64.

    Parameters
    ----------
    layers : list of DecoderLayer
        The first layer reads the embedding at each step.
    output_kernel : array of shape (units, n_values)
        Kernel of the output layer, whose values are `patch_size` timesteps of all features.
    output_bias : array of shape (n_values,)
        Bias of the output layer.
    center, scale : arrays of shape (n_features,)
        Outputs are multiplied by `scale`; then `center` is added.
    patch_size : int
        Timesteps per step.
    relu : bool
        Whether the activation is relu instead of tanh.
    """

    layers: list[DecoderLayer]
    output_kernel: np.ndarray
    output_bias: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    patch_size: int
    relu: bool


def count_components(autoencoder: FittedAutoencoder) -> int:
    """Return the number of components of an embedding."""
    return int(autoencoder.network_.n_components)


def embed(autoencoder: FittedAutoencoder, sequences: list[np.ndarray]) -> np.ndarray:
    """Return the embeddings of sequences of shape (n_timesteps, n_features), float64 of (n_samples, n_components)."""
    univariate = autoencoder.input_ndim_ == 2
    X = [sequence[:, 0] for sequence in sequences] if univariate else sequences
    return autoencoder.transform(X).astype(np.float64)


def reconstruct(autoencoder: FittedAutoencoder, embeddings: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    """Return the sequences that embeddings are decoded to, each of shape (n_timesteps, n_features)."""
    decoded = autoencoder.inverse_transform(embeddings, lengths=lengths)
    return [np.reshape(sequence, (len(sequence), -1)) for sequence in decoded]


def network_numbers(autoencoder: FittedAutoencoder) -> list[np.ndarray]:
    """Return all numbers that reconstructions depend on, for a fingerprint."""
    network = autoencoder.network_
    relu = network.activation == "relu"
    settings = np.array([network.n_components, network.patch_size, network.encoded_timesteps or 0, relu], np.int64)
    scaling = [autoencoder.feature_means_, autoencoder.center_, autoencoder.scale_]
    return [settings, *scaling, *autoencoder.weights_.values()]


def decoder_weights(autoencoder: FittedAutoencoder, n_timesteps: int) -> DecoderWeights:
    """Return the weights of the decoder.

    Parameters
    ----------
    autoencoder : LSTMAutoencoder
        Fitted.
    n_timesteps : int
        Length of the longest sequence: the number of time encodings that the biases of the first layer contain.
    """
    network, weights = autoencoder.network_, autoencoder.weights_
    time_features = network.time_features(network.count_steps(n_timesteps)).astype(np.float64)
    layers: list[DecoderLayer] = []
    for layer in network.decoder:
        kernel, recurrent_kernel, bias = (each.astype(np.float64) for each in layer.weights(weights))
        biases = bias[np.newaxis]
        if not layers:
            kernel, time_kernel = np.split(kernel, [network.n_components])
            biases = bias + time_features @ time_kernel
        layers.append(DecoderLayer(kernel, recurrent_kernel, biases))
    return DecoderWeights(
        layers,
        weights["output/kernel"].astype(np.float64),
        weights["output/bias"].astype(np.float64),
        autoencoder.center_,
        autoencoder.scale_,
        network.patch_size,
        network.activation == "relu",
    )
