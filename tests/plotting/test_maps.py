import sys
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from sklearn.decomposition import PCA

from seqembed.plotting import plot_map

matplotlib.use("Agg")

Z = np.random.default_rng(0).normal(size=(30, 5)) * [5, 1, 3, 1, 1]


def drawn_points(panel):
    return np.concatenate([collection.get_offsets() for collection in panel.collections])


def test_points_are_those_of_the_first_two_principal_components_and_axes_say_how_much_they_show():
    panel = plot_map(Z)
    pca = PCA(2).fit(Z)
    np.testing.assert_allclose(np.abs(drawn_points(panel)), np.abs(pca.transform(Z)), atol=1e-10)
    first, second = pca.explained_variance_ratio_
    assert panel.get_xlabel() == f"principal component 1 ({100 * first:.0f} % of the variance)"
    assert panel.get_ylabel() == f"principal component 2 ({100 * second:.0f} % of the variance)"
    assert panel.get_legend() is None


@pytest.mark.parametrize("names", [[2, 7, -1], ["rest", "run", "walk"]])
def test_each_label_has_a_colour_and_a_name_and_noise_is_grey(names):
    labels = np.array(names)[np.arange(30) % 3]
    panel = plot_map(Z, labels)
    expected = ["noise", "2", "7"] if -1 in names else names
    assert [text.get_text() for text in panel.get_legend().get_texts()] == expected
    colors = [tuple(collection.get_facecolor()[0]) for collection in panel.collections]
    assert len(set(colors)) == 3
    assert (colors[0][:3] == (0.75, 0.75, 0.75)) == (-1 in names)
    whole = drawn_points(plot_map(Z))
    groups = [labels == (-1 if name == "noise" else type(names[0])(name)) for name in expected]
    for collection, chosen in zip(panel.collections, groups, strict=True):
        np.testing.assert_allclose(collection.get_offsets(), whole[chosen])


def test_labels_of_text_and_numbers_are_refused_with_the_line_that_makes_text_of_them():
    Z = np.random.default_rng(0).normal(size=(4, 3))
    labels = ["walk", 3, -1, None]
    n_figures = len(pyplot.get_fignums())
    with pytest.raises(ValueError, match=r"Got labels= of several kinds.*str\(label\) for label in labels"):
        plot_map(Z, labels)
    assert len(pyplot.get_fignums()) == n_figures


def test_many_numbers_get_a_bar_of_colours():
    panel = plot_map(Z, np.linspace(0, 1, 30))
    assert panel.get_legend() is None
    assert len(panel.figure.axes) == 2
    np.testing.assert_array_equal(panel.collections[0].get_array(), np.linspace(0, 1, 30))


@pytest.mark.parametrize("labels", [np.linspace(-5, 24, 30), np.linspace(-1, 13.5, 30), np.arange(-1, 29)])
def test_minus_one_is_grey_among_clusters_and_a_number_among_temperatures(labels):
    panel = plot_map(Z, labels)
    n_grey = 1 if labels.dtype.kind == "i" else 0
    assert [len(drawn.get_offsets()) for drawn in panel.collections] == [1] * n_grey + [30 - n_grey]
    degrees = plot_map(Z, np.arange(30) % 4 - 2)
    assert [text.get_text() for text in degrees.get_legend().get_texts()] == ["-2", "-1", "0", "1"]


def test_many_numbers_of_which_some_are_none_get_a_bar_of_colours():
    labels = [None, *np.linspace(0, 9, 29)]
    panel = plot_map(np.random.default_rng(0).normal(size=(30, 3)), labels)
    assert [len(drawn.get_offsets()) for drawn in panel.collections] == [1, 29]
    assert panel.figure.axes[-1].get_ylabel() == "label"


def test_embeddings_that_are_all_the_same_are_one_point():
    panel = plot_map(np.ones((3, 2)), ax=pyplot.subplots()[1])
    np.testing.assert_array_equal(drawn_points(panel), np.zeros((3, 2)))
    assert "0 % of the variance" in panel.get_xlabel()


def test_umap_makes_the_map_where_it_is_asked_for(monkeypatch):
    class UMAP:
        def __init__(self, random_state):
            self.random_state = random_state

        def fit_transform(self, embeddings):
            assert self.random_state == 7
            return embeddings[:, 3:]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=UMAP))
    panel = plot_map(Z, method="umap", random_state=7)
    np.testing.assert_array_equal(drawn_points(panel), Z[:, 3:])
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("UMAP 1", "UMAP 2")


def test_umap_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match=r'This feature needs umap: pip install "seqembed\[maps\]"'):
        plot_map(Z, method="umap")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "tsne"}, "Got method='tsne', expected one of 'pca', 'umap'"),
        ({"Z": Z[:1]}, r"Got Z= of shape \(1, 5\), expected finite numbers"),
        ({"Z": Z[:, 0]}, r"Got Z= of shape \(30,\), expected finite numbers"),
        ({"Z": np.where(Z > 2, np.nan, Z)}, "expected finite numbers"),
        ({"labels": np.zeros(29)}, r"Got labels= of shape \(29,\) for 30 embeddings, expected one label for each"),
        ({"labels": [f"name {row}" for row in range(30)]}, "Got labels= of 30 different texts, expected at most 20"),
    ],
)
def test_input_that_cannot_be_drawn_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_map(**{"Z": Z} | arguments)


@pytest.mark.parametrize("labels", [[0, 1, np.nan, -1], ["a", "b", None, -1], np.array([0, 1, np.nan, -1])])
def test_points_without_a_label_are_drawn_too(labels):
    panel = plot_map(np.random.default_rng(0).normal(size=(4, 3)), labels)
    drawn = {each.get_label(): len(each.get_offsets()) for each in panel.collections}
    assert drawn.pop("no label") == drawn.pop("noise") == 1
    assert list(drawn.values()) == [1, 1]
