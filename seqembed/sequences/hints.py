"""Hints that sequences may be laid out in another way than they are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from seqembed.sequences.collection import Sequences
from seqembed.sequences.scaling import ScaledSequences
from seqembed.sequences.wording import counted

# Sequences that are looked at: fewer, if they have more values than this in all, and at least three.
_SAMPLE, _MOST_VALUES, _LEAST_SAMPLE = 100, 1 << 23, 3
# Whether the hints about a layout were given already, see `layout_was_judged`.
_was_judged = ContextVar("_was_judged", default=False)
# Windows of real data can begin or end with some zeros. Padding does so in many sequences, over unequal lengths.
_LEAST_PADDED_SHARE = 0.2
_LEAST_DISTINCT_RUNS = 3
# Columns mon..sun or jan..dec are times. So seven or more names without digits do not count as names of sensors.
_LEAST_NAMES_OF_TIMES = 7
# Mean squared difference of neighbours on an axis, divided by that of any two values. Below this ratio the axis counts
# as time. Neighbouring sensors were measured at .7.
_LARGEST_RATIO_OF_TIME = 0.6
# Rows of a recording are times: from one to the next, values change by a small part of their variance, and by more over
# several rows. Its columns are sensors, which differ by more, and neighbours are no more alike than others. Windows
# change as much from one row to the next as from one column to the next. Sequences sorted by class differ as much from
# the next as from others of their class, and those of other orders have timesteps whose neighbours are alike.
_BLOCK, _FARTHEST_ROWS, _MOST_COLUMNS = 20, 10, 64
_LEAST_ROWS_PER_COLUMN = 2
_LARGEST_STEP_BETWEEN_ROWS, _LEAST_GROWTH_WITH_DISTANCE, _LEAST_STEP_BETWEEN_COLUMNS = 0.25, 1.3, 0.5
# Sequences whose sizes are compared, and how many tell something.
_SAMPLE_OF_SIZES, _FEWEST_SIZES, _LARGEST_SHARE_OF_A_TENTH = 1024, 20, 0.9


def layout_hints(sequences: Sequences) -> Iterator[str]:
    """Describe other layouts that the sequences may have.

    Parameters
    ----------
    sequences : Sequences
        As they are read.

    Yields
    ------
    hint : str
        The layout that the sequences seem to have, and the line of code for it. None inside `layout_was_judged`.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> waves = np.sin(np.arange(100) / 8 + np.arange(60).reshape(20, 3, 1) ** 2)
    >>> [hint[-30:] for hint in layout_hints(check_sequences(waves))]
    ['so, pass X.transpose(0, 2, 1).']
    """
    if _was_judged.get():
        return
    if looks_transposed(sequences):
        yield (
            f"X is read as {sequences.n_timesteps} timesteps of {sequences.n_features} features, but neighbours on its "
            f"last axis are so alike that this axis looks like time. If so, pass X.transpose(0, 2, 1)."
        )
    # A pivot of several columns has their names in the first level, and times in the second.
    if sequences.n_column_groups > 1:
        yield (
            f"X is read as {sequences.n_timesteps} timesteps of one feature, but the first level of its columns has "
            f"{sequences.n_column_groups} names. If they are features, pass numpy.stack([X[name] for name in "
            f"X.columns.unique(0)], axis=-1)."
        )
    if has_rows_of_recordings(sequences):
        yield (
            f"X is read as {len(sequences)} sequences of {counted(sequences.n_timesteps, 'timestep')} of one feature, "
            f"but its index has levels as that of {sequences.n_row_groups} recordings of "
            f"{counted(sequences.n_timesteps, 'feature')}. If so, pass "
            f"[rows for _, rows in X.groupby(X.index.droplevel(-1), sort=False)]."
        )
    else:
        yield from recording_hints(sequences, "pass windows of it: sliding_windows(X, timesteps=...).windows")
    value = padding_value(sequences)
    if value is not None:
        yield (
            f"Many sequences of X begin or end with {value:g} at all features, over unequal lengths. This looks like "
            f"padding, but is read as {'missing values' if np.isnan(value) else 'values'}. If it is padding, pass "
            f"sequences_from_padded(X, value={'np.nan' if np.isnan(value) else '0'})."
        )


@contextmanager
def layout_was_judged() -> Iterator[None]:
    """Give no hints about the layout inside the block, where parts of sequences are fitted: those of all were given.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> recording = check_sequences(np.zeros((20, 1)))
    >>> with layout_was_judged():
    ...     inside = list(layout_hints(recording))
    >>> len(inside), len(list(layout_hints(recording)))
    (0, 1)
    """
    token = _was_judged.set(True)
    try:
        yield
    finally:
        _was_judged.reset(token)


def recording_hints(sequences: Sequences, remedy: str) -> Iterator[str]:
    """Say so if a table seems to be a single recording, whose rows are times.

    Parameters
    ----------
    sequences : Sequences
        As they are read.
    remedy : str
        What to do if so.

    Yields
    ------
    hint : str
        At most one.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> list(recording_hints(check_sequences(np.zeros((20, 1))), "pass [X]"))[0][-16:]
    'If so, pass [X].'
    """
    if sequences.ndim != 2 or not len(sequences):
        return
    if has_rows_of_times(sequences) or looks_like_recording(sequences) or has_single_timesteps(sequences):
        yield (
            f"X is read as {len(sequences)} sequences of {counted(sequences.n_timesteps, 'timestep')} of one feature, "
            f"but it looks like a single recording of {counted(sequences.n_timesteps, 'feature')}. If so, {remedy}."
        )


def has_single_timesteps(sequences: Sequences) -> bool:
    """Return whether an array has a single column, and more than a few rows: nobody has sequences of one number.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> has_single_timesteps(check_sequences(np.zeros((100, 1))))
    True
    """
    return isinstance(sequences.values, np.ndarray) and sequences.n_timesteps == 1 and len(sequences) >= _BLOCK


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
    return sequences.rows_are_dates and _has_names_of_sensors(sequences)


def has_rows_of_recordings(sequences: Sequences) -> bool:
    """Return whether levels of the index of a data frame group its rows, and its columns are named like sensors.

    Examples
    --------
    >>> import pandas as pd
    >>> from seqembed.sequences.collection import check_sequences
    >>> pumps = pd.concat([pd.DataFrame({"flow": [1, 2], "heat": [3, 4]})] * 2, keys=["pump a", "pump b"])
    >>> has_rows_of_recordings(check_sequences(pumps)), has_rows_of_recordings(check_sequences(pumps[:1]))
    (True, False)
    """
    return 1 < sequences.n_row_groups < len(sequences) and _has_names_of_sensors(sequences)


def _has_names_of_sensors(sequences: Sequences) -> bool:
    names = sequences.names
    if names is None:
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
    n_rows, n_columns = len(sequences), sequences.n_timesteps
    if not sequences.one_length or n_columns < 2 or n_rows < max(_BLOCK, _LEAST_ROWS_PER_COLUMN * n_columns):
        return False
    starts = np.linspace(0, n_rows - _BLOCK, min(_SAMPLE, n_rows) // _BLOCK).astype(int)
    sample = np.stack([sequences.padded(slice(start, start + _BLOCK))[:, :_MOST_COLUMNS, 0] for start in starts])
    # Values of 1e200 have no square.
    with np.errstate(all="ignore"):
        return _rows_are_times(_known(sample))


def _known(values: np.ndarray) -> np.ma.MaskedArray:
    """Mask what is missing. NumPy's own functions for missing values, such as nanmean, warn of a mean of no values."""
    return np.ma.masked_invalid(values.astype(np.float64))


def _rows_are_times(blocks: np.ma.MaskedArray) -> bool:
    """Tell whether the rows of a table are times, and its columns are not.

    Parameters
    ----------
    blocks : masked array of shape (n_blocks, n_rows, n_columns)
        Blocks of neighbouring rows.
    """
    deviations = blocks.std(axis=(0, 1)).filled(0)
    varies = np.isfinite(deviations) & (deviations > 0)
    if varies.sum() < 2:
        return False
    blocks, deviations = blocks[:, :, varies], deviations[varies]
    scaled = (blocks - blocks.mean(axis=(0, 1))) / deviations
    # Half the mean squared difference of two values is their variance, which is 1. The median over the rows leaves out
    # those at which the class changes, if they are sorted by class.
    near, *farther = (
        np.ma.median(np.square(scaled[:, rows:] - scaled[:, :-rows]).mean(axis=2)) / 2
        for rows in range(1, _FARTHEST_ROWS + 1)
    )
    between_rows = np.square(np.ma.diff(blocks, axis=1)).mean(axis=(0, 1))
    between_columns = np.square(np.ma.diff(blocks, axis=2)).mean(axis=(0, 1))
    ratio = np.ma.median((between_rows[1:] + between_rows[:-1]) / 2 / between_columns)
    return bool(
        near < _LARGEST_STEP_BETWEEN_ROWS
        and ratio < _LARGEST_STEP_BETWEEN_ROWS
        and max(farther) > _LEAST_GROWTH_WITH_DISTANCE * near
        # Timesteps of a collection are alike in their levels, or in how they deviate from them.
        and min(_step_between_columns(blocks), _step_between_columns(scaled)) > _LEAST_STEP_BETWEEN_COLUMNS
    )


def _step_between_columns(blocks: np.ma.MaskedArray) -> float:
    """Compute the mean squared difference of neighbouring columns, divided by that of any two."""
    return float(np.square(np.ma.diff(blocks, axis=2)).mean() / (2 * blocks.var(axis=2, ddof=1).mean()))


def sizes_hints(scaled: ScaledSequences) -> Iterator[str]:
    """Say so if a few sequences have nearly all of the variance, as where their sizes differ by orders of magnitude.

    Parameters
    ----------
    scaled : ScaledSequences
        As the network reads them. About a thousand of them are looked at.

    Yields
    ------
    hint : str
        What this means for a network, and lines of code that make sequences alike in size.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> from seqembed.sequences.scaling import learn_scaling
    >>> X = np.sin(np.arange(20)) * 2.0 ** np.arange(30)[:, np.newaxis]
    >>> for sequences in (check_sequences(X), check_sequences(X / np.abs(X).max(axis=1, keepdims=True))):
    ...     len(list(sizes_hints(ScaledSequences(sequences, learn_scaling(sequences, "standard")))))
    1
    0
    """
    stride = -(-len(scaled) // _SAMPLE_OF_SIZES)
    if len(scaled) < _FEWEST_SIZES:
        return
    sample = ScaledSequences(scaled.sequences.part(slice(None, None, stride)), scaled.scaling)
    with np.errstate(all="ignore"):
        squares = np.sort(sample.squares()[:, 0])[::-1]
        share = squares[: len(squares) // 10].sum() / squares.sum()
    if share > _LARGEST_SHARE_OF_A_TENTH:
        yield (
            "A tenth of the sequences has nine tenths of the variance: a network learns to reconstruct these, and "
            "hardly the others. If the sizes of sequences tell less than their shapes, divide each by its own size "
            "first, such as X / numpy.abs(X).max(axis=1, keepdims=True), or take logarithms, numpy.log1p(X)."
        )


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
    n_sampled = max(_LEAST_SAMPLE, min(_SAMPLE, _MOST_VALUES // (sequences.n_timesteps * sequences.n_features)))
    sample = _known(sequences.padded(slice(0, n_sampled)))
    # Values of 1e200 have no square.
    with np.errstate(all="ignore"):
        if len(sample) > 1:
            sample = sample - sample.mean(axis=0)
        across_features, across_timesteps = (np.square(np.ma.diff(sample, axis=axis)).mean() for axis in (2, 1))
        # The mean squared difference of any two values is twice their variance.
        unordered = 2 * sample.var(axis=1, ddof=1).mean()
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
