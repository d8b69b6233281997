"""Search for rare events among the rows of a recording without gaps, which may still grow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqembed.estimators.detector import ReconstructionDetector, scored
from seqembed.estimators.scoring import KINDS, Scored, scored_at_once
from seqembed.estimators.severity import error_scale
from seqembed.sequences.collection import Sequences
from seqembed.sequences.merging import centre_weights
from seqembed.sequences.windows import sliding_windows

# The error of a row is a mean over the rows around it, in at most an eighth of a window.
_NEARBY = 8
# Weight of this error in the score of the row. The rest is that of the score of the windows that cover it. It is larger
# where distances make the scores of windows differ more.
_ROW_WEIGHT, _ROW_WEIGHT_WITH_DISTANCES = 1 / 5, 2 / 5


class Event(NamedTuple):
    """A rare event.

    Parameters
    ----------
    start, end : int
        First and last row.
    score : float
        The lowest score of its windows.
    errors : float array of shape (n_features,)
        Shares of each feature in the scores of its windows, added up: a window counts the more, the rarer it is. The
        rarest window alone sometimes names another sensor, at the edge of an event.
    found_by : str
        The rarest of the kinds of errors of the rarest window, see `seqembed.estimators.scoring`.
    window : int
        First row of this window.
    """

    start: int
    end: int
    score: float
    errors: np.ndarray
    found_by: str
    window: int

    def later(self, n_rows: int) -> Event:
        """Return the event as rows are numbered that have others before them.

        Examples
        --------
        >>> event = Event(start=3, end=5, score=-9.0, errors=np.ones(1), found_by="reconstruction", window=1)
        >>> event.later(100)[:2], event.later(100).window
        ((103, 105), 101)
        """
        return self._replace(start=self.start + n_rows, end=self.end + n_rows, window=self.window + n_rows)


class _FlaggedWindow(NamedTuple):
    start: int
    score: float
    errors: np.ndarray
    found_by: str


class EventSearch:
    """Scores of windows and rows, and the events that they make, see `seqembed.detect_events`.

    Each window is scored once. However the rows are divided among the calls of `add`, the results are the same to the
    bit, because the errors of windows are added to those of rows in the order of time.

    Parameters
    ----------
    detector : ReconstructionDetector
        Fitted.
    timesteps, stride : int
        Rows of a window, and from the start of one window to that of the next.
    offset : float
        Windows with a lower score are flagged.

    Attributes
    ----------
    first_row : int
        Number of the first row that is still kept, of all rows that were added.
    n_without_values : int
        Number of windows without any value, which have no score.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed import LSTMReconstructor, sliding_windows
    >>> rows = np.random.default_rng(0).normal(size=(60, 2))
    >>> network = LSTMReconstructor(3, hidden_units=(), epochs=1, random_state=0)
    >>> detector = ReconstructionDetector(network, contamination=0).fit(sliding_windows(rows, 5).windows)
    >>> rows[30, 1] = 50
    >>> search = EventSearch(detector, timesteps=5, stride=1, offset=detector.offset_)
    >>> search.add(rows[:32])
    >>> [(event.start, event.end) for event in search.events()], search.forget_ended()
    ([(30, 30)], 0)
    >>> search.add(rows[32:])
    >>> [(event.start, event.end) for event in search.events()], search.forget_ended(), search.events()
    ([(30, 30)], 1, [])
    """

    def __init__(self, detector: ReconstructionDetector, timesteps: int, stride: int, offset: float) -> None:
        self.first_row = self.n_without_values = 0
        self._detector, self._timesteps, self._stride = detector, timesteps, stride
        self._offset = offset
        self._row_weight = _ROW_WEIGHT if detector.normal_descriptions_ is None else _ROW_WEIGHT_WITH_DISTANCES
        self._typical = float(np.median(detector.heldout_scores_))
        self._n_rows = self._next_start = 0
        # Rows of windows that are not complete, at the end of the recording.
        self._waiting: np.ndarray = np.empty((0, 0))
        self._sums = np.zeros((6, 0))
        self._flagged: list[_FlaggedWindow] = []

    def add(self, rows: np.ndarray) -> None:
        """Score the windows that end in further rows. After an error, the search is what it was before.

        Parameters
        ----------
        rows : array of shape (n_rows, n_features)
            Checked.
        """
        first = self._n_rows - len(self._waiting)
        # A recording that is passed at once, such as a memory map, is not copied.
        rows_left = np.concatenate([self._waiting, rows]) if len(self._waiting) else rows
        sums = np.concatenate([self._sums, np.zeros((6, len(rows)))], axis=1)
        next_start, flagged, n_without_values = self._next_start, list(self._flagged), self.n_without_values
        usable = rows_left[next_start - first :]
        if len(usable) >= self._timesteps:
            windows, starts, _ = sliding_windows(usable, self._timesteps, self._stride)
            further, n_unknown = self._score(windows, starts + next_start, sums)
            flagged, n_without_values = flagged + further, n_without_values + n_unknown
            next_start += len(starts) * self._stride
        waiting = np.array(rows_left[next_start - first :])
        self._n_rows += len(rows)
        self.n_without_values = n_without_values
        self._sums, self._next_start, self._flagged, self._waiting = sums, next_start, flagged, waiting

    def row_scores(self) -> np.ndarray:
        """Compute the score of each row that is kept.

        Returns
        -------
        scores : float array of shape (n_rows,)
            NaN for rows without a window.
        """
        return _row_scores(self._sums[:4], self._timesteps, self._row_weight)

    def events(self) -> list[Event]:
        """Find the events among the rows that are kept.

        Returns
        -------
        events : list of Event
            In the order of time, as if the recording ended here. Rows are numbered from the first that was ever added.
        """
        if not self._flagged:
            return []
        # On a scale of errors: that of rarities would leave only the rows of the rarest window.
        errors = _row_scores(self._sums[[4, 1, 5, 3]], self._timesteps, self._row_weight)
        # An event begins and ends with rows that have values.
        scores = np.where(self._sums[3] > 0, errors, np.nan)
        typical, offset = -error_scale([-self._typical, -self._offset], self._detector)
        events = []
        for stretch in self._stretches():
            first, last = stretch[0].start, stretch[-1].start + self._timesteps - 1
            part = scores[first - self.first_row : last + 1 - self.first_row]
            start, end = _extent(part, typical, offset)
            rarest = min(stretch, key=lambda window: window.score)
            errors = np.sum([window.errors for window in stretch], axis=0)
            events.append(Event(first + start, first + end, rarest.score, errors, rarest.found_by, rarest.start))
        return events

    def forget_ended(self) -> int:
        """Forget the events that further rows can't change, and the rows that further events don't need.

        Returns
        -------
        n_ended : int
            Number of these events. They were the first ones.
        """
        reach = self._timesteps // _NEARBY
        stretches = self._stretches()
        ended = [stretch for stretch in stretches if self._next_start > stretch[-1].start + self._timesteps + reach]
        self._flagged = self._flagged[sum(map(len, ended)) :]
        needed = self._flagged[0].start if self._flagged else self._next_start
        first_row = min(max(self.first_row, needed - reach), self._n_rows)
        self._sums = self._sums[:, first_row - self.first_row :].copy()
        self.first_row = first_row
        return len(ended)

    def _score(self, windows: np.ndarray, starts: np.ndarray, sums: np.ndarray) -> tuple[list[_FlaggedWindow], int]:
        """Add errors of windows to the sums of rows. Return flagged windows, and the number of those without values."""
        flagged: list[_FlaggedWindow] = []
        n_without_values = 0
        for batch in scored_at_once(len(windows), windows.shape[1] * windows.shape[2]):
            known = ~np.isnan(windows[batch])
            chosen = np.flatnonzero(known.any(axis=(1, 2)))
            n_without_values += len(known) - len(chosen)
            if not len(chosen):
                continue
            values, rarities, totals = _scored_windows(self._detector, windows[batch.start + chosen])
            errors, batch_starts = values.sum(axis=2), starts[batch.start + chosen]
            window_errors = self._filled(totals, known[chosen])
            _add_errors(
                sums,
                batch_starts - self.first_row,
                np.stack([window_errors, error_scale(window_errors, self._detector)]),
                errors,
                known[chosen].sum(axis=2),
            )
            # Not the sums of the contributions, which rounding could bring below a threshold that equals the score.
            scores = -totals
            flagged += [
                _FlaggedWindow(
                    int(batch_starts[window]),
                    float(scores[window]),
                    values[window].sum(axis=0),
                    KINDS[np.nanargmax(rarities[window])],
                )
                for window in np.flatnonzero(scores < self._offset)
            ]
        return flagged, n_without_values

    def _filled(self, window_errors: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Return the errors that windows would have if their missing values had typical errors.

        Otherwise a row beside missing ones would have a worse score than the row of the event itself: the fewer values
        a window has, the more of its error is that of the event.
        """
        shares = known.mean(axis=(1, 2))
        filled: np.ndarray = shares * window_errors - (1 - shares) * self._typical
        return filled

    def _stretches(self) -> list[list[_FlaggedWindow]]:
        """Group the flagged windows that touch or overlap."""
        stretches: list[list[_FlaggedWindow]] = []
        for window in self._flagged:
            if stretches and window.start - stretches[-1][-1].start <= self._timesteps:
                stretches[-1].append(window)
            else:
                stretches.append([window])
        return stretches


def _scored_windows(detector: ReconstructionDetector, windows: np.ndarray) -> Scored:
    """Score windows, whose values are checked."""
    lengths = np.full(len(windows), windows.shape[1])
    complete = not np.isnan(windows).any()
    sequences = Sequences(values=windows, lengths=lengths, ndim=detector.input_ndim_, complete=complete)
    return scored(detector, sequences, np.arange(len(windows)))


def _add_errors(
    sums: np.ndarray, starts: np.ndarray, window_errors: np.ndarray, errors: np.ndarray, n_known: np.ndarray
) -> None:
    """Add the errors of windows to the sums of the rows that they cover.

    Parameters
    ----------
    sums : float array of shape (6, n_rows)
        Changed in place. For each row: the weighted sum of the errors of the windows that cover it, the sum of these
        weights, the weighted sum of the row's own errors, the weighted number of its known values; then the first and
        the third for errors of windows on the scale of `error_scale`.
    starts : int array of shape (n_windows,)
        Row at which each window starts.
    window_errors : float array of shape (2, n_windows)
        Error of each window, and what it is on the scale of `error_scale`.
    errors : float array of shape (n_windows, timesteps)
        Share of each timestep in the error of its window, which is a mean over the known values of the window.
    n_known : int array of the same shape
        Known values of each timestep.
    """
    timestep_errors = errors.T * n_known.sum(axis=1)
    # From the error of a window to that on the other scale.
    factors = np.divide(window_errors[1], window_errors[0], out=np.ones(len(errors)), where=window_errors[0] > 0)
    weights = centre_weights(errors.shape[1])[:, np.newaxis]
    terms = np.stack(
        [
            weights * window_errors[0],
            weights * np.ones(len(errors)),
            weights * timestep_errors,
            weights * n_known.T,
            weights * window_errors[1],
            weights * factors * timestep_errors,
        ],
        axis=1,
    )
    # The first window that covers a row has it as its last step. In this order, the sums of a row do not depend on how
    # the windows are divided among calls.
    for step in reversed(range(len(terms))):
        sums[:, starts + step] += terms[step]


def _row_scores(sums: np.ndarray, timesteps: int, row_weight: float) -> np.ndarray:
    """Combine four of the sums that `_add_errors` describes into a score for each row."""
    window_sums, window_weights, row_sums, row_weights = sums
    # An odd number of rows: of an even one, more rows would be before the row than after it.
    n_nearby = max(1, (timesteps // _NEARBY - 1) // 2 * 2 + 1)
    nearby = np.hanning(n_nearby + 2)[1:-1]
    row_sums, row_weights = (_smoothed(each, nearby) for each in (row_sums, row_weights))
    with np.errstate(invalid="ignore"):
        window_errors = window_sums / window_weights
        row_errors = np.maximum(row_sums, 0) / row_weights
    # Where no value is known nearby, the windows alone decide.
    row_errors = np.where(row_weights > 0, row_errors, window_errors)
    scores: np.ndarray = -(window_errors ** (1 - row_weight)) * row_errors**row_weight
    return scores


def _smoothed(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Add up an odd number of neighbours, with zeros beyond the ends."""
    # Not numpy.convolve, whose order of addition depends on the number of values.
    padded = np.pad(values, (len(weights) // 2, len(weights)))
    smoothed = np.zeros(len(values))
    for step, weight in enumerate(weights):
        smoothed += weight * padded[step : step + len(values)]
    return smoothed


def _extent(row_scores: np.ndarray, typical: float, offset: float) -> tuple[int, int]:
    """Find the first and the last row of an event, of all rows that its windows cover, see `detect_events`."""
    lowest = np.nanmin(row_scores)
    far, half = typical + 0.75 * (lowest - typical), typical + 0.5 * (lowest - typical)
    rare = np.flatnonzero(row_scores <= max(lowest, far, min(offset, half)))
    return int(rare[0]), int(rare[-1])
