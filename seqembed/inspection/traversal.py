"""Sequences decoded along one component of the embedding."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from seqembed.inspection.inputs import decode, embed, fitted_input, fitted_model
from seqembed.sequences.containers import SequencesLike

if TYPE_CHECKING:
    from seqembed.estimators.autoencoder import LSTMAutoencoder

# Percentiles of a component between which it is moved: beyond them are few sequences that the decoder was trained on.
_LOWEST, _HIGHEST = 5, 95


class Traverse(NamedTuple):
    """Sequences decoded along one component, see `traverse`.

    Parameters
    ----------
    values : float32 array of shape (steps,)
        Of the component, from low to high.
    sequences : array of shape (steps, n_timesteps, n_features) or (steps, n_timesteps), or list of arrays
        One for each value, as `inverse_transform` gives them, in the units of the data.
    row : int
        Number of the sequence whose other components they share.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed import LSTMAutoencoder
    >>> X = np.random.default_rng(0).normal(size=(9, 4, 1))
    >>> path = traverse(LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(X), X, component=0, steps=3)
    >>> path.values.shape, path.sequences.shape, 0 <= path.row < 9
    ((3,), (3, 4, 1), True)
    """

    values: np.ndarray
    sequences: np.ndarray | list[np.ndarray]
    row: int


def traverse(
    estimator: LSTMAutoencoder,
    X: SequencesLike,
    component: int,
    steps: int = 7,
    *,
    lengths: npt.ArrayLike | None = None,
) -> Traverse:
    """Decode sequences along one component of the embedding, from low to high within what the data have.

    1. The sequences are embedded, and the one whose embedding is nearest to the mean embedding is taken. The mean
       itself is no good start: where the phases of sequences differ, what is decoded from it is flatter than any
       sequence.
    2. Its component moves from the 5th to the 95th percentile of this component over all sequences, in equal steps. Its
       other components stay.
    3. Each of these embeddings is decoded.

    Parameters
    ----------
    estimator : LSTMAutoencoder
        Fitted.
    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
        Sequences, of any kind that `transform` takes.
    component : int
        Number of the component, from 0.
    steps : int, default=7
        Number of sequences to decode, at least 2. Seven lines can still be told apart in a figure, and the middle one
        has the middle value.
    lengths : array-like of int of shape (n_samples,), default=None
        Timesteps of each sequence of a padded array.

    Returns
    -------
    traverse : Traverse
        Values of the component and the decoded sequences. They have the length of the sequence that was taken, and are
        a list if this is another length than that of the fit, or if the fitted lengths were unequal.

    Raises
    ------
    ValueError
        For a component that the embedding does not have, fewer than two steps, and sequences that `transform` refuses.
    TypeError
        For an estimator without an embedding that can be decoded.
    sklearn.exceptions.NotFittedError
        For an estimator that is not fitted.

    Notes
    -----
    Components are not independent of one another. Far from the sequence that was taken, a single moved component may
    make an embedding that no sequence has.

    Examples
    --------
    >>> from seqembed import LSTMAutoencoder
    >>> X = np.random.default_rng(0).normal(size=(40, 5, 2))
    >>> autoencoder = LSTMAutoencoder(3, hidden_units=(), epochs=2, random_state=0).fit(X)
    >>> along = traverse(autoencoder, X, component=1)
    >>> along.values.shape, along.sequences.shape
    ((7,), (7, 5, 2))
    """
    model = fitted_model(estimator)
    n_components = model.network.n_components
    check_component(component, n_components)
    if not isinstance(steps, Integral) or steps < 2:
        raise ValueError(f"Got steps={steps!r}, expected an integer of at least 2. Use steps=7.")
    with fitted_input(estimator, X, lengths) as sequences:
        Z = embed(estimator, sequences)
        row = nearest_row(Z, Z.mean(axis=0, dtype=np.float64))
        length = int(sequences.lengths[row])
    values = np.linspace(*np.percentile(Z[:, component], [_LOWEST, _HIGHEST]), int(steps)).astype(np.float32)
    moved = np.repeat(Z[row : row + 1], len(values), axis=0)
    moved[:, component] = values
    return Traverse(values, decode(estimator, moved, np.full(len(values), length)), row)


def check_component(component: int, n_components: int) -> None:
    """Refuse the number of a component that an embedding does not have.

    Raises
    ------
    ValueError
        For such a number.

    Examples
    --------
    >>> check_component(3, n_components=4)
    """
    if isinstance(component, bool) or not isinstance(component, Integral) or not 0 <= component < n_components:
        raise ValueError(
            f"Got component={component!r}, expected an integer from 0 to {n_components - 1}, since the embedding has "
            f"n_components={n_components}. Use component=0."
        )


def nearest_row(Z: np.ndarray, center: np.ndarray) -> int:
    """Return the number of the embedding that is nearest to a point, the first of several.

    Examples
    --------
    >>> nearest_row(np.array([[0.0], [2.0], [3.0]]), np.array([1.9]))
    1
    """
    return int(np.square(Z - center).sum(axis=1).argmin())
