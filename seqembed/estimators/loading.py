"""Loading: an estimator from a file that `save` wrote, every name, shape and value checked."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from sklearn.base import BaseEstimator

from seqembed.estimators.autoencoder import LSTMAutoencoder
from seqembed.estimators.base import LSTMNetworkEstimator, checked_units
from seqembed.estimators.detector import ReconstructionDetector
from seqembed.estimators.reconstructor import LSTMReconstructor
from seqembed.estimators.saving import RECORDS
from seqembed.export.persistence import InvalidFileError, unpack
from seqembed.files.generator_state import make_generator
from seqembed.network.architecture import Network
from seqembed.training.one_pass import StreamState
from seqembed.training.readout import Readout

_CLASSES = {each.__name__: each for each in (LSTMAutoencoder, LSTMReconstructor, ReconstructionDetector)}


def load(file):
    """Read an estimator that its method `save` has written.

    Parameters
    ----------
    file : str, path-like, bytes or binary file object
        The file, or its content.

    Returns
    -------
    estimator : LSTMAutoencoder, LSTMReconstructor or ReconstructionDetector
        Equal to the one that was saved. TensorFlow is not imported. A stream goes on where it was.

    Raises
    ------
    seqembed.InvalidFileError
        A `ValueError`, for a file that is damaged, or that seqembed did not write. Reading runs no code of the file.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from seqembed import LSTMAutoencoder, load
    >>> X = np.random.default_rng(0).normal(size=(8, 3, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(X).save(f"{folder}/model.seqembed")
    ...     loaded = load(f"{folder}/model.seqembed")
    >>> loaded.transform(X).shape
    (8, 2)
    """
    description, arrays = unpack(file)
    remaining = dict(arrays)
    try:
        estimator = _restored(description, remaining)
    except InvalidFileError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise InvalidFileError(f"Got a file whose description is not that of an estimator: {error!r:.200}.") from error
    if remaining:
        raise InvalidFileError(f"Got an array {next(iter(remaining))[:40]!r} that belongs to no attribute.")
    return estimator


def _restored(description: dict, arrays: dict[str, np.ndarray]) -> BaseEstimator:
    """Make an estimator; take its arrays out of `arrays`."""
    _expect(set(description) == {"class", "parameters", "attributes"}, "an estimator of class, parameters, attributes")
    _expect(description["class"] in _CLASSES, f"one of the classes {', '.join(_CLASSES)}")
    estimator = _CLASSES[description["class"]]()
    # Parameters that are newer than the file keep their defaults.
    estimator.set_params(**{name: decoded(value, arrays) for name, value in description["parameters"].items()})
    estimator._validate_params()
    if isinstance(estimator, LSTMNetworkEstimator):
        checked_units(estimator.hidden_units)
    attributes = {name: decoded(value, arrays) for name, value in description["attributes"].items()}
    output = attributes.pop("_sklearn_output_config", None)
    if output is not None:
        _expect(set(output) <= {"transform"} and _are(str, output.values()), "the container of set_output")
        estimator._sklearn_output_config = output
    if attributes:
        _CHECKS[type(estimator)](estimator, attributes)
        vars(estimator).update(attributes)
    return estimator


def decoded(value, arrays: dict[str, np.ndarray]):
    """Return the value that `seqembed.estimators.saving.encoded` has described; its arrays are taken out of `arrays`.

    Raises
    ------
    InvalidFileError
        For what that function does not write.
    LookupError, TypeError, ValueError, AttributeError, OverflowError
        Likewise, from the constructors of what is described.
    """
    if not isinstance(value, dict):
        _expect(value is None or isinstance(value, (bool, int, float, str)), "a value")
        _expect(not isinstance(value, int) or abs(value) < 1 << 63, "integers of 64 bits")
        return value
    _expect(len(value) == 1, "one entry that says what a value is")
    ((kind, content),) = value.items()
    if kind in RECORDS:
        fields = {name: decoded(each, arrays) for name, each in content.items()}
        _expect(set(fields) <= set(RECORDS[kind].__annotations__), f"the fields of {kind}")
        return RECORDS[kind](**fields)
    _expect(kind in _DECODERS, f"no value of the kind {kind[:40]!r}")
    return _DECODERS[kind](content, arrays)


def _decoded_float(text: str, arrays) -> float:
    _expect(text in ("nan", "inf", "-inf"), "nan, inf or -inf")
    return float(text)


def _decoded_list(values: list, arrays: dict[str, np.ndarray]) -> list:
    _expect(isinstance(values, list), "a list")
    return [decoded(value, arrays) for value in values]


def _decoded_names(values: list, arrays) -> np.ndarray:
    _expect(isinstance(values, list) and _are(str, values), "names")
    return np.array(values, object)


def _decoded_integers(values: list, arrays) -> np.ndarray:
    _expect(isinstance(values, list) and _are(int, values), "integers")
    return np.array(values, np.int64)


def _decoded_generator(state: dict, arrays) -> np.random.Generator:
    _expect(set(state) == {"state", "inc", "has_uint32", "uinteger"} and _are(int, state.values()), "a generator")
    return make_generator(state)


def _decoded_random_state(state: dict, arrays) -> np.random.RandomState:
    _expect(set(state) == {"keys", "position", "has_gauss", "gauss"} and _are(int, state["keys"]), "a random state")
    random = np.random.RandomState(0)
    keys = np.array(state["keys"], np.uint32)
    # NumPy does not check them, and would read other memory.
    _expect(len(keys) == 624 and type(state["position"]) is int and 0 <= state["position"] <= 624, "a random state")
    _expect(state["has_gauss"] in (0, 1), "a random state")
    random.set_state(("MT19937", keys, state["position"], state["has_gauss"], float(state["gauss"])))
    return random


_DECODERS: dict[str, Callable] = {
    "float": _decoded_float,
    "array": lambda name, arrays: arrays.pop(name),
    "floats": lambda name, arrays: arrays.pop(name).tolist(),
    "list": _decoded_list,
    "tuple": lambda values, arrays: tuple(_decoded_list(values, arrays)),
    "dict": lambda values, arrays: {name: decoded(value, arrays) for name, value in values.items()},
    "names": _decoded_names,
    "integers": _decoded_integers,
    "generator": _decoded_generator,
    "random_state": _decoded_random_state,
    "estimator": _restored,
}


def _check_network_estimator(estimator: LSTMNetworkEstimator, attributes: dict) -> None:
    """Check that the attributes of an estimator are those of a fitted one, and fit together."""
    needed = {"network_", "weights_", "history_", "feature_means_", "center_", "scale_", "one_length_", "input_ndim_"}
    needed |= {"n_timesteps_", "n_features_", "n_features_in_", "_padded_length"}
    optional = {"feature_names_in_", "n_iter_", "best_epoch_", "_stream"}
    _expect(needed <= set(attributes) <= needed | optional, "the attributes of a fitted network")
    network = attributes["network_"]
    _check_network(network)
    _expect(network.bottleneck == estimator._bottleneck, f"the network of {type(estimator).__name__}")
    _check_weights(attributes["weights_"], network.weight_shapes)
    for name in ("feature_means_", "center_", "scale_"):
        _check_array(attributes[name], (network.n_features,), np.float64, name)
    _expect((attributes["scale_"] > 0).all(), "scales above zero")
    _expect(attributes["n_features_"] == network.n_features, "as many features as the network reads")
    _check_shape_attributes(attributes)
    _expect(type(attributes["one_length_"]) is bool, "a truth value for one_length_")
    for name in ("n_iter_", "best_epoch_"):
        _expect(name not in attributes or _is_count(attributes[name], 0), f"a number of epochs for {name}")
    padded_length = attributes["_padded_length"]
    _expect(padded_length is None or _is_count(padded_length, 1), "a number of timesteps for _padded_length")
    history = attributes["history_"]
    _expect(isinstance(history, dict) and all(_are(float, each) for each in history.values()), "losses by epoch")
    if "_stream" in attributes:
        _check_stream(attributes["_stream"], network)


def _check_detector(detector: ReconstructionDetector, attributes: dict) -> None:
    needed = {"estimators_", "offset_", "heldout_scores_", "report_", "feature_scales_", "precision_"}
    needed |= {"length_exponent_", "n_timesteps_", "input_ndim_", "n_features_in_"}
    _expect(needed <= set(attributes) <= needed | {"feature_names_in_"}, "the attributes of a fitted detector")
    networks = attributes["estimators_"]
    _expect(isinstance(networks, list) and len(networks) > 1, "two networks or more")
    _expect(all(isinstance(each, LSTMNetworkEstimator) and hasattr(each, "network_") for each in networks), "networks")
    n_features = networks[0].n_features_
    _expect(all(each.n_features_ == n_features for each in networks), "networks of the same features")
    for name in ("offset_", "length_exponent_"):
        _expect(type(attributes[name]) is float and not np.isnan(attributes[name]), f"a number for {name}")
    report = attributes["report_"]
    _expect(
        isinstance(report, dict) and set(report) <= {"precision", "recall"} and _are(float, report.values()), "rates"
    )
    scores = attributes["heldout_scores_"]
    _expect(isinstance(scores, np.ndarray) and scores.ndim == 1 and scores.dtype == np.float64, "held-out scores")
    _check_array(attributes["feature_scales_"], (n_features,), np.float64, "feature_scales_")
    _check_array(attributes["precision_"], (n_features, n_features), np.float64, "precision_")
    _check_shape_attributes(attributes | {"n_features_": n_features})


_CHECKS: dict[type, Callable] = {
    LSTMAutoencoder: _check_network_estimator,
    LSTMReconstructor: _check_network_estimator,
    ReconstructionDetector: _check_detector,
}


def _check_network(network: Network) -> None:
    _expect(isinstance(network, Network), "a network")
    counts = (network.n_features, network.n_components, network.patch_size, *network.hidden_units)
    _expect(isinstance(network.hidden_units, tuple) and all(_is_count(each, 1) for each in counts), "sizes of layers")
    _expect(network.activation in ("tanh", "relu") and type(network.bottleneck) is bool, "an activation")
    _expect(network.encoded_timesteps is None or _is_count(network.encoded_timesteps, 1), "encoded timesteps")


def _check_weights(weights: dict[str, np.ndarray], shapes: dict[str, tuple[int, ...]]) -> None:
    _expect(isinstance(weights, dict) and set(weights) == set(shapes), f"the weights {', '.join(shapes)}"[:200])
    for name, shape in shapes.items():
        _check_array(weights[name], shape, np.float32, name)


def _check_array(array: np.ndarray, shape: tuple[int, ...], dtype, name: str) -> None:
    fits = isinstance(array, np.ndarray) and array.shape == shape and array.dtype == dtype
    _expect(fits and np.isfinite(array).all(), f"finite numbers of shape {shape} for {name}")


def _check_shape_attributes(attributes: dict) -> None:
    """Check what says which sequences were fitted."""
    for name in ("n_timesteps_", "n_features_", "n_features_in_"):
        _expect(_is_count(attributes[name], 1), f"a number for {name}")
    _expect(type(attributes["input_ndim_"]) is int and attributes["input_ndim_"] in (2, 3), "2 or 3 for input_ndim_")
    _expect(attributes["input_ndim_"] == 3 or attributes["n_features_"] == 1, "one feature in two dimensions")
    names = attributes.get("feature_names_in_")
    _expect(names is None or (isinstance(names, np.ndarray) and names.dtype == object), "names of columns")
    _expect(names is None or len(names) == attributes["n_features_in_"], "a name for each column")


def _check_stream(state: StreamState, network: Network) -> None:
    _expect(isinstance(state, StreamState) and isinstance(state.random, np.random.Generator), "the state of a stream")
    _expect(_is_count(state.n_updates, 0), "a number of updates")
    shapes, readout = dict(network.weight_shapes), state.readout
    if readout is not None:
        _expect(isinstance(readout, Readout) and _is_count(readout.n_timesteps, 1), "a readout")
        for name in ("center", "scale"):
            _check_array(getattr(readout, name), (network.n_features,), np.float32, name)
        for name in ("means", "deviations"):
            _check_array(getattr(readout, name), (len(readout.means),), np.float32, name)
        _expect(isinstance(readout.weight, (int, float)) and np.isfinite(readout.weight), "a weight of the readout")
        of_readout = readout.weight_shapes(network)
        shapes |= of_readout
        if state.readout_weights is not None:
            _check_weights(state.readout_weights, of_readout)
    else:
        _expect(state.readout_weights is None, "no weights without a readout")
    if state.moments is not None:
        n_parameters = sum(math.prod(shape) for shape in shapes.values())
        _check_array(state.moments, (2, n_parameters), np.float32, "moments")


def _is_count(value, least: int) -> bool:
    return type(value) is int and least <= value < 1 << 40


def _are(kind: type, values) -> bool:
    return all(type(value) is kind for value in values)


def _expect(holds: bool, expected: str) -> None:
    if not holds:
        raise InvalidFileError(f"Got a file without what an estimator needs: expected {expected}.")
