"""One pass over the training sequences: how they are parted into batches, varied and weighed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np

from seqembed.network.architecture import Network
from seqembed.parallel import one_blas_thread
from seqembed.sequences.scaling import Batch
from seqembed.training.augmentation import keeps_time, mixed, shifted
from seqembed.training.gradient.batch_gradient import BatchGradient
from seqembed.training.muon import Muon

# More buckets pad less and compile more.
_MOST_BUCKETS = 4
# Sequences by which it is told whether a set keeps time: more of them tell no better.
_SAMPLE_TO_TELL_TIME_BY = 256


class Epoch:
    """Passes over the training sequences, each in a random order and each batch with an update of the weights.

    Parameters
    ----------
    network : Network
        The sizes.
    read : callable
        Takes row numbers and a number of timesteps, and returns those sequences as a Batch, padded to it.
    lengths : int array of shape (n_samples,)
        Timesteps of every sequence.
    rows : int array
        Rows to learn from.
    random : numpy.random.Generator
        Shuffles the rows.
    batch_size : int
        Most sequences per update. Batches of one length are made equally large, so that none is small.
    epochs : int
        How many passes there will be at most: few updates are not worth a compilation.
    pool : concurrent.futures.Executor
        Threads to compute gradients on.

    Attributes
    ----------
    n_updates : int
        Updates of a single pass.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import numpy as np
    >>> network = Network(n_features=1, n_components=2, hidden_units=())
    >>> X = np.ones((10, 3, 1), np.float32)
    >>> def read(rows, n_timesteps):
    ...     return Batch(X[rows], None, np.full(len(rows), n_timesteps))
    >>> random, lengths, rows = np.random.default_rng(0), np.full(10, 3), np.arange(10)
    >>> with ThreadPoolExecutor() as pool:
    ...     muon = Muon(network, np.zeros(network.n_parameters, np.float32), lambda update: 0.01, pool)
    ...     epoch = Epoch(network, read, lengths, rows, random, batch_size=4, epochs=1, pool=pool)
    ...     mean, first = epoch.run(muon)
    >>> epoch.n_updates, first, mean < first
    (3, 1.0, True)
    """

    def __init__(
        self,
        network: Network,
        read: Callable[[np.ndarray, int], Batch],
        lengths: np.ndarray,
        rows: np.ndarray,
        random: np.random.Generator,
        *,
        batch_size: int,
        epochs: int,
        pool: Executor,
    ):
        self._read, self._random = read, random
        self._buckets = _buckets(rows, lengths, batch_size)
        self._gradients = [
            BatchGradient(network, bucket.n_timesteps, bucket.batch_size, epochs * bucket.n_batches, pool)
            for bucket in self._buckets
        ]
        self.n_updates = sum(bucket.n_batches for bucket in self._buckets)

    def run(self, muon: Muon) -> tuple[float, float]:
        """Make a pass; returns the mean loss, each batch's as it was met, and the loss of the first batch."""
        losses, sizes = [], []
        # NumPy's results depend on the number of its threads, and many small products take longer on several. What
        # overflows or vanishes is the caller's to judge.
        with one_blas_thread(), np.errstate(all="ignore"):
            for number, rows in _shuffled_batches(self._buckets, self._random):
                bucket = self._buckets[number]
                # All batches of a bucket have one shape, since each shape would cost a compilation of its own.
                batch = self._read(np.resize(rows, bucket.batch_size), bucket.n_timesteps)
                value_weight = _value_weight(batch, len(rows))
                loss, gradient = self._gradients[number](muon.parameters, batch.values, batch.lengths, value_weight)
                muon.update(gradient)
                losses.append(loss)
                sizes.append(len(rows))
        return float(np.average(losses, weights=sizes)), losses[0]


def read_varied(
    read: Callable, lengths: np.ndarray, rows: np.ndarray, means: np.ndarray, random: np.random.Generator
) -> Callable:
    """Make a function that reads sequences as `read` does and varies them in the way that suits the set.

    Parameters
    ----------
    read, lengths, rows, random
        As in `Epoch`.
    means : float32 array of shape (n_features,)
        Means of the training sequences as they are read.

    Returns
    -------
    read : callable
        See `seqembed.training.augmentation`.
    """
    sample = np.sort(random.choice(rows, min(len(rows), _SAMPLE_TO_TELL_TIME_BY), replace=False))
    if keeps_time(read(sample, lengths[sample].max())):
        return lambda rows, n_timesteps: mixed(read(rows, n_timesteps), random, means)
    return lambda rows, n_timesteps: shifted(read(rows, n_timesteps), random)


def by_length(rows: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Sort rows by the length of their sequences, so that batches of neighbours need little padding."""
    return rows[np.argsort(lengths[rows], kind="stable")]


class _Bucket(NamedTuple):
    """Rows of similar length, which are padded to one length and cut into batches of one size."""

    rows: np.ndarray
    n_timesteps: int
    n_batches: int

    @property
    def batch_size(self) -> int:
        return math.ceil(len(self.rows) / self.n_batches)


def _buckets(rows: np.ndarray, lengths: np.ndarray, batch_size: int) -> list[_Bucket]:
    """Part rows by length, so that short sequences don't pay for long ones; few parts, since each is compiled."""
    n_distinct = len(np.unique(lengths[rows]))
    n_buckets = max(1, min(_MOST_BUCKETS, n_distinct, len(rows) // (2 * batch_size)))
    parts = np.array_split(by_length(rows, lengths), n_buckets)
    return [_Bucket(np.sort(part), int(lengths[part].max()), math.ceil(len(part) / batch_size)) for part in parts]


def _shuffled_batches(buckets: list[_Bucket], random: np.random.Generator) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the rows of each batch beside the number of their bucket, in random order."""
    batches = [
        (number, chosen)
        for number, bucket in enumerate(buckets)
        for chosen in np.array_split(random.permutation(bucket.rows), bucket.n_batches)
    ]
    for position in random.permutation(len(batches)) if len(buckets) > 1 else range(len(batches)):
        yield batches[position]


def _value_weight(batch: Batch, n_sequences: int) -> np.ndarray:
    """Equal weights that sum to 1 over the observed values of the first sequences; the others only fill the batch."""
    n_samples, n_timesteps, n_features = batch.values.shape
    if batch.observed is None:
        weight = np.zeros((n_samples, 1, 1), np.float32)
        weight[:n_sequences] = 1 / (n_sequences * n_timesteps * n_features)
        return weight
    weight = batch.observed.astype(np.float32)
    weight[n_sequences:] = 0
    return weight / weight.sum()
