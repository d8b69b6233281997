import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from seqembed import LSTMReconstructor
from seqembed.inspection import traverse


def test_only_one_component_of_the_sequence_nearest_to_the_mean_moves(fitted, waves):
    Z = fitted.transform(waves)
    for component in range(3):
        along = traverse(fitted, waves, component, steps=4)
        distances = [np.linalg.norm(z - Z.mean(axis=0)) for z in Z]
        assert along.row == np.argmin(distances)
        low, high = np.percentile(Z[:, component], [5, 95])
        np.testing.assert_allclose(
            along.values, [low, low + (high - low) / 3, high - (high - low) / 3, high], rtol=1e-5
        )
        for value, sequence in zip(along.values, along.sequences, strict=True):
            moved = Z[along.row].copy()
            moved[component] = value
            np.testing.assert_allclose(sequence, fitted.inverse_transform([moved])[0], rtol=1e-5)


def test_sequences_are_decoded_at_the_length_of_the_one_that_is_taken(small, waves):
    X = [wave[: 3 + row % 5] for row, wave in enumerate(waves)]
    estimator = small().fit(X)
    along = traverse(estimator, X, 0)
    assert isinstance(along.sequences, list)
    assert {sequence.shape for sequence in along.sequences} == {(len(X[along.row]), 2)}
    padded = np.zeros((30, 8, 2))
    for row, sequence in zip(padded, X, strict=True):
        row[: len(sequence)] = sequence
    again = traverse(estimator, padded, 0, lengths=[len(x) for x in X])
    np.testing.assert_allclose(again.values, along.values, rtol=1e-5)


def test_a_list_of_other_lengths_than_that_of_the_fit_gives_a_list(fitted, waves):
    along = traverse(fitted, [wave[:5] for wave in waves], 0, steps=2)
    assert [sequence.shape for sequence in along.sequences] == [(5, 2)] * 2


def test_one_sequence_has_nowhere_to_move(fitted, waves):
    along = traverse(fitted, waves[:1], 2, steps=2)
    assert along.values[0] == along.values[1] == fitted.transform(waves[:1])[0, 2]


def test_batches_frames_and_sequences_without_an_axis_of_features_are_taken(small, waves):
    frame = pd.DataFrame(waves[:, :, 0], columns=[f"hour {t}" for t in range(7)])
    estimator = small().fit(frame).set_output(transform="pandas")
    along = traverse(estimator, frame, np.int64(1), steps=3)
    assert along.sequences.shape == (3, 7)
    plain = small().fit(waves)
    expected = traverse(plain, waves, 1)
    again = traverse(plain, iter([waves[:20], waves[20:]]), 1)
    np.testing.assert_allclose(again.sequences, expected.sequences, rtol=1e-5)


@pytest.mark.parametrize("component", [-1, 3, 1.0, "0", None])
def test_a_component_that_the_embedding_does_not_have_is_refused(fitted, waves, component):
    with pytest.raises(ValueError, match=r"Got component=.*, expected an integer from 0 to 2"):
        traverse(fitted, waves, component)


@pytest.mark.parametrize("steps", [1, 0, 2.5, "7"])
def test_fewer_than_two_steps_are_refused(fitted, waves, steps):
    with pytest.raises(ValueError, match=r"Got steps=.*, expected an integer of at least 2"):
        traverse(fitted, waves, 0, steps)


def test_only_a_fitted_autoencoder_decodes(small, waves):
    with pytest.raises(NotFittedError):
        traverse(small(), waves, 0)
    with pytest.raises(TypeError, match="type LSTMReconstructor, expected a fitted LSTMAutoencoder"):
        traverse(LSTMReconstructor(2, hidden_units=(), epochs=1).fit(waves), waves, 0)
