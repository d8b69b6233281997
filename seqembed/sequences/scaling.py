"""From the user's units to the network's and back: statistics of the features, batches scaled and filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.preprocessing import StandardScaler

from seqembed.sequences.collection import Sequences

# A value this many scaled units from the mean already saturates the cells that read it.
_FARTHEST = 10


class Batch(NamedTuple):
    """Sequences as the network reads them.

    Parameters
    ----------
    values : float32 array of shape (n_samples, n_timesteps, n_features)
        Scaled; missing values, and what follows the end of a sequence, are filled with the features' means.
    observed : bool array of the same shape, or None
        Which values are the user's. None where all are.
    lengths : int array of shape (n_samples,)
        Timesteps of each sequence.
    """

    values: np.ndarray
    observed: np.ndarray | None
    lengths: np.ndarray


@dataclass(frozen=True)
class Scaling:
    """What is subtracted from each feature, and what it is then divided by.

    Parameters
    ----------
    means : float64 array of shape (n_features,)
        Means of the training data, which missing values are filled with.
    center, scale : float64 arrays of shape (n_features,)
        In the units of the data.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> scaling = Scaling(means=np.array([2.0]), center=np.array([2.0]), scale=np.array([0.5]))
    >>> batch = scaling.read(check_sequences([[3.0, np.nan], [1.0]]), slice(0, 2))
    >>> batch.values[:, :, 0]
    array([[ 2.,  0.],
           [-2.,  0.]], dtype=float32)
    >>> batch.observed[:, :, 0]
    array([[ True, False],
           [ True, False]])
    """

    means: np.ndarray
    center: np.ndarray
    scale: np.ndarray

    @property
    def scaled_means(self) -> np.ndarray:
        """Means of the training data as the network would read them, float32 of shape (n_features,)."""
        return scaled(self.means, self.center, self.scale)

    def read(self, sequences: Sequences, rows: slice | np.ndarray, n_timesteps: int | None = None) -> Batch:
        """Read some sequences as a batch.

        Parameters
        ----------
        sequences : Sequences
            All sequences.
        rows : slice or int array
            Which of them.
        n_timesteps : int, default=None
            Timesteps to pad to, by default those of the longest of them.
        """
        values = scaled(sequences.padded(rows, n_timesteps), self.center, self.scale)
        lengths = sequences.lengths[rows]
        if sequences.complete and sequences.one_length:
            return Batch(values, None, lengths)
        observed = ~np.isnan(values)
        return Batch(np.where(observed, values, self.scaled_means), observed, lengths)

    def undo(self, values: np.ndarray) -> np.ndarray:
        """Return values of the network in the user's units, as float32."""
        return unscaled(values, self.center, self.scale)


def feature_statistics(sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale of each feature over all timesteps of all sequences, missing values left out.

    The scale is the standard deviation, or a tenth of the largest deviation where that is more: a feature that hardly
    ever leaves its mean, such as a rare event's indicator, would else outweigh all others, in steps that no cell can
    follow.

    Parameters
    ----------
    sequences : Sequences
        Read in chunks.

    Returns
    -------
    means : float64 array of shape (n_features,)
        In the units of the sequences.
    scales : float64 array of shape (n_features,)
        In the units of the sequences; 1 for a feature that does not vary, so that dividing is safe.

    Raises
    ------
    ValueError
        For a feature without a single value.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> feature_statistics(check_sequences(np.array([[[1.0, 7.0], [3.0, 7.0]]])))
    (array([2., 7.]), array([1., 1.]))
    """
    scaler = StandardScaler()
    lowest, highest = np.full(sequences.n_features, np.inf), np.full(sequences.n_features, -np.inf)
    for rows in sequences.chunks():
        timesteps = sequences.timesteps(rows)
        scaler.partial_fit(timesteps)
        # fmin and fmax, unlike minimum and maximum, pass over NaN.
        lowest = np.fmin(lowest, np.fmin.reduce(timesteps, axis=0))
        highest = np.fmax(highest, np.fmax.reduce(timesteps, axis=0))
    unknown = np.flatnonzero(np.isnan(scaler.mean_))
    if len(unknown):
        raise ValueError(
            f"Feature {unknown[0]} has no value in any sequence, all are missing (NaN). Leave it out: "
            f"np.delete(X, {unknown.tolist()}, axis=-1)."
        )
    farthest = np.maximum(highest - scaler.mean_, scaler.mean_ - lowest)
    return scaler.mean_, np.maximum(scaler.scale_, farthest / _FARTHEST)


def scaled(batch: np.ndarray, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Scale a batch for the network: ``(batch - center) / scale`` in float32, computed in the batch's own precision.

    Examples
    --------
    >>> import numpy as np
    >>> scaled(np.array([[[1.0], [3.0]]]), center=np.array([2.0]), scale=np.array([1.0]))
    array([[[-1.],
            [ 1.]]], dtype=float32)
    """
    dtype = np.result_type(batch.dtype, np.float32)
    return np.divide(np.subtract(batch, center, dtype=dtype), scale, dtype=dtype).astype(np.float32, copy=False)


def unscaled(batch: np.ndarray, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Undo `scaled`, in float32: ``batch * scale + center``.

    Examples
    --------
    >>> import numpy as np
    >>> unscaled(np.float32([[[-1], [1]]]), center=np.array([2.0]), scale=np.array([1.0])).ravel()
    array([1., 3.], dtype=float32)
    """
    return (batch * scale.astype(np.float32) + center.astype(np.float32)).astype(np.float32, copy=False)
