"""A display of the progress of training."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 10
# The first line comes as soon as the rest is known to take longer than this.
_LONG_REST = 60
# The first step also imports and compiles. If it takes less time than this, it says little about the others.
_LONG_STEP = 30


class Progress:
    """A bar in a terminal or a notebook. Elsewhere, such as in a log file, a line every ten seconds and at the end.

    Both say how long the rest will take. A line does so after the second step, or after a first one of half a minute.
    If the rest takes more than a minute, the first line comes then.

    Parameters
    ----------
    total : int
        Number of steps.
    unit : str, default="epoch"
        Name of a step.
    done : int, default=0
        Steps of an earlier run that this one goes on from.

    Examples
    --------
    >>> progress = Progress(2)
    >>> progress.update(2, {"loss": 0.5}, ended=True)
    Epoch 2 of 2, loss: 0.5000, 0 s
    >>> progress.close()
    """

    def __init__(self, total: int, unit: str = "epoch", done: int = 0):
        self._total, self._unit, self._done = total, unit, done
        self._started = self._last_line = time.monotonic()
        # When the first step ended.
        self._first_step: float | None = None
        self._rest_is_told = False
        # A notebook is not a terminal, but it can overwrite a line too.
        overwrites = (sys.stderr is not None and sys.stderr.isatty()) or "ipykernel" in sys.modules
        self._bar = tqdm(total=total, initial=done, unit=unit, mininterval=0.5) if overwrites else None

    def update(self, number: int, losses: dict[str, float], *, ended: bool) -> None:
        """Show the losses of a step.

        Parameters
        ----------
        number : int
            Number of the step, counted from 1.
        losses : dict of str to float
            Losses by name.
        ended : bool
            Whether this is the last step.
        """
        if self._bar is not None:
            self._bar.set_postfix({name: f"{value:.4f}" for name, value in losses.items()}, refresh=False)
            self._bar.update(number - self._bar.n)
            if ended:
                self.close()
            return
        now = time.monotonic()
        left = self._seconds_left(number, now)
        is_first_long = left is not None and left > _LONG_REST and not self._rest_is_told
        if ended or is_first_long or now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            shown = "".join(f", {name}: {value:.4f}" for name, value in losses.items())
            rest = ""
            if left is not None and not ended:
                rest, self._rest_is_told = f", about {_duration(left)} left", True
            line = f"{self._unit.capitalize()} {number} of {self._total}{shown}, {now - self._started:.0f} s{rest}"
            print(line, flush=True)

    def close(self) -> None:
        """End the line of the bar, if an interrupted step left it open."""
        if self._bar is not None:
            self._bar.close()

    def _seconds_left(self, number: int, now: float) -> float | None:
        """Estimate the time until the last step, or return None if it is unknown."""
        if self._first_step is None:
            self._first_step = now
            seconds = now - self._started
            return seconds * (self._total - number) if seconds >= _LONG_STEP else None
        return (now - self._first_step) / (number - self._done - 1) * (self._total - number)


def _duration(seconds: float) -> str:
    """Write a duration in words.

    Examples
    --------
    >>> [_duration(seconds) for seconds in (40.2, 89, 100, 3600, 9000)]
    ['40 s', '89 s', '2 min', '60 min', '2.5 h']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
