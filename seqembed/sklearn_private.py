"""The private interface of scikit-learn that seqembed uses, gathered so that a new release is checked in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils._set_output import _get_output_config

__all__ = ["HasMethods", "Interval", "Options", "StrOptions", "fit_context", "metadata_requests", "output_container"]


Fit = TypeVar("Fit", bound=Callable[..., Any])


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[Fit], Fit]:
    """Check the parameters of an estimator before its method `fit` runs, see scikit-learn's own decorator."""
    decorator: Callable[[Fit], Fit] = _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)
    return decorator


def output_container(transformer: Any) -> str:
    """Return the container that `set_output` has chosen for the results of a transformer, "default" for none."""
    container: str = _get_output_config("transform", transformer)["dense"]
    return container


def metadata_requests(estimator: Any) -> dict[str, dict[str, bool | str | None]]:
    """Return what an estimator asks to be passed to its methods, by method and argument; None is nothing said."""
    requests: dict[str, dict[str, bool | str | None]] = estimator.get_metadata_routing()._serialize()
    return requests
