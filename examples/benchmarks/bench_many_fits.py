"""Does a process that fits again and again need more and more memory?

Makes many small fits in one process, in turn: that of a network in NumPy, a `SequenceSummary`, two passes of
`partial_fit`, a `ReconstructionDetector`, and a network that is saved and loaded. The sequences are new each time, in
one of six shapes. Memory is the number of resident anonymous pages. In the first half, caches fill up and the allocator
finds its size. So the slope is that of a line through the second half, by least squares. Linux only.

With ``--new-shapes``, the shapes differ from fit to fit. TensorFlow then compiles most passes of `partial_fit` anew,
and keeps what it has compiled.
"""

from __future__ import annotations

import argparse
import io
import itertools
import warnings

import numpy as np
from alternation import describe_machine
from memory import allocated

from seqembed import LSTMAutoencoder, LSTMReconstructor, ReconstructionDetector, SequenceSummary, load

_PRINTED_EVERY = 50
# Sequences and their timesteps.
_SHAPES = list(itertools.product((20, 40, 60), (8, 16)))


def main() -> None:
    """Read the command line, and print memory and its slope."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fits", type=int, default=500)
    parser.add_argument("--new-shapes", action="store_true")
    arguments = parser.parse_args()
    # Small fits differ in fewer directions than they are asked for.
    warnings.simplefilter("ignore")
    print(describe_machine(("numpy", "scikit-learn")))
    random, megabytes = np.random.default_rng(0), []
    kinds = itertools.cycle((fit_network, fit_summary, go_on, fit_detector, save_and_load))
    for number, fit in zip(range(1, arguments.fits + 1), kinds, strict=False):
        shape = (random.integers(20, 60), random.integers(5, 20)) if arguments.new_shapes else random.choice(_SHAPES)
        fit(random.normal(size=(*shape, 2)))
        megabytes.append(allocated())
        if number % _PRINTED_EVERY == 0:
            print(f"{number:6d} fits: {megabytes[-1]:7.1f} MB", flush=True)
    second_half = megabytes[len(megabytes) // 2 :]
    slope, _ = np.polyfit(np.arange(len(second_half)), second_half, 1)
    print(f"slope over the second half: {1024 * slope:+.1f} kB a fit")


def small_network() -> LSTMAutoencoder:
    """Make a network whose fits are too short to be compiled."""
    return LSTMAutoencoder(4, hidden_units=(8,), epochs=3)


def fit_network(X: np.ndarray) -> None:
    """Fit a network, and use it."""
    small_network().fit(X).reconstruction_error(X)


def fit_summary(X: np.ndarray) -> None:
    """Fit a summary, and use it."""
    SequenceSummary(8).fit_transform(X)


def go_on(X: np.ndarray) -> None:
    """Make two passes of a stream."""
    small_network().partial_fit(X).partial_fit(X)


def fit_detector(X: np.ndarray) -> None:
    """Fit a detector, and use it."""
    ReconstructionDetector(LSTMReconstructor(4, hidden_units=(), epochs=2), cv=2).fit(X).predict(X)


def save_and_load(X: np.ndarray) -> None:
    """Fit a network, and send it through a file."""
    file = io.BytesIO()
    small_network().fit(X).save(file)
    load(file.getvalue()).transform(X)


if __name__ == "__main__":
    main()
