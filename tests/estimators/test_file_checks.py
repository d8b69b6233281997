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


@pytest.mark.parametrize("name", ["estimators_", "offset_", "report_", "heldout_scores_", "precision_", "n_timesteps_"])
@pytest.mark.parametrize("value", ["text", {"list": []}, {"float": "nan"}])
def test_attributes_of_a_detector_are_checked(name, value):
    description, arrays = describe(ReconstructionDetector(network(), cv=2).fit(X))
    with pytest.raises(InvalidFileError):
        load(pack(replaced(description, ("attributes", name), value), arrays))


@pytest.mark.parametrize(
    "value", [3, {"NormalComponents": {name: {"array": "precision_"} for name in ("means", "axes")}}]
)
def test_components_of_a_detector_are_checked(value):
    description, arrays = describe(ReconstructionDetector(network(), cv=2).fit(X))
    path = ("attributes", "normal_descriptions_", "NormalDescriptions", "components")
    with pytest.raises(InvalidFileError):
        load(pack(replaced(description, path, value), arrays))


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
