import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqembed import LSTMAutoencoder
from seqembed.budget import auto_batch_size, auto_epochs, auto_learning_rate


@given(n_samples=st.integers(1, 10**7))
def test_every_set_gets_a_thousand_updates_and_a_larger_one_no_more_passes(n_samples):
    epochs, batch_size = auto_epochs_of(n_samples)
    assert epochs * math.ceil(n_samples / batch_size) >= 1000
    assert auto_epochs_of(2 * n_samples)[0] <= epochs


def auto_epochs_of(n_samples):
    batch_size = auto_batch_size(n_samples)
    return auto_epochs(n_samples, batch_size), batch_size


@given(n_timesteps=st.integers(1, 10**5))
def test_the_learning_rate_falls_as_the_fourth_root_of_the_length(n_timesteps):
    assert auto_learning_rate(16 * n_timesteps) == pytest.approx(auto_learning_rate(n_timesteps) / 2)


@pytest.mark.parametrize(("learning_rate", "expected"), [("auto", auto_learning_rate(6)), (0.002, 0.002)])
def test_a_fit_peaks_at_the_rate_that_was_chosen(learning_rate, expected):
    X = np.random.default_rng(0).normal(size=(20, 6, 1))
    autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=30, learning_rate=learning_rate, random_state=0).fit(X)
    assert max(autoencoder.history_["learning_rate"]) == pytest.approx(expected, rel=0.02)
