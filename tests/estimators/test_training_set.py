import copy
import io
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from seqembed import LSTMAutoencoder, LSTMReconstructor, load
from seqembed.estimators.training_set import training_set
from seqembed.sequences.collection import check_sequences
from seqembed.training.labels import read_labels

# Nothing but the network, all sequences in one batch, no draw but that of the first weights.
BARE = {
    "context_size": 0,
    "shortcut_size": 0,
    "readout_weight": 0,
    "augment": False,
    "scale": None,
    "batch_size": 1000,
    "epochs": 20,
}


def weights_are_close(first, second, tolerance=1e-3):
    for name, weight in first.weights_.items():
        np.testing.assert_allclose(weight, second.weights_[name], atol=tolerance, err_msg=name)


def test_sequences_of_weight_zero_are_left_out_with_their_labels():
    X = check_sequences(np.arange(24.0).reshape(4, 3, 2))
    sequences, labels, weights = training_set(X, read_labels(["a", "b", None, "c"], 4), [2, 0, 1, 4])
    np.testing.assert_array_equal(sequences.padded(slice(0, 3)), X.values[[0, 2, 3]])
    assert np.shares_memory(sequences.values[0], X.values)
    assert labels.values == ["a", None, "c"]
    np.testing.assert_array_equal(weights, [2, 1, 4])


def test_weights_above_zero_leave_all_as_they_are():
    X = check_sequences(np.zeros((3, 3, 2)))
    assert training_set(X, None, [1, 2, 3]).sequences is X
    assert training_set(X, None, None).sample_weight is None


def test_a_weight_of_two_equals_the_sequence_twice(waves, small):
    X = (waves - waves.mean(axis=(0, 1))) / waves.std(axis=(0, 1))
    repeats = np.arange(len(X)) % 3 + 1
    weighted = small(**BARE).fit(X, sample_weight=repeats)
    repeated = small(**BARE).fit(np.repeat(X, repeats, axis=0))
    weights_are_close(weighted, repeated)
    np.testing.assert_allclose(weighted.history_["loss"], repeated.history_["loss"], rtol=1e-4)
    unweighted = small(**BARE).fit(X)
    with pytest.raises(AssertionError):
        weights_are_close(weighted, unweighted)


def test_the_same_holds_for_sequences_of_unequal_lengths_and_labels(small):
    random = np.random.default_rng(0)
    X = [random.normal(size=(length, 2)) for length in random.integers(3, 8, 12)]
    y = np.arange(12) % 3
    # In equal shares, so that classes are coded alike.
    repeats = np.repeat([1, 2], 6)
    options = BARE | {"label_weight": 0.5, "epochs": 5}
    weighted = small(**options).fit(X, y, sample_weight=repeats)
    rows = np.repeat(np.arange(12), repeats)
    repeated = small(**options).fit([X[row] for row in rows], y[rows])
    weights_are_close(weighted, repeated, tolerance=2e-3)


def epoch_losses(X, sample_weight=None, *, augment=False):
    """The losses of epochs in which hardly anything is learned."""
    options = {"n_components": 3, "hidden_units": (4,), "context_size": 0, "shortcut_size": 0, "readout_weight": 0}
    options |= {"scale": None, "augment": augment, "batch_size": 16, "learning_rate": 1e-9, "epochs": 30}
    return LSTMAutoencoder(random_state=0, **options).fit(X, sample_weight=sample_weight).history_["loss"]


@pytest.mark.slow
@pytest.mark.parametrize("augment", [False, True])
def test_weights_that_go_with_the_length_count_by_sequence(augment):
    random = np.random.default_rng(0)
    # Constant ones, which shifts and other speeds leave as they are.
    X = [np.full((length, 1), random.choice([-1, 1]) * size) for length, size in [(4, 1), (40, 2)] for _ in range(32)]
    weights = np.repeat([10, 1], 32)
    # An untrained network returns about nothing. Short and long sequences are in batches of their own.
    squares = np.array([np.square(x).mean() for x in X])
    expected = (weights * squares).sum() / weights.sum()
    assert np.mean(epoch_losses(X, weights, augment=augment)) == pytest.approx(expected, rel=0.25)
    assert np.mean(epoch_losses(X, augment=augment)) > 1.5 * expected


def test_the_loss_is_a_weighted_mean_where_missing_values_go_with_weights():
    random = np.random.default_rng(0)
    X = random.normal(size=(32, 10, 1)) * np.repeat([1, 3], 16)[:, np.newaxis, np.newaxis]
    X[16:, 2:] = np.nan
    weights = np.repeat([1, 20], 16)
    # An untrained network returns about nothing.
    squares = np.nansum(np.square(X), axis=(1, 2))
    expected = (weights * squares).sum() / (weights * np.isfinite(X).sum(axis=(1, 2))).sum()
    assert np.mean(epoch_losses(X, weights)) == pytest.approx(expected, rel=0.2)
    assert np.mean(epoch_losses(X)) != pytest.approx(expected, rel=0.2)


def test_a_heavy_large_sequence_is_no_explosion(recwarn):
    X = np.random.default_rng(0).normal(size=(100, 6, 1)) * 0.1
    X[0] *= 300
    weights = np.ones(100)
    weights[0] = 300
    options = {"context_size": 0, "shortcut_size": 0, "augment": False, "epochs": 10, "random_state": 0}
    history = LSTMAutoencoder(3, hidden_units=(4,), **options).fit(X, sample_weight=weights).history_
    assert history["loss"][-1] < history["loss"][0]
    assert not [each for each in recwarn if "exploded" in str(each.message) or "never fell" in str(each.message)]


@pytest.mark.parametrize("size", [1e308, 1e-320])
def test_only_ratios_of_weights_matter(waves, small, size):
    ratios = np.arange(len(waves)) % 2 + 1.0
    huge = small().fit(waves, sample_weight=ratios / 2 * size)
    weights_are_close(huge, small().fit(waves, sample_weight=ratios), tolerance=1e-5)


def test_a_stream_that_began_without_labels_takes_none(waves, small):
    stream = small().partial_fit(waves)
    before = pickle.dumps(stream.weights_)
    with pytest.raises(ValueError, match=r"label_weight=0\.1 for a stream that began without labels"):
        stream.set_params(label_weight=0.1).partial_fit(waves, np.arange(len(waves)) % 2)
    assert pickle.dumps(stream.weights_) == before


def test_a_stream_that_began_without_a_readout_takes_none(waves, small):
    stream = small(readout_weight=0).partial_fit(waves)
    before = pickle.dumps(stream.weights_)
    with pytest.raises(ValueError, match=r"readout_weight=0\.1 for a stream that began without a readout, expected 0"):
        stream.set_params(readout_weight=0.1).partial_fit(waves)
    assert pickle.dumps(stream.weights_) == before


def test_labels_that_are_all_held_back_are_refused(waves, small):
    y = np.full(len(waves), -1)
    y[:2] = 0, 1
    autoencoder = small(label_weight=0.1, validation_fraction=0.9, random_state=0)
    with pytest.raises(ValueError, match="Got labels for 2 sequences, and validation_fraction= holds them all back"):
        autoencoder.fit(waves, y)


def test_a_weight_of_zero_leaves_the_sequence_out_of_scaling_too(waves, small):
    spoiled = np.concatenate([waves, 1e6 * np.ones((2, 7, 2))])
    weighted = small().fit(spoiled, sample_weight=[1] * len(waves) + [0, 0])
    alone = small().fit(waves)
    np.testing.assert_allclose(weighted.center_, alone.center_)
    weights_are_close(weighted, alone, tolerance=1e-5)


def test_equal_weights_change_no_more_than_rounding(waves, small):
    weights_are_close(small().fit(waves, sample_weight=np.full(len(waves), 7)), small().fit(waves), tolerance=1e-5)


@pytest.mark.parametrize("options", [{"augment": True}, {"validation_fraction": 0.3, "patience": 2}])
def test_weights_pull_the_network_towards_heavy_sequences(waves, small, options):
    X, other = waves, waves[:, ::-1]
    both = np.concatenate([X, other])
    heavy = [30] * len(X) + [1] * len(other)
    settings = {"epochs": 40, "batch_size": 1000, "context_size": 0, "shortcut_size": 0} | options
    autoencoder = small(**settings).fit(both, sample_weight=heavy)
    opposite = small(**settings).fit(both, sample_weight=heavy[::-1])
    assert autoencoder.reconstruction_error(X).mean() < opposite.reconstruction_error(X).mean()
    assert autoencoder.reconstruction_error(other).mean() > opposite.reconstruction_error(other).mean()


def test_a_reconstructor_takes_weights(waves):
    options = {"hidden_units": (4,), "n_components": 2, "epochs": 2, "random_state": 0}
    weights = np.arange(len(waves)) + 1
    weighted = LSTMReconstructor(**options).fit(waves, sample_weight=weights)
    plain = LSTMReconstructor(**options).fit(waves)
    assert not np.array_equal(weighted.reconstruct(waves), plain.reconstruct(waves))


def test_a_pipeline_passes_weights_on(waves, small):
    y, weights = np.arange(len(waves)) % 2, np.arange(len(waves)) + 1.0
    pipeline = make_pipeline(small(), LogisticRegression()).fit(waves, y, lstmautoencoder__sample_weight=weights)
    expected = small().fit(waves, sample_weight=weights)
    np.testing.assert_array_equal(pipeline[0].weights_["output/kernel"], expected.weights_["output/kernel"])


def test_weights_are_routed_as_metadata(waves, small):
    from sklearn import config_context

    y, weights = np.arange(len(waves)) % 2, np.arange(len(waves)) + 1.0
    with config_context(enable_metadata_routing=True):
        autoencoder = small().set_fit_request(sample_weight=True)
        classifier = LogisticRegression().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(autoencoder, classifier).fit(waves, y, sample_weight=weights)
    expected = small().fit(waves, sample_weight=weights)
    np.testing.assert_array_equal(pipeline[0].weights_["output/kernel"], expected.weights_["output/kernel"])


def test_without_a_label_weight_y_is_ignored(waves, small):
    labelled, plain = small().fit(waves, ["any"] * 3), small().fit(waves)
    np.testing.assert_array_equal(labelled.weights_["output/kernel"], plain.weights_["output/kernel"])
    assert clone(small(label_weight=0.5)).label_weight == 0.5


def test_a_label_weight_without_labels_is_refused_and_the_estimator_stays_as_it_was(waves, small):
    autoencoder = small(label_weight=1.0).fit(waves, np.arange(len(waves)) % 2)
    before = pickle.dumps(autoencoder)
    for y in (None, [-1] * len(waves), [0, 1]):
        with pytest.raises(ValueError, match=r"Got (label_weight|y)="):
            autoencoder.fit(waves, y)
    assert pickle.dumps(autoencoder) == before


def test_labels_join_a_loss_without_statistics(waves, small):
    y = np.arange(len(waves)) % 2
    options = {"readout_weight": 0, "augment": False, "batch_size": 1000}
    history = small(label_weight=0.5, **options).fit(waves, y).history_
    # The first one is that of the means. The variance of scaled sequences is 1.
    assert history["readout_loss"][0] == pytest.approx(0.5, rel=1e-4)
    assert history["readout_loss"][1] < 0.5
    assert "readout_loss" not in small(readout_weight=0).fit(waves, y).history_


def test_a_stream_learns_labels_and_goes_on_after_saving(waves, small):
    y = np.where(np.arange(len(waves)) % 3, np.arange(len(waves)) % 2, -1)
    stream = small(label_weight=0.5).partial_fit(waves[:15], y[:15])
    file = io.BytesIO()
    stream.save(file)
    copies = [load(file.getvalue()), pickle.loads(pickle.dumps(stream)), copy.deepcopy(stream)]
    stream.partial_fit(waves[15:], y[15:]).partial_fit(waves[:15])
    for each in copies:
        each.partial_fit(waves[15:], y[15:]).partial_fit(waves[:15])
        np.testing.assert_array_equal(each.weights_["output/kernel"], stream.weights_["output/kernel"])
        assert each.history_ == stream.history_
    with pytest.raises(ValueError, match="label 5, expected one of those that the first call had"):
        stream.partial_fit(waves[:2], [0, 5])


def test_the_first_labels_of_a_stream_are_needed(waves, small):
    with pytest.raises(ValueError, match="no y="):
        small(label_weight=0.5).partial_fit(waves)


class _Interruption(Exception):
    pass


@pytest.mark.parametrize("changed", ["y", "sample_weight"])
def test_a_checkpoint_of_other_labels_or_weights_is_refused(waves, small, tmp_path, monkeypatch, changed):
    from seqembed.estimators import checkpoints

    file = tmp_path / "checkpoint"
    y, weights = np.arange(len(waves)) % 2, np.arange(len(waves)) + 1.0
    autoencoder = small(label_weight=0.5, epochs=3)
    expected = clone(autoencoder).fit(waves, y, sample_weight=weights)
    write = checkpoints.Checkpoint.write

    def write_and_stop(self, state):
        write(self, state)
        raise _Interruption

    monkeypatch.setattr(checkpoints.Checkpoint, "write", write_and_stop)
    with pytest.raises(_Interruption):
        autoencoder.fit(waves, y, sample_weight=weights, checkpoint=file)
    monkeypatch.undo()
    other = {"y": (1 - y, weights), "sample_weight": (y, weights[::-1])}[changed]
    with pytest.raises(ValueError, match=f"another fit, which differs in {changed}="):
        autoencoder.fit(waves, other[0], sample_weight=other[1], checkpoint=file)
    resumed = autoencoder.fit(waves, y, sample_weight=weights, checkpoint=file)
    np.testing.assert_array_equal(resumed.weights_["output/kernel"], expected.weights_["output/kernel"])


@pytest.mark.slow
def test_labels_leak_where_the_autoencoder_is_outside_of_the_cross_validation():
    # Labels that have nothing to do with the sequences: an honest estimate is chance.
    random = np.random.default_rng(0)
    X, y = random.normal(size=(60, 6, 2)), np.arange(60) % 2
    autoencoder = LSTMAutoencoder(8, hidden_units=(), label_weight=20.0, augment=False, epochs=60, random_state=0)
    autoencoder.set_params(batch_size=1000, learning_rate=0.1, context_size=0, shortcut_size=0)
    leaked = cross_val_score(LogisticRegression(), autoencoder.fit_transform(X, y), y, cv=4).mean()
    honest = cross_val_score(make_pipeline(autoencoder, LogisticRegression()), X, y, cv=4).mean()
    assert leaked > 0.8
    assert honest < 0.65


def test_sequences_of_weight_zero_cannot_be_held_back(waves, small):
    weights = np.zeros(len(waves))
    weights[3] = 1
    with pytest.raises(ValueError, match=r"n_samples=1, which leaves no sequence.*Weights of 0 don't count"):
        small(validation_fraction=0.1).fit(waves, sample_weight=weights)
