import numpy as np
import pytest
from scipy.linalg import inv, sqrtm
from sklearn.decomposition import PCA

from seqembed.sequences.collection import check_sequences
from seqembed.sequences.scaling import Batch, ScaledSequences, learn_scaling
from seqembed.summary.components import learn_summary
from seqembed.summary.statistics import sequence_statistics


def scaled(X):
    sequences = check_sequences(X)
    return ScaledSequences(sequences, learn_scaling(sequences, "standard"))


def walks(n_samples=60, n_timesteps=30, n_features=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n_samples, n_timesteps, n_features)).cumsum(axis=1)


def groups_of(summary, batch):
    statistics = np.concatenate(list(sequence_statistics(batch, summary.n_timesteps).values()), axis=1)
    shares = summary.shares.compute(batch)
    n_thresholds = summary.shares.thresholds.size
    return [statistics, shares[:, :n_thresholds], shares[:, n_thresholds:]]


def r2(target, components):
    design = np.column_stack([components, np.ones(len(components))])
    residuals = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return 1 - np.square(residuals).sum() / np.square(target - target.mean()).sum()


def expected_components(summary, sequences, n_components):
    """Components by scikit-learn and by loops: of standardised, clipped and weighed numbers."""
    batch = sequences.read(slice(0, len(sequences)))
    halves = []
    for end in (False, True):
        lengths = -(-batch.lengths // 2)
        cut = [slice(n - half, n) if end else slice(0, half) for n, half in zip(batch.lengths, lengths, strict=True)]
        parts = [[each[row, part] for row, part in enumerate(cut)] for each in (batch.values, batch.mask)]
        halves.append(Batch(*map(np.stack, parts), lengths))
    numbers, *described = ([], [], [])
    for all_numbers, *of_halves in zip(*(groups_of(summary, each) for each in (batch, *halves)), strict=True):
        means, deviations = all_numbers.mean(axis=0, dtype=np.float64), all_numbers.std(axis=0, dtype=np.float64)
        for each, group in zip((numbers, *described), (all_numbers, *of_halves), strict=True):
            standardised = np.where(deviations > 1e-5, (group - means) / np.maximum(deviations, 1e-5), 0)
            each.append(np.clip(np.nan_to_num(standardised), -6, 6) / np.sqrt(group.shape[1]))
    numbers, first, second = (np.concatenate(each, axis=1) for each in (numbers, *described))
    pca = PCA(4 * n_components, svd_solver="full")
    components, differences = pca.fit_transform(numbers), (first - second) @ pca.components_.T
    within = differences.T @ differences
    within *= len(within) / np.trace(within)
    return PCA(n_components).fit_transform(components @ inv(sqrtm(within + np.eye(len(within)))))


@pytest.mark.usefixtures("small_chunks")
def test_components_are_those_of_scikit_learn_from_standardised_clipped_and_weighed_numbers():
    sequences = scaled(walks())
    summary = learn_summary(sequences, 5, 30)
    expected = expected_components(summary, sequences, 5)
    components = summary.compute(sequences.read(slice(0, 60)))
    assert components.dtype == np.float32
    expected *= np.sign((components * expected).sum(axis=0))
    np.testing.assert_allclose(components, expected, atol=1e-4)


@pytest.mark.parametrize("n_samples", [2, 3, 60])
def test_rounding_turns_no_component(n_samples):
    X = walks(n_samples)
    components = learn_summary(scaled(X), 2, 30).compute(scaled(X).read(slice(0, n_samples)))
    rounded = X.astype(np.float32)
    again = learn_summary(scaled(rounded), 2, 30).compute(scaled(rounded).read(slice(0, n_samples)))
    np.testing.assert_allclose(again, components, atol=1e-3)


def test_an_unknown_statistic_counts_as_its_mean():
    X = walks(n_features=1)
    summary = learn_summary(scaled(X), 5, 30)
    single = np.full((1, 30, 1), np.nan)
    single[0, 3] = X[0, 3]
    sequences = check_sequences(np.concatenate([X, single]))
    batch = ScaledSequences(sequences, learn_scaling(check_sequences(X), "standard")).read(slice(60, 61))
    numbers = np.concatenate(groups_of(summary, batch), axis=1)
    assert np.isnan(numbers).any()
    filled = np.where(np.isnan(numbers), summary.means, numbers)
    expected = np.clip((filled - summary.means) * summary.factors, -6, 6) @ summary.axes - summary.offset
    np.testing.assert_allclose(summary.compute(batch), expected, atol=1e-5)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 40])
def test_there_are_fewer_components_if_there_are_fewer_sequences(n_samples):
    sequences = scaled(walks(n_samples))
    assert learn_summary(sequences, 32, 30).axes.shape[1] == min(32, max(1, n_samples - 1))


def test_rounding_error_is_no_component():
    copies = np.tile(walks(3), (20, 1, 1))
    assert learn_summary(scaled(copies), 8, 30).axes.shape[1] == 2
    assert learn_summary(scaled(np.full((20, 30, 1), 0.1 + 0.2)), 8, 30).axes.shape[1] == 1


def test_a_constant_feature_adds_nothing_whatever_its_rounding():
    X = walks(n_features=1)
    constant = np.where(np.random.default_rng(0).random(X.shape) < 0.5, 0.3, 0.1 + 0.2)
    numbers = [
        int((learn_summary(scaled(np.concatenate([X, each], axis=2)), 4, 30).factors > 0).sum())
        for each in (np.full_like(constant, 0.25), constant)
    ]
    assert numbers[0] == numbers[1]


def test_huge_values_are_extreme_and_not_average():
    X = walks()
    sequences = scaled(X)
    summary = learn_summary(sequences, 5, 30)
    norms = np.linalg.norm(summary.compute(sequences.read(slice(0, 60))), axis=1)
    for factor in (1e25, 1e45):
        huge = ScaledSequences(check_sequences(X[:1] * factor), sequences.scaling).read(slice(0, 1))
        components = summary.compute(huge)
        assert np.isfinite(components).all()
        # Shares of competitions tell nothing of size: a training sequence may be as extreme.
        assert (np.linalg.norm(components) > norms).mean() > 0.95


def test_one_spike_takes_little_from_what_the_components_say():
    X = np.random.default_rng(0).normal(size=(200, 30, 1)) + np.random.default_rng(1).normal(size=(200, 1, 1))
    levels = X.mean(axis=(1, 2))
    spiked = X.copy()
    spiked[7, 3] = 1e6
    others = np.arange(200) != 7
    before, after = (
        r2(levels[others], learn_summary(scaled(each), 8, 30).compute(scaled(each).read(np.arange(200)))[others])
        for each in (X, spiked)
    )
    assert after > before - 0.1


def test_a_sample_does_not_depend_on_a_period_in_the_data(monkeypatch):
    monkeypatch.setattr("seqembed.summary.description._MOST_SEQUENCES", 128)
    X = walks(512, n_features=1)
    X[::2] *= 0.01
    summary = learn_summary(scaled(X), 4, 30)
    components = summary.compute(scaled(X).read(np.arange(512)))
    assert r2(np.arange(512) % 2 == 0, components) > 0.9
