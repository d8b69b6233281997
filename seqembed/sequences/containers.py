"""Conversion of containers (masked arrays, data frames, series, tensors) to arrays of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MappingView
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from seqembed.extras import import_extra
from seqembed.sequences.cells import check_cells, check_cells_of_array, first_array
from seqembed.sequences.named_windows import NamedWindows
from seqembed.sequences.sources import check_is_no_source

# A collection of sequences, as users pass it: an array, a frame, a list of them, or batches that can be iterated.
SequencesLike: TypeAlias = npt.ArrayLike | Iterable[npt.ArrayLike]

# Names of the types that pandas uses for a missing value; pandas itself need not be imported.
_MISSING = ("NAType", "NaTType")
# What a masked value becomes, by the kind of dtype. NumPy chooses a dtype that holds it.
_MISSING_VALUES: dict[str, Any] = {
    **dict.fromkeys("biufO", np.nan),
    **dict.fromkeys("mM", "NaT"),
    **dict.fromkeys("SU", None),
}
# NumPy reads text as numbers, and dates as durations since 1970.
_NO_NUMBERS = (str, bytes, np.datetime64, np.timedelta64)

_DATES = (
    "{} holds dates or durations {}, expected numbers. Leave them out, or pass seconds: (times - times[0]) / "
    "np.timedelta64(1, 's')."
)
_TEXT = (
    "{} holds text, {}, expected numbers. Leave it out, or {}. A table with a row for each time of each id becomes "
    "sequences with sequences_from_frame(frame, id=..., time=...)."
)


def listed(X: Any, name: str = "X=") -> Any:
    """Return a container of sequences as a list, and anything else as it is.

    Parameters
    ----------
    X : object
        The user's input.
    name : str, default="X="
        What it is called in errors.

    Returns
    -------
    X : object
        A list for a view of a mapping such as ``sequences.values()``, for a one-dimensional array of arrays, for a
        pandas or polars series of lists or arrays, and for an Arrow array of lists. Dask's arrays and frames, alone or
        in a list, are in memory, and tables of Arrow are data frames. The sequences of a data frame are returned as
        they are, with their columns.

    Raises
    ------
    TypeError
        For a mapping, for a ragged tensor, and for what `seqembed.sequences.sources.check_is_no_source` refuses.

    Examples
    --------
    >>> listed({"a": [1.0, 2.0], "b": [3.0]}.values())
    [[1.0, 2.0], [3.0]]
    """
    X = in_memory(X)
    check_is_no_source(X, name)
    # Some sparse matrices are mappings.
    if isinstance(X, Mapping) and not issparse(X):
        raise TypeError(
            f"Got {name} of type {type(X).__name__}, expected sequences. Pass list(X.values()) if each is a sequence, "
            f"and numpy.stack(list(X.values()), axis=-1) if each is a feature of all sequences."
        )
    if hasattr(X, "nested_row_splits"):
        raise TypeError(
            f"Got {name} of type {type(X).__name__}, expected an array or a list of arrays. Pass [x.numpy() for x in "
            f"X]."
        )
    if _is_of_frame(X):
        return X
    return [in_memory(each) for each in X] if _holds_sequences(X) else X


def _is_of_frame(X: Any) -> bool:
    """Tell whether X is a `seqembed.FrameSequences`, a list with columns, which is made further up."""
    return isinstance(X, list) and hasattr(X, "columns")


def _holds_sequences(X: Any) -> bool:
    """Tell whether a container holds sequences as objects: it becomes a list."""
    if isinstance(X, np.ndarray):
        return X.ndim == 1 and X.dtype == object
    # The views of values and of items can be iterated.
    if isinstance(X, (list, tuple)) or (isinstance(X, MappingView) and isinstance(X, Iterable)):
        return True
    is_series = hasattr(X, "to_list") and getattr(X, "shape", ()) == (len(X),)
    # A join leaves NaN where an id has no sequence.
    return is_series and first_array(X) is not None


def in_memory(X: Any) -> Any:
    """Compute a dask array or data frame, convert an array or a table of Arrow, and return anything else as it is.

    Examples
    --------
    >>> import dask.array
    >>> in_memory(dask.array.ones(2))
    array([1., 1.])
    """
    # NumPy's own conversion would lose the mask of an array and the names of columns.
    if hasattr(X, "__dask_graph__") and hasattr(X, "compute"):
        return X.compute()
    if is_table_of_arrow(X):
        # NumPy's own conversion would lose the names of a table of Arrow.
        import_extra("pandas", extra="frames")
        return X.to_pandas()
    return _array_of_arrow(X) if hasattr(X, "to_pylist") and hasattr(X, "type") else X


def is_table_of_arrow(X: Any) -> bool:
    """Tell whether X is a table of Arrow, or a batch of its rows.

    Examples
    --------
    >>> import pyarrow
    >>> is_table_of_arrow(pyarrow.table({"flow": [1.0]})), is_table_of_arrow([1.0])
    (True, False)
    """
    return hasattr(X, "to_pydict") and hasattr(X, "column_names")


def _array_of_arrow(X: Any) -> np.ndarray:
    if not hasattr(X.type, "shape"):
        return np.asarray(X)
    # Tensors, whose shape NumPy's conversion would lose.
    tensors: np.ndarray = (X.combine_chunks() if hasattr(X, "combine_chunks") else X).to_numpy_ndarray()
    return tensors


def is_frame(X: Any) -> bool:
    """Tell whether X is a data frame of pandas, polars or a library like them.

    Examples
    --------
    >>> import pandas as pd
    >>> is_frame(pd.DataFrame({"chunks": [1.0]})), is_frame([1.0])
    (True, False)
    """
    # In this order: a lazy frame of polars has no to_numpy, and warns if it is asked for its columns.
    return hasattr(X, "to_numpy") and hasattr(X, "columns") and hasattr(X, "dtypes")


def check_same_columns(X: list[Any]) -> None:
    """Refuse a list of data frames whose columns differ in their names or their order.

    Raises
    ------
    ValueError
        For such a list.

    Examples
    --------
    >>> import pandas as pd
    >>> check_same_columns([pd.DataFrame({"a": [1], "b": [2]}), pd.DataFrame({"a": [3], "b": [4]})])
    """
    frames = [(position, list(frame.columns)) for position, frame in enumerate(X) if is_frame(frame)]
    for position, columns in frames:
        first, expected = frames[0]
        if columns != expected:
            raise ValueError(
                f"Sequence {position} has the columns {columns[:10]} and sequence {first} has {expected[:10]}: "
                f"expected the same columns in the same order. Pass [frame[X[{first}].columns] for frame in X]."
            )


def column_labels(X: Any) -> list[Any] | None:
    """Return the labels of the columns of a data frame, of the first one in a list, of windows, or of sequences of one.

    They are None without any.

    Examples
    --------
    >>> import pandas as pd
    >>> column_labels([pd.DataFrame({"flow": [1.0]})]), column_labels([[1.0]])
    (['flow'], None)
    """
    if isinstance(X, NamedWindows):
        return None if X.names is None else list(X.names)
    if _is_of_frame(X):
        return list(X.columns)
    frames = filter(is_frame, X if isinstance(X, (list, tuple)) else [X])
    return next((list(frame.columns) for frame in frames), None)


def column_names(X: Any) -> tuple[str, ...] | None:
    """Return the labels of columns if they are names, as scikit-learn decides it: all of them are text.

    Parameters
    ----------
    X : object
        The user's input: a data frame, a list that holds some, windows of one, or anything else.

    Returns
    -------
    names : tuple of str, or None
        None for columns that are numbered, and without columns.

    Raises
    ------
    TypeError
        For labels of which some are text and others are not.

    Examples
    --------
    >>> import pandas as pd
    >>> column_names(pd.DataFrame({"flow": [1.0], "heat": [2.0]})), column_names(pd.DataFrame([[1.0]]))
    (('flow', 'heat'), None)
    """
    labels = column_labels(X)
    if not labels:
        return None
    kinds = sorted({type(label).__name__ for label in labels})
    if "str" not in kinds:
        return None
    if len(kinds) > 1:
        raise TypeError(
            f"Feature names are only supported if all input features have string names: got names of the types "
            f"{', '.join(kinds)}, expected text alone. Pass frame.rename(columns=str)."
        )
    return tuple(labels)


def as_array(values: Any) -> np.ndarray:
    """Convert to an array as NumPy does, but without reading what lies under a mask.

    Parameters
    ----------
    values : object
        An array, a masked array, anything that NumPy converts to one, or a list of such.

    Returns
    -------
    array : ndarray
        A view where `values` is an array already. What is masked is NaN in numbers, NaT in dates, and None in text.
        Integers and truth values of which some are masked become float64.

    Examples
    --------
    >>> import dask.array
    >>> as_array(dask.array.ma.masked_equal([1, 2, 3], 2))
    array([ 1., nan,  3.])
    >>> as_array([np.ma.masked_equal([1, 2], 2), [3, 4]])
    array([[ 1., nan],
           [ 3.,  4.]])
    """
    return np.asarray(_without_masks(values))


def _without_masks(values: Any) -> Any:
    values = in_memory(values)
    if isinstance(values, (list, tuple)):
        are_numbers = all(issubclass(kind, Real) for kind in set(map(type, values)))
        return values if are_numbers else [_without_masks(each) for each in values]
    if isinstance(values, np.generic) or not hasattr(values, "__array__"):
        return values
    # Not asarray, which returns the data of a masked array, also of one that another container makes.
    array = np.asanyarray(values)
    return _missing_where_masked(array) if isinstance(array, np.ma.MaskedArray) else np.asarray(array)


def _missing_where_masked(array: np.ma.MaskedArray) -> Any:
    mask, data = np.ma.getmaskarray(array), array.data
    if data.dtype.kind not in _MISSING_VALUES or not mask.any():
        return data
    missing = _MISSING_VALUES[data.dtype.kind]
    # A masked element of a list becomes a number, not an array without axes.
    return np.where(mask, np.array(missing, data.dtype) if data.dtype.kind in "fmM" else missing, data)[()]


def as_numbers(values: Any, name: str) -> np.ndarray:
    """Read numbers from any container.

    Parameters
    ----------
    values : object
        An array, masked array, tensor, data frame or nested list.
    name : str
        What it is called in errors, such as "sequence 3".

    Returns
    -------
    array : ndarray
        Of a real dtype, and a view where `values` is such an array already. Masked values, None, pandas.NA and the
        nulls of polars are NaN.

    Raises
    ------
    ValueError
        For dates, text, complex numbers, rows of unequal lengths, and None in the place of an array.
    TypeError
        For sparse matrices, for objects that are not numbers, and for paths and lazy frames.

    Examples
    --------
    >>> import numpy as np
    >>> as_numbers(np.ma.masked_equal([1, 2, 3], 2), "sequence 0")
    array([ 1., nan,  3.])
    """
    values = in_memory(values)
    check_is_no_source(values, name)
    if values is None:
        raise ValueError(
            f"Got {name} as None, expected an array of numbers. Leave it out: [x for x in X if x is not None]."
        )
    if issparse(values):
        raise TypeError(
            f"Sparse data was passed: {name} is a sparse matrix, expected a dense array. Pass its .toarray()."
        )
    if isinstance(values, Mapping):
        raise TypeError(
            f"Got {name} of type {type(values).__name__}, expected an array. Pass the values that it holds."
        )
    if hasattr(values, "__next__"):
        raise TypeError(
            f"Got {name} of type {type(values).__name__}, which can be read only once, expected an array. Pass a list "
            f"of what it gives."
        )
    if is_frame(values):
        return _numbers_of_frame(values, name)
    try:
        array = as_array(values)
    except ValueError as error:
        raise ValueError(
            f"Got {name} that is not an array of numbers of shape (n_timesteps, n_features): "
            f"{str(error).rstrip('.')}. Give each of its timesteps equally many numbers."
        ) from error
    except Exception as error:
        raise TypeError(f"Got {name} of type {type(values).__name__}, which is not an array: {error}") from error
    return _real(array, name)


def _numbers_of_frame(frame: Any, name: str) -> np.ndarray:
    # pandas can have two columns of one name, and polars has no items.
    columns = list(frame.items() if hasattr(frame, "items") else zip(frame.columns, frame, strict=True))
    # Dates beside numbers become numbers in the array of a polars frame, so each column is asked for its kind.
    firsts = (np.asarray(values.head(1)) for _, values in columns)
    if not len(frame) or all(first.dtype.kind in "biuf" and first.ndim == 1 for first in firsts):
        return _real(np.asarray(frame), name)
    for column, values in columns:
        check_cells(values, column, name, len(columns))
    return np.stack([as_numbers(values, f"column {column!r} of {name}") for column, values in columns], axis=1)


def _real(array: np.ndarray, name: str) -> np.ndarray:
    """Return numbers as they are, and objects as float64 numbers."""
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind == "O":
        return _numbers_of_objects(array, name)
    if array.dtype.kind == "c":
        raise ValueError(
            f"Complex data not supported: {name} has dtype {array.dtype}, expected real numbers. Pass its .real and "
            f".imag as two features."
        )
    name = f"{name[0].upper()}{name[1:]}"
    if array.dtype.kind in "mM":
        raise ValueError(_DATES.format(name, f"(dtype {array.dtype})"))
    if array.dtype.kind in "SU":
        first = array.flat[0].item() if array.size else ""
        shown = f"such as {first!r}" if array.size else "though it is empty"
        raise ValueError(_TEXT.format(name, shown, _line_for_text(first)))
    raise ValueError(
        f"{name} has dtype {array.dtype}, expected an array of numbers. A structured array becomes one with "
        f"numpy.lib.recfunctions.structured_to_unstructured(array)."
    )


def _numbers_of_objects(array: np.ndarray, name: str) -> np.ndarray:
    kinds = set(map(type, array.flat))
    if not any(issubclass(kind, _NO_NUMBERS) for kind in kinds):
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError, OverflowError):
            pass
    if {kind.__name__ for kind in kinds} & set(_MISSING):
        known = np.array([np.nan if is_missing(value) else value for value in array.flat], object)
        return _numbers_of_objects(known.reshape(array.shape), name)
    name = f"{name[0].upper()}{name[1:]}"
    found = next(value for value in array.flat if not _is_number(value))
    if isinstance(found, (str, bytes)):
        raise ValueError(_TEXT.format(name, f"such as {found!r}", _line_for_text(found)))
    if any(hasattr(found, name) for name in ("isoformat", "total_seconds")) or np.asarray(found).dtype.kind in "mM":
        raise ValueError(_DATES.format(name, f"(such as {found!r})"))
    check_cells_of_array(array, found, name)
    shapes = {np.shape(value) for value in array.flat}
    if len(shapes) == 1 and np.ndim(found):
        return as_numbers(np.stack([as_numbers(value, name) for value in array.flat]), name)
    if np.ndim(found):
        raise ValueError(
            f"{name} is not an array of numbers of shape (n_timesteps, n_features): its rows hold unequally many "
            f"numbers. Give each of its timesteps equally many numbers."
        )
    raise TypeError(
        f"argument must be a string or a real number: {name} holds objects of type {type(found).__name__}. Pass "
        f"numbers."
    )


def _line_for_text(text: str | bytes) -> str:
    """Return what makes numbers of text, for the message: of a state such as "on", 0 and 1."""
    if not text or _is_written_number(text):
        return "convert numbers that are written as text: pandas.to_numeric(values)"
    return (
        f"make 0 and 1 of a state: values == {text!r}. If other values are numbers that are written as text: "
        f"pandas.to_numeric(values, errors='coerce')"
    )


def _is_written_number(text: str | bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_missing(value: object) -> bool:
    """Tell whether a single value is missing: None, NaN, NaT or pandas.NA.

    Examples
    --------
    >>> is_missing(None), is_missing(float("nan")), is_missing(0)
    (True, True, False)
    """
    return value is None or type(value).__name__ in _MISSING or (isinstance(value, float) and value != value)


def _is_number(value: Any) -> bool:
    if isinstance(value, _NO_NUMBERS):
        return False
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True
