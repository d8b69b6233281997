"""Thresholds between normal and rare errors, from errors of sequences that the network was not fitted on."""

from __future__ import annotations

import numpy as np
from scipy.stats import genpareto

from seqembed.estimators.tail import tail_size

# Added to the fitted shape, divided by the number of excesses: a small sample underestimates the tail. 0.5 was the best
# of those tried on 40 and 300 sequences: `bench_false_alarms.py`.
_WIDENING = 0.5
# Parts of the errors for `held_out_quality`.
_N_PARTS = 5


def exceeded_by_share(errors: np.ndarray, share: float) -> float:
    """Find the threshold that a new error of the same kind exceeds with a given probability.

    The k-th largest of n errors is exceeded by another one with a probability of k / (n + 1), whatever their
    distribution. Between two of them, the threshold is interpolated. For a probability below 1 / (n + 1), no error is
    large enough, and a generalised Pareto distribution extends the tail.

    Parameters
    ----------
    errors : float array of shape (n_samples,)
        Errors of sequences that the network was not fitted on.
    share : float
        The probability. 0 gives the largest error.

    Returns
    -------
    threshold : float
        Errors above it count as rare.

    References
    ----------
    V. Vovk et al., "Algorithmic learning in a random world" (2005), chapter 2.
    A. Siffer et al., "Anomaly detection in streams with extreme value theory" (2017).

    Examples
    --------
    >>> import numpy as np
    >>> errors = np.arange(1.0, 100.0)
    >>> exceeded_by_share(errors, 0.05), exceeded_by_share(errors, 0.001) > 99
    (95.0, True)
    """
    largest = errors.max()
    if share == 0:
        return float(largest)
    if share * (len(errors) + 1) >= 1:
        return float(np.quantile(errors, 1 - share, method="weibull"))
    n_tail = min(len(errors) - 1, tail_size(len(errors)))
    if n_tail < 1:
        return float(largest)
    start = np.sort(errors)[-n_tail - 1]
    shape, scale = _fitted_tail(errors[errors > start] - start)
    shape += _WIDENING / n_tail
    return float(max(largest, start + genpareto.isf(share * (len(errors) + 1) / n_tail, shape, scale=scale)))


def _fitted_tail(excesses: np.ndarray) -> tuple[float, float]:
    """Fit shape and scale by the method of moments, for which ten values are enough.

    The bounds of the shape keep the moments finite.
    """
    if len(excesses) < 2 or not excesses.var():
        return 0.0, float(excesses.mean()) if len(excesses) else np.finfo(float).tiny
    ratio = excesses.mean() ** 2 / excesses.var(ddof=1)
    shape = float(np.clip((1 - ratio) / 2, -0.5, 0.4))
    return shape, float(excesses.mean() * (1 - shape))


def best_f1(normal: np.ndarray, rare: np.ndarray) -> float:
    """Find the threshold with the best F1 score between errors of normal and of rare sequences.

    Parameters
    ----------
    normal, rare : float arrays of shape (n_normal,) and (n_rare,)
        Errors of sequences that the network was not fitted on.

    Returns
    -------
    threshold : float
        Halfway between the logarithms of two neighbouring errors: their geometric mean. A sequence whose error exceeds
        it counts as rare.

    Examples
    --------
    >>> import numpy as np
    >>> best_f1(np.array([1.0, 2.0, 4.0]), np.array([9.0, 50.0]))
    6.0
    """
    # Imported here, because only labels need it: it would slow the start of a process that loads and predicts.
    from sklearn.metrics import precision_recall_curve

    errors = np.concatenate([normal, rare])
    is_rare = np.repeat([False, True], [len(normal), len(rare)])
    precision, recall, thresholds = precision_recall_curve(is_rare, errors)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    lowest_flagged = thresholds[f1[:-1].argmax()]
    just_below = np.nextafter(lowest_flagged, -np.inf)
    below = errors[errors < lowest_flagged]
    return float(min(_halfway(below.max(), lowest_flagged), just_below) if len(below) else just_below)


def _halfway(low: float, high: float) -> float:
    """Return the geometric mean, or the arithmetic one where an error is not positive.

    Errors of normal and of extreme sequences differ by powers of ten. Halfway between them as they are would be half of
    the extreme one: what is clearly rare, but less than the labelled sequences, would count as normal.
    """
    # Roots first: a product of large errors could exceed the range of float64.
    return float(np.sqrt(low) * np.sqrt(high)) if low > 0 else (low + high) / 2


def held_out_quality(normal: np.ndarray, rare: np.ndarray) -> dict[str, float]:
    """Measure precision and recall of `best_f1` on errors that were not used to choose the threshold.

    The errors are divided into five parts. For each part, the threshold is chosen on the others. The parts are
    contiguous, because neighbouring windows overlap.

    Parameters
    ----------
    normal, rare : float arrays of shape (n_normal,) and (n_rare,)
        Errors of sequences that the network was not fitted on.

    Returns
    -------
    quality : dict of str to float
        "precision" and "recall". NaN for fewer than two rare or two normal sequences.

    Examples
    --------
    >>> import numpy as np
    >>> held_out_quality(np.arange(10.0), np.arange(20.0, 30.0))
    {'precision': 1.0, 'recall': 1.0}
    """
    from sklearn.metrics import precision_score, recall_score
    from sklearn.model_selection import StratifiedKFold

    n_parts = min(_N_PARTS, len(normal), len(rare))
    if n_parts < 2:
        return {"precision": np.nan, "recall": np.nan}
    errors = np.concatenate([normal, rare])
    is_rare = np.repeat([False, True], [len(normal), len(rare)])
    flagged = np.zeros(len(errors), bool)
    for others, part in StratifiedKFold(n_parts).split(errors, is_rare):
        threshold = best_f1(errors[others][~is_rare[others]], errors[others][is_rare[others]])
        flagged[part] = errors[part] > threshold
    # Something is flagged: the threshold of the part that holds the largest error lies below it.
    return {"precision": float(precision_score(is_rare, flagged)), "recall": float(recall_score(is_rare, flagged))}
