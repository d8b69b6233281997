import warnings

import numpy as np
import pytest

from seqembed.datasets import load_basic_motions, load_ecg, load_italy_power, load_japanese_vowels
from seqembed.sequences.collection import check_sequences
from seqembed.sequences.layout import hints, looks_transposed


def padded(value, at_front):
    random = np.random.default_rng(0)
    X = np.full((30, 12, 2), value)
    for row, length in zip(X, random.integers(3, 13, 30), strict=True):
        row[slice(-length, None) if at_front else slice(length)] = random.normal(size=(length, 2))
    return X


@pytest.mark.parametrize("value", [0.0, np.nan])
@pytest.mark.parametrize("at_front", [True, False])
def test_padding_at_either_end_is_hinted_at_with_the_line_that_removes_it(value, at_front):
    (hint,) = hints(check_sequences(padded(value, at_front)))
    assert f"sequences_from_padded(X, value={'np.nan' if np.isnan(value) else '0'})" in hint


@pytest.mark.parametrize("load", [load_basic_motions, load_ecg, load_italy_power, load_japanese_vowels])
def test_real_sets_get_no_hint(load):
    assert not list(hints(check_sequences(load().data)))


def test_missing_values_and_rare_counts_are_no_padding():
    random = np.random.default_rng(0)
    gaps = np.where(random.random((50, 20, 1)) < 0.5, np.nan, random.normal(size=(50, 20, 1)))
    assert not list(hints(check_sequences(gaps)))
    assert not list(hints(check_sequences(random.poisson(0.3, (50, 20)) + (np.arange(20) == 9))))


def test_sequences_with_hardly_a_value_raise_no_warning_of_numpy():
    X = np.full((5, 2, 3), np.nan)
    X[:, 0, 0] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not looks_transposed(check_sequences(X))
