"""Saving: an estimator as a description, of what JSON knows, and arrays."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from sklearn.base import BaseEstimator

from seqembed.export.persistence import InvalidFileError, pack, write
from seqembed.files.generator_state import generator_state
from seqembed.network.architecture import Network
from seqembed.training.one_pass import StreamState
from seqembed.training.readout import Readout
from seqembed.training.state import TrainingState

# Objects that are saved field by field, under the name of their class.
RECORDS = {record.__name__: record for record in (Network, Readout, StreamState, TrainingState)}


class SavableMixin:
    """The method `save`."""

    def save(self, file):
        """Write the estimator into one file, from which `seqembed.load` makes an equal one.

        The file is a safetensors file: reading it runs no code, and a digest tells whether it was changed. A path is
        written to beside it and then renamed, so that the file is never half written, whenever the process ends.

        Parameters
        ----------
        file : str, path-like or binary file object
            Where to write, such as ``"model.seqembed"`` or ``io.BytesIO()``. A file of that name is replaced.

        Raises
        ------
        TypeError
            For what such a file can't hold: estimators of other packages, subclasses, attributes of your own.
        ValueError
            If names of columns and parameters take more than 1 MB.

        Examples
        --------
        >>> import io
        >>> import numpy as np
        >>> from seqembed import LSTMAutoencoder, load
        >>> X = np.random.default_rng(0).normal(size=(8, 3, 2))
        >>> autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(X)
        >>> file = io.BytesIO()
        >>> autoencoder.save(file)
        >>> bool((load(file.getvalue()).transform(X) == autoencoder.transform(X)).all())
        True
        """
        data = pack(*describe(self))
        # A file that could not be read would be lost work.
        from seqembed.estimators.loading import load

        try:
            is_same_class = type(load(data)) is type(self)
        except InvalidFileError as error:
            raise TypeError(f"{error} Save it by joblib.dump or skops.") from error
        if not is_same_class:
            raise TypeError(f"Got a subclass of {type(self).__name__}. Save it by joblib.dump or skops.")
        write(data, file)


def describe(estimator: BaseEstimator) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the description of an estimator, and its arrays by name.

    Numbers, text, None and truth values stand for themselves; anything else is a dict of one entry, whose name says
    what it is: see ``docs/file_format.md``.
    """
    arrays: dict[str, np.ndarray] = {}
    return _described(estimator, "", arrays), arrays


def _described(estimator: BaseEstimator, place: str, arrays: dict[str, np.ndarray]) -> dict:
    parameters = estimator.get_params(deep=False)
    attributes = {name: value for name, value in vars(estimator).items() if name not in parameters}
    return {
        "class": type(estimator).__name__,
        "parameters": {name: encoded(value, f"{place}{name}", arrays) for name, value in parameters.items()},
        "attributes": {name: encoded(value, f"{place}{name}", arrays) for name, value in attributes.items()},
    }


def encoded(value, place: str, arrays: dict[str, np.ndarray]):
    """Say what a value is in what JSON knows.

    Parameters
    ----------
    value : object
        The value.
    place : str
        Where it stands, for errors and for the names of arrays.
    arrays : dict of str to array
        Gets the arrays.

    Raises
    ------
    TypeError
        For what can't be said.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    kind = type(value).__name__
    if RECORDS.get(kind) is type(value):
        return {
            kind: _encoded_each({name: getattr(value, name) for name in type(value).__annotations__}, place, arrays)
        }
    for types, encode in _ENCODERS.items():
        if isinstance(value, types):
            return encode(value, place, arrays)
    raise TypeError(
        f"Got {place}= of type {type(value).__module__}.{kind}, which such a file can't hold. Use joblib.dump or skops "
        f"for estimators that contain objects of other packages."
    )


def _encoded_each(values: dict, place: str, arrays: dict[str, np.ndarray]) -> dict:
    return {name: encoded(value, f"{place}/{name}", arrays) for name, value in values.items()}


def _encoded_array(array: np.ndarray, place: str, arrays: dict[str, np.ndarray]) -> dict:
    if array.dtype in (np.float32, np.float64):
        arrays[place] = array
        return {"array": place}
    if array.ndim == 1 and (array.dtype.kind in "iu" or all(isinstance(each, str) for each in array.tolist())):
        return {"names" if array.dtype.kind in "OU" else "integers": array.tolist()}
    raise TypeError(f"Got {place}= as an array of dtype {array.dtype}, which such a file can't hold.")


def _encoded_list(values: list, place: str, arrays: dict[str, np.ndarray]) -> dict:
    if values and all(isinstance(value, float) for value in values):
        arrays[place] = np.array(values)
        return {"floats": place}
    return {"list": [encoded(value, f"{place}/{position}", arrays) for position, value in enumerate(values)]}


def _encoded_tuple(values: tuple, place: str, arrays: dict[str, np.ndarray]) -> dict:
    return {"tuple": [encoded(value, f"{place}/{position}", arrays) for position, value in enumerate(values)]}


def _encoded_dict(values: dict, place: str, arrays: dict[str, np.ndarray]) -> dict:
    if not all(isinstance(name, str) for name in values):
        raise TypeError(f"Got {place}= with keys that are no text, which such a file can't hold.")
    return {"dict": _encoded_each(values, place, arrays)}


def _encoded_generator(generator: np.random.Generator, place: str, arrays: dict[str, np.ndarray]) -> dict:
    kind = type(generator.bit_generator).__name__
    if kind != "PCG64":
        raise TypeError(f"Got {place}= with {kind}, expected np.random.default_rng(seed).")
    return {"generator": generator_state(generator)}


def _encoded_random_state(random: np.random.RandomState, place: str, arrays: dict[str, np.ndarray]) -> dict:
    if random.get_state(legacy=False)["bit_generator"] != "MT19937":
        raise TypeError(f"Got {place}= with another generator than MT19937, expected np.random.RandomState(seed).")
    _, keys, position, has_gauss, gauss = random.get_state()
    return {"random_state": {"keys": keys.tolist(), "position": position, "has_gauss": has_gauss, "gauss": gauss}}


def _encoded_estimator(estimator: BaseEstimator, place: str, arrays: dict[str, np.ndarray]) -> dict:
    if not isinstance(estimator, SavableMixin):
        raise TypeError(
            f"Got {place}={type(estimator).__name__}(), which such a file can't hold: it is none of seqembed's. Use "
            f"joblib.dump or skops."
        )
    return {"estimator": _described(estimator, f"{place}/", arrays)}


_ENCODERS: dict[type, Callable] = {
    np.ndarray: _encoded_array,
    list: _encoded_list,
    tuple: _encoded_tuple,
    dict: _encoded_dict,
    np.random.Generator: _encoded_generator,
    np.random.RandomState: _encoded_random_state,
    BaseEstimator: _encoded_estimator,
}
