"""The order of the bytes of values."""

from __future__ import annotations

import numpy as np


def little_endian(values: np.ndarray) -> np.ndarray:
    """Return contiguous values with their lowest bytes first."""
    return np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)


def as_planes(values: np.ndarray) -> bytes:
    """Return the bytes of one significance of all values, then those of the next."""
    return little_endian(values).view(np.uint8).reshape(-1, values.itemsize).T.tobytes()


def from_planes(data: bytes, dtype) -> np.ndarray:
    """Undo `as_planes`, to a flat array."""
    dtype = np.dtype(dtype)
    planes = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1)
    return np.ascontiguousarray(planes.T).view(dtype.newbyteorder("<")).ravel().astype(dtype)
