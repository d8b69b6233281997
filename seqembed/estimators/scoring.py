"""Scores of sequences, from all that a detector has learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqembed.estimators.distances import NormalDescriptions
from seqembed.estimators.missing_patterns import MissingPatterns
from seqembed.estimators.rarity import joint_rarity
from seqembed.estimators.reconstruction import reconstruction_residuals
from seqembed.estimators.residuals import ResidualWeights, joint_contributions
from seqembed.sequences.collection import Sequences


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
    """

    estimators: Sequence[Any]
    weights: ResidualWeights
    patterns: MissingPatterns | None
    descriptions: NormalDescriptions | None
    heldout_errors: np.ndarray

    def contributions(self, sequences: Sequences, rows: np.ndarray) -> np.ndarray:
        """Compute the share of each value in the scores of some sequences.

        Returns
        -------
        contributions : float array of shape (n_rows, n_timesteps, n_features)
            Minus the score of a sequence is their sum. 0 for missing values, and after the end of a sequence.
        """
        lengths, n_timesteps = sequences.lengths[rows], self.weights.n_timesteps
        residuals = [reconstruction_residuals(each, sequences, rows, n_timesteps) for each in self.estimators]
        joint = joint_contributions(np.stack([self.weights.contributions(each, lengths) for each in residuals]))
        known, reconstruction_errors = ~np.isnan(residuals[0]), joint.sum(axis=(1, 2))
        errors = reconstruction_errors[:, np.newaxis]
        if self.descriptions is not None:
            distances = self.descriptions.distances(sequences, rows)
            errors = np.column_stack([errors, _of_joint_rank(distances)])
        if self.patterns is not None:
            errors = self.patterns.comparable(errors, known, lengths)
        totals = errors[:, 0] if self.descriptions is None else joint_rarity(errors, self.heldout_errors)
        return _with_totals(joint, reconstruction_errors, totals, known)


def _of_joint_rank(distances: np.ndarray) -> np.ndarray:
    """Choose distances as `joint_contributions` chooses errors: (n_blocks, n_samples, n_groups), without blocks."""
    n_blocks, n_samples, n_groups = distances.shape
    joint: np.ndarray = joint_contributions(distances.reshape(n_blocks, -1, 1, 1)).reshape(n_samples, n_groups)
    return joint


def _with_totals(contributions: np.ndarray, sums: np.ndarray, totals: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Scale contributions, whose sums are given, so that they add up to the totals."""
    # Infinite residuals have no shares.
    usable = (sums > 0) & np.isfinite(sums)
    factors = np.divide(totals, sums, out=np.ones_like(sums), where=usable)
    scaled: np.ndarray = contributions * factors[:, np.newaxis, np.newaxis]
    without = np.flatnonzero((sums == 0) & (totals > 0))
    counts = np.maximum(known[without].sum(axis=(1, 2)), 1)
    scaled[without] = known[without] * (totals[without] / counts)[:, np.newaxis, np.newaxis]
    return scaled
