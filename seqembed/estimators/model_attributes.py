"""Models as the attributes that files hold."""

from __future__ import annotations

from typing import Any

from seqembed.inference.model import Layout, Model, SummaryModel, TrainedModel
from seqembed.sequences.scaling import Scaling


def model_attributes(model: Model) -> dict[str, Any]:
    """Return the parts of a model by the names of an estimator's attributes."""
    layout, scaling = model.layout, model.scaling
    learned: dict[str, Any]
    if isinstance(model, SummaryModel):
        learned = {"summary_": model.summary}
    else:
        learned = {"network_": model.network, "weights_": model.weights}
        # Files of networks without a context are those of versions that had none.
        learned |= {} if model.context is None else {"context_": model.context}
    return {
        **learned,
        "feature_means_": scaling.means,
        "center_": scaling.center,
        "scale_": scaling.scale,
        "n_timesteps_": layout.n_timesteps,
        "n_features_": layout.n_features,
        "one_length_": layout.one_length,
        "input_ndim_": layout.ndim,
        "_padded_length": layout.padded_length,
    }


def restored_model(attributes: dict[str, Any]) -> tuple[TrainedModel, dict[str, Any]]:
    """Undo `model_attributes` of a network; also return the other attributes.

    Parameters
    ----------
    attributes : dict of str to object
        Checked, see `seqembed.estimators.file_checks`.
    """
    scaling, layout, others = _restored_input(attributes)
    network, weights, context = others.pop("network_"), others.pop("weights_"), others.pop("context_", None)
    return TrainedModel(network, weights, scaling, layout, context), others


def restored_summary(attributes: dict[str, Any]) -> tuple[SummaryModel, dict[str, Any]]:
    """Undo `model_attributes` of a summary; also return the other attributes, as `restored_model` does."""
    scaling, layout, others = _restored_input(attributes)
    return SummaryModel(others.pop("summary_"), scaling, layout), others


def _restored_input(attributes: dict[str, Any]) -> tuple[Scaling, Layout, dict[str, Any]]:
    others = dict(attributes)
    scaling = Scaling(*(others.pop(name) for name in ("feature_means_", "center_", "scale_")))
    names = ("n_timesteps_", "n_features_", "one_length_", "input_ndim_", "_padded_length")
    return scaling, Layout(*(others.pop(name) for name in names)), others
