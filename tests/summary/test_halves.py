import numpy as np
import pytest

from seqembed.sequences.collection import check_sequences
from seqembed.sequences.scaling import ScaledSequences, learn_scaling
from seqembed.summary.components import learn_summary
from seqembed.summary.description import learn_description
from seqembed.summary.halves import differences_of_halves, steady_directions


def scaled(X):
    sequences = check_sequences(X)
    return ScaledSequences(sequences, learn_scaling(sequences, "standard"))


def walks(lengths, n_features=2):
    random = np.random.default_rng(0)
    return [random.normal(size=(length, n_features)).cumsum(axis=0) for length in lengths]


@pytest.mark.usefixtures("small_chunks")
def test_halves_are_described_as_sequences_of_their_own():
    X = walks(np.random.default_rng(1).integers(1, 40, 30))
    X[3][1:4, 0] = np.nan
    sequences = scaled(X)
    description, _, _ = learn_description(sequences, 40)
    rows = np.array([0, 3, 4, 11, 29])
    halves = [[each[: -(-len(each) // 2)] for each in X], [each[len(each) // 2 :] for each in X]]
    described = [
        description.compute(ScaledSequences(check_sequences(each), sequences.scaling).read(rows), 6) for each in halves
    ]
    differences = differences_of_halves(description, sequences, rows, 6)
    assert differences.dtype == np.float32
    np.testing.assert_allclose(differences, described[0] - described[1], atol=1e-4)


def test_the_halves_of_one_timestep_do_not_differ():
    sequences = scaled(walks([1, 1, 1, 1]))
    description, rows, _ = learn_description(sequences, 1)
    assert not differences_of_halves(description, sequences, rows, 6).any()


def test_directions_are_shortened_by_how_much_halves_differ_in_them():
    differences = np.random.default_rng(0).normal(size=(1000, 3)) @ np.array([[3, 0, 0], [1, 2, 0], [0, 0, 0.1]])
    matrix = steady_directions(differences)
    covariance = differences.T @ differences
    wanted = covariance / np.trace(covariance) * 3 + np.eye(3)
    np.testing.assert_allclose(matrix @ wanted @ matrix, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)


def test_no_direction_is_shortened_if_no_halves_differ():
    np.testing.assert_array_equal(steady_directions(np.zeros((5, 3))), np.eye(3))


def test_what_changes_within_sequences_does_not_decide_their_first_component():
    random = np.random.default_rng(0)
    frequency = random.uniform(0.8, 1.2, (200, 1, 1))
    loudness = np.exp(random.normal(size=(200, 2, 1))).repeat(32, axis=1)
    X = loudness * np.sin(frequency * np.arange(64)[:, np.newaxis] + random.uniform(0, 6, (200, 1, 1)))
    sequences = scaled(X)
    component = learn_summary(sequences, 1, 64).compute(sequences.read(slice(0, 200)))[:, 0]
    of_frequency, of_loudness = (
        abs(np.corrcoef(component, each)[0, 1]) for each in (frequency.ravel(), np.log(loudness.mean(axis=(1, 2))))
    )
    assert of_frequency > of_loudness
