"""Models as one value each: a trained network or a summary, with the scaling and the layout of its sequences."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from seqembed.network.architecture import Network
from seqembed.network.forward import ForwardPass
from seqembed.sequences.collection import Sequences
from seqembed.sequences.scaling import Batch, Scaling
from seqembed.summary.components import Summary
from seqembed.summary.context import Context


@dataclass(frozen=True)
class Layout:
    """The shape of the fitted sequences, which those to read must have.

    Parameters
    ----------
    n_timesteps, n_features : int
        Shape of the longest sequence.
    one_length : bool
        Whether all sequences were equally long. If so, arrays must have the same length, and only lists, and arrays
        with lengths, may hold sequences of others.
    ndim : {2, 3}
        2 if the user left out the axis of a single feature, else 3.
    padded_length : int or None, default=None
        Timesteps of the padded array that held sequences of unequal lengths.
    """

    n_timesteps: int
    n_features: int
    one_length: bool
    ndim: int
    padded_length: int | None = None

    @classmethod
    def from_sequences(cls, sequences: Sequences) -> Layout:
        """Return the layout of the sequences of a fit. Only those of unequal lengths were padded."""
        padded_length = None if sequences.one_length else sequences.padded_length
        return cls(sequences.n_timesteps, sequences.n_features, sequences.one_length, sequences.ndim, padded_length)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a sequence as the user gave it."""
        return (self.n_timesteps, self.n_features)[: self.ndim - 1]


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """What training leaves: all that inference, export and compression need.

    Training never modifies it: it makes a new one.

    Parameters
    ----------
    network : Network
        Its architecture.
    weights : dict of str to float32 array
        As named by ``network.weight_shapes``.
    scaling : Scaling
        How sequences are scaled.
    layout : Layout
        Which sequences it reads.
    context : Context or None, default=None
        How the context of a sequence is computed. None if the network reads none.

    Examples
    --------
    >>> from seqembed import LSTMAutoencoder
    >>> from seqembed.datasets import load_italy_power
    >>> LSTMAutoencoder(4, hidden_units=(8,), epochs=1).fit(load_italy_power().data[:8]).model_.layout
    Layout(n_timesteps=24, n_features=1, one_length=True, ndim=3, padded_length=None)
    """

    network: Network
    weights: dict[str, np.ndarray]
    scaling: Scaling
    layout: Layout
    context: Context | None = None

    @cached_property
    def forward_pass(self) -> ForwardPass:
        """The forward pass of the network, prepared once: a single sequence would take a seventh longer."""
        # What is prepared would follow no change of these arrays, but files would have it. NumPy refuses one now.
        for weight in self.weights.values():
            weight.flags.writeable = False
        return ForwardPass(self.network, self.weights)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is prepared, which would double the bytes of a pickle."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def contexts(self, batch: Batch) -> np.ndarray | None:
        """Compute the contexts of sequences: float32 of shape (n_samples, context_size), None without a context."""
        return None if self.context is None else self.context.compute(batch)

    def count_read(self, n_timesteps: int) -> int:
        """Count the timesteps that the network reads of a sequence: whole patches."""
        return int(self.network.whole_patches(n_timesteps))


@dataclass(frozen=True, eq=False)
class SummaryModel:
    """A summary with the scaling and the layout of the sequences that it was learned from.

    Parameters
    ----------
    summary : Summary
        How sequences become components.
    scaling : Scaling
        How sequences are scaled.
    layout : Layout
        Which sequences it reads.
    """

    summary: Summary
    scaling: Scaling
    layout: Layout

    def count_read(self, n_timesteps: int) -> int:
        """Count the timesteps that are read of a sequence: all of them."""
        return int(n_timesteps)


# What `seqembed.inference.compute` can compute with.
Model: TypeAlias = TrainedModel | SummaryModel
