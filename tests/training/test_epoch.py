import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqembed.sequences.scaling import Batch
from seqembed.training import epoch


def test_rows_that_fill_up_a_batch_weigh_nothing():
    batch = Batch(np.zeros((4, 3, 2)), None, np.full(4, 3))
    weight = np.broadcast_to(epoch._value_weight(batch, 3), (4, 3, 2))
    assert weight[:3].sum() == pytest.approx(1)
    assert not weight[3].any()


def test_missing_values_weigh_nothing_and_the_others_alike():
    observed = np.random.default_rng(0).random((4, 3, 2)) < 0.5
    weight = epoch._value_weight(Batch(np.zeros((4, 3, 2)), observed, np.full(4, 3)), 3)
    observed[3] = False
    np.testing.assert_allclose(weight, observed / observed.sum(), rtol=1e-6)


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=200), batch_size=st.integers(1, 30))
def test_an_epoch_has_every_row_once_in_batches_that_its_bucket_has_room_for(lengths, batch_size):
    lengths = np.array(lengths)
    buckets = epoch._buckets(np.arange(len(lengths)), lengths, batch_size)
    batches = list(epoch._shuffled_batches(buckets, np.random.default_rng(0)))
    np.testing.assert_array_equal(np.sort(np.concatenate([rows for _, rows in batches])), np.arange(len(lengths)))
    assert len(buckets) <= 4
    for number, rows in batches:
        assert 1 <= len(rows) <= buckets[number].batch_size <= batch_size
        assert lengths[rows].max() <= buckets[number].n_timesteps


def test_the_order_of_batches_changes_from_epoch_to_epoch():
    random, buckets = np.random.default_rng(0), epoch._buckets(np.arange(10), np.full(10, 3), 4)
    first, second = ([rows.tolist() for _, rows in epoch._shuffled_batches(buckets, random)] for _ in "ab")
    assert first != second
