import numpy as np
import pytest

from seqembed.codec.model.lattice import LARGEST_INTEGER, Lattice, learn_lattice, nearest_bins


@pytest.mark.parametrize(("bound", "units"), [(0, 1), (0.06, 1), (0.125, 3), (0.18, 3), (0.374, 255), (0.375, 7)])
def test_a_bin_holds_as_many_steps_as_the_bound_allows_or_is_as_wide_as_it(bound, units):
    values = np.random.default_rng(0).integers(0, 99, (999, 1)) * 0.125
    lattice = learn_lattice(values, np.array([bound]))
    assert lattice.bin_widths.tolist() == [units]
    assert bound == 0 or units == 1 or lattice.unit[0] * units >= 2 * bound * (1 - 1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("bound", "units"), [(0.04, 1), (0.1, 255), (0.1001, 3), (0.3, 255), (0.3001, 7)])
def test_a_step_that_rounding_takes_beyond_the_bound_is_not_in_the_bin(bound, units, dtype):
    values = (np.random.default_rng(0).integers(-99, 99, (999, 1)) * 0.1).astype(dtype)
    assert learn_lattice(values, np.array([bound])).bin_widths.tolist() == [units]


def test_a_bin_keeps_a_step_that_few_values_miss():
    values = (np.random.default_rng(0).integers(-25_000, 25_000, (9999, 1)) * 0.003).astype(np.float32)
    assert learn_lattice(values, np.array([0.003003])).bin_widths.tolist() == [3]
    assert learn_lattice(values, np.array([0.003])).bin_widths.tolist() == [255]


def test_integers_have_no_rounding():
    values = np.random.default_rng(0).integers(-(2**62), 2**62, (999, 1))
    assert learn_lattice(values // 2**40, np.array([3])).bin_widths.tolist() == [7]


def test_integers_and_back_within_half_a_unit():
    values = np.random.default_rng(0).normal(100, 1, (500, 2))
    lattice = learn_lattice(values, np.array([0.1, 1e-6]))
    integers, fits = lattice.integers(values)
    assert fits.all()
    assert (np.abs(lattice.values(integers, float) - values) <= lattice.unit / 2 * 1.001).all()


def test_what_is_not_finite_or_too_far_has_no_integer():
    lattice = learn_lattice(np.random.default_rng(0).normal(size=(500, 1)), np.array([0.1]))
    integers, fits = lattice.integers(np.array([[np.nan], [np.inf], [1e30], [0.0]]))
    assert fits.ravel().tolist() == [False, False, False, True]
    assert not integers[:3].any()


def whole_numbers(bin_width=1):
    """A lattice of whole numbers around 10."""
    return Lattice(np.array([10.0]), np.array([1.0]), np.array([bin_width]), np.array([0.0]), np.ones(1))


@pytest.mark.filterwarnings("error")
def test_the_largest_integer_has_a_place_and_the_next_has_none():
    values = 10 + np.array([[LARGEST_INTEGER], [-LARGEST_INTEGER], [LARGEST_INTEGER + 1], [np.inf], [1e308]])
    integers, fits = whole_numbers().integers(values)
    assert integers.ravel().tolist() == [LARGEST_INTEGER, -LARGEST_INTEGER, 0, 0, 0]
    assert integers.dtype == np.int64
    assert fits.ravel().tolist() == [True, True, False, False, False]
    small = Lattice(np.zeros(1), np.array([1e-300]), np.array([1]), np.array([0.0]), np.ones(1))
    assert not small.integers(np.array([[1e300], [np.nan]]))[1].any()


def test_values_of_any_dtype_are_read_in_float64():
    lattice = Lattice(np.array([0.1]), np.array([0.1]), np.array([1]), np.array([0.0]), np.ones(1))
    values = np.array([["0.3"], ["1.1"]])
    assert lattice.integers(values)[0].ravel().tolist() == [2, 10]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64])
def test_integers_beyond_a_dtype_become_its_ends(dtype):
    limits = np.iinfo(dtype)
    lattice = Lattice(np.array([0.4]), np.array([2.0**40]), np.array([1]), np.array([0.0]), np.ones(1))
    values = lattice.values(np.array([[-(1 << 26)], [0], [1 << 26]]), dtype)
    assert values.dtype == dtype
    highest = limits.max if limits.bits <= 32 else int(np.nextafter(float(limits.max), 0))
    assert [int(value) for value in values.ravel()] == [limits.min, 0, highest]


@pytest.mark.filterwarnings("error")
def test_floats_beyond_a_dtype_become_infinite_without_a_warning():
    lattice = Lattice(np.array([0.0]), np.array([1e5]), np.array([1]), np.array([0.0]), np.ones(1))
    assert lattice.values(np.array([[1]]), np.float16).tolist() == [[np.inf]]
    assert lattice.values(np.array([[3]]), "float64").dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("allowed", [1.0, 1e-3, 1e-6, 2e-6, 3e-6, 1e-9])
def test_without_a_step_a_bin_and_the_rounding_of_the_dtype_fill_the_bound(allowed, dtype):
    values = (100 + np.random.default_rng(0).normal(size=(501, 1))).astype(dtype)
    lattice = learn_lattice(values, np.array([allowed]))
    assert lattice.center[0] == np.median(values)
    rounding = float(np.spacing(values.max())) / 2
    remaining = max(allowed - rounding, allowed / 2)
    reach = np.abs(values - lattice.center.astype(dtype)).max()
    width = max(1, min(255, int(2**26 * remaining / reach)))
    width -= width % 2 == 0
    assert lattice.bin_widths.tolist() == [width]
    assert lattice.bin_widths.dtype == np.int64
    assert lattice.unit[0] == pytest.approx(2 * remaining / width, rel=1e-12)
    # Where the bound is too small, values have no integer, and are stored as they are.
    assert lattice.integers(values)[1].all() == (width > 1)


@pytest.mark.filterwarnings("error")
def test_features_without_values_without_a_bound_and_constant_ones_have_a_lattice_too():
    values = np.column_stack([np.full(40, np.nan), np.random.default_rng(0).normal(size=40), np.full(40, 7.5)])
    lattice = learn_lattice(values, np.array([0.1, 0.0, 0.2]))
    assert lattice.center.tolist() == [0, 0, 7.5]
    assert lattice.bin_widths.tolist() == [1, 1, 255]
    assert lattice.unit.tolist() == [1, 1, pytest.approx(0.4 / 255)]
    assert lattice.bound.tolist() == [0.1, 0.0, 0.2]


def test_a_step_is_not_used_where_its_multiples_are_too_far_apart():
    integers = np.random.default_rng(0).integers(0, 50, 400)
    for farthest, used in ((LARGEST_INTEGER, True), (LARGEST_INTEGER + 1, False)):
        values = np.append(integers, [0, farthest]).astype(np.float64)[:, np.newaxis]
        assert (learn_lattice(values, np.array([3.0])).unit[0] == 1) == used


def test_a_large_step_is_used_whatever_the_size_of_its_multiples():
    values = np.random.default_rng(0).integers(-300, 300, (2000, 1)) * 3e4
    lattice = learn_lattice(values, np.array([0]))
    assert (lattice.unit.tolist(), lattice.bin_widths.tolist()) == ([3e4], [1])
    assert lattice.bound.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.float64])
def test_integers_far_from_zero_have_an_offset(dtype):
    values = ((1 << 40) + 60 * np.random.default_rng(0).integers(0, 1000, (500, 1))).astype(dtype)
    lattice = learn_lattice(values, np.array([0]))
    assert (lattice.unit.tolist(), lattice.bin_widths.tolist()) == ([60], [1])
    integers, fits = lattice.integers(values)
    assert fits.all()
    np.testing.assert_array_equal(lattice.values(integers, dtype), values)


def test_integers_that_are_too_far_apart_share_the_bound_among_the_units_of_a_bin():
    values = np.random.default_rng(0).integers(-(1 << 40), 1 << 40, (500, 1))
    lattice = learn_lattice(values, np.array([1e6]))
    assert lattice.unit[0] * lattice.bin_widths[0] == pytest.approx(2e6)


def test_values_that_lie_close_together_have_bins_of_few_units_where_the_bound_is_small():
    values = np.random.default_rng(0).uniform(-0.25, 0.25, (500, 1))
    assert learn_lattice(values, np.array([1e-9])).bin_widths.tolist() == [1]


@pytest.mark.parametrize("bin_width", [1, 3, 7, 255])
def test_distances_go_to_the_nearest_bin(bin_width):
    distances = np.arange(-1000, 1001)
    bins = nearest_bins(distances, np.array([bin_width]))
    assert bins.dtype == np.int64
    # The width is odd, so that no distance lies in the middle of two bins.
    np.testing.assert_array_equal(bins, np.rint(distances / bin_width))


@pytest.mark.parametrize(
    ("step", "offset", "digits"), [(0.1, 0, 1), (0.05, 0, 2), (0.1, 273.15, 2), (3, 0, 0), (0.25, 0, 0)]
)
def test_decimals_of_float64_come_back_without_an_exact_value(step, offset, digits):
    random = np.random.default_rng(0)
    values = np.round(offset + step * random.integers(-9999, 9999, (2000, 1)), digits or 9)
    lattice = learn_lattice(values, np.array([0.0]))
    integers, fits = lattice.integers(values)
    assert fits.all()
    np.testing.assert_array_equal(lattice.values(integers, np.float64), values)
    assert lattice.denominator.tolist() == [10.0**digits]


def test_floats_that_are_multiples_need_no_denominator():
    random = np.random.default_rng(0)
    multiples = random.integers(-99, 99, (999, 1)) * 0.1
    for values in (multiples, multiples.astype(np.float32), random.integers(0, 4096, (999, 1)) * (16 / 4095) + 4):
        assert learn_lattice(values, np.array([0.0])).denominator.tolist() == [1]
