"""Parameters of the network estimators: which values they may have."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from seqembed.sklearn_private import Interval, Options, StrOptions
from seqembed.training.workers import SetShape

NETWORK_CONSTRAINTS: dict[str, Any] = {
    "n_components": [Interval(Integral, 1, None, closed="left")],
    # `checked_units` checks it: its message shows the tuple to pass.
    "hidden_units": "no_validation",
    "patch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "activation": [StrOptions({"tanh", "relu"})],
    "time_encoding": ["boolean"],
    "scale": [StrOptions({"standard"}), None],
    "augment": ["boolean", StrOptions({"auto"})],
    "epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "patience": [Interval(Integral, 1, None, closed="left"), None],
    "n_jobs": [Interval(Integral, 1, None, closed="left"), Options(Integral, {-1}), None],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


def checked_units(hidden_units: Any) -> tuple[int, ...]:
    """Return the units of hidden layers as plain integers, or raise a ValueError."""
    if isinstance(hidden_units, Integral):
        raise ValueError(f"Got hidden_units={hidden_units}, expected one number for each layer: ({hidden_units},).")
    if isinstance(hidden_units, str) or not hasattr(hidden_units, "__iter__"):
        raise ValueError(f"Got hidden_units={hidden_units!r}, expected positive integers, such as (128,) or ().")
    units = tuple(hidden_units)
    for each in units:
        if not isinstance(each, Integral) or each < 1:
            raise ValueError(
                f"Got hidden_units={hidden_units!r}, expected positive integers, one for each layer before the "
                f"bottleneck, such as (128,) or (); {each!r} is not a positive integer."
            )
    return tuple(int(each) for each in units)


def count_validation(validation_fraction: float, shape: SetShape) -> list[int]:
    """Count the sequences that each worker holds back.

    Parameters
    ----------
    validation_fraction : float
        Share of its sequences.
    shape : SetShape
        Of the sequences of all workers.

    Raises
    ------
    ValueError
        If a worker would have no sequence to train on.

    Examples
    --------
    >>> count_validation(0.1, SetShape(n_timesteps=24, n_samples=(30, 31), one_length=True))
    [3, 4]
    """
    n_validation = [math.ceil(validation_fraction * n_samples) for n_samples in shape.n_samples]
    for rank, (n_held_back, n_samples) in enumerate(zip(n_validation, shape.n_samples, strict=True)):
        if n_held_back >= n_samples:
            worker_name = f" of worker {rank}" if len(n_validation) > 1 else ""
            raise ValueError(
                f"Got validation_fraction={validation_fraction} with n_samples={n_samples}{worker_name}, which leaves "
                f"no sequence to train on. Use validation_fraction=0.0 or more sequences. Weights of 0 don't count."
            )
    return n_validation
