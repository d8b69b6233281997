"""The one-liners that README gives for the containers of other libraries, against those libraries' own data."""

import numpy as np
import pytest

from seqembed.datasets import load_basic_motions, load_japanese_vowels
from seqembed.sequences.collection import check_sequences


def test_an_aeon_panel_of_one_length_is_transposed():
    datasets = pytest.importorskip("aeon.datasets")
    X, _ = datasets.load_basic_motions(split="train")
    ours = load_basic_motions(split="train").data
    np.testing.assert_allclose(check_sequences(X.transpose(0, 2, 1)).values, ours, rtol=1e-5, atol=1e-6)


def test_an_aeon_list_of_unequal_lengths_is_transposed_one_by_one():
    datasets = pytest.importorskip("aeon.datasets")
    X, _ = datasets.load_japanese_vowels(split="train")
    sequences = check_sequences([sequence.T for sequence in X])
    for theirs, ours in zip(sequences.values, load_japanese_vowels(split="train").data, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-6)


def test_an_sktime_panel_of_one_length_is_converted_and_transposed():
    datasets = pytest.importorskip("sktime.datasets")
    X, _ = datasets.load_basic_motions(split="train", return_type="numpy3D")
    ours = load_basic_motions(split="train").data
    np.testing.assert_allclose(check_sequences(X.transpose(0, 2, 1)).values, ours, rtol=1e-5, atol=1e-6)


def test_an_sktime_panel_of_unequal_lengths_is_taken_out_of_its_nested_frame():
    datasets = pytest.importorskip("sktime.datasets")
    X, _ = datasets.load_japanese_vowels(split="train", return_type="nested_univ")
    sequences = check_sequences([np.stack(list(row), axis=1) for row in X.to_numpy()])
    for theirs, ours in zip(sequences.values, load_japanese_vowels(split="train").data, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-6)
