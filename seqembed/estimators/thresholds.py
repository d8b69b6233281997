"""Thresholds between normal and rare errors, from errors of sequences that the network has not seen."""

from __future__ import annotations

import numpy as np
from scipy.stats import genpareto

# The tail that is extended: so many of the largest errors, or this share of all if that is more.
_LEAST_TAIL, _SHARE_OF_TAIL = 10, 0.1
# A tail that was fitted to few errors may be longer than it looks: this part of one over their number is added to its
# shape. More of it flags too little of forty sequences, less too much of three hundred: `bench_false_alarms.py`.
_WIDENING = 0.5
_PARTS = 5


def exceeded_by_share(errors: np.ndarray, share: float) -> float:
    """Find the threshold that a new error of the same kind exceeds with a given probability.

    The k-th largest of n errors is exceeded by another one with a probability of k / (n + 1), whatever their
    distribution; between two of them the threshold is interpolated. Below 1 / (n + 1) no error is large enough: there
    the tail is extended by a generalised Pareto distribution.

    Parameters
    ----------
    errors : float array of shape (n_samples,)
        Of sequences that the network has not seen.
    share : float
        The probability. 0 gives the largest error.

    Returns
    -------
    threshold : float
        In the unit of the errors.

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
    n_tail = min(len(errors) - 1, max(_LEAST_TAIL, int(_SHARE_OF_TAIL * len(errors))))
    if n_tail < 1:
        return float(largest)
    start = np.sort(errors)[-n_tail - 1]
    shape, scale = _fitted_tail(errors[errors > start] - start)
    shape += _WIDENING / n_tail
    return float(max(largest, start + genpareto.isf(share * (len(errors) + 1) / n_tail, shape, scale=scale)))


def _fitted_tail(excesses: np.ndarray) -> tuple[float, float]:
    """Fit shape and scale by moments, which ten values suffice for; the bounds keep their variance finite."""
    if len(excesses) < 2 or not excesses.var():
        return 0.0, float(excesses.mean()) if len(excesses) else np.finfo(float).tiny
    ratio = excesses.mean() ** 2 / excesses.var(ddof=1)
    shape = float(np.clip((1 - ratio) / 2, -0.5, 0.4))
    return shape, float(excesses.mean() * (1 - shape))


def best_f1(normal: np.ndarray, rare: np.ndarray) -> float:
    """Find the threshold with the best F1 score between errors of normal and of rare sequences.

    Returns
    -------
    threshold : float
        Halfway between the two errors next to it. A sequence whose error exceeds it counts as rare.

    Examples
    --------
    >>> import numpy as np
    >>> best_f1(np.array([1.0, 2.0, 3.0]), np.array([5.0, 7.0]))
    4.0
    """
    # Only labels need scikit-learn's metrics, whose import a process that loads and predicts would wait for.
    from sklearn.metrics import precision_recall_curve

    errors = np.concatenate([normal, rare])
    is_rare = np.repeat([False, True], [len(normal), len(rare)])
    precision, recall, thresholds = precision_recall_curve(is_rare, errors)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    lowest_flagged = thresholds[f1[:-1].argmax()]
    below = errors[errors < lowest_flagged]
    return float((lowest_flagged + below.max()) / 2 if len(below) else np.nextafter(lowest_flagged, -np.inf))


def held_out_quality(normal: np.ndarray, rare: np.ndarray) -> dict[str, float]:
    """Measure precision and recall of `best_f1` on errors that the threshold was not chosen on.

    Returns
    -------
    quality : dict
        "precision" and "recall", of five parts of the errors, each judged by the threshold of the others; NaN for
        fewer than two rare sequences. The parts follow the order of the errors, since windows overlap with neighbours.

    Examples
    --------
    >>> import numpy as np
    >>> held_out_quality(np.arange(10.0), np.arange(20.0, 30.0))
    {'precision': 1.0, 'recall': 1.0}
    """
    from sklearn.metrics import precision_score, recall_score
    from sklearn.model_selection import StratifiedKFold

    n_parts = min(_PARTS, len(normal), len(rare))
    if n_parts < 2:
        return {"precision": np.nan, "recall": np.nan}
    errors = np.concatenate([normal, rare])
    is_rare = np.repeat([False, True], [len(normal), len(rare)])
    flagged = np.zeros(len(errors), bool)
    for chosen, judged in StratifiedKFold(n_parts).split(errors, is_rare):
        threshold = best_f1(errors[chosen][~is_rare[chosen]], errors[chosen][is_rare[chosen]])
        flagged[judged] = errors[judged] > threshold
    return {
        "precision": float(precision_score(is_rare, flagged, zero_division=0)),
        "recall": float(recall_score(is_rare, flagged)),
    }
