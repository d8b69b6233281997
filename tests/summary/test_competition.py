import numpy as np
import pytest

from seqembed.summary.competition import count_contests, kernel_biases, mark_wins
from seqembed.summary.scratch import Scratch


def draw(n_kernels=28, n_timesteps=40, n_samples=5):
    return np.random.default_rng(0).normal(size=(n_kernels, n_timesteps + 1, n_samples)).astype(np.float32)


def wins_of(convolved, n_contests=2):
    contests = np.full((n_contests, *convolved.shape), np.nan, np.float32)
    contests[0] = convolved
    wins = np.zeros((2 * n_contests, *convolved.shape), bool)
    mark_wins(contests, wins, Scratch())
    return wins[:, :, :-1] if n_contests > 1 else wins


@pytest.mark.parametrize("n_kernels", [28, 84])
@pytest.mark.parametrize("n_contests", [1, 2])
def test_each_group_has_one_winner_of_each_contest_at_each_timestep(n_kernels, n_contests):
    wins = wins_of(draw(n_kernels), n_contests)
    winners = wins.reshape(2 * n_contests, -1, 7, *wins.shape[2:]).sum(axis=2)
    np.testing.assert_array_equal(winners, 1)


def test_the_size_of_a_sequence_changes_no_winner():
    np.testing.assert_array_equal(wins_of(100 * draw()), wins_of(draw()))


def test_a_sequence_that_is_turned_upside_down_has_its_winners_exchanged():
    # Far larger than biases, which are not turned.
    convolved = 1000 * draw()
    largest, largest_change, smallest, smallest_change = wins_of(convolved)
    np.testing.assert_array_equal(wins_of(-convolved), [smallest, smallest_change, largest, largest_change])


def test_rounding_decides_nothing_where_all_kernels_are_equal():
    equal = np.full((28, 11, 3), 2.5, np.float32)
    rounded = equal + np.random.default_rng(0).uniform(-1e-5, 1e-5, equal.shape).astype(np.float32)
    wins = wins_of(rounded)
    np.testing.assert_array_equal(wins, wins_of(equal))
    # The last of a group has the largest bias, the first the smallest.
    assert wins.reshape(2, 2, 4, 7, 10, 3)[0, :, :, 6].all()
    assert wins.reshape(2, 2, 4, 7, 10, 3)[1, :, :, 0].all()


def test_changes_compete_everywhere_but_at_the_first_scale_of_several():
    assert [count_contests(0, 1)] == [2]
    assert [count_contests(scale, 4) for scale in range(4)] == [1, 2, 2, 2]


def test_biases_are_shared_and_not_written_to():
    assert kernel_biases(28) is kernel_biases(28)
    with pytest.raises(ValueError, match="read-only"):
        kernel_biases(28)[0] = 1
