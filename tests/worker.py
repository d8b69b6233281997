"""A worker of a fit on two machines, which test_machines.py starts as a process: ``worker.py ENGINE FAILURE FOLDER``.

Worker 1 fails in the way that FAILURE says after its third epoch. Worker 0 writes what it got into a file.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from seqembed import LSTMAutoencoder
from seqembed.training import machines

ENGINE, FAILURE, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
# Instead of 45 s, so that a test does not take as long. Nothing but the length of the wait depends on it.
machines._LONGEST_WAIT = 5
machines._LOST = machines._LOST.replace("45", "5")


def sequences():
    random = np.random.default_rng(0)
    lengths = random.integers(4, 9, 50)
    X = [random.normal(size=(length, 2)).astype(np.float32) for length in lengths]
    X[3][0, 1] = np.nan
    return X


def shard(rank):
    return sequences()[:30] if rank == 0 else sequences()[30:]


def autoencoder():
    return LSTMAutoencoder(
        4, hidden_units=(8,), batch_size=50, epochs=20, augment=False, readout_weight=0.1, random_state=0
    )


def fail():
    if FAILURE == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if FAILURE == "frozen":
        (FOLDER / "failed").touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    if FAILURE == "error":
        raise RuntimeError("the worker failed")
    if FAILURE == "left":
        # As after a Ctrl-C that was caught: the process lives, and makes no more sums.
        time.sleep(40)
        os._exit(0)


def fit(rank, **where):
    n_sums = 0

    def total_or_failure(total):
        def counted(vector):
            nonlocal n_sums
            n_sums += 1
            if n_sums == 20:
                if rank == 1:
                    fail()
                (FOLDER / f"failure.{rank}").write_text(str(time.time()))
            return total(vector)

        return counted

    find = machines.find_workers
    from seqembed.estimators import base

    base.find_workers = lambda communicator: (workers := find(communicator))._replace(
        total=total_or_failure(workers.total)
    )
    started = time.time()
    try:
        fitted = autoencoder().fit(shard(rank), **where)
    except ConnectionError as error:
        started = float((FOLDER / f"failure.{rank}").read_text())
        result = {"error": str(error), "seconds": time.time() - started}
    else:
        fitted.save(FOLDER / f"model.{rank}")
        result = {"epochs": fitted.n_iter_, "best": fitted.best_epoch_, "history": fitted.history_}
    (FOLDER / f"result.{rank}").write_text(json.dumps(result))
    sys.stdout.flush()
    # Without waiting for workers that will never come.
    sys.exit(3 if "error" in result else 0)


if ENGINE == "tensorflow":
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope():
        fit(strategy.cluster_resolver.task_id)
else:
    from mpi4py import MPI

    fit(MPI.COMM_WORLD.Get_rank(), communicator=MPI.COMM_WORLD)
