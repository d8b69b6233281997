import keras
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from seqembed.export.keras_model import build_keras_model
from seqembed.network import forward
from seqembed.network.architecture import Network
from seqembed.network.weights import initial_weights
from seqembed.sequences.scaling import Batch
from seqembed.training import loop

NETWORK = Network(n_features=1, n_components=2, hidden_units=(3,))


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(10, 4, 1)).astype(np.float32)


def train(read, *, n_samples=10, validation_rows=(), **changes):
    settings = {
        "epochs": 5,
        "batch_size": 4,
        "learning_rate": 0.01,
        "augment": False,
        "patience": None,
        "n_jobs": None,
        "verbose": 0,
    } | changes
    return loop.train(
        NETWORK,
        initial_weights(NETWORK, np.random.default_rng(0)),
        lambda rows, n_timesteps: Batch(read(rows), None, np.full(len(rows), 4)),
        np.full(n_samples, 4),
        np.setdiff1d(np.arange(n_samples), validation_rows),
        np.array(validation_rows, dtype=int),
        np.zeros(1, np.float32),
        np.random.default_rng(0),
        **settings,
    )


def mean_squared_error(weights, X):
    embedding = forward.encode(NETWORK, weights, X)
    return np.square(forward.decode(NETWORK, weights, embedding, X.shape[1]) - X).mean()


def test_training_lowers_the_loss(X):
    weights, history = train(X.__getitem__, epochs=60)
    start = mean_squared_error(initial_weights(NETWORK, np.random.default_rng(0)), X)
    assert mean_squared_error(weights, X) < 0.9 * start
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.skipif(not hasattr(keras.optimizers, "Muon"), reason="this Keras has no Muon")
@pytest.mark.usefixtures("compiled")
def test_training_equals_stock_keras_training_on_the_same_batches(X):
    weights, history = train(X.__getitem__, epochs=20, batch_size=10)
    start = initial_weights(NETWORK, np.random.default_rng(0))
    model = build_keras_model(NETWORK, start, 4, center=np.zeros(1), scale=np.ones(1))
    muon = keras.optimizers.Muon(
        exclude_layers=["output"], weight_decay=None, adam_weight_decay=None, global_clipnorm=1.0, ns_steps=3
    )
    model.compile(muon, "mse")
    for rate in history["learning_rate"]:
        model.optimizer.learning_rate = rate
        model.train_on_batch(X, X)
    for ours, theirs in zip(weights.values(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
    moved = max(np.abs(each - start[name]).max() for name, each in weights.items())
    assert moved > 0.05, "the weights hardly moved: the test shows nothing"


def test_history_has_one_entry_per_epoch(X):
    _, history = train(X.__getitem__, validation_rows=(2, 7))
    assert {name: len(values) for name, values in history.items()} == {"loss": 5, "val_loss": 5, "learning_rate": 5}


def test_the_weights_returned_are_those_of_the_lowest_validation_loss(X):
    weights, history = train(X.__getitem__, validation_rows=(2, 7), epochs=40, learning_rate=0.3)
    assert np.argmin(history["val_loss"]) < 39, "the last epoch is the best: the test shows nothing"
    assert mean_squared_error(weights, X[[2, 7]]) == pytest.approx(min(history["val_loss"]), rel=1e-5)


def test_patience_ends_training_that_no_longer_improves(X):
    _, history = train(X.__getitem__, validation_rows=(2, 7), epochs=200, learning_rate=0.1, patience=3)
    assert len(history["loss"]) == np.argmin(history["val_loss"]) + 1 + 3 < 200


def test_the_last_update_is_not_kept_if_it_made_things_worse(X):
    weights, _ = train(X.__getitem__, epochs=1, batch_size=10, learning_rate=50.0)
    start = initial_weights(NETWORK, np.random.default_rng(0))
    assert mean_squared_error(weights, X) <= mean_squared_error(start, X)


def test_interrupting_keeps_the_best_weights_and_says_so(X):
    reads = []

    def read(rows):
        reads.append(rows)
        if len(reads) == 9:
            raise KeyboardInterrupt
        return X[rows]

    with pytest.warns(ConvergenceWarning, match=r"interrupted after 2 of 5 epochs: the weights are those of epoch 1"):
        weights, history = train(read)
    assert len(history["loss"]) == 2
    expected, _ = train(X.__getitem__)
    assert weights["output/bias"].shape == expected["output/bias"].shape
    assert not np.array_equal(weights["output/bias"], np.zeros(1))


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

    with pytest.warns(ConvergenceWarning, match=r"exploded 1 times: training went back.*lower learning_rate than 0.01"):
        weights, history = train(read, epochs=20)
    assert all(np.isfinite(weight).all() for weight in weights.values())
    assert len(history["loss"]) == 20
    assert max(history["learning_rate"][3:]) <= 0.2 * max(history["learning_rate"][:3])


def test_a_loss_that_is_infinite_from_the_start_is_an_error(X):
    with pytest.raises(FloatingPointError, match=r"in the first epoch.*Use scale='standard'"):
        train(lambda rows: np.full_like(X[rows], 1e30))


def test_verbose_shows_epochs_loss_and_time_left(X, capsys):
    train(X.__getitem__, verbose=1)
    shown = capsys.readouterr().out
    assert "5/5" in shown
    assert "loss: " in shown
    train(X.__getitem__, verbose=0)
    assert capsys.readouterr().out == ""
