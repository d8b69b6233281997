import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqembed import LSTMReconstructor, temporalize


@parametrize_with_checks([LSTMReconstructor(n_components=2, hidden_units=(3,), epochs=2, batch_size=32)])
def test_every_check_of_scikit_learn_passes(estimator, check):
    check(estimator)


def test_the_regular_network_has_as_many_parameters_as_the_autoencoder():
    assert LSTMReconstructor(time_encoding=False).layer_flow(3, 2).n_parameters == 248_578


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_reconstruct_equals_the_keras_model_without_repeat_vector(waves, activation):
    reconstructor = LSTMReconstructor(3, hidden_units=(5,), epochs=2, activation=activation, time_encoding=False).fit(
        waves
    )
    model = reconstructor.to_keras()
    assert [layer.name for layer in model.layers if layer.weights] == [
        "encoder_1",
        "encoder_2",
        "decoder_1",
        "decoder_2",
        "output",
    ]
    difference = (model.predict(waves, verbose=0) - reconstructor.reconstruct(waves)) / reconstructor.scale_
    assert np.abs(difference).max() < 1e-5


def test_an_output_sees_only_the_timesteps_up_to_its_own(waves):
    reconstructor = LSTMReconstructor(3, hidden_units=(5,), epochs=2).fit(waves)
    changed = waves.copy()
    changed[:, 4:] = 0
    before, after = reconstructor.reconstruct(waves), reconstructor.reconstruct(changed)
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert not np.array_equal(before[:, 4:], after[:, 4:])


def test_it_has_no_embedding():
    assert not hasattr(LSTMReconstructor(), "transform")


@pytest.mark.slow
def test_the_posts_series_is_reconstructed_within_its_tolerance():
    series = np.array([[k / 10, (k / 10) ** 3] for k in range(1, 10)])
    X, _ = temporalize(series, np.zeros(9), lookback=3)
    reconstructor = LSTMReconstructor(
        activation="relu", time_encoding=False, scale=None, epochs=300, batch_size=5, learning_rate=0.01, random_state=0
    )
    assert np.abs(reconstructor.fit(X).reconstruct(X) - X).max() <= 0.05
