"""The lattice: values as integers, at a distance that a bound on the error allows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Without a step of the data's own, a bin has so many units, so that predictions can lie between the bins' centres.
_UNITS_OF_BIN = 255
# Larger integers could not be predicted in float64 exactly, see `seqembed.codec.predictors`.
LARGEST_INTEGER = 1 << 27
# Values that are sorted to look for a step.
_SAMPLE = 1 << 18
# A step is the data's own if values lie this close to its multiples, in units in the last place.
_ROUNDING = 4
_LEAST_VALUES = 16


class Lattice(NamedTuple):
    """How values become integers, and integers values.

    Parameters
    ----------
    center : float64 array of shape (n_features,)
        The value of 0, in the units of the data.
    unit : float64 array of shape (n_features,)
        Distance of neighbouring integers, in the units of the data.
    units_of_bin : int64 array of shape (n_features,)
        Odd. A value is known to its bin: at most (units_of_bin - 1) / 2 units to each side.
    bound : float64 array of shape (n_features,)
        Largest error that is allowed, in the units of the data.
    """

    center: np.ndarray
    unit: np.ndarray
    units_of_bin: np.ndarray
    bound: np.ndarray

    def integers(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the integers of values of shape (..., n_features), and which values have one.

        Values that are not finite, or too far away, have none, and get 0.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = np.rint((np.asarray(values, np.float64) - self.center) / self.unit)
            fits = np.abs(scaled) <= LARGEST_INTEGER
        return np.where(fits, scaled, 0).astype(np.int64), fits

    def values(self, integers: np.ndarray, dtype) -> np.ndarray:
        """Return the values of integers of shape (..., n_features)."""
        values, dtype = self.center + self.unit * integers, np.dtype(dtype)
        if dtype.kind != "f":
            # What a cast does with values that are out of range depends on the processor.
            limits = np.iinfo(dtype)
            highest = float(limits.max) if limits.bits <= 32 else np.nextafter(float(limits.max), 0)
            values = np.clip(np.rint(values), float(limits.min), highest)
        with np.errstate(over="ignore"):
            return values.astype(dtype)


def nearest_bins(distances: np.ndarray, units_of_bin: np.ndarray) -> np.ndarray:
    """Round distances in units to whole bins, an odd number of units each.

    Examples
    --------
    >>> import numpy as np
    >>> nearest_bins(np.array([-2, -1, 1, 2, 4]), units_of_bin=np.array([3]))
    array([-1,  0,  0,  1,  1])
    """
    return (distances + (units_of_bin >> 1)) // units_of_bin


def learn_lattice(values: np.ndarray, bound: np.ndarray) -> Lattice:
    """Choose the lattice of each feature: its own step if it has one, else as fine as the bound asks for.

    Integers and decimals hide in floats. Where the step r is known, an error of less than r is as good as none: with a
    bound e, a bin holds 2 * floor(e / r) + 1 steps.

    Parameters
    ----------
    values : float array of shape (n_values, n_features)
        A sample. What is not finite is left out.
    bound : float64 array of shape (n_features,)
        Largest error that is allowed; 0 allows none.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.random.default_rng(0).integers(0, 100, (1000, 1)) * 0.005
    >>> lattice = learn_lattice(values.astype(np.float32), bound=np.array([0.012]))
    >>> lattice.unit.round(6), lattice.units_of_bin
    (array([0.005]), array([5]))
    """
    center, unit = np.zeros(values.shape[1]), np.ones(values.shape[1])
    units_of_bin = np.ones(values.shape[1], np.int64)
    for feature, allowed in enumerate(bound):
        known = values[:, feature][np.isfinite(values[:, feature])]
        known = known[:: -(-len(known) // _SAMPLE)] if len(known) else known
        step = own_step(known)
        largest = float(np.abs(known).max()) if len(known) else 0.0
        if step is not None and largest / step <= LARGEST_INTEGER:
            unit[feature] = step
            units_of_bin[feature] = 2 * int(min(allowed / step * (1 + 1e-9), LARGEST_INTEGER)) + 1
        elif allowed > 0 and len(known):
            center[feature] = float(np.median(known))
            # What the cast to the data's dtype may add.
            rounding = float(np.spacing(known.dtype.type(largest))) / 2 if known.dtype.kind == "f" else 0.0
            remaining = max(allowed - rounding, allowed / 2)
            reach = float(np.abs(known - known.dtype.type(center[feature])).max())
            affordable = LARGEST_INTEGER / 2 * (remaining / reach) if reach > 0 else _UNITS_OF_BIN
            units = max(1, int(min(_UNITS_OF_BIN, affordable)))
            units -= 1 - units % 2
            units_of_bin[feature], unit[feature] = units, 2 * remaining / units
    return Lattice(center, unit, units_of_bin, np.asarray(bound, np.float64))


def own_step(values: np.ndarray) -> float | None:
    """Find the step of which all values are multiples, or None.

    Parameters
    ----------
    values : float array of shape (n_values,)
        Finite.

    Examples
    --------
    >>> import numpy as np
    >>> own_step(np.float32([0.25, 1.0, -2.5, 0.5, 0.75] * 4)), own_step(np.random.default_rng(0).normal(size=100))
    (0.25, None)
    """
    if values.dtype.kind in "iu":
        return 1.0
    distinct = np.unique(values)
    if len(values) < _LEAST_VALUES or len(distinct) < 2 or len(distinct) == len(values):
        return None
    values = distinct.astype(np.float64)
    step = float(np.diff(values).min())
    multiples = np.rint(values / step)
    if np.abs(multiples).max() > LARGEST_INTEGER:
        return None
    # Least squares, from small multiples to large ones: an error of the step grows with the multiple.
    order = np.argsort(np.abs(values))
    for share in (0.25, 0.5, 1.0):
        some = values[order[: max(2, int(share * len(values)))]]
        multiples = np.rint(some / step)
        if not multiples.any():
            continue
        step = float((multiples * some).sum() / np.square(multiples).sum())
    step = _as_decimal(step)
    distance = np.abs(values - np.rint(values / step) * step)
    tolerance = _ROUNDING * np.spacing(np.abs(distinct)).astype(np.float64)
    return step if (distance <= tolerance).all() else None


def _as_decimal(step: float) -> float:
    """Return the decimal of few digits beside a step, if there is one: the nearest float to a value follows from it."""
    for digits in range(1, 8):
        rounded = float(f"{step:.{digits}g}")
        if abs(rounded - step) <= 1e-7 * step:
            return rounded
    return step
