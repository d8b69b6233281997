"""The settings of a training run, with the rules that choose them from the size of the data."""

from __future__ import annotations

import math
from dataclasses import dataclass

# The number of updates decides how well a network learns, not that of epochs: 40 sequences need as many updates as
# 1,000 do.
_UPDATES = 1000
# Measured: in patches, twice as many reconstruct unseen sequences better on every set of more than one batch.
_UPDATES_IN_PATCHES = 2000
# Measured: with a shortcut, so many reach the same error, in patches or not, at a higher learning rate.
_UPDATES_WITH_SHORTCUT = 500
_MOST_EPOCHS, _MOST_EPOCHS_WITH_SHORTCUT = 1000, 500
# Up to this many batches an epoch, the number of updates is constant. Beyond, it grows as the square root of the number
# of batches.
_BATCHES_WITHOUT_GROWTH = 50
_BATCHES_PER_EPOCH = 4
_FEWEST_PER_BATCH, _MOST_PER_BATCH = 16, 64
# Measured: a set of 40 sequences in patches is learned better in one batch than in four, in the same time.
_FEWEST_PER_BATCH_OF_PATCHES = 64
# Measured: 0.019 reaches the loss of 0.01 in half the epochs at 8 timesteps; 0.02 does harm at 100, 0.015 at 250.
_RATE_AT_100_TIMESTEPS, _FACTOR_WITH_SHORTCUT = 0.01, 1.5
# Shorter sequences are read timestep by timestep. Longer ones are read in patches that leave about ten steps.
_SHORTEST_IN_PATCHES = 40
_STEPS_IN_PATCHES = 10


@dataclass(frozen=True)
class Recipe:
    """The settings of a training run, with all choices made.

    Parameters
    ----------
    epochs : int
        Number of passes over the training sequences.
    batch_size : int
        Largest number of sequences in an update. Batches of one length are made equally large, so that none is small.
    learning_rate : float
        Peak of the learning rate, see `seqembed.training.schedule`.
    augment : bool
        Whether to vary the training sequences in each epoch, see `seqembed.training.augmentation`.
    readout_weight : float, default=0.0
        Weight of the readout's error in the loss, see `seqembed.training.readout`. 0 means that there is no readout.
    label_weight : float, default=0.0
        Weight of the error of labels in the loss, see `seqembed.training.labels`. 0 means that there are none.
    n_validation : int, default=0
        Number of sequences that are held back to find the best epoch.
    patience : int or None, default=None
        Number of epochs without a lower loss after which training stops. None means that it never stops early.
    n_jobs : int or None, default=None
        Largest number of threads, see `seqembed.parallel.count_threads`.

    Examples
    --------
    >>> Recipe(epochs=10, batch_size=64, learning_rate=auto_learning_rate(100), augment=True).learning_rate
    0.01
    """

    epochs: int
    batch_size: int
    learning_rate: float
    augment: bool
    readout_weight: float = 0.0
    label_weight: float = 0.0
    n_validation: int = 0
    patience: int | None = None
    n_jobs: int | None = None


def auto_batch_size(n_samples: int, patch_size: int = 1) -> int:
    """Choose the size of a batch: a quarter of the sequences, at least 16 and at most 64. In patches it is always 64.

    In patches, an update is so cheap that small batches save no time.

    Parameters
    ----------
    n_samples : int
        Number of training sequences.
    patch_size : int, default=1
        Timesteps that the network reads in one step.

    Returns
    -------
    batch_size : int
        Largest number of sequences in a batch.

    Examples
    --------
    >>> [auto_batch_size(n_samples) for n_samples in (10, 100, 1000)]
    [16, 25, 64]
    >>> auto_batch_size(100, patch_size=5)
    64
    """
    fewest = _FEWEST_PER_BATCH if patch_size == 1 else _FEWEST_PER_BATCH_OF_PATCHES
    return min(_MOST_PER_BATCH, max(fewest, n_samples // _BATCHES_PER_EPOCH))


def auto_epochs(n_samples: int, batch_size: int, patch_size: int = 1, *, has_shortcut: bool = False) -> int:
    """Choose the number of epochs: those of 1,000 updates, in patches of 2,000, and with a shortcut of 500.

    Beyond 50 batches an epoch, the number of updates grows as the square root of the number of batches. There are at
    most 1,000 epochs, and with a shortcut at most 500.

    Parameters
    ----------
    n_samples : int
        Number of training sequences.
    batch_size : int
        Largest number of sequences in a batch.
    patch_size : int, default=1
        Timesteps that the network reads in one step.
    has_shortcut : bool, default=False
        Whether the network has a shortcut.

    Returns
    -------
    epochs : int
        At least 1.

    Examples
    --------
    >>> [auto_epochs(n_samples, batch_size=64) for n_samples in (640, 4_000, 40_000, 400_000)]
    [100, 18, 6, 2]
    >>> [auto_epochs(n_samples, batch_size=64, patch_size=5) for n_samples in (40, 640, 4_000)]
    [1000, 200, 36]
    >>> [auto_epochs(n_samples, batch_size=64, has_shortcut=True) for n_samples in (40, 640, 4_000)]
    [500, 50, 9]
    """
    n_batches = math.ceil(n_samples / batch_size)
    growth = math.sqrt(max(1, n_batches / _BATCHES_WITHOUT_GROWTH))
    n_updates, most = (_UPDATES if patch_size == 1 else _UPDATES_IN_PATCHES), _MOST_EPOCHS
    if has_shortcut:
        n_updates, most = _UPDATES_WITH_SHORTCUT, _MOST_EPOCHS_WITH_SHORTCUT
    return min(most, math.ceil(growth * n_updates / n_batches))


def auto_context_size(n_components: int) -> int:
    """Choose how many numbers of the whole sequence the encoder reads: half as many as the embedding has."""
    return n_components // 2


def auto_shortcut_size(n_components: int) -> int:
    """Choose how many principal components may join the embedding: half as many as it has numbers."""
    return n_components // 2


def auto_learning_rate(n_timesteps: int, *, has_shortcut: bool = False) -> float:
    """Choose the peak of the learning rate: 0.01 for 100 timesteps, and lower for longer sequences.

    With a shortcut it is 1.5 times as high, because there are fewer updates, and the LSTM layers learn only what
    principal components leave.

    The rate is proportional to n_timesteps ** -0.25. A change of the weights acts at every timestep. A change that is
    small enough for a short sequence is therefore too large for a long one.

    Parameters
    ----------
    n_timesteps : int
        Length of the longest training sequence.
    has_shortcut : bool, default=False
        Whether the network has a shortcut.

    Returns
    -------
    learning_rate : float
        Above 0.

    Examples
    --------
    >>> [round(auto_learning_rate(n_timesteps), 4) for n_timesteps in (8, 100, 1000)]
    [0.0188, 0.01, 0.0056]
    """
    factor = _FACTOR_WITH_SHORTCUT if has_shortcut else 1
    return factor * _RATE_AT_100_TIMESTEPS * math.pow(100 / n_timesteps, 0.25)


def auto_patch_size(n_timesteps: int) -> int:
    """Choose how many timesteps the network reads in one step: 1 below 40 timesteps, else about a tenth of them.

    Parameters
    ----------
    n_timesteps : int
        Length of the longest training sequence.

    Returns
    -------
    patch_size : int
        At least 1.

    Examples
    --------
    >>> [auto_patch_size(n_timesteps) for n_timesteps in (39, 40, 100, 3600)]
    [1, 4, 10, 360]
    """
    return 1 if n_timesteps < _SHORTEST_IN_PATCHES else round(n_timesteps / _STEPS_IN_PATCHES)
