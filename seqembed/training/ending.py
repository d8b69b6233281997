"""The end of a training run: its result, in numbers and in words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqembed.sequences.scaling import ScaledSequences
from seqembed.training.recipe import Recipe
from seqembed.training.workers import Workers

# The loss of varied sequences can lie a little above the variance of the unvaried ones.
_LARGEST_SHARE_OF_VARIANCE = 2
# Scaled values have a variance of 1. A loss of theirs below this is no failure, whatever the variance of a sample.
_LEAST_LOSS = 1.5


class TrainingResult(NamedTuple):
    """The result of training, and how it ended.

    Parameters
    ----------
    weights : dict of str to float32 array
        The weights with the lowest validation loss, or with the lowest training loss if no sequence was held back.
    history : dict of str to list of float
        "loss", "readout_loss" (with a readout), "val_loss" (with held-back sequences) and "learning_rate", with one
        entry per epoch.
    best_epoch : int
        The epoch of the weights. 0 means the weights that training started from.
    best_loss : float
        The loss of the weights.
    n_explosions : int
        Number of times that training went back to the best weights with a lower learning rate, because the loss
        exploded.
    last_peak : float
        Peak of the learning rate after the last explosion.
    interrupted : bool
        Whether Ctrl-C ended training early.
    """

    weights: dict[str, np.ndarray]
    history: dict[str, list[float]]
    best_epoch: int
    best_loss: float
    n_explosions: int
    last_peak: float
    interrupted: bool


def ending_message(result: TrainingResult, recipe: Recipe) -> str | None:
    """Describe an interruption or restarts.

    Parameters
    ----------
    result : TrainingResult
        The result of training.
    recipe : Recipe
        The settings of training.

    Returns
    -------
    message : str or None
        None if training was neither interrupted nor restarted.

    Examples
    --------
    >>> recipe = Recipe(epochs=5, batch_size=64, learning_rate=0.01, augment=True)
    >>> result = TrainingResult({}, {"loss": [0.5]}, 1, 0.5, n_explosions=0, last_peak=0.01, interrupted=True)
    >>> ending_message(result, recipe).partition(":")[0]
    'Training was interrupted after 1 of 5 epochs'
    """
    if result.interrupted:
        return (
            f"Training was interrupted after {len(result.history['loss'])} of {recipe.epochs} epochs: the weights are "
            f"the best so far (loss {result.best_loss:.4g}). Call fit again to train to the end."
        )
    if result.n_explosions:
        times = "once" if result.n_explosions == 1 else f"{result.n_explosions} times"
        return (
            f"The loss exploded {times}: training went back to the best weights with a lower learning rate, "
            f"{result.last_peak:.2g} in the end, and the weights are those of epoch {result.best_epoch} of "
            f"{recipe.epochs}. Use activation='tanh' or a lower learning_rate than {recipe.learning_rate:g}."
        )
    return None


def level_message(
    result: TrainingResult, sequences: ScaledSequences, workers: Workers, sample_weight: np.ndarray | None = None
) -> str | None:
    """Describe a loss that is far above the variance of the sequences.

    Parameters
    ----------
    result : TrainingResult
        The result of training.
    sequences : ScaledSequences
        The sequences of this worker.
    workers : Workers
        All workers. Either all of them call this function, or none does.
    sample_weight : float64 array of shape (n_samples,), default=None
        How much each sequence counts. By default all count alike.

    Returns
    -------
    message : str or None
        None if the network is not much worse than the means of the features.
    """
    is_small = result.best_loss <= _LEAST_LOSS
    if is_small and not sequences.scaling.is_identity:
        return None
    variance = loss_of_means(sequences, workers, sample_weight)
    if result.best_loss <= _LARGEST_SHARE_OF_VARIANCE * variance or (is_small and not variance):
        return None
    return (
        f"The loss never fell below {result.best_loss:.3g}, but the means of the features alone would get "
        f"{variance:.3g}: the network has learned nothing. Use scale='standard', activation='tanh' or a lower "
        f"learning_rate=."
    )


def loss_of_means(sequences: ScaledSequences, workers: Workers, sample_weight: np.ndarray | None = None) -> float:
    """Compute the loss of the means of the features, over all sequences of all workers, weighted as in training."""
    sums = sequences.squares() if sample_weight is None else sequences.squares() * sample_weight[:, np.newaxis]
    squares, n_values = workers.all_reduce(sums.sum(axis=0))
    return float(squares / n_values)
