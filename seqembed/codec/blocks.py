"""Blocks: some sequences as bytes, by the method that needs the fewest."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from seqembed.codec.byte_order import as_planes, from_planes, little_endian
from seqembed.codec.container import DAMAGE, InvalidStreamError, pack_numbers, unpack_numbers
from seqembed.codec.contexts import in_context
from seqembed.codec.embedding_reconstructor import Reconstructor
from seqembed.codec.exact_values import decode_exceptions, encode_exceptions
from seqembed.codec.lattice import Lattice, nearest_bins
from seqembed.codec.lengths import check_size, lengths_of, pack_lengths, unpack_lengths
from seqembed.codec.predictors import Predictor, run_predictor
from seqembed.codec.range_coder import LARGEST_RESIDUAL, ResidualDecoder, ResidualEncoder, Tables
from seqembed.codec.residual_network import ResidualNetwork
from seqembed.codec.rows import Rows, arrange
from seqembed.codec.xz import compressed, decompressed
from seqembed.extras import import_extra

# Values by xz and by pcodec, and bins by xz; predictors follow.
RAW, RAW_NUMBERS, BINS, FIRST_PREDICTOR = 0, 1, 2, 3
# xz takes longer than everything else. Predictions that need less than this share of the values' own bytes leave xz no
# chance with the values as they are.
_SHARE_OF_HARD_BLOCKS = 0.4
_NEAR = 1.15
# The best that pcodec has.
_LEVEL_OF_PCODEC = 12
# So many sequences of a block show which method is the best for all of them, where there are many more.
_SAMPLE, _FEWEST_SEQUENCES_TO_SAMPLE = 64, 512


class Method(NamedTuple):
    """A predictor, and how its residuals are coded.

    Parameters
    ----------
    predictor : Predictor
        What to predict with.
    distribution : Tables or ResidualNetwork
        What residuals are coded by. The network needs fewer bytes, and takes longer.
    """

    predictor: Predictor
    distribution: Tables | ResidualNetwork


def encode_block(
    sequences: list[np.ndarray],
    lattice: Lattice,
    methods: list[Method],
    *,
    tries_bins: bool,
    reconstructor: Reconstructor | None = None,
) -> bytes:
    """Encode sequences by each method, and return the shortest result.

    Parameters
    ----------
    sequences : list of arrays of shape (n_timesteps, n_features)
        Of one dtype.
    lattice : Lattice
        Their lattice.
    methods : list of Method
        To choose from, beside xz and pcodec.
    tries_bins : bool
        Whether xz may do well on the bins.
    reconstructor : Reconstructor or None, default=None
        For methods that use a reconstruction.
    """
    lengths = lengths_of(sequences)
    start = pack_lengths(lengths)
    joined, candidates = _joined(sequences), []
    if sum(lengths):
        can_embed = _can_embed(sequences, reconstructor)
        numbers = [number for number, method in enumerate(methods) if can_embed or not needs_reconstruction(method)]
        usable = [methods[number] for number in numbers]
        if len(numbers) > 1 and len(sequences) >= _FEWEST_SEQUENCES_TO_SAMPLE:
            sample = sequences[:: len(sequences) // _SAMPLE]
            contents = _encoded_by(sample, _joined(sample), lattice, usable, reconstructor)
            best = int(np.argmin([len(content) for content in contents]))
            numbers, usable = [numbers[best]], [usable[best]]
        contents = _encoded_by(sequences, joined, lattice, usable, reconstructor)
        candidates += [(content, FIRST_PREDICTOR + number) for content, number in zip(contents, numbers, strict=True)]
        if tries_bins or not candidates:
            candidates.append((_encode_bins(joined, lattice), BINS))
    if not candidates or min(len(content) for content, _ in candidates) > _SHARE_OF_HARD_BLOCKS * joined.nbytes:
        candidates.append((compressed(little_endian(joined.T).tobytes()), RAW))
        if joined.itemsize > 1:
            candidates.append((_encode_numbers(joined), RAW_NUMBERS))
    content, number = min(candidates, key=lambda candidate: len(candidate[0]))
    return start + bytes([number]) + content


def kind_of_block(data: bytes, methods: list[Method]) -> str:
    """Return "raw", "bins", "predicted" or "reconstructed", for the method of an encoded block."""
    _, place = unpack_lengths(data)
    number = data[place] - FIRST_PREDICTOR
    if number < 0:
        return "bins" if data[place] == BINS else "raw"
    return "reconstructed" if needs_reconstruction(methods[number]) else "predicted"


def needs_reconstruction(method: Method) -> bool:
    """Tell whether a method predicts from embeddings too."""
    return len(method.predictor.of_reconstruction) > 0


def decode_block(
    data: bytes, dtype, lattice: Lattice, methods: list[Method], reconstructor: Reconstructor | None = None
) -> list[np.ndarray]:
    """Decode what `encode_block` returned.

    Raises
    ------
    InvalidStreamError
        For anything else.
    """
    n_features = len(lattice.unit)
    lengths, place = unpack_lengths(data)
    n_values = int(lengths.sum()) * n_features
    check_size(data, n_values)
    if place >= len(data):
        raise InvalidStreamError("Got a damaged block, which ends too soon.")
    method, content = data[place], data[place + 1 :]
    try:
        if method == RAW:
            values = decompressed(content, n_values * np.dtype(dtype).itemsize)
            in_order = np.frombuffer(values, np.dtype(dtype).newbyteorder("<")).astype(dtype)
            joined = np.ascontiguousarray(in_order.reshape(n_features, -1).T)
        elif method == RAW_NUMBERS:
            joined = _decode_numbers(content, int(lengths.sum()), n_features, dtype)
        elif method == BINS:
            joined = _decode_bins(content, n_values, dtype, lattice)
        else:
            number = method - FIRST_PREDICTOR
            joined = _decode_residuals(content, lengths, dtype, lattice, methods[number], reconstructor)
    except DAMAGE as error:
        raise InvalidStreamError(f"Got a damaged block: {error}") from error
    return np.split(joined, np.cumsum(lengths)[:-1]) if len(lengths) else []


def _joined(sequences: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(sequences) if sequences else np.empty((0, 1), np.float32)


def _can_embed(sequences: list[np.ndarray], reconstructor: Reconstructor | None) -> bool:
    if reconstructor is None or reconstructor.coder.estimator is None:
        return False
    return all(len(sequence) > 0 and bool(np.isfinite(sequence).all()) for sequence in sequences)


def _encoded_by(
    sequences: list[np.ndarray],
    joined: np.ndarray,
    lattice: Lattice,
    methods: list[Method],
    reconstructor: Reconstructor | None,
) -> list[bytes]:
    """Encode by each of some methods."""
    lengths, embedded = lengths_of(sequences), None
    if any(map(needs_reconstruction, methods)):
        integers = reconstructor.embed(sequences)
        reconstruction = reconstructor.on_lattice(integers, lengths, lattice)
        embedded = reconstructor.coder.encode_integers(integers), reconstruction
    return [_encode_residuals(joined, lengths, lattice, method, embedded) for method in methods]


def bins_are_short(sequences: list[np.ndarray], lattice: Lattice, method: Method) -> bool:
    """Tell whether xz of the bins comes near the predictions of a method, on typical sequences."""
    joined, lengths = _joined(sequences), lengths_of(sequences)
    predicted = _encode_residuals(joined, lengths, lattice, method)
    return len(_encode_bins(joined, lattice)) < _NEAR * len(predicted)


def _encode_residuals(
    joined: np.ndarray,
    lengths: np.ndarray,
    lattice: Lattice,
    method: Method,
    embedded: tuple[bytes, np.ndarray] | None = None,
) -> bytes:
    """Encode by a method, which may need embeddings as bytes and what they are decoded to."""
    rows, start, reconstruction = arrange(lengths), b"", None
    if needs_reconstruction(method):
        start, reconstruction = pack_numbers(np.array([len(embedded[0])])) + embedded[0], rows.padded(embedded[1])
    integers, fits = (rows.padded(each) for each in lattice.integers(joined))
    encoder = ResidualEncoder()

    def find(t, features, predicted):
        part = slice(len(predicted)), t, features
        residuals = nearest_bins(integers[part] - predicted, lattice.units_of_bin[features])
        # What has no integer, or is far from any prediction, is as predicted, and follows as it is.
        residuals[~fits[part] | (np.abs(residuals) >= LARGEST_RESIDUAL)] = 0
        return residuals

    def by_tables(models, t, features, predicted, scales):
        residuals = find(t, features, predicted)
        encoder.write(models, residuals.ravel(), scales.ravel())
        return residuals

    def by_network(frequencies, t, feature, predicted, scales):
        residuals = find(t, feature, predicted)
        encoder.write_by(frequencies, residuals, scales)
        return residuals

    decoded = _run(method, lattice, rows, by_tables, by_network, reconstruction)
    content = encoder.finish()
    exceptions = encode_exceptions(joined, lattice.values(rows.joined(decoded), joined.dtype), lattice.bound)
    return start + pack_numbers(np.array([len(content)])) + content + exceptions


def _decode_residuals(
    data: bytes,
    lengths: np.ndarray,
    dtype,
    lattice: Lattice,
    method: Method,
    reconstructor: Reconstructor | None,
) -> np.ndarray:
    rows, reconstruction = arrange(lengths), None
    if needs_reconstruction(method):
        (n_bytes,), place = unpack_numbers(data, 1)
        end = place + int(n_bytes)
        integers = reconstructor.coder.decode_integers(data[place:end], len(lengths))
        reconstruction, data = rows.padded(reconstructor.on_lattice(integers, lengths, lattice)), data[end:]
    (n_bytes,), place = unpack_numbers(data, 1)
    n_values = int(lengths.sum()) * len(lattice.unit)
    decoder = ResidualDecoder(data[place : place + int(n_bytes)], n_values)

    def by_tables(models, t, features, predicted, scales):
        return decoder.read(models, scales.ravel()).reshape(predicted.shape)

    def by_network(frequencies, t, feature, predicted, scales):
        return decoder.read_by(frequencies, scales)

    decoded = _run(method, lattice, rows, by_tables, by_network, reconstruction)
    values = lattice.values(rows.joined(decoded), dtype)
    return decode_exceptions(data[place + int(n_bytes) :], values)


def _encode_numbers(joined: np.ndarray) -> bytes:
    standalone = import_extra("pcodec.standalone", extra="codec")
    config = import_extra("pcodec", extra="codec").ChunkConfig(compression_level=_LEVEL_OF_PCODEC)
    in_order = np.ascontiguousarray(joined.T, joined.dtype.newbyteorder("="))
    columns = [standalone.simple_compress(column, config) for column in in_order]
    return pack_numbers(np.array([len(column) for column in columns])) + b"".join(columns)


def _decode_numbers(data: bytes, n_timesteps: int, n_features: int, dtype) -> np.ndarray:
    standalone = import_extra("pcodec.standalone", extra="codec")
    sizes, start = unpack_numbers(data, n_features)
    columns = np.empty((n_features, n_timesteps), np.dtype(dtype).newbyteorder("="))
    for column, end in zip(columns, (start + np.cumsum(sizes)).tolist(), strict=True):
        progress = standalone.simple_decompress_into(data[start:end], column)
        if progress.n_processed != n_timesteps or not progress.finished:
            raise InvalidStreamError(f"Got {progress.n_processed} values of a feature, expected {n_timesteps}.")
        start = end
    return np.ascontiguousarray(columns.T)


def _run(
    method: Method,
    lattice: Lattice,
    rows: Rows,
    by_tables: Callable,
    by_network: Callable,
    reconstruction: np.ndarray | None,
) -> np.ndarray:
    """Run a predictor, and exchange residuals by the models of its tables or by the frequencies of its network."""
    one_by_one = isinstance(method.distribution, ResidualNetwork)
    if one_by_one:
        frequencies_of = method.distribution.prepared()

        def in_its_context(t, feature, predicted, scales, inputs):
            return by_network(frequencies_of(inputs, feature), t, feature, predicted, scales)

        exchange = in_context(lattice.units_of_bin, len(rows.lengths), in_its_context)
    else:
        exchange = partial(by_tables, method.distribution.models())
    return run_predictor(
        method.predictor,
        lattice.units_of_bin,
        rows.lengths,
        exchange,
        reconstruction=reconstruction,
        one_by_one=one_by_one,
    )


def _encode_bins(joined: np.ndarray, lattice: Lattice) -> bytes:
    integers, fits = lattice.integers(joined)
    bins = np.where(fits, nearest_bins(integers, lattice.units_of_bin), 0)
    exceptions = encode_exceptions(joined, lattice.values(bins * lattice.units_of_bin, joined.dtype), lattice.bound)
    lowest = bins.min(axis=0)
    above = bins - lowest
    width = next(width for width in (1, 2, 4, 8) if above.max() >> (8 * width - 1) < 2)
    # Of one feature after the other, the bytes of one significance after the other.
    planes = as_planes(above.T.astype(f"<u{width}"))
    content = pack_numbers((np.abs(lowest) << 1) | (lowest < 0)) + bytes([width]) + compressed(planes)
    return pack_numbers(np.array([len(content)])) + content + exceptions


def _decode_bins(data: bytes, n_values: int, dtype, lattice: Lattice) -> np.ndarray:
    n_features = len(lattice.unit)
    (n_bytes,), place = unpack_numbers(data, 1)
    content, exceptions = data[place : place + int(n_bytes)], data[place + int(n_bytes) :]
    signed, start = unpack_numbers(content, n_features)
    lowest = np.where(signed & 1, -(signed >> 1), signed >> 1)
    width = content[start]
    planes = decompressed(content[start + 1 :], n_values * width)
    bins = from_planes(planes, f"<u{width}").reshape(n_features, -1).T.astype(np.int64) + lowest
    return decode_exceptions(exceptions, lattice.values(bins * lattice.units_of_bin, dtype))
