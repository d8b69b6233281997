"""
How do I make new sequences like mine?
======================================

Thirty recordings of a speaker are few, or they are not yours to give away. An autoencoder turns vectors into sequences:
vectors drawn near those of real sequences become new ones. Are they good enough to learn from, and are they new?
"""

# %%
# The data, and their vectors
# ---------------------------
# JapaneseVowels: nine men say a vowel, 30 times each, in 7 to 26 timesteps. A mixture has to be estimated from the 30
# vectors of a speaker, so the vectors have 32 numbers instead of 64.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqembed import LSTMAutoencoder, SequenceSummary
from seqembed.datasets import load_japanese_vowels

train, test = load_japanese_vowels(split="train"), load_japanese_vowels(split="test")
lengths = np.array([len(sequence) for sequence in train.data])
autoencoder = LSTMAutoencoder(32, hidden_units=(64,), epochs=60, random_state=0, verbose=1).fit(train.data)
Z = autoencoder.transform(train.data).astype(np.float64)

# %%
# A mixture for each speaker
# --------------------------
# The length belongs to a sequence as its vector does, so its logarithm is one more number to draw. (A regression of the
# length on the vector works as well, but the lengths then vary less than real ones.) Thirty vectors can't tell a full
# covariance of 33 numbers, which has 561 entries, so it is diagonal. Diagonal in the principal components instead of
# the embedding's own numbers is worse: the classifier below then knows fewer speakers. The Bayesian information
# criterion (BIC) chooses the number of Gaussians. A hundredth of the mean variance is added to each variance, so that
# none shrinks to a point on one sequence: that would make copies.


# One generator for all, or every speaker would get the same random numbers.
random = np.random.RandomState(0)


def fitted_mixture(vectors):
    """Fit mixtures of one to three Gaussians and return the best by BIC."""
    floor = 0.01 * vectors.var(axis=0).mean()
    mixtures = [
        GaussianMixture(n, covariance_type="diag", reg_covar=floor, random_state=random).fit(vectors) for n in (1, 2, 3)
    ]
    return min(mixtures, key=lambda mixture: mixture.bic(vectors))


described = np.column_stack([Z, np.log(lengths)])
speakers = np.unique(train.target)
mixtures = [fitted_mixture(described[train.target == speaker]) for speaker in speakers]
print(f"Gaussians for each speaker: {[mixture.n_components for mixture in mixtures]}")

# %%
# Draw, and decode
# ----------------
# The numbers of an embedding lie between -1 and 1. Few that are drawn lie outside, and are clipped. A mixture of
# ``arctanh(Z)`` would need no clipping, but numbers near 1 become large ones there, and what it draws is less like the
# speakers.


def made(n):
    """Draw n sequences of each speaker."""
    drawn = np.concatenate([mixture.sample(n)[0] for mixture in mixtures])
    vectors, log_lengths = drawn[:, :-1], drawn[:, -1]
    print(f"{len(drawn)} drawn, {(abs(vectors) > 1).mean():.1%} of the numbers outside of (-1, 1)")
    new_lengths = np.clip(np.exp(log_lengths).round(), lengths.min(), lengths.max()).astype(int)
    return autoencoder.inverse_transform(vectors.clip(-1, 1), new_lengths), np.repeat(speakers, n)


new, new_target = made(30)
many, many_target = made(300)
for name, counts in (("real", lengths), ("made", [len(sequence) for sequence in new])):
    print(f"lengths of {name} sequences: {np.mean(counts):.1f} timesteps, standard deviation {np.std(counts):.1f}")

# %%
# Can a classifier learn from them?
# ---------------------------------
# It never sees a vector of the autoencoder: `SequenceSummary` describes sequences by statistics. It is tested on
# real sequences of the test set.
reconstructed = autoencoder.inverse_transform(Z, lengths)
for name, sequences, target in (
    ("real sequences", train.data, train.target),
    ("their reconstructions", reconstructed, train.target),
    ("made sequences", new, new_target),
    ("ten times as many made sequences", many, many_target),
    ("real and made sequences", [*train.data, *new], [*train.target, *new_target]),
):
    classifier = make_pipeline(SequenceSummary(), StandardScaler(), LogisticRegression(max_iter=2000))
    accuracy = classifier.fit(sequences, target).score(test.data, test.target)
    print(f"accuracy on real test sequences, trained on {name:34s}{accuracy:.3f}")

# %%
# Made sequences can stand in for real ones that you can't have. A part of what they lack, the reconstructions lack too:
# the decoder makes smooth sequences. Beside the real ones they don't help: they were made from the same 270.
#
# Are they copies?
# ----------------
# The distance from each to the nearest real training sequence, all stretched to 20 timesteps. A copy would be about as
# near as a reconstruction is to its original. Sequences that are as new as those of the test set are as far.


def stretched(sequences):
    """Interpolate each feature at 20 points from the start to the end, and flatten."""
    points = np.linspace(0, 1, 20)
    return np.array(
        [np.ravel([np.interp(points, np.linspace(0, 1, len(x)), feature) for feature in x.T]) for x in sequences]
    )


index = NearestNeighbors(n_neighbors=1).fit(stretched(train.data))
parts = {"reconstructions of training sequences": reconstructed, "real test sequences": test.data, "made": new}
nearest = {name: index.kneighbors(stretched(part))[0][:, 0] for name, part in parts.items()}
print(f"{'distance to the nearest training sequence':44s}{'5 %':>8s}{'median':>8s}")
for name, distances in nearest.items():
    print(f"{name:44s}" + "".join(f"{value:8.2f}" for value in np.percentile(distances, (5, 50))))

# %%
# Real ones and new ones
# ----------------------
figure, panels = plt.subplots(2, 4, figsize=(12, 6), layout="constrained", sharex="col", sharey="col")
for row, (name, sequences, target) in enumerate(
    (("real", train.data, train.target), ("made", new, new_target)),
):
    for panel, speaker in zip(panels[row, :3], (0, 1, 2), strict=True):
        for position in np.flatnonzero(target == speaker)[:6]:
            for feature, color in ((0, "tab:blue"), (1, "tab:orange")):
                panel.plot(sequences[position][:, feature], color=color, alpha=0.6, linewidth=1)
        panel.set_title(f"speaker {train.target_names[speaker]}, {name}")
for panel in panels[1, :3]:
    panel.set_xlabel("timestep")
for panel in panels[:, 0]:
    panel.set_ylabel("value")
panels[0, 0].plot([], [], color="tab:blue", label=train.feature_names[0])
panels[0, 0].plot([], [], color="tab:orange", label=train.feature_names[1])
panels[0, 0].legend(fontsize="small")
for panel in panels[:, 3]:
    panel.remove()
panel = figure.add_subplot(panels[0, 3].get_gridspec()[:, 3])
bins = np.linspace(0, max(map(np.max, nearest.values())), 25)
for name, distances in nearest.items():
    panel.hist(distances, bins, density=True, histtype="step", label=name)
panel.set(xlabel="distance to the nearest\ntraining sequence", yticks=[], ylabel="share", title="Are they copies?")
panel.legend(fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.16))
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "new_sequences.png", dpi=120)
print(f"figure written to {figures}/new_sequences.png")
