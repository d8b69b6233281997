"""The order of the bytes of values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def little_endian(values: np.ndarray) -> np.ndarray:
    """Return contiguous values whose lowest byte comes first."""
    return np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)


def byte_planes(values: np.ndarray) -> bytes:
    """Return the lowest bytes of all values, then their second-lowest bytes, and so on.

    Bytes of the same significance are alike, so that xz compresses them better side by side.
    """
    return little_endian(values).view(np.uint8).reshape(-1, values.itemsize).T.tobytes()


def values_from_planes(data: bytes, dtype: npt.DTypeLike) -> np.ndarray:
    """Undo `byte_planes`, to an array of shape (n_values,)."""
    dtype = np.dtype(dtype)
    planes = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1)
    return np.ascontiguousarray(planes.T).view(dtype.newbyteorder("<")).ravel().astype(dtype)
