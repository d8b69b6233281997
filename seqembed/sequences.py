"""What a collection of sequences is: the checks that every input passes, its statistics, its scaling."""

from __future__ import annotations

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, gen_batches

# Rows read at once where a pass over all the data is needed: large enough for fast arithmetic, small beside any data.
_CHUNK = 1024


def check_sequences(X, *, estimator: object = None) -> np.ndarray:
    """Check a collection of sequences and return it as an array, copying only what is not an array yet.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
        Sequences of numbers: an array of three dimensions, an array or data frame of two (one feature), or a list
        of arrays of shape (n_timesteps, n_features) or (n_timesteps,). Any real dtype; no missing values.
    estimator : object, default=None
        The estimator that asks, named in errors.

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps)
        The same values, in the dtype that they came in.

    Raises
    ------
    ValueError
        For the wrong number of dimensions, nothing to learn from, values that are missing, infinite or complex, and
        sequences that differ in length or number of features.
    TypeError
        For sparse input and for values that are no numbers.

    Examples
    --------
    >>> import numpy as np
    >>> check_sequences([np.zeros((3, 2)), np.ones((3, 2))]).shape
    (2, 3, 2)
    """
    if isinstance(X, (list, tuple)):
        X = _stack(X)
    elif isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype == object:
        X = _stack(list(X))
    X = check_array(X, dtype="numeric", allow_nd=True, ensure_2d=False, estimator=estimator, input_name="X")
    if X.ndim == 1:
        raise ValueError(
            f"Expected sequences of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), "
            f"got a 1D array of {X.shape[0]} values. Reshape your data: X.reshape(1, -1) if it is one sequence, or cut "
            f"it into windows."
        )
    if X.ndim > 3:
        raise ValueError(
            f"Expected sequences of shape (n_samples, n_timesteps, n_features), got an array of {X.ndim} dimensions, "
            f"shape {X.shape}. To flatten what each timestep holds: X.reshape(*X.shape[:2], -1)."
        )
    if 0 in X.shape:
        raise ValueError(
            f"Expected at least one timestep and one feature, got shape {X.shape} "
            f"(n_samples, n_timesteps{', n_features' if X.ndim == 3 else ''}). Leave empty sequences out."
        )
    return X


def _stack(sequences: list | tuple) -> np.ndarray | list | tuple:
    """Stack sequences of one shape; what is no collection of sequences is left for `check_array` to refuse."""
    arrays = [_as_array(position, sequence) for position, sequence in enumerate(sequences)]
    if not arrays or any(array.ndim == 0 for array in arrays):
        return sequences
    first = arrays[0]
    for position, array in enumerate(arrays):
        if array.ndim != first.ndim:
            raise ValueError(
                f"Sequence {position} has {array.ndim} dimensions and sequence 0 has {first.ndim}: expected all of "
                f"shape (n_timesteps, n_features), or all of shape (n_timesteps,)."
            )
        if array.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"Sequence {position} has {array.shape[-1]} features and sequence 0 has {first.shape[-1]}: expected "
                f"the same features in every sequence. Select them with sequence[:, columns]."
            )
    lengths = sorted({len(array) for array in arrays})
    if len(lengths) > 1:
        raise ValueError(
            f"Got sequences of {len(lengths)} different lengths, from {lengths[0]} to {lengths[-1]} timesteps: "
            f"unequal lengths are not supported yet. Cut them to the shortest with "
            f"[sequence[:{lengths[0]}] for sequence in X]."
        )
    return np.stack(arrays)


def _as_array(position: int, sequence) -> np.ndarray:
    try:
        return np.asarray(sequence)
    except ValueError as error:
        raise ValueError(
            f"Sequence {position} is no array: expected shape (n_timesteps, n_features), got rows of unequal length."
        ) from error


def as_three_dimensional(X: np.ndarray) -> np.ndarray:
    """View checked sequences as (n_samples, n_timesteps, n_features); two dimensions mean a single feature.

    Examples
    --------
    >>> import numpy as np
    >>> as_three_dimensional(np.zeros((5, 3))).shape
    (5, 3, 1)
    """
    return X[:, :, np.newaxis] if X.ndim == 2 else X


def feature_statistics(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature over all timesteps of all sequences.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_timesteps, n_features)
        Checked sequences; read in chunks.

    Returns
    -------
    means : float64 array of shape (n_features,)
        In the units of `X`.
    scales : float64 array of shape (n_features,)
        Standard deviations in the units of `X`; 1 for a feature that does not vary, so that dividing is safe.

    Examples
    --------
    >>> import numpy as np
    >>> feature_statistics(np.array([[[1.0, 7.0], [3.0, 7.0]]]))
    (array([2., 7.]), array([1., 1.]))
    """
    scaler = StandardScaler()
    for rows in gen_batches(len(X), _CHUNK):
        scaler.partial_fit(X[rows].reshape(-1, X.shape[2]))
    return scaler.mean_, scaler.scale_


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
