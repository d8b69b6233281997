"""The LSTM autoencoder in TensorFlow, time-major, with its own gradient for the recurrence.

Arrays are (n_timesteps, n_samples, width). A sigmoid is computed as (1 + tanh(x / 2)) / 2, so that one tanh serves all
four gates: the halves are folded into the kernels, and "halved" below means pre-activations that carry them.
"""

from __future__ import annotations

import tensorflow as tf

from seqembed.network import LSTMLayer, Network


def reconstruct(network: Network, weights: dict[str, tf.Tensor], sequences: tf.Tensor) -> tf.Tensor:
    """Send sequences through the encoder, the repeated embedding and the decoder.

    Parameters
    ----------
    network : Network
        The sizes.
    weights : dict of str to tensor
        As named by ``network.weight_shapes``.
    sequences : tensor of shape (n_timesteps, n_samples, n_features)
        A batch, time-major, of static shape.

    Returns
    -------
    reconstruction : tensor of shape (n_timesteps, n_samples, n_features)
        The decoder's output.
    """
    n_timesteps, n_samples, n_features = sequences.shape
    states = sequences
    for layer in network.encoder:
        states = _recurrence(_project(layer, weights, states), _recurrent_kernel(layer, weights), network.activation)
    embedding = states[-1:]
    # All timesteps of the repeated embedding project alike: one product serves them all.
    first, *others = network.decoder
    projected = tf.repeat(_project(first, weights, embedding), n_timesteps, axis=0)
    states = _recurrence(projected, _recurrent_kernel(first, weights), network.activation)
    for layer in others:
        states = _recurrence(_project(layer, weights, states), _recurrent_kernel(layer, weights), network.activation)
    flat = tf.reshape(states, [n_timesteps * n_samples, -1])
    output = tf.matmul(flat, weights["output/kernel"]) + weights["output/bias"]
    return tf.reshape(output, [n_timesteps, n_samples, n_features])


def _project(layer: LSTMLayer, weights: dict[str, tf.Tensor], inputs: tf.Tensor) -> tf.Tensor:
    n_timesteps, n_samples, _ = inputs.shape
    halves = _gate_factors(layer.units)
    flat = tf.reshape(inputs, [n_timesteps * n_samples, layer.n_inputs])
    projected = tf.matmul(flat, weights[f"{layer.name}/kernel"] * halves) + weights[f"{layer.name}/bias"] * halves
    return tf.reshape(projected, [n_timesteps, n_samples, 4 * layer.units])


def _recurrent_kernel(layer: LSTMLayer, weights: dict[str, tf.Tensor]) -> tf.Tensor:
    return weights[f"{layer.name}/recurrent_kernel"] * _gate_factors(layer.units)


def _gate_factors(units: int) -> tf.Tensor:
    return tf.constant([0.5] * (2 * units) + [1.0] * units + [0.5] * units)


def _recurrence(projected: tf.Tensor, recurrent_kernel: tf.Tensor, activation: str) -> tf.Tensor:
    """Run the cell over halved pre-activations (n_timesteps, n_samples, 4 * units); returns every hidden state.

    The gradient keeps only the product with the transposed recurrent kernel in its loop; the recurrent kernel's own
    gradient is one product over all timesteps afterwards.
    """
    n_timesteps, n_samples, width = projected.shape
    units = width // 4
    factors = _gate_factors(units)
    offsets = tf.constant([0.5] * (2 * units) + [0.0] * units + [0.5] * units)
    is_candidate = tf.constant([False] * (2 * units) + [True] * units + [False] * units)
    activate, activation_slope = _ACTIVATIONS[activation]

    def gates_of(halved: tf.Tensor) -> tf.Tensor:
        gates = tf.tanh(halved) * factors + offsets
        return gates if activation == "tanh" else tf.where(is_candidate, activate(halved), gates)

    @tf.custom_gradient
    def recurrence(projected, recurrent_kernel):
        zeros = tf.zeros([n_samples, units])

        def forward(t, h, c, hidden, cells, gates):
            step = gates_of(projected[t] + tf.matmul(h, recurrent_kernel))
            i, f, g, o = tf.split(step, 4, axis=1)
            c = f * c + i * g
            h = o * activate(c)
            return t + 1, h, c, hidden.write(t, h), cells.write(t, c), gates.write(t, step)

        buffers = [_buffer(n_timesteps, n_samples, each) for each in (units, units, width)]
        *_, hidden, cells, gates = _loop(n_timesteps, forward, [zeros, zeros, *buffers])
        hidden, cells, gates = hidden.stack(), cells.stack(), gates.stack()

        def gradient(d_hidden):
            previous_cells = tf.concat([zeros[None], cells[:-1]], axis=0)
            transposed_kernel = tf.transpose(recurrent_kernel)

            def backward(k, dh, dc, d_halved):
                t = n_timesteps - 1 - k
                i, f, g, o = tf.split(gates[t], 4, axis=1)
                activated = activate(cells[t])
                dh = dh + d_hidden[t]
                dc = dc + dh * o * activation_slope(activated)
                d_step = tf.concat(
                    [
                        dc * g * _halved_sigmoid_slope(i),
                        dc * previous_cells[t] * _halved_sigmoid_slope(f),
                        dc * i * activation_slope(g),
                        dh * activated * _halved_sigmoid_slope(o),
                    ],
                    axis=1,
                )
                return k + 1, tf.matmul(d_step, transposed_kernel), dc * f, d_halved.write(t, d_step)

            *_, d_halved = _loop(n_timesteps, backward, [zeros, zeros, _buffer(n_timesteps, n_samples, width)])
            d_halved = d_halved.stack()
            previous_hidden = tf.concat([zeros[None], hidden[:-1]], axis=0)
            d_recurrent_kernel = tf.matmul(
                tf.reshape(previous_hidden, [-1, units]), tf.reshape(d_halved, [-1, width]), transpose_a=True
            )
            return d_halved, d_recurrent_kernel

        return hidden, gradient

    return recurrence(projected, recurrent_kernel)


def _halved_sigmoid_slope(gate: tf.Tensor) -> tf.Tensor:
    return 2 * (gate - gate * gate)


def _buffer(n_timesteps: int, n_samples: int, width: int) -> tf.TensorArray:
    return tf.TensorArray(tf.float32, n_timesteps, element_shape=[n_samples, width])


def _loop(n_timesteps: int, body, state: list) -> list:
    return tf.while_loop(lambda t, *_: t < n_timesteps, body, (0, *state), maximum_iterations=n_timesteps)


# Each activation with its slope as a function of the activated value.
_ACTIVATIONS = {
    "tanh": (tf.tanh, lambda activated: 1 - activated * activated),
    "relu": (tf.nn.relu, lambda activated: tf.cast(activated > 0, tf.float32)),
}
