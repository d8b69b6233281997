"""
How many numbers does each tool need, and what are they worth?
==============================================================

An autoencoder, a summary, principal components and catch22 all turn a sequence into numbers. They differ in how many
numbers they need, in how well a classifier reads them, and in whether they can be decoded. We measure all of it on
two sets, and draw accuracy against the length of the vector and against R^2.
"""

# %%
# Two sets
# --------
# Recordings of a watch, which start anywhere in a movement, and digits that are read row by row, which keep time.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from pycatch22 import catch22_all
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqembed import LSTMAutoencoder, SequenceSummary
from seqembed.datasets import load_basic_motions

train, test, digits = load_basic_motions(split="train"), load_basic_motions(split="test"), load_digits()
sets = {
    "BasicMotions": (train.data, test.data, train.target, test.target),
    "digits": train_test_split(digits.images, digits.target, train_size=400, random_state=0, stratify=digits.target),
}
for name, (X_train, X_test, _, _) in sets.items():
    print(f"{name}: {len(X_train)} sequences to train on, {len(X_test)} to test, each {X_train.shape[1:]}")


# %%
# Four tools
# ----------
# All but catch22 have a length that we choose. catch22 has 24 numbers for each feature. Each function returns vectors
# of the training and the test sequences, and R^2 of the test sequences, or NaN if the vectors can't be decoded. PCA and
# the summary have fewer components than there are sequences, and PCA fewer than a sequence has values: their last point
# may lie below 64.
SIZES = [4, 16, 64]


def scaled(X_train, X_test):
    """Standardise each feature, as the autoencoder does, and flatten the sequences."""
    means, scales = X_train.mean(axis=(0, 1)), X_train.std(axis=(0, 1))
    return [((X - means) / scales).reshape(len(X), -1) for X in (X_train, X_test)]


def embed(X_train, X_test, size):
    """Fit an autoencoder with its defaults."""
    autoencoder = LSTMAutoencoder(size, random_state=0).fit(X_train)
    return autoencoder.transform(X_train), autoencoder.transform(X_test), autoencoder.score(X_test)


def summarise(X_train, X_test, size):
    """Compute statistics and shares of convolutions, and principal components of them."""
    summary = SequenceSummary(min(size, len(X_train) - 1)).fit(X_train)
    return summary.transform(X_train), summary.transform(X_test), np.nan


def project(X_train, X_test, size):
    """Compute principal components of the flattened sequences."""
    flat_train, flat_test = scaled(X_train, X_test)
    pca = PCA(min(size, *(length - 1 for length in flat_train.shape))).fit(flat_train)
    vectors = pca.transform(flat_test)
    errors = flat_test - pca.inverse_transform(vectors)
    return pca.transform(flat_train), vectors, 1 - np.square(errors).sum() / np.square(flat_test).sum()


def describe(X_train, X_test, _):
    """Compute catch22, with mean and deviation, of each feature."""
    columns = [np.nan_to_num([describe_one(sequence) for sequence in X]) for X in (X_train, X_test)]
    return *columns, np.nan


def describe_one(sequence):
    """Return 24 numbers for each feature of a sequence."""
    features = sequence.reshape(len(sequence), -1).T
    return [value for feature in features for value in catch22_all(feature.tolist(), catch24=True)["values"]]


# %%
# The measures
# ------------
# A logistic regression learns from the vectors of the training sequences. Its accuracy is that on the test sequences.
tools = {"autoencoder": embed, "summary": summarise, "PCA": project, "catch22": describe}
points = {}
for tool, function in tools.items():
    for size in SIZES if tool != "catch22" else [24]:
        measured = []
        for X_train, X_test, y_train, y_test in sets.values():
            Z_train, Z_test, r2 = function(X_train, X_test, size)
            classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)).fit(Z_train, y_train)
            measured.append((Z_train.shape[1], r2, classifier.score(Z_test, y_test)))
        points.setdefault(tool, []).append(np.array(measured))
print("\n" + f"{'numbers, R^2, accuracy':24s}" + "".join(f"{name:>24s}" for name in sets) + f"{'mean':>18s}")
for tool, by_size in points.items():
    for measured in by_size:
        cells = "".join(f"{width:10.0f}{r2:7.2f}{accuracy:7.2f}" for width, r2, accuracy in measured)
        row = f"{tool:24s}{cells}{measured[:, 1].mean():11.2f}{measured[:, 2].mean():7.2f}"
        print(row.replace("nan", "  -"))

# %%
# Accuracy against length, and against R^2
# ----------------------------------------
# Each point is a mean over the two sets. On the left, higher and further left is better: few numbers from which a
# classifier reads the kind of a sequence. On the right, only what can be decoded has a point: higher and further
# right is better.
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure, (by_length, by_r2) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", sharey=True)
for (tool, by_size), style in zip(points.items(), ("o-", "^:", "s--", "D"), strict=True):
    widths, r2s, accuracies = np.mean(by_size, axis=1).T
    (line,) = by_length.plot(widths, accuracies, style, label=tool)
    if not np.isnan(r2s).any():
        by_r2.plot(r2s, accuracies, style, color=line.get_color(), label=tool)
        for width, r2, accuracy in zip(widths, r2s, accuracies, strict=True):
            by_r2.annotate(f"{width:.0f}", (r2, accuracy), xytext=(5, -11), textcoords="offset points", fontsize=8)
by_length.set_xscale("log", base=2)
ticks = [4, 8, 16, 32, 64, 128]
by_length.set_xticks(ticks, [str(tick) for tick in ticks])
by_length.set(xlabel="numbers of a vector, mean over the sets", ylabel="accuracy of a linear classifier, test")
by_length.set_title("Few numbers that a classifier reads")
by_r2.set(xlabel="R^2 of the reconstruction, test (number: length)", title="... and that can be decoded")
by_length.legend()
for panel in (by_length, by_r2):
    panel.grid(alpha=0.3)
figure.savefig(figures / "which_tool.png", dpi=120)
print(f"figure written to {figures}/: which_tool.png")

# %%
# What to take from it
# --------------------
# If vectors are only read by a classifier, the summary needs no training. If they are decoded as well, compare the
# autoencoder with PCA at the length that you can afford: where sequences keep time, PCA may be ahead in R^2. Two sets
# and one seed decide little: measure on your own.
