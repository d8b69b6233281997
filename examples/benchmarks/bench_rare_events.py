"""Is the labelled event of the electrocardiogram found, whatever the seed, and how much else is flagged?

The windows of `plot_rare_events.py`, judged by detectors around three networks, beside the distance of each window to
its nearest neighbour in the training part.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from alternation import describe_machine
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from seqembed import (
    LSTMAutoencoder,
    LSTMReconstructor,
    ReconstructionDetector,
    detect_events,
    merge_windows,
    sliding_windows,
)
from seqembed.datasets import load_mitdb

STEP = 5
NETWORKS = {
    "default": None,
    "LSTMAutoencoder()": LSTMAutoencoder(),
    "LSTMReconstructor()": LSTMReconstructor(),
}


def main() -> None:
    """Read the command line and print a line a detector."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["default"])
    parser.add_argument("--timesteps", type=int, default=75)
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "numpy", "scikit-learn")))
    recording = load_mitdb()
    rows = recording.data.reshape(-1, STEP, 1).mean(axis=1)
    event = recording.target.reshape(-1, STEP).max(axis=1).astype(bool)
    training = sliding_windows(rows[: recording.train_end // STEP], arguments.timesteps).windows
    windows, starts, _ = sliding_windows(rows, arguments.timesteps)

    neighbours = NearestNeighbors(n_neighbors=1).fit(training.reshape(len(training), -1))
    distances = neighbours.kneighbors(windows.reshape(len(windows), -1))[0][:, 0]
    by_row = merge_windows(-distances, starts, len(rows), "center", timesteps=arguments.timesteps)
    print(f"nearest neighbour: {ranking(by_row, event)}")
    for name in arguments.networks:
        for seed in range(arguments.seeds):
            started = time.perf_counter()
            detector = ReconstructionDetector(NETWORKS[name], gap=arguments.timesteps - 1, random_state=seed)
            detector.fit(training)
            seconds = time.perf_counter() - started
            events = detect_events(detector, rows, arguments.timesteps)
            flagged = np.zeros(len(rows), bool)
            for start, end in zip(events.table["start"], events.table["end"], strict=True):
                flagged[start : end + 1] = True
            print(
                f"{name}, seed {seed}, {seconds:.0f} s: {ranking(events.row_scores, event)}; threshold of .01: "
                f"{len(events.table)} found, with {flagged[event].mean():.2f} of the event's rows and "
                f"{flagged[~event].mean():.3f} of the others",
                flush=True,
            )


def ranking(row_scores: np.ndarray, event: np.ndarray) -> str:
    """Say how well scores rank the rows, and where the lowest of them lies."""
    place = "in the event" if event[row_scores.argmin()] else "NOT in the event"
    return f"AUC {roc_auc_score(event, -row_scores):.3f}, lowest score in row {row_scores.argmin()}, {place}"


if __name__ == "__main__":
    main()
