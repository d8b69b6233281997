import os
import subprocess
import sys

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from seqembed.parallel import count_threads, run_batches


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@given(n_samples=st.integers(1, 2000), n_jobs=st.sampled_from([None, 1, 2]))
def test_batches_cover_every_row_once_whatever_the_number_of_threads(n_samples, n_jobs):
    seen = []
    run_batches(seen.append, n_samples, n_jobs)
    rows = np.concatenate([np.arange(batch.start, batch.stop) for batch in seen])
    np.testing.assert_array_equal(np.sort(rows), np.arange(n_samples))
    alone = []
    run_batches(alone.append, n_samples, 1)
    assert sorted(seen, key=lambda batch: batch.start) == alone


def test_blas_has_one_thread_inside_and_its_own_number_afterwards():
    before, inside = blas_threads(), []
    run_batches(lambda rows: inside.append(blas_threads()), 100, None)
    assert all(set(threads) == {1} for threads in inside)
    assert blas_threads() == before


def test_an_error_in_a_batch_reaches_the_caller_and_restores_blas():
    before = blas_threads()
    with pytest.raises(ZeroDivisionError):
        run_batches(lambda rows: 1 / 0, 100, None)
    assert blas_threads() == before


@pytest.mark.parametrize("n_jobs", [None, -1, 1000])
def test_no_more_threads_than_cores(n_jobs):
    assert 1 <= count_threads(n_jobs) <= joblib.cpu_count()


def test_the_limit_that_joblib_gives_its_workers_is_kept():
    code = "from seqembed.parallel import count_threads; print(count_threads(None))"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "1"
