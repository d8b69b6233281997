import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from seqembed.sequences import (
    as_three_dimensional,
    check_sequences,
    feature_statistics,
    scaled,
    unscaled,
)


@pytest.mark.parametrize("shape", [(4, 3, 2), (4, 3)])
def test_a_float32_array_is_not_copied(shape):
    X = np.zeros(shape, np.float32)
    assert np.shares_memory(check_sequences(X), X)
    assert np.shares_memory(as_three_dimensional(X), X)


def test_a_memory_map_is_not_copied(tmp_path):
    np.save(tmp_path / "X.npy", np.ones((4, 3, 2)))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert np.shares_memory(check_sequences(X), X)


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
    assert checked.shape == (4, 3, 2)
    assert checked.dtype.kind in "if"


def test_an_object_array_of_sequences_is_stacked():
    X = np.empty(2, dtype=object)
    X[:] = [np.ones((3, 2)), np.zeros((3, 2))]
    np.testing.assert_array_equal(check_sequences(X), [np.ones((3, 2)), np.zeros((3, 2))])


def test_a_data_frame_is_a_collection_of_univariate_sequences():
    assert check_sequences(pd.DataFrame(np.ones((4, 3)))).shape == (4, 3)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.full((2, 3, 1), np.nan), ValueError, "Input X contains NaN"),
        (np.full((2, 3, 1), np.inf), ValueError, "Input X contains infinity"),
        (np.ones((2, 3, 1), complex), ValueError, "Complex data not supported"),
        (np.full((2, 3, 1), "a"), ValueError, "dtype='numeric' is not compatible"),
        (np.full((2, 3), {}, dtype=object), TypeError, "must be a string or a real number"),
        (np.ones(3), ValueError, r"got a 1D array of 3 values.*X.reshape\(1, -1\)"),
        ([1.0, 2.0], ValueError, "got a 1D array of 2 values"),
        (np.ones((2, 3, 4, 5)), ValueError, r"4 dimensions, shape \(2, 3, 4, 5\).*X.reshape"),
        (np.ones((0, 3, 1)), ValueError, r"0 sample\(s\) \(shape=\(0, 3, 1\)\)"),
        ([], ValueError, "0 sample"),
        (np.ones((2, 0, 1)), ValueError, r"at least one timestep and one feature, got shape \(2, 0, 1\)"),
        (np.ones((2, 3, 0)), ValueError, r"at least one timestep and one feature, got shape \(2, 3, 0\)"),
        ([np.ones((3, 2)), np.ones((3, 4))], ValueError, "Sequence 1 has 4 features and sequence 0 has 2"),
        ([np.ones((3, 2)), np.ones(3)], ValueError, "Sequence 1 has 1 dimensions and sequence 0 has 2"),
        ([np.ones((3, 2)), np.ones((5, 2))], ValueError, "from 3 to 5 timesteps: unequal lengths.*not supported yet"),
        ([[[1, 2], [3]]], ValueError, "Sequence 0 is no array.*rows of unequal length"),
        (sparse.csr_array(np.ones((2, 3))), TypeError, "Sparse data was passed"),
    ],
)
def test_bad_input_is_refused_in_words(X, error, message):
    with pytest.raises(error, match=message):
        check_sequences(X)


def test_a_feature_without_variation_keeps_its_scale():
    X = np.full((3, 4, 2), 7.0)
    X[..., 1] = np.arange(4)
    means, scales = feature_statistics(X)
    np.testing.assert_allclose(means, [7, 1.5])
    np.testing.assert_allclose(scales, [1, np.arange(4).std()])


def test_statistics_in_chunks_are_those_of_the_whole():
    X = np.random.default_rng(0).normal(3, 2, (2500, 2, 3)).astype(np.float32)
    means, scales = feature_statistics(X)
    np.testing.assert_allclose(means, X.mean(axis=(0, 1), dtype=float))
    np.testing.assert_allclose(scales, X.std(axis=(0, 1), dtype=float))


def test_timestamps_survive_scaling_because_it_happens_in_their_own_precision():
    X = 1.7e9 + np.arange(4.0).reshape(1, 4, 1)
    np.testing.assert_allclose(scaled(X, np.array([1.7e9]), np.array([1.0])).ravel(), np.arange(4))


@given(
    X=hnp.arrays(np.float32, (3, 4, 2), elements=st.floats(-1e3, 1e3, width=32)),
    center=hnp.arrays(float, 2, elements=st.floats(-1e3, 1e3)),
    scale=hnp.arrays(float, 2, elements=st.floats(1e-2, 1e3)),
)
def test_unscaled_undoes_scaled(X, center, scale):
    there = scaled(X, center, scale)
    assert there.dtype == np.float32
    back = unscaled(there, center, scale)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, X, rtol=1e-5, atol=1e-3)
