"""The methods of a fitted network: reconstructions, their errors, export."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from seqembed.estimators.fitted_input import FittedInputMixin
from seqembed.export.onnx_network import build_onnx_model
from seqembed.extras import tensorflow_needed
from seqembed.files.atomic import Writable, write
from seqembed.fitted_attributes import replace_attributes
from seqembed.inference.compute import compute
from seqembed.inference.model import TrainedModel
from seqembed.inference.quantities import AVERAGED_AXES, Per, errors, reconstruction, sums_of_squares
from seqembed.network.architecture import Network
from seqembed.sequences.containers import SequencesLike
from seqembed.sequences.sample_weight import checked_weights

if TYPE_CHECKING:
    import keras


class FittedNetworkMixin(FittedInputMixin):
    """Methods that need only the trained model and `n_jobs`.

    Attributes
    ----------
    model_ : TrainedModel
        Network, weights, scaling and layout. The other fitted attributes are read from it.
    """

    model_: TrainedModel
    n_jobs: int | None

    def reconstruct(self, X: SequencesLike, lengths: npt.ArrayLike | None = None, *, out: Any = None) -> Any:
        """Send sequences through the whole network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences as given to `fit`.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.
        out : float array, default=None
            Where to write the result, such as a memory map, or an array stored in chunks (zarr, h5py); only for
            sequences of one length, that of the fit.

        Returns
        -------
        reconstruction : float32 array, in the layout that the estimator was fitted on
            The output of the network, in the units of `X`, with estimates of missing values. A list of arrays if the
            estimator was fitted on sequences of unequal lengths, or gets others than it was fitted on. float64 if
            float32 would round by more than a thousandth of a feature's scale, which is so for features far from zero:
            4,500,000 plus or minus 0.1. Of a dask array, a dask array, see `transform`.

        Raises
        ------
        ValueError
            For sequences of other features than the fitted ones, and for an array of another length without `lengths`.
            A list may hold sequences of any length.

        Examples
        --------
        >>> from seqembed import LSTMAutoencoder
        >>> from seqembed.datasets import load_italy_power
        >>> X = load_italy_power().data[:8]
        >>> autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=2).fit(X)
        >>> autoencoder.reconstruct(X).shape
        (8, 24, 1)
        >>> [x.shape for x in autoencoder.reconstruct([X[0], X[1, :20]])]
        [(24, 1), (20, 1)]
        """
        inputs = self._read(X, lengths)
        return compute(reconstruction(self.model_), self.model_, inputs, out=out, n_jobs=self.n_jobs)

    def reconstruction_error(
        self, X: SequencesLike, per: Per = "sequence", *, lengths: npt.ArrayLike | None = None, out: Any = None
    ) -> Any:
        """Compute the squared errors of the reconstruction, after scaling.

        Scaling makes features of different units comparable. With ``scale=None`` the errors are in squared units.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences as given to `fit`.
        per : {"sequence", "timestep", "value"}, default="sequence"
            What each error belongs to. The error of a sequence or of a timestep is the mean over its values; that of a
            sequence is the score by which rare events are found.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.
        out : float array, default=None
            Where to write the result, such as a memory map, or an array stored in chunks (zarr, h5py); only for
            sequences of one length, that of the fit.

        Returns
        -------
        errors : float32 array
            Of shape (n_samples,) per sequence, (n_samples, n_timesteps) per timestep, and in the layout of the
            reconstruction per value. Missing values are left out of means, and their own error is NaN. Per timestep and
            per value, a list of arrays where the reconstruction is one. Of a dask array, a dask array.

        Raises
        ------
        ValueError
            For sequences of another shape than the fitted ones, or an unknown `per`.
        TypeError
            For a `per` that is not text, such as lengths that are not passed by name.

        Examples
        --------
        >>> from seqembed import LSTMAutoencoder
        >>> from seqembed.datasets import load_italy_power
        >>> X = load_italy_power().data[:8]
        >>> autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=2).fit(X)
        >>> [autoencoder.reconstruction_error(X, per=per).shape for per in ("sequence", "timestep", "value")]
        [(8,), (8, 24), (8, 24, 1)]
        """
        if not isinstance(per, str):
            raise TypeError(
                f"Got per= of type {type(per).__name__}, expected one of {', '.join(map(repr, AVERAGED_AXES))}. Pass "
                f"lengths by name: reconstruction_error(X, lengths=lengths)."
            )
        if per not in AVERAGED_AXES:
            raise ValueError(f"Got per={per!r}, expected one of {', '.join(map(repr, AVERAGED_AXES))}.")
        inputs = self._read(X, lengths)
        return compute(errors(per), self.model_, inputs, out=out, n_jobs=self.n_jobs)

    def score(
        self,
        X: SequencesLike,
        y: object = None,
        *,
        lengths: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        """Compute the share of the variation that the reconstruction explains, R^2.

        It is one minus the sum of squared errors over the sum of squared deviations from the training means, over all
        values after scaling. 1 is perfect; the training means would get 0.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences as given to `fit`.
        y : object, default=None
            Ignored; present so that the estimator fits into a pipeline.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each sequence counts in both sums: 2 as much as the sequence twice, and 0 leaves it out. By default
            all count alike.

        Returns
        -------
        score : float
            At most 1. If all values of `X` equal the training means: 1 if the reconstruction does too, else 0.

        Raises
        ------
        ValueError
            For sequences of another shape than the fitted ones, and for weights that
            `seqembed.sequences.sample_weight.checked_weights` refuses.

        Examples
        --------
        >>> from seqembed import LSTMAutoencoder
        >>> from seqembed.datasets import load_italy_power
        >>> X = load_italy_power().data[:8]
        >>> LSTMAutoencoder(4, hidden_units=(8,), epochs=2).fit(X).score(X) <= 1
        True
        """
        inputs = self._read(X, lengths)
        sums = np.asarray(compute(sums_of_squares(), self.model_, inputs, n_jobs=self.n_jobs))
        weights = checked_weights(sample_weight, len(sums))
        if weights is not None:
            # Only ratios matter: sums weighted by 1e308 would be infinite. And zero times infinity would be NaN.
            weights = weights / weights.max()
            sums = sums[weights > 0] * weights[weights > 0, np.newaxis]
        squared_errors, squared_deviations = sums.sum(axis=0)
        if squared_deviations == 0:
            return float(squared_errors == 0)
        return float(1 - squared_errors / squared_deviations)

    def to_keras(self, part: str = "autoencoder") -> keras.Model:
        """Build a Keras model of the network, or of a part of it, of standard layers with the fitted weights.

        The layer that emits the embedding is called "embedding": the last LSTM layer of the encoder, which `layer_flow`
        numbers. With a shortcut, it keeps its number, and "embedding" is the layer that joins both. A model can be
        trained further, and `set_keras_weights` takes its weights back: compiled with ``loss="mse"``, its loss is in
        squared units of the sequences, where large features outweigh small ones; that of `history_` is after scaling.

        Parameters
        ----------
        part : {"autoencoder", "encoder", "decoder"}, default="autoencoder"
            Which of `reconstruct`, `transform` and `inverse_transform` the model computes. Without a bottleneck, there
            is only the whole.

        Returns
        -------
        model : keras.Model
            Takes and returns arrays of shape (n_samples, n_timesteps, n_features) in the user's units, where
            n_timesteps is that of the longest training sequence, or of shape (n_samples, n_components). With scaling,
            its first and last layers standardise and undo it. What computes the context and the shortcut is there too,
            in layers that are not trained. Missing values are not filled in. If the estimator was fitted on sequences
            of unequal lengths, its inputs are the sequences, padded at the end, and their lengths, an integer array of
            shape (n_samples,).

        Raises
        ------
        ImportError
            If TensorFlow is not installed.
        ValueError
            For another part.

        Examples
        --------
        >>> import numpy as np
        >>> from seqembed import LSTMAutoencoder
        >>> X = np.random.default_rng(0).normal(size=(8, 3, 2))
        >>> LSTMAutoencoder(epochs=1).fit(X).to_keras().output_shape
        (None, 3, 2)
        """
        check_is_fitted(self)
        check_part(part, self.model_.network)
        # TensorFlow takes seconds and hundreds of megabytes to import.
        with tensorflow_needed():
            from seqembed.export.keras_model import build_keras_model
        # Keras draws a seed for each layer from Python's global generator.
        state = random.getstate()
        try:
            return build_keras_model(self.model_, part)
        finally:
            random.setstate(state)

    def set_keras_weights(self, model: keras.Model) -> Self:
        """Take over the weights of a Keras model that `to_keras` has built, or of one with the same layers and names.

        Parameters
        ----------
        model : keras.Model
            The whole network, its encoder or its decoder; of a part, only the weights of that part change. It may be
            cut out of a larger model: layers are found by their names. A model of LSTM layers alone needs an estimator
            with ``patch_size=1, time_encoding=False, scale=None, context_size=0, shortcut_size=0``.

        Returns
        -------
        self : object
            The estimator, whose methods follow the new weights.

        Raises
        ------
        ValueError
            If the layers are not those of the network, of its encoder or of its decoder, if a weight has another shape
            or is not finite, if a layer has another activation or goes backwards, if the model scales sequences in
            another way, and if its shortcut or context is that of another fit. The estimator stays as it was.
        TypeError
            For a path: pass what ``keras.models.load_model`` returns.

        Examples
        --------
        >>> import numpy as np
        >>> from seqembed import LSTMAutoencoder
        >>> X = np.random.default_rng(0).normal(size=(8, 3, 2)).astype("float32")
        >>> autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(X)
        >>> model = autoencoder.to_keras()
        >>> model.compile("adam", "mse")
        >>> _ = model.fit(X, X, verbose=0)
        >>> difference = autoencoder.set_keras_weights(model).reconstruct(X) - model.predict(X, verbose=0)
        >>> bool(abs(difference).max() < 1e-5)
        True
        """
        check_is_fitted(self)
        with tensorflow_needed():
            from seqembed.export.keras_model import read_keras_weights
        self.weights_ = read_keras_weights(model, self.model_)
        return self

    def export_onnx(self, file: Writable, part: str | None = None) -> None:
        """Write the network, or a part of it, as an ONNX model, from raw values to raw values.

        Scaling, missing values and patches are inside. The number of sequences is free. An estimator that was fitted on
        sequences of unequal lengths has the input "lengths", an int64 array of shape (n_samples,), beside "X", an array
        that is padded at the end; what its output "reconstruction" has after the end of a sequence means nothing. The
        decoder alone then has the input "n_timesteps", a single int64 such as ``np.array(24)``. "X" and
        "reconstruction" are float32, whatever the dtype of the training data, and float64 where float32 is too coarse,
        see `reconstruct`.

        Parameters
        ----------
        file : str, path-like or binary file object
            Where to write, such as ``"encoder.onnx"``.
        part : {"encoder", "decoder", "autoencoder"} or None, default=None
            Which of `transform`, `inverse_transform` and `reconstruct` the model computes. None is the encoder, or the
            whole network if it has no bottleneck.

        Raises
        ------
        ImportError
            If onnx is not installed. ``pip install "seqembed[onnx]"`` installs it.
        ValueError
            For another part.

        Notes
        -----
        The model needs opset 17 and the version 8 of the format, which ONNX Runtime 1.18 and newer read. On scaled
        values, results differ from those of the estimator by about 1e-6, since sums are rounded in another order.

        Examples
        --------
        >>> import io
        >>> import onnxruntime
        >>> from seqembed import LSTMAutoencoder
        >>> from seqembed.datasets import load_italy_power
        >>> X = load_italy_power().data[:8]
        >>> file = io.BytesIO()
        >>> LSTMAutoencoder(4, hidden_units=(8,), epochs=2).fit(X).export_onnx(file)
        >>> session = onnxruntime.InferenceSession(file.getvalue())
        >>> session.run(["Z"], {"X": X})[0].shape
        (8, 4)
        """
        check_is_fitted(self)
        network = self.model_.network
        if part is None:
            part = "encoder" if network.bottleneck else "autoencoder"
        check_part(part, network)
        write(build_onnx_model(self.model_, part).SerializeToString(), file)

    @property
    def network_(self) -> Network:
        """The architecture of the network."""
        return self.model_.network

    @property
    def weights_(self) -> dict[str, np.ndarray]:
        """The trained weights in Keras layout."""
        return self.model_.weights

    @weights_.setter
    def weights_(self, weights: dict[str, np.ndarray]) -> None:
        # Copies: the network makes its arrays read-only.
        own = {name: np.array(weight) for name, weight in weights.items()}
        # Moments of the gradient belong to the weights before.
        replace_attributes(self, {"model_": replace(self.model_, weights=own)}, removed=("_stream",))

    @property
    def feature_means_(self) -> np.ndarray:
        """Means of the training data, float64 of shape (n_features,)."""
        return self.model_.scaling.means

    @property
    def center_(self) -> np.ndarray:
        """What is subtracted from each feature, float64 of shape (n_features,)."""
        return self.model_.scaling.center

    @property
    def scale_(self) -> np.ndarray:
        """What each feature is divided by, float64 of shape (n_features,)."""
        return self.model_.scaling.scale


def check_part(part: str, network: Network) -> None:
    """Refuse an unknown part of a network.

    Raises
    ------
    ValueError
        For an unknown part, and for the encoder or the decoder of a network without a bottleneck.

    Examples
    --------
    >>> check_part("encoder", Network(n_features=2))
    """
    parts = ("encoder", "decoder", "autoencoder") if network.bottleneck else ("autoencoder",)
    if part not in parts:
        raise ValueError(f"Got part={part!r}, expected one of {', '.join(map(repr, parts))}.")
