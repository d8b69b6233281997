"""Predictors: an integer for each value, from the integers before it, and how far from it the value may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from seqembed.codec.lattice import nearest_bins

# Weights are multiples of 2 ** -16. The sum of those of a prediction times deviations of 28 bits is exact in float64.
_WEIGHT_BITS = 16
_LARGEST_DEVIATION = 1 << 28
_LARGEST_SUM_OF_WEIGHTS = (1 << (53 - 28)) - 1
# Scales are 64ths of a bin, ratios to what is typical are parts of 256.
SCALE_UNITS = 64
_RATIO_UNITS = 256
# How fast scale and ratio follow the residuals: by a fourth, and by a sixth.
_SCALE_MEMORY, _RATIO_MEMORY = 4, 6
_LARGEST_RESIDUAL = 1 << 20
# Typical scales of timesteps are drawn towards that of all of them, as if so many sequences had it.
_PRIOR_SEQUENCES = 3


class Predictor(NamedTuple):
    """How a value is predicted from the timesteps before it.

    Parameters
    ----------
    weights : int64 array of shape (n_lags * n_features, n_features)
        Weights of the deviations from the curve at the last timesteps, the latest first, in units of 2 ** -16.
    same_step : int64 array of shape (n_features, n_features)
        Likewise, of the features before it at the same timestep: 0 on and below the diagonal. If all are 0, features
        are coded together, which is faster.
    of_reconstruction : int64 array of shape (3 * n_features, n_features)
        Likewise, of the deviations of a reconstruction from the curve at the same timestep, the one before and the one
        after. Without rows, the predictor needs no reconstruction.
    curve : int64 array of shape (n_curve, n_features)
        What is expected at each timestep, or at all of them if there is one row. The last row holds for later ones.
    typical : int64 array of shape (n_curve, n_features)
        Typical residuals, in 64ths of a bin.
    rounds : bool
        Whether predictions are centres of bins, so that decoded values lie on a fixed lattice. If not, decoded values
        lie at whole bins from the predictions.
    """

    weights: np.ndarray
    same_step: np.ndarray
    of_reconstruction: np.ndarray
    curve: np.ndarray
    typical: np.ndarray
    rounds: bool


def run_predictor(
    predictor: Predictor,
    units_of_bin: np.ndarray,
    lengths: np.ndarray,
    exchange: Callable[[int, slice, np.ndarray, np.ndarray], np.ndarray],
    *,
    reconstruction: np.ndarray | None = None,
    one_by_one: bool = False,
) -> np.ndarray:
    """Predict timestep by timestep; encoder and decoder run the same code.

    All arithmetic is that of integers, or of integers in float64 that are below 2 ** 53: every machine gets the same.

    Parameters
    ----------
    predictor : Predictor
        What to predict with.
    units_of_bin : int64 array of shape (n_features,)
        See `seqembed.codec.lattice.Lattice`.
    lengths : int array of shape (n_rows,)
        Timesteps of each sequence, the longest first.
    exchange : callable
        Takes the timestep, some features, their predictions of shape (n_active, n_features) and the expected sizes of
        residuals, in 64ths of a bin; returns the residuals, in bins. The active rows are the first ones.
    reconstruction : int64 array of shape (n_rows, n_timesteps, n_features), default=None
        Of the sequences, for a predictor that needs one.
    one_by_one : bool, default=False
        Whether `exchange` takes one feature after the other even if they don't depend on each other, which is slower.

    Returns
    -------
    decoded : int64 array of shape (n_rows, n_timesteps, n_features)
        The integers that a decoder has; 0 after the end of a sequence.
    """
    n_rows, n_timesteps, n_features = len(lengths), int(lengths[0]), len(units_of_bin)
    n_lags, last = len(predictor.weights) // n_features, len(predictor.curve) - 1
    weights, same_step, of_reconstruction = (each.astype(np.float64) for each in predictor[:3])
    if len(of_reconstruction):
        reconstruction = _reconstruction_inputs(reconstruction, predictor.curve, lengths)
    depend = bool(same_step.any())
    groups = [slice(f, f + 1) for f in range(n_features)] if depend or one_by_one else [slice(0, n_features)]
    decoded = np.zeros((n_rows, n_timesteps, n_features), np.int64)
    deviations = np.zeros((n_rows, n_lags, n_features))
    # A curve of one row says nothing about timesteps: the scale itself is tracked. Otherwise its ratio to the typical.
    by_ratio = last > 0
    state = np.empty((n_rows, n_features), np.int64)
    state[...] = _RATIO_UNITS if by_ratio else predictor.typical[0]
    for t in range(n_timesteps):
        active = np.searchsorted(-lengths, -t)
        curve, typical, now = predictor.curve[min(t, last)], predictor.typical[min(t, last)], state[:active]
        scales = (now * typical) // _RATIO_UNITS if by_ratio else now.copy()
        products = deviations[:active].reshape(active, -1) @ weights
        if len(of_reconstruction):
            products += reconstruction[:active, t] @ of_reconstruction
        present, residuals = np.zeros((active, n_features)), np.empty((active, n_features), np.int64)
        for group in groups:
            expected = products[:, group] + (present @ same_step[:, group] if depend else 0)
            expected = np.clip(np.floor(expected * 2.0**-_WEIGHT_BITS + 0.5), -_LARGEST_DEVIATION, _LARGEST_DEVIATION)
            predicted = curve[group] + expected.astype(np.int64)
            if predictor.rounds:
                predicted = units_of_bin[group] * nearest_bins(predicted, units_of_bin[group])
            residuals[:, group] = exchange(t, group, predicted, scales[:, group])
            decoded[:active, t, group] = predicted + residuals[:, group] * units_of_bin[group]
            deviation = decoded[:active, t, group] - curve[group]
            present[:, group] = np.clip(deviation, -_LARGEST_DEVIATION, _LARGEST_DEVIATION)
        sizes = SCALE_UNITS * np.minimum(np.abs(residuals), _LARGEST_RESIDUAL)
        if by_ratio:
            ratios = _RATIO_UNITS * (sizes + SCALE_UNITS // 4) // (typical + SCALE_UNITS // 4)
            now += (ratios - now + _RATIO_MEMORY // 2) // _RATIO_MEMORY
        else:
            now += (sizes - now + _SCALE_MEMORY // 2) // _SCALE_MEMORY
        deviations[:, 1:] = deviations[:, :-1]
        deviations[:active, 0] = present
    return decoded


def _reconstruction_inputs(reconstruction: np.ndarray, curve: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return deviations from the curve now, one timestep before and one after, within each sequence."""
    times = np.arange(reconstruction.shape[1])
    deviations = reconstruction - curve[np.minimum(times, len(curve) - 1)]
    before = deviations[:, np.maximum(times - 1, 0)]
    after = deviations[:, np.minimum(times + 1, len(times) - 1)]
    after = np.where((times + 1 < lengths[:, np.newaxis])[:, :, np.newaxis], after, deviations)
    inputs = np.concatenate([deviations, before, after], axis=2)
    return np.clip(inputs, -_LARGEST_DEVIATION, _LARGEST_DEVIATION).astype(np.float64)


def learn_predictor(
    integers: np.ndarray,
    lengths: np.ndarray,
    units_of_bin: np.ndarray,
    *,
    n_lags: int,
    by_timestep: bool,
    rounds: bool,
    same_step: bool = False,
    reconstruction: np.ndarray | None = None,
) -> Predictor:
    """Learn weights by a ridge regression on the values that quantisation will leave.

    Parameters
    ----------
    integers : int64 array of shape (n_rows, n_timesteps, n_features)
        Training sequences, the longest first.
    lengths : int array of shape (n_rows,)
        Timesteps of each.
    units_of_bin : int64 array of shape (n_features,)
        See `seqembed.codec.lattice.Lattice`. The regression expects errors that are even within a bin, so that it does
        not rely on digits that a decoder lacks.
    n_lags : int
        How many timesteps to look back. 0 holds the last value.
    by_timestep : bool
        Whether each timestep has an expectation of its own, for sequences that keep time with one another.
    rounds : bool
        See `Predictor`.
    same_step : bool, default=False
        Whether features are predicted from those before them at the same timestep too.
    reconstruction : int64 array of shape (n_rows, n_timesteps, n_features), default=None
        What else to predict from. It needs lags.
    """
    n_rows, n_timesteps, n_features = integers.shape
    known = np.arange(n_timesteps) < lengths[:, np.newaxis]
    counts = known.sum(axis=0)[:, np.newaxis]
    if by_timestep:
        curve = np.rint(integers.sum(axis=0, where=known[:, :, np.newaxis]) / np.maximum(1, counts))
    else:
        curve = np.rint(integers[known].mean(axis=0, keepdims=True))
    curve = curve.astype(np.int64)
    weights, of_same_step = np.eye(n_features), np.zeros((n_features, n_features))
    of_reconstruction = np.zeros((0, n_features))
    if n_lags:
        deviations = np.where(known[:, :, np.newaxis], integers - curve, 0).astype(np.float64)
        padded = np.concatenate([np.zeros((n_rows, n_lags, n_features)), deviations], axis=1)
        lags = [padded[:, n_lags - 1 - lag : n_lags - 1 - lag + n_timesteps] for lag in range(n_lags)]
        if reconstruction is not None:
            lags.append(_reconstruction_inputs(reconstruction, curve, lengths))
        inputs = np.concatenate([*lags, deviations], axis=2)[known]
        # A reconstruction is known as it is.
        noise, n_inputs = np.zeros(inputs.shape[1]), inputs.shape[1] - n_features
        noise[: n_lags * n_features] = np.tile(np.square(units_of_bin) / 12.0, n_lags)
        noise[n_inputs:] = np.square(units_of_bin) / 12.0
        gram = inputs.T @ inputs
        ridge = gram + np.diag(noise * len(inputs) + 1e-6 * np.diag(gram) + 1)
        weights = np.zeros((n_inputs, n_features))
        if same_step:
            for feature in range(n_features):
                used = slice(n_inputs + feature)
                solved = np.linalg.solve(ridge[used, used], gram[used, n_inputs + feature])
                weights[:, feature] = solved[:n_inputs]
                of_same_step[:feature, feature] = solved[n_inputs:]
        else:
            weights = np.linalg.solve(ridge[:n_inputs, :n_inputs], gram[:n_inputs, n_inputs:])
        weights, of_reconstruction = np.split(weights, [n_lags * n_features])
    parts = weights, of_same_step, of_reconstruction
    sums = sum(np.abs(part * 2.0**_WEIGHT_BITS).sum(axis=0) for part in parts)
    factors = 2.0**_WEIGHT_BITS * np.minimum(1, _LARGEST_SUM_OF_WEIGHTS / 2 / np.maximum(sums, 1))
    parts = [np.rint(part * factors).astype(np.int64) for part in parts]
    # The first pass, with any scale, shows which residuals are typical.
    predictor = Predictor(*parts, curve, np.full(curve.shape, SCALE_UNITS, np.int64), rounds)
    residuals = np.zeros(integers.shape, np.int64)

    def observe(t, features, predicted, scales):
        part = slice(len(predicted)), t, features
        residuals[part] = nearest_bins(integers[part] - predicted, units_of_bin[features])
        return residuals[part]

    run_predictor(predictor, units_of_bin, lengths, observe, reconstruction=reconstruction)
    sizes = SCALE_UNITS * np.minimum(np.abs(residuals), _LARGEST_RESIDUAL)
    overall = sizes[known].mean(axis=0)
    if by_timestep:
        typical = (sizes.sum(axis=0) + _PRIOR_SEQUENCES * overall) / (counts + _PRIOR_SEQUENCES)
    else:
        typical = overall[np.newaxis]
    return predictor._replace(typical=np.maximum(1, np.rint(typical)).astype(np.int64))
