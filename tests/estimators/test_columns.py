import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from seqembed.estimators.columns import check_columns, remember_columns
from seqembed.sequences.collection import check_sequences


class Estimator(BaseEstimator):
    """Has nothing but what is remembered."""


def frame(columns):
    return pd.DataFrame(np.zeros((4, len(columns))), columns=columns)


def remembered(X):
    estimator = Estimator()
    remember_columns(estimator, check_sequences(X))
    return vars(estimator)


def test_a_table_has_columns_and_a_frame_has_names():
    assert remembered(np.zeros((4, 3))) == {"n_features_in_": 3}
    attributes = remembered(frame(["a", "b"]))
    assert attributes["n_features_in_"] == 2
    assert attributes["feature_names_in_"].tolist() == ["a", "b"]


@pytest.mark.parametrize("X", [np.zeros((4, 3, 5)), [np.zeros((2, 5)), np.zeros((3, 5))]])
def test_what_is_no_table_has_features_and_forgets_names(X):
    estimator = Estimator()
    estimator.feature_names_in_ = np.array(["a"])
    remember_columns(estimator, check_sequences(X))
    assert vars(estimator) == {"n_features_in_": 5}


@pytest.mark.parametrize(
    ("X", "message"), [(frame(["b", "a"]), "feature names should match"), (np.zeros((4, 3)), "X has 3 features")]
)
def test_other_columns_than_the_fitted_ones_are_refused(X, message):
    estimator, fitted = Estimator(), frame(["a", "b"])
    remember_columns(estimator, check_sequences(fitted))
    check_columns(estimator, check_sequences(fitted))
    with pytest.raises(ValueError, match=message):
        check_columns(estimator, check_sequences(X))
