"""The state of a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np


@dataclass
class TrainingState:
    """The state of a training run: the loop advances it, and a checkpoint holds it.

    A run that goes on from a saved state gives the same results as a run that was never interrupted, to the bit.

    Parameters
    ----------
    start : float32 array of shape (n_parameters,)
        The weights that training started from.
    first_random : list of numpy.random.Generator
        The generator of each worker as it was before training. The sequences that are held back and the readout are
        drawn from it.
    random : list of numpy.random.Generator
        The generator of each worker. A worker draws from its own. Its copies of the others are those of the last
        checkpoint.
    epoch : int
        Number of epochs so far, that of the present epoch included.
    n_explosions : int
        Number of restarts because the loss exploded.
    peak : float
        Peak of the present schedule of the learning rate.
    scheduled_updates : int
        Length of the present schedule.
    parameters : float32 array of shape (n_parameters,)
        The present weights. An update makes a new array.
    moments : float32 array of shape (2, n_parameters)
        Moments of the gradient. An update writes into them.
    n_updates : int
        Number of updates since the present schedule began.
    best_parameters : float32 array of shape (n_parameters,) or None
        The weights with the lowest loss. None if no loss was finite.
    best_loss : float
        The loss of the best weights.
    best_epoch : int
        The epoch of the best weights.
    first_losses : dict of str to float
        Losses of the starting weights, by name.
    history : dict of str to list of float
        Losses and learning rate, by name, with one entry per epoch.

    Examples
    --------
    >>> import numpy as np
    >>> start, generators = np.zeros(3, np.float32), [np.random.default_rng(0)]
    >>> state = TrainingState(start, generators, generators, 0, 0, 0.01, 100, start, np.zeros((2, 3), np.float32))
    >>> state.offer(state.parameters, loss=0.5, epoch=0)
    >>> state.offer(state.parameters, loss=0.7, epoch=1)
    >>> state.best_loss, state.best_epoch
    (0.5, 0)
    """

    start: np.ndarray
    first_random: list[np.random.Generator]
    random: list[np.random.Generator]
    epoch: int
    n_explosions: int
    peak: float
    scheduled_updates: int
    parameters: np.ndarray
    moments: np.ndarray
    n_updates: int = 0
    best_parameters: np.ndarray | None = None
    best_loss: float = math.inf
    best_epoch: int = 0
    first_losses: dict[str, float] = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)

    def offer(self, parameters: np.ndarray, loss: float, epoch: int) -> None:
        """Keep weights as the best ones if their loss is lower than that of all before.

        Parameters
        ----------
        parameters : float32 array of shape (n_parameters,)
            The weights. Later updates must not write into them.
        loss : float
            Their loss.
        epoch : int
            Their epoch.
        """
        if loss < self.best_loss:
            self.best_parameters, self.best_loss, self.best_epoch = parameters, loss, epoch

    def restart(self, peak: float, scheduled_updates: int) -> None:
        """Go back to the best weights, or to the starting weights if there are none, and begin a new schedule.

        Parameters
        ----------
        peak : float
            Peak of the new schedule of the learning rate.
        scheduled_updates : int
            Length of the new schedule.
        """
        self.parameters = self.start if self.best_parameters is None else self.best_parameters
        self.moments = np.zeros_like(self.moments)
        self.n_updates, self.peak, self.scheduled_updates = 0, peak, scheduled_updates
        self.n_explosions += 1
