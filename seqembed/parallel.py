"""Threads that compute batches of rows in parallel."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from numbers import Integral
from typing import Any

import joblib
import numpy as np
from sklearn.utils import gen_batches
from threadpoolctl import ThreadpoolController, get_cached_controller

# Sequences per batch. Their buffers fill a second-level cache. Larger batches are not faster.
_LARGEST_BATCH = 512
# Fewer sequences than this are computed on the calling thread. Starting a second thread would take longer.
_SMALLEST_SHARED_COLLECTION = 32

_lock = threading.Lock()
_n_inside = 0
_process_limit: AbstractContextManager[Any] | None = None


def check_n_jobs(n_jobs: int | None) -> None:
    """Refuse a number of threads that `fit` refuses too: it may have been set after a fit.

    Raises
    ------
    ValueError
        For anything but None, -1 and positive integers.

    Examples
    --------
    >>> check_n_jobs(-1)
    """
    if n_jobs is not None and not (isinstance(n_jobs, Integral) and (n_jobs >= 1 or n_jobs == -1)):
        raise ValueError(
            f"Got n_jobs={n_jobs!r}, expected an integer of at least 1, -1 or None. Call set_params(n_jobs=None)."
        )


def count_threads(n_jobs: int | None) -> int:
    """Count the threads that a computation may use.

    Parameters
    ----------
    n_jobs : int or None
        Largest number of threads. None and -1 set no limit.

    Returns
    -------
    n_threads : int
        The number of cores that this process may run on. `n_jobs` and the environment variable OMP_NUM_THREADS can
        lower it. joblib sets this variable in its workers, so that the workers share the machine.

    Examples
    --------
    >>> count_threads(1)
    1
    """
    check_n_jobs(n_jobs)
    limits: list[int] = [joblib.cpu_count()]
    if os.environ.get("OMP_NUM_THREADS", "").isdecimal():
        limits.append(int(os.environ["OMP_NUM_THREADS"]))
    if n_jobs is not None and n_jobs != -1:
        limits.append(n_jobs)
    return max(1, min(limits))


def thread_pool(n_jobs: int | None) -> ThreadPoolExecutor:
    """Make a pool of as many threads as `count_threads` returns.

    Use the pool inside `one_blas_thread`.

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
    """Limit BLAS to one thread.

    OpenBLAS, which NumPy's wheels contain, has one limit for the whole process. The first thread that enters this
    context sets the limit to one thread. The last thread that leaves the context restores the old limit. If another
    thread is inside ``threadpool_limits``, OpenBLAS keeps the limit of that thread.

    Other BLAS libraries have one limit per thread. It is set in the calling thread and in the threads of `thread_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> with one_blas_thread():
    ...     np.eye(2) @ np.ones(2)
    array([1., 1.])
    """
    global _n_inside, _process_limit
    thread_libraries, process_libraries = _blas_limited_by_thread(), _blas_limited_by_process()
    with _lock:
        if _n_inside == 0:
            _process_limit = _with_several_threads(process_libraries).limit(limits=1)
        _n_inside += 1
    try:
        # The first thread that limits OpenBLAS through threadpoolctl controls it until this thread leaves a context of
        # threadpoolctl. Until then, other threads cannot change the limit. This is such a context, even if it limits no
        # library. Without it, the last thread that leaves could not restore a limit that another thread has set.
        with thread_libraries.limit(limits=1):
            yield
    finally:
        with _lock:
            _n_inside -= 1
            if _n_inside == 0 and _process_limit is not None:
                with _process_limit:
                    pass


def run_batches(
    compute: Callable[[slice | np.ndarray], None], n_samples: int, n_jobs: int | None, order: np.ndarray | None = None
) -> None:
    """Call a function for each batch of rows, on several threads.

    Each of these threads uses a single BLAS thread. The batches depend only on the number of rows and on their order.
    The results therefore do not depend on the number of threads. Fewer than 32 rows are one batch. The calling thread
    computes this batch with a single BLAS thread, so `n_jobs` holds for it too.

    Several calls may overlap. BLAS gets its threads back when the last of them ends, see `one_blas_thread`.

    Parameters
    ----------
    compute : callable
        Function of the rows of a batch: a slice, or an int array if `order` is given. The function stores its results.
    n_samples : int
        Number of rows.
    n_jobs : int or None
        See `count_threads`.
    order : int array of shape (n_samples,), default=None
        Order in which the rows are put into batches. By default it is 0 to `n_samples` - 1.

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
        check_n_jobs(n_jobs)
        with one_blas_thread():
            compute(slice(0, n_samples) if order is None else order)
        return
    # With an even number of batches, two cores finish at about the same time.
    n_batches = 2 * -(-n_samples // (2 * _LARGEST_BATCH))
    batches = list(gen_batches(n_samples, -(-n_samples // n_batches)))
    if order is not None:
        batches = [order[rows] for rows in batches]
    with one_blas_thread(), thread_pool(n_jobs) as pool:
        for _ in pool.map(compute, batches):
            pass


def _with_several_threads(libraries: ThreadpoolController) -> ThreadpoolController:
    # If a library has one thread already, another computation may have set this limit. If we saved the limit and
    # restored it after that computation has ended, the library would stay at one thread.
    several = [library.filepath for library in libraries.lib_controllers if library.num_threads > 1]
    return libraries.select(filepath=several)


def _limit_blas_of_this_thread() -> None:
    _blas_limited_by_thread().limit(limits=1)


def _blas_limited_by_thread() -> ThreadpoolController:
    return get_cached_controller().select(internal_api=["mkl", "blis", "flexiblas"], threading_layer="openmp")


def _blas_limited_by_process() -> ThreadpoolController:
    return get_cached_controller().select(internal_api="openblas").select(threading_layer=["pthreads", "unknown"])
