import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from seqembed.sequences import collection
from seqembed.sequences.collection import check_sequences


@pytest.mark.parametrize("shape", [(4, 3, 2), (4, 3)])
def test_a_float32_array_is_not_copied(shape):
    X = np.zeros(shape, np.float32)
    assert np.shares_memory(check_sequences(X).values, X)


def test_a_memory_map_is_not_copied(tmp_path):
    np.save(tmp_path / "X.npy", np.ones((4, 3, 2)))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert np.shares_memory(check_sequences(X).values, X)


@pytest.mark.parametrize(
    "X",
    [
        [np.ones((3, 2))] * 4,
        tuple([np.ones((3, 2))] * 4),
        np.ones((4, 3, 2)).tolist(),
        np.ones((4, 3, 2), dtype=object),
        np.ones((4, 3, 2), dtype=int),
    ],
)
def test_what_holds_numbers_becomes_a_numeric_array(X):
    checked = check_sequences(X)
    assert checked.padded(slice(0, 4)).shape == (4, 3, 2)
    assert checked.padded(slice(0, 4)).dtype.kind in "if"


def test_an_object_array_of_sequences_is_stacked():
    X = np.empty(2, dtype=object)
    X[:] = [np.ones((3, 2)), np.zeros((3, 2))]
    np.testing.assert_array_equal(check_sequences(X).values, [np.ones((3, 2)), np.zeros((3, 2))])


def test_a_data_frame_is_a_collection_of_univariate_sequences():
    checked = check_sequences(pd.DataFrame(np.ones((4, 3))))
    assert checked.values.shape == (4, 3, 1)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (
            np.full((2, 3, 1), np.nan),
            ValueError,
            r"Every value of sequence 0 is missing.*such sequences out, 2 in all: \[0, 1\]",
        ),
        ([[1.0], [np.nan, np.nan]], ValueError, "Every value of sequence 1 is missing"),
        ([[1.0], [np.inf]], ValueError, "Input X contains infinity in sequence 1"),
        ([[1.0], [1j]], ValueError, "Complex data not supported: sequence 1"),
        ([["a"]], ValueError, "Sequence 0 holds text, such as 'a'"),
        ([np.ones((2, 1)), np.ones((0, 1))], ValueError, r"got shape \(0, 1\) for sequence 1"),
        ([np.ones((2, 3, 1))], ValueError, r"Sequence 0 has 3 dimensions.*np.concatenate\(X\)"),
        (np.full((2, 3, 1), np.inf), ValueError, "Input X contains infinity"),
        (np.ones((2, 3, 1), complex), ValueError, "Complex data not supported"),
        (np.full((2, 3, 1), "a"), ValueError, "X holds text, such as 'a'.*pandas.to_numeric"),
        (
            np.full((2, 3), {}, dtype=object),
            TypeError,
            "argument must be a string or a real number.*objects of type dict",
        ),
        (np.ones(3), ValueError, r"got a 1D array of 3 values.*np.reshape\(X, \(1, -1\)\)"),
        (pa.chunked_array([[1.0, 2.0]]), ValueError, r"got a 1D array of 2 values.*np.reshape\(X, \(1, -1\)\)"),
        ([1.0, 2.0], ValueError, "got a 1D array of 2 values"),
        (np.ones((2, 3, 4, 5)), ValueError, r"4 dimensions, shape \(2, 3, 4, 5\).*X.reshape"),
        (np.ones((0, 3, 1)), ValueError, r"0 sample\(s\) \(shape=\(0, 3, 1\)\)"),
        ([], ValueError, "0 sample"),
        (np.ones((2, 0, 1)), ValueError, r"at least one timestep and one feature, got shape \(2, 0, 1\)"),
        (np.ones((2, 3, 0)), ValueError, r"at least one timestep and one feature, got shape \(2, 3, 0\)"),
        ([np.ones((3, 2)), np.ones((3, 4))], ValueError, "Sequence 1 has 4 features and sequence 0 has 2"),
        ([np.ones((3, 2)), np.ones(3)], ValueError, "Sequence 1 has 1 dimension and sequence 0 has 2"),
        ([[[1, 2], [3]]], ValueError, "Got sequence 0 that is not an array of numbers"),
        (sparse.csr_array(np.ones((2, 3))), TypeError, "Sparse data was passed"),
    ],
)
def test_bad_input_is_refused_in_words(X, error, message):
    with pytest.raises(error, match=message):
        check_sequences(X)


def test_sequences_are_numbered_from_the_first_however_many_are_looked_at_at_once(monkeypatch):
    monkeypatch.setattr(collection, "_CHUNK", 6)
    X = np.ones((7, 3, 1))
    X[[3, 5]] = np.nan
    with pytest.raises(ValueError, match=r"Every value of sequence 3 is missing.*2 in all: \[3, 5\]"):
        check_sequences(X)
    X[5, 1] = np.inf
    with pytest.raises(ValueError, match="infinity in sequence 5"):
        check_sequences(X)
    X[[3, 5]] = 1
    X[6, 2] = np.nan
    assert not check_sequences(X).complete
    assert check_sequences(X[:6]).complete


def test_a_masked_length_is_refused_and_not_read():
    with pytest.raises(ValueError, match="dtype float64 for 2 sequences: expected an integer for each"):
        check_sequences(np.ones((2, 3)), np.ma.masked_equal([3, 99], 99))


@pytest.mark.parametrize(
    ("X", "lengths", "message"),
    [
        (np.ones((2, 3, 1)), [3], r"lengths= of shape \(1,\).*for 2 sequences"),
        (np.ones((2, 3, 1)), [3.0, 1.0], "dtype float64"),
        (np.ones((2, 3, 1)), [0, 3], "from 0 to 3, expected 1 to 3"),
        (np.ones((2, 3, 1)), [4, 3], "from 3 to 4, expected 1 to 3"),
        ([np.ones((3, 1))], [3], "Leave it out"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(X, lengths, message):
    with pytest.raises(ValueError, match=message):
        check_sequences(X, lengths)


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_a_padded_array_with_lengths_is_the_list_of_its_sequences(lengths):
    X = np.random.default_rng(0).normal(size=(len(lengths), 9, 2))
    padded, listed = check_sequences(X, lengths), check_sequences([x[:n] for x, n in zip(X, lengths, strict=True)])
    rows = np.argsort(lengths)
    np.testing.assert_array_equal(padded.padded(rows), listed.padded(rows))
    np.testing.assert_array_equal(padded.lengths, listed.lengths)
    batch = listed.padded(rows, 12)
    for row, x in zip(rows, batch, strict=True):
        np.testing.assert_array_equal(x[: lengths[row]], X[row, : lengths[row]])
        assert np.isnan(x[lengths[row] :]).all()
