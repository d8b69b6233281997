"""The bytes of a compressed collection: a header, then blocks that can be read one by one.

``docs/codec_format.md`` describes them completely, so that a second decoder can be written.
"""

from __future__ import annotations

import io
import struct
import zlib
from enum import IntEnum
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from seqembed.codec.bytes.base128 import MOST_DIGITS, pack_numbers, unpack_number
from seqembed.codec.bytes.damage import InvalidStreamError
from seqembed.files.streams import read_up_to

MAGIC, VERSION = b"SEQC", 1
# Magic, version, layout, dtype and fingerprint. Three numbers follow: features, timesteps and blocks.
_START = struct.Struct("<4sBBB8s")
_CHECKSUM = struct.Struct("<I")
# No header has more features, timesteps or blocks. A damaged number could make a decoder take unbounded memory.
_MOST_OF_ANYTHING = 1 << 32
# The dtype in a header is a position in this tuple.
_DTYPES = ("<f4", "<f8", "<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f2")


class Layout(IntEnum):
    """The form in which sequences were passed to the encoder, and in which the decoder returns them."""

    LIST = 0
    """List of arrays of shape (n_timesteps, n_features)."""
    ARRAY = 1
    """Array of shape (n_samples, n_timesteps, n_features)."""
    UNIVARIATE_LIST = 2
    """List of arrays of shape (n_timesteps,)."""
    UNIVARIATE_ARRAY = 3
    """Array of shape (n_samples, n_timesteps)."""
    RECORDING = 4
    """Array of shape (n_timesteps, n_features), a single recording."""


class Header(NamedTuple):
    """The facts that all blocks share.

    Parameters
    ----------
    layout : Layout
        Form of the sequences.
    dtype : dtype
        Dtype of the values.
    fingerprint : bytes
        Eight bytes that distinguish the fitted codec from others.
    n_features, n_timesteps : int
        Shape of a sequence. In a list, `n_timesteps` is 0.
    n_blocks : int
        Number of blocks.
    """

    layout: Layout
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
    >>> header = Header(Layout.ARRAY, np.dtype("f4"), b"12345678", n_features=2, n_timesteps=3, n_blocks=1)
    >>> data = pack(header, [b"block"])
    >>> unpack_header(data) == header, [block(data, place) for place in locate_blocks(data)]
    (True, [b'block'])
    """
    dtype_code = _DTYPES.index(_little_endian_name(header.dtype))
    start = _START.pack(MAGIC, VERSION, header.layout, dtype_code, header.fingerprint)
    start += pack_numbers([header.n_features, header.n_timesteps, len(blocks)])
    parts = [start, _CHECKSUM.pack(zlib.crc32(start))]
    for content in blocks:
        parts += [pack_numbers([len(content)]), _CHECKSUM.pack(zlib.crc32(content)), content]
    return b"".join(parts)


def unpack_header(data: bytes) -> Header:
    """Read and check the header.

    Raises
    ------
    InvalidStreamError
        For bytes that are no header, and for a version that this seqembed does not know.
    """
    return _read_header(io.BytesIO(data))[0]


def _read_header(stream: BinaryIO, start: bytes = b"") -> tuple[Header, bytes]:
    """Read a header; also return its bytes. `start` are those that were already read."""
    start += read_up_to(stream, _START.size - len(start))
    if len(start) < _START.size:
        raise InvalidStreamError(
            f"Got {len(start)} bytes, fewer than a header has. Pass all bytes that encode returned."
        )
    magic, version, layout, dtype_code, fingerprint = _START.unpack(start)
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
    checksum = read_up_to(stream, _CHECKSUM.size)
    if len(checksum) < _CHECKSUM.size or zlib.crc32(start) != _CHECKSUM.unpack(checksum)[0]:
        raise InvalidStreamError("Got a damaged header: its checksum does not match. Encode the sequences again.")
    if layout not in list(Layout) or dtype_code >= len(_DTYPES):
        raise InvalidStreamError(f"Got layout {layout} and dtype {dtype_code}, which this version does not have.")
    n_features, n_timesteps, n_blocks = sizes
    is_univariate = layout in (Layout.UNIVARIATE_LIST, Layout.UNIVARIATE_ARRAY)
    if max(sizes) >= _MOST_OF_ANYTHING or (is_univariate and n_features != 1):
        raise InvalidStreamError(
            f"Got {n_features} features, {n_timesteps} timesteps and {n_blocks} blocks in layout {layout}, which no "
            f"codec wrote."
        )
    dtype = np.dtype(_DTYPES[dtype_code])
    return Header(Layout(layout), dtype, fingerprint, n_features, n_timesteps, n_blocks), start + checksum


def _read_number(stream: BinaryIO, where: str) -> tuple[int, bytes]:
    """Read a number byte by byte; also return its bytes."""
    packed = b""
    while not packed or packed[-1] >= 128:
        byte = read_up_to(stream, 1)
        if not byte or len(packed) == MOST_DIGITS:
            raise InvalidStreamError(f"Got bytes that end within {where}. Pass all bytes that encode returned.")
        packed += byte
    return unpack_number(packed)[0], packed


def check_dtype(dtype: npt.DTypeLike) -> None:
    """Check that a header can name a dtype.

    Raises
    ------
    ValueError
        If it can't.
    """
    if _little_endian_name(dtype) not in _DTYPES:
        raise ValueError(
            f"Got values of dtype {dtype}, expected floats of 16 to 64 bits or integers. Pass X.astype(np.float64), or "
            f"X.astype(np.uint8) for truth values."
        )


def _little_endian_name(dtype: npt.DTypeLike) -> str:
    """Return the name of a dtype in the form of `_DTYPES`."""
    return np.dtype(dtype).newbyteorder("<").str.replace("|", "<")


def locate_blocks(data: bytes, end: int | None = None) -> list[slice]:
    """Find the blocks without reading them. The place of a block includes its checksum.

    Parameters
    ----------
    data : bytes
        See `pack`.
    end : int, default=None
        Find the blocks before this one, whatever comes after them. All by default.

    Raises
    ------
    InvalidStreamError
        If the bytes end too soon, or go on after the last block.
    """
    stream = io.BytesIO(data)
    places: list[slice] = []
    for number in range(_read_header(stream)[0].n_blocks):
        if number == end:
            return places
        n_bytes, _ = _read_number(stream, f"block {number}")
        start = stream.tell()
        if start + _CHECKSUM.size + n_bytes > len(data):
            whole = " Blocks before it can be read." if number else ""
            raise InvalidStreamError(
                f"Got bytes that end within block {number}. Pass all bytes that encode returned.{whole}"
            )
        places.append(slice(start, start + _CHECKSUM.size + n_bytes))
        stream.seek(places[-1].stop)
    if stream.tell() != len(data):
        raise InvalidStreamError(f"Got {len(data) - stream.tell()} bytes after the last block, expected none.")
    return places


def read_one(stream: BinaryIO) -> bytes:
    """Read the bytes of one collection from a file that may hold several, one after the other.

    Parameters
    ----------
    stream : binary file object
        It is left at the start of the next collection.

    Returns
    -------
    data : bytes
        See `pack`; empty at the end of the file.

    Raises
    ------
    InvalidStreamError
        If the file ends too soon.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> header = Header(Layout.LIST, np.dtype("f4"), b"12345678", n_features=2, n_timesteps=0, n_blocks=1)
    >>> data = pack(header, [b"block"])
    >>> file = io.BytesIO(data + data)
    >>> [len(read_one(file)) - len(data) for _ in "ab"], read_one(file)
    ([0, 0], b'')
    """
    first = read_up_to(stream, 1)
    if not first:
        return b""
    header, start = _read_header(stream, first)
    parts = [start]
    for number in range(header.n_blocks):
        n_bytes, packed = _read_number(stream, f"block {number}")
        content = read_up_to(stream, _CHECKSUM.size + n_bytes)
        if len(content) < _CHECKSUM.size + n_bytes:
            raise InvalidStreamError(f"Got a file that ends within block {number}. Encode the sequences again.")
        parts += [packed, content]
    return b"".join(parts)


def block(data: bytes, place: slice, number: int = 0) -> bytes:
    """Return the content of a block.

    Raises
    ------
    InvalidStreamError
        If its checksum does not match. The message has its `number`.
    """
    (checksum,) = _CHECKSUM.unpack_from(data, place.start)
    content = bytes(data[place.start + _CHECKSUM.size : place.stop])
    if zlib.crc32(content) != checksum:
        raise InvalidStreamError(f"Block {number} is damaged: its checksum does not match. Other blocks can be read.")
    return content
