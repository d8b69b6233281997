import numpy as np
import pytest

from seqembed import datasets


@pytest.mark.parametrize(
    ("load", "n_train", "n_test"),
    [
        (datasets.load_basic_motions, 40, 40),
        (datasets.load_japanese_vowels, 270, 370),
        (datasets.load_italy_power, 67, 1029),
    ],
)
def test_train_and_test_make_up_the_whole(load, n_train, n_test):
    train, test, whole = load(split="train"), load(split="test"), load()
    assert len(train.data) == len(train.target) == n_train
    assert len(test.data) == len(test.target) == n_test
    np.testing.assert_array_equal(np.concatenate([train.target, test.target]), whole.target)
    np.testing.assert_array_equal(train.data[0], whole.data[0])
    np.testing.assert_array_equal(test.data[-1], whole.data[-1])
    assert set(whole.target) == set(range(len(whole.target_names)))
    assert whole.data[0].shape[1] == len(whole.feature_names)


def test_japanese_vowels_have_their_own_lengths():
    vowels = datasets.load_japanese_vowels()
    lengths = [len(sequence) for sequence in vowels.data]
    assert (min(lengths), max(lengths)) == (7, 29)
    assert all(np.any(sequence[-1] != 0) for sequence in vowels.data)


def test_the_rare_event_lies_behind_the_training_part():
    recording = datasets.load_mitdb()
    events = np.flatnonzero(recording.target)
    assert (events[0], events[-1], len(events)) == (6936, 7287, 352)
    assert recording.train_end < events[0]


LOADERS = [
    datasets.load_basic_motions,
    datasets.load_japanese_vowels,
    datasets.load_italy_power,
    datasets.load_mitdb,
    datasets.load_ecg,
]


@pytest.mark.parametrize("load", LOADERS)
def test_descriptions_give_origin_features_and_the_paper(load):
    for word in (":Origin:", ":Features:", "Cite:"):
        assert word in load().DESCR


# The electrocardiogram has no labels.
@pytest.mark.parametrize("load", LOADERS[:-1])
def test_return_X_y_gives_data_and_labels_alone(load):
    X, y = load(return_X_y=True)
    whole = load()
    assert len(X) == len(whole.data)
    for x, expected in zip(X, whole.data, strict=True):
        np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(y, whole.target)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="Got split='valid', expected 'train', 'test' or None"):
        datasets.load_italy_power(split="valid")
