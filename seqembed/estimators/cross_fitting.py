"""Cross-fitting: each network is fitted on all blocks of the sequences but one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, nullcontext
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from seqembed.estimators.autoencoder import LSTMAutoencoder
from seqembed.estimators.heldout_residuals import HeldOutResiduals
from seqembed.estimators.reconstruction import chosen_sequences, reconstruction_residuals
from seqembed.sequences.collection import Sequences
from seqembed.sequences.hints import layout_was_judged
from seqembed.sequences.wording import counted
from seqembed.training.progress import Progress

# The default network: components for each feature, and limits of the components and of the hidden units.
_COMPONENTS_PER_FEATURE, _MOST_COMPONENTS = 8, 64
_LEAST_UNITS = 32
# All networks together make at most as many updates as this number of fits on all sequences.
_MOST_FITS = 2.2


def default_estimator(n_features: int) -> LSTMAutoencoder:
    """Make the autoencoder that a detector uses by default.

    Parameters
    ----------
    n_features : int
        Values per timestep.

    Returns
    -------
    estimator : LSTMAutoencoder
        With a bottleneck that grows with the number of features.

    Examples
    --------
    >>> default_estimator(n_features=3).hidden_units
    (48,)
    """
    n_components = min(_COMPONENTS_PER_FEATURE * n_features, _MOST_COMPONENTS)
    return LSTMAutoencoder(n_components, hidden_units=(max(2 * n_components, _LEAST_UNITS),), readout_weight=0)


def cross_fit(
    estimator: Any,
    sequences: Sequences,
    rows: np.ndarray,
    *,
    n_blocks: int,
    gap: int = 0,
    means: np.ndarray | None = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
) -> HeldOutResiduals:
    """Fit a network for each block of some sequences, and compute its residuals on that block.

    Parameters
    ----------
    estimator : estimator
        Cloned for each block. Where its parameters are "auto", the clones do not vary their training sequences, have
        no context and no shortcut, and make fewer epochs the more of them there are.
    sequences : Sequences
        Checked sequences. Hints about their layout are left to the caller: there would be one from each clone.
    rows : int array of shape (n_rows,)
        Which sequences to fit on.
    n_blocks : int
        Number of contiguous blocks, at most `n_rows`.
    gap : int, default=0
        Sequences on either side of a block that its network is not fitted on.
    means : float array of shape (n_features,), default=None
        Means of the features, for estimators that take no missing values.
    random_state : int, RandomState instance or None, default=None
        Source of the `random_state` of the clones, if the estimator has none of its own.
    verbose : int, default=0
        1 shows a progress bar over the networks.

    Returns
    -------
    fits : HeldOutResiduals
        The fitted clones, and their held-out residuals.

    Raises
    ------
    ValueError
        If `gap` leaves no sequence to fit on, and if a feature has values in a single block only.
    TypeError
        If the method `fit` of the estimator does not return it.
    KeyboardInterrupt
        If Ctrl-C ended the fit of a clone, also of one that keeps its best weights then.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed import LSTMReconstructor
    >>> from seqembed.sequences.collection import check_sequences
    >>> sequences = check_sequences(np.random.default_rng(0).normal(size=(9, 4, 2)))
    >>> network = LSTMReconstructor(2, hidden_units=(), epochs=1)
    >>> fits = cross_fit(network, sequences, np.arange(9), n_blocks=3)
    >>> len(fits.estimators), fits.blocks[0], fits.residuals.shape
    (3, array([0, 1, 2]), (9, 4, 2))
    """
    blocks = list(_contiguous_blocks(len(rows), n_blocks, gap))
    _check_features_of_blocks(sequences, rows, blocks)
    n_fitted = sum(len(others) for _, others in blocks)
    unfitted = _block_estimator(estimator, len(rows), n_fitted, sequences.n_timesteps, random_state)
    estimators, residuals = [], np.empty((len(rows), sequences.n_timesteps, sequences.n_features))
    with closing(Progress(n_blocks, "network")) if verbose else nullcontext() as progress:
        for number, (block, others) in enumerate(blocks, 1):
            with layout_was_judged():
                fitted = clone(unfitted).fit(chosen_sequences(sequences, rows[others], sequences.n_timesteps))
            if not hasattr(fitted, "reconstruct"):
                raise TypeError(
                    f"Got {type(fitted).__name__} from {type(unfitted).__name__}.fit, expected the fitted estimator. "
                    f"End the method with: return self."
                )
            if getattr(fitted, "interrupted_", False):
                # The network kept its best weights. The others would still be fitted, for as long as before.
                raise KeyboardInterrupt
            estimators.append(fitted)
            residuals[block] = reconstruction_residuals(fitted, sequences, rows[block], sequences.n_timesteps, means)
            if progress is not None:
                progress.update(number, {}, ended=number == n_blocks)
    return HeldOutResiduals(sequences, rows, means, estimators, [block for block, _ in blocks], residuals)


def _contiguous_blocks(n_samples: int, n_blocks: int, gap: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows of each block, and the rows that are more than `gap` away from it."""
    # Imported here, because only `fit` needs it: it would slow the start of a process that loads and predicts.
    from sklearn.model_selection import KFold

    rows = np.arange(n_samples)
    for _, block in KFold(n_blocks).split(rows):
        others = rows[(rows < block[0] - gap) | (rows > block[-1] + gap)]
        if not len(others):
            raise ValueError(
                f"Got gap={gap} and cv={n_blocks} for {counted(n_samples, 'normal sequence')}, which leaves no "
                f"sequence to fit on for one block. Use a smaller gap=."
            )
        yield block, others


def _check_features_of_blocks(
    sequences: Sequences, rows: np.ndarray, blocks: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    """Refuse a feature that a network would have no value of, such as a sensor that came late."""
    if sequences.complete:
        return
    known = np.array([~np.isnan(sequences.values[row]).all(axis=0) for row in rows])
    for block, others in blocks:
        lacking = np.flatnonzero(known.any(axis=0) & ~known[others].any(axis=0))
        if len(lacking):
            raise ValueError(
                f"Got X= whose feature {lacking[0]} has no value outside of the block of sequences {rows[block[0]]} to "
                f"{rows[block[-1]]}, nor outside of gap= beside it, expected values for each of the {len(blocks)} "
                f"networks, which are each fitted without a block. Pass more sequences with this feature, or leave it "
                f"out: np.delete(X, {lacking.tolist()}, axis=-1)."
            )


def _block_estimator(
    estimator: Any, n_samples: int, n_fitted: int, n_timesteps: int, random_state: int | np.random.RandomState | None
) -> Any:
    """Return the estimator to clone for each block.

    `n_fitted` is the number of sequences that the clones are fitted on, summed over the clones.
    """
    estimator = clone(estimator)
    parameters = estimator.get_params(deep=False)
    # What serves embeddings, or training in fewer updates, also helps to reconstruct rare events.
    plain = {"augment": False, "context_size": 0, "shortcut_size": 0}
    changes: dict[str, Any] = {name: value for name, value in plain.items() if parameters.get(name) == "auto"}
    estimator.set_params(**changes)
    if parameters.get("epochs") == "auto" and hasattr(estimator, "count_epochs"):
        epochs = estimator.count_epochs(n_samples, n_timesteps)
        changes["epochs"] = max(1, round(epochs * min(1, _MOST_FITS * n_samples / n_fitted)))
    if random_state is not None and parameters.get("random_state", estimator) is None:
        changes["random_state"] = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    return estimator.set_params(**changes)
