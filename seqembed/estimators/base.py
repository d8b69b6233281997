"""The base class of the LSTM network estimators."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from seqembed.estimators.checkpoints import Checkpoint, fingerprint
from seqembed.estimators.file_checks import check_network_attributes
from seqembed.estimators.fitted import FittedNetworkMixin
from seqembed.estimators.model_attributes import restored_model
from seqembed.estimators.notebook_view import NotebookViewMixin
from seqembed.estimators.parameters import NETWORK_CONSTRAINTS, checked_units, count_validation
from seqembed.estimators.saving import SavableMixin
from seqembed.estimators.start import common_settings, continued_model, joint_layout, new_generator, new_model
from seqembed.estimators.training_set import training_set
from seqembed.fitted_attributes import replace_attributes
from seqembed.inference.model import TrainedModel
from seqembed.network.architecture import Network
from seqembed.network.layer_flow import LayerFlow
from seqembed.sequences.batches import collected
from seqembed.sequences.collection import Sequences, check_sequences
from seqembed.sequences.columns import check_names, column_attributes
from seqembed.sequences.containers import SequencesLike
from seqembed.sequences.hints import constant_hint, layout_hints, sizes_hints
from seqembed.sequences.scaling import ScaledSequences, constant_features, learn_scaling
from seqembed.sequences.windows import check_count
from seqembed.sklearn_private import fit_context
from seqembed.training.ending import ending_message, level_message
from seqembed.training.labels import GivenLabels, LabelCode, Labels, joint_labels, learn_label_code
from seqembed.training.loop import train
from seqembed.training.one_pass import StreamState, train_one_pass
from seqembed.training.recipe import Recipe, auto_batch_size, auto_epochs, auto_learning_rate, auto_patch_size
from seqembed.training.workers import ALONE, SetShape, Workers, find_workers, joint_shape, refuse_workers
from seqembed.user_warning import warn_user


class LSTMNetworkEstimator(NotebookViewMixin, FittedNetworkMixin, SavableMixin, BaseEstimator):
    """Base of the estimators that train a network to reconstruct its input.

    A subclass sets `_bottleneck`: True if its network has a bottleneck.
    """

    _bottleneck: bool
    _stream: StreamState

    _parameter_constraints: ClassVar[dict[str, Any]] = NETWORK_CONSTRAINTS

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        return tags

    def __init__(
        self,
        n_components: int = 64,
        *,
        hidden_units: Sequence[int] = (128,),
        patch_size: int | Literal["auto"] = "auto",
        activation: Literal["tanh", "relu"] = "tanh",
        time_encoding: bool = True,
        scale: Literal["standard"] | None = "standard",
        augment: bool | Literal["auto"] = "auto",
        epochs: int | Literal["auto"] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        validation_fraction: float = 0.0,
        patience: int | None = None,
        n_jobs: int | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.hidden_units = hidden_units
        self.patch_size = patch_size
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

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: SequencesLike,
        y: npt.ArrayLike | None = None,
        *,
        lengths: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        communicator: Any = None,
    ) -> Self:
        """Train the network to reconstruct the sequences.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences of any real dtype; NaN marks a missing value. Two dimensions mean a single feature. A list holds
            arrays of shape (n_timesteps, n_features) or (n_timesteps,), which may differ in length. Memory maps, and
            windows of them, are read batch by batch. An array stored in chunks (zarr, h5py, dask) or an iterable of
            batches is read once, into a temporary file.
        y : array-like of shape (n_samples,), default=None
            Labels, for an `LSTMAutoencoder` with a `label_weight`. Otherwise ignored; present so that the estimator
            fits into a pipeline.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array. By default, none is padded.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each sequence counts in the losses: 2 as much as the sequence twice, and 0 leaves it out. By
            default all count alike. See the notes.
        checkpoint : str or path-like, default=None
            File for the state of training. It is written after every epoch, or less often if that would take more than
            a thirtieth of the time and a minute has not passed. If the process is killed, the same call goes on from
            it, to the same bits. It is removed when training ends, also by a loss that explodes. After Ctrl-C, a lost
            worker or any other error it stays.
        communicator : mpi4py.MPI.Comm, default=None
            Workers that train the same network, each on an `X` of its own: ``MPI.COMM_WORLD``. By default, they are
            those of the ``tf.distribute.MultiWorkerMirroredStrategy`` in whose scope `fit` is called, and outside of a
            scope this process is alone. See the notes.

        Returns
        -------
        self : object
            The fitted estimator, the same for each worker.

        Raises
        ------
        ValueError
            For a parameter out of its range, sequences that `seqembed.sequences.collection.check_sequences` refuses,
            labels that `seqembed.training.labels.read_labels` refuses or that tell nothing, weights that
            `seqembed.sequences.sample_weight.checked_weights` refuses, lengths beside batches, workers whose sequences
            have other features, and a checkpoint of another fit.
        FloatingPointError
            If the loss still explodes after four reductions of the learning rate.
        ConnectionError
            If another worker has ended, or does not answer for 45 seconds. The estimator stays as it was.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            When the loss exploded, so that training went back to the best weights with a lower learning rate, when
            Ctrl-C ended it early, and when the loss stayed above twice the variance of the sequences. The estimator
            keeps the best weights so far.
        UserWarning
            When the sequences seem to be laid out in another way than they are read, see `seqembed.sequences.hints`.

        Notes
        -----
        Weights multiply the errors of sequences, and those of a mixture of two are multiplied with one another: then a
        weight of 2 has the effect of the sequence twice, on average. Only ratios matter. Weights don't change how
        features are scaled, and what is computed and not trained (context, shortcut, statistics of the readout): those
        are of all sequences whose weight is not 0. Sequences of weight 0 are left out of everything, "auto" included.

        Labels of sequences that are held back don't join the loss, but the context and the scale of labels are learned
        from all. A worker may have no label, or labels of some classes. The context is learned from those of worker 0.

        Several workers make the same updates: in each, the gradients of all are summed, weighted by the values that are
        not missing. `batch_size` and "auto" count the sequences of all workers. For small batches, the all-reduce takes
        longer than it saves. `random_state` and `checkpoint` of worker 0 hold; the other workers draw the
        order and the variation of their sequences from their own. Workers should have about equally many sequences.
        They have to reach `fit`, and every step in it, within 45 seconds of one another. So let each read its sequences
        before.
        """
        workers = find_workers(communicator)
        # Read once, since another thread may fit the estimator meanwhile.
        before = getattr(self, "model_", None) if self.warm_start else None
        with collected(X, lengths, self) as given:
            given_labels = self._given_labels(y, len(given))
            sequences, given_labels, weights = training_set(given, given_labels, sample_weight)
            for hint in layout_hints(sequences):
                warn_user(hint)
            common = common_settings(self, before, sequences) | {"use of sample_weight": weights is not None}
            shape = joint_shape(sequences.lengths, common, workers)
            if before is not None and sequences.ndim == before.layout.ndim == 3:
                # The weights and the scaling of each feature stay.
                check_names(self, sequences.names)
            if weights is not None:
                weights = weights / workers.all_gather([weights.max()]).max()
            labels = None
            if given_labels is not None:
                given_labels = joint_labels(given_labels, workers)
                labels = learn_label_code(given_labels, workers).encode(given_labels, len(sequences))
            random = new_generator(self.random_state)
            start = self._start(before, sequences, shape, labels, random, workers)
            scaled = ScaledSequences(sequences, start.scaling)
            for hint in sizes_hints(scaled):
                warn_user(hint)
            recipe = self._recipe(shape, start.network, count_validation(self.validation_fraction, shape)[workers.rank])
            marks = fingerprint(self, before, start, recipe, shape, labels, weights)
            kept = Checkpoint(checkpoint, marks, workers)
            try:
                result = train(
                    start,
                    scaled,
                    recipe,
                    workers.own_generator(random),
                    verbose=bool(self.verbose),
                    labels=labels,
                    sample_weight=weights,
                    workers=workers,
                    resume_from=kept.read(),
                    keep=kept.write if kept.is_wanted else None,
                )
            except FloatingPointError:
                kept.remove()
                raise
            message = ending_message(result, recipe) or level_message(result, scaled, workers, weights)
        fitted = {
            "model_": replace(start, weights=result.weights),
            "history_": result.history,
            "n_iter_": len(result.history["loss"]),
            "best_epoch_": result.best_epoch,
            "interrupted_": result.interrupted,
        }
        # The moments of the gradient are twice as large as the weights: partial_fit starts without them after a fit.
        replace_attributes(self, fitted | column_attributes(sequences), removed=("feature_names_in_", "_stream"))
        if not result.interrupted:
            kept.remove()
        if message:
            warn_user(message, ConvergenceWarning)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: SequencesLike,
        y: npt.ArrayLike | None = None,
        *,
        lengths: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Make one pass over the next sequences of a stream.

        The first call, on an estimator that is not fitted, sets how features are scaled, which layout sequences have,
        whether they are of one length, and what is computed and not trained. So the first batch should be large and
        typical. Later calls go on from the present weights, also from those of a `fit`. The learning rate warms up over
        50 updates and falls as ``1 / sqrt(number of updates)`` from the 200th on; `epochs`, `validation_fraction` and
        `patience` are not used.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences as given to `fit`.
        y : array-like of shape (n_samples,), default=None
            Labels, for an `LSTMAutoencoder` with a `label_weight`. The first call, also the first one after a `fit`,
            must have a label of each class; later calls may have none. Otherwise ignored.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each of these sequences counts, see `fit`. Only ratios within one call matter. Likewise, the labels
            of a call count together as much as those of another call, however few they are.

        Returns
        -------
        self : object
            The estimator. `history_` has one more entry: the mean loss of the batches, each before its update.

        Raises
        ------
        ValueError
            For sequences of another shape than the first ones, a label that is none of the first classes, labels in a
            stream that began without them, and weights that `fit` refuses.
        FloatingPointError
            When the loss is no longer finite. The estimator stays as it was.

        Notes
        -----
        Pass equally many sequences of one length each time, where you can. TensorFlow compiles the network for each
        other shape of batches. This takes a second or more, and tens of megabytes that it keeps until the process ends.

        Examples
        --------
        >>> from seqembed import LSTMAutoencoder
        >>> from seqembed.datasets import load_italy_power
        >>> autoencoder, X = LSTMAutoencoder(4, hidden_units=(8,)), load_italy_power().data
        >>> for start in range(0, 600, 200):
        ...     autoencoder = autoencoder.partial_fit(X[start : start + 200])
        >>> len(autoencoder.history_["loss"])
        3
        """
        refuse_workers("partial_fit")
        # Read here, since another thread may fit the estimator meanwhile.
        model, losses = getattr(self, "model_", None), getattr(self, "history_", {})
        stream = getattr(self, "_stream", None)
        first_call = model is None
        given = check_sequences(X, lengths, estimator=self) if first_call else self._checked(X, lengths)
        state = stream or StreamState(new_generator(self.random_state))
        code = state.label_code
        given_labels = self._given_labels(y, len(given), code)
        sequences, given_labels, weights = training_set(given, given_labels, sample_weight)
        if code is None and given_labels is not None:
            if state.moments is not None:
                raise ValueError(
                    f"Got label_weight={self.label_weight} for a stream that began without labels, expected 0. Begin "
                    f"a new one with sklearn.base.clone(estimator), or call fit."
                )
            code = learn_label_code(given_labels)
        weights = None if weights is None else weights / weights.max()
        labels = None if code is None else code.encode(given_labels, len(sequences))
        # A pass writes into no other part of the state.
        state = state._replace(random=copy.deepcopy(state.random), label_code=code)
        shape = SetShape(sequences.n_timesteps, (len(sequences),), sequences.one_length)
        start = self._start(model, sequences, shape, labels, state.random)
        constant = constant_features(sequences) if first_call and self.scale is not None else np.zeros(1, bool)
        if constant.any():
            warn_user(constant_hint(np.flatnonzero(constant)))
            start = replace(start, scaling=start.scaling.with_mean_scales(constant))
        scaled, recipe = ScaledSequences(sequences, start.scaling), self._recipe(shape, start.network)
        result = train_one_pass(start, state, scaled, recipe, labels, weights)
        fitted = {
            "model_": replace(start if model is None else model, weights=result.weights),
            "_stream": result.state,
            "history_": losses | {name: _with_entry(losses, name, value) for name, value in result.losses.items()},
        }
        if first_call:
            fitted |= column_attributes(sequences)
        # What is removed belongs to a fit that is over now.
        replace_attributes(self, fitted, removed=("n_iter_", "best_epoch_", "interrupted_"))
        return self

    def _given_labels(
        self, y: npt.ArrayLike | None, n_samples: int, code: LabelCode | None = None
    ) -> GivenLabels | None:
        """Read the labels, if they are learned. The code is that of earlier passes over a stream."""
        return None

    def _start(
        self,
        before: TrainedModel | None,
        sequences: Sequences,
        shape: SetShape,
        labels: Labels | None,
        random: np.random.Generator,
        workers: Workers = ALONE,
    ) -> TrainedModel:
        """Return the model that training starts from: the fitted one that it goes on from, or a new one if None."""
        network = self._network(sequences.n_features, shape.n_timesteps)
        layout = joint_layout(sequences, shape, workers)
        if before is not None:
            sizes = ("patch_size", "context_size", "shortcut_size")
            kept = [name for name in sizes if getattr(self, name, "auto") == "auto"]
            return continued_model(before, network, self.scale, layout, kept)
        scaling = learn_scaling(sequences, self.scale, workers.all_gather)
        return new_model(network, sequences, scaling, layout, labels, random, workers)

    def _recipe(self, shape: SetShape, network: Network, n_validation: int = 0) -> Recipe:
        """Replace each "auto" by a value computed from the size of the data."""
        n_samples = sum(shape.n_samples)
        auto_rate = auto_learning_rate(shape.n_timesteps, has_shortcut=network.shortcut_size > 0)
        rate = auto_rate if self.learning_rate == "auto" else self.learning_rate
        return Recipe(
            epochs=self._count_epochs(n_samples, network),
            batch_size=self._count_per_batch(n_samples, network.patch_size),
            # A NumPy scalar would make float32 arrays float64.
            learning_rate=float(rate),
            augment=self._bottleneck if self.augment == "auto" else self.augment,
            n_validation=n_validation,
            patience=self.patience,
            n_jobs=self.n_jobs,
        )

    def _count_per_batch(self, n_samples: int, patch_size: int) -> int:
        return auto_batch_size(n_samples, patch_size) if self.batch_size == "auto" else int(self.batch_size)

    def _validate_params(self) -> None:
        super()._validate_params()
        checked_units(self.hidden_units)

    def _restore(self, attributes: dict[str, Any]) -> None:
        check_network_attributes(attributes, bottleneck=self._bottleneck)
        self.model_, others = restored_model(attributes)
        self.__dict__.update(others)

    def count_epochs(self, n_samples: int, n_timesteps: int) -> int:
        """Count the epochs that a fit makes, unless its loss stops it.

        Parameters
        ----------
        n_samples : int
            Number of training sequences.
        n_timesteps : int
            Length of the longest of them.

        Returns
        -------
        epochs : int
            `epochs`, or what "auto" stands for if the data give a shortcut of any size, where one is wanted.

        Raises
        ------
        TypeError, ValueError
            For a number that is not an integer of at least 1.

        Examples
        --------
        >>> from seqembed import LSTMAutoencoder
        >>> LSTMAutoencoder().count_epochs(n_samples=640, n_timesteps=24)
        50
        """
        self._validate_params()
        check_count("n_samples", n_samples, 1)
        check_count("n_timesteps", n_timesteps, 1)
        # Features do not matter here.
        return self._count_epochs(int(n_samples), self._network(1, int(n_timesteps)))

    def _count_epochs(self, n_samples: int, network: Network) -> int:
        if self.epochs != "auto":
            # Products of narrow integers of NumPy would overflow.
            return int(self.epochs)
        batch_size = self._count_per_batch(n_samples, network.patch_size)
        n_validation = math.ceil(self.validation_fraction * n_samples)
        return auto_epochs(
            n_samples - n_validation, batch_size, network.patch_size, has_shortcut=network.shortcut_size > 0
        )

    def layer_flow(self, n_timesteps: int | None = None, n_features: int | None = None) -> LayerFlow:
        """Explain the network layer by layer: roles, shapes and numbers of parameters.

        Parameters
        ----------
        n_timesteps, n_features : int, default=None
            Shape of a sequence; by default that of the fitted ones.

        Returns
        -------
        flow : seqembed.network.layer_flow.LayerFlow
            ``print(flow)`` shows a table, a notebook shows a nicer one, and ``flow.plot()`` draws a figure.

        Raises
        ------
        ValueError
            Before `fit`, if one of the two is missing, and for one below 1.
        TypeError
            For one that is not an integer.

        Examples
        --------
        >>> from seqembed import LSTMAutoencoder
        >>> plain = LSTMAutoencoder(time_encoding=False, context_size=0, shortcut_size=0)
        >>> print(plain.layer_flow(n_timesteps=3, n_features=2))
        layer      type                       role     input     output    return_sequences  parameters
        encoder_1  LSTM(128)                  encoder  (3, 2)    (3, 128)  True                  67,072
        encoder_2  LSTM(64)                   encoder  (3, 128)  (64,)     False                 49,408
        repeat     RepeatVector(3)            bridge   (64,)     (3, 64)                              0
        decoder_1  LSTM(64)                   decoder  (3, 64)   (3, 64)   True                  33,024
        decoder_2  LSTM(128)                  decoder  (3, 64)   (3, 128)  True                  98,816
        output     TimeDistributed(Dense(2))  output   (3, 128)  (3, 2)                             258
        total                                                                                   248,578
        """
        layout = self.model_.layout if hasattr(self, "model_") else None
        if layout is not None:
            n_timesteps = layout.n_timesteps if n_timesteps is None else n_timesteps
            n_features = layout.n_features if n_features is None else n_features
            if (n_timesteps, n_features) == (layout.n_timesteps, layout.n_features):
                return LayerFlow(self.model_.network, n_timesteps)
        if n_timesteps is None or n_features is None:
            raise ValueError(
                f"This {type(self).__name__} is not fitted, so the shape of its sequences is unknown: call "
                f"layer_flow(n_timesteps=..., n_features=...)."
            )
        check_count("n_timesteps", n_timesteps, 1)
        check_count("n_features", n_features, 1)
        return LayerFlow(self._network(n_features, n_timesteps), int(n_timesteps))

    def _network(self, n_features: int, n_timesteps: int) -> Network:
        return Network(
            int(n_features),
            int(self.n_components),
            checked_units(self.hidden_units),
            self.activation,
            bottleneck=self._bottleneck,
            encoded_timesteps=int(n_timesteps) if self.time_encoding else None,
            patch_size=auto_patch_size(n_timesteps) if self.patch_size == "auto" else int(self.patch_size),
        )


def _with_entry(losses: dict[str, list[float]], name: str, value: float) -> list[float]:
    """Return the losses of one name with that of another pass, NaN for the entries before in which it was not there."""
    # A new list: a shallow copy of the estimator keeps its own history.
    known = losses.get(name, [])
    return [*known, *[math.nan] * (len(losses.get("loss", [])) - len(known)), value]
