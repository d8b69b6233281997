"""How long does an epoch of training take, compared with stock Keras and PyTorch?

Same layers, same data, same batches, in alternation in one process, in fits of two epochs, or of more epochs if
sequences are shorter than 50 timesteps: enough for seqembed to compile. "seqembed" reads timestep by timestep, as the
others do (patch_size=1). "in patches" is the default, a network of fewer steps, whose fits here may be too short for
compiling: `bench_embeddings.py` shows what it learns. With `--crossover`, it measures instead from which number of
updates on compiling the network saves time.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import time
from collections.abc import Callable

import numpy as np
from alternation import describe_machine, measured_peak, median_seconds

from seqembed import LSTMAutoencoder
from seqembed.network.architecture import Network
from seqembed.parallel import one_blas_thread, thread_pool

N_FEATURES = 6


def main() -> None:
    """Read the command line and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=4000)
    parser.add_argument("--timesteps", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 64, 256])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--plot", metavar="PNG", help="draw the seconds of each contestant")
    parser.add_argument("--crossover", action="store_true", help="measure when compiling pays, then stop")
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "keras", "torch", "numpy")))
    if arguments.crossover:
        measure_crossover(arguments.timesteps, arguments.batch_sizes)
        return
    peak = measured_peak()
    print(f"measured peak of a float32 product: {peak / 1e9:.0f} GFLOP/s")
    print(f"median seconds an epoch of {arguments.sequences} sequences of {N_FEATURES} features:")
    rows = {}
    for n_timesteps in arguments.timesteps:
        X, epochs = random_walks(arguments.sequences, n_timesteps), max(2, 100 // n_timesteps)
        for batch_size in arguments.batch_sizes:
            contestants = {
                "seqembed": seqembed_epochs(X, batch_size, epochs, patch_size=1),
                "in patches": seqembed_epochs(X, batch_size, epochs, patch_size="auto"),
                "Keras": keras_epochs(X, batch_size, epochs),
                "PyTorch": torch_epochs(X, batch_size, epochs),
            }
            seconds = median_seconds({name: run for name, run in contestants.items() if run}, arguments.repeats)
            seconds = {name: each / epochs for name, each in seconds.items()}
            share = len(X) * training_operations(n_timesteps) / seconds["seqembed"] / peak
            ratios = ", ".join(f"{name} / seqembed {each / seconds['seqembed']:.2f}" for name, each in seconds.items())
            print(
                f"{n_timesteps:4d} timesteps, batch {batch_size:3d}: "
                + ", ".join(f"{name} {each:.2f}" for name, each in seconds.items())
                + f"; {ratios.split(', ', 1)[-1]}; {share:.0%} of the peak",
                flush=True,
            )
            rows[f"{n_timesteps} x {batch_size}"] = seconds
    if arguments.plot:
        draw(rows, arguments.plot)


def random_walks(n_samples: int, n_timesteps: int) -> np.ndarray:
    """Smooth sequences of about unit variance."""
    X = np.random.default_rng(0).standard_normal((n_samples, n_timesteps, N_FEATURES)).cumsum(axis=1)
    return (X / X.std()).astype(np.float32)


def training_operations(n_timesteps: int) -> int:
    """Floating-point operations to train on a sequence: forward, and twice that backward, products alone."""
    network = Network(N_FEATURES)
    repeated = network.decoder[0]
    per_timestep = sum(np.prod(shape) for name, shape in network.weight_shapes.items() if name.endswith("kernel"))
    per_timestep -= repeated.n_inputs * 4 * repeated.units
    return 3 * 2 * n_timesteps * int(per_timestep)


def seqembed_epochs(X: np.ndarray, batch_size: int, epochs: int, patch_size: int | str) -> Callable[[], object]:
    """Fit, from an untrained estimator to a fitted one."""
    return lambda: LSTMAutoencoder(
        patch_size=patch_size,
        epochs=epochs,
        batch_size=batch_size,
        time_encoding=False,
        scale=None,
        augment=False,
        context_size=0,
        shortcut_size=0,
        readout_weight=0,
        random_state=0,
    ).fit(X)


def keras_epochs(X: np.ndarray, batch_size: int, epochs: int) -> Callable[[], object]:
    """Call `fit` on a compiled model."""
    from keras import Input, Sequential, layers

    model = Sequential(
        [
            Input(X.shape[1:]),
            layers.LSTM(128, return_sequences=True),
            layers.LSTM(64),
            layers.RepeatVector(X.shape[1]),
            layers.LSTM(64, return_sequences=True),
            layers.LSTM(128, return_sequences=True),
            layers.TimeDistributed(layers.Dense(X.shape[2])),
        ]
    )
    model.compile("adam", "mse")
    return lambda: model.fit(X, X, epochs=epochs, batch_size=batch_size, verbose=0)


def torch_epochs(X: np.ndarray, batch_size: int, epochs: int) -> Callable[[], object] | None:
    """Train in the usual loop; None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None

    class Autoencoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            widths = [(X.shape[2], 128), (128, 64), (64, 64), (64, 128)]
            self.layers = torch.nn.ModuleList(torch.nn.LSTM(*each, batch_first=True) for each in widths)
            self.output = torch.nn.Linear(128, X.shape[2])

        def forward(self, sequences):
            states, _ = self.layers[0](sequences)
            _, (embedding, _) = self.layers[1](states)
            states = embedding[0][:, None].expand(-1, X.shape[1], -1)
            for layer in self.layers[2:]:
                states, _ = layer(states)
            return self.output(states)

    model, tensor = Autoencoder(), torch.from_numpy(X)
    optimizer = torch.optim.Adam(model.parameters())

    def train():
        for _ in range(epochs):
            for rows in torch.randperm(len(X)).split(batch_size):
                optimizer.zero_grad()
                batch = tensor[rows]
                torch.nn.functional.mse_loss(model(batch), batch).backward()
                optimizer.step()

    return train


def measure_crossover(all_timesteps: list[int], batch_sizes: list[int]) -> None:
    """Print what a gradient takes in NumPy and compiled, what compiling takes, and where they cross."""
    from seqembed.network.weights import flat_parameters, initial_weights

    started = time.perf_counter()
    from seqembed.training.gradient import batch_gradient, tensorflow_gradient

    print(f"importing TensorFlow: {time.perf_counter() - started:.1f} s, once in a process")
    networks = {"default layers": Network(N_FEATURES), "one layer of 16": Network(N_FEATURES, 16, ())}
    for name, network in networks.items():
        parameters = flat_parameters(network.weight_shapes, initial_weights(network, np.random.default_rng(0)))
        for n_timesteps, batch_size in itertools.product(all_timesteps, batch_sizes):
            weight = np.full(
                (batch_size, n_timesteps, N_FEATURES), 1 / (batch_size * n_timesteps * N_FEATURES), np.float32
            )
            batch = parameters, random_walks(batch_size, n_timesteps), np.full(batch_size, n_timesteps), weight
            first, later = {}, {}
            tensorflow_gradient.make_loss_and_gradient.cache_clear()
            with thread_pool(None) as pool, one_blas_thread():
                for path, n_updates in (("NumPy", 0), ("compiled", 10**9)):
                    run = batch_gradient.BatchGradient(
                        network, network.weight_shapes, n_timesteps, batch_size, n_updates, pool
                    )
                    started = time.perf_counter()
                    run(*batch)
                    first[path] = time.perf_counter() - started
                    later |= median_seconds({path: lambda run=run, batch=batch: run(*batch)}, 9)
            saved = later["NumPy"] - later["compiled"]
            crossing = f"pays from {first['compiled'] / saved:.0f} updates on" if saved > 0 else "never pays"
            pays = functools.partial(batch_gradient.is_worth_compiling, network, n_timesteps, batch_size)
            chosen = next(filter(pays, itertools.count()))
            print(
                f"{name}, {n_timesteps:4d} timesteps, batch {batch_size:3d}: {1e3 * later['NumPy']:.1f} ms an update "
                f"in NumPy, {1e3 * later['compiled']:.1f} ms compiled, after {first['compiled']:.1f} s; that "
                f"alone {crossing} (chosen from {chosen} on)",
                flush=True,
            )


def draw(rows: dict[str, dict[str, float]], path: str) -> None:
    """Draw grouped bars: one group a shape, one bar a contestant."""
    import matplotlib.pyplot as plt

    figure, panel = plt.subplots(figsize=(1.5 + 1.2 * len(rows), 4.5), layout="constrained")
    names = list(next(iter(rows.values())))
    for position, name in enumerate(names):
        panel.bar(np.arange(len(rows)) + 0.27 * position, [each[name] for each in rows.values()], 0.25, label=name)
    panel.set_xticks(np.arange(len(rows)) + 0.27 * (len(names) - 1) / 2, list(rows))
    panel.set(xlabel="timesteps x batch size", ylabel="seconds an epoch", yscale="log", title="Training")
    panel.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
