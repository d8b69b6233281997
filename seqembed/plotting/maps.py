"""Maps of embeddings in two dimensions."""

from __future__ import annotations

from numbers import Real
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seqembed.extras import import_extra
from seqembed.inspection.typical import FROM_A_CLUSTERER, NOISE
from seqembed.plotting.literal_text import as_written
from seqembed.plotting.panels import check_panel
from seqembed.sequences.containers import as_numbers, is_missing
from seqembed.sequences.labels import as_labels, check_one_kind, check_one_label_each

_METHODS = ("pca", "umap")
# More kinds than colours of the cycle: their labels become colours of a bar.
_MOST_NAMED = 20


def plot_map(
    Z: npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    *,
    method: Literal["pca", "umap"] = "pca",
    ax: Any = None,
    random_state: int | None = None,
) -> Any:
    """Draw embeddings as points in two dimensions.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Embeddings, at least two of at least two components each.
    labels : array-like of shape (n_samples,), default=None
        Clusters, classes, or numbers that belong to the sequences, as colours. Up to 20 different ones are named in a
        legend, more numbers get a bar of colours. -1, the noise of HDBSCAN and DBSCAN, is grey, unless there are lower
        numbers, or numbers with decimals.
    method : {"pca", "umap"}, default="pca"
        "pca" draws the two principal components of the largest variance. It takes no time, distances mean the same
        everywhere, and the axes say how much of the variance they show. "umap" keeps neighbours together. It shows
        groups that principal components lay over one another, but neither distances between groups nor their sizes mean
        much.
    ax : matplotlib.axes.Axes, default=None
        Where to draw. By default the axes of a new figure.
    random_state : int or None, default=None
        Makes a map by UMAP repeat. PCA needs none.

    Returns
    -------
    ax : matplotlib.axes.Axes
        With a collection of points for each label.

    Raises
    ------
    ValueError
        For another method, for embeddings that are not a table of finite numbers, and for labels that are not one for
        each of them, that are text and numbers, or of which more than 20 are different texts.
    ImportError
        If matplotlib or, for "umap", umap-learn is not installed. ``pip install "seqembed[plot,maps]"`` installs both.

    References
    ----------
    L. McInnes, J. Healy, J. Melville, "UMAP: Uniform manifold approximation and projection for dimension reduction"
    (2018).

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> panel = plot_map([[0.0, 0.0], [3.0, 0.0], [0.0, 1.0], [3.0, 1.0]], labels=[0, 0, 1, 1])
    >>> panel.get_xlabel(), panel.get_ylabel()
    ('principal component 1 (90 % of the variance)', 'principal component 2 (10 % of the variance)')
    """
    pyplot = import_extra("matplotlib.pyplot", extra="plot")
    if method not in _METHODS:
        raise ValueError(f"Got method={method!r}, expected one of {', '.join(map(repr, _METHODS))}.")
    embeddings = as_numbers(Z, "Z").astype(np.float64)
    if embeddings.ndim != 2 or min(embeddings.shape) < 2 or not np.isfinite(embeddings).all():
        raise ValueError(
            f"Got Z= of shape {embeddings.shape}, expected finite numbers of shape (n_samples, n_components), at least "
            f"two of each. Pass what transform returned."
        )
    own = None if labels is None else _checked_labels(labels, len(embeddings))
    if ax is not None:
        check_panel(ax)
    if method == "pca":
        points, (across, up) = _principal_plane(embeddings)
    else:
        umap = import_extra("umap", extra="maps")
        points, (across, up) = umap.UMAP(random_state=random_state).fit_transform(embeddings), ("UMAP 1", "UMAP 2")
    if ax is None:
        _, ax = pyplot.subplots(figsize=(7, 5.5), layout="constrained")
    _draw_points(ax, points, own)
    ax.set(xlabel=across, ylabel=up)
    return ax


def _checked_labels(labels: npt.ArrayLike, n_samples: int) -> np.ndarray:
    own = as_labels(labels)
    check_one_label_each(own, n_samples, "labels", noun="embedding", remedy=FROM_A_CLUSTERER)
    distinct = set(own.tolist())
    check_one_kind([label for label in distinct if not is_missing(label) and label != NOISE], "labels")
    n_labels = len(distinct)
    if n_labels > _MOST_NAMED and all(is_missing(label) or isinstance(label, Real) for label in distinct):
        # Numbers of which some are None.
        own = as_numbers(own, "labels")
    if own.dtype.kind not in "biuf" and n_labels > _MOST_NAMED:
        raise ValueError(
            f"Got labels= of {n_labels} different texts, expected at most {_MOST_NAMED}, or numbers. Join "
            f"rare ones, or pass numbers: np.unique(labels, return_inverse=True)[1]."
        )
    return own


def _principal_plane(embeddings: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Project onto the two principal components of the largest variance, and name the axes."""
    centred = embeddings - embeddings.mean(axis=0)
    _, deviations, directions = np.linalg.svd(centred, full_matrices=False)
    variances = np.square(deviations)
    shares = variances[:2] / (variances.sum() or 1.0)
    names = [f"principal component {number} ({share:.0%} of the variance)" for number, share in enumerate(shares, 1)]
    return centred @ directions[:2].T, [name.replace("%", " %") for name in names]


def _may_be_clusters(labels: np.ndarray) -> bool:
    """Tell whether a clusterer may have returned the labels: it returns no temperatures, among which -1 is a number."""
    if labels.dtype.kind not in "if":
        return True
    known = labels[np.isfinite(labels)]
    return bool((known >= NOISE).all() and (known == np.rint(known)).all())


def _draw_points(panel: Any, points: np.ndarray, labels: np.ndarray | None) -> None:
    size = float(np.clip(4000 / len(points), 4, 36))
    if labels is None:
        panel.scatter(*points.T, s=size)
        return
    is_noise = (labels == NOISE) & _may_be_clusters(labels)
    is_missing_label = np.array([is_missing(label) for label in labels.tolist()])
    for chosen, color, name in ((is_noise, "0.75", "noise"), (is_missing_label, "0.9", "no label")):
        if chosen.any():
            panel.scatter(*points[chosen].T, s=size, color=color, label=name)
    known = ~(is_noise | is_missing_label)
    found = np.unique(labels[known])
    if len(found) > _MOST_NAMED:
        drawn = panel.scatter(*points[known].T, s=size, c=labels[known], cmap="viridis")
        panel.figure.colorbar(drawn, ax=panel, label="label")
        return
    cycle = import_extra("matplotlib", extra="plot").colormaps["tab10" if len(found) <= 10 else "tab20"]
    for number, label in enumerate(found):
        panel.scatter(*points[labels == label].T, s=size, color=cycle(number), label=as_written(label))
    panel.legend(title="label", fontsize="small", ncols=1 + len(found) // 11)
