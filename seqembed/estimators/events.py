"""Rare events of a recording: their rows and the features that stood out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seqembed.estimators.detector import ReconstructionDetector
from seqembed.estimators.detector_input import (
    check_detector,
    check_timesteps,
    checked_rows,
    known_times,
    lines_of_pandas,
)
from seqembed.estimators.event_search import EventSearch
from seqembed.estimators.event_table import event_table, joined_tables, taken_times
from seqembed.estimators.recordings import in_memory_by_name, recordings_by_name
from seqembed.estimators.severity import severity
from seqembed.sequences.grids import on_grid
from seqembed.sequences.steps import TimeStep, pieces_without_gaps
from seqembed.sequences.times import calendar_zone
from seqembed.sequences.windows import check_count
from seqembed.sequences.wording import counted
from seqembed.user_warning import warn_user


class Events(NamedTuple):
    """Rare events of one recording or of several, and the scores of their rows.

    Parameters
    ----------
    table : pandas.DataFrame, or sklearn.utils.Bunch of arrays where pandas is not installed
        One row for each event, in the order of time. "start" and "end" are its first and its last row; "start_time"
        and "end_time" are their times, if times are known; "score" is the lowest score of its windows; "severity" says
        in how many windows of normal data such a score comes once, an estimate up to fifty times the number of
        training windows: beyond it, the number grows by its logarithm alone, and tells the order; "found_by" is what
        was rarest in the window of the lowest score: its "reconstruction", or its distance from normal windows in
        "statistics", "convolutions" or principal "components"; "features" is a dict with the share of each feature in
        the scores of its windows, added up, the largest first; "window" is the first row of the window of the lowest
        score. Of several recordings, the first column has the name of the recording, and their events follow one
        another.
    row_scores : float array of shape (n_rows,), or list or dict of such
        Score of each row, NaN where there is no window, see `detect_events`. A list for a list of recordings, a dict
        for a mapping. For a data frame in long format, one array in the order of its rows. With `freq`, of each row of
        the grid, except for a data frame in long format.
    offset : float
        Windows with a lower score were flagged.

    Examples
    --------
    >>> from sklearn.utils import Bunch
    >>> events = Events(Bunch(start=[3], end=[5], score=[-9.0]), np.full(20, -1.0), offset=-4.0)
    >>> [(start, end) for start, end in zip(events.table["start"], events.table["end"])]
    [(3, 5)]
    """

    # A data frame of pandas, which is not typed, or a Bunch.
    table: Any
    row_scores: Any
    offset: float


def detect_events(
    detector: ReconstructionDetector,
    recording: npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[Any, npt.ArrayLike],
    timesteps: int,
    stride: int = 1,
    *,
    time: npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[Any, npt.ArrayLike] | str | None = None,
    max_gap: TimeStep | str | None = None,
    freq: TimeStep | str | None = None,
    id: str | None = None,
) -> Events:
    """Find the rare events of a recording, or of several.

    1. The detector scores windows of the recording. Flagged windows that touch or overlap are one event.
    2. Each row gets a score from two errors. The first is a mean over the windows that cover the row, in which a window
       counts more, the nearer its centre is to the row. The second is a mean over the row and those around it, at most
       an eighth of a window. The score is minus the geometric mean of both, in which the first counts three times and
       the second twice (four times and once for ``distances=False``). Errors of windows rank long and faint events
       well, errors of rows find short ones. Missing values count in the first as if they had the error that is typical
       of held-out windows.
    3. A window is flagged for an event anywhere in it. So an event is only a part of the rows that its windows cover.
       Among these rows, it reaches from the first to the last one whose score is at most
       ``typical + 0.75 * (lowest - typical)``, or at most ``typical + 0.5 * (lowest - typical)`` if it is not above the
       threshold either. `lowest` is the lowest score of these rows, and `typical` the median of the detector's
       `heldout_scores_`. With distances, all of them are on a scale of errors, see
       `seqembed.estimators.severity.error_scale`. It begins and ends with rows that have values.

    Parameters
    ----------
    detector : ReconstructionDetector
        Fitted on windows of as many timesteps and of the same features.
    recording : array-like of shape (n_rows, n_features) or (n_rows,), or list or mapping of such
        An array, a memory map, of which only some windows are read at a time, or a data frame. Recordings of several
        machines are a list, a mapping from their names, the result of `sequences_from_frame`, or, with `id`, a data
        frame in long format. A list of numbers is one recording, and so is a list of lists of numbers.
    timesteps : int
        Rows of a window.
    stride : int, default=1
        Rows from the start of one window to the start of the next. A larger one takes less time, places events less
        exactly, and leaves out up to as many rows at the end.
    time : array-like of shape (n_rows,), default=None
        Time of each row, as numbers or dates, each later than the one before. By default the index of a data frame, if
        it holds dates, and with `max_gap` or `freq` any index; of the result of `sequences_from_frame`, its
        `row_times`. For a list of recordings a list of arrays, for a mapping a mapping from the same names. With `id`,
        the name of the column of times, by which the rows of each id are sorted.
    max_gap : number, timedelta or str, default=None
        Longest step in time between neighbouring rows of a window, as in `sliding_windows`.
    freq : number, timedelta or str, default=None
        Step in time from one row to the next, such as ``"1min"``, as in `sequences_from_frame`: rows that are absent
        become missing values. Use it if the training windows were cut from such a grid. Rows are then those of the
        grid, also in the result, and all of them are in memory at once. By default, neighbouring rows are neighbours,
        however far apart they are.
    id : str, default=None
        Name of the column that holds the machine of each row, of a data frame in long format. Its values are in the
        columns that the detector was fitted on or, without names, in all other columns. Rows of an event are counted
        within its machine, in the order of time.

    Returns
    -------
    events : Events
        ``(table, row_scores, offset)``. With several recordings, the table has the name of each in front, in the column
        named `id` or "recording". In a list, the name is the position, and in the result of `sequences_from_frame`
        the id.

    Raises
    ------
    ValueError
        For other `timesteps` than those of the fitted windows; for a recording that is shorter than a window, that has
        other features than the detector was fitted on, or that holds infinity; for a number of times that is not the
        number of rows; and for times that are missing, run backwards, repeat or are not whole steps of `freq` apart.
        Also if no recording has `timesteps` rows in succession, with `max_gap`.
    TypeError
        For what is no `ReconstructionDetector`, if `max_gap` or `freq` is a number between dates or a duration between
        numbers, and if `id` is given and `recording` is no data frame.

    Warns
    -----
    UserWarning
        For a recording of which no window has a value, and for each of several recordings that has no `timesteps` rows
        in succession.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed import LSTMAutoencoder, ReconstructionDetector, sliding_windows
    >>> recording = np.sin(np.arange(600) / 3).reshape(300, 2) + np.random.default_rng(0).normal(0, 0.1, (300, 2))
    >>> windows = sliding_windows(recording, timesteps=10).windows
    >>> autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=3, random_state=0)
    >>> detector = ReconstructionDetector(autoencoder, gap=9).fit(windows)
    >>> recording[200:203, 1] = 8
    >>> rarest = detect_events(detector, recording, timesteps=10).table.sort_values("score").iloc[0]
    >>> int(rarest.start), int(rarest.end), round(rarest.features[1], 1)
    (200, 202, 1.0)

    The rarest events first:

    >>> recording[50, 0] = 3
    >>> table = detect_events(detector, recording, timesteps=10).table.sort_values("severity", ascending=False)
    >>> table.start.iloc[:2].tolist()
    [200, 50]

    Two machines, and one detector for both:

    >>> machines = {"pump": recording, "fan": recording[:150]}
    >>> table = detect_events(detector, machines, timesteps=10).table
    >>> table[table.start == 50].recording.tolist()
    ['pump', 'fan']

    A detector for each:

    >>> tables = {}
    >>> for name, rows in machines.items():
    ...     windows = sliding_windows(rows[:40], timesteps=10).windows
    ...     own = ReconstructionDetector(autoencoder, gap=2, cv=2).fit(windows)
    ...     tables[name] = detect_events(own, rows, timesteps=10).table
    >>> import pandas as pd
    >>> pd.concat(tables, names=["recording"]).index.names[0]
    'recording'
    """
    check_detector(detector)
    for name, value in (("timesteps", timesteps), ("stride", stride)):
        check_count(name, value, least=1)
    # Sums of narrow integers of NumPy would overflow.
    timesteps, stride = int(timesteps), int(stride)
    check_timesteps(detector, timesteps)
    given, recording = recording, in_memory_by_name(recording)
    several = recordings_by_name(detector, recording, time, id)
    if several is None:
        with lines_of_pandas(given, "recording"):
            only = _checked(detector, recording, time, timesteps, max_gap, freq, "recording")
        _check_succession([only], ["recording"], timesteps)
        return Events(*_search(detector, timesteps, stride, only, "recording"), detector.offset_)
    # All recordings are checked before the first one is scored.
    checked = [
        _checked(detector, rows, times, timesteps, max_gap, freq, source)
        for rows, times, source in zip(several.recordings, several.times, several.sources, strict=True)
    ]
    _check_succession(checked, several.sources, timesteps)
    found = [
        _search(detector, timesteps, stride, each, source)
        for each, source in zip(checked, several.sources, strict=True)
    ]
    table = joined_tables([table for table, _ in found], several.names, several.column)
    row_scores: Any = [scores for _, scores in found]
    if several.positions is not None:
        of_given_rows = [scores[each.given] for scores, each in zip(row_scores, checked, strict=True)]
        row_scores = np.concatenate(of_given_rows)[np.argsort(np.concatenate(several.positions))]
    elif isinstance(recording, Mapping):
        row_scores = dict(zip(several.names, row_scores, strict=True))
    return Events(table, row_scores, detector.offset_)


class _Checked(NamedTuple):
    """A recording, perhaps on a grid of times.

    Fields: rows, those of the grid; names, of the features; pieces, without gaps; times, as given; given, which rows
    the user gave.
    """

    rows: np.ndarray
    names: list[Any]
    pieces: list[slice]
    times: Any
    given: slice | np.ndarray


def _checked(
    detector: ReconstructionDetector,
    recording: Any,
    time: Any,
    timesteps: int,
    max_gap: TimeStep | str | None,
    freq: TimeStep | str | None,
    source: str,
) -> _Checked:
    """Check a recording, and cut it at gaps."""
    rows, names = checked_rows(detector, recording, source)
    needed_for = "freq" if freq is not None else "max_gap" if max_gap is not None else None
    times, given_times = known_times(recording, time, len(rows), source, needed_for=needed_for)
    pieces = [slice(0, len(rows))] if times is None or max_gap is None else pieces_without_gaps(times, max_gap)
    checked = _Checked(rows, names, pieces, given_times, slice(None))
    if times is not None and freq is not None and len(rows):
        checked = _with_absent_rows(checked, times, freq)
    if len(checked.rows) < timesteps:
        raise ValueError(
            f"Got {source}= of {counted(len(checked.rows), 'row')}, expected a recording with at least {timesteps} "
            f"rows for timesteps={timesteps}. Leave out shorter ones."
        )
    return checked


def _check_succession(recordings: list[_Checked], sources: list[str], timesteps: int) -> None:
    """Refuse recordings that are cut into pieces shorter than a window, or warn of some of several."""
    without = [
        source
        for recording, source in zip(recordings, sources, strict=True)
        if all(piece.stop - piece.start < timesteps for piece in recording.pieces)
    ]
    if not without:
        return
    message = f"Got {', '.join(without[:10])} without {counted(timesteps, 'row')} in succession for {timesteps=}, "
    if len(without) == len(recordings):
        raise ValueError(f"{message}expected at least one window. Use a larger max_gap=, or a freq= for absent rows.")
    warn_user(
        f"{message}so that no row there is judged: scores are NaN, and there is no event. Use a larger max_gap=, or "
        f"leave them out."
    )


def _with_absent_rows(recording: _Checked, times: np.ndarray, freq: TimeStep | str) -> _Checked:
    """Put each piece of a recording on a grid of times. Absent rows have missing values."""
    firsts = np.array([piece.start for piece in recording.pieces])
    is_start = np.isin(np.arange(len(times)), firsts)
    given, grid = on_grid(times, is_start, freq, calendar_zone(recording.times))
    stops = np.append(given[firsts[1:]], len(grid))
    pieces = [slice(int(start), int(stop)) for start, stop in zip(given[firsts], stops, strict=True)]
    rows = np.full((len(grid), len(recording.names)), np.nan, np.result_type(recording.rows.dtype, np.float32))
    rows[given] = recording.rows
    # An event begins and ends with rows that have values. So the times of absent rows are never read.
    given_before = np.searchsorted(given, np.arange(len(grid)), side="right") - 1
    return _Checked(rows, recording.names, pieces, taken_times(recording.times).take(given_before), given)


def _search(
    detector: ReconstructionDetector, timesteps: int, stride: int, recording: _Checked, source: str
) -> tuple[Any, np.ndarray]:
    """Return the table of events of a single recording, and the scores of its rows."""
    row_scores, events = np.full(len(recording.rows), np.nan), []
    n_without_values = 0
    for piece in recording.pieces:
        search = EventSearch(detector, timesteps, stride, detector.offset_)
        search.add(recording.rows[piece])
        row_scores[piece] = search.row_scores()
        events += [event.later(piece.start) for event in search.events()]
        n_without_values += search.n_without_values
    # Outages are common, and their rows have the score NaN. A recording of nothing else is a mistake.
    if n_without_values and np.isnan(row_scores).all():
        warn_user(
            f"Got {source}= with {counted(n_without_values, 'window')} without any value, and no other: nothing can be "
            f"judged, and none is flagged."
        )
    return event_table(events, recording.names, partial(severity, detector), recording.times), row_scores
