"""Residuals of reconstructions, weighted so that they add up to one error for each sequence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import linregress, median_abs_deviation

# A feature that never varied has no typical residual. So large a deviation from the constant, relative to the larger of
# both, counts as typical: a change by a thousandth is ten times as large. A flag that becomes 1 instead of 0 is the
# clearest event there is, in any unit.
_CONSTANT_SCALE = 1e-4
# Relative to the constant: float32 rounds by 6e-8. Smaller deviations are none.
_ROUNDING = 1e-6
# In typical residuals: the square of a larger one could exceed the range of float64.
_LARGEST_SCALED_RESIDUAL = 1e100
# The exponent of the length counts as real if it is more standard errors away from 0.
_STANDARD_ERRORS = 3


class ResidualWeights(NamedTuple):
    """Weights of residuals, so that errors of several features, and of several lengths, compare.

    Parameters
    ----------
    feature_scales : float array of shape (n_features,)
        Typical residual of each feature.
    precision : float array of shape (n_features, n_features)
        Matrix of the quadratic form that squares scaled residuals.
    length_exponent : float
        Errors grow as this power of the number of timesteps.
    n_timesteps : int
        Length of a sequence whose error is not changed by `length_exponent`.
    constants : float64 array of shape (n_features,) or None
        The value of each feature that has only one in normal sequences. NaN for the others. None if there is no such
        feature.
    """

    feature_scales: np.ndarray
    precision: np.ndarray
    length_exponent: float
    n_timesteps: int
    constants: np.ndarray | None = None

    def compared(self, residuals: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Replace the residuals of constant features by relative deviations from the constants.

        A network reconstructs a constant with some error, and with a larger one beside an event in other features. No
        network is needed to know what a constant should be.

        Parameters
        ----------
        residuals : float array of shape (n_samples, n_timesteps, n_features)
            NaN for missing values and after the end of a sequence.
        values : array of the same shape
            The sequences, with NaN in the same places.

        Returns
        -------
        residuals : float array of the same shape
            From -2 to 2 for constant features. The array itself if there is none.

        Examples
        --------
        >>> import numpy as np
        >>> constants = np.array([np.nan, 4.0])
        >>> weights = ResidualWeights(np.ones(2), np.eye(2), length_exponent=0.0, n_timesteps=2, constants=constants)
        >>> weights.compared(np.full((1, 2, 2), 0.1), np.array([[[7.0, 4.0], [7.0, 5.0]]]))
        array([[[ 0.1,  0. ],
                [ 0.1, -0.2]]])
        """
        if self.constants is None:
            return residuals
        constant = ~np.isnan(self.constants)
        expected, found = self.constants[constant], values[..., constant].astype(np.float64)
        sizes = np.maximum(np.maximum(np.abs(found), np.abs(expected)), np.finfo(float).tiny)
        # Quotients first: a difference could exceed the range of float64.
        relative = expected / sizes - found / sizes
        compared = residuals.copy()
        compared[..., constant] = np.where(np.abs(relative) < _ROUNDING, 0, relative)
        return compared

    def contributions(self, residuals: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Compute the share of each value in the weighted mean squared residual of its sequence.

        Parameters
        ----------
        residuals : float array of shape (n_samples, n_timesteps, n_features)
            NaN for missing values and after the end of a sequence.
        lengths : int array of shape (n_samples,)
            Timesteps of each sequence.

        Returns
        -------
        contributions : float array of shape (n_samples, n_timesteps, n_features)
            0 where residuals are NaN. The error of a sequence is their sum.

        Examples
        --------
        >>> import numpy as np
        >>> weights = ResidualWeights(np.array([1.0, 10.0]), np.eye(2), length_exponent=0.0, n_timesteps=2)
        >>> weights.contributions(np.array([[[2.0, 20.0], [np.nan, 10.0]]]), np.array([2])).round(2)
        array([[[1.33, 1.33],
                [0.  , 0.33]]])
        """
        known = ~np.isnan(residuals)
        # A quotient that exceeds the range of float64 is clipped too.
        with np.errstate(over="ignore"):
            quotients = residuals / self.feature_scales
        scaled = np.clip(quotients, -_LARGEST_SCALED_RESIDUAL, _LARGEST_SCALED_RESIDUAL)
        weighted = np.where(known, scaled, 0)
        sizes = known.sum(axis=(1, 2)) * (lengths / self.n_timesteps) ** self.length_exponent
        contributions: np.ndarray = weighted * (weighted @ self.precision) / sizes[:, np.newaxis, np.newaxis]
        return contributions


def padded_residuals(
    sequences: Sequence[np.ndarray], reconstructions: Iterable[npt.ArrayLike], n_timesteps: int
) -> np.ndarray:
    """Subtract sequences from their reconstructions.

    Parameters
    ----------
    sequences : list of arrays of shape (n_timesteps, n_features)
        NaN marks a missing value.
    reconstructions : iterable of array-likes
        Reconstruction of each sequence. The axis of a single feature may be left out.
    n_timesteps : int
        Timesteps to pad to.

    Returns
    -------
    residuals : float64 array of shape (n_samples, n_timesteps, n_features)
        NaN for missing values and after the end of a sequence. Infinite where a network overflowed: only missing values
        are left out of errors.

    Examples
    --------
    >>> import numpy as np
    >>> padded_residuals([np.array([[1.0], [np.nan], [3.0]])], [[1.5, 2.0, np.nan]], n_timesteps=4).ravel()
    array([0.5, nan, inf, nan])
    """
    residuals = np.full((len(sequences), n_timesteps, sequences[0].shape[1]), np.nan)
    for residual, sequence, reconstruction in zip(residuals, sequences, reconstructions, strict=True):
        # Float64 first: differences of unsigned integers would wrap around.
        difference = np.asarray(reconstruction, np.float64).reshape(sequence.shape) - sequence
        residual[: len(sequence)] = np.where(np.isnan(difference) & ~np.isnan(sequence), np.inf, difference)
    return residuals


def learn_weights(
    residuals: np.ndarray, values: np.ndarray, lengths: np.ndarray, weighting: str | None
) -> ResidualWeights:
    """Learn weights from held-out residuals.

    Parameters
    ----------
    residuals : float array of shape (n_samples, n_timesteps, n_features)
        NaN for missing values and after the end of a sequence.
    values : array of the same shape
        The sequences, with NaN in the same places.
    lengths : int array of shape (n_samples,)
        Timesteps of each sequence.
    weighting : {"robust", "mahalanobis"} or None
        As in `seqembed.ReconstructionDetector`.

    Returns
    -------
    weights : ResidualWeights
        Their `n_timesteps` is that of the array.

    Examples
    --------
    >>> import numpy as np
    >>> residuals = np.linspace(-1, 1, 101).reshape(1, 101, 1) * [1, 100]
    >>> learn_weights(residuals, residuals, np.array([101]), "robust").feature_scales.round(2)
    array([ 0.74, 74.13])
    """
    n_timesteps, n_features = residuals.shape[1:]
    weights = ResidualWeights(np.ones(n_features), np.eye(n_features), 0.0, n_timesteps)
    if weighting is not None:
        lowest, highest = np.nanmin(values, axis=(0, 1)), np.nanmax(values, axis=(0, 1))
        constant = lowest == highest
        if constant.any():
            weights = weights._replace(constants=np.where(constant, lowest, np.nan).astype(np.float64))
            residuals = weights.compared(residuals, values)
        scales = _typical_residuals(residuals.reshape(-1, n_features))
        weights = weights._replace(feature_scales=np.where(constant, _CONSTANT_SCALE, scales))
    if weighting == "mahalanobis" and not constant.all():
        # Constants have no covariance. They keep the rows of the identity.
        scaled, precision = residuals.reshape(-1, n_features) / weights.feature_scales, np.eye(n_features)
        precision[np.ix_(~constant, ~constant)] = _inverse_covariance(np.compress(~constant, scaled, axis=1))
        weights = weights._replace(precision=precision)
    errors = weights.contributions(residuals, lengths).sum(axis=(1, 2))
    return weights._replace(length_exponent=learn_length_exponent(errors, lengths))


def _typical_residuals(residuals: np.ndarray) -> np.ndarray:
    """Compute a scale for each column, as robust as the data allow."""
    # Residuals are deviations already: their centre is 0, not their median.
    scales = median_abs_deviation(
        residuals, axis=0, center=lambda values, axis=None: 0.0, scale="normal", nan_policy="omit"
    )
    # The median of a feature can be zero, if most of it is reconstructed without error.
    scales = np.where(scales > 0, scales, np.nanstd(residuals, axis=0))
    return np.where(scales > 0, scales, 1)


def _inverse_covariance(scaled_residuals: np.ndarray) -> np.ndarray:
    # This import takes as long as that of the rest of the package.
    from sklearn.covariance import LedoitWolf

    # Shrinkage makes variances more alike, which is right only for features of one scale. A missing value is no
    # deviation.
    precision: np.ndarray = LedoitWolf(assume_centered=True).fit(np.nan_to_num(scaled_residuals)).precision_
    return precision


def learn_length_exponent(errors: np.ndarray, lengths: np.ndarray) -> float:
    """Fit errors as a power of the length; 0 if the trend could be chance, as where lengths hardly differ.

    Parameters
    ----------
    errors : float array of shape (n_samples,)
        Errors, or distances.
    lengths : int array of shape (n_samples,)
        Timesteps of each sequence.

    Returns
    -------
    exponent : float
        From -1 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> lengths = np.arange(10, 60)
    >>> round(learn_length_exponent(1 / np.sqrt(lengths), lengths), 6), learn_length_exponent(lengths, np.full(50, 10))
    (-0.5, 0.0)
    """
    if (lengths == lengths[0]).all():
        return 0.0
    trend = linregress(np.log(lengths), np.log(np.maximum(errors, np.finfo(float).tiny)))
    if abs(trend.slope) > _STANDARD_ERRORS * trend.stderr:
        return float(np.clip(trend.slope, -1, 1))
    return 0.0


def joint_contributions(contributions: np.ndarray) -> np.ndarray:
    """Choose for each sequence the contributions of networks whose errors are a little above the median.

    Parameters
    ----------
    contributions : float array of shape (n_networks, n_samples, n_timesteps, n_features)
        Those of each network. The error of a sequence is their sum.

    Returns
    -------
    joint : float array of shape (n_samples, n_timesteps, n_features)
        Those of the network of rank ``n_networks / 2 + 1`` in ascending order of errors. Between two ranks, their mean:
        that of the 3rd and the 4th of five networks. Of two networks, it is the mean of both.

    Examples
    --------
    >>> import numpy as np
    >>> joint_contributions(np.array([5.0, 1.0, 3.0, 4.0, 2.0]).reshape(5, 1, 1, 1)).ravel()
    array([3.5])
    """
    n_networks, n_samples = contributions.shape[:2]
    order = np.argsort(contributions.sum(axis=(2, 3)), axis=0)
    # Counted from 0.
    rank = min(n_networks / 2, n_networks - 1.5)
    samples = np.arange(n_samples)
    chosen = [contributions[order[place], samples] for place in (math.floor(rank), math.ceil(rank))]
    joint: np.ndarray = np.mean(chosen, axis=0)
    return joint
