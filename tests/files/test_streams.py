import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import NothingThere, Trickle

from seqembed.files.streams import read_up_to, write_all

DATA = bytes(range(256)) * 5


@given(most=st.integers(1, 2000), n_bytes=st.integers(0, 2000))
def test_a_file_that_gives_and_takes_little_gives_and_takes_all(most, n_bytes):
    file = Trickle(most=most)
    write_all(DATA, file)
    assert file.getvalue() == DATA
    file = Trickle(DATA, most)
    assert read_up_to(file, n_bytes) == DATA[:n_bytes]
    assert read_up_to(file, len(DATA)) == DATA[n_bytes:]


def test_any_buffer_that_a_file_gives_is_read():
    class Views(io.BytesIO):
        def read(self, size=-1):
            return memoryview(super().read(size))

    assert read_up_to(Views(DATA), 10) == DATA[:10]


@pytest.mark.parametrize("returned", [0, -1, 2000])
def test_a_file_that_takes_nothing_is_refused_rather_than_believed(returned):
    class Writer:
        def write(self, data):
            return returned

    with pytest.raises(OSError, match=f"write returned {returned} after 0 of 1280 bytes.*save to io.BytesIO"):
        write_all(DATA, Writer())


def test_a_class_whose_write_returns_nothing_gets_all_bytes_at_once_but_an_unbuffered_file_has_taken_none():
    taken = []

    class Writer:
        def write(self, data):
            taken.append(bytes(data))

    write_all(DATA, Writer())
    assert taken == [DATA]
    with pytest.raises(OSError, match="write returned None after 0 of 1280 bytes"):
        write_all(DATA, NothingThere())


def test_a_file_that_does_not_block_is_refused_with_the_line_that_mends_it():
    with pytest.raises(OSError, match=r"read returned None.*os\.set_blocking\(file\.fileno\(\), True\)"):
        read_up_to(NothingThere(), 3)


def test_files_opened_as_text_are_refused_before_anything_is_written():
    file = io.StringIO()
    with pytest.raises(TypeError, match=r'opened as text, expected open\(path, "wb"\)'):
        write_all(DATA, file)
    assert file.getvalue() == ""
    with pytest.raises(TypeError, match=r'opened as text, expected open\(path, "rb"\)'):
        read_up_to(io.StringIO("text"), 3)


def test_a_file_opened_as_text_is_refused_before_its_bytes_are_decoded(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(DATA)
    with path.open(encoding="utf-8") as file, pytest.raises(TypeError, match=r"opened as text.*open\(path, \"rb\"\)"):
        read_up_to(file, 10)
