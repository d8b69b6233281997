import dask.array as da
import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqembed import merge_windows, sliding_windows

SIZES = {"n_rows": st.integers(1, 30), "timesteps": st.integers(1, 8), "stride": st.integers(1, 9)}


def recording(n_rows, n_features=2):
    return np.random.default_rng(n_rows).normal(size=(n_rows, n_features)).astype(np.float32)


@given(**SIZES, how=st.sampled_from(["mean", "center", "median", "max"]), trailing=st.sampled_from([(), (2,), (2, 3)]))
def test_merged_windows_are_those_of_a_plain_loop(n_rows, timesteps, stride, how, trailing):
    starts = np.arange(0, n_rows, stride)
    values = np.random.default_rng(stride).normal(size=(len(starts), timesteps, *trailing))
    merged = merge_windows(values, starts, n_rows + timesteps, how)
    np.testing.assert_allclose(merged, naive.merge_windows(values, starts, n_rows + timesteps, how), atol=1e-12)


@given(**SIZES, how=st.sampled_from(["mean", "median"]))
def test_a_round_trip_is_exact_and_NaN_where_no_window_lies(n_rows, timesteps, stride, how):
    X = recording(max(n_rows, timesteps))
    windows, starts, _ = sliding_windows(X, timesteps, stride)
    merged = merge_windows(windows, starts, len(X), how)
    covered = np.zeros(len(X), bool)
    for start in starts:
        covered[start : start + timesteps] = True
    assert merged.dtype == X.dtype
    np.testing.assert_array_equal(merged[covered], X[covered])
    assert np.isnan(merged[~covered]).all()


def test_merging_keeps_equal_infinities_and_takes_maxima():
    values = [[1.0, np.inf, -np.inf], [np.inf, -np.inf, 5.0]]
    np.testing.assert_array_equal(merge_windows(values, [0, 1], 5), [1, np.inf, -np.inf, 5, np.nan])
    largest = merge_windows([[1.0, 2.0], [np.nan, 3.0], [1.0, 1.0]], [0, 1, 2], 4, how="max")
    np.testing.assert_array_equal(largest, [1, 2, 3, 1])


def test_merging_refuses_imaginary_parts_and_starts_that_are_not_integers():
    with pytest.raises(TypeError, match="values= of dtype complex128"):
        merge_windows([[1j, 2.0]], [0], 2)
    with pytest.raises(TypeError, match="starts= of dtype float64"):
        merge_windows([[1.0, 2.0]], [0.0], 2)


@pytest.mark.parametrize(("n_rows", "error"), [(2.0, TypeError), (-1, ValueError)])
def test_a_number_of_rows_that_is_none_is_refused_by_its_name(n_rows, error):
    with pytest.raises(error, match=rf"Got n_rows={n_rows}, expected an integer of at least 0"):
        merge_windows(np.empty((0, 2)), [], n_rows)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("how", ["mean", "center", "median", "max"])
def test_infinities_of_both_signs_are_merged_without_a_warning(how):
    merged = merge_windows([[1.0, np.inf], [-np.inf, 2.0]], [0, 1], 3, how)
    np.testing.assert_array_equal(merged, [1, np.inf if how == "max" else np.nan, 2])


def test_masked_scores_of_a_dask_array_are_missing_and_masked_starts_are_refused():
    lazy = da.ma.masked_equal(da.from_array([[1.0, -99.0]]), -99)
    np.testing.assert_array_equal(merge_windows(lazy, [0], 2), [1, np.nan])
    with pytest.raises(TypeError, match="starts= of dtype float64"):
        merge_windows(np.ones((2, 2)), np.ma.masked_equal([0, 1], 1), 3)


@pytest.mark.parametrize("how", ["mean", "median"])
@pytest.mark.parametrize("trailing", [(), (2,)])
def test_without_any_window_every_row_is_NaN(how, trailing):
    merged = merge_windows(np.empty((0, 3, *trailing), np.float32), [], 5, how)
    assert merged.shape == (5, *trailing)
    assert merged.dtype == np.float32
    assert np.isnan(merged).all()


@pytest.mark.parametrize(
    ("values", "starts", "how", "message"),
    [
        (np.ones((2, 3)), [0], "mean", r"Got values= of shape \(2, 3\) and starts= of shape \(1,\)"),
        (np.ones(2), [0, 1], "mean", "per='timestep'"),
        (
            np.ones((2, 3)),
            [0, 8],
            "mean",
            "Got starts= from 0 to 8 for windows of 3 rows and n_rows=10, expected all windows",
        ),
        (np.ones((2, 3)), [-1, 2], "mean", "Got starts= from -1 to 2 for windows of 3 rows"),
        (np.ones((2, 3)), [0, 1], "min", "Got how='min', expected 'mean', 'center', 'median' or 'max'"),
    ],
)
def test_bad_merges_are_refused(values, starts, how, message):
    with pytest.raises(ValueError, match=message):
        merge_windows(values, starts, 10, how)


def test_starts_of_few_bits_do_not_wrap_and_infinity_beside_a_number_stays():
    merged = merge_windows(np.ones((1, 10)), np.int8([120]), 130)
    assert np.flatnonzero(merged == 1).tolist() == list(range(120, 130))
    for values in ([[1.0], [np.inf]], [[np.inf], [1.0]]):
        assert merge_windows(values, [0, 0], 1) == np.inf


@pytest.mark.parametrize("how", ["mean", "center", "median", "max"])
def test_a_row_gets_the_scores_of_the_windows_that_cover_it(how):
    scores, starts = np.random.default_rng(0).normal(size=5), np.arange(0, 15, 3)
    expected = merge_windows(np.repeat(scores[:, np.newaxis], 4, axis=1), starts, 20, how)
    np.testing.assert_array_equal(merge_windows(scores, starts, 20, how, timesteps=4), expected)
    with pytest.raises(ValueError, match=r"For scores of windows, pass timesteps="):
        merge_windows(scores, starts, 20, how)
    with pytest.raises(TypeError, match=r"Got timesteps=4.0, expected an integer"):
        merge_windows(scores, starts, 20, how, timesteps=4.0)


def test_a_row_counts_windows_more_that_have_it_near_their_centre():
    values, starts = np.random.default_rng(0).normal(size=(6, 5, 2)), np.array([0, 1, 2, 3, 9, 9])
    merged = merge_windows(values, starts, 15, "center")
    for row in range(15):
        covering = [(window, row - start) for window, start in enumerate(starts) if 0 <= row - start < 5]
        weights = [(1 - abs(step - 2) / 3) ** 2 for _, step in covering]
        if not covering:
            assert np.isnan(merged[row]).all()
            continue
        expected = np.average([values[window, step] for window, step in covering], axis=0, weights=weights)
        np.testing.assert_allclose(merged[row], expected)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("n_windows", [2, 3])
def test_a_median_of_missing_and_of_infinite_values_is_numpys(n_windows):
    values = np.array([[1.0, np.nan, np.inf, -np.inf], [2.0, 3.0, -np.inf, -np.inf], [5.0, 4.0, np.inf, 0.0]])
    starts = np.zeros(n_windows, int)
    merged = merge_windows(values[:n_windows], starts, 5, "median")
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(merged, [*np.median(values[:n_windows], axis=0), np.nan])
