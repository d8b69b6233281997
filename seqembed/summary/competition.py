"""Competing kernels: how often each of them is the largest or the smallest of its group.

A threshold asks how large a convolution is. A competition asks which of several patterns a sequence resembles most,
whatever their size. Both together tell sequences apart better than twice as many thresholds.
"""

from __future__ import annotations

import itertools

import numpy as np

from seqembed.summary.scratch import Scratch

# Kernels of a group. 28 and 84 kernels make whole groups.
GROUP_SIZE = 7
# How many numbers a kernel has: it wins or loses by its convolution, or by the change of it.
N_COMPETITIONS = 4
# Added to the kernels of a group, once more for each, in scaled units. Where values repeat, as on a plateau, and around
# a single spike, several convolutions are the same number: rounding would decide which is the largest.
_OFF_TIES = 1e-4
# Scaled values beyond this are clipped before they are convolved: the rounding error of larger ones is no longer small
# beside what keeps kernels off ties.
LARGEST_COMPETING = 32
# With fewer sequences, one call takes less time than several.
_FEWEST_FOR_HALVES = 16


def count_wins(convolved: np.ndarray, exists: np.ndarray | None, scratch: Scratch) -> np.ndarray:
    """Count where kernels have the largest and the smallest convolution, and the largest and the smallest change.

    Parameters
    ----------
    convolved : float32 array of shape (n_kernels, n_timesteps + 1, n_samples)
        Convolutions at some timesteps and at the one after them, to which the last of them changes.
    exists : bool array of shape (n_timesteps, n_samples) or None
        The timesteps that a sequence has, or None if it has all.
    scratch : Scratch
        For what is computed on the way.

    Returns
    -------
    counts : uint8 array of shape (4, n_kernels, n_samples)
        For at most 255 timesteps.

    References
    ----------
    A. Dempster, D. F. Schmidt, G. I. Webb, "Hydra: competing convolutional kernels for fast and accurate time series
    classification" (2023). There, kernels are drawn, and what wins counts by its size.

    Examples
    --------
    The fourth of seven kernels is the largest at both timesteps. The first one falls, and then rises, the most.

    >>> convolved = np.zeros((7, 3, 1), np.float32)
    >>> convolved[3], convolved[0, 1] = 1, -2
    >>> count_wins(convolved, None, Scratch())[[0, 3], :, 0]
    array([[0, 0, 0, 2, 0, 0, 0],
           [1, 1, 0, 0, 0, 0, 0]], dtype=uint8)
    """
    n_kernels, n_longer, n_samples = convolved.shape
    shape = (n_kernels, n_longer - 1, n_samples)
    shape_of_groups = (n_kernels // GROUP_SIZE, GROUP_SIZE, *shape[1:])
    offsets = kernel_offsets(n_kernels)[:, np.newaxis, np.newaxis]
    competing, wins = scratch.array("competing", shape), scratch.array("wins", shape, bool)
    groups, wins_of_groups = competing.reshape(shape_of_groups), wins.reshape(shape_of_groups)
    best = scratch.array("best", (len(groups), 1, *shape[1:]))
    counts = []
    for changes in (False, True):
        if changes:
            np.subtract(convolved[:, 1:], convolved[:, :-1], out=competing)
            competing += offsets
        else:
            np.add(convolved[:, :-1], offsets, out=competing)
        for choose in (np.maximum, np.minimum):
            np.equal(groups, choose.reduce(groups, axis=1, keepdims=True, out=best), out=wins_of_groups)
            if exists is not None:
                wins &= exists
            counts.append(count_timesteps(wins, scratch))
    return np.stack(counts)


def count_timesteps(flags: np.ndarray, scratch: Scratch) -> np.ndarray:
    """Count the timesteps at which something is true.

    Parameters
    ----------
    flags : bool array of shape (..., n_timesteps, n_samples)
        For at least one and at most 255 timesteps.
    scratch : Scratch
        For what is computed on the way.

    Returns
    -------
    counts : uint8 array of shape (..., n_samples)
        A sum of bytes, of which there are too few for an overflow: one of booleans takes several times as long.

    Examples
    --------
    >>> count_timesteps(np.array([[True, False], [True, True], [True, False]]), Scratch())
    array([3, 1], dtype=uint8)
    """
    counts: np.ndarray = flags.view(np.uint8)
    if flags.shape[-1] < _FEWEST_FOR_HALVES:
        return np.add.reduce(counts, axis=-2, dtype=np.uint8)  # type: ignore[no-any-return]
    # One half is added to the other: few long loops over neighbours in memory, instead of one loop a timestep.
    names = itertools.cycle(("halves", "quarters"))
    while (n_left := counts.shape[-2]) > 1:
        half = n_left // 2
        shape = (*counts.shape[:-2], half, counts.shape[-1])
        added = np.add(
            counts[..., :half, :], counts[..., half : 2 * half, :], out=scratch.array(next(names), shape, np.uint8)
        )
        added[..., : n_left % 2, :] += counts[..., 2 * half :, :]
        counts = added
    return counts[..., 0, :].copy()


def kernel_offsets(n_kernels: int) -> np.ndarray:
    """Return what is added to the convolutions and changes of each kernel, so that no two of a group are the same.

    Examples
    --------
    >>> kernel_offsets(14)[[0, 6, 7]]
    array([0.    , 0.0006, 0.    ], dtype=float32)
    """
    return (_OFF_TIES * (np.arange(n_kernels) % GROUP_SIZE)).astype(np.float32)
