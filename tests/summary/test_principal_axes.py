import numpy as np
import pytest

from seqembed.sequences.collection import check_sequences
from seqembed.sequences.scaling import ScaledSequences, learn_scaling
from seqembed.summary import principal_axes
from seqembed.summary.principal_axes import learn_principal_axes


def scaled(X, scale="standard"):
    sequences = check_sequences(X)
    return ScaledSequences(sequences, learn_scaling(sequences, scale))


def walks(n_samples=60, n_timesteps=20, n_features=2):
    return np.random.default_rng(0).normal(size=(n_samples, n_timesteps, n_features)).cumsum(axis=1)


def test_axes_are_singular_vectors_of_deviations_from_the_means():
    sequences = scaled(walks() + 100, scale=None)
    axes, deviations = learn_principal_axes(sequences, 4, 20)
    batch = sequences.read(slice(0, 60))
    _, sizes, directions = np.linalg.svd((batch.values - sequences.means).reshape(60, -1), full_matrices=False)
    np.testing.assert_allclose(deviations, sizes[:4] / np.sqrt(60), rtol=1e-3)
    assert np.abs(np.abs(np.sum(axes.reshape(4, -1) * directions[:4], axis=1)) - 1).max() < 1e-2
    np.testing.assert_allclose(axes.reshape(4, -1) @ axes.reshape(4, -1).T, np.eye(4), atol=1e-5)


@pytest.mark.parametrize(("n_samples", "most"), [(1, 0), (2, 0), (3, 1), (5, 3)])
def test_there_are_fewer_axes_than_sequences_that_judge_them(n_samples, most):
    assert len(learn_principal_axes(scaled(walks(n_samples)), 8, 20)[0]) <= most


def test_there_are_as_many_axes_as_help_with_unseen_sequences():
    random, time = np.random.default_rng(0), np.arange(50) / 8
    waves = np.stack([np.sin(frequency * time) for frequency in (1, 2, 3)])
    signal = random.normal(size=(200, 3)) @ waves
    X = signal + 0.01 * random.normal(size=(200, 50))
    assert len(learn_principal_axes(scaled(X[..., np.newaxis]), 8, 50)[0]) == 3


def test_there_are_no_more_axes_than_values_and_none_that_are_rounding():
    X = walks(n_timesteps=3, n_features=1)
    assert len(learn_principal_axes(scaled(X), 8, 3)[0]) == 3
    X[:, 2] = X[:, 1]
    assert len(learn_principal_axes(scaled(X), 8, 3)[0]) == 2
    assert len(learn_principal_axes(scaled(np.ones((9, 3, 1))), 8, 3)[0]) == 0


def test_missing_values_and_padding_count_as_the_means():
    X = walks()
    X[0, 3] = np.nan
    sequences = scaled([*X, X[1, :7]])
    filled = np.where(np.isnan(X), sequences.scaling.means, X)
    short = np.broadcast_to(sequences.scaling.means, (1, 20, 2)).copy()
    short[0, :7] = X[1, :7]
    whole = ScaledSequences(check_sequences(np.concatenate([filled, short])), sequences.scaling)
    for each, expected in zip(learn_principal_axes(sequences, 3, 20), learn_principal_axes(whole, 3, 20), strict=True):
        np.testing.assert_allclose(each, expected, atol=1e-5)


def test_a_sample_of_many_sequences_gives_nearly_the_same_axes_and_draws_from_nobody(monkeypatch):
    sequences = scaled(walks(600, n_features=1))
    all_axes, _ = learn_principal_axes(sequences, 2, 20)
    monkeypatch.setattr(principal_axes, "_MOST_SEQUENCES", 300)
    state = np.random.mtrand._rand.get_state(legacy=False)
    axes, _ = learn_principal_axes(sequences, 2, 20)
    np.testing.assert_equal(np.random.mtrand._rand.get_state(legacy=False), state)
    assert (np.abs(np.sum(axes * all_axes, axis=(1, 2))) > 0.97).all()
