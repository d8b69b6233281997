"""ONNX graphs, built node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from seqembed.extras import import_extra
from seqembed.inference.model import Layout
from seqembed.sequences.scaling import Scaling

if TYPE_CHECKING:
    import onnx

# Old enough for ONNX Runtime 1.18, and all that the graphs need.
IR_VERSION, OPSET = 8, 17


class Graph:
    """Nodes, constants and inputs of an ONNX graph.

    Raises
    ------
    ImportError
        If onnx is not installed. ``pip install "seqembed[onnx]"`` installs it.

    Examples
    --------
    >>> graph = Graph()
    >>> doubled = graph.add("Mul", graph.input("X", np.float32, ["n_samples"]), graph.constant(np.float32(2)))
    >>> model = graph.model(doubled, "Y", np.float32, ["n_samples"])
    >>> [node.op_type for node in model.graph.node]
    ['Mul', 'Identity']
    """

    def __init__(self) -> None:
        self.onnx = import_extra("onnx", extra="onnx")
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []

    def add(self, operator: str, *inputs: str, outputs: int = 1, take: int = 0, **attributes: Any) -> str:
        """Add a node; return the name of one of its outputs."""
        names = [f"{operator}_{len(self._nodes)}_{position}" for position in range(outputs)]
        self._nodes.append(self.onnx.helper.make_node(operator, list(inputs), names, **attributes))
        return names[take]

    def constant(self, values: npt.ArrayLike) -> str:
        """Add a constant; return its name."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(self.onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def integers(self, *values: int) -> str:
        """Add an array of int64."""
        return self.constant(np.array(values, np.int64))

    def input(self, name: str, dtype: npt.DTypeLike, shape: Sequence[int | str]) -> str:
        """Add an input."""
        element = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self._inputs.append(self.onnx.helper.make_tensor_value_info(name, element, shape))
        return name

    def sequences(self, layout: Layout, dtype: npt.DTypeLike) -> tuple[str, str]:
        """Add the input "X", and "lengths" if the fitted sequences differ in length.

        Returns
        -------
        sequences : str
            Of shape (n_samples, n_timesteps, n_features).
        lengths : str
            Empty without lengths.
        """
        given = self.input("X", dtype, sequence_axes(layout))
        lengths = "" if layout.one_length else self.input("lengths", np.int64, ["n_samples"])
        return given if layout.ndim == 3 else self.add("Unsqueeze", given, self.integers(2)), lengths

    def cast(self, values: str, dtype: npt.DTypeLike) -> str:
        """Convert values to another dtype."""
        return self.add("Cast", values, to=self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def at(self, shape: str, position: int) -> str:
        """Take a number of an array, such as a size of a shape."""
        return self.add("Gather", shape, self.constant(np.int64(position)))

    def scaled(self, sequences: str, scaling: Scaling) -> str:
        """Scale sequences of shape (n_samples, n_timesteps, n_features), to float32. NaN stays NaN."""
        scaled = self.add("Sub", sequences, self.constant(scaling.center.astype(scaling.dtype)))
        scaled = self.add("Div", scaled, self.constant(scaling.scale.astype(scaling.dtype)))
        return self.cast(scaled, np.float32)

    def inside(self, lengths: str, length: str) -> str:
        """Return which timesteps, of `length` in all, come before the ends of sequences: (n_samples, n_timesteps)."""
        positions = self.add("Range", self.constant(np.int64(0)), length, self.constant(np.int64(1)))
        return self.add("Less", positions, self.add("Unsqueeze", lengths, self.integers(1)))

    def model(self, values: str, name: str, dtype: npt.DTypeLike, shape: Sequence[int | str]) -> onnx.ModelProto:
        """Return the model whose output are some values."""
        self._nodes.append(self.onnx.helper.make_node("Identity", [values], [name]))
        element = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        output = self.onnx.helper.make_tensor_value_info(name, element, shape)
        graph = self.onnx.helper.make_graph(self._nodes, "seqembed", self._inputs, [output], self._constants)
        opset = self.onnx.helper.make_opsetid("", OPSET)
        model: onnx.ModelProto = self.onnx.helper.make_model(
            graph, ir_version=IR_VERSION, opset_imports=[opset], producer_name="seqembed"
        )
        return model


def sequence_axes(layout: Layout) -> list[int | str]:
    """Return the axes of sequences as users give them: sizes, or names of sizes that are free.

    Examples
    --------
    >>> sequence_axes(Layout(n_timesteps=24, n_features=2, one_length=False, ndim=3))
    ['n_samples', 'n_timesteps', 2]
    """
    n_timesteps = layout.n_timesteps if layout.one_length else "n_timesteps"
    return ["n_samples", n_timesteps, *layout.shape[1:]]
