"""Compression of sequences with a bound on every error."""

from seqembed.codec.bytes.damage import InvalidStreamError
from seqembed.codec.sequence_codec import SequenceCodec

__all__ = ["InvalidStreamError", "SequenceCodec"]
