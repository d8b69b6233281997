"""Learning-rate schedules of a fit or a stream.

The number of updates of a fit is known from the start. The number of updates of a stream is not known.
"""

from __future__ import annotations

import math

_WARM_UP_SHARE = 0.05
_FINAL_RATE_SHARE = 0.01
_STREAM_WARM_UP = 50
_FULL_RATE_UNTIL = 200


def warm_up_and_decay(update: int, n_updates: int) -> float:
    """Share of the peak learning rate: linear warm-up over 5 % of the updates, then cosine decay to 1 %.

    Parameters
    ----------
    update : int
        Number of the update, counted from 1.
    n_updates : int
        Number of updates of the whole fit.

    Returns
    -------
    share : float
        Above 0, at most 1.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017).

    Examples
    --------
    >>> [round(warm_up_and_decay(update, 100), 2) for update in (1, 5, 52, 100)]
    [0.2, 1.0, 0.51, 0.01]
    """
    warm_up = max(1, round(_WARM_UP_SHARE * n_updates))
    if update <= warm_up:
        return update / warm_up
    decayed = (update - warm_up) / max(1, n_updates - warm_up)
    return _FINAL_RATE_SHARE + (1 - _FINAL_RATE_SHARE) * (1 + math.cos(math.pi * decayed)) / 2


def warm_up_and_slow_down(update: int) -> float:
    """Share of the peak learning rate: linear warm-up over 50 updates, then 1, then decay as 1 / sqrt(update) from 200.

    Parameters
    ----------
    update : int
        Number of the update, counted from 1.

    Returns
    -------
    share : float
        Above 0, at most 1.

    Examples
    --------
    >>> [warm_up_and_slow_down(update) for update in (1, 50, 200, 800)]
    [0.02, 1.0, 1.0, 0.5]
    """
    return min(1.0, update / _STREAM_WARM_UP, math.sqrt(_FULL_RATE_UNTIL / update))
