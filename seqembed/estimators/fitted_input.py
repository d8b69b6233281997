"""The layout of a fitted estimator, and how the next input is checked."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from seqembed.estimators.model_attributes import model_attributes
from seqembed.inference.inputs import check_fitted_input, checked_block
from seqembed.inference.model import Model
from seqembed.sequences.batches import UncheckedBatch, batches_of
from seqembed.sequences.collection import Sequences, check_sequences
from seqembed.sequences.containers import SequencesLike
from seqembed.sequences.lazy import LazyRows, is_lazy, sample_row
from seqembed.sequences.lengths import checked_lengths
from seqembed.sklearn_private import output_container


class FittedInputMixin:
    """Attributes and checks that need only the layout of a model.

    Attributes
    ----------
    model_ : TrainedModel or SummaryModel
        The other fitted attributes are read from it.
    """

    model_: Model

    @property
    def n_timesteps_(self) -> int:
        """Timesteps of the longest fitted sequence."""
        return self.model_.layout.n_timesteps

    @property
    def n_features_(self) -> int:
        """Values per timestep."""
        return self.model_.layout.n_features

    @property
    def one_length_(self) -> bool:
        """Whether the fitted sequences were equally long."""
        return self.model_.layout.one_length

    @property
    def input_ndim_(self) -> int:
        """2 if fitted on (n_samples, n_timesteps), else 3."""
        return self.model_.layout.ndim

    def _read(self, X: Any, lengths: npt.ArrayLike | None) -> Sequences | Iterator[Sequences] | LazyRows:
        """Check the input of a fitted estimator: a collection now, batches when they are reached."""
        check_is_fitted(self)
        if is_lazy(X):
            self._checked(*sample_row(X, lengths))
            ends = None if lengths is None else checked_lengths(lengths, X.shape[0], X.shape[1])
            return LazyRows(X, ends, partial(checked_block, estimator_name=type(self).__name__))
        batches = batches_of(X, lengths, self.model_.layout.ndim)
        if batches is None:
            return self._checked(X, lengths)
        return self._checked_batches(batches)

    def _checked_batches(self, batches: Iterator[UncheckedBatch]) -> Iterator[Sequences]:
        n_read = 0
        for batch in batches:
            sequences = self._checked(batch.values, batch.lengths, n_read)
            n_read += len(sequences)
            yield sequences

    def _read_to_transform(self, X: Any, lengths: npt.ArrayLike | None) -> Sequences | Iterator[Sequences] | LazyRows:
        """Check the input of `transform`, as `_read` does. Containers of `set_output` hold values, not lazy arrays."""
        inputs = self._read(X, lengths)
        if isinstance(inputs, LazyRows) and output_container(self) != "default":
            return inputs.batches(self.model_)
        return inputs

    def _attributes_to_save(self, attributes: dict[str, Any]) -> dict[str, Any]:
        model = attributes.pop("model_", None)
        return attributes if model is None else attributes | model_attributes(model)

    def _checked(self, X: SequencesLike, lengths: npt.ArrayLike | None = None, first: int = 0) -> Sequences:
        """Check that sequences have the columns and the layout that the estimator was fitted on."""
        sequences = check_sequences(X, lengths, estimator=self, first=first)
        check_fitted_input(sequences, self.model_.layout, self)
        return sequences
