"""The file of a codec: its description and its arrays."""

from __future__ import annotations

import numpy as np

from seqembed.codec.blocks import Method
from seqembed.codec.bounded_coder import BoundedCoder
from seqembed.codec.embedding_coder import EmbeddingCoder
from seqembed.codec.embedding_reconstructor import Reconstructor
from seqembed.codec.lattice import Lattice
from seqembed.codec.predictors import Predictor
from seqembed.codec.range_coder import Tables
from seqembed.codec.residual_network import ResidualNetwork
from seqembed.codec.whole_decoder import WholeDecoder, WholeLayer
from seqembed.files.safetensors_file import InvalidFileError

# Bytes of every version have to be decoded for ever.
_VERSION = 1
# Dtypes of arrays that are not float64, by the last part of their names.
_DTYPES = dict.fromkeys(("means", "factors"), np.float32) | dict.fromkeys(
    (
        "units_of_bin",
        *("weights", "same_step", "of_reconstruction", "curve", "typical"),
        *("kernel", "recurrent_kernel", "biases", "output_kernel", "output_bias"),
        *("frequencies", "sizes"),
    ),
    np.int64,
)


def describe(coder: BoundedCoder | EmbeddingCoder) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the description of a coder, and its arrays by name."""
    description, arrays = {"codec_version": _VERSION}, {}
    if isinstance(coder, EmbeddingCoder):
        _describe_embedding(coder, description, arrays)
    else:
        arrays |= coder.lattice._asdict()
        description |= {"tries_bins": coder.tries_bins, "rounds": [method.predictor.rounds for method in coder.methods]}
        for number, method in enumerate(coder.methods):
            parts = method.predictor._asdict() | method.distribution._asdict()
            arrays |= {f"{number}/{name}": part for name, part in parts.items() if name != "rounds"}
        if coder.reconstructor is not None:
            decoder = coder.reconstructor.decoder
            _describe_embedding(coder.reconstructor.coder, description, arrays)
            description |= {"patch_size": decoder.patch_size, "relu": decoder.relu, "n_layers": len(decoder.layers)}
            for number, layer in enumerate(decoder.layers):
                arrays |= {f"layer {number}/{name}": part for name, part in layer._asdict().items()}
            arrays |= {f"decoder/{name}": getattr(decoder, name) for name in _OF_DECODER}
    return description, {name: _short(array) for name, array in arrays.items()}


_OF_EMBEDDING, _OF_DECODER = ("mean", "axes", "sizes"), ("output_kernel", "output_bias", "center", "scale")


def _describe_embedding(coder: EmbeddingCoder, description: dict, arrays: dict[str, np.ndarray]) -> None:
    description["step"] = coder.step
    arrays |= {f"embedding/{name}": getattr(coder, name) for name in _OF_EMBEDDING}
    arrays["embedding/frequencies"] = coder.tables.frequencies


def _short(array: np.ndarray) -> np.ndarray:
    """Return the same numbers as float32, or as float64 if float32 can't hold them."""
    with np.errstate(over="ignore"):
        short = array.astype(np.float32)
    return short if (short.astype(np.float64) == array).all() else array.astype(np.float64)


def restored(
    description: dict, arrays: dict[str, np.ndarray], estimator: object | None
) -> BoundedCoder | EmbeddingCoder:
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
        if description["parameters"]["bits"] is not None:
            if estimator is None:
                raise InvalidFileError("Got a codec of embeddings without its estimator: pass load(file, estimator).")
            return _embedding_coder(description, arrays, estimator)
        if description["n_features"] != len(arrays["unit"]):
            raise InvalidFileError(
                f"Got {description['n_features']} features, and {len(arrays['unit'])} in the arrays."
            )
        methods = [_method(arrays, f"{number}/", rounds) for number, rounds in enumerate(description["rounds"])]
        reconstructor = _reconstructor(description, arrays, estimator) if "step" in description else None
        lattice = Lattice(*_fields(Lattice, arrays, ""))
        return BoundedCoder(lattice, methods, bool(description["tries_bins"]), reconstructor)
    except InvalidFileError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InvalidFileError("Got a file that holds no codec: SequenceCodec.save did not write it.") from error


def _method(arrays: dict[str, np.ndarray], place: str, rounds: bool) -> Method:
    distribution = ResidualNetwork if f"{place}kernel" in arrays else Tables
    predictor = Predictor(*_fields(Predictor, arrays, place), rounds=bool(rounds))
    return Method(predictor, distribution(*_fields(distribution, arrays, place)))


def _embedding_coder(description: dict, arrays: dict[str, np.ndarray], estimator: object | None) -> EmbeddingCoder:
    mean, axes, sizes = (arrays[f"embedding/{name}"] for name in _OF_EMBEDDING)
    if estimator is not None and estimator.network_.n_components != len(mean):
        raise InvalidFileError("Got another estimator than the codec was fitted with: its embedding has another size.")
    tables = Tables(arrays["embedding/frequencies"])
    return EmbeddingCoder(estimator, mean, axes, float(description["step"]), sizes, tables)


def _reconstructor(description: dict, arrays: dict[str, np.ndarray], estimator: object | None) -> Reconstructor:
    layers = [WholeLayer(*_fields(WholeLayer, arrays, f"layer {number}/")) for number in range(description["n_layers"])]
    numbers = (arrays[f"decoder/{name}"] for name in _OF_DECODER)
    decoder = WholeDecoder(layers, *numbers, int(description["patch_size"]), bool(description["relu"]))
    return Reconstructor(_embedding_coder(description, arrays, estimator), decoder)


def _fields(record: type, arrays: dict[str, np.ndarray], place: str) -> list[np.ndarray]:
    return [arrays[place + name] for name in record._fields if name != "rounds"]
