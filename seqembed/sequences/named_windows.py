"""Windows that know the names of the columns that they were cut from."""

from __future__ import annotations

from typing import Any

import numpy as np


class NamedWindows(np.ndarray):
    """Windows of a data frame: an array with the names of its features.

    A selection of windows keeps the names. Every other operation gives an array without names, since it may change the
    order or the meaning of the features.

    Attributes
    ----------
    names : tuple of str, or None
        Names of the features, on the last axis.

    Examples
    --------
    >>> windows = named_windows(np.zeros((5, 3, 2)), ("flow", "heat"))
    >>> windows[:2].names, windows[[0, 3]].names, windows[:, :, ::-1].names
    (('flow', 'heat'), ('flow', 'heat'), None)
    """

    names: tuple[str, ...] | None

    def __array_finalize__(self, source: Any) -> None:
        self.names = None

    def __getitem__(self, key: Any) -> Any:
        chosen = super().__getitem__(key)
        if isinstance(chosen, NamedWindows) and _selects_windows(key):
            chosen.names = self.names
        return chosen

    def __array_wrap__(self, array: np.ndarray, context: Any = None, return_scalar: bool = False) -> Any:
        # The results of operations are plain arrays and numbers.
        return array[()] if return_scalar else np.asarray(array)

    def __copy__(self) -> NamedWindows:
        return named_windows(np.array(self, copy=True), self.names)

    def __deepcopy__(self, memo: Any) -> NamedWindows:
        return named_windows(np.array(self, copy=True), self.names)

    def __reduce__(self) -> tuple[Any, ...]:
        return named_windows, (np.asarray(self), self.names)


def named_windows(windows: np.ndarray, names: tuple[str, ...] | None) -> NamedWindows:
    """View windows as windows with names.

    Parameters
    ----------
    windows : array of shape (n_windows, n_timesteps, n_features)
        The windows.
    names : tuple of str, or None
        Names of the features.

    Returns
    -------
    windows : NamedWindows
        A view.
    """
    view = windows.view(NamedWindows)
    view.names = names
    return view


def _selects_windows(key: Any) -> bool:
    """Tell whether an index selects on the first axis alone, and keeps this axis."""
    first, *others = key if isinstance(key, tuple) else (key,)
    is_selection = isinstance(first, slice) or (isinstance(first, (list, np.ndarray)) and np.ndim(first) == 1)
    # An array among the others has no single truth value when it is compared.
    return is_selection and all(
        other is Ellipsis or (isinstance(other, slice) and other == slice(None)) for other in others
    )
