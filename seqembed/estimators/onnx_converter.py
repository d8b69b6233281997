"""The converter that lets skl2onnx write pipelines with an autoencoder or a summary."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from seqembed.estimators.autoencoder import LSTMAutoencoder
from seqembed.estimators.summary import SequenceSummary
from seqembed.export.onnx_network import build_onnx_model
from seqembed.export.onnx_summary import build_onnx_summary
from seqembed.extras import import_extra
from seqembed.inference.model import SummaryModel


def register_onnx_converter() -> None:
    """Teach skl2onnx about `LSTMAutoencoder` and `SequenceSummary`, so that it converts pipelines that contain one.

    The converter stays registered until the process ends. Only fits on sequences of one length are converted: a
    pipeline has no input for lengths. `target_opset` must be 17 or more.

    Raises
    ------
    ImportError
        If skl2onnx is not installed. ``pip install "seqembed[onnx]"`` installs it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skl2onnx import convert_sklearn
    >>> from skl2onnx.common.data_types import FloatTensorType
    >>> from seqembed import LSTMAutoencoder, register_onnx_converter
    >>> X, y = np.random.default_rng(0).normal(size=(20, 5, 2)), np.arange(20) % 2
    >>> pipeline = make_pipeline(LSTMAutoencoder(2, hidden_units=(), epochs=1), LogisticRegression()).fit(X, y)
    >>> register_onnx_converter()
    >>> model = convert_sklearn(
    ...     pipeline,
    ...     initial_types=[("X", FloatTensorType([None, 5, 2]))],
    ...     target_opset=17,
    ...     options={id(pipeline): {"zipmap": False}},
    ... )
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities']
    """
    skl2onnx = import_extra("skl2onnx", extra="onnx")
    for kind in (LSTMAutoencoder, SequenceSummary):
        skl2onnx.update_registered_converter(kind, f"Seqembed{kind.__name__}", _set_shape, _convert)


def _set_shape(operator: Any) -> None:
    """Declare the result, of shape (n_samples, n_components)."""
    types = import_extra("skl2onnx.common.data_types", extra="onnx")
    estimator = operator.raw_operator
    check_is_fitted(estimator)
    if not estimator.one_length_:
        raise ValueError(
            f"Got {type(estimator).__name__} that was fitted on sequences of unequal lengths, expected one length, "
            f"since a pipeline has no input for lengths. Use export_onnx, whose model has one."
        )
    operator.outputs[0].type = types.FloatTensorType([None, len(estimator.get_feature_names_out())])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Copy the nodes and the constants of a model under names that are free in the pipeline."""
    helper, model = import_extra("onnx.helper", extra="onnx"), operator.raw_operator.model_
    model = build_onnx_summary(model) if isinstance(model, SummaryModel) else build_onnx_model(model, "encoder")
    opset = model.opset_import[0].version
    if container.target_opset < opset:
        raise ValueError(f"Got target_opset={container.target_opset}, expected {opset} or more.")
    names: dict[str, str] = {"X": scope.get_unique_variable_name("encoder_X"), "Z": operator.outputs[0].full_name}
    # The pipeline may declare another dtype than the model reads.
    container.add_node(
        "Cast",
        [operator.inputs[0].full_name],
        [names["X"]],
        op_version=opset,
        name=scope.get_unique_operator_name("encoder_Cast"),
        to=model.graph.input[0].type.tensor_type.elem_type,
    )

    def free(name: str) -> str:
        if name not in names:
            names[name] = scope.get_unique_variable_name(f"encoder_{name}")
        return names[name]

    for constant in model.graph.initializer:
        constant.name = free(constant.name)
        container.initializers.append(constant)
    for node in model.graph.node:
        container.add_node(
            node.op_type,
            [free(name) for name in node.input],
            [free(name) for name in node.output],
            op_version=opset,
            name=scope.get_unique_operator_name(f"encoder_{node.op_type}"),
            **{attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute},
        )
