"""The training loop: shuffled batches, Adam with clipping and a decaying rate, the best weights kept."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches

from seqembed import inference
from seqembed.network import Network
from seqembed.training import lstm

# Kingma and Ba (2015), their defaults.
_FIRST_MOMENT_DECAY, _SECOND_MOMENT_DECAY, _EPSILON = 0.9, 0.999, 1e-7
_LARGEST_GRADIENT_NORM = 1.0
_WARM_UP_SHARE = 0.05
_FINAL_RATE_SHARE = 0.01


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
    verbose: bool,
) -> tuple[dict[str, np.ndarray], dict[str, list[float]]]:
    """Train the autoencoder and return the best weights met.

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
    names = ("loss", "val_loss", "learning_rate") if len(validation_rows) else ("loss", "learning_rate")
    history: dict[str, list[float]] = {name: [] for name in names}
    parameters = tf.constant(np.concatenate([weights[name].ravel() for name in network.weight_shapes]))
    moments = (tf.zeros_like(parameters), tf.zeros_like(parameters))
    best, lowest_loss, best_epoch, update = None, math.inf, 0, 0
    progress = keras.utils.Progbar(epochs, verbose=int(verbose), stateful_metrics=names, unit_name="epoch")
    try:
        for epoch in range(epochs):
            losses = []
            for rows, sample_weight in _shuffled_batches(training_rows, rows_per_batch, random):
                sequences = np.ascontiguousarray(read(rows).transpose(1, 0, 2))
                loss, gradient = _loss_and_gradient(network)(parameters, sequences, sample_weight)
                update += 1
                rate = learning_rate * _rate_share(update, n_updates)
                parameters, *moments = _adam(parameters, *moments, gradient, np.float32(rate), np.float32(update))
                losses.append(float(loss) * np.count_nonzero(sample_weight))
            entry = {"loss": sum(losses) / len(training_rows), "learning_rate": rate}
            if len(validation_rows):
                entry["val_loss"] = _mean_squared_error(
                    network, _named(network, parameters.numpy()), read, validation_rows, rows_per_batch
                )
            for name in names:
                history[name].append(entry[name])
            progress.update(epoch + 1, [(name, entry[name]) for name in names], finalize=epoch + 1 == epochs)
            watched = entry.get("val_loss", entry["loss"])
            if not math.isfinite(watched):
                warnings.warn(
                    f"The loss became {watched} in epoch {epoch + 1} of {epochs}: training stopped there and "
                    f"keeps the weights of the best epoch before. A lower learning_rate than "
                    f"{learning_rate:g} or activation='tanh' mends it.",
                    ConvergenceWarning,
                    stacklevel=3,
                )
                break
            if watched < lowest_loss:
                best, lowest_loss, best_epoch = parameters, watched, epoch
            elif patience is not None and epoch - best_epoch >= patience:
                break
    except KeyboardInterrupt:
        if best is None:
            raise
        warnings.warn(
            f"Training was interrupted after {len(history['loss'])} of {epochs} epochs: the weights are those "
            f"of epoch {best_epoch + 1}, the best so far (loss {lowest_loss:.4g}).",
            ConvergenceWarning,
            stacklevel=3,
        )
    if best is None:
        raise FloatingPointError(
            f"The loss became {watched} in the first epoch. Use scale='standard', activation='tanh', or a lower "
            f"learning_rate than {learning_rate:g}."
        )
    return _named(network, best.numpy()), history


def _shuffled_batches(rows: np.ndarray, batch_size: int, random: np.random.Generator):
    """Batches of one size, each with weights that sum to 1: the last is filled up with rows that weigh nothing."""
    shuffled = random.permutation(rows)
    for batch in gen_batches(len(shuffled), batch_size):
        chosen = shuffled[batch]
        sample_weight = np.zeros(batch_size, np.float32)
        sample_weight[: len(chosen)] = 1 / len(chosen)
        yield np.resize(chosen, batch_size), sample_weight


def _rate_share(update: int, n_updates: int) -> float:
    warm_up = max(1, round(_WARM_UP_SHARE * n_updates))
    if update <= warm_up:
        return update / warm_up
    decayed = (update - warm_up) / max(1, n_updates - warm_up)
    return _FINAL_RATE_SHARE + (1 - _FINAL_RATE_SHARE) * (1 + math.cos(math.pi * decayed)) / 2


@functools.lru_cache(maxsize=32)
def _loss_and_gradient(network: Network) -> Callable:
    """Trace the gradient of a network once for all fits in this process."""

    @tf.function(autograph=False)
    def loss_and_gradient(parameters, sequences, sample_weight):
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            reconstruction = lstm.reconstruct(network, _split(network, parameters), sequences)
            errors = tf.reduce_mean(tf.square(reconstruction - sequences), axis=[0, 2])
            loss = tf.reduce_sum(errors * sample_weight)
        return loss, tape.gradient(loss, parameters)

    return loss_and_gradient


def _split(network: Network, parameters: tf.Tensor) -> dict[str, tf.Tensor]:
    shapes = network.weight_shapes
    parts = tf.split(parameters, [math.prod(shape) for shape in shapes.values()])
    return {name: tf.reshape(part, shapes[name]) for name, part in zip(shapes, parts, strict=True)}


def _named(network: Network, parameters: np.ndarray) -> dict[str, np.ndarray]:
    shapes = network.weight_shapes
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    parts = np.split(parameters, ends[:-1])
    return {name: part.reshape(shapes[name]).copy() for name, part in zip(shapes, parts, strict=True)}


@tf.function(autograph=False, reduce_retracing=True)
def _adam(parameters, first_moment, second_moment, gradient, rate, update):
    """Make one update of Adam on the gradient, its global norm clipped (Pascanu et al., 2013)."""
    gradient = tf.clip_by_norm(gradient, _LARGEST_GRADIENT_NORM)
    first_moment += (1 - _FIRST_MOMENT_DECAY) * (gradient - first_moment)
    second_moment += (1 - _SECOND_MOMENT_DECAY) * (tf.square(gradient) - second_moment)
    first_bias = 1 - tf.pow(_FIRST_MOMENT_DECAY, update)
    second_bias = 1 - tf.pow(_SECOND_MOMENT_DECAY, update)
    step = first_moment / first_bias / (tf.sqrt(second_moment / second_bias) + _EPSILON)
    return parameters - rate * step, first_moment, second_moment


def _mean_squared_error(
    network: Network,
    weights: dict[str, np.ndarray],
    read: Callable[[np.ndarray], np.ndarray],
    rows: np.ndarray,
    batch_size: int,
) -> float:
    total = 0.0
    for batch in gen_batches(len(rows), batch_size):
        sequences = read(rows[batch])
        embedding = inference.encode(network, weights, sequences)
        reconstruction = inference.decode(network, weights, embedding, sequences.shape[1])
        total += np.square(reconstruction - sequences).mean(dtype=np.float64) * len(sequences)
    return float(total / len(rows))
