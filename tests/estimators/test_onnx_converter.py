import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqembed import LSTMAutoencoder, SequenceSummary, register_onnx_converter
from seqembed.datasets import load_basic_motions

skl2onnx = pytest.importorskip("skl2onnx")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def converted(pipeline, *shape, options=None):
    register_onnx_converter()
    return skl2onnx.convert_sklearn(
        pipeline,
        initial_types=[("X", skl2onnx.common.data_types.FloatTensorType([None, *shape]))],
        target_opset=17,
        options=options,
    )


@pytest.mark.slow
def test_a_pipeline_in_one_file_predicts_the_classes_of_basic_motions():
    X, y = load_basic_motions(split="train", return_X_y=True)
    unseen = load_basic_motions(split="test").data
    autoencoder = LSTMAutoencoder(8, hidden_units=(16,), epochs=60, random_state=0)
    pipeline = make_pipeline(autoencoder, StandardScaler(), LogisticRegression()).fit(X, y)
    model = converted(pipeline, 100, 6, options={id(pipeline): {"zipmap": False}})
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    labels, probabilities = session.run(None, {"X": unseen})
    np.testing.assert_array_equal(labels, pipeline.predict(unseen))
    np.testing.assert_allclose(probabilities, pipeline.predict_proba(unseen), atol=1e-4)


def test_two_autoencoders_in_a_pipeline_do_not_share_names():
    X = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    network = LSTMAutoencoder(3, hidden_units=(), epochs=1, random_state=0)
    pipeline = make_pipeline(network, LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0)).fit(X)
    session = onnxruntime.InferenceSession(converted(pipeline, 6).SerializeToString())
    np.testing.assert_allclose(session.run(None, {"X": X})[0], pipeline.transform(X), atol=1e-5)


def test_a_fit_on_unequal_lengths_is_refused():
    X = [np.zeros((3, 1)) + np.arange(3)[:, np.newaxis], np.ones((2, 1))]
    with pytest.raises(ValueError, match="a pipeline has no input for lengths"):
        converted(make_pipeline(LSTMAutoencoder(2, hidden_units=(), epochs=1)).fit(X), 3, 1)


@pytest.mark.parametrize(("level", "dtype"), [(0, np.float32), (0, np.float64), (4.5e6, np.float64)])
def test_sequences_of_either_dtype_are_read(level, dtype):
    X = (np.random.default_rng(0).normal(size=(20, 6)) + level).astype(dtype)
    pipeline = make_pipeline(LSTMAutoencoder(3, hidden_units=(), epochs=1, random_state=0)).fit(X)
    register_onnx_converter()
    model = skl2onnx.to_onnx(pipeline, X[:1], target_opset=17)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    np.testing.assert_allclose(session.run(None, {"X": X})[0], pipeline.transform(X), atol=1e-5)


@pytest.mark.parametrize("estimator", [LSTMAutoencoder(2, hidden_units=(), epochs=1), SequenceSummary(2)])
def test_an_estimator_that_is_not_fitted_is_refused_in_words(estimator):
    for model in (estimator, make_pipeline(estimator)):
        with pytest.raises(NotFittedError, match=f"This {type(estimator).__name__} instance is not fitted yet"):
            converted(model, 6)


def test_an_old_opset_is_refused():
    X = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    register_onnx_converter()
    with pytest.raises(ValueError, match="Got target_opset=15, expected 17 or more"):
        skl2onnx.to_onnx(LSTMAutoencoder(3, hidden_units=(), epochs=1).fit(X), X, target_opset=15)
