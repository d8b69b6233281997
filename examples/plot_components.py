"""
My model uses the embedding: what do its numbers mean?
======================================================

A component of an embedding has no name. Two questions give it one. Which values move it? And how does a sequence change
when it moves? An autoencoder answers both: its encoder has derivatives, and its decoder makes sequences.
"""

# %%
# Days of electricity
# -------------------
# Each sequence is the power that Italy used on one day, hour by hour. The days are of the warm half of the year, or of
# the cold one. The autoencoder does not know which half a day belongs to.
from pathlib import Path

import numpy as np

from seqembed import LSTMAutoencoder
from seqembed.datasets import load_basic_motions, load_italy_power
from seqembed.inspection import component_influence, traverse
from seqembed.plotting import plot_component

days = load_italy_power()
X, season = days.data[::3], days.target[::3]
autoencoder = LSTMAutoencoder(6, hidden_units=(24,), epochs=60, random_state=0).fit(X)
Z = autoencoder.transform(X)
print(f"R^2 of the reconstruction from {Z.shape[1]} numbers: {autoencoder.score(X):.2f}")

# %%
# The component that knows the season
# -----------------------------------
# We look for the component that differs most between the two halves of the year, and ask which hours move it. The
# influence of an hour is the root mean square, over the days, of the derivative of the component by the value of this
# hour.
correlations = [np.corrcoef(season, component)[0, 1] for component in Z.T]
chosen = int(np.argmax(np.abs(correlations)))
print(f"component {chosen}: correlation with the season {correlations[chosen]:.2f}")
influence = component_influence(autoencoder, X)
print(f"hours that move it most: {sorted(influence[chosen, :, 0].argsort()[-3:].tolist())}")
along = traverse(autoencoder, X, chosen)
change = np.abs(along.sequences[-1] - along.sequences[0])[:, 0]
print(f"hours that it changes most: {sorted(change.argsort()[-3:].tolist())}")

figures = Path("figures")
figures.mkdir(exist_ok=True)
panels = plot_component(autoencoder, X, chosen, influence=influence)
panels[0].set_xlabel("hour of the day")
panels[1].set_xlabel("hour of the day")
panels[0].figure.savefig(figures / "components_days.png", dpi=120)

# %%
# The two panels need not agree. The left one shows which values the encoder uses, the right one what the decoder
# writes. If the neighbours of an hour predict its value, the decoder can write it although the encoder does not use it.

# %%
# Several features
# ----------------
# Recordings of a smart watch have six features. The influence becomes a map, and the features lie one above the other
# in both panels. Which of the sensors does the first component read?
motions = load_basic_motions(split="train")
autoencoder = LSTMAutoencoder(16, hidden_units=(32,), epochs=60, random_state=0).fit(motions.data)
influence = component_influence(autoencoder, motions.data)
by_feature = np.sqrt(np.square(influence[0]).mean(axis=0))
for feature in by_feature.argsort()[::-1]:
    print(f"{motions.feature_names[feature]:16} {by_feature[feature] / by_feature.max():.2f} of the largest influence")
panels = plot_component(autoencoder, motions.data, 0, influence=influence, feature_names=motions.feature_names)
panels[0].figure.savefig(figures / "components_motions.png", dpi=120)
print(f"figures written to {figures}/: components_days.png, components_motions.png")
