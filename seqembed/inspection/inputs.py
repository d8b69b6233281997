"""What a question is about: a fitted autoencoder and sequences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from seqembed.inference.compute import compute
from seqembed.inference.inputs import check_fitted_input, checked_embeddings
from seqembed.inference.model import TrainedModel
from seqembed.inference.quantities import decoding, embedding
from seqembed.sequences.batches import collected
from seqembed.sequences.collection import Sequences
from seqembed.sequences.containers import SequencesLike

if TYPE_CHECKING:
    from seqembed.estimators.autoencoder import LSTMAutoencoder


def fitted_model(estimator: LSTMAutoencoder) -> TrainedModel:
    """Return the model of a fitted autoencoder.

    Raises
    ------
    TypeError
        For an estimator that has no embedding which can be decoded.
    sklearn.exceptions.NotFittedError
        For one that is not fitted.

    Examples
    --------
    >>> from seqembed import LSTMAutoencoder
    >>> X = np.random.default_rng(0).normal(size=(8, 3, 2))
    >>> fitted_model(LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(X)).network.n_components
    2
    """
    check_is_fitted(estimator)
    model = getattr(estimator, "model_", None)
    if not isinstance(model, TrainedModel) or not model.network.bottleneck:
        raise TypeError(
            f"Got estimator= of type {type(estimator).__name__}, expected a fitted LSTMAutoencoder, whose embedding "
            f"can be decoded. Of a pipeline, pass its step: pipeline['lstmautoencoder']."
        )
    return model


@contextmanager
def fitted_input(estimator: LSTMAutoencoder, X: SequencesLike, lengths: npt.ArrayLike | None) -> Iterator[Sequences]:
    """Check sequences as `transform` does. Batches are collected in a temporary file.

    Parameters
    ----------
    estimator : LSTMAutoencoder
        Fitted.
    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
        The user's input, of any kind that `transform` takes.
    lengths : array-like of int of shape (n_samples,) or None
        Timesteps of each sequence of a padded array.

    Yields
    ------
    sequences : Sequences
        Those in a temporary file can be read until the context ends.

    Raises
    ------
    ValueError
        For sequences that `transform` refuses.
    """
    layout = estimator.model_.layout
    with collected(X, lengths, estimator, layout.ndim) as sequences:
        check_fitted_input(sequences, layout, estimator)
        yield sequences


def embed(estimator: LSTMAutoencoder, sequences: Sequences) -> np.ndarray:
    """Embed checked sequences, as an array whatever `set_output` asks for: float32, (n_samples, n_components)."""
    model = estimator.model_
    embedded: np.ndarray = compute(embedding(model), model, sequences, n_jobs=estimator.n_jobs)
    return embedded


def decode(estimator: LSTMAutoencoder, Z: np.ndarray, lengths: np.ndarray) -> np.ndarray | list[np.ndarray]:
    """Decode embeddings at the lengths of sequences: an array if all have the one length of the fit, else a list."""
    model = estimator.model_
    layout = model.layout
    has_fitted_length = layout.one_length and bool((lengths == layout.n_timesteps).all())
    embeddings = checked_embeddings(Z, None if has_fitted_length else lengths, model, type(estimator).__name__)
    decoded: np.ndarray | list[np.ndarray] = compute(decoding(model), model, embeddings, n_jobs=estimator.n_jobs)
    return decoded
