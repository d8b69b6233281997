"""Exceptions: values that are written as they are, because the bound is missed or they are not finite."""

from __future__ import annotations

import numpy as np

from seqembed.codec.byte_order import as_planes, from_planes
from seqembed.codec.container import InvalidStreamError, pack_numbers, unpack_numbers
from seqembed.codec.xz import compressed, decompressed


def encode_exceptions(values: np.ndarray, decoded: np.ndarray, bound: np.ndarray) -> bytes:
    """Write the values that the bound is missed for, and those that are not finite, as they are."""
    # Where no error is allowed, the sign of zero counts too.
    exact = (values == decoded) & ((values != 0) | (np.signbit(values) == np.signbit(decoded)))
    places = np.flatnonzero(~np.where(bound > 0, _are_near(values, decoded, bound), exact))
    if not len(places):
        return b""
    gaps = pack_numbers(np.diff(places, prepend=0))
    packed = compressed(gaps + as_planes(values.ravel()[places]))
    return pack_numbers(np.array([len(places), len(gaps)])) + packed


def _are_near(values: np.ndarray, decoded: np.ndarray, bound: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore", over="ignore"):
            return np.abs(values.astype(np.float64) - decoded.astype(np.float64)) <= bound
    # float64 can't hold integers of 64 bits, and differences of signed ones exceed their range.
    higher, lower = (np.ascontiguousarray(f(values, decoded)) for f in (np.maximum, np.minimum))
    unsigned = np.dtype(f"u{values.itemsize}")
    most = np.array([int(min(each, np.iinfo(unsigned).max)) for each in bound.tolist()], np.uint64)
    return (higher.view(unsigned) - lower.view(unsigned)).astype(np.uint64) <= most


def decode_exceptions(data: bytes, values: np.ndarray) -> np.ndarray:
    """Put exceptions in their places, in a copy.

    Raises
    ------
    InvalidStreamError
        If there are more than values.
    """
    if not data:
        return values
    (count, n_gaps), start = unpack_numbers(data, 2)
    if count > values.size or n_gaps > 9 * count:
        raise InvalidStreamError(f"Got {count} exceptions for {values.size} values.")
    content = decompressed(data[start:], int(n_gaps + count * values.itemsize))
    gaps, _ = unpack_numbers(content, int(count))
    values = values.copy()
    values.ravel()[np.cumsum(gaps)] = from_planes(content[int(n_gaps) :], values.dtype)
    return values
