"""The bytes of a compressed collection: a header, and blocks that can be read one by one.

``docs/codec_format.md`` has what a second decoder needs to know.
"""

from __future__ import annotations

import io
import lzma
import struct
import zlib
from typing import NamedTuple

import numpy as np

MAGIC, VERSION = b"SEQC", 1
_N_LAYOUTS = 4
_LARGEST_SIZE = 1 << 32
# Magic, version, layout, dtype and fingerprint; three numbers follow.
_START = struct.Struct("<4sBBB8s")
_CHECKSUM = struct.Struct("<I")
_PIECE = 1 << 24
# A number has at most so many bytes.
_LONGEST_NUMBER = 9
_DTYPES = ("<f4", "<f8", "<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f2")

# What damaged bytes raise in the libraries.
DAMAGE = (
    ValueError,
    LookupError,
    ArithmeticError,
    TypeError,
    AssertionError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)


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
    start = _START.pack(MAGIC, VERSION, header.layout, code, header.fingerprint)
    start += pack_numbers(np.array([*header[3:5], len(blocks)]))
    parts = [start, _CHECKSUM.pack(zlib.crc32(start))]
    for each in blocks:
        parts += [pack_numbers(np.array([len(each)])), _CHECKSUM.pack(zlib.crc32(each)), each]
    return b"".join(parts)


def unpack_header(data: bytes) -> Header:
    """Read and check the header.

    Raises
    ------
    InvalidStreamError
        For bytes that are no header, and for a version that this seqembed does not know.
    """
    return _read_header(io.BytesIO(data))[0]


def _read_header(stream, start: bytes = b"") -> tuple[Header, bytes]:
    """Read a header, of which some bytes may be read already; also return its bytes."""
    start += stream.read(_START.size - len(start))
    if len(start) < _START.size:
        raise InvalidStreamError(f"Got {len(start)} bytes, fewer than a header has. Pass all that encode returned.")
    magic, version, layout, code, fingerprint = _START.unpack(start)
    if magic != MAGIC:
        raise InvalidStreamError(f"Got bytes that start with {magic!r}, expected {MAGIC!r}: encode did not write them.")
    if version != VERSION:
        remedy = "pip install -U seqembed may read it" if version > VERSION else "no released seqembed wrote it"
        raise InvalidStreamError(f"Got version {version}, expected {VERSION}: {remedy}.")
    sizes = []
    for _ in range(3):
        number, packed = _read_number(stream, "the header")
        sizes.append(number)
        start += packed
    checksum = stream.read(_CHECKSUM.size)
    if len(checksum) < _CHECKSUM.size or zlib.crc32(start) != _CHECKSUM.unpack(checksum)[0]:
        raise InvalidStreamError("Got a damaged header: its checksum does not match. Encode the sequences again.")
    if layout >= _N_LAYOUTS or code >= len(_DTYPES):
        raise InvalidStreamError(f"Got layout {layout} and dtype {code}, which this version does not have.")
    if max(sizes) >= _LARGEST_SIZE or (layout >= 2 and sizes[0] != 1):
        raise InvalidStreamError(
            f"Got features, timesteps and blocks {sizes} in layout {layout}, which no codec wrote."
        )
    return Header(layout, np.dtype(_DTYPES[code]), fingerprint, *sizes), start + checksum


def _read_number(stream, where: str) -> tuple[int, bytes]:
    """Read a number byte by byte; also return its bytes."""
    packed = b""
    while not packed or packed[-1] >= 128:
        piece = stream.read(1)
        if not piece or len(packed) == _LONGEST_NUMBER:
            raise InvalidStreamError(f"Got bytes that end within {where}. Pass all that encode returned.")
        packed += piece
    return int(unpack_numbers(packed, 1)[0][0]), packed


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
    """Find the blocks, each with its checksum before it, without reading them.

    Raises
    ------
    InvalidStreamError
        If the bytes end too soon, or go on after the last block.
    """
    stream = io.BytesIO(data)
    places = []
    for number in range(_read_header(stream)[0].n_blocks):
        n_bytes, _ = _read_number(stream, f"block {number}")
        start = stream.tell()
        if start + _CHECKSUM.size + n_bytes > len(data):
            raise InvalidStreamError(f"Got bytes that end within block {number}. Pass all that encode returned.")
        places.append(slice(start, start + _CHECKSUM.size + n_bytes))
        stream.seek(places[-1].stop)
    if stream.tell() != len(data):
        raise InvalidStreamError(f"Got {len(data) - stream.tell()} bytes after the last block, expected none.")
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
    first = stream.read(1)
    if not first:
        return b""
    header, start = _read_header(stream, first)
    pieces = [start]
    for number in range(header.n_blocks):
        remaining, packed = _read_number(stream, f"block {number}")
        pieces.append(packed)
        remaining += _CHECKSUM.size
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
    (checksum,) = _CHECKSUM.unpack_from(data, place.start)
    content = bytes(data[place.start + _CHECKSUM.size : place.stop])
    if zlib.crc32(content) != checksum:
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
