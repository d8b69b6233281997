"""Values as they are, compressed by pcodec."""

from __future__ import annotations

import numpy as np

from seqembed.codec.bytes.base128 import pack_numbers, unpack_numbers
from seqembed.codec.bytes.damage import InvalidStreamError
from seqembed.codec.methods.block import Block, BlockShape
from seqembed.codec.methods.method import Method, is_hard
from seqembed.extras import import_extra

NUMBER = 1
# The highest level of pcodec.
_COMPRESSION_LEVEL = 12


def may_win(block: Block, n_bytes: float) -> bool:
    """Return whether the block is hard to predict. pcodec has no dtypes of one byte."""
    return is_hard(block, n_bytes) and block.values.itemsize > 1


def encode(block: Block) -> bytes:
    """Compress each feature."""
    standalone = import_extra("pcodec.standalone", extra="codec")
    config = import_extra("pcodec", extra="codec").ChunkConfig(compression_level=_COMPRESSION_LEVEL)
    columns = np.ascontiguousarray(block.values.T, block.values.dtype.newbyteorder("="))
    packed = [standalone.simple_compress(column, config) for column in columns]
    return pack_numbers([len(column) for column in packed]) + b"".join(packed)


def decode(data: bytes, shape: BlockShape) -> np.ndarray:
    """Undo `encode`."""
    standalone = import_extra("pcodec.standalone", extra="codec")
    sizes, start = unpack_numbers(data, shape.n_features)
    columns = np.empty((shape.n_features, shape.n_timesteps), shape.dtype.newbyteorder("="))
    for column, end in zip(columns, (start + np.cumsum(sizes)).tolist(), strict=True):
        progress = standalone.simple_decompress_into(data[start:end], column)
        if progress.n_processed != shape.n_timesteps or not progress.finished:
            count = progress.n_processed if progress.finished else f"more than {progress.n_processed}"
            raise InvalidStreamError(f"Got {count} values of a feature, expected {shape.n_timesteps}.")
        start = end
    return np.ascontiguousarray(columns.T)


METHOD = Method(NUMBER, "raw", may_win, encode, decode)
