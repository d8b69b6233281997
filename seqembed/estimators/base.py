"""What every LSTM network estimator shares: its parameters, and how it is fitted."""

from __future__ import annotations

import copy
import math
import random
import warnings
from dataclasses import replace
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _get_feature_names, check_is_fitted, validate_data

from seqembed.estimators._layout import is_table, refuse_lengths
from seqembed.estimators.fitted import ReconstructionMixin
from seqembed.network.architecture import Network
from seqembed.network.layer_flow import LayerFlow
from seqembed.network.weights import initial_weights
from seqembed.sequences.collection import Sequences, check_sequences, looks_transposed
from seqembed.sequences.scaling import Scaling, feature_statistics
from seqembed.sequences.streams import batches_of, spooled
from seqembed.training.loop import train
from seqembed.training.recipe import auto_batch_size, auto_epochs, auto_learning_rate
from seqembed.training.stream import StreamState, train_on


class LSTMNetworkEstimator(ReconstructionMixin, BaseEstimator):
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
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Interval(Integral, 1, None, closed="left"), Options(Integral, {-1}), None],
        "warm_start": ["boolean"],
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
        learning_rate="auto",
        validation_fraction=0.0,
        patience=None,
        n_jobs=None,
        warm_start=False,
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
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, lengths=None):
        """Train the network to reconstruct the sequences.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences of any real dtype; NaN marks a missing value. Two dimensions mean a single feature. A list holds
            arrays of shape (n_timesteps, n_features) or (n_timesteps,), which may differ in length. Memory maps, and
            windows of them, are read batch by batch. What is too large for that can be an array stored in chunks (zarr,
            h5py, dask) or an iterable of batches: it is read once, into a temporary file.
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
            For a parameter out of its range, or sequences that `seqembed.sequences.collection.check_sequences` refuses.
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
        batches = batches_of(X)
        if batches is None:
            return self._fit(check_sequences(X, lengths, estimator=self), X)
        refuse_lengths(lengths)
        with spooled(batches, self) as sequences:
            return self._fit(sequences, X)

    def _fit(self, sequences: Sequences, X):
        if looks_transposed(sequences):
            warnings.warn(
                f"X is read as {sequences.n_timesteps} timesteps of {sequences.n_features} features, but neighbours "
                f"on its last axis are so alike that this looks like time. If so, pass X.transpose(0, 2, 1).",
                UserWarning,
                stacklevel=4,
            )
        # Refuses names that are no strings before training, not after it.
        _get_feature_names(X)
        random = _generator(self.random_state)
        network, weights, scaling = self._start(sequences, random, go_on=self.warm_start)
        training_rows, validation_rows = _split_rows(len(sequences), self.validation_fraction, random)
        batch_size = self._batch_size(len(sequences))

        weights, history = train(
            network,
            weights,
            lambda rows, n_timesteps: scaling.read(sequences, rows, n_timesteps),
            sequences.lengths,
            training_rows,
            validation_rows,
            scaling.scaled_means,
            random,
            epochs=auto_epochs(len(training_rows), batch_size) if self.epochs == "auto" else self.epochs,
            batch_size=batch_size,
            learning_rate=self._learning_rate(sequences.n_timesteps),
            augment=self._augments,
            patience=self.patience,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        # Nothing is set before training has ended: a fit that fails leaves the estimator as it was.
        self._remember(sequences, X, network, scaling)
        self.weights_, self.history_ = weights, history
        vars(self).pop("_stream", None)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, *, lengths=None):
        """Make one pass over the next sequences of a stream.

        The first call, on an estimator that is not fitted, sets what `fit` learns once: how features are scaled, which
        layout sequences have, and whether they are of one length. So let the first batch be a large and typical one.
        Later calls go on from the weights as they are, and from those of a `fit` too. The learning rate warms up over
        50 updates and falls as the square root of their number from the 200th on; `epochs`, `validation_fraction` and
        `patience` have no part in this.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences as given to `fit`.
        y : object, default=None
            Ignored.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.

        Returns
        -------
        self : object
            The estimator; `history_` has one entry more, with the loss of each batch as it was met.

        Raises
        ------
        ValueError
            For sequences of another shape than the first ones.
        FloatingPointError
            When the loss is no longer finite. The estimator stays as it was.

        Examples
        --------
        >>> from seqembed import LSTMAutoencoder
        >>> from seqembed.datasets import load_italy_power
        >>> autoencoder, X = LSTMAutoencoder(4, hidden_units=(8,)), load_italy_power().data
        >>> for start in range(0, 1000, 200):
        ...     autoencoder = autoencoder.partial_fit(X[start : start + 200])
        >>> len(autoencoder.history_["loss"])
        5
        """
        first_call = not hasattr(self, "network_")
        sequences = check_sequences(X, lengths, estimator=self) if first_call else self._check_sequences(X, lengths)
        _get_feature_names(X)

        # What a stream goes on with besides the weights. A fit leaves none behind, for its moments would double a
        # pickle: a stream that goes on from a fit starts without.
        random, state = getattr(self, "_stream", (None, StreamState(moments=None, n_updates=0)))
        random = _generator(self.random_state) if random is None else copy.deepcopy(random)
        network, weights, scaling = self._start(sequences, random, go_on=True)
        weights, state, loss, rate = train_on(
            network,
            weights,
            state,
            lambda rows, n_timesteps: scaling.read(sequences, rows, n_timesteps),
            sequences.lengths,
            scaling.scaled_means,
            random,
            batch_size=self._batch_size(len(sequences)),
            learning_rate=self._learning_rate(sequences.n_timesteps),
            augment=self._augments,
            n_jobs=self.n_jobs,
        )
        if first_call:
            self._remember(sequences, X, network, scaling)
            self.history_ = {"loss": [], "learning_rate": []}
        self.weights_, self._stream = weights, (random, state)
        self.history_["loss"].append(loss)
        self.history_["learning_rate"].append(rate)
        return self

    def _start(
        self, sequences: Sequences, random: np.random.Generator, *, go_on: bool
    ) -> tuple[Network, dict[str, np.ndarray], Scaling]:
        """Network, weights and scaling that training starts from: new ones, or those it has to go on with."""
        network = self._network(sequences.n_features, sequences.n_timesteps)
        if go_on and hasattr(self, "network_"):
            if self.time_encoding:
                network = replace(network, encoded_timesteps=self.network_.encoded_timesteps)
            if network != self.network_:
                raise ValueError(
                    f"Training can't go on from {self.network_} with {network}. Fit anew with warm_start=False, or use "
                    f"the parameters and features that the estimator was fitted with."
                )
            return network, self.weights_, self._scaling
        means, scales = feature_statistics(sequences)
        if self.scale is None:
            scaling = Scaling(means, np.zeros_like(means), np.ones_like(means))
        else:
            scaling = Scaling(means, means, scales)
        return network, initial_weights(network, random), scaling

    def _remember(self, sequences: Sequences, X, network: Network, scaling: Scaling) -> None:
        if is_table(sequences):
            table = X if _get_feature_names(X) is not None else sequences.in_input_layout()
            validate_data(self, table, skip_check_array=True)
        else:
            self.n_features_in_ = sequences.n_features
            vars(self).pop("feature_names_in_", None)
        self.n_timesteps_, self.one_length_ = sequences.n_timesteps, sequences.one_length
        self.n_features_, self.input_ndim_ = sequences.n_features, sequences.ndim
        self.network_ = network
        self.feature_means_, self.center_, self.scale_ = scaling.means, scaling.center, scaling.scale

    def _batch_size(self, n_samples: int) -> int:
        return auto_batch_size(n_samples) if self.batch_size == "auto" else self.batch_size

    def _learning_rate(self, n_timesteps: int) -> float:
        return auto_learning_rate(n_timesteps) if self.learning_rate == "auto" else self.learning_rate

    @property
    def _augments(self) -> bool:
        return self._bottleneck if self.augment == "auto" else self.augment

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
        # TensorFlow takes seconds and hundreds of megabytes to import.
        from seqembed.export.keras_model import build_keras_model

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
        flow : seqembed.network.layer_flow.LayerFlow
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
