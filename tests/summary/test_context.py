import numpy as np
import pytest

from seqembed.sequences.collection import check_sequences
from seqembed.sequences.scaling import ScaledSequences, learn_scaling
from seqembed.summary.components import learn_summary
from seqembed.summary.context import learn_context


def scaled(X, scale="standard"):
    sequences = check_sequences(X)
    return ScaledSequences(sequences, learn_scaling(sequences, scale))


def walks(n_samples=60, n_timesteps=30, n_features=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n_samples, n_timesteps, n_features)).cumsum(axis=1)


@pytest.mark.usefixtures("small_chunks")
def test_a_context_is_the_summary_of_mean_square_one_and_bounded():
    sequences = scaled(walks())
    context, summary = learn_context(sequences, 6, 30), learn_summary(sequences, 6, 30)
    batch = sequences.read(slice(0, 60))
    components = summary.compute(batch).astype(np.float64)
    expected = np.clip(components / np.sqrt(components.var(axis=0).mean()), -4, 4)
    np.testing.assert_allclose(context.compute(batch), expected, atol=1e-5)
    assert context.compute(batch).dtype == np.float32
    assert context.size == 6
    far = batch._replace(values=50 * batch.values)
    assert np.abs(context.compute(far)).max() == 4


def test_a_network_that_reads_raw_values_has_the_same_context():
    X = 1000 + 50 * walks()
    raw, standard = scaled(X, scale=None), scaled(X)
    contexts = [learn_context(each, 6, 30).compute(each.read(slice(0, 60))) for each in (raw, standard)]
    np.testing.assert_allclose(*contexts, atol=1e-3)


def test_missing_values_and_padding_are_left_out_of_the_statistics():
    X = walks()
    context = learn_context(scaled(X), 6, 30)
    sequences = ScaledSequences(check_sequences([x[:20] for x in X]), scaled(X).scaling)
    short, padded = sequences.read(slice(0, 60)), sequences.read(slice(0, 60), 33)
    np.testing.assert_allclose(context.compute(padded), context.compute(short), atol=1e-5)


@pytest.mark.parametrize("X", [np.ones((20, 9, 2)), walks(1)], ids=["constants", "a single sequence"])
def test_there_is_no_context_where_nothing_tells_sequences_apart(X):
    assert learn_context(scaled(X), 6, X.shape[1]) is None


def noise_share(X, size=8):
    context, sequences = learn_context(scaled(X), size, X.shape[1]), scaled(X)
    return (context.noise / context.compute(sequences.read(slice(0, len(X)))).std(axis=0)).max()


@pytest.mark.usefixtures("small_chunks")
def test_the_noise_is_a_quarter_of_the_distance_of_neighbours():
    X, sequences = walks(), scaled(walks())
    components = learn_context(sequences, 8, 30).summary.compute(sequences.read(slice(0, 60))).astype(np.float64)
    distances = np.linalg.norm(components[:, np.newaxis] - components, axis=2)
    nearest = np.median(np.where(np.eye(60, dtype=bool), np.inf, distances).min(axis=1))
    typical = np.sqrt(np.square(distances).mean())
    assert noise_share(X) == pytest.approx(nearest / typical / 4, rel=0.05)
    # Twins do not make it smaller.
    assert noise_share(np.repeat(X, 2, axis=0)) > 0.8 * noise_share(X)


def test_the_noise_is_small_where_sequences_fall_into_groups_and_large_where_they_are_noise():
    random, time = np.random.default_rng(0), np.arange(60)
    frequencies = np.repeat([0.2, 0.5, 1.1, 2.0], 20)[:, np.newaxis]
    groups = np.sin(frequencies * time + random.uniform(0, 6, (80, 1))) + 0.01 * random.normal(size=(80, 60))
    noise = random.normal(size=(80, 60))
    of_groups, of_noise = (noise_share(each[..., np.newaxis]) for each in (groups, noise))
    assert of_groups < 0.5 * of_noise
    assert of_noise < 1
