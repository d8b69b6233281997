"""Inputs of a trained model: sequences of its layout, or embeddings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array

from seqembed.inference.model import Layout, Model, TrainedModel
from seqembed.sequences.collection import Sequences, check_sequences, chunks
from seqembed.sequences.columns import check_columns
from seqembed.sequences.containers import as_numbers, column_labels
from seqembed.sequences.lengths import checked_lengths
from seqembed.sequences.rows import rows_by_length
from seqembed.sequences.wording import counted
from seqembed.user_warning import warn_user


def check_fitted_input(sequences: Sequences, layout: Layout, estimator: object) -> None:
    """Refuse sequences of other columns or of another layout than those that an estimator was fitted on.

    Parameters
    ----------
    sequences : Sequences
        To be read.
    layout : Layout
        That of the fitted sequences.
    estimator : estimator
        Fitted. It knows the names and the number of the columns.

    Raises
    ------
    ValueError
        See `check_layout` and `seqembed.sequences.columns.check_columns`.
    """
    # Columns of a table are timesteps: of sequences of unequal lengths they have no names to compare.
    has_columns = sequences.ndim == 3 or (sequences.is_array and layout.one_length)
    if has_columns and sequences.ndim == layout.ndim:
        check_columns(estimator, sequences)
    check_layout(sequences, layout, type(estimator).__name__)


def check_layout(sequences: Sequences, layout: Layout, estimator_name: str) -> None:
    """Refuse sequences of another layout than the fitted ones.

    Parameters
    ----------
    sequences : Sequences
        To be read.
    layout : Layout
        That of the fitted sequences.
    estimator_name : str
        Named in messages.

    Raises
    ------
    ValueError
        For other features, and for an array of another length.

    Warns
    -----
    UserWarning
        For an array without lengths that is as long as the padded array of the fit.

    Examples
    --------
    >>> layout = Layout(n_timesteps=3, n_features=2, one_length=True, ndim=3)
    >>> check_layout(check_sequences(np.zeros((5, 3, 2))), layout, "LSTMAutoencoder")
    """
    if sequences.is_array and sequences.n_timesteps == layout.padded_length:
        warn_user(
            f"Got an array padded to {layout.padded_length} timesteps without lengths=: its padding is read as values. "
            f"{estimator_name} was fitted with lengths= on such an array. Pass lengths=, or a list of arrays, which "
            f"search and pipelines of scikit-learn pass on: [x[:n] for x, n in zip(X, lengths)]."
        )
    has_other_length = sequences.is_array and layout.one_length and sequences.n_timesteps != layout.n_timesteps
    if has_other_length or sequences.n_features != layout.n_features:
        raise ValueError(_layout_message(sequences, layout, estimator_name))


def checked_block(X: np.ndarray, lengths: np.ndarray | None, model: Model, estimator_name: str) -> Sequences:
    """Check a block of an array of sequences, of which the columns were checked before.

    Parameters
    ----------
    X : array of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps)
        The block.
    lengths : int array of shape (n_samples,) or None
        Timesteps of each sequence of a padded array.
    model : TrainedModel or SummaryModel
        Will read them.
    estimator_name : str
        Named in errors.
    """
    try:
        sequences = check_sequences(X, lengths, estimator=estimator_name)
    except ValueError as error:
        # Which block it is, dask does not say where the numbers of sequences in the blocks are unknown.
        raise ValueError(f"{error} Sequences are numbered within a block of rows of the dask array.") from error
    check_layout(sequences, model.layout, estimator_name)
    return sequences


def _layout_message(sequences: Sequences, layout: Layout, estimator_name: str) -> str:
    """Say how sequences differ from the fitted ones, and the remedy."""
    n_timesteps, n_features = expected = layout.n_timesteps, layout.n_features
    given = (sequences.n_timesteps, sequences.n_features)
    if not layout.one_length:
        return (
            f"X has {counted(given[1], 'feature')}, but {estimator_name} was fitted on sequences of "
            f"{counted(n_features, 'feature')}. Pass sequences of shape (n_timesteps, {n_features})."
        )
    message = (
        f"X has {counted(given[0], 'timestep')} of {counted(given[1], 'feature')}, but {estimator_name} was fitted on "
        f"{counted(n_timesteps, 'timestep')} of {counted(n_features, 'feature')}."
    )
    if sequences.ndim == 3 and given[::-1] == expected:
        return f"{message} It looks transposed, time last: pass X.transpose(0, 2, 1)."
    if sequences.ndim == 2 and (len(sequences), given[0]) == expected:
        return f"{message} It looks like a single sequence: pass X[np.newaxis], or [X] for a data frame."
    if sequences.ndim == 3 and given[1] == n_features:
        return f"{message} To read sequences of other lengths, pass a list of arrays: list(X)."
    return f"{message} Pass sequences of shape (n_samples, {n_timesteps}, {n_features})."


class EmbeddedBatch(NamedTuple):
    """Embeddings as the decoder reads them.

    Parameters
    ----------
    values : float32 array of shape (n_samples, n_components)
        Embeddings.
    lengths : int array of shape (n_samples,)
        Timesteps of each sequence to decode.
    """

    values: np.ndarray
    lengths: np.ndarray


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Checked embeddings.

    Parameters
    ----------
    values : float32 array of shape (n_samples, n_components)
        Finite.
    lengths : int array of shape (n_samples,)
        Timesteps of each sequence to decode.
    has_own_lengths : bool
        Whether the user gave the lengths, so that decoded sequences are a list.
    n_features : int
        Values per timestep of a decoded sequence.
    """

    values: np.ndarray
    lengths: np.ndarray
    has_own_lengths: bool
    n_features: int

    def __len__(self) -> int:
        return len(self.values)

    @property
    def order(self) -> np.ndarray | None:
        """Rows sorted by length, so that batches need few steps; None if the lengths are those of the fit."""
        return rows_by_length(self.lengths) if self.has_own_lengths else None

    def part(self, rows: slice) -> Embeddings:
        """Return some of the embeddings, without copying them."""
        return replace(self, values=self.values[rows], lengths=self.lengths[rows])

    def chunks(self) -> list[slice]:
        """Cut the collection into slices, each of about half a million decoded values."""
        return list(chunks(len(self), int(self.lengths.max()) * self.n_features))

    def read(self, rows: slice | np.ndarray) -> EmbeddedBatch:
        """Read some embeddings as a batch."""
        return EmbeddedBatch(self.values[rows], self.lengths[rows])


def checked_embeddings(
    Z: npt.ArrayLike, lengths: npt.ArrayLike | None, model: TrainedModel, estimator_name: str
) -> Embeddings:
    """Check embeddings, and the lengths of the sequences to decode.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Embeddings.
    lengths : array-like of int of shape (n_samples,) or None
        Timesteps of each sequence. None means those of the fit, if the fitted sequences were equally long.
    model : TrainedModel
        Decodes them.
    estimator_name : str
        Named in errors.

    Raises
    ------
    ValueError
        For embeddings that don't have as many finite values as the model has components, for those whose columns have
        the names of the model's own in another order, and for lengths that are missing or not positive.
    """
    # What float32 can't hold becomes infinite, which check_array refuses.
    with np.errstate(over="ignore"):
        values = check_array(as_numbers(Z, "Z"), dtype=np.float32, estimator=estimator_name, input_name="Z")
    n_components = model.network.n_components
    if values.shape[1] != n_components:
        raise ValueError(
            f"Z has {counted(values.shape[1], 'column')}, but {estimator_name} was fitted with "
            f"n_components={n_components}. Pass what transform returned."
        )
    names = column_labels(Z)
    # Those of scikit-learn's transformers. Columns of other names are read in the order in which they are.
    own_names = [f"{estimator_name.lower()}{number}" for number in range(n_components)]
    if names is not None and names != own_names and set(names) == set(own_names):
        raise ValueError(
            f"Z has the columns of an embedding in another order, {names[:3]} first, expected {own_names[:3]}. Pass "
            f"Z[list(estimator.get_feature_names_out())]."
        )
    n_features = model.layout.n_features
    if lengths is not None:
        return Embeddings(values, checked_lengths(lengths, len(values)), True, n_features)
    if not model.layout.one_length:
        raise ValueError(
            f"{estimator_name} was fitted on sequences of unequal lengths, and an embedding does not say how "
            f"long its sequence was: pass lengths=[len(sequence) for sequence in X]."
        )
    return Embeddings(values, np.full(len(values), model.layout.n_timesteps), False, n_features)
