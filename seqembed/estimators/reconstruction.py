"""Residuals of a fitted estimator, also of sequences with missing values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqembed.estimators.residuals import padded_residuals
from seqembed.sequences.axes import without_feature_axis
from seqembed.sequences.collection import Sequences, chunks
from seqembed.sequences.wording import counted

# Missing values are replaced by their reconstructions so many times. Two times bring the errors of the known values
# near those of complete sequences, more times hardly nearer.
_N_REFINEMENTS = 2


def reconstruction_residuals(
    estimator: Any, sequences: Sequences, rows: np.ndarray, n_timesteps: int, means: np.ndarray | None = None
) -> np.ndarray:
    """Reconstruct some sequences, and subtract them from their reconstructions.

    A network reads missing values as something, and reconstructs the known values around them worse. So missing values
    are first interpolated in time, and then replaced by their reconstructions, twice. A feature without any value is
    left to the estimator at first if it takes missing values, as its tags of scikit-learn say, and else is its mean.

    Parameters
    ----------
    estimator : estimator
        A fitted one, with the method `reconstruct`.
    sequences : Sequences
        Checked sequences.
    rows : int array of shape (n_rows,)
        Which sequences.
    n_timesteps : int
        Timesteps of the longest sequence that the estimator was fitted on.
    means : float array of shape (n_features,), default=None
        Means of the features in normal sequences. None leaves features without any value to every estimator.

    Returns
    -------
    residuals : float64 array of shape (n_rows, longest of `sequences`, n_features)
        See `padded_residuals`.

    Raises
    ------
    TypeError
        If `reconstruct` returns no sequences.
    ValueError
        If it returns another number of them, or sequences of another shape.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed import LSTMReconstructor
    >>> from seqembed.sequences.collection import check_sequences
    >>> X = np.random.default_rng(0).normal(size=(9, 4, 2))
    >>> network = LSTMReconstructor(2, hidden_units=(), epochs=1).fit(X)
    >>> reconstruction_residuals(network, check_sequences(X), np.arange(5), n_timesteps=4).shape
    (5, 4, 2)
    """
    values = [sequences.values[row] for row in rows]
    missing = [] if sequences.complete else [place for place, each in enumerate(values) if np.isnan(each).any()]
    if not missing:
        reconstructions = _reconstructed(estimator, chosen_sequences(sequences, rows, n_timesteps), values)
        return padded_residuals(values, reconstructions, sequences.n_timesteps)
    filled = interpolated(values)
    if means is not None and not _takes_missing(estimator):
        filled = [np.where(np.isnan(each), means, each).astype(each.dtype, copy=False) for each in filled]
    reconstructions = list(_reconstructed(estimator, laid_out(filled, sequences, n_timesteps), values))
    for _ in range(_N_REFINEMENTS):
        refined = []
        for place in missing:
            reconstruction = np.asarray(reconstructions[place]).reshape(values[place].shape)
            # A network that overflowed is no source of values.
            is_better = np.isnan(values[place]) & np.isfinite(reconstruction)
            refined.append(np.where(is_better, reconstruction, filled[place]))
        given = [values[place] for place in missing]
        refinements = _reconstructed(estimator, laid_out(refined, sequences, n_timesteps), given)
        for place, reconstruction in zip(missing, refinements, strict=True):
            reconstructions[place] = reconstruction
    return padded_residuals(values, reconstructions, sequences.n_timesteps)


def _reconstructed(estimator: Any, given: np.ndarray | list[np.ndarray], values: list[np.ndarray]) -> Any:
    """Reconstruct sequences, and check that the reconstructions have the shapes of their values."""
    reconstructions, call = estimator.reconstruct(given), f"{type(estimator).__name__}.reconstruct"
    if isinstance(given, np.ndarray) and getattr(reconstructions, "shape", None) == given.shape:
        return reconstructions
    if not hasattr(reconstructions, "__len__"):
        raise TypeError(
            f"Got {type(reconstructions).__name__} from {call}, expected an array of the shape of its X. Return the "
            f"reconstructions: return reconstructed."
        )
    if len(reconstructions) != len(values):
        raise ValueError(
            f"Got {counted(len(reconstructions), 'sequence')} from {call} for {counted(len(values), 'sequence')}, "
            f"expected a reconstruction of each. Return as many as X has: return reconstructed.reshape(X.shape)."
        )
    for reconstruction, each, value in zip(reconstructions, given, values, strict=True):
        # The axis of a single feature may be left out.
        if np.size(reconstruction) != value.size or np.shape(reconstruction)[:1] != value.shape[:1]:
            raise ValueError(
                f"Got a sequence of shape {np.shape(reconstruction)} from {call} for one of shape {each.shape}, "
                f"expected the same shape. Return the shape of X: return reconstructed.reshape(X.shape)."
            )
    return reconstructions


def _takes_missing(estimator: Any) -> bool:
    tags = getattr(estimator, "__sklearn_tags__", None)
    return tags is not None and bool(tags().input_tags.allow_nan)


def feature_means(sequences: Sequences, rows: np.ndarray) -> np.ndarray:
    """Compute the means of the features of some sequences; 0 for a feature without any value.

    Parameters
    ----------
    sequences : Sequences
        Checked sequences.
    rows : int array of shape (n_rows,)
        Which sequences.

    Returns
    -------
    means : float64 array of shape (n_features,)
        Missing values are left out.

    Examples
    --------
    >>> from seqembed.sequences.collection import check_sequences
    >>> feature_means(check_sequences([[1.0, 2.0], [np.nan, 9.0]]), np.arange(2))
    array([4.])
    """
    sums, counts = np.zeros((2, sequences.n_features))
    for part in chunks(len(rows), sequences.n_timesteps * sequences.n_features):
        values = sequences.padded(rows[part])
        known = ~np.isnan(values)
        sums += values.sum(axis=(0, 1), dtype=np.float64, where=known)
        counts += known.sum(axis=(0, 1))
    means: np.ndarray = sums / np.maximum(counts, 1)
    return means


def interpolated(sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Interpolate the missing values of each feature in time. At the ends, they are the nearest known value.

    Parameters
    ----------
    sequences : list of arrays of shape (n_timesteps, n_features)
        NaN marks a missing value.

    Returns
    -------
    filled : list of arrays of shape (n_timesteps, n_features)
        NaN where a feature has no value at all. The sequence itself, if none of its values is missing.

    Examples
    --------
    >>> interpolated([np.array([[1.0], [np.nan], [3.0], [np.nan]])])[0].ravel()
    array([1., 2., 3., 3.])
    """
    filled = list(sequences)
    has_holes: dict[tuple[int, ...], list[int]] = {}
    for place, sequence in enumerate(sequences):
        if np.isnan(sequence).any():
            has_holes.setdefault(sequence.shape, []).append(place)
    # Those of one shape together: a call of NumPy for each of them would take longer than the numbers.
    for places in has_holes.values():
        for place, each in zip(places, _interpolated(np.stack([sequences[place] for place in places])), strict=True):
            filled[place] = each
    return filled


def _interpolated(values: np.ndarray) -> np.ndarray:
    """Interpolate an array of shape (n_samples, n_timesteps, n_features), with the arithmetic of np.interp."""
    known, n_timesteps = ~np.isnan(values), values.shape[1]
    timesteps = np.arange(n_timesteps)[:, np.newaxis]
    before = np.maximum.accumulate(np.where(known, timesteps, -1), axis=1)
    after = np.minimum.accumulate(np.where(known, timesteps, n_timesteps)[:, ::-1], axis=1)[:, ::-1]
    before, after = np.where(before < 0, after, before), np.where(after == n_timesteps, before, after)
    # A feature without any value has no neighbours: it stays as it is.
    neighbours = np.clip(before, 0, n_timesteps - 1), np.clip(after, 0, n_timesteps - 1)
    first, last = (np.take_along_axis(values, each, axis=1).astype(np.float64) for each in neighbours)
    slopes = (last - first) / np.maximum(after - before, 1)
    filled: np.ndarray = np.where(known, values, slopes * (timesteps - before) + first).astype(values.dtype)
    return filled


def chosen_sequences(sequences: Sequences, rows: np.ndarray, n_timesteps: int) -> np.ndarray | list[np.ndarray]:
    """Select sequences as the user gave them: an array if all have the length of the training data, else a list.

    Examples
    --------
    >>> from seqembed.sequences.collection import check_sequences
    >>> chosen_sequences(check_sequences(np.zeros((9, 4))), np.arange(2), n_timesteps=4).shape
    (2, 4)
    """
    if _is_stacked(sequences, n_timesteps):
        values = sequences.padded(rows)
        return without_feature_axis(values) if sequences.ndim == 2 else values
    return laid_out([sequences.values[row] for row in rows], sequences, n_timesteps)


def laid_out(values: list[np.ndarray], sequences: Sequences, n_timesteps: int) -> np.ndarray | list[np.ndarray]:
    """Lay out other values of some sequences as `chosen_sequences` lays out their own.

    Examples
    --------
    >>> from seqembed.sequences.collection import check_sequences
    >>> laid_out([np.zeros((4, 1))], check_sequences(np.zeros((9, 4))), n_timesteps=4).shape
    (1, 4)
    """
    stacked = np.stack(values) if _is_stacked(sequences, n_timesteps) else values
    return without_feature_axis(stacked) if sequences.ndim == 2 else stacked


def _is_stacked(sequences: Sequences, n_timesteps: int) -> bool:
    is_array = isinstance(sequences.values, np.ndarray)
    return sequences.one_length and (is_array or sequences.n_timesteps == n_timesteps)
