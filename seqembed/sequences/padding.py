"""Removal of the padding of sequences."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqembed.sequences.containers import as_numbers


def sequences_from_padded(X: npt.ArrayLike, value: float = np.nan) -> list[np.ndarray]:
    """Cut the padding off both ends of sequences.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps)
        Sequences that were padded to one length: at the front, as Keras's ``pad_sequences`` does, or at the end, as
        tslearn does with NaN.
    value : float, default=NaN
        The value of the padding, at all features. The default is that of tslearn. Keras pads with 0.

    Returns
    -------
    sequences : list of arrays of shape (n_timesteps, n_features) or (n_timesteps,)
        Views of `X`. Timesteps that hold `value` between others are kept.

    Raises
    ------
    ValueError
        For an array of another number of dimensions, and for a sequence that is padding only.
    TypeError
        For a value that is not a number.

    Examples
    --------
    >>> import numpy as np
    >>> sequences_from_padded([[0, 0, 1, 0, 2], [3, 4, 0, 0, 0]], value=0)
    [array([1, 0, 2]), array([3, 4])]
    """
    items = X if isinstance(X, (list, tuple)) else []
    lengths = {len(each) for each in items if isinstance(each, (list, tuple))}
    lengths |= {each.shape[0] for each in items if isinstance(each, np.ndarray) and each.ndim}
    if len(lengths) > 1:
        raise ValueError(
            "Got X= as a list of sequences of unequal lengths, expected sequences that were padded to one length. "
            "There is no padding to cut off: pass the list itself to fit and transform."
        )
    X = as_numbers(X, "X")
    if X.ndim not in (2, 3):
        raise ValueError(
            f"Got X= of shape {X.shape}, expected (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps). A "
            f"list of sequences of unequal lengths needs no sequences_from_padded."
        )
    if np.ndim(value) or np.asarray(value).dtype.kind not in "biuf":
        raise TypeError(f"Got value={value!r}, expected the number that X was padded with: value=0 or value=np.nan.")
    is_padding: np.ndarray = np.isnan(X) if value != value else np.equal(X, value)
    known: np.ndarray = np.logical_not(is_padding if X.ndim == 2 else is_padding.all(axis=2))
    empty = np.flatnonzero(~known.any(axis=1))
    if len(empty):
        raise ValueError(
            f"Sequence {empty[0]} holds only value={value:g}, expected other values too. Leave such sequences out, "
            f"{len(empty)} in all: np.delete(X, {empty[:10].tolist()}, axis=0)."
        )
    starts, ends = known.argmax(axis=1), X.shape[1] - known[:, ::-1].argmax(axis=1)
    return [sequence[start:end] for sequence, start, end in zip(X, starts, ends, strict=True)]
