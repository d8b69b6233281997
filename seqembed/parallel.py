"""Threads: how many a computation may use, and batches that run on them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import joblib
import numpy as np
from sklearn.utils import gen_batches
from threadpoolctl import ThreadpoolController, get_cached_controller

# Sequences that go through the network at once. Their buffers fill a second-level cache; more rows gain nothing.
_LARGEST_BATCH = 512
# Fewer sequences than this run faster on the calling thread than a second thread starts.
_SMALLEST_SHARED_COLLECTION = 32

_lock = threading.Lock()
_n_inside = 0
_limit_of_process = None


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


def thread_pool(n_jobs: int | None) -> ThreadPoolExecutor:
    """Make a pool of as many threads as `count_threads` allows, for work inside `one_blas_thread`.

    Parameters
    ----------
    n_jobs : int or None
        See `count_threads`.

    Examples
    --------
    >>> with thread_pool(n_jobs=2) as pool:
    ...     list(pool.map(abs, [-1, 2]))
    [1, 2]
    """
    return ThreadPoolExecutor(count_threads(n_jobs), initializer=_limit_blas_of_this_thread)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread: the first thread in sets the limit of the process, the last one out lifts it.

    Until then OpenBLAS, as in NumPy's wheels, has one thread in the whole process; inside a ``threadpool_limits`` of
    another thread it keeps that limit. Other libraries are limited in the calling thread and in those of `thread_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> with one_blas_thread():
    ...     np.eye(2) @ np.ones(2)
    array([1., 1.])
    """
    global _n_inside, _limit_of_process
    of_thread, of_process = _blas_limited_by_thread(), _blas_limited_by_process()
    with _lock:
        if _n_inside == 0:
            _limit_of_process = _with_several_threads(of_process).limit(limits=1)
        _n_inside += 1
    try:
        # threadpoolctl lets a single thread limit OpenBLAS, the first to do so, until it leaves a context: this one,
        # though it holds other libraries or none. Without it the last one out could not lift what the first one set.
        with of_thread.limit(limits=1):
            yield
    finally:
        with _lock:
            _n_inside -= 1
            if _n_inside == 0:
                with _limit_of_process:
                    pass


def run_batches(
    compute: Callable[[slice | np.ndarray], None], n_samples: int, n_jobs: int | None, order: np.ndarray | None = None
) -> None:
    """Call a function for batches of rows, on threads, each with a single BLAS thread.

    Batches depend on the number of rows and their order alone, so that results do not depend on the number of threads.
    Fewer than 32 rows are one batch, on the calling thread, so that `n_jobs` holds for them too.

    BLAS has its threads back once the last of the calls that overlap has ended, see `one_blas_thread`.

    Parameters
    ----------
    compute : callable
        Takes the rows of a batch, a slice or an int array, and stores what it computes.
    n_samples : int
        Number of rows.
    n_jobs : int or None
        See `count_threads`.
    order : int array of shape (n_samples,), default=None
        Rows in the order in which they are batched; by default as they are.

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
    # An even number, so that two cores end at about the same time.
    n_batches = 2 * -(-n_samples // (2 * _LARGEST_BATCH)) if n_samples >= _SMALLEST_SHARED_COLLECTION else 1
    batches = list(gen_batches(n_samples, -(-n_samples // n_batches)))
    if order is not None:
        batches = [order[rows] for rows in batches]
    if n_batches == 1:
        with one_blas_thread():
            compute(batches[0])
        return
    with one_blas_thread(), thread_pool(n_jobs) as pool:
        for _ in pool.map(compute, batches):
            pass


def _with_several_threads(libraries: ThreadpoolController) -> ThreadpoolController:
    # One thread may be the limit of someone who computes elsewhere: if we restored it, it would outlast its reason.
    several = [library.filepath for library in libraries.lib_controllers if library.num_threads > 1]
    return libraries.select(filepath=several)


def _limit_blas_of_this_thread() -> None:
    _blas_limited_by_thread().limit(limits=1)


def _blas_limited_by_thread() -> ThreadpoolController:
    return get_cached_controller().select(internal_api=["mkl", "blis", "flexiblas"], threading_layer="openmp")


def _blas_limited_by_process() -> ThreadpoolController:
    return get_cached_controller().select(internal_api="openblas").select(threading_layer=["pthreads", "unknown"])
