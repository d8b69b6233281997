"""Residuals as bytes, by a range coder."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from seqembed.codec.bytes.base128 import pack_numbers, unpack_number
from seqembed.codec.bytes.symbols import LARGEST_SYMBOL, RAW_BITS, raw_bit_counts, sorted_by_table
from seqembed.extras import import_extra

# Raw bits that are coded at once: the uniform model of constriction takes at most 24.
_RAW_BITS_AT_ONCE = 12


class ResidualEncoder:
    """Writes residuals, a group of values at a time.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.codec.model.tables import learn_tables
    >>> residuals, scales = np.array([0, -1, 900, 2]), np.full(4, 64)
    >>> models = learn_tables(residuals, scales).models()
    >>> encoder = ResidualEncoder()
    >>> encoder.write(models, residuals, scales)
    >>> ResidualDecoder(encoder.finish(), n_values=4).read(models, scales)
    array([  0,  -1, 900,   2])
    """

    def __init__(self) -> None:
        stream = import_extra("constriction", extra="codec").stream
        self._categorical, self._uniform = stream.model.Categorical(perfect=False), stream.model.Uniform
        self._coder = stream.queue.RangeEncoder()
        self._escapes: list[np.ndarray] = []

    def write(self, models: list[Any], residuals: np.ndarray, scales: np.ndarray) -> None:
        """Write residuals by the tables of their scales.

        Parameters
        ----------
        models : list
            From `seqembed.codec.model.tables.Tables.models`.
        residuals, scales : int64 arrays of shape (n_values,)
            Residuals in bins, and their scales.
        """
        order, groups = sorted_by_table(scales)
        for table, part in groups:
            group, raw_bits = residuals[order[part]], RAW_BITS[table]
            symbols = group >> raw_bits
            self._write_symbols(symbols, LARGEST_SYMBOL, models[table])
            self._write_rest(group, symbols, raw_bits, LARGEST_SYMBOL)

    def write_with_frequencies(
        self, frequencies: Iterable[np.ndarray], residuals: np.ndarray, scales: np.ndarray
    ) -> None:
        """Write residuals by probabilities that differ between them.

        Parameters
        ----------
        frequencies : iterable of float64 arrays of shape (n_some_values, n_symbols)
            Proportional to the probabilities of the symbols.
        residuals, scales : int64 arrays of shape (n_values,)
            Residuals in bins, and their scales, which determine the numbers of raw bits.
        """
        raw_bits, start = raw_bit_counts(scales), 0
        symbols = residuals >> raw_bits
        for some in frequencies:
            largest, end = some.shape[1] // 2, start + len(some)
            self._write_symbols(symbols[start:end], largest, self._categorical, some)
            start = end
        self._write_rest(residuals, symbols, raw_bits, largest)

    def _write_symbols(self, symbols: np.ndarray, largest: int, *model: Any) -> None:
        self._coder.encode((np.clip(symbols, -largest, largest) + largest).astype(np.int32), *model)

    def _write_rest(self, residuals: np.ndarray, symbols: np.ndarray, raw_bits: np.ndarray, largest: int) -> None:
        """Write the raw bits of residuals, and keep their escapes."""
        for n_bits, chosen in _grouped_by_raw_bits(raw_bits):
            _code_raw_bits(residuals[chosen] & ((1 << n_bits) - 1), n_bits, self._uniform, self._coder.encode)
        beyond = symbols[np.abs(symbols) >= largest]
        if len(beyond):
            self._escapes.append(np.abs(beyond) - largest)

    def finish(self) -> bytes:
        """Return the bytes of all residuals."""
        words: np.ndarray = self._coder.get_compressed().astype("<u4")
        escapes = np.concatenate(self._escapes).astype("<u4").tobytes() if self._escapes else b""
        return pack_numbers([len(words)]) + words.tobytes() + (zlib.compress(escapes, 9) if escapes else b"")


class ResidualDecoder:
    """Reads residuals, a group of values at a time.

    Parameters
    ----------
    data : bytes
        From `ResidualEncoder.finish`.
    n_values : int
        Number of residuals. It bounds the memory that a damaged stream takes.

    Raises
    ------
    ValueError
        For data that no encoder wrote.
    """

    def __init__(self, data: bytes, n_values: int) -> None:
        stream = import_extra("constriction", extra="codec").stream
        self._categorical, self._uniform = stream.model.Categorical(perfect=False), stream.model.Uniform
        n_words, start = unpack_number(data)
        end = start + 4 * n_words
        if end > len(data):
            raise ValueError(f"Got {len(data) - start} bytes of residuals, expected {4 * n_words}.")
        self._coder = stream.queue.RangeDecoder(np.frombuffer(data[start:end], "<u4").astype(np.uint32))
        packed = data[end:]
        escapes = zlib.decompressobj().decompress(packed, max(1, 4 * n_values)) if packed else b""
        self._escapes, self._n_escapes_read = np.frombuffer(escapes, "<u4").astype(np.int64), 0

    def read(self, models: list[Any], scales: np.ndarray) -> np.ndarray:
        """Read residuals by the tables of their scales, see `ResidualEncoder.write`."""
        order, groups = sorted_by_table(scales)
        residuals = np.empty(len(scales), np.int64)
        for table, part in groups:
            indices = self._coder.decode(models[table], part.stop - part.start)
            residuals[order[part]] = self._with_rest(indices, RAW_BITS[table], LARGEST_SYMBOL)
        return residuals

    def read_with_frequencies(self, frequencies: Iterable[np.ndarray], scales: np.ndarray) -> np.ndarray:
        """Read residuals by probabilities that differ, see `ResidualEncoder.write_with_frequencies`."""
        indices = []
        for some in frequencies:
            indices.append(self._coder.decode(self._categorical, some))
            largest = some.shape[1] // 2
        return self._with_rest(np.concatenate(indices), raw_bit_counts(scales), largest)

    def _with_rest(self, indices: np.ndarray, raw_bits: np.ndarray, largest: int) -> np.ndarray:
        """Return residuals: symbols, given by their indices from 0, with their raw bits and escapes."""
        symbols: np.ndarray = indices.astype(np.int64) - largest
        residuals: np.ndarray = symbols << raw_bits
        for n_bits, chosen in _grouped_by_raw_bits(raw_bits):
            zeros = np.zeros(len(residuals[chosen]), np.int64)
            residuals[chosen] += _code_raw_bits(
                zeros, n_bits, self._uniform, lambda bits, model: self._coder.decode(model, len(bits))
            )
        ends = np.flatnonzero(np.abs(symbols) == largest)
        if len(ends):
            beyond = self._escapes[self._n_escapes_read : self._n_escapes_read + len(ends)]
            if len(beyond) < len(ends):
                raise ValueError("Got fewer escapes than symbols at the ends of the alphabet.")
            self._n_escapes_read += len(ends)
            shifts = raw_bits if np.ndim(raw_bits) == 0 else raw_bits[ends]
            residuals[ends] += (np.sign(symbols[ends]) * beyond) << shifts
        return residuals


def _grouped_by_raw_bits(raw_bits: np.ndarray) -> list[tuple[int, np.ndarray | slice]]:
    """Return each number of raw bits above 0, and the positions of its residuals.

    `raw_bits` is one number for all residuals, or an array with a number for each.
    """
    if np.ndim(raw_bits) == 0:
        return [(int(raw_bits), slice(None))] if raw_bits else []
    return [(n_bits, np.flatnonzero(raw_bits == n_bits)) for n_bits in np.unique(raw_bits).tolist() if n_bits]


def _code_raw_bits(
    values: np.ndarray, n_bits: int, uniform: Callable[[int], Any], code: Callable[[np.ndarray, Any], np.ndarray | None]
) -> np.ndarray:
    """Encode or decode numbers of `n_bits` bits, the lowest bits first.

    `code` takes 12 bits of all numbers, and their model. An encoder writes them and returns None; a decoder returns the
    bits that it reads.
    """
    result = np.zeros(len(values), np.int64)
    for start in range(0, n_bits, _RAW_BITS_AT_ONCE):
        width = min(_RAW_BITS_AT_ONCE, n_bits - start)
        part = ((values >> start) & ((1 << width) - 1)).astype(np.int32)
        coded = code(part, uniform(1 << width))
        result |= (part if coded is None else coded).astype(np.int64) << start
    return result
