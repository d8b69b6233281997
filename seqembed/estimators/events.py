"""Rare events of a recording: their rows and the features that stood out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from seqembed.estimators.detector import ReconstructionDetector, contributions
from seqembed.extras import import_extra
from seqembed.sequences.collection import Sequences, chunks
from seqembed.sequences.containers import as_numbers, column_labels
from seqembed.sequences.merging import centre_weights
from seqembed.sequences.steps import TimeStep, pieces_without_gaps
from seqembed.sequences.times import times_of_rows, zone_of
from seqembed.sequences.windows import sliding_windows
from seqembed.sequences.wording import counted

# The error of a row is a mean over the rows around it, in an eighth of a window.
_NEARBY = 8
# Weight of this error in the score of the row. The rest is that of the error of the windows that cover it.
_ROW_WEIGHT = 1 / 5


class Events(NamedTuple):
    """Rare events of a recording, and the scores of its rows.

    Parameters
    ----------
    table : pandas.DataFrame, or sklearn.utils.Bunch of arrays where pandas is not installed
        One row for each event, in the order of time. "start" and "end" are its first and its last row; "start_time"
        and "end_time" are their times, if times are known; "score" is the lowest score of its windows; "features" is a
        dict with the share of each feature in that window's score, the largest first.
    row_scores : float array of shape (n_rows,)
        Score of each row, NaN where there is no window, see `detect_events`.
    offset : float
        Windows with a lower score were flagged.
    """

    # A data frame of pandas, which is not typed, or a Bunch.
    table: Any
    row_scores: np.ndarray
    offset: float


class _Event(NamedTuple):
    start: int
    end: int
    score: float
    features: dict[Any, float]


def detect_events(
    detector: ReconstructionDetector,
    recording: npt.ArrayLike,
    timesteps: int,
    stride: int = 1,
    *,
    time: npt.ArrayLike | None = None,
    max_gap: TimeStep | None = None,
) -> Events:
    """Find the rare events of a recording.

    1. The detector scores windows of the recording. Flagged windows that touch or overlap are one event.
    2. Each row gets a score from two errors. The first is a mean over the windows that cover the row, in which a window
       counts more, the nearer its centre is to the row. The second is a mean over the rows around it, in an eighth of a
       window. The score is minus the geometric mean of both, in which the first counts four times. Errors of windows
       rank long and faint events well, errors of rows find short ones.
    3. A window is flagged for an event anywhere in it. So an event is only a part of the rows that its windows cover.
       Among these rows, it reaches from the first to the last one whose score is at most
       ``typical + 0.75 * (lowest - typical)``, or at most ``typical + 0.5 * (lowest - typical)`` if it is not above the
       threshold either. `lowest` is the lowest score of these rows, and `typical` the median of the detector's
       `heldout_scores_`.

    Parameters
    ----------
    detector : ReconstructionDetector
        Fitted on windows of as many timesteps and of the same features.
    recording : array-like of shape (n_rows, n_features) or (n_rows,)
        An array, a memory map, of which only some windows are read at a time, or a data frame.
    timesteps : int
        Rows of a window.
    stride : int, default=1
        Rows from the start of one window to the start of the next. A larger one takes less time, places events less
        exactly, and leaves out up to as many rows at the end.
    time : array-like of shape (n_rows,), default=None
        Time of each row, as numbers or dates, each later than the one before. By default the index of a data frame, if
        it holds dates, and with `max_gap` any index.
    max_gap : number or timedelta, default=None
        Longest step in time between neighbouring rows of a window, as in `sliding_windows`.

    Returns
    -------
    events : Events
        ``(table, row_scores, offset)``.

    Raises
    ------
    ValueError
        For a recording that is shorter than a window, that has other features than the detector was fitted on, or that
        holds infinity; for a number of times that is not the number of rows; and for times that are missing, run
        backwards or repeat. Windows without any value are left out.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed import LSTMAutoencoder, ReconstructionDetector, sliding_windows
    >>> recording = np.sin(np.arange(600) / 3).reshape(300, 2) + np.random.default_rng(0).normal(0, 0.1, (300, 2))
    >>> windows = sliding_windows(recording, timesteps=10).windows
    >>> autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=10, random_state=0)
    >>> detector = ReconstructionDetector(autoencoder, gap=9).fit(windows)
    >>> recording[200:203, 1] = 8
    >>> rarest = detect_events(detector, recording, timesteps=10).table.sort_values("score").iloc[0]
    >>> int(rarest.start), int(rarest.end), round(rarest.features[1], 1)
    (200, 202, 1.0)
    """
    check_is_fitted(detector)
    rows, names = _checked_recording(detector, recording, timesteps)
    pieces, times = _pieces(recording, time, max_gap, len(rows))
    offset, typical = detector.offset_, float(np.median(detector.heldout_scores_))
    row_scores, events = np.full(len(rows), np.nan), []
    for piece in pieces:
        if piece.stop - piece.start < timesteps:
            continue
        windows, starts, _ = sliding_windows(rows[piece], timesteps, stride)
        scores, row_scores[piece] = _scores(detector, windows, starts, piece.stop - piece.start)
        for first, last, rarest in _flagged_stretches(scores, starts, timesteps, offset):
            start, end = _extent(row_scores[piece][first : last + 1], typical, offset)
            errors = _window_contributions(detector, windows[[rarest]]).sum(axis=1)[0]
            first += piece.start
            events.append(_Event(first + start, first + end, float(scores[rarest]), _shares(errors, names)))
    return Events(_table(events, times), row_scores, offset)


def _checked_recording(
    detector: ReconstructionDetector, recording: npt.ArrayLike, timesteps: int
) -> tuple[np.ndarray, list[Any]]:
    """Return the rows of a recording, a view where possible, and the names of its features."""
    rows = as_numbers(recording, "recording")
    if rows.ndim not in (1, 2) or len(rows) < timesteps:
        raise ValueError(
            f"Got recording= of shape {rows.shape}, expected (n_rows, n_features) or (n_rows,), with at least "
            f"{timesteps} rows for timesteps={timesteps}. Pass one recording at a time."
        )
    rows = rows[:, np.newaxis] if rows.ndim == 1 else rows
    n_features = 1 if detector.input_ndim_ == 2 else detector.n_features_in_
    if rows.shape[1] != n_features:
        raise ValueError(
            f"Got recording= of {counted(rows.shape[1], 'feature')}, expected {n_features}, as the detector was fitted "
            f"on. Select them: recording[:, columns]."
        )
    # For a table, scikit-learn counts its columns as features. Sequences of unequal lengths have one feature.
    if detector.input_ndim_ == 2 and detector.n_features_in_ not in (1, timesteps):
        raise ValueError(
            f"Got timesteps={timesteps}, expected {detector.n_features_in_}, as the detector was fitted on. Pass "
            f"timesteps=detector.n_timesteps_."
        )
    infinite = np.flatnonzero(np.isinf(rows).any(axis=1)) if rows.dtype.kind == "f" else np.zeros(0, int)
    if len(infinite):
        raise ValueError(
            f"Got recording= with infinity in row {infinite[0]}, expected finite values. Mark missing values with NaN."
        )
    names, fitted = column_labels([recording]), getattr(detector, "feature_names_in_", None)
    # The names of a table are those of timesteps.
    fitted = None if detector.input_ndim_ == 2 else fitted
    if names is not None and fitted is not None and names != list(fitted):
        raise ValueError(
            f"Got recording= with the columns {names[:10]}, expected {list(fitted)[:10]}, as the detector was fitted "
            f"on. Pass recording[detector.feature_names_in_]."
        )
    return rows, list(range(n_features)) if names is None else names


def _pieces(recording: Any, time: Any, max_gap: TimeStep | None, n_rows: int) -> tuple[list[slice], Any]:
    """Return the rows of each piece without gaps, and the times of all rows as they were given, or None."""
    index = getattr(recording, "index", None)
    if time is None and max_gap is None and not hasattr(index, "tz_localize"):
        return [slice(0, n_rows)], None
    times = times_of_rows(recording, time, n_rows, "recording")
    pieces = [slice(0, n_rows)] if max_gap is None else pieces_without_gaps(times, max_gap)
    return pieces, index if time is None else time


def _scores(
    detector: ReconstructionDetector, windows: np.ndarray, starts: np.ndarray, n_rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Score windows, and the rows that they cover; NaN for windows without any value and for rows without a window."""
    timesteps = windows.shape[1]
    scores, sums = np.full(len(windows), np.nan), np.zeros((4, n_rows))
    for batch in chunks(len(windows), timesteps * windows.shape[2]):
        known = ~np.isnan(windows[batch])
        chosen = np.flatnonzero(known.any(axis=(1, 2)))
        if not len(chosen):
            continue
        errors = _window_contributions(detector, windows[batch.start + chosen]).sum(axis=2)
        scores[batch.start + chosen] = -errors.sum(axis=1)
        _add_errors(sums, starts[batch.start + chosen], errors, known[chosen].sum(axis=2))
    return scores, _row_scores(sums, timesteps)


def _window_contributions(detector: ReconstructionDetector, windows: np.ndarray) -> np.ndarray:
    """Compute the share of each value in the errors of windows, whose values are checked."""
    lengths = np.full(len(windows), windows.shape[1])
    complete = not np.isnan(windows).any()
    sequences = Sequences(values=windows, lengths=lengths, ndim=detector.input_ndim_, complete=complete)
    return contributions(detector, sequences, np.arange(len(windows)))


def _add_errors(sums: np.ndarray, starts: np.ndarray, errors: np.ndarray, n_known: np.ndarray) -> None:
    """Add the errors of windows to the sums of the rows that they cover.

    Parameters
    ----------
    sums : float array of shape (4, n_rows)
        Changed in place. For each row: the weighted sum of the errors of the windows that cover it, the sum of these
        weights, the weighted sum of the row's own errors, and the weighted number of its known values.
    starts : int array of shape (n_windows,)
        Row at which each window starts.
    errors : float array of shape (n_windows, timesteps)
        Share of each timestep in the error of its window, which is a mean over the known values of the window.
    n_known : int array of the same shape
        Known values of each timestep.
    """
    window_errors = np.stack([errors.sum(axis=1), np.ones(len(errors))])
    timestep_errors = errors.T * n_known.sum(axis=1)
    for step, weight in enumerate(centre_weights(errors.shape[1])):
        sums[:2, starts + step] += weight * window_errors
        sums[2:, starts + step] += weight * np.stack([timestep_errors[step], n_known[:, step]])


def _row_scores(sums: np.ndarray, timesteps: int) -> np.ndarray:
    """Combine the sums that `_add_errors` describes into a score for each row."""
    window_sums, window_weights, row_sums, row_weights = sums
    nearby = np.hanning(timesteps // _NEARBY + 2)[1:-1]
    if len(nearby):
        row_sums, row_weights = (np.convolve(each, nearby, "same") for each in (row_sums, row_weights))
    with np.errstate(invalid="ignore"):
        window_errors = window_sums / window_weights
        row_errors = np.maximum(row_sums, 0) / row_weights
    # Where no value is known nearby, the windows alone decide.
    row_errors = np.where(row_weights > 0, row_errors, window_errors)
    scores: np.ndarray = -(window_errors ** (1 - _ROW_WEIGHT)) * row_errors**_ROW_WEIGHT
    return scores


def _flagged_stretches(
    scores: np.ndarray, starts: np.ndarray, timesteps: int, offset: float
) -> Iterator[tuple[int, int, int]]:
    """Yield first row, last row and the window of the lowest score of flagged windows that touch or overlap."""
    flagged = np.flatnonzero(scores < offset)
    parts = np.split(flagged, np.flatnonzero(np.diff(starts[flagged]) > timesteps) + 1) if len(flagged) else []
    for part in parts:
        yield int(starts[part[0]]), int(starts[part[-1]] + timesteps - 1), int(part[scores[part].argmin()])


def _extent(row_scores: np.ndarray, typical: float, offset: float) -> tuple[int, int]:
    """Find the first and the last row of an event, of all rows that its windows cover, see `detect_events`."""
    lowest = np.nanmin(row_scores)
    far, half = typical + 0.75 * (lowest - typical), typical + 0.5 * (lowest - typical)
    rare = np.flatnonzero(row_scores <= max(lowest, far, min(offset, half)))
    return int(rare[0]), int(rare[-1])


def _shares(errors: np.ndarray, names: list[Any]) -> dict[Any, float]:
    """Name the share of each feature in the error of a window, the largest first."""
    shares = errors / errors.sum()
    return {names[feature]: float(shares[feature]) for feature in np.argsort(-shares)}


def _table(events: list[_Event], times: Any) -> Any:
    columns = {name: np.array([getattr(event, name) for event in events], int) for name in ("start", "end")}
    if times is not None:
        # Arrays of pandas keep the time zone, also of no event.
        array = times.array if hasattr(times, "array") else np.asarray(times)
        columns |= {f"{name}_time": array.take(columns[name]) for name in ("start", "end")}
    columns["score"] = np.array([event.score for event in events], float)
    columns["features"] = np.empty(len(events), object)
    columns["features"][:] = [event.features for event in events]
    try:
        pandas = import_extra("pandas", extra="frames")
    except ImportError:
        return Bunch(**columns)
    table, zone = pandas.DataFrame(columns), zone_of(times)
    for name in ("start_time", "end_time") if zone is not None else ():
        if table[name].dt.tz is None:
            # NumPy has no zones: what it makes of dates of polars is in UTC.
            table[name] = table[name].dt.tz_localize("UTC").dt.tz_convert(zone)
    return table
