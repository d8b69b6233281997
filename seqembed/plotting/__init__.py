"""Figures. They need matplotlib: ``pip install "seqembed[plot]"``."""

from seqembed.plotting.events import plot_events
from seqembed.plotting.history import plot_history
from seqembed.plotting.reconstruction import plot_reconstruction

__all__ = ["plot_events", "plot_history", "plot_reconstruction"]
