"""Is the labelled event of the electrocardiogram found, whatever the seed, and how much else is flagged?

The windows are those of `plot_rare_events.py`. Detectors and other methods score them.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from alternation import describe_machine
from rare_event_peers import fit_peers, has_matrix_profile, matrix_profile, measures, rows_in_events, score_rows

from seqembed import LSTMAutoencoder, LSTMReconstructor, ReconstructionDetector, detect_events, sliding_windows
from seqembed.datasets import load_mitdb

STEP = 5
NETWORKS = {
    "default": None,
    "LSTMAutoencoder()": LSTMAutoencoder(),
    "LSTMReconstructor()": LSTMReconstructor(),
}


def main() -> None:
    """Read the command line and print a line a method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["default"])
    parser.add_argument("--timesteps", type=int, default=75)
    parser.add_argument("--cv", type=int, default=ReconstructionDetector().cv)
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "numpy", "scikit-learn", "pycatch22", "aeon", "stumpy")))
    recording = load_mitdb()
    rows = recording.data.reshape(-1, STEP, 1).mean(axis=1)
    event = recording.target.reshape(-1, STEP).max(axis=1).astype(bool)
    training_rows = rows[: recording.train_end // STEP]
    training = sliding_windows(training_rows, arguments.timesteps).windows
    by_row = {
        name: score_rows(score, rows, arguments.timesteps)
        for name, score in fit_peers(training.astype(float), seed=0).items()
    }
    if has_matrix_profile():
        by_row["matrix profile"] = matrix_profile(training_rows, rows, arguments.timesteps)
    for name, row_scores in by_row.items():
        print(f"{name}: {ranking(row_scores, event, arguments.timesteps)}")
    for name in arguments.networks:
        for seed in range(arguments.seeds):
            started = time.perf_counter()
            detector = ReconstructionDetector(
                NETWORKS[name], cv=arguments.cv, gap=arguments.timesteps - 1, random_state=seed
            ).fit(training)
            seconds = time.perf_counter() - started
            events = detect_events(detector, rows, arguments.timesteps)
            flagged = rows_in_events(events, len(rows))
            print(
                f"{name}, seed {seed}, {seconds:.0f} s: {ranking(events.row_scores, event, arguments.timesteps)}; "
                f"threshold of .01: {len(events.table)} found, with {flagged[event].mean():.2f} of the event's rows "
                f"and {flagged[~event].mean():.3f} of the others",
                flush=True,
            )


def ranking(row_scores: np.ndarray, event: np.ndarray, timesteps: int) -> str:
    """Describe how well scores rank the rows, and where the lowest score lies."""
    found = ", ".join(f"{name} {value:.3f}" for name, value in measures(event, row_scores, timesteps).items())
    lowest = np.nanargmin(row_scores)
    return f"{found}, lowest score in row {lowest}, {'in the event' if event[lowest] else 'NOT in the event'}"


if __name__ == "__main__":
    main()
