import pytest
from networks import NETWORKS, draw_batch, keras_loss_and_gradient, largest_relative_error

from seqembed.training.gradient import tensorflow_gradient


@pytest.mark.parametrize("on_gpu", [False, True], ids=["own", "keras"])
@pytest.mark.parametrize(("network", "n_timesteps"), NETWORKS)
def test_gradient_equals_the_automatic_one_through_stock_keras_layers(network, n_timesteps, on_gpu):
    parameters, sequences, lengths, value_weight = draw_batch(network, n_timesteps)
    lengths[:] = n_timesteps
    batch = parameters, sequences, lengths, value_weight
    loss, gradient = tensorflow_gradient.make_loss_and_gradient(network, on_gpu=on_gpu)(*batch)
    expected_loss, expected = keras_loss_and_gradient(network, parameters, sequences, value_weight)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert largest_relative_error(network, gradient, expected) < 1e-4
