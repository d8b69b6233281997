"""Training on a stream, whose sequences are seen once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from seqembed.inference.model import TrainedModel
from seqembed.network.weights import flat_parameters, named_weights
from seqembed.parallel import thread_pool
from seqembed.sequences.scaling import ScaledSequences
from seqembed.training.batches import TrainingBatches
from seqembed.training.labels import LabelCode, Labels
from seqembed.training.readout import Readout
from seqembed.training.recipe import Recipe
from seqembed.training.schedule import warm_up_and_slow_down

# The length of a stream is unknown. The decision whether to compile assumes this many passes like the present one.
_EXPECTED_PASSES = 1000


class StreamState(NamedTuple):
    """The state of training on a stream, without the weights.

    Parameters
    ----------
    random : numpy.random.Generator
        Varies and shuffles the sequences. A pass advances it.
    moments : float32 array of shape (2, n_parameters) or None
        Moments of the gradient. None before the first update.
    n_updates : int
        Number of updates so far.
    readout : Readout or None
        The statistics that the readout predicts. None before the first pass, and without a readout.
    readout_weights : dict of str to float32 array or None
        The readout's weights. None before the first pass, and without a readout.
    label_code : LabelCode or None
        How labels become numbers. None without labels.
    """

    random: np.random.Generator
    moments: np.ndarray | None = None
    n_updates: int = 0
    readout: Readout | None = None
    readout_weights: dict[str, np.ndarray] | None = None
    label_code: LabelCode | None = None


class StreamResult(NamedTuple):
    """The result of a pass over the next sequences of a stream.

    Parameters
    ----------
    weights : dict of str to float32 array
        The weights after the pass.
    state : StreamState
        The state after the pass.
    losses : dict of str to float
        "loss" is the mean squared error of the batches, each measured before its update. "readout_loss", only with a
        readout, is the weighted error of the readout. "learning_rate" is that of the last update.
    """

    weights: dict[str, np.ndarray]
    state: StreamState
    losses: dict[str, float]


def train_one_pass(
    model: TrainedModel,
    state: StreamState,
    sequences: ScaledSequences,
    recipe: Recipe,
    labels: Labels | None = None,
    sample_weight: np.ndarray | None = None,
) -> StreamResult:
    """Make one pass over the next sequences of a stream.

    Parameters
    ----------
    model : TrainedModel
        The model to start from. It is not modified.
    state : StreamState
        The state after the pass before, or a new one. Its moments are not modified.
    sequences : ScaledSequences
        The next sequences.
    recipe : Recipe
        The settings of training. Its learning rate is the peak of
        `seqembed.training.schedule.warm_up_and_slow_down`. Its epochs are not used.
    labels : Labels, default=None
        Labels of the sequences, whose error joins the loss.
    sample_weight : float64 array of shape (n_samples,), default=None
        How much each of these sequences counts, above 0. By default all count alike.

    Returns
    -------
    result : StreamResult
        The weights after the pass, and the state to go on from.

    Raises
    ------
    ValueError
        For a readout in a stream that began without one.
    FloatingPointError
        When the loss or a weight is no longer finite.
    """
    recipe, network, weights = replace(recipe, epochs=_EXPECTED_PASSES), model.network, model.weights

    def rate(update: int) -> float:
        return recipe.learning_rate * warm_up_and_slow_down(update)

    with thread_pool(recipe.n_jobs) as pool:
        rows = np.arange(len(sequences))
        batches = TrainingBatches(
            model, sequences, rows, recipe, state.random, pool, state.readout, labels, sample_weight
        )
        shapes, readout = batches.shapes, batches.readout
        if readout is not None:
            if state.moments is not None and state.readout is None:
                raise ValueError(
                    f"Got readout_weight={recipe.readout_weight:g} for a stream that began without a readout, expected "
                    f"0. Begin a new one with sklearn.base.clone(estimator), or call fit."
                )
            weights = weights | (state.readout_weights or readout.initial_weights(network))
        parameters = flat_parameters(shapes, weights)
        moments = np.zeros((2, len(parameters)), np.float32) if state.moments is None else state.moments.copy()
        present = _OptimiserState(parameters, moments, state.n_updates)
        epoch_losses = batches.train_one_epoch(present, rate, state.random)
    if not (np.isfinite(epoch_losses.mean) and np.isfinite(present.parameters).all()):
        raise FloatingPointError(
            f"The loss became {epoch_losses.mean:.3g}, and the weights were not changed. Use scale='standard' or "
            f"activation='tanh', a learning_rate= lower than {recipe.learning_rate:g}, or look for extreme values in X."
        )
    trained = named_weights(shapes, present.parameters)
    weights = model.weights | {name: trained.pop(name) for name in network.weight_shapes}
    state = StreamState(state.random, present.moments, present.n_updates, readout, trained or None, state.label_code)
    losses = {"loss": epoch_losses.mean}
    if readout is not None:
        losses["readout_loss"] = epoch_losses.readout
    return StreamResult(weights, state, losses | {"learning_rate": rate(state.n_updates)})


@dataclass
class _OptimiserState:
    """The state that the updates of a pass advance, see `seqembed.training.batches.OptimiserState`."""

    parameters: np.ndarray
    moments: np.ndarray
    n_updates: int
