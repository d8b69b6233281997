"""Figures of sequences beside their reconstructions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seqembed.estimators.reconstruction import chosen_sequences
from seqembed.extras import import_extra
from seqembed.plotting.literal_text import as_written
from seqembed.plotting.panels import checked_panels
from seqembed.plotting.stacked_lines import checked_names, levels, stacked
from seqembed.sequences.batches import collected
from seqembed.sequences.collection import Sequences
from seqembed.sequences.columns import check_names, names_were_checked
from seqembed.sequences.containers import SequencesLike

# More features than these are too thin to compare in a panel.
_MOST_FEATURES = 6
_COLUMNS = 2


def plot_reconstruction(
    estimator: Any,
    X: SequencesLike,
    n_sequences: int = 4,
    *,
    lengths: npt.ArrayLike | None = None,
    feature_names: Sequence[str] | None = None,
    axes: Sequence[Any] | None = None,
) -> np.ndarray:
    """Draw typical sequences, and the worst ones, beside their reconstructions.

    Parameters
    ----------
    estimator : LSTMAutoencoder or LSTMReconstructor
        A fitted one, or any other with the methods `reconstruct` and `reconstruction_error`.
    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
        Sequences to choose from, as given to `fit`: also of unequal lengths, with missing values, or in batches.
    n_sequences : int, default=4
        How many to draw. Half of them, rounded up, have errors around the median of `X`. The others have the largest
        errors, the largest first. If `X` holds fewer, all are drawn.
    lengths : array-like of int of shape (n_samples,), default=None
        Timesteps of each sequence of a padded array.
    feature_names : sequence of str of length n_features, default=None
        Names of the features. By default those of the data frames that the estimator was fitted on, or numbers.
    axes : sequence of matplotlib.axes.Axes, default=None
        Where to draw, one for each sequence. By default those of a new figure, with the typical sequences on the left
        and the worst ones on the right, all on the same scale.

    Returns
    -------
    axes : object array of shape (n_sequences,)
        The axes, first those of the typical sequences. A title names the row of the sequence in `X` and its error,
        `estimator.reconstruction_error`: the mean squared error after scaling. A wide pale line shows the values, and a
        thin one the reconstruction. A missing value is a gap in the wide line alone.

    Raises
    ------
    ValueError
        For `n_sequences` below 1, another number of axes than of sequences or of names than of features, and sequences
        that the estimator refuses.
    TypeError
        For an estimator without these methods.
    ImportError
        If matplotlib is not installed. ``pip install "seqembed[plot]"`` installs it.

    Notes
    -----
    A single feature is drawn in its own units. Several are stacked, the first at the bottom. Each is divided by its
    range in the sequences that are drawn, so that their units don't matter, and no two overlap. Of more than six, the
    six with the largest errors in these sequences are drawn; errors of features are compared after division by their
    standard deviations.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from seqembed import LSTMReconstructor
    >>> X = np.random.default_rng(0).normal(size=(9, 4, 2))
    >>> network = LSTMReconstructor(2, hidden_units=(), epochs=1).fit(X)
    >>> [panel.get_title().partition(":")[0] for panel in plot_reconstruction(network, X, n_sequences=3)]
    ['typical', 'typical', 'worst']
    """
    pyplot = import_extra("matplotlib.pyplot", extra="plot")
    if not isinstance(n_sequences, Integral) or n_sequences < 1:
        raise ValueError(f"Got n_sequences={n_sequences!r}, expected a positive integer, such as 4.")
    if not (hasattr(estimator, "reconstruct") and hasattr(estimator, "reconstruction_error")):
        raise TypeError(
            f"Got estimator= of type {type(estimator).__name__}, expected one with the methods reconstruct and "
            f"reconstruction_error. Pass the one inside it: pipeline['lstmautoencoder'], detector.estimators_[0]."
        )
    ndim = getattr(estimator, "input_ndim_", 3)
    with collected(X, lengths, estimator, ndim) as sequences:
        check_names(estimator, sequences.names)
        # Those of a table name its timesteps.
        fitted_names = None if ndim == 2 else getattr(estimator, "feature_names_in_", None)
        columns = None if fitted_names is None else list(map(as_written, fitted_names))
        names = checked_names(columns if feature_names is None else feature_names, sequences.n_features)
        with names_were_checked():
            chosen = _choose(estimator, sequences, int(n_sequences))
    n_shown = len(chosen.rows)
    if axes is None:
        panels = _new_panels(pyplot, n_shown, len(chosen.features))
    else:
        panels = checked_panels(axes, n_shown, "sequence")
    lines = stacked([*chosen.values, *chosen.reconstructions])
    for number, panel in enumerate(panels):
        _draw(panel, lines[number], lines[n_shown + number])
        kind = "typical" if number < chosen.n_typical else "worst"
        panel.set_title(f"{kind}: sequence {chosen.rows[number]}, error {chosen.errors[number]:.3g}")
        if names is not None and len(names) == 1:
            panel.set_ylabel(names[0])
        elif names is not None:
            panel.set_yticks(levels(len(chosen.features)), [names[number] for number in chosen.features])
    if axes is None:
        in_units = getattr(estimator, "scale", "standard") is None
        _write_labels(panels, chosen, sequences.n_features, "in squared units" if in_units else "after scaling")
    return panels


class _Chosen(NamedTuple):
    """The sequences to draw.

    Parameters
    ----------
    rows : int array of shape (n_shown,)
        Their rows in `X`, the typical ones first.
    n_typical : int
        How many are typical.
    errors : float array of shape (n_shown,)
        Their errors.
    features : int array of shape (n_features_shown,)
        Which features to draw.
    values, reconstructions : lists of float64 arrays of shape (n_timesteps, n_features_shown)
        NaN marks a missing value.
    """

    rows: np.ndarray
    n_typical: int
    errors: np.ndarray
    features: np.ndarray
    values: list[np.ndarray]
    reconstructions: list[np.ndarray]


def _choose(estimator: Any, sequences: Sequences, n_sequences: int) -> _Chosen:
    n_timesteps = getattr(estimator, "n_timesteps_", sequences.n_timesteps)
    every_row = np.arange(len(sequences))
    # In chunks: all of a memory map at once may not fit into memory.
    errors = np.concatenate(
        [
            estimator.reconstruction_error(chosen_sequences(sequences, every_row[part], n_timesteps))
            for part in sequences.chunks()
        ]
    )
    rows, n_typical = typical_and_worst(errors, n_sequences)
    reconstructed = estimator.reconstruct(chosen_sequences(sequences, rows, n_timesteps))
    values = [np.asarray(sequences.values[row], np.float64) for row in rows]
    reconstructions = [
        np.asarray(each, np.float64).reshape(own.shape) for each, own in zip(reconstructed, values, strict=True)
    ]
    features = _worst_features(values, reconstructions)
    return _Chosen(
        rows,
        n_typical,
        errors[rows],
        features,
        [each[:, features] for each in values],
        [each[:, features] for each in reconstructions],
    )


def typical_and_worst(errors: np.ndarray, n_sequences: int) -> tuple[np.ndarray, int]:
    """Choose sequences with errors around the median, and those with the largest.

    Parameters
    ----------
    errors : float array of shape (n_samples,)
        The errors. NaN counts as larger than any number.
    n_sequences : int
        How many to choose. Half of them, rounded up, are typical.

    Returns
    -------
    rows : int array of shape (n_sequences,), or (n_samples,) if that is less
        First the typical ones with ascending errors, then the worst, the largest error first. No row is there twice.
    n_typical : int
        How many of them are typical.

    Examples
    --------
    >>> typical_and_worst(np.array([0.1, 0.9, 0.3, 0.2, 0.4]), 2)
    (array([2, 1]), 1)
    """
    ascending = np.argsort(errors, kind="stable")
    n_chosen = min(n_sequences, len(ascending))
    n_worst = n_chosen // 2
    n_typical = n_chosen - n_worst
    first = min((len(ascending) - n_typical) // 2, len(ascending) - n_chosen)
    worst = ascending[len(ascending) - n_worst :][::-1]
    return np.concatenate([ascending[first : first + n_typical], worst]), n_typical


def _worst_features(values: list[np.ndarray], reconstructions: list[np.ndarray]) -> np.ndarray:
    """Return the features to draw in ascending order: all, or those with the largest errors."""
    n_features = values[0].shape[1]
    if n_features <= _MOST_FEATURES:
        return np.arange(n_features)
    recorded, reconstructed = np.concatenate(values), np.concatenate(reconstructions)
    is_known = ~np.isnan(recorded)
    counts = np.maximum(is_known.sum(axis=0), 1)
    means = recorded.sum(axis=0, where=is_known) / counts
    variances = np.square(recorded - means).sum(axis=0, where=is_known)
    errors = np.square(recorded - reconstructed).sum(axis=0, where=is_known)
    shares = np.divide(errors, variances, out=np.zeros(n_features), where=variances > 0)
    return np.sort(np.argsort(-shares, kind="stable")[:_MOST_FEATURES])


def _draw(panel: Any, values: np.ndarray, reconstruction: np.ndarray) -> None:
    timesteps = np.arange(1, len(values) + 1)
    for feature in range(values.shape[1]):
        color = f"C{feature}"
        own = values[:, feature]
        panel.plot(timesteps, own, color=color, alpha=0.35, linewidth=4, solid_capstyle="butt", label="recorded")
        alone = _is_alone(own)
        # A line of one point is invisible.
        panel.plot(timesteps[alone], own[alone], "o", color=color, alpha=0.35, markersize=5, markeredgewidth=0)
        panel.plot(timesteps, reconstruction[:, feature], color=color, linewidth=1.2, label="reconstructed")


def _is_alone(values: np.ndarray) -> np.ndarray:
    """Return which known values have no known neighbour."""
    known = np.concatenate([[False], np.isfinite(values), [False]])
    alone: np.ndarray = known[1:-1] & ~known[:-2] & ~known[2:]
    return alone


def _new_panels(pyplot: Any, n_panels: int, n_features: int) -> np.ndarray:
    n_columns = min(n_panels, _COLUMNS)
    n_rows = math.ceil(n_panels / n_columns)
    height = n_rows * (2.0 + 0.3 * (n_features - 1)) + 0.7
    _, grid = pyplot.subplots(
        n_rows, n_columns, sharex=True, sharey=True, figsize=(11, height), layout="constrained", squeeze=False
    )
    panels: np.ndarray = grid.T.ravel()
    if n_panels < len(panels):
        panels[-1].set_visible(False)
        # The one above it is the lowest of its column.
        panels[-2].tick_params(labelbottom=True)
    return panels[:n_panels]


def _write_labels(panels: np.ndarray, chosen: _Chosen, n_features: int, units: str) -> None:
    figure, n_shown = panels[0].figure, len(chosen.features)
    handles, names = panels[0].get_legend_handles_labels()
    # The first two are those of the first feature.
    figure.legend(handles[:2], names[:2], loc="outside upper right", ncols=2)
    figure.supxlabel("timestep")
    which = f"{n_shown} of {n_features} features, each" if n_shown < n_features else "each feature"
    figure.supylabel("value" if n_features == 1 else f"{which} divided by its range")
    figure.suptitle(f"error: mean squared error, {units}", ha="left", x=0.05)
