"""What the BLAS of this processor does."""

from threadpoolctl import threadpool_info

# Kernels that round the last columns of a matrix in another way.
_UNEQUAL = {"Haswell", "Zen", "Nehalem"}
ALL_COLUMNS_ARE_EQUAL = not any(library.get("architecture") in _UNEQUAL for library in threadpool_info())
