import numpy as np
import pytest
from networks import (
    BESIDE,
    NETWORKS,
    draw_batch,
    draw_beside,
    draw_readout,
    keras_loss_and_gradient,
    largest_relative_error,
    stock_loss_and_gradient,
)

from seqembed.training.gradient import numpy_gradient


@pytest.mark.parametrize(("network", "n_timesteps"), NETWORKS)
def test_gradient_equals_the_automatic_one_through_stock_keras_layers(network, n_timesteps):
    parameters, sequences, lengths, value_weight = draw_batch(network, n_timesteps)
    lengths[:] = len(sequences)
    loss, readout_loss, gradient = numpy_gradient.loss_and_gradient(
        network, network.weight_shapes, parameters, sequences, lengths, value_weight
    )
    assert readout_loss == 0
    expected_loss, _, expected = keras_loss_and_gradient(network, parameters, sequences, value_weight)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert largest_relative_error(network.weight_shapes, gradient, expected) < 1e-4


@pytest.mark.parametrize(("network", "n_timesteps"), [case for case in NETWORKS if case[0].bottleneck])
def test_the_readout_adds_its_error_and_its_gradient(network, n_timesteps):
    parameters, sequences, lengths, value_weight = draw_batch(network, n_timesteps)
    lengths[:] = len(sequences)
    readout_shapes, readout_parameters, targets = readout = draw_readout(network)
    shapes = network.weight_shapes | readout_shapes
    loss, readout_loss, gradient = numpy_gradient.loss_and_gradient(
        network,
        shapes,
        np.concatenate([parameters, readout_parameters]),
        sequences,
        lengths,
        value_weight,
        *targets,
    )
    expected = keras_loss_and_gradient(network, parameters, sequences, value_weight, readout)
    assert (loss, readout_loss) == pytest.approx(expected[:2], rel=1e-5)
    assert largest_relative_error(shapes, gradient, expected[2]) < 1e-4


def test_a_readout_that_has_nothing_to_predict_is_none():
    network, n_timesteps = NETWORKS[0]
    batch = draw_batch(network, n_timesteps)
    nothing = np.empty((2, batch[1].shape[1], 0), np.float32)
    loss, readout_loss, gradient = numpy_gradient.loss_and_gradient(network, network.weight_shapes, *batch, *nothing)
    expected_loss, _, expected = numpy_gradient.loss_and_gradient(network, network.weight_shapes, *batch)
    assert (loss, readout_loss) == (expected_loss, 0)
    np.testing.assert_array_equal(gradient, expected)


@pytest.mark.parametrize(("network", "n_timesteps"), BESIDE)
def test_the_gradient_with_a_context_and_a_shortcut_equals_that_through_stock_keras_layers(network, n_timesteps):
    parameters, sequences, lengths, value_weight = draw_batch(network, n_timesteps)
    lengths[:] = len(sequences)
    beside, readout = draw_beside(network, len(sequences)), draw_readout(network)
    shapes = network.weight_shapes | readout[0]
    flat = np.concatenate([parameters, readout[1]])
    loss, readout_loss, gradient = numpy_gradient.loss_and_gradient(
        network, shapes, flat, sequences, lengths, value_weight, *readout[2], *beside
    )
    expected = stock_loss_and_gradient(network, parameters, sequences, value_weight, beside, readout)
    assert (loss, readout_loss) == pytest.approx(expected[:2], rel=1e-5)
    assert largest_relative_error(shapes, gradient, expected[2]) < 1e-4


@pytest.mark.parametrize(("network", "n_timesteps"), NETWORKS)
def test_the_encoder_may_read_others_than_the_decoder_has_to_return(network, n_timesteps):
    parameters, sequences, lengths, value_weight = draw_batch(network, n_timesteps)
    lengths[:] = len(sequences)
    inputs = np.where(np.random.default_rng(0).random(sequences.shape) < 0.3, np.float32(0), sequences)
    loss, _, gradient = numpy_gradient.loss_and_gradient(
        network, network.weight_shapes, parameters, sequences, lengths, value_weight, inputs=inputs
    )
    expected_loss, _, expected = keras_loss_and_gradient(network, parameters, sequences, value_weight, inputs=inputs)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert largest_relative_error(network.weight_shapes, gradient, expected) < 1e-4


def test_neither_the_batch_nor_the_parameters_are_written_to():
    network, n_timesteps = NETWORKS[0]
    batch = draw_batch(network, n_timesteps)
    for array in batch:
        array.flags.writeable = False
    *_, gradient = numpy_gradient.loss_and_gradient(network, network.weight_shapes, *batch)
    assert np.isfinite(gradient).all()
