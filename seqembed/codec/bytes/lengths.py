"""The lengths of sequences as bytes."""

from __future__ import annotations

import lzma

import numpy as np

from seqembed.codec.bytes.base128 import pack_numbers, unpack_number, unpack_numbers
from seqembed.codec.bytes.damage import InvalidStreamError
from seqembed.codec.bytes.xz import compressed, decompressed

# Forms of the lengths, a byte: the length of each sequence, one length for all, or the lengths compressed by xz.
_EACH, _SAME, _COMPRESSED = 0, 1, 2
# Bytes for the two sizes before compressed lengths.
_MARGIN = 4
# A block ends with the sequence that reaches this number of values: enough to amortise what it begins with, few enough
# for random access.
VALUES_OF_BLOCK = 1 << 20
# No method stores more than 8,000 values in a byte.
_MOST_VALUES_PER_BYTE = 8000
# Besides these, a block of few bytes may hold as many values: of constant sequences, or of few embeddings.
_SPARE_VALUES = 1 << 21


def sequence_lengths(sequences: list[np.ndarray]) -> np.ndarray:
    """Return the timesteps of each sequence, int64 of shape (n_samples,)."""
    return np.array([len(sequence) for sequence in sequences], np.int64)


def pack_lengths(lengths: np.ndarray) -> bytes:
    """Write the number of sequences and their lengths, in the shortest form.

    Examples
    --------
    >>> import numpy as np
    >>> len(pack_lengths(np.full(1000, 24))), unpack_lengths(pack_lengths(np.array([3, 5])))
    (4, (array([3, 5]), 4))
    """
    start = pack_numbers([len(lengths)])
    if len(lengths) and bool((lengths == lengths[0]).all()):
        return start + bytes([_SAME]) + pack_numbers(lengths[:1])
    numbers = pack_numbers(lengths)
    packed = compressed(numbers)
    if len(packed) + _MARGIN < len(numbers):
        return start + bytes([_COMPRESSED]) + pack_numbers([len(packed), len(numbers)]) + packed
    return start + bytes([_EACH]) + numbers


def unpack_lengths(data: bytes) -> tuple[np.ndarray, int]:
    """Read the lengths of sequences; also return the position of the next byte.

    Raises
    ------
    InvalidStreamError
        For bytes that `pack_lengths` did not write.
    """
    n_sequences, place = unpack_number(data)
    if place >= len(data):
        raise InvalidStreamError("Got a damaged block, which ends too soon.")
    form, place = data[place], place + 1
    if form == _SAME:
        length, place = unpack_number(data, place)
        check_size(data, n_sequences * max(1, length))
        return np.full(n_sequences, length), place
    check_size(data, n_sequences)
    if form == _COMPRESSED:
        (n_packed, n_bytes), place = unpack_numbers(data, 2, place)
        check_size(data, int(n_bytes))
        try:
            numbers = decompressed(data[place : place + int(n_packed)], int(n_bytes))
        except lzma.LZMAError as error:
            raise InvalidStreamError(f"Got a damaged block: {error}") from error
        (lengths, _), place = unpack_numbers(numbers, n_sequences), place + int(n_packed)
    else:
        lengths, place = unpack_numbers(data, n_sequences, place)
    check_size(data, sum(lengths.tolist()))
    return lengths, place


def check_size(data: bytes, n_values: int) -> None:
    """Check that a block can hold as many values as it claims: other blocks would take unbounded memory.

    Raises
    ------
    InvalidStreamError
        If its bytes are too few.
    """
    if n_values > most_values(data):
        raise InvalidStreamError(f"Got {len(data)} bytes for {n_values} values, which is too few.")


def most_values(data: bytes) -> int:
    """Return the largest number of values that a block of these bytes may hold.

    Examples
    --------
    >>> most_values(bytes(1000))
    10097152
    """
    return _MOST_VALUES_PER_BYTE * len(data) + _SPARE_VALUES


def check_lengths(lengths: np.ndarray, n_features: int) -> None:
    """Check that a block ends where the encoder ends it: many short sequences take far more memory than their values.

    An empty sequence counts as a value.

    Raises
    ------
    InvalidStreamError
        If it goes on.
    """
    n_values = int(np.maximum(1, lengths[:-1] * n_features).sum())
    if n_values >= VALUES_OF_BLOCK:
        raise InvalidStreamError(
            f"Got {n_values} values before the last sequence of a block, expected fewer than {VALUES_OF_BLOCK}: encode "
            f"did not write it."
        )
