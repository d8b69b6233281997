"""A second decoder of the codec's bytes, written from ``docs/codec_format.md`` alone.

It imports nothing of seqembed. If it decodes the same values as the codec, the page is complete and right.
"""

import json
import lzma
import struct
import zlib

import constriction
import numpy as np
from pcodec import standalone

MODELS = constriction.stream.model
DTYPES = ("<f4", "<f8", "<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f2")
LIMITS = sorted({round(2 ** (j / 2)) for j in range(52)})
LARGEST_DEVIATION, LARGEST_STATE = 1 << 28, 1 << 20
LIST, ARRAY, UNIVARIATE_LIST, UNIVARIATE_ARRAY, RECORDING = range(5)
FIRST_PREDICTOR = 64


class Reader:
    """Bytes that are read from the start to the end."""

    def __init__(self, data):
        self.data, self.place = data, 0

    def take(self, n_bytes):
        """Return the next bytes."""
        self.place += n_bytes
        assert self.place <= len(self.data)
        return self.data[self.place - n_bytes : self.place]

    def number(self):
        """Return the next number of base 128."""
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def numbers(self, count):
        """Return some numbers."""
        return [self.number() for _ in range(count)]

    def part(self):
        """Return the bytes of a part."""
        return self.take(self.number())

    def rest(self):
        """Return all bytes that are left."""
        return self.take(len(self.data) - self.place)


def decompressed(data):
    """Decompress a stream that the page calls xz."""
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 8 << 20}])
    content = decompressor.decompress(data)
    assert decompressor.eof
    assert not decompressor.unused_data
    return content


def from_planes(data, dtype):
    """Read values: the lowest bytes of all come first."""
    planes = np.frombuffer(data, np.uint8).reshape(np.dtype(dtype).itemsize, -1)
    return np.ascontiguousarray(planes.T).view(dtype).ravel()


def clipped(values, largest):
    """Clip values on both sides."""
    return np.clip(values, -largest, largest)


def nearest(values, units):
    """Divide by an odd number, and round to the nearest integer."""
    return (2 * values + units) // (2 * units)


class Residuals:
    """The words and escapes of a part with residuals."""

    def __init__(self, data):
        reader = Reader(data)
        n_words = reader.number()
        words = np.frombuffer(reader.take(4 * n_words), "<u4").astype(np.uint32)
        self.coder = constriction.stream.queue.RangeDecoder(words)
        escapes = reader.rest()
        self.escapes = np.frombuffer(zlib.decompress(escapes), "<u4").tolist() if escapes else []

    def raw_bits(self, count, n_bits):
        """Read the raw bits of some residuals."""
        values = np.zeros(count, np.int64)
        for start in range(0, n_bits, 12):
            uniform = MODELS.Uniform(1 << min(12, n_bits - start))
            values |= self.coder.decode(uniform, count).astype(np.int64) << start
        return values

    def with_escapes(self, symbols, largest):
        """Add escapes to symbols."""
        for place in np.flatnonzero(np.abs(symbols) == largest).tolist():
            symbols[place] += np.sign(symbols[place]) * self.escapes.pop(0)
        return symbols

    def read_with_tables(self, frequencies, scales):
        """Read the residuals of a call, by tables."""
        tables = np.searchsorted(LIMITS, scales)
        residuals = np.zeros(len(scales), np.int64)
        for table in np.unique(tables):
            places = np.flatnonzero(tables == table)
            model = MODELS.Categorical(frequencies[table].astype(np.float64), perfect=False)
            symbols = self.with_escapes(self.coder.decode(model, len(places)).astype(np.int64) - 40, 40)
            n_bits = count_raw_bits(table)
            residuals[places] = (symbols << n_bits) + self.raw_bits(len(places), n_bits)
        return residuals

    def read_with_network(self, probabilities, scales):
        """Read the residuals of a call, each of which has probabilities of its own."""
        largest = probabilities.shape[1] // 2
        symbols = self.coder.decode(MODELS.Categorical(perfect=False), probabilities).astype(np.int64) - largest
        residuals = self.with_escapes(symbols, largest)
        n_bits = np.array([count_raw_bits(table) for table in np.searchsorted(LIMITS, scales)])
        for count in np.unique(n_bits).tolist():
            places = np.flatnonzero(n_bits == count)
            residuals[places] = (residuals[places] << count) + self.raw_bits(len(places), count)
        return residuals


def count_raw_bits(table):
    """Count the raw bits of the residuals of a table."""
    return min(17, max(0, (int(table) - 15) // 2))


def cut_into_pieces(lengths):
    """Cut sequences; return the start and the end of each piece, the longest first."""
    total, longest = sum(lengths), max(lengths, default=0)
    limit = max(512, -(-total // 64))
    while sum(-(-length // limit) for length in lengths) * min(limit, longest) > 4 * total:
        limit //= 2
    pieces, start = [], 0
    for length in lengths:
        n_pieces = -(-length // limit)
        size = -(-length // n_pieces) if n_pieces else 1
        pieces += [(start + first, start + min(first + size, length)) for first in range(0, length, size)]
        start += length
    return sorted(pieces, key=lambda piece: piece[0] - piece[1])


def nine(value):
    """Clip a residual at 9."""
    return min(max(value, -9), 9)


def h(value):
    """Return the bit length of the square, about twice the binary logarithm."""
    return (min(int(value), 65535) ** 2).bit_length()


def tanh(sums):
    """Return the hyperbolic tangent, with 12 fractional bits, of sums with 24."""
    return np.rint(4096 * np.tanh(clipped(np.rint(sums / 2**14), 8192) / 1024)).astype(np.int64)


class Predictor:
    """Decodes a part with residuals by the arrays of a predictor."""

    def __init__(self, arrays, place, rounds, units):
        self.arrays = {name.removeprefix(place): array for name, array in arrays.items() if name.startswith(place)}
        self.rounds, self.units = rounds, units

    def __getitem__(self, name):
        array = self.arrays[name]
        return array if name in ("means", "factors") else array.astype(np.int64)

    def decode(self, data, lengths, reconstruction):
        """Return the integers of all timesteps."""
        residuals, pieces, n_features = Residuals(data), cut_into_pieces(lengths), len(self.units)
        integers = np.zeros((sum(lengths), n_features), np.int64)
        histories = [[] for _ in pieces]
        curves = self["curve"]
        state = np.full((len(pieces), n_features), 256) if len(curves) > 1 else self["typical"][[0] * len(pieces)]
        one_by_one = "kernel" in self.arrays or self["same_step"].any()
        for t in range(pieces[0][1] - pieces[0][0]):
            active = [row for row, (start, stop) in enumerate(pieces) if t < stop - start]
            typical = self["typical"][min(t, len(curves) - 1)]
            scales = state * typical // 256 if len(curves) > 1 else state.copy()
            now = [{"residuals": [], "integers": []} for _ in active]
            for row in active:
                histories[row].append(now[row])
            for group in [[f] for f in range(n_features)] if one_by_one else [list(range(n_features))]:
                predicted = np.array(
                    [[self.predict(histories[row], t, f, pieces[row], reconstruction) for f in group] for row in active]
                )
                group_scales = scales[: len(active)][:, group]
                if "kernel" in self.arrays:
                    contexts = [
                        self.context(histories[row], t, group[0], p, size)
                        for row, p, size in zip(active, predicted[:, 0], group_scales[:, 0], strict=True)
                    ]
                    read = residuals.read_with_network(
                        self.probabilities(np.array(contexts), group[0]), group_scales[:, 0]
                    )
                else:
                    read = residuals.read_with_tables(self["frequencies"], group_scales.ravel())
                read = read.reshape(predicted.shape)
                for row, some, those in zip(active, read.tolist(), predicted.tolist(), strict=True):
                    now[row]["residuals"] += some
                    now[row]["integers"] += [
                        p + r * int(self.units[f]) for p, r, f in zip(those, some, group, strict=True)
                    ]
            for row in active:
                integers[pieces[row][0] + t] = now[row]["integers"]
                large = 64 * np.minimum(np.abs(now[row]["residuals"]), 1 << 20)
                if len(curves) > 1:
                    state[row] += (256 * (large + 16) // (typical + 16) - state[row] + 3) // 6
                else:
                    state[row] += (large - state[row] + 2) // 4
        assert not residuals.escapes
        return integers

    def predict(self, history, t, f, piece, reconstruction):
        """Predict an integer."""
        curves, n_features = self["curve"], len(self.units)

        def curve(time):
            return curves[min(time, len(curves) - 1)]

        weights, total = self["weights"], 0
        for lag in range(1, min(t, len(weights) // n_features) + 1):
            deviations = clipped(np.array(history[t - lag]["integers"]) - curve(t - lag), LARGEST_DEVIATION)
            total += int(deviations @ weights[(lag - 1) * n_features : lag * n_features, f])
        before = clipped(
            np.array(history[t]["integers"][:f], np.int64) - curve(t)[: len(history[t]["integers"][:f])],
            LARGEST_DEVIATION,
        )
        total += int(before @ self["same_step"][: len(before), f])
        if len(self["reconstruction_weights"]):
            start, stop = piece
            for k, time in enumerate((t, max(t - 1, 0), t + 1 if t + 1 < stop - start else t)):
                deviations = clipped(reconstruction[start + time] - curve(time), LARGEST_DEVIATION)
                total += int(deviations @ self["reconstruction_weights"][k * n_features : (k + 1) * n_features, f])
        predicted = int(curve(t)[f]) + int(clipped((total + 32768) // 65536, LARGEST_DEVIATION))
        units = int(self.units[f])
        return nearest(predicted, units) * units if self.rounds else predicted

    def context(self, history, t, f, predicted, size):
        """List the inputs of the network."""
        n_features, units = len(self.units), self.units

        def is_known(lag, g):
            return t >= lag and 0 <= g < n_features and (lag or g < f)

        def r(lag, g):
            return history[t - lag]["residuals"][g] if is_known(lag, g) else 0

        def q(lag, g):
            return nearest(history[t - lag]["integers"][g], int(units[g])) if is_known(lag, g) else 0

        fast, slow, total, last = np.zeros((4, n_features), np.int64)
        for step in history[:t]:
            last = 64 * np.minimum(np.abs(step["residuals"]), 1 << 20)
            fast, slow, total = fast + (last - fast + 2) // 4, slow + (last - slow + 8) // 16, total + last
        bin_of, m = nearest(int(predicted), int(units[f])), int(units[f])
        remainder = 32 * (int(predicted) - m * bin_of) // m
        lags, before = (1, 2, 3, 4), (f - 3, f - 2, f - 1)
        return [
            *(nine(r(lag, f)) for lag in lags),
            *(h(abs(r(lag, f))) for lag in lags),
            *(nine(r(1, g)) for g in (f - 1, f + 1)),
            *(q(1, f), q(1, f) - q(2, f), q(1, f - 1), q(1, f + 1)),
            *(h(fast[f]), h(slow[f]), h(total[f] // max(1, t))),
            *(h(last.sum()), h(fast.sum()), h(slow.sum())),
            *(t, h(t)),
            np.searchsorted(LIMITS, size),
            *(remainder, abs(remainder)),
            *(bin_of, bin_of - q(1, f)),
            *(nine(r(0, g)) for g in before),
            *(h(abs(r(0, g))) for g in before),
            h(sum(abs(r(0, g)) for g in range(f))),
            q(0, f - 1),
        ]

    def probabilities(self, contexts, f):
        """Return numbers that are proportional to the probabilities of each symbol."""
        scaled = np.rint(clipped((contexts.astype(np.float32) - self["means"]) * self["factors"], np.float32(128)))
        biases = self["biases"]
        hidden = scaled.astype(np.int64) @ self["kernel"] + biases[min(f, len(biases) - 1)]
        outputs = np.clip(hidden // 512, 0, 1023) @ self["output_kernel"] + self["output_bias"]
        steps = np.minimum((outputs.max(axis=1, keepdims=True) - outputs) // 64, 1279)
        return (8 + (np.rint(2.0 ** (20 - steps % 64 / 64)).astype(np.int64) >> steps // 64)).astype(np.float64)


def reconstructed(description, arrays, integers, n_timesteps):
    """Return the values that a rounded embedding is decoded to."""
    axes, mean = (
        np.rint(each * 2.0**24) for each in (arrays["embedding/axes"] * description["step"], arrays["embedding/mean"])
    )
    embedding = clipped((integers @ axes.astype(np.int64) + mean.astype(np.int64)) // 4096, LARGEST_STATE)
    layers = [
        [arrays[f"layer {k}/{name}"].astype(np.int64) for name in ("kernel", "recurrent_kernel", "biases")]
        for k in range(description["n_layers"])
    ]
    states, values = [[0, 0] for _ in layers], []
    for step in range(-(-n_timesteps // description["patch_size"])):
        inputs = embedding
        for state, (kernel, recurrent_kernel, biases) in zip(states, layers, strict=True):
            hidden, cell = (np.zeros(len(recurrent_kernel), np.int64) + each for each in state)
            sums = inputs @ kernel + hidden @ recurrent_kernel + biases[min(step, len(biases) - 1)]
            i, f, c, o = np.split(sums, 4)
            i, f, o = ((4096 + tanh(gate / 2)) // 2 for gate in (i, f, o))
            c = np.minimum(np.maximum(c, 0) // 4096, LARGEST_STATE) if description["relu"] else tanh(c)
            cell = clipped((f * cell + i * c) // 4096, LARGEST_STATE)
            hidden = o * (np.maximum(cell, 0) if description["relu"] else tanh(4096 * cell)) // 4096
            state[:], inputs = (hidden, cell), hidden
        outputs = inputs @ arrays["decoder/output_kernel"].astype(np.int64) + arrays["decoder/output_bias"].astype(
            np.int64
        )
        values += outputs.reshape(description["patch_size"], -1).tolist()
    values = np.array(values[:n_timesteps], np.float64)
    if "decoder/loadings" in arrays:
        loadings = arrays["decoder/loadings"].astype(np.int64)[:, :n_timesteps]
        values[: loadings.shape[1]] += np.tensordot(embedding[: len(loadings)], loadings, axes=1)
    values /= 2**24
    return values * arrays["decoder/scale"].astype(np.float64) + arrays["decoder/center"].astype(np.float64)


def check_layout(layout, n_features, n_timesteps, lengths):
    """Check that all sequences have the form that the layout names."""
    assert layout in (LIST, ARRAY, UNIVARIATE_LIST, UNIVARIATE_ARRAY, RECORDING)
    if layout in (LIST, UNIVARIATE_LIST):
        assert n_timesteps == 0
    else:
        assert all(length == n_timesteps for length in lengths)
    if layout in (UNIVARIATE_LIST, UNIVARIATE_ARRAY):
        assert n_features == 1
    if layout == RECORDING:
        assert len(lengths) == 1


class NaiveDecoder:
    """Decodes the bytes of a codec with a bound; made from the bytes of its file."""

    def __init__(self, file):
        (length,) = struct.unpack("<Q", file[:8])
        header, start = json.loads(file[8 : 8 + length]), 8 + length
        self.description, self.arrays = json.loads(header.pop("__metadata__")["description"]), {}
        for name, entry in header.items():
            first, last = entry["data_offsets"]
            dtype = {"F32": "<f4", "F64": "<f8"}[entry["dtype"]]
            self.arrays[name] = np.frombuffer(file[start + first : start + last], dtype).reshape(entry["shape"])
        self.center, self.unit = (self.arrays[name].astype(np.float64) for name in ("center", "unit"))
        self.denominator = self.arrays.get("denominator", np.ones(1)).astype(np.float64)
        self.units = self.arrays["bin_widths"].astype(np.int64)

    def decode(self, data):
        """Return the values of all timesteps, and the numbers of the methods of the blocks."""
        reader = Reader(data)
        magic, version, layout, dtype, fingerprint = struct.unpack("<4sBBB8s", reader.take(15))
        assert (magic, version) == (b"SEQC", 1)
        assert fingerprint.hex() == self.description["fingerprint"]
        n_features, n_timesteps, n_blocks = reader.numbers(3)
        checked = data[: reader.place]
        assert struct.unpack("<I", reader.take(4))[0] == zlib.crc32(checked)
        assert n_features == len(self.units)
        values, lengths, methods = [np.empty((0, n_features), DTYPES[dtype])], [], []
        for _ in range(n_blocks):
            length = reader.number()
            (checksum,) = struct.unpack("<I", reader.take(4))
            content = reader.take(length)
            assert checksum == zlib.crc32(content)
            values.append(self.block(Reader(content), np.dtype(DTYPES[dtype]), lengths, methods))
        assert not reader.rest()
        check_layout(layout, n_features, n_timesteps, lengths)
        return np.concatenate(values), methods

    def block(self, reader, dtype, all_lengths, methods):
        """Decode a block. Its lengths and its method are added to those of all blocks."""
        lengths, n_features = self.lengths(reader), len(self.units)
        method, total = reader.take(1)[0], sum(lengths)
        all_lengths += lengths
        methods.append(method)
        if method == 0:
            return np.frombuffer(decompressed(reader.rest()), dtype).reshape(n_features, total).T
        if method == 1:
            sizes = reader.numbers(n_features)
            return np.stack([standalone.simple_decompress(reader.take(size)) for size in sizes], axis=1)
        if method == 2:
            part = Reader(reader.part())
            lowest = [-(number >> 1) if number & 1 else number >> 1 for number in part.numbers(n_features)]
            width = part.take(1)[0]
            above = from_planes(decompressed(part.rest()), f"<u{width}").reshape(n_features, total).T
            integers = (above.astype(np.int64) + lowest) * self.units
        else:
            number = method - FIRST_PREDICTOR
            predictor = Predictor(self.arrays, f"{number}/", self.description["rounds"][number], self.units)
            reconstruction = None
            if len(predictor["reconstruction_weights"]):
                reconstruction = self.reconstruction(reader.part(), lengths)
            integers = predictor.decode(reader.part(), lengths, reconstruction)
        values = np.ascontiguousarray((self.center + self.unit * integers) / self.denominator)
        if dtype.kind != "f":
            values = np.clip(np.rint(values), np.iinfo(dtype).min, np.iinfo(dtype).max)
        values = values.astype(dtype)
        if reader.place < len(reader.data):
            count, n_bytes = reader.numbers(2)
            content = decompressed(reader.rest())
            places = np.cumsum(Reader(content[:n_bytes]).numbers(count))
            values.ravel()[places] = from_planes(content[n_bytes:], dtype)
        return values

    def reconstruction(self, data, lengths):
        """Return the integers of the reconstruction, of all timesteps."""
        scales = np.tile(self.arrays["embedding/sizes"].astype(np.int64), len(lengths))
        embeddings = Residuals(data).read_with_tables(self.arrays["embedding/frequencies"], scales)
        sequences = [
            reconstructed(self.description, self.arrays, integers, length)
            for integers, length in zip(embeddings.reshape(len(lengths), -1), lengths, strict=True)
        ]
        integers = np.rint((np.concatenate(sequences) * self.denominator - self.center) / self.unit)
        return np.where(np.abs(integers) <= 1 << 27, integers, 0).astype(np.int64)

    def lengths(self, reader):
        """Read the lengths of sequences."""
        n_sequences, form = reader.number(), reader.take(1)[0]
        if form == 1:
            return reader.numbers(1) * n_sequences
        if form == 0:
            return reader.numbers(n_sequences)
        n_packed, n_bytes = reader.numbers(2)
        content = decompressed(reader.take(n_packed))
        assert len(content) == n_bytes
        return Reader(content).numbers(n_sequences)
