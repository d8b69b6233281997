import numpy as np
import pytest
import tensorflow as tf
from networks import (
    BESIDE,
    NETWORKS,
    draw_batch,
    draw_beside,
    draw_readout,
    keras_loss_and_gradient,
    largest_relative_error,
)

from seqembed.network.architecture import Network
from seqembed.network.forward import ForwardPass
from seqembed.network.weights import initial_weights
from seqembed.training.gradient import lstm_kernel, numpy_gradient, tensorflow_gradient

# Each network takes seconds to compile. The others of NETWORKS have no branch that these, or those of BESIDE, lack.
COMPILED = [NETWORKS[number] for number in (1, 3, 5, 6, 7, 8)]
# Keras's layers are differentiated by TensorFlow: below, all their forward passes are compared.
THROUGH_KERAS = [NETWORKS[1], NETWORKS[7]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "n_timesteps", "on_gpu"),
    [(*case, False) for case in COMPILED] + [(*case, True) for case in THROUGH_KERAS],
)
def test_gradient_equals_the_automatic_one_through_stock_keras_layers_and_with_padding_that_in_numpy(
    network, n_timesteps, on_gpu
):
    batch = parameters, sequences, lengths, value_weight = draw_batch(network, n_timesteps)
    shapes = network.weight_shapes
    compute = tensorflow_gradient.make_loss_and_gradient(network, tuple(shapes.items()), on_gpu=on_gpu)
    for expected_loss, _, expected, given in (
        (*numpy_gradient.loss_and_gradient(network, shapes, *batch), lengths),
        (*keras_loss_and_gradient(network, parameters, sequences, value_weight), np.full_like(lengths, len(sequences))),
    ):
        loss, _, gradient = compute(parameters, sequences, given, value_weight)
        assert loss == pytest.approx(expected_loss, rel=1e-5)
        assert largest_relative_error(shapes, gradient, expected) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "n_timesteps", "on_gpu"),
    [(*case, False) for case in BESIDE] + [(*BESIDE[2], True), (*BESIDE[4], True)],
)
def test_the_gradient_with_a_context_a_shortcut_and_a_readout_equals_that_in_numpy(network, n_timesteps, on_gpu):
    parameters, sequences, lengths, value_weight = draw_batch(network, n_timesteps)
    readout_shapes, readout_parameters, targets = draw_readout(network)
    shapes = network.weight_shapes | readout_shapes
    batch = np.concatenate([parameters, readout_parameters]), sequences, lengths, value_weight
    batch = *batch, *targets, *draw_beside(network, len(sequences))
    compute = tensorflow_gradient.make_loss_and_gradient(network, tuple(shapes.items()), on_gpu=on_gpu)
    expected = numpy_gradient.loss_and_gradient(network, shapes, *batch)
    loss, readout_loss, gradient = compute(*batch)
    assert (loss, readout_loss) == pytest.approx(expected[:2], rel=1e-5)
    assert largest_relative_error(shapes, gradient, expected[2]) < 1e-4


def all_steps(steps):
    return tf.fill([len(steps)], steps.shape[1])


LAYERS = pytest.mark.parametrize("run_layer", [lstm_kernel.lstm, tensorflow_gradient.keras_lstm], ids=["own", "keras"])


@LAYERS
@pytest.mark.parametrize(("network", "n_timesteps"), NETWORKS)
def test_encode_and_decode_equal_the_forward_pass_in_numpy(network, n_timesteps, run_layer):
    weights = initial_weights(network, np.random.default_rng(0))
    X = np.random.default_rng(1).normal(size=(7, n_timesteps, network.n_features)).astype(np.float32)
    steps = network.patches(X)
    encoded = tensorflow_gradient.encode(
        network, weights, tf.constant(steps.transpose(1, 0, 2)), all_steps(steps), run_layer
    )
    reconstruction = tensorflow_gradient.decode(network, weights, encoded, steps.shape[1], run_layer)
    expected = ForwardPass(network, weights).reconstruct(X)
    np.testing.assert_allclose(reconstruction.numpy().transpose(1, 0, 2), network.patches(expected), atol=1e-6)


@LAYERS
def test_padding_changes_neither_the_reconstruction_nor_the_gradient(run_layer):
    network, lengths = Network(n_features=2, n_components=3, hidden_units=(5,), encoded_timesteps=6), [6, 1, 4]
    random = np.random.default_rng(0)
    weights = {name: tf.constant(weight) for name, weight in initial_weights(network, random).items()}
    X = random.normal(size=(6, 3, 2)).astype(np.float32)
    observed = np.arange(6)[:, None, None] < np.array(lengths)[:, None]
    results = []
    for padding in (0, 100):
        padded = np.where(observed, X, np.float32(padding))
        with tf.GradientTape() as tape:
            tape.watch(weights)
            encoded = tensorflow_gradient.encode(network, weights, tf.constant(padded), tf.constant(lengths), run_layer)
            reconstruction = tensorflow_gradient.decode(network, weights, encoded, len(padded), run_layer)
            loss = tf.reduce_sum(tf.square(reconstruction - padded) * observed.astype(np.float32))
        results.append([tf.where(observed, reconstruction, 0), *tape.gradient(loss, weights).values()])
    for each, other in zip(*results, strict=True):
        np.testing.assert_array_equal(each, other)


@pytest.mark.slow
def test_no_call_makes_tensorflow_write_its_arguments_as_text():
    """TensorFlow tries a second way to call a function if the first fails, after an error with all values in it."""
    network, n_timesteps = COMPILED[0]
    batch = draw_batch(network, n_timesteps)
    shapes = tuple(network.weight_shapes.items())
    compute = tensorflow_gradient.make_loss_and_gradient(network, shapes, on_gpu=False)
    expected = compute(*batch)

    def refuse(value):
        raise AssertionError(f"{value} was written as text")

    with np.printoptions(formatter={"all": refuse}):
        loss, *_ = compute(*batch)
        with pytest.raises(AssertionError, match="written as text"):
            str(batch[0])
    assert loss == expected[0]
