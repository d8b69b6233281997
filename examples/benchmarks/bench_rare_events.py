"""How well are rare events ranked and found, in recordings whose events are known?

By default, in the electrocardiogram of `plot_rare_events.py`, with five seeds. Other recordings are given by path, with
the timesteps of their windows: an .npz file with "series" (n_rows, n_features), "labels" (1 for rows of an event) and
"train_end", up to which there is no event. Each method is fitted on windows of that part, and measured on the rows
after it. "Errors alone" is the detector without distances.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from alternation import describe_machine
from rare_event_peers import fit_peers, has_matrix_profile, matrix_profile, measures, rows_in_events, score_rows

from seqembed import LSTMReconstructor, ReconstructionDetector, detect_events, sliding_windows
from seqembed.datasets import load_mitdb

STEP, TIMESTEPS = 5, 75
# Windows of a training part, at most: every second row, or third, or ...
MOST_WINDOWS = 1000
DETECTORS = {
    "detector": {},
    "errors alone": {"distances": False},
    "around LSTMReconstructor": {"estimator": LSTMReconstructor()},
}


class Recording(NamedTuple):
    """A recording, and the timesteps of its windows."""

    rows: np.ndarray
    is_event: np.ndarray
    train_end: int
    timesteps: int


def main() -> None:
    """Read the command line and print a line for each recording and method, and means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--detectors", nargs="+", choices=DETECTORS, default=["detector", "errors alone"])
    parser.add_argument("--recordings", nargs="+", default=[], metavar="FILE:TIMESTEPS")
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "numpy", "scikit-learn", "pycatch22", "aeon", "stumpy")))
    recordings = {"electrocardiogram": electrocardiogram()}
    for each in arguments.recordings:
        path, _, timesteps = each.rpartition(":")
        recordings[Path(path).stem] = read(path, int(timesteps))
    found: dict[str, list[dict[str, float]]] = {}
    for name, recording in recordings.items():
        print(f"{name}, windows of {recording.timesteps} rows")
        for method, (by_row, notes) in scores_by_row(recording, arguments.detectors, arguments.seeds).items():
            after = slice(recording.train_end, None)
            values = [measures(recording.is_event[after], each[after], recording.timesteps) for each in by_row]
            means = {measure: float(np.mean([each[measure] for each in values])) for measure in values[0]}
            found.setdefault(method, []).append(means)
            print(f"  {method:26s}{described(means)}{notes}", flush=True)
    if len(recordings) > 1:
        print(f"mean of {len(recordings)}")
        for method, each in found.items():
            means = {measure: float(np.mean([one[measure] for one in each])) for measure in each[0]}
            print(f"  {method:26s}{described(means)}")


def electrocardiogram() -> Recording:
    """Load the recording with a premature heartbeat, five rows at a time."""
    recording = load_mitdb()
    rows = recording.data.reshape(-1, STEP, 1).mean(axis=1)
    is_event = recording.target.reshape(-1, STEP).max(axis=1).astype(bool)
    return Recording(rows, is_event, recording.train_end // STEP, TIMESTEPS)


def read(path: str, timesteps: int) -> Recording:
    """Read a recording from a file."""
    content = np.load(path)
    return Recording(content["series"], content["labels"].astype(bool), int(content["train_end"]), timesteps)


def scores_by_row(recording: Recording, detectors: list[str], n_seeds: int) -> dict[str, tuple[list[np.ndarray], str]]:
    """Score all rows by each method: by detectors for each seed, with a note on what they find at the threshold."""
    rows, _, train_end, timesteps = recording
    stride = -(-(train_end - timesteps + 1) // MOST_WINDOWS)
    training = sliding_windows(rows[:train_end], timesteps, stride).windows
    by_method: dict[str, tuple[list[np.ndarray], str]] = {
        name: ([score_rows(score, rows, timesteps)], "")
        for name, score in fit_peers(training.astype(float), seed=0).items()
    }
    if has_matrix_profile():
        by_method["matrix profile"] = [matrix_profile(rows[:train_end], rows, timesteps)], ""
    for name in detectors:
        by_row, notes, seconds = [], [], []
        for seed in range(n_seeds):
            started = time.perf_counter()
            detector = ReconstructionDetector(gap=(timesteps - 1) // stride, random_state=seed)
            detector.set_params(**DETECTORS[name]).fit(training)
            seconds.append(time.perf_counter() - started)
            events = detect_events(detector, rows, timesteps)
            by_row.append(events.row_scores)
            notes.append(note(rows_in_events(events, len(rows)), recording))
        by_method[name] = by_row, f"; {np.median(seconds):.0f} s; at .01 found {', '.join(notes)}"
    return by_method


def note(flagged: np.ndarray, recording: Recording) -> str:
    """Count the events that were found, and the share of the rows after training that were flagged beside them."""
    edges = np.flatnonzero(np.diff(recording.is_event.astype(int), prepend=0, append=0)).reshape(-1, 2)
    n_found = sum(flagged[start:stop].any() for start, stop in edges)
    after = slice(recording.train_end, None)
    others = flagged[after][~recording.is_event[after]].mean()
    return f"{n_found} of {len(edges)} ({others:.3f} of other rows)"


def described(values: dict[str, float]) -> str:
    """Join measures and their names."""
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())


if __name__ == "__main__":
    main()
