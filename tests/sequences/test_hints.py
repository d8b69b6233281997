import tracemalloc
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from seqembed.datasets import load_basic_motions, load_ecg, load_italy_power, load_japanese_vowels, load_mitdb
from seqembed.sequences.collection import check_sequences, read_sequences
from seqembed.sequences.hints import layout_hints, looks_like_recording, looks_transposed, sizes_hints
from seqembed.sequences.scaling import ScaledSequences, learn_scaling
from seqembed.sequences.windows import sliding_windows


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


@pytest.mark.parametrize("load", [load_basic_motions, load_italy_power, load_japanese_vowels])
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


def test_a_pivot_of_several_columns_is_hinted_at_with_the_line_that_makes_features_of_them():
    random = np.random.default_rng(0)
    values = random.normal(size=(9, 4, 2))
    table = pd.DataFrame({"pump": np.repeat(np.arange(9), 4), "hour": np.tile(np.arange(4), 9)})
    table[["flow", "heat"]] = values.reshape(36, 2)
    pivot = table.pivot(index="pump", columns="hour", values=["flow", "heat"])
    (hint,) = layout_hints(check_sequences(pivot))
    assert "8 timesteps of one feature, but the first level of its columns has 2 names" in hint
    line = hint.partition("features, pass ")[2].rstrip(".")
    np.testing.assert_array_equal(eval(line, {"numpy": np, "X": pivot}), values)
    assert not list(layout_hints(check_sequences(pivot[["flow"]])))
    assert not list(layout_hints(check_sequences(pivot["flow"])))


def test_a_column_of_numbers_passed_as_a_table_is_hinted_at():
    column = load_ecg().data[:500]
    (hint,) = layout_hints(check_sequences(column))
    assert "500 sequences of 1 timestep of one feature, but it looks like a single recording of 1 feature." in hint
    for X in (column[:19], column[:, :, np.newaxis], list(column)):
        assert not list(layout_hints(check_sequences(X)))


def autoregressive(random, n_rows, n_columns, weight):
    return lfilter([1], [1, -weight], random.normal(size=(n_rows + 100, n_columns)), axis=0)[100:]


def recordings():
    """Tables whose rows are times and whose columns are sensors, without dates and without names."""
    sizes = [(500, 2), (5000, 3), (1000, 4), (2000, 8), (500, 12), (3000, 30)]
    for seed, (n_rows, n_columns) in enumerate(sizes):
        random, time = np.random.default_rng(seed), np.arange(n_rows)[:, np.newaxis]
        sines = np.sin(2 * np.pi * (time / random.uniform(15, 300, n_columns) + random.uniform(size=n_columns)))
        phases = np.sin(2 * np.pi * (time / 50 + random.uniform(size=n_columns)))
        walks = random.normal(size=(n_rows, n_columns)).cumsum(axis=0)
        levels = 10 ** random.uniform(0, 3.5, n_columns)
        sizes_of_sensors = levels * 10 ** random.uniform(-2, -0.3, n_columns)
        load = autoregressive(random, n_rows, n_columns, 0.97) @ random.normal(size=(n_columns, n_columns))
        noise = random.normal(size=(n_rows, n_columns))
        states = np.where(np.arange(n_columns) % 2, autoregressive(random, n_rows, 1, 0.98) > 0, sines)
        yield "sines of several periods", sines
        yield "sines of one period", phases
        yield "sines with noise", sines + 0.1 * noise
        yield "sines at several levels", levels + sizes_of_sensors * sines
        yield "random walks", walks
        yield "random walks with noise", walks + noise
        yield "an autoregressive process", autoregressive(random, n_rows, n_columns, 0.9)
        yield (
            "a trend",
            5 * time / n_rows * random.normal(size=n_columns) + autoregressive(random, n_rows, n_columns, 0.9),
        )
        yield "columns of a machine", levels + sizes_of_sensors * (load + 0.2 * noise)
        yield "standardised columns", StandardScaler().fit_transform(levels + sizes_of_sensors * (load + 0.2 * noise))
        yield "columns of two states beside others", states
        is_known = (random.random(sines.shape) < 0.8) | (np.arange(n_columns) == 0)
        yield "missing values", np.where(is_known, sines, np.nan)
        yield "float32", (levels + sizes_of_sensors * sines).astype(np.float32)


def collections():
    """Tables whose rows are sequences of one feature: as they are, sorted by class, and as windows."""
    vowels, digits = load_japanese_vowels(), load_digits()
    sets = [
        (load_basic_motions().data, load_basic_motions().target),
        (load_italy_power().data, load_italy_power().target),
    ]
    sets += [(np.stack([x[:7] for x in vowels.data]), vowels.target)]
    sets += [(digits.images, digits.target), (digits.data[:, :, np.newaxis], digits.target)]
    for X, y in sets:
        for feature in np.moveaxis(X, 2, 0):
            yield "in the order of the file", feature
            yield "sorted by class", feature[np.argsort(y, kind="stable")]
    random = np.random.default_rng(0)
    series = [*load_mitdb().data[:4000].T, *load_ecg().data[:4000].T, *random.normal(size=(2, 4000))]
    series += [series[-1].cumsum(), np.sin(np.arange(4000) / 9), np.arange(4000) % 17]
    for each in series:
        for timesteps in (3, 10, 50):
            for stride in (1, 2, timesteps, 2 * timesteps):
                yield f"windows with stride {stride}", sliding_windows(each, timesteps, stride).windows[:, :, 0]
    days, hours = np.arange(365)[:, np.newaxis], np.arange(24)
    weather = 8 * np.cos(days / 58) + autoregressive(random, 365, 1, 0.8)
    yield "days after days", weather + 5 * np.sin((hours - 9) / 3.8) + random.normal(0, 0.3, (365, 24))
    profile = 5 + 3 * np.sin((hours - 9) / 3.8) + np.sin(hours / 1.9)
    yield "days of one shape at slowly changing levels", profile + weather / 50 + random.normal(0, 0.02, (365, 24))
    curves = random.normal(size=80).cumsum() * np.linspace(1, 1.3, 600)[:, np.newaxis]
    yield "curves of a tool that wears", curves + random.normal(0, 0.1, (600, 80))
    amplitudes = np.sort(random.uniform(0, 3, 600))[:, np.newaxis]
    yield "sorted by amplitude", amplitudes * np.sin(np.arange(80) / 9)
    yield "sorted by frequency", np.sin(np.arange(80) * amplitudes / 9) + random.normal(0, 0.05, (600, 80))
    yield "sorted by level", amplitudes + random.normal(0, 0.1, (600, 80))
    yield "noisy classes", np.repeat(random.normal(size=(10, 80)), 60, axis=0) + random.normal(0, 0.3, (600, 80))


def test_nearly_all_recordings_passed_as_tables_are_hinted_at_and_no_collection_is():
    hinted = {name: [] for name, _ in recordings()}
    for name, X in recordings():
        hinted[name].append(bool(list(layout_hints(check_sequences(X)))))
    missed = [name for name, each in hinted.items() if not all(each)]
    assert sum(each.count(False) for each in hinted.values()) <= 4, missed
    taken = [name for name, X in collections() if looks_like_recording(check_sequences(X))]
    assert not taken


def test_columns_in_turn_of_a_few_rows_are_no_recording():
    for n_rows in (1, 2, 19):
        assert not looks_like_recording(check_sequences(np.arange(2.0 * n_rows).reshape(n_rows, 2)))
    for X in (np.ones((100, 3)), np.eye(100, 3), np.arange(100.0).reshape(100, 1), np.full((100, 3), 1e200)):
        assert not looks_like_recording(check_sequences(X))


def test_a_table_is_read_in_a_few_places():
    read = []

    class Watched(np.ndarray):
        def __getitem__(self, rows):
            # Not of what was read before.
            if len(self) == 100_000:
                read.append(rows)
            return super().__getitem__(rows)

    sequences = check_sequences(np.random.default_rng(0).normal(size=(100_000, 3)).cumsum(axis=0))
    watched = replace(sequences, values=sequences.values.view(Watched))
    assert looks_like_recording(watched)
    assert 0 < sum(rows.stop - rows.start for rows in read) <= 100


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


def of_very_different_sizes(n_samples, seed=0):
    random = np.random.default_rng(seed)
    sizes, phases = random.lognormal(0, 2.5, (n_samples, 1)), random.uniform(0, 6, (n_samples, 1))
    return sizes * np.maximum(0, np.sin(np.arange(84) / 9 + phases))


@pytest.mark.parametrize("n_samples", [100, 3000])
def test_sizes_that_differ_by_orders_of_magnitude_are_hinted_at_with_lines_that_make_them_alike(n_samples):
    X = of_very_different_sizes(n_samples)

    def hints(X):
        sequences = check_sequences(X)
        return list(sizes_hints(ScaledSequences(sequences, learn_scaling(sequences, "standard"))))

    assert len(hints(X)) == len(hints(list(X[:, :, np.newaxis]))) == 1
    assert "X / numpy.abs(X).max(axis=1, keepdims=True)" in hints(X)[0]
    assert hints(X / np.abs(X).max(axis=1, keepdims=True)) == hints(np.log1p(X)) == []


def test_sets_of_one_kind_of_sequences_differ_little_in_size():
    for load in (load_basic_motions, load_japanese_vowels, load_italy_power):
        sequences = check_sequences(load().data)
        assert not list(sizes_hints(ScaledSequences(sequences, learn_scaling(sequences, "standard"))))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seldom", [False, True])
def test_values_without_a_mean_or_a_square_give_hints_without_changing_the_filters_of_all_threads(monkeypatch, seldom):
    X = np.random.default_rng(0).normal(size=(60, 4, 6))
    X[:, 1:, 0], X[:, :, 1] = np.nan, 1e200
    if seldom:
        X[:, :, 2:] = np.nan
    with monkeypatch.context() as patch:
        patch.delattr(warnings, "catch_warnings")
        for sequences in (check_sequences(X), check_sequences(X[:, 0]), check_sequences(X[:1])):
            assert list(layout_hints(sequences)) == []


@pytest.mark.slow
def test_long_wide_sequences_are_looked_at_in_little_memory():
    # A gigabyte, which has a single sequence in memory.
    spectra = np.broadcast_to(np.random.default_rng(0).normal(size=(1000, 1300)).cumsum(axis=1), (100, 1000, 1300))
    tracemalloc.start()
    try:
        looks_transposed(check_sequences(spectra[:1]))
        of_one = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        looks_transposed(read_sequences(spectra))
        assert tracemalloc.get_traced_memory()[1] < 10 * of_one
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("levels", [["north", "south"], [("north", 1), ("south", 2)]])
def test_recordings_one_below_the_other_give_a_hint_with_the_line_that_takes_them_apart(levels):
    random = np.random.default_rng(0)
    frames = [pd.DataFrame(random.normal(size=(length, 2)), columns=["flow", "heat"]) for length in (30, 20)]
    X = pd.concat(frames, keys=levels)
    (hint,) = layout_hints(check_sequences(X))
    assert "50 sequences of 2 timesteps of one feature" in hint
    assert "that of 2 recordings of 2 features" in hint
    apart = check_sequences(eval(hint.partition("pass ")[2].rstrip("."), {"X": X}))
    assert apart.lengths.tolist() == [30, 20]
    assert apart.names == ("flow", "heat")


def test_sequences_of_subjects_and_trials_give_no_hint():
    X = np.random.default_rng(0).normal(size=(12, 5))
    trials = pd.MultiIndex.from_product([["anna", "ben"], range(6)])
    tables = [pd.DataFrame(X, trials), pd.DataFrame(X, trials, [f"t{step}" for step in range(5)])]
    for table in [*tables, tables[0].set_axis(list("abcde"), axis=1)[::6]]:
        assert list(layout_hints(check_sequences(table))) == []
