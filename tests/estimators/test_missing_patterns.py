import copy
import io
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA

from seqembed import LSTMReconstructor, ReconstructionDetector, load
from seqembed.estimators.distances import no_distances
from seqembed.estimators.heldout_residuals import HeldOutResiduals
from seqembed.estimators.missing_patterns import N_DESCRIPTIONS, MissingPatterns, _described, learn_missing_patterns
from seqembed.estimators.reconstruction import feature_means, interpolated
from seqembed.estimators.residuals import ResidualWeights
from seqembed.sequences.collection import check_sequences


def waves(random, n_samples, n_timesteps=20):
    phases = random.uniform(0, 6, (n_samples, 1))
    waves = np.sin(np.arange(n_timesteps) / 3 + phases), np.cos(np.arange(n_timesteps) / 5 + phases)
    return np.stack(waves, axis=2) + random.normal(0, 0.1, (n_samples, n_timesteps, 2))


def with_holes(X, kind, random):
    X = np.array(X)
    for sequence in X:
        if kind == "at random":
            sequence[random.random(sequence.shape) < 0.5] = np.nan
        elif kind == "one value is known":
            known = random.integers(sequence.size)
            sequence.ravel()[np.arange(sequence.size) != known] = np.nan
        elif kind == "a silent sensor":
            sequence[:, random.integers(2)] = np.nan
        elif kind == "outage of one sensor":
            start, n_missing = random.integers(11), random.integers(3, 11)
            sequence[start : start + n_missing, random.integers(2)] = np.nan
        else:
            start = {"outage at the start": 0, "outage at the end": 10}.get(kind, random.integers(11))
            sequence[start : start + 10] = np.nan
    return X


def network():
    return LSTMReconstructor(4, hidden_units=(8,), epochs=40, random_state=0)


KINDS = [
    "at random",
    "outage",
    "outage at the start",
    "outage at the end",
    "outage of one sensor",
    "a silent sensor",
    "one value is known",
]


def detector_for_counts(seed):
    detector = ReconstructionDetector(network(), contamination=0.05, cv=3, random_state=seed)
    return detector.fit(waves(np.random.default_rng(seed), 300))


@pytest.fixture(scope="session")
def detector():
    """A detector whose networks have learned little: do not fit it again."""
    return ReconstructionDetector(network().set_params(epochs=2), cv=2).fit(waves(np.random.default_rng(0), 60))


@pytest.mark.slow
def test_normal_sequences_with_missing_values_raise_about_as_many_alarms_as_were_asked_for():
    flagged = {kind: [] for kind in KINDS}
    for seed in range(6):
        detector = detector_for_counts(seed)
        for kind, shares in flagged.items():
            random = np.random.default_rng(100 + seed)
            shares.append(np.mean(detector.predict(with_holes(waves(random, 500), kind, random)) < 0))
    # .05 was asked for. Six thresholds, of 300 sequences each, have a standard error of .007 together.
    for kind, shares in flagged.items():
        assert 0.02 < np.mean(shares) < 0.105, kind


@pytest.mark.slow
def test_a_spike_among_missing_values_is_found():
    random = np.random.default_rng(9)
    X = with_holes(waves(random, 50), "outage", random)
    for sequence in X:
        known = np.flatnonzero(~np.isnan(sequence[:, 0]))
        sequence[random.choice(known), 0] += 5
    assert np.mean(detector_for_counts(0).predict(X) < 0) > 0.9


def test_complete_sequences_are_scored_as_without_patterns(detector):
    X = waves(np.random.default_rng(5), 20)
    expected = detector.score_samples(X)
    buffer = io.BytesIO()
    detector.save(buffer)
    loaded = load(buffer.getvalue())
    np.testing.assert_array_equal(loaded.score_samples(X), expected)
    loaded.missing_patterns_ = None
    np.testing.assert_array_equal(loaded.score_samples(X), expected)


def as_an_earlier_version_saved(detector, with_patterns):
    """Return a detector without distances as it was saved before there were any."""
    earlier = copy.copy(detector)
    patterns = vars(earlier).pop("missing_patterns_")
    for name in ("heldout_errors_", "normal_descriptions_"):
        delattr(earlier, name)
    if with_patterns:
        earlier.complete_errors_, earlier.value_errors_ = patterns.complete[:, 0], patterns.value_errors
        # They had one number less.
        earlier.pattern_descriptions_, earlier.pattern_excesses_ = (
            patterns.descriptions[:, :-1],
            patterns.excesses[:, 0],
        )
    return earlier


@pytest.mark.parametrize("with_patterns", [True, False])
def test_a_detector_of_a_version_without_distances_scores_as_it_did(with_patterns, monkeypatch):
    random = np.random.default_rng(5)
    detector = ReconstructionDetector(network().set_params(epochs=2), cv=2, distances=False).fit(waves(random, 40))
    X = with_holes(waves(random, 20), "outage", random)
    patterns = detector.missing_patterns_
    as_then = copy.copy(detector)
    as_then.missing_patterns_ = patterns._replace(descriptions=patterns.descriptions[:, :-1])
    expected = as_then.score_samples(X)
    earlier, buffer = as_an_earlier_version_saved(detector, with_patterns), io.BytesIO()
    older = copy.copy(earlier)
    del older.distances, older.unlabelled
    pickled = pickle.dumps(older)
    # Files are read back when they are written.
    monkeypatch.setattr("seqembed.estimators.saving.load", lambda data: None)
    earlier.save(buffer)
    for loaded in (load(buffer.getvalue()), pickle.loads(pickled)):
        scores = loaded.score_samples(X)
        assert np.isfinite(scores).all()
        assert (scores == expected).all() == with_patterns
        assert not clone(loaded).distances


def test_sequences_without_any_value_are_not_flagged_and_the_user_is_told(detector):
    X = waves(np.random.default_rng(5), 6)
    expected = detector.score_samples(X)
    X[[1, 4]] = np.nan
    with pytest.warns(UserWarning, match="Got 2 sequences of 6 without any value.* The first is sequence 1"):
        scores = detector.score_samples(X)
    np.testing.assert_array_equal(np.isnan(scores), [False, True, False, False, True, False])
    known = ~np.isnan(scores)
    np.testing.assert_allclose(scores[known], expected[known], rtol=1e-6)
    with pytest.warns(UserWarning, match="none is flagged"):
        np.testing.assert_array_equal(detector.predict(X)[[1, 4]], 1)
    with pytest.warns(UserWarning, match="none is flagged"):
        assert (detector.explain(X).value[[1, 4]] == 0).all()
    with pytest.warns(UserWarning, match="2 sequences of 2"):
        assert np.isnan(detector.score_samples(X[[1, 4]])).all()


def test_shares_of_a_sequence_with_missing_values_add_up_to_its_score(detector):
    X = with_holes(waves(np.random.default_rng(5), 20), "at random", np.random.default_rng(0))
    shares = detector.explain(X)
    np.testing.assert_allclose(-shares.value.sum(axis=(1, 2)), detector.score_samples(X))
    assert (shares.value[np.isnan(X)] == 0).all()


@pytest.mark.parametrize("unequal", [False, True])
def test_sets_of_holes_alone_are_fitted_and_judged(unequal):
    random = np.random.default_rng(0)
    X = with_holes(waves(random, 40), "at random", random)
    X[:, 0] = 0
    X = [sequence[: 5 + number % 16] for number, sequence in enumerate(X)] if unequal else X
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        detector = ReconstructionDetector(network().set_params(epochs=2), contamination=0.1, cv=3).fit(X)
    assert np.isfinite(detector.heldout_scores_).all()
    assert np.isfinite(detector.score_samples(X)).all()


def test_the_rank_among_held_out_errors_of_as_many_values_decides():
    random = np.random.default_rng(0)
    complete = np.sort(random.chisquare(24, 500)) / 24
    of_three = random.chisquare(3, 500) / 3
    excesses = np.log(of_three / 2)[:, np.newaxis]
    none = np.zeros((500, N_DESCRIPTIONS), np.float32)
    patterns = MissingPatterns(complete[:, np.newaxis], np.full((24, 1), 2.0), none, excesses)
    known = np.zeros((100, 24, 1), bool)
    known[:, :3] = True
    errors = random.chisquare(3, 100) / 3
    comparable = patterns.comparable(errors[:, np.newaxis], known, np.full(100, 24))[:, 0]
    within = errors < of_three.max()
    assert within.sum() > 90
    for error, given in zip(errors[within], comparable[within], strict=True):
        assert abs(np.mean(complete < given) - np.mean(of_three < error)) < 0.1
    assert patterns.comparable(np.array([[1e9]]), known[:1], np.array([24]))[0, 0] > 10 * complete[-1]
    every = np.ones((1, 24, 1), bool)
    assert patterns.comparable(np.array([[5.0]]), every, np.array([24]))[0, 0] == 5


def naive_interpolated(sequence):
    filled, timesteps = sequence.copy(), np.arange(len(sequence))
    for feature in range(sequence.shape[1]):
        known = ~np.isnan(sequence[:, feature])
        if known.any():
            filled[:, feature] = np.interp(timesteps, timesteps[known], sequence[known, feature])
    return filled


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_missing_values_are_interpolated_in_time_and_a_silent_feature_is_left_alone(dtype):
    sequence = np.array([[np.nan, np.nan], [1, np.nan], [np.nan, np.nan], [5, np.nan], [np.nan, np.nan]])
    complete = np.zeros((3, 2))
    filled, same = interpolated([sequence, complete])
    np.testing.assert_array_equal(filled[:, 0], [1, 1, 3, 5, 5])
    assert np.isnan(filled[:, 1]).all()
    assert same is complete
    random = np.random.default_rng(0)
    sequences = [random.normal(0, 9, (random.integers(1, 9), 3)).astype(dtype) for _ in range(200)]
    for each in sequences:
        each[random.random(each.shape) < random.random()] = np.nan
    for each, given in zip(interpolated(sequences), sequences, strict=True):
        assert each.dtype == dtype
        np.testing.assert_allclose(each, naive_interpolated(given), rtol=1e-6 if dtype == np.float32 else 1e-12)


def longest_stretch(known):
    return (np.diff([-1, *np.flatnonzero(known), len(known)]) - 1).max()


def naive_description(known):
    there = known.any(axis=1)
    if not there.any():
        return np.ones(N_DESCRIPTIONS)
    gaps = np.diff([-1, *np.flatnonzero(there), len(known)]) - 1
    by_feature = 1 - known.mean(axis=0)
    middle = sum(place * share for place, share in zip(np.linspace(0, 1, known.shape[1]), by_feature, strict=True))
    return np.array(
        [
            1 - known.mean(),
            1 - there.mean(),
            *np.array([gaps.max(), gaps[0], gaps[-1]]) / len(known),
            np.mean([not each.any() for each in known.T]),
            1 - np.log1p(known.sum()) / np.log1p(known.size),
            middle / by_feature.sum() if by_feature.any() else 0,
            np.mean([longest_stretch(each) for each in known.T]) / len(known),
        ]
    )


def test_patterns_are_described_as_by_a_plain_loop():
    random = np.random.default_rng(0)
    lengths = random.integers(1, 12, 300)
    known = (random.random((300, 11, 3)) < random.random((300, 1, 1))) & (random.random((300, 11, 1)) < 0.7)
    known &= np.arange(11)[:, np.newaxis] < lengths[:, np.newaxis, np.newaxis]
    expected = [naive_description(each[:length]) for each, length in zip(known, lengths, strict=True)]
    np.testing.assert_allclose(_described(known, lengths), expected, atol=1e-12)


class Principal(BaseEstimator):
    """An estimator that takes no missing values, and remembers the dtypes that it was given."""

    def fit(self, X):
        self.pca_ = PCA(2).fit(X.reshape(len(X), -1))
        self.dtypes_ = {X.dtype}
        return self

    def reconstruct(self, X):
        self.dtypes_.add(X.dtype)
        return self.pca_.inverse_transform(self.pca_.transform(X.reshape(len(X), -1))).reshape(X.shape)


def test_an_estimator_that_takes_no_missing_values_is_fitted_on_complete_sequences_and_judges_holes():
    random = np.random.default_rng(0)
    detector = ReconstructionDetector(Principal(), cv=2).fit(waves(random, 40).astype(np.float32))
    X = with_holes(waves(random, 20), "outage", random).astype(np.float32)
    assert np.isfinite(detector.score_samples(X)).all()
    assert detector.estimators_[0].dtypes_ == {np.dtype(np.float32)}


def test_a_sensor_without_any_value_is_judged_by_an_estimator_that_takes_no_missing_values():
    random, level = np.random.default_rng(0), [1e4, 0]
    detector = ReconstructionDetector(Principal(), cv=2, contamination=0.05).fit(waves(random, 60) + level)
    np.testing.assert_allclose(detector.feature_means_, level, atol=0.2)
    X = waves(random, 100) + level
    X[:, :, 0] = np.nan
    assert np.mean(detector.predict(X) == -1) < 0.15
    X[7, 5, 1] += 9
    shares = detector.explain(X)
    assert detector.predict(X)[7] == -1
    assert (shares.feature[:, 0] == 0).all()
    np.testing.assert_allclose(shares.feature.sum(axis=1), -detector.score_samples(X))


class Constant(BaseEstimator):
    def __init__(self, value=0.0):
        self.value = value

    def reconstruct(self, X):
        return np.full(np.shape(X), self.value)


def test_patterns_of_a_block_are_judged_by_its_own_network_and_its_own_distances():
    # The first two sequences are rare.
    X = np.concatenate([np.full((2, 5, 2), 7.0), np.zeros((30, 5, 2))])
    blocks, residuals = [np.arange(12), np.arange(12, 30)], np.full((30, 5, 2), [2.0, 4.0])
    networks = [Constant(3.0), Constant(10.0)]
    fits = HeldOutResiduals(check_sequences(X), np.arange(2, 32), None, networks, blocks, residuals)
    weights = ResidualWeights(np.ones(2), np.eye(2), 0.0, 5)
    patterns = learn_missing_patterns(
        fits, np.ones((30, 2)), weights, lambda part, block: np.full((len(part), 1), 1.0 + block[0])
    )
    np.testing.assert_allclose(patterns.value_errors, np.full((5, 2), [4.0, 16.0]))
    counts = np.bincount(np.linspace(0, 29, 32 * 30).round() >= 12)
    errors, distances = np.repeat([9.0, 100.0], counts), np.repeat([1.0, 13.0], counts)
    # Of complete sequences, the mean error of the values that a pattern leaves is from 4 to 16.
    expected = errors / np.exp(patterns.excesses[:, 0])
    assert np.allclose(expected.min(), 4)
    assert np.allclose(expected.max(), 16)
    assert len(np.unique(expected.round(3))) > 5
    np.testing.assert_allclose(np.exp(patterns.excesses[:, 1]), distances, rtol=1e-5)


@pytest.mark.parametrize("n_complete", [19, 20])
def test_errors_of_complete_sequences_are_the_scale_unless_they_are_few(n_complete):
    X = np.zeros((30, 5, 2))
    X[n_complete:, 0, 0] = np.nan
    blocks, residuals = [np.arange(15), np.arange(15, 30)], np.where(np.isnan(X), np.nan, 1.0)
    fits = HeldOutResiduals(check_sequences(X), np.arange(30), None, [Constant(), Constant()], blocks, residuals)
    weights, errors = ResidualWeights(np.ones(2), np.eye(2), 0.0, 5), np.arange(30.0)[::-1, np.newaxis]
    patterns = learn_missing_patterns(fits, errors, weights, no_distances)
    n_used = n_complete if n_complete == 20 else 30
    np.testing.assert_array_equal(patterns.complete, np.sort(errors[:n_used], axis=0))


def test_means_are_those_of_the_known_values_of_sequences_of_any_length():
    sequences = check_sequences([np.array([[1.0, np.nan], [5.0, np.nan]]), np.array([[np.nan, 4.0]]), np.ones((3, 2))])
    np.testing.assert_array_equal(feature_means(sequences, np.arange(1)), [3, 0])
    np.testing.assert_array_equal(feature_means(sequences, np.arange(3)), [9 / 5, 7 / 4])


class Overflowing(Principal):
    def reconstruct(self, X):
        reconstruction = super().reconstruct(X)
        reconstruction[np.abs(X).max(axis=(1, 2)) > 50] = np.inf
        return reconstruction


def test_a_network_that_overflows_flags_a_sequence_with_a_hole_too():
    random = np.random.default_rng(0)
    detector = ReconstructionDetector(Overflowing(), cv=2).fit(waves(random, 40))
    X = waves(random, 3)
    X[0, 5, 0], X[0, 9:12] = 100, np.nan
    np.testing.assert_array_equal(detector.predict(X), [-1, 1, 1])


@pytest.mark.slow
def test_scores_with_missing_values_do_not_depend_on_the_batch():
    random = np.random.default_rng(0)
    X = random.normal(size=(60, 12, 8)).cumsum(axis=1)
    detector = ReconstructionDetector(Principal(), cv=2).fit(X)
    X[random.random(X.shape) < 0.3] = np.nan
    together = detector.score_samples(X)
    np.testing.assert_allclose(together, [detector.score_samples(x[np.newaxis])[0] for x in X], rtol=1e-9)


@pytest.mark.slow
def test_a_normal_sequence_that_is_longer_than_all_others_and_begins_with_a_hole_is_normal():
    random = np.random.default_rng(0)
    X = [wave[: random.integers(6, 11)] for wave in waves(random, 60)]
    detector = ReconstructionDetector(network(), cv=2).fit(X)
    longer = waves(random, 1, 30)[0]
    complete = detector.score_samples([longer])[0]
    longer[:10] = np.nan
    assert 10 * complete < detector.score_samples([longer])[0] < 0


@pytest.mark.slow
def test_a_small_contamination_is_not_exceeded_because_few_patterns_are_alike():
    random = np.random.default_rng(0)
    complete, n_patterns = np.sort(random.chisquare(24, (4000, 1)), axis=0) / 24, 5000
    holes = random.chisquare(24, (n_patterns, 1)) / 24
    none = np.zeros((n_patterns, N_DESCRIPTIONS), np.float32)
    patterns = MissingPatterns(complete, np.ones((24, 1)), none, np.log(holes))
    known = np.ones((20000, 24, 1), bool)
    known[:, 3] = False
    comparable = patterns.comparable(random.chisquare(24, (20000, 1)) / 24, known, np.full(20000, 24))
    assert np.mean(comparable > complete[-4]) < 0.01
