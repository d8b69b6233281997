import io
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqembed import LSTMAutoencoder, LSTMReconstructor, ReconstructionDetector, load
from seqembed.estimators.cross_fitting import default_estimator
from seqembed.estimators.saving import describe
from seqembed.estimators.severity import severity
from seqembed.estimators.thresholds import exceeded_by_share
from seqembed.training.batches import TrainingBatches


def small_network(random_state=0):
    return LSTMReconstructor(
        4, hidden_units=(), epochs=15, batch_size=32, learning_rate=0.005, random_state=random_state
    )


@parametrize_with_checks(
    [ReconstructionDetector(LSTMAutoencoder(2, hidden_units=(), epochs=1, batch_size=32, random_state=0), cv=2)]
)
def test_every_check_of_scikit_learn_passes(estimator, check):
    check(estimator)


class Zeros(BaseEstimator):
    """Reconstructs zeros, so that residuals are what a test gives; counts what it was fitted on."""

    def fit(self, X, y=None):
        self.n_fitted_ = len(X)
        return self

    def reconstruct(self, X):
        return np.zeros_like(X)


class Mean(Zeros):
    """Reconstructs the mean of the sequences that it was fitted on."""

    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        return self

    def reconstruct(self, X):
        return np.broadcast_to(self.mean_, X.shape)


def noise(n_samples, random_state=0, n_features=2):
    return np.random.default_rng(random_state).normal(size=(n_samples, 6, n_features))


def sines(n_samples, random_state):
    random = np.random.default_rng(random_state)
    return np.sin(np.arange(8) + random.uniform(0, 6, (n_samples, 1))) + random.normal(0, 0.1, (n_samples, 8))


@pytest.mark.slow
def test_false_alarms_on_unseen_normal_sequences_are_as_many_as_promised():
    shares = []
    for repeat in range(6):
        detector = ReconstructionDetector(small_network(repeat), contamination=0.1)
        detector.fit(sines(150, random_state=repeat))
        scores = detector.score_samples(sines(300, random_state=100 + repeat))
        thresholds = [detector.offset_, -exceeded_by_share(-detector.heldout_scores_, 0.05)]
        shares.append([np.mean(scores < threshold) for threshold in thresholds])
    for share, asked in zip(np.mean(shares, axis=0), (0.1, 0.05), strict=True):
        assert asked / 2 <= share <= 2 * asked


def test_contamination_zero_flags_only_what_is_worse_than_the_worst():
    X = noise(30)
    detector = ReconstructionDetector(Zeros(), contamination=0, distances=False).fit(X)
    assert np.all(detector.predict(X) == 1)
    assert detector.predict(1.01 * X[[detector.score_samples(X).argmin()]]) == -1


def test_decisions_are_scores_relative_to_the_offset_and_predictions_their_signs():
    X = noise(30)
    detector = ReconstructionDetector(Zeros(), contamination=0.2).fit(X)
    np.testing.assert_allclose(detector.decision_function(X), detector.score_samples(X) - detector.offset_)
    np.testing.assert_array_equal(detector.predict(X) == -1, detector.score_samples(X) < detector.offset_)


@pytest.mark.parametrize("labels", [None, [-1, *[1] * 39]])
def test_the_share_of_alarms_changes_after_the_fit_without_another_one(labels):
    X = noise(40)
    X[0] *= 5
    detector = ReconstructionDetector(Zeros(), contamination=0.05).fit(X, labels)
    chosen = detector.offset_
    for share in (0.4, 0.1, 0):
        detector.set_params(contamination=share)
        assert detector.offset_ == -exceeded_by_share(-detector.heldout_scores_, share)
        np.testing.assert_array_equal(detector.predict(X) == -1, detector.score_samples(X) < detector.offset_)
        np.testing.assert_array_equal(detector.decision_function(X), detector.score_samples(X) - detector.offset_)
    assert detector.set_params(contamination=0.05).offset_ == chosen


def test_a_fit_anew_has_the_threshold_of_its_own_share():
    X = noise(40)
    detector = ReconstructionDetector(Zeros(), contamination=0.05).fit(X)
    moved = detector.set_params(contamination=0.2).offset_
    assert detector.fit(X).offset_ == moved


def test_a_share_out_of_range_after_the_fit_is_refused_and_mended_by_another():
    X = noise(40)
    detector = ReconstructionDetector(Zeros()).fit(X).set_params(contamination=2)
    with pytest.raises(ValueError, match="'contamination' parameter of ReconstructionDetector must be"):
        detector.predict(X)
    assert detector.set_params(contamination=0.1).predict(X).shape == (40,)


def test_a_threshold_of_ones_own_holds_until_the_share_changes():
    X = noise(40)
    detector = ReconstructionDetector(Zeros()).fit(X)
    detector.offset_ = -0.5
    np.testing.assert_array_equal(detector.predict(X) == -1, detector.score_samples(X) < -0.5)
    assert detector.set_params(contamination=0.1).offset_ != -0.5


@pytest.mark.parametrize("offset", [-5, np.array(-5.0), np.float32(-5), np.int8(-5)])
def test_a_threshold_of_any_type_of_number_is_a_float_that_can_be_saved(offset):
    detector = ReconstructionDetector(LSTMReconstructor(2, hidden_units=(), epochs=1), cv=2).fit(noise(9))
    detector.offset_ = offset
    file = io.BytesIO()
    detector.save(file)
    assert [type(each.offset_) for each in (detector, load(file.getvalue()))] == [float, float]
    assert load(file.getvalue()).offset_ == -5


@pytest.mark.parametrize(
    ("offset", "message"),
    [
        (np.nan, "Got offset_=nan, expected a finite number of at most 0"),
        (-np.inf, "Got offset_=-inf, expected a finite number"),
        (5, r"Got offset_=5, .*scores are negative.* Set offset_ = -5\.0"),
        ("a", "Got offset_='a', expected a score, a single number"),
        (None, "Got offset_=None"),
        ([-5.0], r"Got offset_=\[-5\.0\]"),
    ],
)
def test_a_threshold_that_is_no_score_is_refused_and_the_old_one_stays(offset, message):
    detector = ReconstructionDetector(Zeros()).fit(noise(9))
    chosen = detector.offset_
    with pytest.raises((TypeError, ValueError), match=message):
        detector.offset_ = offset
    assert detector.offset_ == chosen


def test_a_saved_or_pickled_detector_keeps_the_share_that_was_set_after_the_fit():
    X = noise(40)
    detector = ReconstructionDetector(small_network()).fit(X).set_params(contamination=0.2)
    file = io.BytesIO()
    detector.save(file)
    for copy in (load(file.getvalue()), pickle.loads(pickle.dumps(detector))):
        assert copy.offset_ == detector.offset_
        assert copy.set_params(contamination=0.1).offset_ == -exceeded_by_share(-detector.heldout_scores_, 0.1)


def test_a_saved_detector_keeps_the_threshold_that_fit_chose_for_another_share():
    X = noise(20)
    X[0] *= 5
    detector = ReconstructionDetector(LSTMReconstructor(2, hidden_units=(), epochs=1), cv=2)
    chosen = detector.fit(X, [-1, *[1] * 19]).offset_
    for share in (0.2, 0.01):
        moved = detector.set_params(contamination=share).offset_
        file = io.BytesIO()
        detector.save(file)
        loaded = load(file.getvalue())
        assert loaded.offset_ == moved
        assert loaded.set_params(contamination=0.01).offset_ == chosen
        assert loaded.set_params(contamination=0.3).offset_ == detector.set_params(contamination=0.3).offset_


def test_a_pickle_whose_threshold_was_stored_follows_the_share_too():
    X = noise(40)
    detector = ReconstructionDetector(Zeros(), contamination=0.2).fit(X)
    state = dict(detector.__getstate__())
    state["offset_"] = state.pop("_chosen_offset")[0]
    old = ReconstructionDetector()
    old.__setstate__(state)
    assert old.offset_ == detector.offset_
    assert old.set_params(contamination=0.1).offset_ == detector.set_params(contamination=0.1).offset_


def test_a_threshold_of_no_fit_is_none():
    assert not hasattr(ReconstructionDetector(Zeros()), "offset_")


def test_the_threshold_comes_from_networks_that_had_not_seen_the_sequences():
    class Memory(Zeros):
        """Knows by heart what it was fitted on, and nothing else."""

        def fit(self, X, y=None):
            self.known_ = {each.tobytes() for each in X}
            return self

        def reconstruct(self, X):
            return np.array([each if each.tobytes() in self.known_ else 0 * each for each in X])

    X = noise(30)
    detector = ReconstructionDetector(Memory(), distances=False, cv=3).fit(X)
    assert np.all(detector.heldout_scores_ < 0)
    # Two networks know a sequence by heart: of the two worst, one does.
    np.testing.assert_allclose(detector.score_samples(X), detector.heldout_scores_ / 2)
    assert detector.offset_ < 0


def test_blocks_are_contiguous_and_keep_their_distance():
    fitted_on = []

    class Recorder(Zeros):
        def fit(self, X, y=None):
            fitted_on.append(X[:, 0, 0].astype(int).tolist())
            return self

    X = np.arange(9.0).reshape(9, 1, 1) * np.ones((9, 4, 1))
    ReconstructionDetector(Recorder(), cv=3, gap=1).fit(X)
    assert fitted_on == [[4, 5, 6, 7, 8], [0, 1, 7, 8], [0, 1, 2, 3, 4]]


@pytest.mark.parametrize(("rare", "normal"), [(-1, 1), (1, 0)])
def test_labelled_rare_events_are_left_out_of_training_and_set_the_threshold(rare, normal):
    X = noise(40)
    y = np.full(40, normal)
    y[[3, 20, 21]] = rare
    X[y == rare] *= 3
    detector = ReconstructionDetector(Zeros(), distances=False).fit(X, y)
    assert sum(each.n_fitted_ for each in detector.estimators_) == 4 * 37
    assert detector.report_ == {"precision": 1.0, "recall": 1.0}
    np.testing.assert_array_equal(detector.predict(X) == -1, y == rare)


@pytest.mark.parametrize("unequal", [False, True])
def test_all_that_is_learned_but_the_threshold_is_that_of_the_normal_sequences_alone(unequal):
    X = noise(46, n_features=3)
    X[:, :, 2] = 4
    X[10:20, 1:3, 0] = np.nan
    y = np.ones(46, int)
    y[[0, 1, 2, 20, 33, 34]] = -1
    X[y == -1] = 3 * X[y == -1] - 7
    X = [x[: 3 + row % 4] for row, x in enumerate(X)] if unequal else list(X)
    detector = ReconstructionDetector(LSTMReconstructor(2, hidden_units=(), epochs=1, random_state=0), cv=3, gap=1)
    learned = [
        describe(detector.fit(*given))[1]
        for given in ((X, y), ([x for x, each in zip(X, y, strict=True) if each > 0],))
    ]
    assert "normal_descriptions_/references" in learned[0]
    np.testing.assert_equal(*learned)


def test_labels_that_are_none_are_ignored_with_a_warning():
    with pytest.warns(UserWarning, match="Got y= with 3 different values, which is ignored"):
        ReconstructionDetector(Zeros()).fit(noise(9), np.arange(9) % 3)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_missing_label_is_refused(missing):
    y = np.array([1] * 8 + [missing], object)
    with pytest.raises(ValueError, match=r"without a label for sequence 8.*Leave out the 1 sequence without one"):
        ReconstructionDetector(Zeros()).fit(noise(9), y)


def test_truth_values_among_objects_are_truth_values():
    y = np.ones(9, bool).astype(object)
    with pytest.raises(ValueError, match="0 normal sequences"):
        ReconstructionDetector(Zeros()).fit(noise(9), y)


@pytest.mark.slow
def test_a_noisy_feature_does_not_drown_the_others():
    X = noise(200) * [1, 100]
    event = X[:1].copy()
    event[0, :, 0] = 8  # eight times its deviation: nothing beside the hundred of the other
    robust = ReconstructionDetector(Zeros(), distances=False).fit(X)
    raw = ReconstructionDetector(Zeros(), weighting=None, distances=False).fit(X)
    assert robust.predict(event) == -1
    assert raw.predict(event) == 1
    np.testing.assert_allclose(robust.feature_scales_, [1, 100], rtol=0.1)


@pytest.mark.slow
def test_mahalanobis_finds_what_breaks_the_correlation_of_features():
    common = noise(400, n_features=1)
    X = common + 0.1 * noise(400, random_state=1)
    event = np.array([[[1.0, -1.0]] * 6])
    for weighting, expected in (("mahalanobis", -1), ("robust", 1)):
        detector = ReconstructionDetector(Zeros(), weighting=weighting, distances=False).fit(X)
        assert detector.predict(event) == expected


@pytest.mark.slow
@pytest.mark.parametrize("weighting", ["robust", "mahalanobis"])
def test_the_unit_of_a_feature_changes_no_decision(weighting):
    common = noise(100, n_features=1)
    X = common + 0.3 * noise(100, random_state=1)
    new = 2 * noise(100, random_state=2)
    decisions = [
        ReconstructionDetector(Mean(), contamination=0.1, weighting=weighting)
        .fit(X * [1, unit])
        .decision_function(new * [1, unit])
        for unit in (1, 1e3, 1e-3)
    ]
    np.testing.assert_allclose(decisions[1], decisions[0], rtol=1e-6)
    np.testing.assert_allclose(decisions[2], decisions[0], rtol=1e-6)


def test_a_sequence_scores_as_it_did_when_it_was_held_out():
    X = noise(30, random_state=1)
    detector = ReconstructionDetector(Zeros(), contamination=0).fit(X)
    scores, largest = detector.score_samples(X), detector.heldout_errors_.argmax(axis=0)
    # The largest errors of all are compared with the others alone.
    others = np.setdiff1d(np.arange(30), largest)
    np.testing.assert_allclose(detector.heldout_scores_[others], scores[others], rtol=1e-13)
    assert (detector.heldout_scores_[largest] < scores[largest]).all()


def test_unsigned_integers_have_negative_residuals_too():
    X = np.random.default_rng(0).integers(0, 9, (30, 6, 2)).astype(np.uint8)
    scores = ReconstructionDetector(Zeros(), weighting=None, distances=False).fit(X).score_samples(X)
    np.testing.assert_allclose(scores, -np.square(X.astype(float)).mean(axis=(1, 2)))


@pytest.mark.parametrize("weighting", ["robust", "mahalanobis", None])
def test_an_explanation_adds_up_to_the_score(weighting):
    X = noise(50)
    detector = ReconstructionDetector(Zeros(), weighting=weighting).fit(X)
    X[0, 4, 1] = 30
    shares = detector.explain(X)
    for part, axes in (("value", (1, 2)), ("timestep", 1), ("feature", 1)):
        np.testing.assert_allclose(getattr(shares, part).sum(axis=axes), -detector.score_samples(X))
    assert shares.timestep[0].argmax() == 4
    assert shares.feature[0].argmax() == 1


def test_a_feature_without_residual_does_not_divide_by_zero():
    X = noise(30)
    X[..., 1] = 0
    assert np.isfinite(ReconstructionDetector(Zeros()).fit(X).score_samples(X)).all()


def test_too_few_normal_sequences_are_refused():
    with pytest.raises(ValueError, match=r"Got 2 normal sequences \(n_samples = 5\), expected at least cv=5"):
        ReconstructionDetector(Zeros()).fit(noise(5), [-1, -1, -1, 1, 1])
    with pytest.raises(ValueError, match=r"Got 1 normal sequence .* Pass more sequences or a smaller cv=\.$"):
        ReconstructionDetector(Zeros()).fit(noise(1))
    for labels in ([-1] * 5, [True] * 5, [1, 1, 1, 1, 0]):
        with pytest.raises(
            ValueError, match=r"expected at least cv=5, .*\. The labels call [45] rare: pass normal ones"
        ):
            ReconstructionDetector(Zeros()).fit(noise(5), labels)
    with pytest.raises(ValueError, match="Got gap=9 and cv=5 for 6 normal sequences"):
        ReconstructionDetector(Zeros(), gap=9).fit(noise(6))
    with pytest.raises(ValueError, match=r"y= of shape \(2,\) for 6 sequences"):
        ReconstructionDetector(Zeros()).fit(noise(6), [1, 1])


def test_a_sensor_that_came_late_is_told_by_the_block_that_alone_has_it():
    X = np.random.default_rng(0).normal(size=(40, 8, 2))
    X[:35, :, 1] = np.nan
    detector = ReconstructionDetector(small_network(0), cv=4)
    with pytest.raises(ValueError, match=r"feature 1 has no value outside of the block of sequences 30 to 39, .*-1"):
        detector.fit(X)
    with pytest.raises(ValueError, match="Feature 1 has no value in any sequence"):
        detector.fit(np.where([True, False], X, np.nan))
    X[:5, :, 1] = 0.5
    assert len(detector.fit(X).estimators_) == 4


def test_an_estimator_that_reconstructs_nothing_is_refused():
    with pytest.raises(ValueError, match="'estimator' parameter"):
        ReconstructionDetector(BaseEstimator()).fit(noise(6))


class Wrong(Zeros):
    def __init__(self, returned=None):
        self.returned = returned

    def reconstruct(self, X):
        return self.returned(np.zeros_like(X))


class WithoutSelf(Zeros):
    def fit(self, X, y=None):
        pass


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda X: None, r"Got NoneType from Wrong\.reconstruct, expected an array of the shape of its X"),
        (
            lambda X: X[:-1],
            r"Got 1 sequence from Wrong\.reconstruct for 2 sequences, expected a reconstruction of each",
        ),
        (lambda X: X[:, :, 0], r"Got a sequence of shape \(6,\) from Wrong\.reconstruct for one of shape \(6, 2\)"),
        (lambda X: X.transpose(0, 2, 1), r"Got a sequence of shape \(2, 6\) from Wrong"),
        (lambda X: X[:, :4], r"Got a sequence of shape \(4, 2\) from Wrong"),
    ],
)
@pytest.mark.parametrize("has_holes", [False, True])
def test_a_reconstruction_of_a_wrong_shape_is_told_by_the_name_of_the_estimator(returned, message, has_holes):
    X = noise(10)
    if has_holes:
        X[:, 2, 1] = np.nan
    with pytest.raises((TypeError, ValueError), match=message):
        ReconstructionDetector(Wrong(returned)).fit(X)


def test_a_fit_that_returns_nothing_is_told_so():
    with pytest.raises(TypeError, match=r"Got NoneType from WithoutSelf\.fit, .* End the method with: return self"):
        ReconstructionDetector(WithoutSelf()).fit(noise(9))


@pytest.mark.parametrize("squeezed", [False, True])
def test_the_axis_of_a_single_feature_may_be_left_out(squeezed):
    X = noise(20, n_features=1)
    alike = ReconstructionDetector(Wrong(lambda X: X[:, :, 0] if squeezed else X)).fit(X)
    np.testing.assert_array_equal(alike.score_samples(X), ReconstructionDetector(Zeros()).fit(X).score_samples(X))


@pytest.mark.slow
def test_univariate_sequences_score_alike_in_two_dimensions_and_three():
    X = sines(40, random_state=0)
    detector = ReconstructionDetector(small_network()).fit(X[:, :, None])
    np.testing.assert_array_equal(detector.score_samples(X), detector.score_samples(X[:, :, None]))


def test_a_recording_given_by_mistake_is_warned_of_once_with_all_its_rows(recwarn):
    recording = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 2)).cumsum(axis=0), columns=["flow", "heat"])
    recording.index = pd.date_range("2026", periods=100, freq="1min")
    ReconstructionDetector(LSTMReconstructor(2, hidden_units=(), epochs=1), cv=3).fit(recording)
    (warning,) = [each for each in recwarn if "read as" in str(each.message)]
    assert "X is read as 100 sequences of 2 timesteps" in str(warning.message)
    assert warning.filename == __file__


def test_a_frame_with_column_names_of_mixed_types_is_refused_before_training():
    class Untrained(Zeros):
        def fit(self, X, y=None):
            raise AssertionError("trained before the columns were looked at")

    X = pd.DataFrame(sines(12, random_state=0), columns=["first", *range(1, 8)])
    with pytest.raises(TypeError, match="Feature names are only supported if all input features have string names"):
        ReconstructionDetector(Untrained()).fit(X)


def test_columns_of_a_frame_are_remembered():
    X = pd.DataFrame(sines(12, random_state=0)).add_prefix("hour_")
    detector = ReconstructionDetector(Zeros()).fit(X)
    assert detector.feature_names_in_.tolist() == X.columns.tolist()
    assert detector.n_features_in_ == 8
    with pytest.raises(ValueError, match="feature names should match"):
        detector.predict(X.rename(columns={"hour_0": "midnight"}))


def as_objects(X):
    objects = np.empty(len(X), object)
    objects[:] = list(X)
    return objects


@pytest.mark.parametrize("collection", [list, as_objects])
def test_sequences_in_a_list_are_counted_like_those_of_an_array(collection):
    X = sines(12, random_state=0)
    detector = ReconstructionDetector(Zeros()).fit(X[:, :5]).fit(collection(X))
    assert detector.n_features_in_ == 8
    np.testing.assert_array_equal(detector.score_samples(collection(X)), detector.score_samples(X))


def test_sequences_in_a_list_may_have_another_length_than_those_of_the_fit():
    X = sines(12, random_state=0)
    detector = ReconstructionDetector(LSTMReconstructor(2, hidden_units=(), epochs=1, random_state=0)).fit(X)
    scores = detector.score_samples([X[0, :5], X[1]])
    np.testing.assert_allclose(detector.score_samples([X[0, :5]]), scores[:1], rtol=1e-6)
    with pytest.raises(ValueError, match="X has 5 features, but ReconstructionDetector is expecting 8"):
        detector.score_samples(X[:, :5])


@pytest.mark.parametrize("method", ["predict", "score_samples", "decision_function", "explain"])
def test_nothing_works_before_fit(method):
    with pytest.raises(NotFittedError):
        getattr(ReconstructionDetector(Zeros()), method)(noise(6))


def test_fit_predict_says_what_to_call_instead():
    assert not hasattr(ReconstructionDetector(Zeros()), "fit_predict")
    with pytest.raises(AttributeError, match=r"heldout_scores_ < offset_"):
        ReconstructionDetector(Zeros()).fit_predict(noise(6))


def far(level):
    random = np.random.default_rng(0)
    X = level + 0.1 * np.sin(np.arange(20) / 3 + random.uniform(0, 6, (120, 1))) + 0.01 * random.normal(size=(120, 20))
    rare = level + 0.1 * random.normal(size=(20, 20))
    return X, rare


@pytest.mark.slow
@pytest.mark.parametrize(("level", "unit"), [(0.0, 1.0), (4.5e6, 1.0), (4.5e6, 1e-9), (0.0, 1e9)])
def test_rare_events_are_found_at_every_level_and_in_every_unit(level, unit):
    X, rare = far(level)
    network = LSTMReconstructor(4, hidden_units=(8,), epochs=60, batch_size=50, random_state=0)
    detector = ReconstructionDetector(network, contamination=0.05, cv=2).fit(unit * X[:100])
    is_rare = np.repeat([0, 1], 20)
    scores = -detector.score_samples(unit * np.concatenate([X[100:], rare]))
    assert roc_auc_score(is_rare, scores) > 0.95


@pytest.mark.slow
def test_truth_values_are_never_the_convention_of_minus_one():
    X, rare = far(0.0)
    y = np.repeat([False, True], [100, 20])
    network = LSTMReconstructor(2, hidden_units=(), epochs=2, random_state=0)
    detector = ReconstructionDetector(network).fit(np.concatenate([X[:100], rare]), y)
    assert len(detector.heldout_scores_) == 100
    with pytest.raises(ValueError, match="0 normal sequences"):
        ReconstructionDetector(network).fit(X, np.ones(120, bool))


@pytest.mark.slow
def test_constant_sensors_raise_no_false_alarms_and_their_changes_are_found():
    constants, shares = [0.0, 7.0, -3e6], []
    for seed in range(5):
        random = np.random.default_rng(seed)
        waves = np.sin(np.arange(20) / 3 + random.uniform(0, 6, (600, 1))) + 0.1 * random.normal(size=(600, 20))
        X = np.stack([waves, *(np.full_like(waves, constant) for constant in constants)], axis=2)
        network = LSTMReconstructor(4, hidden_units=(8,), epochs=6, random_state=seed)
        detector = ReconstructionDetector(network, contamination=0.05, cv=2).fit(X[:300])
        shares.append(np.mean(detector.predict(X[300:]) == -1))
    assert 0.025 < np.mean(shares) < 0.1
    for feature, constant in enumerate(constants, 1):
        moved = X[300:310].copy()
        moved[:, :, feature] += max(1.0, abs(constant))
        assert (detector.predict(moved) == -1).all()


@pytest.mark.parametrize(("constant", "changed"), [(0, 1), (0, 1e-6), (0.005, 0.010), (-3e6, -3.1e6)])
@pytest.mark.parametrize(("distances", "weighting"), [(True, "robust"), (False, "robust"), (False, "mahalanobis")])
def test_a_sensor_that_moves_for_the_first_time_is_the_clearest_event(constant, changed, distances, weighting):
    X = noise(60, n_features=3)
    X[..., 2] = constant
    # Mean reconstructs constants but for rounding.
    detector = ReconstructionDetector(Mean(), distances=distances, weighting=weighting).fit(X)
    np.testing.assert_array_equal(detector.constants_, [np.nan, np.nan, constant])
    moved, far = X[:1].copy(), X[:1].copy()
    moved[0, 3, 2] = changed
    far[0, 3, 0] = 8
    assert detector.predict(moved) == -1
    assert detector.score_samples(moved) < detector.score_samples(far)
    shares = detector.explain(moved)
    assert shares.feature[0, 2] > 0.8 * shares.feature[0].sum()
    assert shares.timestep[0].argmax() == 3
    # Events of others are not its fault, nor is rounding.
    assert detector.explain(far).feature[0, 2] == 0
    rounded = X.astype(np.float32).astype(float)
    np.testing.assert_array_equal(detector.predict(rounded), detector.predict(X))


def test_detectors_without_a_constant_sensor_and_without_weights_have_no_constants():
    X = noise(30)
    assert ReconstructionDetector(Zeros()).fit(X).constants_ is None
    X[..., 1] = 5
    assert ReconstructionDetector(Zeros(), weighting=None).fit(X).constants_ is None


def test_sensors_that_all_stand_still_have_events_of_finite_severity():
    X = np.full((30, 6, 2), 3.0)
    for distances, weighting in ((True, "robust"), (False, "robust"), (False, "mahalanobis")):
        detector = ReconstructionDetector(Zeros(), distances=distances, weighting=weighting).fit(X)
        assert (detector.predict(X) == 1).all()
        moved = X[:1] * [1, 1.01]
        assert detector.predict(moved) == -1
        assert np.isfinite(severity(detector, detector.score_samples(moved)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8])
def test_a_saved_detector_keeps_its_constants(dtype):
    X = (9 * noise(20)).astype(dtype)
    X[..., 1] = 5
    detector = ReconstructionDetector(LSTMReconstructor(2, hidden_units=(), epochs=1), cv=2).fit(X)
    file = io.BytesIO()
    detector.save(file)
    X[3, 2, 1] = 6
    np.testing.assert_array_equal(load(file.getvalue()).score_samples(X), detector.score_samples(X))
    # Files of earlier versions have none.
    del detector.constants_
    assert np.isfinite(detector.score_samples(X)).all()


def test_truth_values_can_be_sequences():
    X = np.random.default_rng(0).random((30, 5, 2)) < 0.5
    detector = ReconstructionDetector(LSTMReconstructor(2, hidden_units=(), epochs=2)).fit(X)
    assert detector.predict(X).shape == (30,)


def ragged_waves(n_samples, random_state):
    random = np.random.default_rng(random_state)
    waves = np.sin(np.arange(30) / 3 + random.uniform(0, 6, (n_samples, 1))) + random.normal(0, 0.1, (n_samples, 30))
    return [wave[:length, np.newaxis] for wave, length in zip(waves, random.integers(8, 31, n_samples), strict=True)]


@pytest.mark.slow
def test_sequences_of_unequal_lengths_are_judged_and_explained():
    detector = ReconstructionDetector(small_network(), contamination=0.05).fit(ragged_waves(150, 0))
    X = ragged_waves(200, 1)
    short = np.array([len(x) for x in X]) < 19
    scores = np.log(-detector.score_samples(X))
    assert 0.5 < scores[short].mean() / scores[~short].mean() < 2
    # .05 was asked for.
    assert np.mean(detector.predict(X)[short] < 0) < 0.2
    X[5][3] += 9
    assert detector.predict(X)[5] == -1
    shares = detector.explain(X)
    assert [share.shape for share in shares.value] == [x.shape for x in X]
    assert shares.timestep[5].argmax() == 3
    np.testing.assert_allclose([share.sum() for share in shares.value], -detector.score_samples(X))
    padded, lengths = np.full((200, 30, 1), 7.0), np.array([len(x) for x in X])
    for row, x in zip(padded, X, strict=True):
        row[: len(x)] = x
    np.testing.assert_allclose(detector.score_samples(padded, lengths=lengths), detector.score_samples(X), rtol=1e-4)


@pytest.mark.parametrize("weighting", ["robust", "mahalanobis", None])
def test_missing_values_have_no_share_of_a_score(weighting):
    X = noise(60)
    X[np.random.default_rng(1).uniform(size=X.shape) < 0.2] = np.nan
    detector = ReconstructionDetector(Zeros(), weighting=weighting).fit(X)
    shares = detector.explain(X)
    assert (shares.value[np.isnan(X)] == 0).all()
    np.testing.assert_allclose(shares.value.sum(axis=(1, 2)), -detector.score_samples(X))
    X[3, 2, 1] = 9
    assert detector.explain(X).value[3].argmax() == 5


@pytest.mark.parametrize(("cv", "ranks"), [(2, [0, 1]), (3, [1, 2]), (4, [2]), (5, [2, 3])])
def test_networks_a_little_worse_than_the_middle_judge(cv, ranks):
    X = noise(24)
    detector = ReconstructionDetector(Mean(), cv=cv, weighting=None, distances=False).fit(X)
    errors = np.sort([np.square(each.reconstruct(X) - X).mean(axis=(1, 2)) for each in detector.estimators_], axis=0)
    np.testing.assert_allclose(-detector.score_samples(X), errors[ranks].mean(axis=0))
    np.testing.assert_allclose(detector.explain(X).value.sum(axis=(1, 2)), errors[ranks].mean(axis=0))


@pytest.mark.slow
def test_lengths_that_hardly_differ_change_no_score():
    random = np.random.default_rng(0)
    X = [random.normal(size=(length, 1)) for length in random.integers(49, 51, 60)]
    detector = ReconstructionDetector(LSTMReconstructor(3, hidden_units=(), epochs=1, random_state=0)).fit(X)
    assert detector.length_exponent_ == 0
    shorter = [random.normal(size=(25, 1)) for _ in range(20)]
    assert detector.predict(shorter).mean() > 0


def test_lists_of_one_other_length_are_judged():
    X = noise(30)
    detector = ReconstructionDetector(small_network()).fit(X)
    short = [x[:4] for x in X[:3]]
    np.testing.assert_allclose(detector.score_samples(short), detector.score_samples([*short, X[4]])[:3], rtol=1e-4)


class Counting(Zeros):
    """Takes the number of epochs from the number of sequences."""

    def __init__(self, epochs="auto", augment="auto"):
        self.epochs = epochs
        self.augment = augment

    def count_epochs(self, n_samples, n_timesteps):
        return 10 * n_samples


@pytest.mark.parametrize(("cv", "share"), [(2, 1), (3, 1), (5, 2.2 / 4)])
def test_all_networks_together_make_the_updates_of_about_two_and_are_not_varied(cv, share):
    detector = ReconstructionDetector(Counting(), cv=cv).fit(noise(120))
    assert [each.epochs for each in detector.estimators_] == [round(share * 1200)] * cv
    assert not any(each.augment for each in detector.estimators_)


def test_epochs_that_the_user_chose_are_kept():
    detector = ReconstructionDetector(LSTMReconstructor(2, hidden_units=(), epochs=3), cv=5).fit(noise(20))
    assert {each.n_iter_ for each in detector.estimators_} == {3}


def test_the_default_network_grows_with_the_features_up_to_a_limit():
    for n_features, n_components, units in [(1, 8, 32), (3, 24, 48), (40, 64, 128)]:
        network = default_estimator(n_features)
        assert network.n_components == n_components
        assert network.hidden_units == (units,)


@pytest.mark.slow
def test_the_same_random_state_gives_the_same_scores():
    X = noise(30)
    network = LSTMReconstructor(2, hidden_units=(), epochs=2)
    first, second, other = (
        ReconstructionDetector(network, random_state=seed).fit(X).score_samples(X) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).all()
    own = ReconstructionDetector(small_network(), random_state=0).fit(X)
    assert own.estimators_[0].random_state == 0


@pytest.mark.filterwarnings("ignore:Training was interrupted")
# In the first epoch of a network, and when it has weights to keep.
@pytest.mark.parametrize("n_epochs", [0, 2, 7])
def test_ctrl_c_ends_the_fit_of_all_networks_and_leaves_the_detector_as_it_was(n_epochs, monkeypatch):
    X, train_one_epoch, begun = noise(20), TrainingBatches.train_one_epoch, []
    detector = ReconstructionDetector(LSTMReconstructor(2, hidden_units=(), epochs=5, random_state=0)).fit(X)
    before = dict(vars(detector))

    def train_some_epochs(self, *arguments):
        begun.append(self)
        if len(begun) == n_epochs + 1:
            raise KeyboardInterrupt
        return train_one_epoch(self, *arguments)

    monkeypatch.setattr(TrainingBatches, "train_one_epoch", train_some_epochs)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(2 * X)
    assert len(begun) == n_epochs + 1
    assert vars(detector) == before


def test_verbose_shows_how_many_networks_are_fitted(capsys):
    ReconstructionDetector(Zeros(), verbose=1).fit(noise(9))
    assert "Network 5 of 5" in capsys.readouterr().out


@pytest.fixture(scope="session")
def detector_of_windows():
    windows = np.random.default_rng(0).normal(size=(12, 6, 2))
    return ReconstructionDetector(LSTMReconstructor(3, hidden_units=(), epochs=1)).fit(windows)


@pytest.mark.parametrize("method", ["predict", "score_samples", "explain"])
def test_a_frame_of_the_rows_of_one_window_is_refused_with_what_to_pass(detector_of_windows, method):
    frame = pd.DataFrame(np.zeros((6, 2)), columns=["flow", "heat"])
    with pytest.raises(ValueError, match=r"one sequence a row, .*Pass \[X\] .*, or sliding_windows\(X, 6\)\.windows"):
        getattr(detector_of_windows, method)(frame)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((6, 2), r"X has 2 timesteps of 1 feature, but .*pass X\[np.newaxis\]"),
        ((3, 6, 3), "X has 6 timesteps of 3 features, but ReconstructionDetector was fitted on 6 timesteps of 2"),
        ((3, 5, 2), "X has 5 timesteps of 2 features, .* pass a list of arrays"),
    ],
)
def test_a_wrong_shape_is_refused_before_a_word_about_missing_values(detector_of_windows, shape, message, recwarn):
    for method in ("predict", "explain"):
        with pytest.raises(ValueError, match=message):
            getattr(detector_of_windows, method)(np.full(shape, np.nan))
    assert not recwarn.list


def test_windows_without_any_value_have_no_shares(detector_of_windows):
    with pytest.warns(UserWarning, match="Got 2 sequences of 2 without any value"):
        shares = detector_of_windows.explain(np.full((2, 6, 2), np.nan))
    assert not shares.value.any()


def test_parameters_of_no_estimator_are_refused_with_the_estimator_to_begin_with():
    with pytest.raises(ValueError, match=r"Got estimator__n_components= for a detector with estimator=None") as caught:
        ReconstructionDetector(cv=2).set_params(cv=3, estimator__n_components=2)
    line = str(caught.value).partition("Begin with ")[2].rstrip(".")
    begun = eval(line, {"ReconstructionDetector": ReconstructionDetector, "LSTMAutoencoder": LSTMAutoencoder})
    assert begun.set_params(estimator__n_components=2, cv=3).get_params()["estimator__n_components"] == 2
    chosen = ReconstructionDetector().set_params(estimator__epochs=1, estimator=LSTMAutoencoder(4))
    assert (chosen.estimator.n_components, chosen.estimator.epochs) == (4, 1)
    with pytest.raises(ValueError, match="estimator=None"):
        chosen.set_params(estimator=None, estimator__epochs=1)
