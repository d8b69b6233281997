import json
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqembed.files.safetensors_file import InvalidFileError
from seqembed.files.values import DAMAGE, decoded, encoded, record


class Point(NamedTuple):
    x: float
    y: object = None


@dataclass(frozen=True)
class Line:
    start: Point
    end: Point


KINDS = {"Point": record(Point), "Line": record(Line)}
PLAIN = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    PLAIN,
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.lists(inside, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=3), inside, max_size=3)
        | st.builds(Point, inside, inside)
    ),
    max_leaves=10,
)


@given(VALUES)
def test_any_value_of_known_kinds_comes_back_through_json(value):
    arrays = {}
    description = json.loads(json.dumps(encoded(value, "value", arrays, KINDS), allow_nan=False))
    restored = decoded(description, arrays, KINDS)
    # NaN differs from itself, and repr tells tuples from lists.
    assert repr(restored) == repr(value)
    assert not arrays


def test_records_within_records_come_back_with_their_arrays():
    line, arrays = Line(Point(1.0, np.arange(3.0)), Point(2.0, np.array(["a", "b"], object))), {}
    description = encoded(line, "line", arrays, KINDS)
    assert list(arrays) == ["line/start/y"]
    restored = decoded(description, arrays, KINDS)
    np.testing.assert_array_equal(restored.start.y, line.start.y)
    assert restored.end.y.tolist() == ["a", "b"]


@pytest.mark.parametrize("random", [np.random.default_rng(3), np.random.RandomState(3)])
def test_generators_draw_on_from_where_they_were(random):
    random.normal(size=3)
    restored = decoded(encoded(random, "random", {}, {}), {}, {})
    np.testing.assert_array_equal(restored.normal(size=5), random.normal(size=5))


def test_a_class_that_was_not_handed_over_is_neither_written_nor_made():
    with pytest.raises(TypeError, match=r"Got line= of type .*Line, which such a file can't hold"):
        encoded(Line(None, None), "line", {}, {"Point": record(Point)})
    with pytest.raises(InvalidFileError, match="no value of the kind 'Line'"):
        decoded({"Line": {"start": None, "end": None}}, {}, {"Point": record(Point)})


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"Point": {"z": 1}},
        {"Point": {}},
        {"Point": 3},
        {"list": {"0": 1}},
        {"array": "missing"},
        {"float": "1.5"},
        1 << 64,
        [1, 2],
    ],
)
def test_damaged_descriptions_are_refused(description):
    with pytest.raises(DAMAGE):
        decoded(description, {}, KINDS)
