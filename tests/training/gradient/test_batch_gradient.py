from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import draw_readout

from seqembed.network.architecture import Network
from seqembed.network.weights import flat_parameters, initial_weights
from seqembed.training.gradient.batch_gradient import BatchGradient, count_shards, is_worth_compiling

# Two layers, since each takes seconds to compile: gradients of others are compared in test_tensorflow_gradient.py.
NETWORK = Network(n_features=2, n_components=3, hidden_units=())
MANY, FEW = 10**6, 1  # updates: with many the network is compiled


@pytest.fixture
def parameters():
    return flat_parameters(NETWORK.weight_shapes, initial_weights(NETWORK, np.random.default_rng(0)))


def batch(n_samples):
    random = np.random.default_rng(n_samples)
    sample_weight = random.random(n_samples).astype(np.float32)
    return random.normal(size=(n_samples, 5, 2)).astype(np.float32), sample_weight / sample_weight.sum()


def loss_and_gradient(parameters, X, sample_weight, n_updates, n_threads=2):
    with ThreadPoolExecutor(n_threads) as pool:
        batch_gradient = BatchGradient(NETWORK, NETWORK.weight_shapes, X.shape[1], len(X), n_updates, pool)
        value_weight = np.broadcast_to(sample_weight[:, None, None] / (X.shape[1] * X.shape[2]), X.shape)
        loss, _, gradient = batch_gradient(parameters, X, np.full(len(X), X.shape[1]), value_weight)
    return loss, gradient


@pytest.mark.slow
# One shard of one or several rows, two full shards. Each size takes a compilation: two shards that are not full are
# compared below, with a readout.
@pytest.mark.parametrize("n_samples", [1, 7, 150])
def test_shards_add_up_to_the_whole_whatever_the_size_of_the_batch(parameters, n_samples):
    X, sample_weight = batch(n_samples)
    loss, gradient = loss_and_gradient(parameters, X, sample_weight, MANY)
    expected_loss, expected = loss_and_gradient(parameters, X, sample_weight, FEW)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert np.linalg.norm(gradient - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.slow
def test_compiled_or_not_the_encoder_may_read_others_than_the_decoder_has_to_return(parameters):
    n_samples = 17  # two shards, of which the second is filled up
    X, sample_weight = batch(n_samples)
    value_weight = np.broadcast_to(sample_weight[:, None, None] / 10, X.shape)
    inputs = np.where(np.random.default_rng(0).random(X.shape) < 0.3, np.float32(0), X)
    results = []
    for n_updates in (FEW, MANY):
        with ThreadPoolExecutor(2) as pool:
            compute = BatchGradient(NETWORK, NETWORK.weight_shapes, 5, n_samples, n_updates, pool)
            results.append(compute(parameters, X, np.full(n_samples, 5), value_weight, inputs=inputs))
    (loss, _, gradient), (expected_loss, _, expected) = results
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert np.linalg.norm(gradient - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.slow
def test_shards_add_up_with_a_readout_too(parameters):
    n_samples = 17  # two shards, of which the second is filled up
    X, sample_weight = batch(n_samples)
    shapes, readout_parameters, targets = draw_readout(NETWORK, n_samples)
    value_weight = np.broadcast_to(sample_weight[:, None, None] / 10, X.shape)
    results = []
    for n_updates in (FEW, MANY):
        with ThreadPoolExecutor(2) as pool:
            compute = BatchGradient(NETWORK, NETWORK.weight_shapes | shapes, 5, n_samples, n_updates, pool)
            flat = np.concatenate([parameters, readout_parameters])
            results.append(compute(flat, X, np.full(n_samples, 5), value_weight, targets))
    (*losses, gradient), (*expected_losses, expected) = results
    assert losses == pytest.approx(expected_losses, rel=1e-5)
    assert np.linalg.norm(gradient - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.slow
@pytest.mark.parametrize("n_updates", [FEW, MANY])
def test_a_sequence_without_weight_is_left_out(parameters, n_updates):
    X, sample_weight = batch(150)
    sample_weight[90:] = 0
    changed = X.copy()
    changed[90:] = 100
    loss, gradient = loss_and_gradient(parameters, X, sample_weight, n_updates)
    same_loss, same = loss_and_gradient(parameters, changed, sample_weight, n_updates)
    assert loss == same_loss
    np.testing.assert_array_equal(gradient, same)


def test_the_loss_is_the_weighted_mean_of_squared_errors(parameters):
    X, _ = batch(4)
    each = [loss_and_gradient(parameters, X[[k]], np.ones(1, np.float32), FEW)[0] for k in range(4)]
    loss, _ = loss_and_gradient(parameters, X, np.float32([0.1, 0.2, 0.3, 0.4]), FEW)
    assert loss == pytest.approx(np.dot([0.1, 0.2, 0.3, 0.4], each), rel=1e-5)


@pytest.mark.slow
def test_the_number_of_threads_does_not_change_a_bit(parameters):
    X, sample_weight = batch(150)
    alone = loss_and_gradient(parameters, X, sample_weight, MANY, n_threads=1)
    shared = loss_and_gradient(parameters, X, sample_weight, MANY, n_threads=2)
    assert alone[0] == shared[0]
    np.testing.assert_array_equal(alone[1], shared[1])


def test_compiling_pays_the_sooner_the_more_there_is_to_compute():
    def pays_from(network, n_timesteps, batch_size):
        return next(n for n in range(10**6) if is_worth_compiling(network, n_timesteps, batch_size, n))

    updates = pays_from(NETWORK, 50, 64)
    assert 0 < pays_from(NETWORK, 100, 64) < updates
    assert 0 < pays_from(NETWORK, 50, 640) < updates
    assert 0 < pays_from(Network(n_features=2), 50, 64) < updates


@given(batch_size=st.integers(1, 5000), n_cores=st.integers(1, 64))
def test_there_are_as_many_shards_for_each_core_unless_they_would_be_too_small(batch_size, n_cores):
    with mock.patch("joblib.cpu_count", return_value=n_cores):
        n_shards = count_shards(batch_size)
    assert batch_size / n_shards <= 128
    smallest = {1: 1, 2: 8}.get(n_shards, 16)
    assert batch_size / n_shards >= smallest
    # Fewer than a shard for each core only where shards would become too small.
    assert n_shards % n_cores == 0 or batch_size / (n_shards + 1) < 16
