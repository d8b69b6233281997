import numpy as np
import pytest

from seqembed.codec.model.contexts import N_INPUTS, exchange_with_contexts
from seqembed.codec.model.predictors import learn_predictor, run_predictor


def network_inputs(integers, lengths, bin_widths):
    """All inputs, as an array of (n_pieces, n_timesteps, n_features, n_inputs)."""
    predictor = learn_predictor(integers, lengths, bin_widths, n_lags=1, by_timestep=False, rounds=False)
    seen = np.zeros((*integers.shape, N_INPUTS), np.float32)

    def observe(t, feature, predicted, scales, inputs):
        seen[: len(inputs), t, feature] = inputs
        residuals = integers[: len(predicted), t, feature] - predicted
        return (residuals + bin_widths[feature] // 2) // bin_widths[feature]

    exchange = exchange_with_contexts(bin_widths, len(lengths), observe)
    run_predictor(predictor, bin_widths, lengths, exchange, one_by_one=True)
    return seen


@pytest.fixture(scope="session")
def walks():
    return np.random.default_rng(0).integers(-30, 31, (9, 20, 4)).cumsum(axis=1)


def test_a_piece_does_not_depend_on_those_beside_it(walks):
    units, lengths = np.array([1, 3, 255, 5]), np.array([20, 20, 18, 15, 9, 9, 5, 2, 1])
    # The same predictor, whatever rows there are.
    predictor = learn_predictor(walks, lengths, units, n_lags=1, by_timestep=False, rounds=False)
    results = []
    for rows in (slice(None), slice(2, 3)):
        seen = []

        def observe(t, feature, predicted, scales, inputs, rows=rows, seen=seen):
            seen.append(inputs[2 if rows == slice(None) else 0] if t < lengths[2] else None)
            return (walks[rows][: len(predicted), t, feature] - predicted + units[feature] // 2) // units[feature]

        exchange = exchange_with_contexts(units, len(lengths[rows]), observe)
        run_predictor(predictor, units, lengths[rows], exchange, one_by_one=True)
        results.append([each for each in seen if each is not None])
    np.testing.assert_array_equal(*results)


def test_nothing_that_follows_is_known(walks):
    units, lengths = np.array([1, 3, 255, 5]), np.full(9, 20)
    before = network_inputs(walks, lengths, units)
    changed = walks.copy()
    changed[:, 12, 2] += 4000
    predictor = learn_predictor(walks, lengths, units, n_lags=1, by_timestep=False, rounds=False)
    after = np.zeros_like(before)

    def observe(t, feature, predicted, scales, inputs):
        after[:, t, feature] = inputs
        return (changed[:, t, feature] - predicted + units[feature] // 2) // units[feature]

    run_predictor(predictor, units, lengths, exchange_with_contexts(units, 9, observe), one_by_one=True)
    np.testing.assert_array_equal(before[:, :12], after[:, :12])
    np.testing.assert_array_equal(before[:, 12, :3], after[:, 12, :3])
    assert (before[:, 12, 3] != after[:, 12, 3]).any()
    assert (before[:, 13] != after[:, 13]).any()


def test_inputs_are_whole_and_finite_however_large_the_integers_are():
    integers = np.random.default_rng(0).integers(-(1 << 27), 1 << 27, (5, 30, 2))
    seen = network_inputs(integers, np.full(5, 30), np.array([1, 1]))
    assert np.isfinite(seen).all()
    np.testing.assert_array_equal(seen, np.rint(seen))
