"""Residuals of sequences that a network was not fitted on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seqembed.sequences.collection import Sequences


class HeldOutResiduals(NamedTuple):
    """Residuals of networks that were each fitted on all blocks of some sequences but one.

    Parameters
    ----------
    sequences : Sequences
        Checked sequences.
    rows : int array of shape (n_rows,)
        The sequences that the networks were fitted on.
    means : float array of shape (n_features,) or None
        Means of the features, for estimators that take no missing values.
    estimators : list of estimators
        The fitted networks, one for each block.
    blocks : list of int arrays
        The positions among `rows` that each network was not fitted on.
    residuals : float64 array of shape (n_rows, n_timesteps, n_features)
        Held-out residuals: those of each block are from the network that was not fitted on it. See
        `seqembed.estimators.reconstruction.reconstruction_residuals`.
    """

    sequences: Sequences
    rows: np.ndarray
    means: np.ndarray | None
    estimators: list[Any]
    blocks: list[np.ndarray]
    residuals: np.ndarray
