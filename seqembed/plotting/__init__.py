"""Figures. They need matplotlib: ``pip install "seqembed[plot]"``."""

from seqembed.plotting.events import plot_events

__all__ = ["plot_events"]
