"""The LSTM networks in TensorFlow, time-major, with its own gradient for the recurrence.

Arrays are (n_timesteps, n_samples, width). A sigmoid is computed as (1 + tanh(x / 2)) / 2, so that one tanh serves all
four gates.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from seqembed.network.architecture import LSTMLayer, Network


def reconstruct(
    network: Network,
    weights: dict[str, tf.Tensor],
    sequences: tf.Tensor,
    lengths: tf.Tensor,
    run_layer: Callable[..., tf.Tensor],
) -> tf.Tensor:
    """Send sequences through the encoder, the repeated embedding, where there is one, and the decoder.

    Parameters
    ----------
    network : Network
        The sizes.
    weights : dict of str to tensor
        As named by ``network.weight_shapes``.
    sequences : tensor of shape (n_timesteps, n_samples, n_features)
        A batch, time-major, of static shape.
    lengths : int32 tensor of shape (n_samples,)
        Timesteps of each sequence, at least 1; what comes after them has no influence on the embedding.
    run_layer : callable
        `lstm`, or a function that takes and returns the same.

    Returns
    -------
    reconstruction : tensor of shape (n_timesteps, n_samples, n_features)
        The decoder's output.
    """
    n_timesteps, n_samples, n_features = sequences.shape
    states = sequences
    for layer in network.encoder:
        states = run_layer(layer, network.activation, weights, states)
    if network.bottleneck:
        states = tf.gather_nd(states, tf.stack([lengths - 1, tf.range(n_samples)], axis=1))[None]
    first, *others = network.decoder
    states = run_layer(first, network.activation, weights, states, tf.constant(network.time_features(n_timesteps)))
    for layer in others:
        states = run_layer(layer, network.activation, weights, states)
    flat = tf.reshape(states, [n_timesteps * n_samples, -1])
    output = tf.matmul(flat, weights["output/kernel"]) + weights["output/bias"]
    return tf.reshape(output, [n_timesteps, n_samples, n_features])


def lstm(
    layer: LSTMLayer,
    activation: str,
    weights: dict[str, tf.Tensor],
    inputs: tf.Tensor,
    time_features: tf.Tensor | None = None,
) -> tf.Tensor:
    """Run one layer.

    Parameters
    ----------
    layer : LSTMLayer
        Its sizes.
    activation : {"tanh", "relu"}
        Activation of the candidate and of the cell state.
    weights : dict of str to tensor
        As named by ``layer.weight_shapes``, among others.
    inputs : tensor of shape (n_timesteps, n_samples, width) or (1, n_samples, width)
        A single timestep is read again at each of those of `time_features`.
    time_features : tensor of shape (n_timesteps, n_time_features), default=None
        What all samples read beside their inputs; it can have no columns.

    Returns
    -------
    hidden : tensor of shape (n_timesteps, n_samples, units)
        The hidden state after each step.
    """
    n_given, n_samples, width = inputs.shape
    n_timesteps = n_given if time_features is None else time_features.shape[0]
    kernel, recurrent_kernel, bias = (weights[name] for name in layer.weight_shapes)
    projected = tf.matmul(tf.reshape(inputs, [n_given * n_samples, width]), kernel[:width])
    constant = tf.repeat(bias[None], n_samples, axis=0)
    if time_features is not None:
        by_time = tf.matmul(time_features, kernel[width:])[:, None]
    if n_given < n_timesteps:
        # One product serves all timesteps of a repeated input.
        constant = projected + constant
        projected = tf.broadcast_to(by_time, [n_timesteps, n_samples, 4 * layer.units])
    else:
        projected = tf.reshape(projected, [n_timesteps, n_samples, 4 * layer.units])
        projected = projected if time_features is None else projected + by_time
    return _recurrence(projected, constant, recurrent_kernel, activation)


def _recurrence(projected: tf.Tensor, constant: tf.Tensor, recurrent_kernel: tf.Tensor, activation: str) -> tf.Tensor:
    """Run the cell over its inputs' part of the pre-activations; returns every hidden state.

    That part is `projected` (n_timesteps, n_samples, 4 * units) plus `constant` (n_samples, 4 * units), which is added
    inside the loop, where it costs no pass over memory. Hidden states are (n_timesteps, n_samples, units).

    The forward loop leaves behind the derivatives of each step rather than its gates, so that the backward loop has
    one product of matrices and three of numbers to do; the recurrent kernel's gradient is a single product over all
    timesteps afterwards. The largest arrays share one piece of memory, since new ones take longer to clear and fill
    than to compute: the derivatives of a step take the place of its pre-activations, and its gradient takes theirs.
    """
    n_timesteps, n_samples, width = projected.shape
    units = width // 4
    zeros = tf.zeros([n_samples, units])

    @tf.custom_gradient
    def recurrence(projected, constant, recurrent_kernel):
        def forward(t, h, c, local, hidden, by_cell, by_hidden):
            preactivations = tf.matmul(h, recurrent_kernel) + constant + local.read(t)
            h, c, step_local, step_by_cell, step_by_hidden = _cell(preactivations, c, activation)
            written = local.write(t, step_local), hidden.write(t, h)
            return t + 1, h, c, *written, by_cell.write(t, step_by_cell), by_hidden.write(t, step_by_hidden)

        buffers = [_steps(n_timesteps, n_samples, width).unstack(projected)]
        buffers += [_steps(n_timesteps, n_samples, units) for _ in range(3)]
        _, _, _, *buffers = _loop(n_timesteps, forward, [zeros, zeros, *buffers])
        local, hidden, by_cell, by_hidden = (buffer.stack() for buffer in buffers)

        def gradient(d_hidden):
            transposed_kernel = tf.transpose(recurrent_kernel)

            def backward(k, dh, dc, buffer):
                t = n_timesteps - 1 - k
                dh = dh + d_hidden[t]
                # What comes in as dc is that of the step after, whose forget gate leads back to this one; before the
                # last step it is zero. Multiplied on the way out it would be the ninth operation of the loop: XLA (that
                # of TensorFlow 2.21: execute_sequential_num_thunks_threshold) runs up to eight without scheduling them.
                dc = dc * by_cell[tf.minimum(t + 1, n_timesteps - 1)] + dh * by_hidden[t]
                d_step = buffer.read(t) * tf.concat([dc, dc, dc, dh], axis=1)
                return k + 1, tf.matmul(d_step, transposed_kernel), dc, buffer.write(t, d_step)

            buffer = _steps(n_timesteps, n_samples, width).unstack(local)
            _, _, _, buffer = _loop(n_timesteps, backward, [zeros, zeros, buffer])
            d_projected = buffer.stack()
            previous_hidden = tf.concat([zeros[None], hidden[:-1]], axis=0)
            d_recurrent_kernel = tf.matmul(
                tf.reshape(previous_hidden, [-1, units]), tf.reshape(d_projected, [-1, width]), transpose_a=True
            )
            return d_projected, tf.reduce_sum(d_projected, axis=0), d_recurrent_kernel

        return hidden, gradient

    return recurrence(projected, constant, recurrent_kernel)


def _cell(preactivations: tf.Tensor, c: tf.Tensor, activation: str) -> tuple[tf.Tensor, ...]:
    """One step: the new h and c, and the derivatives that the way back needs.

    These are, of the new c by the pre-activations of i, f, g and of the new h by that of o; of the new c by the old
    one; and of the new h by the new c.
    """
    units = c.shape[-1]
    activate, slope = _ACTIVATIONS[activation]
    factors = tf.constant([0.5] * (2 * units) + [1.0] * units + [0.5] * units)
    i, f, g, o = tf.split(tf.tanh(preactivations * factors), 4, axis=1)
    i, f, o = ((each + 1) / 2 for each in (i, f, o))
    if activation != "tanh":
        g = activate(preactivations[:, 2 * units : 3 * units])
    new_c = f * c + i * g
    activated = activate(new_c)
    local = tf.concat(
        [g * _sigmoid_slope(i), c * _sigmoid_slope(f), i * slope(g), activated * _sigmoid_slope(o)], axis=1
    )
    return o * activated, new_c, local, f, o * slope(activated)


def _sigmoid_slope(gate: tf.Tensor) -> tf.Tensor:
    return gate - gate * gate


# Each activation with its slope as a function of the activated value.
_ACTIVATIONS = {
    "tanh": (tf.tanh, lambda activated: 1 - activated * activated),
    "relu": (tf.nn.relu, lambda activated: tf.cast(activated > 0, tf.float32)),
}


def _steps(n_timesteps: int, n_samples: int, width: int) -> tf.TensorArray:
    return tf.TensorArray(tf.float32, n_timesteps, element_shape=[n_samples, width], clear_after_read=False)


def _loop(n_timesteps: int, body, state: list) -> list:
    return tf.while_loop(lambda t, *_: t < n_timesteps, body, (0, *state), maximum_iterations=n_timesteps)
