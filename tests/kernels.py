"""What the BLAS of this processor does."""

import numpy as np
from threadpoolctl import threadpool_info

# Kernels that round the last columns of a matrix in another way.
_UNEQUAL = {"Haswell", "Zen", "Nehalem"}
ALL_COLUMNS_ARE_EQUAL = not any(library.get("architecture") in _UNEQUAL for library in threadpool_info())


def assert_same(result, expected):
    """Compare results of batches of other sizes: to the bit where BLAS rounds all alike, else up to rounding."""
    if ALL_COLUMNS_ARE_EQUAL:
        np.testing.assert_array_equal(result, expected)
    else:
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)
