import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from seqembed import LSTMAutoencoder, LSTMReconstructor


def walks(n_samples=24, n_timesteps=12, n_features=2):
    return np.random.default_rng(0).normal(size=(n_samples, n_timesteps, n_features)).cumsum(axis=1)


def with_constant_feature(X):
    X[..., 1] = 7
    return X


def with_heavy_tails(X):
    return X + np.random.default_rng(1).standard_cauchy(X.shape) ** 3


HARD = {
    "tiny units": walks() * 1e-6,
    "huge units": walks() * 1e6,
    "units of both kinds": walks() * [1e-6, 1e6],
    "far from zero": walks() + 1e6,
    "a constant feature": with_constant_feature(walks()),
    "one sequence": walks(1),
    "two sequences": walks(2),
    "one timestep": walks(n_timesteps=1),
    "one value": walks(1, 1, 1),
    "all equal": np.repeat(walks(1), 20, axis=0),
    "all the same value": np.full((10, 5, 2), 3.0),
    "heavy tails": with_heavy_tails(walks()),
    "half missing": np.where(np.random.default_rng(1).random((24, 12, 2)) < 0.5, np.nan, walks()),
}


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [LSTMAutoencoder, LSTMReconstructor])
@pytest.mark.parametrize("augment", [True, False])
@pytest.mark.parametrize("name", HARD)
def test_training_on_hard_inputs_ends_in_finite_weights_and_a_sensible_loss(name, augment, estimator):
    X = HARD[name]
    fitted = estimator(4, hidden_units=(6,), epochs=20, augment=augment, random_state=0).fit(X)
    assert all(np.isfinite(weight).all() for weight in fitted.weights_.values())
    assert np.isfinite(fitted.reconstruct(X)).all()
    # The training means alone would get 0.
    assert -0.05 < fitted.score(X) <= 1


def two_thousand_timesteps():
    return np.sin(np.arange(2000) / 50 + np.arange(8).reshape(8, 1))


@pytest.mark.slow
def test_two_thousand_timesteps_are_learned_from_timestep_by_timestep():
    X = two_thousand_timesteps()
    # Losses of sequences that are varied anew in each epoch can't be compared: eight are as hard as chance has it.
    fitted = LSTMAutoencoder(4, hidden_units=(6,), patch_size=1, augment=False, epochs=15, random_state=0).fit(X)
    assert fitted.history_["loss"][-1] < 0.8 * fitted.history_["loss"][0]
    assert np.isfinite(fitted.transform(X)).all()


@pytest.mark.slow
def test_two_thousand_timesteps_are_reconstructed_in_patches():
    X = two_thousand_timesteps()
    fitted = LSTMAutoencoder(16, hidden_units=(32,), augment=False, epochs=300, random_state=0).fit(X)
    assert fitted.score(X) > 0.3
    assert np.isfinite(fitted.transform(X)).all()


def test_relu_over_two_hundred_timesteps_comes_back_from_explosions():
    X = walks(16, 200)
    settings = {"hidden_units": (16,), "activation": "relu", "epochs": 30, "random_state": 0}
    with pytest.warns(ConvergenceWarning, match="The loss exploded"):
        fitted = LSTMAutoencoder(8, learning_rate=3.0, **settings).fit(X)
    assert all(np.isfinite(weight).all() for weight in fitted.weights_.values())
    assert fitted.score(X) > 0.5


@pytest.mark.slow
def test_series_whose_sizes_differ_by_orders_of_magnitude_are_no_explosion():
    for seed in range(10):
        random = np.random.default_rng(seed)
        sizes, phases = random.lognormal(0, 2.5, (700, 1)), random.uniform(0, 6, (700, 1))
        X = sizes * np.maximum(0, np.sin(np.arange(84) / 9 + phases))
        autoencoder = LSTMAutoencoder(2, hidden_units=(4,), epochs=3, random_state=seed)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="The loss exploded")
            with pytest.warns(UserWarning, match="A tenth of the sequences has nine tenths of the variance"):
                autoencoder.fit(X)
