"""What a trained model can compute of each sequence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from seqembed.inference.inputs import EmbeddedBatch
from seqembed.inference.model import SummaryModel, TrainedModel
from seqembed.sequences.scaling import Batch

Per: TypeAlias = Literal["sequence", "timestep", "value"]

# The axes of (n_samples, n_timesteps, n_features) over which errors are averaged.
AVERAGED_AXES: dict[str, tuple[int, ...]] = {"sequence": (1, 2), "timestep": (2,), "value": ()}


class Quantity(NamedTuple):
    """A quantity that is computed batch by batch.

    Parameters
    ----------
    compute_batch : callable
        Takes a model and a batch; returns an array with a row for each sequence.
    per : {"sequence", "timestep", "value"}
        What each result belongs to.
    width : tuple of int, default=()
        Shape of the result of a sequence, if `per` is "sequence".
    dtype : dtype, default=float32
        Of the results.
    """

    compute_batch: Callable[[Any, Any], np.ndarray]
    per: Per
    width: tuple[int, ...] = ()
    dtype: npt.DTypeLike = np.float32


def embedding(model: TrainedModel) -> Quantity:
    """Embeddings, the state of the encoder's last layer after the last timestep."""
    return Quantity(_embed, "sequence", (model.network.n_components,))


def reconstruction(model: TrainedModel) -> Quantity:
    """Reconstructions by the whole network, in the user's units."""
    return Quantity(_reconstruct, "value", dtype=model.scaling.dtype)


def decoding(model: TrainedModel) -> Quantity:
    """Sequences that the decoder makes of embeddings, in the user's units."""
    return Quantity(_decode, "value", dtype=model.scaling.dtype)


def summary(model: SummaryModel) -> Quantity:
    """Components of statistics and of shares of convolutions."""
    return Quantity(_summarise, "sequence", (model.summary.axes.shape[1],))


def errors(per: Per) -> Quantity:
    """Squared errors of the reconstruction after scaling: means over the known values of a sequence or a timestep."""
    return Quantity(partial(_mean_errors, AVERAGED_AXES[per]), per)


def sums_of_squares() -> Quantity:
    """Squared errors and squared deviations from the training means, summed: two float64 numbers for each sequence."""
    return Quantity(_sum_squares, "sequence", (2,), np.float64)


def _embed(model: TrainedModel, batch: Batch) -> np.ndarray:
    return model.forward_pass.encode(batch.values, batch.lengths, model.contexts(batch))


def _summarise(model: SummaryModel, batch: Batch) -> np.ndarray:
    return model.summary.compute(batch)


def _reconstruct(model: TrainedModel, batch: Batch) -> np.ndarray:
    values = model.forward_pass.reconstruct(batch.values, batch.lengths, model.contexts(batch))
    return model.scaling.undo(values)


def _decode(model: TrainedModel, batch: EmbeddedBatch) -> np.ndarray:
    values = model.forward_pass.decode(batch.values, batch.lengths.max())
    return model.scaling.undo(values)


def _mean_errors(averaged_axes: tuple[int, ...], model: TrainedModel, batch: Batch) -> np.ndarray:
    """Average squared errors over the known values, NaN where there are none."""
    squared = model.forward_pass.squared_errors(batch.values, batch.lengths, model.contexts(batch))
    sums = squared.sum(axis=averaged_axes, where=batch.mask)
    counts = batch.mask.sum(axis=averaged_axes)
    unknown = np.full(counts.shape, np.nan, np.float32)
    means: np.ndarray = np.divide(sums, counts, out=unknown, where=counts > 0, casting="same_kind")
    return means


def _sum_squares(model: TrainedModel, batch: Batch) -> np.ndarray:
    reconstructed = model.forward_pass.reconstruct(batch.values, batch.lengths, model.contexts(batch))
    # The square of a value beyond 1e19 is infinite in float32.
    values = batch.values.astype(np.float64)
    parts = np.square(values - reconstructed), np.square(values - model.scaling.scaled_means)
    return np.stack([squared.sum(axis=(1, 2), dtype=np.float64, where=batch.mask) for squared in parts], axis=1)
