"""What a fitted network makes of sequences: reconstructions, their errors and score."""

from __future__ import annotations

from functools import partial

import numpy as np
from sklearn.utils.validation import _get_feature_names, check_is_fitted, validate_data

from seqembed.estimators._layout import is_table, refuse_lengths, shape_message
from seqembed.estimators._results import checked_out, fill
from seqembed.network import forward
from seqembed.parallel import run_batches
from seqembed.sequences.collection import Sequences, check_sequences, with_feature_axis, without_feature_axis
from seqembed.sequences.scaling import Batch, Scaling
from seqembed.sequences.streams import batches_of, compute_by_batches


class ReconstructionMixin:
    """Computes with the attributes that `fit` leaves behind, and with no other part of an estimator but `n_jobs`."""

    def reconstruct(self, X, lengths=None, *, out=None):
        """Send sequences through the whole network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences as given to `fit`.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.
        out : float array, default=None
            Where to write the result, such as a memory map; for sequences of one length.

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
        return self._compute(self._reconstruct, X, lengths, out)

    def _reconstruct(self, sequences: Sequences, out: np.ndarray | None) -> np.ndarray | list[np.ndarray]:
        reconstruction, room = self._room_for(sequences.lengths, out, per_value=True)

        def reconstruct(rows):
            batch = self._scaling.read(sequences, rows)
            values = forward.reconstruct(self.network_, self.weights_, batch.values, batch.lengths)
            fill(room, rows, self._scaling.undo(values), batch.lengths)

        run_batches(reconstruct, len(sequences), self.n_jobs, sequences.order)
        return reconstruction

    def reconstruction_error(self, X, per="sequence", *, lengths=None, out=None):
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
        out : float array, default=None
            Where to write the result, such as a memory map; for results of one shape.

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
        return self._compute(partial(self._errors, per), X, lengths, out)

    def _errors(self, per: str, sequences: Sequences, out: np.ndarray | None) -> np.ndarray | list[np.ndarray]:
        if per == "sequence":
            errors = room = checked_out(out, (len(sequences),))
        else:
            errors, room = self._room_for(sequences.lengths, out, per_value=per == "value")

        def measure(rows):
            batch = self._scaling.read(sequences, rows)
            squared = self._squared_errors(batch)
            if per == "sequence":
                room[rows] = _mean_of_observed(squared, batch.observed, (1, 2))
            else:
                axes = (2,) if per == "timestep" else ()
                fill(room, rows, _mean_of_observed(squared, batch.observed, axes), batch.lengths)

        run_batches(measure, len(sequences), self.n_jobs, sequences.order)
        return errors

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
        sums = self._compute(self._sums_of_squares, X, lengths, out=None)
        squared_errors, squared_deviations = sums.sum(axis=0)
        if squared_deviations == 0:
            return float(squared_errors == 0)
        return float(1 - squared_errors / squared_deviations)

    def _sums_of_squares(self, sequences: Sequences, out: None) -> np.ndarray:
        """Squared errors, and squared deviations from the training means, of each sequence."""
        sums = np.zeros((len(sequences), 2))
        means = self._scaling.scaled_means

        def measure(rows):
            batch = self._scaling.read(sequences, rows)
            observed = True if batch.observed is None else batch.observed
            for column, squared in enumerate((self._squared_errors(batch), np.square(batch.values - means))):
                sums[rows, column] = squared.sum(axis=(1, 2), dtype=np.float64, where=observed)

        run_batches(measure, len(sequences), self.n_jobs, sequences.order)
        return sums

    @property
    def _scaling(self) -> Scaling:
        return Scaling(self.feature_means_, self.center_, self.scale_)

    def _check_sequences(self, X, lengths=None) -> Sequences:
        check_is_fitted(self)
        sequences = check_sequences(X, lengths, estimator=self)
        if is_table(sequences) and self.input_ndim_ == 2 and self.one_length_:
            table = X if _get_feature_names(X) is not None else sequences.in_input_layout()
            validate_data(self, table, reset=False, skip_check_array=True)
        expected = (self.n_timesteps_, self.n_features_)
        other_length = self.one_length_ and (sequences.lengths != self.n_timesteps_).any()
        if other_length or sequences.n_features != self.n_features_:
            raise ValueError(shape_message(sequences, expected, self.one_length_, type(self).__name__))
        return sequences

    def _squared_errors(self, batch: Batch) -> np.ndarray:
        reconstruction = forward.reconstruct(self.network_, self.weights_, batch.values, batch.lengths)
        return np.square(reconstruction - batch.values)

    def _compute(self, compute, X, lengths, out) -> np.ndarray | list[np.ndarray]:
        """Check sequences, or each batch of a stream, and compute something of them."""
        check_is_fitted(self)
        batches = batches_of(X)
        if batches is None:
            return compute(self._check_sequences(X, lengths), out)
        refuse_lengths(lengths)
        return compute_by_batches(lambda batch, room: compute(self._check_sequences(batch), room), batches, out)

    def _room_for(
        self, lengths: np.ndarray, out: np.ndarray | None, *, per_value: bool
    ) -> tuple[np.ndarray | list[np.ndarray], np.ndarray | list[np.ndarray]]:
        """Room for what is computed of each timestep: as the user sees it, and always with the axis of features."""
        width = (self.n_features_,) if per_value else ()
        if self.one_length_:
            seen_width = () if self.input_ndim_ == 2 else width
            seen = checked_out(out, (len(lengths), self.n_timesteps_, *seen_width))
            return seen, with_feature_axis(seen) if per_value else seen
        if out is not None:
            raise ValueError("Got out= for sequences of unequal lengths: no array has their shape. Leave it out.")
        room = [np.empty((length, *width), np.float32) for length in lengths]
        return self._as_fitted_layout(room) if per_value else room, room

    def _as_fitted_layout(self, values: np.ndarray | list[np.ndarray]) -> np.ndarray | list[np.ndarray]:
        return without_feature_axis(values) if self.input_ndim_ == 2 else values


def _mean_of_observed(values: np.ndarray, observed: np.ndarray | None, axes: tuple[int, ...]) -> np.ndarray:
    if observed is None:
        return values.mean(axis=axes)
    counts = observed.sum(axis=axes)
    return np.divide(values.sum(axis=axes, where=observed), counts, out=np.full(counts.shape, np.nan), where=counts > 0)
