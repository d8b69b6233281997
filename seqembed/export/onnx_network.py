"""A trained network as an ONNX model, from raw values to raw values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from seqembed.export.onnx_graph import Graph, sequence_axes
from seqembed.inference.model import TrainedModel
from seqembed.network.architecture import TIME_FREQUENCIES, LSTMLayer, Network
from seqembed.sequences.scaling import Scaling

if TYPE_CHECKING:
    import onnx

# ONNX has the gates in the order i, o, f, c.
_GATES = (0, 3, 1, 2)


def build_onnx_model(model: TrainedModel, part: str) -> onnx.ModelProto:
    """Build an ONNX model of a trained model, or of a part of it.

    Parameters
    ----------
    model : TrainedModel
        Network, weights, scaling and layout. If the fitted sequences differed in length, the encoder has the input
        "lengths", and the decoder alone the input "n_timesteps".
    part : {"encoder", "decoder", "autoencoder"}
        What to compute: embeddings, sequences from embeddings, or both in one go. Without a bottleneck, only the whole.

    Returns
    -------
    model : onnx.ModelProto
        Its inputs are "X", of raw values, NaN for missing ones, in float64 where float32 is too coarse, or "Z" for the
        decoder, and its output is "Z" or "reconstruction". The number of sequences is free, and may be zero.

    Raises
    ------
    ImportError
        If onnx is not installed. ``pip install "seqembed[onnx]"`` installs it.

    Examples
    --------
    >>> from seqembed import LSTMAutoencoder
    >>> X = np.random.default_rng(0).normal(size=(8, 10, 2))
    >>> model = build_onnx_model(LSTMAutoencoder(epochs=1).fit(X).model_, "encoder")
    >>> [value.name for value in model.graph.output]
    ['Z']
    """
    network, scaling, layout = model.network, model.scaling, model.layout
    graph = _NetworkGraph(network, model.weights, scaling)
    if part == "decoder":
        embedding = graph.input("Z", np.float32, ["n_samples", network.n_components])
        if layout.one_length:
            length = graph.constant(np.int64(layout.n_timesteps))
        else:
            length = graph.input("n_timesteps", np.int64, [])
        values = graph.decoded(graph.with_a_row(embedding, np.float32), length)
    else:
        sequences, lengths = graph.sequences(layout, scaling.dtype)
        steps, last_steps, length = graph.steps(graph.with_a_row(sequences, scaling.dtype), lengths)
        if part == "encoder":
            values = graph.encoded(steps, last_steps)
        elif network.bottleneck:
            values = graph.decoded(graph.encoded(steps, last_steps), length)
        else:
            values = graph.reconstructed(steps, length)
    values = graph.without_a_row(values)
    if part == "encoder":
        return graph.model(values, "Z", np.float32, ["n_samples", network.n_components])
    if layout.ndim == 2:
        values = graph.add("Squeeze", values, graph.integers(2))
    return graph.model(values, "reconstruction", scaling.dtype, sequence_axes(layout))


class _NetworkGraph(Graph):
    """The stages of a network. Arrays of steps are time-major.

    Parameters
    ----------
    network, weights, scaling
        Those of the trained model.
    """

    def __init__(self, network: Network, weights: dict[str, np.ndarray], scaling: Scaling) -> None:
        super().__init__()
        self._network, self._weights, self._scaling = network, weights, scaling

    def without_a_row(self, values: str) -> str:
        """Leave out the row that `with_a_row` has added."""
        return self.add("Slice", values, self.integers(0), self.integers(-1), self.integers(0))

    def with_a_row(self, values: str, dtype: npt.DTypeLike, filling: int = 0) -> str:
        """Append a row: ONNX Runtime's LSTM ends the process if there is none."""
        shape = self.add("Shape", values)
        one_row = self.add("Concat", self.integers(1), self._from(shape, 1), axis=0)
        row = self.add("Expand", self.constant(np.array(filling, dtype)), one_row)
        return self.add("Concat", values, row, axis=0)

    def steps(self, sequences: str, lengths: str) -> tuple[str, str, str]:
        """Scale sequences, fill in missing values and cut patches; return steps, the number of steps, and timesteps."""
        means = self.constant(self._scaling.scaled_means)
        length = self.at(self.add("Shape", sequences), 1)
        scaled = self.scaled(sequences, self._scaling)
        scaled = self.add("Where", self.add("IsNaN", scaled), means, scaled)
        last_steps = ""
        if lengths:
            ends = self.with_a_row(lengths, np.int64, filling=1)
            inside = self.add("Unsqueeze", self.inside(ends, length), self.integers(2))
            scaled = self.add("Where", inside, scaled, means)
            last_steps = self.cast(self._count_steps(ends), np.int32)
        if self._network.patch_size > 1:
            scaled = self._padded(scaled, length)
        patches = self.add("Reshape", scaled, self.integers(0, -1, self._network.n_values_per_step))
        return self.add("Transpose", patches, perm=[1, 0, 2]), last_steps, length

    def _padded(self, scaled: str, length: str) -> str:
        """Fill up the last patch with means."""
        filling = np.tile(self._scaling.scaled_means, (1, self._network.patch_size - 1, 1))
        n_samples = self.add("Slice", self.add("Shape", scaled), self.integers(0), self.integers(1))
        shape = self.add("Concat", n_samples, self.integers(*filling.shape[1:]), axis=0)
        filled = self.add("Concat", scaled, self.add("Expand", self.constant(filling), shape), axis=1)
        whole = self.add("Mul", self._count_steps(length), self.constant(np.int64(self._network.patch_size)))
        end = self.add("Unsqueeze", whole, self.integers(0))
        return self.add("Slice", filled, self.integers(0), end, self.integers(1))

    def _count_steps(self, n_timesteps: str) -> str:
        patch_size = self._network.patch_size
        if patch_size == 1:
            return n_timesteps
        rounded = self.add("Add", n_timesteps, self.constant(np.int64(patch_size - 1)))
        return self.add("Div", rounded, self.constant(np.int64(patch_size)))

    def encoded(self, steps: str, last_steps: str) -> str:
        """Run the encoder; return the embedding."""
        for layer in self._network.encoder:
            steps = self._lstm(layer, steps, last_steps)
        return steps

    def decoded(self, embedding: str, length: str) -> str:
        """Run the decoder; return sequences in the user's units."""
        n_steps = self.add("Unsqueeze", self._count_steps(length), self.integers(0))
        shape = self.add("Concat", n_steps, self.add("Shape", embedding), axis=0)
        return self._outputs(self._network.decoder, self.add("Expand", embedding, shape), length)

    def reconstructed(self, steps: str, length: str) -> str:
        """Run a network without a bottleneck."""
        for layer in self._network.encoder:
            steps = self._lstm(layer, steps)
        return self._outputs(self._network.decoder, steps, length)

    def _outputs(self, layers: tuple[LSTMLayer, ...], steps: str, length: str) -> str:
        if self._network.n_time_features:
            steps = self._with_time_features(steps)
        for layer in layers:
            steps = self._lstm(layer, steps)
        values = self.add("MatMul", steps, self.constant(self._weights["output/kernel"]))
        values = self.add("Add", values, self.constant(self._weights["output/bias"]))
        values = self.add("Transpose", values, perm=[1, 0, 2])
        values = self.add("Reshape", values, self.integers(0, -1, self._network.n_features))
        end = self.add("Unsqueeze", length, self.integers(0))
        values = self.add("Slice", values, self.integers(0), end, self.integers(1))
        if self._scaling.dtype == np.float64:
            values = self.cast(values, np.float64)
        values = self.add("Mul", values, self.constant(self._scaling.scale.astype(self._scaling.dtype)))
        return self.add("Add", values, self.constant(self._scaling.center.astype(self._scaling.dtype)))

    def _with_time_features(self, steps: str) -> str:
        """Append the time features to each step, computed as `Network.time_features` does."""
        shape = self.add("Shape", steps)
        last = self._network.count_steps(self._network.encoded_timesteps or 1) - 1
        position = self.add("Range", self.constant(np.int64(0)), self.at(shape, 0), self.constant(np.int64(1)))
        position = self.cast(position, np.float64)
        position = self.add("Mul", position, self.constant(np.float64(2 / max(1, last))))
        position = self.add("Unsqueeze", self.add("Sub", position, self.constant(np.float64(1))), self.integers(1))
        angles = self.add("MatMul", position, self.constant(np.pi * np.array([TIME_FREQUENCIES], np.float64)))
        # ONNX Runtime 1.18 has no cosine of float64.
        cosine = self.add("Sin", self.add("Add", angles, self.constant(np.float64(np.pi / 2))))
        features = self.add("Concat", position, self.add("Sin", angles), cosine, axis=1)
        features = self.cast(features, np.float32)
        features = self.add("Unsqueeze", features, self.integers(1))
        n_samples = self.add("Slice", shape, self.integers(1), self.integers(2))
        shape = self.add("Concat", self.integers(1), n_samples, self.integers(1), axis=0)
        return self.add("Concat", steps, self.add("Expand", features, shape), axis=2)

    def _lstm(self, layer: LSTMLayer, steps: str, last_steps: str = "") -> str:
        """Add a layer; return its states at all steps, or its last one."""
        kernel, recurrent_kernel, bias = map(_gates_reordered, layer.weights(self._weights))
        biases = np.concatenate([bias, np.zeros_like(bias)])
        attributes = {"activations": ["Sigmoid", "Relu", "Relu"]} if self._network.activation == "relu" else {}
        states = self.add(
            "LSTM",
            steps,
            *(self.constant(each[np.newaxis]) for each in (kernel.T, recurrent_kernel.T, biases)),
            *([last_steps] if last_steps else []),
            outputs=2,
            take=0 if layer.return_sequences else 1,
            hidden_size=layer.units,
            **attributes,
        )
        return self.add("Squeeze", states, self.integers(1 if layer.return_sequences else 0))

    def _from(self, shape: str, start: int) -> str:
        return self.add("Slice", shape, self.integers(start), self.integers(1 << 30))


def _gates_reordered(weight: np.ndarray) -> np.ndarray:
    gates = np.split(weight, 4, axis=-1)
    return np.concatenate([gates[position] for position in _GATES], axis=-1)
