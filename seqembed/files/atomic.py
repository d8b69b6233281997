"""Writing of files that are never half written, where the folder allows it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path
from typing import IO, TypeAlias

from seqembed.files.streams import write_all
from seqembed.user_warning import warn_user

# A path, or an open binary file.
Writable: TypeAlias = str | os.PathLike[str] | IO[bytes]

# Errors of folders that take no new file, and of files that can't be renamed to: those that a container mounts.
_NO_REPLACING = frozenset(
    (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
)


def write(data: bytes, file: Writable) -> None:
    """Write bytes so that the file holds either its old content, or all of them.

    Parameters
    ----------
    data : bytes
        The new content.
    file : str, path-like or binary file object
        A path is written to beside it, and renamed. Its permissions are those of a new file. If the process is killed
        while it writes, a hidden file remains beside the path, whose name ends in ``.saving``. A pipe or a device gets
        the bytes themselves, and so does a file object.

    Raises
    ------
    TypeError
        For anything else.
    OSError
        If the file can't be written. It names the file.

    Warns
    -----
    UserWarning
        If the folder takes no new file, or if nothing can be renamed to the path, such as a file that a container
        mounts by itself. The file is then written over. It is broken if the process stops meanwhile.

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
    try:
        if os.path.exists(file) and not os.path.isfile(file):
            # A new file would take the place of the pipe or the device.
            Path(file).write_bytes(data)
        else:
            _write_file(data, file)
    except OSError as error:
        # Otherwise it names the hidden file, or none.
        raise OSError(error.errno, error.strerror or str(error), os.fspath(file)) from None


def _write_file(data: bytes, file: str | os.PathLike[str]) -> None:
    # A link stays a link.
    path = Path(os.path.realpath(file))
    try:
        _replace(data, path)
    except OSError as error:
        if error.errno not in _NO_REPLACING:
            raise
        reason = str(error.strerror)
    else:
        _sync_folder(path.parent)
        return
    _write_over(data, file, reason)


def _replace(data: bytes, path: Path) -> None:
    # A name of its own for each writer: several may save to one path at the same time. It is short, because that of the
    # path may be as long as names can be.
    hidden = path.with_name(f".{secrets.token_hex(8)}.saving")
    try:
        with open(hidden, "xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(hidden, path)
    except FileExistsError:
        # It belongs to another writer.
        raise
    except BaseException:
        # The first error tells more than one of removing the file.
        with contextlib.suppress(OSError):
            hidden.unlink()
        raise


def _write_over(data: bytes, file: str | os.PathLike[str], reason: str) -> None:
    # The old content stays until the warning is over, which may be an error.
    with open(file, "wb", opener=_open_with_content) as stream:
        warn_user(
            f"{os.fspath(file)!r} is written over, since no other file can take its place ({reason}). Until it is "
            f"whole, others read a broken file, and if the process stops, it stays broken and what it held is lost. "
            f"Save into a folder that takes new files."
        )
        stream.write(data)
        stream.truncate()
        stream.flush()
        os.fsync(stream.fileno())


def _open_with_content(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_TRUNC, 0o666)


def _sync_folder(folder: Path) -> None:
    """Make the renaming last through a power failure, where the system can do so."""
    # Windows opens no folders, folders may forbid to be listed, and some file systems do not sync them. The file itself
    # is written.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
