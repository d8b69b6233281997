"""Residuals as bytes: tables of probabilities by expected size, and a range coder."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from seqembed.codec.container import pack_numbers, unpack_numbers
from seqembed.codec.predictors import SCALE_UNITS
from seqembed.extras import import_extra

# Expected sizes of residuals at which the next table begins, half an octave apart, in 64ths of a bin.
_LIMITS = np.unique([(math.isqrt(4 << half_octaves) + 1) // 2 for half_octaves in range(52)])
# Residuals are smaller, so that escapes have four bytes.
LARGEST_RESIDUAL = 1 << 30
# Symbols from this one on, to both sides of 0, are escapes: the rest follows elsewhere.
LARGEST_SYMBOL = 40
# With expected sizes above so many bins, the last bits of a residual are as good as random, and coded without a table.
_LARGEST_IN_TABLE = 8
# A table counts as much as so many residuals before any was seen.
_PRIOR = 20
_SMALLEST_SIZE, _TAIL_SIZE, _SHARE_OF_TAIL = 0.15, 4, 0.05
_RESOLUTION = 1 << 16


class Tables(NamedTuple):
    """How frequent residuals are, by their expected size.

    Parameters
    ----------
    frequencies : int64 array of shape (n_tables, 2 * 40 + 1)
        Positive; proportional to the probabilities of the residuals from -40 to 40, the ends of which are escapes.
    """

    frequencies: np.ndarray

    def models(self) -> list:
        """Return the probabilities as the range coder takes them."""
        categorical = import_extra("constriction", extra="codec").stream.model.Categorical
        totals = self.frequencies.sum(axis=1, keepdims=True)
        return [categorical(row, perfect=False) for row in self.frequencies / totals]

    def count_bits(self, residuals: np.ndarray, scales: np.ndarray) -> float:
        """Count the bits that residuals need in theory, without their escapes."""
        numbers, symbols = _tables_and_symbols(residuals, scales)
        totals = self.frequencies.sum(axis=1)[numbers]
        return float((np.log2(totals / self.frequencies[numbers, symbols]) + _SHIFTS[numbers]).sum())


def learn_tables(residuals: np.ndarray, scales: np.ndarray) -> Tables:
    """Count residuals by their expected size.

    Parameters
    ----------
    residuals : int64 array of shape (n_values,)
        In bins.
    scales : int64 array of shape (n_values,)
        Their expected sizes, in 64ths of a bin.

    Examples
    --------
    >>> import numpy as np
    >>> tables = learn_tables(np.array([0, 0, 1]), scales=np.array([16, 16, 16]))
    >>> bool((tables.frequencies > 0).all())
    True
    """
    numbers, symbols = _tables_and_symbols(residuals, scales)
    distances = np.abs(np.arange(-LARGEST_SYMBOL, LARGEST_SYMBOL + 1))
    frequencies = []
    for number in range(len(_LIMITS) + 1):
        counts = np.bincount(symbols[numbers == number], minlength=2 * LARGEST_SYMBOL + 1)
        size = _LIMITS[min(number, len(_LIMITS) - 1)] / SCALE_UNITS / (1 << int(_SHIFTS[number]))
        weights = counts + _PRIOR * _prior(distances, size)
        frequencies.append(1 + np.rint(_RESOLUTION * weights / weights.sum()).astype(np.int64))
    return Tables(np.stack(frequencies))


def _tables_and_symbols(residuals: np.ndarray, scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each residual's table, and its column there."""
    return tables_of(scales), symbols_of(residuals, scales) + LARGEST_SYMBOL


def tables_of(scales: np.ndarray) -> np.ndarray:
    """Return the number of the table for each expected size, in 64ths of a bin."""
    return np.searchsorted(_LIMITS, scales)


def bits_after_symbols(scales: np.ndarray) -> np.ndarray:
    """Count the last bits of each residual, which are coded without a table."""
    return _SHIFTS[tables_of(scales)]


def symbols_of(residuals: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return the part of each residual that is coded by its probability."""
    return np.clip(residuals >> bits_after_symbols(scales), -LARGEST_SYMBOL, LARGEST_SYMBOL)


def _prior(distances: np.ndarray, size: float) -> np.ndarray:
    """Return probabilities of residuals of an expected size: Laplace's, with a heavier tail."""
    parts = [np.exp(-distances / max(each, _SMALLEST_SIZE)) for each in (size, _TAIL_SIZE * size + _SMALLEST_SIZE)]
    body, tail = (part / part.sum() for part in parts)
    return (1 - _SHARE_OF_TAIL) * body + _SHARE_OF_TAIL * tail


def _shift(number: int) -> int:
    """Count the last bits that are coded without a table, by the number of the table."""
    return int(_LIMITS[min(number, len(_LIMITS) - 1)] // (SCALE_UNITS * _LARGEST_IN_TABLE)).bit_length()


_SHIFTS = np.array([_shift(number) for number in range(len(_LIMITS) + 1)])


class ResidualEncoder:
    """Writes residuals, a group at a time."""

    def __init__(self):
        stream = import_extra("constriction", extra="codec").stream
        self._of_each, self._uniform = stream.model.Categorical(perfect=False), stream.model.Uniform
        self._coder = stream.queue.RangeEncoder()
        self._escapes: list[np.ndarray] = []

    def write(self, models: list, residuals: np.ndarray, scales: np.ndarray) -> None:
        """Write residuals by the tables of their expected sizes.

        Parameters
        ----------
        models : list
            From `Tables.models`.
        residuals, scales : int64 arrays of shape (n_values,)
            Residuals in bins, and their expected sizes.
        """
        order, groups = _grouped(scales)
        for number, part in groups:
            chosen, shift = residuals[order[part]], _SHIFTS[number]
            symbols = chosen >> shift
            self._write_symbols(symbols, LARGEST_SYMBOL, models[number])
            self._write_what_follows(chosen, symbols, shift, LARGEST_SYMBOL)

    def write_by(self, frequencies: Iterable[np.ndarray], residuals: np.ndarray, scales: np.ndarray) -> None:
        """Write residuals of which each has probabilities of its own.

        Parameters
        ----------
        frequencies : iterable of float64 arrays of shape (some values, n_symbols)
            Proportional to the probabilities of symbols.
        residuals : int64 array of shape (n_values,)
            In bins.
        scales : int64 array of shape (n_values,)
            Their expected sizes, which say how many bits of a residual come after its symbol.
        """
        shifts, start = bits_after_symbols(scales), 0
        symbols = residuals >> shifts
        for some in frequencies:
            largest, end = some.shape[1] // 2, start + len(some)
            self._write_symbols(symbols[start:end], largest, self._of_each, some)
            start = end
        self._write_what_follows(residuals, symbols, shifts, largest)

    def _write_symbols(self, symbols: np.ndarray, largest: int, *model) -> None:
        self._coder.encode((np.clip(symbols, -largest, largest) + largest).astype(np.int32), *model)

    def _write_what_follows(self, residuals: np.ndarray, symbols: np.ndarray, shifts: np.ndarray, largest: int) -> None:
        """Write the last bits of residuals, and keep the escapes."""
        for shift, chosen in _by_shift(shifts):
            _code_bits(residuals[chosen] & ((1 << shift) - 1), shift, self._uniform, self._coder.encode)
        beyond = symbols[np.abs(symbols) >= largest]
        if len(beyond):
            self._escapes.append(np.abs(beyond) - largest)

    def finish(self) -> bytes:
        """Return all that was written."""
        words = self._coder.get_compressed().astype("<u4")
        escapes = np.concatenate(self._escapes).astype("<u4").tobytes() if self._escapes else b""
        return pack_numbers(np.array([len(words)])) + words.tobytes() + (zlib.compress(escapes, 9) if escapes else b"")


class ResidualDecoder:
    """Reads residuals, a group at a time.

    Parameters
    ----------
    data : bytes
        What the encoder returned.
    n_values : int
        How many residuals there are, which bounds the memory of a damaged stream.

    Raises
    ------
    ValueError
        For data that no encoder wrote.
    """

    def __init__(self, data: bytes, n_values: int):
        stream = import_extra("constriction", extra="codec").stream
        self._of_each, self._uniform = stream.model.Categorical(perfect=False), stream.model.Uniform
        (n_words,), start = unpack_numbers(data, 1)
        end = start + 4 * int(n_words)
        if end > len(data):
            raise ValueError(f"Got {len(data) - start} bytes of residuals, expected {4 * n_words}.")
        self._coder = stream.queue.RangeDecoder(np.frombuffer(data[start:end], "<u4").astype(np.uint32))
        packed = data[end:]
        escapes = zlib.decompressobj().decompress(packed, max(1, 4 * n_values)) if packed else b""
        self._escapes, self._n_escapes = np.frombuffer(escapes, "<u4").astype(np.int64), 0

    def read(self, models: list, scales: np.ndarray) -> np.ndarray:
        """Read residuals by the tables of their expected sizes, see `ResidualEncoder.write`."""
        order, groups = _grouped(scales)
        residuals = np.empty(len(scales), np.int64)
        for number, part in groups:
            symbols = self._coder.decode(models[number], part.stop - part.start)
            residuals[order[part]] = self._completed(symbols, _SHIFTS[number], LARGEST_SYMBOL)
        return residuals

    def read_by(self, frequencies: Iterable[np.ndarray], scales: np.ndarray) -> np.ndarray:
        """Read residuals of which each has probabilities of its own, see `ResidualEncoder.write_by`."""
        symbols = []
        for some in frequencies:
            symbols.append(self._coder.decode(self._of_each, some))
            largest = some.shape[1] // 2
        return self._completed(np.concatenate(symbols), bits_after_symbols(scales), largest)

    def _completed(self, symbols: np.ndarray, shifts: np.ndarray, largest: int) -> np.ndarray:
        """Read what comes after symbols, and return residuals."""
        symbols = symbols.astype(np.int64) - largest
        residuals = symbols << shifts
        for shift, chosen in _by_shift(shifts):
            zeros = np.zeros(len(residuals[chosen]), np.int64)
            residuals[chosen] += _code_bits(
                zeros, shift, self._uniform, lambda bits, model: self._coder.decode(model, len(bits))
            )
        ends = np.flatnonzero(np.abs(symbols) == largest)
        if len(ends):
            beyond = self._escapes[self._n_escapes : self._n_escapes + len(ends)]
            if len(beyond) < len(ends):
                raise ValueError("Got fewer escapes than residuals that need one.")
            self._n_escapes += len(ends)
            residuals[ends] += (np.sign(symbols[ends]) * beyond) << (shifts if np.ndim(shifts) == 0 else shifts[ends])
        return residuals


def _by_shift(shifts: np.ndarray) -> list[tuple[int, np.ndarray | slice]]:
    """Return each number of bits that come after symbols, and which symbols they come after."""
    if np.ndim(shifts) == 0:
        return [(int(shifts), slice(None))] if shifts else []
    return [(shift, np.flatnonzero(shifts == shift)) for shift in np.unique(shifts).tolist() if shift]


def _grouped(scales: np.ndarray) -> tuple[np.ndarray, list[tuple[int, slice]]]:
    """Sort values by their tables: the order, and the number and the part of each table that occurs."""
    # Small integers are sorted in a single pass.
    numbers = tables_of(scales).astype(np.uint8)
    order = np.argsort(numbers, kind="stable")
    counts = np.bincount(numbers)
    present = np.flatnonzero(counts)
    counts = counts[present]
    ends = np.cumsum(counts).tolist()
    starts = [0, *ends[:-1]]
    return order, [(number, slice(*ends)) for number, *ends in zip(present.tolist(), starts, ends, strict=True)]


def _code_bits(values: np.ndarray, n_bits: int, uniform, code) -> np.ndarray:
    """Encode or decode numbers of some bits, 12 at a time."""
    result = np.zeros(len(values), np.int64)
    for start in range(0, n_bits, 12):
        width = min(12, n_bits - start)
        part = ((values >> start) & ((1 << width) - 1)).astype(np.int32)
        coded = code(part, uniform(1 << width))
        result |= (part if coded is None else coded).astype(np.int64) << start
    return result
