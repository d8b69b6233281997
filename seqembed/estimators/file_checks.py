"""Checks of the fitted attributes that a file holds, before an estimator gets them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from seqembed.estimators.component_errors import NormalComponents
from seqembed.estimators.distances import GROUPS, NormalDescriptions
from seqembed.estimators.missing_patterns import N_DESCRIPTIONS, MissingPatterns
from seqembed.files.safetensors_file import InvalidFileError
from seqembed.files.values import are_all, expect
from seqembed.inference.model import TrainedModel
from seqembed.network.architecture import Network
from seqembed.summary.components import Summary
from seqembed.summary.context import Context
from seqembed.summary.description import Description
from seqembed.summary.shares import FEW_KERNELS, MANY_KERNELS, Shares, count_scales
from seqembed.summary.statistics import count_statistics
from seqembed.training.labels import LabelCode
from seqembed.training.one_pass import StreamState
from seqembed.training.readout import Readout

_INPUT_ATTRIBUTES = {"feature_means_", "center_", "scale_", "one_length_", "input_ndim_", "n_timesteps_", "n_features_"}
_INPUT_ATTRIBUTES |= {"n_features_in_", "_padded_length"}


def check_network_attributes(attributes: dict[str, Any], *, bottleneck: bool) -> None:
    """Check that attributes are those of a fitted network estimator, and fit together.

    Parameters
    ----------
    attributes : dict of str to object
        As a file holds them, by name.
    bottleneck : bool
        Whether the estimator's networks have a bottleneck.

    Raises
    ------
    InvalidFileError
        For anything else.
    """
    needed = {"network_", "weights_", "history_"} | _INPUT_ATTRIBUTES
    optional = {"feature_names_in_", "n_iter_", "best_epoch_", "interrupted_", "context_", "_stream"}
    _check_attribute_names(attributes, needed, optional, "the attributes of a fitted network")
    network = attributes["network_"]
    _check_network(network)
    expect(network.bottleneck == bottleneck, f"a network {'with' if bottleneck else 'without'} a bottleneck")
    _check_weights(attributes["weights_"], network)
    expect(attributes["n_features_"] == network.n_features, "as many features as the network reads")
    _check_context(attributes.get("context_"), network)
    _check_input_attributes(attributes)
    for name in ("n_iter_", "best_epoch_"):
        expect(name not in attributes or _is_count(attributes[name], 0), f"a number of epochs for {name}")
    expect(type(attributes.get("interrupted_", False)) is bool, "a truth value for interrupted_")
    history = attributes["history_"]
    expect(isinstance(history, dict) and all(are_all(float, each) for each in history.values()), "losses by epoch")
    if "_stream" in attributes:
        _check_stream(attributes["_stream"], network)


def check_summary_attributes(attributes: dict[str, Any]) -> None:
    """Check that attributes are those of a fitted summary, and fit together.

    Parameters
    ----------
    attributes : dict of str to object
        As a file holds them, by name.

    Raises
    ------
    InvalidFileError
        For anything else.
    """
    needed = {"summary_"} | _INPUT_ATTRIBUTES
    _check_attribute_names(attributes, needed, {"feature_names_in_"}, "the attributes of a fitted summary")
    _check_input_attributes(attributes)
    _check_summary(attributes["summary_"], attributes["n_features_"])
    expect(attributes["summary_"].n_timesteps == attributes["n_timesteps_"], "the timesteps of the summary")


def _check_summary(summary: Any, n_features: int) -> None:
    expect(isinstance(summary, Summary), "a summary")
    _check_numbers(summary, n_features)
    expect(isinstance(summary.axes, np.ndarray) and summary.axes.ndim == 2, "axes")
    n_components = summary.axes.shape[1]
    expect(n_components >= 1, "axes")
    _check_array(summary.offset, (n_components,), np.float64, "offset")
    _check_array(summary.axes, (len(summary.means), n_components), np.float64, "axes")


def _check_numbers(described: Summary | Description, n_features: int) -> None:
    """Check how sequences are described."""
    expect(_is_count(described.n_timesteps, 1), "timesteps of the description")
    expect(isinstance(described.shares, Shares), "shares")
    shares = described.shares
    expect(isinstance(shares.thresholds, np.ndarray) and shares.thresholds.ndim == 3, "thresholds of three axes")
    n_scales, n_thresholds, n_kernels = shares.thresholds.shape
    expect(n_thresholds >= 1, "thresholds")
    expect(n_kernels in (FEW_KERNELS, MANY_KERNELS), "thresholds of 28 or 84 kernels")
    expect(n_scales == count_scales(described.n_timesteps), "the scales of the length")
    _check_array(shares.channels, (n_scales, n_features, n_kernels), np.float32, "channels")
    expect(set(np.unique(shares.channels)) <= {0, 1}, "channels of zeros and ones")
    _check_array(shares.thresholds, (n_scales, n_thresholds, n_kernels), np.float32, "thresholds")
    expect(type(shares.competes) is bool, "competitions or none")
    n_numbers = count_statistics(described.n_timesteps, n_features) + shares.n_shares
    for name in ("means", "factors"):
        _check_array(getattr(described, name), (n_numbers,), np.float32, name)
    expect(bool((described.factors >= 0).all()), "factors of at least zero")


def check_detector_attributes(attributes: dict[str, Any]) -> None:
    """Check that attributes are those of a fitted detector, and fit together.

    Parameters
    ----------
    attributes : dict of str to object
        As a file holds them, by name.

    Raises
    ------
    InvalidFileError
        For anything else.
    """
    needed = {"estimators_", "offset_", "heldout_scores_", "heldout_errors_", "report_", "feature_scales_"}
    needed |= {"precision_", "length_exponent_", "missing_patterns_", "normal_descriptions_"}
    needed |= {"n_timesteps_", "input_ndim_", "n_features_in_"}
    # Files of earlier versions hold no constants, no means, and no threshold of another share.
    optional = {"feature_names_in_", "constants_", "feature_means_", "_chosen_offset"}
    _check_attribute_names(attributes, needed, optional, "the attributes of a fitted detector")
    networks = attributes["estimators_"]
    expect(isinstance(networks, list) and len(networks) > 1, "two networks or more")
    expect(all(isinstance(getattr(each, "model_", None), TrainedModel) for each in networks), "networks")
    n_features = networks[0].n_features_
    expect(all(each.n_features_ == n_features for each in networks), "networks of the same features")
    for name in ("offset_", "length_exponent_"):
        expect(type(attributes[name]) is float and not np.isnan(attributes[name]), f"a number for {name}")
    if "_chosen_offset" in attributes:
        chosen = attributes["_chosen_offset"]
        is_pair = isinstance(chosen, tuple) and len(chosen) == 2 and are_all(float, chosen)
        expect(is_pair and not np.isnan(chosen).any(), "a threshold and its share")
    report = attributes["report_"]
    expect(
        isinstance(report, dict) and set(report) <= {"precision", "recall"} and are_all(float, report.values()), "rates"
    )
    _check_array(attributes["feature_scales_"], (n_features,), np.float64, "feature_scales_")
    if "feature_means_" in attributes:
        _check_array(attributes["feature_means_"], (n_features,), np.float64, "feature_means_")
    constants = attributes.get("constants_")
    if constants is not None:
        expect(isinstance(constants, np.ndarray), "an array of constants")
        _check_array(np.where(np.isnan(constants), 0, constants), (n_features,), np.float64, "constants_")
    _check_array(attributes["precision_"], (n_features, n_features), np.float64, "precision_")
    _check_shape_attributes(attributes | {"n_features_": n_features})
    scores, errors = attributes["heldout_scores_"], attributes["heldout_errors_"]
    expect(isinstance(scores, np.ndarray) and scores.ndim == 1 and scores.dtype == np.float64, "held-out scores")
    descriptions, patterns = attributes["normal_descriptions_"], attributes["missing_patterns_"]
    expect(descriptions is None or isinstance(descriptions, NormalDescriptions), "descriptions of normal sequences")
    n_kinds = 1 if descriptions is None else 1 + _count_groups(descriptions)
    expect(isinstance(errors, np.ndarray) and errors.dtype == np.float64, "held-out errors")
    expect(len(scores) > 0 and errors.shape == (len(scores), n_kinds), f"held-out errors of {n_kinds} kinds")
    if patterns is not None:
        _check_patterns(patterns, (attributes["n_timesteps_"], n_features), n_kinds)
    if descriptions is not None:
        _check_normal_descriptions(descriptions, attributes["n_timesteps_"], n_features, len(networks))


def _check_patterns(patterns: Any, shape: tuple[int, int], n_kinds: int) -> None:
    expect(isinstance(patterns, MissingPatterns), "patterns of missing values")
    n_complete, n_patterns = len(patterns.complete), len(patterns.descriptions)
    expect(n_complete > 0 and n_patterns > 0, "errors and patterns")
    _check_array(patterns.complete, (n_complete, n_kinds), np.float64, "errors of complete sequences")
    expect((np.diff(patterns.complete, axis=0) >= 0).all(), "errors in ascending order")
    _check_array(patterns.value_errors, shape, np.float64, "errors of values")
    # Files of earlier versions have one number less.
    is_earlier = np.shape(patterns.descriptions) == (n_patterns, N_DESCRIPTIONS - 1)
    n_numbers = N_DESCRIPTIONS - 1 if is_earlier else N_DESCRIPTIONS
    _check_array(patterns.descriptions, (n_patterns, n_numbers), np.float32, "descriptions of patterns")
    _check_array(patterns.excesses, (n_patterns, n_kinds), np.float32, "errors of patterns")


def _check_normal_descriptions(normal: NormalDescriptions, n_timesteps: int, n_features: int, n_blocks: int) -> None:
    for name in ("center", "scale"):
        _check_array(getattr(normal, name), (n_features,), np.float64, f"{name} of the descriptions")
    expect(bool((normal.scale > 0).all()), "scales of the descriptions above zero")
    expect(isinstance(normal.description, Description), "a description")
    expect(normal.description.n_timesteps == n_timesteps, "the timesteps of the description")
    _check_numbers(normal.description, n_features)
    expect(not normal.description.shares.competes, "shares without competitions")
    n_references = len(normal.references)
    _check_array(normal.references, (n_references, len(normal.description.means)), np.float32, "references")
    _check_array(normal.blocks, (n_references,), np.int64, "blocks")
    expect(_is_count(normal.shortest, 1) and normal.shortest <= n_timesteps, "the shortest length")
    _check_array(normal.length_exponents, (_count_groups(normal),), np.float64, "exponents of lengths")
    blocks = np.unique(normal.blocks)
    expect(len(blocks) > 1 and blocks[0] >= 0 and blocks[-1] < n_blocks, "references of two blocks or more")
    if normal.components is not None:
        _check_components(normal.components, len(blocks), n_timesteps * n_features)


def _check_components(components: Any, n_blocks: int, n_values: int) -> None:
    expect(isinstance(components, NormalComponents), "principal components")
    _check_array(components.means, (n_blocks, n_values), np.float32, "means of the components")
    is_stack = isinstance(components.axes, np.ndarray) and components.axes.ndim == 3
    n_axes = components.axes.shape[1] if is_stack else 0
    _check_array(components.axes, (n_blocks, n_axes, n_values), np.float32, "axes of the components")


def _count_groups(normal: NormalDescriptions) -> int:
    """Count the distances. Detectors of earlier files know none from principal components."""
    return len(GROUPS) if normal.components is not None else len(GROUPS) - 1


def _check_attribute_names(attributes: dict[str, Any], needed: set[str], optional: set[str], expected: str) -> None:
    """Check that all needed attributes are there, and no unknown one. The message names the first one that is wrong."""
    missing, unknown = sorted(needed - set(attributes)), sorted(set(attributes) - needed - optional)
    expect(not missing, f"{expected}, of which {''.join(missing[:1])} is missing")
    if unknown:
        raise InvalidFileError(f"Got the attribute {unknown[0][:40]!r}, expected {expected} alone.")


def _check_network(network: Any) -> None:
    expect(isinstance(network, Network), "a network")
    counts = (network.n_features, network.n_components, network.patch_size, *network.hidden_units)
    expect(isinstance(network.hidden_units, tuple) and all(_is_count(each, 1) for each in counts), "sizes of layers")
    expect(network.activation in ("tanh", "relu") and type(network.bottleneck) is bool, "an activation")
    expect(network.encoded_timesteps is None or _is_count(network.encoded_timesteps, 1), "encoded timesteps")
    beside = (network.context_size, network.shortcut_size)
    expect(all(_is_count(each, 0) for each in beside), "sizes of context and shortcut")
    expect(network.bottleneck or beside == (0, 0), "no context and no shortcut without a bottleneck")
    expect(network.shortcut_size <= network.n_components, "a shortcut into the embedding")


def _check_weights(weights: Any, network: Network) -> None:
    shapes = dict(network.weight_shapes)
    if network.shortcut_size:
        expect(isinstance(weights, dict) and "shortcut/loadings" in weights, "loadings")
        loadings = weights["shortcut/loadings"]
        expect(
            isinstance(loadings, np.ndarray) and loadings.ndim == 3 and loadings.shape[1] > 0, "loadings of timesteps"
        )
        shapes["shortcut/means"] = (network.n_features,)
        shapes["shortcut/loadings"] = (network.shortcut_size, loadings.shape[1], network.n_features)
    _check_named_arrays(weights, shapes)
    if network.shortcut_size:
        # Components are quotients by their squares.
        expect(bool(loadings.any(axis=(1, 2)).all()), "loadings that are not zero")


def _check_context(context: Any, network: Network) -> None:
    expect((context is None) == (network.context_size == 0), "a context for a network that reads one")
    if context is None:
        return
    expect(isinstance(context, Context), "a context")
    _check_summary(context.summary, network.n_features)
    expect(context.size == network.context_size, "a context of the size that the network reads")
    for name in ("center", "scale"):
        _check_array(getattr(context, name), (network.n_features,), np.float32, f"{name} of the context")
    expect((context.scale > 0).all(), "scales of the context above zero")
    expect(type(context.factor) is float and 0 <= context.factor < np.inf, "a factor of the context")
    _check_array(context.noise, (context.size,), np.float32, "noise of the context")
    expect((context.noise >= 0).all(), "noise of at least zero")


def _check_named_arrays(arrays: Any, shapes: dict[str, tuple[int, ...]]) -> None:
    expect(isinstance(arrays, dict) and set(arrays) == set(shapes), f"the weights {', '.join(shapes)}"[:200])
    for name, shape in shapes.items():
        _check_array(arrays[name], shape, np.float32, name)


def _check_array(array: Any, shape: tuple[int, ...], dtype: npt.DTypeLike, name: str) -> None:
    fits = isinstance(array, np.ndarray) and array.shape == shape and array.dtype == dtype
    expect(fits and np.isfinite(array).all(), f"finite numbers of shape {shape} for {name}")


def _check_input_attributes(attributes: dict[str, Any]) -> None:
    """Check the attributes that describe how sequences are scaled and laid out."""
    for name in ("feature_means_", "center_", "scale_"):
        _check_array(attributes[name], (attributes["n_features_"],), np.float64, name)
    expect((attributes["scale_"] > 0).all(), "scales above zero")
    _check_shape_attributes(attributes)
    expect(type(attributes["one_length_"]) is bool, "a truth value for one_length_")
    padded_length = attributes["_padded_length"]
    expect(padded_length is None or _is_count(padded_length, 1), "a number of timesteps for _padded_length")


def _check_shape_attributes(attributes: dict[str, Any]) -> None:
    """Check the attributes that describe the fitted sequences."""
    for name in ("n_timesteps_", "n_features_", "n_features_in_"):
        expect(_is_count(attributes[name], 1), f"a number for {name}")
    expect(type(attributes["input_ndim_"]) is int and attributes["input_ndim_"] in (2, 3), "2 or 3 for input_ndim_")
    expect(attributes["input_ndim_"] == 3 or attributes["n_features_"] == 1, "one feature in two dimensions")
    names = attributes.get("feature_names_in_")
    expect(names is None or (isinstance(names, np.ndarray) and names.dtype == object), "names of columns")
    expect(names is None or len(names) == attributes["n_features_in_"], "a name for each column")


def _check_stream(state: Any, network: Network) -> None:
    expect(isinstance(state, StreamState) and isinstance(state.random, np.random.Generator), "the state of a stream")
    expect(_is_count(state.n_updates, 0), "a number of updates")
    shapes, readout = dict(network.weight_shapes), state.readout
    if readout is not None:
        expect(isinstance(readout, Readout) and _is_count(readout.n_timesteps, 1), "a readout")
        for name in ("center", "scale"):
            _check_array(getattr(readout, name), (network.n_features,), np.float32, name)
        n_statistics = count_statistics(readout.n_timesteps, network.n_features)
        # A readout of labels alone has no statistics.
        expect(len(readout.means) in (n_statistics, 0), "the statistics of the readout")
        for name in ("means", "deviations"):
            _check_array(getattr(readout, name), (len(readout.means),), np.float32, name)
        expect(isinstance(readout.weight, (int, float)) and np.isfinite(readout.weight), "a weight of the readout")
        # A readout of labels alone reads no context.
        is_known = readout.context_size in (network.context_size, 0)
        expect(_is_count(readout.context_size, 0) and is_known, "a readout of the context")
        expect(_is_count(readout.n_outputs, 0), "a number of outputs")
        is_weight = isinstance(readout.label_weight, (int, float)) and np.isfinite(readout.label_weight)
        expect(is_weight, "a weight of labels")
        readout_shapes = readout.weight_shapes(network)
        shapes |= readout_shapes
        if state.readout_weights is not None:
            _check_named_arrays(state.readout_weights, readout_shapes)
    else:
        expect(state.readout_weights is None, "no weights without a readout")
    _check_label_code(state.label_code, 0 if readout is None else readout.n_outputs)
    if state.moments is not None:
        n_parameters = sum(math.prod(shape) for shape in shapes.values())
        _check_array(state.moments, (2, n_parameters), np.float32, "moments")


def _check_label_code(code: Any, n_outputs: int) -> None:
    if code is None:
        expect(n_outputs == 0, "a code of labels")
        return
    expect(isinstance(code, LabelCode), "a code of labels")
    _check_array(code.means, (n_outputs,), np.float64, "means of labels")
    expect(isinstance(code.scale, float) and 0 < code.scale < math.inf, "a scale of labels")
    classes = code.classes
    expect(classes is None or (isinstance(classes, tuple) and len(classes) == n_outputs), "a class for each output")
    expect(
        classes is None or all(type(each) in (str, int, float, bool) for each in classes), "classes of text and numbers"
    )


def _is_count(value: object, least: int) -> bool:
    return type(value) is int and least <= value < 1 << 40
