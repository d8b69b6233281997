"""Exact values: those that miss the bound, and those that are not finite, are stored as they are."""

from __future__ import annotations

import numpy as np

from seqembed.codec.bytes.base128 import MOST_DIGITS, pack_numbers, unpack_numbers
from seqembed.codec.bytes.byte_order import byte_planes, values_from_planes
from seqembed.codec.bytes.damage import InvalidStreamError
from seqembed.codec.bytes.xz import compressed, decompressed


def encode_exact_values(values: np.ndarray, decoded: np.ndarray, bound: np.ndarray) -> bytes:
    """Write the values that are decoded with too large an error, and their positions.

    Parameters
    ----------
    values, decoded : arrays of shape (n_timesteps, n_features)
        The values, and what a decoder would return for them. Their dtype is the same.
    bound : float64 array of shape (n_features,)
        Largest error of each feature. If it is 0, the sign of zero counts too.

    Returns
    -------
    data : bytes
        Empty if there are no such values.
    """
    equal = (values == decoded) & ((values != 0) | (np.signbit(values) == np.signbit(decoded)))
    positions = np.flatnonzero(~np.where(bound > 0, _within_bound(values, decoded, bound), equal))
    if not len(positions):
        return b""
    gaps = pack_numbers(np.diff(positions, prepend=0))
    packed = compressed(gaps + byte_planes(values.ravel()[positions]))
    return pack_numbers([len(positions), len(gaps)]) + packed


def _within_bound(values: np.ndarray, decoded: np.ndarray, bound: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore", over="ignore"):
            within: np.ndarray = np.abs(values.astype(np.float64) - decoded.astype(np.float64)) <= bound
            return within
    # float64 can't hold all integers of 64 bits, and differences of signed ones exceed their range. Differences of the
    # same bits as unsigned integers don't.
    higher, lower = (np.ascontiguousarray(f(values, decoded)) for f in (np.maximum, np.minimum))
    unsigned = np.dtype(f"u{values.itemsize}")
    largest_error = np.array([int(min(each, np.iinfo(unsigned).max)) for each in bound.tolist()], np.uint64)
    within = (higher.view(unsigned) - lower.view(unsigned)).astype(np.uint64) <= largest_error
    return within


def replace_exact_values(data: bytes, values: np.ndarray) -> np.ndarray:
    """Read what `encode_exact_values` wrote, and return a copy of decoded values with these in their places.

    Raises
    ------
    InvalidStreamError
        If there are more exact values than values.
    """
    if not data:
        return values
    (count, n_gap_bytes), start = unpack_numbers(data, 2)
    if count > values.size or n_gap_bytes > MOST_DIGITS * count:
        raise InvalidStreamError(f"Got {count} exact values among {values.size} values.")
    content = decompressed(data[start:], int(n_gap_bytes + count * values.itemsize))
    gaps, _ = unpack_numbers(content, int(count))
    values = values.copy()
    values.ravel()[np.cumsum(gaps)] = values_from_planes(content[int(n_gap_bytes) :], values.dtype)
    return values
