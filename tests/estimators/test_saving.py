import io
import os
import runpy
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from pathlib import Path
from unittest.mock import Mock

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.utils import Bunch

from seqembed import LSTMAutoencoder, LSTMReconstructor, ReconstructionDetector, SequenceSummary, load
from seqembed.datasets import load_italy_power
from seqembed.estimators.saving import describe
from seqembed.files.safetensors_file import InvalidFileError, pack
from seqembed.files.values import encoded
from seqembed.training.gradient import batch_gradient

# Written by version 0.1.0; it must load for ever. `_write_version_1` has written it.
FILES = Path(__file__).parent / "files"
VERSION_1 = FILES / "version_1.seqembed"
OLD_FILES = sorted(FILES.glob("version_*/*.seqembed"))
X = np.random.default_rng(0).normal(size=(20, 4, 2))


def saved(estimator):
    file = io.BytesIO()
    estimator.save(file)
    return file.getvalue()


def assert_equal(first, second):
    assert type(first) is type(second)
    if hasattr(first, "get_params"):
        assert_equal(vars(first), vars(second))
    elif is_dataclass(first):
        # Not its variables: one of both may have prepared its forward pass.
        for field in fields(first):
            assert_equal(getattr(first, field.name), getattr(second, field.name))
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
    "shortcut": lambda: network().fit(X.cumsum(axis=1)),
    "LSTM layers alone": lambda: network(context_size=0, shortcut_size=0).fit(X),
    "stream": lambda: network().partial_fit(X),
    "stream without readout": lambda: network(readout_weight=0).partial_fit(X),
    "random state": lambda: network(random_state=np.random.RandomState(3), n_components=np.int64(2)).fit(X),
    "not fitted, output": lambda: network().set_output(transform="default"),
    "not fitted": lambda: network(validation_fraction=0.1, hidden_units=np.array([3, 4])),
    "detector": lambda: ReconstructionDetector(network(LSTMReconstructor), cv=2).fit(X, [True] * 3 + [False] * 17),
    "summary": lambda: SequenceSummary(3).fit(X),
    "detector of names": lambda: ReconstructionDetector(network(), cv=2).fit(FRAME),
}


@pytest.mark.parametrize("case", CASES)
def test_an_equal_estimator_comes_back(case):
    estimator = CASES[case]()
    loaded = load(saved(estimator))
    assert set(vars(loaded)) == set(vars(estimator))
    for name, value in vars(estimator).items():
        # Numbers and arrays of NumPy come back as those of Python.
        if isinstance(value, np.generic):
            assert vars(loaded)[name] == value
        elif name == "hidden_units":
            assert tuple(loaded.hidden_units) == tuple(value)
        else:
            assert_equal(value, vars(loaded)[name])
    if case in ("autoencoder", "patches"):
        np.testing.assert_array_equal(loaded.transform(X), estimator.transform(X))
    if case == "detector":
        np.testing.assert_array_equal(loaded.decision_function(X), estimator.decision_function(X))


def test_a_stream_goes_on_to_the_same_bits():
    stream = network().partial_fit(X)
    loaded = load(saved(stream))
    np.testing.assert_array_equal(loaded.partial_fit(X).transform(X), stream.partial_fit(X).transform(X))


def test_a_path_is_written_and_read(tmp_path):
    estimator = network().fit(X)
    for path in (tmp_path / "model.seqembed", str(tmp_path / "other.seqembed")):
        estimator.save(path)
        np.testing.assert_array_equal(load(path).transform(X), estimator.transform(X))


def test_ctrl_c_during_save_leaves_the_former_file_and_the_estimator(tmp_path, monkeypatch):
    estimator, path = network().partial_fit(X), tmp_path / "model"
    estimator.save(path)
    before, content = joblib.hash(vars(estimator)), path.read_bytes()
    monkeypatch.setattr(os, "replace", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        estimator.set_params(verbose=1).save(path)
    assert joblib.hash(vars(estimator.set_params(verbose=0))) == before
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
    assert path.read_bytes() == content


def test_estimators_that_are_saved_to_one_path_by_threads_are_all_saved_and_one_of_them_is_loaded(tmp_path):
    estimators = [network(random_state=number).fit(X) for number in range(4)]

    def save(estimator):
        for _ in range(10):
            estimator.save(tmp_path / "model")
            load(tmp_path / "model")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(save, estimators))
    loaded = load(tmp_path / "model")
    assert saved(loaded) in [saved(each) for each in estimators]
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_an_estimator_goes_through_an_unbuffered_file(tmp_path):
    estimator = network().fit(X)
    with open(tmp_path / "model", "wb", buffering=0) as file:
        estimator.save(file)
    with open(tmp_path / "model", "rb", buffering=0) as file:
        np.testing.assert_array_equal(load(file).transform(X), estimator.transform(X))


def test_an_estimator_goes_through_an_unbuffered_socket():
    estimator = network().fit(X)
    here, there = socket.socketpair()
    with here, there:
        # Few bytes at a time fit into it.
        here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)

        def send():
            with here.makefile("wb", buffering=0) as file:
                estimator.save(file)
            here.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        with there.makefile("rb", buffering=0) as file:
            loaded = load(file)
        sender.join()
    np.testing.assert_array_equal(loaded.transform(X), estimator.transform(X))


@pytest.fixture
def routed():
    """Metadata are routed, as set_fit_request needs it."""
    with config_context(enable_metadata_routing=True):
        yield


def requests_of(estimator):
    return str(estimator.get_metadata_routing())


@pytest.mark.usefixtures("routed")
@pytest.mark.parametrize("is_fitted", [False, True])
def test_the_requests_of_set_fit_request_come_back(is_fitted):
    estimator = network().set_fit_request(lengths=True, checkpoint=False).set_transform_request(lengths="n_rows")
    if is_fitted:
        estimator.fit(X)
    file = saved(estimator)
    loaded = load(file)
    assert requests_of(loaded) == requests_of(estimator) == requests_of(clone(loaded))
    assert set(vars(loaded)) == set(vars(estimator))
    # Requests that nobody uses change nothing.
    with config_context(enable_metadata_routing=False):
        assert requests_of(load(file)) == requests_of(estimator)
        assert saved(loaded) == file


@pytest.mark.usefixtures("routed")
def test_the_best_network_of_a_search_with_requests_is_saved():
    estimator = network().set_fit_request(lengths=True).set_score_request(lengths=True)
    best = GridSearchCV(estimator, {"epochs": [1, 2]}, cv=2).fit(X, lengths=[4] * 10 + [3] * 10).best_estimator_
    loaded = load(saved(best))
    assert requests_of(loaded) == requests_of(best)
    np.testing.assert_array_equal(loaded.transform(list(X)), best.transform(list(X)))


@pytest.mark.usefixtures("routed")
def test_a_detector_around_a_network_with_requests_is_saved():
    detector = ReconstructionDetector(network(LSTMReconstructor).set_fit_request(lengths=True), cv=2)
    detector.set_predict_request(lengths=True).fit(X)
    loaded = load(saved(detector))
    for each in ("estimator", "estimators_"):
        assert str(getattr(loaded, each)) == str(getattr(detector, each))
    for before, after in [(detector, loaded), *zip(detector.estimators_, loaded.estimators_, strict=True)]:
        assert requests_of(after) == requests_of(before)
    assert requests_of(loaded.estimator) == requests_of(detector.estimator)


@pytest.mark.usefixtures("routed")
def test_requests_that_were_withdrawn_leave_no_trace():
    estimator = network().set_fit_request(lengths=True).set_fit_request(lengths=None)
    assert "_metadata_request" not in describe(estimator)[0]["attributes"]
    assert requests_of(load(saved(estimator))) == requests_of(estimator)


@pytest.mark.parametrize(
    "requests", [3, {"fit": 3}, {"fit": {"epochs": True}}, {"fit": {"lengths": 3}}, {"params": {"epochs": True}}]
)
def test_damaged_requests_are_refused(requests):
    description, arrays = describe(network())
    description["attributes"]["_metadata_request"] = encoded(requests, "", {}, {})
    with pytest.raises(InvalidFileError):
        load(pack(description, arrays))


def test_a_file_of_version_1_loads():
    loaded = load(VERSION_1)
    assert VERSION_1.stat().st_size < 40_000
    assert isinstance(loaded, ReconstructionDetector)
    assert loaded.estimators_[0]._stream.n_updates == 6
    np.testing.assert_allclose(loaded.score_samples(X[:2]), [-0.4634411, -1.37393426], rtol=1e-5)


def test_there_is_an_old_file_of_each_kind():
    names = {file.stem for file in OLD_FILES if file.parent.name == "version_1"}
    assert names == runpy.run_path(FILES / "make.py")["cases"]().keys()


@pytest.mark.parametrize("file", OLD_FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_old_files_load_and_give_the_results_that_they_gave(file):
    estimator, data, method = runpy.run_path(FILES / "make.py")["cases"]()[file.stem]
    loaded = load(file)
    assert type(loaded) is type(estimator)
    assert loaded.get_params().keys() == estimator.get_params().keys()
    results = np.concatenate([np.ravel(one) for one in getattr(loaded, method)(data[0])])
    # Another processor rounds otherwise.
    np.testing.assert_allclose(results, np.load(file.with_suffix(".npy")), rtol=1e-4, atol=1e-4)


def test_parameters_that_are_newer_than_the_file_keep_their_defaults():
    description, arrays = describe(network().fit(X))
    del description["parameters"]["readout_weight"]
    assert load(pack(description, arrays)).readout_weight == 0.1


def test_arrays_are_named_after_the_attributes_and_the_description_holds_no_numbers_of_them():
    autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=2).fit(X)
    description, arrays = describe(autoencoder)
    assert description["class"] == "LSTMAutoencoder"
    assert description["parameters"]["hidden_units"] == {"tuple": []}
    assert description["attributes"]["weights_"]["dict"]["output/bias"] == {"array": "weights_/output/bias"}
    assert arrays["weights_/output/bias"] is autoencoder.weights_["output/bias"]
    assert arrays["history_/loss"].tolist() == autoencoder.history_["loss"]


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (LSTMAutoencoder(activation=len), r"Got activation= of type builtins.builtin_function_or_method"),
        (ReconstructionDetector(PCA()), r"Got estimator=PCA\(\), which such a file can't hold"),
        (LSTMAutoencoder(hidden_units={1: 2}), "Got hidden_units= with keys that are no text"),
        (LSTMAutoencoder(hidden_units=np.array([1j])), "Got hidden_units= as an array of dtype complex128"),
        (LSTMAutoencoder(random_state=np.random.Generator(np.random.MT19937(0))), "Got random_state= with MT19937"),
        (LSTMAutoencoder(random_state=np.random.RandomState(np.random.PCG64(0))), "another generator than MT19937"),
    ],
)
def test_what_the_file_cannot_hold_is_refused_before_anything_is_written(estimator, message):
    file = io.BytesIO()
    with pytest.raises(TypeError, match=message):
        estimator.save(file)
    assert not file.getvalue()


class Subclass(LSTMAutoencoder):
    """An estimator that a reader of the file would not know."""


SameName = type("LSTMAutoencoder", (LSTMAutoencoder,), {})


@pytest.mark.parametrize("kind", [Subclass, SameName])
def test_subclasses_are_refused_rather_than_lost(kind):
    why = r"a subclass of LSTMAutoencoder, which a reader .*Save it by joblib\.dump or skops"
    with pytest.raises(TypeError, match=f"^Got {why}"):
        kind(2, hidden_units=()).save(io.BytesIO())
    with pytest.raises(TypeError, match=f"^Got estimator= as {why}"):
        ReconstructionDetector(kind(2)).save(io.BytesIO())


def test_attributes_that_would_not_be_read_are_refused_rather_than_lost():
    autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(X)
    autoencoder.note = "mine"
    with pytest.raises(TypeError, match=r"^Got the attribute 'note', expected the .* network alone.*Save it by joblib"):
        autoencoder.save(io.BytesIO())


def test_parameters_that_a_file_would_not_give_back_are_refused_before_anything_is_written():
    file = io.BytesIO()
    with pytest.raises(TypeError, match=r"The 'epochs' parameter .*Save it by joblib\.dump or skops"):
        network(epochs=-1).save(file)
    assert not file.getvalue()


def test_arrays_of_an_estimator_within_another_are_named_after_both():
    detector = ReconstructionDetector(network(hidden_units=[1.5, 2.5]))
    description, arrays = describe(detector)
    assert arrays["estimator/hidden_units"].tolist() == [1.5, 2.5]
    assert description["parameters"].keys() == detector.get_params(deep=False).keys()


@pytest.mark.parametrize(
    ("changes", "more", "message"),
    [
        ({"class": "Pipeline"}, {}, "expected one of the classes LSTMAutoencoder, "),
        ({"codec_version": 1}, {}, "^Got the file of a codec, expected that of an estimator"),
        ({"other": 3}, {}, "expected an estimator of class, parameters, attributes"),
        ({"parameters": 3}, {}, "^Got a file whose description is not that of an estimator: AttributeError"),
        ({"parameters": {"epochs": {"array": "a" * 300}}}, {}, r"an estimator: KeyError\('a{190}\.$"),
        ({}, {"b" * 50: np.zeros(2)}, "^Got an array 'b{40}' that belongs to no attribute"),
        ({"attributes": {"_sklearn_output_config": {"dict": {"fit": "pandas"}}}}, {}, "the container of set_output"),
        ({"attributes": {"_sklearn_output_config": {"dict": {"transform": 3}}}}, {}, "the container of set_output"),
    ],
)
def test_a_file_of_no_estimator_is_refused_with_what_was_expected(changes, more, message):
    description, arrays = describe(network())
    with pytest.raises(InvalidFileError, match=message):
        load(pack(description | changes, arrays | more))


def test_weights_in_fortran_order_are_saved_right():
    autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(X)
    expected = autoencoder.transform(X)
    autoencoder.weights_ = {name: np.asfortranarray(weight) for name, weight in autoencoder.weights_.items()}
    file = io.BytesIO()
    autoencoder.save(file)
    np.testing.assert_array_equal(load(file.getvalue()).transform(X), expected)


@pytest.mark.slow
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


@pytest.mark.slow
def test_skops_loads_estimators_by_these_names(tmp_path):
    skops_io = pytest.importorskip("skops.io")
    model = [
        "seqembed.inference.model.Layout",
        "seqembed.inference.model.TrainedModel",
        "seqembed.network.architecture.Network",
        "seqembed.sequences.scaling.Scaling",
    ]
    context = [
        "seqembed.summary.components.Summary",
        "seqembed.summary.context.Context",
        "seqembed.summary.shares.Shares",
    ]
    expected = Bunch(
        autoencoder=["seqembed.estimators.autoencoder.LSTMAutoencoder", *model, *context],
        reconstructor=["seqembed.estimators.reconstructor.LSTMReconstructor", *model],
        detector=[
            "seqembed.estimators.detector.ReconstructionDetector",
            "seqembed.estimators.reconstructor.LSTMReconstructor",
            "seqembed.estimators.component_errors.NormalComponents",
            "seqembed.estimators.distances.NormalDescriptions",
            "seqembed.estimators.missing_patterns.MissingPatterns",
            "seqembed.summary.description.Description",
            "seqembed.summary.shares.Shares",
            *model,
        ],
        stream=[
            "seqembed.estimators.autoencoder.LSTMAutoencoder",
            *model,
            *context,
            "seqembed.training.readout.Readout",
            "seqembed.training.one_pass.StreamState",
        ],
        summary=[
            "seqembed.estimators.summary.SequenceSummary",
            "seqembed.inference.model.Layout",
            "seqembed.inference.model.SummaryModel",
            "seqembed.sequences.scaling.Scaling",
            "seqembed.summary.components.Summary",
            "seqembed.summary.shares.Shares",
        ],
    )
    for case, names in expected.items():
        data = skops_io.dumps(CASES[case]())
        assert sorted(skops_io.get_untrusted_types(data=data)) == sorted(names)
        assert type(skops_io.loads(data, trusted=names)).__name__ == names[0].rpartition(".")[2]


def _write_version_1():
    detector = ReconstructionDetector(network(), cv=2, random_state=0).fit(X, np.arange(20) < 2)
    detector.estimators_[0].partial_fit(X).partial_fit(X).partial_fit(X)
    detector.save(VERSION_1)


if __name__ == "__main__":
    _write_version_1()


def test_an_autoencoder_of_a_file_without_a_context_goes_on_without_one(monkeypatch):
    monkeypatch.setattr(batch_gradient, "is_worth_compiling", lambda *sizes: False)
    before = Path(__file__).parents[1] / "codec" / "files" / "version_1" / "autoencoder.seqembed"
    autoencoder, days = load(before), load_italy_power(split="train").data
    assert (autoencoder.context_size, autoencoder.network_.context_size) == ("auto", 0)
    network = autoencoder.network_
    assert autoencoder.partial_fit(days).network_ == network
    assert autoencoder.set_params(warm_start=True, epochs=1).fit(days).network_ == network
    assert autoencoder.set_params(warm_start=False).fit(days).network_.context_size > 0
