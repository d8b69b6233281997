import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqembed import sequences_from_padded


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    value=st.sampled_from([0.0, -1.0, np.nan]),
    at_front=st.booleans(),
    n_features=st.integers(0, 3),
)
def test_what_was_padded_comes_back(lengths, value, at_front, n_features):
    shape = (n_features,) if n_features else ()
    random = np.random.default_rng(0)
    sequences = [random.uniform(1, 2, (length, *shape)) for length in lengths]
    padded = np.full((len(lengths), 9, *shape), value)
    for row, sequence in zip(padded, sequences, strict=True):
        row[slice(-len(sequence), None) if at_front else slice(len(sequence))] = sequence
    for given_back, sequence in zip(sequences_from_padded(padded, value), sequences, strict=True):
        np.testing.assert_array_equal(given_back, sequence)


def test_a_timestep_with_one_value_missing_is_no_padding():
    X = np.array([[[1.0, np.nan], [np.nan, np.nan]]])
    np.testing.assert_array_equal(sequences_from_padded(X)[0], [[1, np.nan]])


def test_masked_ends_of_a_dask_array_are_padding():
    X = da.ma.masked_equal(da.from_array([[1.0, -99.0, 3.0], [4.0, -99.0, -99.0]]), -99)
    first, second = sequences_from_padded(X)
    np.testing.assert_array_equal(first, [1, np.nan, 3])
    np.testing.assert_array_equal(second, [4])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            [[0.0, 1.0], [0.0, 0.0]],
            r"Sequence 1 holds only value=0, expected other values too.*1 in all: np.delete\(X, \[1\], axis=0\)",
        ),
        ([0.0, 1.0], r"Got X= of shape \(2,\)"),
    ],
)
def test_errors_of_padded_input_say_what_to_do(X, message):
    with pytest.raises(ValueError, match=message):
        sequences_from_padded(X, value=0)


@pytest.mark.parametrize("X", [[[1, 2], [3]], [[[1], [2]], [[3]]], (np.ones((2, 3)), np.ones((1, 3)))])
def test_sequences_of_unequal_lengths_have_no_padding_and_can_be_passed_as_they_are(X):
    with pytest.raises(ValueError, match=r"list of sequences of unequal lengths.*pass the list itself to fit"):
        sequences_from_padded(X)
