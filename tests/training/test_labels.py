from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from communicators import run_workers
from networks import keras_loss_and_gradient

from seqembed import LSTMAutoencoder
from seqembed.inference.model import Layout, TrainedModel
from seqembed.network.architecture import Network
from seqembed.network.weights import flat_parameters, initial_weights
from seqembed.sequences.collection import check_sequences
from seqembed.sequences.scaling import Batch, ScaledSequences, learn_scaling
from seqembed.training.augmentation import Varied, unmixed
from seqembed.training.batches import TrainingBatches
from seqembed.training.labels import Labels, classes_hint, joint_labels, learn_label_code, read_labels
from seqembed.training.readout import Targets
from seqembed.training.recipe import Recipe
from seqembed.training.workers import find_workers


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, -1, 2],
        [0.0, 1.0, np.nan, 2.0],
        ["a", "b", None, "c"],
        np.ma.masked_equal([0, 1, 9, 2], 9),
        np.array([0, 1, None, 2], object),
        ["walk", "run", -1, "sit"],
        ["walk", "run", float("nan"), "sit"],
        pd.Series(["walk", "run", None, "sit"], dtype="string"),
    ],
)
def test_a_sequence_of_unknown_class_is_marked_as_scikit_learn_marks_it_or_is_missing(y):
    labels = read_labels(y, 4)
    assert labels.known.tolist() == [True, True, False, True]
    assert len(labels.classes) == 3


def test_minus_one_is_a_number_like_others_where_numbers_are_predicted():
    labels = read_labels([0.5, -1, np.nan], 3)
    assert labels.classes is None
    assert labels.known.tolist() == [True, True, False]


def test_truth_values_are_two_classes():
    assert read_labels([True, False, None], 3).classes == (False, True)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "no y=, expected a label for each sequence"),
        ([1, 2], r"shape \(2,\) for 3 sequences"),
        ([[1], [2], [3]], r"shape \(3, 1\) for 3 sequences"),
        (np.array([1, "a", 2.5], object), "several types"),
        ([b"a", b"b", b"a"], "expected text, truth values, integers of 64 bits or finite numbers"),
        ([10**30, 1, 2], "integers of 64 bits"),
        ([0.5, np.inf, 1.0], "with inf, expected"),
        (np.array(["2026-01-01"] * 3, "M8[D]"), "Pass y.astype"),
    ],
)
def test_labels_that_are_none_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        read_labels(y, 3)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([-1, -1, -1], "no known label"),
        ([1, 1, -1], "all equal"),
        ([0.5, 0.5, np.nan], "all equal"),
        ([0.1, 0.1, 0.1], "all equal"),
    ],
)
def test_labels_that_tell_nothing_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        learn_label_code(read_labels(y, 3))


@pytest.mark.parametrize("y", [[0, 1, 1, -1, 2, 0, 0], [0.5, 2, -3, np.nan, 1, 7, 7], [*"abbcab", None]])
def test_the_squared_error_of_the_means_is_one(y):
    given = read_labels(y, 7)
    labels = learn_label_code(given).encode(given, 7)
    known = labels.known[:, 0] == 1
    np.testing.assert_array_equal(known, given.known)
    assert np.square(labels.values[known]).sum(axis=1).mean() == pytest.approx(1, rel=1e-5)
    assert not labels.values[~known].any()


def test_a_class_that_the_first_batch_of_a_stream_lacks_is_refused():
    code = learn_label_code(read_labels([0, 1], 2))
    with pytest.raises(ValueError, match="label 2, expected one of those that the first call had: 0, 1"):
        code.encode(read_labels([2], 1), 1)


def test_numbers_stay_numbers_where_a_later_batch_has_whole_ones():
    code = learn_label_code(read_labels([0.5, 1.5], 2))
    later = code.encode(read_labels([1, -1], 2, as_numbers=True), 2)
    np.testing.assert_allclose(later.values[:, 0], [0, -4])


def test_a_far_number_of_a_later_batch_does_not_decide_all():
    code = learn_label_code(read_labels([0.5, 1.5], 2))
    assert np.abs(code.encode(read_labels([1e6, -1e6], 2, as_numbers=True), 2).values).max() == 10


@pytest.mark.parametrize(
    ("parts", "classes"),
    [
        (([0, 1, -1], [1, np.nan, 2.0]), (0, 1, 2)),
        ((["a", None], [None, None]), ("a",)),
        (([-1, -1], [True, False]), (False, True)),
        (([0.5, 1.0], [1.0, np.nan]), None),
    ],
)
def test_workers_may_have_labels_of_some_classes_or_none(parts, classes):
    given = run_workers(
        lambda rank, workers: joint_labels(read_labels(parts[rank], len(parts[rank])), find_workers(workers)), 2
    )
    assert given[0].classes == given[1].classes == classes


def test_classes_of_several_types_over_all_workers_are_refused():
    def join(rank, workers):
        with pytest.raises(ValueError, match="several types over all workers"):
            joint_labels(read_labels([["a", "b"], [0, 1]][rank], 2), find_workers(workers))

    run_workers(join, 2)


def test_a_mixture_has_the_labels_of_both_sequences_by_their_shares():
    labels = Labels(np.float32([[1], [3], [0]]), np.float32([[1], [1], [0]]))
    batch = Batch(np.zeros((3, 2, 1), np.float32), np.ones((3, 2, 1), bool), np.full(3, 2))
    varied = Varied(batch, np.array([1, 2, 0]), np.float32([0.75, 0.25, 0.5]))
    values, known = labels.of_batch(np.arange(3), varied)
    # The label of the third sequence is unknown: what is known of a mixture is that of the other.
    np.testing.assert_allclose(values, [[0.75 * 1 + 0.25 * 3], [3], [1]])
    np.testing.assert_allclose(known, [[1], [0.25], [0.5]])
    same = labels.of_batch(np.array([1, 0, 2]), unmixed(batch))
    np.testing.assert_array_equal(same.values, labels.values[[1, 0, 2]])


class _Gradients:
    """Keeps the gradients of updates that change nothing."""

    def __init__(self):
        self.seen = []

    def step(self, parameters, moments, gradient, *_):
        self.seen.append(gradient)
        return parameters


def gradient_of_an_epoch(X, **options):
    """The gradient of one batch of all sequences, its losses, and the parameters: of the network, then the readout."""
    network = Network(n_features=X.shape[2], n_components=3, hidden_units=(4,))
    checked = check_sequences(X)
    sequences = ScaledSequences(checked, learn_scaling(checked, None))
    model = TrainedModel(network, {}, sequences.scaling, Layout.from_sequences(checked))
    recipe = Recipe(1, len(X), 0.01, augment=False, label_weight=0.5)
    random = np.random.default_rng(0)
    with ThreadPoolExecutor(1) as pool:
        batches = TrainingBatches(model, sequences, np.arange(len(X)), recipe, random, pool, **options)
        weights = initial_weights(network, random)
        readout = {
            name: random.normal(size=shape).astype(np.float32)
            for name, shape in batches.shapes.items()
            if name not in weights
        }
        parameters = flat_parameters(batches.shapes, weights | readout)
        batches._muon = _Gradients()
        state = type("State", (), {"parameters": parameters, "moments": None, "n_updates": 0})()
        losses = batches.train_one_epoch(state, lambda update: 0.01, random)
    return batches._muon.seen[0], losses, network, parameters


@pytest.mark.parametrize("y", [[0, 1, 1, -1, 2, 0, -1], [0.5, 2, -3, np.nan, 1, 7, np.nan]], ids=["classes", "numbers"])
def test_loss_and_gradient_are_those_of_a_loss_written_out_for_keras(y):
    X = np.random.default_rng(1).normal(size=(7, 6, 2)).astype(np.float32)
    given = read_labels(y, 7)
    labels = learn_label_code(given).encode(given, 7)
    gradient, losses, network, parameters = gradient_of_an_epoch(X, labels=labels)
    y, known = np.array(y, float), np.array([0, 1, 2, 4, 5])
    if given.classes is None:
        outputs = ((y - y[known].mean()) / y[known].std())[:, np.newaxis]
    else:
        indicators = np.stack([y == 0, y == 1, y == 2], axis=1)
        shares = indicators[known].mean(axis=0)
        outputs = (indicators - shares) / np.sqrt(1 - np.square(shares).sum())
    outputs[[3, 6]] = 0
    weight = np.zeros(outputs.shape, np.float32)
    # The mean over labelled sequences, times the weight and the variance of the sequences.
    weight[known] = 0.5 * np.square(X - X.mean(axis=(0, 1))).mean() / len(known)
    shapes = {"readout/kernel": (3, outputs.shape[1]), "readout/bias": (outputs.shape[1],)}
    readout = shapes, parameters[network.n_parameters :], Targets(outputs.astype(np.float32), weight)
    value_weight = np.full((6, 7, 2), 1 / X.size, np.float32)
    steps = np.ascontiguousarray(X.transpose(1, 0, 2))
    expected = keras_loss_and_gradient(network, parameters[: network.n_parameters], steps, value_weight, readout)
    assert (losses.mean, losses.readout) == pytest.approx(expected[:2], rel=1e-4)
    # The order of a batch is random, so that sums round in another way.
    assert np.linalg.norm(gradient - expected[2]) < 1e-4 * np.linalg.norm(expected[2])


def test_a_sequence_of_weight_two_counts_as_two_in_the_loss_of_labels_too():
    X = np.random.default_rng(1).normal(size=(4, 6, 2))
    # However they are repeated, the sequences have the same mean and variance: the weight of the labels follows it.
    X = ((X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)).astype(np.float32)
    y, repeated = [0, 1, 1, -1], [0, 0, 1, 2, 3, 3, 3]
    given = read_labels(y, 4)
    labels = learn_label_code(given).encode(given, 4)
    weights = np.float32([2, 1, 1, 3])
    of_weights, losses, *_ = gradient_of_an_epoch(X, labels=labels, sample_weight=weights)
    of_repeats, same, *_ = gradient_of_an_epoch(X[repeated], labels=Labels(*(each[repeated] for each in labels)))
    assert losses.mean == pytest.approx(same.mean, rel=1e-5)
    assert losses.readout == pytest.approx(same.readout, rel=1e-5)
    assert np.linalg.norm(of_weights - of_repeats) < 1e-4 * np.linalg.norm(of_repeats)


@pytest.mark.parametrize("dtype", [int, float])
def test_whole_numbers_that_are_hardly_classes_get_a_warning(dtype):
    ages = np.random.default_rng(0).integers(18, 90, 40).astype(dtype)
    X = np.random.default_rng(1).normal(size=(40, 3, 1))
    network = LSTMAutoencoder(2, hidden_units=(), epochs=1, label_weight=0.1)
    with pytest.warns(UserWarning, match=r"different whole numbers for 40 labels: they are read as classes.*y / 1000"):
        network.fit(X, ages)


def test_what_the_warning_of_whole_numbers_says_gets_none():
    y = np.arange(40)
    assert read_labels(y / 1000, 40).classes is None
    for right in (y / 1000, np.where(pd.isna(y), None, y.astype(str)), y // 2):
        assert classes_hint(read_labels(right, 40)) is None
    assert classes_hint(read_labels(np.arange(10), 10)) is None


def test_labels_make_classes_easier_to_tell_apart():
    random = np.random.default_rng(0)
    X = random.normal(size=(60, 12, 3))
    # The class is a small part of what varies.
    y = random.integers(0, 2, 60)
    X[:, :, 2] += 0.5 * y[:, np.newaxis]
    separations = []
    options = {"hidden_units": (), "epochs": 60, "batch_size": 1000, "context_size": 0, "learning_rate": 0.1}
    for label_weight in (0, 2):
        Z = LSTMAutoencoder(4, label_weight=label_weight, random_state=0, **options).fit(X, y).transform(X)
        means = [Z[y == label].mean(axis=0) for label in (0, 1)]
        within = np.mean([Z[y == label].var(axis=0).sum() for label in (0, 1)])
        separations.append(np.square(means[0] - means[1]).sum() / within)
    assert separations[1] > 2 * separations[0]
