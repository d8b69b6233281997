"""Training on a stream, of which each batch is seen once."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from seqembed.network.architecture import Network
from seqembed.network.weights import flat_parameters, named_weights
from seqembed.parallel import thread_pool
from seqembed.sequences.scaling import ScaledSequences
from seqembed.training.batches import Epoch
from seqembed.training.muon import Muon
from seqembed.training.readout import Readout
from seqembed.training.recipe import Recipe
from seqembed.training.schedule import warm_up_and_slow_down

# The length of a stream is unknown. To decide whether to compile, assume so many passes like the present one.
_EXPECTED_PASSES = 1000


class StreamState(NamedTuple):
    """The state of training on a stream, without the weights.

    Parameters
    ----------
    random : numpy.random.Generator
        Varies and shuffles the sequences; a pass advances it.
    moments : float32 array of shape (2, n_parameters) or None
        Moments of the gradient; None before the first update.
    n_updates : int
        Updates made so far.
    readout : Readout or None
        What the readout predicts; None before the first pass, and without a readout.
    readout_weights : dict of str to float32 array or None
        The readout's weights.
    """

    random: np.random.Generator
    moments: np.ndarray | None = None
    n_updates: int = 0
    readout: Readout | None = None
    readout_weights: dict[str, np.ndarray] | None = None


class StreamResult(NamedTuple):
    """What a pass over the next sequences of a stream leaves behind.

    Parameters
    ----------
    weights : dict of str to float32 array
        The weights after the pass.
    state : StreamState
        For the next pass.
    losses : dict of str to float
        "loss" is the mean squared error, that of each batch before its update. "readout_loss", only with a readout, is
        what the readout adds to it. "learning_rate" is that of the last update.
    """

    weights: dict[str, np.ndarray]
    state: StreamState
    losses: dict[str, float]


def train_one_pass(
    network: Network,
    weights: dict[str, np.ndarray],
    state: StreamState,
    sequences: ScaledSequences,
    recipe: Recipe,
) -> StreamResult:
    """Make one pass over the next sequences of a stream.

    Parameters
    ----------
    network : Network
        Its architecture.
    weights : dict of str to float32 array
        Where to start; they are not modified.
    state : StreamState
        The state after the pass before, or a new one. Its moments are not modified.
    sequences : ScaledSequences
        The next sequences.
    recipe : Recipe
        How to train. The learning rate is the highest of `seqembed.training.schedule.warm_up_and_slow_down`; its epochs
        are ignored.

    Returns
    -------
    result : StreamResult
        The weights after the pass, and the state to go on from.

    Raises
    ------
    FloatingPointError
        When the loss or a weight is no longer finite.
    """
    recipe = replace(recipe, epochs=_EXPECTED_PASSES)
    with thread_pool(recipe.n_jobs) as pool:
        rows = np.arange(len(sequences))
        epoch = Epoch(network, sequences, rows, recipe, state.random, pool, state.readout)
        shapes, readout = epoch.shapes, epoch.readout
        if readout is not None:
            weights = weights | (state.readout_weights or readout.initial_weights(network))
        muon = Muon(
            shapes,
            flat_parameters(shapes, weights),
            lambda update: recipe.learning_rate * warm_up_and_slow_down(update),
            pool,
            state.moments,
            state.n_updates,
        )
        of_batches = epoch.run(muon)
    if not (np.isfinite(of_batches.mean) and np.isfinite(muon.parameters).all()):
        raise FloatingPointError(
            f"The loss became {of_batches.mean:.3g}, and the weights were not changed. Use scale='standard' or "
            f"activation='tanh', a learning_rate= lower than {recipe.learning_rate:g}, or look for extreme values in X."
        )
    trained = named_weights(shapes, muon.parameters)
    weights = {name: trained.pop(name) for name in network.weight_shapes}
    state = StreamState(state.random, muon.moments, muon.n_updates, readout, trained or None)
    losses = {"loss": of_batches.mean}
    if readout is not None:
        losses["readout_loss"] = of_batches.readout
    return StreamResult(weights, state, losses | {"learning_rate": muon.rate})
