"""How much do more machines help to embed and to train?

Embedding: sequences a second that plain `transform` and Dask with one and two workers make of a zarr store, and the
memory of a worker at its peak for a store and for one four times as large. Linux only.

Training: milliseconds of an update, and of an all-reduce over two processes of this machine (TensorFlow's and, if
mpi4py and mpiexec are installed, MPI's). From both, a simple model computes the speed-up on more machines, and its
assumptions are printed with it. It was not measured on a network.
"""

from __future__ import annotations

import copy
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import dask.array as da
import numpy as np
import zarr
from alternation import describe_machine, median_seconds
from dask.distributed import Client, LocalCluster

from seqembed import LSTMAutoencoder
from seqembed.network.architecture import Network
from seqembed.network.weights import flat_parameters, initial_weights
from seqembed.parallel import one_blas_thread, thread_pool
from seqembed.training.gradient.batch_gradient import BatchGradient
from seqembed.training.muon import Muon

TIMESTEPS, N_FEATURES, CHUNK = 50, 6, 2000
BATCH_SIZES = (8, 16, 64, 256)
N_PARAMETERS = Network(N_FEATURES, encoded_timesteps=TIMESTEPS).n_parameters
# A round trip within a data centre, half of it for each step of a ring.
SECONDS_A_MESSAGE = 50e-6

SUM = """
import statistics, sys, time
import numpy as np
from seqembed.training.workers import find_workers

def measure(communicator=None):
    workers, vector = find_workers(communicator), np.ones(int(sys.argv[1]), np.float32)
    seconds = []
    for _ in range(60):
        started = time.perf_counter()
        workers.all_reduce(vector)
        seconds.append(time.perf_counter() - started)
    if workers.rank == 0:
        print("seconds", statistics.median(seconds[10:]), flush=True)
"""
WITH_TENSORFLOW = (
    SUM
    + """
import tensorflow as tf
with tf.distribute.MultiWorkerMirroredStrategy().scope():
    measure()
"""
)
WITH_MPI = (
    SUM
    + """
from mpi4py import MPI
measure(MPI.COMM_WORLD)
"""
)


def main() -> None:
    """Print the two parts."""
    print(describe_machine(("tensorflow", "numpy", "dask", "zarr", "mpi4py")))
    with tempfile.TemporaryDirectory() as folder:
        embed(Path(folder))
    compute = {size: seconds_of_update(size) for size in BATCH_SIZES}
    for size, seconds in compute.items():
        print(f"update of {size:3d} sequences: {1000 * seconds:6.1f} ms, {size / seconds:6.0f} sequences a second")
    sums = {"TensorFlow": sum_with_tensorflow(), "MPI": sum_with_mpi()}
    for engine, seconds in sums.items():
        print(f"all-reduce of {N_PARAMETERS} values over two processes, {engine}: {_milliseconds(seconds)}")
    model(compute, sums["TensorFlow"])


def embed(folder: Path) -> None:
    """Print sequences a second, and the memory of workers."""
    small, large = (fill(folder / f"{n_chunks}.zarr", n_chunks) for n_chunks in (20, 80))
    autoencoder = LSTMAutoencoder(patch_size=1, epochs=1, random_state=0).fit(zarr.open(small, mode="r")[:200])
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0) as two,
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, memory_limit=0) as one,
        Client(two, set_as_default=False) as of_two,
        Client(one, set_as_default=False) as of_one,
    ):

        def with_dask(client, path):
            lazy = autoencoder.transform(da.from_zarr(path))
            # The client receives a small result.
            return client.compute(lazy[:, 0].sum()).result()

        # Dask has set it in this process too, but the first contestant uses all threads.
        os.environ.pop("OMP_NUM_THREADS", None)
        on_one_thread = copy.copy(autoencoder).set_params(n_jobs=1)
        contestants = {
            "one process": lambda: autoencoder.transform(zarr.open(small, mode="r")),
            "one process, one thread": lambda: on_one_thread.transform(zarr.open(small, mode="r")),
            "Dask, one worker": lambda: with_dask(of_one, small),
            "Dask, two workers": lambda: with_dask(of_two, small),
        }
        for name, seconds in median_seconds(contestants, repeats=3).items():
            print(f"embedding {20 * CHUNK} sequences, {name}: {20 * CHUNK / seconds:8,.0f} a second")
        before = max(of_two.run(peak_memory).values())
        with_dask(of_two, large)
        after = max(of_two.run(peak_memory).values())
        print(f"memory of a worker at its peak: {before:.0f} MB, after a store four times as large {after:.0f} MB")


def fill(path: Path, n_chunks: int) -> str:
    """Write random walks into a zarr store."""
    random = np.random.default_rng(0)
    shape = (n_chunks * CHUNK, TIMESTEPS, N_FEATURES)
    store = zarr.open(str(path), mode="w", shape=shape, chunks=(CHUNK, TIMESTEPS, N_FEATURES), dtype="f4")
    for start in range(0, shape[0], CHUNK):
        store[start : start + CHUNK] = random.normal(size=(CHUNK, TIMESTEPS, N_FEATURES)).cumsum(axis=1)
    return str(path)


def peak_memory() -> float:
    """Megabytes of this process at its peak."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def seconds_of_update(batch_size: int) -> float:
    """Measure a compiled gradient and the step of the optimiser, on all cores."""
    network = Network(N_FEATURES, encoded_timesteps=TIMESTEPS)
    shape = (batch_size, TIMESTEPS, N_FEATURES)
    X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    lengths, weight = np.full(batch_size, TIMESTEPS), np.full(shape, 1 / X.size, np.float32)
    start = flat_parameters(network.weight_shapes, initial_weights(network, np.random.default_rng(0)))
    with thread_pool(None) as pool, one_blas_thread():
        # Enough updates that it compiles.
        gradient = BatchGradient(network, network.weight_shapes, TIMESTEPS, batch_size, 100_000, pool)
        muon, moments = Muon(network.weight_shapes, pool), np.zeros((2, len(start)), np.float32)

        def update():
            parameters = start
            for number in range(1, 6):
                parameters = muon.step(parameters, moments, gradient(parameters, X, lengths, weight)[2], 0.01, number)

        return median_seconds({"update": update}, repeats=7)["update"] / 5


def sum_with_tensorflow() -> float | None:
    """Measure the seconds of an all-reduce over two processes by TensorFlow."""
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    processes = []
    for rank in range(2):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
        environment = os.environ | {"TF_CONFIG": json.dumps(config), "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-c", WITH_TENSORFLOW, str(N_PARAMETERS)]
        processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
    try:
        return _seconds_in(processes[0].communicate(timeout=120)[0])
    finally:
        for process in processes:
            process.kill()


def sum_with_mpi() -> float | None:
    """Measure the seconds of an all-reduce over two processes by MPI; None without it."""
    launcher = Path(sys.executable).with_name("mpiexec")
    if not launcher.exists():
        return None
    command = [str(launcher), "-n", "2", sys.executable, "-m", "mpi4py", "-c", WITH_MPI, str(N_PARAMETERS)]
    return _seconds_in(subprocess.run(command, capture_output=True, timeout=120, check=True).stdout)


def _seconds_in(output: bytes) -> float:
    return next(float(line.split()[1]) for line in output.splitlines() if line.startswith(b"seconds"))


def _milliseconds(seconds: float | None) -> str:
    return "not installed" if seconds is None else f"{1000 * seconds:.2f} ms"


def free_port() -> int:
    """Return the number of a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def model(compute: dict[int, float], software: float) -> None:
    """Print the factor by which M machines should multiply the sequences a second of training."""
    print(
        f"A model, not a measurement. M machines like this one divide a joint batch into equal shards. The time of a "
        f"shard is\ninterpolated between the sizes measured above. An all-reduce takes {1000 * software:.1f} ms of "
        f"software, as between two processes here,\n2 (M - 1) messages of {1e6 * SECONDS_A_MESSAGE:.0f} microseconds, "
        f"and the transfer of 2 (M - 1) / M times {4 * N_PARAMETERS / 1e6:.2f} MB over the network of each\nmachine. "
        f"Computation and all-reduce don't overlap. Speed-up over one machine with the same batch:"
    )
    sizes, seconds = np.array(list(compute.items())).T

    def of_batch(size):
        return np.interp(size, sizes, seconds) if size < sizes[-1] else seconds[-1] * size / sizes[-1]

    machines = (2, 4, 8, 16, 32, 64)
    print(f"{'machines':34s}" + "".join(f"{count:8d}" for count in machines))
    joint_batches = {
        "joint batch of 64": [64] * len(machines),
        "joint batch of 1024": [1024] * len(machines),
        "64 sequences a machine": [64 * count for count in machines],
    }
    for name, batches in joint_batches.items():
        for gigabits in (1, 10):
            ratios = []
            for count, batch in zip(machines, batches, strict=True):
                wire = 2 * (count - 1) / count * 32 * N_PARAMETERS / (gigabits * 1e9)
                total = software + 2 * (count - 1) * SECONDS_A_MESSAGE + wire
                ratios.append(of_batch(batch) / (of_batch(batch / count) + total))
            print(f"{name + f', {gigabits} Gbit/s':34s}" + "".join(f"{ratio:8.2f}" for ratio in ratios))


if __name__ == "__main__":
    main()
