"""Which kinds of faults are found in a recording of four coupled sensors?

Faults of one kind at a time are injected into a simulated recording that no method has seen. The measures are by row.
At the threshold of .01, a fault is found if a detected event overlaps with it. "Sensor named" is the share of the found
faults whose rarest event gives the largest share of its score to the sensor that was touched. The detector also runs
without distances, and around PCA, which shows what the network adds.
"""

from __future__ import annotations

import argparse

import numpy as np
from alternation import describe_machine
from rare_event_peers import (
    PCAReconstruction,
    fit_peers,
    has_matrix_profile,
    matrix_profile,
    measures,
    rows_in_events,
    score_rows,
)
from simulated_motor import FAULTS, TOUCHED, simulate, with_faults

from seqembed import LSTMReconstructor, ReconstructionDetector, detect_events, sliding_windows
from seqembed.estimators.events import Events

TIMESTEPS, STRIDE, N_ROWS, N_FAULTS = 40, 4, 4000, 12
DETECTORS = {
    "detector": {},
    "errors alone": {"distances": False},
    "mahalanobis": {"weighting": "mahalanobis"},
    "around LSTMReconstructor": {"estimator": LSTMReconstructor()},
    "around PCA-32": {"estimator": PCAReconstruction()},
}


def main() -> None:
    """Read the command line and print tables of kinds and methods."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--without", nargs="+", choices=DETECTORS, default=[], help="detectors to leave out")
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "numpy", "scikit-learn", "pycatch22", "aeon", "stumpy")))
    runs = [run(seed, [name for name in DETECTORS if name not in arguments.without]) for seed in range(arguments.seeds)]
    for measure in runs[0]:
        print(f"\n{measure + f', mean of {len(runs)}':30s}" + "".join(f"{kind:>15s}" for kind in FAULTS) + "    mean")
        for name in runs[0][measure]:
            values = np.mean([each[measure][name] for each in runs], axis=0)
            print(f"{name:30s}" + "".join(f"{value:15.3f}" for value in values) + f"{values.mean():8.3f}")


def run(seed: int, names: list[str]) -> dict[str, dict[str, list[float]]]:
    """Fit all methods on one recording; return, by measure and method, a value for each kind."""
    training_rows = simulate(N_ROWS, np.random.default_rng(seed))
    training = sliding_windows(training_rows, TIMESTEPS, STRIDE).windows
    tested = [
        with_faults([kind] * N_FAULTS, N_ROWS, np.random.default_rng((seed, number)))
        for number, kind in enumerate(FAULTS)
    ]
    results: dict[str, dict[str, list[float]]] = {}

    def note(method: str, values: dict[str, float]) -> None:
        for measure, value in values.items():
            results.setdefault(measure, {}).setdefault(method, []).append(value)

    for name in names:
        detector = ReconstructionDetector(gap=TIMESTEPS // STRIDE, random_state=seed).set_params(**DETECTORS[name])
        detector.fit(training)
        for kind, (recording, is_fault, parts) in zip(FAULTS, tested, strict=True):
            events = detect_events(detector, recording, TIMESTEPS)
            flagged = rows_in_events(events, N_ROWS)
            note(name, measures(is_fault, events.row_scores, TIMESTEPS))
            note(name, {"faults found": float(np.mean([flagged[part].any() for part in parts]))})
            note(name, {"other rows flagged": float(flagged[~is_fault].mean())})
            note(name, {"sensor named": sensor_named(events, parts, TOUCHED[kind])})
    for name, score in fit_peers(training, seed).items():
        for recording, is_fault, _ in tested:
            note(name, measures(is_fault, score_rows(score, recording, TIMESTEPS), TIMESTEPS))
    if has_matrix_profile():
        for recording, is_fault, _ in tested:
            note("matrix profile", measures(is_fault, matrix_profile(training_rows, recording, TIMESTEPS), TIMESTEPS))
    return results


def sensor_named(events: Events, parts: list[slice], sensor: int) -> float:
    """Return the share of the found faults whose rarest event blames a sensor most."""
    named = []
    for part in parts:
        over = events.table[(events.table.start < part.stop) & (events.table.end >= part.start)]
        if len(over):
            shares = over.features[over.score.idxmin()]
            named.append(max(shares, key=shares.get) == sensor)
    return float(np.mean(named)) if named else np.nan


if __name__ == "__main__":
    main()
