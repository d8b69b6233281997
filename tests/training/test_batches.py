import numpy as np
import pytest

from seqembed.training.batches import value_weight


def test_rows_that_fill_up_a_batch_weigh_nothing():
    weight = value_weight(np.broadcast_to(True, (4, 3, 2)), np.float32([1, 1, 1, 0]), 18)
    assert weight[:3].sum() == pytest.approx(1)
    assert not weight[3].any()


def test_missing_values_weigh_nothing_and_the_others_alike():
    mask = np.random.default_rng(0).random((4, 3, 2)) < 0.5
    weight = value_weight(mask, np.float32([1, 1, 1, 0]), mask[:3].sum())
    mask[3] = False
    np.testing.assert_allclose(weight, mask / mask.sum(), rtol=1e-6)
