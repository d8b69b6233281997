"""The methods of a fitted network: reconstructions, their errors, export."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from seqembed.estimators.columns import check_columns
from seqembed.export.onnx_graph import build_onnx_model
from seqembed.export.persistence import write
from seqembed.extras import import_with_tensorflow
from seqembed.network import forward
from seqembed.network.architecture import Network
from seqembed.parallel import run_batches
from seqembed.sequences.collection import (
    Sequences,
    check_sequences,
    counted,
    row_numbers,
    with_feature_axis,
    without_feature_axis,
)
from seqembed.sequences.lazy import check_lazily, compute_lazily, is_lazy
from seqembed.sequences.scaling import Batch, ScaledSequences, Scaling
from seqembed.sequences.streams import (
    LISTED_RESULTS,
    batches_of,
    check_store,
    compute_by_batches,
    is_stored,
)

_PADDED = (
    "{} was fitted with lengths= on an array padded to {} timesteps, and gets such an array without: its padding is "
    "read as values. Pass lengths=, or a list of arrays, which search and pipelines of scikit-learn pass on: "
    "[x[:n] for x, n in zip(X, lengths)]."
)


class ScaledNetwork(NamedTuple):
    """A network with its weights, and how its input is scaled.

    Parameters
    ----------
    network : Network
        Its architecture.
    weights : dict of str to float32 array
        As named by ``network.weight_shapes``.
    scaling : Scaling
        How sequences are scaled.
    """

    network: Network
    weights: dict[str, np.ndarray]
    scaling: Scaling


class FittedNetworkMixin:
    """Methods that need only the fitted attributes and `n_jobs`."""

    def reconstruct(self, X, lengths=None, *, out=None):
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
        check_is_fitted(self)
        return self._compute(_reconstruct, X, lengths, out, per="value", dtype=self._scaled_network.scaling.dtype)

    def reconstruction_error(self, X, per="sequence", *, lengths=None, out=None):
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

        Examples
        --------
        >>> from seqembed import LSTMAutoencoder
        >>> from seqembed.datasets import load_italy_power
        >>> X = load_italy_power().data[:8]
        >>> autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=2).fit(X)
        >>> [autoencoder.reconstruction_error(X, per=per).shape for per in ("sequence", "timestep", "value")]
        [(8,), (8, 24), (8, 24, 1)]
        """
        averaged_axes = {"sequence": (1, 2), "timestep": (2,), "value": ()}
        if per not in averaged_axes:
            raise ValueError(f"Got per={per!r}, expected one of 'sequence', 'timestep', 'value'.")
        return self._compute(partial(_mean_errors, averaged_axes[per]), X, lengths, out, per=per)

    def score(self, X, y=None, *, lengths=None):
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

        Returns
        -------
        score : float
            At most 1. If all values of `X` equal the training means: 1 if the reconstruction does too, else 0.

        Examples
        --------
        >>> from seqembed import LSTMAutoencoder
        >>> from seqembed.datasets import load_italy_power
        >>> X = load_italy_power().data[:8]
        >>> LSTMAutoencoder(4, hidden_units=(8,), epochs=2).fit(X).score(X) <= 1
        True
        """
        sums = self._compute(_sums_of_squares, X, lengths, out=None, width=(2,), dtype=np.float64)
        squared_errors, squared_deviations = np.asarray(sums.sum(axis=0))
        if squared_deviations == 0:
            return float(squared_errors == 0)
        return float(1 - squared_errors / squared_deviations)

    def to_keras(self, part="autoencoder"):
        """Build a Keras model of the network, or of a part of it, of standard layers with the fitted weights.

        The layer that emits the embedding is called "embedding". A model can be trained further, and
        `set_keras_weights` takes its weights back: compiled with ``loss="mse"``, its loss is in squared units of the
        sequences, where large features outweigh small ones; that of `history_` is after scaling.

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
            its first and last layers standardise and undo it. Missing values are not filled in. If the estimator was
            fitted on sequences of unequal lengths, its inputs are the sequences, padded at the end, and their lengths,
            an integer array of shape (n_samples,).

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
        >>> LSTMAutoencoder(time_encoding=False, epochs=1).fit(X).to_keras().count_params()
        248578
        """
        check_is_fitted(self)
        part = _checked_part(part, self.network_)
        # TensorFlow takes seconds and hundreds of megabytes to import.
        keras_model = import_with_tensorflow("seqembed.export.keras_model")
        # Keras draws a seed for each layer from Python's global generator.
        state = random.getstate()
        try:
            return keras_model.build_keras_model(
                *self._scaled_network, part, n_timesteps=self.n_timesteps_, with_lengths=not self.one_length_
            )
        finally:
            random.setstate(state)

    def set_keras_weights(self, model):
        """Take over the weights of a Keras model that `to_keras` has built and that was trained further.

        Parameters
        ----------
        model : keras.Model
            The whole network, its encoder or its decoder; of a part, only the weights of that part change. It may be
            cut out of a larger model: layers are found by their names.

        Returns
        -------
        self : object
            The estimator, whose methods follow the new weights.

        Raises
        ------
        ValueError
            If the model has none of the layers, or a weight of another shape, or one that is not finite. The estimator
            stays as it was.

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
        keras_model = import_with_tensorflow("seqembed.export.keras_model")
        self.weights_ = keras_model.read_keras_weights(model, self.network_, self.weights_)
        # Moments of the gradient belong to the weights before.
        vars(self).pop("_stream", None)
        return self

    def export_onnx(self, file, part=None):
        """Write the network, or a part of it, as an ONNX model, from raw values to raw values.

        Scaling, missing values and patches are inside. The number of sequences is free. An estimator that was fitted on
        sequences of unequal lengths has the input "lengths", an int64 array of shape (n_samples,), beside "X", an array
        that is padded at the end; what its output "reconstruction" has after the end of a sequence means nothing. The
        decoder alone then has the input "n_timesteps", a single int64. Where float32 is too coarse, see `reconstruct`,
        "X" and "reconstruction" are float64.

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
        write(self._onnx_model(part).SerializeToString(), file)

    def _onnx_model(self, part):
        check_is_fitted(self)
        default = "encoder" if self.network_.bottleneck else "autoencoder"
        return build_onnx_model(
            *self._scaled_network,
            _checked_part(default if part is None else part, self.network_),
            n_timesteps=self.n_timesteps_ if self.one_length_ else None,
            has_feature_axis=self.input_ndim_ == 3,
        )

    @property
    def _scaled_network(self) -> ScaledNetwork:
        return ScaledNetwork(self.network_, self.weights_, Scaling(self.feature_means_, self.center_, self.scale_))

    def _check_sequences(self, X, lengths=None) -> Sequences:
        """Check sequences, and that they are of the shape that the estimator was fitted on."""
        sequences = check_sequences(X, lengths, estimator=self)
        padded_length = getattr(self, "_padded_length", None)
        # A list, or lengths=, says that sequences may differ in length; an array of another length is a mistake.
        is_array = lengths is None and isinstance(sequences.values, np.ndarray)
        if is_array and sequences.n_timesteps == padded_length:
            warnings.warn(_PADDED.format(type(self).__name__, padded_length), UserWarning, stacklevel=4)
        is_comparable = sequences.ndim == 3 or (is_array and self.one_length_)
        if is_comparable and sequences.ndim == self.input_ndim_:
            check_columns(self, X, sequences)
        expected = (self.n_timesteps_, self.n_features_)
        other_length = is_array and self.one_length_ and sequences.n_timesteps != self.n_timesteps_
        if other_length or sequences.n_features != self.n_features_:
            raise ValueError(_shape_message(sequences, expected, self.one_length_, type(self).__name__))
        return sequences

    def _compute(self, of_batch: Callable, X, lengths, out, per="sequence", width=(), dtype=np.float32):
        """Check sequences, or each batch of a stream, and compute something of them on threads.

        Parameters
        ----------
        of_batch : callable
            Takes a ScaledNetwork and a Batch; returns an array with a row for each sequence.
        X, lengths, out : object
            What the user passed.
        per : {"sequence", "timestep", "value"}
            What the results belong to.
        width : tuple of int
            Shape of the result of a sequence, if `per` is "sequence".
        dtype : dtype
            Of the results.
        """
        check_is_fitted(self)
        model = self._scaled_network

        def compute(sequences, out):
            as_array = self.one_length_ and bool((sequences.lengths == self.n_timesteps_).all())
            results, rows_of_results = self._allocate(sequences.lengths, out, per, width, dtype, as_array=as_array)
            scaled = ScaledSequences(sequences, model.scaling)

            def run(rows):
                longest = scaled.lengths[rows].max()
                batch = scaled.read(rows, model.network.whole_patches(longest))
                computed = of_batch(model, batch)
                if per != "sequence":
                    computed = computed[:, :longest]
                write_rows(rows_of_results, rows, computed, batch.lengths)

            run_batches(run, len(sequences), self.n_jobs, sequences.order)
            return results

        are_arrays = per == "sequence" or (self.one_length_ and lengths is None)
        if is_lazy(X) and out is None and are_arrays:
            check_lazily(self._check_sequences, X, lengths)
            of_block = partial(_compute_of_block, of_batch, per, width, dtype)
            return compute_lazily(of_block, X, lengths, self, self._shape_of_result(per, width), dtype)
        batches = batches_of(X, lengths, self.input_ndim_)
        if is_stored(out):
            check_store(out, self._shape_of_result(per, width))
        if batches is not None:
            return compute_by_batches(lambda batch, out: compute(self._check_sequences(batch), out), batches, out)
        sequences = self._check_sequences(X, lengths)
        if is_stored(out):
            return compute_by_batches(compute, map(sequences.part, sequences.chunks()), out)
        return compute(sequences, out)

    def _shape_of_result(self, per: str, width: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of what is computed of one sequence, if it is an array."""
        if per == "sequence":
            return width
        has_features = per == "value" and self.input_ndim_ == 3
        return (self.n_timesteps_, self.n_features_) if has_features else (self.n_timesteps_,)

    def _allocate(
        self, lengths: np.ndarray, out: np.ndarray | None, per: str, width: tuple[int, ...], dtype, *, as_array: bool
    ):
        """Allocate results: as the user gets them, and as a view or list whose rows have the axis of features."""
        if per == "sequence" or as_array:
            results = _checked_out(out, (len(lengths), *self._shape_of_result(per, width)), dtype)
            return results, with_feature_axis(results) if per == "value" else results
        if out is not None:
            raise ValueError(LISTED_RESULTS)
        width = (self.n_features_,) if per == "value" else ()
        results = [np.empty((length, *width), dtype) for length in lengths]
        return self._as_fitted_layout(results) if per == "value" else results, results

    def _as_fitted_layout(self, values: np.ndarray | list[np.ndarray]) -> np.ndarray | list[np.ndarray]:
        return without_feature_axis(values) if self.input_ndim_ == 2 else values


def _compute_of_block(of_batch: Callable, per: str, width: tuple[int, ...], dtype, estimator, block, lengths):
    """Compute something of a block of a dask array, on the machine that has the block."""
    return estimator._compute(of_batch, block, lengths, None, per, width, dtype)


def _checked_part(part: str, network: Network) -> str:
    parts = ("encoder", "decoder", "autoencoder") if network.bottleneck else ("autoencoder",)
    if part not in parts:
        raise ValueError(f"Got part={part!r}, expected one of {', '.join(map(repr, parts))}.")
    return part


def _reconstruct(model: ScaledNetwork, batch: Batch) -> np.ndarray:
    values = forward.reconstruct(model.network, model.weights, batch.values, batch.lengths)
    return model.scaling.undo(values)


def _squared_errors(model: ScaledNetwork, batch: Batch) -> np.ndarray:
    return forward.squared_errors(model.network, model.weights, batch.values, batch.lengths)


def _mean_errors(averaged_axes: tuple[int, ...], model: ScaledNetwork, batch: Batch) -> np.ndarray:
    """Average squared errors over the known values, NaN where there are none."""
    sums = _squared_errors(model, batch).sum(axis=averaged_axes, where=batch.mask)
    counts = batch.mask.sum(axis=averaged_axes)
    return np.divide(sums, counts, out=np.full(counts.shape, np.nan, np.float32), where=counts > 0, casting="same_kind")


def _sums_of_squares(model: ScaledNetwork, batch: Batch) -> np.ndarray:
    """Sum squared errors, and squared deviations from the training means, for each sequence."""
    reconstruction = forward.reconstruct(model.network, model.weights, batch.values, batch.lengths)
    # The square of a value beyond 1e19 is infinite in float32.
    values = batch.values.astype(np.float64)
    parts = np.square(values - reconstruction), np.square(values - model.scaling.scaled_means)
    return np.stack([squared.sum(axis=(1, 2), dtype=np.float64, where=batch.mask) for squared in parts], axis=1)


def write_rows(results: np.ndarray | list[np.ndarray], rows, batch: np.ndarray, lengths: np.ndarray) -> None:
    """Write what was computed of a batch into its rows of the results, without the padding."""
    if isinstance(results, np.ndarray):
        results[rows] = batch
        return
    for row, values, length in zip(row_numbers(rows, len(results)), batch, lengths, strict=True):
        results[row][:] = values[:length]


def _checked_out(out: np.ndarray | None, shape: tuple[int, ...], dtype) -> np.ndarray:
    """Return the user's array if it fits, or a new one."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype.kind != "f":
        given = (
            f"shape {out.shape} and dtype {out.dtype}" if isinstance(out, np.ndarray) else f"type {type(out).__name__}"
        )
        raise ValueError(f"Got out= of {given}, expected np.empty({shape}, np.float32) or another array of floats.")
    return out


def _shape_message(sequences: Sequences, expected: tuple[int, int], one_length: bool, estimator: str) -> str:
    """Say how sequences differ from the (n_timesteps, n_features) that an estimator was fitted on, and the remedy."""
    n_timesteps, n_features = expected
    given = (sequences.n_timesteps, sequences.n_features)
    if not one_length:
        return (
            f"X has {counted(given[1], 'feature')}, but {estimator} was fitted on sequences of "
            f"{counted(n_features, 'feature')}. Pass sequences of shape (n_timesteps, {n_features})."
        )
    message = (
        f"X has {counted(given[0], 'timestep')} of {counted(given[1], 'feature')}, but {estimator} was fitted on "
        f"{counted(n_timesteps, 'timestep')} of {counted(n_features, 'feature')}."
    )
    if sequences.ndim == 3 and given[::-1] == expected:
        return f"{message} It looks transposed, time last: pass X.transpose(0, 2, 1)."
    if sequences.ndim == 2 and (len(sequences), given[0]) == expected:
        return f"{message} It looks like a single sequence: pass X[np.newaxis]."
    if sequences.ndim == 3 and given[1] == n_features:
        return f"{message} To read sequences of other lengths, pass a list of arrays: list(X)."
    return f"{message} Pass sequences of shape (n_samples, {n_timesteps}, {n_features})."
