"""Directions of the description of a sequence that predict labels."""

from __future__ import annotations

import numpy as np

from seqembed.sequences.collection import chunks
from seqembed.sequences.scaling import ScaledSequences
from seqembed.summary.description import Description, drawn_rows

# Labelled sequences that are looked at. A larger sample gives nearly the same.
_MOST_SEQUENCES = 2048
# Strengths of the regularisation that are tried. Without any, there are as many solutions as numbers.
_ALPHAS = np.logspace(0, 5, 11)
# A direction whose deviation is a smaller part of that of the first one is rounding error.
_LEAST_PART = 1e-3


def learn_label_directions(
    description: Description, sequences: ScaledSequences, targets: np.ndarray, most: int, largest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Learn to predict labels from descriptions, by ridge regression.

    A linear model of hundreds of numbers, regularised, learns more from a few labels than one of a few principal
    components: what tells classes apart may be a small part of what varies.

    Parameters
    ----------
    description : Description
        How to describe sequences.
    sequences : ScaledSequences
        Training sequences.
    targets : float array of shape (n_samples, n_outputs)
        Labels as numbers, NaN where a label is unknown. At most 2,048 labelled sequences are looked at.
    most : int
        Most directions. If there are more outputs, those are kept in which predictions vary most.
    largest : float
        Standardised numbers are clipped there.

    Returns
    -------
    axes : float64 array of shape (n_numbers, n_directions)
        Their products with descriptions are predictions. Over the labelled sequences, they are not correlated with one
        another, and the mean of their variances is 1. There is no direction if the regression predicts labels that were
        left out no better than their mean.
    offset : float64 array of shape (n_directions,)
        The mean predictions over the labelled sequences.

    References
    ----------
    A. Dempster, D. F. Schmidt, G. I. Webb, "MiniRocket: a very fast (almost) deterministic transform for time series
    classification" (2021), for ridge regression on shares of convolutions.
    """
    # Imported here, because only `fit` needs it: it would slow the start of a process that loads and transforms.
    from sklearn.linear_model import RidgeCV

    labelled = np.flatnonzero(np.isfinite(targets).all(axis=1))
    rows = labelled[drawn_rows(len(labelled), _MOST_SEQUENCES)]
    n_timesteps, n_features = sequences.sequences.n_timesteps, sequences.sequences.n_features
    numbers = np.concatenate(
        [
            description.compute(sequences.read(rows[part]), largest)
            for part in chunks(len(rows), n_timesteps * n_features)
        ]
    ).astype(np.float64)
    ridge = RidgeCV(_ALPHAS).fit(numbers, targets[rows])
    # The score is minus the mean squared error of labels that were left out, one at a time.
    if -ridge.best_score_ >= targets[rows].var(axis=0).mean():
        return np.empty((numbers.shape[1], 0)), np.empty(0)
    axes = ridge.coef_.reshape(-1, numbers.shape[1]).T
    predictions = numbers @ axes
    offset = predictions.mean(axis=0)
    _, singular_values, rotation = np.linalg.svd(predictions - offset, full_matrices=False)
    n_kept = min(most, int((singular_values > _LEAST_PART * singular_values[0]).sum()))
    turned = rotation[:n_kept].T
    deviations = singular_values[:n_kept] / np.sqrt(len(rows))
    factor = 1 / np.sqrt(np.square(deviations).mean())
    return factor * axes @ turned, factor * offset @ turned
