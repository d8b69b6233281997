"""Statistics of sequences."""

from __future__ import annotations

import functools

import numpy as np

from seqembed.sequences.scaling import Batch

QUANTILES = (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1)
LAGS = (1, 2, 3, 5, 8, 13)
N_SEGMENTS = 4
# The number of pairs grows as the square of the number of features.
MOST_FEATURES_IN_PAIRS = 16
# Added to deviations, as a share of those of the training set. Smaller deviations are taken for noise, and their
# logarithm has no lower bound.
NOISE = 0.03


def standardised_statistics(batch: Batch, center: np.ndarray, scale: np.ndarray, n_timesteps: int) -> np.ndarray:
    """Compute the statistics of sequences whose features are standardised first.

    Parameters
    ----------
    batch : Batch
        Sequences, as the network reads them.
    center, scale : float32 arrays of shape (n_features,)
        Mean and standard deviation of each feature of the training sequences.
    n_timesteps : int
        Length of the longest training sequence.

    Returns
    -------
    statistics : float32 array of shape (n_samples, n_statistics)
        Those of `sequence_statistics`, side by side. NaN for unknown ones.

    Examples
    --------
    >>> batch = Batch(np.ones((2, 3, 1), np.float32), np.ones((2, 3, 1), bool), np.array([3, 3]))
    >>> standardised_statistics(batch, np.float32([1]), np.float32([2]), n_timesteps=3)[:, 0]
    array([0., 0.], dtype=float32)
    """
    standardised = Batch((batch.values - center) / scale, batch.mask, batch.lengths)
    return np.concatenate(list(sequence_statistics(standardised, n_timesteps).values()), axis=1)


def count_statistics(n_timesteps: int, n_features: int) -> int:
    """Count the statistics of a sequence, without computing them.

    Examples
    --------
    >>> batch = Batch(np.ones((1, 24, 2), np.float32), np.ones((1, 24, 2), bool), np.array([24]))
    >>> count_statistics(24, 2), standardised_statistics(batch, np.float32(0), np.float32(1), 24).shape
    (51, (1, 51))
    """
    n_moments, n_octaves = 4, n_timesteps.bit_length() - 1
    n_lags = sum(lag < n_timesteps for lag in LAGS)
    n_pairs = count_pairs(n_features)
    return n_features * (n_moments + len(QUANTILES) + n_lags + n_octaves + N_SEGMENTS) + n_pairs


def summed_by_feature(values: np.ndarray, n_features: int) -> np.ndarray:
    """Add up values of statistics, feature by feature.

    Parameters
    ----------
    values : float array of shape (n_samples, n_statistics)
        A value for each of the statistics of `standardised_statistics`.
    n_features : int
        Features of the sequences.

    Returns
    -------
    sums : float array of shape (n_samples, n_features)
        Half of the value of a correlation counts for each of its two features.

    Examples
    --------
    >>> summed_by_feature(np.ones((1, count_statistics(24, 2))), 2)
    array([[25.5, 25.5]])
    """
    n_single = values.shape[1] - count_pairs(n_features)
    sums: np.ndarray = values[:, :n_single].reshape(len(values), -1, n_features).sum(axis=1)
    if n_single < values.shape[1]:
        pairs = np.stack(_pairs(n_features))
        for feature in range(n_features):
            sums[:, feature] += values[:, n_single:][:, (pairs == feature).any(axis=0)].sum(axis=1) / 2
    return sums


def count_pairs(n_features: int) -> int:
    """Count the pairs of features whose correlations are statistics."""
    return n_features * (n_features - 1) // 2 if n_features <= MOST_FEATURES_IN_PAIRS else 0


@np.errstate(all="ignore")
def sequence_statistics(batch: Batch, n_timesteps: int) -> dict[str, np.ndarray]:
    """Compute statistics of each feature of each sequence.

    - mean, log_deviation, absolute_deviation, skewness: of the known values. Deviations are from the mean. The skewness
      is squashed by tanh.
    - quantile_0 (the smallest value) to quantile_1 (the largest).
    - autocorrelation_1 to autocorrelation_13: mean product of standardised values that are 1 to 13 timesteps apart.
    - log_detail_1, 2, 4, ...: logarithm of the size of the differences between means over 1, 2, 4, ... timesteps and
      means over the same number of next ones: the Haar wavelet's share of each octave of frequencies.
    - mean_1 to mean_4: means of the quarters of the sequence.
    - correlation: of each pair of features, if there are at most 16.

    Parameters
    ----------
    batch : Batch
        Sequences whose features have mean 0 and deviation 1 over the training set.
    n_timesteps : int
        Length of the longest training sequence. Lags and octaves end below it.

    Returns
    -------
    statistics : dict of str to float32 array
        Of shape (n_samples, n_features), or (n_samples, n_pairs) for the correlations. NaN where a sequence has no
        known value, or none far enough apart.

    References
    ----------
    D. B. Percival, "On estimation of the wavelet variance" (1995).

    Examples
    --------
    >>> import numpy as np
    >>> values = np.float32([1, -1, 1, -1]).reshape(1, 4, 1)
    >>> statistics = sequence_statistics(Batch(values, np.ones(values.shape, bool), np.array([4])), n_timesteps=4)
    >>> float(statistics["mean"][0, 0]), float(statistics["quantile_1"][0, 0]), list(statistics)[-6:]
    (0.0, 1.0, ['log_detail_1', 'log_detail_2', 'mean_1', 'mean_2', 'mean_3', 'mean_4'])
    """
    # Time on the last axis: sums and sorts then run over neighbours in memory.
    values, mask = (np.ascontiguousarray(each.transpose(0, 2, 1)) for each in (batch.values, batch.mask))
    # One row stands for all if they are known at the same timesteps.
    if (mask == mask[:1, :1]).all():
        mask = mask[:1, :1]
    known = mask.astype(np.float32)
    counts = known.sum(axis=2)
    mean = _dot(values, known) / counts
    centred = (values - np.nan_to_num(mean)[:, :, np.newaxis]) * known
    deviation = np.sqrt(_dot(centred, centred) / counts)
    standard = centred * (1 / (deviation + NOISE))[:, :, np.newaxis]
    statistics = {
        "mean": mean,
        "log_deviation": np.log(deviation + NOISE),
        "absolute_deviation": np.abs(centred).sum(axis=2) / counts,
        "skewness": np.tanh(_dot(standard * standard, standard) / counts),
        **_quantiles(values, mask, counts),
    }
    for lag in LAGS:
        if lag < n_timesteps:
            products, n_pairs = (_dot(each[:, :, lag:], each[:, :, :-lag]) for each in (standard, known))
            statistics[f"autocorrelation_{lag}"] = products / n_pairs
    statistics.update(_log_details(centred, known, n_timesteps))
    statistics.update(_segment_means(values, known, batch.lengths))
    n_features = values.shape[1]
    if 1 < n_features <= MOST_FEATURES_IN_PAIRS:
        first, second = _pairs(n_features)
        products, n_pairs = (each @ each.transpose(0, 2, 1) for each in (standard, known))
        statistics["correlation"] = (products / n_pairs)[:, first, second]
    return statistics


@functools.cache
def _pairs(n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the first and of the second feature of each pair."""
    return np.triu_indices(n_features, 1)


def _quantiles(values: np.ndarray, mask: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    ordered = np.sort(np.where(mask, values, np.inf), axis=2)
    positions = np.maximum(np.round(np.multiply.outer(counts - 1, QUANTILES)).astype(int), 0)
    is_one_row = counts.size == 1
    quantiles = ordered[:, :, positions[0, 0]] if is_one_row else np.take_along_axis(ordered, positions, axis=2)
    quantiles = np.where((counts > 0)[:, :, np.newaxis], quantiles, np.nan)
    return {f"quantile_{share:g}": quantiles[:, :, number] for number, share in enumerate(QUANTILES)}


def _log_details(centred: np.ndarray, known: np.ndarray, n_timesteps: int) -> dict[str, np.ndarray]:
    details, width = {}, 1
    smooth, both = centred, known
    while 2 * width <= n_timesteps:
        n_pairs = smooth.shape[2] // 2
        first, second = smooth[:, :, : 2 * n_pairs : 2], smooth[:, :, 1 : 2 * n_pairs : 2]
        both = both[:, :, : 2 * n_pairs : 2] * both[:, :, 1 : 2 * n_pairs : 2]
        difference = (second - first) * both
        power = _dot(difference, difference) / both.sum(axis=2)
        details[f"log_detail_{width}"] = np.log(np.sqrt(power) + NOISE)
        smooth = (first + second) * both / 2
        width *= 2
    return details


def _segment_means(values: np.ndarray, known: np.ndarray, lengths: np.ndarray) -> dict[str, np.ndarray]:
    # One row stands for all if they are equally long.
    if (lengths == lengths[:1]).all():
        lengths = lengths[:1]
    segment = N_SEGMENTS * np.arange(values.shape[2]) // lengths[:, np.newaxis]
    members = (segment[:, :, np.newaxis] == np.arange(N_SEGMENTS)).astype(np.float32)
    means = ((values * known) @ members) / (known @ members)
    return {f"mean_{number + 1}": means[:, :, number] for number in range(N_SEGMENTS)}


def _dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    products: np.ndarray = np.einsum("nft,nft->nf", first, second)
    return products
