"""Hints that sequences may be laid out in another way than they are read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from seqembed.sequences.collection import Sequences

_SAMPLE = 100
# Windows of real data can begin or end with some zeros. Padding does so in many sequences, over unequal lengths.
_LEAST_PADDED_SHARE = 0.2
_LEAST_DISTINCT_RUNS = 3
# Columns mon..sun or jan..dec are times. So seven or more names without digits do not count as names of sensors.
_LEAST_NAMES_OF_TIMES = 7
# Mean squared difference of neighbours on an axis, divided by that of any two values. Below this ratio the axis counts
# as time. Neighbouring sensors were measured at .7.
_LARGEST_RATIO_OF_TIME = 0.6
# The columns of a recording are sensors: their levels differ by far more than they vary, and neighbouring columns are
# no more alike than others. Its neighbouring rows are alike. Days cut into hours fail the second test, and other
# collections the first.
_LEAST_ROWS, _LEAST_ROWS_PER_COLUMN = 20, 2
_LEAST_LEVEL_RATIO = 10
_LARGEST_STEP_BETWEEN_ROWS, _LEAST_STEP_BETWEEN_COLUMNS = 0.2, 0.5


def layout_hints(sequences: Sequences) -> Iterator[str]:
    """Describe other layouts that the sequences may have.

    Parameters
    ----------
    sequences : Sequences
        As they are read.

    Yields
    ------
    hint : str
        The layout that the sequences seem to have, and the line of code for it.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> waves = np.sin(np.arange(100) / 8 + np.arange(60).reshape(20, 3, 1) ** 2)
    >>> [hint[-30:] for hint in layout_hints(check_sequences(waves))]
    ['so, pass X.transpose(0, 2, 1).']
    """
    if looks_transposed(sequences):
        yield (
            f"X is read as {sequences.n_timesteps} timesteps of {sequences.n_features} features, but neighbours on its "
            f"last axis are so alike that this axis looks like time. If so, pass X.transpose(0, 2, 1)."
        )
    if sequences.ndim == 2 and (has_rows_of_times(sequences) or looks_like_recording(sequences)):
        yield (
            f"X is read as {len(sequences)} sequences of {sequences.n_timesteps} timesteps of one feature, but it "
            f"looks like a single recording of {sequences.n_timesteps} features. If so, pass windows of it: "
            f"sliding_windows(X, timesteps=...).windows."
        )
    value = padding_value(sequences)
    if value is not None:
        yield (
            f"Many sequences of X begin or end with {value:g} at all features, over unequal lengths. This looks like "
            f"padding, but is read as {'missing values' if np.isnan(value) else 'values'}. If it is padding, pass "
            f"sequences_from_padded(X, value={'np.nan' if np.isnan(value) else '0'})."
        )


def has_rows_of_times(sequences: Sequences) -> bool:
    """Return whether the rows of a data frame are dates, and its columns are named like sensors, without a digit.

    Examples
    --------
    >>> import pandas as pd
    >>> from seqembed.sequences.collection import check_sequences
    >>> days = pd.date_range("2026-01-01", periods=2)
    >>> has_rows_of_times(check_sequences(pd.DataFrame({"flow": [1, 2], "heat": [3, 4]}, index=days)))
    True
    >>> has_rows_of_times(check_sequences(pd.DataFrame({"hour_1": [1, 2], "hour_2": [3, 4]}, index=days)))
    False
    """
    names = sequences.names
    if names is None or not sequences.rows_are_dates:
        return False
    return len(names) < _LEAST_NAMES_OF_TIMES and not any(letter.isdigit() for letter in "".join(names))


def looks_like_recording(sequences: Sequences) -> bool:
    """Return whether the rows of a table look like the timesteps of a single recording of several sensors.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> recording = np.sin(np.arange(100)[:, np.newaxis] / 20) + [1000, 20, 5000, 300]
    >>> looks_like_recording(check_sequences(recording)), looks_like_recording(check_sequences(recording.T))
    (True, False)
    """
    n_columns = sequences.n_timesteps
    if (
        not sequences.one_length
        or n_columns < 3
        or len(sequences) < max(_LEAST_ROWS, _LEAST_ROWS_PER_COLUMN * n_columns)
    ):
        return False
    rows = sequences.padded(slice(0, _SAMPLE))[:, :, 0].astype(np.float64)
    levels, variances = rows.mean(axis=0), rows.var(axis=0)
    if not (np.isfinite(levels).all() and variances.all()):
        return False
    far_apart = levels.std() > _LEAST_LEVEL_RATIO * np.sqrt(np.median(variances))
    rows_alike = np.median(np.square(np.diff(rows, axis=0)).mean(axis=0) / variances) < 2 * _LARGEST_STEP_BETWEEN_ROWS
    columns_alike = np.square(np.diff(levels)).mean() < 2 * _LEAST_STEP_BETWEEN_COLUMNS * levels.var()
    return bool(far_apart and rows_alike and not columns_alike)


def padding_value(sequences: Sequences) -> float | None:
    """Return the value with which sequences seem to be padded: 0, NaN, or None if they do not seem to be.

    Padded sequences begin or end with this value at all features, over unequal lengths. Elsewhere the value is rare.

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
    """Return whether time seems to be on the last axis, where features belong.

    Neighbours in time are alike. If neighbours on the last axis are much more alike than neighbours on the axis of
    timesteps, and the last axis is longer, then the axes have probably been swapped. If neighbours on the axis of
    timesteps are more alike than any two values on it, then this axis is time. The features then have an order too,
    such as the wavelengths of a spectrum.

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
    sample = sequences.padded(slice(0, _SAMPLE)).astype(np.float64)
    with warnings.catch_warnings():
        # NumPy warns of a mean of no values.
        warnings.simplefilter("ignore", RuntimeWarning)
        if len(sample) > 1:
            sample -= np.nanmean(sample, axis=0)
        across_features, across_timesteps = (np.nanmean(np.square(np.diff(sample, axis=axis))) for axis in (2, 1))
        # The mean squared difference of any two values is twice their variance.
        unordered = 2 * np.nanmean(np.nanvar(sample, axis=1, ddof=1))
    return bool(across_features < across_timesteps / 4 and across_timesteps > _LARGEST_RATIO_OF_TIME * unordered)


def constant_hint(features: np.ndarray) -> str:
    """Say that features have a single value in the first batch of a stream.

    Parameters
    ----------
    features : int array of shape (n_constant,)
        Their numbers.

    Examples
    --------
    >>> import numpy as np
    >>> constant_hint(np.array([1, 3]))[:43]
    'Features [1, 3] have a single value in this'
    """
    return (
        f"Features {features.tolist()} have a single value in this first batch, which decides how features are scaled "
        f"in all later ones. Pass a larger first batch, in which every feature varies, or leave these features out."
    )
