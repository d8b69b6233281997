"""The columns of a table, as scikit-learn counts or names them."""

from __future__ import annotations

from sklearn.utils.validation import _get_feature_names, validate_data

from seqembed.sequences.collection import Sequences


def refuse_mixed_names(X) -> None:
    """Refuse a data frame whose column names mix strings with other types.

    `remember_columns` would refuse it too, but only after training.

    Raises
    ------
    TypeError
        For such a data frame.
    """
    _get_feature_names(X)


def remember_columns(estimator: object, X, sequences: Sequences) -> None:
    """Set `n_features_in_`, and `feature_names_in_` for a data frame.

    Parameters
    ----------
    estimator : estimator
        Gets the attributes.
    X : object
        What the user passed.
    sequences : Sequences
        The same, checked. Only a table has columns; otherwise features are counted.
    """
    if sequences.is_table:
        validate_data(estimator, _as_table(X, sequences), skip_check_array=True)
        return
    estimator.n_features_in_ = sequences.n_features
    vars(estimator).pop("feature_names_in_", None)


def check_columns(estimator: object, X, sequences: Sequences) -> None:
    """Refuse a table whose columns are not those that the estimator was fitted on.

    Parameters
    ----------
    estimator : estimator
        Fitted on a table.
    X : object
        What the user passed.
    sequences : Sequences
        The same, checked.

    Raises
    ------
    ValueError
        For another number of columns, and for other names than in `feature_names_in_`.
    """
    validate_data(estimator, _as_table(X, sequences), reset=False, skip_check_array=True)


def _as_table(X, sequences: Sequences):
    """Return X if it has column names, else the checked values."""
    return sequences.in_input_layout() if _get_feature_names(X) is None else X
