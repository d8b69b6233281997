"""Workers in threads of one process, with the methods of an mpi4py communicator."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np


class ThreadCommunicator:
    """What `seqembed` needs of ``MPI.COMM_WORLD``, for a worker that is a thread."""

    def __init__(self, rank, size, barrier, places):
        self._rank, self._size, self._barrier, self._places = rank, size, barrier, places

    def Get_rank(self):
        return self._rank

    def Get_size(self):
        return self._size

    def Iallreduce(self, vector, sums):
        self._places[self._rank] = vector.copy()
        self._barrier.wait(60)
        shapes = {(place.shape, place.dtype) for place in self._places}
        assert len(shapes) == 1, f"the workers sum different arrays: {shapes}"
        sums[...] = np.sum(self._places, axis=0)
        self._barrier.wait(60)
        return self

    def Test(self):
        return True


def run_workers(function, size):
    """Call ``function(rank, communicator)`` for each worker; return the results in their order."""
    barrier, places = threading.Barrier(size), [None] * size

    def run(rank):
        try:
            return function(rank, ThreadCommunicator(rank, size, barrier, places))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        futures = [pool.submit(run, rank) for rank in range(size)]
    errors = [future.exception() for future in futures]
    # Those that wait for the one that failed get an error of the barrier.
    for error in sorted(filter(None, errors), key=lambda error: isinstance(error, threading.BrokenBarrierError)):
        raise error
    return [future.result() for future in futures]
