import numpy as np
import pytest

from seqembed.codec import InvalidStreamError
from seqembed.codec.bytes.exact_values import encode_exact_values, replace_exact_values


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.uint16, np.int64])
def test_values_that_miss_the_bound_come_back(dtype):
    values = np.random.default_rng(0).integers(0, 100, (50, 2)).astype(dtype)
    decoded = values.copy()
    decoded[::7, 0] += 3
    decoded[::5, 1] += 1
    data = encode_exact_values(values, decoded, np.array([2.0, 1.0]))
    replaced = replace_exact_values(data, decoded)
    np.testing.assert_array_equal(replaced[:, 0], values[:, 0])
    # These keep their bound.
    np.testing.assert_array_equal(replaced[:, 1], decoded[:, 1])


def test_values_that_are_not_finite_come_back_and_without_a_bound_the_sign_of_zero_too():
    values = np.array([[np.nan], [np.inf], [-0.0], [1.0]])
    for bound, expected in ((0.0, [np.nan, np.inf, -0.0, 1.0]), (0.5, [np.nan, np.inf, 0.0, 1.0])):
        data = encode_exact_values(values, np.array([[0.0], [0.0], [0.0], [1.0]]), np.array([bound]))
        replaced = replace_exact_values(data, np.array([[0.0], [0.0], [0.0], [1.0]])).ravel()
        np.testing.assert_array_equal(replaced, expected)
        np.testing.assert_array_equal(np.signbit(replaced), np.signbit(expected))


def test_integers_of_64_bits_are_compared_exactly():
    values, decoded = np.array([[-(2**63)], [2**62 + 1]]), np.array([[2**63 - 1], [2**62]])
    data = encode_exact_values(values, decoded, np.array([1.0]))
    np.testing.assert_array_equal(replace_exact_values(data, decoded), [[-(2**63)], [2**62]])


def test_more_exact_values_than_values_are_refused():
    values = np.arange(20.0)[:, np.newaxis]
    data = encode_exact_values(values, values + 1, np.array([0.0]))
    with pytest.raises(InvalidStreamError, match="Got 20 exact values among 5 values"):
        replace_exact_values(data, values[:5])
