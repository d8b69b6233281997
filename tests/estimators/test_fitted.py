import numpy as np
import pandas as pd
import pytest
from kernels import assert_same
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_validate

from seqembed import LSTMAutoencoder, LSTMReconstructor, SequenceSummary


def test_errors_per_value_timestep_and_sequence_are_means_of_one_another(fitted, waves):
    values = fitted.reconstruction_error(waves, per="value")
    expected = np.square((fitted.reconstruct(waves) - waves) / fitted.scale_)
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(fitted.reconstruction_error(waves, per="timestep"), values.mean(axis=2), rtol=1e-5)
    np.testing.assert_allclose(fitted.reconstruction_error(waves), values.mean(axis=(1, 2)), rtol=1e-5)


def test_an_unknown_kind_of_error_is_refused(fitted, waves):
    with pytest.raises(ValueError, match="Got per='step', expected one of 'sequence', 'timestep', 'value'"):
        fitted.reconstruction_error(waves, per="step")


def test_lengths_in_the_place_of_the_kind_of_error_are_refused_with_their_name(fitted, waves):
    with pytest.raises(TypeError, match=r"per= of type ndarray.*reconstruction_error\(X, lengths=lengths\)"):
        fitted.reconstruction_error(waves, np.full(len(waves), 7))


@pytest.mark.parametrize("n_samples", [3, 40])
@pytest.mark.parametrize("n_jobs", ["x", 2.5, 0, -2])
def test_an_impossible_number_of_threads_that_is_set_after_the_fit_is_refused(small, waves, n_jobs, n_samples):
    autoencoder = small(epochs=1).fit(waves)
    X = np.resize(waves, (n_samples, *waves.shape[1:]))
    Z = autoencoder.transform(X)
    autoencoder.set_params(n_jobs=n_jobs)
    for compute, given in ((autoencoder.transform, X), (autoencoder.inverse_transform, Z)):
        with pytest.raises(ValueError, match=r"Got n_jobs=.*expected an integer.*set_params\(n_jobs=None\)"):
            compute(given)


@pytest.mark.parametrize("scale", ["standard", None])
def test_score_is_r2_about_the_training_means(waves, scale, small):
    train, test = waves[:20], waves[20:] + np.float32(0.5)
    autoencoder = small(scale=scale).fit(train)
    errors = autoencoder.reconstruction_error(test, per="value")
    deviations = np.square((test - train.mean(axis=(0, 1))) / autoencoder.scale_)
    assert autoencoder.score(test) == pytest.approx(1 - errors.sum() / deviations.sum(), abs=1e-4)


def test_weights_count_in_the_score_as_repeated_sequences_do(fitted, waves):
    weights = np.arange(len(waves)) % 3
    weighted = fitted.score(waves, sample_weight=weights)
    assert weighted == pytest.approx(fitted.score(np.repeat(waves, weights, axis=0)))
    assert weighted != pytest.approx(fitted.score(waves))
    assert_same(fitted.score((waves[rows] for rows in (slice(0, 9), slice(9, None))), sample_weight=weights), weighted)
    with pytest.raises(ValueError, match=rf"sample_weight= of shape \(3,\).*Pass an array of shape \({len(waves)},\)"):
        fitted.score(waves, sample_weight=[1, 2, 3])


def test_only_ratios_of_weights_count_in_the_score_however_large_they_are(fitted, waves):
    scores = [fitted.score(waves, sample_weight=np.full(len(waves), weight)) for weight in (1.0, 1e308, 1e-320)]
    assert scores == pytest.approx([fitted.score(waves)] * 3)


def test_a_sequence_of_weight_0_does_not_count_however_large_it_is(fitted, waves):
    weights = np.append(np.ones(len(waves)), 0)
    larger = np.concatenate([waves, np.full_like(waves[:1], 1e30)])
    assert fitted.score(larger, sample_weight=weights) == pytest.approx(fitted.score(waves))


def test_cross_validation_weighs_the_score_if_it_is_asked_to(waves, small):
    weights = np.arange(len(waves)) % 3
    with config_context(enable_metadata_routing=True):
        asked = small(epochs=1).set_fit_request(sample_weight=False).set_score_request(sample_weight=True)
        folds = list(KFold(2).split(waves))
        result = cross_validate(asked, waves, cv=folds, params={"sample_weight": weights}, return_estimator=True)
    for (_, test), fitted, score in zip(folds, result["estimator"], result["test_score"], strict=True):
        assert fitted.score(waves[test], sample_weight=weights[test]) == score


def test_score_of_centred_data_is_that_of_scikit_learn(waves, small):
    X = waves[:, :, :1]
    autoencoder = small().fit(X)
    assert autoencoder.score(X) == pytest.approx(r2_score(X.ravel(), autoencoder.reconstruct(X).ravel()), abs=1e-4)


@pytest.mark.parametrize("scale", ["standard", None])
def test_all_equal_values_give_a_score_of_zero_or_one(scale, small):
    X = np.full((6, 4, 2), 3.0)
    assert small(scale=scale).fit(X).score(X) in (0.0, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.transpose(0, 2, 1), r"looks transposed, time last: pass X.transpose\(0, 2, 1\)"),
        (lambda X: X[:, :5], r"X has 5 timesteps of 2 features.*fitted on 7 timesteps of 2 features"),
        (lambda X: X[:, :, :1], r"X has 7 timesteps of 1 feature,.*\(n_samples, 7, 2\)"),
        (lambda X: X[0], r"looks like a single sequence: pass X\[np.newaxis\]"),
        (lambda X: pd.DataFrame(X[0], columns=["flow", "heat"]), r"or \[X\] for a data frame"),
    ],
)
def test_other_shapes_than_the_fitted_one_are_refused_with_the_remedy(fitted, waves, change, message):
    with pytest.raises(ValueError, match=message):
        fitted.transform(change(waves))


@pytest.mark.parametrize("method", ["transform", "reconstruct", "reconstruction_error", "score", "inverse_transform"])
def test_nothing_works_before_fit(method, waves, small):
    with pytest.raises(NotFittedError):
        getattr(small(), method)(waves)
    with pytest.raises(NotFittedError):
        small().to_keras()


def test_results_by_batches_are_those_of_all_at_once(fitted, waves):
    def batches():
        return iter((waves[:3], waves[3:20], waves[20:]))

    for compute in (fitted.transform, fitted.reconstruct, fitted.reconstruction_error):
        np.testing.assert_allclose(compute(batches()), compute(waves), atol=1e-5, rtol=1e-5)
    assert fitted.score(batches()) == pytest.approx(fitted.score(waves))


@pytest.mark.parametrize("as_batches", [lambda X: X, lambda X: iter((X[:4], X[4:]))])
def test_results_go_where_the_user_wants_them(fitted, waves, tmp_path, as_batches):
    for name, compute in (
        ("embedding", fitted.transform),
        ("reconstruction", fitted.reconstruct),
        ("error", lambda X, out=None: fitted.reconstruction_error(X, per="timestep", out=out)),
    ):
        expected = compute(as_batches(waves))
        out = np.lib.format.open_memmap(tmp_path / f"{name}.npy", "w+", np.float32, expected.shape)
        assert compute(as_batches(waves), out=out) is out
        np.testing.assert_array_equal(out, expected)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("kind", ["zarr", "h5py"])
@pytest.mark.parametrize("given", [lambda X: X, list, lambda X: iter((X[:4], X[4:]))], ids=["array", "list", "batches"])
def test_results_go_into_stored_arrays(fitted, waves, tmp_path, kind, given):
    expected = fitted.reconstruct(waves)
    if kind == "zarr":
        out = pytest.importorskip("zarr").open(
            str(tmp_path / "out.zarr"), mode="w", shape=expected.shape, chunks=(4, 7, 2), dtype="f4"
        )
    else:
        out = (
            pytest.importorskip("h5py")
            .File(tmp_path / "out.h5", "w")
            .create_dataset("out", expected.shape, "f4", chunks=(4, 7, 2))
        )
    assert fitted.reconstruct(given(waves), out=out) is out
    assert_same(out[:], expected)


def test_a_place_for_results_that_has_no_rows_is_refused(fitted, waves):
    for out, given in ((np.array(0, np.float32), r"shape \(\)"), (0, "type int")):
        with pytest.raises(ValueError, match=f"Got out= of {given}, expected a row for each sequence"):
            fitted.transform(iter([waves]), out=out)


def test_columns_and_lengths_are_checked_whatever_the_results_are_written_to(tmp_path, waves, small):
    frames = [pd.DataFrame(x, columns=["flow", "heat"]) for x in waves]
    fitted = small().fit(frames)
    out = pytest.importorskip("h5py").File(tmp_path / "out.h5", "w").create_dataset("out", (30, 3), "f4", chunks=True)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.transform([frame[["heat", "flow"]] for frame in frames], out=out)
    assert not out[:].any()
    # Of unequal lengths.
    shorter = [frame[: 3 + row % 4] for row, frame in enumerate(frames)]
    np.testing.assert_array_equal(fitted.transform(shorter, out=out)[:], fitted.transform(shorter))


@pytest.mark.usefixtures("small_chunks")
def test_a_stored_array_of_another_width_or_kind_stays_as_it_is_and_one_of_too_few_rows_is_refused(
    fitted, waves, tmp_path
):
    stored = pytest.importorskip("h5py").File(tmp_path / "out.h5", "w")
    lengths = np.arange(30) % 7 + 1
    short = stored.create_dataset("short", (29, 3), "f4", chunks=True)
    with pytest.raises(ValueError, match="Got out= of 29 rows for more sequences"):
        fitted.transform(waves, out=short)
    for name, shape, dtype, message in (
        ("wide", (30, 5), "f4", r"Got out= of shape \(30, 5\).*expected \(n_samples, 3\)"),
        ("whole", (30, 3), "i4", "dtype int32"),
    ):
        out = stored.create_dataset(name, shape, dtype, chunks=True)
        with pytest.raises(ValueError, match=message):
            fitted.transform(waves, out=out)
        assert not out[:].any()
    out = stored.create_dataset("reconstruction", waves.shape, "f4", chunks=True)
    with pytest.raises(ValueError, match="Their results are a list of arrays"):
        fitted.reconstruct(waves, lengths, out=out)


def test_a_univariate_result_has_no_axis_of_features_wherever_it_goes(waves, small):
    autoencoder = small().fit(waves[:, :, 0])
    out = np.empty((30, 7), np.float64)
    assert autoencoder.reconstruct(waves[:, :, 0], out=out) is out
    np.testing.assert_array_equal(out, autoencoder.reconstruct(waves[:, :, 0]))


def test_room_may_be_part_of_a_larger_array(waves, small):
    autoencoder, table = small().fit(waves[:, :, 0]), np.zeros((30, 14))
    autoencoder.reconstruct(waves[:, :, 0], out=table[:, ::2])
    np.testing.assert_array_equal(table[:, ::2], autoencoder.reconstruct(waves[:, :, 0]))
    assert not table[:, 1::2].any()


@pytest.mark.parametrize("out", [np.empty((30, 4), np.float32), np.empty((30, 3), int), [0.0]])
def test_room_of_another_shape_or_kind_is_refused(fitted, waves, out):
    with pytest.raises(ValueError, match=r"expected np.empty\(\(30, 3\), np.float32\)"):
        fitted.transform(waves, out=out)


def test_an_array_of_another_width_is_refused_by_its_own_shape_also_for_batches(fitted, waves):
    with pytest.raises(ValueError, match=r"Got out= of shape \(30, 5\).*expected \(n_samples, 3\)"):
        fitted.transform(iter([waves[:20], waves[20:]]), out=np.empty((30, 5), np.float32))


@pytest.mark.parametrize("as_batches", [False, True])
def test_a_place_for_results_that_cannot_be_written_is_refused_with_what_to_open(fitted, waves, as_batches):
    out = np.empty((30, 3), np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match=r"Got out= that is read-only.*mmap_mode='r\+'"):
        fitted.transform(iter([waves]) if as_batches else waves, out=out)


def test_one_value_of_1e20_leaves_the_score_a_number(waves, fitted):
    X = waves.astype(np.float64)
    X[0, 0, 0] = 1e20
    assert np.isfinite(fitted.score(X))


@pytest.mark.slow
def test_reconstructions_far_from_zero_are_as_good_as_near_it():
    near = 0.1 * np.sin(np.arange(20) / 3 + np.random.default_rng(0).uniform(0, 6, (60, 1)))
    far = 4.5e6 + near
    autoencoders = [LSTMAutoencoder(4, hidden_units=(8,), epochs=50, random_state=0).fit(X) for X in (near, far)]
    assert [each.reconstruct(X).dtype for each, X in zip(autoencoders, (near, far), strict=True)] == ["f4", "f8"]
    r2 = [
        1 - np.square(each.reconstruct(X) - X).sum() / np.square(X - X.mean()).sum()
        for each, X in zip(autoencoders, (near, far), strict=True)
    ]
    assert r2[0] == pytest.approx(r2[1], abs=0.02)
    assert r2[1] == pytest.approx(autoencoders[1].score(far), abs=1e-3)
    decoded = autoencoders[1].inverse_transform(autoencoders[1].transform(far))
    np.testing.assert_allclose(decoded, autoencoders[1].reconstruct(far), atol=1e-6)


@pytest.mark.parametrize("kind", ["LSTMAutoencoder", "relu", "LSTMReconstructor", "SequenceSummary"])
@pytest.mark.parametrize("sentinel", [-3.4028235e38, 1.7976e308, -1.7976e308])
def test_a_sentinel_of_the_size_of_its_dtype_makes_no_result_nan(waves, kind, sentinel):
    small = {"n_components": 3, "hidden_units": (5,), "epochs": 1, "random_state": 0}
    kinds = {
        "LSTMAutoencoder": LSTMAutoencoder(**small),
        "relu": LSTMAutoencoder(**small, activation="relu"),
        "LSTMReconstructor": LSTMReconstructor(**small),
        "SequenceSummary": SequenceSummary(3),
    }
    X = np.repeat(waves.astype(np.float64) * 1e-3, 2, axis=2)
    estimator = kinds[kind].fit(X)
    X[3, 2, 1], X[4, :2, 0], X[5] = sentinel, (sentinel, -sentinel), sentinel
    for name in ("transform", "reconstruct", "reconstruction_error", "score"):
        if hasattr(estimator, name):
            results = np.asarray(getattr(estimator, name)(X))
            assert np.isfinite(results).all(), name
