"""Room for results, the user's own or new, and how batches of them get there."""

from __future__ import annotations

import numpy as np

from seqembed.sequences.collection import row_numbers


def checked_out(out: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """Take the user's array if it fits, or make one."""
    if out is None:
        return np.empty(shape, np.float32)
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype.kind != "f":
        given = (
            f"shape {out.shape} and dtype {out.dtype}" if isinstance(out, np.ndarray) else f"type {type(out).__name__}"
        )
        raise ValueError(f"Got out of {given}, expected np.empty({shape}, np.float32) or another array of floats.")
    return out


def fill(room: np.ndarray | list[np.ndarray], rows, batch: np.ndarray, lengths: np.ndarray) -> None:
    """Store what was computed of a batch, without its padding."""
    if isinstance(room, np.ndarray):
        room[rows] = batch
        return
    for row, values, length in zip(row_numbers(rows, len(room)), batch, lengths, strict=True):
        room[row][:] = values[:length]
