"""Names of columns and labels of data as text that matplotlib draws as it is written."""

from __future__ import annotations


def as_written(name: object) -> str:
    r"""Return text that matplotlib shows as it is written.

    Parameters
    ----------
    name : object
        Name of a column, or label of a sequence. The names that a user writes for a figure may hold mathematics.

    Returns
    -------
    text : str
        With a backslash before each dollar sign: matplotlib reads what two of them enclose as mathematics. With a space
        before a first underscore: its legends leave out labels that begin with one.

    Examples
    --------
    >>> as_written("US$"), as_written("_low"), as_written(3)
    ('US\\$', ' _low', '3')
    """
    text = str(name).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text
