"""
Embed more sequences than one machine should
============================================

A fitted estimator is about a megabyte and needs no TensorFlow. Dask sends it to each of its workers once, and every
worker embeds the blocks that it reads from a zarr store. Here the workers are two processes of this machine. It needs
``pip install "seqembed[distributed]"``.
"""

# %%
# A store
# -------
# One row of the store is a sequence of 50 timesteps and 6 features. A chunk holds 2,000 of them, 2.4 MB.
import tempfile
import time
from pathlib import Path

import dask.array as da
import numpy as np
import zarr
from dask.distributed import Client, LocalCluster

from seqembed import LSTMAutoencoder

N_SEQUENCES = 40_000


def fill(store, n_sequences):
    """Write random walks into a new zarr store, chunk by chunk."""
    random = np.random.default_rng(0)
    sequences = zarr.open(store, mode="w", shape=(n_sequences, 50, 6), chunks=(2000, 50, 6), dtype="f4")
    for start in range(0, n_sequences, 2000):
        sequences[start : start + 2000] = random.normal(size=(2000, 50, 6)).cumsum(axis=1)
    return sequences


def main():
    """Embed the store with Dask, and compare with one process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sequences = fill(str(folder / "sequences.zarr"), N_SEQUENCES)
        autoencoder = LSTMAutoencoder(epochs=3, random_state=0).fit(sequences[:1000])

        # %%
        # Without Dask
        # ------------
        # One process reads the store slice by slice, on as many threads as there are cores.
        started = time.perf_counter()
        expected = autoencoder.transform(sequences)
        print(f"one process: {N_SEQUENCES / (time.perf_counter() - started):,.0f} sequences a second")

        # %%
        # With Dask
        # ---------
        # For a dask array, `transform` returns a dask array, which is computed later. The workers write the chunks of
        # the result, so that neither the sequences nor the embeddings pass through this process.
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
            lazy = da.from_zarr(str(folder / "sequences.zarr"))
            # A first block, so that the time of imports is not measured.
            autoencoder.transform(lazy[:2000]).compute()
            started = time.perf_counter()
            autoencoder.transform(lazy).to_zarr(str(folder / "embeddings.zarr"))
            print(f"two workers: {N_SEQUENCES / (time.perf_counter() - started):,.0f} sequences a second")
        embeddings = zarr.open(str(folder / "embeddings.zarr"), mode="r")[:]
        # Dask cuts the rows into batches of other sizes, and BLAS may round products of other sizes in another way:
        # with AVX2, that moves most embeddings by less than 1e-6. In one of these 40,000 rows, a convolution lies so
        # near a threshold that rounding decides whether it exceeds it at one of the 50 timesteps. A share of the
        # context is then 1/50 larger or smaller, and the embedding moves by .002.
        differences = np.abs(embeddings - expected).max(axis=1)
        print(f"difference of 99.9 % of the rows: at most {np.quantile(differences, 0.999):.1e}")
        print(f"largest difference: {differences.max():.1e}")
        assert np.quantile(differences, 0.999) < 1e-5


# %%
# On a cluster
# ------------
# - ``Client("tcp://scheduler:8786")`` in place of the local cluster; `dask-kubernetes`, `dask-jobqueue` and others
#   start one.
# - A path that all workers can read, such as ``s3://bucket/sequences.zarr``.
# - seqembed on the workers, of the same version. They need no TensorFlow: the page Start says how to leave
#   it out.
# - `reconstruct` and `reconstruction_error` work the same way. To write into an array that exists, pass ``out=`` a zarr
#   or h5py array, which this process then fills slice by slice.
if __name__ == "__main__":
    main()
