import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seqembed.sequences import collection
from seqembed.sequences.collection import check_sequences
from seqembed.sequences.scaling import Scaling, feature_statistics, scaled, unscaled


def test_missing_values_and_padding_do_not_count():
    X = [np.array([[1.0, np.nan]]), np.array([[3.0, 5.0], [np.nan, 7.0]])]
    means, scales = feature_statistics(check_sequences(X))
    np.testing.assert_allclose(means, [2, 6])
    np.testing.assert_allclose(scales, [1, 1])


def test_a_feature_without_any_value_is_refused():
    X = np.ones((2, 3, 2))
    X[..., 1] = np.nan
    with pytest.raises(ValueError, match=r"Feature 1 has no value.*np.delete\(X, \[1\], axis=-1\)"):
        feature_statistics(check_sequences(X))


def test_a_feature_without_variation_keeps_its_scale():
    X = np.full((3, 4, 2), 7.0)
    X[..., 1] = np.arange(4)
    means, scales = feature_statistics(check_sequences(X))
    np.testing.assert_allclose(means, [7, 1.5])
    np.testing.assert_allclose(scales, [1, np.arange(4).std()])


def test_the_mean_of_equal_values_is_their_value():
    X = np.full((50, 20, 2), [0.1, 1e9 + 0.1])
    means, scales = feature_statistics(check_sequences(X))
    np.testing.assert_array_equal(means, X[0, 0])
    np.testing.assert_array_equal(scales, 1)


def test_features_can_be_scaled_by_their_size():
    scaling = Scaling(*np.array([[-7.0, 0.1, 3.0], [-7.0, 0.1, 3.0], [1.0, 1.0, 2.0]]))
    np.testing.assert_array_equal(scaling.with_mean_scales(np.array([True, True, False])).scale, [7, 1, 2])


def test_values_in_the_users_units_are_float64_where_float32_is_too_coarse():
    near, far = (Scaling(np.zeros(1), np.array([center]), np.array([0.1])) for center in (1000.0, 4.5e6))
    values = np.float32([[[0.5]]])
    assert near.undo(values).dtype == np.float32
    np.testing.assert_allclose(far.undo(values), 4.5e6 + 0.05, rtol=1e-12)


def test_statistics_in_chunks_are_those_of_the_whole(monkeypatch):
    monkeypatch.setattr(collection, "_CHUNK", 1000)
    X = np.random.default_rng(0).normal(3, 2, (2500, 2, 3)).astype(np.float32)
    sequences = check_sequences(X)
    assert len(list(sequences.chunks())) > 1
    means, scales = feature_statistics(sequences)
    np.testing.assert_allclose(means, X.mean(axis=(0, 1), dtype=float))
    np.testing.assert_allclose(scales, X.std(axis=(0, 1), dtype=float))


def test_a_feature_may_be_missing_in_all_sequences_that_are_read_at_once(monkeypatch):
    monkeypatch.setattr(collection, "_CHUNK", 1000)
    X = np.random.default_rng(0).normal(3, 2, (500, 10, 2))
    X[:400, :, 1] = np.nan
    means, scales = feature_statistics(check_sequences(X))
    np.testing.assert_allclose(means, np.nanmean(X, axis=(0, 1)))
    np.testing.assert_allclose(scales, np.nanstd(X, axis=(0, 1)))


def test_values_whose_squares_exceed_float64_are_refused_without_a_warning():
    X = np.ones((2, 3, 2))
    X[1, 2, 1] = 1e300
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"Feature 1 has values from 1 to 1e\+300.*Mark false values as missing"):
            feature_statistics(check_sequences(X))


def test_rounding_is_no_variation():
    X = np.full((1000, 7, 1), 0.1)
    assert feature_statistics(check_sequences(X))[1] == [1]


def test_timestamps_survive_scaling_because_it_happens_in_their_own_precision():
    X = 1.7e9 + np.arange(4.0).reshape(1, 4, 1)
    np.testing.assert_allclose(scaled(X, np.array([1.7e9]), np.array([1.0])).ravel(), np.arange(4))


@pytest.mark.parametrize("unit", [1e-60, 1e-39, 1e38, 1e60])
def test_values_beyond_float32_came_back_as_infinity_or_zero(unit):
    scaling = Scaling(means=np.array([unit]), center=np.array([unit]), scale=np.array([unit]))
    assert scaling.dtype == np.float64
    np.testing.assert_allclose(scaling.undo(np.float32([[[2.0]]])), 3 * unit)


@given(
    X=hnp.arrays(np.float32, (3, 4, 2), elements=st.floats(-1e3, 1e3, width=32)),
    center=hnp.arrays(float, 2, elements=st.floats(-1e3, 1e3)),
    scale=hnp.arrays(float, 2, elements=st.floats(1e-2, 1e3)),
)
def test_unscaled_undoes_scaled(X, center, scale):
    there = scaled(X, center, scale)
    assert there.dtype == np.float32
    back = unscaled(there, center, scale)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, X, rtol=1e-5, atol=1e-3)


def test_a_feature_that_hardly_ever_moves_stays_within_ten_scaled_units():
    X = np.random.default_rng(0).normal(size=(300, 10, 2))
    X[..., 1] = 0
    X[7, 3, 1] = 5
    means, scales = feature_statistics(check_sequences(X))
    assert np.abs((X - means) / scales)[..., 1].max() == pytest.approx(10)
    assert scales[0] == pytest.approx(X[..., 0].std())


def test_missing_values_do_not_hide_how_far_a_feature_reaches(monkeypatch):
    monkeypatch.setattr(collection, "_CHUNK", 2048)
    X = np.zeros((2000, 2, 1))
    X[:1024] = np.nan
    X[:1024, 0] = 0
    X[1999, 1] = 3
    means, scales = feature_statistics(check_sequences(X))
    assert (3 - means[0]) / scales[0] == pytest.approx(10)
