import keras
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from seqembed import inference
from seqembed.network import Network, initial_weights
from seqembed.training import loop
from seqembed.training.keras_model import build_keras_model

NETWORK = Network(n_features=1, n_components=2, hidden_units=(3,))


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(10, 4, 1)).astype(np.float32)


def train(read, *, n_samples=10, validation_rows=(), **changes):
    settings = {
        "epochs": 5,
        "batch_size": 4,
        "learning_rate": 0.01,
        "patience": None,
        "n_jobs": None,
        "verbose": 0,
    } | changes
    return loop.train(
        NETWORK,
        initial_weights(NETWORK, np.random.default_rng(0)),
        read,
        np.setdiff1d(np.arange(n_samples), validation_rows),
        np.array(validation_rows, dtype=int),
        np.random.default_rng(0),
        **settings,
    )


def mean_squared_error(weights, X):
    embedding = inference.encode(NETWORK, weights, X)
    return np.square(inference.decode(NETWORK, weights, embedding, X.shape[1]) - X).mean()


def test_training_lowers_the_loss(X):
    weights, history = train(X.__getitem__, epochs=60)
    start = mean_squared_error(initial_weights(NETWORK, np.random.default_rng(0)), X)
    assert mean_squared_error(weights, X) < 0.9 * start
    assert history["loss"][-1] < history["loss"][0]


def test_training_equals_stock_keras_training_on_the_same_batches(X):
    weights, history = train(X.__getitem__, epochs=20, batch_size=10)
    start = initial_weights(NETWORK, np.random.default_rng(0))
    model = build_keras_model(NETWORK, start, 4, center=np.zeros(1), scale=np.ones(1))
    model.compile(keras.optimizers.Adam(global_clipnorm=1.0), "mse")
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


def test_rows_that_fill_up_the_last_batch_weigh_nothing():
    rows = np.arange(10)
    batches = list(loop._shuffled_batches(rows, 4, np.random.default_rng(0)))
    assert [len(batch) for batch, _ in batches] == [4, 4, 4]
    np.testing.assert_array_equal(
        np.sort(np.concatenate([batch[sample_weight > 0] for batch, sample_weight in batches])), rows
    )
    np.testing.assert_allclose([sample_weight.sum() for _, sample_weight in batches], 1)


def test_the_order_of_batches_changes_from_epoch_to_epoch():
    random = np.random.default_rng(0)
    first, second = ([batch.tolist() for batch, _ in loop._shuffled_batches(np.arange(10), 4, random)] for _ in "ab")
    assert first != second


def test_interrupting_keeps_the_best_weights_and_says_so(X):
    reads = []

    def read(rows):
        reads.append(rows)
        if len(reads) == 9:
            raise KeyboardInterrupt
        return X[rows]

    with pytest.warns(ConvergenceWarning, match=r"interrupted after 2 of 5 epochs: the weights are those of epoch 2"):
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


def test_a_loss_that_becomes_infinite_ends_training_with_the_last_good_weights(X):
    reads = []

    def read(rows):
        reads.append(rows)
        return X[rows] if len(reads) <= 7 else np.full_like(X[rows], 1e30)

    with pytest.warns(ConvergenceWarning, match=r"became (inf|nan) in epoch 3 of 5.*lower learning_rate than 0.01"):
        weights, _ = train(read)
    assert all(np.isfinite(weight).all() for weight in weights.values())


def test_a_loss_that_is_infinite_from_the_start_is_an_error(X):
    with pytest.raises(FloatingPointError, match=r"in the first epoch\. Use scale='standard'"):
        train(lambda rows: np.full_like(X[rows], 1e30))


def test_verbose_shows_epochs_loss_and_time_left(X, capsys):
    train(X.__getitem__, verbose=1)
    shown = capsys.readouterr().out
    assert "5/5" in shown
    assert "loss: " in shown
    train(X.__getitem__, verbose=0)
    assert capsys.readouterr().out == ""
