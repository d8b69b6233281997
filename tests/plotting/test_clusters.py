import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

from seqembed.inspection import TypicalSequences
from seqembed.plotting import plot_typical_sequences

matplotlib.use("Agg")


def typical(n_clusters, n_features=1):
    random = np.random.default_rng(0)
    centers, nearest = random.normal(size=(2, n_clusters, 5, n_features))
    numbers = np.arange(n_clusters)
    return TypicalSequences(numbers, 1 + numbers, centers, numbers, nearest, np.ones(n_clusters))


@pytest.mark.parametrize("n_clusters", [1, 3, 6])
def test_each_cluster_has_a_panel_with_its_centre_and_its_nearest_member(n_clusters):
    given = typical(n_clusters)
    panels = plot_typical_sequences(given)
    assert len(panels) == n_clusters
    for number, panel in enumerate(panels):
        member, center = (line.get_ydata() for line in panel.lines)
        np.testing.assert_array_equal(member, given.nearest[number, :, 0])
        np.testing.assert_array_equal(center, given.centers[number, :, 0])
    assert panels[0].get_title() == "cluster 0: 1 sequence"
    assert panels[-1].get_title() == f"cluster {n_clusters - 1}: {n_clusters} sequence{'s' if n_clusters > 1 else ''}"
    assert len(panels[0].figure.axes) == n_clusters
    legend = [text.get_text() for text in panels[0].figure.legends[0].get_texts()]
    assert legend == ["nearest member", "decoded centre"]


def test_the_lowest_panel_of_each_column_counts_timesteps():
    panels = plot_typical_sequences(typical(6))
    assert [panel.get_xlabel() for panel in panels] == ["", "", "timestep", "timestep", "timestep", "timestep"]
    assert [panel.get_ylabel() for panel in panels] == ["value", "", "", "", "value", ""]


def test_features_lie_one_above_the_other_and_have_names():
    panels = plot_typical_sequences(typical(2, n_features=3), feature_names=["flow", "heat", "power"])
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["flow", "heat", "power"]
    for panel in panels:
        member, center = panel.lines[:3], panel.lines[3:]
        assert [line.get_color() for line in (member[0], center[0])] == ["0.6", "tab:blue"]
        for lines in (member, center):
            assert lines[0].get_ydata().max() < lines[1].get_ydata().min()


def test_sequences_of_unequal_lengths_and_labels_that_are_names_are_drawn():
    given = TypicalSequences(
        np.array(["rest", "walk"]),
        np.array([3, 4]),
        [np.zeros(4), np.ones(6)],
        np.array([0, 1]),
        [np.full(4, np.nan), np.ones(6)],
        np.ones(2),
    )
    panels = plot_typical_sequences(given)
    assert [panel.get_title() for panel in panels] == ["cluster rest: 3 sequences", "cluster walk: 4 sequences"]
    assert [len(panel.lines[1].get_ydata()) for panel in panels] == [4, 6]


def test_axes_and_names_have_to_fit():
    _, axes = pyplot.subplots(3)
    assert plot_typical_sequences(typical(3), axes=axes) is axes
    with pytest.raises(ValueError, match="Got axes= of 3 panels for 2 clusters, expected one for each"):
        plot_typical_sequences(typical(2), axes=axes)
    with pytest.raises(ValueError, match="Got feature_names= of 1 name for 2 features, expected a name for each"):
        plot_typical_sequences(typical(2, n_features=2), feature_names=["flow"])
