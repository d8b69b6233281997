"""Threads: how many a computation may use, and batches that run on them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import joblib
from sklearn.utils import gen_batches
from threadpoolctl import ThreadpoolController

# Sequences that go through the network at once. Their buffers fill a second-level cache; more rows gain nothing.
_LARGEST_BATCH = 256
# Fewer sequences than this run faster on the calling thread than a second thread starts.
_SMALLEST_SHARED_COLLECTION = 32


def count_threads(n_jobs: int | None) -> int:
    """Count the threads that a computation may use.

    Parameters
    ----------
    n_jobs : int or None
        An upper limit; None and -1 mean no limit of the user's own.

    Returns
    -------
    n_threads : int
        The cores that this process may run on, lowered by `n_jobs` and by the variable OMP_NUM_THREADS, which joblib
        sets in its workers so that they share the machine.

    Examples
    --------
    >>> count_threads(1)
    1
    """
    limits = [joblib.cpu_count()]
    if os.environ.get("OMP_NUM_THREADS", "").isdecimal():
        limits.append(int(os.environ["OMP_NUM_THREADS"]))
    if n_jobs is not None and n_jobs != -1:
        limits.append(n_jobs)
    return max(1, min(limits))


def run_batches(compute: Callable[[slice], None], n_samples: int, n_jobs: int | None) -> None:
    """Call a function for batches of rows, on threads, each with a single BLAS thread.

    Batches depend on the number of rows alone, so that results do not depend on the number of threads.

    Parameters
    ----------
    compute : callable
        Takes the slice of rows of a batch and stores what it computes.
    n_samples : int
        Number of rows.
    n_jobs : int or None
        See `count_threads`.

    Examples
    --------
    >>> import numpy as np
    >>> squares = np.empty(1000)
    >>> def square(rows):
    ...     squares[rows] = np.arange(rows.start, rows.stop) ** 2
    >>> run_batches(square, 1000, n_jobs=2)
    >>> squares[[0, 1, 999]]
    array([0.00000e+00, 1.00000e+00, 9.98001e+05])
    """
    if n_samples < _SMALLEST_SHARED_COLLECTION:
        compute(slice(0, n_samples))
        return
    n_batches = max(2, -(-n_samples // _LARGEST_BATCH))
    batches = gen_batches(n_samples, -(-n_samples // n_batches))
    one_blas_thread = ThreadpoolController().limit(limits=1, user_api="blas")
    with one_blas_thread, ThreadPoolExecutor(count_threads(n_jobs)) as pool:
        for _ in pool.map(compute, batches):
            pass
