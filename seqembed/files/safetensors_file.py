"""Files that hold a description and arrays, of which reading runs no code.

A file is a safetensors file: the length of the header as eight bytes, the header, which is JSON, then the arrays.
``docs/file_format.md`` has what a second reader needs to know.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import struct
from collections.abc import Iterable, Iterator
from typing import IO, Any, NoReturn, TypeAlias

import numpy as np
import safetensors
import safetensors.numpy

from seqembed.files.other_formats import other_format
from seqembed.files.streams import read_up_to

# A path, the content of a file, or an open binary file.
Readable: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]

FORMAT, FORMAT_VERSION = "seqembed", "1"
# Headers are kept small, since parsing takes up to twenty times their size in memory.
_LARGEST_HEADER = 1 << 20
_LENGTH = struct.Struct("<Q")
_NO_DIGEST = "0" * 64
_DTYPES: dict[str, np.dtype] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
_MOST_DIMENSIONS, _LARGEST_COUNT = 4, 1 << 48


class InvalidFileError(ValueError):
    """A file is damaged, or seqembed did not write it.

    Examples
    --------
    >>> import io
    >>> import seqembed
    >>> try:
    ...     seqembed.load(io.BytesIO(b"not a file of seqembed"))
    ... except seqembed.InvalidFileError as error:
    ...     print(isinstance(error, ValueError))
    True
    """


def pack(description: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """Write a description and arrays into bytes.

    Parameters
    ----------
    description : dict
        Of what JSON knows.
    arrays : dict of str to float32 or float64 array
        By name.

    Returns
    -------
    data : bytes
        A safetensors file, whose metadata hold the description, and a digest of all bytes.

    Raises
    ------
    ValueError
        If the description takes more than 1 MB.

    Examples
    --------
    >>> import numpy as np
    >>> data = pack({"name": "example"}, {"weights": np.ones((2, 3), np.float32)})
    >>> description, arrays = unpack(data)
    >>> description, arrays["weights"].shape
    ({'name': 'example'}, (2, 3))
    """
    metadata = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "description": json.dumps(description, allow_nan=False),
        "sha256": _NO_DIGEST,
    }
    # safetensors 0.8.0 writes arrays that are not contiguous as if they were.
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    data = safetensors.numpy.save(contiguous, metadata)
    (length,) = _LENGTH.unpack(data[:8])
    header = _ordered(data[8 : 8 + length])
    if len(header) > _LARGEST_HEADER:
        raise ValueError(
            f"Got an estimator whose names and parameters take {len(header)} bytes, expected at most "
            f"{_LARGEST_HEADER}. Fit without names of columns: pass frame.to_numpy()."
        )
    start, values = _LENGTH.pack(len(header)), data[8 + length :]
    digest = hashlib.sha256(start + header + values).hexdigest()
    return start + header.replace(_field(_NO_DIGEST), _field(digest)) + values


def _ordered(header: bytes) -> bytes:
    """Return a header with its entries in one order. safetensors writes the metadata in a random one."""
    entries = json.loads(header)
    ordered = {"__metadata__": dict(sorted(entries.pop("__metadata__").items()))}
    ordered |= dict(sorted(entries.items(), key=lambda entry: entry[1]["data_offsets"]))
    text = json.dumps(ordered, separators=(",", ":"), ensure_ascii=False).encode()
    return text + b" " * (-len(text) % 8)


def _field(digest: str) -> bytes:
    """Return the digest as it stands in a header. Within a string, its quotes would be escaped."""
    return f'"sha256":"{digest}"'.encode()


def unpack(file: Readable) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a description and arrays.

    Parameters
    ----------
    file : str, path-like, bytes or binary file object
        Made by `pack`.

    Returns
    -------
    description : dict
    arrays : dict of str to array
        Copies that can be written to.

    Raises
    ------
    InvalidFileError
        For anything else. Headers of more than 1 MB are refused before they are read.
    TypeError, OSError
        For files that can't be read, see `seqembed.files.streams.read_up_to`.
    """
    with _opened(file) as stream:
        start = read_up_to(stream, _LENGTH.size)
        if len(start) < _LENGTH.size:
            at_end = not start and hasattr(file, "read")
            remedy = " If it was just written, go back to its start: file.seek(0)." if at_end else ""
            raise InvalidFileError(f"Got {len(start)} bytes, expected a file that seqembed saved.{remedy}")
        (length,) = _LENGTH.unpack(start)
        header = read_up_to(stream, length) if length <= _LARGEST_HEADER else b""
        # The header of a file of ours begins so. Its length may look like the first bytes of another format.
        if not header.startswith(b"{") and (found := other_format(start)):
            raise InvalidFileError(
                f"Got a file of another format ({found[0]}), expected one that seqembed saved. {found[1]}"
            )
        if length > _LARGEST_HEADER:
            raise InvalidFileError(
                f"Got a header of {length} bytes, expected at most {_LARGEST_HEADER}: seqembed did not save this file."
            )
        if len(header) < length:
            raise InvalidFileError(f"Got a file of {8 + len(header)} bytes, shorter than its header. Save it again.")
        metadata, n_bytes = _check_header(header)
        # One more byte than expected tells whether the file ends there. The header may claim any number of bytes.
        values = read_up_to(stream, n_bytes + 1)
    if len(values) != n_bytes:
        more = "more" if len(values) > n_bytes else f"{len(values)}"
        raise InvalidFileError(f"Got {more} bytes after the header, expected {n_bytes}. Save the file again.")
    digest = metadata["sha256"]
    undigested = header.replace(_field(digest), _field(_NO_DIGEST))
    if hashlib.sha256(start + undigested + values).hexdigest() != digest:
        raise InvalidFileError("The file was changed after it was saved: its digest does not match. Save it again.")
    description = _parsed(metadata["description"])
    try:
        arrays = safetensors.numpy.load(start + header + values)
    except safetensors.SafetensorError as error:
        raise InvalidFileError(f"Got a file that is no valid safetensors file: {error}") from error
    return description, arrays


@contextlib.contextmanager
def _opened(file: Readable) -> Iterator[IO[bytes]]:
    if isinstance(file, (bytes, bytearray, memoryview)):
        yield io.BytesIO(file)
    elif isinstance(file, (str, os.PathLike)):
        with open(file, "rb") as stream:
            yield stream
    elif hasattr(file, "read"):
        yield file
    else:
        raise TypeError(f"Got file= of type {type(file).__name__}, expected a path, bytes or an open binary file.")


def _check_header(header: bytes) -> tuple[dict[str, str], int]:
    """Check a header; return its metadata, and the number of bytes of the arrays after it."""
    entries = _parsed(header)
    metadata = entries.pop("__metadata__", None)
    expected = {"format", "format_version", "description", "sha256"}
    if not isinstance(metadata, dict) or set(metadata) != expected or not _are_strings(metadata.values()):
        raise InvalidFileError("Got a safetensors file without the metadata of seqembed: seqembed did not save it.")
    if metadata["format"] != FORMAT or metadata["format_version"] != FORMAT_VERSION:
        raise InvalidFileError(
            f"Got a file of the format {metadata['format'][:20]!r}, version {metadata['format_version'][:20]!r}, "
            f"expected {FORMAT!r}, version {FORMAT_VERSION!r}. A newer seqembed may read it: pip install -U seqembed."
        )
    spans = []
    for name, entry in entries.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise InvalidFileError(f"Got an array {name[:40]!r} without dtype, shape and offsets.")
        shape, offsets = entry["shape"], entry["data_offsets"]
        # Not in the dict: a list could not be looked up there.
        is_known = entry["dtype"] in list(_DTYPES)
        if not (is_known and _is_shape(shape) and _are_counts(offsets, 2)):
            raise InvalidFileError(f"Got an array {name[:40]!r} of dtype or shape that seqembed does not save.")
        if len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * _DTYPES[entry["dtype"]].itemsize:
            raise InvalidFileError(f"Got an array {name[:40]!r} whose offsets don't match its shape.")
        spans.append((offsets[0], offsets[1]))
    end = 0
    for start, stop in sorted(spans):
        if start != end:
            raise InvalidFileError("Got arrays that overlap or leave a hole.")
        end = stop
    return metadata, end


def _parsed(text: bytes | str) -> dict[str, Any]:
    """Parse JSON, strictly: no name twice, no NaN."""
    try:
        parsed = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)
    except InvalidFileError:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidFileError("Got a header that is no valid JSON: seqembed did not save this file.") from error
    if not isinstance(parsed, dict):
        raise InvalidFileError("Got a header that is no JSON object: seqembed did not save this file.")
    return parsed


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise InvalidFileError("Got a header in which a name occurs twice.")
    return names


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidFileError(f"Got {name} in the header, which is no JSON.")


def _are_strings(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def _is_shape(values: Any) -> bool:
    """Tell whether values are a shape that NumPy has. It multiplies the other sizes of an array even if one is 0."""
    return _are_counts(values, _MOST_DIMENSIONS) and math.prod(filter(None, values)) < _LARGEST_COUNT


def _are_counts(values: object, most: int) -> bool:
    """Tell whether values are a list of few integers from 0, small enough for offsets."""
    if not isinstance(values, list) or len(values) > most:
        return False
    return all(type(value) is int and 0 <= value < _LARGEST_COUNT for value in values)
