"""What a collection of sequences is: the checks that every input passes, lengths, batches of one shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.utils import check_array, gen_batches

# Values read at once where a pass over all the data is needed: enough for fast arithmetic, few megabytes.
_CHUNK = 2**19

_INFINITE = "Input X contains infinity in sequence {}. Mark missing values with NaN, and replace others by finite ones."


@dataclass(frozen=True)
class Sequences:
    """Checked sequences, of one length or of several.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_timesteps, n_features), or list of arrays of shape (n_timesteps, n_features)
        The user's own values, not copies, in the dtypes that they came in. Missing ones are NaN.
    lengths : int array of shape (n_samples,)
        Timesteps of each sequence.
    ndim : {2, 3}
        2 if the user left out the axis of a single feature, else 3.
    complete : bool
        Whether no value is missing.

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

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def n_features(self) -> int:
        """Values per timestep."""
        return self.values[0].shape[1]

    @property
    def n_timesteps(self) -> int:
        """Timesteps of the longest sequence."""
        return int(self.lengths.max())

    # Asked for every batch, and a pass over all lengths.
    @cached_property
    def one_length(self) -> bool:
        """Whether all sequences are equally long."""
        return bool((self.lengths == self.lengths[0]).all())

    @property
    def order(self) -> np.ndarray | None:
        """Rows sorted by length, so that batches need little padding; None where all are equally long."""
        return None if self.one_length else np.argsort(self.lengths, kind="stable")

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
            NaN after the end of a sequence; a view where nothing has to be moved.

        Examples
        --------
        >>> import numpy as np
        >>> check_sequences([np.float32([1, 2]), np.float32([3])]).padded(slice(0, 2))[:, :, 0]
        array([[ 1.,  2.],
               [ 3., nan]], dtype=float32)
        """
        if isinstance(self.values, np.ndarray):
            return self.values[rows]
        lengths = self.lengths[rows]
        chosen = [self.values[row] for row in row_numbers(rows, len(self))]
        dtype = np.result_type(np.float32, *{sequence.dtype for sequence in chosen})
        batch = np.full((len(chosen), n_timesteps or lengths.max(), self.n_features), np.nan, dtype)
        for filled, sequence in zip(batch, chosen, strict=True):
            filled[: len(sequence)] = sequence
        return batch

    def timesteps(self, rows: slice) -> np.ndarray:
        """Read some sequences as one table of shape (n_timesteps in all, n_features), without padding."""
        if isinstance(self.values, np.ndarray):
            return self.values[rows].reshape(-1, self.n_features)
        return np.concatenate(self.values[rows])

    def chunks(self) -> Iterator[slice]:
        """Cut the collection into slices for a pass over all of it."""
        return chunks(len(self), self.n_timesteps * self.n_features)

    def in_input_layout(self) -> np.ndarray | list[np.ndarray]:
        """Return the values as the user gave them: without the axis of a single feature, if that was left out."""
        return without_feature_axis(self.values) if self.ndim == 2 else self.values


def chunks(n_samples: int, values_per_sample: int) -> Iterator[slice]:
    """Cut a collection into slices of rows, each of about half a million values.

    Examples
    --------
    >>> [rows.stop for rows in chunks(5, values_per_sample=2**18)]
    [2, 4, 5]
    """
    return gen_batches(n_samples, max(1, _CHUNK // max(1, values_per_sample)))


def row_numbers(rows: slice | np.ndarray, n_samples: int) -> range | np.ndarray:
    """Spell out which rows a batch has, at a cost that grows with the batch alone.

    Examples
    --------
    >>> list(row_numbers(slice(1, 3), n_samples=10))
    [1, 2]
    """
    return range(n_samples)[rows] if isinstance(rows, slice) else rows


def with_feature_axis(values: np.ndarray) -> np.ndarray:
    """View sequences in two dimensions as (n_samples, n_timesteps, 1).

    Examples
    --------
    >>> import numpy as np
    >>> with_feature_axis(np.zeros((5, 3))).shape
    (5, 3, 1)
    """
    return values[:, :, np.newaxis] if values.ndim == 2 else values


def without_feature_axis(values: np.ndarray | list[np.ndarray]) -> np.ndarray | list[np.ndarray]:
    """View univariate sequences without their last axis.

    Examples
    --------
    >>> import numpy as np
    >>> without_feature_axis(np.zeros((5, 3, 1))).shape
    (5, 3)
    """
    if isinstance(values, np.ndarray):
        return values[..., 0]
    return [sequence[..., 0] for sequence in values]


def check_sequences(X, lengths=None, *, estimator: object = None) -> Sequences:
    """Check a collection of sequences, without copying arrays.

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

    Returns
    -------
    sequences : Sequences
        The same values.

    Raises
    ------
    ValueError
        For the wrong number of dimensions, nothing to learn from, sequences without a single value, values that are
        infinite, complex or text, sequences that differ in their features, and lengths that don't fit `X`.
    TypeError
        For sparse input and for objects that are no numbers.

    Examples
    --------
    >>> import numpy as np
    >>> check_sequences(np.zeros((2, 3, 4)), lengths=[3, 1]).lengths
    array([3, 1])
    """
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype == object:
        X = list(X)
    if isinstance(X, (list, tuple)):
        if lengths is not None:
            raise ValueError("Got lengths= beside a list of sequences, which have lengths of their own: leave it out.")
        arrays = [_as_array(position, sequence) for position, sequence in enumerate(X)]
        # What is no collection of sequences is left for check_array to refuse.
        if arrays and not any(array.ndim == 0 for array in arrays):
            return _check_list(arrays)
    X = check_array(
        X,
        dtype="numeric",
        allow_nd=True,
        ensure_2d=False,
        # Checked below, in chunks: scikit-learn would make an array of truth values as large as X.
        ensure_all_finite=False,
        estimator=estimator,
        input_name="X",
    )
    if X.ndim == 1:
        raise ValueError(
            f"Expected sequences of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), "
            f"got a 1D array of {X.shape[0]} values. Reshape your data: X.reshape(1, -1) if it is one sequence, or cut "
            f"it into windows."
        )
    if X.ndim > 3:
        raise ValueError(
            f"Expected sequences of shape (n_samples, n_timesteps, n_features), got an array of {X.ndim} dimensions, "
            f"shape {X.shape}. To flatten what each timestep holds: X.reshape(*X.shape[:2], -1)."
        )
    if 0 in X.shape:
        raise ValueError(
            f"Expected at least one timestep and one feature, got shape {X.shape} "
            f"(n_samples, n_timesteps{', n_features' if X.ndim == 3 else ''}). Leave empty sequences out."
        )
    values = with_feature_axis(X)
    if lengths is not None:
        ends = checked_lengths(lengths, len(X), X.shape[1])
        values = values[:, : ends[0]] if (ends == ends[0]).all() else [x[:n] for x, n in zip(values, ends, strict=True)]
    else:
        ends = np.full(len(X), X.shape[1])
    return Sequences(values, ends, X.ndim, _check_missing(values))


def _check_list(arrays: list[np.ndarray]) -> Sequences:
    first = arrays[0]
    for position, array in enumerate(arrays):
        if array.ndim > 2:
            raise ValueError(
                f"Sequence {position} has {array.ndim} dimensions, shape {array.shape}: expected (n_timesteps, "
                f"n_features). A list of batches becomes one array with np.concatenate(X)."
            )
        if array.ndim != first.ndim:
            raise ValueError(
                f"Sequence {position} has {array.ndim} dimensions and sequence 0 has {first.ndim}: expected all of "
                f"shape (n_timesteps, n_features), or all of shape (n_timesteps,)."
            )
        if array.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"Sequence {position} has {array.shape[-1]} features and sequence 0 has {first.shape[-1]}: expected "
                f"the same features in every sequence. Select them with sequence[:, columns]."
            )
        if 0 in array.shape:
            raise ValueError(
                f"Expected at least one timestep and one feature, got shape {array.shape} for sequence {position}. "
                f"Leave empty sequences out."
            )
        if np.isinf(array).any():
            raise ValueError(_INFINITE.format(position))
    values = [array[:, np.newaxis] if array.ndim == 1 else array for array in arrays]
    lengths = np.array([len(array) for array in arrays])
    return Sequences(values, lengths, first.ndim + 1, _check_missing(values))


def _as_array(position: int, sequence) -> np.ndarray:
    try:
        array = np.asarray(sequence)
        if array.ndim and array.dtype.kind == "O":
            array = array.astype(np.float64)
    except ValueError as error:
        raise ValueError(
            f"Sequence {position} is no array: expected numbers of shape (n_timesteps, n_features), got {error}."
        ) from error
    if array.ndim and array.dtype.kind not in "biuf":
        what = "Complex data not supported: sequence" if array.dtype.kind == "c" else "Sequence"
        raise ValueError(f"{what} {position} has dtype {array.dtype}, expected real numbers. Use .astype(float).")
    return array


def checked_lengths(lengths, n_samples: int, longest: int | None = None) -> np.ndarray:
    """Check that there is a positive number of timesteps for each sequence, at most `longest`.

    Examples
    --------
    >>> checked_lengths([3, 1], n_samples=2)
    array([3, 1])
    """
    ends = np.asarray(lengths)
    if ends.shape != (n_samples,) or ends.dtype.kind not in "iu":
        raise ValueError(
            f"Got lengths of shape {ends.shape} and dtype {ends.dtype} for {n_samples} sequences: expected an integer "
            f"for each."
        )
    if ends.min() < 1 or (longest is not None and ends.max() > longest):
        expected = "1 or more" if longest is None else f"1 to {longest}, the timesteps of X"
        raise ValueError(
            f"Got lengths from {ends.min()} to {ends.max()}, expected {expected}. Leave empty sequences out."
        )
    return ends.astype(np.int64)


def _check_missing(values: np.ndarray | list[np.ndarray]) -> bool:
    """Refuse infinite values, and sequences of which nothing is known; returns whether no value is missing."""
    if isinstance(values, np.ndarray):
        if values.dtype.kind != "f":
            return True
        complete = True
        for rows in chunks(len(values), values[0].size):
            finite = np.isfinite(values[rows])
            if not finite.all():
                infinite = np.flatnonzero(np.isinf(values[rows]).any(axis=(1, 2)))
                if len(infinite):
                    raise ValueError(_INFINITE.format(rows.start + infinite[0]))
                missing = ~finite
                complete = False
                _refuse_empty(rows.start + np.flatnonzero(missing.all(axis=(1, 2))))
        return complete
    shares = np.array([np.isnan(sequence).mean() for sequence in values])
    _refuse_empty(np.flatnonzero(shares == 1))
    return not shares.any()


def _refuse_empty(positions: np.ndarray) -> None:
    if len(positions):
        raise ValueError(
            f"Every value of sequence {positions[0]} is missing (NaN), so there is nothing to go by. Leave out the "
            f"{len(positions)} such sequences: {positions[:10].tolist()}."
        )


def looks_transposed(sequences: Sequences) -> bool:
    """Whether time seems to be on the last axis, where features belong.

    Neighbours in time are alike; if neighbours on the last axis are much more alike than those on the axis of
    timesteps, and there are more of them, the axes have probably been swapped.

    Examples
    --------
    >>> import numpy as np
    >>> waves = np.sin(np.arange(100) / 8 + np.arange(60).reshape(20, 3, 1) ** 2)
    >>> looks_transposed(check_sequences(waves)), looks_transposed(check_sequences(waves.transpose(0, 2, 1)))
    (True, False)
    """
    if sequences.n_timesteps < 2 or sequences.n_features <= sequences.n_timesteps:
        return False
    sample = sequences.padded(slice(0, 100)).astype(np.float64)
    across_features, across_timesteps = (
        np.nanmean(np.square(np.diff(sample, axis=axis))) if sample.shape[axis] > 1 else np.inf for axis in (2, 1)
    )
    return bool(across_features < across_timesteps / 4)
