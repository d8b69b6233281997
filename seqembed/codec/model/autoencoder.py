"""The autoencoder: all that the codec computes with its trained model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqembed.inference.compute import compute
from seqembed.inference.inputs import checked_embeddings
from seqembed.inference.model import TrainedModel
from seqembed.inference.quantities import decoding, embedding
from seqembed.sequences.collection import check_sequences


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
    loadings : array of shape (shortcut_size, n_timesteps, n_features)
        What the first numbers of an embedding add to the outputs. The first axis is empty without a shortcut.
    """

    layers: list[DecoderLayer]
    output_kernel: np.ndarray
    output_bias: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    patch_size: int
    relu: bool
    loadings: np.ndarray


def embed(model: TrainedModel, sequences: list[np.ndarray]) -> np.ndarray:
    """Return the embeddings of sequences of shape (n_timesteps, n_features), float64 of (n_samples, n_components)."""
    embeddings: np.ndarray = compute(embedding(model), model, check_sequences(sequences))
    return embeddings.astype(np.float64)


def reconstruct(model: TrainedModel, embeddings: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    """Return the sequences that embeddings are decoded to, each of shape (n_timesteps, n_features)."""
    checked = checked_embeddings(embeddings, lengths, model, "LSTMAutoencoder")
    return [sequence.reshape(len(sequence), -1) for sequence in compute(decoding(model), model, checked)]


def model_numbers(model: TrainedModel) -> list[np.ndarray]:
    """Return all numbers that reconstructions depend on, for a fingerprint."""
    network, scaling = model.network, model.scaling
    relu = network.activation == "relu"
    settings = np.array([network.n_components, network.patch_size, network.encoded_timesteps or 0, relu], np.int64)
    return [settings, scaling.means, scaling.center, scaling.scale, *model.weights.values()]


def decoder_weights(model: TrainedModel, n_timesteps: int) -> DecoderWeights:
    """Return the weights of the decoder.

    Parameters
    ----------
    model : TrainedModel
        That of an autoencoder.
    n_timesteps : int
        Length of the longest sequence: the number of time encodings that the biases of the first layer contain.
    """
    network, weights, scaling = model.network, model.weights, model.scaling
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
        scaling.center,
        scaling.scale,
        network.patch_size,
        network.activation == "relu",
        weights["shortcut/loadings"].astype(np.float64)
        if network.shortcut_size
        else np.empty((0, 1, len(scaling.scale))),
    )
