import copy
import os
import pickle
import random
import subprocess
import sys
import tempfile
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from streams import FullDisk
from threadpoolctl import threadpool_info

from seqembed import LSTMAutoencoder
from seqembed.datasets import load_basic_motions
from seqembed.estimators import base
from seqembed.estimators.training_set import training_set
from seqembed.network.forward import ForwardPass
from seqembed.training.batches import TrainingBatches
from seqembed.training.gradient import batch_gradient, numpy_gradient
from seqembed.training.loop import train


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (24.0, TypeError)])
def test_sizes_of_data_that_are_none_are_refused_by_their_names(size, error):
    autoencoder = LSTMAutoencoder()
    with pytest.raises(error, match=f"Got n_samples={size}, expected an integer of at least 1"):
        autoencoder.count_epochs(size, 24)
    with pytest.raises(error, match=f"Got n_timesteps={size}, expected an integer of at least 1"):
        autoencoder.layer_flow(size, 2)


@pytest.mark.slow
def test_a_constant_feature_stays_finite_and_comes_back(waves, small):
    X = waves.copy()
    X[..., 1] = 42
    autoencoder = small(epochs=100).fit(X)
    assert np.isfinite(autoencoder.transform(X)).all()
    np.testing.assert_allclose(autoencoder.reconstruct(X)[..., 1], 42, atol=0.5)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "'n_components' parameter"),
        ({"hidden_units": (4, 0)}, r"hidden_units=\(4, 0\), expected positive integers"),
        ({"hidden_units": 4}, "Got hidden_units=4, expected one number"),
        ({"activation": "sigmoid"}, "'activation' parameter"),
        ({"scale": "minmax"}, "'scale' parameter"),
        ({"epochs": 0}, "'epochs' parameter"),
        ({"batch_size": 0}, "'batch_size' parameter"),
        ({"learning_rate": 0.0}, "'learning_rate' parameter"),
        ({"validation_fraction": 1.0}, "'validation_fraction' parameter"),
        ({"validation_fraction": 0.99}, "leaves no sequence to train on"),
        ({"patience": 0}, "'patience' parameter"),
        ({"context_size": -1}, "'context_size' parameter"),
        ({"shortcut_size": "many"}, "'shortcut_size' parameter"),
    ],
)
def test_parameters_out_of_range_are_refused(waves, parameters, message, small):
    with pytest.raises(ValueError, match=message):
        small(**parameters).fit(waves)


@pytest.mark.parametrize("bad", [np.full((4, 7, 2), np.inf), np.ones((4, 7, 2, 1)), np.full((4, 3, 1), 1e30)])
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(waves, bad, small):
    autoencoder = small(scale=None).fit(waves)
    before = pickle.dumps(autoencoder)
    with pytest.raises((ValueError, FloatingPointError)):
        autoencoder.fit(bad)
    assert pickle.dumps(autoencoder) == before


def test_fit_again_on_another_layout_forgets_the_first(waves, small):
    autoencoder = small().fit(waves[:, :, 0])
    assert autoencoder.n_features_in_ == 7
    autoencoder.fit(waves)
    assert autoencoder.n_features_in_ == autoencoder.n_features_ == 2
    assert autoencoder.reconstruct(waves).shape == waves.shape


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda fitted: pickle.loads(pickle.dumps(fitted))])
def test_copies_transform_alike(fitted, waves, copied):
    np.testing.assert_array_equal(copied(fitted).transform(waves), fitted.transform(waves))


def test_clone_is_unfitted_and_keeps_parameters(fitted):
    assert clone(fitted).get_params() == fitted.get_params()
    assert not hasattr(clone(fitted), "weights_")


TRANSFORM_ELSEWHERE = """
import sys
import joblib
import numpy as np
fitted, X, Z = joblib.load(sys.argv[1], mmap_mode="r")
assert np.array_equal(fitted.transform(X), Z), "embeddings differ"
fitted.inverse_transform(Z), fitted.reconstruction_error(X), fitted.score(X)
assert "tensorflow" not in sys.modules, "tensorflow was imported"
assert "keras" not in sys.modules, "keras was imported"
"""


@pytest.mark.slow
def test_a_pickle_transforms_identically_in_a_process_without_tensorflow(fitted, waves, tmp_path):
    path = tmp_path / "fitted.joblib"
    joblib.dump((fitted, waves, fitted.transform(waves)), path)
    result = subprocess.run([sys.executable, "-c", TRANSFORM_ELSEWHERE, path], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


FIT_ELSEWHERE = """
import sys
import numpy as np
from seqembed import LSTMAutoencoder
LSTMAutoencoder(epochs=300).fit(np.random.default_rng(0).normal(size=(5, 3, 2)))
assert "tensorflow" not in sys.modules, "tensorflow was imported"
"""


@pytest.mark.slow
def test_a_fit_that_is_over_in_a_moment_does_not_wait_for_tensorflow():
    result = subprocess.run([sys.executable, "-c", FIT_ELSEWHERE], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_read_only_memory_maps_are_fitted_and_transformed_like_arrays(waves, tmp_path, small):
    np.save(tmp_path / "waves.npy", waves)
    mapped = np.load(tmp_path / "waves.npy", mmap_mode="r")
    np.testing.assert_array_equal(small().fit(mapped).transform(mapped), small().fit(waves).transform(waves))


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64])
def test_any_real_dtype_is_taken(waves, dtype, small):
    X = (10 * waves).astype(dtype)
    Z = small().fit_transform(X)
    assert Z.dtype == np.float32
    np.testing.assert_allclose(Z, small().fit_transform(X.astype(np.float32)), atol=1e-5)


@pytest.mark.usefixtures("compiled")
def test_the_number_of_jobs_does_not_change_a_bit(waves, small):
    X = waves.copy()
    X[3, 2:4] = np.nan
    alone, shared = (small(n_jobs=n_jobs, batch_size=30, epochs=5).fit_transform(X) for n_jobs in (1, 2))
    np.testing.assert_array_equal(alone, shared)


@pytest.mark.usefixtures("compiled")
def test_a_fit_does_not_mind_that_numpy_raises_on_numbers_that_vanish_or_overflow(waves, small):
    with np.errstate(all="raise"):
        fitted = small(n_jobs=1).fit(np.repeat(waves, 100, axis=1))
    assert np.isfinite(fitted.history_["loss"]).all()


@pytest.mark.usefixtures("compiled")
def test_no_global_random_state_is_touched(waves, small):
    def states():
        return random.getstate(), np.random.get_state(), tf.random.get_global_generator().state.numpy()  # noqa: NPY002

    before = pickle.dumps(states())
    tf_seed = tf.compat.v1.get_seed(None)[0]
    for random_state in (None, 3):
        fitted = small(random_state=random_state).fit(waves)
        fitted.transform(waves)
        fitted.to_keras()
    assert pickle.dumps(states()) == before
    assert tf.compat.v1.get_seed(None)[0] == tf_seed


@pytest.mark.slow
def test_grid_search_runs_in_two_processes():
    X, y = load_basic_motions(split="train", return_X_y=True)
    pipeline = make_pipeline(LSTMAutoencoder(hidden_units=(8,), epochs=1), LogisticRegression())
    search = GridSearchCV(
        pipeline, {"lstmautoencoder__n_components": [8, 64]}, n_jobs=2, cv=2, error_score="raise"
    ).fit(X, y)
    assert search.best_params_["lstmautoencoder__n_components"] in (8, 64)
    assert search.predict(X).shape == y.shape


def test_a_fit_on_batches_is_a_fit_on_all_of_them(waves, small, loader):
    together = small().fit(waves)
    for batches in (loader(waves[:7], waves[7:]), (waves[k : k + 10] for k in (0, 10, 20))):
        apart = small().fit(batches)
        np.testing.assert_array_equal(together.transform(waves), apart.transform(waves))
        assert apart.n_features_in_ == 2


def test_a_fit_on_batches_of_lists_takes_unequal_lengths(waves, small, loader):
    ragged = [wave[: 3 + k % 5] for k, wave in enumerate(waves)]
    together, apart = small().fit(ragged), small().fit(loader(ragged[:12], ragged[12:]))
    np.testing.assert_array_equal(together.transform(ragged), apart.transform(ragged))


def fitted_on_a_zarr_array_and_on_an_array(waves, folder, small):
    zarr = pytest.importorskip("zarr")
    stored = zarr.open(str(folder / "X.zarr"), mode="w", shape=waves.shape, chunks=(8, 7, 2), dtype=waves.dtype)
    stored[:] = waves
    return stored, small().fit(stored), small().fit(waves)


def test_a_zarr_array_is_fitted_and_embedded_as_the_array_that_it_holds(waves, tmp_path, small):
    stored, from_store, from_array = fitted_on_a_zarr_array_and_on_an_array(waves, tmp_path, small)
    np.testing.assert_array_equal(from_store.transform(stored), from_array.transform(waves))
    assert from_store.score(stored) == from_array.score(waves)


@pytest.mark.usefixtures("small_chunks")
def test_a_large_zarr_array_is_fitted_and_embedded_as_the_array_that_it_holds_up_to_rounding(waves, tmp_path, small):
    stored, from_store, from_array = fitted_on_a_zarr_array_and_on_an_array(waves, tmp_path, small)
    np.testing.assert_allclose(from_store.transform(stored), from_array.transform(waves), atol=1e-6)
    assert from_store.score(stored) == pytest.approx(from_array.score(waves))


def test_a_generator_cannot_be_fitted_and_transformed_in_one_go(waves, small):
    with pytest.raises(ValueError, match="generator, which can be read only once"):
        small().fit_transform(waves[k : k + 10] for k in (0, 10))


def test_lengths_beside_batches_are_refused(waves, small):
    with pytest.raises(ValueError, match="beside an iterable of batches"):
        small().fit(iter([waves]), lengths=[7] * 30)


@pytest.mark.slow
def test_a_stream_is_learned_pass_by_pass(waves, small):
    autoencoder = small(augment=False)
    for _ in range(60):
        assert autoencoder.partial_fit(waves) is autoencoder
    losses = autoencoder.history_["loss"]
    assert len(losses) == len(autoencoder.history_["learning_rate"]) == 60
    assert losses[-1] < 0.85 * losses[0]


def test_a_stream_goes_on_after_a_pickle_as_if_nothing_had_happened(waves, small):
    at_once, interrupted = small(), small()
    for k in range(4):
        at_once.partial_fit(waves[k : k + 20])
        interrupted = pickle.loads(pickle.dumps(interrupted.partial_fit(waves[k : k + 20])))
    np.testing.assert_array_equal(at_once.transform(waves), interrupted.transform(waves))


def test_arrays_that_are_set_as_weights_stay_as_the_user_has_them(small, waves):
    autoencoder = small().fit(waves)
    given = {name: weight.copy() for name, weight in autoencoder.weights_.items()}
    autoencoder.weights_ = given
    before = autoencoder.transform(waves)
    for weight in given.values():
        weight[:] = 0
    np.testing.assert_array_equal(autoencoder.transform(waves), before)


def test_a_change_of_weights_that_would_reach_files_and_not_embeddings_is_refused(small, waves):
    autoencoder = small().fit(waves)
    weights, before = autoencoder.weights_, autoencoder.transform(waves)
    with pytest.raises(ValueError, match="read-only"):
        weights["encoder_1/kernel"][:] = 0
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(autoencoder)).transform(waves), before)
    autoencoder.weights_ = weights | {"encoder_1/kernel": np.zeros_like(weights["encoder_1/kernel"])}
    after = autoencoder.transform(waves)
    assert not np.array_equal(after, before)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(autoencoder)).transform(waves), after)


def test_a_stream_begins_anew_with_weights_that_are_set(small, waves):
    fitted, stream = small().fit(waves), small().fit(waves).partial_fit(waves)
    stream.weights_ = fitted.weights_
    # The moments of the gradient were those of other weights.
    transformed = [each.partial_fit(waves).transform(waves) for each in (fitted, stream)]
    np.testing.assert_array_equal(*transformed)


def test_partial_fit_goes_on_from_what_it_read_when_another_thread_fits_meanwhile(small, waves, monkeypatch):
    stream, other = small().partial_fit(waves), small(random_state=1).fit(100 * waves)
    expected = copy.deepcopy(stream).partial_fit(waves)

    def fit_meanwhile(*given):
        stream.model_ = other.model_
        del stream._stream
        return training_set(*given)

    # Called after the model has been read, and before training.
    monkeypatch.setattr(base, "training_set", fit_meanwhile)
    stream.partial_fit(waves)
    assert joblib.hash(vars(stream)) == joblib.hash(vars(expected))


def test_a_stream_can_go_on_from_a_fit_and_a_fit_starts_anew(waves, small):
    autoencoder = small().fit(waves)
    fitted_weights = autoencoder.weights_
    autoencoder.partial_fit(waves)
    assert not np.array_equal(autoencoder.weights_["output/bias"], fitted_weights["output/bias"])
    assert len(autoencoder.history_["loss"]) == 3
    np.testing.assert_array_equal(autoencoder.fit(waves).transform(waves), small().fit(waves).transform(waves))


def test_a_batch_that_explodes_leaves_a_stream_as_it_was(waves, small):
    autoencoder = small(scale=None, activation="relu").partial_fit(waves)
    before = copy.deepcopy(vars(autoencoder))
    with pytest.raises(FloatingPointError, match="the weights were not changed"):
        autoencoder.partial_fit(np.full_like(waves, 1e30))
    assert autoencoder.history_ == before["history_"]
    np.testing.assert_array_equal(autoencoder.weights_["output/kernel"], before["model_"].weights["output/kernel"])
    assert autoencoder._stream.random.bit_generator.state == before["_stream"].random.bit_generator.state


@pytest.mark.slow
def test_a_warm_start_goes_on_and_a_cold_one_does_not(waves, small):
    warm = small(warm_start=True, augment=False, epochs=40).fit(waves)
    first = warm.score(waves)
    assert warm.fit(waves).score(waves) > first
    assert small(augment=False, epochs=40).fit(waves).fit(waves).score(waves) == first


def test_a_warm_start_refuses_columns_in_another_order(waves, small):
    frames = [pd.DataFrame(wave, columns=["flow", "heat"]) for wave in waves]
    autoencoder = small(warm_start=True, epochs=1).fit(frames)
    before = autoencoder.transform(frames)
    with pytest.raises(ValueError, match="same order as they were in fit"):
        autoencoder.fit([frame[["heat", "flow"]] for frame in frames])
    np.testing.assert_array_equal(autoencoder.transform(frames), before)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        autoencoder.fit(waves)
    # Without a warm start, and for tables, whose columns are timesteps, nothing stays that columns would have to match.
    autoencoder.set_params(warm_start=False).fit(frames).fit([frame[["heat", "flow"]] for frame in frames])
    tables = [pd.DataFrame(waves[:, :, 0]).rename(columns=lambda step, unit=unit: f"{unit}{step}") for unit in "hm"]
    small(warm_start=True, epochs=1).fit(tables[0]).fit(tables[1])


def test_a_warm_start_that_would_ignore_the_time_encoding_is_refused(waves, small):
    autoencoder = small(time_encoding=False).fit(waves).set_params(time_encoding=True, warm_start=True)
    with pytest.raises(ValueError, match=r"can't go on from Network\(.*encoded_timesteps=None.*encoded_timesteps=7"):
        autoencoder.fit(waves)


def test_a_stream_holds_nothing_back_for_validation(waves, small):
    assert small(validation_fraction=0.9).partial_fit(waves[:1]).history_.keys() == {
        "loss",
        "readout_loss",
        "learning_rate",
    }


def test_a_warning_of_training_says_what_happened_and_points_to_the_line_of_the_user(waves, small, monkeypatch):
    endings = {
        "interrupted after 2 of 2 epochs: the weights are the best so far": {"interrupted": True},
        r"exploded once: training went back.*0.002 in the end.*lower learning_rate than": {"n_explosions": 1},
        r"exploded 3 times: training went back": {"n_explosions": 3},
    }
    for message, ending in endings.items():
        with monkeypatch.context() as patch:
            patch.setattr(
                base, "train", lambda *args, e=ending, **kwargs: train(*args, **kwargs)._replace(last_peak=0.002, **e)
            )
            with pytest.warns(ConvergenceWarning, match=message) as caught:
                small().fit(waves)
            assert caught[0].filename == __file__


def test_an_interrupted_fit_keeps_an_estimator_that_works(waves, small, monkeypatch):
    train_one_epoch, states = TrainingBatches.train_one_epoch, []

    def train_two_epochs(self, state, *arguments):
        states.append(state)
        if len(states) == 3:
            raise KeyboardInterrupt
        return train_one_epoch(self, state, *arguments)

    monkeypatch.setattr(TrainingBatches, "train_one_epoch", train_two_epochs)
    with pytest.warns(ConvergenceWarning, match="interrupted after 2 of 9 epochs"):
        autoencoder = small(epochs=9).fit(waves)
    assert autoencoder.interrupted_
    assert np.isfinite(autoencoder.transform(waves)).all()
    assert len(autoencoder.history_["loss"]) == 2
    monkeypatch.undo()
    assert not autoencoder.fit(waves).interrupted_


@pytest.mark.parametrize(("before", "after"), [("standard", None), (None, "standard")])
def test_a_warm_start_that_would_ignore_the_scale_is_refused(waves, small, before, after):
    autoencoder = small(scale=before, warm_start=True, epochs=1).fit(waves).fit(waves)
    autoencoder.set_params(scale=after)
    with pytest.raises(ValueError, match=f"can't go on from scale={before!r} with scale={after!r}.*warm_start=False"):
        autoencoder.fit(waves)
    with pytest.raises(ValueError, match="can't go on from scale="):
        autoencoder.partial_fit(waves)


def test_a_warm_start_with_another_network_is_refused(waves, small):
    autoencoder = small(warm_start=True).fit(waves).set_params(n_components=4)
    with pytest.raises(ValueError, match=r"from Network\(n_components=3\) with Network\(n_components=4\).*warm_start"):
        autoencoder.fit(waves)


def frames(columns, n_timesteps=(5, 5)):
    random = np.random.default_rng(0)
    return [pd.DataFrame(random.normal(size=(n, len(columns))), columns=columns) for n in n_timesteps]


@pytest.mark.parametrize("n_timesteps", [(5, 5), (5, 3)])
def test_data_frames_in_a_list_must_have_the_columns_of_the_fit_in_its_order(n_timesteps, small):
    X = frames(["x", "y"], n_timesteps)
    autoencoder = small().fit(X)
    assert autoencoder.feature_names_in_.tolist() == ["x", "y"]
    np.testing.assert_array_equal(autoencoder.transform(X), autoencoder.fit_transform(X))
    with pytest.raises(ValueError, match="feature names should match"):
        autoencoder.transform([frame[["y", "x"]] for frame in X])
    with pytest.raises(ValueError, match=r"Sequence 1 has the columns \['y', 'x'\] and sequence 0 has \['x', 'y'\]"):
        small().fit([X[0], X[1][["y", "x"]]])


def test_an_array_of_the_padded_length_without_lengths_is_warned_of(small):
    X = np.random.default_rng(0).normal(size=(4, 6, 2))
    autoencoder = small().fit(X, lengths=[6, 2, 3, 6])
    with pytest.warns(UserWarning, match=r"Got an array padded to 6 timesteps without lengths="):
        autoencoder.transform(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        autoencoder.transform(X, lengths=[6, 2, 3, 6])
        autoencoder.transform(list(X))


@pytest.mark.parametrize("rounding", [0, 1e-13])
def test_a_constant_in_the_first_batch_of_a_stream_is_warned_of_and_does_not_blow_up_later(small, rounding):
    X = np.random.default_rng(0).normal(size=(20, 6, 2)) * [1.0, 10.0] + [0.0, 240.0]
    first = X.copy()
    first[:, :, 1] = 240.0
    first[3, 2, 1] += rounding
    autoencoder = small()
    with pytest.warns(UserWarning, match=r"Features \[1\] have a single value in this first batch"):
        autoencoder.partial_fit(first)
    assert autoencoder.partial_fit(X).history_["loss"][-1] < 2


@pytest.mark.filterwarnings("ignore")
def test_the_rounding_of_a_constant_first_batch_does_not_fill_the_embedding_of_a_stream():
    autoencoder = LSTMAutoencoder(4, hidden_units=(), random_state=0).partial_fit(np.full((50, 20, 1), 0.1))
    assert np.abs(autoencoder.transform(np.full((1, 20, 1), 0.11))).max() < 0.1


def test_a_loss_that_comes_late_in_a_stream_stands_beside_those_of_its_own_pass(small):
    X = np.random.default_rng(0).normal(size=(9, 6, 2))
    history = small(readout_weight=0).fit(X).set_params(readout_weight=0.1).partial_fit(X).history_
    np.testing.assert_array_equal(np.isfinite(history["readout_loss"]), [False, False, True])


def test_a_copy_of_a_stream_has_a_history_of_its_own(small):
    X = np.random.default_rng(0).normal(size=(9, 6, 2))
    original = small().partial_fit(X)
    copied = copy.copy(original).partial_fit(X)
    assert (len(original.history_["loss"]), len(copied.history_["loss"])) == (1, 2)


@pytest.mark.parametrize(("units", "line"), [(8, r"\(8,\)"), ("128", r"such as \(128,\)"), (None, r"such as \(128,\)")])
def test_hidden_units_that_are_no_sequence_are_refused_with_the_tuple_to_pass(units, line, small):
    with pytest.raises(ValueError, match=f"Got hidden_units=.*{line}"):
        small(hidden_units=units).fit(np.ones((4, 3)))


def test_a_fit_says_how_many_epochs_it_made_and_which_was_best(small):
    settings = {"epochs": 5, "validation_fraction": 0.3, "learning_rate": 0.3}
    autoencoder = small(**settings).fit(np.random.default_rng(0).normal(size=(30, 6, 2)))
    assert autoencoder.n_iter_ == 5
    best = 1 + np.argmin(autoencoder.history_["val_loss"])
    assert best < 5, "the last epoch is the best: the test shows nothing"
    assert autoencoder.best_epoch_ == best


FORKED_FIT = """
import os, sys, numpy, seqembed
from seqembed.training.gradient import batch_gradient
X = numpy.random.default_rng(0).normal(size=(64, 20, 2))
options = dict(hidden_units=(), epochs=2, batch_size=32, random_state=0)
batch_gradient.is_worth_compiling, chosen = (lambda *sizes: True), batch_gradient.is_worth_compiling
seqembed.LSTMAutoencoder(4, **options).fit(X)
assert "tensorflow" in sys.modules
child = os.fork()
if child == 0:
    # A network that was compiled before, another one, and one that would not be compiled.
    seqembed.LSTMAutoencoder(4, **options).fit(X)
    seqembed.LSTMAutoencoder(2, **options).fit(X)
    batch_gradient.is_worth_compiling = chosen
    seqembed.LSTMAutoencoder(2, **options).fit(X)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fit_in_a_forked_child_does_not_hang():
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED_FIT], timeout=120).returncode == 0


def test_a_network_far_worse_than_the_means_says_that_it_has_learned_nothing(small):
    prices = 30_000 + np.random.default_rng(0).normal(size=(20, 6)).cumsum(axis=1)
    with pytest.warns(ConvergenceWarning, match="the means of the features alone would get.*Use scale='standard'"):
        small(activation="relu", scale=None, patch_size=1).fit(prices)


@pytest.mark.slow
def test_a_network_far_worse_than_the_means_says_so_also_of_unscaled_values_far_below_one(small):
    volts = 1e-6 * np.random.default_rng(0).normal(size=(20, 6)).cumsum(axis=1)
    with pytest.warns(ConvergenceWarning, match="the means of the features alone would get.*Use scale='standard'"):
        small(scale=None, learning_rate=1e-4).fit(volts)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        small(scale=None, learning_rate=1e-4).fit(np.zeros((20, 6)))


def test_epochs_and_batches_of_narrow_integers_are_those_of_plain_ones(small):
    X = np.random.default_rng(0).normal(size=(64, 3, 1))
    narrow = small(epochs=np.int8(5), batch_size=np.int8(2)).fit(X)
    # Five epochs of 32 updates are more than 127.
    assert narrow.history_ == small(epochs=5, batch_size=2).fit(X).history_


def test_sizes_of_narrow_integers_are_those_of_plain_ones():
    autoencoder = LSTMAutoencoder(validation_fraction=0.2)
    assert autoencoder.count_epochs(np.uint8(200), np.uint8(24)) == autoencoder.count_epochs(200, 24)
    assert str(autoencoder.layer_flow(np.uint8(200), np.uint8(9))) == str(autoencoder.layer_flow(200, 9))


def test_a_loss_that_explodes_and_stays_finite_is_not_said_to_be_infinite():
    X = 1e-4 * np.random.default_rng(0).normal(size=(10, 6, 2))
    settings = {"hidden_units": (), "epochs": 2, "context_size": 0, "validation_fraction": 0.3, "random_state": 2}
    with pytest.raises(FloatingPointError, match=r"The val_loss was 0\.0.*less than 10 times that of the first"):
        LSTMAutoencoder(2, scale=None, patch_size=1, **settings).fit(X)


def test_a_number_of_numpy_gives_the_same_bits_as_a_plain_one(waves, small):
    plain, numpy = (small(learning_rate=rate).fit(waves) for rate in (0.01, np.float64(0.01)))
    np.testing.assert_array_equal(plain.transform(waves), numpy.transform(waves))


@pytest.fixture
def out_of_memory(monkeypatch):
    """A function: the third of the next calls of a function of a module raises MemoryError."""

    def limit(module, name):
        calls, function = [], getattr(module, name)

        def limited(*args, **kwargs):
            calls.append(name)
            if len(calls) == 3:
                raise MemoryError
            return function(*args, **kwargs)

        monkeypatch.setattr(module, name, limited)

    return limit


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("is_fitted", [False, True], ids=["new", "fitted"])
def test_memory_that_ends_within_an_epoch_leaves_the_estimator_as_it_was(
    waves, small, out_of_memory, monkeypatch, method, is_fitted
):
    monkeypatch.setattr(batch_gradient, "is_worth_compiling", lambda *sizes: False)
    estimator, other = (small(batch_size=8) for _ in range(2))
    if is_fitted:
        estimator.partial_fit(waves)
        other.partial_fit(waves)
    before = joblib.hash(vars(estimator))
    out_of_memory(numpy_gradient, "loss_and_gradient")
    with pytest.raises(MemoryError):
        getattr(estimator, method)(waves)
    assert joblib.hash(vars(estimator)) == before
    for each in (estimator, other):
        getattr(each, method)(waves)
    np.testing.assert_array_equal(estimator.transform(waves), other.transform(waves))


def test_memory_that_ends_within_a_batch_of_transform_leaves_estimator_and_threads_as_they_were(
    waves, fitted, out_of_memory
):
    X = np.tile(waves, (40, 1, 1))
    before, expected, n_threads = joblib.hash(vars(fitted)), fitted.transform(X), threadpool_info()
    out_of_memory(ForwardPass, "encode")
    with pytest.raises(MemoryError):
        fitted.transform(X)
    assert (joblib.hash(vars(fitted)), threadpool_info()) == (before, n_threads)
    np.testing.assert_array_equal(fitted.transform(X), expected)


def test_a_full_disk_ends_a_fit_on_batches_and_leaves_the_estimator_as_it_was(waves, fitted, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: FullDisk(tmp_path / "spooled", "w+"))
    estimator = copy.deepcopy(fitted)
    before = joblib.hash(vars(estimator))
    with pytest.raises(OSError, match=r"No space left on device.*TMPDIR"):
        estimator.fit(iter([waves, waves]))
    assert joblib.hash(vars(estimator)) == before
