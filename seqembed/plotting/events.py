"""Figures of rare events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqembed.estimators.detector_input import known_times
from seqembed.estimators.events import Events
from seqembed.extras import import_extra
from seqembed.plotting.literal_text import as_written
from seqembed.plotting.panels import checked_panels
from seqembed.sequences.containers import as_numbers
from seqembed.sequences.times import rules_of, zone_of
from seqembed.sequences.wording import counted

# Scores that are lower than this many times the threshold would press all others into a line at 0.
_LARGEST_RATIO = 5
# Part of the panel below the threshold, where the axis is logarithmic.
_LOGARITHMIC_PART, _MOST_TICKS = 0.6, 4


def plot_events(
    events: Events, recording: npt.ArrayLike, time: npt.ArrayLike | None = None, axes: Sequence[Any] | None = None
) -> Sequence[Any]:
    """Draw a recording with its events, and below it the scores of its rows.

    Parameters
    ----------
    events : seqembed.Events
        Result of `seqembed.detect_events`.
    recording : array-like of shape (n_rows, n_features) or (n_rows,)
        The recording. A data frame names the lines.
    time : array-like of shape (n_rows,), default=None
        Time of each row, as `detect_events` takes them, for the horizontal axis. By default the index of a data frame,
        if it holds dates. Otherwise the axis counts rows.
    axes : pair of matplotlib.axes.Axes, default=None
        Axes of the recording and of the scores. By default those of a new figure.

    Returns
    -------
    axes : pair of matplotlib.axes.Axes
        The first shows the recording: each feature is divided by its standard deviation, and lies above the one before
        it. The second shows the scores of the rows, with the threshold of the windows. If scores are far below the
        threshold, the axis is linear above it and logarithmic below it. Dates are those of their time zone.

    Raises
    ------
    TypeError
        For what is not the result of `detect_events`, such as its table alone.
    ValueError
        For times that `detect_events` refuses, for the events of several recordings, and for another number of rows
        than that of the scores.
    ImportError
        If matplotlib is not installed. ``pip install "seqembed[plot]"`` installs it.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.utils import Bunch
    >>> table = Bunch(start=[3], end=[5], score=[-9.0], features=[{0: 1.0}])
    >>> above, below = plot_events(Events(table, np.full(20, -1.0), offset=-4.0), np.zeros(20))
    >>> len(above.lines), len(below.lines)
    (1, 2)
    """
    pyplot = import_extra("matplotlib.pyplot", extra="plot")
    if not isinstance(events, Events):
        raise TypeError(
            f"Got events= of type {type(events).__name__}, expected what detect_events returned. Pass all of it: "
            f"plot_events(detect_events(detector, recording, timesteps), recording)."
        )
    if next(iter(events.table)) != "start":
        raise ValueError(
            f"Got events= of several recordings, with their names in the column {next(iter(events.table))!r}, expected "
            f"those of a single one. Draw one at a time: plot_events(detect_events(detector, each, timesteps), each)."
        )
    names = getattr(recording, "columns", None)
    values = as_numbers(recording, "recording").astype(np.float64)
    values = values[:, np.newaxis] if values.ndim == 1 else values
    if len(values) != len(events.row_scores):
        raise ValueError(
            f"Got recording= of {counted(len(values), 'row')} and events= of {len(events.row_scores)} rows, expected "
            f"the recording that was passed to detect_events. After freq=, pass its rows on the grid, such as "
            f"recording.asfreq(freq) if its index has dates and there was no max_gap=."
        )
    times, given_times = known_times(recording, time, len(values), "recording")
    if axes is None:
        _, axes = pyplot.subplots(2, sharex=True, figsize=(11, 6), height_ratios=(2, 1), layout="constrained")
    axes = checked_panels(axes, 2)
    across: Any = np.arange(len(values)) if times is None else times
    if across.dtype.kind == "m":
        # matplotlib has no axis of durations.
        across = across / np.timedelta64(1, "s")
    # Not nanmean, which warns of a feature without any value.
    known = np.ma.masked_invalid(values)
    means, deviations = known.mean(axis=0).filled(0), known.std(axis=0).filled(0)
    scaled = (values - means) / np.where(deviations > 0, deviations, 1)
    levels = 4.0 * np.arange(values.shape[1])
    axes[0].plot(across, scaled + levels, linewidth=0.8, color="0.3")
    shown = [f"feature {number}" for number in range(len(levels))] if names is None else list(map(as_written, names))
    axes[0].set_yticks(levels, shown)
    axes[0].set_ylabel("value, in standard deviations")
    axes[1].plot(across, events.row_scores, color="tab:blue", label="score of the row")
    axes[1].axhline(events.offset, color="tab:red", linestyle="--", label="threshold of windows")
    axes[1].set_ylabel("score, low is rare")
    _show_low_scores(axes[1], events)
    axes[1].set_xlabel(_time_label(times))
    for start, end in zip(events.table["start"], events.table["end"], strict=True):
        for panel in axes:
            # The edge has a width, so that an event of a single row is visible.
            panel.axvspan(across[start], across[end], color="tab:orange", alpha=0.4, linewidth=1)
    # Above the panel, where it hides no score.
    axes[1].legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.1, ncols=2, frameon=False)
    if across.dtype.kind == "M":
        for panel in axes:
            _write_short_dates(panel.xaxis, zone_of(given_times))
    return axes


def _show_low_scores(panel: Any, events: Events) -> None:
    """Make the axis logarithmic below the threshold if scores would press the others into a line."""
    ticker = import_extra("matplotlib.ticker", extra="plot")
    known = np.asarray(events.row_scores)[np.isfinite(events.row_scores)]
    ratio = known.min() / events.offset if len(known) and events.offset < 0 else 0
    if ratio <= _LARGEST_RATIO:
        return
    # `linscale` is the height of the linear part in decades. matplotlib adds 1 / 9 of one to it for a base of 10.
    height = np.log10(ratio) * (1 - _LOGARITHMIC_PART) / _LOGARITHMIC_PART
    panel.set_yscale("symlog", linthresh=-events.offset, linscale=max(0.1, height))
    panel.set_ylim(10 ** (0.05 * np.log10(ratio)) * known.min(), 0)
    exponents = np.arange(np.ceil(np.log10(-events.offset)), np.floor(np.log10(-known.min())) + 1)
    exponents = exponents[:: int(np.ceil(len(exponents) / _MOST_TICKS)) or 1]
    # Between the threshold and the lowest score, there may be a single power of ten or none.
    ticks = -(10.0 ** exponents[::-1]) if len(exponents) > 1 else np.array([known.min(), events.offset])
    panel.yaxis.set_major_locator(ticker.FixedLocator([*ticks, 0]))
    panel.yaxis.set_major_formatter(ticker.FuncFormatter(lambda tick, _: f"{tick:.3g}"))
    panel.yaxis.set_minor_locator(ticker.NullLocator())
    panel.set_ylabel("score, low is rare\n(log below threshold)")


def _time_label(times: np.ndarray | None) -> str:
    if times is None:
        return "row"
    return "time, in seconds" if times.dtype.kind == "m" else "time"


def _write_short_dates(axis: Any, zone: Any) -> None:
    """Write what changes from one date to the next, so that labels don't overlap."""
    dates = import_extra("matplotlib.dates", extra="plot")
    # matplotlib reads names of zones by dateutil, which it may not have.
    zone = None if zone is None else rules_of(zone)
    locator = dates.AutoDateLocator(tz=zone)
    axis.set_major_locator(locator)
    axis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=zone))
