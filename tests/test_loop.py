import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from seqembed import inference
from seqembed.network import Network, initial_weights
from seqembed.training import loop

NETWORK = Network(n_features=1, n_components=2, hidden_units=(3,))


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(10, 4, 1)).astype(np.float32)


def train(read, *, n_samples=10, validation_rows=(), **changes):
    settings = {"epochs": 5, "batch_size": 4, "learning_rate": 0.01, "patience": None, "verbose": 0} | changes
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


def test_the_learning_rate_warms_up_and_decays(X):
    _, history = train(X.__getitem__, epochs=100)
    rates = history["learning_rate"]
    assert np.argmax(rates) == 4
    assert max(rates) == pytest.approx(0.01)
    assert rates[-1] == pytest.approx(0.0001)
    assert np.all(np.diff(rates[4:]) < 0)


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


def test_a_gradient_is_clipped_to_norm_one():
    huge = np.array([3e6, 4e6], np.float32)
    _, first_moment, _ = loop._adam(
        np.zeros(2, np.float32), np.zeros(2, np.float32), np.zeros(2, np.float32), huge, np.float32(1), np.float32(1)
    )
    np.testing.assert_allclose(first_moment, [0.06, 0.08], rtol=1e-5)


def test_interrupting_keeps_the_best_weights_and_says_so(X):
    reads = []

    def read(rows):
        reads.append(rows)
        if len(reads) == 8:
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
        return X[rows] if len(reads) <= 6 else np.full_like(X[rows], 1e30)

    with pytest.warns(ConvergenceWarning, match=r"became (inf|nan) in epoch 3 of 5.*lower learning_rate than 0.01"):
        weights, _ = train(read)
    assert all(np.isfinite(weight).all() for weight in weights.values())


def test_a_loss_that_is_infinite_from_the_start_is_an_error(X):
    with (
        pytest.warns(ConvergenceWarning),
        pytest.raises(FloatingPointError, match=r"in the first epoch\. Use scale='standard'"),
    ):
        train(lambda rows: np.full_like(X[rows], 1e30))


def test_verbose_shows_epochs_loss_and_time_left(X, capsys):
    train(X.__getitem__, verbose=1)
    shown = capsys.readouterr().out
    assert "5/5" in shown
    assert "loss: " in shown
    train(X.__getitem__, verbose=0)
    assert capsys.readouterr().out == ""
