"""Halves of sequences: how much their descriptions differ within a sequence."""

from __future__ import annotations

import numpy as np

from seqembed.sequences.collection import chunks
from seqembed.sequences.scaling import Batch, ScaledSequences
from seqembed.summary.description import Description


def differences_of_halves(
    description: Description, sequences: ScaledSequences, rows: np.ndarray, largest: float
) -> np.ndarray:
    """Describe the first and the second half of sequences, and subtract one from the other.

    Parameters
    ----------
    description : Description
        How to describe sequences.
    sequences : ScaledSequences
        Training sequences.
    rows : int array of shape (n_rows,)
        Those to look at.
    largest : float
        Standardised numbers are clipped there.

    Returns
    -------
    differences : float32 array of shape (n_rows, n_numbers)
        0 for a sequence of one timestep, whose halves are the same.

    Examples
    --------
    >>> from seqembed.sequences.collection import check_sequences
    >>> from seqembed.sequences.scaling import learn_scaling
    >>> from seqembed.summary.description import learn_description
    >>> checked = check_sequences(np.tile(np.random.default_rng(0).normal(size=(50, 15, 2)), (1, 2, 1)))
    >>> sequences = ScaledSequences(checked, learn_scaling(checked, "standard"))
    >>> description, rows, _ = learn_description(sequences, n_timesteps=30)
    >>> np.ptp(differences_of_halves(description, sequences, rows, largest=6))
    np.float32(0.0)
    """
    n_values = sequences.sequences.n_timesteps * sequences.sequences.n_features
    differences = []
    for part in chunks(len(rows), n_values):
        first, second = (description.compute(half, largest) for half in _halves(sequences.read(rows[part])))
        differences.append(first - second)
    return np.concatenate(differences)


def _halves(batch: Batch) -> tuple[Batch, Batch]:
    """Cut each sequence in the middle of its own length. An odd number of timesteps: both have the middle one."""
    lengths = (batch.lengths + 1) // 2
    timesteps = np.arange(lengths.max(initial=0))
    inside = (timesteps < lengths[:, np.newaxis])[:, :, np.newaxis]

    def half(starts: np.ndarray) -> Batch:
        last = max(0, batch.values.shape[1] - 1)
        positions = np.minimum(starts[:, np.newaxis] + timesteps, last)[:, :, np.newaxis]
        values, mask = (np.take_along_axis(each, positions, axis=1) for each in (batch.values, batch.mask))
        return Batch(values, mask & inside, lengths)

    return half(np.zeros_like(lengths)), half(batch.lengths - lengths)


def steady_directions(differences: np.ndarray) -> np.ndarray:
    """Shorten the directions in which the halves of a sequence differ.

    What differs between the halves of a sequence tells little about the sequence. With W the covariance of these
    differences, divided by its mean over all directions, the matrix is the inverse square root of W + 1: a direction in
    which halves are alike keeps its length, and one in which they differ as on average has it divided by the root of 2.

    Parameters
    ----------
    differences : float array of shape (n_rows, n_directions)
        Those of the halves of each sequence, direction by direction.

    Returns
    -------
    matrix : float64 array of shape (n_directions, n_directions)
        Symmetric. The identity if no halves differ.

    References
    ----------
    A. O. Hatch, S. Kajarekar, A. Stolcke, "Within-class covariance normalization for SVM-based speaker recognition"
    (2006). There, the classes are speakers, and here each sequence is a class.

    Examples
    --------
    >>> steady_directions(np.array([[2.0, 0.0], [-2.0, 0.0]])).round(3)
    array([[0.577, 0.   ],
           [0.   , 1.   ]])
    """
    covariance = differences.T.astype(np.float64) @ differences
    mean = np.trace(covariance) / len(covariance)
    if not mean > 0:
        return np.eye(len(covariance))
    sizes, directions = np.linalg.eigh(covariance / mean + np.eye(len(covariance)))
    matrix: np.ndarray = (directions / np.sqrt(sizes)) @ directions.T
    return matrix
