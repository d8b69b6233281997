"""The gradient of a batch: the batch is cut into shards, whose gradients are computed on threads and added up."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np
import tensorflow as tf

from seqembed.network import Network
from seqembed.training import cudnn, lstm

# Larger shards outgrow the cache; fewer sequences a shard waste the vector units.
_LARGEST_SHARD = 64
_SMALLEST_SHARD = 8
# Compiling costs about a second more than tracing, and saves at every timestep of every update an amount that grows
# with the batch: measured by `bench_training.py --crossover`.
_COMPILING_PAYS_FROM = 2300
_BATCH_THAT_DOUBLES_THE_SAVING = 40


class BatchGradient:
    """Computes the loss and its gradient for batches of one shape.

    A batch that is compiled is cut into shards by its size alone, so that the number of threads changes no result. One
    that is not worth compiling, or that goes to a GPU, is not cut.

    Parameters
    ----------
    network : Network
        The sizes.
    n_timesteps : int
        Length of the sequences, padding included.
    batch_size : int
        Sequences per batch.
    n_updates : int
        How many batches there will be at most: few are not worth a compilation.
    pool : concurrent.futures.Executor
        Threads to run shards on.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import numpy as np
    >>> network = Network(n_features=1, n_components=2, hidden_units=())
    >>> parameters = np.zeros(network.n_parameters, np.float32)
    >>> sequences, value_weight = np.ones((4, 3, 1), np.float32), np.full((4, 1, 1), 1 / 12, np.float32)
    >>> with ThreadPoolExecutor() as pool:
    ...     batch_gradient = BatchGradient(network, n_timesteps=3, batch_size=4, n_updates=1, pool=pool)
    ...     loss, gradient = batch_gradient(parameters, sequences, np.full(4, 3), value_weight)
    >>> loss, gradient.shape
    (1.0, (75,))
    """

    def __init__(self, network: Network, n_timesteps: int, batch_size: int, n_updates: int, pool: Executor):
        on_gpu = bool(tf.config.list_physical_devices("GPU"))
        saving = n_updates * n_timesteps * (1 + batch_size / _BATCH_THAT_DOUBLES_THE_SAVING)
        compiled = not on_gpu and saving >= _COMPILING_PAYS_FROM
        n_shards = (
            max(min(2, batch_size // _SMALLEST_SHARD), math.ceil(batch_size / _LARGEST_SHARD), 1) if compiled else 1
        )
        self._rows_per_shard = math.ceil(batch_size / n_shards)
        self._function = _loss_and_gradient(network, cudnn.lstm if on_gpu else lstm.lstm, compiled)
        self._pool = pool

    def __call__(
        self, parameters: np.ndarray, sequences: np.ndarray, lengths: np.ndarray, value_weight: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Return the weighted sum of the squared errors of all values, and its gradient by all weights.

        Parameters
        ----------
        parameters : float32 array of shape (n_parameters,)
            All weights, flat, in the order of ``network.weight_shapes``.
        sequences : float32 array of shape (batch_size, n_timesteps, n_features)
            The batch.
        lengths : int array of shape (batch_size,)
            Timesteps of each sequence before its padding.
        value_weight : float32 array of shape (batch_size, n_timesteps, n_features) or (batch_size, 1, 1)
            Weight of each value, or of all values of a sequence; a weight of 0 leaves values out.
        """
        shards = list(self._shards(sequences.transpose(1, 0, 2), lengths, value_weight.transpose(1, 0, 2)))
        parameters = tf.constant(parameters)
        results = list(self._pool.map(lambda shard: self._function(parameters, *shard), shards))
        losses, gradients = zip(*results, strict=True)
        return sum(map(float, losses)), functools.reduce(np.add, [gradient.numpy() for gradient in gradients])

    def _shards(self, sequences: np.ndarray, lengths: np.ndarray, value_weight: np.ndarray):
        rows = self._rows_per_shard
        for start in range(0, len(lengths), rows):
            chosen = slice(start, start + rows)
            shard, ends, weight = sequences[:, chosen], lengths[chosen], value_weight[:, chosen]
            missing = rows - len(ends)
            # Every shard has one shape, since each shape would cost a compilation of its own.
            if missing:
                shard, weight = (np.pad(each, ((0, 0), (0, missing), (0, 0))) for each in (shard, weight))
                ends = np.pad(ends, (0, missing), constant_values=1)
            yield tf.constant(shard), tf.constant(ends, tf.int32), tf.constant(weight)


@functools.lru_cache(maxsize=64)
def _loss_and_gradient(network: Network, run_layer: Callable, compiled: bool) -> Callable:
    """Make the function of a network once for all fits in this process; TensorFlow keeps one version a shape."""

    @tf.function(autograph=False, jit_compile=compiled)
    def loss_and_gradient(parameters, sequences, lengths, value_weight):
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            reconstruction = lstm.reconstruct(network, _split(network, parameters), sequences, lengths, run_layer)
            loss = tf.reduce_sum(tf.square(reconstruction - sequences) * value_weight)
        return loss, tape.gradient(loss, parameters)

    return loss_and_gradient


def _split(network: Network, parameters: tf.Tensor) -> dict[str, tf.Tensor]:
    shapes = network.weight_shapes
    parts = tf.split(parameters, [math.prod(shape) for shape in shapes.values()])
    return {name: tf.reshape(part, shapes[name]) for name, part in zip(shapes, parts, strict=True)}
