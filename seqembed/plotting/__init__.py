"""Figures. They need matplotlib: ``pip install "seqembed[plot]"``."""

from seqembed.plotting.clusters import plot_typical_sequences
from seqembed.plotting.components import plot_component
from seqembed.plotting.events import plot_events
from seqembed.plotting.history import plot_history
from seqembed.plotting.maps import plot_map
from seqembed.plotting.reconstruction import plot_reconstruction

__all__ = [
    "plot_component",
    "plot_events",
    "plot_history",
    "plot_map",
    "plot_reconstruction",
    "plot_typical_sequences",
]
