"""How long does the post's script take as a whole process, imports included, in Keras and here?

Both train the post's network (relu, 128 and 64 units) on its five windows of three timesteps for 300 epochs and print
the final mean squared error. The learning rate is 1e-3 in Keras, its default and the post's, and "auto" here. Source:
C. Ranjan, "Step-by-step understanding LSTM Autoencoder layers" (2019).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from alternation import describe_machine

DATA = """
import numpy as np
series = np.array([[k / 10, (k / 10) ** 3] for k in range(1, 10)])
X = np.stack([series[start : start + 3] for start in range(2, 7)])
"""
KERAS = (
    DATA
    + """
from keras import Input, Sequential, layers
model = Sequential([
    Input((3, 2)),
    layers.LSTM(128, activation="relu", return_sequences=True),
    layers.LSTM(64, activation="relu", return_sequences=False),
    layers.RepeatVector(3),
    layers.LSTM(64, activation="relu", return_sequences=True),
    layers.LSTM(128, activation="relu", return_sequences=True),
    layers.TimeDistributed(layers.Dense(2)),
])
model.compile(optimizer="adam", loss="mse")
model.fit(X, X, epochs=300, batch_size=5, verbose=0)
print(np.square(model.predict(X, verbose=0) - X).mean())
"""
)
SEQEMBED = (
    DATA
    + """
from seqembed import LSTMAutoencoder
model = LSTMAutoencoder(
    activation="relu", patch_size=1, time_encoding=False, scale=None, augment=False, context_size=0,
    shortcut_size=0, readout_weight=0, epochs=300,
    batch_size=5
).fit(X)
print(np.square(model.reconstruct(X) - X).mean())
"""
)

SCRIPTS = {"Keras": KERAS, "seqembed": SEQEMBED}


def main() -> None:
    """Read the command line, run the scripts in turn and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "keras", "numpy")))
    seconds, errors = {}, {}
    for _ in range(arguments.repeats):
        for name, script in SCRIPTS.items():
            started = time.perf_counter()
            run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
            seconds.setdefault(name, []).append(time.perf_counter() - started)
            errors.setdefault(name, []).append(float(run.stdout.split()[-1]))
    slowest = statistics.median(seconds["Keras"])
    for name in SCRIPTS:
        median = statistics.median(seconds[name])
        print(
            f"{name:8s} median {median:5.1f} s, Keras / this {slowest / median:.2f}, mean squared error "
            f"{statistics.median(errors[name]):.1e} ({min(errors[name]):.1e} to {max(errors[name]):.1e})"
        )


if __name__ == "__main__":
    main()
