"""Recordings as users pass them to the search for events: one, a list, a mapping, or a data frame in long format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from seqembed.estimators.detector import ReconstructionDetector, fitted_names
from seqembed.estimators.detector_input import check_places_of_columns
from seqembed.estimators.event_table import taken_times
from seqembed.sequences.containers import column_labels, in_memory, is_frame, listed
from seqembed.sequences.frames import FrameSequences
from seqembed.sequences.long_format import check_is_one_name, read_long_format
from seqembed.sequences.sources import is_result_of_sliding_windows
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
        For no recording, for other times than one array for each, for frames with columns in several orders, and for
        frames that `sequences_from_frame` refuses.

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
        sources = [f"recording[{name!r}]" for name in names]
        _check_places(list(recording.values()), sources)
        return Recordings("recording", names, list(recording.values()), times, sources)
    if not holds_recordings(recording, "recording"):
        return None
    if time is not None and (not isinstance(time, (list, tuple)) or len(time) != len(recording)):
        of_length = f" of length {len(time)}" if isinstance(time, (list, tuple)) else ""
        raise ValueError(
            f"Got time= of type {type(time).__name__}{of_length} for recording= with "
            f"{counted(len(recording), 'recording')}, expected a list of one array per recording. Pass time=[...]."
        )
    positions = range(len(recording))
    names, times = list(positions), [None] * len(recording)
    if isinstance(recording, FrameSequences):
        _check_columns_of(recording, detector)
        names, times = recording.ids.tolist(), _times_of(recording)
    times = times if time is None else list(time)
    sources = [f"recording[{each}]" for each in positions]
    _check_places(list(recording), sources)
    return Recordings("recording", names, list(recording), times, sources)


def _check_places(recordings: list[Any], sources: list[str]) -> None:
    """Refuse data frames whose columns are in another order than those of the first one."""
    labels = [column_labels([each]) for each in recordings]
    first = next((place for place, each in enumerate(labels) if each is not None), 0)
    for each, source in zip(labels, sources, strict=True):
        check_places_of_columns(each, labels[first], source, f"{source}[{sources[first]}.columns]")


def _check_columns_of(sequences: FrameSequences, detector: ReconstructionDetector) -> None:
    """Refuse sequences of other columns: the sequences themselves are arrays, which have no names."""
    fitted = fitted_names(detector)
    if fitted is not None and sequences.columns != fitted:
        raise ValueError(
            f"Got recording= with the columns {sequences.columns[:10]}, expected {fitted[:10]}, as the detector "
            f"was fitted on. Pass sequences_from_frame(..., columns=list(detector.feature_names_in_))."
        )


def _times_of(sequences: FrameSequences) -> list[Any]:
    """Return the times of the rows of each sequence, or None for what only sorts rows, such as ordered categories."""
    if sequences.row_times.dtype.kind not in "iufmM":
        return [None] * len(sequences)
    return np.split(sequences.row_times, np.cumsum([len(each) for each in sequences])[:-1])


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
    columns = fitted_names(detector)
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
    try:
        layout = read_long_format(frame, id, time, columns, max_gap=None, freq=None)
    except (TypeError, ValueError) as error:
        error.add_note("What the message calls frame= is recording= of detect_events.")
        if "columns=[" in str(error):
            error.add_note(f"In place of columns=[...], pass recording[[{id!r}, {time!r}, ...]].")
        raise
    n_features = len(detector.feature_scales_)
    if len(layout.columns) != n_features:
        raise ValueError(
            f"Got recording= with {counted(len(layout.columns), 'column')} besides id= and time=, "
            f"{layout.columns[:10]}, expected {n_features}, as the detector was fitted on. Pass recording["
            f"[{id!r}, {time!r}, *columns]], with the columns of the training windows."
        )
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
