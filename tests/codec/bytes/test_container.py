import io

import numpy as np
import pytest
from streams import Trickle

from seqembed.codec import InvalidStreamError
from seqembed.codec.bytes.container import Header, Layout, block, locate_blocks, pack, read_one, unpack_header


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
