"""The private interface of scikit-learn that seqembed uses, gathered so that a new release is checked in one place."""

from __future__ import annotations

from typing import Any

from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils._set_output import _get_output_config

__all__ = ["HasMethods", "Interval", "Options", "StrOptions", "fit_context", "output_container"]


def output_container(transformer: Any) -> str:
    """Return the container that `set_output` has chosen for the results of a transformer, "default" for none."""
    container: str = _get_output_config("transform", transformer)["dense"]
    return container
