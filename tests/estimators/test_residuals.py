import numpy as np
import pytest

from seqembed.estimators.residuals import ResidualWeights, joint_contributions, learn_weights, padded_residuals

LENGTHS = np.array([5, 3, 4])


def ragged(n_features=2):
    residuals = np.random.default_rng(0).normal(size=(3, 5, n_features))
    for residual, length in zip(residuals, LENGTHS, strict=True):
        residual[length:] = np.nan
    residuals[0, 2, 1] = np.nan
    return residuals


def test_contributions_are_those_of_a_plain_loop():
    residuals, precision = ragged(), np.array([[2.0, 0.5], [0.5, 1.0]])
    weights = ResidualWeights(np.array([3.0, 0.5]), precision, length_exponent=0.5, n_timesteps=5)
    contributions = weights.contributions(residuals, LENGTHS)
    for residual, contribution, length in zip(residuals, contributions, LENGTHS, strict=True):
        size = np.sum(~np.isnan(residual)) * (length / 5) ** 0.5
        for steps, shares in zip(residual, contribution, strict=True):
            scaled = np.nan_to_num(steps / [3, 0.5])
            for feature in range(2):
                expected = scaled[feature] * sum(scaled[other] * precision[other, feature] for other in range(2)) / size
                assert shares[feature] == pytest.approx(expected)


def test_huge_residuals_have_finite_contributions():
    weights = ResidualWeights(np.ones(1), np.eye(1), length_exponent=0.0, n_timesteps=2)
    assert np.isfinite(weights.contributions(np.array([[[1e300], [-np.inf]]]), np.array([2]))).all()


def test_residuals_of_padding_and_missing_values_are_missing_and_those_of_an_overflow_infinite():
    sequences = [np.array([[1, 2], [3, 4]], np.uint8), np.array([[1.0, np.nan]])]
    residuals = padded_residuals(sequences, [np.zeros((2, 2)), [[np.nan, 0]]], n_timesteps=3)
    expected = [[[-1, -2], [-3, -4], [np.nan] * 2], [[np.inf, np.nan], [np.nan] * 2, [np.nan] * 2]]
    np.testing.assert_array_equal(residuals, expected)


def test_a_scale_is_the_median_size_or_what_is_left_where_that_is_zero():
    residuals = np.zeros((4, 5, 4))
    residuals[..., 0] = np.tile([-2, -1, 1, 2, np.nan], (4, 1))
    residuals[0, 0, 1] = 20
    residuals[..., 2] = 1e-9
    values = np.random.default_rng(0).normal(size=residuals.shape)
    values[..., 2] = 7
    scales = learn_weights(residuals, values, np.full(4, 5), "robust").feature_scales
    np.testing.assert_allclose(scales, [1.5 / 0.6744897501960817, residuals[..., 1].std(), 1e-4, 1])


def test_residuals_of_constants_are_relative_deviations_in_any_unit():
    values = np.array([[[7.0, 0.0, 4], [7.0, 1e-9, np.nan], [8.0, -1e9, 4 + 1e-7], [np.nan, np.nan, -4]]])
    weights = ResidualWeights(np.ones(3), np.eye(3), 0.0, 4, constants=np.array([np.nan, 0.0, 4.0]))
    residuals = np.where(np.isnan(values), np.nan, 0.3)
    expected = [[[0.3, 0, 0], [0.3, -1, np.nan], [0.3, 1, 0], [np.nan, np.nan, 2]]]
    np.testing.assert_array_equal(weights.compared(residuals, values), expected)
    assert weights._replace(constants=None).compared(residuals, values) is residuals


@pytest.mark.parametrize("n_networks", [2, 3, 4, 5, 8])
def test_joint_contributions_are_those_of_a_plain_loop(n_networks):
    contributions = np.random.default_rng(n_networks).normal(size=(n_networks, 6, 4, 2))
    joint = joint_contributions(contributions)
    for sample in range(6):
        ascending = sorted(contributions[:, sample], key=np.sum)
        low, high = {2: (1, 2), 3: (2, 3), 4: (3, 3), 5: (3, 4), 8: (5, 5)}[n_networks]
        np.testing.assert_allclose(joint[sample], (ascending[low - 1] + ascending[high - 1]) / 2)
