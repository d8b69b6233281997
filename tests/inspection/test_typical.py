import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from seqembed import SequenceSummary
from seqembed.inspection import typical_sequences

LABELS = np.array([7, -1, 2, 7, 4] * 6)


def naive_typical_sequences(estimator, X, labels):
    """A plain loop over clusters and members: label, size, centre, row, and spread of each."""
    Z = [estimator.transform([x])[0].astype(np.float64) for x in X]
    found = []
    for label in sorted(set(labels) - {-1}):
        rows = [row for row in range(len(X)) if labels[row] == label]
        mean = sum(Z[row] for row in rows) / len(rows)
        distances = [np.sqrt(((Z[row] - mean) ** 2).sum()) for row in rows]
        nearest = rows[int(np.argmin(distances))]
        center = estimator.inverse_transform([mean], lengths=[len(X[nearest])])[0]
        spread = np.sqrt(sum(distance**2 for distance in distances) / len(rows))
        found.append((label, len(rows), center, nearest, spread))
    return found


def assert_like_naive(typical, expected, X):
    assert len(typical.labels) == len(expected)
    for number, (label, size, center, row, spread) in enumerate(expected):
        assert typical.labels[number] == label
        assert typical.sizes[number] == size
        assert typical.rows[number] == row
        np.testing.assert_allclose(typical.centers[number], center, rtol=1e-4)
        np.testing.assert_array_equal(typical.nearest[number], X[row])
        np.testing.assert_allclose(typical.spreads[number], spread, rtol=1e-4)


def test_clusters_are_described_as_a_plain_loop_does_it(fitted, waves):
    typical = typical_sequences(fitted, waves, LABELS)
    assert_like_naive(typical, naive_typical_sequences(fitted, waves, LABELS), waves)
    assert typical.labels.tolist() == [2, 4, 7]
    assert typical.centers.shape == typical.nearest.shape == (3, 7, 2)


def test_centres_of_unequal_lengths_have_that_of_the_nearest_member(small, waves):
    X = [wave[: 3 + row % 4] for row, wave in enumerate(waves)]
    X[3][1, 0] = np.nan
    estimator = small().fit(X)
    typical = typical_sequences(estimator, X, LABELS.tolist())
    assert isinstance(typical.centers, list)
    assert_like_naive(typical, naive_typical_sequences(estimator, X, LABELS), X)
    padded = np.zeros((30, 8, 2), np.float32)
    for row, sequence in zip(padded, X, strict=True):
        row[: len(sequence)] = sequence
    again = typical_sequences(estimator, padded, LABELS, lengths=[len(x) for x in X])
    assert_like_naive(again, naive_typical_sequences(estimator, X, LABELS), X)


def test_labels_may_be_names_and_sequences_may_lack_the_axis_of_features(small, waves):
    X = waves[:, :, 1]
    estimator = small().fit(X)
    names = np.array(["walk", "run", "rest"])[np.arange(30) % 3]
    typical = typical_sequences(estimator, X, names)
    assert typical.labels.tolist() == ["rest", "run", "walk"]
    assert typical.centers.shape == typical.nearest.shape == (3, 7)
    np.testing.assert_array_equal(typical.nearest, X[typical.rows])


def test_labels_of_text_and_numbers_are_refused_with_the_line_that_makes_text_of_them(fitted, waves):
    labels = ["walk", 3] * 15
    with pytest.raises(ValueError, match="Got labels= of several kinds") as caught:
        typical_sequences(fitted, waves, labels)
    line = str(caught.value).partition("Pass ")[2].rstrip(".")
    typical = typical_sequences(fitted, waves, eval(line, {"labels": labels}))
    assert typical.labels.tolist() == ["3", "walk"]


def test_batches_are_read_once_and_members_outlive_them(fitted, waves):
    def batches():
        batch = np.empty_like(waves[:10])
        for start in (0, 10, 20):
            batch[:] = waves[start : start + 10]
            yield batch

    expected = typical_sequences(fitted, waves, LABELS)
    typical = typical_sequences(fitted, batches(), LABELS)
    np.testing.assert_array_equal(typical.nearest, expected.nearest)
    np.testing.assert_allclose(typical.centers, expected.centers, rtol=1e-4)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:-1], r"Got labels= of shape \(29,\) for 30 sequences, expected one label for each"),
        (np.zeros((30, 2)), r"Got labels= of shape \(30, 2\) for 30 sequences"),
        (3, r"Got labels= of shape \(\)"),
        (np.full(30, -1), "Got labels= of -1 alone, which is noise"),
        (np.where(LABELS == 4, np.nan, LABELS), "Got labels= with NaN for sequence 4"),
    ],
)
def test_labels_that_are_not_one_for_each_sequence_are_refused(fitted, waves, labels, message):
    with pytest.raises(ValueError, match=message):
        typical_sequences(fitted, waves, labels)


def test_only_a_fitted_autoencoder_decodes(small, waves):
    with pytest.raises(NotFittedError):
        typical_sequences(small(), waves, LABELS)
    with pytest.raises(TypeError, match="type SequenceSummary, expected a fitted LSTMAutoencoder"):
        typical_sequences(SequenceSummary(2).fit(waves), waves, LABELS)
