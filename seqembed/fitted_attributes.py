"""Fitted attributes of an estimator, which change all at once."""

from __future__ import annotations

from collections.abc import Container
from typing import Any


def replace_attributes(estimator: Any, attributes: dict[str, Any], removed: Container[str] = ()) -> None:
    """Set attributes of an estimator, and remove others, in one step.

    Ctrl-C before this step leaves the estimator as it was, and after it, all attributes are set. If two threads fit one
    estimator, its attributes are those of the later fit alone.

    Parameters
    ----------
    estimator : estimator
        Gets the attributes. What is neither set nor removed stays.
    attributes : dict of str to object
        By name.
    removed : container of str, default=()
        Names of attributes of an earlier fit. Those among `attributes` are set.

    Examples
    --------
    >>> from seqembed import SequenceSummary
    >>> summary = SequenceSummary(n_jobs=1)
    >>> summary.feature_names_in_ = ["flow"]
    >>> replace_attributes(summary, {"n_features_in_": 3}, removed=("feature_names_in_",))
    >>> vars(summary)
    {'n_components': 32, 'n_jobs': 1, 'n_features_in_': 3}
    """
    kept = {name: value for name, value in vars(estimator).items() if name not in removed}
    # A single assignment: Python interrupts a thread before or after it, but not within.
    estimator.__dict__ = kept | attributes
