"""
What kinds of faults are found, and what kinds are not?
=======================================================

Four sensors of a motor depend on one another: the current follows speed and load, the vibration follows the speed, the
temperature follows the current. We inject five kinds of faults and look at which of them a detector finds. It was
fitted on a recording without faults. We compare it with two other methods: IsolationForest on catch22's features of the
windows, and the error of a reconstruction from principal components. It needs ``pip install pycatch22``.
"""

# %%
# A recording without faults to learn from, another one with fifteen
# ------------------------------------------------------------------
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from benchmarks.simulated_motor import FAULTS, SENSORS, simulate, with_faults
from pycatch22 import catch22_all
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.preprocessing import StandardScaler

from seqembed import ReconstructionDetector, detect_events, merge_windows, sliding_windows
from seqembed.plotting import plot_events

TIMESTEPS, STRIDE = 40, 4
normal = simulate(4000, np.random.default_rng(0))
kinds = [kind for kind in FAULTS for _ in range(3)]
recording, is_fault, parts = with_faults(kinds, 5000, np.random.default_rng(1))
windows = sliding_windows(normal, TIMESTEPS, STRIDE).windows
print(f"{len(windows)} windows of {windows.shape[1:]} to train on; {is_fault.sum()} rows of {len(is_fault)} are faulty")

# %%
# The detector and its events
# ---------------------------
detector = ReconstructionDetector(gap=TIMESTEPS // STRIDE, random_state=0, verbose=1).fit(windows)
frame = pd.DataFrame(recording, columns=list(SENSORS))
events = detect_events(detector, frame, TIMESTEPS)
print(events.table.assign(features=[max(each, key=each.get) for each in events.table.features]).to_string())

# %%
# Two other methods
# -----------------
# They have no threshold of their own. We fit them on two thirds of the windows. The threshold is the .01 quantile of
# the scores of the rest.
n_fitted = 2 * len(windows) // 3
scaler = StandardScaler().fit(normal)


def flat(chosen):
    """Scale windows, and make a vector of each."""
    return scaler.transform(chosen.reshape(-1, len(SENSORS))).reshape(len(chosen), -1)


def features(chosen):
    """Compute 22 features of each sensor."""
    return [[value for sensor in window.T for value in catch22_all(sensor.tolist())["values"]] for window in chosen]


pca = PCA(32).fit(flat(windows[:n_fitted]))
forest = IsolationForest(random_state=0).fit(features(windows[:n_fitted]))
peers = {
    "PCA error": lambda chosen: -np.square(flat(chosen) - pca.inverse_transform(pca.transform(flat(chosen)))).mean(1),
    "IsolationForest": lambda chosen: forest.score_samples(features(chosen)),
}
flagged = {"seqembed": np.zeros(len(recording), bool)}
for start, end in zip(events.table.start, events.table.end, strict=True):
    flagged["seqembed"][start : end + 1] = True
all_windows, starts, _ = sliding_windows(recording, TIMESTEPS)
for name, score in peers.items():
    threshold = np.quantile(score(windows[n_fitted:]), 0.01)
    row_scores = merge_windows(score(all_windows), starts, len(recording), "center", timesteps=TIMESTEPS)
    flagged[name] = row_scores < threshold

# %%
# Found and not found
# -------------------
print(f"{'faults found of 3':18s}" + "".join(f"{kind:>15s}" for kind in FAULTS) + "   other rows flagged")
for name, rows in flagged.items():
    found = [sum(rows[part].any() for part, each in zip(parts, kinds, strict=True) if each == kind) for kind in FAULTS]
    print(f"{name:18s}" + "".join(f"{count:15d}" for count in found) + f"{rows[~is_fault].mean():21.1%}")

figure, panels = plt.subplots(2, sharex=True, figsize=(13, 7), height_ratios=(2, 1), layout="constrained")
plot_events(events, frame, axes=panels)
for part, kind in zip(parts, kinds, strict=True):
    panels[0].axvspan(part.start, part.stop, ymax=0.03, color="tab:red")
    panels[0].annotate(kind, (part.start, 1.01), xycoords=("data", "axes fraction"), rotation=40, fontsize=8)
panels[1].set_xlabel("row; red marks below the recording: faults that were injected; orange: events that were found")
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "injected_faults.png", dpi=120)
print(f"figure written to {figures}/injected_faults.png")
