"""Predictors: they predict each value from the values before it, and the size of their error."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from seqembed.codec.bytes.symbols import SCALE_UNITS
from seqembed.codec.model.lattice import nearest_bins

# Weights are multiples of 2 ** -16.
_WEIGHT_BITS = 16
# A deviation has 28 bits. So a sum of weights times deviations has at most 53 bits, and is exact in float64.
_DEVIATION_BITS = 28
_LARGEST_DEVIATION = 1 << _DEVIATION_BITS
_LARGEST_SUM_OF_WEIGHTS = (1 << (53 - _DEVIATION_BITS)) - 1
# Ratios of sizes to typical sizes are in 256ths.
_RATIO_UNITS = 256
# A scale moves by a fourth of its distance to the size of the last residual, a ratio by a sixth.
_SCALE_MEMORY, _RATIO_MEMORY = 4, 6
# Added to a size and to the typical size before their ratio is taken, in 64ths of a bin.
_RATIO_OFFSET = SCALE_UNITS // 4
# Bins. Larger residuals count as this large where sizes are averaged, so that 64 bits hold the sums.
_LARGEST_AVERAGED_RESIDUAL = 1 << 20
# The typical sizes of each timestep are drawn towards those of all timesteps, with the weight of three sequences.
_PRIOR_SEQUENCES = 3
# Ridge of the regression: relative to the diagonal of the Gram matrix, and absolute.
_RELATIVE_RIDGE, _ABSOLUTE_RIDGE = 1e-6, 1

# Takes the timestep, a slice of features, their predictions and their scales, both int64 of shape
# (n_active, n_features). Returns the residuals in bins. Pieces are active until they end: those are the first ones.
ResidualExchange: TypeAlias = Callable[[int, slice, np.ndarray, np.ndarray], np.ndarray]


class Predictor(NamedTuple):
    """Weights that predict a value from the timesteps before it.

    Parameters
    ----------
    weights : int64 array of shape (n_lags * n_features, n_features)
        Weights of the deviations from the curve at the last timesteps, the latest first, in units of 2 ** -16.
    same_step : int64 array of shape (n_features, n_features)
        Weights of the deviations of the features before it at the same timestep: 0 on and below the diagonal. If all
        are 0, the features are coded together, which is faster.
    reconstruction_weights : int64 array of shape (3 * n_features, n_features)
        Weights of the deviations of a reconstruction from the curve at the same timestep, the one before and the one
        after. Without rows, the predictor needs no reconstruction.
    curve : int64 array of shape (n_curve, n_features)
        Mean at each timestep, or that of all timesteps if there is one row. Later timesteps have the mean of the last
        row.
    typical : int64 array of shape (n_curve, n_features)
        Typical size of the residuals, in 64ths of a bin.
    rounds : bool
        Whether predictions are rounded to centres of bins, so that decoded values lie on a fixed lattice. If not,
        decoded values are whole bins away from the predictions.
    """

    weights: np.ndarray
    same_step: np.ndarray
    reconstruction_weights: np.ndarray
    curve: np.ndarray
    typical: np.ndarray
    rounds: bool

    def needs_reconstruction(self) -> bool:
        """Return whether the predictor reads a reconstruction."""
        return len(self.reconstruction_weights) > 0

    def numbers(self) -> list[np.ndarray]:
        """Return all numbers that decoding depends on."""
        weights = [self.weights, self.same_step, self.reconstruction_weights]
        return [*weights, self.curve, self.typical, np.array([self.rounds])]


def residual_sizes(residuals: np.ndarray) -> np.ndarray:
    """Return the sizes of residuals, given in bins, in 64ths of a bin, for averages.

    Examples
    --------
    >>> import numpy as np
    >>> residual_sizes(np.array([0, -2, 1 << 30])).tolist()
    [0, 128, 67108864]
    """
    sizes: np.ndarray = SCALE_UNITS * np.minimum(np.abs(residuals), _LARGEST_AVERAGED_RESIDUAL)
    return sizes


def run_predictor(
    predictor: Predictor,
    bin_widths: np.ndarray,
    lengths: np.ndarray,
    exchange: ResidualExchange,
    *,
    reconstruction: np.ndarray | None = None,
    one_by_one: bool = False,
) -> np.ndarray:
    """Predict timestep by timestep. The encoder and the decoder run this same code.

    All arithmetic is in integers, or in float64 with integers below 2 ** 53, so that all machines get the same results.

    Parameters
    ----------
    predictor : Predictor
        Weights of the predictions.
    bin_widths : int64 array of shape (n_features,)
        See `seqembed.codec.model.lattice.Lattice`.
    lengths : int array of shape (n_pieces,)
        Timesteps of each piece, the longest first.
    exchange : callable
        Returns the residuals of predictions, see `ResidualExchange`. That of an encoder also writes them; that of a
        decoder reads them.
    reconstruction : int64 array of shape (n_pieces, n_timesteps, n_features), default=None
        Reconstruction of the pieces, for a predictor that needs one.
    one_by_one : bool, default=False
        Whether `exchange` takes one feature at a time even if the features don't depend on each other, which is slower.

    Returns
    -------
    decoded : int64 array of shape (n_pieces, n_timesteps, n_features)
        The integers that a decoder has; 0 after the end of a piece.
    """
    n_pieces, n_timesteps, n_features = len(lengths), int(lengths[0]), len(bin_widths)
    n_lags, last = len(predictor.weights) // n_features, len(predictor.curve) - 1
    weights, same_step = predictor.weights.astype(np.float64), predictor.same_step.astype(np.float64)
    reconstruction_weights, reconstruction_inputs = predictor.reconstruction_weights.astype(np.float64), None
    if predictor.needs_reconstruction():
        assert reconstruction is not None
        reconstruction_inputs = _reconstruction_inputs(reconstruction, predictor.curve, lengths)
    depend = bool(same_step.any())
    groups = [slice(f, f + 1) for f in range(n_features)] if depend or one_by_one else [slice(0, n_features)]
    decoded = np.zeros((n_pieces, n_timesteps, n_features), np.int64)
    deviations = np.zeros((n_pieces, n_lags, n_features))
    # If each timestep has typical sizes, the state is the ratio of recent sizes to these. Otherwise it is the scale.
    by_ratio = last > 0
    state = np.empty((n_pieces, n_features), np.int64)
    state[...] = _RATIO_UNITS if by_ratio else predictor.typical[0]
    for t in range(n_timesteps):
        n_active = np.searchsorted(-lengths, -t)
        curve, typical, now = predictor.curve[min(t, last)], predictor.typical[min(t, last)], state[:n_active]
        scales = (now * typical) // _RATIO_UNITS if by_ratio else now.copy()
        products = deviations[:n_active].reshape(n_active, -1) @ weights
        if reconstruction_inputs is not None:
            products += reconstruction_inputs[:n_active, t] @ reconstruction_weights
        present, residuals = np.zeros((n_active, n_features)), np.empty((n_active, n_features), np.int64)
        for group in groups:
            expected = products[:, group] + (present @ same_step[:, group] if depend else 0)
            expected = np.clip(np.floor(expected * 2.0**-_WEIGHT_BITS + 0.5), -_LARGEST_DEVIATION, _LARGEST_DEVIATION)
            predicted = curve[group] + expected.astype(np.int64)
            if predictor.rounds:
                predicted = bin_widths[group] * nearest_bins(predicted, bin_widths[group])
            residuals[:, group] = exchange(t, group, predicted, scales[:, group])
            decoded[:n_active, t, group] = predicted + residuals[:, group] * bin_widths[group]
            deviation = decoded[:n_active, t, group] - curve[group]
            present[:, group] = np.clip(deviation, -_LARGEST_DEVIATION, _LARGEST_DEVIATION)
        sizes = residual_sizes(residuals)
        if by_ratio:
            ratios = _RATIO_UNITS * (sizes + _RATIO_OFFSET) // (typical + _RATIO_OFFSET)
            now += (ratios - now + _RATIO_MEMORY // 2) // _RATIO_MEMORY
        else:
            now += (sizes - now + _SCALE_MEMORY // 2) // _SCALE_MEMORY
        deviations[:, 1:] = deviations[:, :-1]
        deviations[:n_active, 0] = present
    return decoded


def _reconstruction_inputs(reconstruction: np.ndarray, curve: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the deviations of a reconstruction from the curve: now, one timestep before, and one timestep after.

    Where a piece has no such timestep, the deviation of the timestep itself is used.
    """
    times = np.arange(reconstruction.shape[1])
    deviations = reconstruction - curve[np.minimum(times, len(curve) - 1)]
    before = deviations[:, np.maximum(times - 1, 0)]
    after = deviations[:, np.minimum(times + 1, len(times) - 1)]
    after = np.where((times + 1 < lengths[:, np.newaxis])[:, :, np.newaxis], after, deviations)
    inputs = np.concatenate([deviations, before, after], axis=2)
    clipped: np.ndarray = np.clip(inputs, -_LARGEST_DEVIATION, _LARGEST_DEVIATION).astype(np.float64)
    return clipped


def learn_predictor(
    integers: np.ndarray,
    lengths: np.ndarray,
    bin_widths: np.ndarray,
    *,
    n_lags: int,
    by_timestep: bool,
    rounds: bool,
    uses_same_step: bool = False,
    reconstruction: np.ndarray | None = None,
) -> Predictor:
    """Learn weights by a ridge regression.

    Parameters
    ----------
    integers : int64 array of shape (n_pieces, n_timesteps, n_features)
        Training pieces, the longest first.
    lengths : int array of shape (n_pieces,)
        Timesteps of each piece.
    bin_widths : int64 array of shape (n_features,)
        See `seqembed.codec.model.lattice.Lattice`. A decoder knows a value up to an error that is uniform within a bin.
        The ridge has the variance of this error, so that the weights don't rely on digits that a decoder lacks.
    n_lags : int
        Number of timesteps before a value that predict it. With 0, the last value is the prediction.
    by_timestep : bool
        Whether each timestep has a mean of its own, for sequences that are aligned in time.
    rounds : bool
        See `Predictor`.
    uses_same_step : bool, default=False
        Whether a feature is predicted from the features before it at the same timestep, too.
    reconstruction : int64 array of shape (n_pieces, n_timesteps, n_features), default=None
        Reconstruction of the pieces, as a further input. It has an effect only if `n_lags` is above 0.
    """
    known = np.arange(integers.shape[1]) < lengths[:, np.newaxis]
    counts = known.sum(axis=0)[:, np.newaxis]
    if by_timestep:
        means = integers.sum(axis=0, where=known[:, :, np.newaxis]) / np.maximum(1, counts)
    else:
        means = integers[known].mean(axis=0, keepdims=True)
    curve = np.rint(means).astype(np.int64)
    parts = _regression_weights(
        integers,
        known,
        curve,
        bin_widths,
        n_lags=n_lags,
        uses_same_step=uses_same_step,
        reconstruction=reconstruction,
    )
    sums = sum(np.abs(part * 2.0**_WEIGHT_BITS).sum(axis=0) for part in parts)
    factors = 2.0**_WEIGHT_BITS * np.minimum(1, _LARGEST_SUM_OF_WEIGHTS / 2 / np.maximum(sums, 1))
    weights, same_step, reconstruction_weights = (np.rint(part * factors).astype(np.int64) for part in parts)
    # A first pass, whose scales are arbitrary, measures the typical sizes of the residuals.
    scales = np.full(curve.shape, SCALE_UNITS, np.int64)
    predictor = Predictor(weights, same_step, reconstruction_weights, curve, scales, rounds)
    residuals = np.zeros(integers.shape, np.int64)

    def observe(t: int, features: slice, predicted: np.ndarray, scales: np.ndarray) -> np.ndarray:
        part = slice(len(predicted)), t, features
        residuals[part] = nearest_bins(integers[part] - predicted, bin_widths[features])
        return residuals[part]

    run_predictor(predictor, bin_widths, lengths, observe, reconstruction=reconstruction)
    sizes = residual_sizes(residuals)
    overall = sizes[known].mean(axis=0)
    if by_timestep:
        typical = (sizes.sum(axis=0) + _PRIOR_SEQUENCES * overall) / (counts + _PRIOR_SEQUENCES)
    else:
        typical = overall[np.newaxis]
    return predictor._replace(typical=np.maximum(1, np.rint(typical)).astype(np.int64))


def _regression_weights(
    integers: np.ndarray,
    known: np.ndarray,
    curve: np.ndarray,
    bin_widths: np.ndarray,
    *,
    n_lags: int,
    uses_same_step: bool,
    reconstruction: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the weights of the lags, of the same timestep and of the reconstruction, as floats, see `Predictor`."""
    n_pieces, n_timesteps, n_features = integers.shape
    same_step = np.zeros((n_features, n_features))
    if not n_lags:
        return np.eye(n_features), same_step, np.zeros((0, n_features))
    deviations = np.where(known[:, :, np.newaxis], integers - curve, 0).astype(np.float64)
    padded = np.concatenate([np.zeros((n_pieces, n_lags, n_features)), deviations], axis=1)
    parts = [padded[:, n_lags - 1 - lag : n_lags - 1 - lag + n_timesteps] for lag in range(n_lags)]
    if reconstruction is not None:
        parts.append(_reconstruction_inputs(reconstruction, curve, known.sum(axis=1)))
    inputs = np.concatenate([*parts, deviations], axis=2)[known]
    # The variance of the decoder's error. A reconstruction has none: encoder and decoder have the same one.
    noise, n_inputs = np.zeros(inputs.shape[1]), inputs.shape[1] - n_features
    noise[: n_lags * n_features] = np.tile(np.square(bin_widths) / 12.0, n_lags)
    noise[n_inputs:] = np.square(bin_widths) / 12.0
    gram = inputs.T @ inputs
    ridge = gram + np.diag(noise * len(inputs) + _RELATIVE_RIDGE * np.diag(gram) + _ABSOLUTE_RIDGE)
    weights = np.zeros((n_inputs, n_features))
    if uses_same_step:
        for feature in range(n_features):
            used = slice(n_inputs + feature)
            solved = np.linalg.solve(ridge[used, used], gram[used, n_inputs + feature])
            weights[:, feature] = solved[:n_inputs]
            same_step[:feature, feature] = solved[n_inputs:]
    else:
        weights = np.linalg.solve(ridge[:n_inputs, :n_inputs], gram[:n_inputs, n_inputs:])
    lag_weights, reconstruction_weights = np.split(weights, [n_lags * n_features])
    return lag_weights, same_step, reconstruction_weights
