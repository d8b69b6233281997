"""Contexts: numbers known before a residual, from which a network predicts its distribution."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from seqembed.codec.bytes.symbols import table_numbers
from seqembed.codec.model.lattice import nearest_bins
from seqembed.codec.model.predictors import ResidualExchange, residual_sizes

# Timesteps before the residual whose residuals are inputs.
_N_LAGS = 4
# Features before it at the same timestep whose residuals are inputs.
_N_FEATURES_BEFORE = 3
# Bins. Signed inputs are clipped at this size; the magnitude is a separate input.
_LARGEST_SIGNED = 9
# Largest argument of the logarithm, whose values are in a table.
_LARGEST_LOGARITHM_ARGUMENT = (1 << 16) - 1
# The fast mean of sizes moves by a fourth of its distance to the last size, the slow one by a sixteenth.
_FAST_MEMORY, _SLOW_MEMORY = 4, 16
# The distance of a prediction from the centre of its bin is in 32nds of the bin.
_REMAINDER_UNITS = 32
# Inputs that depend on earlier timesteps alone, and the others.
_N_PAST, _N_PRESENT = 2 * _N_LAGS + 14, 2 * _N_FEATURES_BEFORE + 7
N_INPUTS = _N_PAST + _N_PRESENT
# The number of bits of the square: about twice the binary logarithm of the argument, in half octaves.
_HALF_OCTAVES = np.array([(size * size).bit_length() for size in range(_LARGEST_LOGARITHM_ARGUMENT + 1)], np.int64)

# Takes the timestep, the feature, its predictions and scales, both int64 of shape (n_active,), and the inputs of shape
# (n_active, N_INPUTS). Returns the residuals in bins.
ContextExchange: TypeAlias = Callable[[int, int, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def exchange_with_contexts(bin_widths: np.ndarray, n_pieces: int, exchange: ContextExchange) -> ResidualExchange:
    """Pass contexts to an exchange of residuals.

    Parameters
    ----------
    bin_widths : int64 array of shape (n_features,)
        See `seqembed.codec.model.lattice.Lattice`.
    n_pieces : int
        Number of pieces side by side.
    exchange : callable
        Returns the residuals of predictions, see `ContextExchange`.

    Returns
    -------
    exchange : callable
        For `seqembed.codec.model.predictors.run_predictor`, with `one_by_one`.
    """
    contexts = Contexts(n_pieces, bin_widths)

    def exchange_in_context(t: int, features: slice, predicted: np.ndarray, scales: np.ndarray) -> np.ndarray:
        feature, predicted, scales = features.start, predicted[:, 0], scales[:, 0]
        residuals = exchange(t, feature, predicted, scales, contexts.inputs(t, feature, predicted, scales))
        contexts.update(feature, residuals, predicted + residuals * bin_widths[feature])
        return residuals[:, np.newaxis]

    return exchange_in_context


class Contexts:
    """The numbers that encoder and decoder both know before each residual.

    They are computed in integers, so that all machines get the same inputs.

    Parameters
    ----------
    n_pieces : int
        Number of pieces side by side, the longest first.
    bin_widths : int64 array of shape (n_features,)
        See `seqembed.codec.model.lattice.Lattice`.

    Examples
    --------
    >>> import numpy as np
    >>> contexts = Contexts(2, bin_widths=np.array([3]))
    >>> contexts.inputs(0, 0, predicted=np.array([5, 6]), scales=np.array([64, 64])).shape == (2, N_INPUTS)
    True
    >>> contexts.update(0, residuals=np.array([1, 0]), decoded=np.array([8, 6]))
    """

    def __init__(self, n_pieces: int, bin_widths: np.ndarray) -> None:
        self._bin_widths, n_features = bin_widths, len(bin_widths)
        # The first axis is time: the present, then the timesteps before it. The last axis has zeros before the first
        # feature and after the last one.
        shape = n_pieces, _N_FEATURES_BEFORE + n_features + 1
        self._residuals = np.zeros((1 + _N_LAGS, *shape), np.int64)
        self._bins = np.zeros((3, *shape), np.int64)
        self._fast, self._slow, self._total = np.zeros((3, n_pieces, n_features), np.int64)
        self._past = np.empty((n_pieces, n_features, _N_PAST), np.float32)

    def inputs(self, t: int, feature: int, predicted: np.ndarray, scales: np.ndarray) -> np.ndarray:
        """Return the inputs for one feature of the active pieces.

        Parameters
        ----------
        t, feature : int
            Timestep and feature. All features of a timestep are passed, in order.
        predicted : int64 array of shape (n_active,)
            Predictions.
        scales : int64 array of shape (n_active,)
            Expected sizes of the residuals, in 64ths of a bin.

        Returns
        -------
        inputs : float32 array of shape (n_active, N_INPUTS)
            Integers, those of more than 24 bits rounded.
        """
        n_active, here, units = len(predicted), _N_FEATURES_BEFORE + feature, self._bin_widths[feature]
        if feature == 0:
            self._start_timestep(t, n_active)
        nearest = nearest_bins(predicted, units)
        remainders = _REMAINDER_UNITS * (predicted - nearest * units) // units
        residuals, bins = self._residuals[0, :n_active], self._bins[:, :n_active]
        neighbours = residuals[:, feature:here]
        present = [
            table_numbers(scales)[:, np.newaxis],
            remainders[:, np.newaxis],
            np.abs(remainders)[:, np.newaxis],
            nearest[:, np.newaxis],
            (nearest - bins[1, :, here])[:, np.newaxis],
            _clipped_residuals(neighbours),
            _half_octaves(np.abs(neighbours)),
            _half_octaves(np.abs(residuals[:, _N_FEATURES_BEFORE:here]).sum(axis=1, keepdims=True)),
            bins[0, :, here - 1 : here],
        ]
        inputs = np.empty((n_active, N_INPUTS), np.float32)
        inputs[:, :_N_PAST] = self._past[:n_active, feature]
        inputs[:, _N_PAST:] = np.concatenate(present, axis=1)
        return inputs

    def update(self, feature: int, residuals: np.ndarray, decoded: np.ndarray) -> None:
        """Update with the coded residuals.

        Parameters
        ----------
        feature : int
            The feature of the last call of `inputs`.
        residuals, decoded : int64 arrays of shape (n_active,)
            Residuals in bins, and decoded integers.
        """
        here = _N_FEATURES_BEFORE + feature
        self._residuals[0, : len(residuals), here] = residuals
        self._bins[0, : len(residuals), here] = nearest_bins(decoded, self._bin_widths[feature])

    def _start_timestep(self, t: int, n_active: int) -> None:
        """Make the present the past, and compute the inputs that depend on the past alone."""
        for history in (self._residuals, self._bins):
            history[1:] = history[:-1].copy()
            history[0] = 0
        inside = slice(_N_FEATURES_BEFORE, -1)
        residuals, bins = self._residuals[1:, :n_active], self._bins[1:, :n_active]
        lags = np.moveaxis(residuals[:, :, inside], 0, -1)
        sizes = residual_sizes(lags[..., 0])
        fast, slow, total = (each[:n_active] for each in (self._fast, self._slow, self._total))
        fast += (sizes - fast + _FAST_MEMORY // 2) // _FAST_MEMORY
        slow += (sizes - slow + _SLOW_MEMORY // 2) // _SLOW_MEMORY
        total += sizes
        feature_sums = [np.broadcast_to(each.sum(axis=1, keepdims=True), fast.shape) for each in (sizes, fast, slow)]
        times = np.array([t, _half_octaves(np.array(t))])
        past = [
            _clipped_residuals(lags),
            _half_octaves(np.abs(lags)),
            _clipped_residuals(_neighbours(residuals[0])),
            bins[0, :, inside, np.newaxis],
            (bins[0] - bins[1])[:, inside, np.newaxis],
            _neighbours(bins[0]),
            _half_octaves(np.stack([fast, slow, total // max(1, t), *feature_sums], axis=-1)),
            np.broadcast_to(times, (*fast.shape, 2)),
        ]
        self._past[:n_active] = np.concatenate(past, axis=-1)


def _neighbours(values: np.ndarray) -> np.ndarray:
    """Return the values of the features before and after each feature."""
    return np.stack([values[:, _N_FEATURES_BEFORE - 1 : -2], values[:, _N_FEATURES_BEFORE + 1 :]], axis=-1)


def _clipped_residuals(residuals: np.ndarray) -> np.ndarray:
    clipped: np.ndarray = np.minimum(np.maximum(residuals, -_LARGEST_SIGNED), _LARGEST_SIGNED)
    return clipped


def _half_octaves(sizes: np.ndarray) -> np.ndarray:
    half_octaves: np.ndarray = _HALF_OCTAVES[np.minimum(sizes, _LARGEST_LOGARITHM_ARGUMENT)]
    return half_octaves
