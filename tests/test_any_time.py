"""Random times, in time zones and over changes of the clock: a row is where the same times in UTC put it."""

import functools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from seqembed import (
    LSTMReconstructor,
    ReconstructionDetector,
    detect_events,
    frame_from_sequences,
    sequences_from_frame,
    sliding_windows,
)

# In each, the clock changes in a night after one of these days.
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Etc/GMT+5",
]
DAYS = [datetime(2026, month, day, tzinfo=UTC) for month, day in ((3, 7), (3, 28), (4, 4), (10, 3), (10, 24), (10, 31))]
DAYS += [datetime(2018, 2, 17, tzinfo=UTC), datetime(2018, 11, 3, tzinfo=UTC)]
MINUTE = timedelta(minutes=1)


@st.composite
def recordings(draw):
    """A zone, and ascending times in UTC, half an hour or more apart."""
    start = draw(st.sampled_from(DAYS)) + draw(st.integers(0, 47)) * 30 * MINUTE
    steps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 3, 5, 48]), min_size=1, max_size=12))
    return draw(st.sampled_from(ZONES)), [start + int(step) * 30 * MINUTE for step in np.cumsum(steps)]


def forms(times, zone):
    """The same times in other containers."""
    index = pd.DatetimeIndex([time.replace(tzinfo=None) for time in times]).tz_localize("UTC").tz_convert(zone)
    own = ZoneInfo(zone)
    return {
        "pandas": pd.Series(index),
        "seconds": pd.Series(index.as_unit("s")),
        "polars": pl.Series([time.replace(tzinfo=None) for time in times])
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone(zone),
        "objects": pd.Series([time.astimezone(own) for time in times], dtype=object),
        "stamps": pd.Series(list(index), dtype=object),
    }


def framed(ids, values, times):
    if isinstance(times, pl.Series):
        return pl.DataFrame({"id": ids, "time": times, "flow": values})
    return pd.DataFrame({"id": ids, "time": times, "flow": values})


def naive_sequences(ids, times, values, max_gap, freq):
    """A list of values for each sequence, by a plain loop over rows in UTC."""
    sequences = []
    for name in dict.fromkeys(ids):
        rows = sorted((time, value) for each, time, value in zip(ids, times, values, strict=True) if each == name)
        last = None
        for time, value in rows:
            if last is None or (max_gap is not None and time - last > max_gap):
                sequences.append([])
            elif freq is not None:
                sequences[-1] += [np.nan] * ((time - last) // freq - 1)
            sequences[-1].append(value)
            last = time
    return sequences


@pytest.mark.slow
@settings(max_examples=settings.default.max_examples // 2)
@given(recordings(), st.data())
def test_sequences_of_a_frame_are_those_of_the_same_times_in_utc(recording, data):
    zone, times = recording
    ids = data.draw(st.lists(st.integers(0, 2), min_size=len(times), max_size=len(times)))
    order = data.draw(st.permutations(range(len(times))))
    ids, times = [ids[row] for row in order], [times[row] for row in order]
    values = [float(row) for row in order]
    max_gap = data.draw(st.sampled_from([None, 30 * MINUTE, timedelta(hours=1), timedelta(hours=3)]))
    freq = data.draw(st.sampled_from([None, 30 * MINUTE, "30min"]))
    expected = naive_sequences(ids, times, values, max_gap, None if freq is None else 30 * MINUTE)
    for name, form in forms(times, zone).items():
        note(name)
        frame = framed(ids, values, form)
        sequences = sequences_from_frame(frame, "id", "time", max_gap=max_gap, freq=freq)
        assert len(sequences) == len(expected)
        for mine, other in zip(sequences, expected, strict=True):
            np.testing.assert_array_equal(mine[:, 0], other)
        back = frame_from_sequences(sequences, frame, "id", "time", max_gap=max_gap, freq=freq)
        assert list(back["flow"]) == values


@pytest.mark.slow
@given(st.sampled_from(ZONES), st.sampled_from(DAYS), st.lists(st.integers(0, 9), min_size=1, max_size=8, unique=True))
def test_days_of_a_zone_are_those_of_its_calendar(zone, start, days):
    dates = [start.date() + timedelta(days=day) for day in sorted(days)]
    local = [pd.Timestamp(date).tz_localize(zone, nonexistent="shift_forward", ambiguous=True) for date in dates]
    frame = pd.DataFrame({"id": 0, "time": local, "flow": np.arange(len(dates), dtype=float)})
    (sequence,) = sequences_from_frame(frame, "id", "time", freq="1D")
    expected = np.full((dates[-1] - dates[0]).days + 1, np.nan)
    for number, date in enumerate(dates):
        expected[(date - dates[0]).days] = number
    np.testing.assert_array_equal(sequence[:, 0], expected)


@pytest.mark.slow
@given(recordings(), st.integers(1, 4), st.integers(1, 3), st.sampled_from([30, 60, 90]))
def test_windows_are_cut_where_the_same_times_in_utc_cut_them(recording, timesteps, stride, minutes):
    zone, times = recording
    pieces = []
    for row, time in enumerate(times):
        if row and time - times[row - 1] <= minutes * MINUTE:
            pieces[-1].append(row)
        else:
            pieces.append([row])
    starts = [piece[0] + k for piece in pieces for k in range(0, len(piece) - timesteps + 1, stride)]
    rows, max_gap = np.arange(float(len(times))), minutes * MINUTE
    for name, form in forms(times, zone).items():
        note(name)
        for time in (form, list(form), pd.Index(form)):
            cut = functools.partial(sliding_windows, rows, timesteps, stride, time=time, max_gap=max_gap)
            if not starts:
                with pytest.raises(ValueError, match="Got X="):
                    cut()
                continue
            windows = cut()
            assert windows.starts.tolist() == starts
            assert windows.windows[:, :, 0].tolist() == [[start + k for k in range(timesteps)] for start in starts]


random = np.random.default_rng(0)
DETECTOR = ReconstructionDetector(LSTMReconstructor(2, hidden_units=(), epochs=1, random_state=0), contamination=0.4)
DETECTOR.fit(random.normal(size=(30, 2, 1)))


@pytest.mark.slow
@settings(max_examples=settings.default.max_examples // 2)
@given(recordings(), st.sampled_from([None, 30, 60, 90]), st.integers(0, 99))
def test_events_are_where_the_same_times_in_utc_put_them(recording, minutes, seed):
    zone, times = recording
    if len(times) < 2:
        return
    rows = np.random.default_rng(seed).normal(size=(len(times), 1))
    in_utc = np.array([time.replace(tzinfo=None) for time in times], "M8[us]")
    max_gap = None if minutes is None else minutes * MINUTE
    if max_gap is not None and min(np.diff(times)) > max_gap:
        for form in (in_utc, *forms(times, zone).values()):
            with pytest.raises(ValueError, match="without 2 rows in succession"):
                detect_events(DETECTOR, rows, 2, time=form, max_gap=max_gap)
        return
    expected = detect_events(DETECTOR, rows, 2, time=in_utc, max_gap=max_gap)
    for name, form in forms(times, zone).items():
        note(name)
        events = detect_events(DETECTOR, rows, 2, time=form, max_gap=max_gap)
        np.testing.assert_array_equal(events.row_scores, expected.row_scores)
        assert events.table["start"].tolist() == expected.table["start"].tolist()
        given = [pd.Timestamp(time).tz_convert("UTC") for time in events.table["end_time"]]
        assert given == [pd.Timestamp(times[row]) for row in expected.table["end"]]
