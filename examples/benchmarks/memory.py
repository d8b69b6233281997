"""How much memory a process has allocated, and a piece of code at its peak. Linux only."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def watched_memory() -> Iterator[list[float]]:
    """Watch the anonymous pages of this process, a hundred times a second.

    Yields a list of one number: the megabytes that they have grown by since the start, at the peak so far.
    """
    before, peak, done = allocated(), [0.0], threading.Event()

    def watch():
        while not done.wait(0.01):
            peak[0] = max(peak[0], allocated() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def allocated() -> float:
    """Return the megabytes of the anonymous pages of this process."""
    return int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
