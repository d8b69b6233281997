"""Contexts: what is known before a residual, as numbers that tell of its distribution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seqembed.codec.lattice import nearest_bins
from seqembed.codec.predictors import SCALE_UNITS
from seqembed.codec.range_coder import tables_of

_N_LAGS = 4
# So many features before one, at the same timestep, are looked at.
_N_BEFORE = 3
# The sign of a larger residual tells no more. Its size is an input of its own.
_LARGEST_SIGNED = 9
_LARGEST_SIZE = (1 << 16) - 1
_LARGEST_RESIDUAL = 1 << 20
# How fast mean sizes follow: by a fourth, and by a sixteenth.
_FAST, _SLOW = 4, 16
_PARTS_OF_BIN = 32
_N_PAST, _N_PRESENT = 2 * _N_LAGS + 14, 2 * _N_BEFORE + 7
N_INPUTS = _N_PAST + _N_PRESENT
# About twice the binary logarithm of a size, from its square.
_HALF_OCTAVES = np.array([(size * size).bit_length() for size in range(_LARGEST_SIZE + 1)], np.int64)


def in_context(units_of_bin: np.ndarray, n_rows: int, exchange: Callable) -> Callable:
    """Give an exchange of residuals their contexts.

    Parameters
    ----------
    units_of_bin : int64 array of shape (n_features,)
        See `seqembed.codec.lattice.Lattice`.
    n_rows : int
        Number of sequences side by side.
    exchange : callable
        Takes the timestep, the feature, its predictions and the expected sizes of residuals, both of shape
        (n_active,), and the inputs of shape (n_active, N_INPUTS); returns the residuals, in bins.

    Returns
    -------
    exchange : callable
        For `seqembed.codec.predictors.run_predictor`, one feature after the other.
    """
    contexts = Contexts(n_rows, units_of_bin)

    def exchange_in_context(t, features, predicted, scales):
        feature, predicted, scales = features.start, predicted[:, 0], scales[:, 0]
        residuals = exchange(t, feature, predicted, scales, contexts.before(t, feature, predicted, scales))
        contexts.after(feature, residuals, predicted + residuals * units_of_bin[feature])
        return residuals[:, np.newaxis]

    return exchange_in_context


class Contexts:
    """What encoder and decoder both know before each residual of sequences side by side.

    All is computed in integers: every machine gets the same inputs.

    Parameters
    ----------
    n_rows : int
        Number of sequences, the longest first.
    units_of_bin : int64 array of shape (n_features,)
        See `seqembed.codec.lattice.Lattice`.

    Examples
    --------
    >>> import numpy as np
    >>> contexts = Contexts(2, units_of_bin=np.array([3]))
    >>> contexts.before(0, 0, predicted=np.array([5, 6]), scales=np.array([64, 64])).shape == (2, N_INPUTS)
    True
    >>> contexts.after(0, residuals=np.array([1, 0]), decoded=np.array([8, 6]))
    """

    def __init__(self, n_rows: int, units_of_bin: np.ndarray):
        self._units_of_bin, n_features = units_of_bin, len(units_of_bin)
        # The present, and the timesteps before it. Zeros stand for features before the first and after the last.
        shape = n_rows, _N_BEFORE + n_features + 1
        self._residuals = np.zeros((1 + _N_LAGS, *shape), np.int64)
        self._bins = np.zeros((3, *shape), np.int64)
        self._fast, self._slow, self._sum = np.zeros((3, n_rows, n_features), np.int64)
        self._past = np.empty((n_rows, n_features, _N_PAST), np.float32)

    def before(self, t: int, feature: int, predicted: np.ndarray, scales: np.ndarray) -> np.ndarray:
        """Return the inputs for one feature of the first rows.

        Parameters
        ----------
        t, feature : int
            Timestep and feature; features take their turns within a timestep.
        predicted : int64 array of shape (n_active,)
            Predictions.
        scales : int64 array of shape (n_active,)
            Expected sizes of the residuals, in 64ths of a bin.

        Returns
        -------
        inputs : float32 array of shape (n_active, N_INPUTS)
            Integers, those of more than 24 bits rounded.
        """
        n_active, here, units = len(predicted), _N_BEFORE + feature, self._units_of_bin[feature]
        if feature == 0:
            self._begin(t, n_active)
        nearest = nearest_bins(predicted, units)
        remainders = _PARTS_OF_BIN * (predicted - nearest * units) // units
        residuals, bins = self._residuals[0, :n_active], self._bins[:, :n_active]
        neighbours = residuals[:, feature:here]
        present = [
            tables_of(scales)[:, np.newaxis],
            remainders[:, np.newaxis],
            np.abs(remainders)[:, np.newaxis],
            nearest[:, np.newaxis],
            (nearest - bins[1, :, here])[:, np.newaxis],
            _signed(neighbours),
            _half_octaves(np.abs(neighbours)),
            _half_octaves(np.abs(residuals[:, _N_BEFORE:here]).sum(axis=1, keepdims=True)),
            bins[0, :, here - 1 : here],
        ]
        inputs = np.empty((n_active, N_INPUTS), np.float32)
        inputs[:, :_N_PAST] = self._past[:n_active, feature]
        inputs[:, _N_PAST:] = np.concatenate(present, axis=1)
        return inputs

    def after(self, feature: int, residuals: np.ndarray, decoded: np.ndarray) -> None:
        """Learn what came.

        Parameters
        ----------
        feature : int
            The feature that `before` was called with.
        residuals, decoded : int64 arrays of shape (n_active,)
            Residuals in bins, and decoded integers.
        """
        here = _N_BEFORE + feature
        self._residuals[0, : len(residuals), here] = residuals
        self._bins[0, : len(residuals), here] = nearest_bins(decoded, self._units_of_bin[feature])

    def _begin(self, t: int, n_active: int) -> None:
        """Make the present the past, and compute the inputs that depend on the past alone."""
        for history in (self._residuals, self._bins):
            history[1:] = history[:-1].copy()
            history[0] = 0
        inside = slice(_N_BEFORE, -1)
        residuals, bins = self._residuals[1:, :n_active], self._bins[1:, :n_active]
        lags = np.moveaxis(residuals[:, :, inside], 0, -1)
        sizes = SCALE_UNITS * np.minimum(np.abs(lags[..., 0]), _LARGEST_RESIDUAL)
        fast, slow, total = (each[:n_active] for each in (self._fast, self._slow, self._sum))
        fast += (sizes - fast + _FAST // 2) // _FAST
        slow += (sizes - slow + _SLOW // 2) // _SLOW
        total += sizes
        of_all = [np.broadcast_to(each.sum(axis=1, keepdims=True), fast.shape) for each in (sizes, fast, slow)]
        times = np.array([t, _half_octaves(np.array(t))])
        past = [
            _signed(lags),
            _half_octaves(np.abs(lags)),
            _signed(_neighbours(residuals[0])),
            bins[0, :, inside, np.newaxis],
            (bins[0] - bins[1])[:, inside, np.newaxis],
            _neighbours(bins[0]),
            _half_octaves(np.stack([fast, slow, total // max(1, t), *of_all], axis=-1)),
            np.broadcast_to(times, (*fast.shape, 2)),
        ]
        self._past[:n_active] = np.concatenate(past, axis=-1)


def _neighbours(values: np.ndarray) -> np.ndarray:
    """Return the features before and after each."""
    return np.stack([values[:, _N_BEFORE - 1 : -2], values[:, _N_BEFORE + 1 :]], axis=-1)


def _signed(residuals: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum(residuals, -_LARGEST_SIGNED), _LARGEST_SIGNED)


def _half_octaves(sizes: np.ndarray) -> np.ndarray:
    return _HALF_OCTAVES[np.minimum(sizes, _LARGEST_SIZE)]
