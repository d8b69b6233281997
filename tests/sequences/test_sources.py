from pathlib import Path

import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pytest
import zarr

from seqembed import (
    LSTMAutoencoder,
    LSTMReconstructor,
    ReconstructionDetector,
    SequenceSummary,
    merge_windows,
    sequences_from_padded,
    sliding_windows,
)
from seqembed.codec import SequenceCodec
from seqembed.sequences.collection import check_sequences
from seqembed.sequences.sources import check_is_no_source


class DuckDBPyRelation:
    """Stands in for a relation of duckdb, which the tests do not install: it has the module, the name and the line."""

    columns, dtypes, shape = ["flow"], ["DOUBLE"], (2, 1)

    def df(self):
        return pd.DataFrame({"flow": [1.0, 2.0]})


DuckDBPyRelation.__module__ = "duckdb._relation"


def group(*names):
    made = zarr.group()
    for name in names:
        made.create_array(name, shape=(3, 4, 2), dtype="f4")
    return made


SOURCES = [
    ("flow.npy", r"Got X= as 'flow.npy', expected an array. Read the file first: numpy.load\(path\)"),
    (Path("flow.zarr"), r"Got X= as PosixPath\('flow.zarr'\), .*zarr.open_array\(path\)"),
    (b"flow", "Got X= as b'flow', expected an array"),
    (group("heat", "flow"), r"Got X= of type Group, which holds the arrays \['flow', 'heat'\].*group\['flow'\]"),
    (group(), r"holds the arrays \[\], .* Pass an array of one of its groups"),
    (pl.LazyFrame({"flow": [1.0]}), r"Got X= of type LazyFrame, which is lazy.* Pass X\.collect\(\)"),
    (DuckDBPyRelation(), r"Got X= of type DuckDBPyRelation, which is lazy.* Pass X\.df\(\)"),
]


@pytest.mark.parametrize(("source", "message"), SOURCES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    "read",
    [
        check_sequences,
        LSTMAutoencoder(2, hidden_units=(), epochs=1).fit,
        LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(np.ones((2, 3)) * [[1], [2]]).transform,
        lambda X: LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(iter([X])),
        lambda X: sliding_windows(X, 2),
        SequenceCodec(max_error=0.1).fit,
    ],
    ids=["check", "fit", "transform", "batches", "windows", "codec"],
)
def test_a_path_a_group_or_a_query_is_refused_with_the_line_that_reads_it(read, source, message):
    with pytest.raises(TypeError, match=message):
        read(source)


@pytest.mark.parametrize("source", [source for source, _ in SOURCES], ids=lambda value: type(value).__name__)
def test_a_source_among_sequences_or_in_place_of_values_is_refused_too(source):
    for read, name in (
        (lambda: check_sequences([np.ones(3), source]), "sequence 1"),
        (lambda: merge_windows(source, [0], 3), "values"),
        (lambda: sequences_from_padded(source), "X"),
    ):
        with pytest.raises(TypeError, match=f"Got {name} (as|of type) .*, expected"):
            read()


def test_the_line_for_a_frame_of_dask_computes_it_and_one_for_an_item_names_its_method():
    frame = dd.from_pandas(pd.DataFrame({"flow": [1.0]}), npartitions=1)
    with pytest.raises(TypeError, match=r"Got frame= of type DataFrame, which is lazy.* Pass frame\.compute\(\)"):
        check_is_no_source(frame, "frame=")
    with pytest.raises(TypeError, match=r"Got sequence 3 of type DuckDBPyRelation.* Pass its \.df\(\)"):
        check_is_no_source(DuckDBPyRelation(), "sequence 3")


@pytest.mark.parametrize("labels", [None, np.zeros(50)])
def test_the_result_of_sliding_windows_is_refused_with_the_attribute_to_pass(labels):
    result = sliding_windows(np.zeros((50, 2)), 5, y=labels)
    for estimator in (
        LSTMAutoencoder(),
        LSTMReconstructor(),
        SequenceSummary(),
        ReconstructionDetector(),
        SequenceCodec(max_error=1),
    ):
        with pytest.raises(
            TypeError, match=r"Got X= as the result of sliding_windows, expected its windows\. Pass sliding"
        ):
            estimator.fit(result)
