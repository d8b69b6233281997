"""Decimal arithmetic that gives the same digits on all machines."""

from __future__ import annotations

from contextlib import AbstractContextManager
from decimal import ROUND_HALF_EVEN, Context, localcontext


def fixed_decimal_context() -> AbstractContextManager[Context]:
    """Set the decimal context, whatever context the caller has.

    The last digit of a function of `math` depends on the machine, that of a decimal does not.

    Examples
    --------
    >>> from decimal import Decimal
    >>> with fixed_decimal_context():
    ...     Decimal(1) / 3
    Decimal('0.3333333333333333333333333333')
    """
    return localcontext(Context(prec=28, rounding=ROUND_HALF_EVEN, traps=[]))
