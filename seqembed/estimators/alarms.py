"""How many alarms a detector raises on normal data."""

from __future__ import annotations

from datetime import timedelta
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from seqembed.estimators.detector import ReconstructionDetector, offset_of_share
from seqembed.estimators.detector_input import check_detector, check_timesteps
from seqembed.estimators.severity import normal_windows
from seqembed.sequences.steps import TimeStep, checked_step, equal_step
from seqembed.sequences.windows import check_count
from seqembed.sequences.wording import counted
from seqembed.user_warning import warn_user

_DAY = np.timedelta64(1, "D")
# With fewer flagged windows, the size of events is that of this number of the lowest ones.
_FEWEST_FLAGGED = 10
# A gap may be a little too small or too large, but hardly by a factor of two.
_LARGEST_RATIO_OF_GAPS = 2


class AlarmRate(NamedTuple):
    """Alarms to expect on normal data of one recording.

    Parameters
    ----------
    windows_per_day : float
        Flagged windows.
    events_per_day : float
        Events, each of which is one or several flagged windows.

    Examples
    --------
    >>> six_machines = 6 * AlarmRate(windows_per_day=14.4, events_per_day=0.5).events_per_day
    >>> six_machines
    3.0
    """

    windows_per_day: float
    events_per_day: float


def alarm_rate(
    detector: ReconstructionDetector,
    timesteps: int,
    stride: int = 1,
    *,
    every: TimeStep | str,
    training_stride: int | None = None,
) -> AlarmRate:
    """Estimate how many false alarms a day `detect_events` raises on normal data of one recording.

    For six machines that run all day, multiply by six.

    `contamination` is a share of windows. Flagged windows that touch or overlap are one event. How many windows an
    event has is counted among the held-out scores, whose order is that of the training windows.

    Parameters
    ----------
    detector : ReconstructionDetector
        Fitted on windows of a recording, in their order. Its present `contamination` counts, or its `offset_` after a
        fit with labels.
    timesteps : int
        Rows of a window.
    stride : int, default=1
        Rows from the start of one window to the start of the next, as you pass it to `detect_events`.
    every : timedelta or str
        Time from one row to the next, such as ``"1min"``.
    training_stride : int, default=None
        Rows from the start of one training window to the start of the next, which the detector does not know. By
        default `stride`: with training windows that were 13 rows apart and ``stride=1``, the events would be about 13
        times too many.

    Returns
    -------
    rate : AlarmRate
        ``(windows_per_day, events_per_day)``.

    Raises
    ------
    ValueError
        For steps that are not positive or not equally long, such as months, if `timesteps`, `stride` or
        `training_stride` is smaller than 1, and for other `timesteps` than those of the fitted windows.
    TypeError
        For a number as the step, and if `timesteps`, `stride` or `training_stride` is not an integer.

    Warns
    -----
    UserWarning
        Without `training_stride`, if the `gap` of the detector is that of training windows that are farther apart.

    Notes
    -----
    An event counts as at least `training_stride` flagged windows of a stride of 1, since training windows show no
    shorter one. Where events are shorter, there may be several times as many as `events_per_day`, but never more than
    `windows_per_day`.

    With few held-out windows, it is a rough estimate: three flagged ones of 300 may be one event or three. Below
    1 / (n + 1), for n held-out windows, the threshold itself is an estimate, see `ReconstructionDetector`.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed import LSTMAutoencoder, ReconstructionDetector, alarm_rate, sliding_windows
    >>> recording = np.sin(np.arange(600) / 3).reshape(300, 2) + np.random.default_rng(0).normal(0, 0.1, (300, 2))
    >>> windows = sliding_windows(recording, timesteps=10).windows
    >>> autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=3, random_state=0)
    >>> detector = ReconstructionDetector(autoencoder, gap=9, contamination=0.01).fit(windows)
    >>> rate = alarm_rate(detector, timesteps=10, every="1min")
    >>> print(f"{rate.windows_per_day:.1f} flagged windows a day in {rate.events_per_day:.1f} events")
    14.4 flagged windows a day in 5.8 events

    At most two alarms a day:

    >>> share = detector.contamination * 2 / rate.events_per_day
    >>> rate = alarm_rate(detector.set_params(contamination=share), timesteps=10, every="1min")
    >>> print(f"contamination={share:.4f}: {rate.events_per_day:.1f} events a day")
    contamination=0.0035: 2.0 events a day
    """
    check_detector(detector)
    is_given = training_stride is not None
    training_stride = stride if training_stride is None else training_stride
    strides = {"timesteps": timesteps, "stride": stride, "training_stride": training_stride}
    for name, value in strides.items():
        check_count(name, value, least=1)
    check_timesteps(detector, timesteps)
    # Windows that are one row apart share rows with more neighbours than `gap` leaves out.
    if not is_given and (timesteps - 1) // training_stride > _LARGEST_RATIO_OF_GAPS * detector.gap > 0:
        warn_user(
            f"Got no training_stride=, so that training windows count as {counted(training_stride, 'row')} apart, but "
            f"gap={detector.gap} of the detector is that of windows that are about "
            f"{(timesteps - 1) // detector.gap} rows apart. Pass training_stride=: without it, events_per_day is too "
            f"large by the ratio of both."
        )
    rows_per_day = _DAY / _checked_step(every)
    share = _flagged_share(detector)
    windows = share * rows_per_day / stride
    events = share * rows_per_day / training_stride / _windows_per_event(detector, timesteps, training_stride)
    # With a longer stride than in training, an event has fewer windows, but at least one.
    return AlarmRate(float(windows), float(min(windows, events)))


def _checked_step(every: Any) -> np.timedelta64:
    step = equal_step(every, "every")
    if not isinstance(step, (timedelta, np.timedelta64)):
        example = f"{every}s" if isinstance(every, Real) else "1min"
        raise TypeError(
            f"Got every={every!r}, expected the time from one row to the next as a duration. Pass text with its unit, "
            f"such as every='{example}'."
        )
    step = np.timedelta64(checked_step(step, np.dtype("m8[ns]"), "every", every))
    if not step > np.timedelta64(0, "ns"):
        raise ValueError(f"Got every={every!r}, expected a positive step from one row to the next, such as '1min'.")
    return step


def _flagged_share(detector: ReconstructionDetector) -> float:
    """Return the share of normal windows below the threshold."""
    offset, share = detector.offset_, detector.contamination
    if share > 0 and offset == offset_of_share(detector):
        return share
    return float(1 / normal_windows(detector, [offset])[0])


def _windows_per_event(detector: ReconstructionDetector, timesteps: int, stride: int) -> float:
    """Count the flagged windows among the training windows, and the events that they make."""
    scores = detector.heldout_scores_
    n_flagged = min(len(scores), max(_FEWEST_FLAGGED, int((scores < detector.offset_).sum())))
    flagged = np.flatnonzero(scores <= np.sort(scores)[n_flagged - 1])
    n_events = 1 + int((np.diff(flagged) * stride > timesteps).sum())
    return len(flagged) / n_events
