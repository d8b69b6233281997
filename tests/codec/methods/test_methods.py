import tracemalloc

import numpy as np
import pytest

from seqembed.codec import InvalidStreamError, blocks
from seqembed.codec.bounded_coder import learn_bounded_coder
from seqembed.codec.bytes.damage import DAMAGE
from seqembed.codec.bytes.lengths import pack_lengths
from seqembed.codec.methods import bins_xz, raw_pcodec, raw_xz
from seqembed.codec.methods.block import Block, BlockShape
from seqembed.codec.methods.method import Method
from seqembed.codec.methods.predicted import FIRST_NUMBER, prediction_methods
from seqembed.codec.methods.table import METHODS


def walks(dtype=np.float32):
    X = 20 * np.random.default_rng(0).normal(size=(30, 20, 2)).cumsum(axis=1)
    return [x[: 1 + row % 20] for row, x in enumerate(X.astype(dtype))]


@pytest.fixture(scope="session")
def coder():
    return learn_bounded_coder(walks(), np.array([0.5, 0.5]))


def test_no_two_methods_have_the_same_number(coder):
    numbers = [method.number for method in [*METHODS, *prediction_methods(coder.models, None)]]
    assert len(set(numbers)) == len(numbers)
    assert max(method.number for method in METHODS) < FIRST_NUMBER


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.dtype(">f4")])
def test_each_method_decodes_what_it_encodes(coder, dtype):
    block = Block(walks(dtype), coder.lattice)
    shape = BlockShape(block.lengths, block.values.dtype, coder.lattice)
    for method in [*METHODS, *prediction_methods(coder.models, None)]:
        decoded = method.decode(method.encode(block), shape)
        assert (decoded.shape, decoded.dtype) == (block.values.shape, block.values.dtype)
        if method.kind == "raw":
            np.testing.assert_array_equal(decoded, block.values)
        else:
            assert np.abs(decoded.astype(np.float64) - block.values).max() <= 0.5


def test_raw_methods_are_not_tried_where_predictions_are_short(coder):
    block = Block(walks(), coder.lattice, tries_bins=True)
    few, many = 0.1 * block.values.nbytes, 0.5 * block.values.nbytes
    for raw in (raw_xz.METHOD, raw_pcodec.METHOD):
        assert not raw.may_win(block, few)
        assert raw.may_win(block, many)
    assert not raw_pcodec.METHOD.may_win(Block(walks(np.int8), coder.lattice), np.inf)
    assert bins_xz.METHOD.may_win(block, few)
    assert not bins_xz.METHOD.may_win(Block(walks(), coder.lattice), few)


def test_a_new_method_is_one_value_in_the_table(coder, monkeypatch):
    def decode(data, shape):
        return np.tile(np.frombuffer(data, shape.dtype), (shape.n_timesteps, 1))

    constant = Method(
        number=63,
        kind="constant",
        may_win=lambda block, n_bytes: True,
        encode=lambda block: block.values[:1].tobytes(),
        decode=decode,
    )
    monkeypatch.setattr(blocks, "STAGES", [*blocks.STAGES, [constant]])
    monkeypatch.setattr(blocks, "METHODS", [*blocks.METHODS, constant])
    X = [np.tile(np.random.default_rng(0).normal(size=(1, 2)), (4000, 1))]
    data = blocks.encode_block(Block(X, coder.lattice), [])
    assert blocks.kind_of_block(data, []) == "constant"
    np.testing.assert_array_equal(blocks.decode_block(data, np.float64, coder.lattice, [])[0], X[0])


def test_memory_that_ends_while_a_block_is_decoded_is_not_called_damage(coder, monkeypatch):
    def decode(data, shape):
        raise MemoryError

    method = Method(number=63, kind="raw", may_win=lambda *_: True, encode=lambda block: b"values", decode=decode)
    monkeypatch.setattr(blocks, "STAGES", [[method]])
    monkeypatch.setattr(blocks, "METHODS", [method])
    data = blocks.encode_block(Block(walks(), coder.lattice), [])
    with pytest.raises(MemoryError):
        blocks.decode_block(data, np.float32, coder.lattice, [])


def test_a_method_that_the_codec_does_not_have_is_named(coder):
    block = Block(walks(), coder.lattice)
    for number in (50, 255):
        data = pack_lengths(block.lengths) + bytes([number]) + bins_xz.encode(block)
        with pytest.raises(InvalidStreamError, match=f"block of method {number}, which this codec does not have"):
            blocks.decode_block(data, np.float32, coder.lattice, prediction_methods(coder.models, None))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.number))
def test_damaged_content_gives_an_error_of_damage_or_values_of_the_shape(method, coder):
    block = Block(walks(), coder.lattice)
    shape = BlockShape(block.lengths, block.values.dtype, coder.lattice)
    content, random = method.encode(block), np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(content[: random.integers(0, len(content) + 1)])
        for place in random.integers(0, max(1, len(damaged)), 3):
            damaged[place : place + 1] = random.bytes(1)
        try:
            decoded = method.decode(bytes(damaged), shape)
        except DAMAGE:
            continue
        assert (decoded.shape, decoded.dtype) == (block.values.shape, block.values.dtype)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.number))
def test_content_of_more_values_than_the_block_has_is_refused_in_little_memory(method, coder):
    X = [np.zeros((2_000_000, 2), np.float32)]
    content = method.encode(Block(X, coder.lattice))
    shape = BlockShape(np.array([5]), np.dtype(np.float32), coder.lattice)
    tracemalloc.start()
    with pytest.raises(DAMAGE):
        method.decode(content, shape)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < X[0].nbytes


def test_a_feature_of_more_values_than_the_block_has_is_told(coder):
    content = raw_pcodec.encode(Block([np.zeros((7, 2), np.float32)], coder.lattice))
    shape = BlockShape(np.array([5]), np.dtype(np.float32), coder.lattice)
    with pytest.raises(InvalidStreamError, match="Got more than 5 values of a feature, expected 5"):
        raw_pcodec.decode(content, shape)
