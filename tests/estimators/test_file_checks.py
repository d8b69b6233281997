import copy
import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqembed import InvalidFileError, LSTMAutoencoder, ReconstructionDetector, load
from seqembed.estimators.saving import describe
from seqembed.files.safetensors_file import pack

X = np.random.default_rng(0).normal(size=(20, 4, 2))


def network():
    return LSTMAutoencoder(2, hidden_units=(3,), epochs=2, random_state=0)


def replaced(description, path, value):
    changed = copy.deepcopy(description)
    place = changed
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


RANDOM_STATE = {"keys": [0] * 624, "position": 0, "has_gauss": 0, "gauss": 0.0}
ATTRIBUTES = ("attributes",)
NETWORK = ("attributes", "network_", "Network")
CONTEXT = ("attributes", "context_", "Context")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("class",), "Pipeline"),
        (("class",), ["LSTMAutoencoder"]),
        (("more",), 3),
        (("parameters", "epochs"), -1),
        (("parameters", "other"), 3),
        (("parameters", "n_components"), {"estimator": 3}),
        (("parameters", "epochs"), {"float": "three"}),
        (("parameters", "epochs"), {"code": "import os"}),
        (("parameters", "epochs"), {"array": "missing"}),
        (("parameters", "epochs"), {"list": [], "tuple": []}),
        (("parameters", "random_state"), {"generator": {"state": -1, "inc": 1, "has_uint32": 0, "uinteger": 0}}),
        (("parameters", "random_state"), {"random_state": {"keys": [1], "position": 0, "has_gauss": 0, "gauss": 0}}),
        (("parameters", "random_state"), {"random_state": RANDOM_STATE | {"position": 1 << 30}}),
        (("parameters", "random_state"), {"random_state": RANDOM_STATE | {"has_gauss": 2}}),
        (("parameters", "hidden_units"), {"tuple": [{"dict": {}}]}),
        (("parameters", "n_components"), 10**400),
        ((*ATTRIBUTES, "weights_"), None),
        ((*ATTRIBUTES, "fit"), 3),
        ((*ATTRIBUTES, "network_"), 3),
        ((*NETWORK, "n_features"), 3),
        ((*NETWORK, "n_features"), 10**12),
        ((*NETWORK, "n_components"), 0),
        ((*NETWORK, "hidden_units"), {"tuple": [10**9]}),
        ((*NETWORK, "hidden_units"), {"list": [3]}),
        ((*NETWORK, "activation"), "gelu"),
        ((*NETWORK, "bottleneck"), False),
        ((*NETWORK, "encoded_timesteps"), 0),
        ((*NETWORK, "patch_size"), True),
        ((*NETWORK, "other"), 3),
        ((*NETWORK, "context_size"), 0),
        ((*NETWORK, "context_size"), -1),
        ((*NETWORK, "shortcut_size"), 0),
        ((*NETWORK, "shortcut_size"), 2),
        ((*NETWORK, "shortcut_size"), 3),
        ((*ATTRIBUTES, "context_"), None),
        ((*ATTRIBUTES, "context_"), 3),
        ((*CONTEXT, "summary"), 3),
        ((*CONTEXT, "summary", "Summary", "n_timesteps"), 40),
        ((*CONTEXT, "factor"), {"list": [1.0]}),
        ((*CONTEXT, "factor"), -1.0),
        ((*CONTEXT, "factor"), {"float": "inf"}),
        ((*CONTEXT, "noise"), {"list": [1.0]}),
        # Another attribute has this array.
        ((*ATTRIBUTES, "scale_"), {"array": "center_"}),
        ((*ATTRIBUTES, "n_timesteps_"), 2.5),
        ((*ATTRIBUTES, "one_length_"), 1),
        ((*ATTRIBUTES, "input_ndim_"), 2),
        ((*ATTRIBUTES, "n_iter_"), "2"),
        ((*ATTRIBUTES, "interrupted_"), 1),
        ((*ATTRIBUTES, "history_"), {"list": []}),
        ((*ATTRIBUTES, "_padded_length"), 0),
        ((*ATTRIBUTES, "_stream"), 3),
        ((*ATTRIBUTES, "feature_names_in_"), {"names": ["a"]}),
        ((*ATTRIBUTES, "_sklearn_output_config"), {"dict": {"transform": 3}}),
    ],
)
def test_descriptions_that_are_not_of_an_estimator_are_refused(path, value):
    description, arrays = describe(network().fit(X))
    with pytest.raises(InvalidFileError):
        load(pack(replaced(description, path, value), arrays))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("weights_/output/bias", np.zeros(3, np.float32), r"shape \(2,\) for output/bias"),
        ("weights_/output/bias", np.zeros(2), "finite numbers of shape .* for output/bias"),
        ("weights_/output/bias", np.array([0, np.nan], np.float32), "finite numbers of shape .* for output/bias"),
        ("scale_", np.zeros(2), "scales above zero"),
        ("scale_", np.ones(3), r"shape \(2,\) for scale_"),
        ("context_/scale", np.zeros(2, np.float32), "scales of the context above zero"),
        ("context_/scale", np.ones(3, np.float32), r"shape \(2,\) for scale of the context"),
        ("context_/noise", -np.ones(1, np.float32), "noise of at least zero"),
        ("context_/noise", np.ones(3, np.float32), r"shape \(1,\) for noise of the context"),
        ("weights_/shortcut/loadings", np.zeros((1, 4, 2), np.float32), "loadings that are not zero"),
        ("weights_/shortcut/loadings", np.ones((1, 0, 2), np.float32), "loadings of timesteps"),
        ("weights_/shortcut/loadings", np.ones((4, 2), np.float32), "loadings of timesteps"),
        ("center_", np.array([0, np.inf]), r"finite numbers of shape \(2,\) for center_"),
        ("more", np.zeros(2), "an array 'more' that belongs to no attribute"),
    ],
)
def test_arrays_of_other_shapes_dtypes_or_values_are_refused(name, array, message):
    description, arrays = describe(network().fit(X))
    with pytest.raises(InvalidFileError, match=message):
        load(pack(description, arrays | {name: array}))


def test_a_signalling_nan_among_the_loadings_is_refused_without_a_warning():
    description, arrays = describe(network().fit(X))
    loadings = arrays["weights_/shortcut/loadings"].copy()
    loadings.view(np.uint32)[0, 0, 0] = 0x7F800001
    with warnings.catch_warnings(action="error"), pytest.raises(InvalidFileError, match="finite numbers"):
        load(pack(description, arrays | {"weights_/shortcut/loadings": loadings}))


@pytest.fixture(scope="module")
def saved_stream():
    return describe(network().set_params(label_weight=1.0).partial_fit(X, np.arange(20) % 2))


STREAM = ("attributes", "_stream", "StreamState")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("random",), 3, "the state of a stream"),
        (("n_updates",), -1, "a number of updates"),
        (("readout",), 3, "a readout"),
        (("readout", "Readout", "n_timesteps"), 0, "a readout"),
        (("readout", "Readout", "weight"), {"float": "inf"}, "a weight of the readout"),
        (("readout", "Readout", "label_weight"), "all", "a weight of labels"),
        (("readout", "Readout", "n_outputs"), -1, "a number of outputs"),
        (("readout", "Readout", "n_outputs"), 3, r"shape \(2, 45\) for readout/kernel"),
        (("label_code",), 3, "a code of labels"),
        (("label_code", "LabelCode", "scale"), 0.0, "a scale of labels"),
        (("label_code", "LabelCode", "classes"), {"tuple": [0]}, "a class for each output"),
        (("label_code", "LabelCode", "classes"), {"tuple": [0, {"tuple": []}]}, "classes of text and numbers"),
    ],
)
def test_what_does_not_fit_into_a_stream_is_refused(saved_stream, path, value, message):
    description, arrays = saved_stream
    with pytest.raises(InvalidFileError, match=message):
        load(pack(replaced(description, (*STREAM, *path), value), arrays))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("moments", r"shape \(2, \d+\) for moments"),
        ("readout/center", "for center"),
        ("readout/scale", "for scale"),
        ("readout/means", "the statistics of the readout"),
        ("readout/deviations", "for deviations"),
        ("readout_weights/readout/kernel", "for readout/kernel"),
        ("readout_weights/readout/bias", "for readout/bias"),
        ("label_code/means", "for means of labels"),
    ],
)
def test_arrays_of_a_stream_of_other_shapes_are_refused(saved_stream, name, message):
    description, arrays = saved_stream
    with pytest.raises(InvalidFileError, match=message):
        load(pack(description, arrays | {f"_stream/{name}": arrays[f"_stream/{name}"][1:].copy()}))


def test_a_readout_of_other_statistics_than_its_timesteps_have_is_refused():
    description, arrays = describe(network().partial_fit(X))
    path = ("attributes", "_stream", "StreamState", "readout", "Readout", "n_timesteps")
    with pytest.raises(InvalidFileError, match="the statistics of the readout"):
        load(pack(replaced(description, path, 40), arrays))


@pytest.mark.parametrize("size", [1.0, True, 2])
def test_a_readout_whose_context_size_is_no_number_of_the_context_is_refused(size):
    description, arrays = describe(network().partial_fit(X))
    path = ("attributes", "_stream", "StreamState", "readout", "Readout", "context_size")
    with pytest.raises(InvalidFileError, match="a readout of the context"):
        load(pack(replaced(description, path, size), arrays))


@pytest.fixture(scope="module")
def saved_detector():
    return describe(ReconstructionDetector(network(), cv=2).fit(X))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("estimators_", "two networks or more"),
        ("offset_", "a number for offset_"),
        ("length_exponent_", "a number for length_exponent_"),
        ("report_", "rates"),
        ("heldout_scores_", "held-out scores"),
        ("heldout_errors_", "held-out errors"),
        ("precision_", r"shape \(2, 2\) for precision_"),
        ("n_timesteps_", "a number for n_timesteps_"),
        ("constants_", "an array of constants"),
        ("_chosen_offset", "a threshold and its share"),
        ("missing_patterns_", "patterns of missing values"),
        ("normal_descriptions_", "descriptions of normal sequences"),
    ],
)
@pytest.mark.parametrize("value", ["text", {"list": []}, {"float": "nan"}])
def test_attributes_of_a_detector_are_checked(saved_detector, name, value, message):
    description, arrays = saved_detector
    with pytest.raises(InvalidFileError, match=message):
        load(pack(replaced(description, ("attributes", name), value), arrays))


NORMAL = ("normal_descriptions_", "NormalDescriptions")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("report_",), {"dict": {"f1": 1.0}}, "rates"),
        (("report_",), {"dict": {"recall": "all"}}, "rates"),
        (("_chosen_offset",), {"tuple": [-1.0]}, "a threshold and its share"),
        (("_chosen_offset",), {"tuple": [-1.0, 3]}, "a threshold and its share"),
        (("_chosen_offset",), {"tuple": [-1.0, {"float": "nan"}]}, "a threshold and its share"),
        (("n_timesteps_",), 5, "errors of values"),
        (("input_ndim_",), 2, "one feature in two dimensions"),
        ((*NORMAL, "description"), 3, "a description"),
        ((*NORMAL, "description", "Description", "n_timesteps"), 3, "the timesteps of the description"),
        ((*NORMAL, "description", "Description", "shares"), 3, "shares"),
        ((*NORMAL, "blocks"), {"integers": [0] * 20}, "references of two blocks or more"),
        ((*NORMAL, "blocks"), {"integers": [0, 2] * 10}, "references of two blocks or more"),
        ((*NORMAL, "blocks"), {"integers": [-1, 0] * 10}, "references of two blocks or more"),
        ((*NORMAL, "blocks"), {"integers": [0, 1]}, r"shape \(20,\) for blocks"),
        ((*NORMAL, "shortest"), 0, "the shortest length"),
        ((*NORMAL, "shortest"), 5, "the shortest length"),
        ((*NORMAL, "components"), 3, "principal components"),
    ],
)
def test_what_does_not_fit_into_a_detector_is_refused(saved_detector, path, value, message):
    description, arrays = saved_detector
    with pytest.raises(InvalidFileError, match=message):
        load(pack(replaced(description, ("attributes", *path), value), arrays))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("heldout_scores_", lambda array: array[:, np.newaxis], "held-out scores"),
        ("heldout_scores_", lambda array: array.astype(np.float32), "held-out scores"),
        ("heldout_errors_", lambda array: array.astype(np.float32), "held-out errors"),
        ("heldout_errors_", lambda array: array[:, :3], "held-out errors of 4 kinds"),
        ("heldout_errors_", lambda array: array[1:], "held-out errors of 4 kinds"),
        ("feature_scales_", lambda array: array[1:], r"shape \(2,\) for feature_scales_"),
        ("feature_means_", lambda array: array[1:], r"shape \(2,\) for feature_means_"),
        ("precision_", lambda array: np.full_like(array, np.inf), r"finite numbers of shape \(2, 2\) for precision_"),
        ("missing_patterns_/complete", lambda array: array[:0], "errors and patterns"),
        ("missing_patterns_/complete", lambda array: array[:, :3], "errors of complete sequences"),
        ("missing_patterns_/complete", lambda array: array[::-1], "errors in ascending order"),
        ("missing_patterns_/value_errors", lambda array: array[1:], r"shape \(4, 2\) for errors of values"),
        ("missing_patterns_/descriptions", lambda array: array[:0], "errors and patterns"),
        ("missing_patterns_/descriptions", lambda array: array[:, :7], "descriptions of patterns"),
        ("missing_patterns_/excesses", lambda array: array[:, :3], "errors of patterns"),
        ("missing_patterns_/excesses", lambda array: array[1:], "errors of patterns"),
        ("normal_descriptions_/center", lambda array: array[1:], "center of the descriptions"),
        ("normal_descriptions_/scale", lambda array: array[1:], "scale of the descriptions"),
        ("normal_descriptions_/scale", lambda array: 0 * array, "scales of the descriptions above zero"),
        ("normal_descriptions_/references", lambda array: array[:, 1:], "references"),
        ("normal_descriptions_/length_exponents", lambda array: array[:2], r"shape \(3,\) for exponents of lengths"),
        ("normal_descriptions_/description/factors", lambda array: -1 - array, "factors of at least zero"),
        ("normal_descriptions_/description/means", lambda array: array[1:], "for means"),
        ("normal_descriptions_/description/shares/channels", lambda array: 2 + array, "channels of zeros and ones"),
        ("normal_descriptions_/description/shares/channels", lambda array: array[1:], "for channels"),
        ("normal_descriptions_/description/shares/thresholds", lambda array: array[0], "thresholds of three axes"),
        ("normal_descriptions_/description/shares/thresholds", lambda array: array[:, :0], "expected thresholds"),
        ("normal_descriptions_/description/shares/thresholds", lambda array: array[..., 1:], "28 or 84 kernels"),
        ("normal_descriptions_/components/means", lambda array: array[1:], r"shape \(2, 8\) for means of the comp"),
        ("normal_descriptions_/components/axes", lambda array: array[0], r"shape \(2, 0, 8\) for axes of the comp"),
        ("normal_descriptions_/components/axes", lambda array: array[:, :, 1:], "axes of the components"),
    ],
)
def test_arrays_of_a_detector_of_other_shapes_dtypes_or_values_are_refused(saved_detector, name, change, message):
    description, arrays = saved_detector
    with pytest.raises(InvalidFileError, match=message):
        load(pack(description, arrays | {name: np.ascontiguousarray(change(arrays[name]))}))


@pytest.mark.parametrize("constants", [[1.0], [1.0, np.inf]])
def test_constants_that_are_none_of_the_features_are_refused(saved_detector, constants):
    description, arrays = saved_detector
    changed = replaced(description, ("attributes", "constants_"), {"array": "constants_"})
    with pytest.raises(InvalidFileError, match=r"finite numbers of shape \(2,\) for constants_"):
        load(pack(changed, arrays | {"constants_": np.array(constants)}))


def test_a_detector_whose_kernels_compete_is_refused():
    detector = ReconstructionDetector(network(), cv=2).fit(X)
    normal = detector.normal_descriptions_
    description, shares = normal.description, normal.description.shares._replace(competes=True)
    width = [0, shares.n_shares - description.shares.n_shares]
    means, factors = (np.pad(each, width) for each in (description.means, description.factors))
    detector.normal_descriptions_ = normal._replace(
        description=description._replace(shares=shares, means=means, factors=factors),
        references=np.pad(normal.references, [(0, 0), width]),
    )
    with pytest.raises(InvalidFileError, match="shares without competitions"):
        load(pack(*describe(detector)))


def test_a_detector_of_networks_that_read_other_features_is_refused():
    (description, arrays), (other, others) = (
        describe(ReconstructionDetector(network(), cv=2, distances=False).fit(each)) for each in (X, X[:, :, :1])
    )
    first, second = description["attributes"]["estimators_"]["list"], other["attributes"]["estimators_"]["list"]
    networks = {"list": [first[0], second[1]]}
    mixed = {name: array for name, array in arrays.items() if not name.startswith("estimators_/1")}
    mixed |= {name: array for name, array in others.items() if name.startswith("estimators_/1")}
    with pytest.raises(InvalidFileError, match="networks of the same features"):
        load(pack(replaced(description, ("attributes", "estimators_"), networks), mixed))


def test_a_detector_of_networks_that_are_not_fitted_is_refused(saved_detector):
    description, arrays = saved_detector
    path = ("attributes", "estimators_", "list", 1, "estimator", "attributes")
    fitted = {name: array for name, array in arrays.items() if not name.startswith("estimators_/1")}
    with pytest.raises(InvalidFileError, match="expected networks"):
        load(pack(replaced(description, path, {}), fitted))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(st.sampled_from(["list", "dict", "array", "Network", "generator", "estimator"]), inside)
    ),
    max_leaves=5,
)
DESCRIPTION, ARRAYS = describe(network().partial_fit(X))
PLACES = [(part, name) for part in ("parameters", "attributes") for name in DESCRIPTION[part]]


@given(st.sampled_from(PLACES), JSON)
def test_a_random_description_gives_an_estimator_or_the_error_of_the_package(place, value):
    try:
        json.dumps(value)
        loaded = load(pack(replaced(DESCRIPTION, place, value), ARRAYS))
    except InvalidFileError:
        return
    assert isinstance(loaded, LSTMAutoencoder)
