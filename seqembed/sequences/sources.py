"""Sources of values that are not values themselves: paths, groups of arrays, lazy frames, windows with their starts."""

from __future__ import annotations

import os
from typing import Any

# The method that reads the values, by package and type. The packages themselves need not be imported.
_READERS = {
    ("polars", "LazyFrame"): "collect",
    ("dask", "DataFrame"): "compute",
    ("duckdb", "DuckDBPyRelation"): "df",
    ("_duckdb", "DuckDBPyRelation"): "df",
}
# What groupby of pandas, and group_by of polars, return.
_GROUPS = frozenset([("pandas", "DataFrameGroupBy"), ("pandas", "SeriesGroupBy"), ("polars", "GroupBy")])
_FROM_GROUPS = (
    "Pass [group[columns] for key, group in groups], with the columns of features, or pass the frame itself to "
    "sequences_from_frame(frame, id=..., time=...)."
)


def check_is_no_source(values: Any, name: str) -> None:
    """Refuse a source of values with the line that reads it.

    Parameters
    ----------
    values : object
        The user's input, or an item of it.
    name : str
        What it is called in errors: "X=", "frame=", or a description such as "sequence 3".

    Raises
    ------
    TypeError
        For text and paths, for a group of zarr, for lazy frames: of polars and dask, and relations of duckdb, for the
        groups of a frame, alone or beside their keys, and for the result of `sliding_windows`.

    Examples
    --------
    >>> check_is_no_source([[1.0, 2.0]], "X=")
    >>> check_is_no_source("flow.npy", "X=")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    TypeError: Got X= as 'flow.npy', expected an array. Read the file first: numpy.load(path), ...
    """
    if isinstance(values, (str, bytes, os.PathLike)):
        raise TypeError(
            f"Got {name} as {repr(values)[:60]}, expected an array. Read the file first: numpy.load(path), "
            f"zarr.open_array(path) or pandas.read_csv(path)."
        )
    if is_result_of_sliding_windows(values):
        raise TypeError(
            f"Got {name} as the result of sliding_windows, expected its windows. Pass sliding_windows(...).windows."
        )
    kind = type(values)
    if hasattr(values, "array_keys"):
        arrays = sorted(values.array_keys())
        remedy = f"one of its arrays, such as group[{arrays[0]!r}]" if arrays else "an array of one of its groups"
        raise TypeError(
            f"Got {name} of type {kind.__name__}, which holds the arrays {arrays[:10]}, expected an array. Pass "
            f"{remedy}."
        )
    origin = (kind.__module__.partition(".")[0], kind.__name__)
    if origin in _GROUPS:
        raise TypeError(
            f"Got {name} of type {kind.__name__}, which holds pairs of a key and a group, expected the groups alone. "
            f"{_FROM_GROUPS}"
        )
    if _is_key_and_group(values):
        raise TypeError(f"Got {name} as a pair of a key and a group, expected the group alone. {_FROM_GROUPS}")
    reader = _READERS.get(origin)
    if reader is not None:
        owner = name.removesuffix("=") if name.endswith("=") else "its "
        raise TypeError(
            f"Got {name} of type {kind.__name__}, which is lazy, expected values in memory. Pass {owner}.{reader}()."
        )


def _is_key_and_group(values: Any) -> bool:
    """Tell whether values are what iterating over the groups of a frame gives."""
    if type(values) is not tuple or len(values) != 2 or not hasattr(values[1], "to_numpy"):
        return False
    # A key is a text, a number, a date, or a tuple of such. Sequences beside their labels have a length.
    return isinstance(values[0], (str, tuple)) or not hasattr(values[0], "__len__")


def is_result_of_sliding_windows(values: Any) -> bool:
    """Tell whether windows come with their starts and labels.

    Examples
    --------
    >>> from seqembed import sliding_windows
    >>> result = sliding_windows([1, 2, 3], timesteps=2)
    >>> is_result_of_sliding_windows(result), is_result_of_sliding_windows(result.windows)
    (True, False)
    """
    return isinstance(values, tuple) and getattr(values, "_fields", None) == ("windows", "starts", "y")
