import copy
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils import Bunch

from seqembed import InvalidFileError, LSTMAutoencoder, LSTMReconstructor, ReconstructionDetector, load
from seqembed.estimators.saving import describe
from seqembed.export.persistence import pack

# Written by version 0.1.0; it must load for ever. `_write_version_1` has written it.
VERSION_1 = Path(__file__).parent / "files" / "version_1.seqembed"
X = np.random.default_rng(0).normal(size=(20, 4, 2))


def saved(estimator):
    file = io.BytesIO()
    estimator.save(file)
    return file.getvalue()


def assert_equal(first, second):
    assert type(first) is type(second)
    if hasattr(first, "get_params"):
        assert_equal(vars(first), vars(second))
    elif isinstance(first, np.random.Generator):
        assert first.bit_generator.state == second.bit_generator.state
    elif isinstance(first, np.random.RandomState):
        np.testing.assert_equal(first.get_state(), second.get_state())
    elif isinstance(first, dict):
        assert list(first) == list(second)
        for name in first:
            assert_equal(first[name], second[name])
    elif isinstance(first, (list, tuple)):
        for one, other in zip(first, second, strict=True):
            assert_equal(one, other)
    else:
        np.testing.assert_equal(first, second)


def network(kind=LSTMAutoencoder, **parameters):
    return kind(**{"n_components": 2, "hidden_units": (3,), "epochs": 2, "random_state": 0} | parameters)


FRAME = pd.DataFrame(X[:, :, 0], columns=["a", "b", "c", "d"])
CASES = {
    "autoencoder": lambda: network().fit(X),
    "reconstructor": lambda: network(LSTMReconstructor, activation="relu", scale=None).fit(X),
    "patches": lambda: network(patch_size=3, hidden_units=[], time_encoding=False).fit(X),
    "unequal lengths": lambda: network().fit([X[0], X[1, :2]]),
    "padded": lambda: network().fit(X, lengths=[4] * 19 + [2]),
    "names": lambda: network().fit(FRAME),
    "output": lambda: network().set_output(transform="pandas").fit(X),
    "stream": lambda: network().partial_fit(X),
    "stream without readout": lambda: network(readout_weight=0).partial_fit(X),
    "random state": lambda: network(random_state=np.random.RandomState(3), n_components=np.int64(2)).fit(X),
    "not fitted, output": lambda: network().set_output(transform="default"),
    "not fitted": lambda: network(validation_fraction=0.1, hidden_units=np.array([3, 4])),
    "detector": lambda: ReconstructionDetector(network(LSTMReconstructor), cv=2).fit(X, [True] * 3 + [False] * 17),
    "detector of names": lambda: ReconstructionDetector(network(), cv=2).fit(FRAME),
}


@pytest.mark.parametrize("case", CASES)
def test_an_equal_estimator_comes_back(case):
    estimator = CASES[case]()
    loaded = load(saved(estimator))
    names = set(vars(estimator)) - {"hidden_units", "n_components"}
    assert set(vars(loaded)) == set(vars(estimator))
    for name in names:
        if name not in ("offset_", "length_exponent_"):
            assert_equal(vars(estimator)[name], vars(loaded)[name])
    if case in ("autoencoder", "patches"):
        np.testing.assert_array_equal(loaded.transform(X), estimator.transform(X))
    if case == "detector":
        np.testing.assert_array_equal(loaded.decision_function(X), estimator.decision_function(X))


def test_a_stream_goes_on_to_the_same_bits():
    stream = network().partial_fit(X)
    loaded = load(saved(stream))
    np.testing.assert_array_equal(loaded.partial_fit(X).transform(X), stream.partial_fit(X).transform(X))


def test_a_path_is_written_and_read(tmp_path):
    network().fit(X).save(tmp_path / "model.seqembed")
    assert load(str(tmp_path / "model.seqembed")).transform(X).shape == (20, 2)


def test_a_file_of_version_1_loads():
    loaded = load(VERSION_1)
    assert VERSION_1.stat().st_size < 40_000
    assert isinstance(loaded, ReconstructionDetector)
    assert loaded.estimators_[0]._stream.n_updates == 6
    np.testing.assert_allclose(loaded.score_samples(X[:2]), [-0.4634411, -1.37393426], rtol=1e-5)


def test_parameters_that_are_newer_than_the_file_keep_their_defaults():
    description, arrays = describe(network().fit(X))
    del description["parameters"]["readout_weight"]
    assert load(pack(description, arrays)).readout_weight == 0.1


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
        ((*ATTRIBUTES, "scale_"), {"array": "center_"}),
        ((*ATTRIBUTES, "n_timesteps_"), 2.5),
        ((*ATTRIBUTES, "one_length_"), 1),
        ((*ATTRIBUTES, "input_ndim_"), 2),
        ((*ATTRIBUTES, "n_iter_"), "2"),
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
    "change",
    [
        lambda arrays: {"weights_/output/bias": np.zeros(3, np.float32)},
        lambda arrays: {"weights_/output/bias": np.zeros(2)},
        lambda arrays: {"weights_/output/bias": np.array([0, np.nan], np.float32)},
        lambda arrays: {"scale_": np.zeros(2)},
        lambda arrays: {"center_": np.array([0, np.inf])},
        lambda arrays: {"more": np.zeros(2)},
    ],
)
def test_arrays_of_other_shapes_dtypes_or_values_are_refused(change):
    description, arrays = describe(network().fit(X))
    with pytest.raises(InvalidFileError):
        load(pack(description, arrays | change(arrays)))


@pytest.mark.parametrize("name", ["estimators_", "offset_", "report_", "heldout_scores_", "precision_", "n_timesteps_"])
@pytest.mark.parametrize("value", ["text", {"list": []}, {"float": "nan"}])
def test_attributes_of_a_detector_are_checked(name, value):
    description, arrays = describe(ReconstructionDetector(network(), cv=2).fit(X))
    with pytest.raises(InvalidFileError):
        load(pack(replaced(description, ("attributes", name), value), arrays))


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


def test_a_process_that_loads_and_transforms_imports_no_tensorflow_and_needs_little_memory(tmp_path):
    network().fit(X).save(tmp_path / "model")
    code = (
        "import sys, resource, sklearn.pipeline\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "import numpy as np, seqembed\n"
        f"seqembed.load({str(tmp_path / 'model')!r}).transform(np.zeros((1000, 4, 2)))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, 'tensorflow' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    kilobytes, has_tensorflow = output.split()
    assert has_tensorflow == "False"
    assert int(kilobytes) < 60_000


def test_skops_loads_estimators_by_these_names(tmp_path):
    skops_io = pytest.importorskip("skops.io")
    expected = Bunch(
        autoencoder=["seqembed.estimators.autoencoder.LSTMAutoencoder", "seqembed.network.architecture.Network"],
        reconstructor=["seqembed.estimators.reconstructor.LSTMReconstructor", "seqembed.network.architecture.Network"],
        detector=[
            "seqembed.estimators.detector.ReconstructionDetector",
            "seqembed.estimators.reconstructor.LSTMReconstructor",
            "seqembed.network.architecture.Network",
        ],
        stream=[
            "seqembed.estimators.autoencoder.LSTMAutoencoder",
            "seqembed.network.architecture.Network",
            "seqembed.training.readout.Readout",
            "seqembed.training.stream.StreamState",
        ],
    )
    for case, names in expected.items():
        data = skops_io.dumps(CASES[case]())
        assert skops_io.get_untrusted_types(data=data) == names
        assert type(skops_io.loads(data, trusted=names)).__name__ == names[0].rpartition(".")[2] or case == "detector"


def _write_version_1():
    detector = ReconstructionDetector(network(), cv=2, random_state=0).fit(X, np.arange(20) < 2)
    detector.estimators_[0].partial_fit(X).partial_fit(X).partial_fit(X)
    detector.save(VERSION_1)


if __name__ == "__main__":
    _write_version_1()
