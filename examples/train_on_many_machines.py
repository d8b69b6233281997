"""
Train one network on several machines
=====================================

The sequences lie on several machines, and none of them could hold all. Each machine runs the same script, with a shard
of the sequences. In each update the gradients of all shards are summed, so that every worker ends with the same network:
the one that a single machine would have trained on all sequences. TensorFlow's collectives make the sums.

Started as it is, the script starts two workers on this machine.
"""

# %%
# The worker
# ----------
# The strategy connects the workers. It has to be made before TensorFlow computes anything. Its environment variable
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
    return LSTMAutoencoder(n_components=16, hidden_units=(32,), epochs=60, batch_size=270, random_state=0)


def shard_of(rank):
    """Sequences of a worker: on a cluster, read them from its own files. Those of two workers are of unequal number."""
    sequences = load_japanese_vowels(split="train").data
    return sequences[:180] if rank == 0 else sequences[180:]


def work(folder):
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    rank = strategy.cluster_resolver.task_id
    (folder / f"started.{rank}").touch()
    with strategy.scope():
        autoencoder = make_autoencoder().fit(shard_of(rank), checkpoint=folder / "checkpoint")
    print(
        f"worker {rank}: {autoencoder.n_iter_} epochs, best {autoencoder.best_epoch_}, {autoencoder.history_['loss'][-1]:.6f}"
    )
    if rank == 0:
        autoencoder.save(folder / "model.seqembed")


# %%
# The launcher
# ------------
# A worker that waits for one that never starts would wait inside TensorFlow for ever, and no signal but SIGKILL ends it.
# So the launcher has a deadline. Kubernetes and Slurm have one too: ``activeDeadlineSeconds``, ``srun --wait``.
SECONDS_TO_START = 60


def launch(n_workers, folder):
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


# %%
# Both, beside one process
# ------------------------
def main():
    with tempfile.TemporaryDirectory() as name:
        started = time.perf_counter()
        launch(2, Path(name))
        print(f"two workers: {time.perf_counter() - started:.0f} s, most of them to import TensorFlow twice")
        of_two = load(Path(name) / "model.seqembed")
    unseen = load_japanese_vowels(split="test").data
    of_one = make_autoencoder().fit(load_japanese_vowels(split="train").data)
    print(f"R^2 of unseen sequences: {of_two.score(unseen):.4f}, fitted by one process {of_one.score(unseen):.4f}")


# %%
# On a cluster
# ------------
# - Start the script once on each machine, with the argument that `work` takes, and no launcher: a Kubernetes job with a
#   completion index, or ``srun``. Put the addresses of all machines into ``TF_CONFIG``, and the machine's number into
#   ``index``. ``tf.distribute.cluster_resolver.SlurmClusterResolver`` reads both from Slurm:
#   ``MultiWorkerMirroredStrategy(cluster_resolver=...)``.
# - ``checkpoint=`` of worker 0 holds. Put it where a new worker 0 finds it.
# - A machine with several GPUs runs a worker for each, which sees only this one.
# - Where MPI runs, no strategy is needed: ``fit(shard, communicator=MPI.COMM_WORLD)`` with ``from mpi4py import MPI``, and
#   ``mpiexec -n 2 python -m mpi4py script.py``. Without ``-m mpi4py``, an error of one worker leaves the others hanging.
# - An update should take longer than its sum: see ``benchmarks/bench_scaling_out.py``. `batch_size` counts the sequences
#   of all workers. Workers that get twice as many make half as many updates an epoch.
if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(Path(sys.argv[1]))
    else:
        main()
