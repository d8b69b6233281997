"""Central differences of the context of a sequence."""

from __future__ import annotations

import numpy as np

from seqembed.sequences.scaling import Batch
from seqembed.summary.context import Context

# Deviations of a feature by which a value is moved. Shares of convolutions are counts: a shorter step crosses few of
# their thresholds, and the difference is that of chance.
STEP = 0.1
# Values of the moved sequences whose contexts are computed at once.
_VALUES_AT_ONCE = 1 << 16


def context_differences(context: Context, sequence: Batch) -> np.ndarray:
    """Move each known value of a sequence up and down, and see how far the context moves.

    Parameters
    ----------
    context : Context
        How contexts are computed.
    sequence : Batch
        A single sequence without padding, as the network reads it.

    Returns
    -------
    differences : float32 array of shape (context_size, n_timesteps, n_features)
        Change of the context for each unit of what the network reads, between the value minus and plus a tenth of a
        standard deviation. 0 for missing values.

    Examples
    --------
    >>> from seqembed.sequences.collection import check_sequences
    >>> from seqembed.sequences.scaling import ScaledSequences, learn_scaling
    >>> from seqembed.summary.context import learn_context
    >>> checked = check_sequences(np.random.default_rng(0).normal(size=(50, 30, 2)))
    >>> sequences = ScaledSequences(checked, learn_scaling(checked, "standard"))
    >>> context = learn_context(sequences, size=8, n_timesteps=30)
    >>> context_differences(context, sequences.read(slice(0, 1))).shape
    (8, 30, 2)
    """
    _, n_timesteps, n_features = sequence.values.shape
    differences = np.zeros((context.size, n_timesteps, n_features), np.float32)
    places = np.argwhere(sequence.mask[0])
    steps = np.float32(STEP) * context.scale
    n_at_once = max(1, _VALUES_AT_ONCE // (2 * sequence.values.size))
    for start in range(0, len(places), n_at_once):
        t, feature = places[start : start + n_at_once].T
        moved = np.repeat(sequence.values, 2 * len(t), axis=0)
        up = np.arange(len(t))
        moved[up, t, feature] += steps[feature]
        moved[up + len(t), t, feature] -= steps[feature]
        mask = np.broadcast_to(sequence.mask, moved.shape)
        contexts = context.compute(Batch(moved, mask, np.repeat(sequence.lengths, 2 * len(t))))
        differences[:, t, feature] = ((contexts[: len(t)] - contexts[len(t) :]) / (2 * steps[feature, np.newaxis])).T
    return differences
