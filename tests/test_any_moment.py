"""Ctrl-C and memory that ends at any moment, and threads that use one estimator: it is as before, or fitted whole."""

import contextlib
import copy
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

import seqembed
from seqembed import (
    LSTMAutoencoder,
    LSTMReconstructor,
    ReconstructionDetector,
    SequenceSummary,
    detect_events,
)
from seqembed.codec import SequenceCodec
from seqembed.estimators import event_search
from seqembed.estimators.detector import scored
from seqembed.sequences import collection

PACKAGE = str(Path(seqembed.__file__).parent)
random = np.random.default_rng(0)
FIRST, SECOND = random.normal(size=(12, 6, 2)), pd.DataFrame(random.normal(size=(14, 6))).add_prefix("hour ")
RECORDING = random.normal(size=(60, 2))
NETWORK = LSTMReconstructor(2, hidden_units=(), epochs=3, random_state=0)
ESTIMATORS = {
    "detector": ReconstructionDetector(NETWORK, cv=2),
    "summary": SequenceSummary(2),
    "codec": SequenceCodec(max_error=0.1),
    "codec of bits": SequenceCodec(LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0).fit(FIRST), bits=20),
    "network": LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0),
}


def count_lines(call, *, stop_at=None, error=KeyboardInterrupt):
    """Count the lines of the package that a call runs on this thread, and raise an error at one of them."""
    n_lines = 0

    def trace(frame, event, argument):
        nonlocal n_lines
        file = frame.f_code.co_filename
        # Signals do not interrupt Python where a lock is let go, but a trace does.
        if not file.startswith(PACKAGE) or file.endswith("parallel.py"):
            return None
        if event == "line":
            n_lines += 1
            if n_lines == stop_at:
                raise error
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return n_lines


def moments(n_lines):
    """Some lines of all, and each of the last ones, which set attributes."""
    return sorted({*np.linspace(1, n_lines, 20, dtype=int).tolist(), *range(max(1, n_lines - 20), n_lines + 1)})


def sequences_of(name, frame):
    return frame.to_numpy()[:, :, np.newaxis].repeat(2, axis=2) if name == "codec of bits" else frame


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_fit_that_ends_at_any_moment_leaves_the_estimator_as_it_was_or_fits_it_whole(name, error):
    old, X = copy.deepcopy(ESTIMATORS[name]).fit(FIRST), sequences_of(name, SECOND)
    new = copy.deepcopy(old).fit(X)
    # Copying runs lines of the package too.
    counted = copy.copy(old)
    n_lines = count_lines(lambda: counted.fit(X))
    for moment in moments(n_lines):
        estimator = copy.copy(old)
        # A network keeps its best weights after Ctrl-C, and warns.
        with contextlib.suppress(error) if name == "network" else pytest.raises(error):
            count_lines(lambda estimator=estimator: estimator.fit(X), stop_at=moment, error=error)
        is_cut_short = name == "network" and estimator.interrupted_
        assert is_cut_short or joblib.hash(vars(estimator)) in (joblib.hash(vars(old)), joblib.hash(vars(new)))


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_search_for_events_that_ends_at_any_moment_leaves_the_detector_and_the_recording_as_they_were(error):
    detector, recording = copy.deepcopy(ESTIMATORS["detector"]).fit(FIRST), RECORDING.copy()
    expected = detect_events(detector, recording, 6)
    before = joblib.hash(vars(detector))
    n_lines = count_lines(lambda: detect_events(detector, recording, 6))
    for moment in moments(n_lines):
        with pytest.raises(error):
            count_lines(lambda: detect_events(detector, recording, 6), stop_at=moment, error=error)
    assert joblib.hash(vars(detector)) == before
    np.testing.assert_array_equal(recording, RECORDING)
    again = detect_events(detector, recording, 6)
    np.testing.assert_array_equal(again.row_scores, expected.row_scores)
    pd.testing.assert_frame_equal(again.table, expected.table)


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_encoding_that_ends_at_any_moment_leaves_the_codec_as_it_was(error):
    codec = copy.deepcopy(ESTIMATORS["codec"]).fit(FIRST)
    data, before = codec.encode(FIRST), joblib.hash(vars(codec))
    for call in (lambda: codec.encode(FIRST), lambda: codec.decode(data)):
        n_lines = count_lines(call)
        for moment in moments(n_lines):
            with pytest.raises(error):
                count_lines(call, stop_at=moment, error=error)
    assert joblib.hash(vars(codec)) == before
    assert codec.encode(FIRST) == data


@pytest.mark.parametrize("end", [KeyboardInterrupt, MemoryError])
def test_memory_that_ends_in_a_batch_of_windows_leaves_the_detector_as_it_was(end, monkeypatch):
    detector, begun = copy.deepcopy(ESTIMATORS["detector"]).fit(FIRST), []
    before = joblib.hash(vars(detector))

    def scores_of_one_batch(*arguments):
        begun.append(arguments)
        if len(begun) == 2:
            raise end
        return scored(*arguments)

    monkeypatch.setattr(event_search, "scored", scores_of_one_batch)
    monkeypatch.setattr(collection, "_CHUNK", 100)
    with pytest.raises(end):
        detect_events(detector, RECORDING, 6)
    assert len(begun) == 2
    assert joblib.hash(vars(detector)) == before


def results_of_two_threads(*calls):
    """The result of each call; they begin together."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.slow
def test_threads_that_use_one_estimator_get_what_one_thread_gets():
    random = np.random.default_rng(1)
    halves = random.normal(size=(2, 300, 6, 2))
    estimators = {name: copy.deepcopy(ESTIMATORS[name]).fit(FIRST) for name in ("network", "summary", "detector")}
    methods = {
        "network": ("transform", "reconstruct", "score"),
        "summary": ("transform",),
        "detector": ("score_samples", "predict"),
    }
    for name, names in methods.items():
        for method in names:
            call = getattr(estimators[name], method)
            expected = [call(half) for half in halves]
            for _ in range(3):
                results = results_of_two_threads(*(lambda half=half, call=call: call(half) for half in halves))
                for result, alone in zip(results, expected, strict=True):
                    np.testing.assert_array_equal(result, alone)


def test_threads_that_encode_with_one_codec_get_what_one_thread_gets():
    codec, halves = copy.deepcopy(ESTIMATORS["codec"]).fit(FIRST), (FIRST[:5], FIRST[5:])
    expected = [codec.encode(half) for half in halves]
    assert results_of_two_threads(*(lambda half=half: codec.encode(half) for half in halves)) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_two_threads_that_fit_one_estimator_leave_one_of_the_fits_whole(name):
    old = copy.deepcopy(ESTIMATORS[name]).fit(FIRST)
    sets = FIRST, sequences_of(name, SECOND)
    alone = {joblib.hash(vars(copy.deepcopy(ESTIMATORS[name]).fit(X))) for X in sets}
    for _ in range(5):
        estimator = copy.copy(old)
        results_of_two_threads(*(lambda X=X, estimator=estimator: estimator.fit(X) for X in sets))
        assert joblib.hash(vars(estimator)) in alone
