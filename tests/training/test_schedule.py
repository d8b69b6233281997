import numpy as np
import pytest

from seqembed.training.schedule import warm_up_and_decay


def test_the_learning_rate_warms_up_and_decays():
    over_time = [warm_up_and_decay(update, 100) for update in range(1, 101)]
    assert np.argmax(over_time) == 4
    assert over_time[4] == 1
    assert over_time[-1] == pytest.approx(0.01)
    assert np.all(np.diff(over_time[:5]) > 0)
    assert np.all(np.diff(over_time[4:]) < 0)


def test_a_single_update_has_the_full_rate():
    assert warm_up_and_decay(1, 1) == 1
