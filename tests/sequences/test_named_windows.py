import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from seqembed import sliding_windows
from seqembed.sequences.named_windows import named_windows

WINDOWS = named_windows(np.arange(24.0).reshape(4, 3, 2), ("flow", "heat"))


@pytest.mark.parametrize(
    "select",
    [
        lambda windows: windows[1:],
        lambda windows: windows[[0, 2]],
        lambda windows: windows[np.array([True, False, True, False])],
        lambda windows: windows[np.array([3, 1]), ...],
        lambda windows: windows[:2, :, :],
        lambda windows: train_test_split(windows, random_state=0)[1],
        lambda windows: pickle.loads(pickle.dumps(windows)),
        copy.copy,
        copy.deepcopy,
    ],
)
def test_selected_and_copied_windows_keep_the_names(select):
    assert select(WINDOWS).names == ("flow", "heat")


@pytest.mark.parametrize(
    "change",
    [
        lambda windows: windows[:, :, ::-1],
        lambda windows: windows[:, :, [1, 0]],
        lambda windows: windows[..., ::-1],
        lambda windows: windows[:, :, np.array([1, 0])],
        lambda windows: windows[:, np.array([0, 2])],
        lambda windows: windows[:, :, np.array([True, False])],
        lambda windows: windows[np.arange(3), np.array([0, 1, 0])],
        lambda windows: windows[0],
        lambda windows: windows[:, 1:],
        lambda windows: windows.transpose(0, 2, 1),
        lambda windows: np.flip(windows, axis=2),
        lambda windows: windows.mean(axis=1),
        lambda windows: windows - windows[:, :, :1],
        lambda windows: np.concatenate([windows, windows], axis=2),
    ],
)
def test_any_other_operation_gives_an_array_without_names(change):
    assert getattr(change(WINDOWS), "names", None) is None


def test_reductions_and_arithmetic_give_plain_numbers_and_arrays():
    assert isinstance(WINDOWS.max(), np.float64)
    assert np.isnan(WINDOWS).any() is np.False_
    assert type(WINDOWS - 1) is np.ndarray
    assert type(WINDOWS.mean(axis=1)) is np.ndarray


@pytest.mark.parametrize("columns", [[0, 1], ["flow", 1]])
def test_columns_of_which_some_have_no_text_are_no_names(columns):
    assert type(sliding_windows(pd.DataFrame(np.ones((5, 2)), columns=columns), 3).windows) is np.ndarray
