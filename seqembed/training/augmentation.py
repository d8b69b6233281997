"""Variations of the training sequences, so that a network learns what they have in common and not each by heart."""

from __future__ import annotations

import numpy as np

from seqembed.scaling import Batch

_LARGEST_SHIFT = 1 / 3
_WARPS = (0.8, 1.25)
_AMPLITUDES = (0.7, 1.4)


def augmented(batch: Batch, random: np.random.Generator) -> Batch:
    """Vary each sequence: shifted in time, faster or slower, larger or smaller.

    Each draws its own shift, up to a third of its length, its own speed, 0.8 to 1.25, and its own amplitude, 0.7 to
    1.4. Values between two timesteps are interpolated; before the start and after the end, those of the border stay.

    Parameters
    ----------
    batch : Batch
        Scaled sequences.
    random : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    batch : Batch
        Of the same shape and lengths. A value interpolated from a missing one is missing.

    References
    ----------
    T. T. Um et al., "Data augmentation of wearable sensor data for Parkinson's disease monitoring using convolutional
    neural networks" (2017).

    Examples
    --------
    >>> import numpy as np
    >>> batch = Batch(np.ones((4, 6, 2), np.float32), None, np.full(4, 6))
    >>> varied = augmented(batch, np.random.default_rng(0))
    >>> varied.values.shape, bool((0.7 <= varied.values).all() and (varied.values <= 1.4).all())
    ((4, 6, 2), True)
    """
    n_samples, n_timesteps, _ = batch.values.shape
    ends = (batch.lengths - 1)[:, np.newaxis]
    warps = random.uniform(*_WARPS, (n_samples, 1))
    shifts = random.uniform(-_LARGEST_SHIFT, _LARGEST_SHIFT, (n_samples, 1)) * batch.lengths[:, np.newaxis]
    amplitudes = random.uniform(*_AMPLITUDES, (n_samples, 1, 1)).astype(np.float32)
    positions = np.clip((np.arange(n_timesteps) - ends / 2) * warps + ends / 2 + shifts, 0, ends)

    before = np.floor(positions).astype(int)
    after = np.minimum(before + 1, ends)
    share = (positions - before).astype(np.float32)[:, :, np.newaxis]
    rows = np.arange(n_samples)[:, np.newaxis]
    values = batch.values[rows, before] * (1 - share) + batch.values[rows, after] * share
    observed = batch.observed
    if observed is not None:
        # The padding of a varied sequence holds what its last timestep does: it stays unobserved.
        inside = (np.arange(n_timesteps) < batch.lengths[:, np.newaxis])[:, :, np.newaxis]
        observed = observed[rows, before] & observed[rows, after] & inside
    return Batch(values * amplitudes, observed, batch.lengths)
