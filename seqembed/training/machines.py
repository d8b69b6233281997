"""Workers that train one network together, each on its own sequences.

Every worker makes the same updates. What differs from worker to worker, such as the gradient of its sequences, is
summed over all of them. The sums are those of an engine: TensorFlow's collectives, or MPI.
"""

from __future__ import annotations

import functools
import hashlib
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# A worker waits so long for the others before it ends with an error.
_LONGEST_WAIT = 45
# MPI is asked in a tight loop at first, since a sum takes a millisecond, and then in longer and longer intervals.
_LONGEST_PAUSE = 0.01

# The numbers of a generator's state have up to 128 bits.
_BYTES_OF_NUMBER = 16
# Digests of 48 bits are exact in float64.
_BYTES_OF_DIGEST = 6

# What MPI still writes to after an error, with the communicator.
_abandoned: list[tuple] = []

_LOST = (
    "Worker {} of {} got no sum from the others in {:.0f} s: one of them has ended, hangs, or takes more than "
    f"{_LONGEST_WAIT} s for a step. Look for its error, and start all workers again; a fit with checkpoint= goes on "
    "from its last checkpoint."
)


class Workers(NamedTuple):
    """Workers that call the same functions in the same order.

    Parameters
    ----------
    total : callable
        Takes a float array of shape (n,), and returns the sum of those of all workers, the same bits to each.
    rank : int
        Number of this worker, from 0.
    count : int
        How many there are.

    Examples
    --------
    >>> import numpy as np
    >>> ALONE.total(np.ones(2)), ALONE.gathered(np.ones(2)), ALONE.of_first(np.ones(2))
    (array([1., 1.]), array([[1., 1.]]), array([1., 1.]))
    """

    total: Callable[[np.ndarray], np.ndarray]
    rank: int
    count: int

    def gathered(self, values: np.ndarray) -> np.ndarray:
        """Return the float64 arrays of all workers, one for each entry of a new first axis."""
        values = np.asarray(values, np.float64)
        places = np.zeros((self.count, *values.shape))
        places[self.rank] = values
        return self.total(places.ravel()).reshape(places.shape)

    def of_first(self, values: np.ndarray) -> np.ndarray:
        """Return the array that worker 0 passes, whatever the others pass of the same shape and dtype."""
        return self.total(values if self.rank == 0 else np.zeros_like(values))

    def bytes_of_first(self, data: bytes) -> bytes:
        """Return the bytes that worker 0 passes; the others pass any."""
        n_bytes = int(self.of_first(np.array([len(data)], np.float64))[0])
        values = np.frombuffer(data, np.uint8).astype(np.float32) if self.rank == 0 else np.zeros(n_bytes, np.float32)
        return self.of_first(values).astype(np.uint8).tobytes() if n_bytes else b""

    def generators(self, random: np.random.Generator) -> list[np.random.Generator]:
        """Return copies of the generators of all workers, each of which passes its own."""
        state = random.bit_generator.state
        numbers = (*state["state"].values(), state["has_uint32"], state["uinteger"])
        data = b"".join(number.to_bytes(_BYTES_OF_NUMBER, "little") for number in numbers)
        return [_generator(row.astype(np.uint8).tobytes()) for row in self.gathered(np.frombuffer(data, np.uint8))]

    def own_generator(self, random: np.random.Generator) -> np.random.Generator:
        """Return the generator itself to worker 0, and to each other worker one of its own that follows from it."""
        return random.spawn(self.rank)[-1] if self.rank else random


def _generator(data: bytes) -> np.random.Generator:
    starts = range(0, len(data), _BYTES_OF_NUMBER)
    state, increment, has_uint32, uinteger = (
        int.from_bytes(data[start : start + _BYTES_OF_NUMBER], "little") for start in starts
    )
    random = np.random.default_rng(0)
    random.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": state, "inc": increment},
        "has_uint32": has_uint32,
        "uinteger": uinteger,
    }
    return random


def _of_one(vector: np.ndarray) -> np.ndarray:
    return vector


ALONE = Workers(_of_one, rank=0, count=1)


class SetShape(NamedTuple):
    """How long the sequences of all workers are, and how many.

    Parameters
    ----------
    n_timesteps : int
        Length of the longest.
    n_samples : tuple of int
        How many sequences each worker has.
    one_length : bool
        Whether all are equally long.
    """

    n_timesteps: int
    n_samples: tuple[int, ...]
    one_length: bool


def joint_shape(lengths: np.ndarray, common: dict[str, object], workers: Workers) -> SetShape:
    """Describe the sequences of all workers.

    Parameters
    ----------
    lengths : int array of shape (n_samples,)
        Timesteps of each sequence of this worker.
    common : dict of str to object
        What must be the same for all workers, by what it is called in an error; compared by `repr`.
    workers : Workers
        All of them.

    Raises
    ------
    ValueError
        If a worker has something else. All workers get the same error.

    Examples
    --------
    >>> import numpy as np
    >>> joint_shape(np.array([3, 5]), {"number of features": 1}, ALONE)
    SetShape(n_timesteps=5, n_samples=(2,), one_length=False)
    """
    digests = [hashlib.sha256(repr(value).encode()).digest()[:_BYTES_OF_DIGEST] for value in common.values()]
    numbers = [lengths.min(), lengths.max(), len(lengths), *(int.from_bytes(digest, "little") for digest in digests)]
    shortest, longest, n_samples, *digests = workers.gathered(numbers).astype(np.int64).T
    for rank in range(workers.count):
        differing = [name for name, each in zip(common, digests, strict=True) if each[rank] != each[0]]
        if differing:
            raise ValueError(
                f"Worker {rank} differs from worker 0 in its {' and '.join(differing)}. Give all workers the same: "
                f"only their sequences, and random_state=, n_jobs= and verbose=, may differ."
            )
    return SetShape(int(longest.max()), tuple(n_samples.tolist()), bool(shortest.min() == longest.max()))


def find_workers(communicator=None) -> Workers:
    """Find the workers that a call of this process belongs to.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm or None, default=None
        By default the workers are those of the ``tf.distribute.MultiWorkerMirroredStrategy`` in whose scope the call
        is, and without one this process is alone.

    Returns
    -------
    workers : Workers
        `ALONE` for one worker.

    Raises
    ------
    TypeError
        For something else than a communicator.
    ValueError
        For a strategy of more than one replica a worker.

    Examples
    --------
    >>> find_workers() is ALONE
    True
    """
    if communicator is None:
        return _workers_of_strategy()
    if not all(hasattr(communicator, name) for name in ("Iallreduce", "Get_rank", "Get_size")):
        raise TypeError(
            f"Got communicator= of type {type(communicator).__name__}, expected one of mpi4py, such as MPI.COMM_WORLD."
        )
    if communicator.Get_size() == 1:
        return ALONE
    return Workers(lambda vector: _mpi_total(communicator, vector), communicator.Get_rank(), communicator.Get_size())


def refuse_workers(method: str) -> None:
    """Refuse a call in the scope of a strategy, of a method that would train a network on each worker.

    Parameters
    ----------
    method : str
        Its name, for the message.

    Raises
    ------
    ValueError
        If there are several workers.
    """
    if _workers_of_strategy().count > 1:
        raise ValueError(
            f"Got a call of {method} inside the scope of a MultiWorkerMirroredStrategy, expected fit of an LSTM "
            f"network: only that trains on several machines. Call {method} outside of `with strategy.scope()`."
        )


def _mpi_total(communicator, vector: np.ndarray) -> np.ndarray:
    if any(each is communicator for each, *_ in _abandoned):
        raise ConnectionError("An earlier sum of this communicator was given up. Start all workers again.")
    vector = np.ascontiguousarray(vector)
    sums = np.empty_like(vector)
    started, pause = time.monotonic(), 0.0
    # A blocking call would wait for ever for a worker that hangs.
    request = communicator.Iallreduce(vector, sums)
    try:
        while not request.Test():
            waited = time.monotonic() - started
            if waited > _LONGEST_WAIT:
                raise ConnectionError(_LOST.format(communicator.Get_rank(), communicator.Get_size(), waited))
            time.sleep(pause)
            pause = min(_LONGEST_PAUSE, waited / 10)
    except BaseException:
        # A worker that comes late completes the sum, and MPI then writes into these arrays.
        _abandoned.append((communicator, request, vector, sums))
        raise
    return sums


def _workers_of_strategy() -> Workers:
    # In the scope of a strategy, TensorFlow is in memory.
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not hasattr(tensorflow, "distribute"):
        return ALONE
    strategy = tensorflow.distribute.get_strategy()
    if not isinstance(strategy, tensorflow.distribute.MultiWorkerMirroredStrategy):
        return ALONE
    resolver = strategy.cluster_resolver
    tasks = resolver.cluster_spec().as_dict() if resolver is not None else {}
    names = [(kind, number) for kind in ("chief", "worker") for number in range(len(tasks.get(kind, ())))]
    if len(names) < 2:
        return ALONE
    if strategy.num_replicas_in_sync != len(names):
        raise ValueError(
            f"Got a strategy of {strategy.num_replicas_in_sync} replicas for {len(names)} workers, expected one each. "
            f"Start a worker for each GPU, and show it only this one: tf.config.set_visible_devices(gpus[k], 'GPU')."
        )
    rank = names.index((resolver.task_type, resolver.task_id))
    return Workers(_tensorflow_total(tensorflow, strategy, rank, len(names)), rank, len(names))


def _tensorflow_total(tensorflow, strategy, rank: int, count: int) -> Callable[[np.ndarray], np.ndarray]:
    options = tensorflow.distribute.experimental.CommunicationOptions(timeout_seconds=_LONGEST_WAIT)

    def reduce(vector):
        context = tensorflow.distribute.get_replica_context()
        # A bare argument has no device, and all_reduce would refuse it.
        return context.all_reduce(tensorflow.distribute.ReduceOp.SUM, tensorflow.identity(vector), options)

    function = tensorflow.function(lambda vector: strategy.run(reduce, (vector,)), autograph=False)

    # There are about ten different shapes. A call would warn of so many.
    @functools.cache
    def compiled(n_values, dtype):
        return function.get_concrete_function(tensorflow.TensorSpec((n_values,), dtype))

    def total(vector: np.ndarray) -> np.ndarray:
        started = time.monotonic()
        try:
            sums = compiled(len(vector), vector.dtype)(tensorflow.constant(vector))
            sums = strategy.experimental_local_results(sums)
        except tensorflow.errors.OpError as error:
            raise ConnectionError(_LOST.format(rank, count, time.monotonic() - started)) from error
        return sums[0].numpy()

    return total
