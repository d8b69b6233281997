"""Collections of sequences: how any input is checked, whatever its container."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array

from seqembed.sequences.axes import with_feature_axis
from seqembed.sequences.containers import (
    SequencesLike,
    as_numbers,
    check_same_columns,
    column_names,
    is_frame,
    listed,
)
from seqembed.sequences.lengths import checked_lengths
from seqembed.sequences.rows import row_numbers, rows_by_length, slices_of_rows
from seqembed.sequences.times import holds_dates
from seqembed.sequences.wording import counted

# Values read at once in a pass over all the data: enough for fast arithmetic, and only a few megabytes.
_CHUNK = 2**19

_INFINITE = (
    "Input X contains infinity in sequence {}, expected finite values. Mark missing values with NaN, and replace "
    "others by finite ones."
)


@dataclass(frozen=True, eq=False)
class Sequences:
    """Checked sequences, of one length or of several.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_timesteps, n_features), or list of arrays of shape (n_timesteps, n_features)
        The user's own arrays, not copies, in their own dtypes. Missing values are NaN.
    lengths : int array of shape (n_samples,)
        Timesteps of each sequence.
    ndim : {2, 3}
        2 if the user left out the axis of a single feature, else 3.
    complete : bool
        Whether no value is missing. False before the values were looked at.
    names : tuple of str, or None, default=None
        Names of the columns of data frames: of the timesteps of a table, and otherwise of the features.
    padded_length : int or None, default=None
        Timesteps of the padded array that held the sequences, if the user gave their lengths.
    rows_are_dates : bool, default=False
        Whether the rows of a data frame are dates.
    n_column_groups : int, default=1
        Names in the first level of the columns of a data frame, 1 for columns without levels.
    n_row_groups : int, default=1
        Groups of rows that have all levels of the index of a data frame in common but the last, 1 without levels.

    Examples
    --------
    >>> import numpy as np
    >>> sequences = check_sequences([np.zeros((3, 2)), np.ones((1, 2))])
    >>> len(sequences), sequences.n_timesteps, sequences.n_features, sequences.one_length
    (2, 3, 2, False)
    """

    values: np.ndarray | list[np.ndarray]
    lengths: np.ndarray
    ndim: int
    complete: bool
    names: tuple[str, ...] | None = None
    padded_length: int | None = None
    rows_are_dates: bool = False
    n_column_groups: int = 1
    n_row_groups: int = 1

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def n_features(self) -> int:
        """Values per timestep; 0 of no sequence in a list."""
        if isinstance(self.values, np.ndarray):
            return int(self.values.shape[2])
        return int(self.values[0].shape[1]) if self.values else 0

    @property
    def dtype(self) -> np.dtype:
        """Dtype that holds the values of all sequences, at least float32."""
        arrays = [self.values] if isinstance(self.values, np.ndarray) else self.values
        return np.result_type(np.float32, *{each.dtype for each in arrays})

    @property
    def n_timesteps(self) -> int:
        """Timesteps of the longest sequence."""
        return int(self.lengths.max())

    # Cached, since it reads all lengths.
    @cached_property
    def one_length(self) -> bool:
        """Whether all sequences are equally long."""
        return bool((self.lengths == self.lengths[0]).all())

    @property
    def is_array(self) -> bool:
        """Whether they are an array without lengths: a list, or lengths, says that sequences may differ in length."""
        return isinstance(self.values, np.ndarray) and self.padded_length is None

    @property
    def is_table(self) -> bool:
        """Whether scikit-learn calls the input a table, whose columns it counts and names."""
        return self.ndim == 2 and self.one_length

    @property
    def order(self) -> np.ndarray | None:
        """Rows sorted by length, so that batches need little padding; None for one length."""
        return None if self.one_length else rows_by_length(self.lengths)

    def padded(self, rows: slice | np.ndarray, n_timesteps: int | None = None) -> np.ndarray:
        """Read some sequences as one array.

        Parameters
        ----------
        rows : slice or int array
            Which sequences.
        n_timesteps : int, default=None
            Timesteps of the array, by default those of the longest of these sequences.

        Returns
        -------
        batch : ndarray of shape (n_rows, n_timesteps, n_features)
            NaN after the end of a sequence. A view if `rows` is a slice of an array that needs no padding.

        Examples
        --------
        >>> import numpy as np
        >>> check_sequences([np.float32([1, 2]), np.float32([3])]).padded(slice(0, 2), n_timesteps=3)[:, :, 0]
        array([[ 1.,  2., nan],
               [ 3., nan, nan]], dtype=float32)
        """
        n_timesteps = self.lengths[rows].max() if n_timesteps is None else n_timesteps
        chosen: np.ndarray | list[np.ndarray]
        if isinstance(self.values, np.ndarray):
            chosen = self.values[rows]
            if chosen.shape[1] == n_timesteps:
                return chosen
        else:
            chosen = [self.values[row] for row in row_numbers(rows, len(self))]
        dtype = np.result_type(np.float32, *{sequence.dtype for sequence in chosen})
        batch = np.full((len(chosen), n_timesteps, self.n_features), np.nan, dtype)
        for filled, sequence in zip(batch, chosen, strict=True):
            filled[: len(sequence)] = sequence
        return batch

    def part(self, rows: slice) -> Sequences:
        """Return some of the sequences as a collection of their own, without copying them."""
        return replace(self, values=self.values[rows], lengths=self.lengths[rows])

    def chosen(self, rows: np.ndarray) -> Sequences:
        """Return the sequences of some rows as a collection of their own: views, in a list."""
        return replace(self, values=[self.values[row] for row in rows], lengths=self.lengths[rows])

    def timesteps(self, rows: slice) -> np.ndarray:
        """Read some sequences as one table of shape (n_timesteps in all, n_features), without padding."""
        if isinstance(self.values, np.ndarray):
            return self.values[rows].reshape(-1, self.n_features)
        return np.concatenate(self.values[rows])

    def chunks(self) -> Iterator[slice]:
        """Cut the collection into slices for a pass over all of it."""
        return chunks(len(self), self.n_timesteps * self.n_features)


def chunks(n_samples: int, values_per_sample: int) -> Iterator[slice]:
    """Cut a collection into slices of rows, each of about half a million values.

    Examples
    --------
    >>> [rows.stop for rows in chunks(5, values_per_sample=2**18)]
    [2, 4, 5]
    """
    return slices_of_rows(n_samples, max(1, _CHUNK // max(1, values_per_sample)))


def read_sequences(
    X: SequencesLike, lengths: npt.ArrayLike | None = None, *, estimator: object = None, least: int = 0, first: int = 0
) -> Sequences:
    """Read a collection of sequences from any container, without copying arrays.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
        See `check_sequences`.
    lengths : array-like of int of shape (n_samples,), default=None
        Timesteps of each sequence of a padded array.
    estimator : object, default=None
        The estimator that asks, named in errors.
    least : int, default=0
        Smallest number of sequences, and of columns of a table.
    first : int, default=0
        See `check_sequences`.

    Returns
    -------
    sequences : Sequences
        Any number of them, of any lengths: values that are infinite, and sequences without a timestep, are not refused.

    Raises
    ------
    ValueError, TypeError
        For what is no collection of real numbers with the same features, see `check_sequences`.

    Examples
    --------
    >>> import pandas as pd
    >>> read_sequences([pd.DataFrame({"flow": [1.0, 2.0], "heat": [3.0, float("inf")]})]).names
    ('flow', 'heat')
    """
    given = listed(X)
    names = column_names(given)
    if isinstance(given, list):
        if lengths is not None:
            raise ValueError(
                "Got lengths= with a list of sequences, expected a padded array. Leave it out: each array of a list "
                "has its own length."
            )
        check_same_columns(given)
        arrays = [as_numbers(sequence, f"sequence {number}") for number, sequence in enumerate(given, first)]
        # check_array refuses a list of numbers or of objects.
        numbers = [position for position, array in enumerate(arrays) if array.ndim == 0]
        if 0 < len(numbers) < len(arrays):
            raise ValueError(
                f"Got sequence {first + numbers[0]} as {given[numbers[0]]!r}, expected an array of numbers. Leave out "
                f"what is no array, {len(numbers)} in all: [x for x in X if numpy.ndim(x)]."
            )
        if not numbers and len(arrays) >= least:
            return _from_list(arrays, names, first)
    index: Any = getattr(given, "index", None)
    rows_are_dates = is_frame(given) and holds_dates(index)
    n_row_groups = index.droplevel(-1).nunique() if getattr(index, "nlevels", 1) > 1 else 1
    columns: Any = getattr(given, "columns", None)
    n_column_groups = len(columns.unique(0)) if getattr(columns, "nlevels", 1) > 1 else 1
    is_plain = isinstance(given, np.ndarray) and not isinstance(given, np.ma.MaskedArray) and given.dtype.kind in "biuf"
    # The conversion of scikit-learn, for other containers, would lose masks.
    if hasattr(given, "__array__") and not is_plain:
        given = as_numbers(given, "X")
    # Before scikit-learn counts the sequences of a number, which has none.
    if not isinstance(given, list) and np.ndim(given) == 0:
        is_iterator = hasattr(X, "__next__")
        remedy = " Pass its batches one at a time, or list(X) if it gives single sequences." if is_iterator else ""
        raise TypeError(
            f"Got X= of type {type(X).__name__}, expected sequences: an array of shape (n_samples, n_timesteps, "
            f"n_features) or a list of arrays.{remedy}"
        )
    # Numbers in a plain array pass scikit-learn's checks, which take a tenth of the time of embedding a sequence.
    if not (is_plain and min(given.shape) >= least):
        given = check_array(
            given,
            dtype="numeric",
            allow_nd=True,
            ensure_2d=False,
            ensure_min_samples=least,
            ensure_min_features=least,
            # `check_sequences` looks at values in chunks: scikit-learn would make an array of truth values as large
            # as X.
            ensure_all_finite=False,
            estimator=estimator,
            input_name="X",
        )
    array: np.ndarray = np.asarray(given)
    if array.ndim == 1:
        raise ValueError(
            f"Expected sequences of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), "
            f"got a 1D array of {counted(array.shape[0], 'value')}. Reshape your data: np.reshape(X, (1, -1)) if it is "
            f"one sequence, or cut it into windows."
        )
    if array.ndim > 3:
        raise ValueError(
            f"Expected sequences of shape (n_samples, n_timesteps, n_features), got an array of {array.ndim} "
            f"dimensions, shape {array.shape}. To flatten what each timestep holds: X.reshape(*X.shape[:2], -1)."
        )
    values = with_feature_axis(array)
    if lengths is None:
        ends = np.full(len(array), array.shape[1])
        return Sequences(
            values,
            ends,
            array.ndim,
            complete=False,
            names=names,
            rows_are_dates=rows_are_dates,
            n_column_groups=n_column_groups,
            n_row_groups=n_row_groups,
        )
    # The columns of a padded table are no timesteps of every sequence.
    names = names if array.ndim == 3 else None
    ends = checked_lengths(lengths, len(array), array.shape[1])
    are_equal = bool((ends == ends[0]).all())
    cut = values[:, : ends[0]] if are_equal else [x[:n] for x, n in zip(values, ends, strict=True)]
    return Sequences(cut, ends, array.ndim, complete=False, names=names, padded_length=array.shape[1])


def _from_list(arrays: list[np.ndarray], names: tuple[str, ...] | None, number: int) -> Sequences:
    first = arrays[0] if arrays else np.empty((0, 1))
    for position, array in enumerate(arrays, number):
        if array.ndim > 2:
            raise ValueError(
                f"Sequence {position} has {array.ndim} dimensions, shape {array.shape}: expected (n_timesteps, "
                f"n_features). A list of batches becomes one array with np.concatenate(X)."
            )
        if array.ndim != first.ndim:
            # An empty list has one dimension, whatever the others have.
            for number_of, each in ((number, first), (position, array)):
                if not len(each):
                    raise _error_for_empty(each.shape, number_of)
            raise ValueError(
                f"Sequence {position} has {counted(array.ndim, 'dimension')} and sequence {number} has {first.ndim}: "
                f"expected all of shape (n_timesteps, n_features), or all of shape (n_timesteps,)."
            )
        if array.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"Sequence {position} has {counted(array.shape[-1], 'feature')} and sequence {number} has "
                f"{first.shape[-1]}: expected the same features in every sequence. Select them with "
                f"sequence[:, columns]."
            )
    values = [array[:, np.newaxis] if array.ndim == 1 else array for array in arrays]
    lengths = np.array([len(array) for array in arrays], np.int64)
    return Sequences(values, lengths, first.ndim + 1, complete=False, names=names)


def check_sequences(
    X: SequencesLike,
    lengths: npt.ArrayLike | None = None,
    *,
    estimator: object = None,
    may_be_missing: bool = False,
    first: int = 0,
) -> Sequences:
    """Check a collection of sequences that a network can read, without copying arrays.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
        Sequences of numbers: an array of three dimensions, an array or data frame of two (one feature), or a list
        of arrays of shape (n_timesteps, n_features) or (n_timesteps,), of any lengths. Any real dtype; NaN marks a
        missing value.
    lengths : array-like of int of shape (n_samples,), default=None
        Timesteps of each sequence of a padded array; what comes after them is not looked at.
    estimator : object, default=None
        The estimator that asks, named in errors.
    may_be_missing : bool, default=False
        Whether all values of a sequence may be missing.
    first : int, default=0
        Number of the first sequence in errors, for a batch of a larger collection.

    Returns
    -------
    sequences : Sequences
        The same values.

    Raises
    ------
    ValueError
        For the wrong number of dimensions, an empty collection, sequences without any value, values that are infinite,
        complex or text, sequences that differ in their features, and lengths that don't fit `X`.
    TypeError
        For sparse input, for objects that are not numbers, and for columns of which only some have names.

    Examples
    --------
    >>> import numpy as np
    >>> check_sequences(np.zeros((2, 3, 4)), lengths=[3, 1]).lengths
    array([3, 1])
    """
    sequences = read_sequences(X, lengths, estimator=estimator, least=1, first=first)
    _check_sizes(sequences, first)
    complete, missing = _missing_values(sequences.values, first)
    if missing and not may_be_missing:
        raise ValueError(
            f"Every value of sequence {missing[0]} is missing (NaN), expected at least one. Leave such sequences "
            f"out, {len(missing)} in all: {missing[:10]}."
        )
    return replace(sequences, complete=complete)


def _check_sizes(sequences: Sequences, first: int) -> None:
    """Refuse sequences without a timestep or a feature."""
    if isinstance(sequences.values, np.ndarray):
        # Of a table, scikit-learn has asked for a column.
        if 0 in sequences.values.shape:
            raise ValueError(
                f"Expected at least one timestep and one feature, got shape {sequences.values.shape} (n_samples, "
                f"n_timesteps, n_features). Leave empty sequences out."
            )
        return
    for position, sequence in enumerate(sequences.values, first):
        if 0 in sequence.shape:
            raise _error_for_empty(sequence.shape[: sequences.ndim - 1], position)


def _error_for_empty(shape: tuple[int, ...], position: int) -> ValueError:
    return ValueError(
        f"Expected at least one timestep and one feature, got shape {shape} for sequence {position}. Leave empty "
        f"sequences out."
    )


def _missing_values(values: np.ndarray | list[np.ndarray], first: int) -> tuple[bool, list[int]]:
    """Refuse infinite values; return whether no value is missing, and the numbers of sequences without any value."""
    complete, empty = True, []
    if isinstance(values, np.ndarray):
        if values.dtype.kind != "f":
            return True, []
        for rows in chunks(len(values), values[0].size):
            finite = np.isfinite(values[rows])
            if not finite.all():
                infinite = np.flatnonzero(np.isinf(values[rows]).any(axis=(1, 2)))
                if len(infinite):
                    raise ValueError(_INFINITE.format(first + rows.start + infinite[0]))
                complete = False
                empty += (first + rows.start + np.flatnonzero(~finite.any(axis=(1, 2)))).tolist()
        return complete, empty
    incomplete = [position for position, sequence in enumerate(values) if not np.isfinite(sequence).all()]
    for position in incomplete:
        if np.isinf(values[position]).any():
            raise ValueError(_INFINITE.format(first + position))
    return not incomplete, [first + position for position in incomplete if np.isnan(values[position]).all()]
