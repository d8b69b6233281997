import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqembed import LSTMAutoencoder
from seqembed.network.architecture import Network
from seqembed.training.recipe import auto_batch_size, auto_epochs, auto_learning_rate, auto_patch_size


@given(n_samples=st.integers(1, 10**7), patch_size=st.integers(1, 9))
def test_updates_are_a_thousand_or_two_in_patches_and_grow_as_the_root_of_the_batches(n_samples, patch_size):
    batch_size = auto_batch_size(n_samples, patch_size)
    n_batches = math.ceil(n_samples / batch_size)
    epochs = auto_epochs(n_samples, batch_size, patch_size)
    asked = (1000 if patch_size == 1 else 2000) * max(1, math.sqrt(n_batches / 50))
    assert min(asked, 1000 * n_batches) <= epochs * n_batches + 1e-6 * asked
    assert epochs * n_batches < asked + n_batches


def test_a_set_of_one_batch_makes_a_thousand_epochs_in_patches_too():
    assert auto_epochs(40, batch_size=64, patch_size=10) == 1000


@given(n_timesteps=st.integers(1, 10**5))
def test_the_learning_rate_falls_as_the_fourth_root_of_the_length(n_timesteps):
    assert auto_learning_rate(16 * n_timesteps) == pytest.approx(auto_learning_rate(n_timesteps) / 2)


@pytest.mark.parametrize(
    ("learning_rate", "expected"), [("auto", auto_learning_rate(6, has_shortcut=True)), (0.002, 0.002)]
)
def test_a_fit_peaks_at_the_rate_that_was_chosen(learning_rate, expected):
    X = np.random.default_rng(0).normal(size=(20, 6, 1))
    autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=30, learning_rate=learning_rate, random_state=0).fit(X)
    assert max(autoencoder.history_["learning_rate"]) == pytest.approx(expected, rel=0.02)


@given(n_timesteps=st.integers(1, 10**5))
def test_automatic_patches_leave_about_ten_steps_of_long_sequences_and_leave_short_ones_alone(n_timesteps):
    n_steps = Network(n_features=1, patch_size=auto_patch_size(n_timesteps)).count_steps(n_timesteps)
    assert n_steps == n_timesteps if n_timesteps < 40 else 8 <= n_steps <= 13
