"""The forward pass of one LSTM layer that keeps the derivatives of each step, for backpropagation through time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class LSTMRun(NamedTuple):
    """What a layer keeps of its forward pass. Arrays are time-major, and gates in the order i, f, g, o.

    Parameters
    ----------
    hidden : float32 array of shape (n_steps + 1, n_samples, units)
        The states h. They start with the zeros before the first step.
    derivatives : float32 array of shape (n_steps, n_samples, 4 * units)
        Of the new c by the pre-activations of i, f, g, and of the new h by that of o.
    gates : float32 array of shape (n_steps, n_samples, 4 * units)
        After their activations.
    dh_dc : float32 array of shape (n_steps, n_samples, units)
        Derivatives of the new h by the new c.
    """

    hidden: np.ndarray
    derivatives: np.ndarray
    gates: np.ndarray
    dh_dc: np.ndarray


def run_with_derivatives(preactivations: np.ndarray, recurrent_kernel: np.ndarray, activation: str) -> LSTMRun:
    """Run the steps of a layer, and differentiate each.

    Parameters
    ----------
    preactivations : float32 array of shape (n_steps, n_samples, 4 * units)
        Bias and part of the inputs, without the part of the hidden state. They are overwritten: the derivatives of the
        result take their place.
    recurrent_kernel : float32 array of shape (units, 4 * units)
        In Keras's layout.
    activation : {"tanh", "relu"}
        Activation of the candidate and of the cell state.

    Returns
    -------
    run : LSTMRun
        The states, and what backpropagation needs.

    Examples
    --------
    >>> run = run_with_derivatives(np.zeros((3, 5, 8), np.float32), np.zeros((2, 8), np.float32), "tanh")
    >>> run.hidden.shape, run.gates[0, 0].tolist()
    ((4, 5, 2), [0.5, 0.5, 0.5, 0.5, 0.0, 0.0, 0.5, 0.5])
    """
    n_steps, n_samples, width = preactivations.shape
    units = width // 4
    activate, slope = _ACTIVATIONS[activation]
    # A sigmoid is (1 + tanh(x / 2)) / 2. One tanh then serves all four gates.
    factors = np.repeat(np.array([0.5, 0.5, 1, 0.5], np.float32), units)
    halves, squared_factors = 1 - factors, factors * factors
    hidden = np.zeros((n_steps + 1, n_samples, units), np.float32)
    gates = np.empty_like(preactivations)
    dh_dc = np.empty((n_steps, n_samples, units), np.float32)
    c = np.zeros((n_samples, units), np.float32)
    # Not np.split, which takes as long as the rest of a small step.
    kinds = [slice(kind * units, (kind + 1) * units) for kind in range(4)]
    for t in range(n_steps):
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
    return LSTMRun(hidden, preactivations, gates, dh_dc)


# Each activation with its slope as a function of the activated value.
_ACTIVATIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "tanh": (np.tanh, lambda activated: 1 - activated * activated),
    "relu": (lambda values: np.maximum(values, 0), lambda activated: activated > 0),
}
