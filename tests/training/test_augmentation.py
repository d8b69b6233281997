from functools import partial

import numpy as np
import pytest
from batches import complete_batch
from hypothesis import given
from hypothesis import strategies as st

from seqembed import LSTMAutoencoder
from seqembed.datasets import load_basic_motions, load_italy_power
from seqembed.sequences.scaling import Batch
from seqembed.training.augmentation import keeps_time, mixed, shifted, with_hidden_values


def test_a_shifted_straight_line_stays_one_between_its_ends():
    line = np.linspace(-1, 1, 50, dtype=np.float32)
    batch = complete_batch(np.tile(line[:, np.newaxis], (20, 1, 1)))
    varied = shifted(batch, np.random.default_rng(0), np.zeros(1, np.float32)).batch.values[:, :, 0]
    for each in varied:
        moving = np.diff(each)[np.diff(each) > 0]
        np.testing.assert_allclose(moving[1:-1], moving[1], rtol=1e-3)
    speeds = np.array([np.median(np.diff(each)[np.diff(each) > 0]) for each in varied]) / (line[1] - line[0])
    assert 0.79 <= speeds.min() < speeds.max() <= 1.26
    assert len(np.unique(speeds.round(3))) > 10, "the sequences are varied alike"


def test_a_mixed_sequence_is_a_sum_of_itself_and_another_of_its_batch():
    values = np.random.default_rng(0).normal(size=(6, 9, 2)).astype(np.float32)
    means = np.float32([3, -4])
    varied = mixed(complete_batch(values + means), np.random.default_rng(1), means).batch.values - means
    shares = np.linalg.lstsq(values.reshape(6, -1).T, varied.reshape(6, -1).T, rcond=None)[0]
    np.testing.assert_allclose(shares.T @ values.reshape(6, -1), varied.reshape(6, -1), atol=1e-5)
    np.testing.assert_allclose(np.square(shares).sum(axis=0), 1, rtol=1e-5)
    assert (shares > -1e-5).all()
    assert (np.diag(shares) > 1e-3).all()
    assert ((shares > 1e-3).sum(axis=0) == 2).all()


def test_a_short_sequence_is_mixed_with_all_of_a_long_one():
    batch = Batch(np.zeros((2, 5, 1), np.float32), np.ones((2, 5, 1), bool), np.array([3, 5]))
    batch.mask[0, 3:] = False
    batch.values[1] = np.arange(5, dtype=np.float32)[:, np.newaxis]
    varied = mixed(batch, np.random.default_rng(0), np.zeros(1)).batch.values[0, :3, 0]
    np.testing.assert_allclose(varied / varied[2], [0, 0.5, 1], atol=1e-6)


def test_numbers_are_mixed_by_the_shares_of_the_variance():
    # Sequences that are orthogonal: the squares of the weights are the shares.
    batch = complete_batch(np.eye(5, dtype=np.float32)[:, :, np.newaxis])
    varied = mixed(batch, np.random.default_rng(0), np.zeros(1, np.float32))
    np.testing.assert_allclose(
        varied.mix(np.eye(5, dtype=np.float32)), np.square(varied.batch.values[:, :, 0]), atol=1e-6
    )
    assert (varied.partners != np.arange(5)).all()
    shifted_batch = shifted(batch, np.random.default_rng(0), np.zeros(1, np.float32))
    np.testing.assert_array_equal(shifted_batch.mix(np.eye(5, dtype=np.float32)), np.eye(5))


def test_a_sequence_that_could_not_be_mixed_keeps_its_own_numbers():
    batch = complete_batch(np.ones((2, 3, 1), np.float32))
    mask = np.array([[True, False, False], [False, True, True]])[:, :, np.newaxis]
    varied = mixed(batch._replace(mask=mask), np.random.default_rng(0), np.zeros(1, np.float32))
    np.testing.assert_array_equal(varied.mix(np.eye(2, dtype=np.float32)), np.eye(2))


def test_a_single_sequence_has_none_to_be_mixed_with():
    batch = complete_batch(np.ones((1, 4, 2), np.float32))
    np.testing.assert_array_equal(mixed(batch, np.random.default_rng(0), np.zeros(2)).batch.values, batch.values)


MEANS = np.float32([5, 6])


@pytest.mark.parametrize("vary", [partial(vary, means=MEANS) for vary in (mixed, shifted)])
@given(seed=st.integers(0, 1000), lengths=st.lists(st.integers(1, 8), min_size=1, max_size=6))
def test_nothing_enters_from_the_padding_and_missing_values_stay_missing(vary, seed, lengths):
    random, lengths = np.random.default_rng(seed), np.array(lengths)
    inside = (np.arange(8) < lengths[:, np.newaxis])[:, :, np.newaxis]
    complete = np.broadcast_to(inside, (len(lengths), 8, 2))
    observed = complete & (random.random((len(lengths), 8, 2)) < 0.7)
    values = np.where(observed, MEANS + random.uniform(-1, 1, observed.shape), 1000).astype(np.float32)
    varied = vary(Batch(values, observed, lengths), random).batch
    assert not (varied.mask & ~inside).any()
    assert np.abs(varied.values - MEANS)[varied.mask].max(initial=0) <= 2
    changed = (varied.mask != observed).any(axis=(1, 2)) | (varied.values != values).any(axis=(1, 2))
    unknown = np.broadcast_to(MEANS, values.shape)
    np.testing.assert_array_equal(
        varied.values[changed][~varied.mask[changed]], unknown[changed][~varied.mask[changed]]
    )
    np.testing.assert_array_equal(varied.mask.any(axis=(1, 2)), observed.any(axis=(1, 2)))
    np.testing.assert_array_equal(vary(Batch(values, complete, lengths), random).batch.mask, complete)


@pytest.mark.parametrize(("load", "answer"), [(load_italy_power, True), (load_basic_motions, False)])
def test_days_keep_time_and_recordings_of_movements_do_not(load, answer):
    data = load(split="train").data
    values = ((data - data.mean(axis=(0, 1))) / data.std(axis=(0, 1))).astype(np.float32)
    assert keeps_time(complete_batch(values)) is answer


def test_equal_sequences_keep_time_and_a_single_one_does_not():
    wave = np.sin(np.arange(20, dtype=np.float32)).reshape(1, 20, 1)
    assert keeps_time(complete_batch(np.repeat(wave, 5, axis=0)))
    assert not keeps_time(complete_batch(wave))


def test_an_autoencoder_learns_from_varied_sequences_and_repeats_itself(waves):
    def embed(augment):
        return LSTMAutoencoder(3, hidden_units=(5,), epochs=3, augment=augment, random_state=0).fit_transform(waves)

    np.testing.assert_array_equal(embed(True), embed(True))
    assert not np.array_equal(embed(True), embed(False))


def test_values_are_hidden_where_another_sequence_of_the_batch_misses_them():
    random, means = np.random.default_rng(0), np.float32([9, 8])
    values = random.normal(size=(50, 12, 2)).astype(np.float32)
    lengths = random.integers(3, 13, 50)
    inside = (np.arange(12) < lengths[:, np.newaxis])[:, :, np.newaxis]
    mask = inside & (random.random(values.shape) < 0.6)
    mask[7] = inside[7]
    batch = Batch(np.where(mask, values, means), mask, lengths)
    inputs = with_hidden_values(batch, np.random.default_rng(3), means)
    partners = np.random.default_rng(3).permutation(50)
    for sequence, partner in enumerate(partners):
        missing = ~mask[partner] & inside[partner]
        expected = np.where(mask[sequence] & ~missing, values[sequence], means)
        if not (mask[sequence] & ~missing).any():
            expected = batch.values[sequence]
        np.testing.assert_array_equal(inputs[sequence], expected)


def test_complete_sequences_hide_nothing():
    batch = complete_batch(np.random.default_rng(0).normal(size=(5, 4, 2)).astype(np.float32))
    inputs = with_hidden_values(batch, np.random.default_rng(0), np.zeros(2, np.float32))
    np.testing.assert_array_equal(inputs, batch.values)


@pytest.mark.slow
def test_a_network_that_was_trained_with_holes_estimates_missing_values():
    X = load_italy_power().data[:100]
    hidden = np.random.default_rng(0).random(X.shape) < 0.2
    gappy = np.where(hidden, np.nan, X)
    errors = []
    for augment in (True, False):
        autoencoder = LSTMAutoencoder(16, hidden_units=(32,), augment=augment, random_state=0).fit(gappy)
        errors.append(np.square(autoencoder.reconstruct(gappy) - X)[hidden].mean() / X.var())
    assert errors[0] < 0.15
    assert errors[1] > 2 * errors[0]
