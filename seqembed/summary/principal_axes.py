"""Principal axes of sequences whose timesteps are laid side by side."""

from __future__ import annotations

import numpy as np
from sklearn.utils.extmath import randomized_svd

from seqembed.sequences.scaling import ScaledSequences
from seqembed.summary.description import drawn_rows

# Sequences that axes are learned from, and the values that are in memory at once.
_MOST_SEQUENCES, _FEWEST_SEQUENCES, _MOST_VALUES = 2048, 64, 1 << 22
# Parts of a sample of so many sequences, each of which judges the axes of the other parts.
_N_FOLDS, _JUDGED_SEQUENCES = 4, 512
# An axis explains at least this share of the squared deviations of sequences that it was not learned from. Each axis
# takes room of the embedding.
_LEAST_EXPLAINED = 1e-3
# A component whose deviation is a smaller part of that of the first one is rounding error.
_LEAST_PART, _TINY = 1e-4, float(np.finfo(np.float32).tiny)
# The method starts from random directions. They are the same for all users.
_SEED = 0


def learn_principal_axes(
    sequences: ScaledSequences, n_components: int, n_timesteps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Learn principal axes of deviations from the means of the features, as many as help with unseen sequences.

    The data decide how many there are. Each quarter of the sequences judges the axes of the other three. An axis is
    kept up to the last one that explains 0.1 % of the squared deviations there.

    Parameters
    ----------
    sequences : ScaledSequences
        Training sequences. At most 2,048 of them are looked at, fewer if they are large. They are drawn with a fixed
        seed. Missing values, and the padding of shorter sequences, count as the means.
    n_components : int
        Most axes. There are always fewer than sequences.
    n_timesteps : int
        Timesteps of an axis: those of the longest training sequence.

    Returns
    -------
    axes : float32 array of shape (n_axes, n_timesteps, n_features)
        Orthogonal, of length 1. There may be none.
    deviations : float64 array of shape (n_axes,)
        Root of the mean square of each component over the training sequences, the largest first.

    References
    ----------
    N. Halko, P. G. Martinsson, J. A. Tropp, "Finding structure with randomness" (2011), for the method.

    Examples
    --------
    >>> from seqembed.sequences.collection import check_sequences
    >>> from seqembed.sequences.scaling import learn_scaling
    >>> checked = check_sequences(np.random.default_rng(0).normal(size=(50, 30, 2)).cumsum(axis=1))
    >>> sequences = ScaledSequences(checked, learn_scaling(checked, "standard"))
    >>> axes, deviations = learn_principal_axes(sequences, n_components=4, n_timesteps=30)
    >>> axes.shape, deviations.shape
    ((4, 30, 2), (4,))
    """
    n_features = sequences.sequences.n_features
    n_values = n_timesteps * n_features
    rows = drawn_rows(len(sequences), min(_MOST_SEQUENCES, max(_FEWEST_SEQUENCES, _MOST_VALUES // n_values)))
    deviations = (sequences.read(rows, n_timesteps).values - sequences.means).reshape(len(rows), n_values)
    n_axes = _count_useful(deviations[drawn_rows(len(rows), _JUDGED_SEQUENCES)], n_components)
    axes, sizes = axes_and_sizes(deviations, n_axes)
    return axes.reshape(-1, n_timesteps, n_features), sizes / np.sqrt(len(rows))


def axes_and_sizes(deviations: np.ndarray, n_axes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first right singular vectors that are not rounding error, and their singular values.

    Parameters
    ----------
    deviations : float array of shape (n_rows, n_values)
        Rows, less their means.
    n_axes : int
        Most vectors. There are always fewer than rows.

    Returns
    -------
    axes : float32 array of shape (n_kept, n_values)
        Orthogonal, of length 1. There may be none.
    sizes : float64 array of shape (n_kept,)
        Their singular values, the largest first.

    Examples
    --------
    >>> axes, sizes = axes_and_sizes(np.outer([1.0, -1.0, 0.0], np.ones(4)), 2)
    >>> axes.shape, sizes.round(2)
    ((1, 4), array([2.83]))
    """
    n_axes = min(n_axes, len(deviations) - 1, deviations.shape[1])
    if n_axes < 1:
        return np.empty((0, deviations.shape[1]), np.float32), np.empty(0)
    _, sizes, axes = randomized_svd(deviations, n_axes, random_state=_SEED)
    kept = sizes > max(_LEAST_PART * sizes[0], _TINY)
    return axes[kept].astype(np.float32), sizes[kept].astype(np.float64)


def _count_useful(deviations: np.ndarray, most: int) -> int:
    """Count the axes that explain deviations of sequences that they were not learned from."""
    explained, folds = np.zeros(most), np.arange(len(deviations)) % _N_FOLDS
    for fold in range(_N_FOLDS):
        axes, _ = axes_and_sizes(deviations[folds != fold], most)
        explained[: len(axes)] += np.square(deviations[folds == fold] @ axes.T, dtype=np.float64).sum(axis=0)
    explained /= max(np.square(deviations, dtype=np.float64).sum(), _TINY)
    useful = np.flatnonzero(explained >= _LEAST_EXPLAINED)
    return int(useful[-1]) + 1 if len(useful) else 0
