import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from seqembed.sequences.collection import check_sequences
from seqembed.sequences.scaling import ScaledSequences, learn_scaling
from seqembed.summary import label_directions
from seqembed.summary.components import learn_summary
from seqembed.summary.context import learn_context
from seqembed.summary.description import learn_description
from seqembed.summary.label_directions import learn_label_directions

CLIP = 6


@pytest.fixture(scope="session")
def described():
    """Sequences in three classes of different frequency, with the standardised numbers that describe them."""
    random = np.random.default_rng(0)
    classes = np.arange(60) % 3
    phases = random.uniform(0, 6, (60, 1, 1))
    time = np.arange(30).reshape(1, 30, 1) * (1 + 0.4 * classes.reshape(-1, 1, 1))
    checked = check_sequences(np.sin(time + phases) + random.normal(0, 0.3, (60, 30, 2)))
    sequences = ScaledSequences(checked, learn_scaling(checked, "standard"))
    description, _, _ = learn_description(sequences, 30)
    return sequences, description, description.compute(sequences.read(slice(0, 60)), CLIP), classes


def indicators(classes, known):
    targets = np.eye(3)[classes] - 1 / 3
    targets[~known] = np.nan
    return targets


@pytest.mark.usefixtures("small_chunks")
def test_predictions_are_those_of_a_ridge_regression_turned_and_scaled(described):
    sequences, description, numbers, classes = described
    known = np.arange(60) < 24
    targets = indicators(classes, known)
    axes, offset = learn_label_directions(description, sequences, targets, most=3, largest=CLIP)
    expected = RidgeCV(label_directions._ALPHAS).fit(numbers[known], targets[known])
    predictions = numbers.astype(float) @ axes - offset
    own = expected.predict(numbers.astype(float))
    own -= own[known].mean(axis=0)
    # The same plane: each follows linearly from the other.
    turned = predictions @ np.linalg.lstsq(predictions[known], own[known], rcond=None)[0]
    np.testing.assert_allclose(turned, own, atol=1e-6)
    # Of three classes, two directions are enough: the indicators sum to 1.
    assert axes.shape[1] == 2
    covariance = np.cov(predictions[known].T, bias=True)
    assert np.trace(covariance) / 2 == pytest.approx(1)
    assert covariance[0, 1] == pytest.approx(0, abs=1e-9)


def test_there_are_at_most_as_many_directions_as_asked_for(described):
    sequences, description, _, classes = described
    targets = indicators(classes, np.ones(60, bool))
    two, _ = learn_label_directions(description, sequences, targets, most=2, largest=CLIP)
    one, _ = learn_label_directions(description, sequences, targets, most=1, largest=CLIP)
    assert (two.shape[1], one.shape[1]) == (2, 1)
    cosine = two[:, 0] @ one[:, 0] / np.linalg.norm(two[:, 0]) / np.linalg.norm(one[:, 0])
    assert cosine == pytest.approx(1)


def test_a_number_has_one_direction(described):
    sequences, description, numbers, classes = described
    targets = (classes + np.random.default_rng(1).normal(0, 0.1, 60))[:, np.newaxis]
    axes, offset = learn_label_directions(description, sequences, targets, most=4, largest=CLIP)
    predictions = numbers.astype(float) @ axes[:, 0] - offset
    assert abs(np.corrcoef(predictions, targets[:, 0])[0, 1]) > 0.9


@pytest.mark.parametrize("n_labels", [12, 60])
def test_labels_that_sequences_do_not_tell_have_no_direction(described, n_labels):
    sequences, description, _, _ = described
    by_chance = np.random.default_rng(3).integers(0, 3, 60)
    targets = indicators(by_chance, np.arange(60) < n_labels)
    axes, offset = learn_label_directions(description, sequences, targets, most=4, largest=CLIP)
    assert (axes.shape[1], offset.shape) == (0, (0,))
    plain, labelled = learn_summary(sequences, 8, 30), learn_summary(sequences, 8, 30, targets)
    np.testing.assert_array_equal(labelled.axes, plain.axes)


def test_one_label_of_each_class_has_no_direction(described):
    sequences, description, _, classes = described
    targets = indicators(classes, np.arange(60) < 3)
    assert learn_label_directions(description, sequences, targets, most=4, largest=CLIP)[0].shape[1] == 0


def test_a_summary_begins_with_the_predictions_and_has_principal_components_for_the_rest(described):
    sequences, _, _, classes = described
    targets = indicators(classes, np.arange(60) < 24)
    plain, labelled = learn_summary(sequences, 8, 30), learn_summary(sequences, 8, 30, targets)
    batch = sequences.read(slice(0, 60))
    components, others = labelled.compute(batch), plain.compute(batch)
    assert components.shape == others.shape == (60, 8)
    np.testing.assert_allclose(components[:, 2:], others[:, :6], atol=1e-5)
    # They weigh as much as the first principal component.
    variances = components[:24, :2].var(axis=0)
    assert variances.mean() == pytest.approx(others[:, 0].var(), rel=1e-3)


def test_the_predictions_of_a_summary_have_the_mean_zero_over_the_labelled_sequences(described):
    sequences, _, _, classes = described
    known = np.arange(60) < 25
    summary = learn_summary(sequences, 8, 30, indicators(classes, known))
    predictions = summary.compute(sequences.read(np.flatnonzero(known)))[:, :2]
    np.testing.assert_allclose(predictions.mean(axis=0), 0, atol=1e-5)


def test_predictions_fill_at_most_half_of_a_context(described):
    sequences, _, _, classes = described
    targets = indicators(classes, np.ones(60, bool))
    context = learn_context(sequences, 2, 30, targets)
    plain = learn_context(sequences, 2, 30)
    batch = sequences.read(slice(0, 60))
    first, second = context.compute(batch).T
    assert abs(np.corrcoef(second, plain.compute(batch)[:, 0])[0, 1]) > 0.999
    assert abs(np.corrcoef(first, plain.compute(batch)[:, 0])[0, 1]) < 0.999
    assert learn_context(sequences, 1, 30, targets).size == 1
