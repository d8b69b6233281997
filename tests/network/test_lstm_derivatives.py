import numpy as np
import pytest

from seqembed.network.lstm_derivatives import run_with_derivatives

STEP = 1e-6


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def naive_step(c, gates, activation):
    """The new h and c, in float64."""
    activate = np.tanh if activation == "tanh" else lambda values: np.maximum(values, 0)
    i, f, g, o = gates
    c = sigmoid(f) * c + sigmoid(i) * activate(g)
    return sigmoid(o) * activate(c), c


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_states_and_derivatives_are_those_of_a_plain_loop_and_of_differences(activation):
    random = np.random.default_rng(0)
    n_steps, n_samples, units = 4, 3, 5
    preactivations = random.normal(size=(n_steps, n_samples, 4 * units)).astype(np.float32)
    recurrent_kernel = random.normal(size=(units, 4 * units)).astype(np.float32)
    run = run_with_derivatives(preactivations.copy(), recurrent_kernel, activation)
    h = c = np.zeros((n_samples, units))
    np.testing.assert_array_equal(run.hidden[0], h)
    for t in range(n_steps):
        gates = (preactivations[t] + h @ recurrent_kernel).reshape(n_samples, 4, units).transpose(1, 0, 2)
        h, new_c = naive_step(c, gates, activation)
        np.testing.assert_allclose(run.hidden[t + 1], h, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(run.gates[t, :, units : 2 * units], sigmoid(gates[1]), rtol=1e-4, atol=1e-6)
        derivatives = run.derivatives[t].reshape(n_samples, 4, units).transpose(1, 0, 2)
        for gate in range(4):
            moved = gates.copy()
            moved[gate] += STEP
            # The new c depends on i, f and g, and the new h on o with the new c unchanged.
            changes = [
                after - before for after, before in zip(naive_step(c, moved, activation), (h, new_c), strict=True)
            ]
            np.testing.assert_allclose(derivatives[gate], changes[gate != 3] / STEP, rtol=1e-3, atol=1e-5)
        activated = np.tanh if activation == "tanh" else lambda values: np.maximum(values, 0)
        # From the left: with relu, c can be 0, where the slope is taken as 0.
        dh_dc = sigmoid(gates[3]) * (activated(new_c) - activated(new_c - STEP)) / STEP
        np.testing.assert_allclose(run.dh_dc[t], dh_dc, rtol=1e-3, atol=1e-5)
        c = new_c
