"""Loaders of the data sets in ``data/``.

Each data set is an .npz file. The .rst file of the same name describes it, and the loader returns its text as `DESCR`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, TypeAlias

import numpy as np
from sklearn.utils import Bunch

# An array, or a list of arrays where lengths differ.
Data: TypeAlias = np.ndarray | list[np.ndarray]

_DATA = files(__package__) / "data"


def load_basic_motions(*, split: str | None = None, return_X_y: bool = False) -> Bunch | tuple[Data, np.ndarray]:
    """Load BasicMotions: four activities recorded by a smart watch, 80 sequences of 100 timesteps and 6 features.

    Parameters
    ----------
    split : {"train", "test"} or None, default=None
        "train" loads the training part of the archive, 40 sequences. "test" loads its test part, 40 sequences.
        None loads both parts, the training part first.
    return_X_y : bool, default=False
        Whether to return only the arrays ``(data, target)``.

    Returns
    -------
    data : Bunch
        With `data`, float32 (n_samples, 100, 6); `target`, int64 (n_samples,); `target_names`; `feature_names`;
        `DESCR`.

    Raises
    ------
    ValueError
        For an unknown `split`.

    Examples
    --------
    >>> motions = load_basic_motions()
    >>> motions.data.shape, motions.target_names.tolist()
    ((80, 100, 6), ['Badminton', 'Running', 'Standing', 'Walking'])
    """
    return _labelled_sequences(
        "basic_motions",
        split,
        return_X_y,
        feature_names=[f"{sensor}_{axis}" for sensor in ("accelerometer", "gyroscope") for axis in "xyz"],
    )


def load_japanese_vowels(*, split: str | None = None, return_X_y: bool = False) -> Bunch | tuple[Data, np.ndarray]:
    """Load JapaneseVowels: nine speakers say /ae/, 640 sequences of 7 to 29 timesteps and 12 features.

    Parameters
    ----------
    split : {"train", "test"} or None, default=None
        "train" loads the training part of the archive, 270 sequences. "test" loads its test part, 370 sequences.
        None loads both parts, the training part first.
    return_X_y : bool, default=False
        Whether to return only the arrays ``(data, target)``.

    Returns
    -------
    data : Bunch
        With `data`, a list of float32 arrays (n_timesteps, 12); `target`, int64 (n_samples,); `target_names`;
        `feature_names`; `DESCR`.

    Raises
    ------
    ValueError
        For an unknown `split`.

    Examples
    --------
    >>> vowels = load_japanese_vowels(split="train")
    >>> len(vowels.data), vowels.data[0].shape, vowels.data[1].shape
    (270, (20, 12), (26, 12))
    """
    return _labelled_sequences(
        "japanese_vowels", split, return_X_y, feature_names=[f"lpc_cepstrum_{number}" for number in range(1, 13)]
    )


def load_italy_power(*, split: str | None = None, return_X_y: bool = False) -> Bunch | tuple[Data, np.ndarray]:
    """Load ItalyPowerDemand: electricity demand on 1096 days, 24 timesteps of one feature.

    Parameters
    ----------
    split : {"train", "test"} or None, default=None
        "train" loads the training part of the archive, 67 sequences. "test" loads its test part, 1029 sequences.
        None loads both parts, the training part first.
    return_X_y : bool, default=False
        Whether to return only the arrays ``(data, target)``.

    Returns
    -------
    data : Bunch
        With `data`, float32 (n_samples, 24, 1); `target`, int64 (n_samples,); `target_names`; `feature_names`;
        `DESCR`.

    Raises
    ------
    ValueError
        For an unknown `split`.

    Examples
    --------
    >>> X, y = load_italy_power(split="train", return_X_y=True)
    >>> X.shape, y.shape
    ((67, 24, 1), (67,))
    """
    return _labelled_sequences("italy_power", split, return_X_y, feature_names=["demand"])


def load_mitdb(*, return_X_y: bool = False) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load an electrocardiogram with one labelled rare event: 7500 rows of one feature.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return only the arrays ``(data, target)``.

    Returns
    -------
    data : Bunch
        With `data`, float32 (7500, 1); `target`, int64 (7500,), 1 in the rows of the event; `train_end`, the number of
        training rows, which come first and hold no event; `sampling_rate` in hertz; `feature_names`; `DESCR`.

    Examples
    --------
    >>> recording = load_mitdb()
    >>> recording.data.shape, recording.train_end
    ((7500, 1), 5000)
    """
    with _arrays("mitdb") as arrays:
        data, target = arrays["series"], arrays["labels"].astype(np.int64)
        train_end, sampling_rate = int(arrays["train_end"]), float(arrays["fs"])
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        train_end=train_end,
        sampling_rate=sampling_rate,
        feature_names=["ecg"],
        DESCR=_description("mitdb"),
    )


def load_ecg() -> Bunch:
    """Load five minutes of an electrocardiogram: 108,000 rows of one feature, without labels.

    Returns
    -------
    data : Bunch
        With `data`, float32 (108000, 1) in millivolts; `sampling_rate` in hertz; `feature_names`; `DESCR`.

    Examples
    --------
    >>> recording = load_ecg()
    >>> recording.data.shape, recording.sampling_rate
    ((108000, 1), 360.0)
    """
    with _arrays("ecg") as arrays:
        return Bunch(
            data=arrays["series"],
            sampling_rate=float(arrays["fs"]),
            feature_names=["ecg"],
            DESCR=_description("ecg"),
        )


def _labelled_sequences(
    name: str, split: str | None, return_X_y: bool, feature_names: list[str]
) -> Bunch | tuple[Data, np.ndarray]:
    if split not in ("train", "test", None):
        raise ValueError(f"Got split={split!r}, expected 'train', 'test' or None for both.")
    parts = ("train", "test") if split is None else (split,)
    with _arrays(name) as arrays:
        data: Data = np.concatenate([arrays[f"X_{part}"] for part in parts])
        target = np.concatenate([arrays[f"y_{part}"] for part in parts])
        target_names = arrays["classes"]
        if f"lengths_{parts[0]}" in arrays:
            lengths = np.concatenate([arrays[f"lengths_{part}"] for part in parts])
            data = [sequence[:length].copy() for sequence, length in zip(data, lengths, strict=True)]
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=target_names,
        feature_names=feature_names,
        DESCR=_description(name),
    )


@contextmanager
def _arrays(name: str) -> Iterator[Any]:
    # An installed package need not be a folder of files.
    with (_DATA / f"{name}.npz").open("rb") as file, np.load(file) as arrays:
        yield arrays


def _description(name: str) -> str:
    return (_DATA / f"{name}.rst").read_text(encoding="utf-8")
