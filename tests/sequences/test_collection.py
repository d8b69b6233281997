import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from seqembed.sequences import collection
from seqembed.sequences.collection import check_sequences, chunks, read_sequences
from seqembed.sequences.lengths import checked_lengths
from seqembed.sequences.named_windows import named_windows


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
        ([np.ones(2), np.ones(0)], ValueError, r"got shape \(0,\) for sequence 1"),
        ([np.ones((2, 3, 1))], ValueError, r"Sequence 0 has 3 dimensions.*np.concatenate\(X\)"),
        (np.array([[[1.0]], [[np.inf]]]), ValueError, "Input X contains infinity in sequence 1,"),
        (np.ones((2, 3, 1), complex), ValueError, "^Complex data not supported: X has"),
        (np.full((2, 3, 1), "a"), ValueError, "^X holds text, such as 'a'.*pandas.to_numeric"),
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
        ([[[1, 2], [3]]], ValueError, r"Got sequence 0 that is not an array of numbers.*part\. Give each"),
        (sparse.csr_array(np.ones((2, 3))), TypeError, "Sparse data was passed for X,"),
    ],
)
def test_bad_input_is_refused_in_words(X, error, message):
    with pytest.raises(error, match=message):
        check_sequences(X)


def test_an_empty_collection_is_refused_in_the_name_of_the_estimator():
    with pytest.raises(ValueError, match="minimum of 1 is required by Embedder"):
        check_sequences(np.ones((0, 3)), estimator="Embedder")


def test_the_first_ten_sequences_without_a_value_are_named():
    with pytest.raises(ValueError, match=r"out, 11 in all: \[0, 1, 2, 3, 4, 5, 6, 7, 8, 9\]\."):
        check_sequences(np.full((11, 3), np.nan))


def test_sequences_of_half_a_million_values_are_told_apart_in_errors():
    X = np.zeros((3, 2**19), np.float32)
    X[2, 7] = np.inf
    with pytest.raises(ValueError, match="infinity in sequence 2,"):
        check_sequences(X)
    X[[0, 2]] = np.nan
    with pytest.raises(ValueError, match=r"2 in all: \[0, 2\]"):
        check_sequences(X)


@pytest.mark.parametrize("read", [read_sequences, check_sequences])
@pytest.mark.parametrize(("X", "kind"), [(5, "int"), (None, "NoneType"), (np.array(5.0), "ndarray"), ({1, 2}, "set")])
def test_a_number_and_an_object_without_axes_are_no_collection(X, kind, read):
    with pytest.raises(TypeError, match=f"Got X= of type {kind}, expected sequences: an array of shape"):
        read(X)


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
        (np.ones((2, 3, 1)), [4, 3], "from 3 to 4, expected 1 to 3, the timesteps of X"),
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


def test_lengths_of_what_is_not_there_yet_have_no_upper_end():
    assert checked_lengths(np.uint8([200, 1]), n_samples=2).tolist() == [200, 1]
    with pytest.raises(ValueError, match="from 0 to 200, expected 1 or more"):
        checked_lengths([200, 0], n_samples=2)


def test_lengths_that_are_all_equal_cut_the_array_without_a_copy():
    X = np.arange(12.0).reshape(2, 6)
    checked = check_sequences(X, lengths=[4, 4])
    assert np.shares_memory(checked.values, X)
    np.testing.assert_array_equal(checked.values[:, :, 0], X[:, :4])
    assert checked.one_length
    assert not checked.is_array
    assert (checked.ndim, checked.padded_length) == (2, 6)


def test_lengths_that_differ_make_views_of_the_array():
    X = np.arange(12.0).reshape(2, 3, 2)
    checked = check_sequences(X, lengths=[3, 1])
    assert all(np.shares_memory(sequence, X) for sequence in checked.values)
    assert [len(sequence) for sequence in checked.values] == [3, 1]
    assert (checked.ndim, checked.padded_length, checked.one_length) == (3, 3, False)


@pytest.mark.parametrize(
    ("X", "is_complete"),
    [
        (np.ones((2, 3)), True),
        (np.ones((2, 3), int), True),
        ([[1.0], [2.0, 3.0]], True),
        (np.array([[1.0, np.nan]]), False),
        ([[1.0], [2.0, np.nan]], False),
        (np.ma.masked_equal([[1, 2, 3]], 2), False),
    ],
)
def test_a_collection_is_complete_if_no_value_is_missing_and_was_looked_at(X, is_complete):
    assert check_sequences(X).complete is is_complete
    assert read_sequences(X).complete is False


def test_masked_values_are_missing():
    X = np.ma.masked_equal([[[1.0], [99.0]], [[99.0], [4.0]]], 99.0)
    np.testing.assert_array_equal(check_sequences(X).values[:, :, 0], [[1, np.nan], [np.nan, 4]])


def test_names_of_columns_are_those_of_timesteps_in_a_table_and_of_features_in_a_list():
    frame = pd.DataFrame({"flow": [1.0, 2.0], "heat": [3.0, 4.0]})
    assert check_sequences(frame).names == ("flow", "heat")
    assert check_sequences([frame, frame[:1]]).names == ("flow", "heat")
    assert check_sequences(frame, lengths=[2, 1]).names is None
    assert check_sequences(frame.to_numpy()).names is None
    windows = named_windows(np.ones((2, 3, 2)), ("flow", "heat"))
    assert check_sequences(windows).names == check_sequences(windows, lengths=[3, 1]).names == ("flow", "heat")


def test_a_table_with_a_row_for_each_date_is_recognised():
    table = pd.DataFrame(np.ones((2, 3)), index=pd.date_range("2026-01-01", periods=2))
    assert check_sequences(table).rows_are_dates is True
    assert check_sequences(table.reset_index(drop=True)).rows_are_dates is False
    assert check_sequences(table.to_numpy()).rows_are_dates is False
    assert check_sequences(pl.DataFrame({"a": [1.0, 2.0]})).rows_are_dates is False


def test_a_generator_is_refused_with_what_to_pass_in_its_place():
    with pytest.raises(TypeError, match=r"X= of type generator.*Pass its batches one at a time, or list\(X\)"):
        check_sequences(batch for batch in [np.ones((2, 3, 1))])


def test_no_sequences_can_be_read_though_a_network_refuses_them():
    nothing = read_sequences([])
    assert (len(nothing), nothing.ndim, nothing.n_features, nothing.lengths.dtype) == (0, 3, 0, np.int64)
    assert len(read_sequences(np.ones((0, 3, 2)))) == 0
    assert read_sequences(np.ones((2, 0))).lengths.tolist() == [0, 0]


def test_sequences_without_the_axis_of_features_get_it():
    listed = check_sequences([[1.0, 2.0], [3.0]])
    assert [sequence.shape for sequence in listed.values] == [(2, 1), (1, 1)]
    assert (listed.ndim, listed.n_features, listed.n_timesteps) == (2, 1, 2)
    table = check_sequences(np.ones((4, 3)))
    assert table.is_table
    assert (table.ndim, table.values.shape) == (2, (4, 3, 1))
    assert not check_sequences(np.ones((4, 3, 1))).is_table


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        ((np.float32, np.float32), np.float32),
        ((np.float16, np.float32), np.float32),
        ((np.float32, np.float64), np.float64),
        ((np.int8, np.int8), np.float32),
        ((np.int64, np.int64), np.float64),
    ],
)
def test_a_padded_batch_has_the_float_dtype_that_holds_all_its_sequences(dtypes, expected):
    batch = check_sequences([np.ones(length, dtype) for length, dtype in enumerate(dtypes, start=1)]).padded(slice(2))
    assert batch.dtype == expected
    np.testing.assert_array_equal(batch[:, :, 0], [[1, np.nan], [1, 1]])


def test_an_array_is_padded_to_more_timesteps_and_viewed_without_padding():
    X = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    checked = check_sequences(X)
    assert np.shares_memory(checked.padded(slice(0, 2)), X)
    assert np.shares_memory(checked.padded(slice(0, 2), 3), X)
    batch = checked.padded(np.array([1]), 5)
    np.testing.assert_array_equal(batch[0, :3], X[1])
    assert batch.shape == (1, 5, 2)
    assert np.isnan(batch[0, 3:]).all()


@pytest.mark.parametrize("lengths", [None, [3, 1, 2, 3]])
def test_parts_of_a_collection_are_views_with_all_that_is_known_of_it(lengths):
    X = np.arange(24.0).reshape(4, 3, 2)
    checked = check_sequences(X, lengths)
    whole = checked.padded(slice(None))
    for rows, part in ((slice(1, 3), checked.part(slice(1, 3))), ([3, 0], checked.chosen(np.array([3, 0])))):
        np.testing.assert_array_equal(part.padded(slice(None), 3), whole[rows])
        assert part.lengths.tolist() == checked.lengths[rows].tolist()
        assert all(np.shares_memory(sequence, X) for sequence in part.values)
        assert (part.ndim, part.complete, part.padded_length) == (3, True, checked.padded_length)


@pytest.mark.parametrize("lengths", [None, [3, 1, 2, 3]])
def test_the_timesteps_of_some_sequences_are_one_table(lengths):
    X = np.arange(24.0).reshape(4, 3, 2)
    ends = lengths or [3] * 4
    expected = np.concatenate([X[1, : ends[1]], X[2, : ends[2]]])
    np.testing.assert_array_equal(check_sequences(X, lengths).timesteps(slice(1, 3)), expected)


@pytest.mark.parametrize(
    ("n_samples", "values_per_sample", "sizes"),
    [(2**19, 1, [2**19]), (2**19 + 1, 1, [2**19, 1]), (3, 2**18 + 1, [1, 1, 1]), (2, 2**20, [1, 1]), (2, 0, [2])],
)
def test_chunks_hold_half_a_million_values_or_one_sequence(n_samples, values_per_sample, sizes):
    assert [rows.stop - rows.start for rows in chunks(n_samples, values_per_sample)] == sizes


def test_the_chunks_of_a_collection_count_all_values_of_its_sequences():
    X = np.broadcast_to(np.float32(0), (5, 2**16, 4))
    assert list(read_sequences(X).chunks()) == [slice(0, 2), slice(2, 4), slice(4, 5)]
