"""The bytes of a compressed collection: a header, and blocks that can be read one by one.

``docs/codec_format.md`` has what a second decoder needs to know.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

import numpy as np

MAGIC, VERSION = b"SEQC", 0
_HEADER = struct.Struct("<4sBBBx8sIII")
_N_LAYOUTS = 4
_BLOCK = struct.Struct("<II")
_CHECKSUM = struct.Struct("<I")
_PIECE = 1 << 24
_DTYPES = ("<f4", "<f8", "<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f2")


class InvalidStreamError(ValueError):
    """Bytes are damaged, or no codec wrote them, or another codec did."""


class Header(NamedTuple):
    """What holds for all blocks.

    Parameters
    ----------
    layout : int
        0 for a list of arrays of shape (n_timesteps, n_features), 1 for one array of three dimensions, 2 for a list of
        one-dimensional arrays, 3 for an array of two dimensions.
    dtype : dtype
        Of the values.
    fingerprint : bytes
        Eight bytes that tell the fitted codec from others.
    n_features, n_timesteps : int
        Shape of a sequence; in a list, the second is 0.
    n_blocks : int
        Number of blocks.
    """

    layout: int
    dtype: np.dtype
    fingerprint: bytes
    n_features: int
    n_timesteps: int
    n_blocks: int


def pack(header: Header, blocks: list[bytes]) -> bytes:
    """Join a header and blocks.

    Examples
    --------
    >>> import numpy as np
    >>> header = Header(1, np.dtype("f4"), b"12345678", n_features=2, n_timesteps=3, n_blocks=1)
    >>> data = pack(header, [b"block"])
    >>> unpack_header(data) == header, [block(data, where) for where in locate_blocks(data)]
    (True, [b'block'])
    """
    code = _DTYPES.index(_little_endian(header.dtype))
    start = _HEADER.pack(MAGIC, VERSION, header.layout, code, header.fingerprint, *header[3:5], len(blocks))
    parts = [start, _CHECKSUM.pack(zlib.crc32(start))]
    for each in blocks:
        parts += [_BLOCK.pack(len(each), zlib.crc32(each)), each]
    return b"".join(parts)


def unpack_header(data: bytes) -> Header:
    """Read and check the header.

    Raises
    ------
    InvalidStreamError
        For bytes that are no header, and for a version that this seqembed does not know.
    """
    if len(data) < _HEADER.size + _CHECKSUM.size:
        raise InvalidStreamError(f"Got {len(data)} bytes, fewer than a header has. Pass all that encode returned.")
    magic, version, layout, code, fingerprint, *sizes = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise InvalidStreamError(f"Got bytes that start with {magic!r}, expected {MAGIC!r}: encode did not write them.")
    if zlib.crc32(data[: _HEADER.size]) != _CHECKSUM.unpack_from(data, _HEADER.size)[0]:
        raise InvalidStreamError("Got a damaged header: its checksum does not match. Encode the sequences again.")
    if version != VERSION:
        raise InvalidStreamError(f"Got version {version}, expected {VERSION}: pip install -U seqembed may read it.")
    if layout >= _N_LAYOUTS or code >= len(_DTYPES):
        raise InvalidStreamError(f"Got layout {layout} and dtype {code}, which this version does not have.")
    return Header(layout, np.dtype(_DTYPES[code]), fingerprint, *sizes)


def check_dtype(dtype: np.dtype) -> None:
    """Refuse a dtype that the header has no number for.

    Raises
    ------
    ValueError
        For such a dtype.
    """
    if _little_endian(dtype) not in _DTYPES:
        raise ValueError(
            f"Got values of dtype {dtype}, expected floats of 16 to 64 bits or integers. Pass X.astype(np.float64), or "
            f"X.astype(np.uint8) for truth values."
        )


def _little_endian(dtype) -> str:
    """Return the name of a dtype as `_DTYPES` has it."""
    return np.dtype(dtype).newbyteorder("<").str.replace("|", "<")


def locate_blocks(data: bytes) -> list[slice]:
    """Find the blocks without reading them.

    Raises
    ------
    InvalidStreamError
        If the bytes end too soon, or go on after the last block.
    """
    n_blocks = unpack_header(data).n_blocks
    places, start = [], _HEADER.size + _CHECKSUM.size
    for number in range(n_blocks):
        if start + _BLOCK.size > len(data):
            raise InvalidStreamError(f"Got bytes that end before block {number} of {n_blocks}. Pass all of them.")
        n_bytes, _ = _BLOCK.unpack_from(data, start)
        if start + _BLOCK.size + n_bytes > len(data):
            raise InvalidStreamError(f"Got bytes that end within block {number} of {n_blocks}. Pass all of them.")
        places.append(slice(start, start + _BLOCK.size + n_bytes))
        start = places[-1].stop
    if start != len(data):
        raise InvalidStreamError(f"Got {len(data) - start} bytes after the last block, expected none.")
    return places


def read_one(stream) -> bytes:
    """Read the bytes of one collection from a file that may hold several, one after the other.

    Parameters
    ----------
    stream : binary file object
        It is left where the next collection begins.

    Returns
    -------
    data : bytes
        What `pack` returned; empty at the end of the file.

    Raises
    ------
    InvalidStreamError
        If the file ends too soon.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> data = pack(Header(0, np.dtype("f4"), b"12345678", n_features=2, n_timesteps=0, n_blocks=1), [b"block"])
    >>> file = io.BytesIO(data + data)
    >>> [len(read_one(file)) - len(data) for _ in "ab"], read_one(file)
    ([0, 0], b'')
    """
    start = stream.read(_HEADER.size + _CHECKSUM.size)
    if not start:
        return b""
    pieces = [start]
    for number in range(unpack_header(start).n_blocks):
        head = stream.read(_BLOCK.size)
        if len(head) < _BLOCK.size:
            raise InvalidStreamError(f"Got a file that ends before block {number}. Encode the sequences again.")
        pieces.append(head)
        remaining, _ = _BLOCK.unpack(head)
        # A damaged length may claim gigabytes.
        while remaining:
            pieces.append(stream.read(min(remaining, _PIECE)))
            remaining -= len(pieces[-1])
            if not pieces[-1]:
                raise InvalidStreamError(f"Got a file that ends within block {number}. Encode the sequences again.")
    return b"".join(pieces)


def block(data: bytes, place: slice, number: int = 0) -> bytes:
    """Return a block.

    Raises
    ------
    InvalidStreamError
        If its checksum does not match.
    """
    n_bytes, checksum = _BLOCK.unpack_from(data, place.start)
    content = data[place.start + _BLOCK.size : place.stop]
    if len(content) != n_bytes or zlib.crc32(content) != checksum:
        raise InvalidStreamError(f"Block {number} is damaged: its checksum does not match. Other blocks can be read.")
    return content


def pack_numbers(values: np.ndarray) -> bytes:
    """Write integers from 0 as base 128 numbers, the lowest digits first.

    Examples
    --------
    >>> import numpy as np
    >>> unpack_numbers(pack_numbers(np.array([0, 127, 128, 2**40])), 4)[0].tolist()
    [0, 127, 128, 1099511627776]
    """
    out = bytearray()
    for value in np.asarray(values, np.int64).tolist():
        while value >= 128:
            out.append(value & 127 | 128)
            value >>= 7
        out.append(value)
    return bytes(out)


def unpack_numbers(data: bytes, count: int, start: int = 0) -> tuple[np.ndarray, int]:
    """Read integers; also return where the next byte is.

    Raises
    ------
    InvalidStreamError
        If the bytes end too soon.
    """
    values = []
    for _ in range(count):
        value = shift = 0
        while True:
            if start >= len(data) or shift > 56:
                raise InvalidStreamError("Got a damaged block: its numbers do not end.")
            byte = data[start]
            start += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        values.append(value)
    return np.array(values, np.int64), start
