import numpy as np
import pytest

from seqembed.sequences.labels import checked_rare_label, rare_label, rare_mask


@pytest.mark.parametrize(
    ("labels", "rare"),
    [
        ([False, True], 1),
        ([True, True], 1),
        ([False, False], 1),
        ([0, 1], 1),
        ([0.0, 0.0], 1),
        ([1, -1], -1),
        ([-1.0, -1.0], -1),
        ([1, 1], -1),
        ([-1, 0, 1], None),
        ([0, 2], None),
        (["normal", "rare"], None),
        ([0, float("nan")], None),
    ],
)
def test_one_rule_says_which_label_is_rare_for_sequences_and_for_rows(labels, rare):
    assert rare_label(labels) == rare
    if rare is None:
        with pytest.raises(ValueError, match='Got label="any" with labels such as'):
            checked_rare_label([labels])
    else:
        assert checked_rare_label([labels[:1], labels[1:]]) == rare
        np.testing.assert_array_equal(rare_mask(labels, len(labels)), np.equal(labels, rare))


def test_a_masked_label_is_a_missing_label():
    with pytest.raises(ValueError, match="Got y= without a label for sequence 1"):
        rare_mask(np.ma.masked_equal([1, -1, 1], -1), 3)
    np.testing.assert_array_equal(rare_mask(np.ma.array([1, -1]), 2), [False, True])


def test_truth_values_among_objects_make_a_mask_of_truth_values():
    mask = rare_mask(np.array([True, False], object), 2)
    assert mask.dtype == bool
    assert mask.tolist() == [True, False]
