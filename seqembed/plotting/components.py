"""Figures of what a component of the embedding stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqembed.estimators.autoencoder import LSTMAutoencoder
from seqembed.extras import import_extra
from seqembed.inspection.influence import component_influence
from seqembed.inspection.traversal import Traverse, traverse
from seqembed.plotting.literal_text import as_written
from seqembed.plotting.panels import checked_panels
from seqembed.plotting.stacked_lines import checked_names, name_levels, stacked
from seqembed.sequences.batches import check_read_twice
from seqembed.sequences.containers import SequencesLike, column_labels


def plot_component(
    estimator: LSTMAutoencoder,
    X: SequencesLike,
    component: int,
    *,
    lengths: npt.ArrayLike | None = None,
    influence: np.ndarray | None = None,
    feature_names: Sequence[str] | None = None,
    axes: Sequence[Any] | None = None,
) -> Sequence[Any]:
    """Draw what moves a component of the embedding, and beside it what the component does to a sequence.

    Parameters
    ----------
    estimator : LSTMAutoencoder
        Fitted.
    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
        Sequences, of any kind that `transform` takes and that can be read twice.
    component : int
        Number of the component, from 0.
    lengths : array-like of int of shape (n_samples,), default=None
        Timesteps of each sequence of a padded array.
    influence : float array of shape (n_components, n_timesteps, n_features), default=None
        Result of `seqembed.inspection.component_influence`, which takes seconds and has all components. Pass it to draw
        several of them. By default it is computed.
    feature_names : sequence of str of length n_features, default=None
        Names of the features. By default those of the columns of data frames, or numbers.
    axes : pair of matplotlib.axes.Axes, default=None
        Axes of the influence and of the sequences. By default those of a new figure.

    Returns
    -------
    axes : pair of matplotlib.axes.Axes
        The first shows the influence: a heat map of features and timesteps, or a line if there is one feature. Places
        where no sequence has a known value are grey. The second shows the sequences of `seqembed.inspection.traverse`:
        each of several features is scaled to its range over all of them, and lies above the one before it.

    Raises
    ------
    ValueError
        For a component that the embedding does not have, an `influence` of another shape, another number of names than
        of features, sequences that `transform` refuses, and a generator, which can't be read twice.
    TypeError
        For an estimator without an embedding that can be decoded.
    sklearn.exceptions.NotFittedError
        For an estimator that is not fitted.
    ImportError
        If matplotlib is not installed. ``pip install "seqembed[plot]"`` installs it.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> X = np.random.default_rng(0).normal(size=(40, 5, 2))
    >>> autoencoder = LSTMAutoencoder(3, hidden_units=(), epochs=2, random_state=0).fit(X)
    >>> left, right = plot_component(autoencoder, X, component=1)
    >>> left.get_title(), len(right.lines)
    ('what moves component 1', 14)
    """
    pyplot = import_extra("matplotlib.pyplot", extra="plot")
    check_read_twice(X)
    along = traverse(estimator, X, component, lengths=lengths)
    own = _checked(component_influence(estimator, X, lengths=lengths) if influence is None else influence, estimator)
    n_features = own.shape[2]
    names = checked_names(_column_names(estimator, X) if feature_names is None else feature_names, n_features)
    if axes is None:
        size = (11, max(4.0, 0.7 * n_features))
        figure, axes = pyplot.subplots(1, 2, figsize=size, width_ratios=(1, 1.2), layout="constrained")
        figure.get_layout_engine().set(wspace=0.06)
    axes = checked_panels(axes, 2)
    _draw_influence(axes[0], own[component], names)
    axes[0].set_title(f"what moves component {component}")
    _draw_traverse(axes[1], along, component, names)
    axes[1].set_title(f"what component {component} does")
    for panel in axes:
        panel.set_xlabel("timestep")
    return axes


def _checked(influence: npt.ArrayLike, estimator: LSTMAutoencoder) -> np.ndarray:
    own = np.asarray(influence, np.float64)
    n_components, n_features = estimator.network_.n_components, estimator.n_features_
    if own.ndim != 3 or (len(own), own.shape[2]) != (n_components, n_features):
        raise ValueError(
            f"Got influence= of shape {own.shape}, expected ({n_components}, n_timesteps, {n_features}). Pass what "
            f"component_influence(estimator, X) returned."
        )
    return own


def _column_names(estimator: LSTMAutoencoder, X: SequencesLike) -> list[str] | None:
    """Return the names of columns if they are features: those of a table are timesteps."""
    if estimator.input_ndim_ == 2:
        return None
    labels = column_labels(X) or list(getattr(estimator, "feature_names_in_", []))
    return [as_written(label) for label in labels] or None


def _draw_influence(panel: Any, influence: np.ndarray, names: list[str] | None) -> None:
    label = "change per standard deviation"
    if influence.shape[1] == 1:
        panel.plot(influence[:, 0], color="tab:blue")
        panel.set_ylim(bottom=0)
        panel.set_ylabel(label)
        return
    # The first feature is at the bottom, as in the other panel.
    image = panel.imshow(influence.T, origin="lower", aspect="auto", interpolation="nearest", cmap="viridis", vmin=0)
    panel.set_facecolor("0.8")
    panel.set_yticks(range(influence.shape[1]), names)
    panel.figure.colorbar(image, ax=panel, label=label)


def _draw_traverse(panel: Any, along: Traverse, component: int, names: list[str] | None) -> None:
    cm, colors = (import_extra(f"matplotlib.{name}", extra="plot") for name in ("cm", "colors"))
    low, high = along.values[0], along.values[-1]
    scale = cm.ScalarMappable(colors.Normalize(low, high), "coolwarm")
    lines = stacked(along.sequences)
    for value, sequence in zip(along.values, lines, strict=True):
        panel.plot(sequence, color=scale.to_rgba(value), linewidth=1.2)
    name_levels(panel, names)
    panel.figure.colorbar(scale, ax=panel, label=f"component {component}")
