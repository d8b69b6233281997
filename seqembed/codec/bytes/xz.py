"""Compression by xz."""

from __future__ import annotations

import lzma

from seqembed.codec.bytes.damage import InvalidStreamError

# A raw LZMA2 stream: the container has a header and checksums of its own. The dictionary has 8 MiB, as many bytes as a
# block of 2**20 values of 64 bits.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 23, "pb": 0}]


def compressed(data: bytes) -> bytes:
    """Compress bytes.

    Examples
    --------
    >>> decompressed(compressed(b"aaaa"), n_bytes=4)
    b'aaaa'
    """
    return lzma.compress(data, lzma.FORMAT_RAW, filters=_FILTERS)


def decompressed(data: bytes, n_bytes: int) -> bytes:
    """Decompress data that has `n_bytes` bytes after decompression.

    Raises
    ------
    InvalidStreamError
        If it has another number of bytes. At most one byte too many is decompressed.
    """
    content = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS).decompress(data, n_bytes + 1)
    if len(content) != n_bytes:
        raise InvalidStreamError(f"Got {len(content)} bytes after decompression, expected {n_bytes}.")
    return content
