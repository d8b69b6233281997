"""The axis of features, which input of a single feature may leave out."""

from __future__ import annotations

import numpy as np


def with_feature_axis(values: np.ndarray) -> np.ndarray:
    """View sequences in two dimensions as (n_samples, n_timesteps, 1).

    Examples
    --------
    >>> import numpy as np
    >>> with_feature_axis(np.zeros((5, 3))).shape
    (5, 3, 1)
    """
    return values[:, :, np.newaxis] if values.ndim == 2 else values


def without_feature_axis(values: np.ndarray | list[np.ndarray]) -> np.ndarray | list[np.ndarray]:
    """View univariate sequences without their last axis.

    Examples
    --------
    >>> import numpy as np
    >>> without_feature_axis(np.zeros((5, 3, 1))).shape
    (5, 3)
    """
    if isinstance(values, np.ndarray):
        return values[..., 0]
    return [sequence[..., 0] for sequence in values]
