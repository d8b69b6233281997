"""The table of all methods. A new method is a file beside this one, and a line here."""

from __future__ import annotations

from seqembed.codec.methods import bins_xz, raw_pcodec, raw_xz
from seqembed.codec.methods.method import Method
from seqembed.codec.methods.predicted import PREDICTED, RECONSTRUCTED

# The stages after the predictions of the codec. A method is tried only if it may still win, given the best result of
# the earlier stages. Of results of the same length, the first one is taken.
STAGES: list[list[Method]] = [
    [bins_xz.METHOD],
    [raw_xz.METHOD, raw_pcodec.METHOD],
]
METHODS = sorted((method for stage in STAGES for method in stage), key=lambda method: method.number)
# Kinds of methods in the report of a codec.
KINDS = (*dict.fromkeys(method.kind for method in METHODS), PREDICTED, RECONSTRUCTED)
