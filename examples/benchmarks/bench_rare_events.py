"""Is the labelled event of the electrocardiogram found, whatever the seed?

The windows, networks and row scores of `plot_rare_events.py`, with five seeds, beside the distance of each window to
its nearest neighbour in the training part.
"""

from __future__ import annotations

import argparse
import time
from itertools import product

import numpy as np
from alternation import describe_machine
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from seqembed import LSTMAutoencoder, LSTMReconstructor, merge_windows, sliding_windows
from seqembed.datasets import load_mitdb

STEP, TIMESTEPS = 5, 75


def main() -> None:
    """Read the command line and print a line a fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--patch-sizes", type=int, nargs="+", help="instead of the default")
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "numpy", "scikit-learn")))
    recording = load_mitdb()
    rows = recording.data.reshape(-1, STEP, 1).mean(axis=1)
    event = recording.target.reshape(-1, STEP).max(axis=1)
    training = sliding_windows(rows[: recording.train_end // STEP], TIMESTEPS).windows
    windows, starts, _ = sliding_windows(rows, TIMESTEPS)

    neighbours = NearestNeighbors(n_neighbors=1).fit(training.reshape(len(training), -1))
    report("nearest neighbour", neighbours.kneighbors(windows.reshape(len(windows), -1))[0][:, 0], starts, event)
    networks = {LSTMAutoencoder: {"readout_weight": 0}, LSTMReconstructor: {}}
    for (network, settings), patch_size in product(networks.items(), arguments.patch_sizes or ["auto"]):
        for seed in range(arguments.seeds):
            started = time.perf_counter()
            estimator = network(
                8, hidden_units=(32,), patch_size=patch_size, augment=False, random_state=seed, **settings
            )
            fitted = estimator.fit(training)
            seconds = time.perf_counter() - started
            title = (
                f"{network.__name__}, patches of {fitted.network_.patch_size}, seed {seed}, fitted in {seconds:.0f} s"
            )
            report(title, fitted.reconstruction_error(windows), starts, event)


def report(title: str, errors: np.ndarray, starts: np.ndarray, event: np.ndarray) -> None:
    """Print the area under the curve by row, and where the highest error lies."""
    by_row = merge_windows(errors, starts, len(event), timesteps=TIMESTEPS)
    first, last = np.flatnonzero(event)[[0, -1]]
    highest = by_row.argmax()
    found = "within" if first - TIMESTEPS <= highest <= last + TIMESTEPS else "NOT within"
    print(
        f"{title:60s} AUC {roc_auc_score(event, by_row):.3f}, highest error in row {highest}, {found} a window of the "
        f"event ({first} to {last})",
        flush=True,
    )


if __name__ == "__main__":
    main()
