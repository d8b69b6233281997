"""Workers that train one network together, each on its own sequences.

Every worker makes the same updates. Values that differ from worker to worker, such as the gradient of its sequences,
are summed over all workers. An engine computes the sums: TensorFlow's collectives, or MPI.
"""

from __future__ import annotations

import functools
import hashlib
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from seqembed.files.generator_state import generator_state, make_generator

# Seconds that a worker waits for the others before it ends with an error.
_LONGEST_WAIT = 45
# Seconds between two looks at an MPI request. The first looks follow without a pause, because a sum takes a
# millisecond. Then the pauses grow.
_LONGEST_PAUSE = 0.01

# The numbers of a generator's state have up to 128 bits.
_BYTES_PER_NUMBER = 16
# Digests of 48 bits are exact in float64.
_BYTES_PER_DIGEST = 6

_LOST = (
    "Worker {} of {} got no sum from the others in {:.0f} s: one of them has ended, hangs, or takes more than "
    f"{_LONGEST_WAIT} s for a step. Look for its error, and start all workers again; a fit with checkpoint= goes on "
    "from its last checkpoint."
)


class Request(Protocol):
    """A pending operation of MPI, such as an ``mpi4py.MPI.Request``."""

    def Test(self) -> bool:
        """Return whether the operation has completed."""


class Communicator(Protocol):
    """The methods of ``mpi4py.MPI.Comm`` that are called here."""

    def Get_rank(self) -> int:
        """Return the number of this worker."""

    def Get_size(self) -> int:
        """Return the number of workers."""

    def Iallreduce(self, sendbuf: np.ndarray, recvbuf: np.ndarray) -> Request:
        """Start to sum the arrays of all workers into `recvbuf`."""


# Sums that were given up: communicator, request, and the two arrays. MPI may still write into the arrays.
_abandoned: list[tuple[Communicator, Request, np.ndarray, np.ndarray]] = []


class Workers(NamedTuple):
    """Workers that call the same functions in the same order.

    Parameters
    ----------
    all_reduce : callable
        Takes a float array of shape (n,) and returns the sum of the arrays of all workers. Every worker gets the same
        bits.
    rank : int
        Number of this worker, from 0.
    size : int
        Number of workers.

    Examples
    --------
    >>> import numpy as np
    >>> ALONE.all_reduce(np.ones(2)), ALONE.all_gather(np.ones(2)), ALONE.broadcast(np.ones(2))
    (array([1., 1.]), array([[1., 1.]]), array([1., 1.]))
    """

    all_reduce: Callable[[np.ndarray], np.ndarray]
    rank: int
    size: int

    def all_gather(self, values: ArrayLike) -> np.ndarray:
        """Collect an array from each worker.

        Parameters
        ----------
        values : array-like of numbers
            The array of this worker. It has the same shape for all workers.

        Returns
        -------
        gathered : float64 array of shape (size, *shape of values)
            The arrays of all workers, by rank.
        """
        values = np.asarray(values, np.float64)
        gathered = np.zeros((self.size, *values.shape))
        gathered[self.rank] = values
        return self.all_reduce(gathered.ravel()).reshape(gathered.shape)

    def broadcast(self, values: np.ndarray) -> np.ndarray:
        """Send the array of worker 0 to all workers.

        Parameters
        ----------
        values : float array of shape (n,)
            The array of this worker. It has the same shape and dtype for all workers. Only that of worker 0 is sent.

        Returns
        -------
        values : float array of shape (n,)
            The array of worker 0.
        """
        return self.all_reduce(values if self.rank == 0 else np.zeros_like(values))

    def broadcast_bytes(self, data: bytes) -> bytes:
        """Send the bytes of worker 0 to all workers.

        Parameters
        ----------
        data : bytes
            The bytes of this worker, of any length. Only those of worker 0 are sent.

        Returns
        -------
        data : bytes
            The bytes of worker 0.
        """
        n_bytes = int(self.broadcast(np.array([len(data)], np.float64))[0])
        values = np.frombuffer(data, np.uint8).astype(np.float32) if self.rank == 0 else np.zeros(n_bytes, np.float32)
        return self.broadcast(values).astype(np.uint8).tobytes() if n_bytes else b""

    def all_gather_generators(self, random: np.random.Generator) -> list[np.random.Generator]:
        """Collect a copy of the generator of each worker.

        Parameters
        ----------
        random : numpy.random.Generator
            The generator of this worker.

        Returns
        -------
        generators : list of numpy.random.Generator
            Copies of the generators of all workers, by rank.
        """
        state = generator_state(random)
        data = b"".join(number.to_bytes(_BYTES_PER_NUMBER, "little") for number in state.values())
        rows = self.all_gather(np.frombuffer(data, np.uint8)).astype(np.uint8)
        return [make_generator(dict(zip(state, map(_integer, np.split(row, len(state))), strict=True))) for row in rows]

    def own_generator(self, random: np.random.Generator) -> np.random.Generator:
        """Return the generator itself for worker 0, and a generator spawned from it for each other worker."""
        return random.spawn(self.rank)[-1] if self.rank else random


def _integer(digits: np.ndarray) -> int:
    return int.from_bytes(digits.tobytes(), "little")


def _unchanged(vector: np.ndarray) -> np.ndarray:
    return vector


ALONE = Workers(_unchanged, rank=0, size=1)


class SetShape(NamedTuple):
    """Number and lengths of the sequences of all workers.

    Parameters
    ----------
    n_timesteps : int
        Length of the longest sequence.
    n_samples : tuple of int
        Number of sequences of each worker.
    one_length : bool
        Whether all sequences have the same length.
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
        Values that must be the same for all workers, by their name in an error. They are compared by `repr`.
    workers : Workers
        All of them.

    Returns
    -------
    shape : SetShape
        The same for each worker.

    Raises
    ------
    ValueError
        If a value differs between workers. All workers get the same error.

    Examples
    --------
    >>> import numpy as np
    >>> joint_shape(np.array([3, 5]), {"number of features": 1}, ALONE)
    SetShape(n_timesteps=5, n_samples=(2,), one_length=False)
    """
    own_digests = [_digest(value) for value in common.values()]
    numbers = [lengths.min(), lengths.max(), len(lengths), *own_digests]
    shortest, longest, n_samples, *digests = workers.all_gather(numbers).astype(np.int64).T
    for rank in range(workers.size):
        differing = [name for name, each in zip(common, digests, strict=True) if each[rank] != each[0]]
        if differing:
            raise ValueError(
                f"Worker {rank} differs from worker 0 in its {' and '.join(differing)}. Give all workers the same: "
                f"only their sequences, and random_state=, n_jobs= and verbose=, may differ."
            )
    return SetShape(int(longest.max()), tuple(n_samples.tolist()), bool(shortest.min() == longest.max()))


def _digest(value: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(value).encode()).digest()[:_BYTES_PER_DIGEST], "little")


def find_workers(communicator: Communicator | None = None) -> Workers:
    """Find the workers that a call of this process belongs to.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm or None, default=None
        By default the workers are those of the ``tf.distribute.MultiWorkerMirroredStrategy`` in whose scope the call
        is. Without such a scope this process is alone.

    Returns
    -------
    workers : Workers
        `ALONE` for one worker.

    Raises
    ------
    TypeError
        If `communicator` lacks a method of a communicator.
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
    all_reduce = functools.partial(_mpi_all_reduce, communicator)
    return Workers(all_reduce, communicator.Get_rank(), communicator.Get_size())


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
    if _workers_of_strategy().size > 1:
        raise ValueError(
            f"Got a call of {method} inside the scope of a MultiWorkerMirroredStrategy, expected fit of an LSTM "
            f"network: only that trains on several machines. Call {method} outside of `with strategy.scope()`."
        )


def _mpi_all_reduce(communicator: Communicator, vector: np.ndarray) -> np.ndarray:
    if any(each is communicator for each, *_ in _abandoned):
        raise ConnectionError("An earlier sum of this communicator was given up. Start all workers again.")
    vector = np.ascontiguousarray(vector)
    sums = np.empty_like(vector)
    started, pause = time.monotonic(), 0.0
    # A blocking call would never return if a worker hangs.
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
    return Workers(_tensorflow_all_reduce(tensorflow, strategy, rank, len(names)), rank, len(names))


# TensorFlow has no types.
def _tensorflow_all_reduce(tensorflow: Any, strategy: Any, rank: int, size: int) -> Callable[[np.ndarray], np.ndarray]:
    options = tensorflow.distribute.experimental.CommunicationOptions(timeout_seconds=_LONGEST_WAIT)

    def reduce(vector: Any) -> Any:
        context = tensorflow.distribute.get_replica_context()
        # A bare argument has no device, and all_reduce would refuse it.
        return context.all_reduce(tensorflow.distribute.ReduceOp.SUM, tensorflow.identity(vector), options)

    function = tensorflow.function(lambda vector: strategy.run(reduce, (vector,)), autograph=False)

    # There are about ten different shapes. If the function were called, TensorFlow would warn about so many shapes.
    @functools.cache
    def concrete_function(n_values: int, dtype: np.dtype) -> Any:
        return function.get_concrete_function(tensorflow.TensorSpec((n_values,), dtype))

    def all_reduce(vector: np.ndarray) -> np.ndarray:
        started = time.monotonic()
        try:
            sums = concrete_function(len(vector), vector.dtype)(tensorflow.constant(vector))
            sums = strategy.experimental_local_results(sums)
        except tensorflow.errors.OpError as error:
            raise ConnectionError(_LOST.format(rank, size, time.monotonic() - started)) from error
        total: np.ndarray = sums[0].numpy()
        return total

    return all_reduce
