"""Blocks: the bytes of some sequences, by the method that needs the fewest."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from seqembed.codec.bytes.damage import DAMAGE, InvalidStreamError
from seqembed.codec.bytes.lengths import check_lengths, check_size, pack_lengths, unpack_lengths
from seqembed.codec.methods.block import Block, BlockShape
from seqembed.codec.methods.method import Method
from seqembed.codec.methods.table import METHODS, STAGES
from seqembed.codec.model.lattice import Lattice

# A sample of a block of many sequences determines which predictions are used for all of them: at least 64 of 512.
_SAMPLED_SEQUENCES, _FEWEST_SEQUENCES_TO_SAMPLE = 64, 512


def encode_block(block: Block, predictions: list[Method]) -> bytes:
    """Encode a block by each method that may win, and return the shortest result.

    Parameters
    ----------
    block : Block
        The sequences.
    predictions : list of Method
        Methods that the codec has learned, besides those of `seqembed.codec.methods.table`.
    """
    results: list[tuple[bytes, int]] = []
    for stage in [_best_on_sample(block, predictions), *STAGES]:
        n_bytes = min((len(content) for content, _ in results), default=math.inf)
        results += [(method.encode(block), method.number) for method in stage if method.may_win(block, n_bytes)]
    content, number = min(results, key=lambda result: len(result[0]))
    return pack_lengths(block.lengths) + bytes([number]) + content


def _best_on_sample(block: Block, predictions: list[Method]) -> list[Method]:
    """Of a block of many sequences, return the best method on some of them alone, otherwise all methods."""
    usable = [method for method in predictions if method.may_win(block, math.inf)]
    if len(usable) < 2 or len(block.sequences) < _FEWEST_SEQUENCES_TO_SAMPLE:
        return usable
    sample = block.every(len(block.sequences) // _SAMPLED_SEQUENCES)
    return [usable[int(np.argmin([len(method.encode(sample)) for method in usable]))]]


def kind_of_block(data: bytes, predictions: list[Method]) -> str:
    """Return the kind of the method of an encoded block, see `seqembed.codec.methods.method.Method`."""
    _, place = unpack_lengths(data)
    return _method(data[place], predictions).kind


def decode_block(data: bytes, dtype: npt.DTypeLike, lattice: Lattice, predictions: list[Method]) -> list[np.ndarray]:
    """Decode the bytes of `encode_block`.

    Raises
    ------
    InvalidStreamError
        For other bytes.
    """
    lengths, place = unpack_lengths(data)
    shape = BlockShape(lengths, np.dtype(dtype), lattice)
    check_lengths(lengths, shape.n_features)
    check_size(data, shape.n_values)
    if place >= len(data):
        raise InvalidStreamError("Got a damaged block, which ends too soon.")
    method = _method(data[place], predictions)
    try:
        values = method.decode(data[place + 1 :], shape)
    except DAMAGE as error:
        raise InvalidStreamError(f"Got a damaged block: {error}") from error
    return np.split(values, np.cumsum(lengths)[:-1]) if len(lengths) else []


def _method(number: int, predictions: list[Method]) -> Method:
    for method in [*METHODS, *predictions]:
        if method.number == number:
            return method
    raise InvalidStreamError(f"Got a block of method {number}, which this codec does not have.")
