"""The sequences that a fit learns from, with what belongs to each of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqembed.sequences.collection import Sequences
from seqembed.sequences.sample_weight import checked_weights
from seqembed.training.labels import GivenLabels


class TrainingSet(NamedTuple):
    """Sequences with their labels and weights.

    Parameters
    ----------
    sequences : Sequences
        Checked.
    labels : GivenLabels or None
        None if they are not learned.
    sample_weight : float64 array of shape (n_samples,) or None
        All above 0. None if all sequences count alike.
    """

    sequences: Sequences
    labels: GivenLabels | None
    sample_weight: np.ndarray | None


def training_set(sequences: Sequences, labels: GivenLabels | None, sample_weight: npt.ArrayLike | None) -> TrainingSet:
    """Leave out the sequences of weight 0.

    Parameters
    ----------
    sequences : Sequences
        Checked.
    labels : GivenLabels or None
        Those of the sequences.
    sample_weight : array-like of shape (n_samples,) or None
        As the user gave them.

    Raises
    ------
    ValueError
        For weights that `seqembed.sequences.sample_weight.checked_weights` refuses.

    Examples
    --------
    >>> from seqembed.sequences.collection import check_sequences
    >>> X = check_sequences([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> left = training_set(X, None, [1, 0, 2])
    >>> len(left.sequences), left.sample_weight
    (2, array([1., 2.]))
    """
    weights = checked_weights(sample_weight, len(sequences))
    if weights is None or weights.all():
        return TrainingSet(sequences, labels, weights)
    rows = np.flatnonzero(weights)
    return TrainingSet(sequences.chosen(rows), None if labels is None else labels.chosen(rows), weights[rows])
