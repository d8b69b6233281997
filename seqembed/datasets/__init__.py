"""Small real data sets that come with the package."""

from seqembed.datasets.loaders import (
    load_basic_motions,
    load_ecg,
    load_italy_power,
    load_japanese_vowels,
    load_mitdb,
)

__all__ = ["load_basic_motions", "load_ecg", "load_italy_power", "load_japanese_vowels", "load_mitdb"]
