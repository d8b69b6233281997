"""A trained network as an ONNX model, from raw values to raw values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from seqembed.export.onnx_graph import sequence_axes
from seqembed.export.onnx_summary import SummaryGraph
from seqembed.inference.model import TrainedModel
from seqembed.network import shortcut
from seqembed.network.architecture import TIME_FREQUENCIES, LSTMLayer
from seqembed.sequences.scaling import LARGEST_READ_VALUE
from seqembed.summary.context import LARGEST_NUMBER, Context

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
    graph = _NetworkGraph(model)
    if part == "decoder":
        embedding = graph.input("Z", np.float32, ["n_samples", network.n_components])
        if layout.one_length:
            length = graph.constant(np.int64(layout.n_timesteps))
        else:
            length = graph.input("n_timesteps", np.int64, [])
        values = graph.decoded(graph.with_a_row(embedding, np.float32), length)
    else:
        sequences, lengths = graph.sequences(layout, scaling.dtype)
        read = graph.read(graph.with_a_row(sequences, scaling.dtype), lengths)
        if part == "encoder":
            values = graph.encoded(read)
        elif network.bottleneck:
            values = graph.decoded(graph.encoded(read), read.length)
        else:
            values = graph.reconstructed(read)
    values = graph.without_a_row(values)
    if part == "encoder":
        return graph.model(values, "Z", np.float32, ["n_samples", network.n_components])
    if layout.ndim == 2:
        values = graph.add("Squeeze", values, graph.integers(2))
    return graph.model(values, "reconstruction", scaling.dtype, sequence_axes(layout))


class _Read(NamedTuple):
    """Sequences as the network reads them.

    Parameters
    ----------
    scaled : str
        Of shape (n_samples, n_timesteps, n_features), NaN for missing values.
    filled : str
        The same with means for missing values and padding.
    lengths : str
        Timesteps of each sequence, empty if all have all.
    length : str
        Timesteps of the longest sequence.
    """

    scaled: str
    filled: str
    lengths: str
    length: str


class _NetworkGraph(SummaryGraph):
    """The stages of a network. Arrays of steps are time-major.

    Parameters
    ----------
    model : TrainedModel
        Its network.
    """

    def __init__(self, model: TrainedModel) -> None:
        super().__init__()
        self._network, self._weights, self._scaling = model.network, model.weights, model.scaling
        self._context = model.context

    def without_a_row(self, values: str) -> str:
        """Leave out the row that `with_a_row` has added."""
        return self.add("Slice", values, self.integers(0), self.integers(-1), self.integers(0))

    def with_a_row(self, values: str, dtype: npt.DTypeLike, filling: int = 0) -> str:
        """Append a row: ONNX Runtime's LSTM ends the process if there is none."""
        shape = self.add("Shape", values)
        one_row = self.add("Concat", self.integers(1), self._from(shape, 1), axis=0)
        row = self.add("Expand", self.constant(np.array(filling, dtype)), one_row)
        return self.add("Concat", values, row, axis=0)

    def read(self, sequences: str, lengths: str) -> _Read:
        """Scale sequences, fill in missing values, and clip as `seqembed.sequences.scaling.ScaledSequences` does."""
        means = self.constant(self._scaling.scaled_means)
        length = self.at(self.add("Shape", sequences), 1)
        scaled = self.scaled(sequences, self._scaling)
        filled = self.add("Where", self.add("IsNaN", scaled), means, scaled)
        if lengths:
            lengths = self.with_a_row(lengths, np.int64, filling=1)
            inside = self.add("Unsqueeze", self.inside(lengths, length), self.integers(2))
            filled = self.add("Where", inside, filled, means)
        return _Read(scaled, self.clipped(filled, LARGEST_READ_VALUE), lengths, length)

    def _steps(self, read: _Read) -> str:
        """Cut sequences into patches."""
        values = read.filled
        if self._network.patch_size > 1:
            values = self._padded(values, read.length)
        patches = self.add("Reshape", values, self.integers(0, -1, self._network.n_values_per_step))
        return self.add("Transpose", patches, perm=[1, 0, 2])

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

    def encoded(self, read: _Read) -> str:
        """Run the encoder; return the embedding."""
        *others, last = self._network.encoder
        steps = self._steps(read)
        last_steps = self.cast(self._count_steps(read.lengths), np.int32) if read.lengths else ""
        for layer in others:
            steps = self._lstm(layer, steps, last_steps)
        if self._context is not None:
            steps = self.add("Concat", steps, self._repeated(self._contexts(self._context, read), steps), axis=2)
        embedding = self._lstm(last, steps, last_steps)
        return self._joined(embedding, read) if self._network.shortcut_size else embedding

    def decoded(self, embedding: str, length: str) -> str:
        """Run the decoder; return sequences in the user's units."""
        n_steps = self.add("Unsqueeze", self._count_steps(length), self.integers(0))
        shape = self.add("Concat", n_steps, self.add("Shape", embedding), axis=0)
        values = self._outputs(self._network.decoder, self.add("Expand", embedding, shape), length)
        if self._network.shortcut_size:
            values = self.add("Add", values, self._added(embedding, length))
        return self._unscaled(values)

    def reconstructed(self, read: _Read) -> str:
        """Run a network without a bottleneck."""
        steps = self._steps(read)
        for layer in self._network.encoder:
            steps = self._lstm(layer, steps)
        return self._unscaled(self._outputs(self._network.decoder, steps, read.length))

    def _contexts(self, context: Context, read: _Read) -> str:
        """Compute what `seqembed.summary.context.Context.compute` computes."""
        standard = self.add("Sub", read.scaled, self.constant(context.center))
        standard = self.add("Div", standard, self.constant(context.scale))
        components = self.components(context.summary, standard, read.lengths)
        contexts = self.add("Mul", components, self.constant(np.float32(context.factor)))
        return self.clipped(contexts, LARGEST_NUMBER)

    def _repeated(self, contexts: str, steps: str) -> str:
        """Repeat contexts at each step."""
        n_steps = self.add("Slice", self.add("Shape", steps), self.integers(0), self.integers(1))
        return self.add("Expand", contexts, self.add("Concat", n_steps, self.add("Shape", contexts), axis=0))

    def _joined(self, states: str, read: _Read) -> str:
        """Join the last states with the components of the shortcut, see `seqembed.network.shortcut.joined`."""
        n_joined, n_timesteps, n_features = self._weights["shortcut/loadings"].shape
        deviations = self.add("Sub", read.filled, self.constant(self._weights["shortcut/means"]))
        flat = self.add("Reshape", self._fitted(deviations, n_timesteps), self.integers(-1, n_timesteps * n_features))
        components = self.add("MatMul", flat, self.constant(shortcut.projection(self._weights)))
        components = self.clipped(components, shortcut.LARGEST_COMPONENT)
        first = self._columns(states, 0, n_joined)
        if self._network.activation == "tanh":
            squashed, one = self.add("Tanh", components), self.constant(np.float32(1))
            product = self.add("Add", one, self.add("Mul", first, squashed))
            first = self.add("Div", self.add("Add", first, squashed), product)
        else:
            first = self.add("Add", first, components)
        return self.add("Concat", first, self._columns(states, n_joined, self._network.n_components), axis=1)

    def _added(self, embedding: str, length: str) -> str:
        """Compute what the components of a shortcut stand for, of shape (n_samples, length, n_features)."""
        loadings = self._weights["shortcut/loadings"]
        flat = self.constant(shortcut.flat_loadings(self._weights))
        added = self.add("MatMul", self._columns(embedding, 0, len(loadings)), flat)
        return self._fitted(self.add("Reshape", added, self.integers(-1, *loadings.shape[1:])), length)

    def _fitted(self, sequences: str, length: str | int) -> str:
        """Cut sequences to a length, or pad them with zeros."""
        end = self.integers(length) if isinstance(length, int) else self.add("Unsqueeze", length, self.integers(0))
        own = self.add("Slice", self.add("Shape", sequences), self.integers(1), self.integers(2))
        missing = self.add("Max", self.add("Sub", end, own), self.integers(0))
        pads = self.add("Concat", self.integers(0, 0, 0, 0), missing, self.integers(0), axis=0)
        return self.add("Slice", self.add("Pad", sequences, pads), self.integers(0), end, self.integers(1))

    def _columns(self, values: str, start: int, stop: int) -> str:
        return self.add("Slice", values, self.integers(start), self.integers(stop), self.integers(1))

    def _outputs(self, layers: tuple[LSTMLayer, ...], steps: str, length: str) -> str:
        """Run layers and the output layer; return scaled sequences."""
        if self._network.n_time_features:
            steps = self._with_time_features(steps)
        for layer in layers:
            steps = self._lstm(layer, steps)
        values = self.add("MatMul", steps, self.constant(self._weights["output/kernel"]))
        values = self.add("Add", values, self.constant(self._weights["output/bias"]))
        values = self.add("Transpose", values, perm=[1, 0, 2])
        values = self.add("Reshape", values, self.integers(0, -1, self._network.n_features))
        end = self.add("Unsqueeze", length, self.integers(0))
        return self.add("Slice", values, self.integers(0), end, self.integers(1))

    def _unscaled(self, values: str) -> str:
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
