"""
How many components does my data need, and which other settings matter?
=======================================================================

An embedding of four numbers is small, and loses much. One of 64 keeps more, and may hold more than a classifier needs.
No setting is best for every set, so we measure: one setting at a time, on sequences that no fit has seen, and beside
principal components of the same number, which need no training.
"""

# %%
# The data
# --------
# BasicMotions comes with the package. We fit on one half of its recordings and measure on the other. If you choose a
# setting by these figures, you have used the other half too: report the accuracy on a third part.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqembed import LSTMAutoencoder
from seqembed.datasets import load_basic_motions

X_fit, y_fit = load_basic_motions(split="train", return_X_y=True)
X_held_out, y_held_out = load_basic_motions(split="test", return_X_y=True)
print(f"{len(X_fit)} recordings to fit on, {len(X_held_out)} held out, each {X_fit.shape[1:]}")


# %%
# Two measures
# ------------
# R^2 says which share of the variation can be decoded from the vectors. The accuracy of a linear classifier says how
# easily the vectors tell kinds of sequences apart. The two need not agree. The networks here are smaller, and the fits
# shorter, than the defaults, so that the example is quick: look at the form of the curves, not at their heights.
def accuracy(Z_fit, Z_held_out):
    """Fit a linear classifier on vectors, and measure it on others."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return classifier.fit(Z_fit, y_fit).score(Z_held_out, y_held_out)


def measure(**settings):
    """Fit an autoencoder with some settings, and return its R^2 and the accuracy on its embeddings."""
    base = {"n_components": 16, "hidden_units": (32,), "epochs": 100, "random_state": 0}
    autoencoder = LSTMAutoencoder(**base | settings).fit(X_fit)
    return autoencoder.score(X_held_out), accuracy(autoencoder.transform(X_fit), autoencoder.transform(X_held_out))


def measure_pca(n_components):
    """Do the same with principal components of the recordings, scaled as the autoencoder scales them."""
    scaled = [((X - X_fit.mean(axis=(0, 1))) / X_fit.std(axis=(0, 1))).reshape(len(X), -1) for X in (X_fit, X_held_out)]
    pca = PCA(n_components).fit(scaled[0])
    Z_fit, Z_held_out = (pca.transform(flat) for flat in scaled)
    errors = scaled[1] - pca.inverse_transform(Z_held_out)
    return 1 - np.square(errors).sum() / np.square(scaled[1]).sum(), accuracy(Z_fit, Z_held_out)


# %%
# n_components
# ------------
# PCA has at most as many components as there are recordings, less one: its last point is at that number.
sizes = [4, 8, 16, 64]
pca_sizes = [min(size, len(X_fit) - 1) for size in sizes]
by_size = [measure(n_components=size) for size in sizes]
pca_by_size = [measure_pca(size) for size in pca_sizes]
for size, pca_size, ours, principal in zip(sizes, pca_sizes, by_size, pca_by_size, strict=True):
    print(
        f"n_components={size:2}: R^2 {ours[0]:.2f}, accuracy {ours[1]:.2f}; "
        f"PCA-{pca_size}: R^2 {principal[0]:.2f}, accuracy {principal[1]:.2f}"
    )

# %%
# Take the smallest size beyond which the measure that you need stays about the same. If PCA's R^2 is higher at that
# size, and you need the reconstruction alone, PCA is the better tool.
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure, panels = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for panel, column, name in zip(panels, (0, 1), ("R^2 of the reconstruction", "accuracy, linear"), strict=True):
    panel.plot(sizes, [point[column] for point in by_size], "o-", label="LSTMAutoencoder")
    panel.plot(pca_sizes, [point[column] for point in pca_by_size], "s--", label="PCA")
    panel.set_xscale("log", base=2)
    panel.set_xticks(sizes, [str(size) for size in sizes])
    panel.set(xlabel="n_components", ylabel=name, title=f"{name}, held out")
    panel.grid(alpha=0.3)
panels[0].legend()
figure.savefig(figures / "n_components.png", dpi=120)

# %%
# The other settings, one at a time
# ---------------------------------
# All else stays at 16 components and 100 epochs. `patch_size` is the number of timesteps that the network reads at
# once: "auto" is 10 for 100 timesteps. `context_size` is 8 of 16 by default, and 0 is the LSTM layers without a
# context. `epochs` is the number of passes over the recordings.
base = by_size[sizes.index(16)]
knobs = {"patch_size": [5, 10, 50], "context_size": [0, 4, 8], "epochs": [20, 100, 300]}
is_base = {"patch_size": 10, "context_size": 8, "epochs": 100}
points = {
    knob: [base if value == is_base[knob] else measure(**{knob: value}) for value in values]
    for knob, values in knobs.items()
}
figure, panels = plt.subplots(1, 3, figsize=(11, 4), layout="constrained", sharey=True)
for panel, (knob, values) in zip(panels, knobs.items(), strict=True):
    for column, (name, style) in enumerate([("R^2", "o-"), ("accuracy, linear", "^:")]):
        panel.plot(range(len(values)), [point[column] for point in points[knob]], style, label=name)
    panel.set_xticks(range(len(values)), [str(value) for value in values])
    panel.set(xlabel=knob, title=f"only {knob} changes")
    panel.grid(alpha=0.3)
    for value, (r2, share) in zip(values, points[knob], strict=True):
        print(f"{knob}={value}: R^2 {r2:.2f}, accuracy {share:.2f}")
panels[0].set_ylabel("held-out recordings")
panels[0].legend()
figure.savefig(figures / "n_components_others.png", dpi=120)

# %%
# A flat curve means that the default is good enough here. Differences of one or two recordings in 40 are chance: a
# second `random_state` shows how much a curve moves by itself.
print(f"figures written to {figures}/: n_components.png, n_components_others.png")
