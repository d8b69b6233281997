"""The readout: a linear layer that predicts statistics of each training sequence from its embedding.

It exists only during training. Its error is added to the loss. A linear model can then read the statistics from an
embedding.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
from sklearn.utils import gen_batches

from seqembed.network.architecture import Network
from seqembed.sequences.scaling import Batch, ScaledSequences
from seqembed.training.workers import ALONE, Workers

_QUANTILES = (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1)
_LAGS = (1, 2, 3, 5, 8, 13)
_N_SEGMENTS = 4
# The number of pairs grows as the square of the number of features.
_MOST_FEATURES_IN_PAIRS = 16
# Added to deviations, as a share of those of the training set. Smaller deviations are taken for noise, and their
# logarithm has no lower bound.
_NOISE = 0.03
_LARGEST_TARGET = 4
# A statistic that varies less than this over the training set carries no information.
_LEAST_VARIATION = 0.01
_BATCH = 64
# Number of sequences whose statistics one thread computes. For fewer, handing them to a thread takes longer.
_LARGEST_SHARD = 32


class Targets(NamedTuple):
    """Values that the readout has to predict for a batch.

    Parameters
    ----------
    values : float32 array of shape (n_samples, n_statistics)
        Statistics of the sequences, standardised over the training set and bounded.
    weight : float32 array of the same shape
        Weight of each squared error in the loss. `Readout.targets` returns 1 for known values and 0 for all others.
    """

    values: np.ndarray
    weight: np.ndarray


class Readout(NamedTuple):
    """The statistics that the readout predicts, and how they are standardised.

    Parameters
    ----------
    n_timesteps : int
        Length of the longest training sequence. The number of statistics depends on it.
    center, scale : float32 arrays of shape (n_features,)
        Mean and standard deviation of each feature of the training sequences as the network reads them.
    means, deviations : float32 arrays of shape (n_statistics,)
        Mean and standard deviation of each statistic over the training set.
    weight : float
        Weight of the mean squared error of the statistics in the loss.

    References
    ----------
    S. Pascual et al., "Learning problem-agnostic speech representations from multiple self-supervised tasks" (2019).
    """

    n_timesteps: int
    center: np.ndarray
    scale: np.ndarray
    means: np.ndarray
    deviations: np.ndarray
    weight: float

    def weight_shapes(self, network: Network) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of the readout's own weights."""
        n_statistics = len(self.means)
        return {"readout/kernel": (network.n_components, n_statistics), "readout/bias": (n_statistics,)}

    def initial_weights(self, network: Network) -> dict[str, np.ndarray]:
        """Return the weights of a readout that predicts the means of the statistics."""
        return {name: np.zeros(shape, np.float32) for name, shape in self.weight_shapes(network).items()}

    def targets(self, batch: Batch, n_sequences: int, pool: Executor) -> Targets:
        """Compute the values that the readout has to predict.

        Parameters
        ----------
        batch : Batch
            Varied training sequences.
        n_sequences : int
            Number of sequences that count. The sequences after them only fill the batch.
        pool : concurrent.futures.Executor
            Threads to compute the statistics on.

        Returns
        -------
        targets : Targets
            Unknown statistics have weight 0.
        """
        shards = [Batch(*(each[rows] for each in batch)) for rows in gen_batches(len(batch.lengths), _LARGEST_SHARD)]
        compute = functools.partial(_statistics, center=self.center, scale=self.scale, n_timesteps=self.n_timesteps)
        statistics = np.concatenate(list(pool.map(compute, shards)))
        known = np.isfinite(statistics)
        values = np.where(known, (statistics - self.means) / self.deviations, 0)
        known[n_sequences:] = False
        return Targets(np.clip(values, -_LARGEST_TARGET, _LARGEST_TARGET), known.astype(np.float32))


def learn_readout(
    sequences: ScaledSequences,
    rows: np.ndarray,
    vary: Callable[[Batch], Batch],
    weight: float,
    n_timesteps: int,
    workers: Workers = ALONE,
) -> Readout:
    """Standardise the statistics over training sequences, varied as in training.

    Parameters
    ----------
    sequences : ScaledSequences
        All sequences.
    rows : int array
        Rows to learn from, such as a sample of the training rows.
    vary : callable
        Takes a batch and returns a varied one.
    weight : float
        Weight of the mean squared error of the statistics, relative to the variance of the training sequences. The
        units of sequences that are not scaled therefore do not matter.
    n_timesteps : int
        Length of the longest training sequence.
    workers : Workers, default=ALONE
        Each passes sequences of its own, and all get the same readout.

    Returns
    -------
    readout : Readout
        The statistics to predict.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import numpy as np
    >>> from seqembed.sequences.collection import check_sequences
    >>> from seqembed.sequences.scaling import learn_scaling
    >>> checked = check_sequences(np.random.default_rng(0).normal(size=(100, 20, 1)))
    >>> sequences = ScaledSequences(checked, learn_scaling(checked, "standard"))
    >>> readout = learn_readout(sequences, np.arange(100), lambda batch: batch, weight=0.1, n_timesteps=20)
    >>> with ThreadPoolExecutor() as pool:
    ...     targets = readout.targets(sequences.read(slice(0, 100)), n_sequences=100, pool=pool)
    >>> bool(np.abs(targets.values.mean(axis=0)).max() < 0.1), targets.values.shape == targets.weight.shape
    (True, True)
    """
    batches = [vary(sequences.read(rows[part])) for part in gen_batches(len(rows), _BATCH)]
    center = sequences.means
    sums = sum(np.square(batch.values - center).sum(axis=(0, 1), dtype=float, where=batch.mask) for batch in batches)
    counts = sum(batch.mask.sum(axis=(0, 1)) for batch in batches)
    sums, counts = np.split(workers.all_reduce(np.concatenate([sums, counts])), 2)
    scale = np.sqrt(sums / np.maximum(1, counts))
    variance = float(np.square(scale).mean())
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    statistics = np.concatenate([_statistics(batch, center, scale, n_timesteps) for batch in batches])
    known = np.isfinite(statistics)
    sums = statistics.sum(axis=0, dtype=np.float64, where=known)
    sums, counts = np.split(workers.all_reduce(np.concatenate([sums, known.sum(axis=0)])), 2)
    counts = np.maximum(counts, 1)
    means = sums / counts
    squares = np.square(statistics - means).sum(axis=0, where=known)
    deviations = np.sqrt(workers.all_reduce(squares) / counts)
    deviations = np.where(deviations > _LEAST_VARIATION, deviations, 1)
    return Readout(
        n_timesteps, center, scale, means.astype(np.float32), deviations.astype(np.float32), weight * variance
    )


def _statistics(batch: Batch, center: np.ndarray, scale: np.ndarray, n_timesteps: int) -> np.ndarray:
    standardised = Batch((batch.values - center) / scale, batch.mask, batch.lengths)
    return np.concatenate(list(sequence_statistics(standardised, n_timesteps).values()), axis=1)


@np.errstate(all="ignore")
def sequence_statistics(batch: Batch, n_timesteps: int) -> dict[str, np.ndarray]:
    """Compute statistics of each feature of each sequence.

    - mean, log_deviation, absolute_deviation, skewness: of the known values. Deviations are from the mean. The skewness
      is squashed by tanh.
    - quantile_0 (the smallest value) to quantile_1 (the largest).
    - autocorrelation_1 to autocorrelation_13: mean product of standardised values that are 1 to 13 timesteps apart.
    - log_detail_1, 2, 4, ...: logarithm of the size of the differences between means over 1, 2, 4, ... timesteps and
      means over the same number of next ones: the Haar wavelet's share of each octave of frequencies.
    - mean_1 to mean_4: means of the quarters of the sequence.
    - correlation: of each pair of features, if there are at most 16.

    Parameters
    ----------
    batch : Batch
        Sequences whose features have mean 0 and deviation 1 over the training set.
    n_timesteps : int
        Length of the longest training sequence. Lags and octaves end below it.

    Returns
    -------
    statistics : dict of str to float32 array
        Of shape (n_samples, n_features), or (n_samples, n_pairs) for the correlations. NaN where a sequence has no
        known value, or none far enough apart.

    References
    ----------
    D. B. Percival, "On estimation of the wavelet variance" (1995).

    Examples
    --------
    >>> import numpy as np
    >>> values = np.float32([1, -1, 1, -1]).reshape(1, 4, 1)
    >>> statistics = sequence_statistics(Batch(values, np.ones(values.shape, bool), np.array([4])), n_timesteps=4)
    >>> float(statistics["mean"][0, 0]), float(statistics["quantile_1"][0, 0]), list(statistics)[-6:]
    (0.0, 1.0, ['log_detail_1', 'log_detail_2', 'mean_1', 'mean_2', 'mean_3', 'mean_4'])
    """
    # Time on the last axis: sums and sorts then run over neighbours in memory.
    values, mask = (np.ascontiguousarray(each.transpose(0, 2, 1)) for each in (batch.values, batch.mask))
    # One row stands for all if they are known at the same timesteps.
    if (mask == mask[:1, :1]).all():
        mask = mask[:1, :1]
    known = mask.astype(np.float32)
    counts = known.sum(axis=2)
    mean = _dot(values, known) / counts
    centred = (values - np.nan_to_num(mean)[:, :, np.newaxis]) * known
    deviation = np.sqrt(_dot(centred, centred) / counts)
    standard = centred * (1 / (deviation + _NOISE))[:, :, np.newaxis]
    statistics = {
        "mean": mean,
        "log_deviation": np.log(deviation + _NOISE),
        "absolute_deviation": np.abs(centred).sum(axis=2) / counts,
        "skewness": np.tanh(_dot(standard * standard, standard) / counts),
        **_quantiles(values, mask, counts),
    }
    for lag in _LAGS:
        if lag < n_timesteps:
            products, n_pairs = (_dot(each[:, :, lag:], each[:, :, :-lag]) for each in (standard, known))
            statistics[f"autocorrelation_{lag}"] = products / n_pairs
    statistics.update(_log_details(centred, known, n_timesteps))
    statistics.update(_segment_means(values, known, batch.lengths))
    n_features = values.shape[1]
    if 1 < n_features <= _MOST_FEATURES_IN_PAIRS:
        first, second = np.triu_indices(n_features, 1)
        products, n_pairs = (each @ each.transpose(0, 2, 1) for each in (standard, known))
        statistics["correlation"] = (products / n_pairs)[:, first, second]
    return statistics


def _quantiles(values: np.ndarray, mask: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    ordered = np.sort(np.where(mask, values, np.inf), axis=2)
    positions = np.round(np.multiply.outer(counts - 1, _QUANTILES)).astype(int)
    quantiles = np.take_along_axis(ordered, np.maximum(positions, 0), axis=2)
    quantiles = np.where((counts > 0)[:, :, np.newaxis], quantiles, np.nan)
    return {f"quantile_{share:g}": quantiles[:, :, number] for number, share in enumerate(_QUANTILES)}


def _log_details(centred: np.ndarray, known: np.ndarray, n_timesteps: int) -> dict[str, np.ndarray]:
    details, width = {}, 1
    smooth, both = centred, known
    while 2 * width <= n_timesteps:
        n_pairs = smooth.shape[2] // 2
        first, second = smooth[:, :, : 2 * n_pairs : 2], smooth[:, :, 1 : 2 * n_pairs : 2]
        both = both[:, :, : 2 * n_pairs : 2] * both[:, :, 1 : 2 * n_pairs : 2]
        difference = (second - first) * both
        power = _dot(difference, difference) / both.sum(axis=2)
        details[f"log_detail_{width}"] = np.log(np.sqrt(power) + _NOISE)
        smooth = (first + second) * both / 2
        width *= 2
    return details


def _segment_means(values: np.ndarray, known: np.ndarray, lengths: np.ndarray) -> dict[str, np.ndarray]:
    distinct, positions = np.unique(lengths, return_inverse=True)
    segment = _N_SEGMENTS * np.arange(values.shape[2]) // distinct[:, np.newaxis]
    members = (segment[:, :, np.newaxis] == np.arange(_N_SEGMENTS)).astype(np.float32)
    members = members if len(distinct) == 1 else members[positions]
    means = ((values * known) @ members) / (known @ members)
    return {f"mean_{number + 1}": means[:, :, number] for number in range(_N_SEGMENTS)}


def _dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    products: np.ndarray = np.einsum("nft,nft->nf", first, second)
    return products
