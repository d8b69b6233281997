"""Checkpoints: the state of a fit in a file, from which the same fit goes on."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from seqembed.files.atomic import write
from seqembed.files.safetensors_file import InvalidFileError, pack, unpack
from seqembed.files.values import DAMAGE, Arrays, Kinds, decoded, encoded, expect, record
from seqembed.inference.model import TrainedModel
from seqembed.training.labels import Labels
from seqembed.training.recipe import Recipe
from seqembed.training.state import TrainingState
from seqembed.training.workers import SetShape, Workers
from seqembed.version import __version__

# Writing takes at most this share of the time, unless a minute has passed.
_LARGEST_SHARE = 1 / 30
_LONGEST_INTERVAL = 60
_KINDS: Kinds = {"TrainingState": record(TrainingState)}


class Checkpoint:
    """The checkpoint of a fit. Worker 0 reads and writes it.

    Parameters
    ----------
    file : str, path-like or None
        Where it lies; None means that there is none. That of worker 0 holds.
    fit : dict of str to object
        The fingerprint of this fit, see `fingerprint`. Its names stand in errors.
    workers : Workers
        All of them.

    Attributes
    ----------
    is_wanted : bool
        Whether there is one.

    Raises
    ------
    ValueError
        For what is no path, a folder, and a file in a folder that does not exist. All workers get the same error.
    """

    def __init__(self, file: Any, fit: dict[str, object], workers: Workers) -> None:
        self._file, self._fit, self._workers = file, fit, workers
        mistake = "" if file is None else _mistake_in_path(file)
        mistake = workers.broadcast_bytes(mistake.encode()).decode()
        if mistake:
            raise ValueError(mistake)
        self._name = workers.broadcast_bytes(b"" if file is None else str(file).encode()).decode()
        self.is_wanted = bool(self._name)
        self._written, self._seconds = time.monotonic(), 0.0

    def read(self) -> TrainingState | None:
        """Read the state to go on from, or None if there is none, or an empty file.

        Raises
        ------
        ValueError
            For a checkpoint of another fit.
        seqembed.InvalidFileError
            A `ValueError`, for a damaged file.
        """
        if not self.is_wanted:
            return None
        is_there = self._workers.rank == 0 and os.path.exists(self._file)
        data = self._workers.broadcast_bytes(Path(self._file).read_bytes() if is_there else b"")
        if not data:
            return None
        try:
            description, arrays = unpack(data)
            if "checkpoint" not in description:
                raise InvalidFileError("Got a file that save wrote.")
            fit, restored = decoded(description["checkpoint"], arrays, _KINDS)
            expect(isinstance(restored, TrainingState), "the state of a fit")
            state: TrainingState = restored
        except DAMAGE as error:
            raise InvalidFileError(
                f"Got checkpoint={self._name!r}, which is no checkpoint or a damaged one: {error} Name "
                f"another file. Remove this one only if it is a checkpoint: training then starts anew."
            ) from error
        # The names that worker 0 finds, so that all raise the same error.
        names = [name for name in self._fit if fit.get(name) != self._fit[name]]
        differing = self._workers.broadcast_bytes(", ".join(names).encode()).decode()
        if differing:
            raise ValueError(
                f"Got checkpoint={self._name!r} of another fit, which differs in {differing}. Remove it, or name "
                f"another file."
            )
        return state

    def write(self, state: TrainingState) -> None:
        """Write a state, if it is time to."""
        started = time.monotonic()
        if self._workers.rank or started - self._written < min(_LONGEST_INTERVAL, self._seconds / _LARGEST_SHARE):
            return
        arrays: Arrays = {}
        write(pack({"checkpoint": encoded((self._fit, state), "checkpoint", arrays, _KINDS)}, arrays), self._file)
        self._written = time.monotonic()
        self._seconds = self._written - started

    def remove(self) -> None:
        """Remove the file, since the fit is over. A file that can't be removed becomes an empty one."""
        if not self.is_wanted or self._workers.rank:
            return
        try:
            Path(self._file).unlink(missing_ok=True)
        except OSError:
            # Its folder may forbid it, or a container mounts the file by itself. An empty file is no checkpoint.
            Path(self._file).write_bytes(b"")


def _mistake_in_path(file: object) -> str:
    """Return the message for a path that can't be written to, and empty text for one that can."""
    if not isinstance(file, (str, os.PathLike)):
        return f"Got checkpoint= of type {type(file).__name__}, expected a path or None."
    path = Path(file).absolute()
    if path.is_dir() or not path.parent.is_dir():
        return f"Got checkpoint={str(file)!r}, expected a file in a folder that exists: pass folder / 'checkpoint'."
    return ""


def fingerprint(
    estimator: BaseEstimator,
    before: TrainedModel | None,
    start: TrainedModel,
    recipe: Recipe,
    shape: SetShape,
    labels: Labels | None = None,
    sample_weight: np.ndarray | None = None,
) -> dict[str, object]:
    """Return the marks of a fit: its settings, its start, and numbers that depend on all values.

    Parameters
    ----------
    estimator : estimator
        To be fitted.
    before : TrainedModel or None
        The fitted model that training goes on from, if there is one.
    start : TrainedModel
        That training starts from.
    recipe : Recipe
        How to train.
    shape : SetShape
        Of the sequences of all workers.
    labels : Labels, default=None
        Those of this worker.
    sample_weight : float64 array of shape (n_samples,), default=None
        That of the sequences of this worker.

    Returns
    -------
    fit : dict of str to object
        By the names that stand in errors.
    """
    parameters = estimator.get_params(deep=False)
    return {
        "version of seqembed": __version__,
        "class": type(estimator).__name__,
        **{f"{name}=": _plain(value) for name, value in parameters.items() if name not in ("n_jobs", "verbose")},
        # Of units in an array, `_plain` keeps the type alone.
        "network": repr(start.network),
        "settings": repr(replace(recipe, n_jobs=None)),
        "number of sequences": list(shape.n_samples),
        "length of sequences": shape.n_timesteps,
        "means of features": start.scaling.means.tolist(),
        "scales of features": start.scaling.scale.tolist(),
        "starting weights": "new" if before is None else _digest(before.weights.values()),
        "y=": "none" if labels is None else _digest(labels),
        "sample_weight=": "none" if sample_weight is None else _digest([sample_weight]),
    }


def _plain(value: object) -> str:
    """Return the part of a parameter that can be compared: of an object, such as a RandomState, only its type."""
    value = value.item() if isinstance(value, np.generic) else value
    is_plain = value is None or isinstance(value, (str, Real, list, tuple))
    return repr(value) if is_plain else type(value).__name__


def _digest(arrays: Iterable[np.ndarray]) -> str:
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
