"""Writing of files that are never half written."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import IO, TypeAlias

from seqembed.files.streams import write_all

# A path, or an open binary file.
Writable: TypeAlias = str | os.PathLike[str] | IO[bytes]


def write(data: bytes, file: Writable) -> None:
    """Write bytes so that the file holds either its old content, or all of them.

    Parameters
    ----------
    data : bytes
        The new content.
    file : str, path-like or binary file object
        A path is written to beside it, and renamed. Its permissions are those of a new file. If the process is killed
        while it writes, a hidden file remains beside the path, whose name ends in ``.saving``.

    Raises
    ------
    TypeError
        For anything else.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> write(b"all", file)
    >>> file.getvalue()
    b'all'
    """
    if not isinstance(file, (str, os.PathLike)):
        if not hasattr(file, "write"):
            raise TypeError(f"Got file= of type {type(file).__name__}, expected a path or an open binary file.")
        write_all(data, file)
        return
    # A link stays a link.
    path = Path(os.path.realpath(file))
    # A name of its own for each writer: several may save to one path at the same time.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.saving")
    try:
        with open(temporary, "xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the renaming last through a power failure, where the system can do so."""
    # Windows opens no folders, and some file systems do not sync them. The file itself is written.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
