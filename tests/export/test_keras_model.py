from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

from seqembed import LSTMAutoencoder
from seqembed.export.keras_model import build_keras_model


def test_the_model_predicts_what_reconstruct_gives(fitted, waves):
    model = fitted.to_keras()
    difference = (model.predict(waves, verbose=0) - fitted.reconstruct(waves)) / fitted.scale_
    assert np.abs(difference).max() < 1e-5


def test_the_posts_network_is_made_of_the_posts_layers():
    X = np.random.default_rng(0).random((5, 3, 2))
    post = LSTMAutoencoder(
        activation="relu", patch_size=1, time_encoding=False, scale=None, context_size=0, shortcut_size=0, epochs=1
    )
    model = post.fit(X).to_keras()
    assert model.count_params() == 248_578
    assert [type(layer).__name__ for layer in model.layers] == [
        "LSTM",
        "LSTM",
        "RepeatVector",
        "LSTM",
        "LSTM",
        "TimeDistributed",
    ]


@pytest.mark.slow
def test_scaling_adds_no_parameter_and_survives_keras_saving(fitted, waves, tmp_path):
    model = build_keras_model(fitted.model_)
    assert sum(int(np.prod(each.shape)) for each in model.trainable_weights) == fitted.network_.n_parameters
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(waves, verbose=0), model.predict(waves, verbose=0))


@pytest.mark.slow
def test_weights_are_taken_by_name_whatever_their_order(fitted, waves):
    reordered = dict(sorted(fitted.weights_.items()))
    assert list(reordered) != list(fitted.weights_)
    model = build_keras_model(replace(fitted.model_, weights=reordered))
    np.testing.assert_array_equal(model.predict(waves, verbose=0), fitted.to_keras().predict(waves, verbose=0))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:In the future:FutureWarning:keras")
def test_a_model_that_was_never_called_exports_to_onnx(fitted, waves, tmp_path):
    fitted.to_keras().export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (reconstruction,) = session.run(None, {session.get_inputs()[0].name: waves})
    difference = (reconstruction - fitted.reconstruct(waves)) / fitted.scale_
    assert np.abs(difference).max() < 1e-5


def predicted(model, inputs):
    """What a model returns, without the time that `predict` takes to make a graph of it."""
    return model(inputs).numpy()


def small(X, **parameters):
    return LSTMAutoencoder(4, hidden_units=(5,), epochs=2, random_state=0, **parameters).fit(X)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("beside", [{}, {"context_size": 0, "shortcut_size": 0}])
def test_a_value_that_marks_missing_ones_is_clipped_as_the_estimator_clips_it(waves, activation, beside):
    waves = waves.astype(np.float32) / 100
    autoencoder = small(waves, activation=activation, **beside)
    marked = waves.copy()
    marked[0, 2], marked[1, 3, 1], marked[2, 4] = -3.4e38, 1e20, 3.4e38
    reconstruction = predicted(autoencoder.to_keras(), marked)
    np.testing.assert_allclose(reconstruction, autoencoder.reconstruct(marked), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_layers_of_a_context_have_the_same_names_in_every_model(waves):
    autoencoder = small(waves.cumsum(axis=1))
    first, second = ({layer.name for layer in autoencoder.to_keras().layers} for _ in range(2))
    assert "context" in first
    assert first == second


@pytest.mark.slow
@pytest.mark.parametrize("patch_size", [1, 3])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_encoder_and_decoder_stand_alone(waves, patch_size, activation):
    waves = waves.cumsum(axis=1)
    autoencoder = small(waves, patch_size=patch_size, activation=activation)
    assert autoencoder.network_.context_size > 0
    assert autoencoder.network_.shortcut_size > 0
    embedding = autoencoder.to_keras("encoder").predict(waves, verbose=0)
    np.testing.assert_allclose(embedding, autoencoder.transform(waves), atol=1e-5)
    decoded = autoencoder.to_keras("decoder").predict(embedding, verbose=0)
    np.testing.assert_allclose(decoded, autoencoder.inverse_transform(embedding), atol=1e-5 * autoencoder.scale_.max())
    assert autoencoder.to_keras().get_layer("embedding").output.shape == (None, 4)
    with pytest.raises(ValueError, match="Got part='middle', expected one of 'encoder', 'decoder', 'autoencoder'"):
        autoencoder.to_keras("middle")


@pytest.mark.slow
@pytest.mark.parametrize("n_timesteps", [4, 9])
def test_a_fit_that_went_on_with_another_length_is_exported_with_that(n_timesteps):
    X = np.random.default_rng(0).normal(size=(30, 9, 2)).cumsum(axis=1)
    autoencoder = small(X[:, :6], warm_start=True).fit(X[:, :n_timesteps])
    np.testing.assert_allclose(
        autoencoder.to_keras("encoder").predict(X[:, :n_timesteps], verbose=0),
        autoencoder.transform(X[:, :n_timesteps]),
        atol=1e-5,
    )
    difference = autoencoder.to_keras().predict(X[:, :n_timesteps], verbose=0) - autoencoder.reconstruct(
        X[:, :n_timesteps]
    )
    assert np.abs(difference / autoencoder.scale_).max() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("patch_size", [1, 3])
def test_lengths_are_an_input_where_they_differ(patch_size, tmp_path):
    random = np.random.default_rng(0)
    # Of 75 timesteps and fewer, convolutions read means of 2 and of 4.
    lengths = np.concatenate([random.integers(2, 9, 10), random.integers(2, 76, 10)])
    sequences = [3 + random.normal(0, 2, (length, 2)).cumsum(axis=0) for length in lengths]
    autoencoder = small(sequences, patch_size=patch_size)
    padded = np.full((20, autoencoder.n_timesteps_, 2), 99.0)
    assert len(autoencoder.model_.context.summary.shares.channels) == 4
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    model = autoencoder.to_keras()
    reconstruction = predicted(model, [padded, lengths])
    for values, expected in zip(reconstruction, autoencoder.reconstruct(sequences), strict=True):
        np.testing.assert_allclose(values[: len(expected)], expected, atol=1e-4)
    embedding = predicted(autoencoder.to_keras("encoder"), [padded, lengths])
    np.testing.assert_allclose(embedding, autoencoder.transform(sequences), atol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(predicted(loaded, [padded, lengths]), reconstruction)


@pytest.mark.slow
def test_weights_that_keras_has_trained_come_back(waves):
    autoencoder = small(waves)
    before, model = autoencoder.transform(waves), autoencoder.to_keras()
    model.compile("adam", "mse", run_eagerly=True)
    model.fit(waves, waves, epochs=2, verbose=0)
    assert autoencoder.set_keras_weights(model) is autoencoder
    difference = (predicted(model, waves) - autoencoder.reconstruct(waves)) / autoencoder.scale_
    assert np.abs(difference).max() < 1e-5
    embedding = predicted(keras.Model(model.inputs, model.get_layer("embedding").output), waves)
    np.testing.assert_allclose(autoencoder.transform(waves), embedding, atol=1e-5)
    assert np.abs(embedding - before).max() > 1e-3


def test_weights_of_an_encoder_leave_the_decoder_as_it_was(waves):
    autoencoder = small(waves, shortcut_size=0)
    encoder, decoder_bias = autoencoder.to_keras("encoder"), autoencoder.weights_["decoder_1/bias"].copy()
    encoder.get_layer("embedding").set_weights([0 * weight for weight in encoder.get_layer("embedding").get_weights()])
    autoencoder.set_keras_weights(encoder)
    assert not autoencoder.transform(waves).any()
    np.testing.assert_array_equal(autoencoder.weights_["decoder_1/bias"], decoder_bias)


def test_a_layer_that_was_given_another_name_is_not_left_out_without_a_word(waves):
    autoencoder = small(waves, shortcut_size=0)
    encoder = autoencoder.to_keras("encoder")
    first = encoder.get_layer("encoder_1")
    renamed = keras.Sequential([keras.Input((7, 2)), type(first).from_config(first.get_config())])
    assert renamed.layers[0].name == "encoder_1"
    with pytest.raises(ValueError, match="all of the network, of its encoder or of its decoder"):
        autoencoder.set_keras_weights(renamed)


@pytest.mark.slow
def test_a_script_from_keras_was_refused_by_a_default_estimator_without_the_cause(waves):
    script = keras.Sequential(
        [
            keras.Input((7, 2)),
            keras.layers.LSTM(5, return_sequences=True, name="encoder_1"),
            keras.layers.LSTM(3, name="embedding"),
            keras.layers.RepeatVector(7, name="repeat"),
            keras.layers.LSTM(3, return_sequences=True, name="decoder_1"),
            keras.layers.LSTM(5, return_sequences=True, name="decoder_2"),
            keras.layers.TimeDistributed(keras.layers.Dense(2), name="output"),
        ]
    )
    default = LSTMAutoencoder(3, hidden_units=(5,), epochs=1).fit(waves)
    with pytest.raises(ValueError, match="time_encoding=False, context_size=0, shortcut_size=0, scale=None: see 'Com"):
        default.set_keras_weights(script)
    settings = {"context_size": 0, "shortcut_size": 0, "scale": None}
    with pytest.raises(ValueError, match=r"layer 'decoder_1', expected .* with time_encoding=False, scale=None: see"):
        default.set_params(**settings).fit(waves).set_keras_weights(script)
    plain = default.set_params(time_encoding=False).fit(waves).set_keras_weights(script)
    difference = plain.reconstruct(waves) - script.predict(waves, verbose=0)
    assert np.abs(difference).max() < 1e-5
    # A trained model gets the names afterwards.
    for number, layer in enumerate(script.layers):
        layer.name = f"layer_{number}"
    with pytest.raises(ValueError, match=r"encoder_1, embedding, decoder_1, decoder_2, output\.$"):
        plain.set_keras_weights(script)
    for layer, name in zip(
        script.layers, ["encoder_1", "embedding", "repeat", "decoder_1", "decoder_2", "output"], strict=True
    ):
        layer.name = name
    plain.set_keras_weights(script)


def test_the_path_of_a_model_raised_an_attribute_error(waves):
    autoencoder = small(waves)
    for path in ("model.keras", Path("model.keras")):
        with pytest.raises(TypeError, match=r"Got a path, expected a Keras model: pass keras.models.load_model\(path"):
            autoencoder.set_keras_weights(path)
    with pytest.raises(TypeError, match="Got model= of type ndarray, expected a Keras model"):
        autoencoder.set_keras_weights(waves)


def test_models_that_do_not_fit_are_refused_and_change_nothing(waves):
    autoencoder = small(waves)
    before = autoencoder.weights_
    with pytest.raises(ValueError, match="Got a Keras model with the layers dense, expected those of to_keras"):
        autoencoder.set_keras_weights(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")]))
    other = LSTMAutoencoder(3, hidden_units=(5,), epochs=1).fit(waves).to_keras()
    with pytest.raises(ValueError, match=r"for the layer '\w+', expected"):
        autoencoder.set_keras_weights(other)
    broken = autoencoder.to_keras()
    broken.get_layer("output").set_weights([np.nan * weight for weight in broken.get_layer("output").get_weights()])
    with pytest.raises(ValueError, match="Got weights of the layer 'output' that are not finite"):
        autoencoder.set_keras_weights(broken)
    assert autoencoder.weights_ is before


@pytest.mark.parametrize(
    ("layer", "setting", "value", "line"),
    [
        ("encoder_1", "activation", "relu", r"Fit the estimator with activation='relu'\."),
        ("embedding", "recurrent_activation", "hard_sigmoid", "Train the model with this setting"),
        ("decoder_1", "go_backwards", True, "Train the model with this setting"),
        ("output", "activation", "tanh", "Train the model with this setting"),
    ],
)
def test_a_layer_that_computes_something_else_from_the_same_weights_is_refused(waves, layer, setting, value, line):
    settings = {"time_encoding": False, "scale": None, "context_size": 0, "shortcut_size": 0, "epochs": 1}
    autoencoder = LSTMAutoencoder(3, hidden_units=(5,), **settings).fit(waves)
    before = autoencoder.reconstruct(waves)

    def changed(own):
        config = own.get_config()
        (config["layer"]["config"] if own.name == "output" else config)[setting] = value
        return type(own).from_config(config if own.name == layer else own.get_config())

    model = keras.models.clone_model(autoencoder.to_keras(), clone_function=changed)
    with pytest.raises(ValueError, match=f"whose layer '{layer}' has {setting}={value!r}, expected .* {line}"):
        autoencoder.set_keras_weights(model)
    np.testing.assert_array_equal(autoencoder.reconstruct(waves), before)


def test_a_model_of_another_fit_is_refused_since_its_scaling_is_not_taken_over(small, waves):
    autoencoder, other = small().fit(waves), small().fit(3 * waves + 1).to_keras()
    before = autoencoder.transform(waves)
    with pytest.raises(
        ValueError, match=r"scales sequences in another way: its layer 'center'.*comes from another fit"
    ):
        autoencoder.set_keras_weights(other)
    np.testing.assert_array_equal(autoencoder.transform(waves), before)


@pytest.mark.parametrize(("part", "layer"), [("autoencoder", "center"), ("encoder", "center"), ("decoder", "unscale")])
def test_a_model_that_scales_is_refused_by_an_estimator_that_does_not(small, waves, part, layer):
    layers = {"context_size": 0, "shortcut_size": 0}
    autoencoder, other = small(scale=None, **layers).fit(waves), small(**layers).fit(waves).to_keras(part)
    with pytest.raises(ValueError, match=f"scales sequences in another way: its layer '{layer}'"):
        autoencoder.set_keras_weights(other)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "settings"), [("shortcut_in", {"context_size": 0}), ("context", {"shortcut_size": 0})]
)
def test_a_model_of_another_fit_without_scaling_is_refused(layer, settings):
    random = np.random.default_rng(0)
    X, other = random.normal(size=(2, 30, 12, 2)).cumsum(axis=2)
    settings = {"hidden_units": (), "epochs": 1, "scale": None, "random_state": 0} | settings
    autoencoder = LSTMAutoencoder(4, **settings).fit(X)
    autoencoder.set_keras_weights(autoencoder.to_keras())
    with pytest.raises(ValueError, match=f"Got a Keras model of another fit: its layer '{layer}'"):
        autoencoder.set_keras_weights(LSTMAutoencoder(4, **settings).fit(other).to_keras())
