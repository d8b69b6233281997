"""The training loop: epochs of shuffled batches, the best weights kept."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from seqembed.network import forward
from seqembed.network.architecture import Network
from seqembed.network.weights import flat_parameters, named_weights
from seqembed.parallel import run_batches, thread_pool
from seqembed.sequences.scaling import Batch
from seqembed.training.epoch import Epoch, by_length, read_varied
from seqembed.training.muon import Muon
from seqembed.training.schedule import warm_up_and_decay

# A loss this many times as high as that of the untrained network is no longer a search for a lower one.
_EXPLOSION = 10
_FACTOR_AFTER_EXPLOSION = 0.2
_MOST_RESTARTS = 4
# Sequences that the last weights are measured on, spread evenly: a pass over all of a large set would tell no better.
_SAMPLE_TO_JUDGE_BY = 512


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
    start = flat_parameters(network, weights)
    names = ("loss", "val_loss", "learning_rate") if len(validation_rows) else ("loss", "learning_rate")
    history: dict[str, list[float]] = {name: [] for name in names}
    progress = _progress_bar(epochs, names) if verbose else None

    def measure(parameters, rows):
        return _mean_squared_error(network, named_weights(network, parameters), read, lengths, rows, n_jobs)

    read_to_train = read_varied(read, lengths, training_rows, means, random) if augment else read

    best, restarts, first_loss, peak = _Best(), 0, None, learning_rate
    try:
        with thread_pool(n_jobs) as pool:
            one_pass = Epoch(
                network,
                read_to_train,
                lengths,
                training_rows,
                random,
                batch_size=batch_size,
                epochs=epochs,
                pool=pool,
            )
            muon = Muon(network, start, _schedule(peak, epochs * one_pass.n_updates), pool)
            for epoch in range(1, epochs + 1):
                before = muon.parameters
                loss, first = one_pass.run(muon)
                first_loss = first if first_loss is None else first_loss
                values = {"loss": loss, "learning_rate": muon.rate}
                if len(validation_rows):
                    values["val_loss"] = measure(muon.parameters, validation_rows)
                    best.offer(muon.parameters, values["val_loss"], epoch)
                else:
                    # The loss of an epoch speaks for the weights that it began with, not for those it ended with.
                    best.offer(before, loss, epoch - 1)
                for name in names:
                    history[name].append(values[name])
                if progress is not None:
                    progress.update(epoch, [(name, values[name]) for name in names], finalize=epoch == epochs)
                if not max(values.get("val_loss", loss), loss) <= _EXPLOSION * first_loss:
                    if restarts == _MOST_RESTARTS:
                        break
                    restarts += 1
                    peak *= _FACTOR_AFTER_EXPLOSION
                    remaining = max(1, epochs - epoch) * one_pass.n_updates
                    good = start if best.parameters is None else best.parameters
                    muon = Muon(network, good, _schedule(peak, remaining), pool)
                elif patience is not None and epoch - best.epoch - (not len(validation_rows)) >= patience:
                    break
            if not len(validation_rows):
                stride = math.ceil(len(training_rows) / _SAMPLE_TO_JUDGE_BY)
                best.offer(muon.parameters, measure(muon.parameters, training_rows[::stride]), epoch)
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
    return named_weights(network, best.parameters), history


def _progress_bar(epochs: int, names: tuple[str, ...]):
    # A short fit needs TensorFlow, which Keras brings along, for nothing else.
    import keras

    return keras.utils.Progbar(epochs, interval=0.5, stateful_metrics=names, unit_name="epoch")


def _schedule(peak: float, n_updates: int) -> Callable[[int], float]:
    return lambda update: peak * warm_up_and_decay(update, n_updates)


class _Best:
    """The weights with the lowest loss so far."""

    def __init__(self):
        self.parameters, self.loss, self.epoch = None, math.inf, 0

    def offer(self, parameters, loss: float, epoch: int) -> None:
        if loss < self.loss:
            self.parameters, self.loss, self.epoch = parameters, loss, epoch


def _warn(message: str) -> None:
    # The line that the user wrote is the call of fit, above `_fit` and a wrapper of scikit-learn's.
    warnings.warn(message, ConvergenceWarning, stacklevel=6)


def _mean_squared_error(
    network: Network,
    weights: dict[str, np.ndarray],
    read: Callable,
    lengths: np.ndarray,
    rows: np.ndarray,
    n_jobs: int | None,
) -> float:
    rows = by_length(rows, lengths)
    errors, counts = np.zeros(len(rows)), np.zeros(len(rows))

    def measure(positions):
        batch = read(rows[positions], lengths[rows[positions]].max())
        with np.errstate(all="ignore"):
            squared = np.square(forward.reconstruct(network, weights, batch.values, batch.lengths) - batch.values)
        observed = np.broadcast_to(True, squared.shape) if batch.observed is None else batch.observed
        errors[positions] = squared.sum(axis=(1, 2), dtype=np.float64, where=observed)
        counts[positions] = observed.sum(axis=(1, 2))

    run_batches(measure, len(rows), n_jobs)
    return float(errors.sum() / counts.sum())
