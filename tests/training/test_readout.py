from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from seqembed import LSTMAutoencoder
from seqembed.sequences.collection import check_sequences
from seqembed.sequences.scaling import ScaledSequences, learn_scaling
from seqembed.training.readout import learn_readout

NO_CONTEXTS = np.empty((300, 0), np.float32)


def unvaried(batch):
    return batch


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as threads:
        yield threads


def learn(X, scale="standard", weight=0.1):
    checked = check_sequences(X)
    sequences = ScaledSequences(checked, learn_scaling(checked, scale))
    return sequences, learn_readout(sequences, np.arange(len(X)), unvaried, weight, n_timesteps=sequences.lengths.max())


def test_targets_are_standardised_and_bounded(pool):
    X = np.random.default_rng(0).standard_t(2, size=(300, 12, 2))
    sequences, readout = learn(X)
    values, _ = readout.targets(sequences.read(slice(0, 300)), NO_CONTEXTS, None, 300, pool)
    assert np.abs(values).max() == 4
    # Bounding takes a little off both.
    assert np.abs(values.mean(axis=0)).max() < 0.1
    assert values.std(axis=0).max() < 1.05


def test_the_units_of_unscaled_sequences_do_not_matter(pool):
    X = np.random.default_rng(0).normal(size=(50, 12, 2))
    sequences, readout = learn(X, scale=None)
    larger, of_larger = learn(1000 * X, scale=None)
    small = readout.targets(sequences.read(slice(0, 50)), NO_CONTEXTS[:50], None, 50, pool)
    large = of_larger.targets(larger.read(slice(0, 50)), NO_CONTEXTS[:50], None, 50, pool)
    np.testing.assert_allclose(small.values, large.values, atol=1e-3)
    assert of_larger.weight == pytest.approx(1e6 * readout.weight, rel=1e-3)


def test_unknown_statistics_and_sequences_that_fill_up_a_batch_weigh_nothing(pool):
    random = np.random.default_rng(0)
    sequences, readout = learn([random.normal(size=length) for length in (1, 9, 9, 9)])
    values, weight = readout.targets(sequences.read(np.array([0, 1, 2])), NO_CONTEXTS[:3], None, 2, pool)
    assert np.isfinite(values).all()
    assert not weight[2].any()
    # A single timestep has no autocorrelation.
    assert (weight[0] == 0).any()
    assert set(np.unique(weight[:2])) == {0, 1}


def test_a_statistic_that_never_varies_is_left_as_it_is():
    _, readout = learn(np.ones((20, 6, 1)))
    assert (readout.deviations == 1).all()


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
def test_a_linear_model_reads_the_statistics_from_the_embedding():
    random = np.random.default_rng(0)
    amplitudes, phases = random.uniform(0.3, 2, (64, 1, 1)), random.uniform(0, 6, (64, 1, 1))
    X = amplitudes * np.sin(np.arange(20).reshape(1, 20, 1) + phases)
    options = {"n_components": 8, "hidden_units": (16,), "epochs": 150, "batch_size": 64, "random_state": 0}
    errors = LSTMAutoencoder(readout_weight=0.5, **options).fit(X).history_["readout_loss"]
    assert errors[-1] < 0.9 * errors[0]


def test_without_weight_nothing_is_read():
    X = np.random.default_rng(0).normal(size=(20, 6, 1))
    history = LSTMAutoencoder(2, hidden_units=(), epochs=2, readout_weight=0).fit(X).history_
    assert history.keys() == {"loss", "learning_rate"}


def test_a_stream_goes_on_with_its_readout():
    X = np.random.default_rng(0).normal(size=(64, 6, 1))
    autoencoder = LSTMAutoencoder(2, hidden_units=(), random_state=0)
    kernels, means = [], []
    for shift in range(3):
        autoencoder.partial_fit(X + shift)
        kernels.append(autoencoder._stream.readout_weights["readout/kernel"])
        means.append(autoencoder._stream.readout.means)
    np.testing.assert_array_equal(means[0], means[2])
    assert not np.array_equal(kernels[0], kernels[2])
    fixed = {"shortcut/means", "shortcut/loadings"}
    assert set(autoencoder.weights_) - fixed == set(autoencoder.network_.weight_shapes)
    assert len(autoencoder.history_["readout_loss"]) == 3
