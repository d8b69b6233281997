"""Which kinds of faults are found in a recording of four coupled sensors?

The recording is simulated: the speed of a motor wanders, its current follows speed and load, its vibration has an
amplitude that follows the speed, and its temperature follows the current slowly. Faults of one kind at a time are
injected into a recording that no method has seen. Average precision and the area under the ROC curve are by row; all
scores are brought onto the rows in the same way.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from alternation import describe_machine
from bench_embeddings import catch22
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from seqembed import LSTMReconstructor, ReconstructionDetector, detect_events, merge_windows, sliding_windows

TIMESTEPS, STRIDE, N_ROWS, N_FAULTS = 40, 4, 4000, 12
SPEED, CURRENT, VIBRATION, TEMPERATURE = range(4)


def simulate(n_rows: int, random: np.random.Generator) -> np.ndarray:
    """Make a recording of speed, current, vibration and temperature."""
    time = np.arange(n_rows)
    load = 1 + 0.3 * np.sin(2 * np.pi * time / 170 + random.uniform(0, 6))
    speed = 3 + np.sin(2 * np.pi * time / 61 + random.uniform(0, 6)) + 0.5 * np.sin(2 * np.pi * time / 143)
    current = speed * load
    vibration = speed * np.sin(np.cumsum(speed) / 4)
    temperature = np.zeros(n_rows)
    for row in range(1, n_rows):
        temperature[row] = temperature[row - 1] + (current[row] - temperature[row - 1]) / 50
    clean = np.stack([speed, current, vibration, temperature], axis=1)
    return clean + random.normal(0, 0.05, clean.shape) * clean.std(axis=0)


def stuck(part: np.ndarray, recording: np.ndarray, random: np.random.Generator) -> None:
    """Let the speed repeat a value."""
    part[:, SPEED] = part[0, SPEED]


def drift(part: np.ndarray, recording: np.ndarray, random: np.random.Generator) -> None:
    """Let the current drift away by one and a half standard deviations."""
    part[:, CURRENT] += np.linspace(0, 1.5 * recording[:, CURRENT].std(), len(part))


def spike(part: np.ndarray, recording: np.ndarray, random: np.random.Generator) -> None:
    """Put two rows of the temperature three standard deviations off."""
    middle = len(part) // 2
    part[middle : middle + 2, TEMPERATURE] += 3 * recording[:, TEMPERATURE].std()


def phase(part: np.ndarray, recording: np.ndarray, random: np.random.Generator) -> None:
    """Turn the vibration round."""
    part[:, VIBRATION] = part[::-1, VIBRATION].copy()


def coupling(part: np.ndarray, recording: np.ndarray, random: np.random.Generator) -> None:
    """Take the current of another time."""
    start = random.integers(len(recording) - len(part))
    part[:, CURRENT] = recording[start : start + len(part), CURRENT]


FAULTS = {"stuck": stuck, "drift": drift, "spike": spike, "swapped phase": phase, "lost coupling": coupling}


def with_faults(inject: Callable, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Make a recording with faults of one kind, and say which rows hold them."""
    recording = simulate(N_ROWS, random)
    normal, is_fault = recording.copy(), np.zeros(N_ROWS, bool)
    for start in np.arange(N_FAULTS) * (N_ROWS // N_FAULTS) + random.integers(50, 200, N_FAULTS):
        length = random.integers(30, 60)
        inject(recording[start : start + length], normal, random)
        is_fault[start : start + length] = (recording != normal)[start : start + length].any(axis=1)
    return recording, is_fault


def main() -> None:
    """Read the command line and print a table of kinds and methods."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "numpy", "scikit-learn", "pycatch22")))
    training = sliding_windows(simulate(N_ROWS, np.random.default_rng(arguments.seed)), TIMESTEPS, STRIDE).windows
    print(f"{len(training)} windows of {TIMESTEPS} rows to train on; average precision / area under the curve")
    methods = fit_methods(training, arguments.seed)
    print(f"{'':22s}" + "".join(f"{kind:>16s}" for kind in FAULTS) + f"{'mean':>16s}")
    tested = {
        kind: with_faults(inject, np.random.default_rng(arguments.seed + 1 + number))
        for number, (kind, inject) in enumerate(FAULTS.items())
    }
    for name, score_rows in methods.items():
        results = []
        for recording, is_fault in tested.values():
            rare = -score_rows(recording)
            covered = np.isfinite(rare)
            results.append(
                [measure(is_fault[covered], rare[covered]) for measure in (average_precision_score, roc_auc_score)]
            )
        cells = [*results, np.mean(results, axis=0)]
        print(f"{name:22s}" + "".join(f"{f'{first:.2f} / {second:.2f}':>16s}" for first, second in cells), flush=True)


def fit_methods(training: np.ndarray, seed: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Fit each method; return what scores the rows of a recording, low for rare ones."""
    detectors = {
        "detector": ReconstructionDetector(gap=TIMESTEPS // STRIDE, random_state=seed),
        "mahalanobis": ReconstructionDetector(gap=TIMESTEPS // STRIDE, weighting="mahalanobis", random_state=seed),
        "LSTMReconstructor": ReconstructionDetector(LSTMReconstructor(random_state=seed), gap=TIMESTEPS // STRIDE),
    }
    methods = {}
    for name, detector in detectors.items():
        detector.fit(training)
        methods[name] = lambda recording, fitted=detector: detect_events(fitted, recording, TIMESTEPS).row_scores
    scaler = StandardScaler().fit(training.reshape(-1, training.shape[2]))
    flat = flattened(training, scaler)
    pca = PCA(32).fit(flat)
    neighbours = NearestNeighbors(n_neighbors=1).fit(flat)
    forest = IsolationForest(random_state=seed).fit([catch22(window) for window in training])
    methods["PCA-32 error"] = of_windows(
        lambda windows: (
            -np.square(
                flattened(windows, scaler) - pca.inverse_transform(pca.transform(flattened(windows, scaler)))
            ).mean(axis=1)
        )
    )
    methods["nearest neighbour"] = of_windows(
        lambda windows: -neighbours.kneighbors(flattened(windows, scaler))[0][:, 0]
    )
    methods["IsolationForest"] = of_windows(
        lambda windows: forest.score_samples([catch22(window) for window in windows])
    )
    return methods


def flattened(windows: np.ndarray, scaler: StandardScaler) -> np.ndarray:
    """Scale windows and make a vector of each."""
    return scaler.transform(windows.reshape(-1, windows.shape[2])).reshape(len(windows), -1)


def of_windows(score: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Bring scores of windows onto the rows, as the detector does."""

    def score_rows(recording: np.ndarray) -> np.ndarray:
        windows, starts, _ = sliding_windows(recording, TIMESTEPS)
        return merge_windows(score(windows), starts, len(recording), "center", timesteps=TIMESTEPS)

    return score_rows


if __name__ == "__main__":
    main()
