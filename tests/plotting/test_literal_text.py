import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from seqembed import LSTMAutoencoder
from seqembed.estimators.events import Events
from seqembed.inspection import typical_sequences
from seqembed.plotting import (
    plot_component,
    plot_events,
    plot_map,
    plot_reconstruction,
    plot_typical_sequences,
)
from seqembed.plotting.literal_text import as_written

matplotlib.use("Agg")

# As mathematics, the first one is an error, and the second one has no spaces.
NAMES = ["$^_$", "a $b_c$ d"]


@pytest.fixture
def frames(waves):
    return [pd.DataFrame(wave, columns=NAMES) for wave in waves]


@pytest.fixture
def named(frames):
    return LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0).fit(frames)


def shown(texts):
    return [text.get_text() for text in texts]


def test_names_of_columns_are_drawn_as_they_are_written(frames, named):
    recording = pd.concat(frames[:3])
    found = Events({"start": [3], "end": [5], "score": [-9.0]}, np.full(len(recording), -1.0), offset=-4.0)
    for panel in (
        plot_reconstruction(named, frames)[0],
        *plot_component(named, frames, 0),
        plot_events(found, recording.reset_index(drop=True))[0],
    ):
        assert shown(panel.get_yticklabels()) == [as_written(name) for name in NAMES]
        panel.figure.canvas.draw()


def test_labels_are_drawn_as_they_are_written(waves, fitted):
    labels = np.array([*NAMES, "_low"])[np.arange(len(waves)) % 3]
    panel = plot_map(fitted.transform(waves), labels)
    assert shown(panel.get_legend().get_texts()) == [as_written(label) for label in sorted([*NAMES, "_low"])]
    panel.figure.canvas.draw()
    panels = plot_typical_sequences(typical_sequences(fitted, waves, labels))
    assert sorted(panel.get_title().partition(":")[0] for panel in panels) == sorted(
        f"cluster {as_written(label)}" for label in [*NAMES, "_low"]
    )
    panels[0].figure.canvas.draw()


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_mathematics(name):
    figure = pyplot.figure()
    plain, escaped = figure.text(0, 0, name, parse_math=False), figure.text(0, 0, as_written(name))
    np.testing.assert_array_equal(escaped.get_window_extent().get_points(), plain.get_window_extent().get_points())
