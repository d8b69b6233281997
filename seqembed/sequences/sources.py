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
        For text and paths, for a group of zarr, for lazy frames: of polars and dask, and relations of duckdb, and for
        the result of `sliding_windows`.

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
    reader = _READERS.get((kind.__module__.partition(".")[0], kind.__name__))
    if reader is not None:
        owner = name.removesuffix("=") if name.endswith("=") else "its "
        raise TypeError(
            f"Got {name} of type {kind.__name__}, which is lazy, expected values in memory. Pass {owner}.{reader}()."
        )


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
