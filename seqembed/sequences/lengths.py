"""Lengths of the sequences in a padded array."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqembed.sequences.containers import as_array
from seqembed.sequences.wording import counted


def checked_lengths(lengths: npt.ArrayLike, n_samples: int, longest: int | None = None) -> np.ndarray:
    """Check that there is a positive number of timesteps for each sequence, at most `longest`.

    Examples
    --------
    >>> checked_lengths([3, 1], n_samples=2)
    array([3, 1])
    """
    ends = as_array(lengths)
    if ends.shape != (n_samples,) or ends.dtype.kind not in "iu":
        raise ValueError(
            f"Got lengths= of shape {ends.shape} and dtype {ends.dtype} for {counted(n_samples, 'sequence')}: expected "
            f"an integer for each. Pass lengths=[len(sequence) for sequence in sequences]."
        )
    if ends.min() < 1 or (longest is not None and ends.max() > longest):
        expected = "1 or more" if longest is None else f"1 to {longest}, the timesteps of X"
        raise ValueError(
            f"Got lengths= from {ends.min()} to {ends.max()}, expected {expected}. Correct them, or leave out "
            f"the sequences that have no timestep."
        )
    return ends.astype(np.int64)
