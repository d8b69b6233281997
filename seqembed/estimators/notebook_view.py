"""The view of a fitted network in a notebook: a table of what was learned, above scikit-learn's own view."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from typing import Any

from seqembed.inference.model import Layout
from seqembed.sequences.wording import counted


class NotebookViewMixin:
    """A table of a fitted network above scikit-learn's view of its parameters.

    `_repr_html_` and `_repr_mimebundle_` are methods that IPython asks for, so nothing private of scikit-learn is used.
    A pipeline draws its steps itself: there a network looks as any other step does, without the table. Before `fit`,
    and with ``sklearn.set_config(display="text")``, the view is scikit-learn's alone.
    """

    @property
    def _repr_html_(self) -> Callable[[], str]:
        # Raises an AttributeError, as IPython expects, if scikit-learn is set to show text.
        below: Callable[[], str] = super()._repr_html_  # type: ignore[misc]
        return lambda: self._table_html() + below()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**options)  # type: ignore[misc]
        if "text/html" in bundle:
            bundle["text/html"] = self._table_html() + bundle["text/html"]
        return bundle

    def _table_html(self) -> str:
        if not hasattr(self, "model_"):
            return ""
        cells = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in fitted_facts(self)
        )
        return f"<table><caption>{type(self).__name__}, fitted</caption><tbody>{cells}</tbody></table>"


def fitted_facts(estimator: Any) -> list[tuple[str, str]]:
    """Describe what a network was fitted on, its size, and its training.

    R^2 is not among the facts, since it takes data. One minus the loss differs from it: the loss is that of varied
    sequences where `augment` is on, and the variance of a feature after scaling is below 1 if it is constant or has
    rare spikes. `score` computes it.

    Parameters
    ----------
    estimator : LSTMAutoencoder or LSTMReconstructor
        A fitted one.

    Returns
    -------
    facts : list of pairs of str
        Names and values, in the order in which the view shows them.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed import LSTMReconstructor
    >>> X = np.random.default_rng(0).normal(size=(9, 4, 2))
    >>> facts = fitted_facts(LSTMReconstructor(2, hidden_units=(), epochs=3).fit(X))
    >>> [name for name, _ in facts]
    ['sequences', 'embedding', 'parameters', 'epochs', 'loss', 'R^2']
    >>> facts[0]
    ('sequences', '4 timesteps x 2 features')
    """
    network = estimator.model_.network
    embedding = counted(network.n_components, "number") if network.bottleneck else "none: no layer returns one vector"
    facts = [
        ("sequences", _shape(estimator.model_.layout)),
        ("embedding", embedding),
        ("parameters", f"{network.n_parameters:,}"),
        ("epochs", _epochs(estimator)),
    ]
    units = "in squared units of X" if estimator.scale is None else "after scaling"
    for name in ("loss", "val_loss"):
        if name in estimator.history_:
            facts.append((name, f"{_last_and_lowest(estimator.history_[name])} (mean squared error, {units})"))
    return [*facts, ("R^2", "score(X) computes it; it is not 1 - loss")]


def _shape(layout: Layout) -> str:
    up_to = "" if layout.one_length else "up to "
    return f"{up_to}{counted(layout.n_timesteps, 'timestep')} x {counted(layout.n_features, 'feature')}"


def _epochs(estimator: Any) -> str:
    n_epochs = len(estimator.history_["loss"])
    if not hasattr(estimator, "best_epoch_"):
        return f"{n_epochs}, the last of them by partial_fit"
    interrupted = ", interrupted" if estimator.interrupted_ else ""
    return f"{n_epochs}{interrupted}; the weights are those after epoch {estimator.best_epoch_}"


def _last_and_lowest(losses: list[float]) -> str:
    lowest = min((loss for loss in losses if math.isfinite(loss)), default=math.nan)
    return f"{losses[-1]:.4g} in the last epoch, {lowest:.4g} at the lowest"
