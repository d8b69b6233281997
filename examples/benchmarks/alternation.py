"""Time contestants in alternation, so that a drift of the machine affects all of them equally."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import joblib
import numpy as np


def median_seconds(contestants: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Call contestants in turn, each twice in a row, of which the second is timed; returns the median of each.

    The compilation is in the first call. During this call, the threads of the previous contestant stop: some spin for a
    while after their work is done, on the cores that this contestant needs.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, run in contestants.items():
            run()
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(each) for name, each in seconds.items()}


def measured_peak(size: int = 2048, repeats: int = 5) -> float:
    """Floating-point operations a second of NumPy's product of two square float32 matrices, the best of a few."""
    matrix = np.ones((size, size), np.float32)
    best = np.inf
    for _ in range(repeats):
        started = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def describe_machine(packages: tuple[str, ...]) -> str:
    """One line: processor, cores, load, Python and the versions of the packages."""
    versions = []
    for package in packages:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} not installed")
    return (
        f"{platform.machine()}, {joblib.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}, {', '.join(versions)}"
    )
