"""Answers, in numbers, about a fitted autoencoder."""

from seqembed.inspection.influence import component_influence
from seqembed.inspection.traversal import Traverse, traverse
from seqembed.inspection.typical import TypicalSequences, typical_sequences

__all__ = ["Traverse", "TypicalSequences", "component_influence", "traverse", "typical_sequences"]
