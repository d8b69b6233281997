import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder

from seqembed import LSTMAutoencoder, SequenceSummary

AUTOENCODER = LSTMAutoencoder(2, hidden_units=(), epochs=1)


def frame_of(sequences):
    return pd.DataFrame({"kind": ["a", "b"] * (len(sequences) // 2), "recording": pd.Series(sequences, dtype=object)})


def sequences_of(n_features, lengths):
    random = np.random.default_rng(0)
    return [random.normal(size=(length, n_features)) for length in lengths]


@pytest.mark.parametrize("estimator", [AUTOENCODER, SequenceSummary(2)])
@pytest.mark.parametrize(
    "sequences",
    [
        sequences_of(3, [20] * 10),
        sequences_of(3, range(10, 30)),
        sequences_of(1, range(10, 30)),
        [x[:, 0] for x in sequences_of(1, [20] * 10)],
    ],
    ids=["of one length", "of unequal lengths", "of one feature", "without an axis of features"],
)
def test_a_column_of_sequences_beside_others_gives_named_columns(estimator, sequences):
    columns = make_column_transformer(
        (estimator, "recording"), (OneHotEncoder(sparse_output=False), ["kind"]), verbose_feature_names_out=False
    )
    frame = frame_of(sequences)
    table = columns.set_output(transform="pandas").fit_transform(frame)
    prefix = type(estimator).__name__.lower()
    expected = [f"{prefix}0", f"{prefix}1", "kind_a", "kind_b"]
    assert table.columns.tolist() == expected
    assert columns.get_feature_names_out().tolist() == expected
    embedding = columns.named_transformers_[prefix].transform(frame["recording"])
    np.testing.assert_array_equal(table[expected[:2]], embedding)


def test_names_of_a_table_are_still_checked():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(10, 5)), columns=list("abcde"))
    summary = SequenceSummary(2).fit(table)
    assert summary.get_feature_names_out(list("abcde")).tolist() == ["sequencesummary0", "sequencesummary1"]
    for others in (["recording"], list("abcdx"), list("abcd")):
        with pytest.raises(ValueError, match="input_features"):
            summary.get_feature_names_out(others)
