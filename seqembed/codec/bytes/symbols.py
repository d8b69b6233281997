"""Symbols: the part of a residual that is coded by its probability.

A residual is the distance of a value from its prediction, in bins. Its scale is the size that the predictor expects.
The scale determines a table of probabilities. The lowest bits of a residual of a large scale are as good as random.
These raw bits are coded without a probability; the other bits are the symbol.
"""

from __future__ import annotations

import math

import numpy as np

# Scales are in 64ths of a bin.
SCALE_UNITS = 64
# Largest scale of each table but the last, half an octave apart.
TABLE_LIMITS = np.unique([(math.isqrt(4 << half_octaves) + 1) // 2 for half_octaves in range(52)])
# Symbols of this size are escapes, on both sides of 0: how far the residual exceeds it is written elsewhere.
LARGEST_SYMBOL = 40
# Residuals are smaller, in bins, so that an escape fits into four bytes.
LARGEST_RESIDUAL = 1 << 30
# Bins. Up to this scale, a residual has no raw bits.
_LARGEST_SCALE_WITHOUT_RAW_BITS = 8


def _count_raw_bits(table: int) -> int:
    limit = int(TABLE_LIMITS[min(table, len(TABLE_LIMITS) - 1)])
    return (limit // (SCALE_UNITS * _LARGEST_SCALE_WITHOUT_RAW_BITS)).bit_length()


# Number of raw bits of the residuals of each table.
RAW_BITS = np.array([_count_raw_bits(table) for table in range(len(TABLE_LIMITS) + 1)])


def table_numbers(scales: np.ndarray) -> np.ndarray:
    """Return the number of the table for each scale.

    Examples
    --------
    >>> import numpy as np
    >>> table_numbers(np.array([1, 2, 64, 91])).tolist()
    [0, 1, 11, 12]
    """
    return np.searchsorted(TABLE_LIMITS, scales)


def raw_bit_counts(scales: np.ndarray) -> np.ndarray:
    """Return the number of raw bits for each scale."""
    counts: np.ndarray = RAW_BITS[table_numbers(scales)]
    return counts


def coded_symbols(residuals: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return the symbol of each residual, from -40 to 40.

    Examples
    --------
    >>> import numpy as np
    >>> coded_symbols(np.array([3, 1000, 1000]), scales=np.array([64, 64, 64 * 500])).tolist()
    [3, 40, 7]
    """
    symbols: np.ndarray = np.clip(residuals >> raw_bit_counts(scales), -LARGEST_SYMBOL, LARGEST_SYMBOL)
    return symbols


def sorted_by_table(scales: np.ndarray) -> tuple[np.ndarray, list[tuple[int, slice]]]:
    """Sort values by the tables of their scales.

    Returns
    -------
    order : int array of shape (n_values,)
        Positions of the values of the first table, then those of the next. Within a table, they ascend.
    groups : list of (int, slice)
        The number of each table that occurs, and its part of `order`.
    """
    # NumPy sorts integers of 8 bits in a single pass.
    tables = table_numbers(scales).astype(np.uint8)
    order = np.argsort(tables, kind="stable")
    counts = np.bincount(tables)
    present = np.flatnonzero(counts)
    ends = np.cumsum(counts[present]).tolist()
    starts = [0, *ends[:-1]]
    return order, [(table, slice(start, end)) for table, start, end in zip(present.tolist(), starts, ends, strict=True)]
