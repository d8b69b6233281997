import io

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator

from seqembed import LSTMReconstructor, ReconstructionDetector, detect_events, load, sliding_windows
from seqembed.estimators.distances import _nearest_of_blocks, _without_each_block, learn_normal_descriptions
from seqembed.estimators.residuals import learn_length_exponent
from seqembed.sequences.collection import check_sequences


class Zeros(BaseEstimator):
    def fit(self, X, y=None):
        return self

    def reconstruct(self, X):
        return np.zeros_like(X)


BLOCKS = [np.arange(20), np.arange(20, 40), np.arange(40, 60)]


def waves(n_samples, random_state, n_timesteps=30):
    random = np.random.default_rng(random_state)
    steps = np.arange(n_timesteps) / 3 + random.uniform(0, 6, (n_samples, 1))
    return np.stack([np.sin(steps), np.cos(steps)], axis=2) + random.normal(0, 0.1, (n_samples, n_timesteps, 2))


def small_detector(epochs=20, **parameters):
    network = LSTMReconstructor(4, hidden_units=(8,), epochs=epochs, random_state=0)
    return ReconstructionDetector(network, **{"contamination": 0.02, "cv": 3, **parameters})


@pytest.fixture(scope="session")
def detector():
    return small_detector(epochs=5).fit(waves(200, 0))


def naive_distances(numbers, references, blocks, n_nearest=3):
    means = []
    for left_out in np.unique(blocks):
        distances = cdist(numbers, references[blocks != left_out]) / np.sqrt(numbers.shape[1])
        means.append(np.sort(distances, axis=1)[:, :n_nearest].mean(axis=1))
    return np.array(means)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("n_references", [4, 9, 300])
def test_distances_are_those_of_a_plain_search(n_references):
    random = np.random.default_rng(n_references)
    numbers, references = (random.normal(size=(n, 40)).astype(np.float32) for n in (25, n_references))
    blocks = np.arange(n_references) * 3 // n_references
    found = _without_each_block(_nearest_of_blocks(numbers, references, blocks))
    np.testing.assert_allclose(found, naive_distances(numbers, references, blocks), rtol=1e-5)


def distances_of(normal, sequences, rows):
    return normal.distances(normal.described(sequences, rows), sequences.lengths[rows])


def of_lengths(X, lengths):
    return [x[:length] for x, length in zip(X, lengths, strict=True)]


@pytest.mark.parametrize("ragged", [False, True])
def test_distances_have_the_same_bits_for_any_number_of_sequences(ragged):
    lengths = np.random.default_rng(0).integers(9, 31, 60) if ragged else np.full(60, 30)
    sequences = check_sequences(of_lengths(waves(60, 0), lengths))
    normal, _, _ = learn_normal_descriptions(sequences, np.arange(60), BLOCKS)
    new = check_sequences(of_lengths(waves(50, 1), lengths[:50]))
    together = distances_of(normal, new, np.arange(50))
    for rows in (np.arange(1), np.arange(7, 20)):
        np.testing.assert_array_equal(distances_of(normal, new, rows), together[:, rows])


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("ragged", [False, True])
def test_training_sequences_are_compared_as_when_they_were_held_out(ragged):
    lengths = np.random.default_rng(0).integers(9, 31, 60) if ragged else np.full(60, 30)
    sequences = check_sequences(of_lengths(waves(60, 0), lengths))
    normal, heldout, _ = learn_normal_descriptions(sequences, np.arange(60), BLOCKS)
    for comparison in distances_of(normal, sequences, np.arange(60)):
        np.testing.assert_allclose(comparison, heldout, rtol=1e-4)


@pytest.mark.slow
def test_repeated_patterns_are_equal_whatever_they_are_scored_beside():
    patterns = [np.sin(np.arange(length) / 3)[:, np.newaxis] for length in (20, 25, 30, 41, 55)]
    detector = small_detector().fit(patterns * 12)
    together = detector.score_samples(patterns)
    alone = [detector.score_samples([each])[0] for each in patterns]
    np.testing.assert_allclose(alone, together, rtol=1e-3)
    assert (detector.predict(patterns) == 1).all()


def test_a_feature_that_no_sampled_sequence_has_is_no_reason_to_fail(monkeypatch):
    monkeypatch.setattr("seqembed.estimators.distances._MOST_READ", 3)
    X = waves(60, 0)
    X[:, :, 1] = np.nan
    X[1, :, 1] = 0
    normal, heldout, _ = learn_normal_descriptions(check_sequences(X), np.arange(60), BLOCKS)
    assert np.isfinite(heldout).all()
    assert (normal.scale > 0).all()


@pytest.mark.slow
def test_a_long_event_of_constant_strength_is_marked_from_its_start_to_its_end():
    random = np.random.default_rng(0)
    training, recording = random.normal(size=(2000, 2)), random.normal(size=(1000, 2))
    detector = ReconstructionDetector(Zeros(), gap=29).fit(sliding_windows(training, 30).windows)
    for shift in (1.5, 3, 20):
        shifted = recording.copy()
        shifted[500:600] += shift
        table = detect_events(detector, shifted, 30).table
        event = table.loc[table.score.idxmin()]
        assert abs(event.start - 500) <= 5, shift
        assert abs(event.end - 599) <= 5, shift


def test_a_gap_keeps_neighbours_of_a_block_apart():
    sequences = check_sequences(waves(60, 0))
    _, near, _ = learn_normal_descriptions(sequences, np.arange(60), BLOCKS)
    _, far, _ = learn_normal_descriptions(sequences, np.arange(60), BLOCKS, gap=15)
    # Components of fewer sequences may lie nearer: only the nearest of fewer sequences can't.
    assert (far[:, :2] >= near[:, :2] - 1e-9).all()
    assert (far[:, :2] > near[:, :2]).any()
    assert (far[:, 2] != near[:, 2]).all()


@pytest.mark.parametrize("gap", [0, 3, 15])
def test_windows_that_overlap_are_compared_with_others_that_are_half_a_block_away(gap):
    sequences = check_sequences(waves(60, 0))
    normal, heldout, of_block = learn_normal_descriptions(sequences, np.arange(60), BLOCKS, gap)
    numbers, first = normal.described(sequences, np.arange(60)).numbers, normal.description.groups[0]
    for block in BLOCKS:
        away = {0: 0, 3: 10, 15: 15}[gap]
        compared = (np.arange(60) < block[0] - away) | (np.arange(60) > block[-1] + away)
        distances = cdist(numbers[block][:, first], normal.references[compared][:, first]) / np.sqrt(first.stop)
        expected = np.sort(distances, axis=1)[:, :3].mean(axis=1)
        np.testing.assert_allclose(heldout[block, 0], expected, rtol=1e-4)
        alone = check_sequences(sequences.values[block])
        np.testing.assert_allclose(of_block(alone, block)[:, 0], expected, rtol=1e-4)


@pytest.mark.slow
def test_another_recording_of_a_machine_whose_periods_never_meet_the_same_way_has_few_false_alarms():
    def machine(n_rows, random_state):
        random, time = np.random.default_rng(random_state), np.arange(n_rows)
        of_load, of_speed, of_both = random.uniform(0, 6, 3)
        speed = 3 + np.sin(2 * np.pi * time / 61 + of_speed) + 0.5 * np.sin(2 * np.pi * time / 143 + of_both)
        rows = np.stack([speed, speed * (1 + 0.3 * np.sin(2 * np.pi * time / 170 + of_load))], axis=1)
        return rows + random.normal(0, 0.05, rows.shape)

    detector = ReconstructionDetector(Zeros(), contamination=0.02, gap=9)
    detector.fit(sliding_windows(machine(4000, 2), 40, 4).windows)
    others = [sliding_windows(machine(2000, seed), 40, 5).windows for seed in range(100, 104)]
    # Compared with the windows beside them, held-out windows are so near that .15 are flagged.
    assert np.mean(detector.predict(np.concatenate(others)) < 0) < 0.1


def test_a_gap_that_leaves_no_reference_is_not_kept():
    sequences = check_sequences(waves(60, 0))
    _, heldout, _ = learn_normal_descriptions(sequences, np.arange(60), BLOCKS, gap=60)
    _, without_gap, _ = learn_normal_descriptions(sequences, np.arange(60), BLOCKS)
    np.testing.assert_array_equal(heldout, without_gap)


def test_large_sets_are_sampled_and_the_sample_is_the_same_each_time(monkeypatch):
    monkeypatch.setattr("seqembed.estimators.distances._MOST_READ", 30)
    sequences = check_sequences(waves(60, 0))
    first, _, _ = learn_normal_descriptions(sequences, np.arange(60), BLOCKS)
    second, heldout, _ = learn_normal_descriptions(sequences, np.arange(60), BLOCKS)
    assert len(first.references) == 30
    np.testing.assert_array_equal(first.references, second.references)
    assert np.isfinite(heldout).all()


@pytest.mark.slow
def test_a_sensor_that_sticks_is_found_by_its_statistics_and_named():
    random = np.random.default_rng(0)
    normal, X = random.normal(size=(200, 30, 2)), random.normal(size=(40, 30, 2))
    X[:, 8:, 0] = X[:, 8:9, 0] / 2
    # A network can't learn noise, and a constant is nearer to what it returns.
    assert np.mean(small_detector(epochs=2, distances=False).fit(normal).predict(X) < 0) < 0.1
    detector = small_detector(epochs=2).fit(normal)
    assert np.mean(detector.predict(X) < 0) > 0.9
    assert np.mean(detector.explain(X).feature.argmax(axis=1) == 0) > 0.9


@pytest.mark.slow
def test_a_bump_much_smaller_than_levels_and_slopes_differ_is_found():
    def lines(n_samples, random_state):
        random, steps = np.random.default_rng(random_state), np.linspace(-1, 1, 30)
        levels, slopes = random.normal(0, 3, (n_samples, 1)), random.normal(0, 2, (n_samples, 1))
        return (levels + slopes * steps + random.normal(0, 0.1, (n_samples, 30)))[:, :, np.newaxis]

    detector = ReconstructionDetector(Zeros(), contamination=0.02).fit(lines(300, 0))
    assert np.mean(detector.predict(lines(200, 1)) < 0) < 0.03
    rare = lines(200, 2)
    rare[:, 12:18] += 0.5
    assert np.mean(detector.predict(rare) < 0) > 0.9


@pytest.mark.slow
def test_an_event_says_what_found_it():
    random = np.random.default_rng(0)
    recording = random.normal(size=(600, 2))
    windows = sliding_windows(recording.copy(), 30).windows
    recording[300:340, 0] = 0.2
    found = detect_events(small_detector(epochs=2, contamination=0, gap=29).fit(windows), recording, 30).table.found_by
    assert set(found) <= {"statistics", "convolutions"}
    assert len(found) == 1
    recording[300, 0] = 1e4
    alone = small_detector(contamination=0, gap=29, distances=False).fit(windows)
    assert list(detect_events(alone, recording, 30).table.found_by) == ["reconstruction"]


def test_scores_count_normal_sequences(detector):
    scores = detector.score_samples(waves(300, 7))
    assert (scores <= -1).all()
    assert detector.heldout_errors_.shape == (200, 4)
    # Half of normal sequences are rarer than one of two, in each kind.
    assert -3 < np.median(scores) < -1.5


@pytest.mark.parametrize("n_timesteps", [12, 40])
def test_sequences_of_other_lengths_are_judged_by_their_reconstruction(detector, n_timesteps):
    others = list(waves(20, 3, n_timesteps))
    assert np.isnan(distances_of(detector.normal_descriptions_, check_sequences(others), np.arange(20))).all()
    assert np.isfinite(detector.score_samples(others)).all()
    shares = detector.explain(others)
    np.testing.assert_allclose([each.sum() for each in shares.value], -detector.score_samples(others))


def test_distances_that_go_with_the_length_are_made_comparable():
    random = np.random.default_rng(0)
    lengths = random.integers(10, 60, 90)
    sequences, rows = check_sequences([random.normal(size=(length, 1)) for length in lengths]), np.arange(90)
    blocks = np.split(rows, 3)
    normal, heldout, of_block = learn_normal_descriptions(sequences, rows, blocks)
    assert np.abs(normal.length_exponents[:2]).min() > 0.05
    assert [learn_length_exponent(each, lengths) for each in heldout.T] == [0, 0, 0]
    for block in blocks:
        some = check_sequences([sequences.values[row] for row in block])
        np.testing.assert_allclose(of_block(some, block), heldout[block], rtol=1e-4)


def test_readings_that_no_sensor_makes_have_finite_distances_that_are_the_largest(detector):
    X = waves(20, 3)
    X[7, 4, 1] = 1e200
    distances = distances_of(detector.normal_descriptions_, check_sequences(X), np.arange(20))
    assert np.isfinite(distances).all()
    assert (distances[:, :, [0, 2]].argmax(axis=1) == 7).all()


@pytest.mark.slow
@pytest.mark.parametrize("distances", [True, False])
def test_a_saved_detector_scores_the_same(distances):
    detector, buffer = small_detector(distances=distances).fit(waves(40, 0)), io.BytesIO()
    detector.save(buffer)
    loaded, X = load(buffer.getvalue()), waves(20, 1)
    np.testing.assert_array_equal(loaded.score_samples(X), detector.score_samples(X))
    X[:, 5:9] = np.nan
    np.testing.assert_array_equal(loaded.score_samples(X), detector.score_samples(X))


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_sequences_that_are_all_alike_are_no_reason_to_fail(value):
    X = np.full((20, 9, 2), value)
    detector = small_detector().fit(X)
    assert np.isfinite(detector.score_samples(X)).all()
    assert (detector.predict(X) == 1).all()
    X[0, 4] += 1
    assert detector.predict(X)[0] == -1


def test_unlabelled_sequences_are_normal_or_ignored():
    X, y = waves(60, 0), np.ones(60)
    y[50:], y[10] = np.nan, -1
    for unlabelled, n_normal in (("normal", 59), ("ignore", 49)):
        detector = ReconstructionDetector(Zeros(), cv=3, unlabelled=unlabelled).fit(X, y)
        assert len(detector.heldout_scores_) == n_normal
    with pytest.raises(ValueError, match="unlabelled='normal' or unlabelled='ignore'"):
        ReconstructionDetector(Zeros(), cv=3).fit(X, y)
