"""The LSTM autoencoder as a scikit-learn transformer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from seqembed.estimators.base import LSTMNetworkEstimator
from seqembed.estimators.embedding_names import EmbeddingNamesMixin
from seqembed.estimators.saving import savable
from seqembed.inference.compute import compute
from seqembed.inference.inputs import Embeddings, checked_embeddings
from seqembed.inference.quantities import decoding, embedding
from seqembed.network.architecture import Network
from seqembed.sequences.batches import batches_of, check_read_twice, row_slices
from seqembed.sequences.containers import SequencesLike
from seqembed.sequences.lazy import LazyRows, is_lazy, sample_row
from seqembed.sequences.lengths import checked_lengths
from seqembed.sklearn_private import Interval, StrOptions
from seqembed.training.labels import GivenLabels, LabelCode, classes_hint, read_labels
from seqembed.training.recipe import Recipe, auto_context_size, auto_shortcut_size
from seqembed.training.workers import SetShape
from seqembed.user_warning import warn_user


@savable
class LSTMAutoencoder(EmbeddingNamesMixin, TransformerMixin, LSTMNetworkEstimator):
    """Turn sequences into vectors, and the vectors back into sequences, with an LSTM autoencoder.

    The encoder reads a sequence. The state of its last layer after the last timestep is the embedding, which
    `transform` returns. The decoder reads the embedding, repeated once for each timestep, and is trained to reconstruct
    the sequence, which `inverse_transform` returns. Two things are computed from the training sequences and not
    trained: the context, a summary of the whole sequence that the encoder also reads, and the shortcut, principal
    components that pass beside the layers.

    Parameters
    ----------
    n_components : int, default=64
        Length of the embedding: the units of the bottleneck.
    hidden_units : sequence of int, default=(128,)
        Units of the encoder layers before the bottleneck; the decoder mirrors them. ``()`` means no layer but the
        bottleneck.
    patch_size : int or "auto", default="auto"
        Timesteps that the network reads, and writes, in one step. "auto" is 1 if the longest training sequence has
        fewer than 40 timesteps, and otherwise leaves about ten steps of it. An LSTM forgets over hundreds of steps: in
        patches, long sequences are reconstructed better and learned in a fraction of the time. 1 is the network
        of Ranjan's post (2019). If the length is no multiple, the last patch is filled up.
    activation : {"tanh", "relu"}, default="tanh"
        Activation of the cells. "relu" is that of Ranjan's post. It explodes over tens of timesteps, so it is
        not the default.
    time_encoding : bool, default=True
        Give the first decoder layer the position of each step. The decoder need not count then, and reaches the same
        loss in far fewer updates. False is the network of Ranjan's post.
    scale : {"standard"} or None, default="standard"
        "standard" subtracts the mean of each feature and divides by its standard deviation, over all timesteps of the
        training data, so that units don't decide what is learned. If a value lies more than ten standard deviations
        from the mean, the divisor is a tenth of the largest deviation: a rare spike would outweigh everything else.
        None trains on the values as they are.
    augment : bool or "auto", default="auto"
        Vary the training sequences anew in each epoch, so that the network learns what they have in common instead of
        each single one. Sequences that keep time with one another, such as days, are mixed in pairs. Sequences whose
        start is arbitrary, such as windows of a long recording, are shifted by up to a third of their length and made
        faster or slower. `seqembed.training.augmentation.keeps_time` decides which, from the data. If values are
        missing, the encoder reads each sequence without some more of them, and the network learns to estimate them, see
        `seqembed.training.augmentation.with_hidden_values`. With False, the training sequences are reconstructed better
        and others usually worse. Use False to find rare events. "auto" is True here, and False in `LSTMReconstructor`,
        which serves rare events alone.
    context_size : int or "auto", default="auto"
        Numbers of the context: components of the summary of a sequence, see `SequenceSummary`, which the last encoder
        layer reads at every step. A network can't learn from hundreds of sequences what the summary computes. "auto" is
        half of `n_components`, or as many as the training sequences give. In training, noise is added to it, and the
        data decide how much: see `seqembed.summary.context.learn_context`. 0 means no context.
    shortcut_size : int or "auto", default="auto"
        Most principal components of the padded sequences that join the first numbers of the embedding, and whose
        loadings are added to the output of the decoder. The LSTM layers learn the rest, in fewer updates. "auto" is
        half of `n_components`. There are fewer, or none, where more would not help with unseen sequences: see
        `seqembed.summary.principal_axes.learn_principal_axes`. 0 means no shortcut.
    readout_weight : float, default=0.1
        Weight of a second task in training: a linear layer predicts statistics of each training sequence, such as
        quantiles, autocorrelations and the size of its oscillations, and its context, from the embedding. Its mean
        squared error, times this weight and the variance of the sequences, joins the loss; that of the context counts
        five times. Linear models and distances then find in the embedding what tells sequences apart, at a small cost
        to the reconstruction. The layer is thrown away after training. 0 trains on the reconstruction alone. See
        `seqembed.training.readout`.
    label_weight : float, default=0.0
        Weight of a third task in training: a linear layer predicts the labels `y` of `fit` from the embedding, classes
        or numbers. Its squared error, standardised so that the means of the labels get 1, times this weight and the
        variance of the sequences, joins the loss. -1 (of classes), NaN and None mark sequences without a label. Numbers
        are floats of which some are no whole ones. The first half of the context, or less, is then a prediction of the
        labels by ridge regression on the statistics and convolutions of a sequence, if that predicts labels that were
        left out. (A network that goes on by `warm_start` keeps its context.) This is most of the gain from few
        labels. With labels, cross-validation has to be around the whole pipeline: an embedding that has seen the labels
        of a test fold makes every estimate too good. 0, the default, ignores `y`; 0.1 is a good start. See
        `seqembed.training.labels` and `seqembed.summary.label_directions`.
    epochs : int or "auto", default="auto"
        Passes over the training data. "auto" makes 500 updates if an epoch has up to 50 of them, in at most 500 epochs:
        updates count, and small sets need more passes. For larger sets, the number of updates grows as the square root
        of those of an epoch. Without a shortcut there are twice as many, in at most 1,000 epochs, and in patches, which
        make updates cheap, four times as many. `count_epochs` says how many epochs that is.
    batch_size : int or "auto", default="auto"
        Largest number of sequences in an update. Batches are made equally large, so that none is small. "auto" is a
        quarter of the data, at least 16 and at most 64; for patches of several timesteps it is 64.
    learning_rate : float or "auto", default="auto"
        Peak of the learning rate, reached after a warm-up over 5 % of the updates and followed by a cosine decay.
        "auto" is 0.01 for 100 timesteps, or 0.015 with a shortcut, and proportional to n_timesteps ** -0.25. The
        optimiser is Muon, whose steps are about a fifth of the rate for each weight. The gradient is clipped at norm 1.
    validation_fraction : float, default=0.0
        Share of the sequences that are held back at random. The weights of the epoch with the lowest loss on them are
        kept. The default is none, since small sets can't spare any.
    patience : int or None, default=None
        Epochs without a lower loss (the validation loss, if there is one) after which training stops. By default
        training goes on until the learning rate has decayed.
    n_jobs : int or None, default=None
        Largest number of threads, in training and afterwards. None and -1 use the cores that the process may run on,
        fewer inside joblib's workers. The results do not depend on it.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights and the scaling of the fit before, instead of starting anew.
    random_state : int, RandomState instance or None, default=None
        Draws the initial weights, the held-back sequences and the order of batches. An int makes results repeat, to
        the bit, on the same machine. None takes fresh entropy and leaves NumPy's global generator alone.
    verbose : int, default=0
        1 shows epoch, losses and time left: a progress bar in a terminal or a notebook, and elsewhere a line every ten
        seconds. 0 shows nothing, however long the fit takes.

    Attributes
    ----------
    history_ : dict of str to list of float
        One entry per epoch. "loss" is the mean squared error after scaling, over the values that are not missing, of
        each batch before its update; with `augment`, that of the varied sequences. "readout_loss", unless
        `readout_weight` and `label_weight` are 0, is what the second and the third task add to it. "val_loss", only
        with a `validation_fraction`, is that of the held-back sequences, unvaried. "learning_rate" is that of the last
        update.
    n_iter_, best_epoch_ : int
        Epochs of the last `fit`, and the one whose weights it kept. `partial_fit` removes both.
    interrupted_ : bool
        Whether Ctrl-C ended the last `fit` early. `partial_fit` removes it.
    weights_ : dict of str to float32 array
        The trained weights in Keras layout (kernel, recurrent_kernel, bias; gates in the order i, f, c, o), and those
        of the shortcut, which are not trained. To change some, set the attribute to a dict of all of them: what a
        network has computed with is read-only.
    network_ : seqembed.network.architecture.Network
        The architecture of the network.
    feature_means_ : float64 array of shape (n_features,)
        Means over all timesteps of the training data, which `score` compares with.
    center_, scale_ : float64 arrays of shape (n_features,)
        What is subtracted from each feature, and what it is then divided by.
    n_timesteps_, n_features_ : int
        Shape of the longest of the fitted sequences.
    one_length_ : bool
        Whether the fitted sequences were equally long. If so, arrays must have the same length, and only lists, and
        arrays with `lengths`, may hold sequences of others. If not, all reconstructions are lists.
    input_ndim_ : int
        2 if fitted on (n_samples, n_timesteps), else 3. Reconstructions have the same layout.
    n_features_in_ : int
        Columns of a two-dimensional `X`, as scikit-learn counts them, and `n_features_` otherwise.
    feature_names_in_ : array of str
        Names of the columns of a data frame.

    Notes
    -----
    Axes are (n_samples, n_timesteps, n_features), as in Keras and tslearn. aeon, sktime and tsai put features second:
    pass ``X.transpose(0, 2, 1)``.

    The embedding is the state after a sequence's own last timestep, so padding has no influence on it. Missing values
    (NaN) are read as the mean of their feature and left out of the loss, so `reconstruct` estimates them. The
    statistics of the context leave them out.

    References
    ----------
    C. Ranjan, "Step-by-step understanding LSTM Autoencoder layers" (2019).
    N. Srivastava, E. Mansimov, R. Salakhutdinov, "Unsupervised learning of video representations using LSTMs" (2015).
    K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024).
    Y. Nie et al., "A time series is worth 64 words: long-term forecasting with transformers" (2023).
    S. Pascual et al., "Learning problem-agnostic speech representations from multiple self-supervised tasks" (2019).
    H. Zhang, M. Cisse, Y. N. Dauphin, D. Lopez-Paz, "mixup: beyond empirical risk minimization" (2018).
    A. Dempster, D. F. Schmidt, G. I. Webb, "MiniRocket: a very fast (almost) deterministic transform for time series
    classification" (2021), for the convolutions of the context, and "Hydra: competing convolutional kernels for fast
    and accurate time series classification" (2023), for their competitions.

    Examples
    --------
    >>> from seqembed import LSTMAutoencoder
    >>> from seqembed.datasets import load_italy_power
    >>> X = load_italy_power().data
    >>> autoencoder = LSTMAutoencoder(n_components=8, hidden_units=(16,), epochs=5, random_state=0).fit(X)
    >>> Z = autoencoder.transform(X)
    >>> Z.shape, Z.dtype
    ((1096, 8), dtype('float32'))
    >>> autoencoder.inverse_transform(Z).shape
    (1096, 24, 1)
    """

    _bottleneck = True

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **LSTMNetworkEstimator._parameter_constraints,
        "context_size": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "shortcut_size": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "readout_weight": [Interval(Real, 0, None, closed="left")],
        "label_weight": [Interval(Real, 0, None, closed="left")],
    }

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
        context_size: int | Literal["auto"] = "auto",
        shortcut_size: int | Literal["auto"] = "auto",
        readout_weight: float = 0.1,
        label_weight: float = 0.0,
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
        super().__init__(
            n_components,
            hidden_units=hidden_units,
            patch_size=patch_size,
            activation=activation,
            time_encoding=time_encoding,
            scale=scale,
            augment=augment,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            validation_fraction=validation_fraction,
            patience=patience,
            n_jobs=n_jobs,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
        self.context_size = context_size
        self.shortcut_size = shortcut_size
        self.readout_weight = readout_weight
        self.label_weight = label_weight

    def fit_transform(
        self,
        X: SequencesLike,
        y: npt.ArrayLike | None = None,
        *,
        lengths: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        communicator: Any = None,
    ) -> Any:
        """Fit, and embed the training sequences: ``fit(X, lengths=lengths).transform(X, lengths=lengths)``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            See `fit`.
        y : array-like of shape (n_samples,), default=None
            Labels, see `fit`.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each sequence counts, see `fit`.
        checkpoint, communicator : object, default=None
            See `fit`.

        Returns
        -------
        Z : float32 array of shape (n_samples, n_components)
            One embedding per sequence.

        Examples
        --------
        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(10, 5, 2))
        >>> LSTMAutoencoder(n_components=3, hidden_units=(), epochs=1).fit_transform(X).shape
        (10, 3)
        """
        check_read_twice(X)
        fitted = self.fit(
            X, y, lengths=lengths, sample_weight=sample_weight, checkpoint=checkpoint, communicator=communicator
        )
        return fitted.transform(X, lengths=lengths)

    def transform(self, X: SequencesLike, lengths: npt.ArrayLike | None = None, *, out: Any = None) -> Any:
        """Embed sequences.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences of the fitted shape. Also an array stored in chunks (zarr, h5py), or an iterable of batches, of
            which one is in memory at a time, or a dask array.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence of a padded array.
        out : float array of shape (n_samples, n_components), default=None
            Where to write the embeddings, such as a memory map, or an array stored in chunks (zarr, h5py).

        Returns
        -------
        Z : float32 array of shape (n_samples, n_components)
            One embedding per sequence; with tanh, values between -1 and 1. Of a dask array, a dask array in the same
            blocks of rows: nothing is computed yet, and the model travels to each worker once. After `set_output`,
            it is computed at once.

        Raises
        ------
        ValueError
            For sequences of another shape than the fitted ones, and for one whose values are all missing.

        Examples
        --------
        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(10, 5, 2))
        >>> LSTMAutoencoder(n_components=3, hidden_units=(), epochs=1).fit(X).transform(X).shape
        (10, 3)
        """
        inputs = self._read_to_transform(X, lengths)
        return compute(embedding(self.model_), self.model_, inputs, out=out, n_jobs=self.n_jobs)

    def inverse_transform(self, Z: SequencesLike, lengths: npt.ArrayLike | None = None, *, out: Any = None) -> Any:
        """Reconstruct sequences from their embeddings.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            Embeddings. Also an array stored in chunks (zarr, h5py), or an iterable of batches, of which one is in
            memory at a time, or a dask array.
        lengths : array-like of int of shape (n_samples,), default=None
            Timesteps of each sequence. By default those of the fitted sequences, if they were equally long.
        out : float array, default=None
            Where to write the sequences, such as a memory map, or an array stored in chunks (zarr, h5py); only without
            `lengths`.

        Returns
        -------
        X : float32 array, in the layout that the estimator was fitted on
            The decoder's sequences in the units of the training data. With `lengths`, a list of arrays. float64 where
            float32 is too coarse, see `reconstruct`. Of a dask array without `lengths`, a dask array, see `transform`.

        Raises
        ------
        ValueError
            For embeddings that don't have `n_components` finite values, for lengths that are missing or not positive,
            and for lengths beside an iterable.

        Examples
        --------
        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(10, 5, 2))
        >>> autoencoder = LSTMAutoencoder(n_components=3, hidden_units=(), epochs=1).fit(X)
        >>> autoencoder.inverse_transform([[0.1, -0.5, 0.9]]).shape
        (1, 5, 2)
        """
        inputs = self._read_embeddings(Z, lengths)
        return compute(decoding(self.model_), self.model_, inputs, out=out, n_jobs=self.n_jobs)

    def _read_embeddings(self, Z: Any, lengths: npt.ArrayLike | None) -> Embeddings | Iterator[Embeddings] | LazyRows:
        """Check embeddings: a collection now, batches when they are reached."""
        check_is_fitted(self)
        model, name = self.model_, type(self).__name__
        if is_lazy(Z):
            row, _ = sample_row(Z, lengths)
            ends = None if lengths is None else checked_lengths(lengths, Z.shape[0])
            checked_embeddings(row, None if ends is None else ends[:1], model, name)
            return LazyRows(Z, ends, partial(checked_embeddings, estimator_name=name))
        if lengths is not None and hasattr(Z, "chunks") and hasattr(Z, "shape"):
            ends = checked_lengths(lengths, Z.shape[0])
            return (checked_embeddings(Z[rows], ends[rows], model, name) for rows in row_slices(Z))
        batches = batches_of(Z, None, ndim=2)
        if batches is None:
            return checked_embeddings(Z, lengths, model, name)
        if lengths is not None:
            raise ValueError(
                "Got lengths= beside batches of embeddings, expected an array. Decode each batch with its own lengths: "
                "inverse_transform(Z_batch, lengths=...)."
            )
        return (checked_embeddings(batch.values, None, model, name) for batch in batches)

    def _recipe(self, shape: SetShape, network: Network, n_validation: int = 0) -> Recipe:
        recipe = super()._recipe(shape, network, n_validation)
        return replace(recipe, readout_weight=float(self.readout_weight), label_weight=float(self.label_weight))

    def _given_labels(
        self, y: npt.ArrayLike | None, n_samples: int, code: LabelCode | None = None
    ) -> GivenLabels | None:
        if not self.label_weight or (y is None and code is not None):
            return None
        if code is not None:
            return read_labels(y, n_samples, as_numbers=code.classes is None)
        given = read_labels(y, n_samples)
        hint = classes_hint(given)
        if hint is not None:
            warn_user(hint)
        return given

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.shortcut_size != "auto" and self.shortcut_size > self.n_components:
            raise ValueError(
                f"Got shortcut_size={self.shortcut_size} with n_components={self.n_components}, expected at most as "
                f"many principal components as the embedding has numbers. Use shortcut_size='auto' or a smaller one."
            )

    def _network(self, n_features: int, n_timesteps: int) -> Network:
        network = super()._network(n_features, n_timesteps)
        context_size = auto_context_size(network.n_components) if self.context_size == "auto" else self.context_size
        shortcut_size = auto_shortcut_size(network.n_components) if self.shortcut_size == "auto" else self.shortcut_size
        return replace(network, context_size=int(context_size), shortcut_size=int(shortcut_size))

    @property
    def _n_features_out(self) -> int:
        return self.model_.network.n_components

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
