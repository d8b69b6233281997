"""The training loop: epochs of shuffled batches, the best weights kept."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable

import keras
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches

from seqembed import inference
from seqembed.network import Network
from seqembed.parallel import run_batches
from seqembed.training.adam import Adam
from seqembed.training.gradient import BatchGradient


def train(
    network: Network,
    weights: dict[str, np.ndarray],
    read: Callable[[np.ndarray], np.ndarray],
    training_rows: np.ndarray,
    validation_rows: np.ndarray,
    random: np.random.Generator,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
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
        Takes row numbers and returns those sequences as a float32 array (n_rows, n_timesteps, n_features), scaled.
    training_rows, validation_rows : int arrays
        Rows to learn from, and rows whose loss picks the best epoch; without any, the training loss does.
    random : numpy.random.Generator
        Shuffles the rows of each epoch.
    epochs : int
        Passes over the training rows.
    batch_size : int
        Sequences per update.
    learning_rate : float
        Peak of Adam's rate: linear warm-up over 5 % of the updates, then cosine decay to 1 % of the peak.
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
        When not one epoch ended in a finite loss.
    """
    rows_per_batch = min(batch_size, len(training_rows))
    n_updates = epochs * math.ceil(len(training_rows) / rows_per_batch)
    n_timesteps = read(training_rows[:1]).shape[1]
    adam = Adam(np.concatenate([weights[name].ravel() for name in network.weight_shapes]), learning_rate, n_updates)
    names = ("loss", "val_loss", "learning_rate") if len(validation_rows) else ("loss", "learning_rate")
    history: dict[str, list[float]] = {name: [] for name in names}
    progress = keras.utils.Progbar(
        epochs, verbose=int(bool(verbose)), interval=0.5, stateful_metrics=names, unit_name="epoch"
    )
    best, lowest_loss, best_epoch = None, math.inf, 0
    try:
        with BatchGradient(network, n_timesteps, rows_per_batch, n_updates, n_jobs) as batch_gradient:
            for epoch in range(1, epochs + 1):
                batches = _shuffled_batches(training_rows, rows_per_batch, random)
                values = {"loss": _run_epoch(batches, read, batch_gradient, adam), "learning_rate": adam.rate}
                if len(validation_rows):
                    current = _named(network, adam.parameters.numpy())
                    values["val_loss"] = _mean_squared_error(network, current, read, validation_rows, n_jobs)
                for name in names:
                    history[name].append(values[name])
                progress.update(epoch, [(name, values[name]) for name in names], finalize=epoch == epochs)
                watched = values.get("val_loss", values["loss"])
                # The loss was measured before the last update: what that update did shows in the parameters alone.
                if not np.isfinite(adam.parameters).all():
                    watched = math.nan
                if not math.isfinite(watched):
                    break
                if watched < lowest_loss:
                    best, lowest_loss, best_epoch = adam.parameters, watched, epoch
                elif patience is not None and epoch - best_epoch >= patience:
                    break
    except KeyboardInterrupt:
        if best is None:
            raise
        _warn(
            f"Training was interrupted after {len(history['loss'])} of {epochs} epochs: the weights are those of epoch "
            f"{best_epoch}, the best so far (loss {lowest_loss:.4g})."
        )
    else:
        if best is None:
            raise FloatingPointError(
                f"The loss became {watched} in the first epoch. Use scale='standard', activation='tanh', or a lower "
                f"learning_rate than {learning_rate:g}."
            )
        if not math.isfinite(watched):
            _warn(
                f"The loss became {watched} in epoch {epoch} of {epochs}: training stopped there, and the weights are "
                f"those of epoch {best_epoch}, the best before. Use activation='tanh' or a lower learning_rate than "
                f"{learning_rate:g}."
            )
    return _named(network, best.numpy()), history


def _run_epoch(batches: Iterable, read: Callable, batch_gradient: BatchGradient, adam: Adam) -> float:
    """Update the parameters batch by batch; returns the mean loss of the sequences, each as its batch met it."""
    total, n_sequences = 0.0, 0
    for rows, sample_weight in batches:
        loss, gradient = batch_gradient(adam.parameters, read(rows), sample_weight)
        adam.update(gradient)
        total += loss * np.count_nonzero(sample_weight)
        n_sequences += np.count_nonzero(sample_weight)
    return total / n_sequences


def _warn(message: str) -> None:
    # The line that the user wrote is the call of fit, two wrappers of scikit-learn's above `train`.
    warnings.warn(message, ConvergenceWarning, stacklevel=5)


def _shuffled_batches(rows: np.ndarray, batch_size: int, random: np.random.Generator):
    """Batches of one size, each with weights that sum to 1: the last is filled up with rows that weigh nothing."""
    shuffled = random.permutation(rows)
    for batch in gen_batches(len(shuffled), batch_size):
        chosen = shuffled[batch]
        sample_weight = np.zeros(batch_size, np.float32)
        sample_weight[: len(chosen)] = 1 / len(chosen)
        yield np.resize(chosen, batch_size), sample_weight


def _named(network: Network, parameters: np.ndarray) -> dict[str, np.ndarray]:
    shapes = network.weight_shapes
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    parts = np.split(parameters, ends[:-1])
    return {name: part.reshape(shapes[name]).copy() for name, part in zip(shapes, parts, strict=True)}


def _mean_squared_error(
    network: Network, weights: dict[str, np.ndarray], read: Callable, rows: np.ndarray, n_jobs: int | None
) -> float:
    errors = np.empty(len(rows))

    def measure(batch):
        sequences = read(rows[batch])
        reconstruction = inference.reconstruct(network, weights, sequences)
        errors[batch] = np.square(reconstruction - sequences).mean(axis=(1, 2), dtype=np.float64)

    run_batches(measure, len(rows), n_jobs)
    return float(errors.mean())
