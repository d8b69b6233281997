"""Bins of the lattice, compressed by xz."""

from __future__ import annotations

import math

import numpy as np

from seqembed.codec.bytes.base128 import pack_numbers, pack_part, unpack_numbers, unpack_part
from seqembed.codec.bytes.byte_order import byte_planes, values_from_planes
from seqembed.codec.bytes.exact_values import encode_exact_values, replace_exact_values
from seqembed.codec.bytes.xz import compressed, decompressed
from seqembed.codec.methods.block import Block, BlockShape
from seqembed.codec.methods.method import Method
from seqembed.codec.model.lattice import nearest_bins

NUMBER = 2


def may_win(block: Block, n_bytes: float) -> bool:
    """Return whether bins came near the predictions on the training sequences, or no other method rounds the values."""
    return block.values.size > 0 and (block.tries_bins or math.isinf(n_bytes))


def encode(block: Block) -> bytes:
    """Compress the bins of all values, one feature after the other."""
    lattice, (integers, fits) = block.lattice, block.integers
    bins = np.where(fits, nearest_bins(integers, lattice.bin_widths), 0)
    decoded = lattice.values(bins * lattice.bin_widths, block.values.dtype)
    lowest = bins.min(axis=0)
    above = bins - lowest
    width = next(width for width in (1, 2, 4, 8) if above.max() >> (8 * width - 1) < 2)
    packed = compressed(byte_planes(above.T.astype(f"<u{width}")))
    content = pack_numbers((np.abs(lowest) << 1) | (lowest < 0)) + bytes([width]) + packed
    return pack_part(content) + encode_exact_values(block.values, decoded, lattice.bound)


def decode(data: bytes, shape: BlockShape) -> np.ndarray:
    """Undo `encode`."""
    content, exact_values = unpack_part(data)
    signed, start = unpack_numbers(content, shape.n_features)
    lowest = np.where(signed & 1, -(signed >> 1), signed >> 1)
    width = content[start]
    planes = decompressed(content[start + 1 :], shape.n_values * width)
    above = values_from_planes(planes, f"<u{width}").reshape(shape.n_features, -1).T.astype(np.int64)
    values = shape.lattice.values((above + lowest) * shape.lattice.bin_widths, shape.dtype)
    return replace_exact_values(exact_values, values)


METHOD = Method(NUMBER, "bins", may_win, encode, decode)
