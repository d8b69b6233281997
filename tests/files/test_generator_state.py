import numpy as np
import pytest

from seqembed.files.generator_state import generator_state, make_generator


def test_a_generator_made_of_a_state_draws_the_same_numbers():
    random = np.random.default_rng(3)
    # Half of a number of 64 bits is kept for the next draw of 32 bits.
    random.integers(10, dtype=np.uint32)
    state = generator_state(random)
    assert state["has_uint32"] == 1
    copy = make_generator(state)
    assert copy.integers(10, size=3, dtype=np.uint32).tolist() == random.integers(10, size=3, dtype=np.uint32).tolist()
    assert copy.normal() == random.normal()


def test_another_bit_generator_is_refused():
    with pytest.raises(TypeError, match="Got a generator with MT19937, expected"):
        generator_state(np.random.Generator(np.random.MT19937(0)))
