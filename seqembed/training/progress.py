"""A display of the progress of training."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 10


class Progress:
    """A bar in a terminal or a notebook. Elsewhere, such as in a log file, a line every ten seconds and at the end.

    Parameters
    ----------
    total : int
        Number of steps.
    unit : str, default="epoch"
        Name of a step.

    Examples
    --------
    >>> progress = Progress(2)
    >>> progress.update(2, {"loss": 0.5}, ended=True)
    Epoch 2 of 2, loss: 0.5000, 0 s
    """

    def __init__(self, total: int, unit: str = "epoch"):
        self._total, self._unit = total, unit
        self._started = self._last_line = time.monotonic()
        # A notebook is not a terminal, but it can overwrite a line too.
        overwrites = (sys.stderr is not None and sys.stderr.isatty()) or "ipykernel" in sys.modules
        self._bar = tqdm(total=total, unit=unit, mininterval=0.5) if overwrites else None

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
                self._bar.close()
            return
        now = time.monotonic()
        if ended or now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            shown = "".join(f", {name}: {value:.4f}" for name, value in losses.items())
            print(
                f"{self._unit.capitalize()} {number} of {self._total}{shown}, {now - self._started:.0f} s", flush=True
            )
