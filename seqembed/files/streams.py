"""File objects that give or take fewer bytes than they are asked for, as sockets and unbuffered files do."""

from __future__ import annotations

import io
from typing import IO

# Bytes that are asked for at once, because a damaged length may claim gigabytes.
_PIECE = 1 << 24
_OPENED_AS_TEXT = 'Got file= that was opened as text, expected open(path, "rb").'


def read_up_to(stream: IO[bytes], n_bytes: int) -> bytes:
    """Read bytes until there are enough, or until the file ends.

    Parameters
    ----------
    stream : binary file object
        It may give fewer bytes than it is asked for.
    n_bytes : int
        Number of bytes to read. No memory is reserved for them.

    Returns
    -------
    data : bytes
        Fewer than `n_bytes` only at the end of the file.

    Raises
    ------
    TypeError
        For a file that was opened as text.
    OSError
        For a file that does not block and has nothing to read yet.

    Examples
    --------
    >>> read_up_to(io.BytesIO(b"abcde"), 3)
    b'abc'
    """
    if isinstance(stream, io.TextIOBase):
        # Before it fails to decode the bytes.
        raise TypeError(_OPENED_AS_TEXT)
    pieces, remaining = [], n_bytes
    while remaining > 0:
        piece = stream.read(min(remaining, _PIECE))
        if piece is None:
            raise OSError(
                "Got file= whose read returned None, expected one that waits for its bytes: "
                "os.set_blocking(file.fileno(), True)."
            )
        if isinstance(piece, str):
            raise TypeError(_OPENED_AS_TEXT)
        if not piece:
            break
        pieces.append(piece)
        remaining -= len(piece)
    return b"".join(pieces)


def write_all(data: bytes, stream: IO[bytes]) -> None:
    """Write bytes until the file has taken all of them.

    Parameters
    ----------
    data : bytes
        To be written.
    stream : binary file object
        It may take fewer bytes than it is given. Its method `write` returns how many it took. None counts as all of
        them, but not for `io.RawIOBase`, where it means none.

    Raises
    ------
    TypeError
        For a file that was opened as text.
    OSError
        For a file that takes nothing more.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> write_all(b"abc", file)
    >>> file.getvalue()
    b'abc'
    """
    if isinstance(stream, io.TextIOBase):
        raise TypeError('Got file= that was opened as text, expected open(path, "wb").')
    n_taken, rest = 0, memoryview(data)
    while n_taken < len(data):
        taken = stream.write(rest)
        if taken is None and not isinstance(stream, io.RawIOBase):
            # Classes that people write often return nothing, and take all.
            return
        if taken is None or not 0 < taken <= len(rest):
            raise OSError(
                f"Got file= whose write returned {taken} after {n_taken} of {len(data)} bytes, expected the number of "
                f"bytes that it took. Open the file so that it waits, or save to io.BytesIO() and send its getvalue()."
            )
        n_taken, rest = n_taken + taken, rest[taken:]
