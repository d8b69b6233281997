"""Blocks: some sequences as bytes, by the method that needs the fewest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from seqembed.codec.container import DAMAGE, InvalidStreamError, pack_numbers, unpack_numbers
from seqembed.codec.contexts import in_context
from seqembed.codec.lattice import Lattice, nearest_bins
from seqembed.codec.lengths import check_size, lengths_of, pack_lengths, unpack_lengths
from seqembed.codec.predictors import Predictor, run_predictor
from seqembed.codec.range_coder import LARGEST_RESIDUAL, ResidualDecoder, ResidualEncoder, Tables
from seqembed.codec.reconstructor import Reconstructor
from seqembed.codec.residual_network import ResidualNetwork
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
# Fewer rows than this leave a processor idle between two timesteps: long sequences are cut into pieces.
_ROWS = 64
_SHORTEST_PIECE = 512
# Rows side by side take at most so many times the memory of their values.
_MOST_PADDING = 4


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
        To choose from, beside xz.
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
        for number, content in _encoded_by_promising(sequences, lattice, methods, numbers, reconstructor):
            candidates.append((content, FIRST_PREDICTOR + number))
        if tries_bins or not candidates:
            candidates.append((_encode_bins(joined, lattice), BINS))
    if not candidates or min(len(content) for content, _ in candidates) > _SHARE_OF_HARD_BLOCKS * joined.nbytes:
        candidates.append((compressed(_little(joined.T).tobytes()), RAW))
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


class Rows(NamedTuple):
    """Sequences, or pieces of them, of similar length side by side.

    Parameters
    ----------
    starts : int array of shape (n_rows,)
        Where each begins among all timesteps.
    lengths : int array of shape (n_rows,)
        Timesteps of each, the longest first.
    """

    starts: np.ndarray
    lengths: np.ndarray

    def places(self) -> Iterator[tuple[int, slice, slice]]:
        """Yield the number of each row, its part of the padded array, and its part of all timesteps."""
        for row, (start, length) in enumerate(zip(self.starts.tolist(), self.lengths.tolist(), strict=True)):
            yield row, slice(length), slice(start, start + length)

    def padded(self, joined: np.ndarray) -> np.ndarray:
        """Put rows of (n_timesteps, n_features) side by side, with 0 after their ends."""
        n_timesteps = int(self.lengths[0]) if len(self.lengths) else 0
        if (self.lengths == n_timesteps).all() and (np.diff(self.starts) == n_timesteps).all():
            return joined.reshape(len(self.lengths), n_timesteps, -1)
        padded = np.zeros((len(self.lengths), n_timesteps, joined.shape[1]), joined.dtype)
        for row, inside, part in self.places():
            padded[row, inside] = joined[part]
        return padded

    def joined(self, padded: np.ndarray) -> np.ndarray:
        """Undo `padded`."""
        joined = np.empty((int(self.lengths.sum()), padded.shape[2]), padded.dtype)
        for row, inside, part in self.places():
            joined[part] = padded[row, inside]
        return joined


def arrange(lengths: np.ndarray) -> Rows:
    """Cut long sequences into pieces, so that there are enough rows, and sort them by length.

    Examples
    --------
    >>> import numpy as np
    >>> arrange(np.array([2, 5]))
    Rows(starts=array([2, 0]), lengths=array([5, 2]))
    """
    total = int(lengths.sum())
    longest = max(_SHORTEST_PIECE, -(-total // _ROWS))
    n_pieces = -(-lengths // longest)
    # A long sequence beside many short ones would make all rows long.
    while longest > 1 and int(n_pieces.sum()) * min(longest, int(lengths.max(initial=0))) > _MOST_PADDING * total:
        longest //= 2
        n_pieces = -(-lengths // longest)
    starts, pieces, start = [], [], 0
    for length, count in zip(lengths.tolist(), n_pieces.tolist(), strict=True):
        if count:
            size = -(-length // count)
            first = np.arange(0, length, size)
            starts.append(start + first)
            pieces.append(np.minimum(size, length - first))
        start += length
    starts, pieces = (np.concatenate(each) if each else np.empty(0, np.int64) for each in (starts, pieces))
    order = np.argsort(-pieces, kind="stable")
    return Rows(starts[order], pieces[order])


def _joined(sequences: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(sequences) if sequences else np.empty((0, 1), np.float32)


def _can_embed(sequences: list[np.ndarray], reconstructor: Reconstructor | None) -> bool:
    if reconstructor is None or reconstructor.coder.estimator is None:
        return False
    return all(len(sequence) > 0 and bool(np.isfinite(sequence).all()) for sequence in sequences)


def _encoded_by_promising(
    sequences: list[np.ndarray],
    lattice: Lattice,
    methods: list[Method],
    numbers: list[int],
    reconstructor: Reconstructor | None,
) -> list[tuple[int, bytes]]:
    """Encode by all of some methods, or many sequences by the one that is the best for a sample of them."""
    if len(numbers) > 1 and len(sequences) >= _FEWEST_SEQUENCES_TO_SAMPLE:
        sample = sequences[:: len(sequences) // _SAMPLE]
        sizes = [len(content) for _, content in _encoded_by(sample, lattice, methods, numbers, reconstructor)]
        numbers = [numbers[int(np.argmin(sizes))]]
    return _encoded_by(sequences, lattice, methods, numbers, reconstructor)


def _encoded_by(
    sequences: list[np.ndarray],
    lattice: Lattice,
    methods: list[Method],
    numbers: list[int],
    reconstructor: Reconstructor | None,
) -> list[tuple[int, bytes]]:
    lengths, joined, embedded = lengths_of(sequences), _joined(sequences), None
    if any(needs_reconstruction(methods[number]) for number in numbers):
        integers = reconstructor.embed(sequences)
        embedded = (
            reconstructor.coder.encode_integers(integers),
            _reconstructed(integers, lengths, lattice, reconstructor),
        )
    return [(number, _encode_residuals(joined, lengths, lattice, methods[number], embedded)) for number in numbers]


def _reconstructed(
    integers: np.ndarray, lengths: np.ndarray, lattice: Lattice, reconstructor: Reconstructor
) -> np.ndarray:
    """Return the integers of what embeddings are decoded to, one sequence after the other."""
    return lattice.integers(reconstructor.reconstruct(integers, lengths))[0]


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

    if isinstance(method.distribution, Tables):
        models = method.distribution.models()

        def exchange(t, features, predicted, scales):
            residuals = find(t, features, predicted)
            encoder.write(models, residuals.ravel(), scales.ravel())
            return residuals

    else:
        frequencies = method.distribution.prepared()

        def exchange_in_context(t, feature, predicted, scales, inputs):
            residuals = find(t, feature, predicted)
            encoder.write_by(frequencies(inputs, feature), residuals, scales)
            return residuals

        exchange = in_context(lattice.units_of_bin, len(rows.lengths), exchange_in_context)
    decoded = _run(method, lattice, rows, exchange, reconstruction)
    content = encoder.finish()
    exceptions = _encode_exceptions(joined, lattice.values(rows.joined(decoded), joined.dtype), lattice.bound)
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
        reconstruction, data = rows.padded(_reconstructed(integers, lengths, lattice, reconstructor)), data[end:]
    (n_bytes,), place = unpack_numbers(data, 1)
    n_values = int(lengths.sum()) * len(lattice.unit)
    decoder = ResidualDecoder(data[place : place + int(n_bytes)], n_values)
    if isinstance(method.distribution, Tables):
        models = method.distribution.models()

        def exchange(t, features, predicted, scales):
            return decoder.read(models, scales.ravel()).reshape(predicted.shape)

    else:
        frequencies = method.distribution.prepared()

        def exchange_in_context(t, feature, predicted, scales, inputs):
            return decoder.read_by(frequencies(inputs, feature), scales)

        exchange = in_context(lattice.units_of_bin, len(rows.lengths), exchange_in_context)
    decoded = _run(method, lattice, rows, exchange, reconstruction)
    values = lattice.values(rows.joined(decoded), dtype)
    return _decode_exceptions(data[place + int(n_bytes) :], values)


def _encode_numbers(joined: np.ndarray) -> bytes:
    pcodec = import_extra("pcodec", extra="codec")
    config = pcodec.ChunkConfig(compression_level=_LEVEL_OF_PCODEC)
    in_order = np.ascontiguousarray(joined.T, joined.dtype.newbyteorder("="))
    columns = [pcodec.standalone.simple_compress(column, config) for column in in_order]
    return pack_numbers(np.array([len(column) for column in columns])) + b"".join(columns)


def _decode_numbers(data: bytes, n_timesteps: int, n_features: int, dtype) -> np.ndarray:
    pcodec = import_extra("pcodec", extra="codec")
    sizes, start = unpack_numbers(data, n_features)
    columns = np.empty((n_features, n_timesteps), np.dtype(dtype).newbyteorder("="))
    for column, end in zip(columns, (start + np.cumsum(sizes)).tolist(), strict=True):
        progress = pcodec.standalone.simple_decompress_into(data[start:end], column)
        if progress.n_processed != n_timesteps or not progress.finished:
            raise InvalidStreamError(f"Got {progress.n_processed} values of a feature, expected {n_timesteps}.")
        start = end
    return np.ascontiguousarray(columns.T)


def _run(
    method: Method, lattice: Lattice, rows: Rows, exchange: Callable, reconstruction: np.ndarray | None
) -> np.ndarray:
    return run_predictor(
        method.predictor,
        lattice.units_of_bin,
        rows.lengths,
        exchange,
        reconstruction=reconstruction,
        one_by_one=isinstance(method.distribution, ResidualNetwork),
    )


def _encode_bins(joined: np.ndarray, lattice: Lattice) -> bytes:
    integers, fits = lattice.integers(joined)
    bins = np.where(fits, nearest_bins(integers, lattice.units_of_bin), 0)
    exceptions = _encode_exceptions(joined, lattice.values(bins * lattice.units_of_bin, joined.dtype), lattice.bound)
    lowest = bins.min(axis=0)
    above = bins - lowest
    width = next(width for width in (1, 2, 4, 8) if above.max() >> (8 * width - 1) < 2)
    # Of one feature after the other, the bytes of one significance after the other.
    planes = _planes(above.T.astype(f"<u{width}"))
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
    bins = _from_planes(planes, f"<u{width}").reshape(n_features, -1).T.astype(np.int64) + lowest
    return _decode_exceptions(exceptions, lattice.values(bins * lattice.units_of_bin, dtype))


def _encode_exceptions(values: np.ndarray, decoded: np.ndarray, bound: np.ndarray) -> bytes:
    """Write the values that the bound is missed for, and those that are not finite, as they are."""
    # Where no error is allowed, the sign of zero counts too.
    exact = (values == decoded) & ((values != 0) | (np.signbit(values) == np.signbit(decoded)))
    places = np.flatnonzero(~np.where(bound > 0, _are_near(values, decoded, bound), exact))
    if not len(places):
        return b""
    gaps = pack_numbers(np.diff(places, prepend=0))
    packed = compressed(gaps + _planes(values.ravel()[places]))
    return pack_numbers(np.array([len(places), len(gaps)])) + packed


def _are_near(values: np.ndarray, decoded: np.ndarray, bound: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore", over="ignore"):
            return np.abs(values.astype(np.float64) - decoded.astype(np.float64)) <= bound
    # float64 can't hold integers of 64 bits, and differences of signed ones exceed their range.
    higher, lower = (np.ascontiguousarray(f(values, decoded)) for f in (np.maximum, np.minimum))
    unsigned = np.dtype(f"u{values.itemsize}")
    most = np.array([int(min(each, np.iinfo(unsigned).max)) for each in bound.tolist()], np.uint64)
    return (higher.view(unsigned) - lower.view(unsigned)).astype(np.uint64) <= most


def _decode_exceptions(data: bytes, values: np.ndarray) -> np.ndarray:
    if not data:
        return values
    (count, n_gaps), start = unpack_numbers(data, 2)
    if count > values.size or n_gaps > 9 * count:
        raise InvalidStreamError(f"Got {count} exceptions for {values.size} values.")
    content = decompressed(data[start:], int(n_gaps + count * values.itemsize))
    gaps, _ = unpack_numbers(content, int(count))
    values = values.copy()
    values.ravel()[np.cumsum(gaps)] = _from_planes(content[int(n_gaps) :], values.dtype)
    return values


def _little(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)


def _planes(values: np.ndarray) -> bytes:
    """Return the bytes of one significance of all values, then those of the next."""
    return _little(values).view(np.uint8).reshape(-1, values.itemsize).T.tobytes()


def _from_planes(data: bytes, dtype) -> np.ndarray:
    dtype = np.dtype(dtype)
    planes = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1)
    return np.ascontiguousarray(planes.T).view(dtype.newbyteorder("<")).ravel().astype(dtype)
