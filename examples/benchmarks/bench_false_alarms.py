"""What share of unseen normal sequences does the detector flag, compared with the share that was asked for?

Four kinds of data: noisy waves of random phase with a sensor that is constant, 40 waves only, waves of 8 to 30
timesteps, and networks that were trained for a fifth of their epochs. A share of .001 is below one over the number of
sequences, so the threshold is extrapolated from the tail of their errors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from alternation import describe_machine

from seqembed import LSTMReconstructor, ReconstructionDetector
from seqembed.estimators.thresholds import exceeded_by_share

SHARES, N_UNSEEN, EPOCHS = (0.05, 0.01, 0.001), 1000, 60


def waves(random: np.random.Generator, n_samples: int, n_timesteps: int = 20) -> np.ndarray:
    """Make noisy waves of random phase."""
    phases = random.uniform(0, 6, (n_samples, 1))
    noise = random.normal(0, 0.1, (n_samples, n_timesteps))
    return (np.sin(np.arange(n_timesteps) / 3 + phases) + noise)[:, :, np.newaxis]


def with_constant(random: np.random.Generator, n_samples: int) -> np.ndarray:
    """Add a sensor that always shows the same value."""
    return np.pad(waves(random, n_samples), ((0, 0), (0, 0), (0, 1)), constant_values=7)


def unequal(random: np.random.Generator, n_samples: int) -> list[np.ndarray]:
    """Cut waves to lengths of 8 to 30 timesteps."""
    lengths = random.integers(8, 31, n_samples)
    return [wave[:length] for wave, length in zip(waves(random, n_samples, 30), lengths, strict=True)]


class Kind(NamedTuple):
    """Data and training of a row of the table."""

    make: Callable[[np.random.Generator, int], np.ndarray | list[np.ndarray]]
    n_samples: int
    epochs: int


KINDS = {
    "300 waves and a constant": Kind(with_constant, 300, EPOCHS),
    "40 waves": Kind(waves, 40, EPOCHS),
    "300 of 8 to 30 timesteps": Kind(unequal, 300, EPOCHS),
    "300, a fifth of the epochs": Kind(waves, 300, EPOCHS // 5),
}


def main() -> None:
    """Read the command line and print a line for each kind of data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "numpy", "scikit-learn")))
    print(f"{f'flagged of {N_UNSEEN}, mean of {arguments.repeats}':30s}" + "".join(f"{share:>9}" for share in SHARES))
    for name, kind in KINDS.items():
        started, flagged = time.perf_counter(), []
        for seed in range(arguments.repeats):
            random = np.random.default_rng(seed)
            normal, unseen = kind.make(random, kind.n_samples), kind.make(random, N_UNSEEN)
            network = LSTMReconstructor(4, hidden_units=(8,), epochs=kind.epochs, random_state=seed)
            detector = ReconstructionDetector(network).fit(normal)
            errors = -detector.score_samples(unseen)
            # The threshold that fit(contamination=share) would have chosen.
            flagged.append([np.mean(errors > exceeded_by_share(-detector.heldout_scores_, share)) for share in SHARES])
        shares = "".join(f"{share:9.4f}" for share in np.mean(flagged, axis=0))
        print(f"{name:30s}{shares}   {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
