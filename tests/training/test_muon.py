from concurrent.futures import ThreadPoolExecutor

import keras
import naive
import numpy as np
import pytest

from seqembed.network.architecture import Network
from seqembed.network.weights import flat_parameters, initial_weights
from seqembed.training.muon import Muon


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


def first_step(network, gradient, pool):
    """Take a step from zeros at the rate 1."""
    parameters, moments = np.zeros(network.n_parameters, np.float32), np.zeros((2, network.n_parameters), np.float32)
    return Muon(network.weight_shapes, pool).step(parameters, moments, gradient, rate=1.0, update=1)


@pytest.mark.slow
def test_steps_equal_those_of_keras_at_the_same_rates_and_clipping(pool):
    if not hasattr(keras.optimizers, "Muon"):
        pytest.skip("this Keras has no Muon")
    random = np.random.default_rng(0)
    network = Network(n_features=2, n_components=3, hidden_units=(7,), encoded_timesteps=5)
    start = initial_weights(network, random)
    rates = np.linspace(0.001, 0.02, 20)
    muon, parameters = Muon(network.weight_shapes, pool), flat_parameters(network.weight_shapes, start)
    moments = np.zeros((2, len(parameters)), np.float32)
    variables = {name: keras.Variable(weight, name=name.replace("/", "_")) for name, weight in start.items()}
    theirs = keras.optimizers.Muon(
        exclude_layers=["output"], weight_decay=None, adam_weight_decay=None, global_clipnorm=1.0, ns_steps=3
    )
    theirs.build(list(variables.values()))
    for number, (size, rate) in enumerate(zip(np.geomspace(1e-3, 1e3, 20), rates, strict=True), start=1):
        gradients = {name: random.normal(0, size, weight.shape).astype(np.float32) for name, weight in start.items()}
        parameters = muon.step(parameters, moments, flat_parameters(network.weight_shapes, gradients), rate, number)
        theirs.learning_rate = rate
        theirs.apply([keras.ops.convert_to_tensor(gradients[name]) for name in variables], list(variables.values()))
        moved_by_keras = {name: variable.numpy() for name, variable in variables.items()}
        expected = flat_parameters(network.weight_shapes, moved_by_keras)
        np.testing.assert_allclose(parameters, expected, rtol=1e-3, atol=1e-4)
    moved = np.abs(expected - flat_parameters(network.weight_shapes, start)).max()
    assert moved > 0.05, "the weights hardly moved: the test shows nothing"


def test_every_direction_of_a_matrix_is_learned_at_about_the_same_pace(pool):
    network = Network(n_features=4, n_components=4, hidden_units=())
    gradient = np.zeros(network.n_parameters, np.float32)
    kernel = np.random.default_rng(0).normal(size=(4, 16)) * np.array([[1], [0.5], [0.2], [0.1]])
    gradient[: kernel.size] = kernel.ravel()
    parameters = first_step(network, gradient, pool)
    steps = np.linalg.svd(np.reshape(parameters[: kernel.size], (4, 16)), compute_uv=False)
    assert steps.max() < 2.5 * steps.min()


@pytest.mark.parametrize("shape", [(4, 16), (40, 4), (1, 8)])
@pytest.mark.parametrize("size", [0, 1e-25, 1e-8, 1e-3])
def test_a_matrix_takes_the_step_of_the_published_iteration_however_small_its_gradient(pool, shape, size):
    network = Network(n_features=shape[0], n_components=shape[1] // 4, hidden_units=())
    gradient = np.zeros(network.n_parameters, np.float32)
    kernel = gradient[: shape[0] * shape[1]]
    kernel[:] = size * np.random.default_rng(0).normal(size=kernel.size)
    given = gradient.copy()
    parameters = first_step(network, gradient, pool)
    np.testing.assert_array_equal(gradient, given)
    # The first step of Nesterov's momentum, 0.95 g + g, of the size that suits Adam's rates.
    expected = -0.2 * np.sqrt(max(shape)) * naive.orthogonalized(1.95 * kernel.reshape(shape), iterations=3)
    np.testing.assert_allclose(parameters[: kernel.size].reshape(shape), expected, rtol=1e-4, atol=1e-5)


def test_a_gradient_that_is_no_number_gives_weights_that_are_none(pool):
    network = Network(n_features=4, n_components=4, hidden_units=())
    assert np.isnan(first_step(network, np.full(network.n_parameters, np.nan, np.float32), pool)).all()


def test_stopping_and_going_on_changes_nothing(pool):
    random = np.random.default_rng(0)
    network = Network(n_features=2, n_components=3, hidden_units=())
    gradients = random.normal(size=(6, network.n_parameters)).astype(np.float32)
    start = random.normal(size=network.n_parameters).astype(np.float32)
    muon, moments = Muon(network.weight_shapes, pool), np.zeros((2, network.n_parameters), np.float32)
    parameters, states = start, []
    for number, gradient in enumerate(gradients, start=1):
        parameters = muon.step(parameters, moments, gradient, 0.01 / number, number)
        states.append((parameters, moments.copy()))
    other, (resumed, moments) = Muon(network.weight_shapes, pool), states[2]
    for number, gradient in enumerate(gradients[3:], start=4):
        resumed = other.step(resumed, moments, gradient, 0.01 / number, number)
    np.testing.assert_array_equal(resumed, parameters)
