"""Rare events by reconstruction error, as a scikit-learn outlier detector."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin, _fit_context, clone
from sklearn.covariance import LedoitWolf
from sklearn.metrics import precision_recall_curve
from sklearn.utils import Bunch
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted

from seqembed.estimators.columns import check_columns, refuse_mixed_names, remember_columns
from seqembed.sequences.collection import Sequences, check_sequences, counted, with_feature_axis
from seqembed.sequences.containers import is_missing

# The median absolute deviation of a normal distribution is this part of its standard deviation.
_MAD_OF_NORMAL = 0.6744897501960817
# A feature that never varies has tiny residuals, which differ from one fitted network to the next. So many times the
# largest of them count as typical; a real change of the feature is far larger.
_MARGIN_OF_CONSTANTS = 10


class ReconstructionDetector(MetaEstimatorMixin, OutlierMixin, BaseEstimator):
    """Find the sequences that a network, trained on normal ones, can't reconstruct.

    1. The training sequences are divided into `cv` contiguous blocks. Each block is reconstructed by a clone of the
       estimator that was fitted on the others, since errors on the sequences that a network was fitted on are too small
       for a threshold. The blocks are contiguous because windows of one recording overlap.
    2. These residuals give the weights of the features and the threshold: the `contamination` quantile of the scores,
       or with labels the threshold of the best F1 score.
    3. The estimator that scores new sequences is fitted on all normal ones.

    Parameters
    ----------
    estimator : estimator
        `LSTMAutoencoder`, `LSTMReconstructor`, or any estimator with `fit` and `reconstruct`, for sequences of shape
        (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps). ``LSTMAutoencoder(augment=False,
        readout_weight=0)`` finds more than the default: a network that was trained on unvaried normal sequences
        reconstructs others worse.
    contamination : float, default=0.01
        Share of normal sequences that may be flagged: the share of false alarms to expect on clean data. With 0, a
        sequence is flagged if its score is below all those of the training data.
    weighting : {"robust", "mahalanobis"} or None, default="robust"
        How residuals of different features are weighted. "robust" divides each feature by its typical residual, so that
        a noisy feature does not outweigh the others. "mahalanobis" also uses their correlations (Malhotra et al.,
        2016). None leaves residuals in the units of the data.
    cv : int, default=3
        Number of blocks. With more blocks, each fit has more sequences to train on, but each block takes a fit.
    gap : int, default=0
        Sequences on either side of a block that are left out of the fit on the others. For overlapping windows, it
        should be the number of neighbours on one side that share rows with a window.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on all normal sequences.
    offset_ : float
        Score below which a sequence is flagged.
    heldout_scores_ : float array of shape (n_normal,)
        Held-out scores of the normal sequences. The threshold is computed from them.
    feature_scales_ : float array of shape (n_features,)
        Typical residual of each feature, in its units; ones if `weighting` is None.
    precision_ : float array of shape (n_features, n_features)
        Matrix of the quadratic form that squares residuals divided by `feature_scales_`: their inverse covariance with
        "mahalanobis", else the identity.
    input_ndim_ : int
        2 if fitted on (n_samples, n_timesteps), else 3.
    n_features_in_ : int
        Columns of a two-dimensional `X`, as scikit-learn counts them, and the number of features otherwise.
    feature_names_in_ : array of str
        Names of the columns of a data frame.

    Notes
    -----
    This is novelty detection in scikit-learn's terms: `fit` sees normal sequences (or labels), `predict` judges new
    ones.

    References
    ----------
    P. Malhotra et al., "LSTM-based encoder-decoder for multi-sensor anomaly detection" (2016).
    C. Ranjan, "Step-by-step understanding LSTM Autoencoder layers" (2019).

    Examples
    --------
    >>> from seqembed import LSTMAutoencoder, ReconstructionDetector
    >>> from seqembed.datasets import load_italy_power
    >>> X = load_italy_power().data[:200]
    >>> autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=5, random_state=0)
    >>> detector = ReconstructionDetector(autoencoder, contamination=0.05).fit(X[:150])
    >>> rare = X[150:152].copy()
    >>> rare[:, 12] = 10
    >>> detector.predict(rare)
    array([-1, -1])
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "reconstruct"])],
        "contamination": [Options(Real, {0}), Interval(Real, 0, 0.5, closed="right")],
        "weighting": [StrOptions({"robust", "mahalanobis"}), None],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "gap": [Interval(Integral, 0, None, closed="left")],
    }

    # scikit-learn's flag for detectors that judge new data only, like LocalOutlierFactor(novelty=True).
    novelty = True

    def __init__(self, estimator, *, contamination=0.01, weighting="robust", cv=3, gap=0):
        self.estimator = estimator
        self.contamination = contamination
        self.weighting = weighting
        self.cv = cv
        self.gap = gap

    # The estimator inside validates its own parameters.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Fit the network on normal sequences, and the threshold on sequences that it has not seen.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences. If they come from one recording, keep its order.
        y : array-like of shape (n_samples,), default=None
            Labels: -1 for rare and 1 for normal, as `predict` returns them, or 1 for rare and 0 for normal, or truth
            values. Integers that are all 1 mean that all are normal. Rare sequences are left out of training.
            The threshold then has the best F1 score between them and the held-out normal sequences. Other labels are
            ignored with a warning.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            For fewer normal sequences than `cv`, sequences of unequal lengths or with missing values, labels of another
            shape than (n_samples,) or with missing ones, and for input that the estimator refuses.
        TypeError
            For a data frame of which some column names are strings and others are not.
        """
        refuse_mixed_names(X)
        sequences = _checked_sequences(X, self)
        checked = np.asarray(sequences.in_input_layout())
        rare = _rare_mask(y, len(checked))
        normal = checked[~rare] if rare.any() else checked
        if len(normal) < self.cv:
            raise ValueError(
                f"Got {counted(len(normal), 'normal sequence')} (n_samples = {len(checked)}), expected at least "
                f"cv={self.cv}, one for each block. Pass more sequences or a smaller cv=."
            )
        heldout = np.empty(with_feature_axis(normal).shape)
        for block, others in _contiguous_blocks(len(normal), self.cv, self.gap):
            heldout[block] = _residuals(clone(self.estimator).fit(normal[others]), normal[block])
        values = with_feature_axis(normal)
        constant = values.max(axis=(0, 1)) == values.min(axis=(0, 1))
        feature_scales, precision = _weights_of(heldout, self.weighting, constant)
        heldout_scores = -_contributions(heldout, feature_scales, precision).sum(axis=(1, 2))
        estimator = clone(self.estimator).fit(normal)
        if rare.any():
            rare_scores = -_contributions(_residuals(estimator, checked[rare]), feature_scales, precision).sum((1, 2))
            offset = _best_offset(heldout_scores, rare_scores)
        else:
            offset = np.quantile(heldout_scores, self.contamination, method="lower")
        remember_columns(self, X, sequences)
        self.estimator_, self.offset_, self.heldout_scores_ = estimator, float(offset), heldout_scores
        self.feature_scales_, self.precision_, self.input_ndim_ = feature_scales, precision, checked.ndim
        return self

    @property
    def fit_predict(self):
        """Not available, as in ``LocalOutlierFactor(novelty=True)``: the network was fitted on these sequences.

        `heldout_scores_` has their scores from networks that were not fitted on them.
        """
        raise AttributeError(
            "fit_predict is not available: a network reconstructs the sequences that it was fitted on too well to "
            "judge them. Use fit(X).predict(X_new), or heldout_scores_ < offset_ for the normal sequences given to fit."
        )

    def score_samples(self, X):
        """Score sequences; a higher score means more normal.

        Parameters
        ----------
        X : array-like
            Sequences as given to `fit`.

        Returns
        -------
        scores : float array of shape (n_samples,)
            Minus the mean of the weighted squared residuals.

        Examples
        --------
        >>> import numpy as np
        >>> from seqembed import LSTMReconstructor
        >>> X = np.random.default_rng(0).normal(size=(12, 5, 2))
        >>> detector = ReconstructionDetector(LSTMReconstructor(3, hidden_units=(), epochs=1)).fit(X)
        >>> detector.score_samples(X).shape
        (12,)
        """
        return -self._contributions(X).sum(axis=(1, 2))

    def decision_function(self, X):
        """Score sequences relative to the threshold: negative for rare ones.

        Parameters
        ----------
        X : array-like
            Sequences as given to `fit`.

        Returns
        -------
        decisions : float array of shape (n_samples,)
            ``score_samples(X) - offset_``.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Tell rare sequences from normal ones.

        Parameters
        ----------
        X : array-like
            Sequences as given to `fit`.

        Returns
        -------
        labels : int array of shape (n_samples,)
            -1 for rare sequences, 1 for normal ones.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def explain(self, X):
        """Show which timesteps and which features made sequences stand out.

        Parameters
        ----------
        X : array-like
            Sequences as given to `fit`.

        Returns
        -------
        shares : Bunch
            `value` (n_samples, n_timesteps, n_features), and their sums `timestep` (n_samples, n_timesteps) and
            `feature` (n_samples, n_features). The values of a sequence add up to minus its score. With "mahalanobis",
            some can be negative.

        Examples
        --------
        >>> import numpy as np
        >>> from seqembed import LSTMReconstructor
        >>> X = np.random.default_rng(0).normal(size=(12, 5, 2))
        >>> detector = ReconstructionDetector(LSTMReconstructor(3, hidden_units=(), epochs=1)).fit(X)
        >>> X[0, 3, 1] = 50
        >>> shares = detector.explain(X)
        >>> int(shares.timestep[0].argmax()), int(shares.feature[0].argmax())
        (3, 1)
        """
        values = self._contributions(X)
        return Bunch(value=values, timestep=values.sum(axis=2), feature=values.sum(axis=1))

    def _contributions(self, X) -> np.ndarray:
        check_is_fitted(self)
        sequences = _checked_sequences(X, self)
        if sequences.ndim == self.input_ndim_:
            check_columns(self, X, sequences)
        residuals = _residuals(self.estimator_, np.asarray(sequences.in_input_layout()))
        return _contributions(residuals, self.feature_scales_, self.precision_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _rare_mask(y, n_samples: int) -> np.ndarray:
    if y is None:
        return np.zeros(n_samples, bool)
    y = np.asarray(y)
    if y.shape != (n_samples,):
        raise ValueError(
            f"Got y= of shape {y.shape} for {counted(n_samples, 'sequence')}, expected a label for each: pass an array "
            f"of shape ({n_samples},)."
        )
    missing = [position for position, label in enumerate(y.tolist()) if is_missing(label)]
    if missing:
        raise ValueError(
            f"Got y= without a label for sequence {missing[0]}, expected -1 (rare) or 1 (normal) for each. Leave out "
            f"the {counted(len(missing), 'sequence')} without one."
        )
    present = set(y.tolist())
    # Truth values can stand in an array of objects.
    if all(isinstance(label, bool) for label in present):
        return y.astype(bool)
    if present <= {-1, 1}:
        return y == -1
    if present <= {0, 1}:
        return y == 1
    warnings.warn(
        f"Got y= with {counted(len(present), 'different value')}, which is ignored: labels of rare events are -1 "
        f"(rare) and 1 (normal), or 1 (rare) and 0 (normal). Leave y out if there are none.",
        UserWarning,
        stacklevel=4,
    )
    return np.zeros(n_samples, bool)


def _contiguous_blocks(n_samples: int, n_blocks: int, gap: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows of each block, and the rows that are more than `gap` away from it."""
    rows = np.arange(n_samples)
    for block in np.array_split(rows, n_blocks):
        others = rows[(rows < block[0] - gap) | (rows > block[-1] + gap)]
        if not len(others):
            raise ValueError(
                f"Got gap={gap} and cv={n_blocks} for {counted(n_samples, 'normal sequence')}, which leaves no "
                f"sequence to fit on for one block. Use a smaller gap=."
            )
        yield block, others


def _residuals(estimator, X: np.ndarray) -> np.ndarray:
    reconstruction = np.asarray(estimator.reconstruct(X), dtype=np.float64)
    return with_feature_axis(reconstruction) - with_feature_axis(X)


def _checked_sequences(X, detector: ReconstructionDetector) -> Sequences:
    sequences = check_sequences(X, estimator=detector)
    if not sequences.one_length:
        raise ValueError(
            f"Got sequences of {sequences.lengths.min()} to {sequences.n_timesteps} timesteps: ReconstructionDetector "
            f"takes sequences of one length. Cut them with sliding_windows(X, timesteps={sequences.lengths.min()})."
        )
    if not sequences.complete:
        raise ValueError(
            "Input X contains NaN: ReconstructionDetector judges every value. Fill missing ones in, for instance with "
            "LSTMAutoencoder().fit(X).reconstruct(X)."
        )
    return sequences


def _weights_of(residuals: np.ndarray, weighting: str | None, constant: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n_features = residuals.shape[2]
    flat = residuals.reshape(-1, n_features)
    scales, precision = np.ones(n_features), np.eye(n_features)
    if weighting is not None:
        scales = np.median(np.abs(flat), axis=0) / _MAD_OF_NORMAL
        # The median residual of a feature can be zero, if most of it is reconstructed without error.
        scales = np.where(scales > 0, scales, flat.std(axis=0))
        scales = np.where(constant, _MARGIN_OF_CONSTANTS * np.abs(flat).max(axis=0), scales)
        scales = np.where(scales > 0, scales, 1)
    if weighting == "mahalanobis":
        # Shrinkage makes variances more alike, which is right only for features of one scale.
        precision = LedoitWolf(assume_centered=True).fit(flat / scales).precision_
    return scales, precision


def _contributions(residuals: np.ndarray, scales: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Compute the share of each value in the weighted mean squared residual of its sequence."""
    weighted = residuals / scales
    return weighted * (weighted @ precision) / (residuals.shape[1] * residuals.shape[2])


def _best_offset(normal_scores: np.ndarray, rare_scores: np.ndarray) -> float:
    """Find the threshold with the best F1 score, halfway between the two scores next to it."""
    scores = np.concatenate([normal_scores, rare_scores])
    is_rare = np.repeat([False, True], [len(normal_scores), len(rare_scores)])
    precision, recall, thresholds = precision_recall_curve(is_rare, -scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    highest_flagged = -thresholds[f1[:-1].argmax()]
    above = scores[scores > highest_flagged]
    return (highest_flagged + above.min()) / 2 if len(above) else np.nextafter(highest_flagged, np.inf)
