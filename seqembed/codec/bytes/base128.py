"""Integers from 0 in base 128, a digit per byte."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqembed.codec.bytes.damage import InvalidStreamError

# Digits, so bytes, of the largest number: 63 bits.
MOST_DIGITS = 9


def pack_numbers(values: npt.ArrayLike) -> bytes:
    """Write integers, the lowest digit of each first. All digits but the last have their highest bit set.

    Parameters
    ----------
    values : int array-like of shape (n_values,)
        From 0.

    Examples
    --------
    >>> unpack_numbers(pack_numbers([0, 127, 128, 2**40]), 4)[0].tolist()
    [0, 127, 128, 1099511627776]
    """
    out = bytearray()
    for value in np.asarray(values, np.int64).tolist():
        while value >= 128:
            out.append(value & 127 | 128)
            value >>= 7
        out.append(value)
    return bytes(out)


def unpack_number(data: bytes, start: int = 0) -> tuple[int, int]:
    """Read one integer; also return the position of the next byte.

    Raises
    ------
    InvalidStreamError
        If the bytes end within the integer, or if it has too many digits.
    """
    value = 0
    for shift in range(0, 7 * MOST_DIGITS, 7):
        if start >= len(data):
            break
        byte = data[start]
        start += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, start
    raise InvalidStreamError("Got a damaged block: its numbers do not end.")


def unpack_numbers(data: bytes, count: int, start: int = 0) -> tuple[np.ndarray, int]:
    """Read integers, an int64 array of shape (count,); also return the position of the next byte.

    Raises
    ------
    InvalidStreamError
        See `unpack_number`.
    """
    values = []
    for _ in range(count):
        value, start = unpack_number(data, start)
        values.append(value)
    return np.array(values, np.int64), start


def pack_part(content: bytes) -> bytes:
    """Write the number of bytes of a part, then the part.

    Examples
    --------
    >>> unpack_part(pack_part(b"part") + b"rest")
    (b'part', b'rest')
    """
    return pack_numbers([len(content)]) + content


def unpack_part(data: bytes) -> tuple[bytes, bytes]:
    """Read what `pack_part` wrote; also return the bytes after the part.

    Raises
    ------
    InvalidStreamError
        See `unpack_number`.
    """
    n_bytes, start = unpack_number(data)
    return data[start : start + n_bytes], data[start + n_bytes :]
