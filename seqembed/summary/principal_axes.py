"""Principal axes of sequences whose timesteps are laid side by side."""

from __future__ import annotations

import numpy as np

from seqembed.sequences.scaling import ScaledSequences
from seqembed.summary.components import drawn_rows

# Sequences that axes are learned from, and the values that are in memory at once.
_MOST_SEQUENCES, _FEWEST_SEQUENCES, _MOST_VALUES = 2048, 64, 1 << 24
# A component whose deviation is a smaller part of that of the first one is rounding error.
_LEAST_PART, _TINY = 1e-4, float(np.finfo(np.float32).tiny)
# The method starts from random directions. They are the same for all users.
_SEED = 0


def learn_principal_axes(
    sequences: ScaledSequences, n_components: int, n_timesteps: int, share: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Learn principal axes of deviations from the means of the features.

    Parameters
    ----------
    sequences : ScaledSequences
        Training sequences. At most 2,048 of them are looked at, fewer if they are large. They are drawn with a fixed
        seed. Missing values, and the padding of shorter sequences, count as the means.
    n_components : int
        Most axes. There are always fewer than sequences.
    n_timesteps : int
        Timesteps of an axis: those of the longest training sequence.
    share : float, default=1.0
        There are no more axes than explain this share of the squared deviations from the means.

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
    >>> checked = check_sequences(np.random.default_rng(0).normal(size=(50, 30, 2)))
    >>> sequences = ScaledSequences(checked, learn_scaling(checked, "standard"))
    >>> axes, deviations = learn_principal_axes(sequences, n_components=4, n_timesteps=30)
    >>> axes.shape, deviations.shape
    ((4, 30, 2), (4,))
    """
    # Imported here, because only `fit` needs it: it would slow the start of a process that loads and transforms.
    from sklearn.decomposition import TruncatedSVD

    n_features = sequences.sequences.n_features
    n_values = n_timesteps * n_features
    rows = drawn_rows(len(sequences), min(_MOST_SEQUENCES, max(_FEWEST_SEQUENCES, _MOST_VALUES // n_values)))
    n_axes = min(n_components, len(rows) - 1, n_values)
    if n_axes < 1:
        return np.empty((0, n_timesteps, n_features), np.float32), np.empty(0)
    deviations = (sequences.read(rows, n_timesteps).values - sequences.means).reshape(len(rows), n_values)
    decomposition = TruncatedSVD(n_axes, random_state=_SEED).fit(deviations)
    sizes = decomposition.singular_values_.astype(np.float64) / np.sqrt(len(rows))
    explained = np.cumsum(np.square(sizes)) / max(np.square(deviations, dtype=np.float64).sum() / len(rows), _TINY)
    n_kept = min(int((sizes > max(_LEAST_PART * sizes[0], _TINY)).sum()), int(np.searchsorted(explained, share)) + 1)
    axes = decomposition.components_[:n_kept].reshape(-1, n_timesteps, n_features)
    return axes.astype(np.float32), sizes[:n_kept]
