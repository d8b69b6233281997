import io
import zlib

import numpy as np
import pytest
from streams import Trickle

from seqembed.codec import InvalidStreamError
from seqembed.codec.bytes.container import (
    VERSION,
    Header,
    Layout,
    block,
    check_dtype,
    locate_blocks,
    pack,
    read_one,
    unpack_header,
)


def header(layout, n_features=1):
    return Header(layout, np.dtype("f4"), b"12345678", n_features, n_timesteps=0, n_blocks=2)


@pytest.mark.parametrize("layout", Layout)
def test_each_layout_comes_back(layout):
    data = pack(header(layout), [b"one", b"two"])
    assert unpack_header(data) == header(layout)
    assert unpack_header(data).layout is layout
    assert [block(data, place) for place in locate_blocks(data)] == [b"one", b"two"]


def test_numbers_of_layouts_never_change():
    names = ["LIST", "ARRAY", "UNIVARIATE_LIST", "UNIVARIATE_ARRAY", "RECORDING"]
    assert {layout.name: layout.value for layout in Layout} == {name: number for number, name in enumerate(names)}


@pytest.mark.parametrize(
    ("layout", "is_possible"),
    [(0, True), (1, True), (2, False), (3, False), (4, True), (5, False)],
    ids=["list", "array", "univariate list", "univariate array", "recording", "unknown"],
)
def test_layouts_that_two_features_cannot_have_are_refused(layout, is_possible):
    data = pack(header(layout, n_features=2), [b"one", b"two"])
    if is_possible:
        assert unpack_header(data).n_features == 2
    else:
        with pytest.raises(InvalidStreamError, match=f"layout {layout}"):
            unpack_header(data)


def test_a_socket_that_gives_a_few_bytes_at_a_time_is_read_to_its_end():
    data = pack(header(Layout.LIST), [b"one", b"two" * 100])
    file = Trickle(data + data + data[:-1], most=3)
    assert read_one(file) == read_one(file) == data
    with pytest.raises(InvalidStreamError, match="Got a file that ends within block 1"):
        read_one(file)


def test_a_file_of_codes_opened_as_text_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match=r'opened as text, expected open\(path, "rb"\)'):
        read_one(io.StringIO("SEQC"))


WHOLE = pack(header(Layout.LIST), [b"one", b"two" * 100])
HEADER_SIZE = len(pack(header(Layout.LIST), []))


def with_valid_checksum(start):
    """Bytes of a header that somebody has changed, with the checksum that belongs to them."""
    return start + zlib.crc32(start).to_bytes(4, "little")


def changed(place, byte):
    """The header with another byte, and the checksum that belongs to it."""
    start = bytearray(WHOLE[: HEADER_SIZE - 4])
    start[place] = byte
    return with_valid_checksum(bytes(start)) + WHOLE[HEADER_SIZE:]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Got 0 bytes, fewer than a header has. Pass all bytes that encode returned."),
        (WHOLE[:7], "Got 7 bytes, fewer than a header has. Pass all bytes that encode returned."),
        (b"PK" + WHOLE[2:], "Got bytes that start with b'PK.*', expected b'.*': encode did not write them."),
        (
            changed(4, VERSION + 1),
            f"Got version {VERSION + 1}, expected {VERSION}: pip install -U seqembed may read it.",
        ),
        (changed(4, 0), f"Got version 0, expected {VERSION}: no released seqembed wrote it."),
        (WHOLE[: HEADER_SIZE - 7], "Got bytes that end within the header. Pass all bytes that encode returned."),
        (WHOLE[: HEADER_SIZE - 1], "Got a damaged header: its checksum does not match. Encode the sequences again."),
        (changed(6, 255), "Got layout 0 and dtype 255, which this version does not have."),
        (changed(6, 11), "Got layout 0 and dtype 11, which this version does not have."),
        (WHOLE[:HEADER_SIZE], "Got bytes that end within block 0. Pass all bytes that encode returned."),
        (
            WHOLE[:-1],
            "Got bytes that end within block 1. Pass all bytes that encode returned. Blocks before it can be read.",
        ),
        (WHOLE + b"more", "Got 4 bytes after the last block, expected none."),
    ],
)
def test_bytes_that_no_encoder_wrote_are_refused_with_the_reason(data, message):
    with pytest.raises(InvalidStreamError, match=f"^{message}$"):
        locate_blocks(data)


@pytest.mark.parametrize("size", [(1 << 32) - 1, 1 << 32])
@pytest.mark.parametrize("name", ["n_features", "n_timesteps"])
def test_sizes_beyond_any_memory_are_refused(name, size):
    data = pack(header(Layout.LIST)._replace(**{name: size}), [])
    if size < 1 << 32:
        assert getattr(unpack_header(data), name) == size
    else:
        with pytest.raises(InvalidStreamError, match=f"{size} .* in layout 0, which no codec wrote"):
            unpack_header(data)


@pytest.mark.parametrize("n_bytes", [0, 1, 127, 128, 129, 300, 20_000])
def test_blocks_of_any_size_lie_behind_one_another(n_bytes):
    data = pack(header(Layout.LIST), [b"x" * n_bytes, b"last"])
    assert [len(block(data, place)) for place in locate_blocks(data)] == [n_bytes, 4]
    assert read_one(io.BytesIO(data + b"more")) == data


def test_blocks_before_the_end_of_bytes_that_were_cut_off_are_found():
    first, second = locate_blocks(WHOLE)
    for end in (first.stop, second.stop - 1):
        assert locate_blocks(WHOLE[:end], end=1) == [first]
        with pytest.raises(InvalidStreamError, match="end within block 1"):
            locate_blocks(WHOLE[:end], end=2)
    assert locate_blocks(WHOLE, end=2) == [first, second]


def test_a_damaged_block_is_named_by_its_number():
    place = locate_blocks(WHOLE)[1]
    data = WHOLE[: place.stop - 1] + b"?"
    assert block(data, locate_blocks(data)[0]) == b"one"
    with pytest.raises(
        InvalidStreamError, match=r"^Block 1 is damaged: its checksum does not match. Other blocks can be"
    ):
        block(data, place, 1)
    with pytest.raises(InvalidStreamError, match=r"^Block 0 is damaged"):
        block(data, place)


def test_a_file_that_ends_within_a_block_is_refused_and_one_at_its_end_has_no_bytes():
    assert read_one(io.BytesIO(b"")) == b""
    with pytest.raises(InvalidStreamError, match=r"^Got a file that ends within block 1. Encode the sequences again.$"):
        read_one(io.BytesIO(WHOLE[:-1]))
    with pytest.raises(InvalidStreamError, match=r"^Got bytes that end within block 0."):
        read_one(io.BytesIO(WHOLE[:HEADER_SIZE]))


@pytest.mark.parametrize("dtype", ["f2", ">f4", "f8", "i1", "u1", ">u2", "i8"])
def test_dtypes_of_any_byte_order_have_a_place_in_the_header(dtype):
    check_dtype(dtype)
    data = pack(header(Layout.LIST)._replace(dtype=np.dtype(dtype)), [])
    assert unpack_header(data).dtype == np.dtype(dtype).newbyteorder("<")
    for refused in (bool, complex, "U3"):
        with pytest.raises(ValueError, match="expected floats of 16 to 64 bits or integers"):
            check_dtype(refused)
