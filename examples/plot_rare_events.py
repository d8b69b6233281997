"""
Which heartbeat is not like the others?
=======================================

An electrocardiogram of 21 seconds is regular but for one premature beat. A network that has learned to reconstruct the
regular beats fails at that one, and the error tells where it is.
"""

# %%
# From a recording to windows
# ---------------------------
# The event is one of timing: a beat comes early, and the next one late. So a window must hold more than one beat. We
# average five rows into one, 72 a second, and take windows of 75 rows, a little over a second.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from seqembed import LSTMAutoencoder, LSTMReconstructor, ReconstructionDetector, merge_windows, sliding_windows
from seqembed.datasets import load_mitdb

STEP, TIMESTEPS = 5, 75
recording = load_mitdb()
rows = recording.data.reshape(-1, STEP, 1).mean(axis=1)
event = recording.target.reshape(-1, STEP).max(axis=1)
training, _, _ = sliding_windows(rows[: recording.train_end // STEP], TIMESTEPS)
windows, starts, _ = sliding_windows(rows, TIMESTEPS)
print(f"{len(training)} windows to train on, {len(windows)} in all, each {windows.shape[1:]}")


def row_scores(scores: np.ndarray) -> np.ndarray:
    """Average the scores of all windows that cover a row."""
    return merge_windows(scores, starts, len(rows), timesteps=TIMESTEPS)


# %%
# Two networks and a threshold
# ----------------------------
# The detector's threshold comes from windows that its network had not seen: contiguous blocks of the training part,
# with as many windows left out between them as overlap. A small bottleneck leaves room for the regular rhythm and for
# little else, and a network that never saw a varied beat (``augment=False``) does not reconstruct one. Nobody reads the
# embedding here (``readout_weight=0``).
settings = {"n_components": 8, "hidden_units": (32,), "augment": False, "random_state": 0}
networks = {
    "LSTM autoencoder": LSTMAutoencoder(**settings, readout_weight=0),
    "regular LSTM network": LSTMReconstructor(**settings),
}
detectors = {}
for name, network in networks.items():
    detectors[name] = ReconstructionDetector(network, contamination=0.01, gap=TIMESTEPS - 1).fit(training)

# %%
# Beside them, two methods that look at the same windows as points of 75 dimensions.
flat_training, flat = training.reshape(len(training), -1), windows.reshape(len(windows), -1)
pca = PCA(settings["n_components"]).fit(flat_training)
residuals = flat - pca.inverse_transform(pca.transform(flat))
scores = {name: row_scores(detector.score_samples(windows)) for name, detector in detectors.items()}
scores["IsolationForest"] = row_scores(IsolationForest(random_state=0).fit(flat_training).score_samples(flat))
scores["PCA reconstruction error"] = row_scores(-np.square(residuals).mean(axis=1))

# %%
# The lowest score should lie in the event, or within a window of it. Precision and recall are those of flagging the
# lowest 5 % of the rows, about as many as the event has.
first, last = np.flatnonzero(event)[[0, -1]]
print(f"the event lies in rows {first} to {last} of {len(rows)}")
print(f"{'':26s}AUC by row  lowest score in row  within a window  precision  recall")
for name, score in scores.items():
    lowest, flagged = score.argmin(), score <= np.quantile(score, 0.05)
    near = "yes" if first - TIMESTEPS <= lowest <= last + TIMESTEPS else "no"
    print(
        f"{name:26s}{roc_auc_score(event, -score):10.3f}{lowest:21d}{near:>17s}"
        f"{precision_score(event, flagged):11.2f}{recall_score(event, flagged):8.2f}"
    )

# %%
# The ranking finds the event; a threshold that promises few false alarms does not. It comes from networks that had not
# seen a part of these fourteen seconds, and so few beats are too few: they reconstruct the rest worse than the final
# network reconstructs the event. With more normal data the two come together.
for name, detector in detectors.items():
    seen = np.quantile(detector.score_samples(training), 0.01)
    print(
        f"{name}: threshold from unseen windows {detector.offset_:.1f}, the same quantile of windows seen {seen:.1f}; "
        f"rows flagged {np.mean(scores[name] < detector.offset_):.0%}"
    )

# %%
# The score along the recording, and the beat that was not understood
# -------------------------------------------------------------------
name = "LSTM autoencoder"
detector, score = detectors[name], scores[name]
seconds = np.arange(len(rows)) * STEP / recording.sampling_rate
figure, panels = plt.subplots(3, 1, figsize=(11, 8), layout="constrained")
for panel in panels[:2]:
    panel.axvspan(seconds[first], seconds[last], color="tab:orange", alpha=0.3, label="labelled event")
    panel.axvline(recording.train_end / recording.sampling_rate, color="0.5", linestyle=":", label="end of training")
    panel.set_xlim(0, seconds[-1])
panels[0].plot(seconds, rows[:, 0], color="0.3", linewidth=0.8)
panels[0].set_ylabel("electrocardiogram")
panels[0].legend(loc="upper left", ncols=2)
panels[1].plot(seconds, score, color="tab:blue")
panels[1].axhline(np.quantile(score, 0.05), color="tab:red", linestyle="--", label="lowest 5 % of the rows")
panels[1].set(ylabel="score (low is rare)", xlabel="seconds")
panels[1].legend(loc="lower left", ncols=3)

worst = detector.score_samples(windows).argmin()
reconstruction = detector.estimator_.reconstruct(windows[[worst]])[0]
shown = seconds[starts[worst] : starts[worst] + TIMESTEPS]
panels[2].plot(shown, windows[worst, :, 0], color="0.6", linewidth=3, label="recorded")
panels[2].plot(shown, reconstruction[:, 0], color="tab:blue", label="reconstructed")
panels[2].set(xlabel="seconds", ylabel="the window of the lowest score", xlim=(shown[0], shown[-1]))
panels[2].legend()
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "rare_events.png", dpi=120)
print(f"figure written to {figures}/rare_events.png")
