"""The state of a random generator as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def generator_state(random: np.random.Generator) -> dict[str, int]:
    """Return the numbers that determine all later draws of a generator.

    Parameters
    ----------
    random : numpy.random.Generator
        A generator of ``numpy.random.default_rng``. Its bit generator is PCG64.

    Returns
    -------
    state : dict of str to int
        "state" and "inc" have up to 128 bits. "uinteger" is the half of a 64-bit number that the next draw of 32 bits
        uses, and "has_uint32" is 1 if there is one.

    Raises
    ------
    TypeError
        For another bit generator.

    Examples
    --------
    >>> import numpy as np
    >>> list(generator_state(np.random.default_rng(0)))
    ['state', 'inc', 'has_uint32', 'uinteger']
    """
    state = random.bit_generator.state
    if state["bit_generator"] != "PCG64":
        raise TypeError(f"Got a generator with {state['bit_generator']}, expected np.random.default_rng(seed).")
    return {**state["state"], "has_uint32": state["has_uint32"], "uinteger": state["uinteger"]}


def make_generator(state: Mapping[str, int]) -> np.random.Generator:
    """Make a generator that draws the same numbers as the one whose state is given.

    Parameters
    ----------
    state : mapping of str to int
        The result of `generator_state`.

    Returns
    -------
    random : numpy.random.Generator
        A new generator.

    Raises
    ------
    KeyError
        If one of the four numbers is missing.
    OverflowError
        For a number with too many bits.

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> copy = make_generator(generator_state(random))
    >>> copy.random() == random.random()
    True
    """
    random = np.random.default_rng(0)
    random.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": state["state"], "inc": state["inc"]},
        "has_uint32": state["has_uint32"],
        "uinteger": state["uinteger"],
    }
    return random
