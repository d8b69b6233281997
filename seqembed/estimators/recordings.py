"""Recordings as users pass them to the search for events: one, a list, a mapping, or a data frame in long format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from seqembed.estimators.detector import ReconstructionDetector, fitted_timesteps
from seqembed.estimators.event_table import taken_times
from seqembed.sequences.containers import as_numbers, column_labels, in_memory, is_frame, listed
from seqembed.sequences.long_format import check_is_one_name, read_long_format
from seqembed.sequences.sources import is_result_of_sliding_windows
from seqembed.sequences.times import check_levels, holds_dates, plain_times, times_of_rows
from seqembed.sequences.windows import holds_recordings
from seqembed.sequences.wording import counted


class Recordings(NamedTuple):
    """Several recordings with their names.

    Parameters
    ----------
    column : str
        Name of the column of the names in a table of events.
    names : list
        Names of the recordings.
    recordings : list of array-likes
        Their rows.
    times : list of array-likes or of None
        Times of their rows, if they were given.
    sources : list of str
        Each recording in the user's code, for messages.
    positions : list of int arrays of shape (n_rows,), default=None
        Rows of each recording in the data frame that holds them all.
    """

    column: str
    names: list[Any]
    recordings: list[Any]
    times: list[Any]
    sources: list[str]
    positions: list[np.ndarray] | None = None


def in_memory_by_name(recording: Any) -> Any:
    """Return one recording or several as `recordings_by_name` takes them: several as a list or a mapping.

    Parameters
    ----------
    recording : object
        As given to `seqembed.detect_events`.

    Returns
    -------
    recording : object
        See `seqembed.sequences.containers.listed`.

    Raises
    ------
    TypeError
        For what holds no recordings, such as a path or the result of `sliding_windows`.

    Examples
    --------
    >>> in_memory_by_name({"a": [1.0, 2.0]}.values()), in_memory_by_name({"a": [1.0, 2.0]})
    ([[1.0, 2.0]], {'a': [1.0, 2.0]})
    """
    if is_result_of_sliding_windows(recording):
        raise TypeError(
            "Got recording= as the result of sliding_windows, expected the recording that was cut. Pass what "
            "sliding_windows got: detect_events cuts the windows."
        )
    if isinstance(recording, Mapping):
        return {name: in_memory(rows) for name, rows in recording.items()}
    return listed(recording, "recording")


def recordings_by_name(
    detector: ReconstructionDetector, recording: Any, time: Any, id: str | None
) -> Recordings | None:
    """Return several recordings as lists.

    Parameters
    ----------
    detector : ReconstructionDetector
        Fitted. It names the columns of values of a data frame in long format.
    recording : object
        From `in_memory_by_name`.
    time, id
        As given to `seqembed.detect_events`.

    Returns
    -------
    recordings : Recordings or None
        None for a single recording.

    Raises
    ------
    ValueError, TypeError
        For no recording, for other times than one array for each, and for frames that `sequences_from_frame` refuses.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.utils import Bunch
    >>> recordings = recordings_by_name(Bunch(), {"a": np.zeros(5), "b": np.zeros(9)}, time=None, id=None)
    >>> recordings.column, recordings.names, recordings.sources
    ('recording', ['a', 'b'], ["recording['a']", "recording['b']"])
    """
    if id is not None:
        return _of_long_frame(detector, recording, time, id)
    if isinstance(recording, Mapping):
        if not recording:
            raise ValueError(
                "Got recording= as an empty mapping, expected at least one recording. Check how it was made."
            )
        if time is not None and not (isinstance(time, Mapping) and time.keys() >= recording.keys()):
            raise ValueError(
                f"Got recording= as a mapping with time= of type {type(time).__name__}, expected a mapping of the same "
                f"{counted(len(recording), 'name')}. Pass time={{name: times of this recording, ...}}."
            )
        names = list(recording)
        times = [None if time is None else time[name] for name in names]
        return Recordings(
            "recording", names, list(recording.values()), times, [f"recording[{name!r}]" for name in names]
        )
    if not holds_recordings(recording, "recording"):
        return None
    if time is not None and (not isinstance(time, (list, tuple)) or len(time) != len(recording)):
        of_length = f" of length {len(time)}" if isinstance(time, (list, tuple)) else ""
        raise ValueError(
            f"Got time= of type {type(time).__name__}{of_length} for recording= with "
            f"{counted(len(recording), 'recording')}, expected a list of one array per recording. Pass time=[...]."
        )
    positions = range(len(recording))
    times = [None] * len(recording) if time is None else list(time)
    return Recordings(
        "recording", list(positions), list(recording), times, [f"recording[{each}]" for each in positions]
    )


def _of_long_frame(detector: ReconstructionDetector, frame: Any, time: Any, id: str) -> Recordings:
    if not is_frame(frame):
        raise TypeError(
            f"Got id={id!r} with recording= of type {type(frame).__name__}, expected a data frame in long format. For "
            f"a list or a mapping of recordings, leave out id=."
        )
    existing = list(frame.columns)
    check_is_one_name(id, existing, "id", "recording")
    if time is None or not isinstance(time, str):
        raise TypeError(
            f"Got id={id!r} with time= of type {type(time).__name__}, expected the name of the column of times, one of "
            f"{existing[:10]}. An index becomes a column with recording.reset_index()."
        )
    if id in ("start", "end", "start_time", "end_time", "score", "severity", "found_by", "features", "window"):
        raise ValueError(
            f"Got id={id!r}, expected another name than those of the columns of the table of events. Pass "
            f"recording.rename(columns={{{id!r}: 'machine'}})."
        )
    # The names of a table are those of timesteps.
    fitted = getattr(detector, "feature_names_in_", None) if detector.input_ndim_ == 3 else None
    columns = None if fitted is None else list(fitted)
    absent = [name for name in [id, time, *(columns or [])] if name not in existing]
    if absent:
        levels = getattr(getattr(frame, "index", None), "names", ())
        if any(name in levels for name in absent):
            raise ValueError(
                f"Got recording= with {[name for name in absent if name in levels]} in its index, expected columns. "
                f"Pass recording.reset_index()."
            )
        raise ValueError(
            f"Got recording= without the {'column' if len(absent) == 1 else 'columns'} {absent[:10]}, expected those "
            f"of id=, time= and of the windows that the detector was fitted on. Choose id= and time= from "
            f"{existing[:10]}, or rename columns."
        )
    layout = read_long_format(frame, id, time, columns, max_gap=None, freq=None)
    positions = np.split(layout.order, layout.starts[1:])
    times = taken_times(layout.frame.get_column(time).to_native())
    values = layout.frame[layout.columns]
    names = layout.ids(id).tolist()
    return Recordings(
        id,
        names,
        [values[rows].to_native() for rows in positions],
        [times.take(rows) for rows in positions],
        [f"recording[recording[{id!r}] == {name!r}]" for name in names],
        positions,
    )


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
    fitted = getattr(detector, "feature_names_in_", None)
    # The names of a table are those of timesteps.
    fitted = None if detector.input_ndim_ == 2 else fitted
    check_levels(recording, name)
    try:
        rows = as_numbers(recording, name)
    except ValueError as error:
        others = _columns_without_numbers(recording) if is_frame(recording) else {}
        # A sensor among them is to be mended, not left out.
        if not others or (fitted is not None and set(fitted) & set(others)):
            raise
        raise ValueError(_message_for_columns(others, name, hasattr(recording, "set_index"))) from error
    n_features = 1 if detector.input_ndim_ == 2 else detector.n_features_in_
    if rows.ndim not in (1, 2):
        raise ValueError(
            f"Got {name}= of shape {rows.shape}, expected (n_rows, n_features) or (n_rows,). Pass several recordings "
            f"as a list: list({name})."
        )
    rows = rows[:, np.newaxis] if rows.ndim == 1 else rows
    if rows.shape[1] != n_features:
        columns = "detector.feature_names_in_" if fitted is not None and is_frame(recording) else ":, columns"
        row = f"{name}.to_frame().T" if hasattr(recording, "to_frame") else f"{name}[numpy.newaxis]"
        raise ValueError(
            f"Got {name}= of {counted(rows.shape[1], 'feature')}, expected {n_features}, as the detector was fitted "
            f"on. Select them: {name}[{columns}]. A single row is {row}."
        )
    infinite = np.flatnonzero(np.isinf(rows).any(axis=1)) if rows.dtype.kind == "f" else np.zeros(0, int)
    if len(infinite):
        raise ValueError(
            f"Got {name}= with infinity in row {infinite[0]}, expected finite values. Mark missing values with NaN."
        )
    names = column_labels([recording])
    if names is not None and fitted is not None and names != list(fitted):
        line = f"{name}[detector.feature_names_in_]"
        missing = [each for each in fitted if each not in names]
        if missing:
            other = next(each for each in names if each not in fitted)
            line = f"{name}.rename(columns={{{other!r}: {missing[0]!r}}}), if these are the same"
        raise ValueError(
            f"Got {name}= with the columns {names[:10]}, expected {list(fitted)[:10]}, as the detector was fitted "
            f"on. Pass {line}."
        )
    if names is None:
        names = list(range(n_features)) if fitted is None else list(fitted)
    return rows, names


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
