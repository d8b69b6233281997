import keras
import numpy as np
import onnxruntime
import pytest

from seqembed import LSTMAutoencoder
from seqembed.export.keras_model import build_keras_model
from seqembed.sequences.scaling import Scaling


def test_the_model_predicts_what_reconstruct_gives(fitted, waves):
    model = fitted.to_keras()
    difference = (model.predict(waves, verbose=0) - fitted.reconstruct(waves)) / fitted.scale_
    assert np.abs(difference).max() < 1e-5


def test_the_posts_network_is_made_of_the_posts_layers():
    X = np.random.default_rng(0).random((5, 3, 2))
    model = LSTMAutoencoder(activation="relu", time_encoding=False, scale=None, epochs=1).fit(X).to_keras()
    assert model.count_params() == 248_578
    assert [type(layer).__name__ for layer in model.layers] == [
        "LSTM",
        "LSTM",
        "RepeatVector",
        "LSTM",
        "LSTM",
        "TimeDistributed",
    ]


def test_scaling_adds_no_parameter_and_survives_keras_saving(fitted, waves, tmp_path):
    scaling = Scaling(fitted.feature_means_, fitted.center_, fitted.scale_)
    model = build_keras_model(fitted.network_, fitted.weights_, scaling, n_timesteps=fitted.n_timesteps_)
    assert model.count_params() == fitted.network_.n_parameters
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(waves, verbose=0), model.predict(waves, verbose=0))


def test_weights_are_taken_by_name_whatever_their_order(fitted, waves):
    scaling = Scaling(fitted.feature_means_, fitted.center_, fitted.scale_)
    reordered = dict(sorted(fitted.weights_.items()))
    assert list(reordered) != list(fitted.weights_)
    model = build_keras_model(fitted.network_, reordered, scaling, n_timesteps=fitted.n_timesteps_)
    np.testing.assert_array_equal(model.predict(waves, verbose=0), fitted.to_keras().predict(waves, verbose=0))


@pytest.mark.filterwarnings("ignore:In the future:FutureWarning:keras")
def test_a_model_that_was_never_called_exports_to_onnx(fitted, waves, tmp_path):
    fitted.to_keras().export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (reconstruction,) = session.run(None, {session.get_inputs()[0].name: waves})
    difference = (reconstruction - fitted.reconstruct(waves)) / fitted.scale_
    assert np.abs(difference).max() < 1e-5
