"""
What happens inside an LSTM autoencoder, layer by layer?
========================================================

This follows C. Ranjan's post "Step-by-step understanding LSTM Autoencoder layers" (2019): its data, its two networks,
its figures.
"""

# %%
# The data
# --------
# Nine rows of two features: 0.1 to 0.9, and their cubes. Windows of three rows give five sequences; the post's function
# starts at row 2.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from seqembed import LSTMAutoencoder, LSTMReconstructor, temporalize

series = np.array([[k / 10, (k / 10) ** 3] for k in range(1, 10)])
X, _ = temporalize(series, np.zeros(len(series)), lookback=3)
print(f"X has shape {X.shape}; its first sequence is")
print(X[0].round(3))

# %%
# Two networks of the same layers
# -------------------------------
# The autoencoder squeezes a sequence into one vector and repeats it; in the regular network every layer returns all
# timesteps, so there is no vector in the middle. Both have the same number of parameters. A dense layer that is
# "time-distributed" is one and the same layer at every timestep: it has 258 parameters, however long the sequence.
settings = {
    "activation": "relu",
    "time_encoding": False,
    "scale": None,
    "augment": False,
    "epochs": 300,
    "batch_size": 5,
    "random_state": 0,
}
networks = {
    "autoencoder": LSTMAutoencoder(**settings, context_size=0, shortcut_size=0, readout_weight=0),
    "regular network": LSTMReconstructor(**settings),
}
figures = Path("figures")
figures.mkdir(exist_ok=True)
for name, network in networks.items():
    network.fit(X)
    flow = network.layer_flow()
    print(f"\n{name}: {flow.n_parameters:,} parameters")
    print(flow)
    flow.plot().figure.savefig(figures / f"understanding_{name.replace(' ', '_')}.png", dpi=120)

# %%
# Predictions next to actual values
# ---------------------------------
# After 300 epochs both give the sequences back about equally well.
figure, panels = plt.subplots(2, 5, figsize=(12, 5), sharex=True, sharey="row", layout="constrained")
for feature, title in enumerate(("0.1 to 0.9", "cubes")):
    for window, panel in enumerate(panels[feature]):
        panel.plot([1, 2, 3], X[window, :, feature], "o", color="0.6", markersize=9, label="actual")
        for (name, network), style in zip(networks.items(), ("-", "--"), strict=True):
            panel.plot([1, 2, 3], network.reconstruct(X)[window, :, feature], style, label=name)
        if feature == 0:
            panel.set_title(f"sequence {window + 1}")
    panels[feature, 0].set_ylabel(title)
panels[0, 0].set_xticks([1, 2, 3])
figure.supxlabel("timestep")
figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
figure.savefig(figures / "understanding_predictions.png", dpi=120)

for name, network in networks.items():
    largest = np.abs(network.reconstruct(X) - X).max()
    print(
        f"\n{name}: largest reconstruction error {largest:.4f}; predictions of the first sequence next to its values:"
    )
    print(np.hstack([network.reconstruct(X)[0], X[0]]).round(3))
print(f"figures written to {figures}/: understanding_*.png")
