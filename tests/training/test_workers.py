import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import worker
from communicators import ThreadCommunicator, run_workers

from seqembed import LSTMAutoencoder, ReconstructionDetector, load
from seqembed.training.augmentation import unmixed
from seqembed.training.muon import Muon
from seqembed.training.workers import ALONE, Workers, find_workers

TESTS = Path(__file__).parents[1]


def sequences(n_samples=56, *, ragged, seed=0):
    """Waves of two features, some of their values missing."""
    random, time = np.random.default_rng(seed), np.arange(20)
    X = []
    for _ in range(n_samples):
        phases = random.uniform(0, 6, 2)
        x = np.stack([np.sin(time / 3 + phases[0]), 5 + np.cos(time / 5 + phases[1])], axis=1)
        x[random.random(x.shape) < 0.1] = np.nan
        X.append(x[: random.integers(5, 21) if ragged else 20].astype(np.float32))
    return X if ragged else np.stack(X)


def shards(X, *ends):
    return [X[start:end] for start, end in zip((0, *ends), (*ends, len(X)), strict=True)]


def small(**changes):
    return LSTMAutoencoder(4, hidden_units=(8,), **({"epochs": 6, "random_state": 0} | changes))


def fit_on_all(parts, **changes):
    return run_workers(lambda rank, workers: small(**changes).fit(parts[rank], communicator=workers), len(parts))


@pytest.fixture
def parameters_by_thread(monkeypatch):
    """The parameters after each update, by the thread that made it."""
    recorded, step = {}, Muon.step

    def recording(muon, *arguments):
        parameters = step(muon, *arguments)
        recorded.setdefault(threading.get_ident(), []).append(parameters.copy())
        return parameters

    monkeypatch.setattr(Muon, "step", recording)
    return recorded


@pytest.mark.slow
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("ends", [(35,), (9, 40)], ids=["two workers", "three workers"])
def test_workers_take_the_steps_of_one_process_on_all_sequences(ends, ragged, parameters_by_thread):
    X = sequences(ragged=ragged)
    # Context and shortcut are those of worker 0's sequences, so that they differ from those of all.
    settings = {"epochs": 20, "batch_size": len(X), "augment": False, "context_size": 0, "shortcut_size": 0}
    fitted = fit_on_all(shards(X, *ends), **settings)
    joint = list(parameters_by_thread.values())
    parameters_by_thread.clear()
    alone = small(**settings).fit(X)
    (single,) = parameters_by_thread.values()
    assert [len(steps) for steps in (*joint, single)] == [20] * (len(ends) + 2)
    for steps in joint:
        np.testing.assert_array_equal(steps, joint[0])
    # Without the readout's biases: on a whole set their gradient consists of rounding errors, which Adam makes large.
    n_parameters = alone.network_.n_parameters
    first, expected = (np.array(steps)[:, :n_parameters] for steps in (joint[0], single))
    np.testing.assert_allclose(first, expected, atol=1e-5)
    for each in fitted:
        assert (each.n_iter_, each.best_epoch_) == (alone.n_iter_, alone.best_epoch_)
        assert (each.n_timesteps_, each.one_length_) == (alone.n_timesteps_, alone.one_length_)
        np.testing.assert_allclose(each.history_["loss"], alone.history_["loss"], rtol=1e-5)
        np.testing.assert_allclose(each.scale_, alone.scale_)


@pytest.mark.slow
@pytest.mark.parametrize("ragged", [False, True])
def test_labels_and_weights_of_workers_count_as_those_of_one_process(ragged, parameters_by_thread):
    X, weights = sequences(ragged=ragged), np.random.default_rng(1).integers(1, 5, 56) * 1.0
    y = np.where(np.arange(56) % 5, np.arange(56) % 3, -1)
    settings = {"epochs": 20, "batch_size": len(X), "augment": False, "context_size": 0, "shortcut_size": 0}
    settings |= {"label_weight": 0.5, "readout_weight": 0}
    shares = list(zip(*(shards(each, 35) for each in (X, y, weights)), strict=True))

    def fit(rank, workers):
        own, labels, own_weights = shares[rank]
        return small(**settings).fit(own, labels, sample_weight=own_weights, communicator=workers)

    fitted = run_workers(fit, 2)
    joint = next(iter(parameters_by_thread.values()))
    parameters_by_thread.clear()
    alone = small(**settings).fit(X, y, sample_weight=weights)
    (single,) = parameters_by_thread.values()
    n_parameters = alone.network_.n_parameters
    np.testing.assert_allclose(
        *(np.array(steps)[:, :n_parameters] for steps in (joint, single)),
        atol=1e-5,
    )
    assert_equal_fits(fitted)
    for name in ("loss", "readout_loss"):
        np.testing.assert_allclose(fitted[0].history_[name], alone.history_[name], rtol=1e-4)


def test_weights_of_one_worker_alone_are_refused_by_all():
    X = sequences(ragged=False)

    def fit(rank, workers):
        with pytest.raises(ValueError, match="Worker 1 differs from worker 0 in its use of sample_weight"):
            small().fit(X, sample_weight=np.ones(56) if rank else None, communicator=workers)

    run_workers(fit, 2)


def assert_equal_fits(fitted):
    first = fitted[0]
    for each in fitted[1:]:
        assert each.history_ == first.history_
        assert (each.n_iter_, each.best_epoch_) == (first.n_iter_, first.best_epoch_)
        for name, weight in each.weights_.items():
            np.testing.assert_array_equal(weight, first.weights_[name])


@pytest.mark.slow
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"batch_size": 5, "validation_fraction": 0.2, "patience": 2, "epochs": 30, "learning_rate": 0.2},
        {"batch_size": 64, "patch_size": 3},
        {"readout_weight": 0, "n_jobs": 1},
        {"context_size": 0, "shortcut_size": 0},
    ],
    ids=["defaults", "patience", "patches", "no readout", "LSTM layers alone"],
)
def test_all_workers_end_with_the_same_network(changes, ragged):
    fitted = fit_on_all(shards(sequences(ragged=ragged), 30, 40), **changes)
    assert_equal_fits(fitted)
    if "patience" in changes:
        assert fitted[0].n_iter_ < 30, "patience ended nothing: the test shows nothing"


@pytest.mark.slow
def test_shards_may_be_as_unequal_as_one_to_fifty():
    assert_equal_fits(fit_on_all(shards(sequences(ragged=True), 1, 4), batch_size=4))


def test_all_workers_compute_the_same_context():
    X = sequences(ragged=True)
    first, second = fit_on_all(shards(X, 30))
    np.testing.assert_array_equal(first.transform(X), second.transform(X))
    assert first.network_.context_size > 0
    assert first.network_.shortcut_size > 0


def test_lengths_of_one_worker_count_for_all():
    X = sequences(ragged=False)
    fitted = fit_on_all([X[:30], [x[:12] for x in X[30:]]])
    assert_equal_fits(fitted)
    assert [(each.n_timesteps_, each.one_length_) for each in fitted] == [(20, False)] * 2


def test_workers_keep_time_together_or_not_at_all(monkeypatch):
    # Each shard repeats one wave: its sequences keep time with one another, those of both shards do not.
    wave = np.sin(np.arange(40) / 6)
    first, second = (np.repeat(sign * wave[np.newaxis], 20, axis=0) for sign in (1, -1))
    chosen = []
    monkeypatch.setattr(
        "seqembed.training.batches.mixed", lambda batch, *_: (chosen.append("mixed"), unmixed(batch))[1]
    )
    monkeypatch.setattr(
        "seqembed.training.batches.shifted", lambda batch, *_: (chosen.append("shifted"), unmixed(batch))[1]
    )
    fit_on_all([first, second], epochs=1)
    assert set(chosen) == {"shifted"}


@pytest.mark.slow
def test_an_explosion_sends_all_workers_back(recwarn):
    X = sequences(ragged=False)
    fitted = fit_on_all(shards(X, 30), activation="relu", learning_rate=3.0, epochs=8, batch_size=8)
    assert_equal_fits(fitted)
    assert any("exploded" in str(warning.message) for warning in recwarn), "nothing exploded: the test shows nothing"


def test_workers_without_a_seed_agree_too():
    assert_equal_fits(fit_on_all(shards(sequences(ragged=False), 30), random_state=None))


def test_sequences_of_other_features_are_refused_by_all_workers():
    X = sequences(ragged=False)
    errors = []

    def fit(rank, workers):
        with pytest.raises(ValueError, match="Worker 1 differs from worker 0 in its number of features") as error:
            small().fit(X[:, :, rank:], communicator=workers)
        errors.append(str(error.value))

    run_workers(fit, 2)
    assert errors[0] == errors[1]


@pytest.mark.parametrize(
    ("second", "difference"),
    [
        ({"epochs": 7}, "parameters"),
        ({"scale": None}, "parameters"),
        ({"warm_start": False}, "parameters and fit before"),
    ],
)
def test_other_parameters_of_a_worker_are_refused_by_all(second, difference):
    X = sequences(ragged=False)
    first = small(warm_start=True).fit(X)

    def fit(rank, workers):
        estimator = first if rank == 0 else small(**({"warm_start": True} | second))
        with pytest.raises(ValueError, match=rf"differs from worker 0 in its .*{difference.split()[-1]}"):
            estimator.fit(X, communicator=workers)

    run_workers(fit, 2)


def test_data_frames_whose_columns_differ_between_workers_are_refused():
    frames = [pd.DataFrame(x, columns=["flow", "heat"]) for x in sequences(ragged=False)]
    swapped = [frame[["heat", "flow"]] for frame in frames]

    def fit(rank, workers):
        with pytest.raises(ValueError, match="differs from worker 0 in its column names"):
            small().fit(swapped if rank else frames, communicator=workers)

    run_workers(fit, 2)


def test_a_shard_that_is_too_small_to_hold_back_from_is_named_to_all():
    X = sequences(ragged=False)

    def fit(rank, workers):
        with pytest.raises(ValueError, match="n_samples=1 of worker 1, which leaves no sequence"):
            small(validation_fraction=0.2).fit(X[:1] if rank else X, communicator=workers)

    run_workers(fit, 2)


def test_a_sum_that_was_given_up_is_never_followed_by_another(monkeypatch):
    monkeypatch.setattr("seqembed.training.workers._LONGEST_WAIT", 0.05)

    class OneThatWaits(ThreadCommunicator):
        def Iallreduce(self, vector, sums):
            return self

        def Test(self):
            return False

    workers = find_workers(OneThatWaits(0, 2, None, None))
    with pytest.raises(ConnectionError, match="Worker 0 of 2 got no sum"):
        workers.all_reduce(np.ones(3))
    with pytest.raises(ConnectionError, match=r"given up\. Start all workers again"):
        workers.all_reduce(np.ones(3))


def test_one_worker_is_a_process_alone():
    assert find_workers(ThreadCommunicator(0, 1, None, None)) is ALONE
    assert find_workers() is ALONE


def test_what_is_no_communicator_is_refused(waves):
    with pytest.raises(TypeError, match=r"communicator= of type int.*MPI.COMM_WORLD"):
        small().fit(waves, communicator=3)


def test_only_fit_trains_on_several_machines(monkeypatch, waves):
    monkeypatch.setattr("seqembed.training.workers._workers_of_strategy", lambda: Workers(np.copy, 0, 2))
    with pytest.raises(ValueError, match="partial_fit inside the scope"):
        small().partial_fit(waves)
    with pytest.raises(ValueError, match=r"ReconstructionDetector\.fit inside the scope"):
        ReconstructionDetector(small()).fit(waves)


def test_generators_travel_between_workers():
    def draw(rank, communicator):
        own = np.random.default_rng(rank)
        # Half of a number of 64 bits is kept for the next draw of 32.
        own.integers(10, dtype=np.uint32)
        copies = find_workers(communicator).all_gather_generators(own)
        return [copy.normal() for copy in copies], own.normal()

    (gathered, first), (_, second) = run_workers(draw, 2)
    assert gathered == [first, second]


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start(engine, failure, folder):
    """Start two workers as processes; return the ones to wait for."""
    command = [sys.executable, "-W", "ignore"]
    script = [str(TESTS / "worker.py"), engine, failure, str(folder)]
    if engine == "mpi":
        launcher = Path(sys.executable).with_name("mpiexec")
        return [subprocess.Popen([launcher, "-n", "2", *command, "-m", "mpi4py", *script], stderr=subprocess.DEVNULL)]
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    processes = []
    for rank in range(2):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
        environment = os.environ | {"TF_CONFIG": json.dumps(config), "TF_CPP_MIN_LOG_LEVEL": "3"}
        processes.append(subprocess.Popen(command + script, env=environment, stderr=subprocess.DEVNULL))
    return processes


def run_processes(engine, failure, folder):
    if engine == "mpi":
        pytest.importorskip("mpi4py")
        if not Path(sys.executable).with_name("mpiexec").exists():
            pytest.skip("there is no mpiexec beside this Python")
    processes = start(engine, failure, folder)
    try:
        # The others end by themselves, or not at all.
        processes[0].wait(120)
        if failure == "none":
            for process in processes:
                assert process.wait(30) == 0
    finally:
        for process in processes:
            process.kill()
    result = folder / "result.0"
    return json.loads(result.read_text()) if result.exists() else None


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["tensorflow", "mpi"])
def test_processes_end_with_the_same_network_as_one(engine, tmp_path):
    result = run_processes(engine, "none", tmp_path)
    first, second = (load(tmp_path / f"model.{rank}") for rank in (0, 1))
    alone = worker.autoencoder().fit(worker.sequences())
    assert (result["epochs"], result["best"]) == (alone.n_iter_, alone.best_epoch_)
    for name, weight in alone.weights_.items():
        np.testing.assert_array_equal(first.weights_[name], second.weights_[name])
        np.testing.assert_allclose(first.weights_[name], weight, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "failure"),
    [("tensorflow", "killed"), ("tensorflow", "frozen"), ("tensorflow", "left"), ("mpi", "frozen")],
)
def test_a_worker_that_fails_ends_the_other_with_an_error(engine, failure, tmp_path):
    result = run_processes(engine, failure, tmp_path)
    assert "Worker 0 of 2 got no sum from the others" in result["error"]
    # `worker.py` waits for 5 s instead of 45 s.
    assert result["seconds"] < 15


@pytest.mark.slow
def test_an_error_of_a_worker_ends_all_that_mpi_has_started(tmp_path):
    started = time.monotonic()
    assert run_processes("mpi", "error", tmp_path) is None
    assert time.monotonic() - started < 30


@pytest.mark.slow
def test_the_launcher_of_the_example_gives_up_on_a_worker_that_never_starts(monkeypatch, tmp_path):
    path = TESTS.parent / "examples" / "train_on_many_machines.py"
    specification = importlib.util.spec_from_file_location("train_on_many_machines", path)
    example = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(example)
    processes, popen = [], subprocess.Popen

    def start_one_only(command, env):
        rank = json.loads(env["TF_CONFIG"])["task"]["index"]
        processes.append(popen(command if rank == 0 else ["sleep", "100"], env=env, stderr=subprocess.DEVNULL))
        return processes[-1]

    monkeypatch.setattr(example.subprocess, "Popen", start_one_only)
    monkeypatch.setattr(example, "SECONDS_TO_START", 5)
    started = time.monotonic()
    with pytest.raises(SystemExit, match="Not all workers had started after 5 s"):
        example.launch(2, tmp_path)
    assert time.monotonic() - started < 20
    assert all(process.wait(10) for process in processes)
