"""Rare events of a recording: when they were, and which features stood out."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from seqembed.estimators.detector import ReconstructionDetector
from seqembed.extras import import_extra
from seqembed.sequences.collection import chunks, counted
from seqembed.sequences.containers import as_numbers, column_names
from seqembed.sequences.windows import centre_weights, pieces_without_gaps, sliding_windows

# The error of a row is a mean over this part of a window around it, and has this weight in the row's score.
_NEARBY, _WEIGHT_OF_ROWS = 8, 1 / 5


class Events(NamedTuple):
    """Rare events of a recording, and what they were found by.

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

    table: object
    row_scores: np.ndarray
    offset: float


class _Event(NamedTuple):
    start: int
    end: int
    score: float
    features: dict


def detect_events(
    detector: ReconstructionDetector, recording, timesteps: int, stride: int = 1, *, time=None, max_gap=None
) -> Events:
    """Find the rare events of a recording.

    1. The detector judges windows of the recording. Flagged windows that touch or overlap are one event.
    2. Each row gets a score from two errors: that of the windows that cover it, of which those count more that have it
       near their centre, and that of the rows in an eighth of a window around it alone. The score is minus their
       geometric mean, in which the first counts four times. Windows rank long and faint events well, rows find short
       ones.
    3. A window is flagged for an event anywhere in it. So an event reaches from the first to the last row of its
       windows that is three quarters as far from typical rows as the lowest one, or half as far and below the
       threshold.

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
        Time of each row. By default the index of a data frame, if it holds dates, and with `max_gap` any index.
    max_gap : number or timedelta, default=None
        Longest step in time between neighbouring rows of a window, as in `sliding_windows`.

    Returns
    -------
    events : Events
        ``(table, row_scores, offset)``.

    Raises
    ------
    ValueError
        For a recording that is shorter than a window, has other features than the detector was fitted on, or holds
        infinity, for times of another number, and for what the detector refuses. Windows without any value are left
        out.

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
    index = getattr(recording, "index", None)
    if time is None and (hasattr(index, "tz_localize") or (max_gap is not None and hasattr(index, "dtype"))):
        time = index
    if time is not None and len(time) != len(rows):
        raise ValueError(f"Got time= of length {len(time)} for {len(rows)} rows, expected a time for each row.")
    pieces = [slice(0, len(rows))] if max_gap is None else pieces_without_gaps(time, len(rows), max_gap)
    row_scores, found = np.full(len(rows), np.nan), []
    for piece in pieces:
        if piece.stop - piece.start < timesteps:
            continue
        windows, starts, _ = sliding_windows(rows[piece], timesteps, stride)
        scores, row_scores[piece] = _scores(detector, windows, starts, piece.stop - piece.start)
        for first, last, rarest in _flagged_stretches(scores, starts, timesteps, detector.offset_):
            start, end = _extent(row_scores[piece][first : last + 1], detector)
            shares = _shares(detector, windows[[rarest]], names)
            offset = piece.start + first
            found.append(_Event(offset + start, offset + end, float(scores[rarest]), shares))
    return Events(_table(found, time), row_scores, detector.offset_)


def _checked_recording(detector: ReconstructionDetector, recording, timesteps: int) -> tuple[np.ndarray, list]:
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
    infinite = np.flatnonzero(np.isinf(rows).any(axis=1)) if rows.dtype.kind == "f" else ()
    if len(infinite):
        raise ValueError(
            f"Got recording= with infinity in row {infinite[0]}, expected finite values. Mark missing values with NaN."
        )
    names, fitted = column_names([recording]), getattr(detector, "feature_names_in_", None)
    if names is not None and fitted is not None and names != list(fitted):
        raise ValueError(
            f"Got recording= with the columns {names[:10]}, expected {list(fitted)[:10]}, as the detector was fitted "
            f"on. Pass recording[detector.feature_names_in_]."
        )
    return rows, list(range(n_features)) if names is None else names


def _scores(
    detector: ReconstructionDetector, windows: np.ndarray, starts: np.ndarray, n_rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Score windows, and the rows that they cover; NaN for windows without any value and for rows without a window."""
    timesteps = windows.shape[1]
    scores, weights = np.full(len(windows), np.nan), centre_weights(timesteps)
    # Sums over the windows that cover a row: of their errors and of the row's own errors, each with its weights.
    sums = np.zeros((4, n_rows))
    for batch in chunks(len(windows), timesteps * windows.shape[2]):
        known = ~np.isnan(windows[batch])
        rows = np.flatnonzero(known.any(axis=(1, 2))) + batch.start
        if not len(rows):
            continue
        errors = _explained(detector, windows[rows]).timestep
        known = known[rows - batch.start].sum(axis=2)
        scores[rows] = -errors.sum(axis=1)
        # An error is a share in the mean over all known values of the window.
        of_window, of_steps = np.stack([-scores[rows], np.ones(len(rows))]), errors.T * known.sum(axis=1)
        for step, weight in enumerate(weights):
            sums[:2, starts[rows] + step] += weight * of_window
            sums[2:, starts[rows] + step] += weight * np.stack([of_steps[step], known[:, step]])
    nearby = np.hanning(timesteps // _NEARBY + 2)[1:-1]
    around, n_around = (np.convolve(each, nearby, "same") for each in sums[2:]) if len(nearby) else sums[2:]
    with np.errstate(invalid="ignore"):
        of_windows, of_rows = sums[0] / sums[1], np.maximum(around, 0) / n_around
    # Where no value is known nearby, the windows alone tell.
    of_rows = np.where(n_around > 0, of_rows, of_windows)
    return scores, -(of_windows ** (1 - _WEIGHT_OF_ROWS)) * of_rows**_WEIGHT_OF_ROWS


def _explained(detector: ReconstructionDetector, windows: np.ndarray) -> Bunch:
    """Explain windows, without a word about names of columns, which were checked."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
        return detector.explain(windows[:, :, 0] if detector.input_ndim_ == 2 else windows)


def _flagged_stretches(scores: np.ndarray, starts: np.ndarray, timesteps: int, offset: float):
    """Yield first row, last row and the window of the lowest score of flagged windows that touch or overlap."""
    flagged = np.flatnonzero(scores < offset)
    parts = np.split(flagged, np.flatnonzero(np.diff(starts[flagged]) > timesteps) + 1) if len(flagged) else []
    for part in parts:
        yield int(starts[part[0]]), int(starts[part[-1]] + timesteps - 1), int(part[scores[part].argmin()])


def _extent(scores: np.ndarray, detector: ReconstructionDetector) -> tuple[int, int]:
    """Find the first and the last row of an event, of all rows that its windows cover."""
    lowest, typical = np.nanmin(scores), np.median(detector.heldout_scores_)
    far, half = typical + 0.75 * (lowest - typical), typical + 0.5 * (lowest - typical)
    rare = np.flatnonzero(scores <= max(lowest, far, min(detector.offset_, half)))
    return int(rare[0]), int(rare[-1])


def _shares(detector: ReconstructionDetector, window: np.ndarray, names: list) -> dict:
    shares = _explained(detector, window).feature[0]
    shares = shares / shares.sum()
    return {names[feature]: float(shares[feature]) for feature in np.argsort(-shares)}


def _table(found: list[_Event], time):
    columns = {name: np.array([getattr(event, name) for event in found], int) for name in ("start", "end")}
    if time is not None:
        times = np.asarray(time)
        columns |= {f"{name}_time": times[columns[name]] for name in ("start", "end")}
    columns["score"] = np.array([event.score for event in found], float)
    columns["features"] = np.empty(len(found), object)
    columns["features"][:] = [event.features for event in found]
    try:
        return import_extra("pandas", extra="frames").DataFrame(columns)
    except ImportError:
        return Bunch(**columns)
