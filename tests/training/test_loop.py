import functools
from unittest import mock

import keras
import numpy as np
import pytest
from batches import complete_batch
from networks import keras_weights, unscaled_model

from seqembed.export.keras_model import build_keras_model
from seqembed.network.architecture import Network
from seqembed.network.forward import ForwardPass
from seqembed.network.weights import initial_weights, named_weights
from seqembed.training import batches, loop
from seqembed.training.muon import Muon

NETWORK = Network(n_features=1, n_components=2, hidden_units=(3,))


def ten_sequences():
    return np.random.default_rng(0).normal(size=(10, 4, 1)).astype(np.float32)


@pytest.fixture
def X():
    return ten_sequences()


class SequencesReadBy:
    """Sequences of four timesteps. A function of the rows reads them: a test can make it fail or change values."""

    means = np.zeros(1, np.float32)

    def __init__(self, read, n_samples):
        self._read, self.lengths = read, np.full(n_samples, 4)

    def __len__(self):
        return len(self.lengths)

    def read(self, rows, n_timesteps=None):
        return complete_batch(self._read(rows))

    def squares(self):
        return np.array([[1 / len(self), 1]] * len(self))


def train(read, *, n_samples=10, verbose=False, **changes):
    recipe = {"epochs": 5, "batch_size": 4, "learning_rate": 0.01, "augment": False} | changes
    start, random = initial_weights(NETWORK, np.random.default_rng(0)), np.random.default_rng(0)
    sequences, model = SequencesReadBy(read, n_samples), unscaled_model(NETWORK, start, n_timesteps=4)
    return loop.train(model, sequences, loop.Recipe(**recipe), random, verbose=verbose)


# The rows that are held back, as `train` draws them.
VALIDATION_ROWS = np.sort(np.random.default_rng(0).permutation(10)[:2])


def mean_squared_error(weights, X):
    embedding = ForwardPass(NETWORK, weights).encode(X)
    return np.square(ForwardPass(NETWORK, weights).decode(embedding, X.shape[1]) - X).mean()


def test_training_lowers_the_loss(X):
    weights, history, *_ = train(X.__getitem__, epochs=60)
    start = mean_squared_error(initial_weights(NETWORK, np.random.default_rng(0)), X)
    assert mean_squared_error(weights, X) < 0.9 * start
    assert history["loss"][-1] < history["loss"][0]


@functools.cache
def trained_by_keras(learning_rates):
    """The weights that stock Keras layers and Keras's Muon reach, one update at each rate."""
    X = ten_sequences()
    start = initial_weights(NETWORK, np.random.default_rng(0))
    model = build_keras_model(unscaled_model(NETWORK, start, 4))
    # By its default, Muon would leave the layer called "embedding" to Adam.
    muon = keras.optimizers.Muon(
        exclude_layers=["output"],
        exclude_embeddings=False,
        weight_decay=None,
        adam_weight_decay=None,
        global_clipnorm=1.0,
        ns_steps=3,
    )
    model.compile(muon, "mse")
    for rate in learning_rates:
        model.optimizer.learning_rate = rate
        model.train_on_batch(X, X)
    return keras_weights(NETWORK, model)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(keras.optimizers, "Muon"), reason="this Keras has no Muon")
@pytest.mark.usefixtures("compiled")
def test_training_equals_stock_keras_training_on_the_same_batches(X):
    weights, history, *_ = train(X.__getitem__, epochs=20, batch_size=10)
    start = initial_weights(NETWORK, np.random.default_rng(0))
    trained = trained_by_keras(tuple(history["learning_rate"]))
    for name, weight in weights.items():
        np.testing.assert_allclose(weight, trained[name], atol=1e-3)
    moved = max(np.abs(each - start[name]).max() for name, each in weights.items())
    assert moved > 0.05, "the weights hardly moved: the test shows nothing"


def test_history_has_one_entry_per_epoch(X):
    _, history, *_ = train(X.__getitem__, n_validation=2)
    assert {name: len(values) for name, values in history.items()} == {"loss": 5, "val_loss": 5, "learning_rate": 5}


def test_the_weights_returned_are_those_of_the_lowest_validation_loss(X):
    weights, history, *_ = train(X.__getitem__, n_validation=2, epochs=40, learning_rate=0.3)
    assert np.argmin(history["val_loss"]) < 39, "the last epoch is the best: the test shows nothing"
    assert mean_squared_error(weights, X[VALIDATION_ROWS]) == pytest.approx(min(history["val_loss"]), rel=1e-5)


def test_patience_ends_training_that_no_longer_improves(X):
    _, history, *_ = train(X.__getitem__, n_validation=2, epochs=200, learning_rate=0.1, patience=3)
    assert len(history["loss"]) == np.argmin(history["val_loss"]) + 1 + 3 < 200


def test_the_last_update_is_not_kept_if_it_made_things_worse(X):
    weights, *_ = train(X.__getitem__, epochs=1, batch_size=10, learning_rate=50.0)
    start = initial_weights(NETWORK, np.random.default_rng(0))
    assert mean_squared_error(weights, X) <= mean_squared_error(start, X)


def test_interrupting_keeps_the_best_weights_and_says_so(X):
    reads = []

    def read(rows):
        reads.append(rows)
        if len(reads) == 9:
            raise KeyboardInterrupt
        return X[rows]

    result = train(read)
    assert result.interrupted
    assert len(result.history["loss"]) == 2
    # The present weights, in the middle of the third epoch, are better than those at the end of the first.
    assert result.best_loss < min(result.history["loss"])
    # A batch is read before the update by the batch before it.
    expected = weights_after_updates(X, 7)
    for name, weight in result.weights.items():
        np.testing.assert_array_equal(weight, expected[name])


def weights_after_updates(X, n_updates):
    """Weights after some updates of an uninterrupted training."""
    seen = []

    class Recording(Muon):
        def step(self, *arguments):
            seen.append(super().step(*arguments))
            return seen[-1]

    with mock.patch.object(batches, "Muon", Recording):
        train(X.__getitem__)
    return named_weights(NETWORK.weight_shapes, seen[n_updates - 1])


def test_interrupting_the_first_epoch_is_an_interruption(X):
    def read(rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(read)


def test_after_an_explosion_training_goes_on_from_the_last_good_weights_at_a_lower_rate(X):
    reads = []

    def read(rows):
        reads.append(rows)
        return np.full_like(X[rows], 1e30) if len(reads) == 8 else X[rows]

    result = train(read, epochs=20)
    weights, history = result.weights, result.history
    assert result.n_explosions == 1
    assert result.last_peak == pytest.approx(0.2 * 0.01)
    assert all(np.isfinite(weight).all() for weight in weights.values())
    assert len(history["loss"]) == 20
    assert max(history["learning_rate"][3:]) <= 0.2 * max(history["learning_rate"][:3])


def test_held_back_sequences_that_are_hard_to_reconstruct_are_no_explosion(X):
    held_back = loop._split_rows(10, 5, np.random.default_rng(0))[1]
    X[held_back] *= 1000
    result = train(X.__getitem__, n_validation=5)
    assert result.n_explosions == 0
    assert min(result.history["val_loss"]) > 100 * max(result.history["loss"])


def test_a_loss_that_is_infinite_from_the_start_is_an_error(X):
    with pytest.raises(FloatingPointError, match=r"The loss was inf after 4 restarts.*a lower learning_rate"):
        train(lambda rows: np.full_like(X[rows], 1e30))


def test_verbose_shows_epochs_and_loss_and_nothing_is_shown_without_it(X, capsys):
    train(X.__getitem__, verbose=1)
    shown = capsys.readouterr().out
    assert "Epoch 5 of 5" in shown
    assert "loss: " in shown
    train(X.__getitem__, verbose=0)
    assert capsys.readouterr().out == ""
