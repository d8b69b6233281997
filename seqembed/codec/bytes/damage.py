"""The errors that damaged bytes raise."""

from __future__ import annotations

import lzma
import struct
import zlib

# What damaged bytes raise in NumPy, in the standard library, and in the libraries that decompress them. Sizes are
# checked before, so a MemoryError says that memory is short, and not that the bytes are damaged.
DAMAGE = (
    ValueError,
    LookupError,
    ArithmeticError,
    TypeError,
    AssertionError,
    RuntimeError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)


class InvalidStreamError(ValueError):
    """Bytes are damaged, or no codec wrote them, or another codec did.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.codec import InvalidStreamError, SequenceCodec
    >>> codec = SequenceCodec(max_error=0.1).fit([np.arange(50.0)])
    >>> try:
    ...     codec.decode(b"not a stream")
    ... except InvalidStreamError as error:
    ...     print(isinstance(error, ValueError))
    True
    """
