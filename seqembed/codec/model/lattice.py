"""The lattice: values as integers, whose distance follows from the bound on the error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqembed.codec.model.grid import LARGEST_INTEGER, as_ratios, float_spacing, learn_grid

# Width of a bin in units, for values without a step. Predictions then may lie between the centres of bins.
_BIN_WIDTH = 255
# Values of a feature that are sorted to look for a step: a sample, because long recordings take long to sort.
_VALUES_SORTED = 1 << 18
# Relative. A bound of 0.3 allows three steps of 0.1, whatever the rounding of their quotient.
_STEP_TOLERANCE = 1e-9


class Lattice(NamedTuple):
    """The conversion of values to integers, and back.

    Parameters
    ----------
    center : float64 array of shape (n_features,)
        The value of the integer 0, in the units of the data, times the denominator.
    unit : float64 array of shape (n_features,)
        Distance of neighbouring integers, in the units of the data, times the denominator.
    bin_widths : int64 array of shape (n_features,)
        Width of a bin in units; odd. A value is decoded to a number at most (bin_widths - 1) / 2 units away.
    bound : float64 array of shape (n_features,)
        Largest error that is allowed, in the units of the data.
    denominator : float64 array of shape (n_features,)
        What values are divided by at last. A power of ten for decimals of which no float is the step, and 1 for others.
    """

    center: np.ndarray
    unit: np.ndarray
    bin_widths: np.ndarray
    bound: np.ndarray
    denominator: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name that distinguish the lattice from others.

        Denominators that are all 1 have no part in it: codecs of version 1 have none.
        """
        arrays: dict[str, np.ndarray] = self._asdict()
        if (self.denominator == 1).all():
            del arrays["denominator"]
        return arrays

    def integers(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Round values to integers.

        Parameters
        ----------
        values : array of shape (..., n_features)
            In the units of the data.

        Returns
        -------
        integers : int64 array of shape (..., n_features)
            0 for values that are not finite, or too far from the center.
        fits : bool array of shape (..., n_features)
            False for these values.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = np.rint((np.asarray(values, np.float64) * self.denominator - self.center) / self.unit)
            fits = np.abs(scaled) <= LARGEST_INTEGER
        return np.where(fits, scaled, 0).astype(np.int64), fits

    def values(self, integers: np.ndarray, dtype: npt.DTypeLike) -> np.ndarray:
        """Return the values of integers of shape (..., n_features)."""
        values, dtype = (self.center + self.unit * integers) / self.denominator, np.dtype(dtype)
        if dtype.kind != "f":
            # The cast of a value out of range depends on the processor.
            limits = np.iinfo(dtype)
            highest = float(limits.max) if limits.bits <= 32 else np.nextafter(float(limits.max), 0)
            values = np.clip(np.rint(values), float(limits.min), highest)
        with np.errstate(over="ignore"):
            converted: np.ndarray = values.astype(dtype)
        return converted


def nearest_bins(distances: np.ndarray, bin_widths: np.ndarray) -> np.ndarray:
    """Round distances in units to whole bins, an odd number of units each.

    Examples
    --------
    >>> import numpy as np
    >>> nearest_bins(np.array([-2, -1, 1, 2, 4]), bin_widths=np.array([3]))
    array([-1,  0,  0,  1,  1])
    """
    bins: np.ndarray = (distances + (bin_widths >> 1)) // bin_widths
    return bins


def learn_lattice(values: np.ndarray, bound: np.ndarray) -> Lattice:
    """Choose the lattice of each feature.

    The values of many sensors are multiples of a step, though they are floats: integers, or decimals of few digits. The
    unit of such a feature is its step. An error below a step r is then no error: with a bound e, a bin has
    2 * floor(e / r) + 1 units. Other features have a unit that follows from the bound: a bin of 255 units is 2 e wide.
    So have those whose bins would be narrower in steps, as with a bound of 0.9 steps.

    The float64 nearest to 0.3 is three tenths of it, but not three times the one nearest to 0.1. So decimals of float64
    are whole numbers that are divided by a power of ten.

    Parameters
    ----------
    values : float array of shape (n_values, n_features)
        A sample. Values that are not finite are left out.
    bound : float64 array of shape (n_features,)
        Largest error that is allowed; 0 allows none.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.random.default_rng(0).integers(0, 100, (1000, 1)) * 0.005
    >>> lattice = learn_lattice(values.astype(np.float32), bound=np.array([0.012]))
    >>> lattice.unit.round(6), lattice.bin_widths
    (array([0.005]), array([5]))
    """
    center, unit, denominator = np.zeros(values.shape[1]), np.ones(values.shape[1]), np.ones(values.shape[1])
    bin_widths = np.ones(values.shape[1], np.int64)
    for feature, allowed in enumerate(np.asarray(bound, np.float64).tolist()):
        known = values[:, feature][np.isfinite(values[:, feature])]
        known = known[:: -(-len(known) // _VALUES_SORTED)] if len(known) else known
        if not len(known):
            continue
        grid = learn_grid(known)
        if grid is not None:
            width = 2 * _steps_within(allowed, known, *grid) + 1
            # Bins of any width are 2 * bound wide. They hold more if the bound is nearly one step more.
            if width * grid[1] >= 2 * allowed or known.dtype.kind != "f":
                center[feature], unit[feature], denominator[feature] = as_ratios(known, *grid)
                bin_widths[feature] = width
                continue
        if allowed > 0:
            center[feature] = float(np.median(known))
            # The cast to the dtype of the data adds an error.
            rounding = float(float_spacing(np.abs(known).max())) / 2 if known.dtype.kind == "f" else 0.0
            remaining = max(allowed - rounding, allowed / 2)
            # A half each, since the whole may exceed the largest float.
            reach = 2 * float(np.abs(known / 2 - center[feature] / 2).max())
            affordable = LARGEST_INTEGER / 2 * (remaining / reach) if reach > 0 else _BIN_WIDTH
            units = max(1, int(min(_BIN_WIDTH, affordable)))
            units -= 1 - units % 2
            bin_widths[feature], unit[feature] = units, 2 * remaining / units
    return Lattice(center, unit, bin_widths, np.asarray(bound, np.float64), denominator)


def _steps_within(bound: float, values: np.ndarray, offset: float, step: float) -> int:
    """Count the steps that a decoded value may be away from a value.

    Floats that stand for multiples of 0.1 are rounded. So many that are three steps apart differ by a little more than
    0.3, and would have to be stored exactly. If that costs more bits than a wide bin saves, it is one step less.
    """
    n_steps = int(min(float(bound) / step * (1 + _STEP_TOLERANCE), LARGEST_INTEGER))
    if not n_steps or values.dtype.kind != "f":
        return n_steps
    read = values.astype(np.float64)
    multiples = np.rint((read - offset) / step)
    with np.errstate(over="ignore"):
        ends = [(offset + step * (multiples + sign * n_steps)).astype(values.dtype) for sign in (-1, 1)]
    errors = np.abs(np.asarray(ends, np.float64) - read)
    missed = (errors[np.isfinite(errors)] > bound).mean()
    # Of all places in a bin, two are at its ends. Beside a value, its position is stored.
    exact_bits = missed * 2 / (2 * n_steps + 1) * 8 * (values.itemsize + 1)
    return n_steps - int(exact_bits > np.log2((2 * n_steps + 1) / (2 * n_steps - 1)))
