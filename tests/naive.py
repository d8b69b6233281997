"""Plain loops that are obviously right, for the fast functions to be compared with."""

import numpy as np


def sliding_windows(X, timesteps, stride):
    windows, starts = [], []
    start = 0
    while start + timesteps <= len(X):
        windows.append(X[start : start + timesteps])
        starts.append(start)
        start += stride
    return np.array(windows), np.array(starts)


def merge_windows(values, starts, n_rows, how):
    merged = []
    for row in range(n_rows):
        seen = [
            window[row - start] for window, start in zip(values, starts, strict=True) if 0 <= row - start < len(window)
        ]
        merged.append(getattr(np, how)(seen, axis=0) if seen else np.full(values.shape[2:], np.nan))
    return np.array(merged)


def temporalize(X, y, lookback):
    """The post's function, word for word but for the lists."""
    output_X, output_y = [], []
    for i in range(len(X) - lookback - 1):
        t = []
        for j in range(1, lookback + 1):
            t.append(X[i + j + 1])
        output_X.append(t)
        output_y.append(y[i + lookback + 1])
    return np.array(output_X), np.array(output_y)


def orthogonalized(matrix, iterations):
    """Newton and Schulz's iteration as it is published, in double precision."""
    a, b, c = 3.4445, -4.7750, 2.0315
    X = matrix.astype(float) / (np.linalg.norm(matrix.astype(float)) + 1e-7)
    if len(X) > len(X.T):
        return orthogonalized(matrix.T, iterations).T
    for _ in range(iterations):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X
