"""Warnings that point to the line of the user."""

from __future__ import annotations

import sys
import warnings

_OURS = ("seqembed", "sklearn")


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn of a line of the user: the first one up the stack that is neither ours nor scikit-learn's.

    Parameters
    ----------
    message : str
        The warning.
    category : type, default=UserWarning
        Its class.

    Examples
    --------
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_user("Got a constant feature.")
    >>> caught[0].message
    UserWarning('Got a constant feature.')
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
