"""How much time and memory does a fit on windows of a large memory-mapped recording take?

Writes a recording of 100 sensors to a temporary file, opens it as a memory map, cuts windows of 50 timesteps without
copying and fits one epoch on them, in a process of its own; then the same on a part of it that lies in memory. Memory
is the number of anonymous pages at the peak, less those after importing TensorFlow. Pages of the mapped file do not
count, because the system loads and drops them as it likes. Seconds are those of the epoch, without those of a first,
tiny fit that compiles. Linux only. The network reads timestep by timestep.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from alternation import describe_machine

N_FEATURES, TIMESTEPS = 100, 50

POINT = """
import json, sys, time
import numpy as np
import tensorflow
from memory import watched_memory
from seqembed import LSTMAutoencoder, sliding_windows

path, n_windows, timesteps, in_memory = sys.argv[1], *map(int, sys.argv[2:])
recording = np.load(path, mmap_mode="r")[: n_windows * timesteps]
if in_memory:
    recording = np.array(recording)
windows = sliding_windows(recording, timesteps, stride=timesteps).windows
make = lambda epochs: LSTMAutoencoder(patch_size=1, epochs=epochs, random_state=0)
with watched_memory() as peak:
    make(40).fit(windows[:256])
    started = time.perf_counter()
    make(1).fit(windows)
    seconds = time.perf_counter() - started
print(json.dumps({"seconds": seconds, "memory": peak[0]}))
"""


def main() -> None:
    """Read the command line and print three lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--in-memory-share", type=float, default=0.25)
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "numpy")))
    n_windows = int(arguments.gigabytes * 1e9 / (4 * N_FEATURES * TIMESTEPS))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.npy"
        write(path, n_windows * TIMESTEPS)
        mapped = measure(path, n_windows, in_memory=False)
        few = int(n_windows * arguments.in_memory_share)
        held = measure(path, few, in_memory=True)
    for name, n, point in (("memory-mapped", n_windows, mapped), ("in memory", few, held)):
        print(
            f"{name:14s} {n * TIMESTEPS * N_FEATURES * 4 / 1e9:5.2f} GB, {n:7d} windows: {point['seconds']:6.1f} s an "
            f"epoch, {1e3 * point['seconds'] / n:.3f} ms a window, {point['memory']:.0f} MB allocated",
            flush=True,
        )
    ratio = mapped["seconds"] / n_windows / (held["seconds"] / few)
    print(f"time per window, memory-mapped / in memory: {ratio:.2f}")


def write(path: Path, n_rows: int) -> None:
    """Write random walks, a million rows at a time."""
    recording = np.lib.format.open_memmap(path, "w+", np.float32, (n_rows, N_FEATURES))
    random, last = np.random.default_rng(0), np.zeros(N_FEATURES, np.float32)
    for start in range(0, n_rows, 1_000_000):
        steps = random.standard_normal((min(1_000_000, n_rows - start), N_FEATURES), np.float32)
        recording[start : start + len(steps)] = 0.99 * last + steps.cumsum(axis=0) / 100
        last = recording[start + len(steps) - 1].copy()
    recording.flush()


def measure(path: Path, n_windows: int, *, in_memory: bool) -> dict[str, float]:
    """Fit in a process of its own."""
    arguments = [str(each) for each in (path, n_windows, TIMESTEPS, int(in_memory))]
    command = [sys.executable, "-c", POINT, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    return json.loads(run.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
