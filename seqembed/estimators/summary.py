"""Summaries of sequences as a scikit-learn transformer, without a network."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from seqembed.estimators.embedding_names import EmbeddingNamesMixin
from seqembed.estimators.file_checks import check_summary_attributes
from seqembed.estimators.fitted_input import FittedInputMixin
from seqembed.estimators.model_attributes import restored_summary
from seqembed.estimators.saving import SavableMixin, savable
from seqembed.export.onnx_summary import build_onnx_summary
from seqembed.files.atomic import Writable, write
from seqembed.fitted_attributes import replace_attributes
from seqembed.inference.compute import compute
from seqembed.inference.model import Layout, SummaryModel
from seqembed.inference.quantities import summary
from seqembed.parallel import one_blas_thread
from seqembed.sequences.batches import check_read_twice, collected
from seqembed.sequences.columns import column_attributes
from seqembed.sequences.containers import SequencesLike
from seqembed.sequences.hints import layout_hints
from seqembed.sequences.scaling import ScaledSequences, learn_scaling
from seqembed.sequences.wording import counted
from seqembed.sklearn_private import Interval, Options, fit_context
from seqembed.summary.components import learn_summary
from seqembed.user_warning import warn_user


@savable
class SequenceSummary(EmbeddingNamesMixin, TransformerMixin, FittedInputMixin, SavableMixin, BaseEstimator):
    """Turn sequences into vectors by statistics and fixed convolutions, in seconds and without training.

    1. Each feature is scaled as ``LSTMAutoencoder(scale="standard")`` scales it.
    2. Of each sequence, statistics of each feature are computed (quantiles, autocorrelations, sizes of oscillations and
       others), and the shares of timesteps at which fixed convolutions exceed about 250 thresholds. MiniRocket, which
       has ten thousand of them, calls these PPV, proportions of positive values. The convolutions also compete, as in
       Hydra: further shares say how often each is the largest or the smallest of seven, and how often it rises or falls
       the most. See `seqembed.summary.statistics`, `seqembed.summary.shares` and `seqembed.summary.competition`.
    3. Each of these numbers is standardised over the training sequences; statistics, thresholds and competitions weigh
       the same. What differs between the two halves of a sequence tells little about the sequence, so such directions
       are shortened (within-class covariance normalisation, with each sequence as a class).
    4. The components are the principal components of what remains.

    It is enough for a first look, and where the vectors only serve to tell kinds of sequences apart: on few sequences,
    a network can hardly learn statistics that hold on others. It can't decode: for sequences from vectors, for missing
    values and for rare events by reconstruction error, use `LSTMAutoencoder`.

    Parameters
    ----------
    n_components : int, default=32
        Length of the vectors, at most the number of training sequences less one. 32 components predict classes about as
        well as 64.
    n_jobs : int or None, default=None
        Largest number of threads of `transform`. None and -1 use the cores that the process may run on. The results do
        not depend on it. `fit` uses one.

    Attributes
    ----------
    model_ : seqembed.inference.model.SummaryModel
        What was learned: thresholds, means, deviations and principal axes.
    n_components_ : int
        Number of components: fewer than `n_components` if the training sequences differ in fewer directions.
    n_timesteps_, n_features_ : int
        Shape of the longest of the fitted sequences.
    one_length_ : bool
        Whether the fitted sequences were equally long. If so, arrays must have the same length, and only lists, and
        arrays with `lengths`, may hold sequences of others.
    input_ndim_ : int
        2 if fitted on (n_samples, n_timesteps), else 3.
    n_features_in_ : int
        Columns of a two-dimensional `X`, as scikit-learn counts them, and `n_features_` otherwise.
    feature_names_in_ : array of str
        Names of the columns of a data frame.

    Notes
    -----
    Missing values (NaN) are left out of the statistics. Convolutions read them as the mean of their feature, as a
    network does. What precedes and follows a sequence is read in the same way. Large sets are sampled with a fixed
    seed: the same data give the same components.

    References
    ----------
    A. Dempster, D. F. Schmidt, G. I. Webb, "MiniRocket: a very fast (almost) deterministic transform for time series
    classification" (2021), and "Hydra: competing convolutional kernels for fast and accurate time series
    classification" (2023).

    A. O. Hatch, S. Kajarekar, A. Stolcke, "Within-class covariance normalization for SVM-based speaker recognition"
    (2006).

    Examples
    --------
    >>> from seqembed import SequenceSummary
    >>> from seqembed.datasets import load_basic_motions
    >>> X = load_basic_motions().data
    >>> Z = SequenceSummary(n_components=8).fit_transform(X)
    >>> Z.shape, Z.dtype
    ((80, 8), dtype('float32'))
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Interval(Integral, 1, None, closed="left"), Options(Integral, {-1}), None],
    }

    model_: SummaryModel

    def __init__(self, n_components: int = 32, *, n_jobs: int | None = None) -> None:
        self.n_components = n_components
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: SequencesLike, y: object = None, *, lengths: npt.ArrayLike | None = None) -> Self:
        """Learn thresholds and principal components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences, as `LSTMAutoencoder.fit` takes them: also memory maps, and arrays stored in chunks and batches,
            which are copied to a temporary file. Components are learned from at most 2,048 of them, drawn from the set.
        y : object, default=None
            Ignored; present so that the estimator fits into a pipeline.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            For a parameter out of its range, and for sequences that
            `seqembed.sequences.collection.check_sequences` refuses.

        Warns
        -----
        UserWarning
            When the sequences seem to be laid out in another way than they are read, see `seqembed.sequences.hints`.
            When there are fewer components than `n_components`.
        """
        with collected(X, lengths, self) as sequences:
            for hint in layout_hints(sequences):
                warn_user(hint)
            scaling = learn_scaling(sequences, "standard")
            # The last bits of NumPy's results depend on the number of its threads.
            with one_blas_thread():
                scaled = ScaledSequences(sequences, scaling)
                learned = learn_summary(scaled, int(self.n_components), sequences.n_timesteps)
            layout = Layout.from_sequences(sequences)
        n_learned = learned.axes.shape[1]
        if n_learned < self.n_components:
            warn_user(
                f"Got sequences that differ in {counted(n_learned, 'direction')}, fewer than "
                f"n_components={self.n_components}: there are as many components. Pass more sequences, or "
                f"n_components={n_learned}."
            )
        fitted = {"model_": SummaryModel(learned, scaling, layout)} | column_attributes(sequences)
        replace_attributes(self, fitted, removed=("feature_names_in_",))
        return self

    def fit_transform(self, X: SequencesLike, y: object = None, *, lengths: npt.ArrayLike | None = None) -> Any:
        """Fit, and summarise the training sequences: ``fit(X, lengths=lengths).transform(X, lengths=lengths)``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            See `fit`. Batches must be such that they can be read twice.
        y : object, default=None
            Ignored; present so that the estimator fits into a pipeline.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.

        Returns
        -------
        Z : float32 array of shape (n_samples, n_components)
            The components of each sequence.
        """
        check_read_twice(X)
        return self.fit(X, y, lengths=lengths).transform(X, lengths=lengths)

    def transform(self, X: SequencesLike, lengths: npt.ArrayLike | None = None, *, out: Any = None) -> Any:
        """Summarise sequences.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences of the fitted shape. Also an array stored in chunks (zarr, h5py), or an iterable of batches, of
            which one is in memory at a time, or a dask array.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.
        out : float array of shape (n_samples, n_components), default=None
            Where to write the components, such as a memory map, or an array stored in chunks (zarr, h5py).

        Returns
        -------
        Z : float32 array of shape (n_samples, n_components)
            The components of each sequence, the one of the largest variance first. Of a dask array, a dask array.

        Raises
        ------
        ValueError
            For sequences of another shape than the fitted ones, and for one whose values are all missing.

        Examples
        --------
        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(10, 50, 2))
        >>> SequenceSummary(n_components=3).fit(X).transform([x[:40] for x in X]).shape
        (10, 3)
        """
        inputs = self._read_to_transform(X, lengths)
        return compute(summary(self.model_), self.model_, inputs, out=out, n_jobs=self.n_jobs)

    def export_onnx(self, file: Writable) -> None:
        """Write the summary as an ONNX model, from raw values "X" to components "Z".

        Scaling and missing values are inside. The number of sequences is free. After a fit on sequences of unequal
        lengths, it has the input "lengths", an int64 array of shape (n_samples,), beside "X", an array that is padded
        at the end. Where float32 is too coarse, see `LSTMAutoencoder.reconstruct`, "X" is float64.

        Parameters
        ----------
        file : str, path-like or binary file object
            Where to write, such as ``"summary.onnx"``.

        Raises
        ------
        ImportError
            If onnx is not installed. ``pip install "seqembed[onnx]"`` installs it.

        Notes
        -----
        The model needs opset 17, which ONNX Runtime 1.18 and newer read. A convolution that nearly equals a threshold
        may be rounded to its other side. So components may differ by a timestep's part of a share.

        Examples
        --------
        >>> import io
        >>> import numpy as np
        >>> import onnxruntime
        >>> X, file = np.random.default_rng(0).normal(size=(10, 50, 2)).astype(np.float32), io.BytesIO()
        >>> SequenceSummary(n_components=3).fit(X).export_onnx(file)
        >>> onnxruntime.InferenceSession(file.getvalue()).run(["Z"], {"X": X})[0].shape
        (10, 3)
        """
        check_is_fitted(self)
        write(build_onnx_summary(self.model_).SerializeToString(), file)

    @property
    def n_components_(self) -> int:
        """Number of components, at most `n_components`."""
        return int(self.model_.summary.axes.shape[1])

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def _restore(self, attributes: dict[str, Any]) -> None:
        check_summary_attributes(attributes)
        self.model_, others = restored_summary(attributes)
        self.__dict__.update(others)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
