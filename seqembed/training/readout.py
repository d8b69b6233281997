"""The readout: a linear layer that predicts statistics, the context and the label of each sequence from its embedding.

It exists only during training. Its error is added to the loss. A linear model can then read the statistics from an
embedding.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np

from seqembed.network.architecture import Network
from seqembed.sequences.rows import slices_of_rows
from seqembed.sequences.scaling import Batch, ScaledSequences
from seqembed.summary.statistics import standardised_statistics
from seqembed.training.labels import Labels
from seqembed.training.workers import ALONE, Workers

_LARGEST_TARGET = 4
# Weight of the mean squared error of the context, as a multiple of that of the statistics.
CONTEXT_WEIGHT = 5.0
# A statistic that varies less than this over the training set carries no information.
_LEAST_VARIATION = 0.01
_BATCH = 64
# Number of sequences whose statistics one thread computes. For fewer, handing them to a thread takes longer.
_LARGEST_SHARD = 64


class Targets(NamedTuple):
    """Values that the readout has to predict for a batch.

    Parameters
    ----------
    values : float32 array of shape (n_samples, n_targets)
        Statistics of the sequences, standardised over the training set and bounded, then their contexts and labels.
    weight : float32 array of the same shape
        Weight of each squared error in the loss. `Readout.targets` returns 1 for known values and 0 for all others, and
        for labels the share of a mixture whose label is known.
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
    context_size : int, default=0
        Numbers of a context that are predicted too.
    n_outputs : int, default=0
        Numbers of a label that are predicted too, see `seqembed.training.labels`.
    label_weight : float, default=0.0
        Weight of the mean, over labelled sequences, of the summed squared errors of these numbers.

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
    context_size: int = 0
    n_outputs: int = 0
    label_weight: float = 0.0

    def weight_shapes(self, network: Network) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of the readout's own weights."""
        n_targets = len(self.means) + self.context_size + self.n_outputs
        return {"readout/kernel": (network.n_components, n_targets), "readout/bias": (n_targets,)}

    def initial_weights(self, network: Network) -> dict[str, np.ndarray]:
        """Return the weights of a readout that predicts the means of the statistics."""
        return {name: np.zeros(shape, np.float32) for name, shape in self.weight_shapes(network).items()}

    def targets(
        self, batch: Batch, contexts: np.ndarray, labels: Labels | None, n_sequences: int, pool: Executor
    ) -> Targets:
        """Compute the values that the readout has to predict.

        Parameters
        ----------
        batch : Batch
            Varied training sequences.
        contexts : float32 array of shape (n_samples, n_numbers)
            Those of the sequences. The first `context_size` numbers are predicted.
        labels : Labels or None
            Those of the sequences, if there are any.
        n_sequences : int
            Number of sequences that count. The sequences after them only fill the batch.
        pool : concurrent.futures.Executor
            Threads to compute the statistics on.

        Returns
        -------
        targets : Targets
            Unknown statistics and labels have weight 0.
        """
        contexts = contexts[:, : self.context_size]
        groups = [self._statistics(batch, pool), Targets(contexts, np.ones_like(contexts))]
        if labels is not None:
            groups.append(Targets(labels.values, np.repeat(labels.known, self.n_outputs, axis=1)))
        values, weight = (np.concatenate(each, axis=1) for each in zip(*groups, strict=True))
        weight[n_sequences:] = 0
        return Targets(values, weight)

    def _statistics(self, batch: Batch, pool: Executor) -> Targets:
        n_samples = len(batch.lengths)
        if not len(self.means):
            return Targets(*np.empty((2, n_samples, 0), np.float32))
        shards = [Batch(*(each[rows] for each in batch)) for rows in slices_of_rows(n_samples, _LARGEST_SHARD)]
        compute = functools.partial(
            standardised_statistics, center=self.center, scale=self.scale, n_timesteps=self.n_timesteps
        )
        statistics = np.concatenate(list((map if len(shards) == 1 else pool.map)(compute, shards)))
        known = np.isfinite(statistics)
        values = np.where(known, (statistics - self.means) / self.deviations, 0)
        return Targets(np.clip(values, -_LARGEST_TARGET, _LARGEST_TARGET), known.astype(np.float32))

    def weighted(
        self, targets: Targets, n_sequences: float, n_known: float, n_labelled: float, heaviness: float = 1
    ) -> Targets:
        """Weigh the errors of the targets of a batch, so that each group has its weight in the loss.

        Parameters
        ----------
        targets : Targets
            From `targets`.
        n_sequences : float
            Sum of the weights of the sequences that count, of all workers.
        n_known : float
            Sum of the weights of their known statistics.
        n_labelled : float
            Number of labelled sequences that a batch of as many sequences has on average. Not that of this batch: a
            label would weigh more in a batch with few.
        heaviness : float, default=1
            Mean weight of these sequences.
        """
        groups = [
            heaviness * self.weight / (n_known or 1),
            heaviness * CONTEXT_WEIGHT * self.weight / (n_sequences * self.context_size or 1),
            self.label_weight / n_labelled if n_labelled else 0,
        ]
        weights = np.repeat(np.array(groups, np.float32), [len(self.means), self.context_size, self.n_outputs])
        return targets._replace(weight=targets.weight * weights)


def learn_readout(
    sequences: ScaledSequences,
    rows: np.ndarray,
    vary: Callable[[Batch], Batch],
    weight: float,
    n_timesteps: int,
    workers: Workers = ALONE,
    context_size: int = 0,
    n_outputs: int = 0,
    label_weight: float = 0.0,
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
        units of sequences that are not scaled therefore do not matter. 0 leaves out statistics and context.
    n_timesteps : int
        Length of the longest training sequence.
    workers : Workers, default=ALONE
        Each passes sequences of its own, and all get the same readout.
    context_size : int, default=0
        Numbers of a context, which it predicts too.
    n_outputs : int, default=0
        Numbers of a label, which it predicts too.
    label_weight : float, default=0.0
        Weight of the mean squared error of a label, relative to the variance of the training sequences.

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
    ...     batch, contexts = sequences.read(slice(0, 100)), np.empty((100, 0), np.float32)
    ...     targets = readout.targets(batch, contexts, None, n_sequences=100, pool=pool)
    >>> bool(np.abs(targets.values.mean(axis=0)).max() < 0.1), targets.values.shape == targets.weight.shape
    (True, True)
    """
    batches = [vary(sequences.read(rows[part])) for part in slices_of_rows(len(rows), _BATCH)]
    center = sequences.means
    sums = sum(np.square(batch.values - center).sum(axis=(0, 1), dtype=float, where=batch.mask) for batch in batches)
    counts = sum(batch.mask.sum(axis=(0, 1)) for batch in batches)
    sums, counts = np.split(workers.all_reduce(np.concatenate([sums, counts])), 2)
    scale = np.sqrt(sums / np.maximum(1, counts))
    variance = float(np.square(scale).mean())
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    own_task = n_outputs, label_weight * variance
    if not weight:
        none = np.empty(0, np.float32)
        return Readout(n_timesteps, center, scale, none, none, 0.0, 0, *own_task)
    statistics = np.concatenate([standardised_statistics(batch, center, scale, n_timesteps) for batch in batches])
    known = np.isfinite(statistics)
    sums = statistics.sum(axis=0, dtype=np.float64, where=known)
    sums, counts = np.split(workers.all_reduce(np.concatenate([sums, known.sum(axis=0)])), 2)
    counts = np.maximum(counts, 1)
    means = sums / counts
    squares = np.square(statistics - means).sum(axis=0, where=known)
    deviations = np.sqrt(workers.all_reduce(squares) / counts)
    deviations = np.where(deviations > _LEAST_VARIATION, deviations, 1)
    return Readout(
        n_timesteps,
        center,
        scale,
        means.astype(np.float32),
        deviations.astype(np.float32),
        weight * variance,
        context_size,
        *own_task,
    )
