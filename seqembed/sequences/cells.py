"""Cells of data frames, and of arrays of objects, that hold arrays."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np

# Cells that are looked at in a column. The first ones may be missing.
_LOOKED_AT = 100


def first_array(values: Iterable[Any]) -> Any:
    """Return the first cell that is an array or a list, and None if none of the first 100 is.

    Examples
    --------
    >>> first_array([None, [1.0, 2.0]]), first_array([1.0, 2.0])
    ([1.0, 2.0], None)
    """
    return next((cell for cell in islice(values, _LOOKED_AT) if isinstance(cell, (list, tuple)) or np.ndim(cell)), None)


def check_cells(values: Any, column: Any, name: str, n_columns: int) -> None:
    """Refuse a column of a data frame whose cells are arrays.

    NumPy would stack them, with the columns of the frame in the place of timesteps.

    Parameters
    ----------
    values : series
        The column.
    column : object
        Its label.
    name : str
        What the frame is called in errors: "X" if its rows are sequences, or a description such as "sequence 3".
    n_columns : int
        Columns of the frame.

    Raises
    ------
    ValueError
        For such a column, with the line that takes the sequences out of the frame.

    Examples
    --------
    >>> import pandas as pd
    >>> check_cells(pd.Series([1.0, 2.0]), "flow", "X", n_columns=1)
    >>> check_cells(pd.Series([[1.0], [2.0, 3.0]]), "flow", "X", n_columns=1)
    Traceback (most recent call last):
    ValueError: X is a data frame whose column 'flow' holds arrays, such as one of length 1, expected numbers. ...
    """
    # Not a slice: in an index of floats, pandas 2 reads its ends as labels.
    first = np.asarray(values.head(1))
    if first.ndim == 1 and first.dtype.kind in "biuf":
        return
    cell = first_array(values)
    if cell is None:
        return
    if name != "X":
        remedy = f"Give each of their numbers a column of its own: np.stack(list(frame[{column!r}]))."
    elif n_columns == 1:
        remedy = f"Pass its cells, if each is a sequence: list(X[{column!r}])."
    else:
        remedy = (
            "If each row is a sequence, and each column a feature, pass [np.stack(list(row), axis=1) for row in "
            "X.to_numpy()]."
        )
    raise ValueError(
        f"{name[0].upper()}{name[1:]} is a data frame whose column {column!r} holds arrays, such as one of length "
        f"{len(cell)}, expected numbers. {remedy}"
    )


def check_cells_of_array(array: np.ndarray, cell: Any, name: str) -> None:
    """Refuse an array of several dimensions whose cells are arrays.

    Parameters
    ----------
    array : array of objects
        The array.
    cell : object
        One of its cells.
    name : str
        What the array is called in errors, in capitals: "X" if its rows are sequences, or such as "Sequence 3".

    Raises
    ------
    ValueError
        For such an array, with the line that takes the sequences out of it.

    Examples
    --------
    >>> check_cells_of_array(np.array([[1.0, None]], object), 1.0, "X")
    """
    if array.ndim < 2 or not np.ndim(cell):
        return
    remedy = "Give each of their numbers a column of its own."
    if name == "X" and array.ndim == 2 and array.shape[1] == 1:
        remedy = "Pass its cells, if each is a sequence: list(X[:, 0])."
    elif name == "X" and array.ndim == 2:
        remedy = (
            "If each row is a sequence, and each column a feature, pass [np.stack(list(row), axis=1) for row in X]. "
            "If each cell is a sequence, pass list(X.ravel())."
        )
    raise ValueError(
        f"{name} is an array of shape {array.shape} whose cells are arrays, such as one of length {len(cell)}, "
        f"expected numbers. {remedy}"
    )
