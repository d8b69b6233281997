"""Columns of the input, as scikit-learn counts or names them: `n_features_in_` and `feature_names_in_`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from seqembed.sequences.collection import Sequences
from seqembed.user_warning import warn_user

_MOST_NAMES = 5
# Whether the names of the columns were checked already, see `names_were_checked`.
_were_checked = ContextVar("_were_checked", default=False)


def column_attributes(sequences: Sequences) -> dict[str, Any]:
    """Return `n_features_in_`, and `feature_names_in_` if columns have names.

    Parameters
    ----------
    sequences : Sequences
        Those that an estimator is fitted on. A table has columns; otherwise features are counted.

    Returns
    -------
    attributes : dict of str to object
        Fitted attributes by name.

    Examples
    --------
    >>> from seqembed.sequences.collection import check_sequences
    >>> column_attributes(check_sequences(np.zeros((4, 3))))
    {'n_features_in_': 3}
    """
    attributes: dict[str, Any] = {"n_features_in_": _count_columns(sequences)}
    if sequences.names is not None:
        attributes["feature_names_in_"] = np.array(sequences.names, object)
    return attributes


def check_columns(estimator: Any, sequences: Sequences) -> None:
    """Refuse columns that the estimator was not fitted on, by the rules of scikit-learn.

    Parameters
    ----------
    estimator : estimator
        Fitted on the same kind of input.
    sequences : Sequences
        The next input.

    Raises
    ------
    ValueError
        For a table with another number of columns, and for other names than in `feature_names_in_`.

    Warns
    -----
    UserWarning
        If only one of the two inputs has names.
    """
    check_names(estimator, sequences.names)
    n_columns = _count_columns(sequences)
    if sequences.is_table and n_columns != estimator.n_features_in_:
        raise ValueError(
            f"X has {n_columns} features, but {type(estimator).__name__} is expecting {estimator.n_features_in_} "
            f"features as input."
        )


def check_names(estimator: Any, names: tuple[str, ...] | None) -> None:
    """Refuse other names of columns than those of the fit.

    The rules and the messages are those of scikit-learn, whose own function reads names from a container alone.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    names : tuple of str or None
        Names of the columns of the next input, if they have some.

    Raises
    ------
    ValueError
        For other names, or another order.

    Warns
    -----
    UserWarning
        If only one of the two inputs has names.
    """
    if _were_checked.get():
        return
    known, name = getattr(estimator, "feature_names_in_", None), type(estimator).__name__
    if known is None or names is None:
        if names is not None:
            warn_user(f"X has feature names, but {name} was fitted without feature names")
        elif known is not None:
            warn_user(f"X does not have valid feature names, but {name} was fitted with feature names")
        return
    fitted = tuple(known.tolist())
    if names == fitted:
        return
    unseen, missing = sorted(set(names) - set(fitted)), sorted(set(fitted) - set(names))
    message = "The feature names should match those that were passed during fit.\n"
    if unseen:
        message += f"Feature names unseen at fit time:\n{_listed(unseen)}"
    if missing:
        message += f"Feature names seen at fit time, yet now missing:\n{_listed(missing)}"
    if not unseen and not missing:
        message += "Feature names must be in the same order as they were in fit.\n"
    raise ValueError(f"{message}Pass the columns that are named in feature_names_in_, in their order.")


@contextmanager
def names_were_checked() -> Iterator[None]:
    """Check no names inside the block, where an estimator gets arrays of sequences whose names were checked.

    Examples
    --------
    >>> from sklearn.utils import Bunch
    >>> with names_were_checked():
    ...     check_names(Bunch(feature_names_in_=np.array(["flow"])), None)
    """
    token = _were_checked.set(True)
    try:
        yield
    finally:
        _were_checked.reset(token)


def _count_columns(sequences: Sequences) -> int:
    return sequences.n_timesteps if sequences.is_table else sequences.n_features


def _listed(names: list[str]) -> str:
    shown = [f"- {name}\n" for name in names[:_MOST_NAMES]]
    return "".join([*shown, "- ...\n"] if len(names) > _MOST_NAMES else shown)
