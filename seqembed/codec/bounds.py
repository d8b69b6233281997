"""Bounds on the error of each feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from seqembed.sequences.containers import as_array
from seqembed.sequences.wording import counted


def feature_bounds(
    arrays: list[np.ndarray], max_error: npt.ArrayLike | None, max_relative_error: npt.ArrayLike | None
) -> np.ndarray:
    """Return the largest error of each feature, in its units.

    Parameters
    ----------
    arrays : list of arrays of shape (n_timesteps, n_features)
        The training sequences. Values that are not finite are left out.
    max_error : float or array-like of shape (n_features,), or None
        In the units of the data.
    max_relative_error : float or array-like of shape (n_features,), or None
        As a share of the range of each feature. One of the two is given.

    Returns
    -------
    bounds : float64 array of shape (n_features,)
        A bound of 0 allows no error.

    Raises
    ------
    ValueError
        For a bound that is no number, negative or not finite, and for another number of bounds than features.

    Examples
    --------
    >>> feature_bounds([np.array([[1.0, 10.0], [3.0, 50.0]])], None, max_relative_error=0.1)
    array([0.2, 4. ])
    """
    name, given = ("max_relative_error", max_relative_error) if max_error is None else ("max_error", max_error)
    n_features = arrays[0].shape[1]
    bound = _numbers(given, name, n_features)
    if bound.shape not in ((), (n_features,)):
        raise ValueError(
            f"Got {name}= of shape {bound.shape}, expected one number, or one for each of "
            f"{counted(n_features, 'feature')}. {_remedy(arrays, bound, name)}"
        )
    if not (np.isfinite(bound) & (bound >= 0)).all():
        raise ValueError(_message(given, name, n_features))
    if max_error is not None:
        return np.full(n_features, bound)
    values = np.concatenate(arrays)
    finite = np.isfinite(values)
    lowest = np.where(finite, values, np.inf).min(axis=0, initial=np.inf).astype(np.float64)
    highest = np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf).astype(np.float64)
    # A half each, since the whole may exceed the largest float.
    with np.errstate(invalid="ignore", over="ignore"):
        bounds = bound * (highest / 2 - lowest / 2) * 2
    return np.where((highest > lowest) & np.isfinite(bounds), bounds, 0)


def in_order_of(names: tuple[str, ...] | None, bound: Any) -> Any:
    """Put the numbers of a pandas Series in the order of the columns that they are named after.

    Examples
    --------
    >>> import pandas as pd
    >>> in_order_of(("a", "b"), pd.Series({"b": 5.0, "a": 0.1})).tolist(), in_order_of(None, 0.5)
    ([0.1, 5.0], 0.5)
    """
    if names is None or not hasattr(bound, "loc"):
        return bound
    labels = list(bound.index)
    if not all(isinstance(label, str) for label in labels):
        return bound
    if sorted(labels) != sorted(names):
        raise ValueError(
            f"Got a bound for {labels}, expected one for each of the columns {list(names)}. Pass "
            f"bound[list(frame.columns)], or a list of numbers in the order of the columns."
        )
    return bound.loc[list(names)]


def _remedy(arrays: list[np.ndarray], bound: np.ndarray, name: str) -> str:
    """Return what to do about another number of bounds than features: a table may be a recording."""
    n_timesteps, n_features = arrays[0].shape
    if n_features == 1 and bound.shape == (n_timesteps,) and all(len(array) == n_timesteps for array in arrays):
        return (
            f"Each row of X is read as a sequence of {n_timesteps} timesteps of one feature. If X is one recording of "
            f"{n_timesteps} features, pass [X]."
        )
    return f"Pass {name}= with {counted(n_features, 'number')}, in the order of the features."


def _numbers(given: npt.ArrayLike | None, name: str, n_features: int) -> np.ndarray:
    try:
        bound = as_array(given)
        # NumPy reads text and truth values as numbers, also those in arrays of objects, and drops imaginary parts.
        no_numbers = any(isinstance(each, (str, bytes, bool, np.bool_)) for each in bound.ravel().tolist())
        if bound.dtype.kind in "iufO" and not no_numbers:
            return bound.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(_message(given, name, n_features)) from error
    raise ValueError(_message(given, name, n_features))


def _message(given: object, name: str, n_features: int) -> str:
    # On one line: arrays and series are shown on several.
    shown = " ".join(repr(given).split())[:100]
    is_mapping = isinstance(given, Mapping)
    by_name = f" By the names of columns: {name}=pandas.Series({{...}}), for a data frame." if is_mapping else ""
    return (
        f"Got {name}={shown}, expected a number from 0, or one for each of "
        f"{counted(n_features, 'feature')}.{by_name} For a share of the range of each feature, such as 1 %, pass "
        f"max_relative_error=0.01."
    )
