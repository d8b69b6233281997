"""The trained model as the attributes that files hold."""

from __future__ import annotations

from typing import Any

from seqembed.inference.model import Layout, TrainedModel
from seqembed.sequences.scaling import Scaling


def model_attributes(model: TrainedModel) -> dict[str, Any]:
    """Return the parts of a model by the names of an estimator's attributes."""
    layout, scaling = model.layout, model.scaling
    return {
        "network_": model.network,
        "weights_": model.weights,
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
    """Undo `model_attributes`; also return the other attributes.

    Parameters
    ----------
    attributes : dict of str to object
        Checked, see `seqembed.estimators.file_checks`.
    """
    others = dict(attributes)
    scaling = Scaling(*(others.pop(name) for name in ("feature_means_", "center_", "scale_")))
    names = ("n_timesteps_", "n_features_", "one_length_", "input_ndim_", "_padded_length")
    layout = Layout(*(others.pop(name) for name in names))
    return TrainedModel(others.pop("network_"), others.pop("weights_"), scaling, layout), others
