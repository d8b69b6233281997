import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from seqembed.datasets import load_basic_motions, load_ecg, load_italy_power, load_japanese_vowels
from seqembed.sequences.collection import check_sequences
from seqembed.sequences.hints import layout_hints, looks_transposed


def padded(value, at_front):
    random = np.random.default_rng(0)
    X = np.full((30, 12, 2), value)
    for row, length in zip(X, random.integers(3, 13, 30), strict=True):
        row[slice(-length, None) if at_front else slice(length)] = random.normal(size=(length, 2))
    return X


@pytest.mark.parametrize("value", [0.0, np.nan])
@pytest.mark.parametrize("at_front", [True, False])
def test_padding_at_either_end_is_hinted_at_with_the_line_that_removes_it(value, at_front):
    (hint,) = layout_hints(check_sequences(padded(value, at_front)))
    assert f"sequences_from_padded(X, value={'np.nan' if np.isnan(value) else '0'})" in hint


@pytest.mark.parametrize("load", [load_basic_motions, load_ecg, load_italy_power, load_japanese_vowels])
def test_real_sets_get_no_hint(load):
    X = load().data
    assert not list(layout_hints(check_sequences(X)))


def test_a_set_of_images_read_row_by_row_or_flat_gets_no_hint():
    digits = load_digits()
    assert not list(layout_hints(check_sequences(digits.images)))
    assert not list(layout_hints(check_sequences(digits.data)))


def test_a_recording_passed_as_a_table_is_hinted_at():
    time = np.arange(500)[:, np.newaxis]
    recording = [1013, 20, 230] + [3, 1, 2] * np.sin(time / 30 + [0, 1, 2])
    (hint,) = layout_hints(check_sequences(recording))
    assert "a single recording of 3 features" in hint
    assert "sliding_windows(X, timesteps=...).windows" in hint
    noise = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 2)), columns=["flow", "heat"])
    assert not list(layout_hints(check_sequences(noise)))
    dated = noise.set_index(pd.date_range("2026-01-01", periods=9))
    assert len(list(layout_hints(check_sequences(dated)))) == 1


def test_days_of_hours_with_a_date_each_get_no_hint():
    X = load_italy_power().data[:, :, 0]
    dated = pd.DataFrame(X, index=pd.date_range("2026-01-01", periods=len(X)))
    assert not list(layout_hints(check_sequences(dated)))


def test_missing_values_and_rare_counts_are_no_padding():
    random = np.random.default_rng(0)
    gaps = np.where(random.random((50, 20, 1)) < 0.5, np.nan, random.normal(size=(50, 20, 1)))
    assert not list(layout_hints(check_sequences(gaps)))
    assert not list(layout_hints(check_sequences(random.poisson(0.3, (50, 20)) + (np.arange(20) == 9))))


def test_sequences_with_hardly_a_value_raise_no_warning_of_numpy():
    X = np.full((5, 2, 3), np.nan)
    X[:, 0, 0] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not looks_transposed(check_sequences(X))


def test_spectra_that_change_over_time_are_not_taken_for_transposed_sequences():
    random, wavelengths = np.random.default_rng(0), np.linspace(0, 1, 200)
    peaks = np.exp(-np.square((wavelengths - random.uniform(size=(6, 1))) / 0.08))
    for n_timesteps in (5, 20, 50):
        sizes = random.normal(size=(40, 1, 6)) + np.cumsum(random.normal(size=(40, n_timesteps, 6)), axis=1)
        spectra = 2 + 3 * wavelengths + sizes @ peaks + 0.01 * random.normal(size=(40, n_timesteps, 200))
        assert not looks_transposed(check_sequences(spectra))
        # Six sensors whose time is on the last axis: neither axis but the last has an order.
        assert looks_transposed(check_sequences(random.normal(size=(40, 6, 6)) @ peaks))
