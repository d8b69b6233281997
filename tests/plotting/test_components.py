import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from sklearn.exceptions import NotFittedError

from seqembed import LSTMReconstructor
from seqembed.inspection import component_influence, traverse
from seqembed.plotting import plot_component

matplotlib.use("Agg")


def test_the_influence_of_several_features_is_a_map_beside_the_traverse(fitted, waves):
    influence = component_influence(fitted, waves)
    left, right = plot_component(fitted, waves, 1)
    np.testing.assert_allclose(left.images[0].get_array(), influence[1].T, rtol=1e-6)
    assert [label.get_text() for label in left.get_yticklabels()] == ["feature 0", "feature 1"]
    assert left.get_ylim()[0] < left.get_ylim()[1], "the first feature is at the bottom of both panels"
    along = traverse(fitted, waves, 1)
    assert len(right.lines) == 2 * len(along.values)
    first = right.lines[0].get_ydata()
    assert np.corrcoef(first, along.sequences[0, :, 0])[0, 1] == pytest.approx(1)
    assert (left.get_title(), right.get_title()) == ("what moves component 1", "what component 1 does")
    assert left.get_xlabel() == right.get_xlabel() == "timestep"


def test_colours_run_from_low_to_high_values(fitted, waves):
    _, right = plot_component(fitted, waves, 0)
    lowest, highest = (
        matplotlib.colors.to_rgb(right.lines[0].get_color()),
        matplotlib.colors.to_rgb(right.lines[-1].get_color()),
    )
    assert lowest[2] > lowest[0]
    assert highest[0] > highest[2]


def test_the_influence_of_one_feature_is_a_line_and_its_sequences_have_their_unit(small, waves):
    X = waves[:, :, 1]
    estimator = small().fit(X)
    left, right = plot_component(estimator, X, 0)
    np.testing.assert_allclose(left.lines[0].get_ydata(), component_influence(estimator, X)[0, :, 0], rtol=1e-6)
    np.testing.assert_allclose(right.lines[0].get_ydata(), traverse(estimator, X, 0).sequences[0], rtol=1e-6)
    assert right.get_ylabel() == "value"


def test_data_frames_name_the_features(small, waves):
    X = [pd.DataFrame(wave[: 4 + row % 4], columns=["flow", "heat"]) for row, wave in enumerate(waves)]
    left, right = plot_component(small().fit(X), X, 0)
    for panel in (left, right):
        assert [label.get_text() for label in panel.get_yticklabels()] == ["flow", "heat"]


def test_names_that_are_given_come_first_and_one_is_the_label_of_the_axis(small, fitted, waves):
    influence = np.zeros((3, 7, 2))
    for panel in plot_component(fitted, waves, 0, influence=influence, feature_names=["flow", "heat"]):
        assert [label.get_text() for label in panel.get_yticklabels()] == ["flow", "heat"]
    with pytest.raises(ValueError, match="Got feature_names= of 1 name for 2 features, expected a name for each"):
        plot_component(fitted, waves, 0, influence=influence, feature_names=["flow"])
    estimator = small().fit(waves[:, :, :1])
    _, right = plot_component(estimator, waves[:, :, :1], 0, influence=np.zeros((3, 7, 1)), feature_names=["flow"])
    assert right.get_ylabel() == "flow"


def test_influence_that_is_given_is_not_computed_again_and_goes_into_the_axes_that_are_given(
    fitted, waves, monkeypatch
):
    def compute(*arguments, **options):
        raise AssertionError("the influence was computed")

    monkeypatch.setattr("seqembed.plotting.components.component_influence", compute)
    influence = np.arange(3 * 7 * 2.0).reshape(3, 7, 2)
    influence[2, 0, 0] = np.nan
    _, axes = pyplot.subplots(2)
    panels = plot_component(fitted, waves, 2, influence=influence, axes=axes)
    assert panels is axes
    drawn = axes[0].images[0].get_array()
    np.testing.assert_array_equal(drawn[~drawn.mask], influence[2].T[~np.isnan(influence[2].T)])
    assert drawn.mask.sum() == 1


def test_input_that_cannot_be_drawn_is_refused(fitted, small, waves):
    with pytest.raises(ValueError, match=r"Got influence= of shape \(7, 2\), expected \(3, n_timesteps, 2\)"):
        plot_component(fitted, waves, 0, influence=np.zeros((7, 2)))
    with pytest.raises(ValueError, match="Got component=3, expected an integer from 0 to 2"):
        plot_component(fitted, waves, 3)
    with pytest.raises(ValueError, match="can be read only once"):
        plot_component(fitted, iter([waves]), 0)
    with pytest.raises(NotFittedError):
        plot_component(small(), waves, 0)
    with pytest.raises(TypeError, match="expected a fitted LSTMAutoencoder"):
        plot_component(LSTMReconstructor(2, hidden_units=(), epochs=1).fit(waves), waves, 0)
