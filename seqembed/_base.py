"""What every LSTM network estimator shares: parameters, fitting, reconstruction, its errors and score."""

from __future__ import annotations

import math
import random
import warnings
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _get_feature_names, check_is_fitted, validate_data

from seqembed import inference
from seqembed.layer_flow import LayerFlow
from seqembed.network import Network, initial_weights
from seqembed.parallel import run_batches
from seqembed.scaling import Batch, Scaling, feature_statistics
from seqembed.sequences import Sequences, check_sequences, looks_transposed, row_numbers, without_feature_axis

# What "auto" aims at. Updates count, not epochs: 40 sequences need as many updates as 1,000 do.
_AUTO_UPDATES = 1000
# Up to this many batches an epoch; beyond, updates grow as the square root does.
_AUTO_BATCHES_WITHOUT_GROWTH = 50
_AUTO_BATCHES_PER_EPOCH = 4
_AUTO_BATCH_SIZES = (16, 64)


class LSTMNetworkEstimator(BaseEstimator):
    """Base of the estimators that train a network to reconstruct its input.

    A subclass says whether its network has a bottleneck.
    """

    _bottleneck: bool

    _parameter_constraints: ClassVar[dict] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "hidden_units": ["array-like"],
        "activation": [StrOptions({"tanh", "relu"})],
        "time_encoding": ["boolean"],
        "scale": [StrOptions({"standard"}), None],
        "augment": ["boolean", StrOptions({"auto"})],
        "epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Interval(Integral, 1, None, closed="left"), Options(Integral, {-1}), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        return tags

    def __init__(
        self,
        n_components=64,
        *,
        hidden_units=(128,),
        activation="tanh",
        time_encoding=True,
        scale="standard",
        augment="auto",
        epochs="auto",
        batch_size="auto",
        learning_rate=1e-2,
        validation_fraction=0.0,
        patience=None,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.hidden_units = hidden_units
        self.activation = activation
        self.time_encoding = time_encoding
        self.scale = scale
        self.augment = augment
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, lengths=None):
        """Train the network to reconstruct the sequences.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences of any real dtype; NaN marks a missing value. Two dimensions mean a single feature. A list holds
            arrays of shape (n_timesteps, n_features) or (n_timesteps,), which may differ in length.
        y : object, default=None
            Ignored; present so that the estimator fits into a pipeline.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array. By default, none is padded.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            For a parameter out of its range, or sequences as described in `seqembed.sequences.check_sequences`.
        FloatingPointError
            When the loss explodes whatever the learning rate.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            When the loss exploded, so that training went back to the best weights with a lower learning rate, or when
            Ctrl-C ended it early. The estimator holds the best weights met.
        UserWarning
            When time seems to be on the last axis, where features belong.
        """
        sequences = check_sequences(X, lengths, estimator=self)
        if looks_transposed(sequences):
            warnings.warn(
                f"X is read as {sequences.n_timesteps} timesteps of {sequences.n_features} features, but neighbours "
                f"on its last axis are so alike that this looks like time. If so, pass X.transpose(0, 2, 1).",
                UserWarning,
                stacklevel=3,
            )
        n_samples, n_timesteps, n_features = len(sequences), sequences.n_timesteps, sequences.n_features
        # Refuses names that are no strings before training, not after it.
        names = _get_feature_names(X)
        network = self._network(n_features, n_timesteps)
        means, deviations = feature_statistics(sequences)
        if self.scale is None:
            scaling = Scaling(means, np.zeros(n_features), np.ones(n_features))
        else:
            scaling = Scaling(means, means, deviations)
        generator = _generator(self.random_state)
        training_rows, validation_rows = _split_rows(n_samples, self.validation_fraction, generator)
        batch_size = _auto_batch_size(n_samples) if self.batch_size == "auto" else self.batch_size

        # TensorFlow takes seconds and hundreds of megabytes to import: nothing but fit and to_keras pays for it.
        from seqembed.training.loop import train

        weights, history = train(
            network,
            initial_weights(network, generator),
            lambda rows, n_timesteps: scaling.read(sequences, rows, n_timesteps),
            sequences.lengths,
            training_rows,
            validation_rows,
            scaling.scaled_means,
            generator,
            epochs=_auto_epochs(len(training_rows), batch_size) if self.epochs == "auto" else self.epochs,
            batch_size=batch_size,
            learning_rate=self.learning_rate,
            augment=self._bottleneck if self.augment == "auto" else self.augment,
            patience=self.patience,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        # Nothing is set before training has ended: a fit that fails leaves the estimator as it was.
        if _is_table(sequences):
            validate_data(self, X if names is not None else sequences.in_input_layout(), skip_check_array=True)
        else:
            self.n_features_in_ = n_features
            vars(self).pop("feature_names_in_", None)
        self.network_, self.weights_, self.history_ = network, weights, history
        self.feature_means_, self.center_, self.scale_ = scaling.means, scaling.center, scaling.scale
        self.n_timesteps_, self.one_length_ = n_timesteps, sequences.one_length
        self.n_features_, self.input_ndim_ = n_features, sequences.ndim
        return self

    def reconstruct(self, X, lengths=None):
        """Send sequences through the whole network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences as given to `fit`.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.

        Returns
        -------
        reconstruction : float32 array, in the layout that the estimator was fitted on
            What the network makes of `X`, in the units of `X`, missing values included. A list of arrays if the
            estimator was fitted on sequences of unequal lengths.

        Raises
        ------
        ValueError
            For sequences of another shape than the fitted ones.

        Examples
        --------
        >>> from seqembed import LSTMAutoencoder
        >>> from seqembed.datasets import load_italy_power
        >>> X = load_italy_power().data[:8]
        >>> LSTMAutoencoder(4, hidden_units=(8,), epochs=2).fit(X).reconstruct(X).shape
        (8, 24, 1)
        """
        sequences = self._check_sequences(X, lengths)
        reconstruction = self._room_for(sequences.lengths, self.n_features_)

        def reconstruct(rows):
            batch = self._scaling.read(sequences, rows)
            values = inference.reconstruct(self.network_, self.weights_, batch.values, batch.lengths)
            fill(reconstruction, rows, self._scaling.undo(values), batch.lengths)

        run_batches(reconstruct, len(sequences), self.n_jobs, sequences.order)
        return self._as_fitted_layout(reconstruction)

    def reconstruction_error(self, X, per="sequence", *, lengths=None):
        """How far the reconstruction is from the sequences: squared errors, after scaling.

        Scaled errors let features of different units count alike; with ``scale=None`` they are in squared units.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences as given to `fit`.
        per : {"sequence", "timestep", "value"}, default="sequence"
            What each error belongs to. Errors of a sequence or timestep are means over its values; "sequence" is the
            score by which rare events are found.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.

        Returns
        -------
        errors : float32 array
            Of shape (n_samples,) per sequence, (n_samples, n_timesteps) per timestep, and in the layout of the
            reconstruction per value. Missing values count for nothing, and have an error of NaN. Per timestep and per
            value, a list of arrays if the estimator was fitted on sequences of unequal lengths.

        Raises
        ------
        ValueError
            For sequences of another shape than the fitted ones, or an unknown `per`.

        Examples
        --------
        >>> from seqembed import LSTMAutoencoder
        >>> from seqembed.datasets import load_italy_power
        >>> X = load_italy_power().data[:8]
        >>> autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=2).fit(X)
        >>> [autoencoder.reconstruction_error(X, per=per).shape for per in ("sequence", "timestep", "value")]
        [(8,), (8, 24), (8, 24, 1)]
        """
        if per not in ("sequence", "timestep", "value"):
            raise ValueError(f"Got per={per!r}, expected one of 'sequence', 'timestep', 'value'.")
        sequences = self._check_sequences(X, lengths)
        if per == "sequence":
            errors = np.empty(len(sequences), np.float32)
        else:
            errors = self._room_for(sequences.lengths, *([] if per == "timestep" else [self.n_features_]))

        def measure(rows):
            batch = self._scaling.read(sequences, rows)
            squared = self._squared_errors(batch)
            if per == "sequence":
                errors[rows] = _mean_of_observed(squared, batch.observed, (1, 2))
            else:
                axes = (2,) if per == "timestep" else ()
                fill(errors, rows, _mean_of_observed(squared, batch.observed, axes), batch.lengths)

        run_batches(measure, len(sequences), self.n_jobs, sequences.order)
        return self._as_fitted_layout(errors) if per == "value" else errors

    def score(self, X, y=None, *, lengths=None):
        """Share of the variation that the reconstruction explains, R^2.

        One minus the sum of squared errors over the sum of squared deviations from the training means, over all values
        after scaling. 1 is perfect; 0 is what the training means would get.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences as given to `fit`.
        y : object, default=None
            Ignored; present so that the estimator fits into a pipeline.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.

        Returns
        -------
        score : float
            At most 1. Where `X` equals the training means throughout: 1 if the reconstruction does too, else 0.

        Examples
        --------
        >>> from seqembed import LSTMAutoencoder
        >>> from seqembed.datasets import load_italy_power
        >>> X = load_italy_power().data[:8]
        >>> LSTMAutoencoder(4, hidden_units=(8,), epochs=2).fit(X).score(X) <= 1
        True
        """
        sequences = self._check_sequences(X, lengths)
        squared_errors, squared_deviations = np.zeros((2, len(sequences)))

        def measure(rows):
            batch = self._scaling.read(sequences, rows)
            observed = True if batch.observed is None else batch.observed
            for sums, squared in (
                (squared_errors, self._squared_errors(batch)),
                (squared_deviations, np.square(batch.values - self._scaling.scaled_means)),
            ):
                sums[rows] = squared.sum(axis=(1, 2), dtype=np.float64, where=observed)

        run_batches(measure, len(sequences), self.n_jobs, sequences.order)
        squared_errors, squared_deviations = squared_errors.sum(), squared_deviations.sum()
        if squared_deviations == 0:
            return float(squared_errors == 0)
        return float(1 - squared_errors / squared_deviations)

    def to_keras(self):
        """Build the Keras model that computes `reconstruct`, of standard layers with the fitted weights.

        Returns
        -------
        model : keras.Model
            Takes and returns arrays of shape (n_samples, n_timesteps, n_features) in the user's units, of as many
            timesteps as the longest training sequence has. With scaling, its first and last layers standardise and
            undo it. Missing values are not filled in.

        Examples
        --------
        >>> import numpy as np
        >>> from seqembed import LSTMAutoencoder
        >>> X = np.random.default_rng(0).normal(size=(8, 3, 2))
        >>> LSTMAutoencoder(time_encoding=False, epochs=1).fit(X).to_keras().count_params()
        248578
        """
        check_is_fitted(self)
        from seqembed.training.keras_model import build_keras_model

        # Keras draws a seed for each layer from Python's global generator.
        state = random.getstate()
        try:
            return build_keras_model(
                self.network_, self.weights_, self.n_timesteps_, center=self.center_, scale=self.scale_
            )
        finally:
            random.setstate(state)

    def layer_flow(self, n_timesteps=None, n_features=None):
        """Explain the network: layer by layer its role, shapes and parameters.

        Parameters
        ----------
        n_timesteps, n_features : int, default=None
            Shape of a sequence; by default that of the fitted ones.

        Returns
        -------
        flow : seqembed.layer_flow.LayerFlow
            ``print(flow)`` shows a table, a notebook a nicer one, and ``flow.plot()`` draws what each layer hands on.

        Raises
        ------
        ValueError
            Before `fit`, without both sizes.

        Examples
        --------
        >>> from seqembed import LSTMAutoencoder
        >>> print(LSTMAutoencoder(time_encoding=False).layer_flow(n_timesteps=3, n_features=2))
        layer      type                       role     input     output    return_sequences  parameters
        encoder_1  LSTM(128)                  encoder  (3, 2)    (3, 128)  True                  67,072
        encoder_2  LSTM(64)                   encoder  (3, 128)  (64,)     False                 49,408
        repeat     RepeatVector(3)            bridge   (64,)     (3, 64)                              0
        decoder_1  LSTM(64)                   decoder  (3, 64)   (3, 64)   True                  33,024
        decoder_2  LSTM(128)                  decoder  (3, 64)   (3, 128)  True                  98,816
        output     TimeDistributed(Dense(2))  output   (3, 128)  (3, 2)                             258
        total                                                                                   248,578
        """
        n_timesteps = getattr(self, "n_timesteps_", None) if n_timesteps is None else n_timesteps
        n_features = getattr(self, "n_features_", None) if n_features is None else n_features
        if n_timesteps is None or n_features is None:
            raise ValueError(
                f"This {type(self).__name__} is not fitted, so the shape of its sequences is unknown: call "
                f"layer_flow(n_timesteps=..., n_features=...)."
            )
        if (n_timesteps, n_features) == (getattr(self, "n_timesteps_", None), getattr(self, "n_features_", None)):
            return LayerFlow(self.network_, n_timesteps)
        return LayerFlow(self._network(n_features, n_timesteps), n_timesteps)

    def _network(self, n_features: int, n_timesteps: int) -> Network:
        return Network(
            int(n_features),
            int(self.n_components),
            _checked_units(self.hidden_units),
            self.activation,
            bottleneck=self._bottleneck,
            encoded_timesteps=int(n_timesteps) if self.time_encoding else None,
        )

    @property
    def _scaling(self) -> Scaling:
        return Scaling(self.feature_means_, self.center_, self.scale_)

    def _check_sequences(self, X, lengths=None) -> Sequences:
        check_is_fitted(self)
        sequences = check_sequences(X, lengths, estimator=self)
        if _is_table(sequences) and self.input_ndim_ == 2 and self.one_length_:
            table = X if _get_feature_names(X) is not None else sequences.in_input_layout()
            validate_data(self, table, reset=False, skip_check_array=True)
        expected = (self.n_timesteps_, self.n_features_)
        other_length = self.one_length_ and (sequences.lengths != self.n_timesteps_).any()
        if other_length or sequences.n_features != self.n_features_:
            raise ValueError(_shape_message(sequences, expected, self.one_length_, type(self).__name__))
        return sequences

    def _squared_errors(self, batch: Batch) -> np.ndarray:
        reconstruction = inference.reconstruct(self.network_, self.weights_, batch.values, batch.lengths)
        return np.square(reconstruction - batch.values)

    def _room_for(self, lengths: np.ndarray, *width: int) -> np.ndarray | list[np.ndarray]:
        """Empty room for what is computed of each timestep, of the kind that the estimator was fitted on."""
        if self.one_length_:
            return np.empty((len(lengths), lengths[0], *width), np.float32)
        return [np.empty((length, *width), np.float32) for length in lengths]

    def _as_fitted_layout(self, values: np.ndarray | list[np.ndarray]) -> np.ndarray | list[np.ndarray]:
        return without_feature_axis(values) if self.input_ndim_ == 2 else values


def _is_table(sequences: Sequences) -> bool:
    """Whether scikit-learn would call the input a table, whose columns it counts."""
    return sequences.ndim == 2 and sequences.one_length


def fill(room: np.ndarray | list[np.ndarray], rows, batch: np.ndarray, lengths: np.ndarray) -> None:
    """Store what was computed of a batch, without its padding."""
    if isinstance(room, np.ndarray):
        room[rows] = batch
        return
    for row, values, length in zip(row_numbers(rows, len(room)), batch, lengths, strict=True):
        room[row][:] = values[:length]


def _mean_of_observed(values: np.ndarray, observed: np.ndarray | None, axes: tuple[int, ...]) -> np.ndarray:
    if observed is None:
        return values.mean(axis=axes)
    counts = observed.sum(axis=axes)
    return np.divide(values.sum(axis=axes, where=observed), counts, out=np.full(counts.shape, np.nan), where=counts > 0)


def _shape_message(sequences: Sequences, expected: tuple[int, int], one_length: bool, estimator: str) -> str:
    n_timesteps, n_features = expected
    given = (sequences.n_timesteps, sequences.n_features)
    if not one_length:
        return (
            f"X has {given[1]} features, but {estimator} was fitted on sequences of {n_features} features. Pass "
            f"sequences of shape (n_timesteps, {n_features})."
        )
    if not sequences.one_length:
        return (
            f"X has sequences of {sequences.lengths.min()} to {given[0]} timesteps, but {estimator} was fitted on "
            f"sequences of {n_timesteps} timesteps. Fit it on sequences of unequal lengths to transform such."
        )
    message = (
        f"X has {given[0]} timesteps of {given[1]} features, but {estimator} was fitted on {n_timesteps} timesteps of "
        f"{n_features} features."
    )
    if sequences.ndim == 3 and given[::-1] == expected:
        return f"{message} It looks transposed, time last: pass X.transpose(0, 2, 1)."
    if sequences.ndim == 2 and (len(sequences), given[0]) == expected:
        return f"{message} It looks like a single sequence: pass X[np.newaxis]."
    return f"{message} Pass sequences of shape (n_samples, {n_timesteps}, {n_features})."


def _checked_units(hidden_units) -> tuple[int, ...]:
    units = tuple(hidden_units)
    for each in units:
        if not isinstance(each, Integral) or each < 1:
            raise ValueError(
                f"Got hidden_units={hidden_units!r}, expected positive integers, one for each layer before the "
                f"bottleneck, such as (128,) or (); {each!r} is none."
            )
    return tuple(int(each) for each in units)


def _generator(random_state) -> np.random.Generator:
    # check_random_state(None) would draw from, and so advance, NumPy's global generator.
    if random_state is None:
        return np.random.default_rng()
    return np.random.default_rng(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def _split_rows(n_samples: int, validation_fraction: float, random: np.random.Generator):
    n_validation = math.ceil(validation_fraction * n_samples)
    if n_validation >= n_samples:
        raise ValueError(
            f"Got validation_fraction={validation_fraction} with n_samples={n_samples}, which leaves no sequence to "
            f"train on. Use validation_fraction=0.0 or more sequences."
        )
    shuffled = random.permutation(n_samples)
    return np.sort(shuffled[n_validation:]), np.sort(shuffled[:n_validation])


def _auto_batch_size(n_samples: int) -> int:
    fewest, most = _AUTO_BATCH_SIZES
    return min(most, max(fewest, n_samples // _AUTO_BATCHES_PER_EPOCH))


def _auto_epochs(n_samples: int, batch_size: int) -> int:
    n_batches = math.ceil(n_samples / batch_size)
    n_updates = _AUTO_UPDATES * math.sqrt(max(1, n_batches / _AUTO_BATCHES_WITHOUT_GROWTH))
    return math.ceil(n_updates / n_batches)
