import warnings

import numpy as np
import pytest

from seqembed import LSTMAutoencoder
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


def test_a_fit_of_huge_values_fails_with_its_error_and_no_warning_of_an_overflow():
    X = np.random.default_rng(0).normal(size=(8, 3, 1)) * 1e25
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(FloatingPointError, match="look for extreme values in X"):
            LSTMAutoencoder(2, hidden_units=(), epochs=2, scale=None, random_state=0).fit(X)
