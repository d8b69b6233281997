"""How to compute a quantity with a trained model: of a collection, of batches, of a dask array."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from seqembed.inference.inputs import EmbeddedBatch, Embeddings
from seqembed.inference.model import Model
from seqembed.inference.quantities import Quantity
from seqembed.inference.results import (
    LISTED_RESULTS,
    allocate,
    check_rows,
    is_stored,
    result_shape,
    write_rows,
)
from seqembed.parallel import run_batches
from seqembed.sequences.batches import NO_BATCH
from seqembed.sequences.collection import Sequences
from seqembed.sequences.lazy import LazyRows, compute_lazily
from seqembed.sequences.scaling import Batch, ScaledSequences
from seqembed.sequences.wording import counted

Results: TypeAlias = np.ndarray | list[np.ndarray]
Collection: TypeAlias = Sequences | Embeddings


def compute(
    quantity: Quantity,
    model: Model,
    inputs: Collection | Iterator[Collection] | LazyRows,
    *,
    out: Any = None,
    n_jobs: int | None = None,
) -> Any:
    """Compute a quantity of each sequence.

    Parameters
    ----------
    quantity : Quantity
        One of `seqembed.inference.quantities`.
    model : TrainedModel or SummaryModel
        Computes it.
    inputs : Sequences, Embeddings, iterator of them, or LazyRows
        Checked. Of an iterator, one collection is in memory at a time.
    out : array, default=None
        Where to write the results, a row for each sequence: an array, a memory map, or an array stored in chunks.
    n_jobs : int or None, default=None
        Largest number of threads, see `seqembed.parallel.count_threads`. The results do not depend on it.

    Returns
    -------
    results : array or list of arrays
        `out`, where it was given. A list for results of timesteps or values of sequences of another length than
        the fit. Of lazy rows, a dask array.

    Raises
    ------
    ValueError
        For an `out` that the results don't fit into; results of earlier batches stay in it.

    Examples
    --------
    >>> from seqembed import LSTMAutoencoder
    >>> from seqembed.datasets import load_italy_power
    >>> from seqembed.inference.quantities import embedding
    >>> from seqembed.sequences.collection import check_sequences
    >>> X = load_italy_power().data[:8]
    >>> model = LSTMAutoencoder(4, hidden_units=(8,), epochs=1).fit(X).model_
    >>> compute(embedding(model), model, check_sequences(X)).shape
    (8, 4)
    """
    if isinstance(inputs, LazyRows):
        # The results of a list of arrays, and those that go into out=, are computed now.
        are_arrays = quantity.per == "sequence" or (model.layout.one_length and inputs.lengths is None)
        if out is None and are_arrays:
            shape = result_shape(quantity, model.layout)
            block = partial(_compute_block, quantity, inputs.check, n_jobs)
            return compute_lazily(block, inputs.X, inputs.lengths, model, shape, quantity.dtype)
        inputs = inputs.batches(model)
    if is_stored(out):
        # Results of a whole batch may be far larger than the batch.
        batches = inputs if isinstance(inputs, Iterator) else iter([inputs])
        inputs = (batch.part(rows) for batch in batches for rows in batch.chunks())
    if not isinstance(inputs, Iterator):
        return _compute_collection(quantity, model, inputs, out, n_jobs)
    if out is None:
        return _joined([_compute_collection(quantity, model, batch, None, n_jobs) for batch in inputs])
    return _compute_into(out, quantity, model, inputs, n_jobs)


def _compute_collection(
    quantity: Quantity, model: Model, collection: Collection, out: np.ndarray | None, n_jobs: int | None
) -> Results:
    results, rows_of_results = allocate(
        quantity, model.layout, collection.lengths, out, are_listed=_are_listed(collection, model)
    )

    def run(rows: slice | np.ndarray) -> None:
        batch = _read(collection, rows, model)
        computed = quantity.compute_batch(model, batch)
        if quantity.per != "sequence":
            computed = computed[:, : batch.lengths.max()]
        write_rows(rows_of_results, rows, computed, batch.lengths)

    run_batches(run, len(collection), n_jobs, collection.order)
    return results


def _read(collection: Collection, rows: slice | np.ndarray, model: Model) -> Batch | EmbeddedBatch:
    if isinstance(collection, Embeddings):
        return collection.read(rows)
    n_timesteps = model.count_read(collection.lengths[rows].max())
    return ScaledSequences(collection, model.scaling).read_bounded(rows, n_timesteps)


def _are_listed(collection: Collection, model: Model) -> bool:
    """Tell whether results of timesteps are a list: for sequences that have not the one length of the fit."""
    if isinstance(collection, Embeddings):
        return collection.has_own_lengths
    layout = model.layout
    return not (layout.one_length and bool((collection.lengths == layout.n_timesteps).all()))


def _compute_block(
    quantity: Quantity,
    check: Callable[[Any, Any, Any], Collection],
    n_jobs: int | None,
    model: Model,
    block: np.ndarray,
    lengths: np.ndarray | None,
) -> Results:
    """Compute a quantity of a block of a dask array, on the machine that has the block."""
    return _compute_collection(quantity, model, check(block, lengths, model), None, n_jobs)


def _joined(results: list[Results]) -> Results:
    """Join the results of batches."""
    if not results:
        raise ValueError(NO_BATCH)
    if any(isinstance(result, list) for result in results):
        return [each for result in results for each in result]
    return np.concatenate(results)


def _compute_into(out: Any, quantity: Quantity, model: Model, batches: Iterable[Collection], n_jobs: int | None) -> Any:
    """Write the results of each batch when it is done."""
    if not getattr(out, "shape", ()):
        given = "shape ()" if hasattr(out, "shape") else f"type {type(out).__name__}"
        raise ValueError(
            f"Got out= of {given}, expected a row for each sequence. Pass np.empty((n_samples, ...)), or for a file "
            f"np.lib.format.open_memmap(path, 'w+', np.float32, (n_samples, ...))."
        )
    if quantity.per != "sequence" and not model.layout.one_length:
        raise ValueError(LISTED_RESULTS)
    # Here, since the rows of a batch are not the array that the user knows.
    check_rows(out, result_shape(quantity, model.layout))
    start, n_rows = 0, out.shape[0]
    for batch in batches:
        rows = slice(start, start + len(batch))
        if rows.stop > n_rows:
            raise ValueError(
                f"Got out= of {counted(n_rows, 'row')} for more sequences: expected one row for each sequence."
            )
        if isinstance(out, np.ndarray):
            _compute_collection(quantity, model, batch, out[rows], n_jobs)
        else:
            # A slice of an array that is stored in chunks is a copy.
            computed = _compute_collection(quantity, model, batch, None, n_jobs)
            if isinstance(computed, list):
                raise ValueError(LISTED_RESULTS)
            out[rows] = computed
        start = rows.stop
    if start < n_rows:
        raise ValueError(
            f"Got out= of {counted(n_rows, 'row')} for {counted(start, 'sequence')}: expected a row for each."
        )
    return out
