import io

import numpy as np
import pytest
from sklearn.utils.fixes import parse_version

from seqembed import SequenceSummary

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def walks(n_samples=60, n_timesteps=30, n_features=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n_samples, n_timesteps, n_features)).cumsum(axis=1)


def with_holes(X, share=0.2):
    return np.where(np.random.default_rng(1).random(X.shape) < share, np.nan, X)


def run(summary, X, **inputs):
    file = io.BytesIO()
    summary.export_onnx(file)
    model = onnx.load_from_string(file.getvalue())
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(file.getvalue())
    dtype = np.float64 if session.get_inputs()[0].type == "tensor(double)" else np.float32
    return session.run(["Z"], {"X": np.asarray(X, dtype), **inputs})[0]


@pytest.mark.parametrize(
    "X",
    [
        walks(),
        with_holes(walks()),
        walks(n_features=1)[:, :, 0],
        walks(20, 1),
        walks(20, 8, 3),
        walks(20, 31, 12),
        walks(10, 200, 20),
        np.full((5, 20, 2), 7.0),
        walks() + 1e7,
    ],
    ids=["walks", "holes", "2D", "one timestep", "short", "pairs", "wide", "constant", "far from zero"],
)
def test_the_model_computes_what_the_estimator_computes(X):
    summary = SequenceSummary(6).fit(X)
    expected = summary.transform(X.astype(np.float32) if summary.model_.scaling.dtype == np.float32 else X)
    np.testing.assert_allclose(run(summary, X), expected, atol=2e-3)
    assert len(run(summary, X[:1])) == 1
    if parse_version(onnxruntime.__version__) >= parse_version("1.32"):
        # Before, a convolution of no sequences has a wrong shape.
        assert len(run(summary, X[:0])) == 0


def test_lengths_are_an_input_where_they_differ():
    X = walks(n_timesteps=75)
    lengths = 1 + np.arange(60)
    sequences = [x[:length].astype(np.float32) for x, length in zip(X, lengths, strict=True)]
    summary = SequenceSummary(6).fit(sequences)
    padded = np.pad(X, ((0, 0), (0, 9), (0, 0)), constant_values=123)
    np.testing.assert_allclose(run(summary, padded, lengths=lengths), summary.transform(sequences), atol=2e-3)


def test_a_pipeline_is_converted():
    skl2onnx = pytest.importorskip("skl2onnx")
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from seqembed import register_onnx_converter

    X, y = walks().astype(np.float32), np.arange(60) % 2
    pipeline = make_pipeline(SequenceSummary(4), LogisticRegression()).fit(X, y)
    register_onnx_converter()
    types, options = [("X", FloatTensorType([None, 30, 2]))], {id(pipeline): {"zipmap": False}}
    model = skl2onnx.convert_sklearn(pipeline, initial_types=types, target_opset=17, options=options)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    probabilities = session.run(["probabilities"], {"X": X})[0]
    np.testing.assert_allclose(probabilities, pipeline.predict_proba(X), atol=1e-2)
