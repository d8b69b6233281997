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

# Dempster et al. (2021): all kernels of nine taps of which three have the weight 2. Their weights sum to zero.
_N_TAPS = 9
_TRIPLES = np.array(list(itertools.combinations(range(_N_TAPS), 3)))
N_KERNELS = len(_TRIPLES)
# About this many shares, of all kernels, dilations and thresholds together: more of them predict classes no better.
_N_SHARES = 500
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
_CONVOLUTIONS_AT_ONCE = 1 << 17


class Shares(NamedTuple):
    """Fixed convolutions, and the thresholds that their shares belong to.

    Parameters
    ----------
    dilations : int64 array of shape (n_dilations,)
        Timesteps between neighbouring taps.
    channels : float32 array of shape (n_dilations, n_features, n_kernels)
        1 for the features that a kernel reads, and 0 for others.
    thresholds : float32 array of shape (n_dilations, n_thresholds, n_kernels)
        Quantiles of the convolutions of training sequences.

    References
    ----------
    A. Dempster, D. F. Schmidt, G. I. Webb, "MiniRocket: a very fast (almost) deterministic transform for time series
    classification" (2021).
    """

    dilations: np.ndarray
    channels: np.ndarray
    thresholds: np.ndarray

    def compute(self, batch: Batch) -> np.ndarray:
        """Compute the shares of sequences.

        Parameters
        ----------
        batch : Batch
            Sequences whose features have the mean 0. Missing values are read as 0, and so is what precedes and follows
            a sequence.

        Returns
        -------
        shares : float32 array of shape (n_samples, n_dilations * n_thresholds * n_kernels)
            From 0 to 1: of a sequence's own timesteps.
        """
        values, inside = _known(batch)
        counted = inside.astype(np.float32)[:, np.newaxis]
        # Whole numbers, which float32 adds exactly: they do not depend on the padding.
        counts = np.zeros((len(values), *self.thresholds.shape), np.float32)
        for number, (dilation, channels) in enumerate(zip(self.dilations.tolist(), self.channels, strict=True)):
            for rows, timesteps, convolved in _convolutions(values, dilation, channels):
                for row, thresholds in enumerate(self.thresholds[number]):
                    exceeds = (convolved > thresholds).astype(np.float32)
                    counts[rows, number, row] += (counted[rows, :, timesteps] @ exceeds)[:, 0]
        return counts.reshape(len(values), -1) / batch.lengths[:, np.newaxis].astype(np.float32)


def learn_shares(batch: Batch, n_timesteps: int) -> Shares:
    """Choose dilations for a length, and learn thresholds from training sequences.

    There are about 500 shares: the longer the sequences, the more dilations and the fewer thresholds, but at least one
    threshold for each of the 84 kernels at each dilation.

    Parameters
    ----------
    batch : Batch
        Training sequences, or a sample of them, whose features have the mean 0.
    n_timesteps : int
        Length of the longest training sequence.

    Returns
    -------
    shares : Shares
        With dilations by `choose_dilations`.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(size=(20, 50, 1)).astype(np.float32)
    >>> batch = Batch(values, np.ones(values.shape, bool), np.full(20, 50))
    >>> shares = learn_shares(batch, n_timesteps=50)
    >>> shares.dilations, shares.thresholds.shape, shares.compute(batch).shape
    (array([1, 2, 4]), (3, 2, 84), (20, 504))
    """
    random = check_random_state(_SEED)
    dilations = choose_dilations(n_timesteps)
    n_thresholds = max(1, round(_N_SHARES / (N_KERNELS * len(dilations))))
    quantiles = _spread_quantiles(len(dilations), n_thresholds)
    values, inside = _known(batch)
    channels, thresholds = [], []
    for dilation, levels in zip(dilations.tolist(), quantiles, strict=True):
        channels.append(_draw_channels(values.shape[2], random))
        convolved = _sample_convolutions(values, inside, dilation, channels[-1])
        thresholds.append(_quantiles_by_kernel(convolved, levels) + _OFF_TIES * channels[-1].sum(axis=0))
    return Shares(dilations, np.stack(channels), np.stack(thresholds).astype(np.float32))


def choose_dilations(n_timesteps: int) -> np.ndarray:
    """Choose the powers of two at which a kernel is at most as long as a sequence; 1 for shorter sequences.

    Examples
    --------
    >>> choose_dilations(8), choose_dilations(33)
    (array([1]), array([1, 2, 4]))
    """
    longest = max(1, (n_timesteps - 1) // (_N_TAPS - 1))
    return 2 ** np.arange(longest.bit_length(), dtype=np.int64)


def _known(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Return values, 0 where they are missing, and which timesteps are before the end of a sequence."""
    inside = np.arange(batch.values.shape[1]) < batch.lengths[:, np.newaxis]
    return np.where(batch.mask, batch.values, np.float32(0)), inside


def _spread_quantiles(n_dilations: int, n_thresholds: int) -> np.ndarray:
    """Return levels from 0 to 1 for all thresholds, of shape (n_dilations, n_thresholds, n_kernels).

    Multiples of the golden ratio fill the interval from 0 to 1 evenly, however many there are (Dempster et al.). So
    neighbouring kernels have quantiles that are far apart.
    """
    numbers = np.arange(1, n_dilations * n_thresholds * N_KERNELS + 1)
    quantiles = np.clip(numbers * _GOLDEN_RATIO % 1, _OUTERMOST_QUANTILE, 1 - _OUTERMOST_QUANTILE)
    spread: np.ndarray = quantiles.reshape(n_dilations, n_thresholds, N_KERNELS)
    return spread


def _quantiles_by_kernel(convolved: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return quantiles of each column, of shape (n_thresholds, n_kernels), at levels of its own."""
    ordered = np.sort(convolved, axis=0)
    below = (levels * (len(ordered) - 1)).astype(np.intp)
    above = np.minimum(below + 1, len(ordered) - 1)
    # Between two convolutions, so that rounding does not decide for one of them.
    between: np.ndarray = (np.take_along_axis(ordered, below, axis=0) + np.take_along_axis(ordered, above, axis=0)) / 2
    return between


def _draw_channels(n_features: int, random: np.random.RandomState) -> np.ndarray:
    """Draw the features that each kernel reads: a number of them that is uniform on a logarithmic scale."""
    channels = np.zeros((n_features, N_KERNELS), np.float32)
    most = min(n_features, _MOST_CHANNELS)
    for kernel in range(N_KERNELS):
        n_channels = min(most, int(2 ** random.uniform(0, np.log2(most + 1))))
        channels[random.choice(n_features, n_channels, replace=False), kernel] = 1
    return channels


def convolve(padded: np.ndarray, dilation: int, channels: np.ndarray) -> np.ndarray:
    """Convolve sequences with all kernels.

    Parameters
    ----------
    padded : float32 array of shape (n_samples, n_timesteps + 8 * dilation, n_features)
        Sequences, with four dilations more at each end.
    dilation : int
        Timesteps between neighbouring taps.
    channels : float32 array of shape (n_features, n_kernels)
        1 for the features that a kernel reads, and 0 for others.

    Returns
    -------
    convolved : float32 array of shape (n_samples, n_timesteps, n_kernels)
        The sums over taps and features.

    Examples
    --------
    >>> convolve(np.ones((1, 10, 1), np.float32), 1, np.ones((1, 84), np.float32))[0, :, :3]
    array([[0., 0., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    n_timesteps = padded.shape[1] - (_N_TAPS - 1) * dilation
    taps = [slice(tap * dilation, tap * dilation + n_timesteps) for tap in range(_N_TAPS)]
    if len(channels) <= _MOST_CHANNELS:
        kernels = (kernel_weights()[:, np.newaxis] * channels).reshape(-1, N_KERNELS)
        convolved: np.ndarray = np.concatenate([padded[:, tap] for tap in taps], axis=2) @ kernels
        return convolved
    # The features of each kernel are added first: the cost of its taps does not depend on their number.
    mixed = padded @ channels
    convolved = np.zeros((len(padded), n_timesteps, N_KERNELS), np.float32)
    for tap, weights in zip(taps, kernel_weights(), strict=True):
        convolved += mixed[:, tap] * weights
    return convolved


@functools.cache
def kernel_weights() -> np.ndarray:
    """Return the weights of all kernels, float32 of shape (9, n_kernels). The array can't be written to.

    Examples
    --------
    >>> kernel_weights()[:, 0]
    array([ 2.,  2.,  2., -1., -1., -1., -1., -1., -1.], dtype=float32)
    """
    weights = np.full((_N_TAPS, N_KERNELS), -1, np.float32)
    weights[_TRIPLES.T, np.arange(N_KERNELS)] = 2
    weights.flags.writeable = False
    return weights


def _convolutions(values: np.ndarray, dilation: int, channels: np.ndarray) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Yield the convolutions of some sequences at some timesteps, centred there, with zeros around the sequences."""
    (n_samples, n_timesteps, n_features), reach = values.shape, dilation * (_N_TAPS // 2)
    width = max(N_KERNELS, n_features)
    n_at_once = min(n_timesteps, max(1, _CONVOLUTIONS_AT_ONCE // width))
    n_rows = max(1, _CONVOLUTIONS_AT_ONCE // (n_at_once * width))
    for first in range(0, n_samples, n_rows):
        rows = slice(first, min(first + n_rows, n_samples))
        # Not np.pad, which takes as long as the convolutions of a single sequence.
        padded = np.zeros((rows.stop - rows.start, n_timesteps + 2 * reach, n_features), np.float32)
        padded[:, reach : reach + n_timesteps] = values[rows]
        for start in range(0, n_timesteps, n_at_once):
            stop = min(start + n_at_once, n_timesteps)
            yield rows, slice(start, stop), convolve(padded[:, start : stop + 2 * reach], dilation, channels)


def _sample_convolutions(values: np.ndarray, inside: np.ndarray, dilation: int, channels: np.ndarray) -> np.ndarray:
    """Convolve sequences, and keep timesteps spread over all of them."""
    stride = -(-int(inside.sum()) // _MOST_CONVOLUTIONS)
    samples, offset = [], 0
    for rows, timesteps, convolved in _convolutions(values, dilation, channels):
        own = convolved[inside[rows, timesteps]]
        samples.append(own[-offset % stride :: stride])
        offset += len(own)
    return np.concatenate(samples)
