"""Figures of clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqembed.extras import import_extra
from seqembed.inspection.typical import TypicalSequences
from seqembed.plotting.literal_text import as_written
from seqembed.plotting.panels import checked_panels
from seqembed.plotting.stacked_lines import checked_names, name_levels, stacked
from seqembed.sequences.wording import counted

_MOST_COLUMNS = 4


def plot_typical_sequences(
    typical: TypicalSequences, *, feature_names: Sequence[str] | None = None, axes: Sequence[Any] | None = None
) -> Sequence[Any]:
    """Draw the decoded centre of each cluster, with its nearest member.

    Parameters
    ----------
    typical : seqembed.inspection.TypicalSequences
        Result of `seqembed.inspection.typical_sequences`.
    feature_names : sequence of str of length n_features, default=None
        Names of the features. By default they are numbered.
    axes : sequence of matplotlib.axes.Axes, default=None
        One for each cluster. By default those of a new figure, four in a row.

    Returns
    -------
    axes : sequence of matplotlib.axes.Axes
        One for each cluster. Each of several features is scaled to its range over all that is drawn, and lies above
        the one before it. A single feature is drawn in its unit.

    Raises
    ------
    ValueError
        For another number of axes than clusters, or of names than features.
    TypeError
        For something else than the result of `seqembed.inspection.typical_sequences`.
    ImportError
        If matplotlib is not installed. ``pip install "seqembed[plot]"`` installs it.

    Examples
    --------
    >>> import matplotlib
    >>> import numpy as np
    >>> matplotlib.use("Agg")
    >>> waves = np.sin([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]])
    >>> numbers = np.array([0, 1])
    >>> typical = TypicalSequences(numbers, np.array([5, 1]), waves, numbers, waves, np.array([0.3, 0.0]))
    >>> [panel.get_title() for panel in plot_typical_sequences(typical)]
    ['cluster 0: 5 sequences', 'cluster 1: 1 sequence']
    """
    pyplot = import_extra("matplotlib.pyplot", extra="plot")
    if not isinstance(typical, TypicalSequences):
        raise TypeError(
            f"Got typical= of type {type(typical).__name__}, expected the result of typical_sequences. Pass "
            f"typical_sequences(estimator, X, labels), of seqembed.inspection."
        )
    n_clusters = len(typical.labels)
    lines = stacked([*typical.nearest, *typical.centers])
    n_features = lines[0].shape[1]
    names = checked_names(feature_names, n_features)
    if axes is None:
        panels, named, counting = _new_panels(pyplot, n_clusters, n_features)
    else:
        panels = named = counting = checked_panels(axes, n_clusters, "cluster")
    handles = []
    for number, panel in enumerate(panels):
        member, *_ = panel.plot(lines[number], color="0.6", linewidth=2)
        center, *_ = panel.plot(lines[n_clusters + number], color="tab:blue", linewidth=1.2)
        handles = [member, center]
        panel.set_title(
            f"cluster {as_written(typical.labels[number])}: {counted(int(typical.sizes[number]), 'sequence')}"
        )
    for panel in named:
        name_levels(panel, names)
    for panel in counting:
        panel.set_xlabel("timestep")
    panels[0].figure.legend(handles, ["nearest member", "decoded centre"], loc="outside upper right", ncols=2)
    return panels


def _new_panels(pyplot: Any, n_clusters: int, n_features: int) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
    """Make a figure; return all of its panels, those of its first column, and the lowest of each column."""
    n_rows, n_columns = -(-n_clusters // _MOST_COLUMNS), min(n_clusters, _MOST_COLUMNS)
    size = (max(5.0, 3.2 * n_columns), n_rows * max(2.8, 0.6 * n_features) + 0.4)
    _, grid = pyplot.subplots(
        n_rows, n_columns, figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    panels: Sequence[Any] = list(grid.flat)
    for panel in panels[n_clusters:]:
        panel.remove()
    lowest = panels[max(0, n_clusters - n_columns) : n_clusters]
    for panel in lowest:
        # Above an empty place, a shared axis has no numbers.
        panel.tick_params(labelbottom=True)
    return panels[:n_clusters], list(grid[:, 0]), lowest
