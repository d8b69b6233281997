"""Sequences as the codec takes them: their layout and dtype, and the blocks that they are cut into."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from seqembed.codec.bytes.container import Layout, check_dtype
from seqembed.codec.bytes.lengths import VALUES_OF_BLOCK
from seqembed.sequences.collection import Sequences, read_sequences
from seqembed.sequences.containers import as_numbers, column_names, in_memory, is_frame

# Windows that are compared with one another. So many distinct values that they share are no chance.
_COMPARED, _FEWEST_COMPARED, _FEWEST_DISTINCT = 10, 3, 8


def read_input(X: Any) -> tuple[Sequences, Layout]:
    """Read sequences, and the layout in which they will be decoded. A data frame is a single recording.

    Parameters
    ----------
    X : object
        The user's input.

    Returns
    -------
    sequences : Sequences
        Of a dtype that bytes can hold, or of none where there are no sequences.
    layout : Layout
        The form in which they were passed.

    Raises
    ------
    ValueError
        For truth values and other dtypes that `seqembed.codec.bytes.container.check_dtype` refuses.
    TypeError
        For an iterator.

    Examples
    --------
    >>> read_input([[1.0, 2.0], [3.0]])[1]
    <Layout.UNIVARIATE_LIST: 2>
    """
    if isinstance(X, Iterator):
        raise TypeError(
            f"Got X= of type {type(X).__name__}, expected sequences. Pass one batch at a time: "
            f"for batch in X: file.write(codec.encode(batch))."
        )
    X = in_memory(X)
    if is_frame(X):
        values = as_numbers(X, "X")
        check_dtype(values.dtype)
        recording = Sequences([values], np.array([len(values)]), 3, complete=False, names=column_names(X))
        return recording, Layout.RECORDING
    sequences = read_sequences(X)
    if len(sequences):
        check_dtype(np.result_type(*{sequence.dtype for sequence in sequences.values}))
    if isinstance(sequences.values, np.ndarray):
        return sequences, Layout.ARRAY if sequences.ndim == 3 else Layout.UNIVARIATE_ARRAY
    return sequences, Layout.LIST if sequences.ndim == 3 else Layout.UNIVARIATE_LIST


def count_timesteps(sequences: Sequences, layout: Layout) -> int:
    """Count the timesteps of an array, which may hold no sequence, or of a recording; 0 for a list."""
    if layout in (Layout.LIST, Layout.UNIVARIATE_LIST):
        return 0
    values = sequences.values
    return values.shape[1] if isinstance(values, np.ndarray) else len(values[0])


def check_overlap(sequences: list[np.ndarray]) -> None:
    """Refuse windows that share values: the recording holds each of them once."""
    windows = sequences[:_COMPARED]
    if len(windows) < _FEWEST_COMPARED or any(window.shape != windows[0].shape for window in windows):
        return
    first, second = windows[:2]
    if not len(first) or np.array_equal(first, second) or _repeats(first):
        return
    for shift in (1 + np.flatnonzero((first[1:] == second[0]).all(axis=1))).tolist():
        shared = first[shift:]
        if len(np.unique(shared)) < _FEWEST_DISTINCT:
            return
        if all(np.array_equal(left[shift:], right[: len(shared)]) for left, right in itertools.pairwise(windows)):
            raise ValueError(
                f"Got windows that overlap: each starts at row {shift} of the one before it. Encode the recording that "
                f"they come from, as [recording], and cut the windows after decoding."
            )


def _repeats(window: np.ndarray) -> bool:
    """Return whether a window has a period that fits twice: whatever follows it looks like a shifted one."""
    periods = 1 + np.flatnonzero((window[1 : len(window) // 2 + 1] == window[0]).all(axis=1))
    return any(np.array_equal(window[period:], window[:-period]) for period in periods.tolist())


def common_dtype(sequences: Sequences) -> np.dtype:
    """Return a dtype that holds all values."""
    if not len(sequences):
        dtype = sequences.values.dtype if isinstance(sequences.values, np.ndarray) else np.dtype(np.float32)
        return dtype if dtype.kind in "fiu" else np.dtype(np.float32)
    dtypes = {sequence.dtype for sequence in sequences.values}
    dtype = np.result_type(*dtypes)
    if dtype.kind == "f" and any(each.kind in "iu" and each.itemsize == np.dtype(np.int64).itemsize for each in dtypes):
        raise ValueError(
            f"Got sequences of {len(dtypes)} dtypes, of which float64 can't hold all values, expected one dtype. Pass "
            f"[x.astype(np.float64) for x in X] if it may round."
        )
    return dtype


def cut_into_blocks(sequences: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Cut sequences into groups of about a million values, each of which becomes a block.

    An empty sequence counts as a value.

    Examples
    --------
    >>> [len(part) for part in cut_into_blocks([np.zeros((1 << 19, 1))] * 5)]
    [2, 2, 1]
    """
    part: list[np.ndarray] = []
    n_values = 0
    for sequence in sequences:
        part.append(sequence)
        n_values += max(1, sequence.size)
        if n_values >= VALUES_OF_BLOCK:
            yield part
            part, n_values = [], 0
    if part:
        yield part
