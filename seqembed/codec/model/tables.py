"""Tables: probabilities of residuals by their scale."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seqembed.codec.bytes.symbols import (
    LARGEST_SYMBOL,
    RAW_BITS,
    SCALE_UNITS,
    TABLE_LIMITS,
    coded_symbols,
    table_numbers,
)
from seqembed.extras import import_extra

# The prior of a table counts as much as this number of residuals.
_PRIOR_RESIDUALS = 20
# The prior is a mixture of two Laplace distributions. Their mean sizes, in symbols, are at least this.
_SMALLEST_MEAN_SIZE = 0.15
# Ratio of the mean sizes of the two, and the weight of the wider one: residuals have a heavier tail than Laplace's.
_TAIL_RATIO, _TAIL_WEIGHT = 4, 0.05
# The frequencies of a table add up to about this.
_FREQUENCY_UNITS = 1 << 16


class Tables(NamedTuple):
    """Frequencies of residuals, a table for each range of their scale.

    Parameters
    ----------
    frequencies : int64 array of shape (n_tables, 2 * 40 + 1)
        Positive; proportional to the probabilities of the symbols from -40 to 40.
    """

    frequencies: np.ndarray

    def models(self) -> list[Any]:
        """Return the probabilities of each table as a model of the range coder."""
        categorical = import_extra("constriction", extra="codec").stream.model.Categorical
        totals = self.frequencies.sum(axis=1, keepdims=True)
        return [categorical(row, perfect=False) for row in self.frequencies / totals]

    def count_bits(self, residuals: np.ndarray, scales: np.ndarray) -> float:
        """Count the bits that residuals need in theory, without their escapes."""
        tables, columns = table_numbers(scales), coded_symbols(residuals, scales) + LARGEST_SYMBOL
        totals = self.frequencies.sum(axis=1)[tables]
        return float((np.log2(totals / self.frequencies[tables, columns]) + RAW_BITS[tables]).sum())


def learn_tables(residuals: np.ndarray, scales: np.ndarray) -> Tables:
    """Count residuals by their scale.

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
    tables, columns = table_numbers(scales), coded_symbols(residuals, scales) + LARGEST_SYMBOL
    frequencies = []
    for table in range(len(TABLE_LIMITS) + 1):
        counts = np.bincount(columns[tables == table], minlength=2 * LARGEST_SYMBOL + 1)
        mean_size = TABLE_LIMITS[min(table, len(TABLE_LIMITS) - 1)] / SCALE_UNITS / (1 << int(RAW_BITS[table]))
        weights = counts + _PRIOR_RESIDUALS * _prior(mean_size)
        frequencies.append(1 + np.rint(_FREQUENCY_UNITS * weights / weights.sum()).astype(np.int64))
    return Tables(np.stack(frequencies))


def _prior(mean_size: float) -> np.ndarray:
    """Return the probabilities of symbols of a mean size: those of Laplace's distribution, with a heavier tail."""
    sizes = np.abs(np.arange(-LARGEST_SYMBOL, LARGEST_SYMBOL + 1))
    mean_sizes = mean_size, _TAIL_RATIO * mean_size + _SMALLEST_MEAN_SIZE
    parts = [np.exp(-sizes / max(each, _SMALLEST_MEAN_SIZE)) for each in mean_sizes]
    body, tail = (part / part.sum() for part in parts)
    probabilities: np.ndarray = (1 - _TAIL_WEIGHT) * body + _TAIL_WEIGHT * tail
    return probabilities
