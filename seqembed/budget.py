"""How much training is enough: the batch size and the number of epochs that suit a set of sequences."""

from __future__ import annotations

import math

# Updates count, not epochs: 40 sequences need as many updates as 1,000 do.
_UPDATES = 1000
# Up to this many batches an epoch; beyond, updates grow as the square root does.
_BATCHES_WITHOUT_GROWTH = 50
_BATCHES_PER_EPOCH = 4
_FEWEST_PER_BATCH, _MOST_PER_BATCH = 16, 64


def auto_batch_size(n_samples: int) -> int:
    """Choose the size of a batch: a quarter of the sequences, at least 16 and at most 64.

    Examples
    --------
    >>> [auto_batch_size(n_samples) for n_samples in (10, 100, 1000)]
    [16, 25, 64]
    """
    return min(_MOST_PER_BATCH, max(_FEWEST_PER_BATCH, n_samples // _BATCHES_PER_EPOCH))


def auto_epochs(n_samples: int, batch_size: int) -> int:
    """Choose the number of epochs: 1,000 updates in all, and more for large sets, as the square root of their size.

    Examples
    --------
    >>> [auto_epochs(n_samples, batch_size=64) for n_samples in (640, 4_000, 40_000, 400_000)]
    [100, 18, 6, 2]
    """
    n_batches = math.ceil(n_samples / batch_size)
    n_updates = _UPDATES * math.sqrt(max(1, n_batches / _BATCHES_WITHOUT_GROWTH))
    return math.ceil(n_updates / n_batches)
