"""How many of the errors of normal sequences count as the tail of their distribution."""

from __future__ import annotations

_LEAST, _SHARE = 10, 0.1


def tail_size(n_errors: int) -> int:
    """Count the largest errors that tell how the errors beyond them are distributed.

    Parameters
    ----------
    n_errors : int
        Number of all errors.

    Returns
    -------
    size : int
        A tenth of them, or 10 if that is more. It may exceed `n_errors`.

    Examples
    --------
    >>> tail_size(60), tail_size(300)
    (10, 30)
    """
    return max(_LEAST, int(_SHARE * n_errors))
