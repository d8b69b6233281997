"""The shortcut: principal components that pass beside the LSTM layers, into the embedding and out of the decoder.

An LSTM needs many updates to learn what a matrix does: to carry the values of a sequence through a vector. The
shortcut is this matrix. Its components join the first numbers of the embedding, and the decoder's output adds up what
they stand for. It is computed from the training sequences, and training does not change it. Its arrays stand among the
weights of the network:

- ``shortcut/means``, of shape (n_features,): the means of the scaled features, which are subtracted first;
- ``shortcut/loadings``, of shape (shortcut_size, n_timesteps, n_features): what a component of 1 adds to a sequence.

Timesteps after those of the loadings take no part.
"""

from __future__ import annotations

import numpy as np

# Components are clipped at this size. The hyperbolic tangent of larger ones is nearly 1.
LARGEST_COMPONENT = 4
# Deviation of the first component.
_LARGEST_DEVIATION = 0.5


def shortcut_weights(axes: np.ndarray, deviations: np.ndarray, means: np.ndarray) -> dict[str, np.ndarray]:
    """Make the weights of a shortcut.

    All components are divided by the same number, so that the largest deviation is 0.5, where the
    hyperbolic tangent is nearly straight, and their proportions stay.

    Parameters
    ----------
    axes : float32 array of shape (shortcut_size, n_timesteps, n_features)
        Principal axes, of length 1.
    deviations : array of shape (shortcut_size,)
        Those of the components, the largest first.
    means : float32 array of shape (n_features,)
        Means of the scaled features.

    Returns
    -------
    weights : dict of str to float32 array
        Empty without axes.
    """
    if not len(axes):
        return {}
    return {
        "shortcut/means": means.astype(np.float32),
        "shortcut/loadings": axes * np.float32(deviations[0] / _LARGEST_DEVIATION),
    }


def flat_loadings(weights: dict[str, np.ndarray]) -> np.ndarray:
    """Return the loadings with all values of a component in a row, of shape (shortcut_size, n_values)."""
    loadings = weights["shortcut/loadings"]
    return loadings.reshape(len(loadings), -1)


def projection(weights: dict[str, np.ndarray]) -> np.ndarray:
    """Return the matrix that makes components of deviations from the means, of shape (n_values, shortcut_size).

    The rows of the loadings are orthogonal. So its columns are the rows, divided by their squared lengths.
    """
    loadings = flat_loadings(weights)
    squares = np.square(loadings, dtype=np.float64).sum(axis=1, keepdims=True)
    projected: np.ndarray = (loadings / squares).astype(np.float32).T
    return projected


def loadings_of(weights: dict[str, np.ndarray], n_timesteps: int) -> np.ndarray:
    """Return the loadings, cut or padded with zeros to a number of timesteps."""
    loadings = weights["shortcut/loadings"]
    n_kept = min(n_timesteps, loadings.shape[1])
    fitting = np.zeros((len(loadings), n_timesteps, loadings.shape[2]), np.float32)
    fitting[:, :n_kept] = loadings[:, :n_kept]
    return fitting


def flat_deviations(weights: dict[str, np.ndarray], sequences: np.ndarray) -> np.ndarray:
    """Return the deviations of sequences from the means, cut or padded to the timesteps of the loadings.

    Parameters
    ----------
    weights : dict of str to float32 array
        Those of a network with a shortcut.
    sequences : float32 array of shape (n_samples, n_timesteps, n_features)
        Scaled as in training. Missing values and padding are the means.

    Returns
    -------
    deviations : float32 array of shape (n_samples, n_values)
        A row for each sequence.
    """
    _, n_timesteps, n_features = weights["shortcut/loadings"].shape
    n_read = min(n_timesteps, sequences.shape[1])
    deviations = np.zeros((len(sequences), n_timesteps, n_features), np.float32)
    np.subtract(sequences[:, :n_read], weights["shortcut/means"], out=deviations[:, :n_read])
    return deviations.reshape(len(sequences), -1)


def clipped(components: np.ndarray) -> np.ndarray:
    """Bound components, so that the hyperbolic tangent of none is 1."""
    bounded: np.ndarray = np.clip(components, -LARGEST_COMPONENT, LARGEST_COMPONENT)
    return bounded


def joined(states: np.ndarray, components: np.ndarray, activation: str) -> np.ndarray:
    """Add components to the first of the last states of the encoder, before these were squashed.

    With tanh, that is ``tanh(arctanh(states) + components)``. It is computed by the addition theorem, which needs no
    inverse: ``(states + t) / (1 + states * t)`` with ``t = tanh(components)``.

    Parameters
    ----------
    states : float32 array of shape (n_samples, n_components)
        The encoder's last states.
    components : float32 array of shape (n_samples, shortcut_size)
        Bounded.
    activation : {"tanh", "relu"}
        That of the network. The states of relu are not squashed.

    Returns
    -------
    embedding : float32 array of shape (n_samples, n_components)
        A new array.

    Examples
    --------
    >>> joined(np.float32([[0.5, 0.5]]), np.float32([[0.3]]), "tanh").round(4), np.tanh(np.arctanh(0.5) + 0.3).round(4)
    (array([[0.6907, 0.5   ]], dtype=float32), np.float64(0.6907))
    """
    n_joined = components.shape[1]
    embedding = states.copy()
    first = states[:, :n_joined]
    if activation == "tanh":
        squashed = np.tanh(components)
        embedding[:, :n_joined] = (first + squashed) / (1 + first * squashed)
    else:
        embedding[:, :n_joined] = first + components
    return embedding


def slope(states: np.ndarray, components: np.ndarray, activation: str) -> np.ndarray:
    """Return the derivatives of the embedding by the states, see `joined`.

    Examples
    --------
    >>> slope(np.float32([[0.0, 0.5]]), np.float32([[0.3]]), "tanh").round(3)
    array([[0.915, 1.   ]], dtype=float32)
    """
    slopes = np.ones_like(states)
    if activation == "tanh":
        squashed = np.tanh(components)
        first = states[:, : components.shape[1]]
        slopes[:, : components.shape[1]] = (1 - squashed * squashed) / np.square(1 + first * squashed)
    return slopes
