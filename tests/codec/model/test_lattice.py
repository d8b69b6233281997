import numpy as np
import pytest

from seqembed.codec.model.lattice import learn_lattice, learn_step


@pytest.mark.parametrize("step", [1, 0.5, 0.005, 0.1, 1e-6, 3e4, 0.00266])
def test_the_step_of_decimals_in_disguise_is_found(step):
    values = np.random.default_rng(0).integers(-300, 300, 2000) * step
    assert learn_step(values.astype(np.float32)) == pytest.approx(step, rel=1e-7)
    assert learn_step(values) == pytest.approx(step, rel=1e-12)


@pytest.mark.parametrize("values", [np.zeros(100), np.arange(3.0), np.random.default_rng(0).normal(size=5000)])
def test_values_without_a_step_have_none(values):
    assert learn_step(values.astype(np.float32)) is None


@pytest.mark.parametrize(("bound", "units"), [(0, 1), (0.004, 1), (0.005, 3), (0.0149, 5), (0.015, 7)])
def test_a_bin_holds_as_many_steps_as_the_bound_allows(bound, units):
    values = np.random.default_rng(0).integers(0, 99, (999, 1)) * 0.005
    assert learn_lattice(values, np.array([bound])).bin_widths.tolist() == [units]


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
