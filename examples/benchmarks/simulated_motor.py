"""A simulated recording of four coupled sensors of a motor, with faults of several kinds.

The speed wanders, the current follows speed and load, the vibration has an amplitude that follows the speed, and the
temperature follows the current slowly.
"""

from __future__ import annotations

import numpy as np

SENSORS = ("speed", "current", "vibration", "temperature")
SPEED, CURRENT, VIBRATION, TEMPERATURE = range(4)


def simulate(n_rows: int, random: np.random.Generator) -> np.ndarray:
    """Make a recording of shape (n_rows, 4)."""
    time = np.arange(n_rows)
    load = 1 + 0.3 * np.sin(2 * np.pi * time / 170 + random.uniform(0, 6))
    speed = 3 + np.sin(2 * np.pi * time / 61 + random.uniform(0, 6)) + 0.5 * np.sin(2 * np.pi * time / 143)
    current = speed * load
    vibration = speed * np.sin(np.cumsum(speed) / 4)
    # Without a warm machine at the start, the first windows would be unlike all others.
    temperature = np.full(n_rows, current.mean())
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
    """Reverse the vibration in time."""
    part[:, VIBRATION] = part[::-1, VIBRATION].copy()


def coupling(part: np.ndarray, recording: np.ndarray, random: np.random.Generator) -> None:
    """Take the current of another time."""
    start = random.integers(len(recording) - len(part))
    part[:, CURRENT] = recording[start : start + len(part), CURRENT]


# The sensor that each kind of fault touches.
TOUCHED = {"stuck": SPEED, "drift": CURRENT, "spike": TEMPERATURE, "swapped phase": VIBRATION, "lost coupling": CURRENT}
FAULTS = {"stuck": stuck, "drift": drift, "spike": spike, "swapped phase": phase, "lost coupling": coupling}


def with_faults(
    kinds: list[str], n_rows: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, list[slice]]:
    """Make a recording with a fault for each of `kinds`, in that order.

    Returns
    -------
    recording : float array of shape (n_rows, 4)
    is_fault : bool array of shape (n_rows,)
    parts : list of slice
        The rows of each fault.
    """
    recording = simulate(n_rows, random)
    normal, is_fault, parts = recording.copy(), np.zeros(n_rows, bool), []
    starts = np.arange(len(kinds)) * (n_rows // len(kinds)) + random.integers(50, 200, len(kinds))
    for kind, start in zip(kinds, starts, strict=True):
        part = slice(int(start), int(start + random.integers(30, 60)))
        FAULTS[kind](recording[part], normal, random)
        is_fault[part] = (recording != normal)[part].any(axis=1)
        parts.append(part)
    return recording, is_fault, parts
