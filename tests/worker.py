"""A worker of a fit on two machines, which test_workers.py starts as a process: ``worker.py ENGINE FAILURE FOLDER``.

Worker 1 fails at its twentieth sum, in the way that FAILURE names. Worker 0 writes its result into a file.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from seqembed import LSTMAutoencoder
from seqembed.estimators import base
from seqembed.training import workers


def sequences():
    """Draw sequences of unequal lengths, with one missing value."""
    random = np.random.default_rng(0)
    X = [random.normal(size=(length, 2)).astype(np.float32) for length in random.integers(4, 9, 50)]
    X[3][0, 1] = np.nan
    return X


def autoencoder():
    settings = {"batch_size": 50, "epochs": 20, "augment": False, "context_size": 0, "shortcut_size": 0}
    return LSTMAutoencoder(4, hidden_units=(8,), random_state=0, **settings)


def fail(failure):
    if failure == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if failure == "frozen":
        os.kill(os.getpid(), signal.SIGSTOP)
    if failure == "error":
        raise RuntimeError("the worker failed")
    if failure == "left":
        # As after a Ctrl-C that was caught: the process lives but computes no more sums.
        time.sleep(40)


def failing_at_sum(number, found, failure, moments):
    """Let worker 1 fail at a sum. Note the moment at which worker 0 reaches it."""
    n_sums = 0

    def all_reduce(vector):
        nonlocal n_sums
        n_sums += 1
        if n_sums == number:
            if found.rank == 1:
                fail(failure)
            moments.append(time.monotonic())
        return found.all_reduce(vector)

    return found._replace(all_reduce=all_reduce)


def fit(rank, failure, folder, **where):
    find, moments = workers.find_workers, []
    base.find_workers = lambda communicator: failing_at_sum(20, find(communicator), failure, moments)
    X = sequences()[:30] if rank == 0 else sequences()[30:]
    try:
        fitted = autoencoder().fit(X, **where)
    except ConnectionError as error:
        result = {"error": str(error), "seconds": time.monotonic() - moments[0]}
    else:
        fitted.save(folder / f"model.{rank}")
        result = {"epochs": fitted.n_iter_, "best": fitted.best_epoch_}
    (folder / f"result.{rank}").write_text(json.dumps(result))
    sys.exit(3 if "error" in result else 0)


def main():
    engine, failure, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    # Instead of 45 s, so that a test does not take as long.
    workers._LONGEST_WAIT = 5
    if engine == "tensorflow":
        import tensorflow as tf

        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        with strategy.scope():
            fit(strategy.cluster_resolver.task_id, failure, folder)
    else:
        from mpi4py import MPI

        fit(MPI.COMM_WORLD.Get_rank(), failure, folder, communicator=MPI.COMM_WORLD)


if __name__ == "__main__":
    main()
