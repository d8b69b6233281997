"""How good are the embeddings, with defaults alone, beside PCA, catch22, raw values and the usual Keras script?

For each labelled set, the mean over seeds (and the standard deviation): R^2 of the reconstruction of unseen sequences,
accuracy on them of StandardScaler + LogisticRegression fitted on the embeddings, seconds to fit. Methods that need one
length get sequences padded with the features' means; R^2 leaves padding out, for all of them alike.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from alternation import describe_machine
from keras_recipe import fit_keras
from labelled_sets import LabelledSet, load_labelled_sets, scaled_and_padded
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqembed import LSTMAutoencoder


def main() -> None:
    """Read the command line and print a table a set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", nargs="+", default=list(load_labelled_sets()))
    parser.add_argument("--without-keras", action="store_true", help="leave out the slowest contestant")
    parser.add_argument("--plot", metavar="PNG", help="draw accuracy and R^2 of each method")
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "keras", "numpy", "scikit-learn", "pycatch22")))
    tables = {}
    for name in arguments.sets:
        data = load_labelled_sets()[name]
        print(f"{name}: {len(data.train)} sequences to train on, {len(data.test)} to test")
        print(f"  {'':18s}{'test R^2':>16s}{'accuracy':>16s}{'fit (s)':>10s}")
        tables[name] = measure(data, arguments.seeds, arguments.without_keras)
    if arguments.plot:
        draw(tables, arguments.plot)


def measure(data: LabelledSet, n_seeds: int, without_keras: bool) -> dict[str, np.ndarray]:
    """Run every method; returns rows of (R^2, accuracy, seconds), one a seed."""
    rows: dict[str, np.ndarray] = {}
    results = []
    for seed in range(n_seeds):
        started = time.perf_counter()
        autoencoder = LSTMAutoencoder(random_state=seed).fit(data.train)
        seconds = time.perf_counter() - started
        accuracy = probe(autoencoder.transform(data.train), autoencoder.transform(data.test), data)
        results.append((autoencoder.score(data.test), accuracy, seconds))
    report("seqembed", rows, results)

    longest = max(map(len, data.train))
    scaled = [
        scaled_and_padded(part, autoencoder.center_, autoencoder.scale_, longest)
        for part in (data.train, [x[:longest] for x in data.test])
    ]
    epochs = len(autoencoder.history_["loss"])
    if not without_keras:
        report("Keras, same epochs", rows, [measure_keras(*scaled, data, epochs, seed) for seed in range(n_seeds)])
    flat = [np.nan_to_num(part).reshape(len(part), -1) for part in scaled]
    report("PCA", rows, [measure_pca(*flat, scaled[1], data)])
    report("catch22", rows, [measure_features(catch22, data)])
    report("raw values", rows, [(np.nan, probe(*flat, data), 0.0)])
    return rows


def probe(train: np.ndarray, test: np.ndarray, data: LabelledSet) -> float:
    """Accuracy of a linear classifier."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    return classifier.fit(train, data.train_labels).score(test, data.test_labels)


def explained(reconstruction: np.ndarray, scaled: np.ndarray) -> float:
    """R^2 about the training means, which are zero here; NaN is padding."""
    return 1 - np.nansum(np.square(reconstruction - scaled)) / np.nansum(np.square(scaled))


def measure_keras(train: np.ndarray, test: np.ndarray, data: LabelledSet, epochs: int, seed: int) -> tuple:
    """Train the usual script for as many epochs."""
    started = time.perf_counter()
    model, encoder, _ = fit_keras(train, epochs, seed)
    seconds = time.perf_counter() - started
    embedding, unseen = (encoder.predict(np.nan_to_num(part), verbose=0) for part in (train, test))
    reconstruction = model.predict(np.nan_to_num(test), verbose=0)
    return explained(reconstruction, test), probe(embedding, unseen, data), seconds


def measure_pca(train: np.ndarray, test: np.ndarray, scaled_test: np.ndarray, data: LabelledSet) -> tuple:
    """As many components as the embedding has, or as the data allow."""
    started = time.perf_counter()
    pca = PCA(min(64, *train.shape)).fit(train)
    seconds = time.perf_counter() - started
    reconstruction = pca.inverse_transform(pca.transform(test)).reshape(scaled_test.shape)
    return explained(reconstruction, scaled_test), probe(pca.transform(train), pca.transform(test), data), seconds


def measure_features(extract: Callable, data: LabelledSet) -> tuple:
    """Features computed of each sequence by itself."""
    started = time.perf_counter()
    train = np.array([extract(sequence) for sequence in data.train])
    seconds = time.perf_counter() - started
    test = np.array([extract(sequence) for sequence in data.test])
    return np.nan, probe(np.nan_to_num(train), np.nan_to_num(test), data), seconds


def catch22(sequence: np.ndarray) -> list[float]:
    """Twenty-two features of each column, and its mean and standard deviation."""
    import pycatch22

    columns = sequence.reshape(len(sequence), -1).T
    return [value for column in columns for value in pycatch22.catch22_all(column.tolist(), catch24=True)["values"]]


def report(method: str, rows: dict[str, np.ndarray], results: list[tuple]) -> None:
    """Keep the results of a method and print their means."""
    rows[method] = np.array(results)
    means, deviations = rows[method].mean(axis=0), rows[method].std(axis=0)
    spread = [f" ({deviation:.3f})" if len(results) > 1 else " " * 8 for deviation in deviations]
    r2 = "" if np.isnan(means[0]) else f"{means[0]:.3f}{spread[0]}"
    print(f"  {method:18s}{r2:>16s}{f'{means[1]:.3f}{spread[1]}':>16s}{means[2]:10.1f}", flush=True)


def draw(tables: dict[str, dict[str, np.ndarray]], path: str) -> None:
    """Draw accuracy above and R^2 below, one column a set."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, len(tables), figsize=(3 * len(tables), 5.5), layout="constrained", squeeze=False)
    for (name, rows), column in zip(tables.items(), panels.T, strict=True):
        for panel, position, title in zip(column, (1, 0), ("accuracy", "R^2, unseen"), strict=True):
            methods = [method for method in rows if not np.isnan(rows[method][0, position])]
            means = [rows[method][:, position].mean() for method in methods]
            errors = [rows[method][:, position].std() for method in methods]
            panel.barh(methods, means, xerr=errors, color=[f"C{list(rows).index(method)}" for method in methods])
            panel.invert_yaxis()
            panel.set(xlabel=title, xlim=(min(0, *means) * 1.1, 1.05))
        column[0].set_title(name)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
