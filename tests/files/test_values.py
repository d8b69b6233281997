import json
from dataclasses import dataclass
from fractions import Fraction
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
    kinds = {"Point": record(Point), "Line": record(Line)}
    description = encoded(line, "line", arrays, kinds)
    assert list(arrays) == ["line/start/y"]
    restored = decoded(description, arrays, kinds)
    assert (type(restored), restored.start.x) == (Line, 1.0)
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
    ("description", "expected"),
    [
        ({}, "one entry that says what a value is"),
        ({"list": [], "tuple": []}, "one entry that says what a value is"),
        ({"Point": {"z": 1}}, "the fields of Point"),
        ({"list": {"0": 1}}, "a list"),
        ({"tuple": "ab"}, "a list"),
        ({"float": "1.5"}, "nan, inf or -inf"),
        ({"names": "ab"}, "names"),
        ({"names": ["a", 1]}, "names"),
        ({"integers": {}}, "integers"),
        ({"integers": [1, True]}, "integers"),
        ({"integers": [1, 2.5]}, "integers"),
        (1 << 63, "integers of 64 bits"),
        (-1 << 63, "integers of 64 bits"),
        ([1, 2], "a value"),
        ({"k" * 50: 1}, f"no value of the kind '{'k' * 40}'"),
    ],
)
def test_a_damaged_description_is_refused_with_what_was_expected(description, expected):
    with pytest.raises(InvalidFileError, match=f"^Got a file without what an estimator needs: expected {expected}\\.$"):
        decoded(description, {}, KINDS)


@pytest.mark.parametrize("description", [{"Point": {}}, {"Point": 3}, {"array": "missing"}, {"dict": 3}])
def test_damage_that_a_constructor_meets_is_among_its_errors(description):
    with pytest.raises(DAMAGE):
        decoded(description, {}, KINDS)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), (1 << 63) - 1, 1 - (1 << 63)])
def test_numbers_at_the_ends_come_back(value):
    description = json.loads(json.dumps(encoded(value, "value", {}, {}), allow_nan=False))
    np.testing.assert_equal(decoded(description, {}, {}), value)


@pytest.mark.parametrize(("value", "plain"), [(np.float32(1.5), 1.5), (np.int8(3), 3), (np.True_, True)])
def test_scalars_of_numpy_come_back_as_plain_numbers(value, plain):
    restored = decoded(encoded(value, "value", {}, {}), {}, {})
    assert restored == plain
    assert type(restored) is type(plain)


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.float32([[1, 2]]), np.float32),
        (np.array(2.5), np.float64),
        (np.arange(3), np.int64),
        (np.uint8([7, 8]), np.int64),
        (np.array([], int), np.int64),
        (np.array(["a", "bc"]), object),
        (np.array(["a", "bc"], object), object),
    ],
)
def test_arrays_come_back(array, dtype):
    arrays = {}
    description = json.loads(json.dumps(encoded(array, "value", arrays, {})))
    restored = decoded(description, arrays, {})
    np.testing.assert_array_equal(restored, array)
    assert restored.dtype == dtype
    assert not arrays


@pytest.mark.parametrize(
    "array", [np.ones(2, np.float16), np.ones((2, 2), int), np.array([["a"]]), np.array(["a", 1], object)]
)
def test_arrays_of_other_dtypes_and_shapes_are_refused(array):
    with pytest.raises(TypeError, match=f"^Got value= as an array of dtype {array.dtype}, which such"):
        encoded(array, "value", {}, {})


def test_arrays_are_named_after_their_places():
    value, arrays = {"a": [np.ones(1), (np.ones(2),)], "b": [1.5, 2.5], "c": Point(np.ones(3))}, {}
    description = encoded(value, "value", arrays, KINDS)
    assert [(name, len(array)) for name, array in arrays.items()] == [
        ("value/a/0", 1),
        ("value/a/1/0", 2),
        ("value/b", 2),
        ("value/c/x", 3),
    ]
    assert repr(decoded(description, arrays, KINDS)) == repr(value)


@pytest.mark.parametrize("value", [[], [1.5, float("nan")], [1.5, 2], [1, 2], (), (1.5,), {}, {"a": {"b": (None,)}}])
def test_lists_tuples_and_dicts_come_back_as_what_they_were(value):
    arrays = {}
    restored = decoded(encoded(value, "value", arrays, {}), arrays, {})
    assert repr(restored) == repr(value)
    assert not arrays


def test_fields_that_a_file_lacks_keep_their_defaults_and_others_are_refused():
    kinds = {"Point": record(Point)}
    assert decoded({"Point": {"x": 1.5}}, {}, kinds) == Point(1.5)
    with pytest.raises(InvalidFileError, match="expected the fields of Point"):
        decoded({"Point": {"x": 1.5, "z": 1}}, {}, kinds)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1: 2}, "^Got value= with keys that are no text"),
        (Fraction(1, 2), "^Got value= of type fractions.Fraction, which such a file can't hold. Use joblib"),
        ([np.random.Generator(np.random.MT19937(0))], "^Got value/0= with MT19937, expected np.random.default_rng"),
        ((np.random.RandomState(np.random.PCG64(0)),), "^Got value/0= with another generator than MT19937, expected"),
    ],
)
def test_what_a_file_cannot_hold_is_named_by_its_place(value, message):
    with pytest.raises(TypeError, match=message):
        encoded(value, "value", {}, {})


@pytest.mark.parametrize("changes", [{"inc": 1.5}, {"state": True}, {"other": 1}])
def test_a_damaged_generator_is_refused(changes):
    description = encoded(np.random.default_rng(0), "random", {}, {})
    with pytest.raises(InvalidFileError, match=r"expected a generator\.$"):
        decoded({"generator": description["generator"] | changes}, {}, {})


@pytest.mark.parametrize(
    "changes",
    [
        {"keys": [1] * 623},
        {"keys": [True] * 624},
        {"position": -1},
        {"position": 625},
        {"position": 3.0},
        {"position": True},
        {"has_gauss": 2},
        {"other": 1},
    ],
)
def test_a_damaged_random_state_is_refused(changes):
    description = encoded(np.random.RandomState(0), "random", {}, {})
    with pytest.raises(InvalidFileError, match=r"expected a random state\.$"):
        decoded({"random_state": description["random_state"] | changes}, {}, {})


def test_a_random_state_of_keys_beyond_32_bits_is_refused():
    description = encoded(np.random.RandomState(0), "random", {}, {})
    with pytest.raises(DAMAGE):
        decoded({"random_state": description["random_state"] | {"keys": [1 << 32] * 624}}, {}, {})


@pytest.mark.parametrize("position", [0, 1, 624])
def test_a_random_state_may_stand_at_each_of_its_keys(position):
    random = np.random.RandomState(3)
    random.set_state(("MT19937", random.get_state()[1], position, 0, 0.0))
    restored = decoded(encoded(random, "random", {}, {}), {}, {})
    np.testing.assert_array_equal(restored.normal(size=5), random.normal(size=5))
