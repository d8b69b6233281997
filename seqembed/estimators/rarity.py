"""How rarely normal windows reach a score, from the held-out scores of a detector."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqembed.estimators.tail import tail_size

# Shape of the generalised Pareto distribution of the tail. A few dozen errors tell the scale of a tail, not its shape.
# With this one, what comes once in 10,000 windows was estimated as once in 1,500 to 20,000 from 200 and 1,000 held-out
# errors, means of squares of normal, of lognormal and of Student's t residuals. The exponential tail, of shape 0, was
# off by a factor of 50 for Student's t. So numbers of windows grow as the power 1 / 0.15 of errors.
SHAPE = 0.15
# Errors that exceed others by less, relative to them, are equal: they differ by the rounding of float32.
_ROUNDING = 1e-5
# Times the number of held-out errors: once in 10,000 from 200 of them was looked at, see above, and nothing rarer.
_SUPPORTED = 50
# Kinds that are errors of a reconstruction, by a network and by principal components. The others are distances from the
# nearest normal sequences.
ERRORS = (0, 3)
# An error that is farther above all held-out ones, in logarithms, is no rarer.
_LARGEST_EXCESS = 200
_TINY = float(np.finfo(np.float64).tiny)
# Its exponential, and sums of it, are finite.
_LARGEST_LOGARITHM = 300.0


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
        At least 1, and the larger, the lower the score. See `supported_windows` for how far they can be trusted.

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
    with np.errstate(over="ignore"):
        windows: np.ndarray = np.exp(log_windows_between(-np.asarray(scores, float), -heldout_scores))
    return windows


def supported_windows(logarithms: np.ndarray, n_normal: int) -> np.ndarray:
    """Let numbers of windows grow by their logarithm alone beyond fifty times the number of normal sequences.

    A few hundred normal sequences don't tell what comes once in 1e16 of them. Beyond the limit, such a number says that
    a score is rarer than that, and which of two scores is rarer.

    Parameters
    ----------
    logarithms : float array of shape (n_scores,)
        From `log_windows_between`: float64 can't hold the numbers of all scores.
    n_normal : int
        Number of held-out scores.

    Returns
    -------
    windows : float array of shape (n_scores,)
        In the same order, and the same numbers up to the limit.

    Examples
    --------
    >>> supported_windows(np.log([2.0, 1e4, 1e16, 1e17]), n_normal=100).round()
    array([2.00000e+00, 8.46600e+03, 1.46621e+05, 1.58134e+05])
    """
    limit = np.log(_SUPPORTED * n_normal)
    supported: np.ndarray = np.exp(np.minimum(logarithms, limit)) * (1 + np.maximum(logarithms - limit, 0))
    return supported


def error_reached_once(n_windows: float, heldout_errors: np.ndarray) -> float:
    """Return the error that `windows_between` says is reached once in so many windows of normal data.

    Parameters
    ----------
    n_windows : float
        More than there are held-out errors.
    heldout_errors : float array of shape (n_normal,)
        Errors of held-out normal sequences.

    Returns
    -------
    error : float
        At least the largest of them.

    Examples
    --------
    >>> heldout_errors = np.arange(1.0, 100.0)
    >>> error = error_reached_once(2400, heldout_errors)
    >>> round(error, 1), windows_between([-error], -heldout_errors).round()
    (120.1, array([2400.]))
    """
    start, scale, largest = _tail(np.sort(heldout_errors))
    steps = (n_windows / (len(heldout_errors) + 1)) ** SHAPE
    # As far beyond the largest one as `log_windows_between` counts.
    return float(max(largest, start + ((scale + SHAPE * (largest - start)) * steps - scale) / SHAPE))


def log_windows_between(errors: np.ndarray, heldout_errors: np.ndarray) -> np.ndarray:
    """Compute the logarithm of `windows_between` for errors, which are large where scores are low.

    Parameters
    ----------
    errors : float array of shape (n_errors,)
        Errors, or distances.
    heldout_errors : float array of shape (n_normal,)
        Those of held-out normal sequences. NaN for unknown ones.

    Returns
    -------
    logarithms : float array of shape (n_errors,)
        At least 0. NaN if none is known.
    """
    known = np.sort(heldout_errors[~np.isnan(heldout_errors)])
    if not len(known):
        return np.full(len(errors), np.nan)
    n_known = len(known)
    start, scale, largest = _tail(known)
    # Equal errors are all reached.
    distinct, first = np.unique(known, return_index=True)
    windows = 1 / np.interp(errors, distinct, (n_known - first) / (n_known + 1))
    windows = np.where(errors > largest + _ROUNDING * abs(largest), n_known + 1, windows)
    # From the largest held-out error on, the tail is continued: it is relative to the tail at that error.
    steps = (scale + SHAPE * (np.maximum(errors, largest) - start)) / (scale + SHAPE * (largest - start))
    logarithms: np.ndarray = np.log(windows) + np.log(steps) / SHAPE
    return logarithms


def _tail(errors: np.ndarray) -> tuple[float, float, float]:
    """Return the start and the scale of the tail of some errors in ascending order, and the largest of them."""
    n_tail = min(len(errors), tail_size(len(errors)))
    start, largest = float(errors[-n_tail]), float(errors[-1])
    # Errors that are all alike tell no scale. Those of sensors that all stand still are 0.
    scale = (1 - SHAPE) * float(np.mean(errors[-n_tail:] - start)) or abs(largest) or 1.0
    return start, scale, largest


def log_rarities(errors: np.ndarray, heldout_errors: np.ndarray) -> np.ndarray:
    """Compute `log_windows_between` for errors of several kinds.

    Parameters
    ----------
    errors : float array of shape (n_samples, n_kinds)
        Errors, or distances. NaN for unknown ones.
    heldout_errors : float array of shape (n_normal, n_kinds)
        Those of held-out normal sequences.

    Returns
    -------
    logarithms : float array of shape (n_samples, n_kinds)
        At least 0. NaN for unknown ones.
    """
    kinds = range(errors.shape[1])
    return np.stack([log_windows_between(errors[:, kind], heldout_errors[:, kind]) for kind in kinds], axis=1)


def weighted_logarithms(logarithms: np.ndarray) -> np.ndarray:
    """Weigh the rarities of several kinds: those of errors together as much as those of distances together.

    Distances are larger where normal data change, while a network may still reconstruct them.

    Parameters
    ----------
    logarithms : float array of shape (n_samples, n_kinds)
        As of `log_rarities`. Those that are NaN are left out: others of errors, or of distances, take their place.

    Returns
    -------
    weighted : float array of shape (n_samples, n_kinds)
        0 for those that are left out.

    Examples
    --------
    >>> weighted_logarithms(np.array([[4.0, 8.0, 8.0, 2.0], [4.0, 8.0, 8.0, np.nan]]))
    array([[1. , 2. , 2. , 0.5],
           [2. , 2. , 2. , 0. ]])
    """
    known = ~np.isnan(logarithms)
    is_error = np.isin(np.arange(known.shape[1]), ERRORS)
    weights = np.zeros(known.shape)
    for group in (is_error, ~is_error):
        weights[:, group] = known[:, group] / np.maximum(known[:, group].sum(axis=1, keepdims=True), 1)
    weights /= weights.sum(axis=1, keepdims=True)
    weighted: np.ndarray = np.nan_to_num(logarithms, nan=0, posinf=np.inf) * weights
    return weighted


def joint_rarity(weighted: np.ndarray) -> np.ndarray:
    """Join errors of several kinds by the geometric mean of how rarely normal sequences reach each of them.

    A product of these numbers is one over the product of p-values, which Fisher's method joins.

    Parameters
    ----------
    weighted : float array of shape (n_samples, n_kinds)
        From `weighted_logarithms`.

    Returns
    -------
    rarities : float array of shape (n_samples,)
        At least 1.

    References
    ----------
    R. A. Fisher, "Statistical methods for research workers" (1925).

    Examples
    --------
    >>> heldout_errors = np.tile(np.arange(1.0, 100.0), (2, 1)).T
    >>> errors = np.array([[50, 50], [99, 50], [50, 99], [99, 99]])
    >>> joint_rarity(weighted_logarithms(log_rarities(errors, heldout_errors))).round(6)
    array([  2.      ,  14.142136,  14.142136, 100.      ])
    """
    rarities: np.ndarray = np.exp(np.minimum(weighted.sum(axis=1), _LARGEST_LOGARITHM))
    return rarities


def comparable_rarity(logarithms: np.ndarray, heldout_errors: np.ndarray) -> np.ndarray:
    """Compute `joint_rarity`, with that of sequences without an error of components on the scale of the others.

    The mean of more kinds varies less: with the same threshold, too many of these sequences would be flagged. They get
    the rarity that held-out sequences reach as often as these reach theirs without components.

    Parameters
    ----------
    logarithms : float array of shape (n_samples, n_kinds)
        As of `log_rarities`.
    heldout_errors : float array of shape (n_normal, n_kinds)
        Errors of held-out normal sequences.

    Returns
    -------
    rarities : float array of shape (n_samples,)
        At least 1.

    Examples
    --------
    >>> heldout_errors = np.random.default_rng(0).exponential(size=(99, 4))
    >>> logarithms = np.log([[20.0, 20.0, 20.0, 20.0], [20.0, 20.0, 20.0, np.nan]])
    >>> comparable_rarity(logarithms, heldout_errors).round(1)
    array([20. , 12.1])
    """
    rarities = joint_rarity(weighted_logarithms(logarithms))
    unknown = np.isnan(logarithms)
    lacking = np.flatnonzero(unknown[:, -1] & ~unknown[:, :-1].any(axis=1))
    if not len(lacking):
        return rarities
    of_complete = heldout_logarithms(heldout_errors)
    of_complete = of_complete[~np.isnan(of_complete).any(axis=1)]
    if len(of_complete):
        joint = np.sort(joint_rarity(weighted_logarithms(of_complete)))
        of_complete[:, -1] = np.nan
        without = np.sort(np.log(joint_rarity(weighted_logarithms(of_complete))))
        for sample in lacking:
            rarities[sample] = same_rank(np.log(rarities[sample]), without, joint)
    return rarities


def heldout_rarity(heldout_errors: np.ndarray) -> np.ndarray:
    """Compute `comparable_rarity` of held-out sequences as if they were new.

    Parameters
    ----------
    heldout_errors : float array of shape (n_normal, n_kinds)
        Errors of held-out normal sequences.

    Returns
    -------
    rarities : float array of shape (n_normal,)
        At least 1.

    Examples
    --------
    >>> heldout_rarity(np.arange(1.0, 100.0)[:, np.newaxis])[-3:].round(1)
    array([ 33.3,  50. , 119.8])
    """
    return comparable_rarity(heldout_logarithms(heldout_errors), heldout_errors)


def heldout_logarithms(heldout_errors: np.ndarray) -> np.ndarray:
    """Compute `log_rarities` of held-out sequences as if they were new.

    A new error can exceed all held-out ones. So the largest of each kind is compared with the others alone.

    Parameters
    ----------
    heldout_errors : float array of shape (n_normal, n_kinds)
        Errors of held-out normal sequences.

    Returns
    -------
    logarithms : float array of shape (n_normal, n_kinds)
        See `log_rarities`.
    """
    logarithms = log_rarities(heldout_errors, heldout_errors)
    for kind, errors in enumerate(heldout_errors.T):
        largest = np.nan_to_num(errors, nan=-np.inf).argmax()
        others = np.delete(errors, largest)
        if len(others):
            logarithms[largest, kind] = log_windows_between(errors[largest : largest + 1], others)[0]
    return logarithms


def same_rank(logarithm: float, logarithms: np.ndarray, errors: np.ndarray) -> float:
    """Return the error that is exceeded as often as this one.

    Parameters
    ----------
    logarithm : float
        Logarithm of an error.
    logarithms : float array of shape (n_similar,)
        Those of its kind, in ascending order.
    errors : float array of shape (n_errors,)
        Errors of the kind of the result, in ascending order.

    Returns
    -------
    error : float
        Above all of its kind, it is above all of the others, by as much.

    Examples
    --------
    >>> same_rank(np.log(3.0), np.log([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0]))
    30.0
    """
    places = (np.arange(len(logarithms)) + 0.5) / len(logarithms) * len(errors) - 0.5
    error = float(np.interp(np.interp(logarithm, logarithms, places), np.arange(len(errors)), errors))
    # Above all similar ones, by as much as it exceeds the largest of them.
    farther = max(0.0, min(logarithm - float(logarithms[-1]), _LARGEST_EXCESS))
    return max(error, _TINY) * float(np.exp(farther)) if farther else error
