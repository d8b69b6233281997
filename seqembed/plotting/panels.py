"""Axes that a user passes to a figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqembed.extras import import_extra
from seqembed.sequences.wording import counted


def checked_panels(axes: Any, n_panels: int, noun: str = "plot") -> Any:
    """Return axes as an array of one dimension, and refuse another number of them.

    Parameters
    ----------
    axes : matplotlib.axes.Axes, sequence of them, or array of any shape
        As `matplotlib.pyplot.subplots` returns them: a single one, a row, a column or a grid, which is read row by row.
    n_panels : int
        How many are needed.
    noun : str, default="plot"
        What needs one each, for the message.

    Returns
    -------
    panels : object array of shape (n_panels,)
        The array itself if it has this shape.

    Raises
    ------
    ValueError
        For another number of axes.
    TypeError
        For what are no axes, such as a figure.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from matplotlib import pyplot
    >>> checked_panels(pyplot.subplots(2, 2)[1], 4).shape
    (4,)
    """
    panels = axes if isinstance(axes, np.ndarray) and axes.ndim == 1 else np.ravel(np.array(axes, object))
    axes_of_matplotlib = import_extra("matplotlib.axes", extra="plot").Axes
    for panel in panels:
        if not isinstance(panel, axes_of_matplotlib):
            raise TypeError(
                f"Got axes= with an object of type {type(panel).__name__}, expected matplotlib's Axes. Leave axes= out "
                f"for a new figure, or pass those of pyplot.subplots({n_panels})[1]."
            )
    if len(panels) != n_panels:
        raise ValueError(
            f"Got axes= of {counted(len(panels), 'panel')} for {counted(n_panels, noun)}, expected one for each. Leave "
            f"axes= out for a new figure, or pass those of pyplot.subplots({n_panels})[1]."
        )
    return panels


def check_panel(ax: Any) -> None:
    """Refuse what is no single axes in the place of `ax`.

    Raises
    ------
    TypeError
        For what `pyplot.subplots` returned for several, and for a figure.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from matplotlib import pyplot
    >>> check_panel(pyplot.subplots()[1])
    """
    if not isinstance(ax, import_extra("matplotlib.axes", extra="plot").Axes):
        raise TypeError(
            f"Got ax= of type {type(ax).__name__}, expected one Axes of matplotlib. Leave ax= out for a new figure, or "
            f"pass one of those that pyplot.subplots returned, such as axes.flat[0]."
        )
