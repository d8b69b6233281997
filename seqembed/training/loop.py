"""The training loop: epochs of shuffled batches, the best weights kept."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import keras
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from seqembed import inference
from seqembed.network import Network
from seqembed.parallel import count_threads, run_batches
from seqembed.scaling import Batch
from seqembed.training.augmentation import keeps_time, mixed, shifted
from seqembed.training.gradient import BatchGradient
from seqembed.training.muon import Muon
from seqembed.training.schedule import warm_up_and_decay

# A loss this many times as high as that of the untrained network is no longer a search for a lower one.
_EXPLOSION = 10
_FACTOR_AFTER_EXPLOSION = 0.2
_MOST_RESTARTS = 4
# More buckets pad less and compile more.
_MOST_BUCKETS = 4
# Sequences by which it is told whether a set keeps time: more of them tell no better.
_SAMPLE_TO_TELL_TIME_BY = 256


def train(
    network: Network,
    weights: dict[str, np.ndarray],
    read: Callable[[np.ndarray, int], Batch],
    lengths: np.ndarray,
    training_rows: np.ndarray,
    validation_rows: np.ndarray,
    means: np.ndarray,
    random: np.random.Generator,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    augment: bool,
    patience: int | None,
    n_jobs: int | None,
    verbose: bool,
) -> tuple[dict[str, np.ndarray], dict[str, list[float]]]:
    """Train a network to reconstruct its input and return the best weights met.

    Parameters
    ----------
    network : Network
        The sizes.
    weights : dict of str to float32 array
        Where to start; left as they are.
    read : callable
        Takes row numbers and a number of timesteps, and returns those sequences, padded to it.
    lengths : int array of shape (n_samples,)
        Timesteps of every sequence.
    training_rows, validation_rows : int arrays
        Rows to learn from, and rows whose loss picks the best epoch; without any, the training loss does.
    means : float32 array of shape (n_features,)
        Means of the training sequences as they are read.
    random : numpy.random.Generator
        Varies the sequences and shuffles the rows of each epoch.
    epochs : int
        Passes over the training rows.
    batch_size : int
        Most sequences per update. Batches of one length are made equally large, so that none is small.
    learning_rate : float
        Peak of the rate, see `seqembed.training.schedule.warm_up_and_decay`.
    augment : bool
        Whether to vary the training sequences in each epoch, see `seqembed.training.augmentation`.
    patience : int or None
        Epochs without a lower loss after which training stops; None never stops early.
    n_jobs : int or None
        Limits the threads, see `seqembed.parallel.count_threads`.
    verbose : bool
        Whether to show a progress bar with the losses and the time left.

    Returns
    -------
    weights : dict of str to float32 array
        Those of the epoch with the lowest validation loss, or training loss where nothing was held back.
    history : dict of str to list of float
        "loss", "val_loss" (with validation rows) and "learning_rate", one entry per epoch.

    Raises
    ------
    FloatingPointError
        When the loss explodes however low the learning rate.
    """
    buckets = _buckets(training_rows, lengths, batch_size)
    n_updates = epochs * sum(bucket.n_batches for bucket in buckets)
    start = np.concatenate([weights[name].ravel() for name in network.weight_shapes])
    names = ("loss", "val_loss", "learning_rate") if len(validation_rows) else ("loss", "learning_rate")
    history: dict[str, list[float]] = {name: [] for name in names}
    progress = keras.utils.Progbar(
        epochs, verbose=int(bool(verbose)), interval=0.5, stateful_metrics=names, unit_name="epoch"
    )

    def measure(parameters, rows):
        return _mean_squared_error(network, _named(network, np.asarray(parameters)), read, lengths, rows, n_jobs)

    read_to_train = _read_varied(read, lengths, training_rows, means, random) if augment else read

    best, restarts, first_loss, peak = _Best(), 0, None, learning_rate
    try:
        with ThreadPoolExecutor(count_threads(n_jobs)) as pool:
            gradients = [
                BatchGradient(network, bucket.n_timesteps, bucket.batch_size, epochs * bucket.n_batches, pool)
                for bucket in buckets
            ]
            descent = _Descent(network, start, learning_rate, n_updates)
            for epoch in range(1, epochs + 1):
                before = descent.parameters
                batches = _shuffled_batches(buckets, random)
                loss, first = _run_epoch(batches, buckets, read_to_train, gradients, descent)
                first_loss = first if first_loss is None else first_loss
                values = {"loss": loss, "learning_rate": descent.rate}
                if len(validation_rows):
                    values["val_loss"] = measure(descent.parameters, validation_rows)
                    best.offer(descent.parameters, values["val_loss"], epoch)
                else:
                    # The loss of an epoch speaks for the weights that it began with, not for those it ended with.
                    best.offer(before, loss, epoch - 1)
                for name in names:
                    history[name].append(values[name])
                progress.update(epoch, [(name, values[name]) for name in names], finalize=epoch == epochs)
                if not max(values.get("val_loss", loss), loss) <= _EXPLOSION * first_loss:
                    if restarts == _MOST_RESTARTS:
                        break
                    restarts += 1
                    peak *= _FACTOR_AFTER_EXPLOSION
                    remaining = max(1, n_updates * (epochs - epoch) // epochs)
                    descent = _Descent(network, start if best.parameters is None else best.parameters, peak, remaining)
                elif patience is not None and epoch - best.epoch - (not len(validation_rows)) >= patience:
                    break
            if not len(validation_rows):
                best.offer(descent.parameters, measure(descent.parameters, training_rows), epoch)
    except KeyboardInterrupt:
        if best.parameters is None:
            raise
        _warn(
            f"Training was interrupted after {len(history['loss'])} of {epochs} epochs: the weights are those of epoch "
            f"{best.epoch}, the best so far (loss {best.loss:.4g})."
        )
    else:
        if best.parameters is None or not best.loss <= _EXPLOSION * first_loss:
            raise FloatingPointError(
                f"The loss became {loss:.3g} in the first epoch, and again with lower learning rates down to "
                f"{peak:.2g}. Use scale='standard' or activation='tanh', or look for extreme values in X."
            )
        if restarts:
            _warn(
                f"The loss exploded {restarts} times: training went back to the best weights with a lower learning "
                f"rate, {peak:.2g} in the end, and the weights are those of epoch {best.epoch} of {epochs}. Use "
                f"activation='tanh' or a lower learning_rate than {learning_rate:g}."
            )
    return _named(network, np.asarray(best.parameters)), history


class _Descent:
    """An optimiser whose learning rate follows the schedule of a fit."""

    def __init__(self, network: Network, parameters: np.ndarray, peak: float, n_updates: int):
        self._muon, self._peak, self._n_updates = Muon(network, parameters), peak, n_updates
        self._count, self.rate = 0, 0.0

    @property
    def parameters(self):
        return self._muon.parameters

    def update(self, gradient) -> None:
        self._count += 1
        self.rate = self._peak * warm_up_and_decay(self._count, self._n_updates)
        self._muon.update(gradient, self.rate)


class _Best:
    """The weights with the lowest loss so far."""

    def __init__(self):
        self.parameters, self.loss, self.epoch = None, math.inf, 0

    def offer(self, parameters, loss: float, epoch: int) -> None:
        if loss < self.loss:
            self.parameters, self.loss, self.epoch = parameters, loss, epoch


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
    by_length = _by_length(rows, lengths)
    n_distinct = len(np.unique(lengths[rows]))
    n_buckets = max(1, min(_MOST_BUCKETS, n_distinct, len(rows) // (2 * batch_size)))
    parts = np.array_split(by_length, n_buckets)
    return [_Bucket(np.sort(part), int(lengths[part].max()), math.ceil(len(part) / batch_size)) for part in parts]


def _by_length(rows: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    return rows[np.argsort(lengths[rows], kind="stable")]


def _shuffled_batches(buckets: list[_Bucket], random: np.random.Generator) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the rows of each batch beside the number of their bucket, in random order."""
    batches = [
        (number, chosen)
        for number, bucket in enumerate(buckets)
        for chosen in np.array_split(random.permutation(bucket.rows), bucket.n_batches)
    ]
    for position in random.permutation(len(batches)) if len(buckets) > 1 else range(len(batches)):
        yield batches[position]


def _run_epoch(
    batches: Iterator, buckets: list[_Bucket], read: Callable, gradients: list[BatchGradient], descent: _Descent
) -> tuple[float, float]:
    """Update the parameters batch by batch; returns the mean loss, each batch's as it was met, and the first's."""
    losses, sizes = [], []
    for number, rows in batches:
        bucket = buckets[number]
        # All batches of a bucket have one shape, since each shape would cost a compilation of its own.
        batch = read(np.resize(rows, bucket.batch_size), bucket.n_timesteps)
        value_weight = _value_weight(batch, len(rows))
        loss, gradient = gradients[number](descent.parameters, batch.values, batch.lengths, value_weight)
        descent.update(gradient)
        losses.append(loss)
        sizes.append(len(rows))
    return float(np.average(losses, weights=sizes)), losses[0]


def _read_varied(
    read: Callable, lengths: np.ndarray, rows: np.ndarray, means: np.ndarray, random: np.random.Generator
) -> Callable:
    """Make a function that reads sequences as `read` does and varies them in the way that suits the set."""
    sample = np.sort(random.choice(rows, min(len(rows), _SAMPLE_TO_TELL_TIME_BY), replace=False))
    if keeps_time(read(sample, lengths[sample].max())):
        return lambda rows, n_timesteps: mixed(read(rows, n_timesteps), random, means)
    return lambda rows, n_timesteps: shifted(read(rows, n_timesteps), random)


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


def _warn(message: str) -> None:
    # The line that the user wrote is the call of fit, two wrappers of scikit-learn's above `train`.
    warnings.warn(message, ConvergenceWarning, stacklevel=5)


def _named(network: Network, parameters: np.ndarray) -> dict[str, np.ndarray]:
    shapes = network.weight_shapes
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    parts = np.split(parameters, ends[:-1])
    return {name: part.reshape(shapes[name]).copy() for name, part in zip(shapes, parts, strict=True)}


def _mean_squared_error(
    network: Network,
    weights: dict[str, np.ndarray],
    read: Callable,
    lengths: np.ndarray,
    rows: np.ndarray,
    n_jobs: int | None,
) -> float:
    rows = _by_length(rows, lengths)
    errors, counts = np.zeros(len(rows)), np.zeros(len(rows))

    def measure(positions):
        batch = read(rows[positions], lengths[rows[positions]].max())
        squared = np.square(inference.reconstruct(network, weights, batch.values, batch.lengths) - batch.values)
        observed = np.broadcast_to(True, squared.shape) if batch.observed is None else batch.observed
        errors[positions] = squared.sum(axis=(1, 2), dtype=np.float64, where=observed)
        counts[positions] = observed.sum(axis=(1, 2))

    run_batches(measure, len(rows), n_jobs)
    return float(errors.sum() / counts.sum())
