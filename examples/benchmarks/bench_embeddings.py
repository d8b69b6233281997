"""How good are the embeddings, with defaults alone, compared with other vectors and the usual Keras script?

MiniRocket, whose vectors are far longer, is measured too if aeon is installed.

For each labelled set, the mean over seeds (and the standard deviation), all of unseen sequences but the last:

- R^2 of the reconstruction; PCA has as many components as the embedding has numbers;
- linear: accuracy of StandardScaler + LogisticRegression fitted on the embeddings;
- 1-NN: accuracy of the nearest neighbour among the training embeddings;
- k-means: adjusted Rand index of as many clusters as there are classes;
- seconds to fit.

The number in brackets after a method is the dimension of its vector. The last table has means over the sets.

"no context" and "no shortcut" are the autoencoder with context_size=0 and with shortcut_size=0.

"summary" is seqembed.SequenceSummary. "closed form" has no network either: 16 principal components of the padded
sequences, which are also its reconstruction, beside 48 components of the summary, both divided by the root of their
total variance.

Features of different units (catch22) are standardised before distances are taken. Methods that need one length get
sequences padded with the features' means; R^2 leaves padding out, for all methods.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from alternation import describe_machine
from keras_recipe import fit_keras
from labelled_sets import LabelledSet, load_labelled_set, load_labelled_sets, scaled_and_padded
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqembed import LSTMAutoencoder, SequenceSummary

# MiniRocket's convolutions have nine weights.
MINIROCKET_WIDTH, MINIROCKET_LEAST = 9996, 9
VARIANTS = {"seqembed": {}, "no context": {"context_size": 0}, "no shortcut": {"shortcut_size": 0}}
# Components of the closed form: principal ones, and those of the summary.
CLOSED_FORM = (16, 48)
COLUMNS = ("test R^2", "linear", "1-NN", "k-means", "fit (s)")


def main() -> None:
    """Read the command line and print a table a set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", nargs="+", default=list(load_labelled_sets()), help="names, or paths of NAME.npz")
    parser.add_argument("--sizes", type=int, nargs="+", help="train on so many sequences, drawn class by class alike")
    parser.add_argument("--patch-size", type=int, help="instead of the default")
    parser.add_argument("--without-keras", action="store_true", help="leave out the slowest contestant")
    parser.add_argument("--plot", metavar="PNG", help="draw accuracy and R^2 of each method")
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "keras", "numpy", "scikit-learn", "pycatch22")))
    tables, sets = {}, {Path(name).stem: load_labelled_set(name) for name in arguments.sets}
    if arguments.sizes:
        sets = {f"{name}, {size}": drawn(data, size) for name, data in sets.items() for size in arguments.sizes}
    for name, data in sets.items():
        print(f"{name}: {len(data.train)} sequences to train on, {len(data.test)} to test")
        print(f"  {'':18s}" + "".join(f"{title:>15s}" for title in COLUMNS[:-1]) + f"{COLUMNS[-1]:>9s}")
        tables[name] = measure(data, arguments.seeds, arguments.without_keras, arguments.patch_size or "auto")
    if len(tables) > 1:
        report_means(tables)
    if arguments.plot:
        draw(tables, arguments.plot)


def drawn(data: LabelledSet, size: int) -> LabelledSet:
    """Draw training sequences, of each class as large a share as there is in the set."""
    rows, _ = train_test_split(range(len(data.train)), train_size=size, stratify=data.train_labels, random_state=0)
    return data._replace(train=[data.train[row] for row in rows], train_labels=np.asarray(data.train_labels)[rows])


def measure(
    data: LabelledSet, n_seeds: int, without_keras: bool, patch_size: int | str = "auto"
) -> dict[str, np.ndarray]:
    """Run every method; return an array of shape (n_seeds, n_columns) for each."""
    rows: dict[str, np.ndarray] = {}
    for name, parameters in VARIANTS.items():
        results = []
        for seed in range(n_seeds):
            started = time.perf_counter()
            autoencoder = LSTMAutoencoder(patch_size=patch_size, random_state=seed, **parameters).fit(data.train)
            seconds = time.perf_counter() - started
            qualities = probe(autoencoder.transform(data.train), autoencoder.transform(data.test), data)
            results.append((autoencoder.score(data.test), *qualities, seconds))
        report(name, autoencoder.n_components, rows, results)

    longest = max(map(len, data.train))
    scaled = [
        scaled_and_padded(part, autoencoder.center_, autoencoder.scale_, longest)
        for part in (data.train, [x[:longest] for x in data.test])
    ]
    epochs = len(autoencoder.history_["loss"])
    if not without_keras:
        report("Keras", 64, rows, [measure_keras(*scaled, data, epochs, seed) for seed in range(n_seeds)])
    flat = [np.nan_to_num(part).reshape(len(part), -1) for part in scaled]
    # n sequences differ from their mean in n - 1 components. One more would be rounding error, scaled up.
    n_components = min(64, len(data.train) - 1, flat[0].shape[1])
    started = time.perf_counter()
    summary = SequenceSummary().fit(data.train)
    seconds = time.perf_counter() - started
    parts = [summary.transform(part) for part in (data.train, data.test)]
    report("summary", parts[0].shape[1], rows, [(np.nan, *probe(*parts, data), seconds)])
    report("closed form", sum(CLOSED_FORM), rows, [measure_closed_form(*flat, scaled[1], data)])
    report("PCA", n_components, rows, [measure_pca(*flat, scaled[1], n_components, data)])
    report("catch22", len(catch22(data.train[0])), rows, [measure_features(catch22, data)])
    if importlib.util.find_spec("aeon") and longest >= MINIROCKET_LEAST:
        report("MiniRocket", MINIROCKET_WIDTH, rows, [measure_minirocket(*scaled, data)])
    report("raw values", flat[0].shape[1], rows, [(np.nan, *probe(*flat, data), 0.0)])
    return rows


def probe(train: np.ndarray, test: np.ndarray, data: LabelledSet) -> tuple[float, float, float]:
    """Measure embeddings by a linear classifier, by the nearest neighbour, and by clusters."""
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)).fit(train, data.train_labels)
    nearest = KNeighborsClassifier(1).fit(train, data.train_labels)
    clusters = KMeans(len(np.unique(data.train_labels)), n_init=10, random_state=0).fit_predict(test)
    return (
        linear.score(test, data.test_labels),
        nearest.score(test, data.test_labels),
        adjusted_rand_score(data.test_labels, clusters),
    )


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
    return explained(reconstruction, test), *probe(embedding, unseen, data), seconds


def measure_pca(
    train: np.ndarray, test: np.ndarray, scaled_test: np.ndarray, n_components: int, data: LabelledSet
) -> tuple:
    """As many components as the embedding has, or as the data allow."""
    started = time.perf_counter()
    pca = PCA(n_components).fit(train)
    seconds = time.perf_counter() - started
    reconstruction = pca.inverse_transform(pca.transform(test)).reshape(scaled_test.shape)
    return explained(reconstruction, scaled_test), *probe(pca.transform(train), pca.transform(test), data), seconds


def measure_closed_form(train: np.ndarray, test: np.ndarray, scaled_test: np.ndarray, data: LabelledSet) -> tuple:
    """Principal components beside those of the summary; fewer if the data allow no more."""
    started = time.perf_counter()
    pca = PCA(min(CLOSED_FORM[0], len(train) - 1, train.shape[1])).fit(train)
    summary = SequenceSummary(CLOSED_FORM[1]).fit(data.train)
    seconds = time.perf_counter() - started
    principal = [pca.transform(part) for part in (train, test)]
    groups = [principal, [summary.transform(part) for part in (data.train, data.test)]]
    sizes = [np.sqrt(fitted.var(axis=0).sum()) for fitted, _ in groups]
    vectors = [
        np.concatenate([group[part] / size for group, size in zip(groups, sizes, strict=True)], axis=1)
        for part in (0, 1)
    ]
    reconstruction = pca.inverse_transform(principal[1]).reshape(scaled_test.shape)
    return explained(reconstruction, scaled_test), *probe(*vectors, data), seconds


def measure_features(extract: Callable, data: LabelledSet) -> tuple:
    """Compute features of each sequence, and measure them."""
    started = time.perf_counter()
    train = np.array([extract(sequence) for sequence in data.train])
    seconds = time.perf_counter() - started
    test = np.array([extract(sequence) for sequence in data.test])
    scaler = StandardScaler().fit(np.nan_to_num(train))
    train, test = (scaler.transform(np.nan_to_num(part)) for part in (train, test))
    return np.nan, *probe(train, test, data), seconds


def measure_minirocket(train: np.ndarray, test: np.ndarray, data: LabelledSet) -> tuple:
    """Measure shares of positive values after ten thousand convolutions (A. Dempster et al., 2021)."""
    from aeon.transformations.collection.convolution_based import MiniRocket

    train, test = (np.nan_to_num(part).transpose(0, 2, 1) for part in (train, test))
    started = time.perf_counter()
    rocket = MiniRocket(random_state=0).fit(train)
    seconds = time.perf_counter() - started
    return np.nan, *probe(rocket.transform(train), rocket.transform(test), data), seconds


def catch22(sequence: np.ndarray) -> list[float]:
    """Twenty-two features of each column, and its mean and standard deviation."""
    import pycatch22

    columns = sequence.reshape(len(sequence), -1).T
    return [value for column in columns for value in pycatch22.catch22_all(column.tolist(), catch24=True)["values"]]


def report(method: str, width: int, rows: dict[str, np.ndarray], results: list[tuple]) -> None:
    """Keep the results of a method and print their means, and the dimension of its vectors."""
    rows[method] = np.array(results)
    means, deviations = rows[method].mean(axis=0), rows[method].std(axis=0)
    cells = []
    for mean, deviation in zip(means[:-1], deviations, strict=False):
        spread = f" ({deviation:.3f})" if len(results) > 1 else " " * 8
        cells.append("" if np.isnan(mean) else f"{mean:.3f}{spread}")
    label = f"{method} ({width})"
    print(f"  {label:18s}" + "".join(f"{cell:>15s}" for cell in cells) + f"{means[-1]:9.1f}", flush=True)


def report_means(tables: dict[str, dict[str, np.ndarray]]) -> None:
    """Print the means over the sets of the methods that were measured on all of them."""
    print(f"mean of {len(tables)} sets")
    print(f"  {'':18s}" + "".join(f"{title:>15s}" for title in COLUMNS[:-1]))
    for method in next(iter(tables.values())):
        if all(method in rows for rows in tables.values()):
            means = np.mean([rows[method].mean(axis=0)[:-1] for rows in tables.values()], axis=0)
            print(f"  {method:18s}" + "".join(f"{'' if np.isnan(mean) else f'{mean:.3f}':>15s}" for mean in means))


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
