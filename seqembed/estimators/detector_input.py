"""Checks of what a fitted detector judges: rows of a recording, and their times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from seqembed.estimators.detector import ReconstructionDetector, fitted_names, fitted_timesteps
from seqembed.sequences.containers import as_numbers, column_labels, is_frame, is_table_of_arrow
from seqembed.sequences.times import check_levels, holds_dates, plain_times, times_of_rows
from seqembed.sequences.wording import counted


def check_detector(detector: Any) -> None:
    """Refuse what is no fitted detector.

    Raises
    ------
    TypeError
        For anything else, such as the estimator inside of a detector.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    """
    if not isinstance(detector, ReconstructionDetector):
        is_estimator = hasattr(detector, "fit") and not isinstance(detector, type)
        made = f"ReconstructionDetector({type(detector).__name__}(...))" if is_estimator else "ReconstructionDetector()"
        raise TypeError(
            f"Got detector= of type {type(detector).__name__}, expected a fitted ReconstructionDetector. Pass "
            f"{made}.fit(windows)."
        )
    check_is_fitted(detector)


def check_timesteps(detector: ReconstructionDetector, timesteps: int) -> None:
    """Refuse windows of another length than the fitted ones, if the detector reads no other.

    Parameters
    ----------
    detector : ReconstructionDetector
        Fitted.
    timesteps : int
        Rows of a window.

    Raises
    ------
    ValueError
        For another length.
    """
    expected = fitted_timesteps(detector)
    if expected is not None and timesteps != expected:
        raise ValueError(
            f"Got timesteps={timesteps}, expected {expected}: the detector was fitted on windows of "
            f"{counted(expected, 'row')}. Pass timesteps={expected}, which is detector.n_timesteps_."
        )


def checked_rows(detector: ReconstructionDetector, recording: Any, name: str) -> tuple[np.ndarray, list[Any]]:
    """Check rows against the sequences that a detector was fitted on.

    Parameters
    ----------
    detector : ReconstructionDetector
        Fitted.
    recording : array-like of shape (n_rows, n_features) or (n_rows,)
        The rows.
    name : str
        Name of the recording in the user's code, for messages.

    Returns
    -------
    rows : array of shape (n_rows, n_features)
        A view where possible.
    names : list
        Names of the features, by default those that the detector was fitted on, or their numbers.

    Raises
    ------
    ValueError
        For another number of dimensions or features, for columns that hold no numbers or have other names, and for
        infinity.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed import LSTMReconstructor
    >>> windows = np.random.default_rng(0).normal(size=(12, 5, 2))
    >>> detector = ReconstructionDetector(LSTMReconstructor(3, hidden_units=(), epochs=1)).fit(windows)
    >>> checked_rows(detector, [[1, 2], [3, 4]], name="recording")
    (array([[1, 2],
           [3, 4]]), [0, 1])
    """
    fitted = fitted_names(detector)
    check_levels(recording, name)
    try:
        rows = as_numbers(recording, name)
    except ValueError as error:
        others = _columns_without_numbers(recording) if is_frame(recording) else {}
        # A sensor among them is to be mended, not left out.
        if not others or (fitted is not None and set(fitted) & set(others)):
            raise
        raise ValueError(_message_for_columns(others, name, hasattr(recording, "set_index"))) from error
    n_features = len(detector.feature_scales_)
    if rows.ndim not in (1, 2):
        several = f"Pass several recordings as a list: list({name})."
        if name == "rows":
            several = "Begin a stream for each recording."
        raise ValueError(
            f"Got {name}= of shape {rows.shape}, expected (n_rows, n_features) or (n_rows,). {several} If these are "
            f"windows, pass the recording that they were cut from."
        )
    rows = rows[:, np.newaxis] if rows.ndim == 1 else rows
    if rows.shape[1] != n_features:
        columns = "columns" if is_frame(recording) else ":, columns"
        if fitted is not None and is_frame(recording):
            columns = "detector.feature_names_in_"
        row = f"{name}.to_frame().T" if hasattr(recording, "to_frame") else f"{name}[numpy.newaxis]"
        single = "" if is_frame(recording) else f" A single row is {row}."
        raise ValueError(
            f"Got {name}= of {counted(rows.shape[1], 'feature')}, expected {n_features}, as the detector was fitted "
            f"on. Select them: {name}[{columns}].{single}"
        )
    infinite = np.flatnonzero(np.isinf(rows).any(axis=1)) if rows.dtype.kind == "f" else np.zeros(0, int)
    if len(infinite):
        raise ValueError(
            f"Got {name}= with infinity in row {infinite[0]}, expected finite values. Mark missing values with NaN."
        )
    names = column_labels([recording])
    if names is not None and fitted is not None and names != fitted:
        line = f"{name}[detector.feature_names_in_]"
        missing = [each for each in fitted if each not in names]
        if missing:
            other = next(each for each in names if each not in fitted)
            line = f"{name}.rename(columns={{{other!r}: {missing[0]!r}}}), if these are the same"
        raise ValueError(
            f"Got {name}= with the columns {names[:10]}, expected {fitted[:10]}, as the detector was fitted on. "
            f"Pass {line}."
        )
    if names is None:
        names = list(range(n_features)) if fitted is None else fitted
    return rows, names


@contextmanager
def lines_of_pandas(given: Any, name: str) -> Iterator[None]:
    """Add to errors how a table of Arrow becomes the data frame as which it is read: their lines are of pandas.

    Parameters
    ----------
    given : object
        Rows, as the user gave them.
    name : str
        Their name in the user's code.

    Examples
    --------
    >>> with lines_of_pandas([1.0], "rows"):
    ...     pass
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        if is_table_of_arrow(given):
            error.add_note(f"A table of Arrow is read as a data frame. Begin with {name} = {name}.to_pandas().")
        raise


def check_places_of_columns(columns: list[Any] | None, before: list[Any] | None, name: str, line: str) -> None:
    """Refuse a data frame in which a column stands in another place than in the data frame before.

    A detector that was fitted on arrays knows no names, and would take one sensor for another.

    Parameters
    ----------
    columns, before : list or None
        Labels of the columns of both, and None for arrays. Other labels are no mistake: sensors of another machine may
        have names of their own.
    name : str
        Name of the recording in the user's code, for messages.
    line : str
        The line that puts the columns in order.

    Raises
    ------
    ValueError
        For such a data frame.

    Examples
    --------
    >>> check_places_of_columns(["flow", "heat"], None, "rows", "rows[columns]")
    >>> check_places_of_columns(["flow", "heat"], ["heat", "flow"], "rows", "rows[columns]")
    Traceback (most recent call last):
    ValueError: Got rows= with the columns ['flow', 'heat'] after ['heat', 'flow'], expected each column in the same ...
    """
    if columns is None or before is None or columns == before:
        return
    if any(column in before and before.index(column) != place for place, column in enumerate(columns)):
        raise ValueError(
            f"Got {name}= with the columns {columns[:10]} after {before[:10]}, expected each column in the same place: "
            f"the detector was fitted without names. Pass {line}."
        )


def _columns_without_numbers(frame: Any) -> dict[Any, bool]:
    """Return the columns that hold no numbers, and whether each holds dates."""
    others = {}
    for column in frame.columns:
        try:
            as_numbers(frame[column], "column")
        except (TypeError, ValueError):
            others[column] = plain_times(frame[column]).dtype.kind == "M"
    return others


def _message_for_columns(others: dict[Any, bool], name: str, has_index: bool) -> str:
    """Say what to do about columns that hold no numbers: they are often the machine and the time of each row."""
    text = [column for column, holds_dates in others.items() if not holds_dates]
    dates = [column for column, holds_dates in others.items() if holds_dates]
    # Each recording of a mapping or a list has them.
    line = "rows" if name.startswith("recording[") else name
    if has_index:
        line += f".set_index({dates[0]!r})" if dates else ""
        left_out = text + dates[1:]
        line += f".drop(columns={(left_out[0] if len(left_out) == 1 else left_out)!r})" if left_out else ""
    else:
        time_of = f", with time={line}[{dates[0]!r}]" if dates else ""
        line += f".drop({list(others)!r}){time_of}"
    if name == "recording":
        id, time = (repr(columns[0]) if columns else "..." for columns in (text, dates))
        line = f"{line}, or, for rows of several machines, id={id} and time={time}"
    return (
        f"Got {name}= with the {'column' if len(others) == 1 else 'columns'} {list(others)[:10]} of text or dates, "
        f"expected columns of numbers. Pass {line}."
    )


def known_times(
    recording: Any, time: Any, n_rows: int, name: str, *, needed_for: str | None = None
) -> tuple[np.ndarray | None, Any]:
    """Return the times of rows, if they are given or the index of a data frame holds dates.

    Parameters
    ----------
    recording : object
        The recording, as the user gave it.
    time : array-like of shape (n_rows,) or None
        The times, if they were given.
    n_rows : int
        Rows of the recording.
    name : str
        Name of the recording in the user's code, for messages.
    needed_for : str, default=None
        The parameter that needs times. Then any index counts as times, and rows without times are refused.

    Returns
    -------
    times : array of shape (n_rows,) or None
        See `seqembed.sequences.times.checked_times`.
    given : array-like of shape (n_rows,) or None
        As the user gave them.

    Raises
    ------
    ValueError
        See `seqembed.sequences.times.times_of_rows`.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"flow": [1.0, 2.0]}, index=pd.date_range("2026-01-01", periods=2))
    >>> known_times(frame, None, 2, "recording")[0].astype("M8[D]")
    array(['2026-01-01', '2026-01-02'], dtype='datetime64[D]')
    >>> known_times([1.0, 2.0], None, 2, "recording")
    (None, None)
    """
    index = getattr(recording, "index", None)
    if time is None and needed_for is None and not holds_dates(index):
        return None, None
    times = times_of_rows(recording, time, n_rows, name, needed_for or "max_gap")
    return times, index if time is None else time
