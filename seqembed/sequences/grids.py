"""Regular grids of times, and the positions of rows on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqembed.extras import import_extra
from seqembed.sequences.steps import TimeStep, calendar_offset, checked_step, parsed_step, text_of_offset, wide
from seqembed.sequences.wording import counted

# A time may differ from the grid by this part of a step: float64 rounds sums of steps.
_LARGEST_MISS = 1e-6
# With more rows of the grid per row of the data, missing values would fill the memory.
_MOST_ROWS_PER_ROW = 1000


def on_grid(
    times: np.ndarray, is_start: np.ndarray, freq: TimeStep | str, zone: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Put the rows of sequences on a regular grid of times, which begins anew with each sequence.

    Parameters
    ----------
    times : array of numbers or dates of shape (n_rows,)
        In ascending order within each sequence. Dates of a time zone are in UTC.
    is_start : bool array of shape (n_rows,)
        Whether a sequence starts at a row.
    freq : number, timedelta or str
        The step of the grid. Text is read by pandas: ``"5min"``, ``"h"``, ``"D"``, ``"MS"`` (starts of months), ``"B"``
        (business days).
    zone : str or tzinfo, default=None
        Time zone of the dates. Steps of ``"D"`` are days of its calendar, of 23 to 25 hours, and those of ``"24h"`` are
        not.

    Returns
    -------
    rows : int array of shape (n_rows,)
        Position of each row on the grids of all sequences, one after the other.
    grid : array of shape (n_grid_rows,)
        The times of the grids.

    Raises
    ------
    TypeError
        For a number where the times are dates, and for a duration where they are numbers.
    ValueError
        For a step that is not positive; for a time that is not a whole number of steps after the first one of its
        sequence; and for a grid with more than a thousand times as many rows.

    Examples
    --------
    >>> import numpy as np
    >>> on_grid(np.array([3, 4, 6, 10]), np.array([True, False, False, True]), freq=1)
    (array([0, 1, 3, 4]), array([ 3,  4,  5,  6, 10]))
    >>> months = np.array(["2026-01-01", "2026-03-01"], "M8[s]")
    >>> on_grid(months, np.array([True, False]), freq="MS")[1].astype("M8[D]")
    array(['2026-01-01', '2026-02-01', '2026-03-01'], dtype='datetime64[D]')
    """
    starts = np.flatnonzero(is_start)
    step: Any = text_of_offset(freq)
    freq = step
    if isinstance(freq, str):
        offset = calendar_offset(freq, zone)
        if offset is not None:
            return _on_calendar(times, starts, freq, offset, zone)
        step = parsed_step(freq, "freq")
    times = wide(times)
    step = checked_step(step, np.diff(times[:1]).dtype, "freq", freq)
    if not step > 0 * step:
        raise ValueError(f"Got freq={freq!r}, expected a positive step from one row to the next.")
    lengths = np.diff(starts, append=len(times))
    first_times = times[starts]
    steps = (times - np.repeat(first_times, lengths)) / step
    rows = np.rint(steps)
    # Seconds since 1970 have a rounding error of 1e-7 in float64, and a larger one in float32.
    rounding = 4 * np.spacing(np.abs(times).max()) / step if times.dtype.kind == "f" else 0
    misses = np.abs(steps - rows) > min(0.1, max(_LARGEST_MISS, rounding))
    misses[1:] |= ~is_start[1:] & (rows[1:] == rows[:-1])
    if misses.any():
        row = np.flatnonzero(misses)[0]
        raise ValueError(
            f"Got freq={freq!r} with the time {_local(times[row], zone)}, {steps[row]:.6g} steps from the first one of "
            f"its sequence, expected whole steps. {_line_for_miss(freq, step, zone)}"
        )
    grid_lengths = rows[np.append(starts[1:], len(times)) - 1] + 1
    _check_size(grid_lengths.sum(), len(times), freq)
    grid_lengths = grid_lengths.astype(np.intp)
    grid_starts = np.cumsum(grid_lengths) - grid_lengths
    grid_steps = np.arange(grid_lengths.sum()) - np.repeat(grid_starts, grid_lengths)
    grid = np.repeat(first_times, grid_lengths) + grid_steps * step
    return rows.astype(np.intp) + np.repeat(grid_starts, lengths), grid


def _line_for_miss(freq: Any, step: Any, zone: Any) -> str:
    if zone is not None and step % np.timedelta64(1, "D") == 0 * step:
        days = step // np.timedelta64(1, "D")
        return f"Days of a time zone have 23 to 25 hours where the clock changes: pass freq='{days}D'."
    are_dates = isinstance(step, np.timedelta64)
    rounded = f"frame[time].dt.round({freq!r})" if are_dates else f"(frame[time] / {freq}).round() * {freq}"
    return f"Round the times first, such as {rounded} in pandas, and keep one row for each time."


def _check_size(n_rows: Any, n_times: int, freq: Any) -> None:
    if n_rows > _MOST_ROWS_PER_ROW * n_times:
        raise ValueError(
            f"Got freq={freq!r}, which makes {n_rows:.3g} rows of {counted(n_times, 'row')}: nearly all would be "
            f"missing. Use a larger freq=, or cut sequences at long gaps with max_gap=."
        )


def _local(time: Any, zone: Any) -> Any:
    """Return a time as the user wrote it, for messages."""
    if zone is None:
        return time
    return import_extra("pandas", extra="frames").Timestamp(time, tz="UTC").tz_convert(zone)


def _on_calendar(
    times: np.ndarray, starts: np.ndarray, freq: str, offset: Any, zone: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Put rows on grids whose steps are not all equally long, see `on_grid`."""
    if times.dtype.kind != "M":
        raise TypeError(
            f"Got freq={freq!r} for times of dtype {times.dtype}, expected dates. Pass a number as the step between "
            f"numbers, and text such as '5min' for durations."
        )
    if offset.n <= 0:
        raise ValueError(f"Got freq={freq!r}, expected a positive step from one row to the next.")
    pandas = import_extra("pandas", extra="frames")
    clock = pandas.DatetimeIndex(times)
    if zone is not None:
        # Days and months are regular on the clock of the zone, not in UTC.
        clock = clock.tz_localize("UTC").tz_convert(zone).tz_localize(None)
        # A day may begin at one, because the clock skipped midnight. The next days begin at midnight.
        midnights = clock.normalize()
        clock = midnights.where(_utc_of_clock(midnights, zone) == times, clock)
    stops = np.append(starts[1:], len(times))
    grids = [
        pandas.date_range(clock[start], clock[stop - 1], freq=offset) for start, stop in zip(starts, stops, strict=True)
    ]
    grid = pandas.DatetimeIndex(np.concatenate(grids))
    if zone is not None:
        grid = _utc_of_clock(grid, zone)
    grid = grid.to_numpy().astype(times.dtype)
    _check_size(len(grid), len(times), freq)
    grid_stops = np.cumsum([len(each) for each in grids])
    rows = np.empty(len(times), np.intp)
    for start, stop, grid_start, grid_stop in zip(
        starts, stops, np.append(0, grid_stops[:-1]), grid_stops, strict=True
    ):
        own_times, own_grid = times[start:stop], grid[grid_start:grid_stop]
        misses = np.flatnonzero(~np.isin(own_times, own_grid))
        if len(misses):
            raise ValueError(
                f"Got freq={freq!r} with the time {_local(own_times[misses[0]], zone)}, expected only times that it "
                f"reaches from the first one of a sequence. Move the times there first, such as frame[time].dt."
                f"normalize().map(pandas.tseries.frequencies.to_offset({freq!r}).rollback) in pandas, and keep one row "
                f"for each time."
            )
        rows[start:stop] = grid_start + np.searchsorted(own_grid, own_times)
    return rows, grid


def _utc_of_clock(clock: Any, zone: Any) -> Any:
    """Return times on the clock of a zone as times in UTC: those that it skips later, those that come twice first."""
    is_first = np.ones(len(clock), bool)
    local = clock.tz_localize(zone, ambiguous=is_first, nonexistent="shift_forward")
    return local.tz_convert("UTC").tz_localize(None)
