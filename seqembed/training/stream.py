"""Training on a stream, of which each batch is seen once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from seqembed.network.architecture import Network
from seqembed.network.weights import flat_parameters, named_weights
from seqembed.parallel import thread_pool
from seqembed.sequences.scaling import Batch
from seqembed.training.epoch import Epoch, read_varied
from seqembed.training.muon import Muon
from seqembed.training.schedule import warm_up_and_slow_down

# A stream may bring a single batch or millions of them: it is taken to bring this many times what it brings now.
_EXPECTED_PASSES = 1000


class StreamState(NamedTuple):
    """What training on a stream goes on from, beside the weights.

    Parameters
    ----------
    moments : float32 array of shape (2, n_parameters) or None
        Moments of the gradient; None before the first update.
    n_updates : int
        Updates made so far.
    """

    moments: np.ndarray | None
    n_updates: int


def train_on(
    network: Network,
    weights: dict[str, np.ndarray],
    state: StreamState,
    read: Callable[[np.ndarray, int], Batch],
    lengths: np.ndarray,
    means: np.ndarray,
    random: np.random.Generator,
    *,
    batch_size: int,
    learning_rate: float,
    augment: bool,
    n_jobs: int | None,
) -> tuple[dict[str, np.ndarray], StreamState, float, float]:
    """Make one pass over the next sequences of a stream.

    Parameters
    ----------
    network, weights, read, lengths, means, random, batch_size, augment, n_jobs
        As in `seqembed.training.loop.train`.
    state : StreamState
        What the pass before returned.
    learning_rate : float
        The highest, see `seqembed.training.schedule.warm_up_and_slow_down`.

    Returns
    -------
    weights : dict of str to float32 array
        The weights after the pass.
    state : StreamState
        For the next pass.
    loss : float
        Mean squared error, each batch's as it was met.
    rate : float
        Learning rate of the last update.

    Raises
    ------
    FloatingPointError
        When the loss or a weight is no longer finite.
    """
    rows = np.arange(len(lengths))
    read_to_train = read_varied(read, lengths, rows, means, random) if augment else read
    with thread_pool(n_jobs) as pool:
        muon = Muon(
            network,
            flat_parameters(network, weights),
            lambda update: learning_rate * warm_up_and_slow_down(update),
            pool,
            state.moments,
            state.n_updates,
        )
        one_pass = Epoch(
            network,
            read_to_train,
            lengths,
            rows,
            random,
            batch_size=batch_size,
            epochs=_EXPECTED_PASSES,
            pool=pool,
        )
        loss, _ = one_pass.run(muon)
    if not (np.isfinite(loss) and np.isfinite(muon.parameters).all()):
        raise FloatingPointError(
            f"The loss became {loss:.3g}, and these sequences are left unlearned. Use scale='standard' or "
            f"activation='tanh', a lower learning_rate than {learning_rate:g}, or look for extreme values in X."
        )
    state = StreamState(muon.moments, muon.n_updates)
    return named_weights(network, muon.parameters), state, loss, muon.rate
