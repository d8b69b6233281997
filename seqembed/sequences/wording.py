"""Messages: their words, and the line of the user that they point to."""

from __future__ import annotations

import sys
import warnings


def counted(number: int, noun: str) -> str:
    """Write a number with its noun, for messages.

    Examples
    --------
    >>> counted(1, "feature"), counted(2, "feature")
    ('1 feature', '2 features')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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


_OURS = ("seqembed", "sklearn")
