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
    merged, half = [], (values.shape[1] + 1) / 2
    for row in range(n_rows):
        covering = [(window, row - start) for window, start in zip(values, starts, strict=True)]
        covering = [(window, step) for window, step in covering if 0 <= step < len(window)]
        seen = [window[step] for window, step in covering]
        if not seen:
            merged.append(np.full(values.shape[2:], np.nan))
        elif how == "center":
            weights = [(1 - abs(step + 1 - half) / half) ** 2 for _, step in covering]
            merged.append(np.average(seen, axis=0, weights=weights))
        else:
            merged.append(getattr(np, how)(seen, axis=0))
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


def lstm(inputs, kernel, recurrent_kernel, bias, activation):
    """All hidden states of one layer, by its equations in double precision. The gates stand in Keras's order."""

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    activate = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0)}[activation]
    h = c = np.zeros((len(inputs), len(recurrent_kernel)))
    states = []
    for t in range(inputs.shape[1]):
        i, f, g, o = np.split(inputs[:, t] @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * activate(g)
        h = sigmoid(o) * activate(c)
        states.append(h)
    return np.stack(states, axis=1)


def encode(network, weights, X, lengths, context=None):
    """The last state of each sequence, and the components of the shortcut."""
    states = X.astype(float).reshape(len(X), -1, network.n_values_per_step)
    for layer in network.encoder:
        if network.context_size and layer == network.encoder[-1]:
            repeated = [np.repeat(row[np.newaxis], states.shape[1], axis=0) for row in context]
            states = np.concatenate([states, repeated], axis=2)
        states = lstm(states, *layer.weights(weights), network.activation)
    Z = np.array([x[int(np.ceil(n / network.patch_size)) - 1] for x, n in zip(states, lengths, strict=True)])
    for component, axis in enumerate(weights["shortcut/loadings"] if network.shortcut_size else []):
        for x, z in zip(X, Z, strict=True):
            n = min(len(axis), len(x))
            score = np.clip(((x[:n] - weights["shortcut/means"]) * axis[:n]).sum() / np.square(axis).sum(), -4, 4)
            tanh = network.activation == "tanh"
            z[component] = np.tanh(np.arctanh(z[component]) + score) if tanh else z[component] + score
    return Z


def decode(network, weights, Z, n_timesteps):
    """The decoder reads the embedding at each step, and the shortcut adds what its components stand for."""
    n_steps = int(np.ceil(n_timesteps / network.patch_size))
    Y = _decoded(network, weights, np.repeat(Z[:, np.newaxis], n_steps, axis=1))[:, :n_timesteps]
    for component, axis in enumerate(weights["shortcut/loadings"] if network.shortcut_size else []):
        n = min(len(axis), n_timesteps)
        Y[:, :n] += Z[:, component, np.newaxis, np.newaxis] * axis[:n]
    return Y


def reconstruct_without_bottleneck(network, weights, X):
    states = X.astype(float).reshape(len(X), -1, network.n_values_per_step)
    for layer in network.encoder:
        states = lstm(states, *layer.weights(weights), network.activation)
    return _decoded(network, weights, states)


def _decoded(network, weights, states):
    states = np.concatenate([states, [network.time_features(states.shape[1])] * len(states)], axis=2)
    for layer in network.decoder:
        states = lstm(states, *layer.weights(weights), network.activation)
    return (states @ weights["output/kernel"] + weights["output/bias"]).reshape(len(states), -1, network.n_features)
