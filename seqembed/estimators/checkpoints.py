"""Checkpoints: the state of a fit in a file, from which the same fit goes on."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator

from seqembed.estimators.saving import encoded
from seqembed.export.persistence import InvalidFileError, pack, unpack, write
from seqembed.sequences.scaling import Scaling
from seqembed.training.loop import TrainingState
from seqembed.training.machines import SetShape, Workers

# Writing takes at most this share of the time, unless a minute has passed.
_LARGEST_SHARE = 1 / 30
_LONGEST_INTERVAL = 60
# Parameters that don't change the result.
_FREE_PARAMETERS = {"n_jobs", "verbose"}


class Checkpoint:
    """The checkpoint of a fit. Worker 0 reads and writes it.

    Parameters
    ----------
    file : str, path-like or None
        Where it lies; None means that there is none. That of worker 0 holds.
    estimator : estimator
        What is fitted.
    scaling : Scaling
        How its sequences are scaled, by which other sequences are told.
    shape : SetShape
        How many sequences the workers have.
    workers : Workers
        All of them.

    Attributes
    ----------
    is_wanted : bool
        Whether there is one.

    Raises
    ------
    TypeError, FileNotFoundError
        For what is no path, and for a folder that does not exist.
    """

    def __init__(self, file, estimator: BaseEstimator, scaling: Scaling, shape: SetShape, workers: Workers):
        if file is not None and not isinstance(file, (str, os.PathLike)):
            raise TypeError(f"Got checkpoint= of type {type(file).__name__}, expected a path or None.")
        if file is not None and not Path(file).absolute().parent.is_dir():
            raise FileNotFoundError(f"Got checkpoint={str(file)!r}, expected a file in a folder that exists.")
        self._file, self._workers = file, workers
        self._fit = _fingerprint(estimator, scaling, shape)
        self.is_wanted = bool(workers.of_first(np.array([file is not None], np.float64))[0])
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
        data = self._workers.bytes_of_first(Path(self._file).read_bytes() if is_there else b"")
        if not data:
            return None
        # It imports the estimators, which import this file.
        from seqembed.estimators.loading import decoded

        try:
            description, arrays = unpack(data)
            fit, state = decoded(description["checkpoint"], arrays)
        except (LookupError, TypeError, ValueError) as error:
            raise InvalidFileError(
                f"Got checkpoint={str(self._file)!r}, which is no checkpoint or a damaged one: {error} Remove it to "
                f"train from the start."
            ) from error
        # What worker 0 says, so that all raise the same error.
        names = [name for name in self._fit if fit.get(name) != self._fit[name]]
        differing = self._workers.bytes_of_first(", ".join(names).encode()).decode()
        if differing:
            raise ValueError(
                f"Got checkpoint={str(self._file)!r} of another fit, which differs in {differing}. Remove it, or name "
                f"another file."
            )
        return state

    def write(self, state: TrainingState) -> None:
        """Write a state, if it is time to."""
        started = time.monotonic()
        if self._workers.rank or started - self._written < min(_LONGEST_INTERVAL, self._seconds / _LARGEST_SHARE):
            return
        arrays = {}
        write(pack({"checkpoint": encoded((self._fit, state), "checkpoint", arrays)}, arrays), self._file)
        self._written = time.monotonic()
        self._seconds = self._written - started

    def remove(self) -> None:
        """Remove the file, since the fit is over."""
        if self.is_wanted and self._workers.rank == 0:
            Path(self._file).unlink(missing_ok=True)


def _fingerprint(estimator: BaseEstimator, scaling: Scaling, shape: SetShape) -> dict:
    """Return what tells one fit from another: parameters, and numbers that depend on all values."""
    parameters = {
        f"{name}=": repr(value) if not hasattr(value, "__dict__") else type(value).__name__
        for name, value in estimator.get_params(deep=False).items()
        if name not in _FREE_PARAMETERS
    }
    return {
        "class": type(estimator).__name__,
        **parameters,
        "number of sequences": list(shape.n_samples),
        "length of sequences": shape.n_timesteps,
        "means of features": scaling.means.tolist(),
        "scales of features": scaling.scale.tolist(),
    }
