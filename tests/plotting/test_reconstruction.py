import warnings

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from seqembed import LSTMAutoencoder, LSTMReconstructor
from seqembed.plotting.reconstruction import plot_reconstruction, typical_and_worst

matplotlib.use("Agg")

X = np.random.default_rng(0).normal(size=(20, 5, 2))


def reconstructor(X):
    return LSTMReconstructor(2, hidden_units=(), epochs=1, random_state=0).fit(X)


class Zeros:
    """Reconstructs everything as 0."""

    def reconstruct(self, X):
        return [np.zeros(np.shape(x)) for x in X]

    def reconstruction_error(self, X):
        return np.array([np.nanmean(np.square(x)) for x in X])


def rows_of(panels):
    return [int(panel.get_title().split("sequence ")[1].split(",")[0]) for panel in panels]


def lines(panel, label):
    return [line for line in panel.lines if line.get_label() == label]


def naive_choice(errors, n_sequences):
    """The ranks around the middle that are not among the worst, and then the worst."""
    ranks = sorted(range(len(errors)), key=lambda row: errors[row])
    n_sequences = min(n_sequences, len(ranks))
    worst = [ranks.pop() for _ in range(n_sequences // 2)]
    middle = (len(errors) - 1) / 2
    nearest = sorted(range(len(ranks)), key=lambda rank: abs(rank - middle))[: n_sequences - len(worst)]
    return {ranks[rank] for rank in nearest}, worst


@pytest.mark.parametrize("n_samples", [1, 2, 3, 4, 5, 8, 21])
@pytest.mark.parametrize("n_sequences", [1, 2, 3, 4, 5, 9])
def test_typical_errors_lie_around_the_median_and_the_worst_come_last(n_samples, n_sequences):
    errors = np.random.default_rng(n_samples).random(n_samples)
    rows, n_typical = typical_and_worst(errors, n_sequences)
    typical, worst = naive_choice(errors, n_sequences)
    assert rows[n_typical:].tolist() == worst
    # Two ranks may be equally far from the middle.
    middle = (n_samples - 1) / 2
    ranks = np.argsort(np.argsort(errors))
    assert sorted(abs(ranks[rows[:n_typical]] - middle)) == sorted(abs(ranks[list(typical)] - middle))
    assert len(set(rows.tolist())) == len(rows) == min(n_samples, n_sequences)


def test_titles_name_the_rows_and_their_errors():
    network = reconstructor(X)
    errors = network.reconstruction_error(X)
    panels = plot_reconstruction(network, X, 4)
    rows = rows_of(panels)
    assert rows == typical_and_worst(errors, 4)[0].tolist()
    for panel, row, kind in zip(panels, rows, ("typical", "typical", "worst", "worst"), strict=True):
        assert panel.get_title() == f"{kind}: sequence {row}, error {errors[row]:.3g}"


@pytest.mark.parametrize("estimator", [LSTMAutoencoder, LSTMReconstructor])
def test_a_single_feature_is_drawn_in_its_own_units(estimator):
    values = 100 + X[:, :, 0]
    network = estimator(2, hidden_units=(), epochs=1, random_state=0).fit(values)
    panels = plot_reconstruction(network, values, 2)
    for panel, row in zip(panels, rows_of(panels), strict=True):
        (own,), (reconstructed,) = lines(panel, "recorded"), lines(panel, "reconstructed")
        np.testing.assert_array_equal(own.get_ydata(), values[row])
        np.testing.assert_allclose(reconstructed.get_ydata(), network.reconstruct(values)[row], rtol=1e-6)
        np.testing.assert_array_equal(own.get_xdata(), np.arange(1, 6))


def test_several_features_are_stacked_and_do_not_overlap():
    panels = plot_reconstruction(Zeros(), X * [1, 1000], 3)
    for panel in panels:
        lower, upper = ([line for line in panel.lines if line.get_color() == color] for color in ("C0", "C1"))
        highest = max(np.nanmax(line.get_ydata()) for line in lower if len(line.get_ydata()))
        assert highest < min(np.nanmin(line.get_ydata()) for line in upper if len(line.get_ydata()))
    assert [tick.get_text() for tick in panels[0].get_yticklabels()] == ["feature 0", "feature 1"]


def test_of_many_features_the_six_with_the_largest_errors_are_drawn():
    # Zeros reconstruct a feature of mean 0 with an error of one variance, and others worse.
    many = np.random.default_rng(0).normal([0, 3, 3, 0, 3, 3, 0, 3, 3], size=(8, 30, 9))
    panels = plot_reconstruction(Zeros(), many, 8)
    assert [tick.get_text() for tick in panels[0].get_yticklabels()] == [
        f"feature {number}" for number in (1, 2, 4, 5, 7, 8)
    ]
    assert panels[0].figure.get_supylabel() == "6 of 9 features, each divided by its range"


def test_sequences_of_unequal_lengths_are_drawn_to_their_ends():
    lengths = np.arange(20) % 4 + 2
    ragged = [x[:n] for x, n in zip(X, lengths, strict=True)]
    network = reconstructor(ragged)
    for panels in (plot_reconstruction(network, ragged), plot_reconstruction(network, X, lengths=lengths)):
        for panel, row in zip(panels, rows_of(panels), strict=True):
            assert len(lines(panel, "recorded")[0].get_ydata()) == lengths[row]


def test_missing_values_are_gaps_in_the_recorded_line_alone_and_single_values_are_dots():
    values = X[:, :, 0].copy()
    values[:, [1, 3]] = np.nan
    (panel,) = plot_reconstruction(reconstructor(values), values, 1)
    (own,), (reconstructed,) = lines(panel, "recorded"), lines(panel, "reconstructed")
    np.testing.assert_array_equal(np.isnan(own.get_ydata()), [False, True, False, True, False])
    assert np.isfinite(reconstructed.get_ydata()).all()
    (dots,) = [line for line in panel.lines if line.get_marker() == "o"]
    assert dots.get_xdata().tolist() == [1, 3, 5]


@pytest.mark.filterwarnings("error")
def test_data_frames_name_the_features_without_a_warning_and_other_columns_are_refused(monkeypatch):
    frames = [pd.DataFrame(x, columns=["flow", "heat"]) for x in X]
    network, filters, seen = reconstructor(frames), list(warnings.filters), []
    with monkeypatch.context() as patch:
        reconstruct = network.reconstruct
        patch.setattr(network, "reconstruct", lambda X: seen.append(list(warnings.filters)) or reconstruct(X))
        panels = plot_reconstruction(network, frames)
    assert seen == [filters], "which all threads share"
    assert [tick.get_text() for tick in panels[0].get_yticklabels()] == ["flow", "heat"]
    with pytest.raises(ValueError, match="feature names should match"):
        plot_reconstruction(network, [frame.rename(columns={"flow": "cold"}) for frame in frames])


def test_a_table_with_columns_is_drawn_and_a_single_feature_can_have_a_name():
    table = pd.DataFrame(X[:, :, 0], columns=list("abcde"))
    panels = plot_reconstruction(reconstructor(table), table, feature_names=["flow"])
    assert {panel.get_ylabel() for panel in panels} == {"flow"}
    assert plot_reconstruction(reconstructor(table), table)[0].get_ylabel() == ""


def test_names_of_features_can_be_given_one_for_each():
    panels = plot_reconstruction(reconstructor(X), X, feature_names=["flow", "heat"])
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["flow", "heat"]
    with pytest.raises(ValueError, match="Got feature_names= of 1 name for 2 features"):
        plot_reconstruction(reconstructor(X), X, feature_names=["flow"])


@pytest.mark.parametrize("values", [X, X[:, :, 0]], ids=["three dimensions", "two dimensions"])
def test_batches_are_drawn_as_an_array_is(values):
    network = reconstructor(values)
    batches = (values[start : start + 5] for start in range(0, 20, 5))
    of_batches, of_array = plot_reconstruction(network, batches), plot_reconstruction(network, values)
    assert rows_of(of_batches) == rows_of(of_array)
    for panel, expected in zip(of_batches, of_array, strict=True):
        for line, other in zip(panel.lines, expected.lines, strict=True):
            np.testing.assert_allclose(line.get_ydata(), other.get_ydata(), rtol=1e-5, atol=1e-5)


def test_a_feature_without_values_and_a_constant_one_are_drawn():
    values = X.copy()
    values[:, :, 0], values[:, :, 1] = np.nan, 0
    panels = plot_reconstruction(Zeros(), values, 2)
    panels[0].figure.canvas.draw()
    assert panels[0].get_ylim()[1] < 3


def test_an_odd_number_of_sequences_leaves_no_empty_axes_and_each_column_has_its_ticks():
    panels = plot_reconstruction(Zeros(), X, 3)
    figure = panels[0].figure
    figure.canvas.draw()
    assert [axes.get_visible() for axes in figure.axes] == [True, True, True, False]
    assert panels[1].get_xticklabels()[1].get_visible()
    assert panels[2].get_xticklabels()[1].get_visible()


def test_the_figure_says_in_which_units_errors_are():
    assert (
        plot_reconstruction(reconstructor(X), X)[0].figure.get_suptitle() == "error: mean squared error, after scaling"
    )
    plain = LSTMReconstructor(2, hidden_units=(), epochs=1, scale=None).fit(X)
    assert plot_reconstruction(plain, X)[0].figure.get_suptitle() == "error: mean squared error, in squared units"


def test_given_axes_are_used_one_for_each_sequence():
    _, axes = plt.subplots(1, 2)
    assert list(plot_reconstruction(Zeros(), X, 2, axes=axes)) == list(axes)
    with pytest.raises(ValueError, match="Got axes= of 2 panels for 4 sequences, expected one for each"):
        plot_reconstruction(Zeros(), X, 4, axes=axes)


def test_bad_input_is_refused_with_words():
    for number in (0, -1, 1.5, "all"):
        with pytest.raises(ValueError, match=r"Got n_sequences=.*expected a positive integer"):
            plot_reconstruction(Zeros(), X, number)
    with pytest.raises(TypeError, match=r"Got estimator= of type Pipeline, expected one with the methods"):
        plot_reconstruction(make_pipeline(LSTMAutoencoder()), X)
