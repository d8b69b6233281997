"""Values as text and arrays: how they are encoded, and decoded with every part checked.

Numbers, text, None and truth values stand for themselves. Any other value is a dict of one entry, whose name is the
kind of the value: see ``docs/file_format.md``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from seqembed.files.generator_state import generator_state, make_generator
from seqembed.files.safetensors_file import InvalidFileError

Arrays: TypeAlias = dict[str, np.ndarray]
# Errors of constructors that get damaged fields.
DAMAGE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
_LARGEST_INTEGER = (1 << 63) - 1
_N_KEYS = 624


class Kind(NamedTuple):
    """A class of which a file may hold objects, and how they are written and read.

    Parameters
    ----------
    type : type
        The class.
    encode : callable
        Takes an object, its place, the arrays and all kinds; returns the content, of JSON's values.
    decode : callable
        Takes the content, the arrays and all kinds; returns an object, or raises an error of `DAMAGE`.
    """

    type: type
    encode: Callable[[Any, str, Arrays, Kinds], Any]
    decode: Callable[[Any, Arrays, Kinds], Any]


# The classes that a caller lets files hold, by the names that stand in files.
Kinds: TypeAlias = Mapping[str, Kind]


def record(cls: Any) -> Kind:
    """Make the kind of a dataclass or a named tuple, which is written field by field.

    Examples
    --------
    >>> class Point(NamedTuple):
    ...     x: float
    ...     y: float
    >>> kinds = {"Point": record(Point)}
    >>> encoded(Point(1.5, 2.0), "point", {}, kinds)
    {'Point': {'x': 1.5, 'y': 2.0}}
    >>> decoded({"Point": {"x": 1.5, "y": 2.0}}, {}, kinds)
    Point(x=1.5, y=2.0)
    """
    names = [each.name for each in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else list(cls._fields)

    def encode(value: Any, place: str, arrays: Arrays, kinds: Kinds) -> dict[str, Any]:
        return {name: encoded(getattr(value, name), f"{place}/{name}", arrays, kinds) for name in names}

    def decode(content: dict[str, Any], arrays: Arrays, kinds: Kinds) -> Any:
        expect(set(content) <= set(names), f"the fields of {cls.__name__}")
        return cls(**{name: decoded(each, arrays, kinds) for name, each in content.items()})

    return Kind(cls, encode, decode)


def encoded(value: Any, place: str, arrays: Arrays, kinds: Kinds) -> Any:
    """Describe a value in JSON's values.

    Parameters
    ----------
    value : object
        A number, text, None, an array, a generator, a list, tuple or dict of such, or an object of one of the kinds.
    place : str
        Where it stands, for errors and for the names of arrays.
    arrays : dict of str to array
        Gets the arrays.
    kinds : mapping of str to Kind
        The classes whose objects may occur.

    Returns
    -------
    description : object
        For `decoded`.

    Raises
    ------
    TypeError
        For anything else.

    Examples
    --------
    >>> arrays = {}
    >>> encoded((1, np.ones(2)), "pair", arrays, kinds={})
    {'tuple': [1, {'array': 'pair/1'}]}
    >>> arrays
    {'pair/1': array([1., 1.])}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    for name, kind in kinds.items():
        if isinstance(value, kind.type):
            return {name: kind.encode(value, place, arrays, kinds)}
    if isinstance(value, np.ndarray):
        return _encoded_array(value, place, arrays)
    if isinstance(value, list) and value and all(isinstance(each, float) for each in value):
        arrays[place] = np.array(value)
        return {"floats": place}
    if isinstance(value, (list, tuple)):
        parts = [encoded(each, f"{place}/{position}", arrays, kinds) for position, each in enumerate(value)]
        return {"list" if isinstance(value, list) else "tuple": parts}
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise TypeError(f"Got {place}= with keys that are no text, which such a file can't hold.")
        return {"dict": {name: encoded(each, f"{place}/{name}", arrays, kinds) for name, each in value.items()}}
    if isinstance(value, np.random.Generator):
        return {"generator": _encoded_generator(value, place)}
    if isinstance(value, np.random.RandomState):
        return {"random_state": _encoded_random_state(value, place)}
    raise TypeError(
        f"Got {place}= of type {type(value).__module__}.{type(value).__name__}, which such a file can't hold. Use "
        f"joblib.dump or skops for estimators that contain objects of other packages."
    )


def _encoded_array(array: np.ndarray, place: str, arrays: Arrays) -> dict[str, Any]:
    if array.dtype in (np.float32, np.float64):
        arrays[place] = array
        return {"array": place}
    if array.ndim == 1 and (array.dtype.kind in "iu" or all(isinstance(each, str) for each in array.tolist())):
        return {"names" if array.dtype.kind in "OU" else "integers": array.tolist()}
    raise TypeError(f"Got {place}= as an array of dtype {array.dtype}, which such a file can't hold.")


def _encoded_generator(random: np.random.Generator, place: str) -> dict[str, int]:
    kind = type(random.bit_generator).__name__
    if kind != "PCG64":
        raise TypeError(f"Got {place}= with {kind}, expected np.random.default_rng(seed).")
    return generator_state(random)


def _encoded_random_state(random: np.random.RandomState, place: str) -> dict[str, Any]:
    state = random.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        raise TypeError(f"Got {place}= with another generator than MT19937, expected np.random.RandomState(seed).")
    keys, position = state["state"]["key"].tolist(), int(state["state"]["pos"])
    return {"keys": keys, "position": position, "has_gauss": state["has_gauss"], "gauss": state["gauss"]}


def decoded(description: Any, arrays: Arrays, kinds: Kinds) -> Any:
    """Restore a value that `encoded` has described.

    Parameters
    ----------
    description : object
        JSON's values.
    arrays : dict of str to array
        Those that belong to the value are taken out.
    kinds : mapping of str to Kind
        The classes of which objects may be made.

    Raises
    ------
    InvalidFileError
        For a description that `encoded` does not write.
    LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError
        Likewise, from the constructors of the kinds.

    Examples
    --------
    >>> decoded({"list": [1, {"float": "inf"}]}, {}, kinds={})
    [1, inf]
    """
    if not isinstance(description, dict):
        expect(description is None or isinstance(description, (bool, int, float, str)), "a value")
        is_large = isinstance(description, int) and abs(description) > _LARGEST_INTEGER
        expect(not is_large, "integers of 64 bits")
        return description
    expect(len(description) == 1, "one entry that says what a value is")
    ((kind, content),) = description.items()
    if kind in kinds:
        return kinds[kind].decode(content, arrays, kinds)
    if kind in ("list", "tuple"):
        expect(isinstance(content, list), "a list")
        parts = [decoded(each, arrays, kinds) for each in content]
        return parts if kind == "list" else tuple(parts)
    if kind == "dict":
        return {name: decoded(each, arrays, kinds) for name, each in content.items()}
    expect(kind in _DECODERS, f"no value of the kind {kind[:40]!r}")
    return _DECODERS[kind](content, arrays)


def _decoded_float(text: str, arrays: Arrays) -> float:
    expect(text in ("nan", "inf", "-inf"), "nan, inf or -inf")
    return float(text)


def _decoded_names(names: list[str], arrays: Arrays) -> np.ndarray:
    expect(isinstance(names, list) and are_all(str, names), "names")
    return np.array(names, object)


def _decoded_integers(integers: list[int], arrays: Arrays) -> np.ndarray:
    expect(isinstance(integers, list) and are_all(int, integers), "integers")
    return np.array(integers, np.int64)


def _decoded_generator(state: dict[str, int], arrays: Arrays) -> np.random.Generator:
    expect(set(state) == {"state", "inc", "has_uint32", "uinteger"} and are_all(int, state.values()), "a generator")
    return make_generator(state)


def _decoded_random_state(state: dict[str, Any], arrays: Arrays) -> np.random.RandomState:
    expect(set(state) == {"keys", "position", "has_gauss", "gauss"} and are_all(int, state["keys"]), "a random state")
    random = np.random.RandomState(0)
    keys, position = np.array(state["keys"], np.uint32), state["position"]
    # NumPy does not check them, and would read other memory.
    expect(len(keys) == _N_KEYS and type(position) is int and 0 <= position <= _N_KEYS, "a random state")
    expect(state["has_gauss"] in (0, 1), "a random state")
    random.set_state(("MT19937", keys, position, state["has_gauss"], float(state["gauss"])))
    return random


_DECODERS: dict[str, Callable[[Any, Arrays], Any]] = {
    "float": _decoded_float,
    "array": lambda name, arrays: arrays.pop(name),
    "floats": lambda name, arrays: arrays.pop(name).tolist(),
    "names": _decoded_names,
    "integers": _decoded_integers,
    "generator": _decoded_generator,
    "random_state": _decoded_random_state,
}


def are_all(kind: type, values: Iterable[object]) -> bool:
    """Tell whether all values are of a type, subclasses left out: True is no integer.

    Examples
    --------
    >>> are_all(int, [1, 2]), are_all(int, [1, True])
    (True, False)
    """
    return all(type(value) is kind for value in values)


def expect(holds: bool, expected: str) -> None:
    """Refuse a file that does not hold what it must.

    Parameters
    ----------
    holds : bool
        Whether it does.
    expected : str
        What it must hold, for the message.

    Raises
    ------
    InvalidFileError
        If it does not.
    """
    if not holds:
        raise InvalidFileError(f"Got a file without what an estimator needs: expected {expected}.")
