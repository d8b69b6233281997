"""The grid that the values of a sensor lie on: an offset and a step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Larger integers could not be predicted in float64 exactly, see `seqembed.codec.model.predictors`.
LARGEST_INTEGER = 1 << 27
# Float64 holds integers up to this one exactly.
_LARGEST_EXACT_INTEGER = 1 << 53
# Units in the last place: values on a grid lie this close to it.
_ROUNDING = 4
# Fewer values may lie on a grid by chance.
_FEWEST_VALUES = 16
# Relative distance below which a step is taken for a decimal, and its most digits: a float32 has seven.
_DECIMAL_TOLERANCE, _MOST_DECIMAL_DIGITS = 1e-7, 7


def learn_grid(values: np.ndarray) -> tuple[float, float] | None:
    """Find an offset and a step: all values are the offset and a multiple of the step.

    The offset of values that are multiples of the step themselves is 0. Temperatures in kelvins with a resolution of
    0.1 have the offset 0.05, and measurements from 4 to 20 in 4,095 parts of 16 have one too.

    Parameters
    ----------
    values : array of shape (n_values,)
        Finite integers or floats, at least one.

    Returns
    -------
    grid : tuple of float, or None
        Offset and step. None if there are none, or if the multiples are too large for a codec.

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> learn_grid(np.float32([0.25, 1.0, -2.5, 0.5, 0.75] * 4)), learn_grid(random.normal(size=100))
    ((0.0, 0.25), None)
    >>> learn_grid(273.12 + 0.1 * random.integers(-99, 99, 1000)), learn_grid(10 * random.integers(0, 99, 1000))
    ((0.02, 0.1), (0.0, 10.0))
    """
    distinct = np.unique(values)
    if values.dtype.kind in "iu":
        # Other integers may lie between a few.
        if (
            len(distinct) < _FEWEST_VALUES
            and -LARGEST_INTEGER <= int(distinct[0]) <= int(distinct[-1]) <= LARGEST_INTEGER
        ):
            return 0.0, 1.0
        return _grid_of_integers(distinct)
    if len(values) < _FEWEST_VALUES or len(distinct) < 2 or len(distinct) == len(values):
        return None
    # Very large values overflow, and the smallest distance may be zero: then nothing is on a grid.
    with np.errstate(all="ignore"):
        return _grid_of_decimals(distinct) or _grid_of_floats(distinct)


def as_ratios(values: np.ndarray, offset: float, step: float) -> tuple[float, float, float]:
    """Give a grid whole numbers and a denominator, if decimals are not exactly its multiples.

    Parameters
    ----------
    values : array of shape (n_values,)
        Finite values on the grid.
    offset, step : float
        The grid.

    Returns
    -------
    offset, step, denominator : float
        Values are the offset and a multiple of the step, divided by the denominator: a power of ten, or 1 for the same
        offset and step.

    Examples
    --------
    >>> tenths = np.arange(100) / 10
    >>> as_ratios(tenths, 0.0, 0.1), as_ratios(0.1 * np.arange(100), 0.0, 0.1)
    ((0.0, 1.0, 10.0), (0.0, 0.1, 1.0))
    """
    multiples = np.rint((values.astype(np.float64) - offset) / step)
    powers = [10.0**digits for digits in range(1, _MOST_DECIMAL_DIGITS + 1)]
    ratios = [(float(np.rint(offset * power)), float(np.rint(step * power)), power) for power in powers]
    for numerator, numerators, denominator in ((offset, step, 1.0), *ratios):
        if (((numerator + numerators * multiples) / denominator).astype(values.dtype) == values).all():
            return numerator, numerators, denominator
    return offset, step, 1.0


def float_spacing(values: np.ndarray) -> np.ndarray:
    """Return the distance of the size of each float to the next larger one: infinity for the largest float.

    Examples
    --------
    >>> float_spacing(np.float16([512, -2048, 65504]))
    array([0.5, 2. , inf], dtype=float16)
    """
    # The lowest float often marks missing values.
    with np.errstate(over="ignore"):
        spacing: np.ndarray = np.spacing(np.abs(values))
    return spacing


def _grid_of_floats(distinct: np.ndarray) -> tuple[float, float] | None:
    """Return the grid of floats in ascending order, by least squares from their smallest distance."""
    exact, tolerance = distinct.astype(np.float64), _ROUNDING * float_spacing(distinct).astype(np.float64)
    smallest = float(np.diff(exact).min())
    if not np.abs(exact).max() / smallest <= LARGEST_INTEGER:
        return None
    best, most_equal = None, -1.0
    for offset, step in _grids_near(exact, _step_of_distances(exact, smallest)):
        on_grid = offset + np.rint((exact - offset) / step) * step
        equal = float((on_grid.astype(distinct.dtype) == distinct).mean())
        if (np.abs(exact - on_grid) <= tolerance).all() and equal > most_equal:
            best, most_equal = (offset, step), equal
    return best


def _grid_of_integers(distinct: np.ndarray) -> tuple[float, float] | None:
    """Return the grid of integers in ascending order. Its step is the greatest common divisor of their distances.

    The offset is 0 to one step. Integers that are too far from 0 have one in their middle.
    """
    # Distances of 64 bits need all bits of an unsigned integer. They don't depend on where integers wrap around.
    step = int(np.gcd.reduce(np.diff(distinct.astype(np.uint64)))) or 1
    lowest, highest = int(distinct[0]), int(distinct[-1])
    offset = lowest % step
    if max(-lowest, highest) > LARGEST_INTEGER * step:
        offset = int(distinct[len(distinct) // 2])
    if max(abs(offset), step) > _LARGEST_EXACT_INTEGER or highest - lowest > LARGEST_INTEGER * step:
        return None
    return float(offset), float(step)


def _grid_of_decimals(distinct: np.ndarray) -> tuple[float, float] | None:
    """Return the grid of floats that stand for decimals of few digits."""
    largest = float(np.abs(distinct).max())
    finest = 2 * _ROUNDING * float(float_spacing(distinct.dtype.type(largest)))
    for digits in range(_MOST_DECIMAL_DIGITS + 1):
        # Floats that are no finer than decimals of so many digits would all stand for some.
        if 10.0**-digits < finest or largest * 10.0**digits > _LARGEST_EXACT_INTEGER:
            return None
        integers = np.rint(distinct.astype(np.float64) * 10.0**digits)
        if ((integers / 10.0**digits).astype(distinct.dtype) == distinct).all():
            # Other values may have another distance than a few, but hardly a finer step than that of their multiples.
            if len(distinct) < _FEWEST_VALUES:
                integers = np.unique(np.append(integers, 0))
            grid = _grid_of_integers(integers.astype(np.int64))
            return None if grid is None else (grid[0] / 10.0**digits, grid[1] / 10.0**digits)
    return None


def _step_of_distances(values: np.ndarray, step: float) -> float:
    """Correct a step by least squares, so that distances from the middle value are multiples of it.

    An error of the step grows with the multiple, and the step so far has to tell which multiples the next values are.
    So it begins with few values near the middle one, and takes twice as many each time.
    """
    middle = values[len(values) // 2]
    distances = np.sort(np.abs(values - middle))
    n_read = _FEWEST_VALUES // 4
    while True:
        step = _fitted_step(distances[:n_read], step)
        if n_read >= len(distances):
            return step
        n_read *= 2


def _fitted_step(values: np.ndarray, step: float) -> float:
    """Return the step, near another one, of which values are multiples by least squares."""
    multiples = np.rint(values / step)
    return float((multiples * values).sum() / np.square(multiples).sum()) if multiples.any() else step


def _grids_near(values: np.ndarray, step: float) -> Iterator[tuple[float, float]]:
    """Yield offsets and steps near a step, first those without an offset."""
    through_zero = _fitted_step(values, step)
    for near in (_nearest_decimal(through_zero), through_zero):
        yield 0.0, near
    for near in (_nearest_decimal(step), step):
        offset = float(np.mean(values - np.rint((values - values[0]) / near) * near))
        offset -= float(np.rint(offset / near)) * near
        yield offset, near


def _nearest_decimal(step: float) -> float:
    """Return the decimal of few digits beside a step, or the step if there is none.

    Multiples of the exact decimal round to the same floats as the values of a sensor.
    """
    for digits in range(1, _MOST_DECIMAL_DIGITS + 1):
        rounded = float(f"{step:.{digits}g}")
        if abs(rounded - step) <= _DECIMAL_TOLERANCE * step:
            return rounded
    return step
