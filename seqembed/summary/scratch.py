"""Memory that is used again and again, while blocks of sequences are described."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

# Arrays that are larger are not kept, and no more than so many sets of them: a process must not hold much memory for
# ever. A set takes one to ten megabytes. Flags of sequences of 16 timesteps take the most, 3.02 of them.
_MOST_BYTES, _MOST_IDLE = 7 << 19, 16


class Scratch:
    """Arrays by name, whose memory is that of the array of the same name before.

    Examples
    --------
    >>> scratch = Scratch()
    >>> first = scratch.array("sums", (2, 3))
    >>> np.shares_memory(first, scratch.array("sums", (4,))), np.shares_memory(first, scratch.array("squares", (2, 3)))
    (True, False)
    """

    def __init__(self) -> None:
        self._held: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike = np.float32) -> np.ndarray:
        """Return an array with any content. The array of this name that was returned before is overwritten.

        Parameters
        ----------
        name : str
            What it is for.
        shape : tuple of int
            Its shape.
        dtype : dtype, default=float32
            Always the same for a name.
        """
        size, dtype = math.prod(shape), np.dtype(dtype)
        if size * dtype.itemsize > _MOST_BYTES:
            return np.empty(shape, dtype)
        held: Any = self._held.get(name)
        if held is None:
            # Of memory that is asked for, only what is written to is taken.
            held = self._held[name] = np.empty(_MOST_BYTES // dtype.itemsize, dtype)
        array: np.ndarray = held[:size].reshape(shape)
        return array


_idle: list[Scratch] = []


@contextmanager
def borrowed_scratch() -> Iterator[Scratch]:
    """Lend memory of earlier blocks to one computation.

    What is freed goes back to the system, and each page of new memory costs time: for some hundred short sequences as
    much as their convolutions.

    Examples
    --------
    >>> with borrowed_scratch() as scratch:
    ...     first = scratch.array("sums", (2, 3))
    >>> with borrowed_scratch() as scratch:
    ...     np.shares_memory(first, scratch.array("sums", (2, 3)))
    True
    """
    try:
        scratch = _idle.pop()
    except IndexError:
        scratch = Scratch()
    try:
        yield scratch
    finally:
        if len(_idle) < _MOST_IDLE:
            _idle.append(scratch)
