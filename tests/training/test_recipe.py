import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqembed import LSTMAutoencoder
from seqembed.training.recipe import auto_batch_size, auto_epochs, auto_learning_rate


@given(n_samples=st.integers(1, 10**7))
def test_updates_are_a_thousand_and_beyond_fifty_batches_an_epoch_grow_as_the_square_root(n_samples):
    batch_size = auto_batch_size(n_samples)
    n_batches = math.ceil(n_samples / batch_size)
    n_updates = auto_epochs(n_samples, batch_size) * n_batches
    asked = 1000 * max(1, math.sqrt(n_batches / 50))
    assert asked <= n_updates + 1e-6 * asked
    assert n_updates < asked + n_batches


@given(n_timesteps=st.integers(1, 10**5))
def test_the_learning_rate_falls_as_the_fourth_root_of_the_length(n_timesteps):
    assert auto_learning_rate(16 * n_timesteps) == pytest.approx(auto_learning_rate(n_timesteps) / 2)


@pytest.mark.parametrize(("learning_rate", "expected"), [("auto", auto_learning_rate(6)), (0.002, 0.002)])
def test_a_fit_peaks_at_the_rate_that_was_chosen(learning_rate, expected):
    X = np.random.default_rng(0).normal(size=(20, 6, 1))
    autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=30, learning_rate=learning_rate, random_state=0).fit(X)
    assert max(autoencoder.history_["learning_rate"]) == pytest.approx(expected, rel=0.02)
