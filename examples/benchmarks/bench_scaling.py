"""How do time and memory grow with the number of sequences and with their length?

Each point is a process of its own that fits sixteen epochs on a memory-mapped array and embeds it. Time should grow
linearly, and memory should not grow with the number of sequences. Memory is the number of anonymous pages at the peak.
Pages of the mapped file do not count, because the system loads and drops them as it likes. Linux only.
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

POINT = """
import json, sys, time
import numpy as np
import tensorflow
from memory import watched_memory
from seqembed import LSTMAutoencoder

X = np.load(sys.argv[1], mmap_mode="r")
make = lambda epochs: LSTMAutoencoder(patch_size=1, epochs=epochs, batch_size=64, random_state=0)
make(64).fit(X[:256])  # compile before the clock starts
with watched_memory() as peak:
    started = time.perf_counter()
    fitted = make(16).fit(X)
    fit = time.perf_counter() - started
    started = time.perf_counter()
    fitted.transform(X)
    transform = time.perf_counter() - started
print(json.dumps({"fit": fit, "transform": transform, "memory": peak[0]}))
"""


def main() -> None:
    """Read the command line and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, nargs="+", default=[1024, 2048, 4096, 8192])
    parser.add_argument("--timesteps", type=int, nargs="+", default=[16, 32, 64, 128, 256])
    parser.add_argument("--plot", metavar="PNG", help="draw seconds and memory")
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "numpy")))
    over_sequences = {n: measure(n, 32) for n in arguments.sequences}
    report("sequences of 32 timesteps", over_sequences)
    over_timesteps = {n: measure(1024, n) for n in arguments.timesteps}
    report("timesteps of 1024 sequences", over_timesteps)
    if arguments.plot:
        draw({"sequences": over_sequences, "timesteps": over_timesteps}, arguments.plot)


def measure(n_samples: int, n_timesteps: int) -> dict[str, float]:
    """Run one point in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        X = np.lib.format.open_memmap(path, "w+", np.float32, (n_samples, n_timesteps, 6))
        X[...] = np.random.default_rng(0).standard_normal(X.shape)
        X.flush()
        command = [sys.executable, "-c", POINT, path]
        run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    return json.loads(run.stdout.splitlines()[-1])


def report(title: str, points: dict[int, dict[str, float]]) -> None:
    """Print a table, and the factor by which a doubling multiplies the seconds."""
    print(f"{title:>28s}  fit (s)  transform (s)  allocated (MB)")
    for n, point in points.items():
        print(f"{n:28d}  {point['fit']:7.2f}  {point['transform']:13.2f}  {point['memory']:14.0f}")
    sizes = np.log2(list(points))
    slopes = {key: np.polyfit(sizes, np.log2([p[key] for p in points.values()]), 1)[0] for key in ("fit", "transform")}
    print(f"a doubling multiplies fit by {2 ** slopes['fit']:.2f}, transform by {2 ** slopes['transform']:.2f}")


def draw(tables: dict[str, dict[int, dict[str, float]]], path: str) -> None:
    """Draw seconds above, memory below, one column a table."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 2, figsize=(9, 6), layout="constrained", sharex="col")
    for column, (name, points) in enumerate(tables.items()):
        for key in ("fit", "transform"):
            panels[0, column].loglog(list(points), [point[key] for point in points.values()], "o-", label=key)
        panels[0, column].legend()
        panels[1, column].semilogx(list(points), [point["memory"] for point in points.values()], "o-")
        panels[1, column].set(xlabel=name, ylim=(0, None))
    panels[0, 0].set_ylabel("seconds")
    panels[1, 0].set_ylabel("allocated (MB)")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
