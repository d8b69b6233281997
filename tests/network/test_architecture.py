import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqembed.network.architecture import Network


def test_the_posts_network_has_248578_parameters():
    assert Network(n_features=2).n_parameters == 248_578


@pytest.mark.parametrize(("hidden_units", "widths"), [((), [[3], [3]]), ((7, 5), [[7, 5, 3], [3, 5, 7]])])
def test_the_decoder_mirrors_the_encoder(hidden_units, widths):
    network = Network(n_features=2, n_components=3, hidden_units=hidden_units)
    assert [[layer.units for layer in part] for part in (network.encoder, network.decoder)] == widths


def test_only_the_bottleneck_returns_its_last_step_alone():
    network = Network(n_features=2)
    layers = [*network.encoder, *network.decoder]
    assert [layer.return_sequences for layer in layers] == [True, False, True, True]


@given(n_timesteps=st.integers(1, 50), patch_size=st.integers(1, 9))
def test_patches_are_the_timesteps_in_order(n_timesteps, patch_size):
    network = Network(n_features=2, patch_size=patch_size)
    whole = network.whole_patches(n_timesteps)
    assert n_timesteps <= whole < n_timesteps + patch_size
    X = np.arange(3 * whole * 2).reshape(3, whole, 2)
    steps = network.patches(X)
    for step in range(network.count_steps(n_timesteps)):
        expected = X[:, step * patch_size : (step + 1) * patch_size].reshape(3, -1)
        np.testing.assert_array_equal(steps[:, step], expected)


def test_the_time_features_of_patches_count_patches():
    in_patches = Network(n_features=1, encoded_timesteps=10, patch_size=3)
    np.testing.assert_array_equal(
        in_patches.time_features(4), Network(n_features=1, encoded_timesteps=4).time_features(4)
    )
