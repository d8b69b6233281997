"""The words of messages."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Write a number with its noun, for messages.

    Examples
    --------
    >>> counted(1, "feature"), counted(2, "feature")
    ('1 feature', '2 features')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
