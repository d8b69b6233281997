"""Saving and loading of estimators: as a description, of JSON's values, and arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from sklearn.base import BaseEstimator

from seqembed.estimators.component_errors import NormalComponents
from seqembed.estimators.distances import NormalDescriptions
from seqembed.estimators.metadata_requests import described_requests, set_requests
from seqembed.estimators.missing_patterns import MissingPatterns
from seqembed.files.atomic import Writable, write
from seqembed.files.safetensors_file import InvalidFileError, Readable, pack, unpack
from seqembed.files.values import DAMAGE, Arrays, Kind, Kinds, are_all, decoded, encoded, expect, record
from seqembed.network.architecture import Network
from seqembed.summary.components import Summary
from seqembed.summary.context import Context
from seqembed.summary.description import Description
from seqembed.summary.shares import Shares
from seqembed.training.labels import LabelCode
from seqembed.training.one_pass import StreamState
from seqembed.training.readout import Readout

# The estimators that files may hold, by their names: `savable` adds them.
_CLASSES: dict[str, type[SavableMixin]] = {}


class SavableMixin:
    """The method `save`."""

    def save(self, file: Writable) -> None:
        """Write the estimator into one file, from which `seqembed.load` makes an equal one.

        The file is a safetensors file: reading it runs no code, and a digest tells whether it was changed. A path is
        written to beside it and then renamed, so that the file is never half written, whenever the process ends. If the
        folder takes no other file, the file is written over, with a warning.

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
        OSError
            If the file can't be written, or takes nothing more.

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
        try:
            load(data)
        except InvalidFileError as error:
            raise TypeError(f"{error} Save it by joblib.dump or skops.") from error
        write(data, file)

    if TYPE_CHECKING:

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            """Return the parameters, as every estimator of scikit-learn does."""

    def _attributes_to_save(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Return attributes, which are those that are no parameters, as files hold them."""
        raise NotImplementedError

    def _restore(self, attributes: dict[str, Any]) -> None:
        """Check the fitted attributes of a file, and set them.

        Raises
        ------
        InvalidFileError
            For attributes that are missing, unknown, or don't fit together.
        """
        raise NotImplementedError


Savable = TypeVar("Savable", bound=SavableMixin)


def savable(cls: type[Savable]) -> type[Savable]:
    """Let files hold estimators of a class."""
    _CLASSES[cls.__name__] = cls
    return cls


def _savable_base(cls: type) -> str:
    return next((base.__name__ for base in cls.__mro__ if _CLASSES.get(base.__name__) is base), cls.__name__)


def load(file: Readable) -> Any:
    """Read an estimator that its method `save` has written.

    Parameters
    ----------
    file : str, path-like, bytes or binary file object
        The file, or its content.

    Returns
    -------
    estimator : LSTMAutoencoder, LSTMReconstructor, ReconstructionDetector or SequenceSummary
        Equal to the one that was saved. TensorFlow is not imported. A stream goes on where it was.

    Raises
    ------
    seqembed.InvalidFileError
        A `ValueError`, for a file that is damaged, or that seqembed did not write. Reading runs no code of the file.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from seqembed import LSTMAutoencoder, load
    >>> X = np.random.default_rng(0).normal(size=(8, 3, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(X).save(f"{folder}/model.seqembed")
    ...     loaded = load(f"{folder}/model.seqembed")
    >>> loaded.transform(X).shape
    (8, 2)
    """
    description, arrays = unpack(file)
    if "codec_version" in description:
        raise InvalidFileError(
            "Got the file of a codec, expected that of an estimator. Pass it to "
            "seqembed.codec.SequenceCodec.load(file)."
        )
    if "checkpoint" in description:
        raise InvalidFileError(
            "Got the checkpoint of a fit that has not ended, expected the file of an estimator. Pass it to that "
            "fit again, which goes on from it: estimator.fit(X, checkpoint=file)."
        )
    remaining = dict(arrays)
    try:
        estimator = _decode_estimator(description, remaining, _KINDS)
    except InvalidFileError:
        raise
    except DAMAGE as error:
        raise InvalidFileError(f"Got a file whose description is not that of an estimator: {error!r:.200}.") from error
    if remaining:
        raise InvalidFileError(f"Got an array {next(iter(remaining))[:40]!r} that belongs to no attribute.")
    return estimator


def describe(estimator: SavableMixin) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the description of an estimator, and its arrays by name."""
    arrays: Arrays = {}
    return _encode_estimator(estimator, "", arrays, _KINDS), arrays


def _encode_estimator(estimator: Any, place: str, arrays: Arrays, kinds: Kinds) -> dict[str, Any]:
    if not isinstance(estimator, SavableMixin):
        raise TypeError(
            f"Got {place}={type(estimator).__name__}(), which such a file can't hold: it is none of seqembed's. Use "
            f"joblib.dump or skops."
        )
    if _CLASSES.get(type(estimator).__name__) is not type(estimator):
        where = f"{place}= as " if place else ""
        raise TypeError(
            f"Got {where}a subclass of {_savable_base(type(estimator))}, which a reader of the file would not know. "
            f"Save it by joblib.dump or skops."
        )
    start = f"{place}/" if place else ""
    parameters = estimator.get_params(deep=False)
    others = {name: each for name, each in vars(estimator).items() if name not in parameters}
    attributes = estimator._attributes_to_save(others)
    attributes.pop("_metadata_request", None)
    # Files without requests are those of versions that knew none.
    if requests := described_requests(estimator):
        attributes["_metadata_request"] = requests
    return {
        "class": type(estimator).__name__,
        "parameters": {name: encoded(each, f"{start}{name}", arrays, kinds) for name, each in parameters.items()},
        "attributes": {name: encoded(each, f"{start}{name}", arrays, kinds) for name, each in attributes.items()},
    }


def _decode_estimator(description: dict[str, Any], arrays: Arrays, kinds: Kinds) -> Any:
    """Make an estimator; its arrays are taken out."""
    expect(set(description) == {"class", "parameters", "attributes"}, "an estimator of class, parameters, attributes")
    expect(description["class"] in _CLASSES, f"one of the classes {', '.join(_CLASSES)}")
    estimator: Any = _CLASSES[description["class"]]()
    # Parameters that are newer than the file keep their defaults.
    estimator.set_params(**{name: decoded(each, arrays, kinds) for name, each in description["parameters"].items()})
    estimator._validate_params()
    attributes = {name: decoded(each, arrays, kinds) for name, each in description["attributes"].items()}
    output = attributes.pop("_sklearn_output_config", None)
    if output is not None:
        expect(set(output) <= {"transform"} and are_all(str, output.values()), "the container of set_output")
        estimator._sklearn_output_config = output
    set_requests(estimator, attributes.pop("_metadata_request", {}))
    if attributes:
        estimator._restore(attributes)
    return estimator


_RECORDS = (
    Network,
    Readout,
    LabelCode,
    StreamState,
    Context,
    Summary,
    Shares,
    Description,
    MissingPatterns,
    NormalDescriptions,
    NormalComponents,
)
_KINDS: Kinds = {
    **{each.__name__: record(each) for each in _RECORDS},
    "estimator": Kind(BaseEstimator, _encode_estimator, _decode_estimator),
}
