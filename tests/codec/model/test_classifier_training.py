import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from seqembed.codec.model.classifier_training import train_classifier


@pytest.mark.parametrize("n_rows", [40, 256, 700])
@pytest.mark.parametrize("n_classes", [3, 20])
def test_the_weights_are_those_of_scikit_learn(n_rows, n_classes):
    random = np.random.default_rng(0)
    inputs = random.normal(size=(n_rows, 9)).astype(np.float32)
    classes = np.concatenate([np.arange(n_classes), random.integers(0, n_classes, n_rows - n_classes)])
    # partial_fit draws from random_state at each call: an int would repeat the same shuffle.
    slow = MLPClassifier(
        (32,), alpha=0.1, batch_size=min(256, n_rows), learning_rate_init=5e-3, random_state=np.random.RandomState(3)
    )
    for _ in range(20):
        slow.partial_fit(inputs, classes, classes=range(n_classes))
    network = train_classifier(inputs, classes, 32, seed=3)
    expected = slow.coefs_[0], slow.intercepts_[0], slow.coefs_[1], slow.intercepts_[1]
    for weights, weights_of_slow in zip(network, expected, strict=True):
        assert weights.dtype == np.float32
        np.testing.assert_allclose(weights, weights_of_slow, rtol=1e-3, atol=1e-5)


def test_errors_of_numpy_that_a_user_turned_on_do_not_stop_the_training():
    inputs = np.random.default_rng(0).normal(0, 30, (300, 3)).astype(np.float32)
    with np.errstate(all="raise"):
        network = train_classifier(inputs, (inputs[:, 0] > 0).astype(int), 8, seed=0)
    assert all(np.isfinite(weights).all() for weights in network)
