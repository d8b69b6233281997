import numpy as np
import pytest

from seqembed.sequences.sample_weight import checked_weights


def test_without_weights_there_are_none():
    assert checked_weights(None, 3) is None


@pytest.mark.parametrize("weights", [[0, 1, 2], np.float32([0, 1, 2]), np.array([0, 1, 2], np.uint8)])
def test_numbers_of_any_type_become_floats(weights):
    checked = checked_weights(weights, 3)
    assert checked.dtype == np.float64
    np.testing.assert_array_equal(checked, [0, 1, 2])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2], r"shape \(2,\) and dtype int64 for 3 sequences"),
        ([[1], [2], [3]], r"shape \(3, 1\)"),
        (["a", "b", "c"], "expected a number for each"),
        ([1, -1, 1], "with -1 for sequence 1, expected finite numbers of 0 or more"),
        ([1, 1, np.nan], "with nan for sequence 2"),
        ([1, np.inf, 1], "with inf for sequence 1"),
        ([0, 0, 0], "zeros alone"),
    ],
)
def test_what_are_no_weights_is_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        checked_weights(weights, 3)
