"""Hints that sequences are laid out in another way than they are read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from seqembed.sequences.collection import Sequences

_SAMPLE = 100
# Windows of real data can begin or end with some zeros. Padding does so in many sequences, over unequal lengths.
_LEAST_PADDED_SHARE = 0.2
_LEAST_DISTINCT_RUNS = 3


def hints(sequences: Sequences) -> Iterator[str]:
    """Say in which other way the sequences may be laid out.

    Parameters
    ----------
    sequences : Sequences
        As they are read.

    Yields
    ------
    hint : str
        What they look like, and the line that mends it.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> waves = np.sin(np.arange(100) / 8 + np.arange(60).reshape(20, 3, 1) ** 2)
    >>> [hint[-30:] for hint in hints(check_sequences(waves))]
    ['so, pass X.transpose(0, 2, 1).']
    """
    if looks_transposed(sequences):
        yield (
            f"X is read as {sequences.n_timesteps} timesteps of {sequences.n_features} features, but neighbours on its "
            f"last axis are so alike that this looks like time. If so, pass X.transpose(0, 2, 1)."
        )
    value = padding_value(sequences)
    if value is not None:
        yield (
            f"Many sequences of X begin or end with {value:g} at all features, over unequal lengths: this looks like "
            f"padding, which is read as {'missing values' if np.isnan(value) else 'values'}. If so, pass "
            f"sequences_from_padded(X, value={'np.nan' if np.isnan(value) else '0'})."
        )


def padding_value(sequences: Sequences) -> float | None:
    """Return the value that sequences seem to be padded with, 0 or NaN, or None.

    Padded sequences begin or end with this value at all features, over unequal lengths, and rarely have it elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> X = np.ones((9, 10))
    >>> for row, length in enumerate(range(1, 10)):
    ...     X[row, length:] = 0
    >>> padding_value(check_sequences(X))
    0.0
    """
    if not isinstance(sequences.values, np.ndarray) or sequences.n_timesteps < 3:
        return None
    sample = sequences.padded(slice(0, _SAMPLE))
    for value, found in ((np.nan, np.isnan(sample)), (0.0, sample == 0)):
        filled = found.all(axis=2)
        for runs in (np.logical_and.accumulate(filled[:, ::step], axis=1).sum(axis=1) for step in (1, -1)):
            inside = filled.sum() - runs.sum()
            padded = np.mean(runs >= 2) >= _LEAST_PADDED_SHARE and len(np.unique(runs)) >= _LEAST_DISTINCT_RUNS
            if padded and inside <= 0.01 * (filled.size - runs.sum()):
                return value
    return None


def looks_transposed(sequences: Sequences) -> bool:
    """Whether time seems to be on the last axis, where features belong.

    Neighbours in time are alike. If neighbours on the last axis are much more alike than neighbours on the axis of
    timesteps, and the last axis is longer, then the axes have probably been swapped.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> waves = np.sin(np.arange(100) / 8 + np.arange(60).reshape(20, 3, 1) ** 2)
    >>> looks_transposed(check_sequences(waves)), looks_transposed(check_sequences(waves.transpose(0, 2, 1)))
    (True, False)
    """
    if sequences.n_timesteps < 2 or sequences.n_features <= sequences.n_timesteps:
        return False
    sample = sequences.padded(slice(0, 100)).astype(np.float64)
    with warnings.catch_warnings():
        # The mean of differences of which none is known.
        warnings.simplefilter("ignore", RuntimeWarning)
        across_features, across_timesteps = (
            np.nanmean(np.square(np.diff(sample, axis=axis))) if sample.shape[axis] > 1 else np.inf for axis in (2, 1)
        )
    return bool(across_features < across_timesteps / 4)
