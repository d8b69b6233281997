import keras
import numpy as np
import pytest

from seqembed.training.adam import Adam


def rates(n_updates):
    adam = Adam(np.zeros(1, np.float32), learning_rate=0.01, n_updates=n_updates)
    for _ in range(n_updates):
        adam.update(np.ones(1, np.float32))
        yield adam.rate


def test_the_learning_rate_warms_up_and_decays():
    over_time = list(rates(100))
    assert np.argmax(over_time) == 4
    assert over_time[4] == pytest.approx(0.01)
    assert over_time[-1] == pytest.approx(0.0001)
    assert np.all(np.diff(over_time[:5]) > 0)
    assert np.all(np.diff(over_time[4:]) < 0)


def test_a_single_update_has_the_full_rate():
    assert list(rates(1)) == [0.01]


def test_updates_equal_those_of_keras_at_the_same_rates_and_clipping():
    random = np.random.default_rng(0)
    gradients = random.normal(0, 1, (20, 5)).astype(np.float32) * np.geomspace(1e-3, 1e3, 20)[:, None].astype(
        np.float32
    )
    start = random.normal(size=5).astype(np.float32)
    ours = Adam(start, learning_rate=0.1, n_updates=20)
    variable = keras.Variable(start)
    theirs = keras.optimizers.Adam(global_clipnorm=1.0)
    theirs.build([variable])
    for gradient in gradients:
        ours.update(gradient)
        theirs.learning_rate = ours.rate
        theirs.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        np.testing.assert_allclose(ours.parameters, variable.numpy(), rtol=1e-4, atol=1e-6)
