"""The gradient in NumPy, for fits that take less time than the import of TensorFlow.

The method is that of `seqembed.training.gradient.tensorflow_gradient`. Arrays are time-major, (n_timesteps, n_samples,
width). Three arrays share one buffer: pre-activations, then derivatives, then the gradient of the pre-activations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seqembed.network import shortcut
from seqembed.network.architecture import LSTMLayer, LSTMWeights, Network
from seqembed.network.weights import named_weights


def loss_and_gradient(
    network: Network,
    shapes: dict[str, tuple[int, ...]],
    parameters: np.ndarray,
    sequences: np.ndarray,
    lengths: np.ndarray,
    value_weight: np.ndarray,
    targets: np.ndarray | None = None,
    target_weight: np.ndarray | None = None,
    context: np.ndarray | None = None,
    components: np.ndarray | None = None,
    loadings: np.ndarray | None = None,
    inputs: np.ndarray | None = None,
) -> tuple[float, float, np.ndarray]:
    """Compute the loss, that of the readout, and the gradient of their sum.

    Parameters
    ----------
    network : Network
        Its architecture.
    shapes : dict of str to tuple of int
        Name and shape of every weight.
    parameters : float32 array of shape (n_parameters,)
        All weights, flat, in the order of `shapes`.
    sequences : float32 array of shape (n_steps, n_samples, n_values_per_step)
        A batch in patches, time-major.
    lengths : int array of shape (n_samples,)
        Steps of each sequence before its padding.
    value_weight : float32 array of the shape of `sequences`
        Weight of each value.
    targets : float32 array of shape (n_samples, n_statistics), default=None
        Values that the readout has to predict, if `shapes` contains its weights.
    target_weight : float32 array of the same shape, default=None
        Weight of each target.
    context : float32 array of shape (n_samples, context_size), default=None
        What the last encoder layer reads at every step, if the network has a context.
    components : float32 array of shape (n_samples, shortcut_size), default=None
        Of the sequences, if the network has a shortcut. See `seqembed.network.shortcut`.
    loadings : float32 array of shape (shortcut_size, n_steps, n_values_per_step), default=None
        Those of the shortcut, in patches.
    inputs : float32 array of the shape of `sequences`, default=None
        What the encoder reads, by default the sequences.

    Returns
    -------
    loss, readout_loss : float
        Weighted sums of squared errors. The second is 0.0 without a readout.
    gradient : float32 array of shape (n_parameters,)
        In the order of `parameters`.

    Examples
    --------
    >>> import numpy as np
    >>> network = Network(n_features=1, n_components=2, hidden_units=())
    >>> sequences, value_weight = np.ones((3, 4, 1), np.float32), np.full((3, 4, 1), 1 / 12, np.float32)
    >>> parameters, lengths = np.zeros(network.n_parameters, np.float32), np.full(4, 3)
    >>> loss, _, gradient = loss_and_gradient(
    ...     network, network.weight_shapes, parameters, sequences, lengths, value_weight
    ... )
    >>> loss, round(float(gradient[-1]), 5)  # that of the output's bias
    (1.0, -2.0)
    """
    n_steps, n_samples, _ = sequences.shape
    gradient = np.empty_like(parameters)
    weights, gradients = named_weights(shapes, parameters), named_weights(shapes, gradient)
    last_steps = lengths - 1, np.arange(n_samples)
    states, readout_loss = sequences if inputs is None else inputs, 0.0
    backward_passes: list[_Backward] = []

    def run(layer: LSTMLayer, time_features: np.ndarray | None = None, repeated: np.ndarray | None = None) -> None:
        nonlocal states
        states, backward = _lstm(
            layer.weights(weights), layer.weights(gradients), network.activation, states, time_features, repeated
        )
        backward_passes.append(backward)

    for layer in network.encoder:
        run(layer, repeated=context if network.context_size and layer == network.encoder[-1] else None)
    if network.bottleneck:
        encoded = states
        embedding = encoded[last_steps]
        slope: np.ndarray | float = 1.0
        if components is not None and network.shortcut_size:
            slope = shortcut.slope(embedding, components, network.activation)
            embedding = shortcut.joined(embedding, components, network.activation)
        readout_loss, d_embedding_readout = _readout(weights, gradients, embedding, targets, target_weight)
        states = embedding[np.newaxis]

        def backward_bottleneck(d_embedding: np.ndarray) -> np.ndarray:
            d_encoded = np.zeros_like(encoded)
            d_encoded[last_steps] = (d_embedding[0] + d_embedding_readout + d_embedding_shortcut) * slope
            return d_encoded

        backward_passes.append(backward_bottleneck)
    first, *others = network.decoder
    run(first, network.time_features(n_steps))
    for layer in others:
        run(layer)

    flat = states.reshape(n_steps * n_samples, -1)
    output = flat @ weights["output/kernel"] + weights["output/bias"]
    errors = output.reshape(sequences.shape) - sequences
    if loadings is not None and network.shortcut_size:
        errors += np.tensordot(embedding[:, : network.shortcut_size], loadings, axes=1).transpose(1, 0, 2)
    weighted_errors = value_weight * errors
    d_output = 2 * weighted_errors.reshape(output.shape)
    d_embedding_shortcut = np.zeros((n_samples, network.n_components), np.float32)
    if loadings is not None and network.shortcut_size:
        by_sequence = d_output.reshape(sequences.shape).transpose(1, 0, 2).reshape(n_samples, -1)
        d_embedding_shortcut[:, : network.shortcut_size] = by_sequence @ loadings.reshape(len(loadings), -1).T
    np.matmul(flat.T, d_output, out=gradients["output/kernel"])
    np.sum(d_output, axis=0, out=gradients["output/bias"])
    d_states = (d_output @ weights["output/kernel"].T).reshape(states.shape)
    for backward in reversed(backward_passes):
        d_states = backward(d_states)
    return float(np.vdot(errors, weighted_errors)), readout_loss, gradient


# Takes the gradient of the outputs of a layer, and returns that of its inputs.
_Backward = Callable[[np.ndarray], np.ndarray]


def _readout(
    weights: dict[str, np.ndarray],
    gradients: dict[str, np.ndarray],
    embedding: np.ndarray,
    targets: np.ndarray | None,
    target_weight: np.ndarray | None,
) -> tuple[float, np.ndarray | float]:
    """Run the readout, if there is one.

    Writes the gradients of its weights into `gradients`. Returns its loss and the gradient of the embedding.
    """
    if targets is None or target_weight is None or not targets.shape[1]:
        return 0.0, 0.0
    errors = embedding @ weights["readout/kernel"] + weights["readout/bias"] - targets
    weighted_errors = target_weight * errors
    d_output = 2 * weighted_errors
    np.matmul(embedding.T, d_output, out=gradients["readout/kernel"])
    np.sum(d_output, axis=0, out=gradients["readout/bias"])
    return float(np.vdot(errors, weighted_errors)), d_output @ weights["readout/kernel"].T


def _lstm(
    weights: LSTMWeights,
    gradients: LSTMWeights,
    activation: str,
    inputs: np.ndarray,
    time_features: np.ndarray | None,
    repeated: np.ndarray | None,
) -> tuple[np.ndarray, _Backward]:
    """Run one layer. Return all hidden states, and the backward pass as a function.

    The backward pass takes the gradient of the hidden states, writes those of the weights into `gradients`, and returns
    that of the inputs. If `inputs` have a single timestep, it is read again at each timestep of `time_features`. The
    numbers in `repeated` are further inputs of each sequence, the same at each timestep.
    """
    n_input_timesteps, n_samples, width = inputs.shape
    flat_inputs = inputs.reshape(n_input_timesteps * n_samples, width)
    kernel, recurrent_kernel, bias = weights
    projected = (flat_inputs @ kernel[:width] + bias).reshape(n_input_timesteps, n_samples, -1)
    if time_features is not None:
        projected = projected + (time_features @ kernel[width:])[:, np.newaxis]
    if repeated is not None:
        projected += repeated @ kernel[width:]
    hidden, derivatives, gates, dh_dc = _run_forward(projected, recurrent_kernel, activation)

    def backward(d_hidden: np.ndarray) -> np.ndarray:
        d_projected = _run_backward(d_hidden, recurrent_kernel, derivatives, gates, dh_dc)
        flat = d_projected.reshape(-1, d_projected.shape[2])
        np.sum(flat, axis=0, out=gradients.bias)
        np.matmul(hidden[:-1].reshape(len(flat), -1).T, flat, out=gradients.recurrent_kernel)
        # One product serves all timesteps of a repeated input.
        d_inputs = flat if len(d_projected) == n_input_timesteps else d_projected.sum(axis=0)
        np.matmul(flat_inputs.T, d_inputs, out=gradients.kernel[:width])
        if time_features is not None:
            np.matmul(time_features.T, d_projected.sum(axis=1), out=gradients.kernel[width:])
        if repeated is not None:
            np.matmul(repeated.T, d_projected.sum(axis=0), out=gradients.kernel[width:])
        d_flat_inputs: np.ndarray = d_inputs @ kernel[:width].T
        return d_flat_inputs.reshape(inputs.shape)

    return hidden[1:], backward


def _run_forward(preactivations: np.ndarray, recurrent_kernel: np.ndarray, activation: str) -> tuple[np.ndarray, ...]:
    """Run the cell over pre-activations that lack the part of the hidden state. They are overwritten.

    Returns the hidden states, starting with the zeros before the first step; the derivatives of each step, of the new c
    by the pre-activations of i, f, g and of the new h by that of o; the gates; and the derivative of the new h by the
    new c.
    """
    n_timesteps, n_samples, width = preactivations.shape
    units = width // 4
    activate, slope = _ACTIVATIONS[activation]
    # A sigmoid is (1 + tanh(x / 2)) / 2. One tanh then serves all four gates.
    factors = np.repeat(np.array([0.5, 0.5, 1, 0.5], np.float32), units)
    halves, squared_factors = 1 - factors, factors * factors
    hidden = np.zeros((n_timesteps + 1, n_samples, units), np.float32)
    gates = np.empty_like(preactivations)
    dh_dc = np.empty((n_timesteps, n_samples, units), np.float32)
    c = np.zeros((n_samples, units), np.float32)
    # Not np.split, which takes as long as the rest of a small step.
    kinds = [slice(kind * units, (kind + 1) * units) for kind in range(4)]
    for t in range(n_timesteps):
        step = preactivations[t]
        step += hidden[t] @ recurrent_kernel
        candidate = None if activation == "tanh" else activate(step[:, 2 * units : 3 * units])
        step *= factors
        np.tanh(step, out=step)
        np.multiply(step, factors, out=gates[t])
        gates[t] += halves
        step *= step
        np.subtract(1, step, out=step)
        step *= squared_factors
        i, f, g, o = (gates[t, :, kind] for kind in kinds)
        dc_di, dc_df, dc_dg, dh_do = (step[:, kind] for kind in kinds)
        if candidate is not None:
            g[...] = candidate
            dc_dg[...] = slope(candidate)
        dc_di *= g
        dc_df *= c
        dc_dg *= i
        c = f * c + i * g
        activated = activate(c)
        dh_do *= activated
        np.multiply(o, activated, out=hidden[t + 1])
        np.multiply(o, slope(activated), out=dh_dc[t])
    return hidden, preactivations, gates, dh_dc


# Each activation with its slope as a function of the activated value.
_ACTIVATIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "tanh": (np.tanh, lambda activated: 1 - activated * activated),
    "relu": (lambda values: np.maximum(values, 0), lambda activated: activated > 0),
}


def _run_backward(
    d_hidden: np.ndarray, recurrent_kernel: np.ndarray, derivatives: np.ndarray, gates: np.ndarray, dh_dc: np.ndarray
) -> np.ndarray:
    """Compute the gradient of the pre-activations from that of the hidden states, in place of `derivatives`."""
    n_timesteps, n_samples, units = d_hidden.shape
    dh = dc = np.zeros((n_samples, units), np.float32)
    for t in reversed(range(n_timesteps)):
        dh = dh + d_hidden[t]
        dc = dc + dh * dh_dc[t]
        d_gates = derivatives[t].reshape(n_samples, 4, units)
        d_gates[:, :3] *= dc[:, np.newaxis]
        d_gates[:, 3] *= dh
        dh = derivatives[t] @ recurrent_kernel.T
        dc = dc * gates[t, :, units : 2 * units]
    return derivatives
