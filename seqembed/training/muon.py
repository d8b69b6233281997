"""Muon, the optimiser: matrices of the LSTM layers move in orthogonal steps, biases and the output layer as in Adam."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from seqembed.network import Network

# Jordan et al. (2024): momentum, and the coefficients of the iteration that makes a matrix nearly orthogonal.
_MOMENTUM = 0.95
_ORTHOGONAL = (3.4445, -4.7750, 2.0315)
# Of the usual five, the last two cost two fifths of the time and change nothing in what is learned.
_ITERATIONS = 3
# Liu et al. (2025): the root mean square of a step, that of a typical step of Adam, so that one rate suits both.
_STEP_SIZE = 0.2
# Kingma and Ba (2015), their defaults.
_FIRST_DECAY, _SECOND_DECAY, _EPSILON = 0.9, 0.999, 1e-7
_LARGEST_NORM = 1.0


class Muon:
    """Weights on their way down, with the moments of their gradient.

    The gradient is clipped at norm 1 (Pascanu et al., 2013). The kernels and recurrent kernels of the LSTM layers
    take a step of which all singular values are nearly equal, so that rare directions are learned as fast as frequent
    ones; all other weights take a step of Adam. The same loss is reached in far fewer updates than with Adam alone.

    Parameters
    ----------
    network : Network
        The sizes.
    parameters : float32 array of shape (n_parameters,)
        Where to start: all weights, flat, in the order of ``network.weight_shapes``.
    rate_of : callable
        Takes the number of an update, from 1 on, and returns its learning rate.
    moments : float32 array of shape (2, n_parameters), default=None
        Moments of the gradient from updates before, if there were any.
    n_updates : int, default=0
        How many there were.

    Attributes
    ----------
    parameters : float32 tensor of shape (n_parameters,)
        Where it stands.
    moments : list of two float32 tensors of shape (n_parameters,)
        Of the gradient.
    n_updates : int
        How many updates were made.
    rate : float
        Learning rate of the last one, 0.0 before the first.

    References
    ----------
    K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024).
    J. Liu et al., "Muon is scalable for LLM training" (2025).
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization" (2015).

    Examples
    --------
    >>> import numpy as np
    >>> network = Network(n_features=1, n_components=2, hidden_units=())
    >>> muon = Muon(network, np.ones(network.n_parameters, np.float32), lambda update: 2 / update)
    >>> for _ in range(200):
    ...     muon.update(2 * muon.parameters)
    >>> bool(np.abs(muon.parameters).max() < 0.1)
    True
    """

    def __init__(
        self,
        network: Network,
        parameters: np.ndarray,
        rate_of: Callable[[int], float],
        moments: np.ndarray | None = None,
        n_updates: int = 0,
    ):
        self.parameters = tf.constant(parameters)
        self.moments = [tf.zeros_like(self.parameters)] * 2 if moments is None else [tf.constant(m) for m in moments]
        self.n_updates, self.rate = n_updates, 0.0
        self._rate_of = rate_of
        self._step = _step_of(network)

    def update(self, gradient: tf.Tensor) -> None:
        """Take a step against a gradient of shape (n_parameters,)."""
        self.n_updates += 1
        self.rate = self._rate_of(self.n_updates)
        # Of Adam's two forms, which differ in where epsilon stands, this is Keras's: one factor corrects both biases.
        correction = math.sqrt(1 - _SECOND_DECAY**self.n_updates) / (1 - _FIRST_DECAY**self.n_updates)
        rates = (tf.constant(rate, tf.float32) for rate in (self.rate, self.rate * correction))
        self.parameters, *self.moments = self._step(self.parameters, *self.moments, gradient, *rates)


@functools.lru_cache(maxsize=64)
def _step_of(network: Network) -> Callable:
    """Make the step of a network once for all fits in this process."""
    shapes = network.weight_shapes
    sizes = [math.prod(shape) for shape in shapes.values()]
    layers = (*network.encoder, *network.decoder)
    matrices = {name for layer in layers for name, shape in layer.weight_shapes.items() if len(shape) == 2}

    # Not compiled: most of the time goes into products, which TensorFlow itself spreads over the cores.
    @tf.function(autograph=False)
    def step(parameters, first, second, gradient, rate, adam_rate):
        gradient = gradient * (_LARGEST_NORM / tf.maximum(tf.norm(gradient), _LARGEST_NORM))
        split = (tf.split(each, sizes) for each in (parameters, first, second, gradient))
        moved = [
            _muon_step(*weight, rate, shapes[name]) if name in matrices else _adam_step(*weight, adam_rate)
            for name, *weight in zip(shapes, *split, strict=True)
        ]
        return [tf.concat(each, axis=0) for each in zip(*moved, strict=True)]

    return step


def _muon_step(parameters, momentum, unused, gradient, rate, shape: tuple[int, int]) -> tuple[tf.Tensor, ...]:
    momentum = _MOMENTUM * momentum + gradient
    # Nesterov's form: the momentum as it will be after the next step, were the gradient to stay.
    ahead = tf.reshape(gradient + _MOMENTUM * momentum, shape)
    direction = tf.reshape(_orthogonalized(ahead), [-1])
    return parameters - rate * _STEP_SIZE * math.sqrt(max(shape)) * direction, momentum, unused


def _orthogonalized(matrix: tf.Tensor) -> tf.Tensor:
    """Bring all singular values of a matrix near 1, by Newton and Schulz's iteration."""
    a, b, c = _ORTHOGONAL
    n_rows, n_columns = matrix.shape
    matrix = tf.transpose(matrix) if n_rows > n_columns else matrix
    matrix = matrix / (tf.norm(matrix) + _EPSILON)
    for _ in range(_ITERATIONS):
        gram = tf.matmul(matrix, matrix, transpose_b=True)
        matrix = a * matrix + tf.matmul(b * gram + c * tf.matmul(gram, gram), matrix)
    return tf.transpose(matrix) if n_rows > n_columns else matrix


def _adam_step(parameters, first, second, gradient, rate) -> tuple[tf.Tensor, ...]:
    first = _FIRST_DECAY * first + (1 - _FIRST_DECAY) * gradient
    second = _SECOND_DECAY * second + (1 - _SECOND_DECAY) * tf.square(gradient)
    return parameters - rate * first / (tf.sqrt(second) + _EPSILON), first, second
