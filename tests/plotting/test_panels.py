import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

from seqembed import plotting
from seqembed.estimators.events import Events
from seqembed.inspection import TypicalSequences
from seqembed.plotting.panels import checked_panels

matplotlib.use("Agg")


def reconstruction(waves, fitted, axes):
    return plotting.plot_reconstruction(fitted, waves, 4, axes=axes)


def typical(waves, fitted, axes):
    numbers = np.arange(4)
    given = TypicalSequences(numbers, 1 + numbers, waves[:4], numbers, waves[:4], np.ones(4))
    return plotting.plot_typical_sequences(given, axes=axes)


def component(waves, fitted, axes):
    return plotting.plot_component(fitted, waves, 0, influence=np.ones((3, 7, 2)), axes=axes)


def events(waves, fitted, axes):
    table = {"start": [3], "end": [5], "score": [-9.0], "features": [{0: 1.0}]}
    return plotting.plot_events(Events(table, np.full(20, -1.0), offset=-4.0), np.zeros(20), axes=axes)


@pytest.mark.parametrize(
    ("draw", "shape"),
    [(reconstruction, (2, 2)), (typical, (2, 2)), (component, (1, 2)), (component, (2, 1)), (events, (2, 1))],
)
def test_a_grid_of_axes_is_filled_row_by_row(waves, fitted, draw, shape):
    grid = pyplot.subplots(*shape, squeeze=False)[1]
    panels = draw(waves, fitted, grid)
    assert list(panels) == list(grid.flat)
    assert all(panel.has_data() for panel in grid.flat)


@pytest.mark.parametrize("draw", [reconstruction, typical, component, events])
def test_a_single_panel_in_the_place_of_several_is_refused(waves, fitted, draw):
    with pytest.raises(ValueError, match=r"Got axes= of 1 panel for [24] \w+, expected one for each.*pyplot.subplots"):
        draw(waves, fitted, pyplot.subplots()[1])


def test_a_single_panel_is_enough_for_one_sequence(waves, fitted):
    panel = pyplot.subplots()[1]
    assert list(plotting.plot_reconstruction(fitted, waves, 1, axes=panel)) == [panel]
    assert list(checked_panels([panel, panel], 2)) == [panel, panel]


def test_an_estimator_in_the_place_of_typical_sequences_is_refused_with_what_to_pass(fitted):
    with pytest.raises(TypeError, match=r"typical= of type LSTMAutoencoder.*typical_sequences\(estimator, X, labels\)"):
        plotting.plot_typical_sequences(fitted)


@pytest.mark.parametrize("draw", [reconstruction, typical, component, events])
@pytest.mark.parametrize("axes", [pyplot.Figure(), [None] * 4])
def test_what_are_no_axes_is_refused(waves, fitted, draw, axes):
    with pytest.raises(TypeError, match=r"axes= with an object of type \w+, expected matplotlib's Axes.*subplots\("):
        draw(waves, fitted, axes)


@pytest.mark.parametrize(
    "draw",
    [
        lambda waves, fitted, ax: plotting.plot_history(fitted, ax),
        lambda waves, fitted, ax: plotting.plot_map(waves[:, 0], ax=ax),
    ],
)
def test_several_axes_in_the_place_of_one_are_refused_with_the_line_that_takes_one(waves, fitted, draw):
    axes = pyplot.subplots(2, 2)[1]
    with pytest.raises(TypeError, match=r"Got ax= of type ndarray, expected one Axes of matplotlib.*axes.flat\[0\]"):
        draw(waves, fitted, axes)
    draw(waves, fitted, axes.flat[0])
