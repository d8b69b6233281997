"""Augmentation of the training sequences.

A network that is trained on varied sequences learns what the sequences have in common.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqembed.sequences.scaling import Batch
from seqembed.training.workers import ALONE, Workers

_LARGEST_SHIFT = 1 / 3
_LARGEST_WARP = 1.25
# Limits between two kinds of data. Sets whose sequences all start at the same point, such as days or heartbeats cut at
# their peak, are far above them. Windows cut from long recordings are below them.
_LEAST_SHARE_OF_TIME = 0.03
_LEAST_F_STATISTIC = 4


class Varied(NamedTuple):
    """Varied sequences, and which sequences they were made of.

    Parameters
    ----------
    batch : Batch
        The varied sequences.
    partners : int array of shape (n_samples,)
        The row that was mixed into each sequence; its own row if none was.
    shares : float32 array of shape (n_samples,)
        The share of the variance that each sequence kept of its own.
    """

    batch: Batch
    partners: np.ndarray
    shares: np.ndarray

    def mix(self, numbers: np.ndarray) -> np.ndarray:
        """Average numbers of the sequences as the sequences were mixed, by their shares of the variance.

        Parameters
        ----------
        numbers : float32 array of shape (n_samples, n_numbers)
            Those of the sequences before they were varied.
        """
        shares = self.shares[:, np.newaxis]
        mixed_numbers: np.ndarray = shares * numbers + (1 - shares) * numbers[self.partners]
        return mixed_numbers


def unmixed(batch: Batch) -> Varied:
    """Return sequences of which none was mixed with another one."""
    n_samples = len(batch.lengths)
    return Varied(batch, np.arange(n_samples), np.ones(n_samples, np.float32))


def keeps_time(batch: Batch, workers: Workers = ALONE) -> bool:
    """Return whether the sequences are aligned in time.

    In aligned sequences, the timestep at which something happens carries information. The sequences count as aligned if
    their mean at each timestep explains at least 3 % of their variance, and at least four times as much as expected by
    chance. The share of the variance is omega squared, which is corrected for chance.

    Otherwise the start of a sequence is arbitrary, as in windows cut from a long recording. A shifted sequence could
    then be another member of the set.

    Parameters
    ----------
    batch : Batch
        Scaled training sequences, or a sample of them.
    workers : Workers, default=ALONE
        Each passes sequences of its own, padded to the same length. All get the same answer, that for all sequences.

    Returns
    -------
    answer : bool
        False for a single sequence, because there is no other sequence to compare it with.

    References
    ----------
    W. L. Hays, "Statistics for psychologists" (1963), for omega squared.

    Examples
    --------
    >>> import numpy as np
    >>> phases = np.random.default_rng(0).uniform(0, 50, (40, 1, 1))
    >>> time = np.arange(50).reshape(1, 50, 1)
    >>> known, lengths = np.ones((40, 50, 1), bool), np.full(40, 50)
    >>> keeps_time(Batch(np.sin(time / 8) + np.sin(phases), known, lengths))
    True
    >>> keeps_time(Batch(np.sin((time + phases) / 8), known, lengths))
    False
    """
    values = np.asarray(batch.values, np.float64)

    def all_reduce(terms: np.ndarray) -> np.ndarray:
        return workers.all_reduce(np.ravel(terms).astype(np.float64)).reshape(values.shape[1:])

    counts, sums = all_reduce(batch.mask.sum(axis=0)), all_reduce(values.sum(axis=0, where=batch.mask))
    means = sums / np.maximum(counts, 1)
    squares = all_reduce(np.square(values - means).sum(axis=0, where=batch.mask))
    known = counts >= 2
    if not known.any():
        return False
    overall_means = sums.sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
    between = (counts * np.square(means - overall_means))[known].mean()
    within = squares[known].sum() / (counts[known] - 1).sum()
    if within == 0:
        return True
    f_statistic = between / within
    share_of_time = (f_statistic - 1) / (f_statistic - 1 + counts[known].mean())
    return bool(f_statistic >= _LEAST_F_STATISTIC and share_of_time >= _LEAST_SHARE_OF_TIME)


def mixed(batch: Batch, random: np.random.Generator, means: np.ndarray) -> Varied:
    """Mix each sequence with another one of the batch.

    A sequence becomes ``cos(angle) * sequence + sin(angle) * other``. In this formula, both sequences are deviations
    from the means. The angle is drawn between 0 and 90 degrees for each sequence. The variance does not change. The
    network learns to reconstruct its training sequences and also mixtures of them. If the lengths differ, the other
    sequence is stretched or compressed to the length of the first.

    Parameters
    ----------
    batch : Batch
        Scaled sequences.
    random : numpy.random.Generator
        Source of the draws.
    means : float32 array of shape (n_features,)
        Mean of each feature of the scaled training sequences.

    Returns
    -------
    varied : Varied
        Mixed sequences of the same shape and lengths. A value mixed with a missing value is missing. A sequence that
        would have no value left is not changed.

    References
    ----------
    H. Zhang, M. Cisse, Y. N. Dauphin, D. Lopez-Paz, "mixup: beyond empirical risk minimization" (2018).

    Examples
    --------
    >>> import numpy as np
    >>> batch = Batch(np.eye(3, dtype=np.float32)[:, :, np.newaxis], np.ones((3, 3, 1), bool), np.full(3, 3))
    >>> varied = mixed(batch, np.random.default_rng(0), means=np.zeros(1, np.float32))
    >>> np.square(varied.batch.values).sum(axis=1).ravel().round(3)
    array([1., 1., 1.], dtype=float32)
    """
    n_samples, n_timesteps, _ = batch.values.shape
    if n_samples < 2:
        return unmixed(batch)
    # The partner of a row is the next row in a random order. So no row is its own partner.
    order = random.permutation(n_samples)
    partners = np.empty(n_samples, int)
    partners[order] = np.roll(order, 1)
    ends = (batch.lengths - 1)[:, np.newaxis]
    positions = np.arange(n_timesteps) * (ends[partners] / np.maximum(ends, 1))
    others, others_mask = _values_at(batch, partners, np.clip(positions, 0, ends[partners]))
    angles = random.uniform(0, np.pi / 2, (n_samples, 1, 1)).astype(np.float32)
    values = means + np.cos(angles) * (batch.values - means) + np.sin(angles) * (others - means)
    varied, unvaried = _varied(batch, values, batch.mask & others_mask, means)
    return Varied(varied, partners, np.where(unvaried, np.float32(1), np.cos(angles[:, 0, 0]) ** 2))


def shifted(batch: Batch, random: np.random.Generator, means: np.ndarray) -> Varied:
    """Shift each sequence in time, and make it faster or slower.

    The shift and the speed are drawn for each sequence. The shift is at most a third of its length. The speed is
    between 0.8 and 1.25. Values between two timesteps are interpolated. Before its start and after its end, a sequence
    is mirrored.

    Parameters
    ----------
    batch : Batch
        Scaled sequences.
    random : numpy.random.Generator
        Source of the draws.
    means : float32 array of shape (n_features,)
        Mean of each feature of the scaled training sequences.

    Returns
    -------
    varied : Varied
        Shifted sequences of the same shape and lengths. A value interpolated from a missing value is missing. A
        sequence that would have no value left is not changed.

    References
    ----------
    T. T. Um et al., "Data augmentation of wearable sensor data for Parkinson's disease monitoring using convolutional
    neural networks" (2017).

    Examples
    --------
    >>> import numpy as np
    >>> batch = Batch(np.arange(6, dtype=np.float32).reshape(1, 6, 1), np.ones((1, 6, 1), bool), np.full(1, 6))
    >>> shifted(batch, np.random.default_rng(0), means=np.zeros(1, np.float32)).batch.values.ravel().round(1)
    array([1.1, 0. , 1. , 2.1, 3.2, 4.2], dtype=float32)
    """
    n_samples, n_timesteps, _ = batch.values.shape
    ends = (batch.lengths - 1)[:, np.newaxis]
    speeds = np.exp(random.uniform(-np.log(_LARGEST_WARP), np.log(_LARGEST_WARP), (n_samples, 1)))
    shifts = random.uniform(-_LARGEST_SHIFT, _LARGEST_SHIFT, (n_samples, 1)) * batch.lengths[:, np.newaxis]
    # Mirror at both ends. Repeating the first or the last value would add a constant part. No sequence of the set has
    # such a part.
    positions = np.abs((np.arange(n_timesteps) - ends / 2) * speeds + ends / 2 + shifts)
    positions = np.clip(ends - np.abs(ends - positions), 0, ends)
    values, mask = _values_at(batch, np.arange(n_samples), positions)
    # `positions` also point to values at timesteps after the end of a sequence. The mask excludes these timesteps.
    inside = (np.arange(n_timesteps) < batch.lengths[:, np.newaxis])[:, :, np.newaxis]
    varied, _ = _varied(batch, values, mask & inside, means)
    return unmixed(varied)


def with_hidden_values(batch: Batch, random: np.random.Generator, means: np.ndarray) -> np.ndarray:
    """Hide known values of each sequence from the encoder: those that are missing in another sequence of the batch.

    The decoder has to return them from the others. So a network learns to estimate missing values, with the patterns
    that the set has.

    Parameters
    ----------
    batch : Batch
        Scaled sequences.
    random : numpy.random.Generator
        Source of the draws.
    means : float32 array of shape (n_features,)
        Mean of each feature of the scaled training sequences.

    Returns
    -------
    inputs : float32 array of shape (n_samples, n_timesteps, n_features)
        The values of the batch, with the means in place of hidden ones. A sequence that would have no value left is not
        changed.

    References
    ----------
    P. Vincent et al., "Extracting and composing robust features with denoising autoencoders" (2008).
    W. Du, D. Cote, Y. Liu, "SAITS: self-attention-based imputation for time series" (2023), for training on values that
    were hidden.
    """
    partners = random.permutation(len(batch.values))
    # Another sequence may be shorter: what is after its end is not missing.
    ends = np.arange(batch.values.shape[1]) >= batch.lengths[partners, np.newaxis]
    visible = batch.mask & (batch.mask[partners] | ends[:, :, np.newaxis])
    visible |= ~visible.any(axis=(1, 2), keepdims=True)
    inputs: np.ndarray = np.where(visible, batch.values, means)
    return inputs


def _varied(batch: Batch, values: np.ndarray, mask: np.ndarray, means: np.ndarray) -> tuple[Batch, np.ndarray]:
    """Make a varied batch: unknown values are the means, and a sequence without any known value stays as it was.

    Also returns which sequences stay.
    """
    unvaried = np.logical_not(mask.any(axis=(1, 2), keepdims=True))
    if not mask.all():
        values = np.where(unvaried, batch.values, np.where(mask, values, means))
        mask = np.where(unvaried, batch.mask, mask)
    return Batch(values, mask, batch.lengths), unvaried[:, 0, 0]


def _values_at(batch: Batch, rows: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate sequences at positions of shape (n_rows, n_timesteps).

    Returns the values and the mask of known values.
    """
    _, n_timesteps, n_features = batch.values.shape
    before = positions.astype(int)
    share = (positions - before).astype(np.float32)[:, :, np.newaxis]
    starts = (rows * n_timesteps)[:, np.newaxis]
    before, after = starts + before, starts + before + (share[:, :, 0] > 0)
    # Rows of a two-dimensional array are taken several times faster than pairs of indices.
    steps = batch.values.reshape(-1, n_features)
    values = np.take(steps, before, axis=0)
    values += share * (np.take(steps, after, axis=0) - values)
    if batch.mask.all():
        return values, np.ones(values.shape, bool)
    known = batch.mask.reshape(-1, n_features)
    return values, np.take(known, before, axis=0) & np.take(known, after, axis=0)
