"""How far sequences lie from what a few principal components of the normal ones can describe.

A network that has learned much reconstructs some rare sequences too. Sixteen straight axes can't.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqembed.summary.principal_axes import axes_and_sizes

# With 4, fewer faults of four sensors rank high. With 32, the events of electrocardiograms rank lower: `TRIED.md`.
_N_AXES = 16
# Fewer, if sequences are so long that the axes of a block would hold more numbers.
_MOST_NUMBERS = 1 << 22


class NormalComponents(NamedTuple):
    """Principal components of normal sequences, once for each block that is left out.

    Parameters
    ----------
    means : float32 array of shape (n_blocks, n_values)
        Means of the sequences of all blocks but one, whose timesteps are laid side by side.
    axes : float32 array of shape (n_blocks, n_axes, n_values)
        Orthogonal axes of length 1, along which these sequences vary most. Zeros in place of axes that are rounding
        error.
    """

    means: np.ndarray
    axes: np.ndarray

    def errors(self, values: np.ndarray) -> np.ndarray:
        """Compute what sequences have beside the components.

        Parameters
        ----------
        values : float array of shape (n_samples, n_values)
            Scaled, without missing values.

        Returns
        -------
        errors : float64 array of shape (n_blocks, n_samples)
            Mean squares of what the axes leave over. A sequence has the same bits beside any others.
        """
        errors = np.empty((len(self.means), len(values)))
        for of_block, mean, axes in zip(errors, self.means, self.axes, strict=True):
            deviations = values.astype(np.float64) - mean
            # Not a product of matrices, whose bits would depend on the number of sequences.
            along = np.einsum("sv,av->sa", deviations, axes.astype(np.float64), optimize=False)
            left = np.square(deviations).sum(axis=1) - np.square(along).sum(axis=1)
            of_block[:] = np.maximum(left, 0) / values.shape[1]
        return errors


def learn_normal_components(values: np.ndarray, compared: Sequence[np.ndarray]) -> NormalComponents:
    """Learn principal components of several choices of normal sequences.

    Parameters
    ----------
    values : float32 array of shape (n_references, n_values)
        Scaled normal sequences, without missing values.
    compared : list of bool arrays of shape (n_references,)
        Which of them, for each block that is left out. At least one.

    Returns
    -------
    components : NormalComponents
        With 16 axes, or fewer if there are fewer sequences, or values. See `seqembed.summary.principal_axes`.

    Examples
    --------
    >>> steps = np.arange(30) / 3 + np.random.default_rng(0).uniform(0, 6, (40, 1))
    >>> waves, first = np.sin(steps).astype(np.float32), np.arange(40) < 20
    >>> components = learn_normal_components(waves, [first, ~first])
    >>> new = np.stack([waves[0], np.ones(30)])
    >>> components.errors(new).round(1)
    array([[0. , 0.9],
           [0. , 0.9]])
    """
    n_values = values.shape[1]
    n_axes = min(_N_AXES, _MOST_NUMBERS // n_values, n_values - 1, *(int(each.sum()) - 1 for each in compared))
    means, axes = [], []
    for each in compared:
        means.append(values[each].mean(axis=0, dtype=np.float64).astype(np.float32))
        axes.append(_axes(values[each] - means[-1], n_axes))
    return NormalComponents(np.array(means), np.array(axes))


def _axes(deviations: np.ndarray, n_axes: int) -> np.ndarray:
    """Return the first principal axes, and zeros in place of those that are rounding error."""
    found, _ = axes_and_sizes(deviations, n_axes)
    axes = np.zeros((n_axes, deviations.shape[1]), np.float32)
    axes[: len(found)] = found
    return axes
