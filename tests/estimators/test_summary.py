import io
import subprocess
import sys
from dataclasses import replace

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqembed import InvalidFileError, SequenceSummary, load
from seqembed.datasets import load_basic_motions, load_japanese_vowels
from seqembed.estimators.saving import describe
from seqembed.files.safetensors_file import pack


def walks(n_samples=50, n_timesteps=30, n_features=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n_samples, n_timesteps, n_features)).cumsum(axis=1)


RAGGED = [x[: 5 + i % 26] for i, x in enumerate(walks())]


@parametrize_with_checks([SequenceSummary(n_components=3)])
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


def test_a_linear_classifier_knows_movements_by_it():
    X, y = load_basic_motions(return_X_y=True)
    pipeline = make_pipeline(SequenceSummary(16), StandardScaler(), LogisticRegression(max_iter=1000))
    assert pipeline.fit(X[::2], y[::2]).score(X[1::2], y[1::2]) >= 0.95


def test_sequences_of_unequal_lengths_are_told_apart():
    X, y = load_japanese_vowels(return_X_y=True)
    pipeline = make_pipeline(SequenceSummary(), StandardScaler(), LogisticRegression(max_iter=1000))
    assert pipeline.fit(X[::2], y[::2]).score(X[1::2], y[1::2]) >= 0.93


@pytest.mark.slow
def test_threads_and_other_sequences_change_nothing():
    random = np.random.default_rng(0)
    switching = [np.repeat(random.integers(0, 2, (12, 1)), 5, axis=0)[: random.integers(3, 60)] for _ in range(600)]
    summary = SequenceSummary(4).fit(switching)
    expected = summary.transform(switching)
    summary.n_jobs = 1
    np.testing.assert_array_equal(summary.transform(switching), expected)
    alone = np.concatenate([summary.transform([x]) for x in switching])
    np.testing.assert_allclose(alone, expected, atol=2e-6)


@pytest.mark.usefixtures("small_chunks")
def test_batches_and_stored_arrays_change_nothing(tmp_path):
    X = walks()
    summary = SequenceSummary(4).fit(X)
    expected = summary.transform(X)
    for other in (
        SequenceSummary(4).fit(X[start : start + 20] for start in range(0, 50, 20)).transform(X),
        summary.transform(iter([X[:20], X[20:]])),
        summary.transform(list(X)),
    ):
        np.testing.assert_allclose(other, expected, atol=1e-5)
    out = np.lib.format.open_memmap(tmp_path / "Z.npy", "w+", np.float32, expected.shape)
    assert summary.transform(X, out=out) is out
    np.testing.assert_array_equal(out, expected)
    zarr = pytest.importorskip("zarr")
    stored = zarr.create_array(str(tmp_path / "X"), data=X, chunks=(7, 30, 2))
    np.testing.assert_allclose(SequenceSummary(4).fit(stored).transform(stored), expected, atol=1e-5)


def test_a_dask_array_gives_a_dask_array():
    dask = pytest.importorskip("dask.array")
    X = walks()
    summary = SequenceSummary(4).fit(X)
    lazy = summary.transform(dask.from_array(X, chunks=(20, 30, 2)))
    assert lazy.shape == (50, 4)
    np.testing.assert_allclose(lazy.compute(), summary.transform(X), atol=1e-5)


def test_lengths_beside_a_padded_array_are_those_of_a_list():
    lengths = np.array([len(x) for x in RAGGED])
    padded = np.full((50, 30, 2), np.nan)
    for row, x in zip(padded, RAGGED, strict=True):
        row[: len(x)] = x
    expected = SequenceSummary(4).fit_transform(RAGGED)
    np.testing.assert_allclose(SequenceSummary(4).fit_transform(padded, lengths=lengths), expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Got sequences that differ")
@pytest.mark.parametrize(
    "X",
    [
        walks(1),
        walks(20, 1),
        walks(20, 8),
        np.full((5, 20, 2), 7.0),
        np.where(np.random.default_rng(0).random((30, 20, 2)) < 0.5, np.nan, walks(30, 20)),
        walks(12, 40, 200),
        walks(6, 5000, 1),
        walks() * 1e30,
        walks(20, 30, 1)[:, :, 0],
    ],
    ids=["one sequence", "one timestep", "short", "constant", "holes", "wide", "long", "huge", "2D"],
)
def test_every_kind_of_sequences_gets_finite_components(X):
    Z = SequenceSummary(4).fit_transform(X)
    assert Z.shape[0] == len(X)
    assert np.isfinite(Z).all()


def test_the_output_has_names_and_a_frame_of_other_columns_is_refused():
    frames = [pd.DataFrame(x, columns=["flow", "heat"]) for x in walks()]
    summary = SequenceSummary(3).set_output(transform="pandas").fit(frames)
    assert list(summary.transform(frames).columns) == [f"sequencesummary{i}" for i in range(3)]
    with pytest.raises(ValueError, match="must be in the same order"):
        summary.transform([frame[["heat", "flow"]] for frame in frames])


def test_an_iterator_cannot_be_fitted_and_transformed_in_one_go():
    with pytest.raises(ValueError, match="can be read only once"):
        SequenceSummary(3).fit_transform(iter([walks()]))


@pytest.mark.parametrize("X", [walks(), walks(n_features=1)[:, :, 0], RAGGED])
def test_an_equal_summary_comes_back_from_a_file(X):
    summary, file = SequenceSummary(4).fit(X), io.BytesIO()
    summary.save(file)
    np.testing.assert_array_equal(load(file.getvalue()).transform(X), summary.transform(X))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("n_timesteps", 31, "the timesteps of the summary"),
        ("n_timesteps", 1 << 30, "the scales of the length"),
        ("means", lambda means: means[:-1], "finite numbers of shape .* for means"),
        ("factors", lambda factors: -factors, "factors of at least zero"),
        ("axes", lambda axes: axes[:-1], "finite numbers of shape .* for axes"),
        ("offset", lambda offset: offset[:-1], "finite numbers of shape .* for offset"),
        ("shares", None, "shares"),
    ],
)
def test_a_file_of_parts_that_do_not_fit_is_refused(field, value, message):
    summary = SequenceSummary(4).fit(walks())
    model = summary.model_
    changed = {field: value(getattr(model.summary, field)) if callable(value) else value}
    summary.model_ = replace(model, summary=model.summary._replace(**changed))
    with pytest.raises(InvalidFileError, match=f"expected {message}"):
        load(pack(*describe(summary)))


@pytest.mark.parametrize(
    ("field", "change", "message"),
    [
        ("channels", lambda channels: channels[:0], "finite numbers of shape .* for channels"),
        ("channels", lambda channels: 7 * channels, "channels of zeros and ones"),
        ("channels", lambda channels: channels[:, :1], "finite numbers of shape .* for channels"),
        ("thresholds", lambda thresholds: thresholds[:, :0], "thresholds"),
        (
            "thresholds",
            lambda thresholds: np.full_like(thresholds, np.nan),
            "finite numbers of shape .* for thresholds",
        ),
    ],
)
def test_a_file_of_shares_that_do_not_fit_is_refused(field, change, message):
    summary = SequenceSummary(4).fit(walks())
    model = summary.model_
    shares = model.summary.shares
    wrong = shares._replace(**{field: change(getattr(shares, field))})
    summary.model_ = replace(model, summary=model.summary._replace(shares=wrong))
    with pytest.raises(InvalidFileError, match=f"expected {message}"):
        load(pack(*describe(summary)))


def test_fewer_components_than_asked_for_are_reported():
    with pytest.warns(UserWarning, match=r"Got sequences that differ in 4 directions.*n_components=4"):
        summary = SequenceSummary().fit(walks(5))
    assert summary.n_components_ == summary.transform(walks(7)).shape[1] == 4


def test_an_unfitted_one_and_a_pickled_one_come_back():
    file = io.BytesIO()
    SequenceSummary(7, n_jobs=2).save(file)
    assert load(file.getvalue()).get_params() == {"n_components": 7, "n_jobs": 2}
    summary, file = SequenceSummary(4).fit(walks()), io.BytesIO()
    joblib.dump(summary, file)
    file.seek(0)
    np.testing.assert_array_equal(joblib.load(file).transform(walks()), summary.transform(walks()))
    with pytest.raises(InvalidFileError, match="Got 0 bytes"):
        load(b"")


@pytest.mark.slow
def test_it_needs_no_tensorflow():
    code = (
        "import sys, numpy as np; sys.modules['tensorflow'] = None; from seqembed import SequenceSummary; "
        "print(SequenceSummary(2).fit_transform(np.random.default_rng(0).normal(size=(9, 20, 2))).shape)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "(9, 2)\n"
