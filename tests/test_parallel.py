import contextlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from seqembed import parallel
from seqembed.parallel import count_threads, run_batches


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def set_limits(limits):
    # threadpoolctl leaves OpenBLAS to the thread that set its limit first, for as long as that thread lives.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(threadpool_limits, limits).result()


@pytest.fixture
def two_blas_threads():
    """Two threads for BLAS, whatever the machine and the environment say."""
    before = threadpool_info()
    set_limits({"blas": 2})
    yield
    set_limits(before)


@pytest.fixture
def users():
    """Two threads that live on between their calls, as those of a server do."""
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        yield first, second


class Call:
    """A call of `run_batches` in a user's thread that stays in its first batch until told to finish."""

    def __init__(self, user, n_samples):
        self.entered, self.leave = threading.Event(), threading.Event()
        self.done = user.submit(run_batches, self.wait, n_samples, 1)
        assert self.entered.wait(10)

    def wait(self, rows):
        self.entered.set()
        self.leave.wait(10)

    def finish(self):
        self.leave.set()
        self.done.result(10)


@given(n_samples=st.integers(1, 2000), n_jobs=st.sampled_from([None, 1, 2]))
def test_batches_cover_every_row_once_whatever_the_number_of_threads(n_samples, n_jobs):
    seen = []
    run_batches(seen.append, n_samples, n_jobs)
    rows = np.concatenate([np.arange(batch.start, batch.stop) for batch in seen])
    np.testing.assert_array_equal(np.sort(rows), np.arange(n_samples))
    alone = []
    run_batches(alone.append, n_samples, 1)
    assert sorted(seen, key=lambda batch: batch.start) == alone


@pytest.mark.parametrize("n_samples", [1, 31, 100])
def test_blas_has_one_thread_inside_and_its_own_number_afterwards(two_blas_threads, n_samples):
    inside = []
    run_batches(lambda rows: inside.append(blas_threads()), n_samples, None)
    assert {n_threads for threads in inside for n_threads in threads} == {1}
    assert set(blas_threads()) == {2}


@pytest.mark.parametrize("n_samples", [1, 100])
def test_an_error_in_a_batch_reaches_the_caller_and_restores_blas(two_blas_threads, n_samples):
    with pytest.raises(ZeroDivisionError):
        run_batches(lambda rows: 1 / 0, n_samples, None)
    assert set(blas_threads()) == {2}


@pytest.mark.parametrize("n_samples", [1, 100])
@pytest.mark.parametrize("first_out", ["first in", "second in"])
def test_blas_gets_its_threads_back_when_the_last_of_two_transforms_ends(two_blas_threads, users, n_samples, first_out):
    calls = [Call(user, n_samples) for user in users]
    first, last = calls if first_out == "first in" else calls[::-1]
    first.finish()
    assert set(blas_threads()) == {1}
    last.finish()
    assert set(blas_threads()) == {2}
    # The threads that took part don't keep others from setting limits.
    with threadpool_limits({"blas": 1}):
        assert set(blas_threads()) == {1}
    assert set(blas_threads()) == {2}


def test_blas_gets_its_threads_back_when_a_transform_outlasts_another_librarys_limit(two_blas_threads, users):
    other, user = users
    limit = other.submit(threadpool_limits, {"blas": 1}).result()
    other.submit(limit.__enter__).result()
    call = Call(user, 100)
    other.submit(limit.__exit__, None, None, None).result()
    call.finish()
    assert set(blas_threads()) == {2}


def test_a_users_own_limit_holds_again_after_a_transform(two_blas_threads):
    with threadpool_limits({"blas": 3}):
        run_batches(lambda rows: None, 100, None)
        assert set(blas_threads()) == {3}
    assert set(blas_threads()) == {2}


@pytest.mark.parametrize("n_samples", [1, 100])
def test_a_blas_that_counts_threads_for_each_caller_has_one_in_every_thread_that_computes(monkeypatch, n_samples):
    limited, computing = set(), set()

    class PerThreadBLAS:
        def limit(self, *, limits):
            assert limits == 1
            limited.add(threading.get_ident())
            return contextlib.nullcontext()

    monkeypatch.setattr(parallel, "_blas_limited_by_thread", PerThreadBLAS)
    run_batches(lambda rows: computing.add(threading.get_ident()), n_samples, 2)
    assert computing
    assert computing <= limited


@pytest.mark.parametrize("n_jobs", [None, -1, 1000])
def test_no_more_threads_than_cores(n_jobs):
    assert 1 <= count_threads(n_jobs) <= joblib.cpu_count()


@pytest.mark.slow
def test_the_limit_that_joblib_gives_its_workers_is_kept():
    code = "from seqembed.parallel import count_threads; print(count_threads(None))"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "1"


def test_two_threads_at_once_leave_blas_as_it_was(two_blas_threads):
    first_is_in, second_is_in = threading.Event(), threading.Event()

    def first(rows):
        first_is_in.set()
        second_is_in.wait(5)

    def second(rows):
        first_is_in.wait(5)
        second_is_in.set()

    threads = [threading.Thread(target=run_batches, args=(compute, 64, 1)) for compute in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(blas_threads()) == {2}
