"""How soon is the loss reached that the usual Keras script ends at?

For each labelled set, the usual script (stock layers, tanh, Adam at 1e-3, batches of 32) trains for as many epochs as
seqembed's default; its loss at the end is the goal. Then seqembed is fitted with ever more epochs, each time from
scratch in a process of its own, until it has reached the goal: a fit of few epochs decays its learning rate within
them. It trains on the sequences as they are, `augment=False`, as the script does: the default would rather do well on
unseen sequences than on these, and may never reach the goal. Seconds are those of the whole fit, tracing and compiling
included, imports left out. Both losses are mean squared errors on the training sequences, scaled alike.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from alternation import describe_machine
from keras_recipe import fit_keras
from labelled_sets import load_labelled_sets, scaled_and_padded

from seqembed import LSTMAutoencoder
from seqembed.sequences.collection import check_sequences
from seqembed.sequences.scaling import feature_statistics
from seqembed.training.recipe import auto_batch_size, auto_epochs

# Of the default number of epochs, each larger than the one before by the square root of two.
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
        print(
            json.dumps(run_keras(name, int(epochs), int(seed)) if who == "keras" else run(name, int(epochs), int(seed)))
        )
        return
    print(describe_machine(("tensorflow", "keras", "numpy")))
    curves = {}
    for name in arguments.sets:
        n_samples = len(load_labelled_sets()[name].train)
        epochs = auto_epochs(n_samples, auto_batch_size(n_samples))
        ratios = []
        for seed in range(arguments.seeds):
            keras = in_own_process(name, "keras", epochs, seed)
            points = []
            for share in SHARES:
                points.append(in_own_process(name, "seqembed", max(1, round(share * epochs)), seed))
                if points[-1]["loss"] <= keras["loss"]:
                    break
            ratios.append(keras["seconds"] / points[-1]["seconds"] if points[-1]["loss"] <= keras["loss"] else np.nan)
            print(
                f"{name}: Keras ends at a loss of {keras['loss']:.4f} after {epochs} epochs, {keras['seconds']:.1f} s; "
                f"seqembed is at {points[-1]['loss']:.4f} after {points[-1]['epochs']} epochs, "
                f"{points[-1]['seconds']:.1f} s: {ratios[-1]:.1f} times sooner",
                flush=True,
            )
        curves[name] = keras, points
    if arguments.plot:
        draw(curves, arguments.plot)


def in_own_process(name: str, who: str, epochs: int, seed: int) -> dict:
    """Run one fit and return what it printed."""
    command = [sys.executable, __file__, "--run", name, who, str(epochs), str(seed)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def run(name: str, epochs: int, seed: int) -> dict:
    """Fit seqembed."""
    import tensorflow  # noqa: F401 - imported before the clock starts

    data = load_labelled_sets()[name]
    started = time.perf_counter()
    autoencoder = LSTMAutoencoder(augment=False, epochs=epochs, random_state=seed).fit(data.train)
    seconds = time.perf_counter() - started
    values = autoencoder.reconstruction_error(data.train, per="value")
    values = values if isinstance(values, np.ndarray) else np.concatenate(values)
    return {"epochs": epochs, "seconds": seconds, "loss": float(values.mean())}


def run_keras(name: str, epochs: int, seed: int) -> dict:
    """Fit the usual script, on sequences scaled as seqembed scales them and padded with the means."""
    import keras

    keras.layers.LSTM(1)  # TensorFlow starts up before the clock does
    train = load_labelled_sets()[name].train
    means, scales = feature_statistics(check_sequences(train))
    scaled = scaled_and_padded(train, means, scales, max(map(len, train)))
    started = time.perf_counter()
    model, _, losses = fit_keras(scaled, epochs, seed)
    seconds = time.perf_counter() - started
    errors = np.square(model.predict(np.nan_to_num(scaled), verbose=0) - scaled)
    return {"epochs": epochs, "seconds": seconds, "loss": float(np.nanmean(errors)), "losses": losses}


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
