"""The gradient in NumPy, for fits that are over before TensorFlow would be imported and the network compiled.

It computes what `seqembed.training.gradient.lstm_kernel` computes, in the same way: arrays are
(n_timesteps, n_samples, width), the derivatives of a step take the place of its pre-activations, and its gradient takes
theirs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seqembed.network.architecture import LSTMLayer, Network
from seqembed.network.weights import named_weights


def loss_and_gradient(
    network: Network, parameters: np.ndarray, sequences: np.ndarray, lengths: np.ndarray, value_weight: np.ndarray
) -> tuple[float, np.ndarray]:
    """Compute the weighted sum of the squared errors of all values, and its gradient by all weights.

    Parameters
    ----------
    network : Network
        The sizes.
    parameters : float32 array of shape (n_parameters,)
        All weights, flat, in the order of ``network.weight_shapes``.
    sequences : float32 array of shape (n_timesteps, n_samples, n_features)
        A batch, time-major.
    lengths : int array of shape (n_samples,)
        Timesteps of each sequence before its padding.
    value_weight : float32 array of shape (n_timesteps, n_samples, n_features) or (1, n_samples, 1)
        Weight of each value, or of all values of a sequence.

    Returns
    -------
    loss : float
        The sum.
    gradient : float32 array of shape (n_parameters,)
        In the order of `parameters`.

    Examples
    --------
    >>> import numpy as np
    >>> network = Network(n_features=1, n_components=2, hidden_units=())
    >>> sequences, value_weight = np.ones((3, 4, 1), np.float32), np.full((1, 4, 1), 1 / 12, np.float32)
    >>> parameters = np.zeros(network.n_parameters, np.float32)
    >>> loss, gradient = loss_and_gradient(network, parameters, sequences, np.full(4, 3), value_weight)
    >>> loss, round(float(gradient[-1]), 5)  # that of the output's bias
    (1.0, -2.0)
    """
    n_timesteps, n_samples, _ = sequences.shape
    gradient = np.empty_like(parameters)
    weights, gradients = named_weights(network, parameters), named_weights(network, gradient)
    last_steps = lengths - 1, np.arange(n_samples)
    states, ways_back = sequences, []

    def run(layer, time_features=None):
        nonlocal states
        states, way_back = _lstm(layer, network.activation, weights, gradients, states, time_features)
        ways_back.append(way_back)

    for layer in network.encoder:
        run(layer)
    if network.bottleneck:
        encoded = states
        states = encoded[last_steps][np.newaxis]

        def spread(d_embedding):
            d_encoded = np.zeros_like(encoded)
            d_encoded[last_steps] = d_embedding[0]
            return d_encoded

        ways_back.append(spread)
    first, *others = network.decoder
    run(first, network.time_features(n_timesteps))
    for layer in others:
        run(layer)

    flat = states.reshape(n_timesteps * n_samples, -1)
    output = flat @ weights["output/kernel"] + weights["output/bias"]
    errors = output.reshape(sequences.shape) - sequences
    weighted_errors = value_weight * errors
    d_output = 2 * weighted_errors.reshape(output.shape)
    np.matmul(flat.T, d_output, out=gradients["output/kernel"])
    np.sum(d_output, axis=0, out=gradients["output/bias"])
    d_states = (d_output @ weights["output/kernel"].T).reshape(states.shape)
    for way_back in reversed(ways_back):
        d_states = way_back(d_states)
    return float(np.vdot(errors, weighted_errors)), gradient


def _lstm(
    layer: LSTMLayer,
    activation: str,
    weights: dict[str, np.ndarray],
    gradients: dict[str, np.ndarray],
    inputs: np.ndarray,
    time_features: np.ndarray | None,
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Run one layer; returns every hidden state, and a function from their gradient to that of the inputs.

    That function writes the gradients of the layer's weights. A single timestep of inputs is read again at each of
    those of `time_features`.
    """
    n_given, n_samples, width = inputs.shape
    flat_inputs = inputs.reshape(n_given * n_samples, width)
    names = tuple(layer.weight_shapes)
    kernel, recurrent_kernel, bias = (weights[name] for name in names)
    projected = (flat_inputs @ kernel[:width] + bias).reshape(n_given, n_samples, -1)
    if time_features is not None:
        projected = projected + (time_features @ kernel[width:])[:, np.newaxis]
    hidden, local, gates, by_hidden = _run_forward(projected, recurrent_kernel, activation)

    def way_back(d_hidden):
        d_projected = _run_backward(d_hidden, recurrent_kernel, local, gates, by_hidden)
        flat = d_projected.reshape(-1, d_projected.shape[2])
        d_kernel, d_recurrent_kernel, d_bias = (gradients[name] for name in names)
        np.sum(flat, axis=0, out=d_bias)
        np.matmul(hidden[:-1].reshape(len(flat), -1).T, flat, out=d_recurrent_kernel)
        # One product serves all timesteps of a repeated input.
        of_inputs = flat if len(d_projected) == n_given else d_projected.sum(axis=0)
        np.matmul(flat_inputs.T, of_inputs, out=d_kernel[:width])
        if time_features is not None:
            np.matmul(time_features.T, d_projected.sum(axis=1), out=d_kernel[width:])
        return (of_inputs @ kernel[:width].T).reshape(inputs.shape)

    return hidden[1:], way_back


def _run_forward(preactivations: np.ndarray, recurrent_kernel: np.ndarray, activation: str) -> tuple[np.ndarray, ...]:
    """Run the cell over pre-activations without the hidden state's part; they are overwritten.

    Returns the hidden states, those before the first step among them; the derivatives of each step, in place of its
    pre-activations: of the new c by those of i, f, g and of the new h by that of o; its gates; and the derivative of
    the new h by the new c.
    """
    n_timesteps, n_samples, width = preactivations.shape
    units = width // 4
    activate, slope = _ACTIVATIONS[activation]
    # A sigmoid is (1 + tanh(x / 2)) / 2, so that one tanh serves all four gates.
    factors = np.repeat(np.float32([0.5, 0.5, 1, 0.5]), units)
    halves, squared_factors = 1 - factors, factors * factors
    hidden = np.zeros((n_timesteps + 1, n_samples, units), np.float32)
    gates = np.empty_like(preactivations)
    by_hidden = np.empty((n_timesteps, n_samples, units), np.float32)
    c = np.zeros((n_samples, units), np.float32)
    for t in range(n_timesteps):
        local = preactivations[t]
        local += hidden[t] @ recurrent_kernel
        candidate = None if activation == "tanh" else activate(local[:, 2 * units : 3 * units])
        local *= factors
        np.tanh(local, out=local)
        np.multiply(local, factors, out=gates[t])
        gates[t] += halves
        local *= local
        np.subtract(1, local, out=local)
        local *= squared_factors
        i, f, g, o = np.split(gates[t], 4, axis=1)
        by_i, by_f, by_g, by_o = np.split(local, 4, axis=1)
        if candidate is not None:
            g[...] = candidate
            by_g[...] = slope(candidate)
        by_i *= g
        by_f *= c
        by_g *= i
        c = f * c + i * g
        activated = activate(c)
        by_o *= activated
        np.multiply(o, activated, out=hidden[t + 1])
        np.multiply(o, slope(activated), out=by_hidden[t])
    return hidden, preactivations, gates, by_hidden


# Each activation with its slope as a function of the activated value.
_ACTIVATIONS = {
    "tanh": (np.tanh, lambda activated: 1 - activated * activated),
    "relu": (lambda values: np.maximum(values, 0), lambda activated: activated > 0),
}


def _run_backward(
    d_hidden: np.ndarray, recurrent_kernel: np.ndarray, local: np.ndarray, gates: np.ndarray, by_hidden: np.ndarray
) -> np.ndarray:
    """Turn the gradient of the hidden states into that of the pre-activations, in place of `local`."""
    n_timesteps, n_samples, units = d_hidden.shape
    dh = dc = np.zeros((n_samples, units), np.float32)
    for t in reversed(range(n_timesteps)):
        dh = dh + d_hidden[t]
        dc = dc + dh * by_hidden[t]
        by_gate = local[t].reshape(n_samples, 4, units)
        by_gate[:, :3] *= dc[:, np.newaxis]
        by_gate[:, 3] *= dh
        dh = local[t] @ recurrent_kernel.T
        dc = dc * gates[t, :, units : 2 * units]
    return local
