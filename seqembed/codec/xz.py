"""Compression by xz."""

from __future__ import annotations

import lzma

from seqembed.codec.container import InvalidStreamError

# Without headers and checksums: the container has its own.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 23, "pb": 0}]


def compressed(data: bytes) -> bytes:
    """Compress bytes."""
    return lzma.compress(data, lzma.FORMAT_RAW, filters=_FILTERS)


def decompressed(data: bytes, n_bytes: int) -> bytes:
    """Decompress so many bytes, and no more.

    Raises
    ------
    InvalidStreamError
        If there are more or fewer.
    """
    content = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS).decompress(data, n_bytes + 1)
    if len(content) != n_bytes:
        raise InvalidStreamError(f"Got {len(content)} bytes after decompression, expected {n_bytes}.")
    return content
