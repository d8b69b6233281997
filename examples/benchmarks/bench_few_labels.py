"""How much do a few labels help the embedding?

For each labelled set and each number of labels a class, the mean test accuracy over seeds of StandardScaler +
LogisticRegression, which see the labelled sequences alone, on vectors that were learned from all training sequences:

- PCA: 64 principal components of the padded sequences;
- context: 32 numbers of seqembed.SequenceSummary;
- unlabelled: the embedding of LSTMAutoencoder, which saw no label;
- label_weight=W: the embedding of LSTMAutoencoder(label_weight=W), which saw the same few labels.

Each seed draws other labelled sequences. A class with fewer sequences has all of them labelled.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from alternation import describe_machine
from labelled_sets import LabelledSet, load_labelled_set, load_labelled_sets, scaled_and_padded
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqembed import LSTMAutoencoder, SequenceSummary


def main() -> None:
    """Read the command line and print a table a set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(load_labelled_sets()), help="names, or paths of NAME.npz")
    parser.add_argument("--labels", type=int, nargs="+", default=[1, 5, 10, 50], help="labelled sequences of a class")
    parser.add_argument("--weights", type=float, nargs="+", default=[0.1], help="label_weight=")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "numpy", "scikit-learn")))
    titles = ["PCA", "context", "unlabelled", *(f"label_weight={weight:g}" for weight in arguments.weights)]
    tables = []
    for name in arguments.sets:
        data = load_labelled_set(name)
        n_classes = len(np.unique(data.train_labels))
        print(f"{Path(name).stem}: {len(data.train)} sequences to train on, {n_classes} classes")
        print(f"  {'labels a class':16s}" + "".join(f"{title:>18s}" for title in titles))
        tables.append(measure(data, arguments.labels, arguments.weights, arguments.seeds))
        for n_labels, row in zip(arguments.labels, tables[-1], strict=True):
            print(f"  {n_labels:<16d}" + "".join(f"{accuracy:18.3f}" for accuracy in row), flush=True)
    if len(tables) > 1:
        print(f"mean of {len(tables)} sets")
        for n_labels, row in zip(arguments.labels, np.mean(tables, axis=0), strict=True):
            print(f"  {n_labels:<16d}" + "".join(f"{accuracy:18.3f}" for accuracy in row))


def measure(data: LabelledSet, numbers: list[int], weights: list[float], n_seeds: int) -> np.ndarray:
    """Return accuracies of shape (n_numbers, n_vectors)."""
    classes, labels = np.unique(data.train_labels, return_inverse=True)
    test_labels = np.searchsorted(classes, data.test_labels)
    accuracies = np.zeros((n_seeds, len(numbers), 3 + len(weights)))
    summary = SequenceSummary().fit(data.train)
    for seed in range(n_seeds):
        unlabelled = LSTMAutoencoder(random_state=seed).fit(data.train)
        vectors = [principal_components(data, unlabelled)]
        vectors += [[model.transform(part) for part in (data.train, data.test)] for model in (summary, unlabelled)]
        for number, n_labels in enumerate(numbers):
            few = with_few_labels(labels, n_labels, seed)
            learned = []
            for weight in weights:
                autoencoder = LSTMAutoencoder(label_weight=weight, random_state=seed).fit(data.train, few)
                learned.append([autoencoder.transform(part) for part in (data.train, data.test)])
            accuracies[seed, number] = [accuracy(*each, few, test_labels) for each in vectors + learned]
    return accuracies.mean(axis=0)


def with_few_labels(labels: np.ndarray, n_labels: int, seed: int) -> np.ndarray:
    """Keep the labels of a few sequences of each class. The others become -1."""
    random, few = np.random.default_rng(seed), np.full(len(labels), -1)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        few[random.choice(rows, min(n_labels, len(rows)), replace=False)] = label
    return few


def principal_components(data: LabelledSet, fitted: LSTMAutoencoder) -> list[np.ndarray]:
    """Principal components of the sequences, padded with the means of the features."""
    longest = max(map(len, data.train))
    padded = [
        np.nan_to_num(scaled_and_padded([x[:longest] for x in part], fitted.center_, fitted.scale_, longest))
        for part in (data.train, data.test)
    ]
    train, test = (part.reshape(len(part), -1) for part in padded)
    pca = PCA(min(64, len(train) - 1, train.shape[1])).fit(train)
    return [pca.transform(train), pca.transform(test)]


def accuracy(train: np.ndarray, test: np.ndarray, few: np.ndarray, test_labels: np.ndarray) -> float:
    """Fit a classifier on the labelled vectors, and measure it on the test part."""
    known = few >= 0
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)).fit(train[known], few[known])
    return classifier.score(test, test_labels)


if __name__ == "__main__":
    main()
