"""The gradient of a batch: by the path that finishes first, in shards whose gradients are added up."""

from __future__ import annotations

import functools
import math
from concurrent.futures import Executor

import joblib
import numpy as np

from seqembed.network.architecture import Network
from seqembed.training.gradient import numpy_gradient

# Larger shards gain nothing and hold more memory. Smaller ones waste the vector units: on one thread, shards of 16 take
# a tenth longer than those of 64, and shards of 8 a third longer, which only pays where there would be no second shard.
_LARGEST_SHARD = 128
_SMALLEST_SHARD, _SMALLEST_OF_TWO_SHARDS = 16, 8
# Half of it to compile a layer, half its share of importing TensorFlow, which takes two to four seconds, but only once.
_SECONDS_TO_COMPILE_A_LAYER = 1.0
# What a compiled update saves at each timestep: an amount for each layer, and one for each state of each sequence,
# fitted to the times of an update that `bench_training.py --crossover` prints.
_SECONDS_SAVED_BY_LAYER = 35e-6
_SECONDS_SAVED_BY_STATE = 50e-9


class BatchGradient:
    """Computes the loss and its gradient for batches of one shape.

    Where there are enough of them, batches are compiled by TensorFlow and cut into shards that run on threads. How many
    is told by the size of a batch and the cores that the process may run on (by affinity and the limits of a
    container), so that `n_jobs` changes no result. Where there are fewer, they are computed in NumPy and done before
    TensorFlow would be imported. On a GPU a batch is not cut.

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
        if _is_worth_compiling(network, n_timesteps, batch_size, n_updates):
            # TensorFlow takes seconds and hundreds of megabytes to import.
            from seqembed.training.gradient import tensorflow_gradient

            on_gpu = tensorflow_gradient.sees_gpu()
            self._compute = tensorflow_gradient.make_loss_and_gradient(network, on_gpu=on_gpu)
            n_shards = 1 if on_gpu else _count_shards(batch_size)
            self._map = pool.map
        else:
            self._compute = functools.partial(numpy_gradient.loss_and_gradient, network)
            n_shards = math.ceil(batch_size / _LARGEST_SHARD)
            # On threads, its many small steps would wait for the interpreter's lock.
            self._map = map
        self._rows_per_shard = math.ceil(batch_size / n_shards)

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
        shards = self._shards(sequences.transpose(1, 0, 2), lengths, value_weight.transpose(1, 0, 2))
        results = self._map(lambda shard: self._compute(parameters, *shard), shards)
        losses, gradients = zip(*results, strict=True)
        return sum(losses), functools.reduce(np.add, gradients)

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
            yield shard, ends, weight


def _is_worth_compiling(network: Network, n_timesteps: int, batch_size: int, n_updates: int) -> bool:
    layers = (*network.encoder, *network.decoder)
    n_states = batch_size * sum(layer.units for layer in layers)
    saved_by_timestep = _SECONDS_SAVED_BY_LAYER * len(layers) + _SECONDS_SAVED_BY_STATE * n_states
    return n_updates * n_timesteps * saved_by_timestep >= _SECONDS_TO_COMPILE_A_LAYER * len(layers)


def _count_shards(batch_size: int) -> int:
    """Count the shards: as many for each core, unless they would become too small."""
    n_cores = joblib.cpu_count()
    n_rounds = math.ceil(batch_size / (_LARGEST_SHARD * n_cores))
    most = max(min(2, batch_size // _SMALLEST_OF_TWO_SHARDS), batch_size // _SMALLEST_SHARD)
    return max(1, min(n_rounds * n_cores, most))
