"""Networks that read several timesteps in one step, seen from outside: sequences stay sequences of timesteps."""

import numpy as np
import pytest

from seqembed import LSTMAutoencoder, LSTMReconstructor, ReconstructionDetector

PATCH = 3


@pytest.fixture(params=[2, 3, 10], ids="patches of {}".format)
def in_patches(request, small):
    """A function that makes a small autoencoder: 7 timesteps are 4 patches of 2, 3 of 3, or a part of one of 10."""
    return lambda **changes: small(patch_size=request.param, batch_size=8, **changes)


@pytest.fixture
def ragged(waves):
    return [wave[: 1 + row % 7] for row, wave in enumerate(waves)]


def padded(sequences, padding, n_timesteps=9):
    array = np.full((len(sequences), n_timesteps, sequences[0].shape[1]), padding, np.float32)
    for row, sequence in enumerate(sequences):
        array[row, : len(sequence)] = sequence
    return array


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("scale", ["standard", None])
def test_embeddings_depend_on_neither_padding_nor_neighbours_whatever_the_length(in_patches, ragged, scale):
    autoencoder = in_patches(scale=scale).fit(ragged)
    Z = autoencoder.transform(ragged)
    alone = np.vstack([autoencoder.transform([sequence]) for sequence in ragged])
    np.testing.assert_allclose(Z, alone, atol=1e-6)
    lengths = [len(sequence) for sequence in ragged]
    for padding in (0, 1e6, np.nan):
        np.testing.assert_allclose(autoencoder.transform(padded(ragged, padding), lengths), Z, atol=1e-6)


@pytest.mark.parametrize("to_layout", [np.asarray, lambda X: X[:, :, 0], list])
def test_results_have_the_layout_and_the_timesteps_of_the_input(in_patches, waves, to_layout):
    X = to_layout(waves)
    autoencoder = in_patches().fit(X)
    reconstruction = autoencoder.reconstruct(X)
    assert reconstruction.shape == np.shape(X)
    np.testing.assert_allclose(autoencoder.inverse_transform(autoencoder.transform(X)), reconstruction, rtol=1e-5)
    errors = autoencoder.reconstruction_error(X, per="timestep")
    assert errors.shape == (30, 7)
    np.testing.assert_allclose(errors.mean(axis=1), autoencoder.reconstruction_error(X), rtol=1e-4)
    assert autoencoder.score(X) <= 1


def test_results_of_unequal_lengths_have_their_own_timesteps(in_patches, ragged):
    autoencoder = in_patches().fit(ragged)
    lengths = [len(sequence) for sequence in ragged]
    assert [len(sequence) for sequence in autoencoder.reconstruct(ragged)] == lengths
    assert [len(errors) for errors in autoencoder.reconstruction_error(ragged, per="value")] == lengths
    assert [len(sequence) for sequence in autoencoder.inverse_transform(np.zeros((2, 3)), [5, 8])] == [5, 8]


@pytest.mark.slow
def test_a_longer_fit_learns_the_waves_from_patches(in_patches, waves):
    assert in_patches(epochs=200, augment=False, hidden_units=(16,), n_components=8).fit(waves).score(waves) > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("network", [LSTMAutoencoder, LSTMReconstructor])
@pytest.mark.parametrize("scale", ["standard", None])
@pytest.mark.parametrize("n_timesteps", [6, 7])
def test_the_keras_model_computes_the_same_also_where_the_length_is_no_multiple(waves, network, scale, n_timesteps):
    X = waves[:, :n_timesteps]
    fitted = network(3, hidden_units=(5,), patch_size=PATCH, epochs=2, scale=scale, random_state=0).fit(X)
    model = fitted.to_keras()
    difference = (model.predict(X, verbose=0) - fitted.reconstruct(X)) / X.std(axis=(0, 1))
    assert np.abs(difference).max() < 1e-5
    assert sum(int(np.prod(each.shape)) for each in model.trainable_weights) == fitted.network_.n_parameters


def test_missing_values_are_read_as_means(in_patches, waves):
    X = waves.copy()
    missing = np.random.default_rng(0).random(X.shape) < 0.2
    X[missing] = np.nan
    # A context leaves missing values out of its statistics.
    autoencoder = in_patches(context_size=0).fit(X)
    filled = np.where(missing, autoencoder.feature_means_, X)
    np.testing.assert_allclose(autoencoder.transform(X), autoencoder.transform(filled), atol=1e-5)
    assert np.isnan(autoencoder.reconstruction_error(X, per="value")[missing]).all()


def test_a_patch_of_one_timestep_is_the_network_of_the_post():
    flow = LSTMAutoencoder(patch_size=1, time_encoding=False, context_size=0, shortcut_size=0).layer_flow(
        n_timesteps=300, n_features=2
    )
    assert flow.n_parameters == 248_578
    assert [step.name for step in flow.steps][:2] == ["encoder_1", "encoder_2"]


@pytest.mark.slow
def test_automatic_patches_follow_the_longest_training_sequence_and_stay_in_a_stream(small):
    random = np.random.default_rng(0)
    first = [random.normal(size=(length, 1)) for length in (30, 60, 45)]
    autoencoder = small().partial_fit(first)
    patch_size = autoencoder.network_.patch_size
    assert patch_size > 1
    longer = [random.normal(size=(length, 1)) for length in (200, 7)]
    assert autoencoder.partial_fit(longer).network_.patch_size == patch_size
    assert autoencoder.set_params(warm_start=True).fit(longer).network_.patch_size == patch_size
    assert small().fit(longer).network_.patch_size > patch_size


def test_an_output_of_the_regular_network_sees_the_timesteps_up_to_the_end_of_its_patch(waves):
    reconstructor = LSTMReconstructor(3, hidden_units=(5,), patch_size=PATCH, epochs=2).fit(waves)
    changed = waves.copy()
    changed[:, 4:] = 0
    before, after = reconstructor.reconstruct(waves), reconstructor.reconstruct(changed)
    np.testing.assert_array_equal(before[:, :PATCH], after[:, :PATCH])
    assert (before[:, PATCH:] != after[:, PATCH:]).any(axis=(0, 2)).all()


def test_a_detector_explains_timesteps_whatever_the_patches():
    X = np.random.default_rng(0).normal(size=(12, 7, 2))
    network = LSTMReconstructor(3, hidden_units=(), patch_size=PATCH, epochs=1, random_state=0)
    detector = ReconstructionDetector(network).fit(X)
    X[0, 4, 1] = 50
    shares = detector.explain(X)
    assert shares.value.shape == X.shape
    assert shares.timestep[0].argmax() == 4


@pytest.mark.parametrize("patch_size", [0, 2.5, "all"])
def test_a_patch_size_that_is_none_is_refused(waves, small, patch_size):
    with pytest.raises(ValueError, match="'patch_size' parameter"):
        small(patch_size=patch_size).fit(waves)
