"""The labelled data sets that benchmarks of learning run on, split into training and test part.

A set can also be a file, NAME.npz, with X_train, y_train, X_test and y_test: X of shape (n_samples, n_timesteps,
n_features), padded at the end to lengths_train and lengths_test if it has these.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from seqembed.datasets import load_basic_motions, load_italy_power, load_japanese_vowels


class LabelledSet(NamedTuple):
    """Sequences, as an array or as a list of arrays, and their labels."""

    train: np.ndarray | list[np.ndarray]
    test: np.ndarray | list[np.ndarray]
    train_labels: np.ndarray
    test_labels: np.ndarray


def load_labelled_sets() -> dict[str, LabelledSet]:
    """Load the three labelled sets of seqembed, and scikit-learn's digits read row by row."""
    sets = {}
    for load in (load_basic_motions, load_japanese_vowels, load_italy_power):
        train, test = load(split="train"), load(split="test")
        sets[load.__name__.removeprefix("load_")] = LabelledSet(train.data, test.data, train.target, test.target)
    digits = load_digits()
    sets["digits"] = LabelledSet(
        *train_test_split(
            digits.images.astype(np.float32), digits.target, test_size=0.3, random_state=0, stratify=digits.target
        )
    )
    return sets


def load_labelled_set(name: str) -> LabelledSet:
    """Load one of the sets above by its name, or a file by its path."""
    if not name.endswith(".npz"):
        return load_labelled_sets()[name]
    parts = []
    with np.load(name) as arrays:
        for part in ("train", "test"):
            X = arrays[f"X_{part}"]
            if f"lengths_{part}" in arrays:
                X = [sequence[:length] for sequence, length in zip(X, arrays[f"lengths_{part}"], strict=True)]
            parts.append((X, arrays[f"y_{part}"]))
    (train, train_labels), (test, test_labels) = parts
    return LabelledSet(train, test, train_labels, test_labels)


def scaled_and_padded(
    X: np.ndarray | list[np.ndarray], means: np.ndarray, scales: np.ndarray, n_timesteps: int
) -> np.ndarray:
    """Make one float32 array of shape (n_samples, n_timesteps, n_features), NaN after the end of a sequence."""
    padded = np.full((len(X), n_timesteps, len(means)), np.nan, np.float32)
    for row, sequence in zip(padded, X, strict=True):
        row[: len(sequence)] = (sequence.reshape(len(sequence), -1) - means) / scales
    return padded
