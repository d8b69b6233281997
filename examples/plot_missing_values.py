"""
What happened while the sensor was silent?
==========================================

Sensors drop out. NaN marks a missing value: it is left out of the loss and read as its feature's mean, and
``reconstruct`` estimates it from the rest of the sequence. How good are the estimates?
"""

# %%
# Hide every fifth value
# ----------------------
# The sets are complete, so we know what is hidden. BasicMotions are recordings of an accelerometer, and
# ItalyPowerDemand are days of electricity demand.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seqembed import LSTMAutoencoder
from seqembed.datasets import load_basic_motions, load_italy_power

SETS = {"BasicMotions": load_basic_motions().data, "ItalyPowerDemand": load_italy_power().data[:400]}

# %%
# Four ways to fill the gaps
# --------------------------
# The autoencoder is fitted on the sequences with gaps, the same ones that it completes. In training, it reads each
# sequence without some more values, and has to return them: that is a part of ``augment``. The other methods see only
# the same feature of the same sequence.


def by_sequence(gappy, fill):
    """Apply a method of data frames to each sequence."""
    return np.stack([fill(pd.DataFrame(sequence)).ffill().bfill() for sequence in gappy])


def estimated(gappy):
    """Fill the gaps in four ways."""
    autoencoder = LSTMAutoencoder(random_state=0, verbose=1).fit(gappy)
    return {
        "mean of the feature": np.broadcast_to(autoencoder.feature_means_, gappy.shape),
        "last value": by_sequence(gappy, lambda frame: frame),
        "linear interpolation": by_sequence(gappy, lambda frame: frame.interpolate()),
        "reconstruct": autoencoder.reconstruct(gappy),
    }


hidden = {name: np.random.default_rng(0).random(X.shape) < 0.2 for name, X in SETS.items()}
estimates = {name: estimated(np.where(hidden[name], np.nan, X)) for name, X in SETS.items()}
print(f"{'error of the hidden values, in standard deviations':52s}" + "".join(f"{name:>18s}" for name in SETS))
for method in estimates["BasicMotions"]:
    errors = [
        np.sqrt(np.square((estimates[name][method] - X) / X.std(axis=(0, 1)))[hidden[name]].mean())
        for name, X in SETS.items()
    ]
    print(f"{method:52s}" + "".join(f"{error:18.3f}" for error in errors))

# %%
# Days have a shape that the network knows, and its estimates are better than a straight line. The accelerometer is
# noisy: neighbours say more about a value than what the network remembers of the recording.
#
# One sequence of each
# --------------------
figure, panels = plt.subplots(2, 1, figsize=(10, 6), layout="constrained")
shown = {"BasicMotions": int(np.abs(SETS["BasicMotions"][:, :, 0]).std(axis=1).argmax()), "ItalyPowerDemand": 4}
labels = {"BasicMotions": ("timestep (10 a second)", "acceleration, x axis"), "ItalyPowerDemand": ("hour", "demand")}
for panel, (name, row) in zip(panels, shown.items(), strict=True):
    panel.plot(SETS[name][row, :, 0], color="0.7", linewidth=3, label="recorded")
    gaps = np.flatnonzero(hidden[name][row, :, 0])
    for method, marker in (("linear interpolation", "x"), ("reconstruct", "o")):
        panel.plot(
            gaps, estimates[name][method][row, gaps, 0], marker, fillstyle="none", label=f"{method}, hidden values"
        )
    panel.set(title=name, xlabel=labels[name][0], ylabel=labels[name][1])
    panel.legend(fontsize="small")
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "missing_values.png", dpi=120)
print(f"figure written to {figures}/missing_values.png")
