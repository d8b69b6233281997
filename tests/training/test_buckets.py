import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seqembed.training.buckets import buckets_by_length, shuffled_batches


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=200), batch_size=st.integers(1, 30))
def test_an_epoch_has_every_row_once_in_batches_that_its_bucket_has_room_for(lengths, batch_size):
    lengths = np.array(lengths)
    buckets = buckets_by_length(np.arange(len(lengths)), lengths, batch_size)
    batches = list(shuffled_batches(buckets, np.random.default_rng(0)))
    np.testing.assert_array_equal(np.sort(np.concatenate([rows for _, rows in batches])), np.arange(len(lengths)))
    assert len(buckets) <= 4
    for number, rows in batches:
        assert 1 <= len(rows) <= buckets[number].batch_size <= batch_size
        assert lengths[rows].max() <= buckets[number].n_timesteps


def test_each_bucket_has_rows_for_two_batches():
    sizes = [len(bucket.rows) for bucket in buckets_by_length(np.arange(11), np.arange(1, 12), batch_size=2)]
    assert sizes == [6, 5]


def test_the_order_of_batches_and_their_rows_change_from_epoch_to_epoch():
    random, buckets = np.random.default_rng(0), buckets_by_length(np.arange(40), np.repeat([3, 9], 20), 4)
    assert len(buckets) == 2
    first, second = (list(shuffled_batches(buckets, random)) for _ in "ab")
    assert [number for number, _ in first] != [number for number, _ in second]
    of_first, of_second = ({frozenset(rows.tolist()) for _, rows in epoch} for epoch in (first, second))
    assert of_first != of_second
