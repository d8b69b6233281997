"""The forward pass in NumPy: from sequences to embeddings and back.

Arrays are time-major inside, (n_timesteps, n_samples, width). A sigmoid is computed as (1 + tanh(x / 2)) / 2, so that
one tanh serves all four gates; the halves are folded into the kernels.
"""

from __future__ import annotations

import numpy as np

from seqembed.network import LSTMLayer, Network


def encode(network: Network, weights: dict[str, np.ndarray], sequences: np.ndarray) -> np.ndarray:
    """Embed a batch of sequences.

    Parameters
    ----------
    network : Network
        The sizes.
    weights : dict of str to float32 array
        As named by ``network.weight_shapes``.
    sequences : float32 array of shape (n_samples, n_timesteps, n_features)
        A batch, scaled as in training.

    Returns
    -------
    embedding : float32 array of shape (n_samples, n_components)
        The last encoder layer's state after the last timestep.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.network import initial_weights
    >>> network = Network(n_features=2, n_components=4)
    >>> weights = initial_weights(network, np.random.default_rng(0))
    >>> encode(network, weights, np.zeros((5, 3, 2), np.float32)).shape
    (5, 4)
    """
    states = np.ascontiguousarray(sequences.transpose(1, 0, 2))
    for layer in network.encoder:
        states = _run(layer, weights, states, len(states), network.activation)
    return states[-1]


def decode(network: Network, weights: dict[str, np.ndarray], embedding: np.ndarray, n_timesteps: int) -> np.ndarray:
    """Reconstruct sequences from a batch of embeddings.

    Parameters
    ----------
    network : Network
        The sizes.
    weights : dict of str to float32 array
        As named by ``network.weight_shapes``.
    embedding : float32 array of shape (n_samples, n_components)
        What `encode` returned.
    n_timesteps : int
        How often the embedding is repeated, hence the length of the reconstruction.

    Returns
    -------
    sequences : float32 array of shape (n_samples, n_timesteps, n_features)
        Scaled as in training.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.network import initial_weights
    >>> network = Network(n_features=2, n_components=4)
    >>> weights = initial_weights(network, np.random.default_rng(0))
    >>> decode(network, weights, np.zeros((5, 4), np.float32), n_timesteps=3).shape
    (5, 3, 2)
    """
    # One timestep stands for all of the repeated vector: it is projected once.
    states = embedding[np.newaxis]
    for layer in network.decoder:
        states = _run(layer, weights, states, n_timesteps, network.activation)
    output = states @ weights["output/kernel"] + weights["output/bias"]
    return np.ascontiguousarray(output.transpose(1, 0, 2))


def _run(
    layer: LSTMLayer, weights: dict[str, np.ndarray], inputs: np.ndarray, n_timesteps: int, activation: str
) -> np.ndarray:
    """Hidden states (n_timesteps, n_samples, units) of one layer; inputs of a single timestep are repeated."""
    units, n_samples = layer.units, inputs.shape[1]
    factors = _gate_factors(units)
    offsets = 1 - factors
    recurrent_kernel = weights[f"{layer.name}/recurrent_kernel"] * factors
    flat = inputs.reshape(-1, layer.n_inputs)
    projected = flat @ (weights[f"{layer.name}/kernel"] * factors) + weights[f"{layer.name}/bias"] * factors
    projected = np.broadcast_to(
        projected.reshape(len(inputs), n_samples, 4 * units), (n_timesteps, n_samples, 4 * units)
    )

    hidden = np.empty((n_timesteps, n_samples, units), np.float32)
    h = np.zeros((n_samples, units), np.float32)
    c = np.zeros((n_samples, units), np.float32)
    for t in range(n_timesteps):
        halved = h @ recurrent_kernel
        halved += projected[t]
        gates = np.tanh(halved)
        gates *= factors
        gates += offsets
        i, f, g, o = np.split(gates, 4, axis=1)
        if activation == "relu":
            g = np.maximum(halved[:, 2 * units : 3 * units], 0)
        c = f * c + i * g
        h = np.multiply(o, np.tanh(c) if activation == "tanh" else np.maximum(c, 0), out=hidden[t])
    return hidden


def _gate_factors(units: int) -> np.ndarray:
    factors = np.full(4 * units, 0.5, np.float32)
    factors[2 * units : 3 * units] = 1
    return factors
