"""The file of a codec: its description and its arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from seqembed.codec.bounded_coder import BoundedCoder
from seqembed.codec.bytes.damage import DAMAGE
from seqembed.codec.model.embedding_coder import EmbeddingCoder
from seqembed.codec.model.fixed_point_decoder import FixedPointDecoder, FixedPointLayer
from seqembed.codec.model.lattice import Lattice
from seqembed.codec.model.predictors import Predictor
from seqembed.codec.model.quantised_autoencoder import QuantisedAutoencoder
from seqembed.codec.model.residual_model import ResidualModel
from seqembed.codec.model.residual_network import ResidualNetwork
from seqembed.codec.model.tables import Tables
from seqembed.files.safetensors_file import InvalidFileError
from seqembed.inference.model import TrainedModel

# Versions of the file: the first one, that with a shortcut, and that with denominators. Later versions of seqembed read
# all versions.
_FILE_VERSION, _FILE_VERSION_WITH_SHORTCUT, _FILE_VERSION_WITH_DENOMINATORS = _FILE_VERSIONS = 1, 2, 3
# Dtypes of arrays that are not float64, by the last part of their names.
_ARRAY_DTYPES: dict[str, type[np.generic]] = {
    **dict.fromkeys(("means", "factors"), np.float32),
    **dict.fromkeys(
        (
            "bin_widths",
            *("weights", "same_step", "reconstruction_weights", "curve", "typical"),
            *("kernel", "recurrent_kernel", "biases", "output_kernel", "output_bias", "loadings"),
            *("frequencies", "sizes"),
        ),
        np.int64,
    ),
}
# Fields that are arrays of a file, under these names.
_EMBEDDING_ARRAYS = ("mean", "axes", "sizes")
_DECODER_ARRAYS = ("output_kernel", "output_bias", "center", "scale")

_Arrays = dict[str, np.ndarray]


def describe(coder: BoundedCoder | EmbeddingCoder) -> tuple[dict[str, Any], _Arrays]:
    """Return the description of a coder, and its arrays by name."""
    if isinstance(coder, EmbeddingCoder):
        description, arrays = _described_embedding(coder)
    else:
        description, arrays = _described_bounded(coder)
    version = _FILE_VERSION_WITH_SHORTCUT if "decoder/loadings" in arrays else _FILE_VERSION
    if "denominator" in arrays:
        version = _FILE_VERSION_WITH_DENOMINATORS
    return {"codec_version": version, **description}, {name: _shortened(array) for name, array in arrays.items()}


def _described_bounded(coder: BoundedCoder) -> tuple[dict[str, Any], _Arrays]:
    arrays: _Arrays = coder.lattice.arrays()
    rounds = [model.predictor.rounds for model in coder.models]
    description: dict[str, Any] = {"tries_bins": coder.tries_bins, "rounds": rounds}
    for number, model in enumerate(coder.models):
        fields = model.predictor._asdict() | model.distribution._asdict()
        arrays |= {f"{number}/{name}": field for name, field in fields.items() if name != "rounds"}
    if coder.autoencoder is not None:
        decoder = coder.autoencoder.decoder
        embedding_description, embedding_arrays = _described_embedding(coder.autoencoder.coder)
        description |= embedding_description
        description |= {"patch_size": decoder.patch_size, "relu": decoder.relu, "n_layers": len(decoder.layers)}
        arrays |= embedding_arrays
        for number, layer in enumerate(decoder.layers):
            arrays |= {f"layer {number}/{name}": field for name, field in layer._asdict().items()}
        names = (*_DECODER_ARRAYS, "loadings") if len(decoder.loadings) else _DECODER_ARRAYS
        arrays |= {f"decoder/{name}": getattr(decoder, name) for name in names}
    return description, arrays


def _described_embedding(coder: EmbeddingCoder) -> tuple[dict[str, Any], _Arrays]:
    arrays = {f"embedding/{name}": getattr(coder, name) for name in _EMBEDDING_ARRAYS}
    return {"step": coder.step}, arrays | {"embedding/frequencies": coder.tables.frequencies}


def _shortened(array: np.ndarray) -> np.ndarray:
    """Return the same numbers as float32, or as float64 if float32 can't hold them."""
    with np.errstate(over="ignore"):
        short = array.astype(np.float32)
    return short if (short.astype(np.float64) == array).all() else array.astype(np.float64)


def restored(
    description: dict[str, Any], arrays: _Arrays, trained: TrainedModel | None
) -> BoundedCoder | EmbeddingCoder:
    """Undo `describe`.

    Raises
    ------
    InvalidFileError
        For another description, and for other arrays.
    """
    if description.get("codec_version") not in _FILE_VERSIONS:
        raise InvalidFileError(
            f"Got a codec of version {description.get('codec_version')!r}, expected one of "
            f"{', '.join(map(str, _FILE_VERSIONS))}: pip install -U seqembed may read it."
        )
    arrays = {name: _lengthened(name, array) for name, array in arrays.items()}
    try:
        if description["parameters"]["bits"] is not None:
            if trained is None:
                raise InvalidFileError("Got a codec of embeddings without its estimator: pass load(file, estimator).")
            _check_features(description["n_features"], trained.layout.n_features)
            return _restored_embedding(description, arrays, trained)
        _check_features(description["n_features"], len(arrays["unit"]))
        models = [_restored_model(arrays, f"{number}/", rounds) for number, rounds in enumerate(description["rounds"])]
        autoencoder = _restored_autoencoder(description, arrays, trained) if "step" in description else None
        lattice = Lattice(**_array_fields(Lattice._fields, {"denominator": np.ones(len(arrays["unit"]))} | arrays, ""))
        return BoundedCoder(lattice, models, bool(description["tries_bins"]), autoencoder)
    except InvalidFileError:
        raise
    except (*DAMAGE, AttributeError) as error:
        raise InvalidFileError("Got a file that holds no codec: SequenceCodec.save did not write it.") from error


def _check_features(n_features: object, expected: int) -> None:
    if type(n_features) is not int or n_features != expected:
        raise InvalidFileError(f"Got {n_features!r:.40} features, and {expected} in the arrays or the estimator.")


def _lengthened(name: str, array: np.ndarray) -> np.ndarray:
    """Undo `_shortened`."""
    dtype = np.dtype(_ARRAY_DTYPES.get(name.rpartition("/")[2], np.float64))
    with np.errstate(invalid="ignore", over="ignore"):
        long = array.astype(dtype)
        is_exact = bool((long == array).all())
    if not (is_exact and np.isfinite(array).all()):
        raise InvalidFileError(f"Got an array {name[:40]!r} with numbers that are not finite, or not of dtype {dtype}.")
    return long


def _restored_model(arrays: _Arrays, prefix: str, rounds: bool) -> ResidualModel:
    names = [name for name in Predictor._fields if name != "rounds"]
    predictor = Predictor(**_array_fields(names, arrays, prefix), rounds=bool(rounds))
    distribution = ResidualNetwork if f"{prefix}kernel" in arrays else Tables
    return ResidualModel(predictor, distribution(**_array_fields(distribution._fields, arrays, prefix)))


def _restored_embedding(description: dict[str, Any], arrays: _Arrays, trained: TrainedModel | None) -> EmbeddingCoder:
    fields = _array_fields(_EMBEDDING_ARRAYS, arrays, "embedding/")
    if trained is not None and trained.network.n_components != len(fields["mean"]):
        raise InvalidFileError("Got another estimator than the codec was fitted with: its embedding has another size.")
    tables = Tables(arrays["embedding/frequencies"])
    return EmbeddingCoder(trained, **fields, step=float(description["step"]), tables=tables)


def _restored_autoencoder(
    description: dict[str, Any], arrays: _Arrays, trained: TrainedModel | None
) -> QuantisedAutoencoder:
    layers = [
        FixedPointLayer(**_array_fields(FixedPointLayer._fields, arrays, f"layer {number}/"))
        for number in range(description["n_layers"])
    ]
    decoder = FixedPointDecoder(
        layers,
        **_array_fields(_DECODER_ARRAYS, arrays, "decoder/"),
        patch_size=int(description["patch_size"]),
        relu=bool(description["relu"]),
        loadings=arrays.get("decoder/loadings", np.empty((0, 1, description["n_features"]), np.int64)),
    )
    return QuantisedAutoencoder(_restored_embedding(description, arrays, trained), decoder)


def _array_fields(names: Iterable[str], arrays: _Arrays, prefix: str) -> _Arrays:
    """Return fields of a named tuple that are arrays of the file."""
    return {name: arrays[prefix + name] for name in names}


def fingerprint(coder: BoundedCoder | EmbeddingCoder) -> bytes:
    """Return eight bytes that distinguish a coder from others: all numbers that decoding depends on decide them."""
    digest = hashlib.sha256()
    for numbers in coder.numbers():
        digest.update(numbers.astype(numbers.dtype.newbyteorder("<")).tobytes())
    return digest.digest()[:8]
