import threading

import numpy as np

from seqembed.summary import scratch as scratch_module
from seqembed.summary.scratch import Scratch, borrowed_scratch


def test_arrays_that_are_too_large_are_not_kept():
    scratch = Scratch()
    shape = (scratch_module._MOST_BYTES // 4 + 1,)
    assert not np.shares_memory(scratch.array("sums", shape), scratch.array("sums", shape))
    assert scratch.array("sums", shape).shape == shape


def test_computations_that_overlap_have_memory_of_their_own():
    with borrowed_scratch() as first, borrowed_scratch() as second:
        assert not np.shares_memory(first.array("sums", (3,)), second.array("sums", (3,)))


def test_threads_that_end_leave_their_memory_to_others(monkeypatch):
    monkeypatch.setattr(scratch_module, "_idle", [])
    borrowed = []

    def borrow():
        with borrowed_scratch() as scratch:
            borrowed.append(scratch.array("sums", (3,)))

    for _ in range(2):
        thread = threading.Thread(target=borrow)
        thread.start()
        thread.join()
    assert np.shares_memory(*borrowed)


def test_no_more_than_some_sets_are_kept(monkeypatch):
    monkeypatch.setattr(scratch_module, "_idle", [])
    monkeypatch.setattr(scratch_module, "_MOST_IDLE", 1)
    with borrowed_scratch(), borrowed_scratch():
        pass
    assert len(scratch_module._idle) == 1
