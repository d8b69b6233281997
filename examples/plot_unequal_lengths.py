"""
How do I embed sequences of different lengths?
==============================================

Nine men say the same vowel, some faster than others: 7 to 29 timesteps of 12 features. If we pad them to one length and
flatten them, the padding becomes part of the features. An LSTM reads each sequence up to its own end.
"""

# %%
# The data
# --------
# JapaneseVowels comes with the package, as a list of arrays. Nothing has to be padded.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqembed import LSTMAutoencoder
from seqembed.datasets import load_japanese_vowels

train, test = load_japanese_vowels(split="train"), load_japanese_vowels(split="test")
lengths = [len(sequence) for sequence in test.data]
print(f"{len(train.data)} sequences to train on, {len(test.data)} to test, {min(lengths)} to {max(lengths)} timesteps")

# %%
# Who is speaking?
# ----------------
# Thirty examples of each speaker are few. By default, `fit` augments them anew in each epoch, here by mixing them in
# pairs, so that the network learns what they have in common. With ``augment=False``, it memorises them.
for augment in (False, True):
    autoencoder = LSTMAutoencoder(augment=augment, random_state=0, verbose=1).fit(train.data)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    classifier.fit(autoencoder.transform(train.data), train.target)
    embedding = autoencoder.transform(test.data)
    print(
        f"augment={augment}: test accuracy on the embedding {classifier.score(embedding, test.target):.3f}, R^2 of the "
        f"reconstruction {autoencoder.score(train.data):.2f} train, {autoencoder.score(test.data):.2f} test"
    )

# %%
# And back
# --------
# An embedding does not contain the length of its sequence, so we pass the lengths too.
reconstructions = autoencoder.inverse_transform(embedding, lengths)
figure, panels = plt.subplots(1, 3, figsize=(11, 3.4), sharey=True, layout="constrained")
for panel, position in zip(panels, np.argsort(lengths)[[0, len(lengths) // 2, -1]], strict=True):
    for feature, color in enumerate(("tab:blue", "tab:orange", "tab:green")):
        panel.plot(test.data[position][:, feature], color=color, alpha=0.4, linewidth=4)
        panel.plot(reconstructions[position][:, feature], color=color, label=train.feature_names[feature])
    panel.set(title=f"{lengths[position]} timesteps", xlabel="timestep")
panels[0].set_ylabel("pale: recorded, thin: reconstructed")
figure.legend(*panels[-1].get_legend_handles_labels(), loc="outside upper right", ncols=3)
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "unequal_lengths.png", dpi=120)
print(f"figure written to {figures}/unequal_lengths.png")
