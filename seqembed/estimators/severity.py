"""How rare the scores of a detector are: in how many windows of normal data such a score comes once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqembed.estimators.detector import ReconstructionDetector
from seqembed.estimators.rarity import SHAPE, log_windows_between, supported_windows, windows_between


def severity(detector: ReconstructionDetector, scores: npt.ArrayLike) -> np.ndarray:
    """Estimate in how many windows of normal data a score as low as this comes once.

    Parameters
    ----------
    detector : ReconstructionDetector
        Fitted.
    scores : float array-like of shape (n_scores,)
        From `ReconstructionDetector.score_samples`.

    Returns
    -------
    windows : float array of shape (n_scores,)
        Finite, see `seqembed.estimators.rarity.supported_windows`.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed import LSTMReconstructor
    >>> X = np.random.default_rng(0).normal(size=(12, 5, 2))
    >>> detector = ReconstructionDetector(LSTMReconstructor(3, hidden_units=(), epochs=1)).fit(X)
    >>> severity(detector, np.sort(detector.heldout_scores_)[:2]).round(1)
    array([13. ,  6.5])
    """
    errors, heldout_errors = _errors(detector, scores)
    return supported_windows(log_windows_between(errors, heldout_errors), len(heldout_errors))


def normal_windows(detector: ReconstructionDetector, scores: npt.ArrayLike) -> np.ndarray:
    """Compute what `severity` does, also far beyond what the normal sequences support.

    Parameters
    ----------
    detector : ReconstructionDetector
        Fitted.
    scores : float array-like of shape (n_scores,)
        From `ReconstructionDetector.score_samples`.

    Returns
    -------
    windows : float array of shape (n_scores,)
        See `seqembed.estimators.rarity.windows_between`.
    """
    errors, heldout_errors = _errors(detector, scores)
    return windows_between(-errors, -heldout_errors)


def _errors(detector: ReconstructionDetector, scores: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return minus some scores, and minus the held-out ones, on a scale of errors."""
    return error_scale(-np.asarray(scores, float), detector), error_scale(-detector.heldout_scores_, detector)


def error_scale(errors: npt.ArrayLike, detector: ReconstructionDetector) -> np.ndarray:
    """Bring minus the scores of a detector with distances, which are numbers of sequences, to a scale of errors.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> error_scale([1.0, 1e6], SimpleNamespace(normal_descriptions_=None))
    array([1.e+00, 1.e+06])
    """
    scaled: np.ndarray = np.asarray(errors, float) ** (1.0 if detector.normal_descriptions_ is None else SHAPE)
    return scaled
