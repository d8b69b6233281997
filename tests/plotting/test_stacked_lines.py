import numpy as np
import pytest

from seqembed.plotting.stacked_lines import checked_names, levels, stacked


def test_features_keep_their_shape_and_do_not_overlap():
    random = np.random.default_rng(0)
    sequences = [random.normal(size=(n, 3)) * [1, 100, 0.01] + [5, 0, -3] for n in (4, 7)]
    sequences[0][1, 2] = np.nan
    drawn = stacked(sequences)
    values = np.concatenate(drawn)
    lowest, highest = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    assert (highest[:-1] < lowest[1:]).all()
    np.testing.assert_allclose((lowest + highest) / 2, levels(3), atol=1e-12)
    assert [each.shape for each in drawn] == [(4, 3), (7, 3)]
    np.testing.assert_array_equal(np.argwhere(np.isnan(drawn[0])), [[1, 2]])
    for feature in range(3):
        given = np.concatenate([each[:, feature] for each in sequences])
        known = ~np.isnan(given)
        assert np.corrcoef(given[known], values[known, feature])[0, 1] == pytest.approx(1)


def test_a_feature_that_does_not_vary_is_a_line_at_its_level():
    drawn = stacked([np.array([[1.0, 7.0], [2.0, 7.0]])])
    assert (drawn[0][:, 1] == levels(2)[1]).all()


def test_values_that_are_not_finite_do_not_count_for_the_range():
    values = np.array([[0.0, np.nan, np.nan], [np.inf, np.nan, 5.0], [2.0, np.nan, 9.0]])
    (drawn,) = stacked([values])
    np.testing.assert_allclose(drawn[[0, 2], 0], [-0.5, 0.5])
    np.testing.assert_allclose(drawn[1:, 2], levels(3)[2] + [-0.5, 0.5])
    assert drawn[1, 0] == np.inf
    assert np.isnan(drawn[:, 1]).all()


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_a_single_feature_stays_in_its_unit(shape):
    values = np.arange(4.0).reshape(shape)
    np.testing.assert_array_equal(stacked([values])[0], np.arange(4.0)[:, np.newaxis])


def test_text_in_the_place_of_names_is_refused():
    with pytest.raises(TypeError, match=r"Got feature_names='ab', expected a list.*Pass feature_names=\['ab'\]"):
        checked_names("ab", 2)
