import numpy as np
import pytest

from seqembed.training.state import TrainingState


@pytest.fixture
def state():
    """The state after three updates, one of which gave the best weights."""
    start, generators = np.zeros(2, np.float32), [np.random.default_rng(0)]
    moments = np.ones((2, 2), np.float32)
    state = TrainingState(start, generators, generators, 1, 0, 0.1, 30, np.full(2, 3, np.float32), moments, 3)
    state.offer(np.ones(2, np.float32), loss=0.5, epoch=1)
    return state


@pytest.mark.parametrize("loss", [0.5, np.inf, np.nan])
def test_only_a_lower_loss_is_better(state, loss):
    state.offer(np.zeros(2, np.float32), loss, epoch=2)
    assert (state.best_parameters.tolist(), state.best_loss, state.best_epoch) == ([1, 1], 0.5, 1)


def test_a_restart_begins_a_schedule_from_the_best_weights(state):
    state.restart(peak=0.02, scheduled_updates=20)
    assert state.parameters.tolist() == [1, 1]
    assert not state.moments.any()
    assert (state.n_updates, state.peak, state.scheduled_updates, state.n_explosions) == (0, 0.02, 20, 1)


def test_a_restart_without_best_weights_begins_from_the_start(state):
    state.best_parameters = None
    state.restart(peak=0.02, scheduled_updates=20)
    assert state.parameters.tolist() == [0, 0]
