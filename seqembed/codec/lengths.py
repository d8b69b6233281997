"""The lengths of sequences as bytes."""

from __future__ import annotations

import lzma

import numpy as np

from seqembed.codec.container import InvalidStreamError, pack_numbers, unpack_numbers
from seqembed.codec.xz import compressed, decompressed

# How lengths of sequences are written. Two numbers more say how many bytes compressed ones have.
_EACH, _SAME, _COMPRESSED, _SIZES = 0, 1, 2, 4
# Neither xz nor the tables make less of a value.
_MOST_VALUES_OF_BYTE = 8000


def lengths_of(sequences: list[np.ndarray]) -> np.ndarray:
    """Return the timesteps of each sequence."""
    return np.array([len(sequence) for sequence in sequences], np.int64)


def pack_lengths(lengths: np.ndarray) -> bytes:
    """Write the lengths of sequences: once if all are the same, else the length of each, compressed if that helps."""
    start = pack_numbers(np.array([len(lengths)]))
    if len(lengths) and bool((lengths == lengths[0]).all()):
        return start + bytes([_SAME]) + pack_numbers(lengths[:1])
    numbers = pack_numbers(lengths)
    packed = compressed(numbers)
    if len(packed) + _SIZES < len(numbers):
        return start + bytes([_COMPRESSED]) + pack_numbers(np.array([len(packed), len(numbers)])) + packed
    return start + bytes([_EACH]) + numbers


def unpack_lengths(data: bytes) -> tuple[np.ndarray, int]:
    """Read the lengths of sequences; also return where the next byte is.

    Raises
    ------
    InvalidStreamError
        For bytes that hold none.
    """
    (n_sequences,), place = unpack_numbers(data, 1)
    if place >= len(data):
        raise InvalidStreamError("Got a damaged block, which ends too soon.")
    form, place = data[place], place + 1
    if form == _SAME:
        (length,), place = unpack_numbers(data, 1, place)
        check_size(data, int(n_sequences) * max(1, int(length)))
        return np.full(int(n_sequences), length), place
    check_size(data, int(n_sequences))
    if form == _COMPRESSED:
        (n_packed, n_bytes), place = unpack_numbers(data, 2, place)
        check_size(data, int(n_bytes))
        try:
            numbers = decompressed(data[place : place + int(n_packed)], int(n_bytes))
        except lzma.LZMAError as error:
            raise InvalidStreamError(f"Got a damaged block: {error}") from error
        (lengths, _), place = unpack_numbers(numbers, int(n_sequences)), place + int(n_packed)
    else:
        lengths, place = unpack_numbers(data, int(n_sequences), place)
    check_size(data, sum(lengths.tolist()))
    return lengths, place


def check_size(data: bytes, n_values: int) -> None:
    """Refuse a block that claims more values than its bytes can hold, which would take unbounded memory.

    Raises
    ------
    InvalidStreamError
        For such a block.
    """
    if n_values > _MOST_VALUES_OF_BYTE * (len(data) + 64):
        raise InvalidStreamError(f"Got {len(data)} bytes for {n_values} values, which is too few.")
