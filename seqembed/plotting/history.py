"""The figure of a training run."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from seqembed.extras import import_extra
from seqembed.plotting.panels import check_panel

_MEANINGS = {
    "loss": ": training sequences",
    "readout_loss": ": added to it by other tasks",
    "val_loss": ": held-back sequences",
}
# A line of so few points also shows them: a single one would be invisible.
_MOST_MARKERS = 30


def plot_history(estimator: Any, ax: Any = None) -> Any:
    """Draw the losses of a training run, the learning rate, and which epoch the weights are from.

    Parameters
    ----------
    estimator : LSTMAutoencoder or LSTMReconstructor
        A fitted one. Its `history_` is drawn, and its `best_epoch_`, if it has one: `partial_fit` keeps none, and the
        axis then counts calls of `partial_fit`, after the epochs of a `fit` before them.
    ax : matplotlib.axes.Axes, default=None
        Where to draw. By default those of a new figure.

    Returns
    -------
    ax : matplotlib.axes.Axes
        Shows the losses, on a logarithmic axis unless one of them is 0. "loss" is the mean over the batches of an
        epoch, each before its update; with `augment`, that of the varied sequences, so that "val_loss" can be lower. A
        loss that is not finite leaves a gap. A second vertical axis, the last of ``ax.figure.axes``, shows the learning
        rate of the last update of each epoch. A vertical line marks the end of `best_epoch_`; 0 is the start of the
        training.

    Raises
    ------
    TypeError
        For an estimator that is not trained in epochs, or that contains the one that is.
    sklearn.exceptions.NotFittedError
        Before `fit`.
    ImportError
        If matplotlib is not installed. ``pip install "seqembed[plot]"`` installs it.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from seqembed import LSTMReconstructor
    >>> X = np.random.default_rng(0).normal(size=(9, 4, 2))
    >>> ax = plot_history(LSTMReconstructor(2, hidden_units=(), epochs=3).fit(X))
    >>> ax.get_ylabel()
    'mean squared error, after scaling'
    """
    pyplot = import_extra("matplotlib.pyplot", extra="plot")
    if not hasattr(estimator, "count_epochs"):
        raise TypeError(
            f"Got estimator= of type {type(estimator).__name__}, expected an LSTMAutoencoder or LSTMReconstructor. "
            f"Pass the one inside it: pipeline['lstmautoencoder'], search.best_estimator_, detector.estimators_[0]."
        )
    check_is_fitted(estimator)
    if ax is None:
        _, ax = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    else:
        check_panel(ax)
    history, best_epoch = estimator.history_, getattr(estimator, "best_epoch_", None)
    for name in history:
        if name != "learning_rate":
            _draw_line(ax, history[name], label=name + _MEANINGS.get(name, ""))
    _scale_losses(ax)
    ax.set_ylabel("mean squared error, " + ("in squared units of X" if estimator.scale is None else "after scaling"))
    ax.set_xlabel("call of partial_fit, or epoch before it" if best_epoch is None else "epoch")
    n_epochs = len(history["loss"])
    # Epoch 0 is the start.
    ax.set_xlim(-0.02 * n_epochs, 1.02 * n_epochs)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_title("Training of an " + type(estimator).__name__)
    rates = ax.twinx()
    _draw_line(rates, history["learning_rate"], color="0.6", label="learning rate", linestyle=":")
    rates.set_ylabel("learning rate of the last update")
    rates.set_ylim(bottom=0)
    if best_epoch is not None:
        ax.axvline(best_epoch, color="tab:red", linestyle="--", linewidth=1, label=f"weights kept: epoch {best_epoch}")
    # Below the axes: no corner is free of lines for sure.
    handles = [*ax.get_legend_handles_labels()[0], *rates.lines]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False)
    return ax


def _draw_line(ax: Any, values: list[float], **style: Any) -> None:
    marker = "." if len(values) <= _MOST_MARKERS else None
    ax.plot(np.arange(1, len(values) + 1), values, marker=marker, **style)


def _scale_losses(ax: Any) -> None:
    """Make the axis of losses logarithmic where it can be, with plain numbers beside it."""
    ticker = import_extra("matplotlib.ticker", extra="plot")
    losses = np.concatenate([line.get_ydata() for line in ax.lines])
    if (losses[np.isfinite(losses)] > 0).all():
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
        ax.yaxis.set_minor_formatter(ticker.NullFormatter())
