import naive_decoder
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seqembed.codec.model.pieces import cut_into_pieces


@given(st.lists(st.one_of(st.integers(0, 20), st.integers(500, 40_000)), max_size=30))
def test_sequences_are_cut_as_a_plain_loop_cuts_them(lengths):
    pieces = cut_into_pieces(np.array(lengths, np.int64))
    ends = pieces.starts + pieces.lengths
    assert list(zip(pieces.starts.tolist(), ends.tolist(), strict=True)) == naive_decoder.cut_into_pieces(lengths)


@given(st.lists(st.integers(0, 2000), max_size=10))
def test_pieces_side_by_side_come_back_in_one_row(lengths):
    joined = np.arange(2 * sum(lengths)).reshape(-1, 2)
    pieces = cut_into_pieces(np.array(lengths, np.int64))
    padded = pieces.padded(joined)
    assert padded.shape[0] == len(pieces.lengths)
    np.testing.assert_array_equal(pieces.joined(padded), joined)
