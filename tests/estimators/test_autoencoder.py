import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqembed import LSTMAutoencoder
from seqembed.training.gradient import batch_gradient

# scikit-learn's own networks are excused from this check, too: it compares to seven digits. What holds is tested
# in test_training_set.py.
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": "order, variation and rounding of batches depend on repeated rows"
}


@parametrize_with_checks(
    [LSTMAutoencoder(n_components=2, hidden_units=(3,), epochs=2, batch_size=32)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_every_check_of_scikit_learn_passes_but_the_one_that_is_excused(estimator, check):
    check(estimator)


def test_transform_gives_one_float32_vector_a_sequence(fitted, waves):
    Z = fitted.transform(waves)
    assert Z.shape == (30, 3)
    assert Z.dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize("to_layout", [np.asarray, lambda X: X[:, :, 0], list])
def test_a_round_trip_gives_shape_dtype_and_units_of_the_input(waves, to_layout):
    X = to_layout(waves)
    autoencoder = LSTMAutoencoder(
        n_components=4, hidden_units=(8,), augment=False, epochs=300, batch_size=30, random_state=0
    )
    autoencoder.fit(X)
    round_trip = autoencoder.inverse_transform(autoencoder.transform(X))
    assert round_trip.shape == np.shape(X)
    assert round_trip.dtype == np.float32
    np.testing.assert_array_equal(round_trip, autoencoder.reconstruct(X))
    # Far from zero and in units of about 1 and 1000: half the deviation is out of reach unless scaling is undone.
    assert np.all(np.std(round_trip - X, axis=(0, 1)) < 0.5 * np.std(X, axis=(0, 1)))


def test_embeddings_do_not_depend_on_the_batch(fitted, waves):
    together = fitted.transform(np.tile(waves, (20, 1, 1)))
    np.testing.assert_allclose(together[:30], np.vstack([fitted.transform(wave[None]) for wave in waves]), atol=1e-6)
    # Some BLAS kernels round a column differently where it stands at the end of a matrix.
    np.testing.assert_allclose(fitted.transform(waves), fitted.transform(waves[::-1])[::-1], atol=1e-6)


def test_inverse_transform_takes_what_the_user_edited(fitted):
    assert fitted.inverse_transform([[0.0, 0.5, -0.5]]).shape == (1, 7, 2)


@pytest.mark.parametrize(
    ("Z", "message"),
    [
        (np.ones((2, 4)), r"Z has 4 columns.*n_components=3"),
        (np.full((2, 3), np.nan), "Input Z contains NaN"),
        (np.ones(3), "Expected 2D array"),
    ],
)
def test_inverse_transform_refuses_what_is_no_embedding(fitted, Z, message):
    with pytest.raises(ValueError, match=message):
        fitted.inverse_transform(Z)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_inverse_transform_refuses_its_own_columns_in_another_order_and_takes_other_names(fitted, waves, make):
    names, Z = fitted.get_feature_names_out().tolist(), fitted.transform(waves)
    expected, frame = fitted.inverse_transform(Z), make(dict(zip(names, Z.T, strict=True)))
    swapped = frame[names[::-1]]
    with pytest.raises(ValueError, match=r"in another order, .*Pass Z\[list\(estimator.get_feature_names_out\(\)\)\]"):
        fitted.inverse_transform(swapped)
    estimator, Z = fitted, swapped
    np.testing.assert_array_equal(fitted.inverse_transform(Z[list(estimator.get_feature_names_out())]), expected)
    for others in (["a", "b", "c"], ["lstmautoencoder0", "b", "c"]):
        np.testing.assert_array_equal(
            fitted.inverse_transform(make(dict(zip(others, frame.to_numpy().T, strict=True)))), expected
        )


def test_names_of_the_output_follow_scikit_learn(fitted, waves):
    assert fitted.get_feature_names_out().tolist() == ["lstmautoencoder0", "lstmautoencoder1", "lstmautoencoder2"]


def test_set_output_gives_a_data_frame_with_the_index_of_the_input(waves):
    frame = pd.DataFrame(waves[:, :, 0], index=[f"wave {number}" for number in range(30)])
    frame.columns = [f"step {step}" for step in range(7)]
    autoencoder = LSTMAutoencoder(n_components=2, hidden_units=(), epochs=1).set_output(transform="pandas")
    Z = autoencoder.fit_transform(frame)
    assert Z.index.tolist() == frame.index.tolist()
    assert Z.columns.tolist() == ["lstmautoencoder0", "lstmautoencoder1"]
    assert autoencoder.feature_names_in_.tolist() == frame.columns.tolist()


def test_a_pipeline_reconstructs_through_its_inverse(waves):
    autoencoder = LSTMAutoencoder(n_components=2, hidden_units=(3,), epochs=1, random_state=0)
    pipeline = make_pipeline(autoencoder, StandardScaler()).fit(waves)
    inverse = pipeline.inverse_transform(pipeline.transform(waves))
    # Scaled: of values near zero, rounding is a large part.
    difference = (inverse - autoencoder.reconstruct(waves)) / autoencoder.scale_
    assert np.abs(difference).max() < 1e-5


FIT_AND_PRINT = """
import hashlib
import numpy as np
from seqembed import LSTMAutoencoder
from seqembed.training.gradient import batch_gradient
X = np.random.default_rng(0).normal(size=(40, 20, 2))
options = {"hidden_units": (), "epochs": 20, "validation_fraction": 0.2, "random_state": 7}
for is_compiled in (False, True):
    batch_gradient.is_worth_compiling = lambda *sizes: is_compiled
    Z = LSTMAutoencoder(8, **options).fit_transform(X)
    print(hashlib.sha256(Z.tobytes()).hexdigest())
import sys
assert "tensorflow" in sys.modules
"""


@pytest.mark.slow
def test_the_same_random_state_gives_the_same_bits_in_two_processes(monkeypatch, capsys):
    # The second process is that of the tests, which has done other things before.
    command = [sys.executable, "-c", FIT_AND_PRINT]
    first = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-2:]
    monkeypatch.setattr(batch_gradient, "is_worth_compiling", None)
    exec(FIT_AND_PRINT, {})
    assert capsys.readouterr().out.split() == first


def test_without_random_state_results_differ(waves):
    first, second = (LSTMAutoencoder(2, hidden_units=(), epochs=1).fit_transform(waves) for _ in range(2))
    assert not np.array_equal(first, second)


@pytest.fixture
def ragged(waves):
    return [wave[: 2 + row % 6] for row, wave in enumerate(waves)]


def test_embeddings_of_unequal_sequences_depend_on_neither_padding_nor_neighbours(ragged):
    autoencoder = LSTMAutoencoder(3, hidden_units=(5,), epochs=2, batch_size=8, random_state=0).fit(ragged)
    Z = autoencoder.transform(ragged)
    np.testing.assert_allclose(Z, np.vstack([autoencoder.transform([sequence]) for sequence in ragged]), atol=1e-6)
    for padding in (0, 1e6, np.nan):
        padded = np.full((30, 9, 2), padding, np.float32)
        for row, sequence in enumerate(ragged):
            padded[row, : len(sequence)] = sequence
        np.testing.assert_array_equal(autoencoder.transform(padded, [len(sequence) for sequence in ragged]), Z)


@pytest.mark.parametrize("univariate", [False, True])
def test_unequal_sequences_come_back_as_a_list_of_their_lengths(ragged, univariate):
    X = [sequence[:, 0] for sequence in ragged] if univariate else ragged
    lengths = [len(sequence) for sequence in X]
    autoencoder = LSTMAutoencoder(3, hidden_units=(5,), epochs=2, batch_size=8, random_state=0)
    Z = autoencoder.fit_transform(X)
    reconstruction, inverse = autoencoder.reconstruct(X), autoencoder.inverse_transform(Z, lengths)
    for each, other, sequence in zip(reconstruction, inverse, X, strict=True):
        assert each.shape == other.shape == sequence.shape
        np.testing.assert_allclose(each, other, rtol=1e-5, atol=1e-3)
    assert [len(errors) for errors in autoencoder.reconstruction_error(X, per="timestep")] == lengths
    errors = autoencoder.reconstruction_error(X, per="value")
    np.testing.assert_allclose(autoencoder.reconstruction_error(X), [each.mean() for each in errors], rtol=1e-5)
    assert autoencoder.score(X) < 1
    with pytest.raises(ValueError, match=r"pass lengths=\[len\(sequence\) for sequence in X\]"):
        autoencoder.inverse_transform(Z)


def test_an_array_of_another_length_is_refused_after_a_fit_on_one_length(fitted, waves):
    with pytest.raises(ValueError, match=r"X has 5 timesteps.*fitted on 7 timesteps.*pass a list of arrays: list\(X\)"):
        fitted.transform(waves[:, :5])


def test_a_list_of_other_lengths_is_read_after_a_fit_on_one_length(fitted, waves, ragged):
    Z = fitted.transform(ragged)
    np.testing.assert_allclose(Z[[len(x) == 7 for x in ragged]], fitted.transform([x for x in ragged if len(x) == 7]))
    assert [x.shape for x in fitted.reconstruct(ragged)] == [x.shape for x in ragged]
    assert [x.shape for x in fitted.reconstruction_error(ragged, per="timestep")] == [x.shape[:1] for x in ragged]
    assert np.isfinite(fitted.score(ragged))
    lengths = np.full(len(waves), 5)
    np.testing.assert_array_equal(fitted.transform(waves, lengths), fitted.transform(list(waves[:, :5])))
    assert isinstance(fitted.reconstruct(list(waves)), np.ndarray)


def test_a_search_over_lists_scores_a_fold_whose_training_part_has_one_length(small, waves):
    X = [*waves[:10], *(x[:5] for x in waves[10:20])]
    search = GridSearchCV(small(), {"epochs": [1]}, cv=KFold(2)).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.slow
def test_missing_values_are_read_as_means_left_out_of_errors_and_estimated(waves):
    X = waves.copy()
    missing = np.random.default_rng(0).random(X.shape) < 0.2
    X[missing] = np.nan
    autoencoder = LSTMAutoencoder(
        4, hidden_units=(8,), augment=False, context_size=0, epochs=300, batch_size=30, random_state=0
    ).fit(X)
    filled = np.where(missing, autoencoder.feature_means_, X).astype(np.float32)
    np.testing.assert_allclose(autoencoder.transform(X), autoencoder.transform(filled), atol=1e-5)
    errors = autoencoder.reconstruction_error(X, per="value")
    np.testing.assert_array_equal(np.isnan(errors), missing)
    np.testing.assert_allclose(autoencoder.reconstruction_error(X), np.nanmean(errors, axis=(1, 2)), rtol=1e-4)
    imputed = autoencoder.reconstruct(X)[missing]
    means = np.broadcast_to(autoencoder.feature_means_, X.shape)[missing]
    assert np.square(imputed - waves[missing]).mean() < 0.5 * np.square(means - waves[missing]).mean()


def test_a_time_last_array_gets_a_warning_with_the_remedy(waves):
    smooth = np.sin(np.arange(60) / 9 + np.arange(24).reshape(12, 2, 1) ** 2)
    with pytest.warns(UserWarning, match=r"pass X.transpose\(0, 2, 1\)"):
        LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(smooth)


def test_inverse_transform_writes_into_the_users_array(waves, fitted):
    Z = fitted.transform(waves)
    out = np.empty(waves.shape, np.float32)
    assert fitted.inverse_transform(Z, out=out) is out
    np.testing.assert_array_equal(out, fitted.inverse_transform(Z))
    with pytest.raises(ValueError, match=r"Got out= of shape \(3,\)"):
        fitted.inverse_transform(Z, out=np.empty(3))
    with pytest.raises(ValueError, match="Don't pass out="):
        fitted.inverse_transform(Z, lengths=[7] * len(Z), out=out)


@pytest.mark.usefixtures("small_chunks")
def test_embeddings_are_decoded_by_batches_as_all_at_once(fitted, waves, loader, tmp_path):
    Z = fitted.transform(waves)
    expected = fitted.inverse_transform(Z)
    decoded = fitted.inverse_transform(loader(Z[:20], Z[20:]))
    np.testing.assert_allclose(decoded, expected, rtol=1e-4)
    out = np.empty(expected.shape, np.float32)
    assert fitted.inverse_transform(iter([Z[:20], Z[20:]]), out=out) is out
    np.testing.assert_array_equal(out, decoded)
    zarr = pytest.importorskip("zarr")
    stored = zarr.create_array(str(tmp_path / "Z"), data=Z, chunks=(7, 3))
    np.testing.assert_allclose(fitted.inverse_transform(stored), expected, rtol=1e-4)
    lengths = np.arange(len(Z)) % 7 + 1
    for sequence, other in zip(
        fitted.inverse_transform(stored, lengths), fitted.inverse_transform(Z, lengths), strict=True
    ):
        np.testing.assert_allclose(sequence, other, rtol=1e-4)
    into = zarr.create_array(str(tmp_path / "X"), shape=expected.shape, dtype="float32")
    fitted.inverse_transform(Z, out=into)
    np.testing.assert_allclose(into[:], expected, rtol=1e-4)
    with pytest.raises(ValueError, match="Got lengths= beside batches of embeddings"):
        fitted.inverse_transform(iter([Z]), lengths=lengths)


def walks(n_samples=40):
    return np.random.default_rng(0).normal(size=(n_samples, 12, 2)).cumsum(axis=1)


def small_network(**parameters):
    return LSTMAutoencoder(8, hidden_units=(6,), random_state=0, **{"epochs": 2} | parameters)


def test_context_and_shortcut_have_at_most_half_the_size_of_the_embedding():
    network = small_network().fit(walks()).network_
    assert (network.context_size, network.shortcut_size) == (4, 4)
    few = small_network().fit(walks(3)).network_
    assert few.context_size <= 2
    assert few.shortcut_size <= 1
    nothing = small_network().fit(np.ones((5, 12, 2))).network_
    assert (nothing.context_size, nothing.shortcut_size) == (0, 0)


def test_without_context_and_shortcut_the_network_is_that_of_lstm_layers_alone():
    autoencoder = small_network(context_size=0, shortcut_size=0).fit(walks())
    assert set(autoencoder.weights_) == set(autoencoder.network_.weight_shapes)
    assert autoencoder.model_.context is None


def test_a_shortcut_larger_than_the_embedding_is_refused():
    with pytest.raises(ValueError, match="Got shortcut_size=9 with n_components=8, expected at most as many"):
        small_network(shortcut_size=9).fit(walks())


def test_a_stream_keeps_the_context_and_the_shortcut_of_its_first_batch(monkeypatch):
    monkeypatch.setattr(batch_gradient, "is_worth_compiling", lambda *sizes: False)
    autoencoder = small_network().partial_fit(walks())
    context, loadings = autoencoder.model_.context, autoencoder.weights_["shortcut/loadings"]
    autoencoder.partial_fit(100 * walks())
    assert autoencoder.model_.context is context
    assert autoencoder.weights_["shortcut/loadings"] is loadings


def test_the_shortcut_alone_reconstructs_what_principal_components_reconstruct():
    X = walks(200)
    autoencoder = small_network(context_size=0, epochs=1, learning_rate=1e-9, augment=False).fit(X)
    plain = small_network(context_size=0, shortcut_size=0, epochs=1, learning_rate=1e-9, augment=False).fit(X)
    assert autoencoder.score(X) > 0.5 > plain.score(X)


def test_a_single_timestep_of_a_single_feature_is_embedded():
    X = np.random.default_rng(0).normal(size=(20, 1, 1))
    assert small_network().fit(X).transform(X).shape == (20, 8)


def test_fewer_updates_at_a_higher_rate_are_for_networks_with_a_shortcut():
    with_shortcut, without = (small_network(epochs="auto", batch_size=40, shortcut_size=size) for size in ("auto", 0))
    assert (with_shortcut.count_epochs(40, 12), without.count_epochs(40, 12)) == (500, 1000)
    constant = small_network(epochs="auto", patience=1).fit(np.ones((5, 12, 2)))
    assert constant.network_.shortcut_size == 0
    fitted = small_network().fit(walks())
    rates = [max(each.history_["learning_rate"]) for each in (fitted, small_network(shortcut_size=0).fit(walks()))]
    assert rates[0] == pytest.approx(1.5 * rates[1])


@pytest.mark.parametrize("name", ["context_size", "shortcut_size"])
def test_training_goes_on_with_the_sizes_that_were_found_or_not_at_all(name):
    few = small_network(**{name: 6}).fit(walks(5))
    size = getattr(few.network_, name)
    assert 0 < size < 6
    assert getattr(few.set_params(warm_start=True).fit(walks()).network_, name) == size
    none = small_network(**{name: 0}).fit(walks())
    with pytest.raises(ValueError, match="Training can't go on from"):
        none.set_params(warm_start=True, **{name: 4}).fit(walks())
    with pytest.raises(ValueError, match="Training can't go on from"):
        few.set_params(**{name: 0}).fit(walks())


@pytest.mark.parametrize("name", ["context_size", "shortcut_size"])
def test_a_stream_whose_first_batch_gave_none_of_a_size_that_was_asked_for_says_how_to_go_on(name):
    stream = small_network(**{name: 2}).partial_fit(walks(1))
    assert getattr(stream.network_, name) == 0
    with pytest.raises(ValueError, match=f"did not give, use {name}='auto'"):
        stream.partial_fit(walks())
    assert len(stream.set_params(**{name: "auto"}).partial_fit(walks()).history_["loss"]) == 2
