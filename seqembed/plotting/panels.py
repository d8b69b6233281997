"""Axes that a user passes to a figure of several panels."""

from __future__ import annotations

from typing import Any

import numpy as np

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

    Examples
    --------
    >>> checked_panels(np.array([["a", "b"]], object), 2)
    array(['a', 'b'], dtype=object)
    """
    panels = axes if isinstance(axes, np.ndarray) and axes.ndim == 1 else np.ravel(np.array(axes, object))
    if len(panels) != n_panels:
        raise ValueError(
            f"Got axes= of {counted(len(panels), 'panel')} for {counted(n_panels, noun)}, expected one for each. Leave "
            f"axes= out for a new figure, or pass those of pyplot.subplots({n_panels})[1]."
        )
    return panels
