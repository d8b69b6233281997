import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqembed import LSTMAutoencoder
from seqembed.sequences.collection import check_sequences
from seqembed.sequences.scaling import Batch, ScaledSequences, learn_scaling
from seqembed.training.readout import learn_readout, sequence_statistics

QUANTILES, LAGS, NOISE = (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1), (1, 2, 3, 5, 8, 13), 0.03


def draw_ragged(seed, n_samples, n_timesteps, n_features, missing=0.0):
    """Draw sequences of unequal lengths, some of whose values are missing; the padding is not zero."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, n_timesteps + 1, n_samples)
    values = random.normal(size=(n_samples, n_timesteps, n_features)).astype(np.float32)
    inside = np.arange(n_timesteps) < lengths[:, np.newaxis]
    mask = inside[:, :, np.newaxis] & (random.random(values.shape) >= missing)
    return Batch(values, mask, lengths)


def naive_statistics(values, mask, length, n_timesteps):
    """The statistics of one feature of one sequence, as lists of values and plain loops; None is unknown."""
    known = {t: float(values[t]) for t in range(length) if mask[t]}
    n = len(known)
    mean = sum(known.values()) / n if n else None
    deviation = math.sqrt(sum((x - mean) ** 2 for x in known.values()) / n) if n else None
    statistics = {"mean": mean, "log_deviation": math.log(deviation + NOISE) if n else None}
    statistics["absolute_deviation"] = sum(abs(x - mean) for x in known.values()) / n if n else None
    standard = {t: (x - mean) / (deviation + NOISE) for t, x in known.items()}
    statistics["skewness"] = math.tanh(sum(x**3 for x in standard.values()) / n) if n else None
    ordered = sorted(known.values())
    for share in QUANTILES:
        statistics[f"quantile_{share:g}"] = ordered[round(share * (n - 1))] if n else None
    for lag in LAGS:
        if lag < n_timesteps:
            products = [x * standard[t + lag] for t, x in standard.items() if t + lag in standard]
            statistics[f"autocorrelation_{lag}"] = sum(products) / len(products) if products else None
    smooth, width = {t: x - mean for t, x in known.items()}, 1
    while 2 * width <= n_timesteps:
        pairs = {t // 2: (x, smooth[t + 1]) for t, x in smooth.items() if t % 2 == 0 and t + 1 in smooth}
        squares = [(second - first) ** 2 for first, second in pairs.values()]
        size = math.sqrt(sum(squares) / len(squares)) if squares else None
        statistics[f"log_detail_{width}"] = math.log(size + NOISE) if squares else None
        smooth = {t: (first + second) / 2 for t, (first, second) in pairs.items()}
        width *= 2
    for number in range(4):
        members = [x for t, x in known.items() if 4 * t // length == number]
        statistics[f"mean_{number + 1}"] = sum(members) / len(members) if members else None
    return statistics


@settings(deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_timesteps=st.integers(1, 40),
    n_features=st.integers(1, 3),
    missing=st.sampled_from([0.0, 0.3, 0.95]),
)
def test_statistics_equal_those_of_plain_loops(seed, n_timesteps, n_features, missing):
    batch = draw_ragged(seed, 4, n_timesteps, n_features, missing)
    statistics = sequence_statistics(batch, n_timesteps)
    statistics.pop("correlation", None)
    for row in range(4):
        for feature in range(n_features):
            expected = naive_statistics(
                batch.values[row, :, feature], batch.mask[row, :, feature], batch.lengths[row], n_timesteps
            )
            assert list(statistics) == list(expected)
            for name, value in expected.items():
                given = statistics[name][row, feature]
                assert np.isnan(given) if value is None else given == pytest.approx(value, abs=1e-4), name


def test_correlations_are_those_of_the_timesteps_at_which_both_features_are_known():
    batch = draw_ragged(0, 3, 30, 3, missing=0.2)
    correlations = sequence_statistics(batch, 30)["correlation"]
    for row, length in enumerate(batch.lengths):
        values = np.where(batch.mask[row], batch.values[row], np.nan)[:length]
        standard = (values - np.nanmean(values, axis=0)) / (np.nanstd(values, axis=0) + NOISE)
        expected = [np.nanmean(standard[:, i] * standard[:, j]) for i, j in ((0, 1), (0, 2), (1, 2))]
        np.testing.assert_allclose(correlations[row], expected, atol=1e-4)


@pytest.mark.parametrize(("n_features", "n_pairs"), [(1, 0), (16, 120), (17, 0)])
def test_the_number_of_correlations_is_bounded(n_features, n_pairs):
    statistics = sequence_statistics(draw_ragged(0, 2, 5, n_features), 5)
    assert statistics.get("correlation", np.empty((2, 0))).shape[1] == n_pairs


def test_padding_does_not_change_the_statistics():
    batch = draw_ragged(0, 5, 20, 2)
    padded = Batch(*(np.pad(each, ((0, 0), (0, 7), (0, 0))) for each in batch[:2]), batch.lengths)
    for each, other in zip(
        sequence_statistics(batch, 20).values(), sequence_statistics(padded, 20).values(), strict=True
    ):
        np.testing.assert_allclose(each, other, atol=1e-5)


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
    values, _ = readout.targets(sequences.read(slice(0, 300)), 300, pool)
    assert np.abs(values).max() == 4
    # Bounding takes a little off both.
    assert np.abs(values.mean(axis=0)).max() < 0.1
    assert values.std(axis=0).max() < 1.05


def test_the_units_of_unscaled_sequences_do_not_matter(pool):
    X = np.random.default_rng(0).normal(size=(50, 12, 2))
    sequences, readout = learn(X, scale=None)
    larger, of_larger = learn(1000 * X, scale=None)
    small = readout.targets(sequences.read(slice(0, 50)), 50, pool)
    large = of_larger.targets(larger.read(slice(0, 50)), 50, pool)
    np.testing.assert_allclose(small.values, large.values, atol=1e-3)
    assert of_larger.weight == pytest.approx(1e6 * readout.weight, rel=1e-3)


def test_unknown_statistics_and_sequences_that_fill_up_a_batch_weigh_nothing(pool):
    random = np.random.default_rng(0)
    sequences, readout = learn([random.normal(size=length) for length in (1, 9, 9, 9)])
    values, weight = readout.targets(sequences.read(np.array([0, 1, 2])), 2, pool)
    assert np.isfinite(values).all()
    assert not weight[2].any()
    # A single timestep has no autocorrelation.
    assert (weight[0] == 0).any()
    assert set(np.unique(weight[:2])) == {0, 1}


def test_a_statistic_that_never_varies_is_left_as_it_is():
    _, readout = learn(np.ones((20, 6, 1)))
    assert (readout.deviations == 1).all()


@pytest.mark.slow
@pytest.mark.parametrize("n_updates", [150, 1000], ids=["in NumPy", "compiled"])
def test_a_linear_model_reads_the_statistics_from_the_embedding(n_updates):
    random = np.random.default_rng(0)
    amplitudes, phases = random.uniform(0.3, 2, (64, 1, 1)), random.uniform(0, 6, (64, 1, 1))
    X = amplitudes * np.sin(np.arange(20).reshape(1, 20, 1) + phases)
    options = {"n_components": 8, "hidden_units": (16,), "epochs": n_updates, "batch_size": 64, "random_state": 0}
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
    assert set(autoencoder.weights_) == set(autoencoder.network_.weight_shapes)
    assert len(autoencoder.history_["readout_loss"]) == 3
