"""The interface of a method, which is one way to code a block."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from seqembed.codec.methods.block import Block, BlockShape

# Share of the bytes of the values, see `is_hard`.
_SHARE_OF_HARD_BLOCKS = 0.4


class Method(NamedTuple):
    """One way to code a block.

    Parameters
    ----------
    number : int
        Number of the method in the bytes of a block.
    kind : str
        Name of the method in the report of a codec. Methods may share it.
    may_win : callable
        Takes a block, and the bytes that the best method of an earlier stage needs, or infinity. Returns whether the
        method is worth its time.
    encode : callable
        Takes a block, and returns its content in bytes.
    decode : callable
        Takes these bytes and the shape of the block. Returns the values, of shape (n_timesteps of all sequences,
        n_features). For damaged bytes, it may raise any exception of `seqembed.codec.bytes.damage.DAMAGE`.
    """

    number: int
    kind: str
    may_win: Callable[[Block, float], bool]
    encode: Callable[[Block], bytes]
    decode: Callable[[bytes, BlockShape], np.ndarray]


def is_hard(block: Block, n_bytes: float) -> bool:
    """Return whether a block is hard to predict: its bytes are more than 40 % of the bytes of the values.

    Below this share, methods that don't round the values have no chance, and take most of the time.
    """
    return n_bytes > _SHARE_OF_HARD_BLOCKS * block.values.nbytes
