"""What share of unseen normal sequences does the detector flag, compared with the share that was asked for?

Four kinds of data: noisy waves of random phase with a sensor that is constant, 40 waves only, waves of 8 to 30
timesteps, and networks that were trained for a fifth of their epochs. A share of .001 is below one over the number of
sequences, so the threshold is extrapolated from the tail of their errors.

A second table asks the same where values are missing: of white noise, of the days of ItalyPowerDemand, and of waves of
two sensors. The detector is fitted on complete sequences.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from alternation import describe_machine

from seqembed import LSTMReconstructor, ReconstructionDetector
from seqembed.datasets import load_italy_power

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


def known_at_random(share: float) -> Callable:
    """Keep a share of the values, at least one."""

    def known(random: np.random.Generator, n_timesteps: int, n_features: int) -> np.ndarray:
        places = random.permutation(n_timesteps * n_features)
        return places.reshape(n_timesteps, n_features) < max(1, round(share * places.size))

    return known


def without_stretch(n_missing: int, place: str = "anywhere") -> Callable:
    """Leave out neighbouring timesteps."""

    def known(random: np.random.Generator, n_timesteps: int, n_features: int) -> np.ndarray:
        last = n_timesteps - n_missing
        start = {"start": 0, "end": last}.get(place, random.integers(last + 1))
        timesteps = np.arange(n_timesteps)
        outside = (timesteps < start) | (timesteps >= start + n_missing)
        return np.tile(outside[:, np.newaxis], n_features)

    return known


def without_sensor(random: np.random.Generator, n_timesteps: int, n_features: int) -> np.ndarray:
    """Leave out a feature."""
    return np.tile(np.arange(n_features) != random.integers(n_features), (n_timesteps, 1))


def noise(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Make white noise."""
    return random.normal(size=(400, 24, 1)), random.normal(size=(N_UNSEEN, 24, 1))


def days(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Divide the days of ItalyPowerDemand at random."""
    X = random.permutation(load_italy_power().data)
    return X[:500], X[500:]


def two_sensors(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Make waves of two sensors."""
    return tuple(np.concatenate([waves(random, n), waves(random, n)], axis=2) for n in (300, N_UNSEEN))


HALF_AN_OUTAGE = {f"10 of 20 missing, {place}": without_stretch(10, place) for place in ("start", "anywhere", "end")}
PATTERNS = {
    "white noise, 24 values, share .01": (
        noise,
        0.01,
        {f"{n} known": known_at_random(n / 24) for n in (24, 12, 6, 3, 1)},
    ),
    "ItalyPowerDemand, 24 hours, share .05": (
        days,
        0.05,
        {
            **{f"{share} % missing at random": known_at_random(1 - share / 100) for share in (0, 5, 10, 20)},
            **{f"{n} hours missing": without_stretch(n) for n in (2, 4, 8)},
        },
    ),
    "waves of two sensors, share .05": (
        two_sensors,
        0.05,
        {
            "complete": known_at_random(1),
            "half missing at random": known_at_random(0.5),
            **HALF_AN_OUTAGE,
            "one sensor silent": without_sensor,
        },
    ),
}


def report_patterns(n_repeats: int) -> None:
    """Print the share of flagged sequences for each pattern of missing values."""
    for name, (make, share, patterns) in PATTERNS.items():
        started, flagged = time.perf_counter(), []
        for seed in range(n_repeats):
            random = np.random.default_rng(seed)
            normal, unseen = make(random)
            network = LSTMReconstructor(4, hidden_units=(8,), epochs=EPOCHS, random_state=seed)
            detector = ReconstructionDetector(network, contamination=share).fit(normal)
            shares = []
            for known in patterns.values():
                masks = np.stack([known(random, *unseen.shape[1:]) for _ in unseen])
                shares.append(np.mean(detector.predict(np.where(masks, unseen, np.nan)) < 0))
            flagged.append(shares)
        print(f"{name}   {time.perf_counter() - started:.0f} s")
        for pattern, mean in zip(patterns, np.mean(flagged, axis=0), strict=True):
            print(f"  {pattern:28s}{mean:9.4f}", flush=True)


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
            scores = detector.score_samples(unseen)
            # The threshold that fit(contamination=share) would have chosen.
            flagged.append([np.mean(scores < detector.set_params(contamination=share).offset_) for share in SHARES])
        shares = "".join(f"{share:9.4f}" for share in np.mean(flagged, axis=0))
        print(f"{name:30s}{shares}   {time.perf_counter() - started:.0f} s", flush=True)
    report_patterns(arguments.repeats)


if __name__ == "__main__":
    main()
