import matplotlib
import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from seqembed.estimators.events import Events
from seqembed.plotting import plot_events

matplotlib.use("Agg")

TABLE = Bunch(start=[3, 9], end=[5, 9], score=[-9.0, -5.0], features=[{0: 1.0}, {1: 1.0}])
EVENTS = Events(TABLE, np.linspace(-5, -1, 20), offset=-4.0)


@pytest.mark.parametrize("recording", [np.zeros(20), np.arange(40.0).reshape(20, 2)])
def test_each_feature_has_a_line_and_each_event_a_span(recording):
    above, below = plot_events(EVENTS, recording)
    assert len(above.lines) == (1 if recording.ndim == 1 else 2)
    spans = [patch.get_x() for patch in above.patches]
    assert spans == [3, 9]
    np.testing.assert_array_equal(below.lines[0].get_ydata(), EVENTS.row_scores)


def test_a_data_frame_names_its_lines_and_times_are_shown():
    frame = pd.DataFrame(np.arange(40.0).reshape(20, 2), columns=["flow", "heat"])
    above, _ = plot_events(EVENTS, frame, time=np.arange(20) / 2)
    assert [label.get_text() for label in above.get_yticklabels()] == ["flow", "heat"]
    assert above.patches[0].get_x() == 1.5


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_times_of_any_zone_are_drawn_and_those_that_do_not_ascend_are_refused(zone):
    minutes = pd.date_range("2026-01-01", periods=20, freq="min", tz=zone)
    for times in (minutes, pd.Series(minutes)):
        above, _ = plot_events(EVENTS, np.zeros(20), times)
        assert above.patches[0].get_x() == pytest.approx(matplotlib.dates.date2num(minutes[3]))
        with pytest.raises(ValueError, match="times that run backwards"):
            plot_events(EVENTS, np.zeros(20), times[::-1])
