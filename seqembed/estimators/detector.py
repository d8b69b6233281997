"""Rare events by reconstruction error and by distance from normal sequences, as a scikit-learn outlier detector."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, NoReturn, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin
from sklearn.utils import Bunch, Tags
from sklearn.utils.validation import check_is_fitted

from seqembed.estimators.cross_fitting import cross_fit, default_estimator
from seqembed.estimators.distances import (
    Distances,
    NormalDescriptions,
    learn_normal_descriptions,
    no_distances,
)
from seqembed.estimators.file_checks import check_detector_attributes
from seqembed.estimators.missing_patterns import MissingPatterns, learn_missing_patterns
from seqembed.estimators.rarity import SHAPE, error_reached_once, heldout_rarity
from seqembed.estimators.reconstruction import feature_means
from seqembed.estimators.residuals import ResidualWeights, learn_weights
from seqembed.estimators.saving import SavableMixin, savable
from seqembed.estimators.scoring import Scored, Scoring, scored_at_once
from seqembed.estimators.thresholds import best_f1, exceeded_by_share, held_out_quality
from seqembed.fitted_attributes import replace_attributes
from seqembed.inference.inputs import check_fitted_input
from seqembed.inference.model import Layout
from seqembed.sequences.collection import Sequences, check_sequences
from seqembed.sequences.columns import column_attributes
from seqembed.sequences.containers import SequencesLike, is_frame
from seqembed.sequences.hints import layout_hints
from seqembed.sequences.labels import rare_and_unlabelled
from seqembed.sequences.wording import counted
from seqembed.sklearn_private import HasMethods, Interval, Options, StrOptions, fit_context
from seqembed.training.workers import refuse_workers
from seqembed.user_warning import warn_user

# Below this part of one over the number of held-out scores and one, a share lies far beyond all of them.
_FAR_BEYOND = 0.1


@savable
class ReconstructionDetector(SavableMixin, MetaEstimatorMixin, OutlierMixin, BaseEstimator):
    """Find the sequences that a network, trained on normal ones, can't reconstruct, or that are unlike all of them.

    1. The normal training sequences are divided into `cv` contiguous blocks. For each block, a clone of the estimator
       is fitted on the other blocks. The blocks are contiguous because windows of one recording overlap.
    2. Each network reconstructs the block that it was not fitted on, because errors on fitted sequences are too small
       for a threshold. These residuals give the weights of the features. A feature that never varies, such as the flag
       of an alarm, is compared with its only value: any other one is a rare event.
    3. A network reconstructs some rare sequences well, such as those of a sensor that sticks. So sequences are also
       compared with normal ones in a description: by statistics, and by the shares of timesteps at which fixed
       convolutions exceed thresholds, as `SequenceSummary` computes them. Each distance is the mean of those to the
       three nearest normal sequences. A third one is what 16 principal components leave over of a complete sequence.
       Sequences of a block are compared with other blocks. If `gap` says that sequences overlap, half a block on either
       side is left out too: a recording changes slowly, and new windows have no such neighbours among the fitted ones.
    4. The error and the three distances become numbers of one kind: among how many held-out normal sequences there is
       one such error. The score is minus their geometric mean.
    5. The threshold is the score that a share of `contamination` of held-out normal sequences is below or, with labels,
       the threshold of the best F1 score, halfway between the logarithms of a normal and of a rare score.
    6. All networks reconstruct a new sequence, which none of them was fitted on. So the threshold holds for it, even if
       the networks are trained too little or too much. The error is that of rank n / 2 + 1 of the n networks, the
       smallest error first. Between two ranks, it is the mean: for five networks, that of the 3rd and the 4th smallest
       error. The mean of all errors would exceed the threshold more rarely than the error of one network, from which
       the threshold is computed. (For two networks it is the mean of both errors, which flags a little less than
       `contamination`.) The distances are chosen in the same way: each is that from all blocks but one.

    Parameters
    ----------
    estimator : estimator, default=None
        `LSTMAutoencoder`, `LSTMReconstructor`, or any estimator with `fit` and `reconstruct`, for sequences of shape
        (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps). None is an `LSTMAutoencoder` with eight
        components for each feature, at most 64, twice as many hidden units, at least 32, and ``readout_weight=0``. A
        small bottleneck can hold normal sequences and little else, and the embedding is not used. If `augment` is
        "auto", training sequences are not varied, and "auto" is 0 for `context_size` and `shortcut_size`: the network
        then reconstructs rare sequences worse. If `epochs` is "auto", all networks together make at most as many
        updates as 2.2 fits on all normal sequences.
    contamination : float, default=0.01
        Share of normal sequences that may be flagged: the share of false alarms to expect on clean data. Below
        1 / (number of normal sequences + 1), which is .001 for 999 of them, the threshold is an estimate of the tail,
        see `seqembed.estimators.thresholds`. Below a tenth of that, unless ``distances=False``, it is the score that
        comes once in 1 / `contamination` normal sequences, see `seqembed.estimators.rarity`. With 0, a sequence is
        flagged if its score is below all held-out scores of the training data. ``set_params(contamination=...)`` after
        `fit` moves the threshold, without another fit. `seqembed.alarm_rate` tells how many alarms a day a share means.
    weighting : {"robust", "mahalanobis"} or None, default="robust"
        How residuals of different features are weighted. "robust" divides each feature by its typical residual, so that
        a noisy feature does not outweigh the others. "mahalanobis" also uses their correlations (Malhotra et al.,
        2016). None leaves residuals in the units of the data.
    distances : bool, default=True
        Whether distances count. With False, the score is minus the weighted mean squared residual. Distances find what
        a network reconstructs well. They raise false alarms where new normal sequences are unlike the fitted ones in
        ways that a network has learned to reconstruct.
    cv : int, default=5
        Number of blocks, and of networks. With more blocks, each network is fitted on more of the normal sequences. If
        `epochs` is "auto", it is fitted in fewer epochs: from three networks on, `fit` takes about twice as long as the
        fit of one network. With a fixed number of epochs, it takes ``cv - 1`` times as long.
    gap : int, default=0
        Sequences on either side of a block that are left out of the fit on the other blocks. For overlapping windows,
        pass the number of neighbours on one side that share rows with a window. Distances leave out half a block.
    unlabelled : {"normal", "ignore"} or None, default=None
        What sequences without a label are (NaN or None in `y`): taken as normal, or left out. None refuses them. Rare
        ones that are taken as normal raise the threshold.
    random_state : int, RandomState instance or None, default=None
        Passed to the estimator if its own `random_state` is None. With an int, results repeat on the same machine.
    verbose : int, default=0
        1 shows a progress bar over the networks.

    Attributes
    ----------
    estimators_ : list of estimators
        A network for each block, fitted on the others.
    offset_ : float
        Score below which a sequence is flagged. It is the threshold that `fit` chose. If `contamination` has changed
        since, it is the one that this share of `heldout_scores_` gives, also after a fit with labels. It can be set to
        another score, which holds until `contamination` changes.
    heldout_scores_ : float array of shape (n_normal,)
        Held-out scores of the normal sequences. The threshold is computed from them.
    report_ : dict of str to float
        With labels of rare events: "precision" and "recall", on sequences that were used neither to fit the networks
        nor to choose the threshold, see `seqembed.estimators.thresholds.held_out_quality`. Empty without labels.
    feature_scales_ : float array of shape (n_features,)
        Typical residual of each feature, in its units. Ones if `weighting` is None. .0001 for features of `constants_`,
        whose residuals are relative deviations from the constant.
    feature_means_ : float array of shape (n_features,)
        Means of the normal sequences. An estimator that takes no missing values gets them for a feature that has no
        value in a sequence.
    constants_ : float array of shape (n_features,) or None
        The value of each feature that has only one in the normal sequences, such as the flag of an alarm. Any other
        value is a rare event. NaN for the others. None if there is no such feature, or if `weighting` is None.
    precision_ : float array of shape (n_features, n_features)
        Matrix of the quadratic form that squares the residuals, which are first divided by `feature_scales_`. With
        "mahalanobis" it is their inverse covariance, else the identity.
    length_exponent_ : float
        Held-out errors grow as this power of the number of timesteps. Errors are divided by this power of the length
        relative to `n_timesteps_`, so that scores of short and of long sequences compare. It lies between -1 and 1. It
        is 0 for sequences of one length, and if the trend is less than three of its standard errors.
    heldout_errors_ : float array of shape (n_normal, 4)
        Held-out errors of the normal sequences, and their distances by statistics, by convolutions and from principal
        components, which are NaN for sequences with missing values. Errors alone, of shape (n_normal, 1), with
        ``distances=False``.
    missing_patterns_ : seqembed.estimators.missing_patterns.MissingPatterns
        How large errors of normal sequences are where values are missing.
    normal_descriptions_ : seqembed.estimators.distances.NormalDescriptions or None
        Descriptions of normal sequences, at most 2,048 of them. None with ``distances=False``.
    n_timesteps_ : int
        Length of the longest training sequence.
    input_ndim_ : int
        2 if fitted on (n_samples, n_timesteps), else 3.
    n_features_in_ : int
        Columns of a two-dimensional `X`, as scikit-learn counts them, and the number of features otherwise.
    feature_names_in_ : array of str
        Names of the columns of a data frame.

    Notes
    -----
    This is novelty detection in scikit-learn's terms: `fit` gets normal sequences (or labels), and `predict` gets new
    ones. Where values are missing (NaN), the score is that of a complete sequence that is as rare as the known values
    are among those of held-out sequences with similar holes. They are judged without principal components, which need
    all values.

    References
    ----------
    P. Malhotra et al., "LSTM-based encoder-decoder for multi-sensor anomaly detection" (2016).
    C. Ranjan, "Step-by-step understanding LSTM Autoencoder layers" (2019).
    R. F. Barber et al., "Predictive inference with the jackknife+" (2021), for the threshold and the scores of new
    sequences from networks that were each fitted without a part of the data.

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

    Half as many alarms, without another fit:

    >>> threshold = detector.offset_
    >>> detector.set_params(contamination=0.025).offset_ < threshold
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "reconstruct"]), None],
        "contamination": [Options(Real, {0}), Interval(Real, 0, 0.5, closed="right")],
        "weighting": [StrOptions({"robust", "mahalanobis"}), None],
        "distances": ["boolean"],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "gap": [Interval(Integral, 0, None, closed="left")],
        "unlabelled": [StrOptions({"normal", "ignore"}), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # scikit-learn's flag for detectors that judge new data only, like LocalOutlierFactor(novelty=True).
    novelty = True

    def __init__(
        self,
        estimator: BaseEstimator | None = None,
        *,
        contamination: float = 0.01,
        weighting: str | None = "robust",
        distances: bool = True,
        cv: int = 5,
        gap: int = 0,
        unlabelled: str | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.contamination = contamination
        self.weighting = weighting
        self.distances = distances
        self.cv = cv
        self.gap = gap
        self.unlabelled = unlabelled
        self.random_state = random_state
        self.verbose = verbose

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also of the estimator inside, such as ``estimator__n_components``.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : object
            The detector.

        Raises
        ------
        ValueError
            For names that no parameter has, and for parameters of the estimator inside if it is None: each fit then
            makes one.
        """
        of_estimator = [name for name in params if name.startswith("estimator__")]
        if of_estimator and params.get("estimator", self.estimator) is None:
            raise ValueError(
                f"Got {of_estimator[0]}= for a detector with estimator=None, expected an estimator that has this "
                f"parameter. Begin with ReconstructionDetector(LSTMAutoencoder(readout_weight=0))."
            )
        super().set_params(**params)
        return self

    # The estimator inside validates its own parameters.
    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: SequencesLike,
        y: npt.ArrayLike | None = None,
        *,
        lengths: npt.ArrayLike | None = None,
    ) -> Self:
        """Fit networks on normal sequences, and choose the threshold on sequences that they were not fitted on.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences, as the estimator takes them. If they come from one recording, keep its order.
        y : array-like of shape (n_samples,), default=None
            Labels: -1 for rare and 1 for normal, as `predict` returns them, or 1 for rare and 0 for normal, or truth
            values. If all labels are the integer 1, all sequences are normal. Rare sequences are left out of training.
            The threshold is then the one of the best F1 score between them and the held-out normal sequences, and
            `report_` has its precision and recall. Other labels are ignored with a warning. Missing ones (NaN, None)
            are what `unlabelled` says.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            For fewer normal sequences than `cv`; for labels of another shape than (n_samples,); for missing labels,
            unless `unlabelled` says what they are; and for input that the estimator refuses.
        TypeError
            For a data frame of which some column names are strings and others are not.
        """
        refuse_workers("ReconstructionDetector.fit")
        sequences = check_sequences(X, lengths, estimator=self)
        rare, ignored = rare_and_unlabelled(y, len(sequences), self.unlabelled)
        normal = np.flatnonzero(~rare & ~ignored)
        if len(normal) < self.cv:
            remedy = "Pass more sequences or a smaller cv=."
            if len(normal) < 2 and rare.any():
                # No cv= is small enough.
                remedy = (
                    f"The labels call {rare.sum()} rare: pass normal ones too, with the label 1 if rare "
                    f"ones have -1, or 0 if they have 1."
                )
            raise ValueError(
                f"Got {counted(len(normal), 'normal sequence')} (n_samples = {len(sequences)}), expected at least "
                f"cv={self.cv}, one for each block. {remedy}"
            )
        estimator = default_estimator(sequences.n_features) if self.estimator is None else self.estimator
        for hint in layout_hints(sequences):
            warn_user(hint)
        means = feature_means(sequences, normal)
        fits = cross_fit(
            estimator,
            sequences,
            normal,
            n_blocks=self.cv,
            gap=self.gap,
            means=means,
            random_state=self.random_state,
            verbose=self.verbose,
        )
        normal_lengths = sequences.lengths[normal]
        values = sequences.padded(normal, sequences.n_timesteps)
        weights = learn_weights(fits.residuals, values, normal_lengths, self.weighting)
        fits = fits._replace(residuals=weights.compared(fits.residuals, values))
        del values
        errors = weights.contributions(fits.residuals, normal_lengths).sum(axis=(1, 2))[:, np.newaxis]
        descriptions: NormalDescriptions | None = None
        distances: Distances = no_distances
        if self.distances:
            descriptions, heldout, distances = learn_normal_descriptions(sequences, normal, fits.blocks, self.gap)
            errors = np.column_stack([errors, heldout])
        patterns = learn_missing_patterns(fits, errors, weights, distances)
        errors = patterns.comparable(errors, ~np.isnan(fits.residuals), normal_lengths)
        totals = heldout_rarity(errors) if self.distances else errors[:, 0]
        if rare.any():
            scoring = Scoring(fits.estimators, weights, patterns, descriptions, errors, means)
            rare_rows = np.flatnonzero(rare)
            parts = scored_at_once(len(rare_rows), sequences.n_timesteps * sequences.n_features)
            rare_totals = np.concatenate([scoring.errors(sequences, rare_rows[part]) for part in parts])
            threshold, report = best_f1(totals, rare_totals), held_out_quality(totals, rare_totals)
        else:
            threshold, report = _threshold(totals, self.contamination, descriptions), {}
        fitted = {
            "estimators_": fits.estimators,
            # What `offset_` tells.
            "_chosen_offset": (-threshold, self.contamination),
            "heldout_scores_": -totals,
            "heldout_errors_": errors,
            "report_": report,
            "feature_scales_": weights.feature_scales,
            "precision_": weights.precision,
            "length_exponent_": weights.length_exponent,
            "missing_patterns_": patterns,
            "normal_descriptions_": descriptions,
            "n_timesteps_": weights.n_timesteps,
            "constants_": weights.constants,
            "feature_means_": means,
            "input_ndim_": sequences.ndim,
        }
        replace_attributes(self, fitted | column_attributes(sequences), removed=("feature_names_in_",))
        return self

    # Computed when it is read, because set_params only stores parameters.
    @property
    def offset_(self) -> float:
        """Score below which a sequence is flagged."""
        check_is_fitted(self)
        offset, contamination = self._chosen_offset
        if self.contamination == contamination:
            return offset
        self._validate_params()
        return offset_of_share(self)

    @offset_.setter
    def offset_(self, offset: float) -> None:
        given = np.asarray(offset)
        if given.ndim or given.dtype.kind not in "iuf":
            raise TypeError(f"Got offset_={offset!r}, expected a score, a single number: offset_ = -5.0.")
        if not -np.inf < given <= 0:
            raise ValueError(
                f"Got offset_={offset!r}, expected a finite number of at most 0: scores are negative, and lower for "
                f"rare sequences. Set offset_ = {-float(given) if 0 < given < np.inf else -5.0}, or another score."
            )
        self._chosen_offset = (float(given), self.contamination)

    @property
    def fit_predict(self) -> NoReturn:
        """Not available, as in ``LocalOutlierFactor(novelty=True)``: networks would score sequences of their own fit.

        `heldout_scores_` has the scores of these sequences from networks that were not fitted on them.
        """
        raise AttributeError(
            "fit_predict is not available: a network has too small errors on the sequences that it was fitted on. Use "
            "fit(X).predict(X_new), or heldout_scores_ < offset_ for the normal sequences given to fit."
        )

    def score_samples(self, X: SequencesLike, *, lengths: npt.ArrayLike | None = None) -> np.ndarray:
        """Score sequences; a higher score means more normal.

        Parameters
        ----------
        X : array-like
            Sequences as given to `fit`.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.

        Returns
        -------
        scores : float array of shape (n_samples,)
            Minus the geometric mean of the numbers of normal sequences among which one has such an error, or distance,
            see the class: from -1 to -1e130. With ``distances=False``, minus the mean of the weighted squared
            residuals. Of sequences with missing values, what that would be if they were complete. Sequences of other
            lengths than the fitted ones are judged by their reconstruction errors alone. NaN for sequences without any
            value.

        Warns
        -----
        UserWarning
            For sequences without any value. They are not flagged.

        Examples
        --------
        >>> import numpy as np
        >>> from seqembed import LSTMReconstructor
        >>> X = np.random.default_rng(0).normal(size=(12, 5, 2))
        >>> detector = ReconstructionDetector(LSTMReconstructor(3, hidden_units=(), epochs=1)).fit(X)
        >>> detector.score_samples(X).shape
        (12,)
        """
        check_is_fitted(self)
        sequences = self._checked_sequences(X, lengths)
        scores, scoring = np.full(len(sequences), np.nan), _scoring(self)
        # Residuals take several times the memory of the sequences.
        for part in scored_at_once(len(sequences), sequences.n_timesteps * sequences.n_features):
            rows = _with_values(sequences, np.arange(part.start, part.stop))
            if len(rows):
                scores[rows] = -scoring.errors(sequences, rows)
        _warn_of_unknown(np.flatnonzero(np.isnan(scores)), len(scores))
        return scores

    def decision_function(self, X: SequencesLike, *, lengths: npt.ArrayLike | None = None) -> np.ndarray:
        """Score sequences relative to the threshold: negative for rare ones.

        Parameters
        ----------
        X : array-like
            Sequences as given to `fit`.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.

        Returns
        -------
        decisions : float array of shape (n_samples,)
            ``score_samples(X) - offset_``.
        """
        return self.score_samples(X, lengths=lengths) - self.offset_

    def predict(self, X: SequencesLike, *, lengths: npt.ArrayLike | None = None) -> np.ndarray:
        """Predict which sequences are rare.

        Parameters
        ----------
        X : array-like
            Sequences as given to `fit`.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.

        Returns
        -------
        labels : int array of shape (n_samples,)
            -1 for rare sequences, 1 for normal ones, and for those without any value.
        """
        return np.where(self.decision_function(X, lengths=lengths) < 0, -1, 1)

    def explain(self, X: SequencesLike, *, lengths: npt.ArrayLike | None = None) -> Bunch:
        """Divide the scores of sequences among their timesteps and features.

        The shares of features are those of residuals and of distances by statistics, weighted by the logarithms of
        their rarities. In time, the shares of a feature follow its residuals.

        Parameters
        ----------
        X : array-like
            Sequences as given to `fit`.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.

        Returns
        -------
        shares : Bunch
            `value` (n_samples, n_timesteps, n_features), and their sums `timestep` (n_samples, n_timesteps) and
            `feature` (n_samples, n_features). The shares of a sequence add up to minus its score. With "mahalanobis",
            some of them can be negative. Missing values have a share of 0. For sequences of unequal lengths, `value`
            and `timestep` are lists of arrays.

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
        check_is_fitted(self)
        sequences = self._checked_sequences(X, lengths)
        rows = _with_values(sequences, np.arange(len(sequences)))
        _warn_of_unknown(np.setdiff1d(np.arange(len(sequences)), rows), len(sequences))
        values = np.zeros((len(sequences), sequences.n_timesteps, sequences.n_features))
        for part in scored_at_once(len(rows), sequences.n_timesteps * sequences.n_features):
            values[rows[part]] = scored(self, sequences, rows[part]).contributions
        timesteps, features = values.sum(axis=2), values.sum(axis=1)
        if sequences.one_length:
            return Bunch(value=values, timestep=timesteps, feature=features)
        return Bunch(
            value=[value[:length] for value, length in zip(values, sequences.lengths, strict=True)],
            timestep=[timestep[:length] for timestep, length in zip(timesteps, sequences.lengths, strict=True)],
            feature=features,
        )

    def _checked_sequences(self, X: Any, lengths: npt.ArrayLike | None) -> Sequences:
        n_features = len(self.feature_scales_)
        if is_frame(X) and self.input_ndim_ == 3:
            raise ValueError(
                f"Got X= as a data frame of {counted(len(X), 'row')}, which is read as one sequence a row, expected "
                f"windows of {counted(n_features, 'feature')}. Pass [X] for a single one, or sliding_windows(X, "
                f"{self.n_timesteps_}).windows."
            )
        sequences = check_sequences(X, lengths, estimator=self, may_be_missing=True)
        # The networks check it too, but only sequences that have values.
        one_length = fitted_timesteps(self) is not None
        check_fitted_input(sequences, Layout(self.n_timesteps_, n_features, one_length, self.input_ndim_), self)
        return sequences

    def _attributes_to_save(self, attributes: dict[str, Any]) -> dict[str, Any]:
        if "_chosen_offset" not in attributes:
            return attributes
        offset, contamination = attributes.pop("_chosen_offset")
        attributes["offset_"] = self.offset_
        # The threshold that `fit` chose holds again if its share is set again.
        moved = contamination != self.contamination
        return attributes | ({"_chosen_offset": (offset, float(contamination))} if moved else {})

    def _restore(self, attributes: dict[str, Any]) -> None:
        current = _current_attributes(attributes)
        if current is not attributes:
            self.distances = False
        check_detector_attributes(current)
        # What the file holds as `offset_`.
        self._chosen_offset = (current["offset_"], self.contamination)
        # `_chosen_offset` is among the others if `contamination` had changed since `fit`.
        for name, each in current.items():
            if name != "offset_":
                setattr(self, name, each)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Parameters that are newer than a pickle.
        super().__setstate__({"distances": False, "unlabelled": None} | state)
        # Pickles of versions whose threshold did not follow `contamination`.
        if "offset_" in self.__dict__:
            self._chosen_offset = (self.__dict__.pop("offset_"), self.contamination)
        if "heldout_scores_" in self.__dict__:
            self.__dict__ = _current_attributes(self.__dict__)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags


def _with_values(sequences: Sequences, rows: np.ndarray) -> np.ndarray:
    """Choose the rows whose sequences have a value that is not missing."""
    if sequences.complete:
        return rows
    has_values = [not np.isnan(sequences.values[row]).all() for row in rows]
    chosen: np.ndarray = rows[np.array(has_values, bool)]
    return chosen


def _warn_of_unknown(rows: np.ndarray, n_samples: int) -> None:
    if len(rows):
        warn_user(
            f"Got {counted(len(rows), 'sequence')} of {n_samples} without any value, which can't be judged: the score "
            f"is NaN, and none is flagged. The first is sequence {rows[0]}."
        )


def _current_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """Bring the attributes of detectors without distances, which earlier versions saved, to those of this version."""
    if "heldout_errors_" in attributes:
        return attributes
    current = dict(attributes)
    complete, value_errors, descriptions, excesses = (
        current.pop(name, None)
        for name in ("complete_errors_", "value_errors_", "pattern_descriptions_", "pattern_excesses_")
    )
    patterns = None
    if complete is not None:
        patterns = MissingPatterns(complete[:, np.newaxis], value_errors, descriptions, excesses[:, np.newaxis])
    return current | {
        "heldout_errors_": -current["heldout_scores_"][:, np.newaxis],
        "missing_patterns_": patterns,
        "normal_descriptions_": None,
    }


def offset_of_share(detector: ReconstructionDetector) -> float:
    """Return the score that a share of `contamination` of normal sequences is below, whatever threshold `fit` chose.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> scores = -np.arange(1.0, 100.0)
    >>> offset_of_share(SimpleNamespace(heldout_scores_=scores, contamination=0.05, normal_descriptions_=None))
    -95.0
    """
    return -_threshold(-detector.heldout_scores_, detector.contamination, detector.normal_descriptions_)


def _threshold(errors: np.ndarray, share: float, descriptions: NormalDescriptions | None) -> float:
    if descriptions is None or not 0 < share * (len(errors) + 1) < _FAR_BEYOND:
        return exceeded_by_share(errors, share)
    # With distances, errors are numbers of sequences, whose tail is heavier than one that is fitted: far beyond all of
    # them, many times as many would be flagged as were asked for. On a scale of errors, the threshold is the score of
    # this severity, which flags fewer.
    return float(error_reached_once(1 / share, errors**SHAPE) ** (1 / SHAPE))


def fitted_timesteps(detector: ReconstructionDetector) -> int | None:
    """Return the timesteps that every array must have, or None for networks that read other lengths.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> network = SimpleNamespace(one_length_=True)
    >>> fitted_timesteps(SimpleNamespace(n_timesteps_=60, input_ndim_=3, estimators_=[network]))
    60
    """
    # For a table, scikit-learn counts its columns as features. Sequences of unequal lengths have one feature.
    if detector.input_ndim_ == 2:
        return int(detector.n_timesteps_) if detector.n_features_in_ == detector.n_timesteps_ else None
    # A block of sequences of unequal lengths may hold one length.
    lengths = {getattr(each, "n_timesteps_", None) for each in detector.estimators_}
    has_one = len(lengths) == 1 and all(getattr(each, "one_length_", False) for each in detector.estimators_)
    return int(detector.n_timesteps_) if has_one else None


def fitted_names(detector: ReconstructionDetector) -> list[str] | None:
    """Return the names of the features that a detector was fitted on, or None if they have none.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> names = np.array(["flow", "heat"], object)
    >>> fitted_names(SimpleNamespace(feature_names_in_=names, input_ndim_=3))
    ['flow', 'heat']
    """
    names = getattr(detector, "feature_names_in_", None)
    # The names of a table are those of timesteps.
    return None if names is None or detector.input_ndim_ == 2 else list(names)


def scored(detector: ReconstructionDetector, sequences: Sequences, rows: np.ndarray) -> Scored:
    """Score some checked sequences.

    Parameters
    ----------
    detector : ReconstructionDetector
        Fitted.
    sequences : Sequences
        Checked sequences.
    rows : int array of shape (n_rows,)
        Which sequences.

    Returns
    -------
    scored : Scored
        Shares of their values in their scores, how rare each kind of error is, and minus the scores.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed import LSTMReconstructor
    >>> X = np.random.default_rng(0).normal(size=(12, 5, 2))
    >>> detector = ReconstructionDetector(LSTMReconstructor(3, hidden_units=(), epochs=1)).fit(X)
    >>> contributions, rarities, totals = scored(detector, check_sequences(X), np.arange(3))
    >>> contributions.shape, rarities.shape, totals.shape
    ((3, 5, 2), (3, 4), (3,))
    """
    return _scoring(detector).score(sequences, rows)


def _scoring(detector: ReconstructionDetector) -> Scoring:
    weights = ResidualWeights(
        detector.feature_scales_,
        detector.precision_,
        detector.length_exponent_,
        detector.n_timesteps_,
        # Detectors of earlier versions have none.
        getattr(detector, "constants_", None),
    )
    parts = (detector.missing_patterns_, detector.normal_descriptions_, detector.heldout_errors_)
    return Scoring(detector.estimators_, weights, *parts, getattr(detector, "feature_means_", None))
