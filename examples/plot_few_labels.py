"""
I have many sequences and a few labels
======================================

Labels cost time: somebody has to look at each sequence. An autoencoder learns from all sequences, labelled or not. With
``label_weight``, it also learns from the labels that there are. This example compares accuracies with 1, 5 and 50
labels of each class. How much labels help the embedding depends on the data. It is little where most of what varies
tells the classes apart already, as in digits. It is more where the classes are a small part of what varies:
``examples/benchmarks/bench_few_labels.py`` prints the table for sets of your choice.
"""

# %%
# The data
# --------
# Handwritten digits, read row by row: eight timesteps of eight features. Most of the training part has no label. As in
# scikit-learn, -1 marks a sequence without one.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqembed import LSTMAutoencoder, SequenceSummary

digits = load_digits()
X, X_test, y, y_test = train_test_split(
    digits.images, digits.target, train_size=700, random_state=0, stratify=digits.target
)
random = np.random.default_rng(0)


def with_few_labels(n_labels: int) -> np.ndarray:
    """Keep the labels of a few sequences of each class."""
    few = np.full(len(y), -1)
    for label in np.unique(y):
        few[random.choice(np.flatnonzero(y == label), n_labels, replace=False)] = label
    return few


# %%
# Three vectors that see no label
# -------------------------------
# Principal components of the pixels, the summary that the encoder reads as its context, and the embedding. Each is
# learned from all training sequences.
flat, flat_test = X.reshape(len(X), -1), X_test.reshape(len(X_test), -1)
pca, summary = PCA(32).fit(flat), SequenceSummary().fit(X)
unlabelled = LSTMAutoencoder(hidden_units=(64,), epochs=10, random_state=0).fit(X)
vectors = {
    "PCA": (pca.transform(flat), pca.transform(flat_test)),
    "context alone": (summary.transform(X), summary.transform(X_test)),
    "embedding": (unlabelled.transform(X), unlabelled.transform(X_test)),
}

# %%
# The embedding that sees the labels too
# --------------------------------------
# Of the labels, ``fit`` uses those that are not -1. The classifier is fitted on the same few labelled sequences.
numbers = [1, 5, 50]
accuracies = {name: [] for name in (*vectors, "embedding with label_weight")}
for n_labels in numbers:
    few = with_few_labels(n_labels)
    labelled = LSTMAutoencoder(label_weight=0.1, hidden_units=(64,), epochs=10, random_state=0).fit(X, few)
    compared = vectors | {"embedding with label_weight": (labelled.transform(X), labelled.transform(X_test))}
    known = few != -1
    for name, (train, test) in compared.items():
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(train[known], few[known])
        accuracies[name].append(classifier.score(test, y_test))

print(f"{'labels of each class':30s}" + "".join(f"{n_labels:7d}" for n_labels in numbers))
for name, values in accuracies.items():
    print(f"{name:30s}" + "".join(f"{value:7.3f}" for value in values))

# %%
# An honest estimate
# ------------------
# The embedding has seen the labels. A cross-validation of the classifier alone, on finished embeddings, would be too
# good: the labels of its test folds have already shaped them. If every sequence has a label, cross-validate the whole
# pipeline: ``cross_val_score(make_pipeline(autoencoder, classifier), X, y)``. With -1 in ``y``, the classifier of such
# a pipeline would read -1 as another class: the page on classifiers has a loop for this case. Here, neither the
# autoencoder nor the classifier has seen the test part.
figure, panel = plt.subplots(figsize=(7, 4.5), layout="constrained")
for name, values in accuracies.items():
    panel.plot(numbers, values, marker="o", label=name)
panel.set_xscale("log")
panel.set_xticks(numbers, numbers)
panel.set_xlabel("labels of each class")
panel.set_ylabel("accuracy on the test part")
panel.set_title("Accuracy of a linear classifier on four vectors")
panel.legend()

figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "few_labels.png", dpi=120)
