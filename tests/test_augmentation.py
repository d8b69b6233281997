import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seqembed import LSTMAutoencoder
from seqembed.scaling import Batch
from seqembed.training.augmentation import augmented


def test_a_straight_line_stays_one_between_its_ends():
    line = np.linspace(-1, 1, 50, dtype=np.float32)
    batch = Batch(np.tile(line[:, np.newaxis], (20, 1, 1)), None, np.full(20, 50))
    varied = augmented(batch, np.random.default_rng(0)).values[:, :, 0]
    for each in varied:
        moving = np.diff(each)[np.diff(each) > 0]
        np.testing.assert_allclose(moving[1:-1], moving[1], rtol=1e-3)
    speeds = np.array([np.median(np.diff(each)[np.diff(each) > 0]) for each in varied]) / (line[1] - line[0])
    assert 0.7 * 0.8 <= speeds.min() < speeds.max() <= 1.4 * 1.25
    assert len(np.unique(speeds.round(3))) > 10, "the sequences are varied alike"


@given(seed=st.integers(0, 1000), lengths=st.lists(st.integers(1, 8), min_size=1, max_size=6))
def test_nothing_enters_from_the_padding_and_missing_values_stay_unobserved(seed, lengths):
    random, lengths = np.random.default_rng(seed), np.array(lengths)
    inside = (np.arange(8) < lengths[:, np.newaxis])[:, :, np.newaxis]
    observed = inside & (random.random((len(lengths), 8, 2)) < 0.7)
    values = np.where(inside, random.uniform(-1, 1, observed.shape), 1000).astype(np.float32)
    varied = augmented(Batch(values, observed, lengths), random)
    assert np.abs(varied.values).max() <= 1.4
    assert not (varied.observed & ~inside).any()
    complete = augmented(Batch(values, inside, lengths), random)
    np.testing.assert_array_equal(complete.observed, inside)


def test_an_autoencoder_learns_from_varied_sequences_and_repeats_itself(waves):
    def embed(augment):
        return LSTMAutoencoder(3, hidden_units=(5,), epochs=3, augment=augment, random_state=0).fit_transform(waves)

    np.testing.assert_array_equal(embed(True), embed(True))
    assert not np.array_equal(embed(True), embed(False))
