"""Errors of sequences with missing values, on the scale of those of complete sequences.

The mean of few squared residuals varies more than that of many, and a network reconstructs worse what has holes. So a
threshold of complete sequences would flag too many sequences with missing values. Held-out normal sequences from which
values are removed tell how large errors are then. The share of similar ones that a sequence exceeds says how large its
error would be if nothing were missing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from seqembed.estimators.distances import Distances
from seqembed.estimators.heldout_residuals import HeldOutResiduals
from seqembed.estimators.rarity import same_rank
from seqembed.estimators.reconstruction import laid_out, reconstruction_residuals
from seqembed.estimators.residuals import ResidualWeights
from seqembed.sequences.collection import check_sequences, chunks

# Patterns of missing values that held-out sequences get, fewer if sequences are large or few, and how many of them
# count for a sequence: the most similar ones.
_MOST_PATTERNS, _FEWEST_PATTERNS, _MOST_VALUES, _N_SIMILAR = 12288, 64, 1 << 24, 200
_PATTERNS_PER_SEQUENCE = 32
# Numbers that describe a pattern.
N_DESCRIPTIONS = 9
# Kinds of errors that only complete sequences have: that of principal components.
_NEED_ALL_VALUES = slice(3, None)
# Complete held-out sequences that are enough for a distribution of their errors.
_LEAST_COMPLETE = 20
# Keeps slopes finite where similar patterns are all the same.
_PENALTY = 1e-3
# The patterns are the same for all users: no random state of theirs is drawn from.
_SEED = 0
_TINY = float(np.finfo(np.float64).tiny)


class MissingPatterns(NamedTuple):
    """What held-out normal sequences tell about missing values.

    A kind of error is the reconstruction error, or a distance, see `seqembed.estimators.distances`.

    Parameters
    ----------
    complete : float64 array of shape (n_complete, n_kinds)
        Errors of complete sequences, those of each kind in ascending order.
    value_errors : float64 array of shape (n_timesteps, n_features)
        Mean reconstruction error of each value of complete sequences.
    descriptions : float32 array of shape (n_patterns, N_DESCRIPTIONS)
        Patterns of missing values, see `_described`.
    excesses : float32 array of shape (n_patterns, n_kinds)
        Logarithms of the errors of a held-out sequence with that pattern, that of the reconstruction error less that of
        the mean of `value_errors` over the known values.
    """

    complete: np.ndarray
    value_errors: np.ndarray
    descriptions: np.ndarray
    excesses: np.ndarray

    def comparable(self, errors: np.ndarray, known: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Bring errors of sequences with missing values to the scale of complete sequences.

        Parameters
        ----------
        errors : float array of shape (n_samples, n_kinds)
            First the mean weighted squared residuals of the known values.
        known : bool array of shape (n_samples, n_timesteps, n_features)
            Which values are known; none after the end of a sequence.
        lengths : int array of shape (n_samples,)
            Timesteps of each sequence.

        Returns
        -------
        comparable : float array of shape (n_samples, n_kinds)
            Those of complete sequences are not changed. Others are NaN for principal components, which need all values.

        Examples
        --------
        >>> random, none = np.random.default_rng(0), np.zeros((400, N_DESCRIPTIONS), np.float32)
        >>> complete, of_one_value = np.sort(random.chisquare(10, (400, 1)), axis=0) / 10, random.chisquare(1, (400, 1))
        >>> patterns = MissingPatterns(complete, np.ones((10, 1)), none, np.log(of_one_value))
        >>> known = np.arange(10).reshape(1, 10, 1) < [[[10]], [[1]]]
        >>> patterns.comparable(np.array([[4.0], [4.0]]), known, np.array([10, 10])).round(1)
        array([[4.],
               [2.]])
        """
        comparable = np.array(errors, np.float64)
        counts = known.sum(axis=(1, 2))
        has_holes = (counts < lengths * known.shape[2]) & (counts > 0)
        samples = np.flatnonzero(has_holes)
        if not len(samples) or not len(self.descriptions):
            return comparable
        # Imported here, because only missing values need it: it would slow the start of a process.
        from scipy.spatial import cKDTree

        n_similar = min(_N_SIMILAR, len(self.descriptions))
        # Those of earlier versions lack the last number.
        descriptions = _described(known[samples], lengths[samples])[:, : self.descriptions.shape[1]]
        _, similar = cKDTree(self.descriptions).query(descriptions, n_similar)
        excesses = _logarithms(errors[samples])
        excesses[:, 0] -= _logarithms(self._expected(known[samples]))
        for sample, excess, description, patterns in zip(
            samples, excesses, descriptions, similar.reshape(-1, n_similar), strict=True
        ):
            by_kind = self._excesses_with(description, patterns)
            # What components leave over of interpolated values depends on each hole: too many outages were flagged.
            comparable[sample, _NEED_ALL_VALUES] = np.nan
            for kind in np.flatnonzero(np.isfinite(comparable[sample])):
                comparable[sample, kind] = same_rank(excess[kind], by_kind[:, kind], self.complete[:, kind])
        return comparable

    def _expected(self, known: np.ndarray) -> np.ndarray:
        """Compute the mean of the errors of the known values of complete sequences."""
        n_timesteps = known.shape[1]
        later = np.tile(self.value_errors.mean(axis=0), (max(0, n_timesteps - len(self.value_errors)), 1))
        value_errors = np.concatenate([self.value_errors, later])[:n_timesteps]
        # Not a product of matrices, whose bits would depend on the number of sequences.
        sums = np.where(known, value_errors, 0).reshape(len(known), -1).sum(axis=1)
        expected: np.ndarray = sums / np.maximum(known.sum(axis=(1, 2)), 1)
        return expected

    def _excesses_with(self, description: np.ndarray, similar: np.ndarray) -> np.ndarray:
        """Return, in ascending order, the excesses of similar patterns, moved by how they depend on the description."""
        excesses = self.excesses[similar].astype(np.float64)
        differences = self.descriptions[similar] - description
        centred = differences - differences.mean(axis=0)
        penalty = _PENALTY * len(similar) * np.eye(len(description))
        slopes = np.linalg.solve(centred.T @ centred + penalty, centred.T @ (excesses - excesses.mean(axis=0)))
        return np.sort(excesses - differences @ slopes, axis=0)


def learn_missing_patterns(
    fits: HeldOutResiduals, errors: np.ndarray, weights: ResidualWeights, distances: Distances
) -> MissingPatterns:
    """Learn from held-out sequences what missing values change.

    Parameters
    ----------
    fits : HeldOutResiduals
        Networks that were fitted on the normal sequences, and their residuals as `ResidualWeights.compared` returns
        them.
    errors : float array of shape (n_rows, n_kinds)
        Held-out errors of the normal sequences.
    weights : ResidualWeights
        Weights of the residuals.
    distances : callable
        Takes sequences and the block that they come from. Returns their errors of further kinds, a float array of shape
        (n_samples, n_kinds - 1).

    Returns
    -------
    patterns : MissingPatterns
        Of 32 patterns for each sequence, at most 12,288, fewer if sequences are large, but at least 64.

    Examples
    --------
    >>> from seqembed import LSTMReconstructor
    >>> from seqembed.estimators.cross_fitting import cross_fit
    >>> from seqembed.estimators.distances import no_distances
    >>> from seqembed.estimators.residuals import learn_weights
    >>> X = np.random.default_rng(0).normal(size=(9, 4, 2))
    >>> sequences = check_sequences(X)
    >>> network = LSTMReconstructor(2, hidden_units=(), epochs=1)
    >>> fits = cross_fit(network, sequences, np.arange(9), n_blocks=3)
    >>> weights = learn_weights(fits.residuals, X, sequences.lengths, "robust")
    >>> errors = weights.contributions(fits.residuals, sequences.lengths).sum(axis=(1, 2))[:, np.newaxis]
    >>> patterns = learn_missing_patterns(fits, errors, weights, no_distances)
    >>> patterns.value_errors.shape, patterns.excesses.shape
    ((4, 2), (288, 1))
    """
    sequences, rows, means, estimators, blocks, residuals = fits
    _, n_timesteps, n_features = residuals.shape
    random, lengths = check_random_state(_SEED), sequences.lengths[rows]
    contributions, known = weights.contributions(residuals, lengths), ~np.isnan(residuals)
    counts = known.sum(axis=(1, 2))
    sums = (contributions * counts[:, np.newaxis, np.newaxis]).sum(axis=0)
    is_complete = counts == lengths * n_features
    complete = errors[is_complete] if is_complete.sum() >= _LEAST_COMPLETE else errors
    n_kinds = errors.shape[1]
    patterns = MissingPatterns(
        np.sort(complete, axis=0),
        _mean_errors(sums, known.sum(axis=0)),
        np.empty((0, N_DESCRIPTIONS), np.float32),
        np.empty((0, n_kinds), np.float32),
    )
    most = min(_MOST_PATTERNS, _PATTERNS_PER_SEQUENCE * len(rows))
    n_patterns = max(_FEWEST_PATTERNS, min(_MOST_VALUES // (n_timesteps * n_features), most))
    drawn = np.linspace(0, len(rows) - 1, n_patterns).round().astype(int)
    descriptions, excesses = [], []
    for estimator, block in zip(estimators, blocks, strict=True):
        of_block = drawn[np.isin(drawn, block)]
        for some in chunks(len(of_block), n_timesteps * n_features):
            hidden = [_with_holes(sequences.values[row], random) for row in rows[of_block[some]]]
            part = check_sequences(laid_out(hidden, sequences, n_timesteps), estimator=estimator)
            every = np.arange(len(part))
            with_holes = reconstruction_residuals(estimator, part, every, weights.n_timesteps, means)
            if weights.constants is not None:
                with_holes = weights.compared(with_holes, part.padded(every, part.n_timesteps))
            reconstruction_errors = weights.contributions(with_holes, part.lengths).sum(axis=(1, 2))
            excess = _logarithms(np.column_stack([reconstruction_errors, distances(part, block)]))
            known = ~np.isnan(with_holes)
            excess[:, 0] -= _logarithms(patterns._expected(known))
            excesses.append(excess)
            descriptions.append(_described(known, part.lengths))
    return patterns._replace(
        descriptions=np.concatenate(descriptions),
        excesses=np.concatenate(excesses).astype(np.float32),
    )


def _mean_errors(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Divide sums of errors by their counts, both of shape (n_timesteps, n_features).

    Values that are never known get the mean of their feature.
    """
    of_features = sums.sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
    means: np.ndarray = np.where(counts > 0, sums / np.maximum(counts, 1), of_features)
    return means


def _with_holes(values: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """Remove values of a sequence, but not all of them."""
    known = ~np.isnan(values)
    mask = known & _drawn_pattern(len(values), values.shape[1], random)
    if not mask.any():
        mask = known
    return np.where(mask, values, np.nan).astype(np.result_type(values.dtype, np.float32), copy=False)


def _logarithms(errors: np.ndarray) -> np.ndarray:
    logarithms: np.ndarray = np.log(np.clip(np.nan_to_num(errors, nan=1.0), 1e-30, 1e30))
    return logarithms


def _drawn_pattern(n_timesteps: int, n_features: int, random: np.random.RandomState) -> np.ndarray:
    """Draw which values are known: some at random, or all but whole features, or all but a stretch of timesteps.

    The stretch is one of all features, or, as when a sensor fails for a while, of some. Small parts are missing more
    often than large ones, as in practice. Of values at random, few may be known.
    """
    known = np.ones((n_timesteps, n_features), bool)
    kind, share = random.randint(6), random.uniform()
    if kind <= 1:
        n_known = known.size**share if kind == 0 else known.size * (1 - share)
        places = random.permutation(known.size)
        known.ravel()[places[max(1, round(n_known)) :]] = False
        return known
    if kind == 2 and n_features > 1:
        known[:, random.choice(n_features, random.randint(1, n_features), replace=False)] = False
        return known
    n_missing = min(n_timesteps - 1, 1 + int(share**2 * n_timesteps))
    start = {3: 0, 4: n_timesteps - n_missing}.get(kind, random.randint(n_timesteps - n_missing + 1))
    features = np.arange(n_features)
    if n_features > 1 and random.randint(3) == 0:
        features = random.choice(n_features, random.randint(1, n_features), replace=False)
    known[start : start + n_missing, features] = False
    return known


def _described(known: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Describe patterns by numbers from 0 to 1: (n_samples, N_DESCRIPTIONS).

    They are the shares of missing values; of timesteps without any value, in all, in the longest stretch, at the start
    and at the end; of features without any value; the number of known values, on a logarithmic scale; where among the
    features values are missing, on average; and the share of the longest stretch of a feature, on average.
    """
    _, n_timesteps, n_features = known.shape
    counts = known.sum(axis=(1, 2))
    there = np.asarray(known.any(axis=2))
    last = n_timesteps - 1 - there[:, ::-1].argmax(axis=1)
    longest = _longest_gaps(there[:, :, np.newaxis], lengths)[:, 0]
    shares = np.stack([lengths - there.sum(axis=1), longest, there.argmax(axis=1), lengths - 1 - last], axis=1)
    by_feature = 1 - known.sum(axis=1) / lengths[:, np.newaxis]
    middle = (by_feature * np.linspace(0, 1, n_features)).sum(axis=1) / np.maximum(by_feature.sum(axis=1), _TINY)
    sizes = lengths * n_features
    described = np.column_stack(
        [
            1 - counts / sizes,
            shares / lengths[:, np.newaxis],
            (by_feature == 1).mean(axis=1),
            1 - np.log1p(counts) / np.log1p(sizes),
            middle,
            _longest_gaps(known, lengths).mean(axis=1) / lengths,
        ]
    )
    described[counts == 0] = 1
    # As patterns are kept: equal ones have the same distance to the bit.
    rounded: np.ndarray = described.astype(np.float32)
    return rounded


def _longest_gaps(known: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Count the timesteps of the longest stretch without a value: int array of shape (n_samples, n_features)."""
    timesteps = np.arange(known.shape[1])[:, np.newaxis]
    latest = np.maximum.accumulate(np.where(known, timesteps, -1), axis=1)
    gaps: np.ndarray = np.where(timesteps < lengths[:, np.newaxis, np.newaxis], timesteps - latest, 0).max(axis=1)
    return gaps
