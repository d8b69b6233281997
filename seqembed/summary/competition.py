"""Competing kernels: how often each of them is the largest or the smallest of its group.

A threshold asks how large a convolution is. A competition asks which of several patterns a sequence resembles most,
whatever their size. Both together tell sequences apart better than twice as many thresholds.
"""

from __future__ import annotations

import functools

import numpy as np

from seqembed.summary.scratch import Scratch

# Kernels of a group. 28 and 84 kernels make whole groups.
GROUP_SIZE = 7
# Scaled values beyond this are clipped before they are convolved: the rounding error of larger ones is no longer small
# beside the biases.
LARGEST_COMPETING = 32
# In scaled units.
_BIAS = 1e-4


@functools.cache
def kernel_biases(n_kernels: int) -> np.ndarray:
    """Return what is added to the convolutions of each kernel, and to their changes. The array can't be written to.

    Where values repeat, as on a plateau, and around a single spike, several convolutions are the same number. Without
    biases, rounding would decide which is the largest.

    Examples
    --------
    >>> kernel_biases(14)[[0, 6, 7]]
    array([0.    , 0.0006, 0.    ], dtype=float32)
    """
    biases: np.ndarray = (_BIAS * (np.arange(n_kernels) % GROUP_SIZE)).astype(np.float32)
    biases.flags.writeable = False
    return biases


def count_contests(scale: int, n_scales: int) -> int:
    """Count the contests of the kernels at a scale: one of their convolutions, and one of the changes of these.

    At the first scale of several, changes do not compete: it costs the most time, and without its changes sequences are
    told apart as well.

    Examples
    --------
    >>> [count_contests(scale, 3) for scale in range(3)], count_contests(0, 1)
    ([1, 2, 2], 2)
    """
    return 2 if scale > 0 or n_scales == 1 else 1


def mark_wins(contests: np.ndarray, wins: np.ndarray, scratch: Scratch) -> None:
    """Mark where kernels are the largest and the smallest of their group.

    Parameters
    ----------
    contests : float32 array of shape (n_contests, n_kernels, n_timesteps, n_samples)
        The first are the convolutions, which get their biases here. The second, if there are two, is filled here: with
        the change of each convolution to the next timestep. The last timestep is then only what the one before changes
        to: leave its marks out.
    wins : bool array of shape (2 * n_contests, n_kernels, n_timesteps, n_samples)
        For the result: the largest of each contest, then the smallest of each. It is C-contiguous.
    scratch : Scratch
        For what is computed on the way.

    References
    ----------
    A. Dempster, D. F. Schmidt, G. I. Webb, "Hydra: competing convolutional kernels for fast and accurate time series
    classification" (2023). There, kernels are drawn, and what wins counts by its size.

    Examples
    --------
    The fourth of seven kernels is the largest at both timesteps. The first one falls the most, and then rises the most.

    >>> contests, wins = np.zeros((2, 7, 3, 1), np.float32), np.empty((4, 7, 3, 1), bool)
    >>> contests[0, 3], contests[0, 0, 1] = 1, -2
    >>> mark_wins(contests, wins, Scratch())
    >>> largest, largest_change, _, smallest_change = wins[:, :, :2, 0]
    >>> largest.argmax(axis=0), largest_change[0], smallest_change[0]
    (array([3, 3]), array([False,  True]), array([ True, False]))
    """
    n_contests, n_kernels, n_timesteps, n_samples = contests.shape
    if n_contests > 1:
        convolved, changes = contests
        np.subtract(convolved[:, 1:], convolved[:, :-1], out=changes[:, :-1])
        changes[:, -1] = 0
    contests += kernel_biases(n_kernels)[:, np.newaxis, np.newaxis]
    groups = contests.reshape(-1, GROUP_SIZE, n_timesteps, n_samples)
    best = scratch.array("best", (len(groups), 1, n_timesteps, n_samples))
    for choose, marks in ((np.maximum, wins[:n_contests]), (np.minimum, wins[n_contests:])):
        choose.reduce(groups, axis=1, keepdims=True, out=best)
        np.equal(groups, best, out=marks.reshape(groups.shape))
