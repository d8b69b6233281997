"""Feed the two readers of untrusted bytes with changed files, guided by the lines that they reach.

It needs ``pip install atheris`` and the extra ``codec``. ``python tests/fuzz.py estimator 1800`` changes files of
estimators for 1,800 seconds, ``python tests/fuzz.py codec 1800`` bytes and files of codecs. Values, shapes, lengths and
single bytes change. Most inputs then get the offsets, the digest, the checksums and the fingerprint that they need:
otherwise they would get no further. A folder after the seconds keeps the corpus for a later run.

A finding is one of these. The first input of each is kept, and the run goes on. libFuzzer prints inputs and coverage.

- Reading raises another error than `InvalidFileError` or `InvalidStreamError`, or NumPy warns.
- An estimator was read, and a method then raises an error that is not in the words of seqembed.
- An input takes more than five seconds of processor time, or more than 1 GB.

A crash of the process, and an input of more than a minute, end the run: libFuzzer keeps the input, and says where.
"""

import contextlib
import copy
import hashlib
import io
import json
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["seqembed"]):
    import seqembed
    from seqembed.codec import InvalidStreamError, SequenceCodec
    from seqembed.codec.bytes import container, lengths
    from seqembed.codec.bytes.base128 import pack_numbers, pack_part
    from seqembed.codec.bytes.xz import compressed
    from seqembed.codec.codec_file import fingerprint, restored

TESTS = Path(__file__).parent
SECONDS, BYTES = 5, 1 << 30
DTYPES = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
FLOATS = [0, -0.0, 1, -1, 0.5, 1e-40, 1e30, -1e30, 3e38, np.nan, np.inf, -np.inf, 1 << 24, -(1 << 53), 1e300]
NUMBERS = [0, 1, 2, 3, 40, 127, 128, 512, 1000, 1 << 16, 1 << 20, 1 << 31, (1 << 32) - 1, 1 << 40, 1 << 62]
VALUES = [None, True, False, "", "nan", "tanh", [], {}, -1, -(1 << 62), 1 << 63, 1 << 80, 0.5, 1e308, *NUMBERS]
VALUES += [{"float": "nan"}, {"float": "-inf"}, {"list": []}, {"tuple": []}, {"dict": {}}, {"names": ["a"]}]
VALUES += [{"integers": [0]}, {"integers": [-1, 1 << 40]}, {"list": [1]}, {"tuple": [{"list": []}]}]


def opened(data):
    """Return the header of a file, its description and its arrays by name."""
    end, arrays = 8 + int.from_bytes(data[:8], "little"), {}
    header = json.loads(data[8:end])
    for name in [name for name in header if name != "__metadata__"]:
        entry = header.pop(name)
        start, stop = entry["data_offsets"]
        values = np.frombuffer(data[end + start : end + stop], DTYPES[entry["dtype"]])
        arrays[name] = values.reshape(entry["shape"]).copy()
    return header, json.loads(header["__metadata__"]["description"]), arrays


def closed(header, description, arrays, pick):
    """Undo `opened`, with a digest that matches. One in twelve headers is changed before."""
    header, end = copy.deepcopy(header), 0
    header["__metadata__"] |= {"description": json.dumps(description), "sha256": "0" * 64}
    for name, array in arrays.items():
        dtype = "F32" if array.dtype == np.float32 else "F64"
        header[name] = {"dtype": dtype, "shape": [*array.shape], "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    if pick.random() < 1 / 12:
        change(header, pick, [header])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    data = len(text).to_bytes(8, "little") + text + b"".join(array.tobytes() for array in arrays.values())
    field = b'"sha256":"%b"'
    return data.replace(field % (b"0" * 64), field % hashlib.sha256(data).hexdigest().encode(), 1)


def places(tree):
    """Return the container and the key of each value of a tree of JSON's values."""
    found = [(tree, key) for key in (tree if isinstance(tree, dict) else range(len(tree)))]
    return found + [
        place for where, key in found if isinstance(where[key], (dict, list)) for place in places(where[key])
    ]


def change(tree, pick, donors):
    """Change, copy, rename or remove a value of a tree."""
    where, key = pick.choice(places(tree))
    value, action = where[key], pick.randrange(6)
    if isinstance(value, np.ndarray) and action < 4:
        where[key] = changed_array(value, pick)
    elif type(value) in (int, float) and action < 3:
        where[key] = pick.choice([value + 1, value - 1, 2 * value, -value, float(value)])
    elif action < 4:
        del where[key]
        if isinstance(where, dict) and pick.random() < 0.3:
            where[pick.choice(places(tree))[1]] = value
    elif action == 4:
        other, other_key = pick.choice(places(pick.choice(donors)))
        where[key] = copy.deepcopy(other[other_key])
    else:
        where[key] = copy.deepcopy(pick.choice(VALUES))


def changed_array(array, pick):
    """Return an array with another value, shape or dtype."""
    array, action = array.copy(), pick.randrange(8)
    if action < 4 and array.size:
        start = pick.randrange(array.size)
        array.reshape(-1)[start : None if action == 3 else start + 1] = np.array(pick.choice(FLOATS)).astype(
            array.dtype
        )
        return array
    if action < 5:
        return array.astype(np.float64 if array.dtype == np.float32 else np.float32)
    if action < 6:
        return array.reshape(pick.choice([(-1,), (*array.shape, 1), array.shape[::-1], (1, *array.shape)]))
    if action < 7 or not array.ndim:
        return np.concatenate([array.ravel(), array.ravel()[:1]])
    axis = pick.randrange(array.ndim)
    return array.take(range(pick.randrange(array.shape[axis] + 1)), axis)


def mended(description, arrays):
    """Give each array in the description of an estimator a name of its own, and leave out the others."""
    used = {}
    for where, key in places(description):
        if key in ("array", "floats") and isinstance(where[key], str) and where[key] in arrays:
            name = where[key]
            where[key] = f"{name} {len(used)}" if name in used else name
            used[where[key]] = arrays[name]
    return used


def changed_file(data, pick):
    """Return a changed file, of an estimator or of a codec."""
    header, description, arrays = opened(data)
    for _ in range(pick.choice([1, 1, 1, 2, 3])):
        change(*((arrays, pick, [arrays]) if pick.random() < 0.4 else (description, pick, DONORS)))
    arrays = {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}
    if TARGET == "estimator":
        arrays = mended(description, arrays)
    elif pick.random() < 0.9:
        # What is raised here, the reader raises too.
        with contextlib.suppress(Exception):
            description["fingerprint"] = fingerprint(restored(description, arrays, AUTOENCODER.model_)).hex()
    return closed(header, description, arrays, pick)


def changed_stream(data, pick):
    """Return changed bytes of a codec: another header, or a changed block."""
    header = container.unpack_header(data)
    blocks = [container.block(data, place) for place in container.locate_blocks(data)] or [b"\0\0"]
    if pick.random() < 0.2:
        dtype = np.dtype(pick.choice(container._DTYPES))
        header = header._replace(layout=pick.randrange(6), dtype=dtype, n_timesteps=pick.choice(NUMBERS))
    if pick.random() < 0.9:
        blocks[-1] = changed_block(blocks[-1], header.dtype, pick)
    return container.pack(header, (blocks * pick.choice([1, 1, 1, 1, 0, 2]))[:4])


def changed_block(data, dtype, pick):
    """Return a block with other lengths, another method, or other content."""
    counts, place = lengths.unpack_lengths(data)
    start, method, content = data[:place], data[place : place + 1], data[place + 1 :]
    action, n_values = pick.randrange(12), max(0, int(counts.sum()) + pick.choice([0, 0, 0, 1, -1]))
    words, number = pick.randbytes(4 * pick.randrange(9)), pack_numbers([pick.choice(NUMBERS)])
    if action == 0:
        start = lengths.pack_lengths(np.array([pick.choice([0, 1, 2, 5, 600]) for _ in range(pick.randrange(9))]))
    elif action == 1:
        start = number + bytes([pick.randrange(4)]) + pack_numbers([pick.choice(NUMBERS)])
    elif action == 2:
        method = bytes([pick.choice([0, 1, 2, 64, 65, 66])])
    elif action == 3:
        place = pick.randrange(len(content) + 1)
        content = content[:place] + number + content[place + pick.randrange(3) :]
    elif action == 4:
        gaps = pack_numbers([pick.choice([0, 1, n_values, *NUMBERS]) for _ in range(pick.randrange(1, 4))])
        values = pick.randbytes(dtype.itemsize * pick.randrange(5))
        content += pack_numbers([len(values) // dtype.itemsize, len(gaps)]) + compressed(gaps + values)
    elif action == 5:
        method, content = b"\0", compressed(pick.randbytes(n_values * dtype.itemsize))
    elif action == 6:
        width = pick.choice([0, 1, 2, 3, 4, 8, 16])
        method = b"\2"
        content = pack_part(number + bytes([width]) + compressed(pick.randbytes(n_values * width)))
    elif action == 7:
        escapes = zlib.compress(pick.randbytes(4 * pick.randrange(9)))
        method, content = b"\x40", pack_part(pack_numbers([len(words) // 4]) + words + escapes)
    else:
        content = atheris.Mutate(content, len(content) + 8)
    return start + method + content


def small_estimators():
    """Return files of small estimators, with what those of the folder lack."""
    X, small = np.random.default_rng(0).normal(size=(8, 5, 2)), {"n_components": 2, "hidden_units": (3,), "epochs": 1}
    network = seqembed.LSTMReconstructor(**small)
    files = [io.BytesIO() for _ in range(5)]
    seqembed.LSTMAutoencoder(**small, readout_weight=0.1).partial_fit(X).save(files[0])
    seqembed.LSTMAutoencoder(**small, label_weight=0.1).partial_fit(X, np.arange(8) % 2).save(files[1])
    seqembed.LSTMReconstructor(random_state=np.random.RandomState(0)).save(files[2])
    seqembed.SequenceSummary(2, n_jobs=1).fit(X).set_output(transform="default").save(files[3])
    seqembed.ReconstructionDetector(network, cv=2, contamination=0.1).fit(X).save(files[4])
    return [file.getvalue() for file in files]


def use_estimator(data):
    """Read an estimator, save it, and call its methods with a few short sequences."""
    estimator, normal = seqembed.load(data), np.random.default_rng(0).normal
    estimator.save(io.BytesIO())
    n_features = getattr(estimator, "n_features_", getattr(estimator, "n_features_in_", 1))
    if n_features > 100:
        return
    one_axis = getattr(estimator, "input_ndim_", 3) == 2
    X = [normal(size=n_timesteps if one_axis else (n_timesteps, n_features)) for n_timesteps in (4, 1, 6)]
    for name in ("transform", "score_samples", "predict", "explain", "reconstruct", "reconstruction_error"):
        if hasattr(estimator, name):
            in_words(getattr(estimator, name), X)
    if hasattr(estimator, "inverse_transform") and getattr(estimator, "n_timesteps_", 100) < 100:
        in_words(estimator.inverse_transform, normal(size=(2, estimator.n_components)))
    if hasattr(estimator, "_stream"):
        in_words(estimator.partial_fit, X)


def in_words(method, X):
    """Call a method. Errors that seqembed or scikit-learn raises are no findings, nor are warnings of large weights."""
    try:
        with warnings.catch_warnings(action="ignore"):
            method(X)
    except (ValueError, FloatingPointError) as error:
        # Errors of NumPy come from a line that computes.
        if not traceback.extract_tb(error.__traceback__)[-1].line.startswith("raise"):
            raise


def use_codec(data):
    """Decode bytes, or read a codec and decode the bytes of all codecs."""
    if data.startswith(container.MAGIC):
        CODECS.get(data[7:15], CODECS[STREAMS[0][7:15]]).decode(data)
        return
    codec = SequenceCodec.load(data, AUTOENCODER)
    for stream in STREAMS:
        header = container.unpack_header(stream)._replace(fingerprint=codec._fingerprint)
        blocks = [container.block(stream, place) for place in container.locate_blocks(stream)]
        try:
            with warnings.catch_warnings(action="ignore"):
                codec.decode(container.pack(header, blocks))
        except MemoryError:
            raise
        # SECURITY.md: a crafted codec may raise any error. It may not end the process.
        except Exception:
            pass


TARGET, FOUND = sys.argv[1] if len(sys.argv) > 2 else sys.exit(__doc__), {}
FOLDER = Path(sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp(prefix="fuzz-"))
AUTOENCODER = seqembed.load(TESTS / "codec/files/version_1/autoencoder.seqembed")
PATHS = sorted(TESTS.glob("codec/files/version_1/*.seqc"))
STREAMS = [path.read_bytes() for path in PATHS]
if TARGET == "codec":
    FILES = [path.with_suffix(".seqembed").read_bytes() for path in PATHS]
    CODECS = {codec._fingerprint: codec for codec in (SequenceCodec.load(file, AUTOENCODER) for file in FILES)}
    # A block may claim two million values. With fewer, an input takes milliseconds.
    lengths._MOST_VALUES_PER_BYTE, lengths._SPARE_VALUES = 80, 1 << 13
else:
    FILES = [path.read_bytes() for path in sorted(TESTS.glob("estimators/files/version_1/*.seqembed"))]
    FILES += small_estimators()
DONORS = [opened(file)[1] for file in FILES]


def run_one(data):
    """Read an input, and keep it if it is a finding that is new."""
    start, place = time.process_time(), ""
    try:
        (use_codec if TARGET == "codec" else use_estimator)(data)
    except (KeyboardInterrupt, SystemExit):
        raise
    except (seqembed.InvalidFileError, InvalidStreamError):
        pass
    # Panics of Rust are no Exception.
    except BaseException as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if str(TESTS.parent) in frame.filename]
        where = f"{Path(frames[-1].filename).relative_to(TESTS.parent)}:{frames[-1].lineno}"
        place = f"{type(error).__name__} in {where}: {error}"
    if time.process_time() - start > SECONDS:
        place = f"{SECONDS} seconds"
    if place and (kind := place.partition(": ")[0]) not in FOUND:
        FOUND[kind] = FOLDER / f"found-{len(FOUND)}"
        FOUND[kind].write_bytes(data)
        print(f"FOUND {FOUND[kind]}: {place:.300}", flush=True)


def changed(data, max_size, seed):
    """Return a changed input. One in ten is changed without knowledge of its form."""
    pick, result = random.Random(seed), data
    try:
        if pick.random() < 0.9:
            result = changed_stream(data, pick) if data.startswith(container.MAGIC) else changed_file(data, pick)
    # Inputs that were changed before may have any form, which the readers may refuse with any error.
    except Exception:
        pass
    return atheris.Mutate(data, max_size) if result == data or len(result) > max_size else result


def main():
    """Run libFuzzer."""
    corpus = FOLDER / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate([*FILES, *(STREAMS if TARGET == "codec" else [])]):
        (corpus / f"seed-{number}").write_bytes(data)
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", RuntimeWarning)
    n_pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (n_pages * resource.getpagesize() + BYTES,) * 2)
    options = ["-timeout=60", "-rss_limit_mb=0", "-max_len=200000", "-reduce_inputs=0", "-print_final_stats=1"]
    options += [f"-max_total_time={sys.argv[2]}", f"-artifact_prefix={FOLDER}/", str(corpus)]
    atheris.Setup([sys.argv[0], *options], run_one, custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
