"""How long does embedding take, compared with Keras, PyTorch and ONNX Runtime?

Same layers and data, in alternation in one process, all cores; then a single sequence; then the first embedding of a
fresh process, loaded from disk.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
from alternation import describe_machine, measured_peak, median_seconds

from seqembed import LSTMAutoencoder

N_FEATURES = 6


def main() -> None:
    """Read the command line and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=4000)
    parser.add_argument("--timesteps", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--plot", metavar="PNG", help="draw the seconds of each contestant")
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "keras", "torch", "onnxruntime", "numpy", "scikit-learn")))
    peak = measured_peak()
    print(f"measured peak of a float32 product: {peak / 1e9:.0f} GFLOP/s")
    print(f"median seconds to embed {arguments.sequences} sequences of {N_FEATURES} features:")
    rows = {}
    for n_timesteps in arguments.timesteps:
        X = np.random.default_rng(0).standard_normal((arguments.sequences, n_timesteps, N_FEATURES)).astype(np.float32)
        # The others are LSTM layers alone that read timestep by timestep. The default reads patches, in fewer steps,
        # and computes a context and a shortcut.
        settings = {"epochs": 1, "batch_size": 64, "random_state": 0}
        autoencoder = LSTMAutoencoder(patch_size=1, context_size=0, shortcut_size=0, **settings).fit(X[:64])
        default = LSTMAutoencoder(**settings).fit(X[:64])
        keras_encoder = stock_keras_encoder(autoencoder, X.shape[1:])
        contestants = {
            "seqembed": lambda X=X, autoencoder=autoencoder: autoencoder.transform(X),
            "seqembed, defaults": lambda X=X, autoencoder=default: autoencoder.transform(X),
            "Keras predict": lambda X=X, encoder=keras_encoder: encoder.predict(X, verbose=0),
            "Keras predict, batch 256": lambda X=X, encoder=keras_encoder: encoder.predict(
                X, batch_size=256, verbose=0
            ),
            "PyTorch": torch_encoder(X),
            "ONNX Runtime": onnx_encoder(X, autoencoder),
        }
        seconds = median_seconds({name: run for name, run in contestants.items() if run}, arguments.repeats)
        operations = 2 * len(X) * n_timesteps * sum(np.prod(w.shape) for w in encoder_kernels(autoencoder))
        print(f"{n_timesteps:4d} timesteps: {operations / seconds['seqembed'] / peak:.0%} of the peak")
        for name, each in seconds.items():
            print(f"  {name:26s}{each:7.3f} s  {each / seconds['seqembed']:5.2f} x seqembed", flush=True)
        fitted = {"seqembed": autoencoder, "seqembed, defaults": default}
        single = {name: lambda X=X, each=each: each.transform(X[:1]) for name, each in fitted.items()}
        milliseconds = {name: 1e3 * each for name, each in median_seconds(single, 50).items()}
        print("  a single sequence: " + ", ".join(f"{name} {each:.2f} ms" for name, each in milliseconds.items()))
        rows[str(n_timesteps)] = seconds
    measure_first_embedding(autoencoder, X, arguments.repeats)
    if arguments.plot:
        draw(rows, arguments.plot)


def encoder_kernels(autoencoder: LSTMAutoencoder) -> list[np.ndarray]:
    """List the matrices that an encoder multiplies with at each timestep."""
    return [w for name, w in autoencoder.weights_.items() if name.startswith("encoder") and name.endswith("kernel")]


def stock_keras_encoder(autoencoder: LSTMAutoencoder, shape: tuple[int, int]):
    """Two stock layers with the same weights."""
    from keras import Input, Sequential, layers

    encoder = Sequential([Input(shape), layers.LSTM(128, return_sequences=True), layers.LSTM(64)])
    for layer, keras_layer in zip(autoencoder.network_.encoder, encoder.layers, strict=True):
        keras_layer.set_weights(list(layer.weights(autoencoder.weights_)))
    return encoder


def torch_encoder(X: np.ndarray) -> Callable[[], object] | None:
    """Batches of 500 through two layers; None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None
    first = torch.nn.LSTM(N_FEATURES, 128, batch_first=True)
    second = torch.nn.LSTM(128, 64, batch_first=True)

    def embed():
        with torch.inference_mode():
            for batch in torch.from_numpy(X).split(500):
                second(first(batch)[0])

    return embed


def onnx_encoder(X: np.ndarray, autoencoder: LSTMAutoencoder) -> Callable[[], object] | None:
    """Two LSTM nodes with the same weights, batches of 500; None without ONNX Runtime."""
    try:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None

    def reordered(weight):
        i, f, c, o = np.split(weight, 4, axis=-1)
        return np.concatenate([i, o, f, c], axis=-1).T[np.newaxis]

    nodes, initializers, source = [], [], "X"
    for layer in autoencoder.network_.encoder:
        kernel, recurrent_kernel, bias = (autoencoder.weights_[name] for name in layer.weight_shapes)
        biases = np.concatenate([reordered(bias), np.zeros((1, 4 * layer.units), np.float32)], axis=1)
        arrays = {"W": reordered(kernel), "R": reordered(recurrent_kernel), "B": biases}
        names = [f"{layer.name}_{key}" for key in arrays]
        initializers += [numpy_helper.from_array(a, name) for a, name in zip(arrays.values(), names, strict=True)]
        outputs = [f"{layer.name}_all", f"{layer.name}_last"]
        nodes.append(helper.make_node("LSTM", [source, *names], outputs, hidden_size=layer.units))
        nodes.append(helper.make_node("Squeeze", [outputs[0], "axis"], [f"{layer.name}_states"]))
        source = f"{layer.name}_states"
    initializers.append(numpy_helper.from_array(np.array([1]), "axis"))
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [X.shape[1], None, N_FEATURES])],
        [helper.make_tensor_value_info(outputs[1], TensorProto.FLOAT, [1, None, layer.units])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def embed():
        for start in range(0, len(X), 500):
            session.run(None, {"X": np.ascontiguousarray(X[start : start + 500].transpose(1, 0, 2))})

    return embed


def measure_first_embedding(autoencoder: LSTMAutoencoder, X: np.ndarray, repeats: int) -> None:
    """Time whole processes: load an estimator and embed a sequence, or only import what it needs of scikit-learn."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fitted.joblib"
        joblib.dump((autoencoder, X[:1]), path)
        programs = {
            "load and embed": f"import joblib; fitted, X = joblib.load({str(path)!r}); fitted.transform(X)",
            "import scikit-learn": "import sklearn.pipeline, sklearn.preprocessing",
        }
        seconds: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(repeats):
            for name, program in programs.items():
                started = time.perf_counter()
                subprocess.run([sys.executable, "-c", program], check=True)
                seconds[name].append(time.perf_counter() - started)
    for name, each in seconds.items():
        print(f"a fresh process, {name}: {statistics.median(each):.2f} s")


def draw(rows: dict[str, dict[str, float]], path: str) -> None:
    """Lines over the number of timesteps, one for each contestant."""
    import matplotlib.pyplot as plt

    figure, panel = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name in next(iter(rows.values())):
        panel.loglog([int(each) for each in rows], [seconds[name] for seconds in rows.values()], "o-", label=name)
    panel.set(xlabel="timesteps", ylabel="seconds", title="Embedding")
    panel.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
