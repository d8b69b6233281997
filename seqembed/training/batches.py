"""Training sequences in batches of one shape, from which the weights are updated."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple, Protocol

import numpy as np

from seqembed.inference.model import TrainedModel
from seqembed.network import shortcut
from seqembed.parallel import one_blas_thread, run_batches
from seqembed.sequences.rows import rows_by_length
from seqembed.sequences.scaling import Batch, ScaledSequences
from seqembed.training.augmentation import Varied, keeps_time, mixed, shifted, unmixed, with_hidden_values
from seqembed.training.buckets import buckets_by_length, cut_into, shuffled_batches
from seqembed.training.gradient.batch_gradient import BatchGradient
from seqembed.training.labels import Labels
from seqembed.training.muon import Muon
from seqembed.training.readout import Readout, Targets, learn_readout
from seqembed.training.recipe import Recipe
from seqembed.training.workers import ALONE, Workers

# Number of sequences that show whether a set keeps time, and how its statistics vary. A larger sample gives the same
# answer.
_KEEPS_TIME_SAMPLE, _READOUT_SAMPLE = 256, 512

# A function of a batch, a generator, and the means of the features; see `seqembed.training.augmentation`.
Variation = Callable[[Batch, np.random.Generator, np.ndarray], Varied]


class OptimiserState(Protocol):
    """State that updates advance.

    Attributes
    ----------
    parameters : float32 array of shape (n_parameters,)
        All weights, flat. An update makes a new array.
    moments : float32 array of shape (2, n_parameters)
        Moments of the gradient. An update writes into them.
    n_updates : int
        Number of updates so far.
    """

    parameters: np.ndarray
    moments: np.ndarray
    n_updates: int


class EpochLosses(NamedTuple):
    """Losses of an epoch, measured on each batch before its update.

    Parameters
    ----------
    mean : float
        Mean squared error of the reconstruction.
    readout : float
        Weighted mean squared error of the readout; 0.0 without one.
    first : float
        Mean squared error of the reconstruction of the first batch.
    """

    mean: float
    readout: float
    first: float


class TrainingBatches:
    """The training sequences of a fit, cut into batches in a new random order in each epoch.

    Parameters
    ----------
    model : TrainedModel
        What is trained. Its weights are not used, but those of the shortcut.
    sequences : ScaledSequences
        All sequences.
    rows : int array
        Rows to learn from.
    recipe : Recipe
        The settings of training. Its epochs decide whether compiling saves time.
    random : numpy.random.Generator
        Draws the samples that show how to vary the sequences and how to standardise their statistics.
    pool : concurrent.futures.Executor
        Threads to compute gradients on.
    readout : Readout, default=None
        The readout of earlier passes. By default it is a new one if the recipe gives it, or labels, a weight.
    labels : Labels, default=None
        Labels of all sequences, which the readout predicts too.
    sample_weight : float64 array of shape (n_samples,), default=None
        How much each sequence counts, above 0. By default all count alike.
    workers : Workers, default=ALONE
        The workers that make the same updates from sequences of their own. The recipe's `batch_size` counts the
        sequences of all workers.

    Attributes
    ----------
    readout : Readout or None
        The statistics that are predicted from the embedding.
    shapes : dict of str to tuple of int
        Name and shape of every weight: those of the network, then those of the readout.
    n_sequences : int
        Number of training sequences of all workers.
    n_updates : int
        Number of updates of an epoch.
    labelled_share : float
        Weighted share of the training sequences of all workers whose label is known.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from seqembed.inference.model import Layout
    >>> from seqembed.network.architecture import Network
    >>> from seqembed.sequences.collection import check_sequences
    >>> from seqembed.sequences.scaling import learn_scaling
    >>> network = Network(n_features=1, n_components=2, hidden_units=())
    >>> checked = check_sequences(np.ones((10, 3, 1)))
    >>> sequences = ScaledSequences(checked, learn_scaling(checked, scale=None))
    >>> model = TrainedModel(network, {}, sequences.scaling, Layout.from_sequences(checked))
    >>> recipe, random = Recipe(epochs=1, batch_size=4, learning_rate=0.01, augment=False), np.random.default_rng(0)
    >>> zeros = np.zeros((3, network.n_parameters), np.float32)
    >>> state = SimpleNamespace(parameters=zeros[0], moments=zeros[1:], n_updates=0)
    >>> with ThreadPoolExecutor() as pool:
    ...     batches = TrainingBatches(model, sequences, np.arange(10), recipe, random, pool)
    ...     losses = batches.train_one_epoch(state, lambda update: 0.01, random)
    >>> state.n_updates, losses.first, losses.mean < losses.first
    (3, 1.0, True)
    """

    def __init__(
        self,
        model: TrainedModel,
        sequences: ScaledSequences,
        rows: np.ndarray,
        recipe: Recipe,
        random: np.random.Generator,
        pool: Executor,
        readout: Readout | None = None,
        labels: Labels | None = None,
        sample_weight: np.ndarray | None = None,
        workers: Workers = ALONE,
    ):
        network = model.network
        self._sequences, self._pool, self._workers = sequences, pool, workers
        gathered = workers.all_gather([len(rows), sequences.lengths[rows].max()])
        self.n_sequences, n_timesteps = int(gathered[:, 0].sum()), int(gathered[:, 1].max())
        share = len(rows) / self.n_sequences
        vary: Variation = _unvaried
        if recipe.augment:
            sample = random.choice(rows, min(len(rows), math.ceil(_KEEPS_TIME_SAMPLE * share)), replace=False)
            vary = mixed if keeps_time(sequences.read(np.sort(sample), n_timesteps), workers) else shifted
        self._vary = vary
        # Without missing values, there is nothing to learn to estimate.
        self._hide = with_hidden_values if recipe.augment and not sequences.sequences.complete else None
        if sample_weight is not None:
            # On average, a sequence counts as much as without weights.
            total = workers.all_reduce(sample_weight[rows].sum(keepdims=True))[0]
            sample_weight = (sample_weight * (self.n_sequences / total)).astype(np.float32)
        self._sample_weight = sample_weight
        self._labels, self.labelled_share = labels, 0.0
        if labels is not None:
            known = labels.known[rows, 0] * (1 if sample_weight is None else sample_weight[rows])
            n_labelled = workers.all_reduce(known.sum(dtype=np.float64, keepdims=True))[0]
            self.labelled_share = float(n_labelled / self.n_sequences)
        if readout is None and (recipe.readout_weight or labels is not None):
            # Squares of huge values overflow. The loss is then not finite, and the caller checks the loss.
            with one_blas_thread(), np.errstate(all="ignore"):
                sample = rows[:: math.ceil(self.n_sequences / _READOUT_SAMPLE)]
                readout = learn_readout(
                    sequences,
                    sample,
                    lambda batch: vary(batch, random, sequences.means).batch,
                    recipe.readout_weight,
                    n_timesteps,
                    workers,
                    network.context_size,
                    0 if labels is None else labels.values.shape[1],
                    recipe.label_weight,
                )
        self.readout = readout
        self.shapes = network.weight_shapes | ({} if readout is None else readout.weight_shapes(network))
        # A worker's share of a batch is its share of the sequences.
        batch_size = max(1, round(recipe.batch_size * share))
        buckets = buckets_by_length(rows, network.whole_patches(sequences.lengths), batch_size)
        self.n_updates = int(workers.all_gather([sum(bucket.n_batches for bucket in buckets)]).max())
        self._buckets = cut_into(buckets, self.n_updates)
        self._mean_weights = [1 if sample_weight is None else sample_weight[each.rows].mean() for each in self._buckets]
        self._muon = Muon(self.shapes, pool)
        self._shortcut = {name: each for name, each in model.weights.items() if name.startswith("shortcut/")}
        self._projection = shortcut.projection(self._shortcut) if network.shortcut_size else None
        self._contexts = _all_contexts(model, sequences, rows, recipe.n_jobs)
        self._noise = np.zeros(0, np.float32) if model.context is None else model.context.noise
        self._gradients = [
            BatchGradient(
                network,
                self.shapes,
                bucket.n_timesteps,
                bucket.batch_size,
                recipe.epochs * bucket.n_batches,
                pool,
                shortcut.loadings_of(self._shortcut, bucket.n_timesteps) if network.shortcut_size else None,
            )
            for bucket in self._buckets
        ]

    def train_one_epoch(
        self, state: OptimiserState, rate: Callable[[int], float], random: np.random.Generator
    ) -> EpochLosses:
        """Make one pass over the training sequences, with an update of the weights for each batch.

        Parameters
        ----------
        state : OptimiserState
            The weights and the state of the optimiser. Each update advances it.
        rate : callable
            Takes the number of an update, counted from 1, and returns its learning rate.
        random : numpy.random.Generator
            Shuffles and varies the sequences.

        Returns
        -------
        losses : EpochLosses
            The losses of the batches.
        """
        losses = []
        # NumPy's results depend on the number of its threads, and many small products are slower on several threads.
        # An overflow makes the loss infinite or NaN, and the caller checks the loss.
        with one_blas_thread(), np.errstate(all="ignore"):
            order = list(shuffled_batches(self._buckets, random))
            prepared = (self._prepared(number, rows, random) for number, rows in order)
            first = next(prepared)
            following: _PreparedBatch | None = first
            counts = self._workers.all_reduce(first.counts)
            while following is not None:
                batch, following = following, next(prepared, None)
                # The counts of the next batch are summed together with this gradient. So an update takes a single sum.
                next_counts = np.zeros_like(counts) if following is None else following.counts
                gradient, own_losses = self._gradient(state.parameters, batch, counts)
                sums = self._workers.all_reduce(np.concatenate([gradient, own_losses, next_counts]))
                gradient, batch_losses, next_counts = np.split(sums, [-len(counts) - 2, -len(counts)])
                state.n_updates += 1
                state.parameters = self._muon.step(
                    state.parameters, state.moments, gradient, rate(state.n_updates), state.n_updates
                )
                losses.append((*batch_losses, counts[0]))
                counts = next_counts
        reconstruction_losses, readout_losses, sizes = np.array(losses, np.float64).T
        return EpochLosses(
            mean=float(np.average(reconstruction_losses, weights=sizes)),
            readout=float(np.average(readout_losses, weights=sizes)),
            first=float(reconstruction_losses[0]),
        )

    def _prepared(self, number: int, rows: np.ndarray, random: np.random.Generator) -> _PreparedBatch:
        """Read and vary the batch of some rows of a bucket."""
        bucket = self._buckets[number]
        # Rows repeat until the batch is full, since each shape would need a compilation of its own. A worker of few
        # sequences has batches in which no sequence counts.
        filled = np.resize(rows if len(rows) else bucket.rows[:1], bucket.batch_size)
        batch = self._sequences.read(filled, bucket.n_timesteps)
        varied = self._vary(batch, random, self._sequences.means)
        batch, contexts = varied.batch, varied.mix(self._contexts[filled])
        targets = None
        if self.readout is not None:
            labels = None if self._labels is None else self._labels.of_batch(filled, varied)
            targets = self.readout.targets(batch, contexts, labels, len(rows), self._pool)
        weights = self._weights(self._mean_weights[number], filled, len(rows), varied)
        counts = self._counts(len(rows), batch, targets, weights)
        if contexts.shape[1]:
            contexts = contexts + self._noise * random.standard_normal(contexts.shape, np.float32)
        inputs = None if self._hide is None else self._hide(batch, random, self._sequences.means)
        components = None
        if self._projection is not None:
            read = batch.values if inputs is None else inputs
            components = shortcut.clipped(shortcut.flat_deviations(self._shortcut, read) @ self._projection)
        return _PreparedBatch(number, batch, weights, inputs, targets, contexts, components, counts)

    def _weights(self, mean_weight: float, filled: np.ndarray, n_sequences: int, varied: Varied) -> np.ndarray:
        """Return how much each sequence of a batch counts: those that only fill it do not."""
        weights = np.ones(len(filled), np.float32)
        if self._sample_weight is not None:
            own = self._sample_weight[filled]
            # A pair that is mixed is as frequent as if both were repeated in the batches of their bucket.
            pairs = own * own[varied.partners] / mean_weight
            weights = np.where(varied.shares < 1, pairs, own)
        weights[n_sequences:] = 0
        return weights

    def _counts(self, n_sequences: int, batch: Batch, targets: Targets | None, weights: np.ndarray) -> np.ndarray:
        """Count the sequences of a batch, and sum the weights of sequences, of known values and of known statistics."""
        n_values = batch.mask.sum(axis=(1, 2))
        n_statistics = np.zeros(len(weights))
        if targets is not None and self.readout is not None:
            n_statistics = targets.weight[:, : len(self.readout.means)].sum(axis=1, dtype=np.float64)
        weighted = [weights.sum(), (n_values * weights).sum(), (n_statistics * weights).sum()]
        return np.array([n_sequences, *weighted], np.float32)

    def _gradient(
        self, parameters: np.ndarray, prepared: _PreparedBatch, counts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute the gradient of a batch and its two losses, as shares of those of all workers."""
        n_sequences, weight_of_all, n_values, n_statistics = counts
        batch, targets = prepared.batch, prepared.targets
        # Of a batch of heavy sequences, the whole loss is larger.
        heaviness = weight_of_all / n_sequences
        weights = prepared.weights * np.float32(heaviness)
        weight = value_weight(batch.mask, weights, n_values)
        if targets is not None and self.readout is not None:
            n_labelled = n_sequences * self.labelled_share
            targets = self.readout.weighted(targets, weight_of_all, n_statistics, n_labelled, heaviness)
            targets = targets._replace(weight=targets.weight * prepared.weights[:, np.newaxis])
        loss, readout_loss, gradient = self._gradients[prepared.bucket](
            parameters,
            batch.values,
            batch.lengths,
            weight,
            targets,
            prepared.contexts,
            prepared.components,
            prepared.inputs,
        )
        return gradient, np.array([loss, readout_loss], np.float32)


class _PreparedBatch(NamedTuple):
    """A batch to update the weights from.

    Parameters
    ----------
    bucket : int
        Number of its bucket.
    batch : Batch
        Varied sequences.
    weights : float32 array of shape (n_samples,)
        How much each sequence counts. 0 for those that only fill the batch.
    inputs : float32 array of the shape of their values, or None
        What the encoder reads: the sequences without values that are hidden from it. None if none are.
    targets : Targets or None
        Values that the readout has to predict. None without a readout.
    contexts : float32 array of shape (n_samples, context_size)
        What the encoder reads beside the sequences: their contexts with noise.
    components : float32 array of shape (n_samples, shortcut_size) or None
        Those of the sequences. None without a shortcut.
    counts : float32 array of shape (4,)
        The number of sequences that count, and the sums of the weights of these sequences, of their known values and of
        their known statistics. float32 counts up to 16 million exactly, and the shares of larger batches to seven
        digits.
    """

    bucket: int
    batch: Batch
    weights: np.ndarray
    inputs: np.ndarray | None
    targets: Targets | None
    contexts: np.ndarray
    components: np.ndarray | None
    counts: np.ndarray


def _unvaried(batch: Batch, random: np.random.Generator, means: np.ndarray) -> Varied:
    return unmixed(batch)


def _all_contexts(model: TrainedModel, sequences: ScaledSequences, rows: np.ndarray, n_jobs: int | None) -> np.ndarray:
    """Compute the contexts of training sequences, once for all epochs: a row for each sequence, also for others."""
    contexts = np.zeros((len(sequences), model.network.context_size), np.float32)
    context = model.context
    if context is not None:
        ordered = rows[rows_by_length(sequences.lengths[rows])]

        def compute(positions: slice | np.ndarray) -> None:
            chosen = ordered[positions]
            contexts[chosen] = context.compute(sequences.read(chosen))

        run_batches(compute, len(rows), n_jobs)
    return contexts


def value_weight(mask: np.ndarray, weights: np.ndarray, n_values: float) -> np.ndarray:
    """Give the known values of a sequence its weight, and 0 to all others.

    Parameters
    ----------
    mask : bool array of shape (n_samples, n_timesteps, n_features)
        Which values are known.
    weights : float32 array of shape (n_samples,)
        How much each sequence counts.
    n_values : float
        The sum of the weights of the known values of all workers. If it is that of `weights`, the result sums to 1.

    Returns
    -------
    weight : float32 array of the shape of `mask`
        The weights of the values.

    Examples
    --------
    >>> import numpy as np
    >>> value_weight(np.array([[[True], [False]], [[True], [True]]]), np.float32([1, 0]), n_values=1).ravel()
    array([1., 0., 0., 0.], dtype=float32)
    """
    weight: np.ndarray = mask * weights[:, np.newaxis, np.newaxis] / np.float32(n_values)
    return weight
