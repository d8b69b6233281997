"""The description of a sequence: its statistics and its shares of convolutions, standardised."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from seqembed.sequences.collection import chunks
from seqembed.sequences.scaling import Batch, ScaledSequences
from seqembed.summary.shares import FEW_KERNELS, Shares, learn_shares
from seqembed.summary.statistics import count_statistics, sequence_statistics

# Sequences that means and deviations are learned from, and the numbers that are in memory at once: a larger sample
# gives nearly the same.
_MOST_SEQUENCES, _FEWEST_SEQUENCES, _MOST_NUMBERS = 2048, 256, 1 << 21
# Values whose statistics are computed at once, in arrays of many times their size.
_VALUES_AT_ONCE = 1 << 18
# Sequences that thresholds are learned from, and their values: a few, if they are long.
_MOST_SEQUENCES_FOR_THRESHOLDS, _MOST_VALUES_FOR_THRESHOLDS = 256, 1 << 21
# The sample is the same for all users: no random state of theirs is drawn from.
_SEED = 0
# Scaled values beyond this are clipped, so that squares and convolutions stay finite.
LARGEST_VALUE = 1e4
# Float32 rounds by less than this. A number that varies less does not vary.
_LEAST_DEVIATION = 1e-5


class Description(NamedTuple):
    """How a sequence becomes standardised numbers.

    Parameters
    ----------
    n_timesteps : int
        Length of the longest training sequence, which decides how many statistics there are.
    shares : Shares
        The convolutions.
    means, factors : float32 arrays of shape (n_numbers,)
        What is subtracted from each statistic and each share, and what it is then multiplied with. The factor of a
        number that does not vary is 0.
    """

    n_timesteps: int
    shares: Shares
    means: np.ndarray
    factors: np.ndarray

    @property
    def n_statistics(self) -> int:
        """How many of the numbers are statistics. The others, which come after them, are shares."""
        return len(self.means) - self.shares.n_shares

    @property
    def groups(self) -> list[slice]:
        """Which numbers are statistics, shares of thresholds, and those of competitions if there are any."""
        ends = [0, self.n_statistics, self.n_statistics + self.shares.thresholds.size, len(self.means)]
        return [slice(start, stop) for start, stop in itertools.pairwise(ends) if stop > start]

    def compute(self, batch: Batch, largest: float) -> np.ndarray:
        """Describe sequences.

        Parameters
        ----------
        batch : Batch
            Scaled as the training sequences were.
        largest : float
            Standardised numbers are clipped there.

        Returns
        -------
        numbers : float32 array of shape (n_samples, n_numbers)
            Statistics and shares. Unknown statistics count as their means.
        """
        return self.standardised(_numbers(batch, self.n_timesteps, self.shares), largest)

    def standardised(self, numbers: np.ndarray, largest: float) -> np.ndarray:
        """Standardise numbers, and clip them. Unknown ones, which are NaN, get 0."""
        with np.errstate(invalid="ignore"):
            standardised: np.ndarray = np.clip((numbers - self.means) * self.factors, -largest, largest)
        standardised[np.isnan(standardised)] = 0
        return standardised


def learn_description(
    sequences: ScaledSequences, n_timesteps: int, n_kernels: int = FEW_KERNELS, *, competes: bool = False
) -> tuple[Description, np.ndarray, np.ndarray]:
    """Learn thresholds, means and deviations from training sequences.

    Parameters
    ----------
    sequences : ScaledSequences
        Training sequences. At most 2,048 of them are looked at, fewer if each has thousands of numbers. They are drawn
        with a fixed seed.
    n_timesteps : int
        Length of the longest training sequence.
    n_kernels : {28, 84}, default=28
        See `seqembed.summary.shares.learn_shares`.
    competes : bool, default=False
        Whether kernels compete, see `seqembed.summary.shares.Shares`.

    Returns
    -------
    description : Description
        How to describe others.
    rows : int array of shape (n_rows,)
        The sequences that were looked at.
    numbers : float32 array of shape (n_rows, n_numbers)
        Their numbers, not standardised. NaN for unknown ones.

    Examples
    --------
    >>> from seqembed.sequences.collection import check_sequences
    >>> from seqembed.sequences.scaling import learn_scaling
    >>> checked = check_sequences(np.random.default_rng(0).normal(size=(50, 30, 2)))
    >>> sequences = ScaledSequences(checked, learn_scaling(checked, "standard"))
    >>> description, rows, numbers = learn_description(sequences, n_timesteps=30)
    >>> description.n_statistics, numbers.shape
    (51, (50, 555))
    """
    n_features = sequences.sequences.n_features
    n_read = min(_MOST_SEQUENCES_FOR_THRESHOLDS, max(1, _MOST_VALUES_FOR_THRESHOLDS // (n_timesteps * n_features)))
    sample = sequences.read(drawn_rows(len(sequences), n_read)).clipped(LARGEST_VALUE)
    shares = learn_shares(sample, n_timesteps, n_kernels, competes=competes)
    n_numbers = count_statistics(n_timesteps, n_features) + shares.n_shares
    n_rows = min(_MOST_SEQUENCES, max(_FEWEST_SEQUENCES, _MOST_NUMBERS // n_numbers))
    rows = drawn_rows(len(sequences), n_rows)
    batches = (sequences.read(rows[part]) for part in chunks(len(rows), n_timesteps * n_features))
    numbers = np.concatenate([_numbers(batch, n_timesteps, shares) for batch in batches])
    return Description(n_timesteps, shares, *_mean_and_factor(numbers)), rows, numbers


def _numbers(batch: Batch, n_timesteps: int, shares: Shares) -> np.ndarray:
    """Compute all statistics and shares of a batch, side by side."""
    n_samples = len(batch.values)
    n_at_once = max(1, _VALUES_AT_ONCE * n_samples // batch.values.size) if batch.values.size else 1
    numbers = []
    for start in range(0, max(1, n_samples), n_at_once):
        part = Batch(*(each[start : start + n_at_once] for each in batch)).clipped(LARGEST_VALUE)
        numbers += [np.concatenate([*sequence_statistics(part, n_timesteps).values(), shares.compute(part)], axis=1)]
    return np.concatenate(numbers)


def _mean_and_factor(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each number, and one over its standard deviation, or 0 if it does not vary."""
    known = np.isfinite(numbers)
    counts = np.maximum(known.sum(axis=0), 1)
    means = numbers.sum(axis=0, dtype=np.float64, where=known) / counts
    deviations = np.sqrt(np.square(numbers - means).sum(axis=0, where=known) / counts)
    factors = np.where(deviations > _LEAST_DEVIATION, 1 / np.maximum(deviations, _LEAST_DEVIATION), 0)
    return means.astype(np.float32), factors.astype(np.float32)


def drawn_rows(n_samples: int, most: int) -> np.ndarray:
    """Draw the numbers of some rows, in order; all of them if there are no more."""
    if n_samples <= most:
        return np.arange(n_samples)
    rows: np.ndarray = np.sort(check_random_state(_SEED).choice(n_samples, most, replace=False))
    return rows
