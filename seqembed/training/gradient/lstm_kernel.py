"""An LSTM layer in TensorFlow, with a custom gradient for the recurrence.

Arrays are time-major, (n_timesteps, n_samples, width). A sigmoid is computed as (1 + tanh(x / 2)) / 2. One tanh then
serves all four gates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from seqembed.network.architecture import LSTMWeights


def lstm(
    weights: LSTMWeights,
    activation: str,
    inputs: tf.Tensor,
    time_features: tf.Tensor | None = None,
    repeated: tf.Tensor | None = None,
) -> tf.Tensor:
    """Run one layer.

    Parameters
    ----------
    weights : LSTMWeights of tensors
        The weights of the layer.
    activation : {"tanh", "relu"}
        Activation of the candidate and of the cell state.
    inputs : tensor of shape (n_timesteps, n_samples, width) or (1, n_samples, width)
        A single timestep is read again at each timestep of `time_features`.
    time_features : tensor of shape (n_timesteps, n_time_features), default=None
        Further inputs, the same for all samples. They can have no columns.
    repeated : tensor of shape (n_samples, n_repeated), default=None
        Further inputs, the same at all timesteps. They are projected once.

    Returns
    -------
    hidden : tensor of shape (n_timesteps, n_samples, units)
        The hidden state after each step.
    """
    n_input_timesteps, n_samples, width = inputs.shape
    n_timesteps = n_input_timesteps if time_features is None else time_features.shape[0]
    kernel, recurrent_kernel, bias = weights
    n_gates = bias.shape[0]
    projected = tf.matmul(tf.reshape(inputs, [n_input_timesteps * n_samples, width]), kernel[:width])
    constant = tf.repeat(bias[None], n_samples, axis=0)
    if repeated is not None:
        constant += tf.matmul(repeated, kernel[width:])
    if time_features is not None:
        projected_time = tf.matmul(time_features, kernel[width:])[:, None]
    if n_input_timesteps < n_timesteps:
        # One product serves all timesteps of a repeated input.
        constant = projected + constant
        projected = tf.broadcast_to(projected_time, [n_timesteps, n_samples, n_gates])
    else:
        projected = tf.reshape(projected, [n_timesteps, n_samples, n_gates])
        projected = projected if time_features is None else projected + projected_time
    return _recurrence(projected, constant, recurrent_kernel, activation)


def _recurrence(projected: tf.Tensor, constant: tf.Tensor, recurrent_kernel: tf.Tensor, activation: str) -> tf.Tensor:
    """Run the cell over the projected inputs.

    The pre-activations are `projected` (n_timesteps, n_samples, 4 * units) plus `constant` (n_samples, 4 * units) plus
    the product of the hidden state and the recurrent kernel. `constant` is added inside the loop, where it needs no
    pass over memory. Returns the hidden states (n_timesteps, n_samples, units).

    The forward loop keeps the derivatives of each step instead of its gates. A step of the backward loop is then one
    product of matrices and three of numbers. The gradient of the recurrent kernel is a single product over all
    timesteps afterwards. The three largest arrays share one buffer, because a new one takes longer to clear than to
    fill: pre-activations, then derivatives, then the gradient of the pre-activations.
    """
    n_timesteps, n_samples, width = projected.shape
    units = width // 4
    zeros = tf.zeros([n_samples, units])

    def recurrence(
        projected: tf.Tensor, constant: tf.Tensor, recurrent_kernel: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
        def forward(
            t: tf.Tensor,
            h: tf.Tensor,
            c: tf.Tensor,
            derivatives: tf.TensorArray,
            hidden: tf.TensorArray,
            dc_dc: tf.TensorArray,
            dh_dc: tf.TensorArray,
        ) -> tuple[tf.Tensor | tf.TensorArray, ...]:
            preactivations = tf.matmul(h, recurrent_kernel) + constant + derivatives.read(t)
            h, c, step_derivatives, step_dc_dc, step_dh_dc = _cell(preactivations, c, activation)
            written = derivatives.write(t, step_derivatives), hidden.write(t, h)
            return t + 1, h, c, *written, dc_dc.write(t, step_dc_dc), dh_dc.write(t, step_dh_dc)

        buffers = [_steps(n_timesteps, n_samples, width).unstack(projected)]
        buffers += [_steps(n_timesteps, n_samples, units) for _ in range(3)]
        _, _, _, *buffers = _loop(n_timesteps, forward, [zeros, zeros, *buffers])
        derivatives, hidden, dc_dc, dh_dc = (buffer.stack() for buffer in buffers)

        def gradient(d_hidden: tf.Tensor) -> tuple[tf.Tensor, ...]:
            transposed_kernel = tf.transpose(recurrent_kernel)

            def backward(
                k: tf.Tensor, dh: tf.Tensor, dc: tf.Tensor, buffer: tf.TensorArray
            ) -> tuple[tf.Tensor | tf.TensorArray, ...]:
                t = n_timesteps - 1 - k
                dh = dh + d_hidden[t]
                # The incoming dc is that of the next step. Times the forget gate of that step, it becomes that of this
                # step. At the last step it is zero. If the product came at the end of the step, the loop would have
                # nine operations: XLA in TensorFlow 2.21 runs up to eight without scheduling them (its
                # execute_sequential_num_thunks_threshold).
                dc = dc * dc_dc[tf.minimum(t + 1, n_timesteps - 1)] + dh * dh_dc[t]
                d_step = buffer.read(t) * tf.concat([dc, dc, dc, dh], axis=1)
                return k + 1, tf.matmul(d_step, transposed_kernel), dc, buffer.write(t, d_step)

            buffer = _steps(n_timesteps, n_samples, width).unstack(derivatives)
            _, _, _, buffer = _loop(n_timesteps, backward, [zeros, zeros, buffer])
            d_projected = buffer.stack()
            previous_hidden = tf.concat([zeros[None], hidden[:-1]], axis=0)
            d_recurrent_kernel = tf.matmul(
                tf.reshape(previous_hidden, [-1, units]), tf.reshape(d_projected, [-1, width]), transpose_a=True
            )
            return d_projected, tf.reduce_sum(d_projected, axis=0), d_recurrent_kernel

        return hidden, gradient

    return tf.custom_gradient(recurrence)(projected, constant, recurrent_kernel)


def _cell(preactivations: tf.Tensor, c: tf.Tensor, activation: str) -> tuple[tf.Tensor, ...]:
    """Take one step.

    Returns the new h, the new c, and three derivatives for the backward loop: side by side, those of the new c by the
    pre-activations of i, f, g and of the new h by that of o; that of the new c by the old c; that of the new h by the
    new c.
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
    derivatives = tf.concat(
        [g * _sigmoid_slope(i), c * _sigmoid_slope(f), i * slope(g), activated * _sigmoid_slope(o)], axis=1
    )
    return o * activated, new_c, derivatives, f, o * slope(activated)


def _sigmoid_slope(gate: tf.Tensor) -> tf.Tensor:
    return gate - gate * gate


# Each activation with its slope as a function of the activated value.
_ACTIVATIONS = {
    "tanh": (tf.tanh, lambda activated: 1 - activated * activated),
    "relu": (tf.nn.relu, lambda activated: tf.cast(activated > 0, tf.float32)),
}


def _steps(n_timesteps: int, n_samples: int, width: int) -> tf.TensorArray:
    return tf.TensorArray(tf.float32, n_timesteps, element_shape=[n_samples, width], clear_after_read=False)


def _loop(
    n_timesteps: int,
    body: Callable[..., tuple[tf.Tensor | tf.TensorArray, ...]],
    state: list[tf.Tensor | tf.TensorArray],
) -> Sequence[tf.Tensor | tf.TensorArray]:
    final: Sequence[tf.Tensor | tf.TensorArray] = tf.while_loop(
        lambda t, *_: t < n_timesteps, body, (0, *state), maximum_iterations=n_timesteps
    )
    return final
