"""Figures of rare events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqembed.estimators.events import Events
from seqembed.extras import import_extra
from seqembed.sequences.containers import as_numbers
from seqembed.sequences.times import checked_times


def plot_events(
    events: Events, recording: npt.ArrayLike, time: npt.ArrayLike | None = None, axes: Sequence[Any] | None = None
) -> Sequence[Any]:
    """Draw a recording with its events, and below it the scores of its rows.

    Parameters
    ----------
    events : seqembed.estimators.events.Events
        Result of `seqembed.detect_events`.
    recording : array-like of shape (n_rows, n_features) or (n_rows,)
        The recording. A data frame names the lines.
    time : array-like of shape (n_rows,), default=None
        Time of each row, as `detect_events` takes them, for the horizontal axis. By default the axis counts rows.
    axes : pair of matplotlib.axes.Axes, default=None
        Axes of the recording and of the scores. By default those of a new figure.

    Returns
    -------
    axes : pair of matplotlib.axes.Axes
        The first shows the recording: each feature is divided by its standard deviation, and lies above the one before
        it. The second shows the scores of the rows, with the threshold of the windows.

    Raises
    ------
    ValueError
        For times that `detect_events` refuses.
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
    if axes is None:
        _, axes = pyplot.subplots(2, sharex=True, figsize=(11, 6), height_ratios=(2, 1), layout="constrained")
    names = getattr(recording, "columns", None)
    values = as_numbers(recording, "recording").astype(np.float64)
    values = values[:, np.newaxis] if values.ndim == 1 else values
    if time is not None:
        checked_times(time, len(values))
    time = np.arange(len(values)) if time is None else np.asarray(time)
    deviations = np.nanstd(values, axis=0)
    scaled = (values - np.nanmean(values, axis=0)) / np.where(deviations > 0, deviations, 1)
    levels = 4.0 * np.arange(values.shape[1])
    axes[0].plot(time, scaled + levels, linewidth=0.8, color="0.3")
    axes[0].set_yticks(levels, [f"feature {number}" for number in range(len(levels))] if names is None else names)
    axes[1].plot(time, events.row_scores, color="tab:blue", label="score of the row")
    axes[1].axhline(events.offset, color="tab:red", linestyle="--", label="threshold of windows")
    axes[1].set_ylabel("low is rare")
    for start, end in zip(events.table.start, events.table.end, strict=True):
        for panel in axes:
            # The edge has a width, so that an event of a single row is visible.
            panel.axvspan(time[start], time[end], color="tab:orange", alpha=0.4, linewidth=1)
    axes[1].legend(loc="lower left", ncols=2)
    return axes
