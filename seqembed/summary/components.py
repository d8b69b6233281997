"""The summary of a sequence: principal components of its statistics and of its shares of convolutions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqembed.sequences.scaling import Batch, ScaledSequences
from seqembed.summary.description import Description, learn_description
from seqembed.summary.halves import differences_of_halves, steady_directions
from seqembed.summary.label_directions import learn_label_directions
from seqembed.summary.shares import Shares, count_kernels

# Standardised numbers beyond this are clipped: a single one must not decide a component.
LARGEST_NUMBER = 6
# Directions are compared among so many times more principal components.
_FIRST_COMPONENTS = 4
# A component whose deviation is a smaller part of that of the first one is rounding error.
_LEAST_PART = 1e-4
# An entry of a direction that is larger than this part of the largest one is large.
_LARGE_PART = 0.7


class Summary(NamedTuple):
    """How a sequence becomes a few numbers, without a network.

    Parameters
    ----------
    n_timesteps : int
        Length of the longest training sequence, which decides how many statistics there are.
    shares : Shares
        The convolutions.
    means, factors : float32 arrays of shape (n_numbers,)
        What is subtracted from each statistic and each share, and what it is then multiplied with. The factor of a
        number that does not vary is 0.
    offset : float64 array of shape (n_components,)
        Subtracted from the components.
    axes : float64 array of shape (n_numbers, n_components)
        A principal axis in each column, times the weights of the numbers and shortened where halves differ.
    """

    n_timesteps: int
    shares: Shares
    means: np.ndarray
    factors: np.ndarray
    offset: np.ndarray
    axes: np.ndarray

    def compute(self, batch: Batch) -> np.ndarray:
        """Compute the components of sequences.

        Parameters
        ----------
        batch : Batch
            Scaled as the training sequences were.

        Returns
        -------
        components : float32 array of shape (n_samples, n_components)
            Unknown statistics count as their means.
        """
        description = Description(self.n_timesteps, self.shares, self.means, self.factors)
        numbers = description.compute(batch, LARGEST_NUMBER)
        # In float64, so that the components of a sequence hardly depend on the others of its batch.
        components = numbers.astype(np.float64) @ self.axes - self.offset
        rounded: np.ndarray = components.astype(np.float32)
        return rounded


def learn_summary(
    sequences: ScaledSequences, n_components: int, n_timesteps: int, targets: np.ndarray | None = None
) -> Summary:
    """Learn thresholds and components from training sequences.

    Each statistic and each share is standardised over the training sequences and clipped at 6. Statistics, shares of
    thresholds and shares of competitions are divided by the roots of their numbers, so that the three groups weigh the
    same. Directions in which the halves of a sequence differ are shortened, see `seqembed.summary.halves`. The
    principal components are those of all groups together.

    Parameters
    ----------
    sequences : ScaledSequences
        Training sequences. At most 2,048 of them are looked at, fewer if each has thousands of numbers. They are drawn
        with a fixed seed.
    n_components : int
        Most components. There are fewer if the numbers vary in fewer directions, always fewer than sequences.
    n_timesteps : int
        Length of the longest training sequence.
    targets : float array of shape (n_samples, n_outputs), default=None
        Labels as numbers, NaN where a label is unknown. With them, the first components are predictions of the labels,
        see `seqembed.summary.label_directions`: at most half of all. Their variance is that of the first principal
        component.

    Returns
    -------
    summary : Summary
        With at least one component.

    Examples
    --------
    >>> from seqembed.sequences.collection import check_sequences, chunks
    >>> from seqembed.sequences.scaling import learn_scaling
    >>> checked = check_sequences(np.random.default_rng(0).normal(size=(50, 30, 2)))
    >>> sequences = ScaledSequences(checked, learn_scaling(checked, "standard"))
    >>> summary = learn_summary(sequences, n_components=8, n_timesteps=30)
    >>> summary.compute(sequences.read(slice(0, 5))).shape
    (5, 8)
    """
    # Imported here, because only `fit` needs it: it would slow the start of a process that loads and transforms.
    from sklearn.decomposition import PCA

    n_kernels = count_kernels(sequences.sequences.n_features)
    description, rows, numbers = learn_description(sequences, n_timesteps, n_kernels, competes=True)
    sizes = [group.stop - group.start for group in description.groups]
    weights = np.repeat(np.power(sizes, -0.5), sizes)
    n_first = min(_FIRST_COMPONENTS * n_components, max(1, len(rows) - 1), numbers.shape[1])
    first, second = PCA(n_first, svd_solver="full"), PCA(min(n_components, n_first), svd_solver="full")
    with np.errstate(invalid="ignore"):
        components = first.fit_transform(description.standardised(numbers, LARGEST_NUMBER) * weights)
        differences = differences_of_halves(description, sequences, rows, LARGEST_NUMBER) * weights
        matrix = steady_directions(differences @ first.components_.T)
        second.fit(components @ matrix)
    n_kept = max(1, int((second.singular_values_ > _LEAST_PART * second.singular_values_[0]).sum()))
    directions = _with_signs(second.components_[:n_kept] @ matrix @ first.components_)
    axes, offset = weights[:, np.newaxis] * directions.T, directions @ first.mean_
    if targets is not None and n_components > 1:
        of_labels, means = learn_label_directions(description, sequences, targets, n_components // 2, LARGEST_NUMBER)
        deviation = second.singular_values_[0] / np.sqrt(len(rows))
        axes = np.concatenate([deviation * of_labels, axes], axis=1)[:, :n_components]
        offset = np.concatenate([deviation * means, offset])[:n_components]
    return Summary(*description, offset, axes)


def _with_signs(directions: np.ndarray) -> np.ndarray:
    """Turn each direction so that the first of its large entries is positive.

    The largest one would not do: of two sequences, all numbers differ equally, and rounding would choose it.
    """
    sizes = np.abs(directions)
    first = (sizes > _LARGE_PART * sizes.max(axis=1, keepdims=True)).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), first])
    turned: np.ndarray = directions * np.where(signs < 0, -1, 1)[:, np.newaxis]
    return turned
