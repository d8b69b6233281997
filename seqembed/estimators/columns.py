"""The columns of a table or of data frames in a list, as scikit-learn counts or names them."""

from __future__ import annotations

from collections.abc import Iterator

from sklearn.utils.validation import _check_feature_names, _get_feature_names, validate_data

from seqembed.sequences.collection import Sequences
from seqembed.sequences.containers import is_frame, listed


def names_of_columns(X) -> list | None:
    """Return the names of the columns of a data frame, alone or in a list, as strings; None without names."""
    names = _get_feature_names(_named(X))
    return None if names is None else names.tolist()


def refuse_mixed_names(X) -> None:
    """Refuse a data frame, alone or in a list, whose column names mix strings with other types.

    `remember_columns` would refuse it too, but only after training.

    Raises
    ------
    TypeError
        For such a data frame.
    """
    _get_feature_names(_named(X))


def remember_columns(estimator: object, X, sequences: Sequences) -> None:
    """Set `n_features_in_`, and `feature_names_in_` for a data frame.

    Parameters
    ----------
    estimator : estimator
        Gets the attributes.
    X : object
        What the user passed.
    sequences : Sequences
        The same, checked. A table has columns, and so have data frames in a list. Otherwise features are counted.
    """
    if sequences.is_table and _named(X) is X:
        validate_data(estimator, _as_table(X, sequences), skip_check_array=True)
        return
    estimator.n_features_in_ = sequences.n_features
    vars(estimator).pop("feature_names_in_", None)
    _check_feature_names(estimator, _named(X), reset=True)


def check_columns(estimator: object, X, sequences: Sequences) -> None:
    """Refuse a table, or data frames in a list, whose columns are not those that the estimator was fitted on.

    Parameters
    ----------
    estimator : estimator
        Fitted on the same kind of input.
    X : object
        What the user passed.
    sequences : Sequences
        The same, checked.

    Raises
    ------
    ValueError
        For another number of columns, and for other names than in `feature_names_in_`.
    """
    if _named(X) is X and sequences.is_table:
        validate_data(estimator, _as_table(X, sequences), reset=False, skip_check_array=True)
    else:
        _check_feature_names(estimator, _named(X), reset=False)


def _named(X):
    """Return the first data frame of a list, whose columns are those of all, and anything else as it is."""
    sequences = X if isinstance(X, Iterator) else listed(X)
    if isinstance(sequences, (list, tuple)):
        return next((sequence for sequence in sequences if is_frame(sequence)), X)
    return X


def _as_table(X, sequences: Sequences):
    """Return X if it has column names, else the checked values."""
    return sequences.in_input_layout() if _get_feature_names(X) is None else X
