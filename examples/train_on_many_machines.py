"""
Train one network on several machines
=====================================

The sequences are on several machines, because no machine can hold all of them. Each machine runs the same script, with
a shard of the sequences. In each update, TensorFlow's all-reduce sums the gradients of all shards, so that every worker
ends with the same network.

Without an argument, the script starts two workers on this machine.
"""

# %%
# The worker
# ----------
# The strategy connects the workers. It has to be made before TensorFlow computes anything. The environment variable
# ``TF_CONFIG`` says which worker this is, and where the others are.
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from seqembed import LSTMAutoencoder, load
from seqembed.datasets import load_japanese_vowels


def make_autoencoder():
    """Return the same parameters to each worker; `batch_size` counts the sequences of all of them."""
    return LSTMAutoencoder(n_components=16, hidden_units=(32,), epochs=200, batch_size=90, random_state=0)


def shard_of(rank):
    """Return the sequences of a worker. On a cluster, read them from its own files; they may be of unequal number."""
    sequences = load_japanese_vowels(split="train").data
    return sequences[:180] if rank == 0 else sequences[180:]


def work(folder):
    """Train as one of the workers that ``TF_CONFIG`` lists."""
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    rank = strategy.cluster_resolver.task_id
    (folder / f"started.{rank}").touch()
    with strategy.scope():
        fitted = make_autoencoder().fit(shard_of(rank), checkpoint=folder / "checkpoint")
    print(f"worker {rank}: epoch {fitted.best_epoch_} of {fitted.n_iter_}, loss {fitted.history_['loss'][-1]:.6f}")
    if rank == 0:
        fitted.save(folder / "model.seqembed")


# %%
# The launcher
# ------------
# TensorFlow waits without end for a worker that never starts, and only SIGKILL ends this wait. So the launcher has a
# deadline. A worker that fails later needs none: `fit` raises ConnectionError in the others.
SECONDS_TO_START = 60


def launch(n_workers, folder):
    """Start workers on this machine, and wait for them."""
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(n_workers)]
    workers = []
    for rank in range(n_workers):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
        environment = os.environ | {"TF_CONFIG": json.dumps(config), "TF_CPP_MIN_LOG_LEVEL": "3"}
        workers.append(subprocess.Popen([sys.executable, __file__, str(folder)], env=environment))
    deadline = time.monotonic() + SECONDS_TO_START
    try:
        while any(worker.poll() is None for worker in workers):
            if any(worker.poll() for worker in workers):
                raise SystemExit("A worker ended with an error: see above. The next start goes on from the checkpoint.")
            has_started = len(list(folder.glob("started.*"))) == n_workers
            if time.monotonic() > deadline and not has_started:
                raise SystemExit(f"Not all workers had started after {SECONDS_TO_START} s.")
            time.sleep(0.1)
    finally:
        for worker in workers:
            worker.kill()


def free_port():
    """Return the number of a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


# %%
# Two workers, beside one process
# -------------------------------
# Each worker varies its own sequences, so the two networks differ as those of two seeds do. With ``augment=False`` and
# one batch an epoch, they would be equal to about six digits.
def main():
    """Train in two workers and in one process, and compare the two networks on unseen sequences."""
    with tempfile.TemporaryDirectory() as name:
        started = time.perf_counter()
        launch(2, Path(name))
        print(f"two workers: {time.perf_counter() - started:.0f} s, in which both import TensorFlow")
        of_two = load(Path(name) / "model.seqembed")
    unseen = load_japanese_vowels(split="test").data
    of_one = make_autoencoder().fit(load_japanese_vowels(split="train").data)
    print(f"R^2 of unseen sequences: two workers {of_two.score(unseen):.4f}, one process {of_one.score(unseen):.4f}")


# %%
# On a cluster
# ------------
# - Start the script once on each machine, with the argument that `work` takes, and without the launcher: an indexed job
#   of Kubernetes, or ``srun``. ``TF_CONFIG`` holds the addresses of all machines, and the number of this one as
#   "index". ``tf.distribute.cluster_resolver.SlurmClusterResolver`` reads both from Slurm:
#   ``MultiWorkerMirroredStrategy(cluster_resolver=...)``.
# - Set a deadline for the start: in Kubernetes a ``startupProbe`` that looks for ``started.0``, in Slurm ``timeout
#   --signal=KILL`` around a step that only connects.
# - Only the checkpoint of worker 0 is read. Put it where a new worker 0 finds it, such as a shared file system.
# - A machine with several GPUs runs a worker for each, which sees only this one.
# - Where MPI runs, no strategy is needed: ``from mpi4py import MPI``, then ``fit(shard, communicator=MPI.COMM_WORLD)``.
#   Start it by ``mpiexec -n 2 python -m mpi4py script.py``. Without ``-m mpi4py``, an error of one worker leaves the
#   others hanging.
# - Computing a gradient should take longer than its all-reduce: ``benchmarks/bench_scaling_out.py`` measures both. If
#   it does not, raise `batch_size`, so that an epoch has fewer updates.
if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(Path(sys.argv[1]))
    else:
        main()
