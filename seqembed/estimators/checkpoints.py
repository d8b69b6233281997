"""Checkpoints: the state of a fit in a file, from which the same fit goes on."""

from __future__ import annotations

import os
import time
from pathlib import Path

from seqembed.estimators.saving import encoded
from seqembed.export.persistence import InvalidFileError, pack, unpack, write
from seqembed.training.state import TrainingState
from seqembed.training.workers import Workers

# Writing takes at most this share of the time, unless a minute has passed.
_LARGEST_SHARE = 1 / 30
_LONGEST_INTERVAL = 60


class Checkpoint:
    """The checkpoint of a fit. Worker 0 reads and writes it.

    Parameters
    ----------
    file : str, path-like or None
        Where it lies; None means that there is none. That of worker 0 holds.
    fit : dict of str to object
        What tells this fit from others, of what `seqembed.estimators.saving.encoded` knows, by what it is called in an
        error.
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

    def __init__(self, file, fit: dict[str, object], workers: Workers):
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
        # It imports the estimators, which import this file.
        from seqembed.estimators.loading import decoded

        try:
            description, arrays = unpack(data)
            fit, state = decoded(description["checkpoint"], arrays)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InvalidFileError(
                f"Got checkpoint={self._name!r}, which is no checkpoint or a damaged one: {error} Remove it to "
                f"train from the start."
            ) from error
        # What worker 0 says, so that all raise the same error.
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
        arrays = {}
        write(pack({"checkpoint": encoded((self._fit, state), "checkpoint", arrays)}, arrays), self._file)
        self._written = time.monotonic()
        self._seconds = self._written - started

    def remove(self) -> None:
        """Remove the file, since the fit is over."""
        if self.is_wanted and self._workers.rank == 0:
            Path(self._file).unlink(missing_ok=True)


def _mistake_in_path(file) -> str:
    """Say what is wrong with a path, in an empty string if nothing is."""
    if not isinstance(file, (str, os.PathLike)):
        return f"Got checkpoint= of type {type(file).__name__}, expected a path or None."
    path = Path(file).absolute()
    if path.is_dir() or not path.parent.is_dir():
        return f"Got checkpoint={str(file)!r}, expected a file in a folder that exists: pass folder / 'checkpoint'."
    return ""
