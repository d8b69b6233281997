import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqembed.summary.competition import count_timesteps, count_wins
from seqembed.summary.scratch import Scratch


def draw(n_kernels=28, n_timesteps=40, n_samples=5):
    return np.random.default_rng(0).normal(size=(n_kernels, n_timesteps + 1, n_samples)).astype(np.float32)


@pytest.mark.parametrize("n_kernels", [28, 84])
def test_each_group_has_one_winner_of_each_competition_at_each_timestep(n_kernels):
    counts = count_wins(draw(n_kernels), None, Scratch())
    np.testing.assert_array_equal(counts.reshape(4, -1, 7, 5).sum(axis=2), 40)


def test_the_size_of_a_sequence_changes_no_winner():
    convolved = draw()
    np.testing.assert_array_equal(count_wins(100 * convolved, None, Scratch()), count_wins(convolved, None, Scratch()))


def test_timesteps_that_a_sequence_has_not_do_not_count():
    convolved = draw()
    exists = np.arange(40)[:, np.newaxis] < np.array([1, 7, 20, 39, 40])
    whole = [
        count_wins(convolved[:, : n + 1, [row]], None, Scratch())[..., 0] for row, n in enumerate([1, 7, 20, 39, 40])
    ]
    np.testing.assert_array_equal(count_wins(convolved, exists, Scratch()), np.stack(whole, axis=-1))


def test_rounding_decides_nothing_where_all_kernels_are_equal():
    equal = np.full((28, 11, 3), 2.5, np.float32)
    rounded = equal + np.random.default_rng(0).uniform(-1e-5, 1e-5, equal.shape).astype(np.float32)
    counts = count_wins(rounded, None, Scratch())
    np.testing.assert_array_equal(counts, count_wins(equal, None, Scratch()))
    # The last of a group has the largest offset, the first the smallest.
    np.testing.assert_array_equal(counts.reshape(2, 2, 4, 7, 3)[:, 0, :, 6], 10)
    np.testing.assert_array_equal(counts.reshape(2, 2, 4, 7, 3)[:, 1, :, 0], 10)


@given(n_timesteps=st.integers(1, 255), n_samples=st.sampled_from([1, 15, 16, 40]), seed=st.integers(0, 100))
def test_timesteps_are_counted_like_sums_and_flags_stay_as_they_were(n_timesteps, n_samples, seed):
    flags = np.random.default_rng(seed).random((2, 3, n_timesteps, n_samples)) < 0.9
    flags.flags.writeable = False
    counts = count_timesteps(flags, Scratch())
    assert counts.dtype == np.uint8
    np.testing.assert_array_equal(counts, flags.sum(axis=2))
