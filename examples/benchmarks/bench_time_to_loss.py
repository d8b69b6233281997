"""How soon does seqembed reach the final loss of the usual Keras script, and its R^2 on unseen sequences?

For each labelled set, the usual script (stock layers, tanh, Adam at 1e-3, batches of 32) trains for as many epochs as
seqembed's default without patches; its loss at the end is the first goal, its R^2 on unseen sequences the second. Then
seqembed is fitted with ever more epochs, each time from scratch in a process of its own, until it has reached the goal:
a fit of few epochs decays its learning rate within them. For the loss it trains on unvaried sequences, `augment=False`,
as the script does; for R^2 it has its defaults. Seconds are those of the whole fit with tracing and compiling, without
imports. Losses are mean squared errors on the training sequences, scaled alike.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
from alternation import describe_machine
from keras_recipe import fit_keras
from labelled_sets import load_labelled_sets, scaled_and_padded

from seqembed import LSTMAutoencoder
from seqembed.sequences.collection import check_sequences
from seqembed.sequences.scaling import feature_statistics
from seqembed.training.recipe import auto_batch_size, auto_epochs

# Shares of the default number of epochs. Each is larger than the previous one by a factor of the square root of two.
SHARES = [2 ** (-power / 2) for power in range(12, -1, -1)]


def main() -> None:
    """Read the command line and print a line a set; with --run, be one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(load_labelled_sets()))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--plot", metavar="PNG", help="draw the losses against time")
    parser.add_argument("--run", nargs=4, metavar=("NAME", "WHO", "EPOCHS", "SEED"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        name, who, epochs, seed = arguments.run
        print(json.dumps(CONTESTANTS[who](name, int(epochs), int(seed))))
        return
    print(describe_machine(("tensorflow", "keras", "numpy")))
    curves = {}
    for name in arguments.sets:
        n_samples = len(load_labelled_sets()[name].train)
        epochs = auto_epochs(n_samples, auto_batch_size(n_samples))
        for seed in range(arguments.seeds):
            keras = in_own_process(name, "keras", epochs, seed)
            print(f"{name}: Keras takes {keras['seconds']:.1f} s for {epochs} epochs", flush=True)
            points = until_as_good(name, "unvaried", "loss", keras, seed)
            until_as_good(name, "defaults", "r2", keras, seed)
        curves[name] = keras, points
    if arguments.plot:
        draw(curves, arguments.plot)


def until_as_good(name: str, who: str, quality: str, keras: dict, seed: int) -> list[dict]:
    """Fit with ever more epochs until a fit is as good as Keras's, or its epochs are used up; print the comparison."""
    title, sign = {"loss": ("loss", -1), "r2": ("R^2 of unseen sequences", 1)}[quality]
    points = []
    for share in SHARES:
        point = in_own_process(name, who, max(1, round(share * keras["epochs"])), seed)
        points.append(point)
        if sign * point[quality] >= sign * keras[quality]:
            outcome = f"{keras['seconds'] / point['seconds']:.1f} times sooner"
            break
    else:
        outcome = "not reached"
    print(
        f"  {title}: Keras ends at {keras[quality]:.4f}; seqembed is at {point[quality]:.4f} after "
        f"{point['epochs']} epochs, {point['seconds']:.1f} s: {outcome}",
        flush=True,
    )
    return points


def in_own_process(name: str, who: str, epochs: int, seed: int) -> dict:
    """Run one fit and return what it printed."""
    command = [sys.executable, __file__, "--run", name, who, str(epochs), str(seed)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def run(augment: bool | str, name: str, epochs: int, seed: int) -> dict:
    """Fit seqembed."""
    import tensorflow  # noqa: F401 - imported before the clock starts

    data = load_labelled_sets()[name]
    started = time.perf_counter()
    autoencoder = LSTMAutoencoder(augment=augment, epochs=epochs, random_state=seed).fit(data.train)
    seconds = time.perf_counter() - started
    values = autoencoder.reconstruction_error(data.train, per="value")
    values = values if isinstance(values, np.ndarray) else np.concatenate(values)
    loss, r2 = float(values.mean()), autoencoder.score(data.test)
    return {"epochs": epochs, "seconds": seconds, "loss": loss, "r2": r2}


def run_keras(name: str, epochs: int, seed: int) -> dict:
    """Fit the usual script, on sequences scaled as seqembed scales them and padded with the means."""
    import keras

    keras.layers.LSTM(1)  # TensorFlow starts up before the clock does
    train, test = load_labelled_sets()[name][:2]
    means, scales = feature_statistics(check_sequences(train))
    longest = max(map(len, train))
    scaled, unseen = (scaled_and_padded([x[:longest] for x in part], means, scales, longest) for part in (train, test))
    started = time.perf_counter()
    model, _, losses = fit_keras(scaled, epochs, seed)
    seconds = time.perf_counter() - started
    errors, unseen_errors = (
        np.square(model.predict(np.nan_to_num(part), verbose=0) - part) for part in (scaled, unseen)
    )
    loss, r2 = float(np.nanmean(errors)), float(1 - np.nansum(unseen_errors) / np.nansum(np.square(unseen)))
    return {"epochs": epochs, "seconds": seconds, "loss": loss, "r2": r2, "losses": losses}


CONTESTANTS = {"keras": run_keras, "unvaried": partial(run, False), "defaults": partial(run, "auto")}


def draw(curves: dict[str, tuple[dict, list[dict]]], path: str) -> None:
    """Draw Keras's loss by epoch and the end of each of our fits, against time."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(curves), figsize=(3.4 * len(curves), 3.4), layout="constrained", squeeze=False)
    for (name, (keras, points)), panel in zip(curves.items(), panels[0], strict=True):
        seconds = np.linspace(0, keras["seconds"], len(keras["losses"]))
        panel.loglog(seconds[1:], keras["losses"][1:], color="0.5", label="Keras, by epoch")
        panel.loglog([p["seconds"] for p in points], [p["loss"] for p in points], "o-", label="seqembed, whole fits")
        panel.axhline(keras["loss"], color="0.8", zorder=0)
        panel.set(title=name, xlabel="seconds")
    panels[0, 0].set_ylabel("loss")
    panels[0, 0].legend()
    Path(path).parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
