"""Scores of sequences, from all that a detector has learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqembed.estimators.distances import GROUPS, NormalDescriptions
from seqembed.estimators.missing_patterns import MissingPatterns
from seqembed.estimators.rarity import ERRORS, comparable_rarity, log_rarities, weighted_logarithms
from seqembed.estimators.reconstruction import reconstruction_residuals
from seqembed.estimators.residuals import ResidualWeights, joint_contributions
from seqembed.sequences.collection import Sequences, chunks

# A description has hundreds of numbers, also of a short sequence.
_LEAST_VALUES = 1024
# In place of infinity, so that sums are finite.
_LARGEST = 1e250
# Kinds of errors, in their order.
KINDS = ("reconstruction", *GROUPS)


def scored_at_once(n_samples: int, n_values: int) -> Iterator[slice]:
    """Cut sequences of so many values into slices that are scored at once.

    Examples
    --------
    >>> [rows.stop for rows in scored_at_once(1000, n_values=2)]
    [512, 1000]
    """
    return chunks(n_samples, max(n_values, _LEAST_VALUES))


class Scored(NamedTuple):
    """Scores of some sequences.

    Parameters
    ----------
    contributions : float array of shape (n_rows, n_timesteps, n_features)
        The share of each value in the score of its sequence, which is minus their sum. 0 for missing values, and after
        the end of a sequence.
    rarities : float array of shape (n_rows, n_kinds)
        How rare each kind of error is, see `seqembed.estimators.rarity.log_rarities`. Zeros of one kind if the
        reconstruction error decides alone.
    totals : float array of shape (n_rows,)
        Minus the scores. The sums of the contributions differ from them by rounding.
    """

    contributions: np.ndarray
    rarities: np.ndarray
    totals: np.ndarray


class Scoring(NamedTuple):
    """How sequences are scored.

    Parameters
    ----------
    estimators : list of estimators
        A network for each block of normal sequences.
    weights : ResidualWeights
        Weights of the residuals.
    patterns : MissingPatterns or None
        What missing values change. None in detectors of earlier files.
    descriptions : NormalDescriptions or None
        What distances are computed from. None if the reconstruction error decides alone.
    heldout_errors : float array of shape (n_normal, n_kinds)
        Errors of held-out normal sequences: reconstruction errors, and the distances if there are descriptions.
    means : float array of shape (n_features,) or None
        Means of the features in normal sequences, for estimators that take no missing values. None in detectors of
        earlier files, whose networks take them.
    """

    estimators: Sequence[Any]
    weights: ResidualWeights
    patterns: MissingPatterns | None
    descriptions: NormalDescriptions | None
    heldout_errors: np.ndarray
    means: np.ndarray | None = None

    def errors(self, sequences: Sequences, rows: np.ndarray) -> np.ndarray:
        """Compute the errors of some sequences, whose logarithms decide who is rare: minus their scores.

        Parameters
        ----------
        sequences : Sequences
            Checked sequences.
        rows : int array of shape (n_rows,)
            Which of them.

        Returns
        -------
        errors : float array of shape (n_rows,)
            See `ReconstructionDetector.score_samples`.
        """
        return self._judged(sequences, rows).totals

    def score(self, sequences: Sequences, rows: np.ndarray) -> Scored:
        """Score some sequences, and divide the scores among their values.

        Parameters
        ----------
        sequences : Sequences
            Checked sequences.
        rows : int array of shape (n_rows,)
            Which of them.
        """
        judged = self._judged(sequences, rows)
        if self.descriptions is None:
            shares = _with_totals(judged.joint, judged.totals, judged.known)
            return Scored(shares, judged.rarities, judged.totals)
        of_features = self.descriptions.feature_shares(judged.numbers)
        # Of infinite residuals, each is as large as the others.
        joint = np.nan_to_num(judged.joint, posinf=_LARGEST, neginf=-_LARGEST)
        contributions = _with_totals(joint, judged.totals, judged.known)
        weighted = weighted_logarithms(judged.rarities)
        shares = _shared(contributions, judged.known, weighted, judged.totals, of_features)
        return Scored(shares, judged.rarities, judged.totals)

    def _judged(self, sequences: Sequences, rows: np.ndarray) -> _Judged:
        lengths, n_timesteps = sequences.lengths[rows], self.weights.n_timesteps
        residuals = [
            reconstruction_residuals(each, sequences, rows, n_timesteps, self.means) for each in self.estimators
        ]
        if self.weights.constants is not None:
            values = sequences.padded(rows, sequences.n_timesteps)
            residuals = [self.weights.compared(each, values) for each in residuals]
        joint = joint_contributions(np.stack([self.weights.contributions(each, lengths) for each in residuals]))
        known, numbers = ~np.isnan(residuals[0]), np.empty((len(rows), 0), np.float32)
        errors = joint.sum(axis=(1, 2))[:, np.newaxis]
        if self.descriptions is not None:
            described = self.descriptions.described(sequences, rows)
            errors = np.column_stack([errors, _of_joint_rank(self.descriptions.distances(described, lengths))])
            numbers = described.numbers
        if self.patterns is not None:
            errors = self.patterns.comparable(errors, known, lengths)
        if self.descriptions is None:
            return _Judged(joint, known, numbers, np.zeros((len(rows), 1)), errors[:, 0])
        rarities = log_rarities(errors, self.heldout_errors)
        return _Judged(joint, known, numbers, rarities, comparable_rarity(rarities, self.heldout_errors))


class _Judged(NamedTuple):
    """What scores are made of.

    Fields: joint, contributions to the reconstruction error; known, which values are; numbers, the descriptions;
    rarities, see `Scored`; totals, minus the scores.
    """

    joint: np.ndarray
    known: np.ndarray
    numbers: np.ndarray
    rarities: np.ndarray
    totals: np.ndarray


def _shared(
    contributions: np.ndarray, known: np.ndarray, weighted: np.ndarray, totals: np.ndarray, of_features: np.ndarray
) -> np.ndarray:
    """Weigh the shares of features by residuals and by statistics, each by the logarithms of their rarities.

    A sensor that sticks is reconstructed well. The residuals of others then have the largest shares of the
    reconstruction error, but its statistics are farthest from those of normal sequences. What principal components
    leave over is an error too, and is shared as the residuals are.
    """
    of_features = of_features * known.any(axis=1)
    sums = weighted.sum(axis=1)
    # Detectors of earlier files have fewer kinds.
    of_errors = weighted[:, [kind for kind in ERRORS if kind < weighted.shape[1]]].sum(axis=1)
    of_residuals = np.divide(of_errors, sums, out=np.ones_like(sums), where=np.isfinite(sums) & (sums > 0))
    of_features = (1 - of_residuals)[:, np.newaxis] * totals[:, np.newaxis] * of_features
    # In time, the shares of a feature follow its residuals.
    profiles = np.where(known, np.abs(contributions) + np.finfo(float).tiny, 0)
    profiles /= np.maximum(profiles.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    shared: np.ndarray = of_residuals[:, np.newaxis, np.newaxis] * contributions
    shared += profiles * of_features[:, np.newaxis]
    return _with_totals(shared, totals, known)


def _of_joint_rank(distances: np.ndarray) -> np.ndarray:
    """Choose distances of shape (n_samples, n_groups) from those of all blocks, as `joint_contributions` does."""
    n_blocks, n_samples, n_groups = distances.shape
    joint: np.ndarray = joint_contributions(distances.reshape(n_blocks, -1, 1, 1)).reshape(n_samples, n_groups)
    return joint


def _with_totals(contributions: np.ndarray, totals: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Scale contributions so that they add up to the totals."""
    sums = contributions.sum(axis=(1, 2))
    # Infinite residuals have no shares.
    usable = (sums > 0) & np.isfinite(sums)
    factors = np.divide(totals, sums, out=np.ones_like(sums), where=usable)
    scaled: np.ndarray = contributions * factors[:, np.newaxis, np.newaxis]
    without = np.flatnonzero((sums == 0) & (totals > 0))
    counts = np.maximum(known[without].sum(axis=(1, 2)), 1)
    scaled[without] = known[without] * (totals[without] / counts)[:, np.newaxis, np.newaxis]
    return scaled
