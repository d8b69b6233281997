import errno
import tempfile

import dask.array
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import FullDisk

from seqembed import LSTMAutoencoder
from seqembed.sequences import collection
from seqembed.sequences.batches import UncheckedBatch, batches_of, collected, spooled


@pytest.mark.parametrize("X", [np.zeros((2, 3)), [np.zeros(3)], (np.zeros(3),), "text", {"a": 1}, 3])
def test_a_collection_is_no_stream(X):
    assert batches_of(X) is None


def test_a_chunked_array_is_read_slice_by_slice(tmp_path):
    zarr = pytest.importorskip("zarr")
    X = np.random.default_rng(0).normal(size=(2500, 4, 128)).astype(np.float32)
    stored = zarr.open(str(tmp_path / "X.zarr"), mode="w", shape=X.shape, chunks=(300, 4, 128), dtype=X.dtype)
    stored[:] = X
    batches = [batch.values for batch in batches_of(stored)]
    assert [len(batch) for batch in batches] == [1024, 1024, 452]
    np.testing.assert_array_equal(np.concatenate(batches), X)


@given(seed=st.integers(0, 1000), sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6), one_length=st.booleans())
def test_spooled_sequences_are_those_that_came(seed, sizes, one_length):
    random = np.random.default_rng(seed)
    length = 3 if one_length else None
    batches = [[random.normal(size=(length or random.integers(1, 6), 2)) for _ in range(size)] for size in sizes]
    came = [sequence for batch in batches for sequence in batch]
    came[-1][0, 0] = np.nan
    with spooled(map(UncheckedBatch, batches)) as sequences:
        assert sequences.lengths.tolist() == [len(sequence) for sequence in came]
        assert not sequences.complete
        for row, sequence in enumerate(came):
            np.testing.assert_array_equal(sequences.padded(np.array([row]))[0], sequence)


def test_spooled_arrays_are_memory_mapped_and_keep_their_precision():
    with spooled(UncheckedBatch(np.full((2, 3), 1e9 + k)) for k in range(3)) as sequences:
        assert isinstance(sequences.values.base, np.memmap) or isinstance(sequences.values, np.memmap)
        assert sequences.values.dtype == np.float64
        assert (sequences.ndim, sequences.complete, sequences.values.shape) == (2, True, (6, 3, 1))
        assert sequences.values[:, 0, 0].tolist() == [1e9, 1e9, 1e9 + 1, 1e9 + 1, 1e9 + 2, 1e9 + 2]


@pytest.mark.parametrize("n_before", [3, 600_000])
def test_later_batches_of_a_wider_dtype_keep_their_digits(n_before):
    coarse, fine = np.arange(n_before, dtype=np.float32).reshape(-1, 3), np.full((2, 3), 1e9 + 1)
    with spooled(map(UncheckedBatch, [coarse, fine, coarse[:1]])) as sequences:
        assert sequences.dtype == np.float64
        np.testing.assert_array_equal(sequences.values[:, :, 0], np.concatenate([coarse, fine, coarse[:1]]))


def test_a_batch_whose_first_sequence_is_coarser_than_the_others_keeps_their_digits():
    batch = [np.float32([1, 2]), 4_500_000 + np.array([0.1, 0.2, 0.3])]
    with spooled([UncheckedBatch(batch)]) as sequences:
        np.testing.assert_array_equal(sequences.values[1][:, 0], batch[1])


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "without a single batch. A generator can be read only once"),
        (
            [np.ones((2, 3, 1)), np.ones((2, 3, 2))],
            "^Batch 1 holds sequences of 2 features.*batch 0 holds 1 feature in 3",
        ),
        ([np.ones((2, 3, 1)), np.ones((2, 3))], "^Batch 1 holds sequences of 1 feature in 2 dimensions"),
        ([np.ones((2, 3, 1)), np.full((2, 3, 1), np.inf)], "infinity in sequence 2"),
    ],
)
def test_batches_that_do_not_fit_one_another_are_refused(batches, message):
    with pytest.raises(ValueError, match=message), spooled(map(UncheckedBatch, batches)):
        pass


class Chunked:
    """What zarr, h5py and dask have in common: chunks, a shape, and slices that are read when they are asked for."""

    def __init__(self, values, shape=None):
        self.values, self.shape, self.chunks = values, shape or values.shape, (1,)

    def __getitem__(self, rows):
        return self.values[rows]


def test_lengths_hold_for_an_array_stored_in_chunks(monkeypatch):
    # Two sequences at a time.
    monkeypatch.setattr(collection, "_CHUNK", 16)
    X = np.random.default_rng(0).normal(size=(5, 4, 2))
    lengths = [4, 1, 2, 4, 3]
    with collected(Chunked(X), lengths) as sequences:
        np.testing.assert_array_equal(sequences.lengths, lengths)
        for sequence, x, length in zip(sequences.values, X, lengths, strict=True):
            np.testing.assert_array_equal(sequence, x[:length])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (Chunked(np.ones((0, 3, 1))), r"Got X= of shape \(0, 3, 1\), expected at least one sequence"),
        (Chunked(np.ones((2, 3, 1)), (np.nan, 3, 1)), r"unknown shape.*X.compute_chunk_sizes\(\)"),
        ((np.ones((4, 2)) for _ in range(3)), r"arrays of 2 dimensions, which can be sequences or batches.*list\(X\)"),
        ((np.ones(4) for _ in range(3)), r"arrays of 1 dimension.*list\(X\)"),
        (((np.ones((4, 3, 2)), np.ones(4)) for _ in range(3)), r"pairs.*Pass \(x for x, y in X\)"),
    ],
)
def test_errors_of_iterables_name_the_line_that_mends_them(X, message):
    with pytest.raises(ValueError, match=message), collected(X):
        pass


def test_a_loader_of_dicts_is_refused_with_its_keys():
    with (
        pytest.raises(TypeError, match=r"item\[key\] for item in X.*\['x', 'y'\]"),
        collected({"x": np.ones((2, 3, 1)), "y": 0} for _ in range(2)),
    ):
        pass


def test_a_loader_that_yields_lists_of_one_batch_yields_batches():
    with collected([np.ones((size, 3, 2))] for size in (4, 1)) as sequences:
        assert len(sequences) == 5


def test_a_view_of_a_mapping_is_a_collection():
    with collected({"a": np.ones((3, 2)), "b": np.ones((1, 2))}.values()) as sequences:
        np.testing.assert_array_equal(sequences.lengths, [3, 1])


def test_a_data_frame_with_a_column_called_chunks_is_a_data_frame():
    assert batches_of(pd.DataFrame({"chunks": [1.0, 2.0]})) is None


@pytest.mark.slow
def test_lists_of_one_tensor_of_two_dimensions_are_refused_like_arrays():
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="arrays of 2 dimensions"), collected([torch.ones(3, 4)] for _ in range(2)):
        pass


def test_batches_can_be_object_arrays_of_sequences():
    X = np.empty(4, object)
    X[:] = [np.ones((length, 2)) for length in (1, 2, 3, 4)]
    with collected(iter(np.array_split(X, 2))) as sequences:
        np.testing.assert_array_equal(sequences.lengths, [1, 2, 3, 4])


def test_data_frames_of_later_batches_must_have_the_columns_of_the_first():
    frame = pd.DataFrame({"flow": [1.0, 2.0], "heat": [3.0, 4.0]})
    match = r"^Batch 1 holds data frames with the columns \['heat', 'flow'\].*batch 0"
    with (
        pytest.raises(ValueError, match=match),
        spooled([UncheckedBatch([frame]), UncheckedBatch([frame[["heat", "flow"]]])]),
    ):
        pass


@pytest.mark.parametrize("n_samples", [42, 3000])
def test_a_full_disk_ends_the_spooling_with_the_folder_and_the_remedy(monkeypatch, tmp_path, n_samples):
    def full(*_, **__):
        return FullDisk(tmp_path / "spooled", "w+")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with (
        pytest.raises(OSError, match=r"No space left on device.*TMPDIR") as caught,
        spooled([UncheckedBatch(np.ones((n_samples, 3, 1)))]),
    ):
        pass
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, tempfile.gettempdir())


def test_an_error_of_the_batches_themselves_stays_as_it_is():
    def batches():
        yield UncheckedBatch(np.ones((2, 3, 1)))
        raise OSError(errno.ENOSPC, "the user's own")

    with pytest.raises(OSError, match=r"the user's own$"), spooled(batches()):
        pass


@pytest.mark.parametrize("make", [np.array, list])
@pytest.mark.parametrize(
    ("bad", "message"),
    [(np.inf, "infinity in sequence 5,"), (np.nan, r"Every value of sequence 5 is missing .* 1 in all: \[5\]")],
)
def test_sequences_of_batches_are_numbered_from_the_first_one_of_all(waves, fitted, make, bad, message):
    X = waves[:8].copy()
    X[5] = bad
    batches = [make(X[:3]), make(X[3:])]
    for read in (fitted.transform, LSTMAutoencoder(2, epochs=1).fit):
        with pytest.raises(ValueError, match=message):
            read(iter(batches))


def test_the_features_of_sequences_in_a_later_batch_are_numbered_too(waves, fitted):
    X = list(waves[:6])
    X[5] = X[5][:, :1]
    with pytest.raises(ValueError, match="Sequence 5 has 1 feature and sequence 3 has 2"):
        fitted.transform(iter([X[:3], X[3:]]))


def test_an_error_in_a_block_of_dask_says_that_its_number_is_of_the_block(waves, fitted):
    X = waves[:8].astype(np.float64)
    X[5] = np.inf
    with pytest.raises(ValueError, match=r"infinity in sequence 2, .* numbered within a block of rows of the dask"):
        fitted.transform(dask.array.from_array(X, chunks=(3, -1, -1))).compute()
