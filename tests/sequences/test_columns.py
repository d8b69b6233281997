import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from seqembed import (
    LSTMAutoencoder,
    LSTMReconstructor,
    ReconstructionDetector,
    SequenceSummary,
    detect_events,
    sequences_from_frame,
    sliding_windows,
)
from seqembed.sequences.collection import check_sequences
from seqembed.sequences.columns import check_columns, column_attributes


class Estimator(BaseEstimator):
    """Has nothing but the columns of a fit."""

    def __init__(self, X=None):
        if X is not None:
            vars(self).update(column_attributes(check_sequences(X)))


def frame(columns):
    return pd.DataFrame(np.zeros((4, len(columns))), columns=columns)


def test_a_table_has_columns_and_a_frame_has_names():
    assert column_attributes(check_sequences(np.zeros((4, 3)))) == {"n_features_in_": 3}
    attributes = column_attributes(check_sequences(frame(["a", "b"])))
    assert attributes["n_features_in_"] == 2
    assert attributes["feature_names_in_"].tolist() == ["a", "b"]


@pytest.mark.parametrize("X", [np.zeros((4, 3, 5)), [np.zeros((2, 5)), np.zeros((3, 5))]])
def test_what_is_no_table_has_features(X):
    assert column_attributes(check_sequences(X)) == {"n_features_in_": 5}


@pytest.mark.parametrize(
    ("X", "message"), [(frame(["b", "a"]), "feature names should match"), (np.zeros((4, 3)), "X has 3 features")]
)
def test_other_columns_than_the_fitted_ones_are_refused(X, message):
    fitted = frame(["a", "b"])
    estimator = Estimator(fitted)
    check_columns(estimator, check_sequences(fitted))
    with pytest.raises(ValueError, match=message):
        check_columns(estimator, check_sequences(X))


ROWS = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["flow", "heat"])
SWAPPED = ROWS[["heat", "flow"]]
SMALL = {"n_components": 2, "hidden_units": (), "epochs": 1, "random_state": 0}


def test_a_fit_on_batches_of_frames_knows_the_columns_and_refuses_swapped_ones():
    fitted = LSTMAutoencoder(**SMALL).fit([ROWS[start : start + 10]] for start in (0, 10, 20))
    assert fitted.feature_names_in_.tolist() == ["flow", "heat"]
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        fitted.transform([SWAPPED[:10]])
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        fitted.transform([SWAPPED[start : start + 10]] for start in (0, 10))


def test_a_fit_on_windows_of_a_frame_knows_the_columns_and_refuses_windows_of_swapped_ones():
    fitted = LSTMAutoencoder(**SMALL).fit(sliding_windows(ROWS, timesteps=5).windows)
    assert fitted.feature_names_in_.tolist() == ["flow", "heat"]
    assert fitted.n_features_in_ == 2
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        fitted.transform(sliding_windows(SWAPPED, timesteps=5).windows)


def test_events_of_a_recording_with_swapped_columns_are_refused():
    detector = ReconstructionDetector(LSTMAutoencoder(**SMALL), cv=2).fit(sliding_windows(ROWS, timesteps=5).windows)
    detect_events(detector, ROWS, timesteps=5)
    with pytest.raises(ValueError, match=r"columns \['heat', 'flow'\], expected \['flow', 'heat'\]"):
        detect_events(detector, SWAPPED, timesteps=5)


def test_a_fit_on_a_dask_frame_knows_its_columns():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 4)), columns=list("abcd"))
    fitted = LSTMAutoencoder(**SMALL).fit(dd.from_pandas(frame, npartitions=2))
    assert fitted.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        fitted.transform(dd.from_pandas(frame[list("dcba")], npartitions=2))


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [LSTMAutoencoder(**SMALL), LSTMReconstructor(**SMALL), SequenceSummary(2)])
def test_a_fit_on_sequences_of_a_frame_knows_the_columns_and_refuses_swapped_ones(estimator):
    table = ROWS.assign(pump=np.repeat(np.arange(8), 5), hour=np.tile(np.arange(5), 8))
    fitted = estimator.fit(sequences_from_frame(table, "pump", "hour"))
    assert fitted.feature_names_in_.tolist() == ["flow", "heat"]
    swapped = sequences_from_frame(table, "pump", "hour", ["heat", "flow"])
    for read in {getattr(fitted, name, None) for name in ("transform", "reconstruct")} - {None}:
        for X in (swapped, iter([swapped])):
            with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
                read(X)


def test_sequences_of_a_frame_know_the_names_of_their_features():
    table = ROWS.assign(pump=np.repeat(np.arange(8), 5), hour=np.tile(np.arange(5), 8))
    assert check_sequences(sequences_from_frame(table, "pump", "hour")).names == ("flow", "heat")
    numbered = table.rename(columns={"flow": 0, "heat": 1})
    assert check_sequences(sequences_from_frame(numbered, "pump", "hour")).names is None
