"""Typical sequences of clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from seqembed.inspection.inputs import decode, embed, fitted_input, fitted_model
from seqembed.inspection.traversal import nearest_row
from seqembed.sequences.collection import Sequences
from seqembed.sequences.containers import SequencesLike, is_missing
from seqembed.sequences.labels import as_labels, check_one_kind, check_one_label_each

if TYPE_CHECKING:
    from seqembed.estimators.autoencoder import LSTMAutoencoder

# The label of what HDBSCAN and DBSCAN put into no cluster.
NOISE = -1
# What to do if labels are not one for each.
FROM_A_CLUSTERER = "Pass what fit_predict of a clusterer returned for them."


class TypicalSequences(NamedTuple):
    """What clusters look like, see `typical_sequences`. Clusters are sorted by their labels.

    Parameters
    ----------
    labels : array of shape (n_clusters,)
        Label of each cluster.
    sizes : int array of shape (n_clusters,)
        Number of its members.
    centers : array of shape (n_clusters, n_timesteps, n_features) or (n_clusters, n_timesteps), or list of arrays
        Decoded from the mean embedding of the members, in the units of the data.
    rows : int array of shape (n_clusters,)
        Number of the member whose embedding is nearest to the mean.
    nearest : array of the shape of `centers`, or list of arrays
        These members, as they were given.
    spreads : float64 array of shape (n_clusters,)
        Root mean square distance of the members from their mean, in the embedding.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed import LSTMAutoencoder
    >>> X = np.random.default_rng(0).normal(size=(9, 4, 1))
    >>> network = LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(X)
    >>> typical = typical_sequences(network, X, np.repeat(["calm", "rough"], [4, 5]))
    >>> typical.labels.tolist(), typical.sizes.tolist(), typical.centers.shape
    (['calm', 'rough'], [4, 5], (2, 4, 1))
    """

    labels: np.ndarray
    sizes: np.ndarray
    centers: np.ndarray | list[np.ndarray]
    rows: np.ndarray
    nearest: np.ndarray | list[np.ndarray]
    spreads: np.ndarray


def typical_sequences(
    estimator: LSTMAutoencoder, X: SequencesLike, labels: npt.ArrayLike, *, lengths: npt.ArrayLike | None = None
) -> TypicalSequences:
    """Show what clusters of sequences look like.

    The labels come from any clusterer, which may have seen the embedding or not:
    ``KMeans(4).fit_predict(autoencoder.transform(X))``.

    Parameters
    ----------
    estimator : LSTMAutoencoder
        Fitted.
    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
        Sequences, of any kind that `transform` takes.
    labels : array-like of shape (n_samples,)
        The cluster of each sequence. -1, which is the noise of HDBSCAN and DBSCAN, is left out.
    lengths : array-like of int of shape (n_samples,), default=None
        Timesteps of each sequence of a padded array.

    Returns
    -------
    typical : TypicalSequences
        Of each cluster: its label, its size, its decoded centre, the nearest member and the spread. The centre has the
        length of the nearest member. Centres and members are lists if one of these lengths is not that of the fit, or
        if the fitted lengths were unequal.

    Raises
    ------
    ValueError
        For labels that are not one for each sequence, that are all -1, or that are text and numbers, and for sequences
        that `transform` refuses.
    TypeError
        For an estimator without an embedding that can be decoded.
    sklearn.exceptions.NotFittedError
        For an estimator that is not fitted.

    Notes
    -----
    Where the phases of members differ, the decoded centre is flatter than any of them: the decoder averages over what
    the mean embedding leaves open. In one such cluster, the values of the centre had a standard deviation of 1.06, and
    those of a member one of 7.16. So look at the nearest member beside the centre. The member says what the shape is.
    Where it is far from the centre, members differ from one another.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from seqembed import LSTMAutoencoder
    >>> random = np.random.default_rng(0)
    >>> X = random.normal(size=(40, 5, 1)) + np.repeat([-3, 3], 20)[:, np.newaxis, np.newaxis]
    >>> autoencoder = LSTMAutoencoder(3, hidden_units=(), epochs=20, random_state=0).fit(X)
    >>> labels = KMeans(2, random_state=0).fit_predict(autoencoder.transform(X))
    >>> typical = typical_sequences(autoencoder, X, labels)
    >>> typical.sizes, typical.centers.shape, sorted(np.sign(typical.centers.mean(axis=(1, 2))).tolist())
    (array([20, 20]), (2, 5, 1), [-1.0, 1.0])
    """
    fitted_model(estimator)
    with fitted_input(estimator, X, lengths) as sequences:
        own = _checked_labels(labels, len(sequences))
        Z = embed(estimator, sequences).astype(np.float64)
        found = np.unique(own[own != NOISE])
        members = [np.flatnonzero(own == label) for label in found]
        means = np.stack([Z[each].mean(axis=0) for each in members])
        rows = np.array([each[nearest_row(Z[each], mean)] for each, mean in zip(members, means, strict=True)])
        nearest = [_as_given(sequences, row) for row in rows]
        centers = decode(estimator, means, sequences.lengths[rows])
    spreads = [np.sqrt(np.square(Z[each] - mean).sum(axis=1).mean()) for each, mean in zip(members, means, strict=True)]
    return TypicalSequences(
        labels=found,
        sizes=np.array([len(each) for each in members]),
        centers=centers,
        rows=rows,
        nearest=np.stack(nearest) if isinstance(centers, np.ndarray) else nearest,
        spreads=np.array(spreads),
    )


def _as_given(sequences: Sequences, row: int) -> np.ndarray:
    """Copy a sequence, which may lie in a temporary file, with the axes that the user gave."""
    values = np.array(sequences.values[row])
    return values if sequences.ndim == 3 else values[:, 0]


def _checked_labels(labels: npt.ArrayLike, n_samples: int) -> np.ndarray:
    """Return one label for each sequence, at least one of which is not that of noise."""
    own = as_labels(labels)
    check_one_label_each(own, n_samples, "labels", remedy=FROM_A_CLUSTERER)
    missing = np.flatnonzero([is_missing(label) for label in own.tolist()])
    if len(missing):
        raise ValueError(
            f"Got labels= with NaN for sequence {missing[0]}, expected a label for each sequence. Mark sequences of no "
            f"cluster with -1: pandas.Series(labels).fillna(-1)."
        )
    if (own == NOISE).all():
        raise ValueError(
            "Got labels= of -1 alone, which is noise, expected at least one cluster. Let the clusterer find smaller "
            "ones: HDBSCAN(min_cluster_size=5)."
        )
    check_one_kind(set(own[own != NOISE].tolist()), "labels")
    return own
