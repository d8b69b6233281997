import itertools
from datetime import timedelta

import matplotlib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.utils import Bunch

from seqembed.estimators.events import Events
from seqembed.plotting.events import plot_events

matplotlib.use("Agg")

TABLE = Bunch(start=[3, 9], end=[5, 9], score=[-9.0, -5.0], features=[{0: 1.0}, {1: 1.0}])
EVENTS = Events(TABLE, np.linspace(-5, -1, 20), offset=-4.0)


@pytest.mark.parametrize("recording", [np.zeros(20), np.arange(40.0).reshape(20, 2)])
def test_each_feature_has_a_line_and_each_event_a_span(recording):
    above, below = plot_events(EVENTS, recording)
    assert len(above.lines) == (1 if recording.ndim == 1 else 2)
    for panel in (above, below):
        assert [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in panel.patches] == [(3, 5), (9, 9)]
        # The edge makes an event of a single row visible.
        assert all(patch.get_linewidth() > 0 for patch in panel.patches)
    np.testing.assert_array_equal(below.lines[0].get_ydata(), EVENTS.row_scores)


@pytest.mark.filterwarnings("error")
def test_a_recording_with_a_sensor_that_never_spoke_is_drawn_without_a_warning():
    recording = np.column_stack([np.arange(20.0), np.full(20, np.nan)])
    above, _ = plot_events(EVENTS, recording)
    assert np.isnan(above.lines[1].get_ydata()).all()
    assert np.isfinite(above.lines[0].get_ydata()).all()


def test_a_data_frame_names_its_lines_and_times_are_shown():
    frame = pd.DataFrame(np.arange(40.0).reshape(20, 2), columns=["flow", "heat"])
    above, _ = plot_events(EVENTS, frame, time=np.arange(20) / 2)
    assert [label.get_text() for label in above.get_yticklabels()] == ["flow", "heat"]
    assert above.patches[0].get_x() == 1.5


def labels_of_times(panel):
    panel.figure.canvas.draw()
    return [label for label in panel.get_xticklabels() if label.get_text() and label.get_visible()]


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_the_index_of_a_data_frame_is_the_time_and_its_labels_do_not_overlap(zone):
    days = pd.date_range("2026-01-01", periods=20, freq="D", tz=zone)
    frame = pd.DataFrame(np.arange(40.0).reshape(20, 2), columns=["flow", "heat"], index=days)
    above, below = plot_events(EVENTS, frame)
    assert above.patches[0].get_x() == pytest.approx(matplotlib.dates.date2num(days[3]))
    labels = labels_of_times(below)
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.x0)
    assert len(labels) > 3
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    # Midnight of the zone, not of UTC.
    assert not any(":" in label.get_text() for label in labels)


def test_the_axes_say_what_they_show():
    above, below = plot_events(EVENTS, np.zeros(20))
    assert above.get_ylabel() == "value, in standard deviations"
    assert below.get_ylabel().startswith("score")
    assert below.get_xlabel() == "row"
    assert plot_events(EVENTS, np.zeros(20), np.arange(20))[1].get_xlabel() == "time"
    assert plot_events(EVENTS, np.zeros(20), pd.to_timedelta(range(20), "s"))[1].get_xlabel() == "time, in seconds"


def test_the_events_of_several_recordings_are_not_drawn_over_one():
    several = EVENTS._replace(table=Bunch(machine=["a", "b"], **TABLE))
    with pytest.raises(ValueError, match="Got events= of several recordings, with their names in the column 'machine'"):
        plot_events(several, np.zeros(20))


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_times_of_any_zone_are_drawn_and_those_that_do_not_ascend_are_refused(zone):
    minutes = pd.date_range("2026-01-01", periods=20, freq="min", tz=zone)
    for times in (minutes, pd.Series(minutes)):
        above, _ = plot_events(EVENTS, np.zeros(20), times)
        assert above.patches[0].get_x() == pytest.approx(matplotlib.dates.date2num(minutes[3]))
        with pytest.raises(ValueError, match="times that run backwards"):
            plot_events(EVENTS, np.zeros(20), times[::-1])


def test_an_array_of_arrow_whose_zone_is_an_offset_is_drawn_on_its_clock():
    hours = pa.array(pd.date_range("2026-01-01 22:00", periods=20, freq="h", tz="+02:00"))
    _, below = plot_events(EVENTS, np.zeros(20), hours)
    locator = below.xaxis.get_major_locator()
    assert locator.tz.utcoffset(None) == timedelta(hours=2)


def heights(panel, scores):
    """Where scores lie in the panel: 0 is its lower end, 1 the upper one."""
    pixels = panel.transData.transform(np.column_stack([np.zeros(len(scores)), scores]))
    return panel.transAxes.inverted().transform(pixels)[:, 1]


@pytest.mark.parametrize(
    ("offset", "lowest"),
    [(-4, -6), (-4, -40), (-4, -8e12), (-4, -1e130), (-1.1, -6), (-1.5, -9), (-15, -90), (-0.001, -5)],
)
def test_threshold_normal_scores_and_severe_events_are_all_readable(offset, lowest):
    scores = np.concatenate([offset * np.linspace(0.5, 0.25, 10), np.full(5, np.nan), [lowest, lowest / 3]])
    _, below = plot_events(Events(TABLE, scores, offset=offset), np.zeros(17))
    below.figure.canvas.draw()
    lowest_height, threshold, normal, highest = heights(below, [lowest, offset, offset / 2, offset / 4])
    assert 0 < lowest_height < threshold - 0.2
    assert threshold + 0.1 < normal < highest <= 1
    is_severe = lowest < 5 * offset
    assert below.get_yscale() == ("symlog" if is_severe else "linear")
    assert ("log below threshold" in below.get_ylabel()) == is_severe
    shown = {
        label.get_text() for label in below.get_yticklabels() if 0 <= heights(below, [label.get_position()[1]])[0] <= 1
    }
    assert 2 <= len(shown - {"0", ""}) <= 8


def test_a_recording_without_the_rows_of_the_grid_is_refused():
    with pytest.raises(ValueError, match=r"Got recording= of 18 rows and events= of 20 rows.*recording.asfreq\(freq\)"):
        plot_events(EVENTS, np.zeros(18))
