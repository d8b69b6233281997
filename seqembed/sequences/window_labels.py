"""Labels of windows, computed from those of their rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from seqembed.sequences.containers import as_array
from seqembed.sequences.labels import check_one_kind, checked_rare_label


def label_rule(
    label: str | Callable[[np.ndarray], object], y: Sequence[npt.ArrayLike]
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from labels of rows to the label of each window.

    Parameters
    ----------
    label : {"last", "first", "any", "mode"} or callable
        See `seqembed.sliding_windows`.
    y : list of array-likes of shape (n_rows,)
        Labels of the rows of all recordings: what "any" looks for depends on all of them.

    Returns
    -------
    rule : callable
        Takes an array of shape (n_windows, timesteps); returns one of shape (n_windows,).

    Raises
    ------
    ValueError
        For another `label`, and for labels that the rule can't use.

    Examples
    --------
    >>> label_rule("any", [[1, 1, -1]])(np.array([[1, 1], [1, -1]]))
    array([ 1, -1])
    """
    if label == "any":
        return partial(_any_labels, rare=checked_rare_label(y))
    if callable(label):
        return lambda labels: np.array([label(each) for each in labels])
    if label == "last":
        return lambda labels: labels[:, -1].copy()
    if label == "first":
        return lambda labels: labels[:, 0].copy()
    if label == "mode":
        for each in map(as_array, y):
            if each.dtype == object:
                check_one_kind(set(each.ravel().tolist()), "y")
        return _most_frequent_labels
    raise ValueError(f"Got label={label!r}, expected 'last', 'first', 'any', 'mode' or a function.")


def _any_labels(labels: np.ndarray, rare: int) -> np.ndarray:
    found = (labels == rare).any(axis=1)
    return np.where(found, -1, 1) if rare == -1 else found


def _most_frequent_labels(labels: np.ndarray) -> np.ndarray:
    values, codes = np.unique(labels, return_inverse=True)
    return values[[np.bincount(each).argmax() for each in codes.reshape(labels.shape)]]
