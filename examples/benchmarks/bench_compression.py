"""How many bits does a value take, with a bound on its error?

Each codec learns from the training part and compresses the test part of a set; sizes are those of real bytes, headers
included. A bound is a share of each feature's range in the training part. `SequenceCodec` is compared with zstd, xz and
pcodec on values rounded to the same bins, and with SZ3. Each of these is the best of several settings and of two orders
of the axes. zfp needs several times as many bits and is left out. Each line also shows the size of the saved codec.
``--data FOLDER`` adds the sets of ``.npz`` files in a folder, see `labelled_sets.py`, or long recordings with an array
called "series". ``--embeddings`` also fits an autoencoder to each set of windows, and gives it to the codec. Speeds are
megabytes of float32 a second, the median of some calls, on one thread.
"""

from __future__ import annotations

import argparse
import io
import lzma
from pathlib import Path

import numpy as np
import pysz
import zstandard
from alternation import describe_machine, median_seconds
from pcodec import ChunkConfig, standalone

from seqembed import LSTMAutoencoder
from seqembed.codec import SequenceCodec
from seqembed.codec.model.lattice import nearest_bins
from seqembed.codec.model.residual_network import ResidualNetwork
from seqembed.datasets import load_basic_motions, load_ecg, load_italy_power, load_japanese_vowels

BOUNDS = (0.1, 0.01, 0.001, 0)


def main() -> None:
    """Read the command line and print a table for each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of .npz files")
    parser.add_argument("--embeddings", action="store_true", help="also use the embeddings of an autoencoder")
    parser.add_argument("--sets", nargs="+", help="names of the sets to measure; by default all")
    arguments = parser.parse_args()
    print(describe_machine(("numpy", "constriction", "zstandard", "pcodec", "pysz")))
    sets = packaged_sets() | (sets_in(arguments.data) if arguments.data else {})
    for name, (train, test) in sets.items():
        if not arguments.sets or name in arguments.sets:
            measure(name, train, test)
            if arguments.embeddings and len(train) > 1:
                measure_embeddings(train, test)
    random = np.random.default_rng(0)
    steps = random.normal(size=(20_000, 50, 6)).astype(np.float32)
    # A network models bursts of large steps better, and takes longer.
    sizes = np.where(random.random((20_000, 5, 1)) < 0.3, 8, 0.5).repeat(10, axis=1).astype(np.float32)
    for name, X in {"random walks": steps, "with bursts": steps * sizes}.items():
        walks = X.cumsum(axis=1)
        codec = SequenceCodec(max_relative_error=0.01).fit(walks[:2000])
        n_networks = sum(isinstance(model.distribution, ResidualNetwork) for model in codec.coder_.models)
        print(
            f"speed, 20000 {name} of 50 timesteps and 6 features, {n_networks} networks: "
            f"{speeds(codec, walks, codec.encode(walks))}"
        )


def packaged_sets() -> dict[str, tuple[list, list]]:
    """Return training and test sequences of the sets of `seqembed.datasets`, as lists of (n_timesteps, n_features)."""
    sets = {}
    for load in (load_basic_motions, load_japanese_vowels, load_italy_power):
        parts = (load(split=split).data for split in ("train", "test"))
        sets[load.__name__.removeprefix("load_")] = tuple(
            [x.reshape(len(x), -1).astype(np.float32) for x in part] for part in parts
        )
    recording = load_ecg().data.astype(np.float32).reshape(-1, 1)
    return sets | {"ecg": ([recording[: len(recording) // 2]], [recording[len(recording) // 2 :]])}


def sets_in(folder: Path) -> dict[str, tuple[list, list]]:
    """Return training and test sequences of the files in a folder."""
    sets = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as file:
            if "series" in file:
                series = file["series"].astype(np.float32)
                end = int(file["train_end"]) if "train_end" in file else len(series) // 2
                sets[path.stem] = ([series[:end]], [series[end:]])
                continue
            parts = []
            for part in ("train", "test"):
                X = file[f"X_{part}"].astype(np.float32)
                lengths = file[f"lengths_{part}"] if f"lengths_{part}" in file else [X.shape[1]] * len(X)
                parts.append([x[:length] for x, length in zip(X, lengths, strict=True)])
            sets[path.stem] = tuple(parts)
    return sets


def measure(name: str, train: list, test: list) -> None:
    """Print a line for each bound."""
    n_values = sum(x.size for x in test)
    print(f"{name}: {n_values} values to compress")
    for bound in BOUNDS:
        codec = SequenceCodec(max_relative_error=bound).fit(train)
        data = codec.encode(test)
        if bound:
            errors = [np.abs(x - y.astype(float)) for x, y in zip(test, codec.decode(data), strict=True)]
            kept = max((each / np.maximum(codec.bound_, np.finfo(float).tiny)).max() for each in errors)
        else:
            kept = 0.0
        # If the lengths are unequal, the other codecs need them too.
        lengths = np.array([len(x) for x in test], np.uint16)
        of_lengths = len(lzma.compress(lengths.tobytes())) if len(set(lengths.tolist())) > 1 else 0
        peers = {peer: size + of_lengths for peer, size in of_peers(np.concatenate(test), codec).items()}
        best = min(peers, key=peers.get)
        shown = ", ".join(f"{peer} {8 * size / n_values:.3f}" for peer, size in peers.items())
        print(
            f"  {100 * bound:4.1f} %: {8 * len(data) / n_values:6.3f} bits a value, {len(data) / peers[best]:.2f} of "
            f"{best} ({shown}); largest error {kept:.3f} of the bound; codec {codec_bytes(codec) / 1000:.0f} kB; "
            f"{speeds(codec, test, data)}"
        )


def measure_embeddings(train: list, test: list) -> None:
    """Print how many bits the embeddings of an autoencoder that only reconstructs save."""
    n_values = sum(x.size for x in test)
    autoencoder = LSTMAutoencoder(context_size=0, readout_weight=0, random_state=0).fit(train)
    for bound in (0.1, 0.05, 0.01):
        codecs = [SequenceCodec(each, max_relative_error=bound).fit(train) for each in (None, autoencoder)]
        without, data = (codec.encode(test) for codec in codecs)
        print(
            f"  {100 * bound:4.1f} % with embeddings: {8 * len(data) / n_values:6.3f} bits a value, "
            f"{len(data) / len(without):.3f} of {8 * len(without) / n_values:.3f}; "
            f"codec {codec_bytes(codecs[1]) / 1000:.0f} kB; {speeds(codecs[1], test, data)}"
        )


def codec_bytes(codec: SequenceCodec) -> int:
    """Count the bytes of a saved codec."""
    file = io.BytesIO()
    codec.save(file)
    return len(file.getvalue())


def speeds(codec: SequenceCodec, sequences: list, data: bytes) -> str:
    """Return megabytes of values a second."""
    seconds = median_seconds({"encodes": lambda: codec.encode(sequences), "decodes": lambda: codec.decode(data)}, 3)
    megabytes = sum(x.nbytes for x in sequences) / 1e6
    return ", ".join(f"{name} {megabytes / each:.1f} MB/s" for name, each in seconds.items())


def of_peers(values: np.ndarray, codec: SequenceCodec) -> dict[str, int]:
    """Return the bytes that each peer needs for values of shape (n_values, n_features) within the same bounds."""
    lattice = codec.coder_.lattice
    integers, _ = lattice.integers(values)
    bins = nearest_bins(integers, lattice.bin_widths)
    lossless = not lattice.bound.any()
    if lossless:
        orders = [np.ascontiguousarray(values), np.ascontiguousarray(values.T)]
    else:
        above = bins - bins.min(axis=0)
        narrow = above.astype(np.min_scalar_type(int(above.max())))
        orders = [np.ascontiguousarray(narrow), np.ascontiguousarray(narrow.T)]
    sizes = {
        "zstd": min(len(zstandard.ZstdCompressor(19).compress(each.tobytes())) for each in orders),
        "xz": min(len(lzma.compress(each.tobytes(), preset=9 | lzma.PRESET_EXTREME)) for each in orders),
        "pcodec": sum(
            len(standalone.simple_compress(column, ChunkConfig(compression_level=12)))
            for column in (values if lossless else bins.astype(np.int32)).T.copy()
        ),
    }
    if not lossless:
        # SZ3 has one bound for all values, so values are divided by the bound of their feature.
        scaled = np.ascontiguousarray((values / lattice.bound).astype(np.float32))
        scaled = [scaled, np.ascontiguousarray(scaled.T)]
        sizes["SZ3"] = min(_sz3(each, algorithm) for each in scaled for algorithm in SZ3_ALGORITHMS)
    return sizes


SZ3_ALGORITHMS = [
    getattr(pysz.szAlgorithm, name)
    for name in ("INTERP_LORENZO", "INTERP", "LORENZO_REG")
    if hasattr(pysz.szAlgorithm, name)
]


def _sz3(values: np.ndarray, algorithm) -> int:
    config = pysz.szConfig()
    config.errorBoundMode, config.absErrorBound, config.cmprAlgo = pysz.szErrorBoundMode.ABS, 1.0, algorithm
    return pysz.sz.compress(values, config)[0].nbytes


if __name__ == "__main__":
    main()
