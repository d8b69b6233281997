"""What every LSTM network estimator shares: parameters, fitting, reconstruction, its errors and score."""

from __future__ import annotations

import math
import random
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from seqembed import inference
from seqembed.layer_flow import LayerFlow
from seqembed.network import Network, initial_weights
from seqembed.parallel import run_batches
from seqembed.sequences import as_three_dimensional, check_sequences, feature_statistics, scaled, unscaled

# What "auto" aims at. Updates count, not epochs: 40 sequences need as many updates as 1,000 do.
_AUTO_UPDATES = 1000
_FEWEST_AUTO_EPOCHS = 20
_AUTO_BATCHES_PER_EPOCH = 4
_AUTO_BATCH_SIZES = (8, 64)


class LSTMNetworkEstimator(BaseEstimator):
    """Base of the estimators that train a network to reconstruct its input.

    A subclass says whether its network has a bottleneck.
    """

    _bottleneck: bool

    _parameter_constraints: ClassVar[dict] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "hidden_units": ["array-like"],
        "activation": [StrOptions({"tanh", "relu"})],
        "scale": [StrOptions({"standard"}), None],
        "epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Interval(Integral, 1, None, closed="left"), Options(Integral, {-1}), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components=64,
        *,
        hidden_units=(128,),
        activation="tanh",
        scale="standard",
        epochs="auto",
        batch_size="auto",
        learning_rate=1e-3,
        validation_fraction=0.0,
        patience=None,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.hidden_units = hidden_units
        self.activation = activation
        self.scale = scale
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Train the network to reconstruct the sequences.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences of one length, of any real dtype and without missing values. Two dimensions mean a single
            feature. A list holds arrays of shape (n_timesteps, n_features) or (n_timesteps,).
        y : object, default=None
            Ignored; present so that the estimator fits into a pipeline.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            For a parameter out of its range, or sequences as described in `seqembed.sequences.check_sequences`.
        FloatingPointError
            When training diverges within the first epoch.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            When training stopped early because the loss was no longer finite or because of Ctrl-C. The estimator then
            holds the best weights so far.
        """
        checked = check_sequences(X, estimator=self)
        sequences = as_three_dimensional(checked)
        n_samples, n_timesteps, n_features = sequences.shape
        network = self._network(n_features)
        means, deviations = feature_statistics(sequences)
        if self.scale is None:
            center, scale = np.zeros(n_features), np.ones(n_features)
        else:
            center, scale = means, deviations
        generator = _generator(self.random_state)
        training_rows, validation_rows = _split_rows(n_samples, self.validation_fraction, generator)
        batch_size = _auto_batch_size(n_samples) if self.batch_size == "auto" else self.batch_size

        # TensorFlow takes seconds and hundreds of megabytes to import: nothing but fit and to_keras pays for it.
        from seqembed.training.loop import train

        weights, history = train(
            network,
            initial_weights(network, generator),
            lambda rows: scaled(sequences[rows], center, scale),
            training_rows,
            validation_rows,
            generator,
            epochs=_auto_epochs(len(training_rows), batch_size) if self.epochs == "auto" else self.epochs,
            batch_size=batch_size,
            learning_rate=self.learning_rate,
            patience=self.patience,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        # Nothing is set before training has ended: a fit that fails leaves the estimator as it was.
        if checked.ndim == 2:
            validate_data(self, X, skip_check_array=True)
        else:
            self.n_features_in_ = n_features
            vars(self).pop("feature_names_in_", None)
        self.network_, self.weights_, self.history_ = network, weights, history
        self.feature_means_, self.center_, self.scale_ = means, center, scale
        self.n_timesteps_, self.n_features_, self.input_ndim_ = n_timesteps, n_features, checked.ndim
        return self

    def reconstruct(self, X):
        """Send sequences through the whole network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences as given to `fit`.

        Returns
        -------
        reconstruction : float32 array, in the layout that the estimator was fitted on
            What the network makes of `X`, in the units of `X`.

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
        sequences = self._check_sequences(X)
        reconstruction = np.empty(sequences.shape, np.float32)

        def reconstruct(rows):
            batch = inference.reconstruct(
                self.network_, self.weights_, scaled(sequences[rows], self.center_, self.scale_)
            )
            reconstruction[rows] = unscaled(batch, self.center_, self.scale_)

        run_batches(reconstruct, len(sequences), self.n_jobs)
        return self._as_fitted_layout(reconstruction)

    def reconstruction_error(self, X, per="sequence"):
        """How far the reconstruction is from the sequences: squared errors, after scaling.

        Scaled errors let features of different units count alike; with ``scale=None`` they are in squared units.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences as given to `fit`.
        per : {"sequence", "timestep", "value"}, default="sequence"
            What each error belongs to. Errors of a sequence or timestep are means over its values; "sequence" is the
            score by which rare events are found.

        Returns
        -------
        errors : float32 array
            Of shape (n_samples,) per sequence, (n_samples, n_timesteps) per timestep, and in the layout of the
            reconstruction per value.

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
        if per not in _AVERAGED_AXES:
            raise ValueError(f"Got per={per!r}, expected one of {', '.join(map(repr, _AVERAGED_AXES))}.")
        axes = _AVERAGED_AXES[per]
        sequences = self._check_sequences(X)
        errors = np.empty(sequences.shape[: 3 - len(axes)], np.float32)

        def measure(rows):
            batch = scaled(sequences[rows], self.center_, self.scale_)
            errors[rows] = np.square(inference.reconstruct(self.network_, self.weights_, batch) - batch).mean(axis=axes)

        run_batches(measure, len(sequences), self.n_jobs)
        return self._as_fitted_layout(errors) if per == "value" else errors

    def score(self, X, y=None):
        """Share of the variation that the reconstruction explains, R^2.

        One minus the sum of squared errors over the sum of squared deviations from the training means, over all values
        after scaling. 1 is perfect; 0 is what the training means would get.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences as given to `fit`.
        y : object, default=None
            Ignored; present so that the estimator fits into a pipeline.

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
        sequences = self._check_sequences(X)
        scaled_means = scaled(self.feature_means_, self.center_, self.scale_)
        squared_errors, squared_deviations = np.zeros((2, len(sequences)))

        def measure(rows):
            batch = scaled(sequences[rows], self.center_, self.scale_)
            squared_errors[rows] = np.square(inference.reconstruct(self.network_, self.weights_, batch) - batch).sum(
                axis=(1, 2), dtype=np.float64
            )
            squared_deviations[rows] = np.square(batch - scaled_means).sum(axis=(1, 2), dtype=np.float64)

        run_batches(measure, len(sequences), self.n_jobs)
        squared_errors, squared_deviations = squared_errors.sum(), squared_deviations.sum()
        if squared_deviations == 0:
            return float(squared_errors == 0)
        return float(1 - squared_errors / squared_deviations)

    def to_keras(self):
        """Build the Keras model that computes `reconstruct`, of standard layers with the fitted weights.

        Returns
        -------
        model : keras.Model
            Takes and returns arrays of shape (n_samples, n_timesteps, n_features) in the user's units. With scaling,
            its first and last layers standardise and undo it.

        Examples
        --------
        >>> import numpy as np
        >>> from seqembed import LSTMAutoencoder
        >>> X = np.random.default_rng(0).normal(size=(8, 3, 2))
        >>> LSTMAutoencoder(epochs=1).fit(X).to_keras().count_params()
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
        >>> print(LSTMAutoencoder(activation="relu").layer_flow(n_timesteps=3, n_features=2))
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
        return LayerFlow(self._network(n_features), n_timesteps)

    def _network(self, n_features: int) -> Network:
        units = _checked_units(self.hidden_units)
        return Network(n_features, self.n_components, units, self.activation, bottleneck=self._bottleneck)

    def _check_sequences(self, X) -> np.ndarray:
        check_is_fitted(self)
        checked = check_sequences(X, estimator=self)
        if checked.ndim == self.input_ndim_ == 2:
            validate_data(self, X, reset=False, skip_check_array=True)
        sequences = as_three_dimensional(checked)
        fitted = (self.n_timesteps_, self.n_features_)
        if sequences.shape[1:] != fitted:
            raise ValueError(_shape_message(sequences.shape, checked.ndim, fitted, type(self).__name__))
        return sequences

    def _as_fitted_layout(self, values: np.ndarray) -> np.ndarray:
        return values[:, :, 0] if self.input_ndim_ == 2 else values


_AVERAGED_AXES = {"sequence": (1, 2), "timestep": (2,), "value": ()}


def _shape_message(shape: tuple[int, ...], ndim: int, fitted: tuple[int, int], estimator: str) -> str:
    message = (
        f"X has {shape[1]} timesteps of {shape[2]} features, but {estimator} was fitted on {fitted[0]} timesteps of "
        f"{fitted[1]} features."
    )
    if ndim == 3 and shape[:0:-1] == fitted:
        return f"{message} It looks transposed, time last: pass X.transpose(0, 2, 1)."
    if ndim == 2 and shape[:2] == fitted:
        return f"{message} It looks like a single sequence: pass X[np.newaxis]."
    return f"{message} Pass sequences of shape (n_samples, {fitted[0]}, {fitted[1]})."


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
    return max(_FEWEST_AUTO_EPOCHS, math.ceil(_AUTO_UPDATES / math.ceil(n_samples / batch_size)))
