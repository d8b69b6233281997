"""Rare events of a recording that grows, row by row."""

from __future__ import annotations

from copy import copy
from datetime import timezone
from functools import partial
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from seqembed.estimators.detector import ReconstructionDetector, fitted_timesteps
from seqembed.estimators.detector_input import (
    check_detector,
    check_places_of_columns,
    check_timesteps,
    checked_rows,
    known_times,
    lines_of_pandas,
)
from seqembed.estimators.event_search import Event, EventSearch
from seqembed.estimators.event_table import event_table, joined_times, taken_times
from seqembed.estimators.severity import severity
from seqembed.fitted_attributes import replace_attributes
from seqembed.sequences.containers import column_labels, in_memory
from seqembed.sequences.steps import TimeStep, checked_gap, pieces_without_gaps
from seqembed.sequences.times import clock_is_set_back, line_for_clock_change, local_time, plain_times, zone_of
from seqembed.sequences.windows import check_count
from seqembed.sequences.wording import counted
from seqembed.user_warning import warn_user


class EventStream:
    """Find the rare events of a recording that grows, as `detect_events` finds them in the whole.

    Each window is scored once, when its last row arrives. Only the last rows are kept, about two windows and those of
    an event that goes on. The events are those of one call of `detect_events` on all rows so far: to the bit
    where the processor rounds alike for batches of every size, elsewhere up to rounding.

    Parameters
    ----------
    detector : ReconstructionDetector
        Fitted. Its threshold is the one that it has now, for as long as the stream lasts.
    timesteps : int
        Rows of a window.
    stride : int, default=1
        Rows from the start of one window to the start of the next.
    max_gap : number, timedelta or str, default=None
        Longest step in time between neighbouring rows of a window, as in `detect_events`. After a longer one, no window
        has rows from before. There is no `freq`: pass rows that are whole steps apart, and a row of NaN for each that
        is absent.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the detector is not fitted.
    ValueError, TypeError
        If `timesteps` or `stride` is not an integer of at least 1, if `timesteps` is not that of the fitted windows, or
        if `max_gap` is no positive step.

    See Also
    --------
    detect_events : Find the events of whole recordings.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed import EventStream, LSTMAutoencoder, ReconstructionDetector, sliding_windows
    >>> recording = np.sin(np.arange(600) / 3).reshape(300, 2) + np.random.default_rng(0).normal(0, 0.1, (300, 2))
    >>> autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=3, random_state=0)
    >>> detector = ReconstructionDetector(autoencoder, contamination=0, gap=9, cv=2)
    >>> stream = EventStream(detector.fit(sliding_windows(recording, timesteps=10).windows), timesteps=10)
    >>> recording[200:203, 1] = 8
    >>> for first in range(180, 240, 5):
    ...     table = stream.update(recording[first : first + 5])
    ...     for event in table.itertuples():
    ...         print(f"after row {first + 4}: from row {180 + event.start}, {'ended' if event.ended else 'going on'}")
    after row 204: from row 200, going on
    after row 209: from row 200, going on
    after row 214: from row 200, going on
    after row 219: from row 200, going on
    after row 224: from row 200, ended
    """

    def __init__(
        self,
        detector: ReconstructionDetector,
        timesteps: int,
        stride: int = 1,
        *,
        max_gap: TimeStep | str | None = None,
    ) -> None:
        check_detector(detector)
        for name, value in (("timesteps", timesteps), ("stride", stride)):
            check_count(name, value, least=1)
        check_timesteps(detector, timesteps)
        if max_gap is not None:
            checked_gap(max_gap)
        # Sums of narrow integers of NumPy would overflow.
        self._timesteps, self._stride = int(timesteps), int(stride)
        self._detector, self._max_gap = detector, max_gap
        # Read once: after set_params, the stream would not find what one call finds.
        self._offset = detector.offset_
        self._n_features, self._heldout_scores = len(detector.feature_scales_), detector.heldout_scores_
        # Labels of the columns, if rows came as a data frame.
        self._columns: list[Any] | None = None
        self._n_rows, self._n_pieces = 0, 1
        # The search in the present piece without gaps, and its first row.
        self._search, self._first_row = self._new_search(), 0
        # Times of the last rows, from `_first_time` on, as the user gave them, and the last one as NumPy's own.
        self._times: Any = None
        self._first_time = 0
        self._last_time: np.ndarray | None = None
        self._zone: str | None = None

    def update(self, rows: npt.ArrayLike, time: npt.ArrayLike | None = None) -> Any:
        """Read further rows, and return the events that they begin, change or end.

        Parameters
        ----------
        rows : array-like of shape (n_rows, n_features) or (n_rows,)
            The next rows of the recording, one or more. A data frame names the features.
        time : array-like of shape (n_rows,), default=None
            Time of each row, as `detect_events` takes them.

        Returns
        -------
        table : pandas.DataFrame, or sklearn.utils.Bunch of arrays where pandas is not installed
            Events as in the table of `detect_events`, with rows counted from the first one of the stream, and a column
            "ended". An event that has ended is final: it is not returned again. One that has not is returned by each
            update until it ends, and its rows, score and severity may change. An event never disappears.

        Raises
        ------
        ValueError
            For rows and times that `detect_events` refuses, for times that are not later than the former ones, and for
            times after rows without times, or the reverse. Also if the detector was fitted again in the meantime, and
            if columns of a data frame are in another order than before. After these and any other errors, such as one
            of the detector's estimator, the stream stays as it was, and the same rows may be passed again. All times
            of a stream are of one zone, or have none.

        Warns
        -----
        UserWarning
            Once, if each row until then is farther from the one before than `max_gap`: then nothing is judged.

        Examples
        --------
        >>> import numpy as np
        >>> from seqembed import EventStream, LSTMReconstructor, ReconstructionDetector
        >>> windows = np.random.default_rng(0).normal(size=(12, 5, 2))
        >>> network = LSTMReconstructor(3, hidden_units=(), epochs=1)
        >>> stream = EventStream(ReconstructionDetector(network).fit(windows), timesteps=5)
        >>> list(stream.update(np.zeros((3, 2))))
        ['start', 'end', 'score', 'severity', 'found_by', 'features', 'window', 'ended']
        """
        self._check_detector()
        given, rows = rows, in_memory(rows)
        with lines_of_pandas(given, "rows"):
            values, names = checked_rows(self._detector, rows, "rows")
        columns = column_labels([rows])
        line = "rows[columns], with the columns of the rows before"
        check_places_of_columns(columns, self._columns, "rows", line)
        times, given_times = known_times(
            rows, time, len(values), "rows", needed_for=None if self._max_gap is None else "max_gap"
        )
        pieces = self._checked_pieces(times, given_times, len(values))
        zone = self._zone if given_times is None or not len(values) else _zone_name(given_times)
        n_rows, n_pieces = self._n_rows + len(values), self._n_pieces + len(pieces) - 1
        if n_pieces == n_rows and self._n_rows < self._timesteps <= n_rows and self._timesteps > 1:
            warn_user(
                f"Got {counted(n_rows, 'row')}, each farther from the one before than max_gap={self._max_gap!r}, so "
                f"that no window is complete and nothing is judged. Use a larger max_gap=, at least the usual step "
                f"from row to row."
            )
        # Scoring may fail. So what changes are copies, which become the stream at the end. The search keeps its arrays
        # as they are and makes new ones.
        search, first_row = copy(self._search), self._first_row
        ended: list[Event] = []
        for piece in pieces[:-1]:
            search.add(values[piece])
            ended += _events_of(search, first_row)
            search, first_row = self._new_search(), self._n_rows + piece.stop
        search.add(values[pieces[-1]])
        events = ended + _events_of(search, first_row)
        n_ended = len(ended) + search.forget_ended()
        known = self._times
        # Also of no rows, so that each table of a stream has the same columns.
        if times is not None and (len(times) or known is None):
            known = taken_times(given_times) if known is None else joined_times(known, taken_times(given_times))
        table = event_table(events, names, partial(severity, self._detector), known, self._first_time)
        table["ended"] = np.arange(len(events)) < n_ended
        changed = {"_search": search, "_first_row": first_row}
        changed |= {"_n_rows": n_rows, "_n_pieces": n_pieces, "_zone": zone, "_columns": self._columns or columns}
        if known is not None and len(known):
            first_time = first_row + search.first_row
            changed |= {"_times": known[first_time - self._first_time :], "_first_time": first_time}
        if times is not None and len(times):
            changed["_last_time"] = times[-1:]
        replace_attributes(self, changed)
        return table

    @property
    def save(self) -> NoReturn:
        """Not available: a stream has no file of its own, but it can be pickled."""
        raise AttributeError(
            "save is not available: a stream has no file of its own. Pickle it, pickle.dumps(stream), to go on exactly "
            "where it was. A new EventStream of the saved detector begins anew, in row 0."
        )

    def _new_search(self) -> EventSearch:
        return EventSearch(self._detector, self._timesteps, self._stride, self._offset)

    def _check_detector(self) -> None:
        """Refuse a detector that was fitted again in the meantime: the threshold is that of the former fit."""
        n_features, timesteps = len(self._detector.feature_scales_), fitted_timesteps(self._detector)
        # Not the identity of the arrays, which joblib does not keep.
        same_fit = np.array_equal(self._heldout_scores, self._detector.heldout_scores_)
        if not same_fit or n_features != self._n_features or timesteps not in (None, self._timesteps):
            of_rows = "" if timesteps is None else f" of {counted(timesteps, 'row')}"
            raise ValueError(
                f"Got rows= for a detector that was fitted again since the stream began, on windows{of_rows} with "
                f"{counted(n_features, 'feature')}, expected the fit with which it began, on "
                f"{counted(self._timesteps, 'row')} with {counted(self._n_features, 'feature')}. Begin a stream of the "
                f"new detector, EventStream(detector, timesteps), and fit sklearn.base.clone(detector) while a stream "
                f"goes on."
            )

    def _check_zone(self, time: Any) -> None:
        """Refuse dates of another zone than those before."""
        zone = _zone_name(time)
        if zone != self._zone:
            now, before = (f"in {each}" if each else "without a zone" for each in (zone, self._zone))
            line = f'tz_localize("{self._zone}")' if zone is None else f'tz_convert("{self._zone}")'
            if self._zone is None:
                line = 'tz_convert("UTC").tz_localize(None), with the zone of the times before in place of UTC'
            raise ValueError(
                f"Got time= {now} after times {before}, expected one zone for all times of a stream. Pass "
                f"time=pandas.DatetimeIndex(time).{line}."
            )

    def _checked_pieces(self, times: np.ndarray | None, given_times: Any, n_rows: int) -> list[slice]:
        """Return rows of each piece without gaps. The first piece, which may be empty, goes on from the rows before."""
        last = self._last_time
        if self._n_rows and n_rows and (times is None) != (last is None):
            given, before = ("without", "with") if times is None else ("with", "without")
            raise ValueError(
                f"Got rows= {given} times after rows {before} times, expected times for all rows of a stream or for "
                f"none. Pass time= in each update, or in none."
            )
        if times is None or not n_rows:
            return [slice(0, n_rows)]
        if last is None:
            return [slice(0, n_rows)] if self._max_gap is None else pieces_without_gaps(times, self._max_gap)
        kinds = {last.dtype.kind, times.dtype.kind}
        if kinds == {"M"}:
            self._check_zone(given_times)
        if (len(kinds) > 1 and kinds & {"m", "M"}) or times[0] <= last[0]:
            raise ValueError(
                f"Got time= that begins at {local_time(times[0], given_times)} after rows until "
                f"{local_time(last[0], self._times)}, expected later times. {self._line_for_earlier(times)}"
            )
        if self._max_gap is None:
            return [slice(0, n_rows)]
        pieces = pieces_without_gaps(np.concatenate([last, times]), self._max_gap)
        return [slice(max(piece.start - 1, 0), piece.stop - 1) for piece in pieces]

    def _line_for_earlier(self, times: np.ndarray) -> str:
        """Return what to do about times that are not later than those before, for the message."""
        before = plain_times(self._times)
        if self._zone is None and before.dtype.kind == "M" and clock_is_set_back(np.concatenate([before, times])):
            line = line_for_clock_change("time = pandas.DatetimeIndex(time).LOCALIZE", "False")
            return (
                f"{line.removesuffix('.')}, and with ambiguous=True in the updates before. Begin the stream anew: all "
                f"its times are of one zone."
            )
        return "Pass only rows that are new: rows[time > last_time]."


def _zone_name(time: Any) -> str | None:
    """Return the name of the zone of times, also of a list of Python's dates."""
    zone = zone_of(time)
    if zone is None:
        first = next(iter(time))
        zone = getattr(first, "tzinfo", None)
        # Of text with offsets, each time has its own: +01:00 in winter and +02:00 in summer.
        return "offsets from UTC" if isinstance(zone, timezone) else zone and str(zone)
    return str(zone)


def _events_of(search: EventSearch, first_row: int) -> list[Event]:
    """Return the events of a piece that begins in a row of the stream."""
    return [event.later(first_row) for event in search.events()]
