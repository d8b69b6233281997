import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqembed.network import shortcut


def weights_of(n_axes=2, n_timesteps=5, n_features=2):
    random = np.random.default_rng(0)
    axes = np.linalg.qr(random.normal(size=(n_timesteps * n_features, n_axes)))[0].T
    axes = axes.reshape(n_axes, n_timesteps, n_features).astype(np.float32)
    deviations = 3 / np.arange(1, n_axes + 1)
    return axes, shortcut.shortcut_weights(axes, deviations, np.float32([1, -2])[:n_features])


@given(state=st.floats(-0.99, 0.99), component=st.floats(-4, 4))
def test_components_join_states_before_they_were_squashed(state, component):
    states, components = np.array([[state, state]]), np.array([[component]])
    embedding = shortcut.joined(states, components, "tanh")
    np.testing.assert_allclose(embedding, [[np.tanh(np.arctanh(state) + component), state]], atol=1e-6)
    step = 1e-6
    more, less = (shortcut.joined(states + each, components, "tanh") for each in (step, -step))
    np.testing.assert_allclose(shortcut.slope(states, components, "tanh"), (more - less) / (2 * step), rtol=1e-3)


def test_the_states_of_relu_are_added_to():
    states, components = np.float32([[0.5, 2.0]]), np.float32([[-3.0]])
    np.testing.assert_array_equal(shortcut.joined(states, components, "relu"), [[-2.5, 2.0]])
    np.testing.assert_array_equal(shortcut.slope(states, components, "relu"), [[1, 1]])


@pytest.mark.parametrize("sign", [-1, 1])
def test_even_saturated_states_give_numbers(sign):
    states, components = np.float32([[1.0, -1.0]]), shortcut.clipped(np.full((1, 2), sign * 1e6, np.float32))
    assert np.isfinite(shortcut.joined(states, components, "tanh")).all()
    assert np.isfinite(shortcut.slope(states, components, "tanh")).all()


def test_components_are_those_of_the_axes_in_the_same_proportions():
    axes, weights = weights_of()
    sequences = np.random.default_rng(1).normal(size=(6, 5, 2)).astype(np.float32)
    components = shortcut.flat_deviations(weights, sequences) @ shortcut.projection(weights)
    expected = (sequences - [1, -2]).reshape(6, -1) @ axes.reshape(2, -1).T
    # The largest deviation, 3, becomes 0.5.
    np.testing.assert_allclose(components, expected / 6, atol=1e-6)
    added = components @ shortcut.flat_loadings(weights)
    np.testing.assert_allclose(added, expected @ axes.reshape(2, -1), atol=1e-5)


@pytest.mark.parametrize("n_timesteps", [3, 8])
def test_timesteps_beyond_the_loadings_take_no_part(n_timesteps):
    _, weights = weights_of()
    sequences = np.random.default_rng(1).normal(size=(6, n_timesteps, 2)).astype(np.float32)
    deviations = shortcut.flat_deviations(weights, sequences).reshape(6, 5, 2)
    shorter = min(n_timesteps, 5)
    np.testing.assert_array_equal(deviations[:, :shorter], sequences[:, :shorter] - np.float32([1, -2]))
    assert not deviations[:, shorter:].any()
    loadings = shortcut.loadings_of(weights, n_timesteps)
    np.testing.assert_array_equal(loadings[:, :shorter], weights["shortcut/loadings"][:, :shorter])
    assert not loadings[:, shorter:].any()


def test_there_are_no_weights_without_axes():
    assert shortcut.shortcut_weights(np.empty((0, 5, 2), np.float32), np.empty(0), np.zeros(2)) == {}
