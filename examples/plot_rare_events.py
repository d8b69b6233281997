"""
Which heartbeat is not like the others?
=======================================

An electrocardiogram of 21 seconds is regular except for one premature beat. Networks that have learned to reconstruct
regular beats fail at this one. The detector finds when it occurred, and flags little else.
"""

# %%
# From a recording to windows
# ---------------------------
# The event is a change of timing: one beat comes early, and the next one late. So a window must hold more than one
# beat. We average five rows into one, 72 a second, and take windows of 75 rows, a little over a second.
from datetime import timedelta
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from seqembed import EventStream, ReconstructionDetector, alarm_rate, detect_events, merge_windows, sliding_windows
from seqembed.datasets import load_mitdb
from seqembed.plotting import plot_events

STEP, TIMESTEPS = 5, 75
recording = load_mitdb()
rows = recording.data.reshape(-1, STEP, 1).mean(axis=1)
event = recording.target.reshape(-1, STEP).max(axis=1)
training, _, _ = sliding_windows(rows[: recording.train_end // STEP], TIMESTEPS)
windows, starts, _ = sliding_windows(rows, TIMESTEPS)
print(f"{len(training)} windows to train on, {len(windows)} in all, each {windows.shape[1:]}")

# %%
# Five networks and a threshold
# -----------------------------
# Each of five networks is fitted on four fifths of the training windows, without the windows that overlap with the
# remaining fifth. Its errors on the remaining fifth give the threshold.
detector = ReconstructionDetector(contamination=0.01, gap=TIMESTEPS - 1, random_state=0, verbose=1).fit(training)
events = detect_events(detector, rows, TIMESTEPS)

first, last = np.flatnonzero(event)[[0, -1]]
print(f"the labelled event lies in rows {first} to {last} of {len(rows)}")
for start, end, score in zip(events.table["start"], events.table["end"], events.table["score"], strict=True):
    print(f"found: rows {start} to {end}, score {score:.1f}, threshold {events.offset:.1f}")
flagged = np.zeros(len(rows), bool)
for start, end in zip(events.table["start"], events.table["end"], strict=True):
    flagged[start : end + 1] = True
inside, outside = flagged[event == 1].mean(), flagged[event == 0].mean()
print(f"rows in events: {inside:.0%} of the labelled ones, {outside:.1%} of the others")

# %%
# How many false alarms, and how rare the event is
# ------------------------------------------------
# `contamination` is a share of windows. At 72 windows a second, one percent of them is many a day. The severity says in
# how many windows of normal data a score comes once; beyond fifty times the training windows, only its order counts.
# So the table can be sorted and cut without another threshold.
rate = alarm_rate(detector, TIMESTEPS, every=timedelta(seconds=STEP / recording.sampling_rate))
print(f"on regular beats, {rate.windows_per_day:,.0f} flagged windows a day in {rate.events_per_day:,.0f} events")
for start, severity in zip(events.table["start"], events.table["severity"], strict=True):
    print(f"the event that begins in row {start}: once in {severity:,.0f} windows")

# %%
# While the recording grows
# -------------------------
# A stream gets half a second at a time. It scores each window once, and finds the same events as above.
stream = EventStream(detector, TIMESTEPS)
for begin in range(0, len(rows), 36):
    table = stream.update(rows[begin : begin + 36])
    for start, end, ended in zip(table["start"], table["end"], table["ended"], strict=True):
        print(f"after row {min(begin + 35, len(rows) - 1)}: rows {start} to {end}, {'ended' if ended else 'going on'}")

# %%
# Beside other methods
# --------------------
# They treat the same windows as points in 75 dimensions. All scores of windows are merged into scores of rows in the
# same way.
flat_training, flat = training.reshape(len(training), -1), windows.reshape(len(windows), -1)
pca = PCA(8).fit(flat_training)
residuals = flat - pca.inverse_transform(pca.transform(flat))
peers = {
    "IsolationForest": IsolationForest(random_state=0).fit(flat_training).score_samples(flat),
    "PCA reconstruction error": -np.square(residuals).mean(axis=1),
}
scores = {"seqembed": events.row_scores} | {
    name: merge_windows(each, starts, len(rows), "center", timesteps=TIMESTEPS) for name, each in peers.items()
}
print(f"{'':26s}AUC by row  lowest score in row  in the event")
for name, score in scores.items():
    lowest = score.argmin()
    place = "yes" if first <= lowest <= last else "no"
    print(f"{name:26s}{roc_auc_score(event, -score):10.3f}{lowest:21d}{place:>14s}")

# %%
# The score along the recording, and the beat that was not reconstructed
# ----------------------------------------------------------------------
# The threshold applies to windows. The score of a row joins the errors of windows and rows around it, so it can stay
# above the threshold.
seconds = np.arange(len(rows)) * STEP / recording.sampling_rate
figure, panels = plt.subplots(3, 1, figsize=(11, 8), layout="constrained", height_ratios=(1.3, 1, 1))
plot_events(events, rows, seconds, panels[:2])
panels[0].set_yticks([])
panels[0].set_ylabel("electrocardiogram")
for panel in panels[:2]:
    panel.axvspan(seconds[first], seconds[last], ymax=0.08, color="tab:red", label="labelled")
    panel.axvline(recording.train_end / recording.sampling_rate, color="0.5", linestyle=":", label="end of training")
    panel.set_xlim(0, seconds[-1])
panels[0].legend(loc="upper left", ncols=2)

worst = detector.score_samples(windows).argmin()
shown = seconds[starts[worst] : starts[worst] + TIMESTEPS]
panels[2].plot(shown, windows[worst, :, 0], color="0.6", linewidth=3, label="recorded")
for number, network in enumerate(detector.estimators_):
    label = "reconstructed by five networks" if number == 0 else None
    panels[2].plot(shown, network.reconstruct(windows[[worst]])[0, :, 0], color="tab:blue", linewidth=1, label=label)
panels[2].set(xlabel="seconds", ylabel="the rarest window", xlim=(shown[0], shown[-1]))
panels[2].legend()
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "rare_events.png", dpi=120)
print(f"figure written to {figures}/rare_events.png")
