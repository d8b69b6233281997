"""Shares of convolutions: for how much of a sequence fixed patterns exceed thresholds.

A kernel has nine taps, whose weights are -1, and 2 at three of them. Its convolution is large where a sequence has the
pattern of the kernel. The share of timesteps at which it exceeds a threshold says how common the pattern is, whatever
its phase. Dempster et al. call it PPV, the proportion of positive values.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from seqembed.sequences.scaling import Batch
from seqembed.summary.competition import LARGEST_COMPETING, count_contests, kernel_biases, mark_wins
from seqembed.summary.scratch import Scratch, borrowed_scratch

# Dempster et al. (2021): kernels of nine taps of which three have the weight 2. Their weights sum to zero.
_N_TAPS = 9
_TRIPLES = np.array(list(itertools.combinations(range(_N_TAPS), 3)))
# Those whose middle tap has the weight 2 are a third of them. With three times as many thresholds, they predict classes
# as well. But where each kernel reads few of many features, more kernels read more of these.
_MIDDLE_TRIPLES = _TRIPLES[(_TRIPLES == _N_TAPS // 2).any(axis=1)]
FEW_KERNELS, MANY_KERNELS = len(_MIDDLE_TRIPLES), len(_TRIPLES)
# About this many shares, of all kernels, scales and thresholds together: more of them predict classes no better. Beside
# those of competitions, half of them do.
_N_SHARES, _N_SHARES_BESIDE_COMPETITIONS = 500, 250
# A kernel reads at most this many features. Dempster et al. draw as many.
_MOST_CHANNELS = 9
# Numbers that thresholds are learned from: a larger sample gives the same quantiles.
_MOST_CONVOLUTIONS = 20_000
_GOLDEN_RATIO = (np.sqrt(5) - 1) / 2
# A threshold that hardly any timestep exceeds, or nearly all, says little.
_OUTERMOST_QUANTILE = 0.02
# Added to thresholds, in scaled units for each feature that a kernel reads. Where values repeat, as on a plateau, many
# convolutions are the same number, and a quantile may be that number: rounding would decide which of them exceed it.
# A larger one would hide patterns that are small beside the deviation of a feature.
_OFF_TIES = 1e-5
# The features of kernels are the same for all users: no random state of theirs is drawn from.
_SEED = 0
# Convolutions that are computed at once, so that they stay in the cache.
_CONVOLUTIONS_AT_ONCE = 1 << 18
# Means that are convolved at once. Their count fits into a byte. With few of them, many sequences stay side by side.
_MOST_MEANS_AT_ONCE, _FEWEST_MEANS_AT_ONCE = 255, 16


class Shares(NamedTuple):
    """Fixed convolutions at several scales, and the thresholds that their shares belong to.

    At the first scale, neighbouring taps are one timestep apart, at the second one two. Each further scale reads the
    means of two neighbouring timesteps of the scale before, again with two of them between taps. So a kernel gets twice
    as long from scale to scale, and a convolution of the longest ones takes a small part of the time of the first.

    Parameters
    ----------
    channels : float32 array of shape (n_scales, n_features, n_kernels)
        1 for the features that a kernel reads, and 0 for others.
    thresholds : float32 array of shape (n_scales, n_thresholds, n_kernels)
        Quantiles of the convolutions of training sequences.
    competes : bool, default=False
        Whether there are also shares of competitions, see `seqembed.summary.competition`. The thresholds are then those
        of convolutions with biases.

    References
    ----------
    A. Dempster, D. F. Schmidt, G. I. Webb, "MiniRocket: a very fast (almost) deterministic transform for time series
    classification" (2021). There, taps are 1, 2, 4, ... timesteps apart, and no means are taken.
    """

    channels: np.ndarray
    thresholds: np.ndarray
    competes: bool = False

    @property
    def n_shares(self) -> int:
        """How many shares a sequence has."""
        n_scales, n_thresholds, n_kernels = self.thresholds.shape
        n_contests = sum(count_contests(number, n_scales) for number in range(n_scales)) if self.competes else 0
        return int(n_kernels * (n_scales * n_thresholds + 2 * n_contests))

    def compute(self, batch: Batch) -> np.ndarray:
        """Compute the shares of sequences.

        Parameters
        ----------
        batch : Batch
            Sequences whose features have the mean 0. Missing values are read as 0, and so is what precedes and follows
            a sequence.

        Returns
        -------
        shares : float32 array of shape (n_samples, n_shares)
            From 0 to 1: of a sequence's own timesteps, or of the means that are of its own timesteps alone. Those of
            all thresholds come before those of all competitions.
        """
        n_scales, n_thresholds, _ = self.thresholds.shape
        if self.competes:
            batch = batch.clipped(LARGEST_COMPETING)
        with borrowed_scratch() as scratch:
            by_scale = [self._of_scale(number, each, scratch) for number, each in enumerate(_scales(batch, n_scales))]
        exceeded, won = ([each[part] for each in by_scale] for part in np.s_[:n_thresholds, n_thresholds:])
        shares = np.concatenate([each.reshape(-1, len(batch.values)) for each in (*exceeded, *won)])
        return np.ascontiguousarray(shares.T)

    def _of_scale(self, number: int, scale: _Scale, scratch: Scratch) -> np.ndarray:
        """Compute the shares of one scale, of shape (n_thresholds + n_competitions, n_kernels, n_samples)."""
        n_scales, n_thresholds, n_kernels = self.thresholds.shape
        n_contests = count_contests(number, n_scales) if self.competes else 1
        n_flags = n_thresholds + 2 * n_contests * self.competes
        thresholds = self.thresholds[number, :, :, np.newaxis, np.newaxis]
        # Sequences on the last axis: sums and comparisons then run over neighbours in memory.
        counts = np.zeros((n_flags, n_kernels, len(scale.sizes)), np.float32)
        for rows, exists, contests in _convolutions(scale, self.channels[number], scratch, n_contests):
            flags = scratch.array("flags", (n_flags, *contests.shape[1:]), bool)
            if self.competes:
                mark_wins(contests, flags[n_thresholds:], scratch)
            np.greater(contests[0], thresholds, out=flags[:n_thresholds])
            if n_contests > 1:
                flags = flags[:, :, :-1]
            if exists is not None:
                flags &= exists
            # Bytes, of which there are too few for an overflow: a sum of booleans takes several times as long.
            counts[:, :, rows] += np.add.reduce(flags.view(np.uint8), axis=2, dtype=np.uint8)
        counts /= scale.sizes
        return counts


def learn_shares(batch: Batch, n_timesteps: int, n_kernels: int = FEW_KERNELS, *, competes: bool = False) -> Shares:
    """Choose scales for a length, and learn thresholds from training sequences.

    There are about 500 shares, or 250 beside those of competitions: the longer the sequences, the more scales and the
    fewer thresholds, but at least one threshold for each kernel at each scale.

    Parameters
    ----------
    batch : Batch
        Training sequences, or a sample of them, whose features have the mean 0.
    n_timesteps : int
        Length of the longest training sequence.
    n_kernels : {28, 84}, default=28
        The more kernels, the fewer thresholds, see `count_kernels`.
    competes : bool, default=False
        Whether kernels compete, see `Shares`.

    Returns
    -------
    shares : Shares
        With scales by `count_scales`.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(size=(20, 50, 1)).astype(np.float32)
    >>> batch = Batch(values, np.ones(values.shape, bool), np.full(20, 50))
    >>> shares = learn_shares(batch, n_timesteps=50)
    >>> shares.thresholds.shape, shares.compute(batch).shape
    ((3, 6, 28), (20, 504))
    >>> learn_shares(batch, n_timesteps=50, competes=True).compute(batch).shape
    (20, 532)
    """
    random = check_random_state(_SEED)
    if competes:
        batch = batch.clipped(LARGEST_COMPETING)
    n_scales = count_scales(n_timesteps)
    n_shares = _N_SHARES_BESIDE_COMPETITIONS if competes else _N_SHARES
    n_thresholds = max(1, round(n_shares / (n_kernels * n_scales)))
    quantiles = _spread_quantiles(n_scales, n_thresholds, n_kernels)
    channels, thresholds = [], []
    for scale, levels in zip(_scales(batch, n_scales), quantiles, strict=True):
        channels.append(_draw_channels(batch.values.shape[2], n_kernels, random))
        convolved = _sample_convolutions(scale, channels[-1])
        thresholds.append(_quantiles_by_kernel(convolved, levels) + _OFF_TIES * channels[-1].sum(axis=0))
        if competes:
            thresholds[-1] += kernel_biases(n_kernels)
    return Shares(np.stack(channels), np.stack(thresholds).astype(np.float32), competes)


def count_kernels(n_features: int) -> int:
    """Count the kernels for vectors: a third of them, or all if there are more features than a kernel reads.

    Examples
    --------
    >>> count_kernels(9), count_kernels(10)
    (28, 84)
    """
    return FEW_KERNELS if n_features <= _MOST_CHANNELS else MANY_KERNELS


def count_scales(n_timesteps: int) -> int:
    """Count the scales at which a kernel is at most as long as a sequence; 1 for shorter sequences.

    Examples
    --------
    >>> count_scales(8), count_scales(33)
    (1, 3)
    """
    return max(1, (n_timesteps - 1) // (_N_TAPS - 1)).bit_length()


class _Scale(NamedTuple):
    """Sequences as the convolutions of one scale read them.

    Fields: values, float32 of shape (n_features, n_means, n_samples), 0 where they are missing and after the end of a
    sequence; sizes, how many means each sequence has; dilation, how many means neighbouring taps are apart.
    """

    values: np.ndarray
    sizes: np.ndarray
    dilation: int


def _scales(batch: Batch, n_scales: int) -> Iterator[_Scale]:
    """Yield sequences at each scale."""
    values = np.ascontiguousarray(np.where(batch.mask, batch.values, np.float32(0)).transpose(2, 1, 0))
    lengths, dilation = batch.lengths, 1
    for number in range(n_scales):
        # A sequence that is too short for a mean has one of what there is.
        yield _Scale(values, np.maximum(lengths, 1), dilation)
        dilation = 2
        if number:
            values, lengths = _means_of_pairs(values), lengths // 2


def _means_of_pairs(values: np.ndarray) -> np.ndarray:
    """Return the means of timesteps 0 and 1, 2 and 3, ...: of an odd number of them, the last is paired with a zero."""
    means = values[:, ::2].copy()
    means[:, : values.shape[1] // 2] += values[:, 1::2]
    means /= 2
    return means


def _spread_quantiles(n_scales: int, n_thresholds: int, n_kernels: int) -> np.ndarray:
    """Return levels from 0 to 1 for all thresholds, of shape (n_scales, n_thresholds, n_kernels).

    Multiples of the golden ratio fill the interval from 0 to 1 evenly, however many there are (Dempster et al.). So
    neighbouring kernels have quantiles that are far apart.
    """
    numbers = np.arange(1, n_scales * n_thresholds * n_kernels + 1)
    quantiles = np.clip(numbers * _GOLDEN_RATIO % 1, _OUTERMOST_QUANTILE, 1 - _OUTERMOST_QUANTILE)
    spread: np.ndarray = quantiles.reshape(n_scales, n_thresholds, n_kernels)
    return spread


def _quantiles_by_kernel(convolved: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return quantiles of each row, of shape (n_thresholds, n_kernels), at levels of its own."""
    ordered = np.sort(convolved, axis=1).T
    below = (levels * (len(ordered) - 1)).astype(np.intp)
    above = np.minimum(below + 1, len(ordered) - 1)
    # Between two convolutions, so that rounding does not decide for one of them.
    between: np.ndarray = (np.take_along_axis(ordered, below, axis=0) + np.take_along_axis(ordered, above, axis=0)) / 2
    return between


def _draw_channels(n_features: int, n_kernels: int, random: np.random.RandomState) -> np.ndarray:
    """Draw the features that each kernel reads: a number of them that is uniform on a logarithmic scale."""
    channels = np.zeros((n_features, n_kernels), np.float32)
    most = min(n_features, _MOST_CHANNELS)
    for kernel in range(n_kernels):
        n_channels = min(most, int(2 ** random.uniform(0, np.log2(most + 1))))
        channels[random.choice(n_features, n_channels, replace=False), kernel] = 1
    return channels


def convolve(padded: np.ndarray, dilation: int, channels: np.ndarray, convolved: np.ndarray, scratch: Scratch) -> None:
    """Convolve sequences with all kernels.

    Parameters
    ----------
    padded : float32 array of shape (n_features, n_timesteps + 8 * dilation, n_samples)
        Sequences, with four dilations more at each end.
    dilation : int
        Timesteps between neighbouring taps.
    channels : float32 array of shape (n_features, n_kernels)
        1 for the features that a kernel reads, and 0 for others.
    convolved : float32 array of shape (n_kernels, n_timesteps, n_samples)
        For the result, the sums over taps and features. It is C-contiguous.
    scratch : Scratch
        For what is computed on the way.

    Examples
    --------
    >>> convolved = np.empty((28, 2, 3), np.float32)
    >>> convolve(np.ones((1, 10, 3), np.float32), 1, np.ones((1, 28), np.float32), convolved, Scratch())
    >>> convolved[0]
    array([[0., 0., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    (n_features, n_padded, n_samples), (n_kernels, n_timesteps, _) = padded.shape, convolved.shape
    taps = [slice(tap * dilation, tap * dilation + n_timesteps) for tap in range(_N_TAPS)]
    weights = kernel_weights(n_kernels)
    if n_features <= _MOST_CHANNELS:
        kernels = (weights[:, np.newaxis] * channels).reshape(-1, n_kernels)
        # Whole sequences are copied for each tap, not a few features of each timestep, which takes far longer.
        read = scratch.array("read", (_N_TAPS, n_features, n_timesteps, n_samples))
        np.stack([padded[:, tap] for tap in taps], out=read)
        np.matmul(kernels.T, read.reshape(len(kernels), -1), out=convolved.reshape(n_kernels, -1))
        return
    # The features of each kernel are added first: the cost of its taps does not depend on their number.
    mixed = scratch.array("mixed", (n_kernels, n_padded, n_samples))
    np.matmul(channels.T, padded.reshape(n_features, -1), out=mixed.reshape(n_kernels, -1))
    weighted = scratch.array("weighted", convolved.shape)
    convolved[...] = 0
    for tap, weight in zip(taps, weights, strict=True):
        convolved += np.multiply(mixed[:, tap], weight[:, np.newaxis, np.newaxis], out=weighted)


@functools.cache
def kernel_weights(n_kernels: int) -> np.ndarray:
    """Return the weights of 28 or 84 kernels, float32 of shape (9, n_kernels). The array can't be written to.

    Examples
    --------
    >>> kernel_weights(28)[:, 0]
    array([ 2.,  2., -1., -1.,  2., -1., -1., -1., -1.], dtype=float32)
    """
    triples = _MIDDLE_TRIPLES if n_kernels == FEW_KERNELS else _TRIPLES
    weights = np.full((_N_TAPS, n_kernels), -1, np.float32)
    weights[triples.T, np.arange(n_kernels)] = 2
    weights.flags.writeable = False
    return weights


def _convolutions(
    scale: _Scale, channels: np.ndarray, scratch: Scratch, n_contests: int = 1
) -> Iterator[tuple[slice, np.ndarray | None, np.ndarray]]:
    """Yield the convolutions of some sequences at some of their means, centred there, with zeros around the sequences.

    With them come the numbers of the sequences, and which of the means a sequence has, or None if it has all. Of an
    array of shape (n_contests, n_kernels, n_means, n_samples), the first part has the convolutions. If there is a
    second part, the caller fills it with the changes from one mean to the next, and there is one mean more, since the
    last one changes too. The next array overwrites this one.
    """
    (n_features, n_means, n_samples), reach = scale.values.shape, scale.dilation * (_N_TAPS // 2)
    n_kernels, n_more = channels.shape[1], n_contests - 1
    most = min(
        max(_CONVOLUTIONS_AT_ONCE // (n_kernels * max(1, n_samples)), _FEWEST_MEANS_AT_ONCE), _MOST_MEANS_AT_ONCE
    )
    # Equally many each time: a short rest would take as many calls.
    n_at_once = -(-n_means // -(-n_means // most))
    n_rows = max(1, _CONVOLUTIONS_AT_ONCE // (n_at_once * max(n_kernels, n_features)))
    for first in range(0, n_samples, n_rows):
        rows = slice(first, min(first + n_rows, n_samples))
        n_read = rows.stop - first
        # Not np.pad, which takes as long as the convolutions of a single sequence.
        padded = scratch.array("padded", (n_features, n_means + 2 * reach + n_more, n_read))
        padded[:, :reach] = padded[:, reach + n_means :] = 0
        padded[:, reach : reach + n_means] = scale.values[:, :, rows]
        for start in range(0, n_means, n_at_once):
            stop = min(start + n_at_once, n_means)
            exists = None
            if (scale.sizes[rows] < stop).any():
                exists = np.arange(start, stop)[:, np.newaxis] < scale.sizes[rows]
            contests = scratch.array("contests", (n_contests, n_kernels, stop - start + n_more, n_read))
            convolve(padded[:, start : stop + 2 * reach + n_more], scale.dilation, channels, contests[0], scratch)
            yield rows, exists, contests


def _sample_convolutions(scale: _Scale, channels: np.ndarray) -> np.ndarray:
    """Convolve sequences, and keep means spread over all of them."""
    stride = -(-int(scale.sizes.sum()) // _MOST_CONVOLUTIONS)
    samples, offset = [], 0
    with borrowed_scratch() as scratch:
        for _, exists, (convolved,) in _convolutions(scale, channels, scratch):
            own = convolved.reshape(len(convolved), -1) if exists is None else convolved[:, exists]
            samples.append(own[:, -offset % stride :: stride].copy())
            offset += own.shape[1]
    return np.concatenate(samples, axis=1)
