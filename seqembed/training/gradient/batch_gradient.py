"""The loss of a batch with its gradient, in NumPy or TensorFlow, whichever takes less time."""

from __future__ import annotations

import functools
import importlib.util
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor

import joblib
import numpy as np

from seqembed.extras import tensorflow_needed
from seqembed.network.architecture import Network
from seqembed.training.gradient import numpy_gradient
from seqembed.training.readout import Targets

# Larger shards are not faster and need more memory. Smaller shards waste the vector units: on one thread, shards of 16
# take a tenth longer than those of 64, and shards of 8 a third longer. Shards of 8 are only used to have two shards at
# all.
_LARGEST_SHARD = 128
_SMALLEST_SHARD, _SMALLEST_OF_TWO_SHARDS = 16, 8
# Half a second to compile the layer, and half a second as its share of the import of TensorFlow.
_SECONDS_TO_COMPILE_A_LAYER = 1.0
# Time that a compiled update saves at each step, for each layer and for each state of each sequence. Both are fitted to
# the times of an update that `bench_training.py --crossover` prints.
_SECONDS_SAVED_BY_LAYER = 35e-6
_SECONDS_SAVED_BY_STATE = 50e-9


# Steps, lengths, weights of the values, targets of the readout and their weights, contexts, components, loadings, and
# what the encoder reads if it does not read the steps.
Shard = tuple[np.ndarray, ...]
# Loss, loss of the readout, and gradient.
Result = tuple[float, float, np.ndarray]

_tensorflow_was_forked = False


def _look_for_tensorflow() -> None:
    global _tensorflow_was_forked
    _tensorflow_was_forked = "tensorflow" in sys.modules


# A forked child lacks TensorFlow's threads. It would wait for them for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_look_for_tensorflow)


@functools.cache
def _has_tensorflow() -> bool:
    """Return whether TensorFlow is installed. Warn once if it is not."""
    if importlib.util.find_spec("tensorflow") is not None:
        return True
    warnings.warn(
        "TensorFlow, which compiles fits as long as this one, is not installed. The fit runs in NumPy, which takes "
        "about three times as long: pip install tensorflow.",
        UserWarning,
        stacklevel=2,
    )
    return False


class BatchGradient:
    """Computes the loss and its gradient for batches of one shape.

    If there are enough batches, TensorFlow compiles the gradient, and batches are cut into shards that run on threads.
    The number of shards depends on the size of a batch and on the cores that the process may run on (by affinity and by
    the limits of a container). So `n_jobs` does not change the results. On a GPU a batch is not cut.

    If there are fewer batches, NumPy computes them in less time than the import of TensorFlow takes. NumPy also
    computes them in a process that was forked from one with TensorFlow in memory, because such a process lacks
    TensorFlow's threads.

    Parameters
    ----------
    network : Network
        Its architecture.
    shapes : dict of str to tuple of int
        Name and shape of every weight, those of a readout included.
    n_timesteps : int
        Length of the sequences, padding to whole patches included.
    batch_size : int
        Sequences per batch.
    n_updates : int
        Expected number of batches. Compiling saves time only for many.
    pool : concurrent.futures.Executor
        Threads that run the shards.
    loadings : float32 array of shape (shortcut_size, n_timesteps, n_features), default=None
        Those of the shortcut, if the network has one.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import numpy as np
    >>> network = Network(n_features=1, n_components=2, hidden_units=())
    >>> parameters = np.zeros(network.n_parameters, np.float32)
    >>> sequences, value_weight = np.ones((4, 3, 1), np.float32), np.full((4, 3, 1), 1 / 12, np.float32)
    >>> with ThreadPoolExecutor() as pool:
    ...     batch_gradient = BatchGradient(network, network.weight_shapes, 3, batch_size=4, n_updates=1, pool=pool)
    ...     loss, _, gradient = batch_gradient(parameters, sequences, np.full(4, 3), value_weight)
    >>> loss, gradient.shape
    (1.0, (75,))
    """

    def __init__(
        self,
        network: Network,
        shapes: dict[str, tuple[int, ...]],
        n_timesteps: int,
        batch_size: int,
        n_updates: int,
        pool: Executor,
        loadings: np.ndarray | None = None,
    ):
        self._network = network
        loadings = np.empty((0, n_timesteps, network.n_features), np.float32) if loadings is None else loadings
        self._loadings = loadings.reshape(len(loadings), network.count_steps(n_timesteps), network.n_values_per_step)
        n_steps = network.count_steps(n_timesteps)
        self._map: Callable[[Callable[[Shard], Result], Iterable[Shard]], Iterable[Result]]
        self._compute: Callable[..., Result]
        is_long = is_worth_compiling(network, n_steps, batch_size, n_updates)
        if is_long and not _tensorflow_was_forked and _has_tensorflow():
            # TensorFlow takes seconds and hundreds of megabytes to import.
            with tensorflow_needed():
                from seqembed.training.gradient import tensorflow_gradient
            on_gpu = tensorflow_gradient.sees_gpu()
            self._compute = tensorflow_gradient.make_loss_and_gradient(network, tuple(shapes.items()), on_gpu=on_gpu)
            n_shards = 1 if on_gpu else count_shards(batch_size)
            self._map = pool.map
        else:
            self._compute = functools.partial(numpy_gradient.loss_and_gradient, network, shapes)
            n_shards = math.ceil(batch_size / _LARGEST_SHARD)
            # Not on threads: the many small steps of NumPy would wait for the interpreter's lock.
            self._map = map
        self._rows_per_shard = math.ceil(batch_size / n_shards)

    def __call__(
        self,
        parameters: np.ndarray,
        sequences: np.ndarray,
        lengths: np.ndarray,
        value_weight: np.ndarray,
        targets: Targets | None = None,
        context: np.ndarray | None = None,
        components: np.ndarray | None = None,
        inputs: np.ndarray | None = None,
    ) -> tuple[float, float, np.ndarray]:
        """Compute the loss, that of the readout, and the gradient of their sum.

        Parameters
        ----------
        parameters : float32 array of shape (n_parameters,)
            All weights, flat, in the order of `shapes`.
        sequences : float32 array of shape (batch_size, n_timesteps, n_features)
            The batch.
        lengths : int array of shape (batch_size,)
            Timesteps of each sequence before its padding.
        value_weight : float32 array of shape (batch_size, n_timesteps, n_features)
            Weight of each value. A weight of 0 leaves a value out.
        targets : Targets, default=None
            Values that the readout has to predict, if there is a readout.
        context : float32 array of shape (batch_size, context_size), default=None
            What the encoder reads beside each sequence, if the network has a context.
        components : float32 array of shape (batch_size, shortcut_size), default=None
            Those of the sequences, if the network has a shortcut.
        inputs : float32 array of the shape of `sequences`, default=None
            What the encoder reads, by default the sequences.

        Returns
        -------
        loss, readout_loss : float
            Weighted sums of squared errors. The second is 0.0 without a readout.
        gradient : float32 array of shape (n_parameters,)
            In the order of `parameters`.
        """
        given = [each for each in (sequences, value_weight, inputs) if each is not None]
        time_major = [self._network.patches(each).transpose(1, 0, 2) for each in given]
        none = np.empty((len(lengths), 0), np.float32)
        beside = [none if each is None else each for each in (*(targets or (None, None)), context, components)]
        shards = self._shards(time_major, self._network.count_steps(lengths), beside)
        results = self._map(lambda shard: self._compute(parameters, *shard), shards)
        losses, readout_losses, gradients = zip(*results, strict=True)
        return sum(losses), sum(readout_losses), functools.reduce(np.add, gradients)

    def _shards(self, time_major: list[np.ndarray], lengths: np.ndarray, beside: list[np.ndarray]) -> Iterator[Shard]:
        rows = self._rows_per_shard
        for start in range(0, len(lengths), rows):
            chosen = slice(start, start + rows)
            ends, shard = lengths[chosen], [each[:, chosen] for each in time_major]
            shard_beside = [each[chosen] for each in beside]
            missing = rows - len(ends)
            # The last shard is filled up to the shape of the others, since each shape would need a compilation.
            if missing:
                shard = [np.pad(each, ((0, 0), (0, missing), (0, 0))) for each in shard]
                ends = np.pad(ends, (0, missing), constant_values=1)
                shard_beside = [np.pad(each, ((0, missing), (0, 0))) for each in shard_beside]
            steps, weight, *inputs = shard
            yield steps, ends, weight, *shard_beside, self._loadings, *inputs


def is_worth_compiling(network: Network, n_steps: int, batch_size: int, n_updates: int) -> bool:
    """Decide whether compiled updates save more time than it takes to import TensorFlow and to compile the network.

    Parameters
    ----------
    network : Network
        Its architecture.
    n_steps : int
        Steps of the sequences.
    batch_size : int
        Sequences per batch.
    n_updates : int
        Expected number of batches.

    Returns
    -------
    answer : bool
        Whether to compile.

    Examples
    --------
    >>> network = Network(n_features=6)
    >>> [is_worth_compiling(network, 100, 64, n_updates) for n_updates in (10, 1000)]
    [False, True]
    """
    n_states = batch_size * sum(layer.units for layer in network.layers)
    saved_at_step = _SECONDS_SAVED_BY_LAYER * len(network.layers) + _SECONDS_SAVED_BY_STATE * n_states
    return n_updates * n_steps * saved_at_step >= _SECONDS_TO_COMPILE_A_LAYER * len(network.layers)


def count_shards(batch_size: int) -> int:
    """Count the shards of a batch: the same number for each core, unless they would become too small.

    Parameters
    ----------
    batch_size : int
        Sequences per batch.

    Returns
    -------
    n_shards : int
        At least 1.

    Examples
    --------
    >>> count_shards(8)
    1
    """
    n_cores: int = joblib.cpu_count()
    n_rounds = math.ceil(batch_size / (_LARGEST_SHARD * n_cores))
    most = max(min(2, batch_size // _SMALLEST_OF_TWO_SHARDS), batch_size // _SMALLEST_SHARD)
    return max(1, min(n_rounds * n_cores, most))
