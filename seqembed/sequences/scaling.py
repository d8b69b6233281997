"""Sequences as the network reads them: scaled, in batches that mark the values that are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqembed.sequences.collection import Sequences

# A value this many scaled units from the mean already saturates the cells that read it.
_LARGEST_SCALED_VALUE = 10
# Values of a fitted network are clipped at this many scaled units. Sums of their squares are finite in float32.
LARGEST_READ_VALUE = 1e15
# Results are float64 where float32 would round by more than this part of a feature's scale.
_LARGEST_ROUNDING = 1e-3
# A feature whose range is a smaller part of its values does not vary: float64 rounds by 1e-16.
_ROUNDING = 1e-14


class Batch(NamedTuple):
    """Sequences as the network reads them.

    Parameters
    ----------
    values : float32 array of shape (n_samples, n_timesteps, n_features)
        Scaled. Missing values, and the padding after the end of a sequence, are the means of their features.
    mask : bool array of the same shape
        True for known values, False for missing values and padding.
    lengths : int array of shape (n_samples,)
        Timesteps of each sequence.
    """

    values: np.ndarray
    mask: np.ndarray
    lengths: np.ndarray

    def clipped(self, largest: float) -> Batch:
        """Return the batch with values that are not beyond this size. The values themselves stay as they are."""
        return self._replace(values=np.clip(self.values, -largest, largest))


@dataclass(frozen=True, eq=False)
class Scaling:
    """Centre and scale of each feature: the centre is subtracted from its values, which are then divided by the scale.

    Parameters
    ----------
    means : float64 array of shape (n_features,)
        Means of the training data. Missing values are read as the means of their features.
    center, scale : float64 arrays of shape (n_features,)
        In the units of the data.
    """

    means: np.ndarray
    center: np.ndarray
    scale: np.ndarray

    @property
    def scaled_means(self) -> np.ndarray:
        """Means of the training data as the network reads them, float32 of shape (n_features,)."""
        return scaled(self.means, self.center, self.scale)

    @property
    def is_identity(self) -> bool:
        """Whether values stay as they are, as with ``scale=None``."""
        return not self.center.any() and bool((self.scale == 1).all())

    def with_mean_scales(self, features: np.ndarray) -> Scaling:
        """Replace the scales of some features by the sizes of their means, or by 1 if these are smaller.

        The scale of a feature that does not vary is 1. If it varies later, its variation may be as large as its mean.

        Parameters
        ----------
        features : bool array of shape (n_features,)
            True for the features whose scale is replaced.
        """
        sizes = np.maximum(1, np.abs(self.means))
        return Scaling(self.means, self.center, np.where(features, sizes, self.scale))

    @property
    def dtype(self) -> np.dtype:
        """Dtype of values in the user's units: float32, or float64 if float32 would lose a thousandth of a scale.

        float32 has 24 bits: it cannot hold both a level of 4,500,000 and a variation of 0.1. Nor does it hold values
        beyond 3e38, or scales below 1e-38 with all their bits.
        """
        float32 = np.finfo(np.float32)
        largest = np.abs(self.center) + _LARGEST_SCALED_VALUE * self.scale
        loses = float32.eps / 2 * largest > _LARGEST_ROUNDING * self.scale
        loses |= (largest > float32.max) | (self.scale < float32.tiny)
        return np.dtype(np.float64 if loses.any() else np.float32)

    def undo(self, values: np.ndarray) -> np.ndarray:
        """Return values of the network in the user's units, of `dtype`."""
        return unscaled(values, self.center, self.scale, self.dtype)


@dataclass(frozen=True, eq=False)
class ScaledSequences:
    """Sequences that are scaled when they are read, a batch at a time.

    Parameters
    ----------
    sequences : Sequences
        As the user gave them.
    scaling : Scaling
        How to scale them.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> scaling = Scaling(means=np.array([2.0]), center=np.array([2.0]), scale=np.array([0.5]))
    >>> batch = ScaledSequences(check_sequences([[3.0, np.nan], [1.0]]), scaling).read(slice(0, 2))
    >>> batch.values[:, :, 0]
    array([[ 2.,  0.],
           [-2.,  0.]], dtype=float32)
    >>> batch.mask[:, :, 0]
    array([[ True, False],
           [ True, False]])
    """

    sequences: Sequences
    scaling: Scaling

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def lengths(self) -> np.ndarray:
        """Timesteps of each sequence, an int array of shape (n_samples,)."""
        return self.sequences.lengths

    @property
    def means(self) -> np.ndarray:
        """Means of the training data as the network reads them, float32 of shape (n_features,)."""
        return self.scaling.scaled_means

    def squares(self) -> np.ndarray:
        """Sum the squared deviations from the means, and count the values, of each sequence.

        Values and means are those that the network reads.

        Returns
        -------
        squares : float64 array of shape (n_samples, 2)
            The sum and the count.
        """
        sums = np.empty((len(self), 2))
        for rows in self.sequences.chunks():
            batch = self.read(rows)
            squares = np.square(batch.values - self.means, dtype=np.float64)
            sums[rows] = np.stack([squares.sum(axis=(1, 2), where=batch.mask), batch.mask.sum(axis=(1, 2))], axis=1)
        return sums

    def read_bounded(self, rows: slice | np.ndarray, n_timesteps: int | None = None) -> Batch:
        """Read some sequences as a batch, with values that are clipped at 1e15 scaled units.

        A fitted network reads them: values such as the -3.4e38 that marks missing ones in some files would become
        infinite, and the difference of two infinite products is NaN. Training reads the values as they are, so that it
        stops where a loss is infinite.

        Parameters
        ----------
        rows, n_timesteps
            See `read`.
        """
        batch = self.read(rows, n_timesteps)
        np.clip(batch.values, -LARGEST_READ_VALUE, LARGEST_READ_VALUE, out=batch.values)
        return batch

    def read(self, rows: slice | np.ndarray, n_timesteps: int | None = None) -> Batch:
        """Read some sequences as a batch.

        Parameters
        ----------
        rows : slice or int array
            Which sequences.
        n_timesteps : int, default=None
            Timesteps to pad to, by default those of the longest of these sequences.
        """
        lengths = self.lengths[rows]
        values = scaled(self.sequences.padded(rows, n_timesteps), self.scaling.center, self.scaling.scale)
        if self.sequences.complete and values.shape[1] == lengths.min():
            return Batch(values, np.broadcast_to(True, values.shape), lengths)
        mask = ~np.isnan(values)
        return Batch(np.where(mask, values, self.means), mask, lengths)


def learn_scaling(
    sequences: Sequences, scale: str | None, all_gather: Callable[[np.ndarray], np.ndarray] | None = None
) -> Scaling:
    """Learn how to scale sequences from all their values.

    Parameters
    ----------
    sequences : Sequences
        Read in chunks.
    scale : {"standard"} or None
        Whether to centre each feature and divide it by its scale, see `feature_statistics`, or leave it as it is.
    all_gather : callable, default=None
        See `feature_statistics`.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> learn_scaling(check_sequences([[1.0, 3.0]]), scale="standard")
    Scaling(means=array([2.]), center=array([2.]), scale=array([1.]))
    """
    means, scales = feature_statistics(sequences, all_gather)
    if scale is None:
        return Scaling(means, np.zeros_like(means), np.ones_like(means))
    return Scaling(means, means, scales)


def feature_statistics(
    sequences: Sequences, all_gather: Callable[[np.ndarray], np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the mean and the scale of each feature over all values that are not missing.

    The scale is the standard deviation, or a tenth of the largest deviation if that is more. Otherwise, a feature that
    is nearly always at its mean, such as the indicator of a rare event, would outweigh all others by values that no
    cell can reproduce.

    Parameters
    ----------
    sequences : Sequences
        Read in chunks.
    all_gather : callable, default=None
        For sequences that are shared among workers: a function from an array of this worker to the arrays of all
        workers, on a new first axis. The statistics are then those of all sequences.

    Returns
    -------
    means : float64 array of shape (n_features,)
        In the units of the sequences.
    scales : float64 array of shape (n_features,)
        In the units of the sequences; 1 for a feature that does not vary, so that dividing is safe.

    Raises
    ------
    ValueError
        For a feature that has no value in any sequence, and for values whose squares float64 can't hold.

    References
    ----------
    T. F. Chan et al., "Algorithms for computing the sample variance" (1983), for the moments of joined chunks.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> feature_statistics(check_sequences(np.array([[[1.0, 7.0], [3.0, 7.0]]])))
    (array([2., 7.]), array([1., 1.]))
    """
    # Not StandardScaler.partial_fit, which divides by zero where a feature has no value in a whole chunk.
    with np.errstate(over="ignore", invalid="ignore"):
        moments = reduce(_joint_moments, (_moments(sequences, rows) for rows in sequences.chunks()))
        if all_gather is not None:
            moments = reduce(_joint_moments, all_gather(moments))
    counts, means, squares, lowest, highest = moments
    unknown = np.flatnonzero(counts == 0)
    if len(unknown):
        raise ValueError(
            f"Feature {unknown[0]} has no value in any sequence, all are missing (NaN): expected at least one. Leave "
            f"such features out: np.delete(X, {unknown.tolist()}, axis=-1)."
        )
    deviations = np.sqrt(squares / counts)
    too_large = np.flatnonzero(~np.isfinite(deviations))
    if len(too_large):
        feature = too_large[0]
        raise ValueError(
            f"Feature {feature} has values from {lowest[feature]:.3g} to {highest[feature]:.3g}, whose squares exceed "
            f"the range of float64: expected values below 1e150. Mark false values as missing (NaN), or use a larger "
            f"unit: X / 1e200."
        )
    # Rounding gives the mean of equal values another value, and them a deviation.
    means = np.where(highest == lowest, lowest, means)
    scales = np.where(_are_equal(lowest, highest), 1.0, deviations)
    farthest = np.maximum(highest - means, means - lowest)
    return means, np.maximum(scales, farthest / _LARGEST_SCALED_VALUE)


def _moments(sequences: Sequences, rows: slice) -> np.ndarray:
    """Count the known values of each feature, and compute their mean, squared deviations, minimum and maximum."""
    timesteps = sequences.timesteps(rows)
    known = True if sequences.complete else ~np.isnan(timesteps)
    counts = np.broadcast_to(known, timesteps.shape).sum(axis=0)
    means = timesteps.sum(axis=0, dtype=np.float64, where=known) / np.maximum(1, counts)
    squares = np.square(np.subtract(timesteps, means, dtype=np.float64)).sum(axis=0, where=known)
    # fmin and fmax, unlike minimum and maximum, pass over NaN.
    lowest = np.fmin(np.inf, np.fmin.reduce(timesteps, axis=0))
    highest = np.fmax(-np.inf, np.fmax.reduce(timesteps, axis=0))
    return np.array([counts, means, squares, lowest, highest])


def _joint_moments(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Combine the moments of two sets of values."""
    counts = first[0] + second[0]
    steps, shares = second[1] - first[1], second[0] / np.maximum(1, counts)
    means = first[1] + steps * shares
    squares = first[2] + second[2] + np.square(steps) * first[0] * shares
    return np.array([counts, means, squares, np.fmin(first[3], second[3]), np.fmax(first[4], second[4])])


def constant_features(sequences: Sequences) -> np.ndarray:
    """Find the features that have a single value, up to the rounding of float64.

    Returns
    -------
    constant : bool array of shape (n_features,)
        Missing values are ignored.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> constant_features(check_sequences(np.array([[[1.0, 7.0], [3.0, 7.0]]])))
    array([False,  True])
    """
    ranges = [
        (np.fmin.reduce(timesteps, axis=0), np.fmax.reduce(timesteps, axis=0))
        for timesteps in map(sequences.timesteps, sequences.chunks())
    ]
    lowest, highest = (np.array(each, np.float64) for each in zip(*ranges, strict=True))
    return _are_equal(np.fmin.reduce(lowest, axis=0), np.fmax.reduce(highest, axis=0))


def _are_equal(lowest: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Tell for each feature whether its values differ by rounding alone."""
    equal: np.ndarray = highest - lowest <= _ROUNDING * np.maximum(np.abs(lowest), np.abs(highest))
    return equal


def scaled(batch: np.ndarray, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Scale a batch for the network: ``(batch - center) / scale`` in float32, computed in the batch's own precision.

    Examples
    --------
    >>> import numpy as np
    >>> scaled(np.array([[[1.0], [3.0]]]), center=np.array([2.0]), scale=np.array([1.0]))
    array([[[-1.],
            [ 1.]]], dtype=float32)
    """
    dtype = np.result_type(batch.dtype, np.float32)
    # What float32 can't hold becomes infinite. A network reads it by `ScaledSequences.read_bounded`.
    with np.errstate(over="ignore"):
        deviations = np.subtract(batch, center, dtype=dtype)
        quotients = np.divide(deviations, scale, dtype=dtype, out=deviations)
        values: np.ndarray = quotients.astype(np.float32, copy=False)
    return values


def unscaled(batch: np.ndarray, center: np.ndarray, scale: np.ndarray, dtype: npt.DTypeLike = np.float32) -> np.ndarray:
    """Undo `scaled`, in a given precision: ``batch * scale + center``.

    Examples
    --------
    >>> import numpy as np
    >>> unscaled(np.float32([[[-1], [1]]]), center=np.array([2.0]), scale=np.array([1.0])).ravel()
    array([1., 3.], dtype=float32)
    """
    values: np.ndarray = (batch * scale.astype(dtype) + center.astype(dtype)).astype(dtype, copy=False)
    return values
