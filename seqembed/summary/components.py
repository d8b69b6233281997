"""The summary of a sequence: principal components of its statistics and of its shares of convolutions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from seqembed.sequences.collection import chunks
from seqembed.sequences.scaling import Batch, ScaledSequences
from seqembed.summary.shares import Shares, learn_shares
from seqembed.summary.statistics import count_statistics, sequence_statistics

# Sequences that components are learned from, and the numbers that are in memory at once: larger samples give nearly the
# same components.
_MOST_SEQUENCES, _FEWEST_SEQUENCES, _MOST_NUMBERS = 2048, 256, 1 << 21
# Values whose statistics are computed at once, in arrays of many times their size.
_VALUES_AT_ONCE = 1 << 18
# Sequences that thresholds are learned from, and their values: a few, if they are long.
_MOST_SEQUENCES_FOR_THRESHOLDS, _MOST_VALUES_FOR_THRESHOLDS = 256, 1 << 21
# The sample is the same for all users: no random state of theirs is drawn from.
_SEED = 0
# Scaled values beyond this are clipped, so that squares and convolutions stay finite.
LARGEST_VALUE = 1e4
# Standardised numbers beyond this are clipped: a single one must not decide a component.
LARGEST_NUMBER = 6
# Float32 rounds by less than this. A number that varies less does not vary.
_LEAST_DEVIATION = 1e-5
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
        A principal axis in each column, times the weights of the numbers.
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
        numbers = _standardised(_numbers(batch, self.n_timesteps, self.shares), self.means, self.factors)
        # In float64, so that the components of a sequence hardly depend on the others of its batch.
        components = numbers.astype(np.float64) @ self.axes - self.offset
        rounded: np.ndarray = components.astype(np.float32)
        return rounded


def learn_summary(sequences: ScaledSequences, n_components: int, n_timesteps: int) -> Summary:
    """Learn thresholds and components from training sequences.

    Each statistic and each share is standardised over the training sequences and clipped at 6. Statistics and shares
    are divided by the roots of their numbers, so that both groups weigh the same. Their principal components are those
    of both groups together.

    Parameters
    ----------
    sequences : ScaledSequences
        Training sequences. At most 2,048 of them are looked at, fewer if each has thousands of numbers. They are drawn
        with a fixed seed.
    n_components : int
        Most components. There are fewer if the numbers vary in fewer directions, always fewer than sequences.
    n_timesteps : int
        Length of the longest training sequence.

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

    n_features = sequences.sequences.n_features
    n_read = min(_MOST_SEQUENCES_FOR_THRESHOLDS, max(1, _MOST_VALUES_FOR_THRESHOLDS // (n_timesteps * n_features)))
    shares = learn_shares(_clipped(sequences.read(drawn_rows(len(sequences), n_read))), n_timesteps)
    n_statistics, n_shares = count_statistics(n_timesteps, n_features), shares.thresholds.size
    n_rows = min(_MOST_SEQUENCES, max(_FEWEST_SEQUENCES, _MOST_NUMBERS // (n_statistics + n_shares)))
    rows = drawn_rows(len(sequences), n_rows)
    batches = (sequences.read(rows[part]) for part in chunks(len(rows), n_timesteps * n_features))
    numbers = np.concatenate([_numbers(batch, n_timesteps, shares) for batch in batches])
    means, factors = _mean_and_factor(numbers)
    weights = np.repeat([n_statistics**-0.5, n_shares**-0.5], [n_statistics, n_shares])
    pca = PCA(min(n_components, max(1, len(rows) - 1), numbers.shape[1]), svd_solver="full")
    with np.errstate(invalid="ignore"):
        pca.fit(_standardised(numbers, means, factors) * weights)
    n_kept = max(1, int((pca.singular_values_ > _LEAST_PART * pca.singular_values_[0]).sum()))
    directions = _with_signs(pca.components_[:n_kept])
    return Summary(n_timesteps, shares, means, factors, directions @ pca.mean_, weights[:, np.newaxis] * directions.T)


def _numbers(batch: Batch, n_timesteps: int, shares: Shares) -> np.ndarray:
    """Compute all statistics and shares of a batch, side by side."""
    n_samples = len(batch.values)
    n_at_once = max(1, _VALUES_AT_ONCE * n_samples // batch.values.size) if batch.values.size else 1
    numbers = []
    for start in range(0, max(1, n_samples), n_at_once):
        part = _clipped(Batch(*(each[start : start + n_at_once] for each in batch)))
        numbers += [np.concatenate([*sequence_statistics(part, n_timesteps).values(), shares.compute(part)], axis=1)]
    return np.concatenate(numbers)


def _clipped(batch: Batch) -> Batch:
    return batch._replace(values=np.clip(batch.values, -LARGEST_VALUE, LARGEST_VALUE))


def _mean_and_factor(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each number, and one over its standard deviation, or 0 if it does not vary."""
    known = np.isfinite(numbers)
    counts = np.maximum(known.sum(axis=0), 1)
    means = numbers.sum(axis=0, dtype=np.float64, where=known) / counts
    deviations = np.sqrt(np.square(numbers - means).sum(axis=0, where=known) / counts)
    factors = np.where(deviations > _LEAST_DEVIATION, 1 / np.maximum(deviations, _LEAST_DEVIATION), 0)
    return means.astype(np.float32), factors.astype(np.float32)


def _standardised(numbers: np.ndarray, means: np.ndarray, factors: np.ndarray) -> np.ndarray:
    standardised: np.ndarray = np.clip((numbers - means) * factors, -LARGEST_NUMBER, LARGEST_NUMBER)
    # Those of unknown numbers.
    standardised[np.isnan(standardised)] = 0
    return standardised


def _with_signs(directions: np.ndarray) -> np.ndarray:
    """Turn each direction so that the first of its large entries is positive.

    The largest one would not do: of two sequences, all numbers differ equally, and rounding would choose it.
    """
    sizes = np.abs(directions)
    first = (sizes > _LARGE_PART * sizes.max(axis=1, keepdims=True)).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), first])
    turned: np.ndarray = directions * np.where(signs < 0, -1, 1)[:, np.newaxis]
    return turned


def drawn_rows(n_samples: int, most: int) -> np.ndarray:
    """Draw the numbers of some rows, in order; all of them if there are no more."""
    if n_samples <= most:
        return np.arange(n_samples)
    rows: np.ndarray = np.sort(check_random_state(_SEED).choice(n_samples, most, replace=False))
    return rows
