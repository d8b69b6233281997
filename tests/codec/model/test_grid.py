import numpy as np
import pytest

from seqembed.codec.model.grid import learn_grid


@pytest.mark.parametrize("step", [1, 0.5, 0.005, 0.1, 1e-6, 3e4, 0.00266])
def test_the_step_of_decimals_in_disguise_is_found(step):
    values = np.random.default_rng(0).integers(-300, 300, 2000) * step
    assert learn_grid(values.astype(np.float32)) == (0, pytest.approx(step, rel=1e-7))
    assert learn_grid(values) == (0, pytest.approx(step, rel=1e-12))


@pytest.mark.parametrize("step", [0.1, 5e-3, 1.23e-6, 1.23456, 1.234567, 3e4])
def test_the_step_of_rounded_values_is_the_exact_decimal(step):
    values = np.random.default_rng(0).integers(-300, 300, 2000) * step
    assert learn_grid(values.astype(np.float32)) == (0, step)


def test_a_step_that_is_no_decimal_stays_what_it_is():
    step = np.sqrt(2)
    assert learn_grid(np.random.default_rng(0).integers(-300, 300, 2000) * step) == (0, pytest.approx(step, rel=1e-12))


@pytest.mark.parametrize(("largest", "step"), [(4000, 0.1), (5000, 0.003), (50_000, 0.7), (32_768, 0.003)])
def test_the_step_is_found_among_thousands_of_levels_whose_differences_are_rounded(largest, step):
    values = np.random.default_rng(0).integers(-largest, largest, 4 * largest) * step
    assert learn_grid(values.astype(np.float32)) == (0, step)


@pytest.mark.parametrize("values", [np.zeros(100), np.arange(3.0), np.random.default_rng(0).normal(size=5000)])
def test_values_without_a_step_have_none(values):
    assert learn_grid(values.astype(np.float32)) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("offset", "step"), [(0.05, 0.1), (-0.04, 0.18), (-0.1875, 0.4375), (0.1, 0.3)])
def test_multiples_of_a_step_may_have_an_offset(offset, step, dtype):
    values = offset + step * np.random.default_rng(0).integers(500, 900, 2000)
    found_offset, found_step = learn_grid(values.astype(dtype))
    assert found_step == pytest.approx(step, rel=1e-12)
    # Any multiple of the step may be added to the offset.
    distance = (found_offset - offset) / step
    assert distance == pytest.approx(round(distance), abs=1e-5)


def test_values_far_from_zero_with_few_levels_have_their_step():
    values = np.random.default_rng(0).integers(9000, 11_000, 400) * 0.01
    assert learn_grid(np.tile(values, 2).astype(np.float32)) == (0, 0.01)


def test_a_step_that_is_no_decimal_is_found_in_float64():
    values = np.random.default_rng(0).integers(-400, 600, 3000) * (5 / 1023)
    assert learn_grid(values) == (0, pytest.approx(5 / 1023, rel=1e-14))


def test_a_step_needs_enough_values_of_which_some_repeat():
    steps = np.tile([0.25, 0.5, 1.25], 5)
    assert learn_grid(steps) is None
    assert learn_grid(np.append(steps, 0.25)) == (0, 0.25)
    assert learn_grid(np.tile([0.25, 0.5], 8)) == (0, 0.25)
    assert learn_grid(np.arange(50) * 0.25) is None
    assert learn_grid(np.arange(3, dtype=np.uint8)) == (0, 1)


def test_decimals_that_skip_levels_have_the_step_of_their_last_digit():
    # Counts of a converter times a gain, written with three digits: neighbouring levels are 0.012 or 0.013 apart.
    values = np.round(np.random.default_rng(0).integers(0, 4096, 3000) * 0.0122, 3)
    assert learn_grid(values) == (0, 0.001)
    assert learn_grid(values.astype(np.float32)) == (0, 0.001)


def test_integers_have_the_greatest_common_divisor_of_their_distances():
    random = np.random.default_rng(0)
    assert learn_grid(3 + 20 * random.integers(-50, 50, 500)) == (3, 20)
    # Seven values say little about others.
    assert learn_grid(np.arange(0, 70, 10)) == (0, 1)
    assert learn_grid(np.full(9, 7)) == (0, 1)
    assert learn_grid(np.array([0, np.iinfo(np.int64).max])) is None
    assert learn_grid(np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max])) is None


def test_floats_as_fine_as_their_dtype_have_no_grid():
    values = np.random.default_rng(0).uniform(1, 2, 1000).astype(np.float32)
    assert learn_grid(np.tile(values, 2)) != (0, 1e-7)
