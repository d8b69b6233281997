"""
Millions of sequences in Parquet: how do I embed them with Spark?
=================================================================

A fitted estimator is a small object of NumPy arrays. Spark sends it to each worker once, and the workers embed the
rows of a table. We do this on two cores of one machine, for two layouts of the table, and compare with one process. It
needs ``pip install -e ".[distributed]"`` and Java 17 or newer.
"""

# %%
# Fit on a sample
# ---------------
# A sample of the sequences is enough for training. Here it is the 40 training recordings of BasicMotions. The sequences
# to embed are its test recordings, picked at random, with some noise.
import os
import sys
import tempfile
import time

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from seqembed import LSTMAutoencoder
from seqembed.datasets import load_basic_motions

training, unseen = load_basic_motions(split="train"), load_basic_motions(split="test")
autoencoder = LSTMAutoencoder(n_components=16, hidden_units=(32,), epochs=20, random_state=0).fit(training.data)
features = training.feature_names
rng = np.random.default_rng(0)
X = unseen.data[rng.integers(len(unseen.data), size=5000)]
X += rng.normal(scale=0.1, size=X.shape).astype(np.float32)

# %%
# Start Spark
# -----------
# ``broadcast`` sends the estimator to the workers. They need no TensorFlow. PySpark warns of pandas 3; what this
# example uses works with it.
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
settings = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "8",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "500",
}
spark = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
shared = spark.sparkContext.broadcast(autoencoder)
schema = "id long, embedding array<float>"
folder = tempfile.TemporaryDirectory()


def compare(name, embed, expected):
    """Print the speed of a computation, and stop unless it gives the expected embeddings."""
    embed()  # At the first call, the workers start, import seqembed and unpickle the estimator.
    started = time.perf_counter()
    embedded = embed()
    rate = len(expected) / (time.perf_counter() - started)
    # Spark cuts the rows into batches of other sizes, and BLAS may round products of other sizes in another way. That
    # moves embeddings by less than 1e-6. In rare rows, a convolution lies so near a threshold that rounding decides
    # whether it exceeds it at one timestep. A share of the context then differs, and the embedding by some thousandths.
    differences = np.abs(embedded - expected).max(axis=1)
    print(f"{name:28s}{rate:8.0f} sequences a second, largest difference {differences.max():.1e}")
    assert np.quantile(differences, 0.999) < 1e-5


def collect(table):
    """Bring embeddings from the workers, in the order of their ids."""
    return np.stack(table.toPandas().sort_values("id")["embedding"])


# %%
# One row a sequence
# ------------------
# The values of a sequence are flattened to one array column. A worker gets the rows in batches, which are pandas data
# frames of ``maxRecordsPerBatch`` rows. It stacks each to an array of shape (n_samples, n_timesteps, n_features).
table = pd.DataFrame({"id": np.arange(len(X)), "values": list(X.reshape(len(X), -1))})
spark.createDataFrame(table).repartition(4).write.parquet(f"{folder.name}/sequences")


def embed_batches(batches):
    """Embed the batches of a partition, one after the other."""
    for batch in batches:
        sequences = np.stack(batch["values"]).reshape(len(batch), -1, len(features))
        yield pd.DataFrame({"id": batch["id"], "embedding": list(shared.value.transform(sequences))})


rows = spark.read.parquet(f"{folder.name}/sequences")
expected = autoencoder.transform(X)
compare("One process", lambda: autoencoder.transform(X), expected)
compare("Spark, one row a sequence", lambda: collect(rows.mapInPandas(embed_batches, schema)), expected)

# %%
# One row a timestep
# ------------------
# The rows are in any order, and the sequences have 50 to 100 timesteps. Spark has to bring the rows of a sequence
# together. ``groupBy("id")`` would make one group of each sequence. A group costs some milliseconds, however small it
# is, so this would take many times longer. We group by a hash of the id, into 64 buckets of many sequences.
sequences = [sequence[:length] for sequence, length in zip(X, rng.integers(50, 101, size=len(X)), strict=True)]
lengths = [len(sequence) for sequence in sequences]
table = pd.DataFrame(np.concatenate(sequences), columns=features)
table = table.assign(id=np.repeat(np.arange(len(X)), lengths), time=np.concatenate([np.arange(n) for n in lengths]))
spark.createDataFrame(table.sample(frac=1, random_state=0)).repartition(4).write.parquet(f"{folder.name}/timesteps")


def embed_bucket(bucket):
    """Sort the rows of a bucket, cut them into sequences, and embed all of these in one call."""
    bucket = bucket.sort_values(["id", "time"])
    ids, starts = np.unique(bucket["id"], return_index=True)
    sequences = np.split(bucket[features].to_numpy(), starts[1:])
    return pd.DataFrame({"id": ids, "embedding": list(shared.value.transform(sequences))})


buckets = spark.read.parquet(f"{folder.name}/timesteps").groupBy(F.pmod(F.hash("id"), F.lit(64)))
expected = autoencoder.transform(sequences)
compare("One process", lambda: autoencoder.transform(sequences), expected)
compare("Spark, one row a timestep", lambda: collect(buckets.applyInPandas(embed_bucket, schema)), expected)
spark.stop()

# %%
# On a cluster
# ------------
# Here Spark is slower than one process. It reads Parquet and passes rows from Java to Python. Together these cost more
# than this small network. Spark pays off for a table that one machine can't hold or read fast enough. On a cluster,
# these lines change:
#
# - **Session.** ``master`` is the address of the cluster, ``PYSPARK_PYTHON`` the path of Python on the workers.
#   ``SPARK_LOCAL_IP`` is left out.
# - **Tables.** They lie where all workers can read them, such as ``s3a://bucket/timesteps``. The workers write the
#   embeddings there too, with ``write.parquet``. Nothing is collected.
# - **Workers.** They need seqembed in the same version, without TensorFlow, and pandas and pyarrow. In a clone:
#   ``pip install numpy scikit-learn joblib safetensors threadpoolctl tqdm && pip install --no-deps .``, then
#   ``pip install pandas pyarrow``. On another kind of processor, last bits may differ.
# - **Buckets.** 2 to 4 times the number of cores, or more if a bucket does not fit in a worker's memory.
#   ``spark.sql.shuffle.partitions`` is the same number.
# - **Memory.** A task computes on one thread, in a Python process of its own. An executor runs ``spark.executor.cores``
#   tasks at a time. ``spark.executor.memoryOverhead`` has to hold their Python processes.
