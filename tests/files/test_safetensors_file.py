import bz2
import gzip
import hashlib
import io
import json
import lzma
import pickle
import struct
import time
import tracemalloc

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import Trickle

from seqembed.files.safetensors_file import InvalidFileError, pack, unpack

DATA = pack({"name": "model"}, {"weights": np.arange(6, dtype=np.float32).reshape(2, 3), "means": np.zeros(2)})


def with_header(header, values=b""):
    return struct.pack("<Q", len(header)) + header + values


def safetensors_header(entries, **metadata):
    metadata = {"format": "seqembed", "format_version": "1", "description": "{}", "sha256": "0" * 64} | metadata
    return json.dumps({"__metadata__": metadata} | entries, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3).T, np.arange(12.0)[::2], np.zeros((0, 3)), np.array(2.0)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_of_any_layout_come_back_equal(array, dtype):
    array = array.astype(dtype, order="K")
    description, arrays = unpack(pack({"a": [1, None, "é"]}, {"x/y": array}))
    assert description == {"a": [1, None, "é"]}
    np.testing.assert_array_equal(arrays["x/y"], array)
    assert arrays["x/y"].dtype == dtype


def test_the_same_content_gives_the_same_bytes():
    arrays = {f"array {number}": np.full(number, number, np.float32) for number in range(5)}
    assert len({pack({"name": "model", "é": [1]}, arrays) for _ in range(20)}) == 1


def test_the_header_is_padded_so_that_arrays_are_aligned_and_keeps_letters_as_they_are():
    for name in ("a", "ab", "abc", "é", "длина"):
        data = pack({"name": name}, {name: np.ones(3, np.float32), f"{name} before": np.ones(2)})
        (length,) = struct.unpack("<Q", data[:8])
        header = data[8 : 8 + length]
        assert length % 8 == 0
        assert length - len(header.rstrip()) < 8
        assert name.encode() in header
        spans = [entry["data_offsets"] for key, entry in json.loads(header).items() if key != "__metadata__"]
        assert spans == sorted(spans)


def test_a_description_holds_no_number_that_json_does_not_have():
    with pytest.raises(ValueError, match="not JSON compliant"):
        pack({"learning_rate": np.nan}, {})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"1234567", "Got 7 bytes, expected a file that seqembed saved."),
        (DATA[:20], "Got a file of 20 bytes, shorter than its header. Save it again."),
        (DATA + b"?", "Got more bytes after the header, expected 40. Save the file again."),
        (DATA[:-3], "Got 37 bytes after the header, expected 40. Save the file again."),
        (DATA[:-1] + b"?", "The file was changed after it was saved: its digest does not match. Save it again."),
        (
            with_header(b"{}"),
            "Got a safetensors file without the metadata of seqembed: seqembed did not save it.",
        ),
        (
            struct.pack("<Q", (1 << 20) + 1) + b"{",
            "Got a header of 1048577 bytes, expected at most 1048576: .* did not save",
        ),
        (struct.pack("<Q", 1 << 20) + b"{", "Got a file of 9 bytes, shorter than its header. Save it again."),
        (
            with_header(safetensors_header({}, format_version="2")),
            "Got a file .* version '2', expected 'seqembed', version",
        ),
        (with_header(b"[]"), "Got a header that is no JSON object: seqembed did not save this file."),
        (with_header(b"{'"), "Got a header that is no valid JSON: seqembed did not save this file."),
        (with_header(b'{"a": NaN}'), "Got NaN in the header, which is no JSON."),
        (with_header(b'{"a": 1, "a": 1}'), "Got a header in which a name occurs twice."),
    ],
)
def test_files_that_seqembed_did_not_save_are_refused_with_the_reason(data, message):
    with pytest.raises(InvalidFileError, match=f"^{message}"):
        unpack(data)


def test_text_that_looks_like_a_digest_is_kept():
    description = {"zeros": "0" * 64, "field": f'"sha256":"{"0" * 64}"'}
    assert unpack(pack(description, {}))[0] == description


def test_paths_bytes_and_file_objects_are_read(tmp_path):
    (tmp_path / "file").write_bytes(DATA)
    for file in (tmp_path / "file", str(tmp_path / "file"), DATA, bytearray(DATA), io.BytesIO(DATA)):
        assert unpack(file)[0] == {"name": "model"}
    with pytest.raises(TypeError, match="Got file= of type int, expected a path"):
        unpack(3)
    with pytest.raises(FileNotFoundError):
        unpack(tmp_path / "other")


def test_a_socket_that_gives_a_few_bytes_at_a_time_is_read_to_its_end(tmp_path):
    assert unpack(Trickle(DATA))[0] == {"name": "model"}
    (tmp_path / "file").write_bytes(DATA)
    with open(tmp_path / "file", "rb", buffering=0) as file:
        assert unpack(file)[0] == {"name": "model"}
    with pytest.raises(InvalidFileError, match="Got a file of 60 bytes, shorter than its header"):
        unpack(Trickle(DATA[:60]))


def compressed_by_joblib(value, compress):
    file = io.BytesIO()
    joblib.dump(value, file, compress=compress)
    return file.getvalue()


def archive(value):
    file = io.BytesIO()
    np.savez(file, value)
    return file.getvalue()


def array_file(value):
    file = io.BytesIO()
    np.save(file, value)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "remedy"),
    [
        *((pickle.dumps(np.arange(9), protocol), "joblib.load") for protocol in range(2, 6)),
        *((compressed_by_joblib(np.arange(9), each), "joblib.load") for each in (0, 1, 3, 9, "gzip", "bz2", "xz")),
        (archive(np.arange(9)), "skops.io.load, keras.models.load_model or numpy.load"),
        (array_file(np.arange(9)), r"numpy.load\(file\)"),
        (b"\x89HDF\r\n\x1a\n" + bytes(90), "h5py.File"),
        (b"SEQC" + bytes(90), "SequenceCodec.load"),
    ],
)
def test_a_file_of_joblib_was_said_to_have_a_header_of_gigabytes(data, remedy):
    with pytest.raises(InvalidFileError, match=rf"Got a file of another format .*expected .*{remedy}"):
        unpack(data)


@pytest.mark.parametrize("module", [gzip, bz2, lzma])
def test_a_model_that_was_compressed_was_said_to_be_a_joblib_file(module, tmp_path):
    (tmp_path / "model").write_bytes(module.compress(DATA))
    with pytest.raises(InvalidFileError, match=rf"compressed by {module.__name__}.*{module.__name__}\.open\(file\)"):
        unpack(tmp_path / "model")
    assert unpack(module.open(tmp_path / "model"))[0] == {"name": "model"}


def test_a_header_whose_length_looks_like_a_pickle_is_read():
    lengths = {}
    for extra in range(1200):
        data = pack({"name": "x" * extra}, {})
        lengths[struct.unpack("<Q", data[:8])[0]] = data
        if 0x480 in lengths:
            break
    assert lengths[0x480].startswith(b"\x80\x04")
    assert unpack(lengths[0x480])[0]["name"].startswith("x")


def test_every_truncation_and_every_addition_is_refused():
    for length in range(len(DATA)):
        with pytest.raises(InvalidFileError):
            unpack(DATA[:length])
    with pytest.raises(InvalidFileError, match="Got more bytes after the header"):
        unpack(DATA + b"\0")


def test_every_flipped_bit_is_refused():
    for position in range(8 * len(DATA)):
        flipped = bytearray(DATA)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(InvalidFileError):
            unpack(flipped)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data):
    for each in (data, with_header(data), with_header(data, data)):
        with pytest.raises(InvalidFileError):
            unpack(each)


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


JSON, METADATA = "is no valid JSON", "without the metadata of seqembed"
KIND, OFFSETS, HOLE = (
    "of dtype or shape that seqembed does not save",
    "whose offsets don't match",
    "overlap or leave a hole",
)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"[]", "no JSON object"),
        (b"{}", METADATA),
        (b"nonsense", JSON),
        (b"\xff" * 20, JSON),
        (b"[" * 100_000, JSON),
        (b'{"a":' * 100_000, JSON),
        (b'{"a": NaN}', "NaN in the header"),
        (b'{"a": ' + b"9" * 5000 + b"}", JSON),
        (b'{"__metadata__": {}, "__metadata__": {}}', "a name occurs twice"),
        (safetensors_header({}, format="other"), "of the format 'other'"),
        (safetensors_header({}, format_version="2"), "version '2'"),
        (safetensors_header({}, more="x"), METADATA),
        (safetensors_header({}, description=3), METADATA),
        (safetensors_header({"a": 3}), "without dtype, shape and offsets"),
        (safetensors_header({"a": ENTRY | {"dtype": "C64"}}), KIND),
        (safetensors_header({"a": ENTRY | {"dtype": ["F32"]}}), KIND),
        (safetensors_header({"a": ENTRY | {"shape": [2.0]}}), KIND),
        (safetensors_header({"a": ENTRY | {"shape": [-2]}}), KIND),
        (safetensors_header({"a": ENTRY | {"shape": [0, 2**60]}}), KIND),
        (safetensors_header({"a": ENTRY | {"shape": [1] * 65}}), KIND),
        (safetensors_header({"a": ENTRY | {"data_offsets": [0]}}), OFFSETS),
        (safetensors_header({"a": ENTRY | {"data_offsets": [8, 0]}}), OFFSETS),
        (safetensors_header({"a": ENTRY | {"data_offsets": [0, 2**62]}}), KIND),
        (safetensors_header({"a": ENTRY | {"data_offsets": [8, 16]}}), HOLE),
        (safetensors_header({"a": ENTRY, "b": ENTRY}), HOLE),
        (safetensors_header({"a": ENTRY}), "digest does not match"),
        (safetensors_header({"a": ENTRY}, sha256="x"), "digest does not match"),
    ],
)
def test_hostile_headers_are_refused_with_the_reason(header, message):
    with pytest.raises(InvalidFileError, match=message):
        unpack(with_header(header, bytes(8)))


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("[" * 100_000, JSON),
        ('{"a":' * 100_000, JSON),
        ("[]", "no JSON object"),
        ('{"a": NaN}', "NaN in the header"),
        ('{"a": 1, "a": 1}', "a name occurs twice"),
    ],
)
def test_hostile_descriptions_are_refused_although_their_digest_is_right(description, message):
    def with_digest(description):
        data = with_header(safetensors_header({"a": ENTRY}, description=description), bytes(8))
        return data.replace(b"0" * 64, hashlib.sha256(data).hexdigest().encode())

    assert unpack(with_digest("{}"))[0] == {}
    with pytest.raises(InvalidFileError, match=message):
        unpack(with_digest(description))


@pytest.mark.parametrize("shape", [[0, 1 << 47, 1 << 47, 1 << 47], [1 << 40, 0, 1 << 40]])
def test_an_array_without_numbers_whose_shape_numpy_does_not_have_is_refused(shape):
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}
    data = with_header(safetensors_header({"a": entry}))
    data = data.replace(b"0" * 64, hashlib.sha256(data).hexdigest().encode())
    with pytest.raises(InvalidFileError, match="dtype or shape that seqembed does not save"):
        unpack(data)


@pytest.mark.parametrize(
    "n_bytes", [1_000, *(pytest.param(n, marks=pytest.mark.slow) for n in (1_000_000, 100_000_000)), 10_000_000]
)
def test_large_headers_take_neither_memory_nor_time(n_bytes, tmp_path):
    empty = b',"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    header = safetensors_header({})[:-1]
    header += b"".join(empty % number for number in range(min(n_bytes, 2_000_000) // len(empty)))
    path = tmp_path / "hostile"
    path.write_bytes(with_header((header + b"}").ljust(n_bytes)))
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(InvalidFileError):
        unpack(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6
    # Memory is traced, which makes it several times slower.
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("claimed", [1 << 36, 1 << 44])
def test_a_header_that_claims_much_does_not_reserve_it(claimed, tmp_path):
    entry = {"dtype": "F32", "shape": [claimed // 4], "data_offsets": [0, claimed]}
    (tmp_path / "hostile").write_bytes(with_header(safetensors_header({"a": entry}), bytes(8)))
    with pytest.raises(InvalidFileError, match="Got 8 bytes after the header"):
        unpack(tmp_path / "hostile")


def test_a_file_opened_as_text_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match=r'opened as text, expected open\(path, "rb"\)'):
        unpack(io.StringIO("text"))


def test_a_description_that_would_not_be_read_is_not_written():
    with pytest.raises(ValueError, match="expected at most 1048576"):
        pack({"names": "x" * (1 << 20)}, {})


def test_a_file_object_that_stands_at_its_end_is_refused_with_the_line_that_goes_back():
    file = io.BytesIO()
    file.write(DATA)
    with pytest.raises(InvalidFileError, match=r"Got 0 bytes.*go back to its start: file.seek\(0\)"):
        unpack(file)
    file.seek(0)
    unpack(file)
    with pytest.raises(InvalidFileError, match=r"Got 0 bytes, expected a file that seqembed saved\.$"):
        unpack(b"")
