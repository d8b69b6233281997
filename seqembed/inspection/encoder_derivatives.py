"""Exact derivatives of the embedding by what the encoder reads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqembed.network import shortcut
from seqembed.network.architecture import LSTMLayer, LSTMWeights, Network
from seqembed.network.lstm_derivatives import run_with_derivatives


class EmbeddingDerivatives(NamedTuple):
    """Derivatives of the embeddings of a batch, while its contexts do not change.

    Parameters
    ----------
    by_values : float32 array of shape (n_samples, n_components, n_timesteps, n_features)
        By each value of the sequences, as the network reads them. 0 after the end of a sequence.
    by_context : float32 array of shape (n_samples, n_components, context_size)
        By each number of the contexts.
    """

    by_values: np.ndarray
    by_context: np.ndarray


def embedding_derivatives(
    network: Network,
    weights: dict[str, np.ndarray],
    sequences: np.ndarray,
    lengths: np.ndarray,
    context: np.ndarray | None = None,
) -> EmbeddingDerivatives:
    """Differentiate `seqembed.network.forward.encode`.

    The method is backpropagation through time, once for each component of the embedding. All components and all layers
    take a step back together. So only the states of the forward pass are kept for all timesteps.

    Parameters
    ----------
    network : Network
        Its architecture.
    weights : dict of str to float32 array
        As named by ``network.weight_shapes``.
    sequences : float32 array of shape (n_samples, n_timesteps, n_features)
        A batch, scaled as in training, and padded to whole patches.
    lengths : int array of shape (n_samples,)
        Timesteps of each sequence before its padding.
    context : float32 array of shape (n_samples, context_size), default=None
        What the last layer reads at every step, if the network has a context.

    Returns
    -------
    derivatives : EmbeddingDerivatives
        By the values and by the contexts. What a sequence of patches has after its last timestep, in its last patch, is
        read by the network, and has derivatives. Leave them out by the mask of the batch.

    References
    ----------
    P. J. Werbos, "Backpropagation through time: what it does and how to do it" (1990).

    Examples
    --------
    >>> from seqembed.network.weights import initial_weights
    >>> network = Network(n_features=2, n_components=4)
    >>> weights = initial_weights(network, np.random.default_rng(0))
    >>> derivatives = embedding_derivatives(network, weights, np.zeros((5, 3, 2), np.float32), np.full(5, 3))
    >>> derivatives.by_values.shape, derivatives.by_context.shape
    ((5, 4, 3, 2), (5, 4, 0))
    """
    n_samples, n_timesteps, n_features = sequences.shape
    n_components = network.n_components
    states = network.patches(sequences).transpose(1, 0, 2)
    backwards = []
    for layer in network.encoder:
        repeated = context if layer == network.encoder[-1] else None
        states, backward = _run_forward(layer, weights, network.activation, states, repeated)
        backwards.append(backward)
    n_steps = len(states)
    last_steps = network.count_steps(lengths) - 1
    embedding = states[last_steps, np.arange(n_samples)]
    slopes, by_components = np.ones_like(embedding), None
    if network.shortcut_size:
        slopes, by_components = _differentiate_shortcut(network, weights, sequences, embedding)
    d_steps = np.empty((n_samples, n_components, n_steps, network.n_values_per_step), np.float32)
    # The derivatives of the embedding by the states of the last layer.
    diagonal = slopes[:, np.newaxis] * np.eye(n_components, dtype=np.float32)
    for t in reversed(range(n_steps)):
        d_states = diagonal * (last_steps == t)[:, np.newaxis, np.newaxis]
        for backward in reversed(backwards):
            d_states = backward.step(t, d_states)
        d_steps[:, :, t] = d_states
    by_values = d_steps.reshape(n_samples, n_components, n_timesteps, n_features)
    if by_components is not None:
        shape = weights["shortcut/loadings"].shape
        loadings = shortcut.projection(weights).T.reshape(shape)
        n_read = min(n_timesteps, shape[1])
        by_values[:, : len(loadings), :n_read] += by_components[:, :, np.newaxis, np.newaxis] * loadings[:, :n_read]
    return EmbeddingDerivatives(by_values, backwards[-1].by_repeated())


def _differentiate_shortcut(
    network: Network, weights: dict[str, np.ndarray], sequences: np.ndarray, states: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the derivatives of the embedding by the encoder's last states, and by the components of the shortcut."""
    components = shortcut.flat_deviations(weights, sequences) @ shortcut.projection(weights)
    bounded = shortcut.clipped(components)
    slopes = shortcut.slope(states, bounded, network.activation)
    by_components = (components == bounded).astype(np.float32)
    if network.activation == "tanh":
        # Of (state + t) / (1 + state * t) with t = tanh(component).
        first, squashed = states[:, : network.shortcut_size], np.tanh(bounded)
        by_components *= (1 - first * first) * (1 - squashed * squashed) / np.square(1 + first * squashed)
    return slopes, by_components


class _Backward:
    """Backpropagation through one LSTM layer, from its last step to its first.

    Parameters
    ----------
    weights : LSTMWeights
        Those of the layer.
    width : int
        Inputs that come from the layer below. The others are repeated at each step.
    derivatives : float32 array of shape (n_steps, n_samples, 4, units)
        Of the new c by the pre-activations of i, f, g, and of the new h by that of o.
    f : float32 array of shape (n_steps, n_samples, units)
        The forget gates.
    dh_dc : float32 array of shape (n_steps, n_samples, units)
        Derivatives of the new h by the new c.
    """

    def __init__(self, weights: LSTMWeights, width: int, derivatives: np.ndarray, f: np.ndarray, dh_dc: np.ndarray):
        self._kernel, self._repeated_kernel = weights.kernel[:width], weights.kernel[width:]
        self._recurrent_kernel = weights.recurrent_kernel
        self._derivatives, self._f, self._dh_dc = derivatives, f, dh_dc
        self._dh: np.ndarray | float = 0.0
        self._dc: np.ndarray | float = 0.0
        self._sum_of_gates: np.ndarray | float = 0.0

    def step(self, t: int, d_states: np.ndarray) -> np.ndarray:
        """Return the derivatives by the inputs of step `t`: float32 of shape (n_samples, n_components, width).

        Parameters
        ----------
        t : int
            One less than in the call before.
        d_states : float32 array of shape (n_samples, n_components, units)
            Derivatives by the state of step `t` that do not pass through later steps of this layer.
        """
        n_samples, n_components, units = d_states.shape
        derivatives, f, dh_dc = (each[t][:, np.newaxis] for each in (self._derivatives, self._f, self._dh_dc))
        dh = self._dh + d_states
        dc = self._dc + dh * dh_dc
        d_gates = np.empty((n_samples, n_components, 4, units), np.float32)
        np.multiply(derivatives[:, :, :3], dc[:, :, np.newaxis], out=d_gates[:, :, :3])
        np.multiply(derivatives[:, :, 3], dh, out=d_gates[:, :, 3])
        flat = d_gates.reshape(n_samples * n_components, 4 * units)
        self._dh = (flat @ self._recurrent_kernel.T).reshape(d_states.shape)
        self._dc = dc * f
        if len(self._repeated_kernel):
            self._sum_of_gates = self._sum_of_gates + flat
        d_inputs: np.ndarray = flat @ self._kernel.T
        return d_inputs.reshape(n_samples, n_components, -1)

    def by_repeated(self) -> np.ndarray:
        """Return the derivatives by the repeated inputs, after the first step: (n_samples, n_components, width)."""
        n_samples = self._f.shape[1]
        if not len(self._repeated_kernel):
            return np.empty((n_samples, self._f.shape[2], 0), np.float32)
        by_repeated: np.ndarray = self._sum_of_gates @ self._repeated_kernel.T
        return by_repeated.reshape(n_samples, -1, len(self._repeated_kernel))


def _run_forward(
    layer: LSTMLayer, weights: dict[str, np.ndarray], activation: str, inputs: np.ndarray, repeated: np.ndarray | None
) -> tuple[np.ndarray, _Backward]:
    """Run one layer over time-major inputs; return its states, (n_steps, n_samples, units), and its backpropagation."""
    n_steps, n_samples, width = inputs.shape
    units, own = layer.units, layer.weights(weights)
    preactivations = (inputs.reshape(-1, width) @ own.kernel[:width] + own.bias).reshape(n_steps, n_samples, -1)
    if repeated is not None:
        preactivations += repeated @ own.kernel[width:]
    run = run_with_derivatives(preactivations, own.recurrent_kernel, activation)
    derivatives, gates = (each.reshape(n_steps, n_samples, 4, units) for each in (run.derivatives, run.gates))
    return run.hidden[1:], _Backward(own, width, derivatives, gates[:, :, 1], run.dh_dc)
