import numpy as np
import pytest

from seqembed.codec import InvalidStreamError
from seqembed.codec.bytes.lengths import check_lengths, check_size, pack_lengths, unpack_lengths


@pytest.mark.parametrize(
    ("lengths", "form"),
    [([3, 5, 300], 0), ([7, 7, 7], 1), ([0, 0], 1), ([], 0), ([3, 5] * 500, 2)],
    ids=["each", "same", "empty sequences", "no sequence", "compressed"],
)
def test_lengths_come_back_in_the_shortest_form(lengths, form):
    data = pack_lengths(np.array(lengths, np.int64))
    assert data[2 if len(lengths) > 127 else 1] == form
    decoded, place = unpack_lengths(data + b"content")
    np.testing.assert_array_equal(decoded, lengths)
    assert place == len(data)


def test_blocks_that_claim_more_values_than_they_can_hold_are_refused():
    check_size(bytes(100), 1_000_000)
    with pytest.raises(InvalidStreamError, match="Got 100 bytes for 10000000 values"):
        check_size(bytes(100), 10_000_000)
    with pytest.raises(InvalidStreamError, match="Got 9 bytes for 1099511627776000 values"):
        unpack_lengths(pack_lengths(np.full(1000, 1 << 40)))


def test_a_block_that_goes_on_after_a_million_values_is_refused():
    check_lengths(np.full(1 << 20, 1), n_features=1)
    check_lengths(np.array([1 << 19, 0, 1 << 30]), n_features=1)
    with pytest.raises(InvalidStreamError, match="Got 1048576 values before the last sequence of a block"):
        check_lengths(np.full((1 << 19) + 1, 1), n_features=2)
    with pytest.raises(InvalidStreamError, match="Got 1048576 values before the last sequence of a block"):
        check_lengths(np.zeros((1 << 20) + 1, np.int64), n_features=1)
