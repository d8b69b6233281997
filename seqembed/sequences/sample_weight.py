"""Weights of sequences."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqembed.sequences.containers import as_array
from seqembed.sequences.wording import counted


def checked_weights(sample_weight: npt.ArrayLike | None, n_samples: int) -> np.ndarray | None:
    """Check that there is a weight for each sequence.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,) or None
        0 or more. None if all sequences count alike.
    n_samples : int
        Number of sequences.

    Returns
    -------
    weights : float64 array of shape (n_samples,) or None
        The same weights.

    Raises
    ------
    ValueError
        For weights of another shape, no numbers, negative, missing or infinite ones, and if all are 0.

    Examples
    --------
    >>> checked_weights([1, 0, 4], n_samples=3)
    array([1., 0., 4.])
    """
    if sample_weight is None:
        return None
    weights = as_array(sample_weight)
    if weights.shape != (n_samples,) or weights.dtype.kind not in "biuf":
        raise ValueError(
            f"Got sample_weight= of shape {weights.shape} and dtype {weights.dtype} for "
            f"{counted(n_samples, 'sequence')}, expected a number for each. Pass an array of shape ({n_samples},)."
        )
    weights = weights.astype(np.float64, copy=False)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise ValueError(
            f"Got sample_weight= with {weights[wrong[0]]:g} for sequence {wrong[0]}, expected finite numbers of 0 or "
            f"more. Give 0 to a sequence that is to be left out."
        )
    if not weights.any():
        raise ValueError("Got sample_weight= of zeros alone, expected some above 0. Leave it out to use all sequences.")
    return weights
