"""Variations of the training sequences, so that a network learns what they have in common and not each by heart."""

from __future__ import annotations

import numpy as np

from seqembed.sequences.scaling import Batch

_LARGEST_SHIFT = 1 / 3
_LARGEST_WARP = 1.25
# Sets whose sequences all start at the same point, such as days or heartbeats cut at their peak, lie far above these,
# windows cut from long recordings below.
_LEAST_SHARE_OF_TIME = 0.03
_LEAST_F_STATISTIC = 4


def keeps_time(batch: Batch) -> bool:
    """Tell whether sequences keep time with one another, so that it matters when something happens in them.

    They do if their mean at each timestep explains at least 3 % of their variation (omega squared, which corrects for
    what chance explains) and four times as much as chance would. Otherwise, as in windows cut from a long recording,
    the start of a sequence is arbitrary, and a shifted sequence might as well be another member of the set.

    Parameters
    ----------
    batch : Batch
        Scaled training sequences, or a sample of them.

    Returns
    -------
    answer : bool
        False for a single sequence, which shows nothing of the kind.

    References
    ----------
    W. L. Hays, "Statistics for psychologists" (1963), for omega squared.

    Examples
    --------
    >>> import numpy as np
    >>> phases = np.random.default_rng(0).uniform(0, 50, (40, 1, 1))
    >>> time = np.arange(50).reshape(1, 50, 1)
    >>> keeps_time(Batch(np.sin(time / 8) + np.sin(phases), None, np.full(40, 50)))
    True
    >>> keeps_time(Batch(np.sin((time + phases) / 8), None, np.full(40, 50)))
    False
    """
    values = np.asarray(batch.values, np.float64)
    observed = np.broadcast_to(True, values.shape) if batch.observed is None else batch.observed
    counts = observed.sum(axis=0)
    means = values.sum(axis=0, where=observed) / np.maximum(counts, 1)
    known = counts >= 2
    if not known.any():
        return False
    overall_means = values.mean(axis=(0, 1), where=observed)
    between = (counts * np.square(means - overall_means))[known].mean()
    squares = np.square(values - means).sum(axis=0, where=observed)
    within = squares[known].sum() / (counts[known] - 1).sum()
    if within == 0:
        return True
    f_statistic = between / within
    share_of_time = (f_statistic - 1) / (f_statistic - 1 + counts[known].mean())
    return bool(f_statistic >= _LEAST_F_STATISTIC and share_of_time >= _LEAST_SHARE_OF_TIME)


def mixed(batch: Batch, random: np.random.Generator, means: np.ndarray) -> Batch:
    """Mix each sequence with another one of the batch.

    As a deviation from the means, a sequence becomes ``cos(angle) * sequence + sin(angle) * other``, with an angle
    between 0 and 90 degrees, so that its variance stays what it is. The network then learns to give back whatever lies
    between its training sequences, not those alone. Another one of another length is stretched to the sequence's own.

    Parameters
    ----------
    batch : Batch
        Scaled sequences.
    random : numpy.random.Generator
        Source of the draws.
    means : float32 array of shape (n_features,)
        Of the scaled training sequences.

    Returns
    -------
    batch : Batch
        Of the same shape and lengths. A value mixed with a missing one is missing, unless all of its sequence's would
        be: such a sequence stays as it is.

    References
    ----------
    H. Zhang, M. Cisse, Y. N. Dauphin, D. Lopez-Paz, "mixup: beyond empirical risk minimization" (2018).

    Examples
    --------
    >>> import numpy as np
    >>> batch = Batch(np.eye(3, dtype=np.float32)[:, :, np.newaxis], None, np.full(3, 3))
    >>> varied = mixed(batch, np.random.default_rng(0), means=np.zeros(1, np.float32))
    >>> np.square(varied.values).sum(axis=1).ravel().round(3)
    array([1., 1., 1.], dtype=float32)
    """
    n_samples, n_timesteps, _ = batch.values.shape
    if n_samples < 2:
        return batch
    # The row after one's own in a random order: never oneself.
    order = random.permutation(n_samples)
    partners = np.empty(n_samples, int)
    partners[order] = np.roll(order, 1)
    ends = (batch.lengths - 1)[:, np.newaxis]
    positions = np.arange(n_timesteps) * (ends[partners] / np.maximum(ends, 1))
    others, others_observed = _values_at(batch, partners, np.clip(positions, 0, ends[partners]))
    angles = random.uniform(0, np.pi / 2, (n_samples, 1, 1)).astype(np.float32)
    values = means + np.cos(angles) * (batch.values - means) + np.sin(angles) * (others - means)
    if batch.observed is None:
        return Batch(values, None, batch.lengths)
    return _known_or_unvaried(batch, values, batch.observed & others_observed)


def shifted(batch: Batch, random: np.random.Generator) -> Batch:
    """Shift each sequence in time, and make it faster or slower.

    Each draws its own shift, up to a third of its length, and its own speed, 0.8 to 1.25. Values between two timesteps
    are interpolated; what would lie before the start or after the end is mirrored there.

    Parameters
    ----------
    batch : Batch
        Scaled sequences.
    random : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    batch : Batch
        Of the same shape and lengths. A value interpolated from a missing one is missing, unless all of its sequence's
        would be: such a sequence stays as it is.

    References
    ----------
    T. T. Um et al., "Data augmentation of wearable sensor data for Parkinson's disease monitoring using convolutional
    neural networks" (2017).

    Examples
    --------
    >>> import numpy as np
    >>> batch = Batch(np.arange(6, dtype=np.float32).reshape(1, 6, 1), None, np.full(1, 6))
    >>> shifted(batch, np.random.default_rng(0)).values.ravel().round(1)
    array([1.1, 0. , 1. , 2.1, 3.2, 4.2], dtype=float32)
    """
    n_samples, n_timesteps, _ = batch.values.shape
    ends = (batch.lengths - 1)[:, np.newaxis]
    speeds = np.exp(random.uniform(-np.log(_LARGEST_WARP), np.log(_LARGEST_WARP), (n_samples, 1)))
    shifts = random.uniform(-_LARGEST_SHIFT, _LARGEST_SHIFT, (n_samples, 1)) * batch.lengths[:, np.newaxis]
    # Mirrored at both ends: a border that stayed would be a stretch of constant values, as no sequence has them.
    positions = np.abs((np.arange(n_timesteps) - ends / 2) * speeds + ends / 2 + shifts)
    positions = np.clip(ends - np.abs(ends - positions), 0, ends)
    values, observed = _values_at(batch, np.arange(n_samples), positions)
    if observed is None:
        return Batch(values, None, batch.lengths)
    # The padding of a varied sequence holds what its last timestep does: it stays unobserved.
    inside = (np.arange(n_timesteps) < batch.lengths[:, np.newaxis])[:, :, np.newaxis]
    return _known_or_unvaried(batch, values, observed & inside)


def _known_or_unvaried(batch: Batch, values: np.ndarray, observed: np.ndarray) -> Batch:
    """Leave those sequences as they were of which nothing is known once they are varied."""
    unknown = ~observed.any(axis=(1, 2), keepdims=True)
    return Batch(np.where(unknown, batch.values, values), np.where(unknown, batch.observed, observed), batch.lengths)


def _values_at(batch: Batch, rows: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Interpolate sequences at positions (n_rows, n_timesteps), and tell which of the values are known."""
    rows = rows[:, np.newaxis]
    before = np.floor(positions).astype(int)
    after = np.ceil(positions).astype(int)
    share = (positions - before).astype(np.float32)[:, :, np.newaxis]
    values = batch.values[rows, before] * (1 - share) + batch.values[rows, after] * share
    observed = None if batch.observed is None else batch.observed[rows, before] & batch.observed[rows, after]
    return values, observed
