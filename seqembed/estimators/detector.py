"""Rare events by reconstruction error, as a scikit-learn outlier detector."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin, clone
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import check_is_fitted

from seqembed.estimators.autoencoder import LSTMAutoencoder
from seqembed.estimators.columns import check_columns, remember_columns
from seqembed.estimators.file_checks import check_detector_attributes
from seqembed.estimators.residuals import ResidualWeights, joint_contributions, learn_weights, padded_residuals
from seqembed.estimators.saving import SavableMixin, savable
from seqembed.estimators.thresholds import best_f1, exceeded_by_share, held_out_quality
from seqembed.sequences.collection import Sequences, check_sequences, counted, without_feature_axis
from seqembed.sequences.labels import rare_mask
from seqembed.sklearn_private import HasMethods, Interval, Options, StrOptions, fit_context
from seqembed.training.progress import Progress
from seqembed.training.workers import refuse_workers

# The default network: components for each feature, and limits of the components and of the hidden units.
_COMPONENTS_PER_FEATURE, _MOST_COMPONENTS = 8, 64
_LEAST_UNITS = 32
# All networks together make at most as many updates as this number of fits on all normal sequences.
_MOST_FITS = 2.2


@savable
class ReconstructionDetector(SavableMixin, MetaEstimatorMixin, OutlierMixin, BaseEstimator):
    """Find the sequences that a network, trained on normal ones, can't reconstruct.

    1. The training sequences are divided into `cv` contiguous blocks, and a clone of the estimator is fitted on all but
       one block, for each of them. The blocks are contiguous because windows of one recording overlap.
    2. Each network reconstructs the block that it has not seen, since errors on sequences that a network was fitted on
       are too small for a threshold. These residuals give the weights of the features and the threshold: the error that
       a share of `contamination` of normal sequences exceeds, or with labels the threshold of the best F1 score.
    3. The same networks judge new sequences, which none of them has seen, so that the threshold holds for them, also
       if the networks are trained too little or too much. Of five networks, the second and the third worst judge a
       sequence, with the mean of their errors. The mean of all five would exceed the threshold more rarely than the
       error of a single network does, from which the threshold comes. (Of three networks the two worst judge, of four
       the second worst, and of two both, which flags a little less than `contamination`.)

    Parameters
    ----------
    estimator : estimator, default=None
        `LSTMAutoencoder`, `LSTMReconstructor`, or any estimator with `fit` and `reconstruct`, for sequences of shape
        (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps). None is an `LSTMAutoencoder` with eight
        components for each feature, at most 64, twice as many hidden units, at least 32, and ``readout_weight=0``: a
        small bottleneck has room for what is normal and for little else, and nobody reads the embedding. Where
        `augment` is "auto", training sequences are not varied, since a network that was trained on unvaried normal
        sequences reconstructs others worse. Where `epochs` is "auto", all networks together make at most as many
        updates as 2.2 fits on all normal sequences.
    contamination : float, default=0.01
        Share of normal sequences that may be flagged: the share of false alarms to expect on clean data. Below
        1 / (number of normal sequences + 1), which is .001 for 999 of them, the threshold is an estimate of the tail,
        see `seqembed.estimators.thresholds`. With 0, a sequence is flagged if its score is below all those of the
        training data.
    weighting : {"robust", "mahalanobis"} or None, default="robust"
        How residuals of different features are weighted. "robust" divides each feature by its typical residual, so that
        a noisy feature does not outweigh the others. "mahalanobis" also uses their correlations (Malhotra et al.,
        2016). None leaves residuals in the units of the data.
    cv : int, default=5
        Number of blocks, and of networks. With more of them, each network sees more of the normal sequences, in fewer
        epochs if those are "auto": from three networks on, the fit takes about twice as long as that of one network.
        With a fixed number of epochs, it takes ``cv - 1`` times as long.
    gap : int, default=0
        Sequences on either side of a block that are left out of the fit on the others. For overlapping windows, it
        should be the number of neighbours on one side that share rows with a window.
    random_state : int, RandomState instance or None, default=None
        Given to the estimator if it has none of its own. An int makes results repeat, on the same machine.
    verbose : int, default=0
        1 shows a progress bar over the networks.

    Attributes
    ----------
    estimators_ : list of estimators
        A network for each block, fitted on the others.
    offset_ : float
        Score below which a sequence is flagged.
    heldout_scores_ : float array of shape (n_normal,)
        Held-out scores of the normal sequences. The threshold is computed from them.
    report_ : dict of str to float
        With labels of rare events: "precision" and "recall" at the threshold, on sequences that neither the networks
        nor the threshold have seen, see `seqembed.estimators.thresholds.held_out_quality`. Empty without.
    feature_scales_ : float array of shape (n_features,)
        Typical residual of each feature, in its units; ones if `weighting` is None.
    precision_ : float array of shape (n_features, n_features)
        Matrix of the quadratic form that squares residuals divided by `feature_scales_`: their inverse covariance with
        "mahalanobis", else the identity.
    length_exponent_ : float
        Held-out errors grow as this power of the number of timesteps, and scores are divided by it, so that those of
        short and of long sequences compare. It lies between -1 and 1, and is 0 for sequences of one length and where
        the trend is less than three of its standard errors.
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
    This is novelty detection in scikit-learn's terms: `fit` sees normal sequences (or labels), `predict` judges new
    ones. Missing values (NaN) are left out of the scores, which are means over the known values.

    References
    ----------
    P. Malhotra et al., "LSTM-based encoder-decoder for multi-sensor anomaly detection" (2016).
    C. Ranjan, "Step-by-step understanding LSTM Autoencoder layers" (2019).
    R. F. Barber et al., "Predictive inference with the jackknife+" (2021): networks that have seen all but a part, for
    the threshold and for new sequences.

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
        "estimator": [HasMethods(["fit", "reconstruct"]), None],
        "contamination": [Options(Real, {0}), Interval(Real, 0, 0.5, closed="right")],
        "weighting": [StrOptions({"robust", "mahalanobis"}), None],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "gap": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # scikit-learn's flag for detectors that judge new data only, like LocalOutlierFactor(novelty=True).
    novelty = True

    def __init__(
        self, estimator=None, *, contamination=0.01, weighting="robust", cv=5, gap=0, random_state=None, verbose=0
    ):
        self.estimator = estimator
        self.contamination = contamination
        self.weighting = weighting
        self.cv = cv
        self.gap = gap
        self.random_state = random_state
        self.verbose = verbose

    # The estimator inside validates its own parameters.
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, *, lengths=None):
        """Fit networks on normal sequences, and the threshold on sequences that they have not seen.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences, as the estimator takes them. If they come from one recording, keep its order.
        y : array-like of shape (n_samples,), default=None
            Labels: -1 for rare and 1 for normal, as `predict` returns them, or 1 for rare and 0 for normal, or truth
            values. Integers that are all 1 mean that all are normal. Rare sequences are left out of training.
            The threshold then has the best F1 score between them and the held-out normal sequences, and `report_` says
            how good it is. Other labels are ignored with a warning.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            For fewer normal sequences than `cv`, labels of another shape than (n_samples,) or with missing ones, and
            for input that the estimator refuses.
        TypeError
            For a data frame of which some column names are strings and others are not.
        """
        refuse_workers("ReconstructionDetector.fit")
        sequences = check_sequences(X, lengths, estimator=self)
        rare = rare_mask(y, len(sequences))
        normal = np.flatnonzero(~rare)
        if len(normal) < self.cv:
            raise ValueError(
                f"Got {counted(len(normal), 'normal sequence')} (n_samples = {len(sequences)}), expected at least "
                f"cv={self.cv}, one for each block. Pass more sequences or a smaller cv=."
            )
        estimators, residuals = self._fit_networks(sequences, normal)
        normal_lengths = sequences.lengths[normal]
        weights = learn_weights(
            residuals, sequences.padded(normal, sequences.n_timesteps), normal_lengths, self.weighting
        )
        errors = weights.contributions(residuals, normal_lengths).sum(axis=(1, 2))
        if rare.any():
            rare_errors = _contributions(estimators, weights, sequences, np.flatnonzero(rare)).sum(axis=(1, 2))
            threshold, report = best_f1(errors, rare_errors), held_out_quality(errors, rare_errors)
        else:
            threshold, report = exceeded_by_share(errors, self.contamination), {}
        remember_columns(self, sequences)
        self.estimators_ = estimators
        self.offset_ = -threshold
        self.heldout_scores_ = -errors
        self.report_ = report
        self.feature_scales_ = weights.feature_scales
        self.precision_ = weights.precision
        self.length_exponent_ = weights.length_exponent
        self.n_timesteps_ = weights.n_timesteps
        self.input_ndim_ = sequences.ndim
        return self

    def _fit_networks(self, sequences: Sequences, normal: np.ndarray) -> tuple[list[Any], np.ndarray]:
        """Fit a network for each block of the normal sequences; return the networks and the held-out residuals."""
        blocks = list(_contiguous_blocks(len(normal), self.cv, self.gap))
        estimator = self._block_estimator(sequences, len(normal), sum(len(others) for _, others in blocks))
        progress = Progress(len(blocks), "network") if self.verbose else None
        estimators, residuals = [], np.empty((len(normal), sequences.n_timesteps, sequences.n_features))
        for number, (block, others) in enumerate(blocks, 1):
            fitted = clone(estimator).fit(_chosen(sequences, normal[others], sequences.n_timesteps))
            estimators.append(fitted)
            residuals[block] = _residuals(fitted, sequences, normal[block], sequences.n_timesteps)
            if progress is not None:
                progress.update(number, {}, ended=number == len(blocks))
        return estimators, residuals

    def _block_estimator(self, sequences: Sequences, n_normal: int, n_fitted: int) -> Any:
        """Return the estimator to clone for each block.

        `n_fitted` is the number of sequences that all clones together are fitted on.
        """
        estimator = _default_estimator(sequences.n_features) if self.estimator is None else clone(self.estimator)
        parameters = estimator.get_params(deep=False)
        changes: dict[str, Any] = {"augment": False} if parameters.get("augment") == "auto" else {}
        if parameters.get("epochs") == "auto" and hasattr(estimator, "count_epochs"):
            epochs = estimator.count_epochs(n_normal, sequences.n_timesteps)
            changes["epochs"] = max(1, round(epochs * min(1, _MOST_FITS * n_normal / n_fitted)))
        if self.random_state is not None and parameters.get("random_state", self) is None:
            changes["random_state"] = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        return estimator.set_params(**changes)

    @property
    def fit_predict(self):
        """Not available, as in ``LocalOutlierFactor(novelty=True)``: the networks were fitted on these sequences.

        `heldout_scores_` has their scores from networks that were not fitted on them.
        """
        raise AttributeError(
            "fit_predict is not available: a network reconstructs the sequences that it was fitted on too well to "
            "judge them. Use fit(X).predict(X_new), or heldout_scores_ < offset_ for the normal sequences given to fit."
        )

    def score_samples(self, X, *, lengths=None):
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
            Minus the mean of the weighted squared residuals, of the networks that judge it.

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
        sequences = self._check_sequences(X, lengths)
        scores = np.empty(len(sequences))
        # Residuals take several times the memory of the sequences.
        for rows in sequences.chunks():
            scores[rows] = -self._contributions(sequences, np.arange(rows.start, rows.stop)).sum(axis=(1, 2))
        return scores

    def decision_function(self, X, *, lengths=None):
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

    def predict(self, X, *, lengths=None):
        """Tell rare sequences from normal ones.

        Parameters
        ----------
        X : array-like
            Sequences as given to `fit`.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.

        Returns
        -------
        labels : int array of shape (n_samples,)
            -1 for rare sequences, 1 for normal ones.
        """
        return np.where(self.decision_function(X, lengths=lengths) < 0, -1, 1)

    def explain(self, X, *, lengths=None):
        """Show which timesteps and which features made sequences stand out.

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
            `feature` (n_samples, n_features). The values of a sequence add up to minus its score. With "mahalanobis",
            some can be negative. Missing values have a share of 0. For sequences of unequal lengths, `value` and
            `timestep` are lists of arrays.

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
        sequences = self._check_sequences(X, lengths)
        values = self._contributions(sequences, np.arange(len(sequences)))
        timesteps, features = values.sum(axis=2), values.sum(axis=1)
        if sequences.one_length:
            return Bunch(value=values, timestep=timesteps, feature=features)
        return Bunch(
            value=[value[:length] for value, length in zip(values, sequences.lengths, strict=True)],
            timestep=[timestep[:length] for timestep, length in zip(timesteps, sequences.lengths, strict=True)],
            feature=features,
        )

    def _check_sequences(self, X, lengths) -> Sequences:
        sequences = check_sequences(X, lengths, estimator=self)
        if sequences.ndim == self.input_ndim_:
            check_columns(self, sequences)
        return sequences

    def _contributions(self, sequences: Sequences, rows: np.ndarray) -> np.ndarray:
        """Compute the share of each value in the errors of some sequences, which are checked."""
        weights = ResidualWeights(self.feature_scales_, self.precision_, self.length_exponent_, self.n_timesteps_)
        return _contributions(self.estimators_, weights, sequences, rows)

    def _attributes_to_save(self) -> dict[str, Any]:
        parameters = self.get_params(deep=False)
        return {name: each for name, each in vars(self).items() if name not in parameters}

    def _restore(self, attributes: dict[str, Any]) -> None:
        check_detector_attributes(attributes)
        vars(self).update(attributes)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags


def _default_estimator(n_features: int) -> LSTMAutoencoder:
    n_components = min(_COMPONENTS_PER_FEATURE * n_features, _MOST_COMPONENTS)
    return LSTMAutoencoder(n_components, hidden_units=(max(2 * n_components, _LEAST_UNITS),), readout_weight=0)


def _contiguous_blocks(n_samples: int, n_blocks: int, gap: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows of each block, and the rows that are more than `gap` away from it."""
    # Only `fit` needs this import, which a process that loads and predicts would wait for.
    from sklearn.model_selection import KFold

    rows = np.arange(n_samples)
    for _, block in KFold(n_blocks).split(rows):
        others = rows[(rows < block[0] - gap) | (rows > block[-1] + gap)]
        if not len(others):
            raise ValueError(
                f"Got gap={gap} and cv={n_blocks} for {counted(n_samples, 'normal sequence')}, which leaves no "
                f"sequence to fit on for one block. Use a smaller gap=."
            )
        yield block, others


def _residuals(estimator: Any, sequences: Sequences, rows: np.ndarray, n_timesteps: int) -> np.ndarray:
    """Reconstruct some sequences and return their residuals, see `padded_residuals`."""
    reconstructions = estimator.reconstruct(_chosen(sequences, rows, n_timesteps))
    return padded_residuals([sequences.values[row] for row in rows], reconstructions, sequences.n_timesteps)


def _chosen(sequences: Sequences, rows: np.ndarray, n_timesteps: int) -> np.ndarray | list[np.ndarray]:
    """Select sequences as the user gave them: an array if all have the length of the training data, else a list."""
    is_array = isinstance(sequences.values, np.ndarray)
    if sequences.one_length and (is_array or sequences.n_timesteps == n_timesteps):
        values: np.ndarray | list[np.ndarray] = sequences.padded(rows)
    else:
        values = [sequences.values[row] for row in rows]
    return without_feature_axis(values) if sequences.ndim == 2 else values


def _contributions(
    estimators: list[Any], weights: ResidualWeights, sequences: Sequences, rows: np.ndarray
) -> np.ndarray:
    """Compute the share of each value in the errors of some sequences, from the residuals of all networks."""
    lengths = sequences.lengths[rows]
    return joint_contributions(
        np.stack(
            [
                weights.contributions(_residuals(estimator, sequences, rows, weights.n_timesteps), lengths)
                for estimator in estimators
            ]
        )
    )
