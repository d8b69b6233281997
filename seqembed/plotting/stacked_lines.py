"""Sequences of several features in one panel: each feature lies above the one before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from seqembed.sequences.wording import counted

# The distance of neighbouring features, as a multiple of their ranges.
_DISTANCE = 1.15


def stacked(sequences: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Scale the features of sequences to equal ranges, and lift each above the one before it.

    Parameters
    ----------
    sequences : iterable of arrays of shape (n_timesteps, n_features) or (n_timesteps,)
        All that a figure shows, so that they get the same scale. Missing values are NaN. Infinite ones don't count.

    Returns
    -------
    stacked : list of float64 arrays of shape (n_timesteps, n_features)
        Each feature runs from -0.5 to 0.5 over all sequences, around its level. A single feature stays as it is.

    Examples
    --------
    >>> stacked([np.array([[0.0, 5.0], [2.0, 7.0]])])
    [array([[-0.5 ,  0.65],
           [ 0.5 ,  1.65]])]
    """
    columns = [np.asarray(each, np.float64).reshape(len(each), -1) for each in sequences]
    values = np.concatenate(columns)
    n_features = values.shape[1]
    if n_features == 1:
        return columns
    finite = np.isfinite(values)
    # Of a feature without values, both are 0.
    lowest = np.where(finite.any(axis=0), values.min(axis=0, where=finite, initial=np.inf), 0)
    highest = np.where(finite.any(axis=0), values.max(axis=0, where=finite, initial=-np.inf), 0)
    ranges = np.where(highest > lowest, highest - lowest, 1)
    return [(each - (lowest + highest) / 2) / ranges + levels(n_features) for each in columns]


def levels(n_features: int) -> np.ndarray:
    """Return where the middle of each feature's range lies in a panel."""
    return _DISTANCE * np.arange(n_features)


def name_levels(panel: Any, names: list[str] | None) -> None:
    """Write the name of each feature at its level, or what the axis shows of a single one.

    Parameters
    ----------
    panel : matplotlib.axes.Axes
        Shows what `stacked` returned.
    names : list of str or None
        See `checked_names`.
    """
    if names is None:
        panel.set_ylabel("value")
        return
    if len(names) == 1:
        panel.set_ylabel(names[0])
        return
    panel.set_yticks(levels(len(names)), names)
    panel.set_ylabel("value, each feature in its own range")


def checked_names(feature_names: Sequence[str] | None, n_features: int) -> list[str] | None:
    """Return a name for each feature: those that were given, or numbers; None for a single one without a name.

    Raises
    ------
    ValueError
        For another number of names than of features.
    TypeError
        For text, whose letters would be the names.

    Examples
    --------
    >>> checked_names(None, 2), checked_names(["flow"], 1)
    (['feature 0', 'feature 1'], ['flow'])
    """
    if feature_names is None:
        return None if n_features == 1 else [f"feature {number}" for number in range(n_features)]
    if isinstance(feature_names, str):
        raise TypeError(
            f"Got feature_names={feature_names!r}, expected a list of names. Pass feature_names=[{feature_names!r}]."
        )
    if len(feature_names) != n_features:
        raise ValueError(
            f"Got feature_names= of {counted(len(feature_names), 'name')} for {counted(n_features, 'feature')}, "
            f"expected a name for each. Leave feature_names= out to number them."
        )
    return list(feature_names)
