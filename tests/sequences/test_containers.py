"""Containers of sequences, and the one-liners that README gives for those of other libraries, on their own data."""

import re
from datetime import datetime
from functools import partial

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from seqembed import sliding_windows
from seqembed.datasets import load_basic_motions, load_japanese_vowels
from seqembed.sequences.collection import check_sequences
from seqembed.sequences.containers import as_array, as_numbers, column_names, listed


def test_an_aeon_panel_of_one_length_is_transposed():
    datasets = pytest.importorskip("aeon.datasets")
    X, _ = datasets.load_basic_motions(split="train")
    ours = load_basic_motions(split="train").data
    np.testing.assert_allclose(check_sequences(X.transpose(0, 2, 1)).values, ours, rtol=1e-5, atol=1e-6)


def test_an_aeon_list_of_unequal_lengths_is_transposed_one_by_one():
    datasets = pytest.importorskip("aeon.datasets")
    X, _ = datasets.load_japanese_vowels(split="train")
    sequences = check_sequences([sequence.T for sequence in X])
    for theirs, ours in zip(sequences.values, load_japanese_vowels(split="train").data, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-6)


def test_an_sktime_panel_of_one_length_is_converted_and_transposed():
    datasets = pytest.importorskip("sktime.datasets")
    X, _ = datasets.load_basic_motions(split="train", return_type="numpy3D")
    ours = load_basic_motions(split="train").data
    np.testing.assert_allclose(check_sequences(X.transpose(0, 2, 1)).values, ours, rtol=1e-5, atol=1e-6)


def test_an_sktime_panel_of_unequal_lengths_is_taken_out_of_its_nested_frame():
    datasets = pytest.importorskip("sktime.datasets")
    X, _ = datasets.load_japanese_vowels(split="train", return_type="nested_univ")
    sequences = check_sequences([np.stack(list(row), axis=1) for row in X.to_numpy()])
    for theirs, ours in zip(sequences.values, load_japanese_vowels(split="train").data, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-6)


PANEL = np.random.default_rng(0).normal(size=(8, 5, 2))
NESTED = {f"dim_{feature}": [pd.Series(x[:, feature]) for x in PANEL] for feature in (0, 1)}
CELLS = {
    "pandas": (pd.DataFrame({"s": list(PANEL[:, :, 0])}), "list(X['s'])"),
    "pandas lists": (pd.DataFrame({"s": [None, [1, 2], [3]]}), "list(X['s'])"),
    "polars lists": (pl.DataFrame({"s": PANEL[:, :, 0].tolist()}), "list(X['s'])"),
    "polars arrays": (
        pl.DataFrame({"s": pl.Series(PANEL[:, :, 0].tolist(), dtype=pl.Array(float, 5))}),
        "list(X['s'])",
    ),
    "sktime": (pd.DataFrame(NESTED), "[np.stack(list(row), axis=1) for row in X.to_numpy()]"),
    "a frame in a list": ([pd.DataFrame({"s": list(PANEL[0])})], "np.stack(list(frame['s']))"),
}


@pytest.mark.parametrize("name", CELLS)
def test_arrays_in_the_cells_of_a_frame_are_refused_with_the_line_that_takes_them_out(name):
    X, line = CELLS[name]
    with pytest.raises(ValueError, match=rf"whose column '\w+' holds arrays.*{re.escape(line)}"):
        check_sequences(X)


@pytest.mark.filterwarnings("error")
def test_a_frame_whose_index_is_seconds_is_read_like_any_other():
    # pandas 2 reads the ends of a slice as labels here, and warns.
    seconds = [1000.0, 1000.5]
    mixed = pd.DataFrame({"flow": [1.0, 2.0], "pumps": pd.array([3, None], "Int64")}, index=seconds)
    np.testing.assert_array_equal(check_sequences([mixed]).values[0], [[1, 3], [2, np.nan]])
    panel = pd.DataFrame({name: [np.zeros(2), np.ones(2)] for name in ("flow", "heat")}, index=seconds)
    with pytest.raises(ValueError, match="whose column 'flow' holds arrays"):
        check_sequences(panel)


def test_the_lines_for_arrays_in_cells_make_the_sequences_of_the_panel():
    X = pd.DataFrame(NESTED)
    np.testing.assert_array_equal(check_sequences([np.stack(list(row), axis=1) for row in X.to_numpy()]).values, PANEL)
    for frame in (CELLS["pandas"][0], CELLS["polars lists"][0], CELLS["polars arrays"][0]):
        np.testing.assert_array_equal(check_sequences(list(frame["s"])).values, PANEL[:, :, :1])


NAN = np.nan
MASKED_ROWS = [np.ma.masked_equal([0.0, 9.0, 2.0], 9), np.ma.masked_equal([3.0, 4.0, 5.0], 9)]
LAZY_ROWS = [da.ma.masked_equal(da.from_array([0.0, 9.0, 2.0]), 9), da.from_array([3.0, 4.0, 5.0])]


class Variable:
    """What netCDF4 returns: an array on disk that is read as a masked array."""

    shape = (2, 3)

    def __array__(self, dtype=None, copy=None):
        return np.ma.masked_equal([[0.0, 9.0, 2.0], [3.0, 4.0, 5.0]], 9)


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (np.ma.masked_equal(np.arange(6.0).reshape(2, 3), 4), [[0, 1, 2], [3, NAN, 5]]),
        (np.ma.masked_equal(np.arange(6).reshape(2, 3), 4), [[0, 1, 2], [3, NAN, 5]]),
        ([np.ma.masked_equal([0, 1, 2], 1), [3, 4, 5]], [[0, NAN, 2], [3, 4, 5]]),
        (pd.DataFrame({"a": [1, None], "b": [3, 4]}, dtype="Int64"), [[1, 3], [NAN, 4]]),
        ([pd.DataFrame({"a": [1, None]}, dtype="Int64"), [[3], [4]]], [[1, NAN], [3, 4]]),
        ([pl.DataFrame({"a": [1, None]}), [[3], [4]]], [[1, NAN], [3, 4]]),
        (pd.Series([[1.0, 2.0], np.array([3.0, 4.0])]), [[1, 2], [3, 4]]),
        (pl.Series([[1.0, 2.0], [3.0, 4.0]]), [[1, 2], [3, 4]]),
        ({"m1": [1.0, 2.0], "m2": [3.0, 4.0]}.values(), [[1, 2], [3, 4]]),
        ([[1.0, None], [3.0, 4.0]], [[1, NAN], [3, 4]]),
        ([[1.0, pd.NA], [3.0, 4.0]], [[1, NAN], [3, 4]]),
        ([[0.0, np.ma.masked, 2.0], [3.0, 4.0, 5.0]], [[0, NAN, 2], [3, 4, 5]]),
        (Variable(), [[0, NAN, 2], [3, 4, 5]]),
        (dict(enumerate(LAZY_ROWS)).values(), [[0, NAN, 2], [3, 4, 5]]),
        (pd.Series(LAZY_ROWS), [[0, NAN, 2], [3, 4, 5]]),
        (LAZY_ROWS, [[0, NAN, 2], [3, 4, 5]]),
        (pa.table({"a": [1, None], "b": [3, 4]}), [[1, 3], [NAN, 4]]),
        (pa.array([[0.0, None, 2.0], [3.0, 4.0, 5.0]]), [[0, NAN, 2], [3, 4, 5]]),
        (pa.chunked_array([[[0, None, 2]], [[3, 4]]]), [[0, NAN, 2], [3, 4, NAN]]),
        ([pa.array([1, None]), pa.chunked_array([[3], [4]])], [[1, NAN], [3, 4]]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_masked_or_missing_value_of_any_container_is_missing(X, expected):
    checked = check_sequences(X)
    np.testing.assert_array_equal(checked.padded(slice(0, 2))[:, :, 0], expected)
    assert checked.complete == np.isfinite(np.concatenate(list(checked.values))).all()


def test_the_mask_of_a_masked_array_decides_whatever_lies_under_it():
    X = np.ma.array(np.full((3, 4, 1), 1e30), mask=[[[False]] * 4, [[True]] + [[False]] * 3, [[False]] * 4])
    assert np.isnan(check_sequences(X).values[1, 0, 0])
    with pytest.raises(ValueError, match="Every value of sequence 0 is missing"):
        check_sequences(np.ma.masked_all((3, 4)))


DAYS = pd.date_range("2026-01-01", periods=2)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([np.ones(3), None], ValueError, "Got sequence 1 as None.*Leave it out"),
        ([sparse.csr_array(np.ones((2, 3)))], TypeError, r"sequence 0 is a sparse matrix.*\.toarray\(\)"),
        ({"a": np.ones((2, 3))}, TypeError, r"X= of type dict, expected sequences. Pass list\(X.values\(\)\)"),
        ([{"a": 1.0}], TypeError, "sequence 0 of type dict"),
        (np.array([["2026-01-01"] * 2] * 2, "M8[s]"), ValueError, r"X holds dates.*np.timedelta64\(1, 's'\)"),
        ([pd.DataFrame({"x": [1.0, 2.0], "day": DAYS})], ValueError, "Column 'day' of sequence 0 holds dates"),
        (pd.DataFrame({"x": [1.0, 2.0], "day": DAYS}), ValueError, "Column 'day' of X holds dates"),
        (pd.DataFrame({"m": ["m1", "m2"], "x": [1.0, 2.0]}), ValueError, "Column 'm' of X holds text, such as 'm1'"),
        ([pl.DataFrame({"m": ["m1", "m2"]})], ValueError, "Column 'm' of sequence 0 holds text, such as 'm1'"),
        ([np.zeros(2, [("a", float)])], ValueError, "structured_to_unstructured"),
        (np.array([["1.5", 2.0]], object), ValueError, r"X holds text, such as '1.5'.*pandas.to_numeric\(values\)"),
        (np.array([[np.datetime64("2026-01-01"), 1.0]], object), ValueError, "X holds dates or durations"),
        ([[object()]], TypeError, "Sequence 0 holds objects of type object"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_name_what_is_no_number_and_the_line_that_mends_it(X, error, message):
    with pytest.raises(error, match=message) as raised:
        check_sequences(X)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("make", [np.array, partial(np.array, dtype=object), pd.Series, pl.Series], ids=str)
def test_the_line_for_words_makes_numbers_of_a_state_and_not_of_numbers_written_as_text(make):
    values = make(["on", "off", "on"])
    with pytest.raises(ValueError, match=r"such as 'on', expected numbers\..*: values == 'on'\.") as raised:
        as_numbers(values, "X")
    assert len(str(raised.value)) < 400
    assert as_numbers(values == "on", "X").tolist() == [True, False, True]
    with pytest.raises(ValueError, match=r"such as '1\.5'.*pandas\.to_numeric\(values\)\.") as raised:
        as_numbers(make(["1.5", "-2e3"]), "X")
    assert "state" not in str(raised.value)


def test_a_ragged_tensor_is_refused_without_its_data():
    class Ragged:
        nested_row_splits = ()

        def __repr__(self):
            raise AssertionError("the data were written as text")

    with pytest.raises(TypeError, match=r"of type Ragged.*\[x.numpy\(\) for x in X\]"):
        check_sequences(Ragged())


def test_infinity_within_the_lengths_of_a_padded_array_is_refused_and_beyond_them_it_is_not_looked_at():
    X = np.ones((2, 4, 1))
    X[1, 2] = np.inf
    with pytest.raises(ValueError, match="infinity in sequence 1"):
        check_sequences(X, [4, 3])
    assert check_sequences(X, [4, 2]).complete


def test_dates_beside_numbers_in_a_polars_frame_are_refused_and_not_read_as_numbers():
    frame = pl.DataFrame({"time": [datetime(2026, 1, 1)], "x": [1.0]})
    with pytest.raises(ValueError, match="Column 'time' of sequence 0 holds dates"):
        check_sequences([frame])


def test_an_object_array_of_equally_long_arrays_is_their_stack():
    X = np.empty((2,), object)
    X[:] = [[np.ones(2), np.zeros(2)], [np.ones(2), np.ones(2)]]
    np.testing.assert_array_equal(check_sequences(X).values, [[[1, 1], [0, 0]], [[1, 1], [1, 1]]])


def _cells(shape, lengths):
    cells = np.empty(shape, object)
    for position, length in enumerate(lengths):
        cells.flat[position] = pd.Series(np.arange(length, dtype=float))
    return cells


@pytest.mark.parametrize(
    ("X", "line"),
    [
        (_cells((2, 2), [3, 3, 4, 4]), "pass [np.stack(list(row), axis=1) for row in X]"),
        (_cells((2, 2), [3, 3, 3, 3]), "pass [np.stack(list(row), axis=1) for row in X]"),
        (_cells((2, 2), [3, 4, 5, 6]), "pass list(X.ravel())"),
        (_cells((2, 1), [3, 4]), "list(X[:, 0])"),
        ([_cells((2, 2), [3, 3, 4, 4])], "Sequence 0 is an array of shape (2, 2) whose cells are arrays"),
    ],
)
def test_tables_whose_cells_are_series_are_refused_with_the_line_that_takes_the_sequences_out(X, line):
    with pytest.raises(ValueError, match=re.escape(line)) as caught:
        check_sequences(X)
    if isinstance(X, np.ndarray):
        remedy = line.removeprefix("pass ")
        assert len(check_sequences(eval(remedy, {"np": np, "X": X}))) in (2, 4), str(caught.value)


def test_masks_of_objects_count():
    X = np.ma.array([[1, 2, 999], [4, 5, 6]], dtype=object, mask=[[0, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(check_sequences(X).values[0, :, 0], [1, 2, np.nan])


def test_names_that_mix_types_are_refused():
    def frame(columns):
        return pd.DataFrame(np.zeros((4, len(columns))), columns=columns)

    with pytest.raises(TypeError, match="string names: got names of the types int, str"):
        column_names(frame(["a", 1]))
    assert column_names(frame(["a", "b"])) == ("a", "b")
    for X in (frame([0, 1]), np.zeros((4, 2)), iter([])):
        assert column_names(X) is None


def test_dask_frames_and_arrays_are_in_memory_with_their_names_and_masks():
    dask_frame = dd.from_pandas(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}), npartitions=2)
    assert column_names(listed(dask_frame)) == ("a", "b")
    assert column_names(listed([dask_frame, dask_frame])) == ("a", "b")
    masked = da.from_array(np.ma.masked_equal([[1.0, 2.0]], 2.0), chunks=1)
    np.testing.assert_array_equal(as_numbers(listed(masked), "X"), [[1.0, np.nan]])


@pytest.mark.parametrize("rows", [MASKED_ROWS, LAZY_ROWS], ids=["numpy", "dask"])
@pytest.mark.parametrize("make", [list, tuple])
def test_rows_of_a_sequence_that_are_masked_arrays_keep_their_masks(make, rows):
    np.testing.assert_array_equal(as_numbers(make(rows), "X"), [[0, np.nan, 2], [3, 4, 5]])
    np.testing.assert_array_equal(check_sequences([make(rows)]).values[0], [[0, np.nan, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3], [1, 2, np.nan]),
        (np.float32([1, 2, 3]), np.float32([1, 2, np.nan])),
        (["a", "b", "c"], np.array(["a", "b", None], object)),
        (np.array([0, 1, 2], "M8[s]"), np.array([0, 1, "NaT"], "M8[s]")),
        (np.array([0, 1, 2], "m8[s]"), np.array([0, 1, "NaT"], "m8[s]")),
        ([True, False, True], [1, 0, np.nan]),
    ],
    ids=["integers", "float32", "text", "dates", "durations", "truth values"],
)
def test_what_is_masked_is_missing_in_arrays_of_any_dtype(values, expected):
    array = as_array(np.ma.array(values, mask=[False, False, True]))
    assert array.dtype == np.asarray(expected).dtype
    np.testing.assert_array_equal(array, expected)
    without = np.ma.array(values)
    assert as_array(without).dtype == without.dtype


def test_tables_of_arrow_have_the_names_of_their_columns():
    table = pa.table({"flow": [1.0, 2.0], "heat": [3, None]})
    assert check_sequences([table]).names == ("flow", "heat")
    assert sliding_windows(table, 1).windows.names == ("flow", "heat")
    with pytest.raises(ValueError, match=r"Sequence 1 has the columns \['heat', 'flow'\]"):
        check_sequences([table, table.select(["heat", "flow"])])
    with pytest.raises(ValueError, match="Column 'day' of sequence 0 holds dates"):
        check_sequences([table.append_column("day", pa.array([datetime(2026, 1, 1)] * 2))])


def test_a_generator_is_no_recording():
    with pytest.raises(TypeError, match=r"Got recording 0 of type generator.*Pass a list of what it gives"):
        sliding_windows((np.arange(5.0) for _ in range(2)), 2)


def test_tensors_of_arrow_keep_their_shape_and_lists_of_lists_are_sequences_of_features():
    X = np.arange(12.0).reshape(2, 3, 2)
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(X)
    for each in (tensors, pa.chunked_array([tensors, tensors])[:2]):
        np.testing.assert_array_equal(check_sequences(each).values, X)
    first, second = check_sequences(pa.array([X[0].tolist(), X[1, :2].tolist()])).values
    np.testing.assert_array_equal(first, X[0])
    np.testing.assert_array_equal(second, X[1, :2])
