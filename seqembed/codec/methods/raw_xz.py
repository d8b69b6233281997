"""Values as they are, compressed by xz."""

from __future__ import annotations

import numpy as np

from seqembed.codec.bytes.byte_order import little_endian
from seqembed.codec.bytes.xz import compressed, decompressed
from seqembed.codec.methods.block import Block, BlockShape
from seqembed.codec.methods.method import Method, is_hard

NUMBER = 0


def encode(block: Block) -> bytes:
    """Compress the values, one feature after the other."""
    return compressed(little_endian(block.values.T).tobytes())


def decode(data: bytes, shape: BlockShape) -> np.ndarray:
    """Undo `encode`."""
    values = decompressed(data, shape.n_values * shape.dtype.itemsize)
    columns = np.frombuffer(values, shape.dtype.newbyteorder("<")).astype(shape.dtype)
    return np.ascontiguousarray(columns.reshape(shape.n_features, -1).T)


METHOD = Method(NUMBER, "raw", is_hard, encode, decode)
