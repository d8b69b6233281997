"""What a codec has learned as a description, of what JSON knows, and arrays: the two parts of a file."""

from __future__ import annotations

import numpy as np

from seqembed.codec.blocks import Method
from seqembed.codec.bounded_coder import BoundedCoder
from seqembed.codec.embedding_coder import EmbeddingCoder
from seqembed.codec.lattice import Lattice
from seqembed.codec.predictors import Predictor
from seqembed.codec.range_coder import Tables
from seqembed.codec.residual_network import ResidualNetwork
from seqembed.export.persistence import InvalidFileError

# Of the files. Decoding must not change for any of them.
_VERSION = 1
# Dtypes of arrays that are not float64, by their names.
_DTYPES = dict.fromkeys(("means", "factors"), np.float32) | dict.fromkeys(
    (
        "units_of_bin",
        *("weights", "same_step", "curve", "typical"),
        *("kernel", "biases", "output_kernel", "output_bias"),
        *("frequencies", "sizes"),
    ),
    np.int64,
)


def describe(coder: BoundedCoder | EmbeddingCoder) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the description of a coder, and its arrays by name."""
    description = {"codec_version": _VERSION}
    if isinstance(coder, EmbeddingCoder):
        arrays = {name: getattr(coder, name) for name in ("mean", "axes", "sizes")}
        arrays |= coder.tables._asdict()
        return description | {"step": coder.step}, {name: _short(array) for name, array in arrays.items()}
    arrays, rounds = dict(coder.lattice._asdict()), []
    for number, method in enumerate(coder.methods):
        parts = method.predictor._asdict()
        rounds.append(bool(parts.pop("rounds")))
        parts |= method.distribution._asdict()
        arrays |= {f"{number}/{name}": array for name, array in parts.items()}
    description |= {"tries_bins": coder.tries_bins, "rounds": rounds}
    return description, {name: _short(array) for name, array in arrays.items()}


def _short(array: np.ndarray) -> np.ndarray:
    """Return the same numbers as float32, or as float64 if float32 can't hold them."""
    with np.errstate(over="ignore"):
        short = array.astype(np.float32)
    return short if (short.astype(np.float64) == array).all() else array.astype(np.float64)


def restored(description: dict, arrays: dict[str, np.ndarray], estimator: object) -> BoundedCoder | EmbeddingCoder:
    """Undo `describe`.

    Raises
    ------
    InvalidFileError
        For anything else.
    """
    if description.get("codec_version") != _VERSION:
        raise InvalidFileError(
            f"Got a codec of version {description.get('codec_version')!r}, expected {_VERSION}: pip install -U "
            f"seqembed may read it."
        )
    arrays = {name: array.astype(_DTYPES.get(name.rpartition("/")[2], np.float64)) for name, array in arrays.items()}
    try:
        if "step" in description:
            if estimator is None:
                raise InvalidFileError("Got a codec of embeddings without its estimator: pass load(file, estimator).")
            parts = [arrays[name] for name in EmbeddingCoder._fields[1:3]]
            return EmbeddingCoder(
                estimator, *parts, float(description["step"]), arrays["sizes"], Tables(arrays["frequencies"])
            )
        methods = [_method(arrays, f"{number}/", rounds) for number, rounds in enumerate(description["rounds"])]
        return BoundedCoder(Lattice(*_fields(Lattice, arrays, "")), methods, bool(description["tries_bins"]))
    except (LookupError, TypeError) as error:
        raise InvalidFileError("Got a file that holds no codec: SequenceCodec.save did not write it.") from error


def _method(arrays: dict[str, np.ndarray], place: str, rounds: bool) -> Method:
    distribution = ResidualNetwork if f"{place}kernel" in arrays else Tables
    predictor = Predictor(*_fields(Predictor, arrays, place), rounds=bool(rounds))
    return Method(predictor, distribution(*_fields(distribution, arrays, place)))


def _fields(record: type, arrays: dict[str, np.ndarray], place: str) -> list[np.ndarray]:
    return [arrays[place + name] for name in record._fields if name != "rounds"]
