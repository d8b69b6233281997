import copy
import pickle

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

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
