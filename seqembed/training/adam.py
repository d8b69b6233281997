"""Adam with a clipped gradient, and a learning rate that warms up and decays."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

# Kingma and Ba (2015), their defaults.
_FIRST_DECAY, _SECOND_DECAY, _EPSILON = 0.9, 0.999, 1e-7
_LARGEST_NORM = 1.0
_WARM_UP_SHARE = 0.05
_FINAL_RATE_SHARE = 0.01


class Adam:
    """Parameters on their way down, with the two moments of their gradient.

    Parameters
    ----------
    parameters : float32 array of shape (n_parameters,)
        Where to start.
    learning_rate : float
        Peak of the rate: linear warm-up over 5 % of the updates, then cosine decay to 1 % of the peak.
    n_updates : int
        Number of updates that the schedule is laid out for.

    Attributes
    ----------
    parameters : float32 tensor of shape (n_parameters,)
        Where it stands.
    rate : float
        Rate of the last update, 0.0 before the first.

    Examples
    --------
    >>> import numpy as np
    >>> adam = Adam(np.ones(2, np.float32), learning_rate=0.1, n_updates=50)
    >>> for _ in range(50):
    ...     adam.update(2 * adam.parameters)
    >>> bool(np.abs(adam.parameters).max() < 0.1)
    True
    """

    def __init__(self, parameters: np.ndarray, learning_rate: float, n_updates: int):
        self.parameters = tf.constant(parameters)
        self.rate = 0.0
        self._moments = [tf.zeros_like(self.parameters)] * 2
        self._peak, self._n_updates, self._count = learning_rate, n_updates, 0

    def update(self, gradient: tf.Tensor) -> None:
        """Take a step against a gradient of shape (n_parameters,), clipped at norm 1 (Pascanu et al., 2013)."""
        self._count += 1
        self.rate = self._peak * _rate_share(self._count, self._n_updates)
        # Of Adam's two forms, which differ in where epsilon stands, this is Keras's: one factor corrects both biases.
        factor = self.rate * math.sqrt(1 - _SECOND_DECAY**self._count) / (1 - _FIRST_DECAY**self._count)
        step = _step_of(len(gradient))
        self.parameters, *self._moments = step(
            self.parameters, *self._moments, gradient, tf.constant(factor, tf.float32)
        )


def _rate_share(update: int, n_updates: int) -> float:
    warm_up = max(1, round(_WARM_UP_SHARE * n_updates))
    if update <= warm_up:
        return update / warm_up
    decayed = (update - warm_up) / max(1, n_updates - warm_up)
    return _FINAL_RATE_SHARE + (1 - _FINAL_RATE_SHARE) * (1 + math.cos(math.pi * decayed)) / 2


@functools.lru_cache(maxsize=64)
def _step_of(n_parameters: int) -> Callable:
    """Make the step for one number of parameters, compiled: fused, it passes over memory once."""

    @tf.function(autograph=False, jit_compile=True)
    def step(parameters, first, second, gradient, factor):
        gradient = gradient * (_LARGEST_NORM / tf.maximum(tf.norm(gradient), _LARGEST_NORM))
        first = _FIRST_DECAY * first + (1 - _FIRST_DECAY) * gradient
        second = _SECOND_DECAY * second + (1 - _SECOND_DECAY) * tf.square(gradient)
        return parameters - factor * first / (tf.sqrt(second) + _EPSILON), first, second

    return step
