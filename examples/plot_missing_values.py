"""
What happened while the sensor was silent?
==========================================

Sensors drop out. NaN marks a missing value: it is left out of the loss and read as its feature's mean, and
``reconstruct`` estimates it from the rest of the sequence. How good are the estimates?
"""

# %%
# Hide every fifth value
# ----------------------
# BasicMotions is complete, so we know what is hidden.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seqembed import LSTMAutoencoder
from seqembed.datasets import load_basic_motions

X = load_basic_motions().data
hidden = np.random.default_rng(0).random(X.shape) < 0.2
gappy = np.where(hidden, np.nan, X)

# %%
# Four ways to fill the gaps
# --------------------------
# The autoencoder is fitted on the recordings with gaps, the same ones that it completes. So it need not generalise to
# others: ``augment=False``. The other methods see only the same feature of the same recording.
autoencoder = LSTMAutoencoder(augment=False, random_state=0, verbose=1).fit(gappy)


def by_recording(fill):
    """Apply a method of data frames to each recording."""
    return np.stack([fill(pd.DataFrame(recording)).ffill().bfill() for recording in gappy])


estimates = {
    "mean of the feature": np.broadcast_to(autoencoder.feature_means_, X.shape),
    "last value": by_recording(lambda frame: frame),
    "linear interpolation": by_recording(lambda frame: frame.interpolate()),
    "reconstruct": autoencoder.reconstruct(gappy),
}
scale = X.std(axis=(0, 1))
errors = {name: np.sqrt(np.square((estimate - X) / scale)[hidden].mean()) for name, estimate in estimates.items()}
for name, error in errors.items():
    print(f"{name:22s} error of the hidden values: {error:.3f} standard deviations")

# %%
# One recording
# -------------
figure, panel = plt.subplots(figsize=(10, 3.5), layout="constrained")
recording = int(np.abs(X[:, :, 0]).std(axis=1).argmax())
panel.plot(X[recording, :, 0], color="0.7", linewidth=3, label="recorded")
gaps = np.flatnonzero(hidden[recording, :, 0])
for name, marker in (("linear interpolation", "x"), ("reconstruct", "o")):
    panel.plot(gaps, estimates[name][recording, gaps, 0], marker, fillstyle="none", label=f"{name}, hidden values")
panel.set(xlabel="timestep (10 a second)", ylabel="accelerometer, x axis")
panel.legend(fontsize="small")
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "missing_values.png", dpi=120)
print(f"figure written to {figures}/missing_values.png")
