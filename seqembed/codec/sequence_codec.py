"""The codec: sequences as bytes, with a bound on every error."""

from __future__ import annotations

import hashlib

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from seqembed.codec.blocks import Method, arrange, bins_are_short, decode_block, encode_block
from seqembed.codec.container import Header, InvalidStreamError, block, locate_blocks, pack, unpack_header
from seqembed.codec.lattice import learn_lattice
from seqembed.codec.predictors import learn_predictor, run_predictor
from seqembed.codec.range_coder import learn_tables
from seqembed.sequences.containers import as_numbers, listed

# Values of a block: enough to amortise its tables, few enough for random access.
_VALUES_OF_BLOCK = 1 << 20
# Values that predictors are learned from.
_TRAINING_VALUES = 1 << 20
# Predictors that are tried on the training sequences, and how many of them are kept.
_CANDIDATES = [
    {"n_lags": n_lags, "by_timestep": by_timestep, "rounds": rounds}
    for n_lags in (0, 1, 3, 8)
    for by_timestep in (False, True)
    for rounds in (False, True)
]
_KEPT, _NEAR = 3, 1.05
# So many timesteps that are equal in neighbouring windows are no chance.
_FEWEST_SHARED = 3
# With fewer sequences, what is expected at a timestep is hearsay.
_FEWEST_BY_TIMESTEP = 10


class SequenceCodec(BaseEstimator):
    """Compress sequences, so that no value is decoded with a larger error than a bound.

    `fit` learns, from typical sequences, the step of each feature's own (integers and decimals hide in floats), how a
    value follows from the timesteps before it, and how far off these predictions are. `encode` predicts each value,
    rounds what is left to what the bound allows, and codes it by its probability. Where that does not pay, a block is
    compressed by xz. Every value is decoded while it is encoded: one that misses the bound, and one that is not finite,
    is stored as it is.

    Parameters
    ----------
    max_error : float or array-like of shape (n_features,), default=0.01
        Largest error of a decoded value. 0 is lossless, to the bit.
    relative : bool, default=True
        Whether `max_error` is a share of each feature's range in the training sequences, or in their units.

    Attributes
    ----------
    lattice_ : seqembed.codec.lattice.Lattice
        How values become integers; ``lattice_.bound`` has the largest error of each feature, in its units.
    methods_ : list of seqembed.codec.blocks.Method
        The predictors that a block is tried with.
    tries_bins_ : bool
        Whether xz of the rounded values came near the predictions on the training sequences, so that `encode` tries it.
    n_features_in_ : int
        Number of features.

    Notes
    -----
    The codec is needed to decode: keep it beside the bytes, for instance with joblib. `report` has its size. Windows
    that overlap should be coded as the recording that they come from.

    References
    ----------
    G. N. N. Martin, "Range encoding: an algorithm for removing redundancy from a digitised message" (1979).
    R. Bamler, "Understanding entropy coding with asymmetric numeral systems (ANS)" (2022), for the library
    constriction.

    Examples
    --------
    >>> import numpy as np
    >>> from seqembed.codec import SequenceCodec
    >>> from seqembed.datasets import load_italy_power
    >>> X = load_italy_power().data
    >>> codec = SequenceCodec(max_error=0.05).fit(X[:500])
    >>> data = codec.encode(X[500:])
    >>> decoded = codec.decode(data)
    >>> bool(np.abs(decoded - X[500:]).max() <= codec.lattice_.bound[0]), len(data) < X[500:].nbytes / 20
    (True, True)
    """

    def __init__(self, max_error=0.01, *, relative=True):
        self.max_error = max_error
        self.relative = relative

    def fit(self, X, y=None):
        """Learn from typical sequences.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences of any real dtype. What is not finite is left out.
        y : object, default=None
            Ignored.

        Returns
        -------
        self : object
            The fitted codec.

        Raises
        ------
        ValueError
            For a bound that is negative or not finite, for windows that overlap, and for no value at all.
        """
        sequences, _ = _checked(X)
        n_features = _count_features(sequences)
        values = np.concatenate(sequences)
        bound = self._bound(values)
        lattice = learn_lattice(values, bound)
        training = _sample(sequences)
        rows = arrange(np.array([len(sequence) for sequence in training]))
        integers, _ = lattice.integers(np.concatenate(training))
        padded = rows.padded(integers)
        results = []
        for settings in _CANDIDATES:
            if settings["by_timestep"] and len(training) < _FEWEST_BY_TIMESTEP:
                continue
            results.append(_learn_method(padded, rows.lengths, lattice.units_of_bin, settings))
        results.sort(key=lambda result: result[0])
        methods = [method for bits, method in results[:_KEPT] if bits <= _NEAR * results[0][0]]
        self.tries_bins_ = bins_are_short(training, lattice, methods[0])
        self.lattice_, self.methods_, self.n_features_in_ = lattice, methods, n_features
        return self

    def encode(self, X) -> bytes:
        """Compress sequences.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
            Sequences of the fitted features; any number of any lengths, NaN and infinity included.

        Returns
        -------
        data : bytes
            What `decode` reads. The same on every machine.

        Raises
        ------
        ValueError
            For other features, and for windows that overlap.
        """
        check_is_fitted(self)
        sequences, layout = _checked(X)
        if sequences and _count_features(sequences) != self.n_features_in_:
            raise ValueError(
                f"Got sequences of {_count_features(sequences)} features, but SequenceCodec was fitted on "
                f"{self.n_features_in_}. Pass sequences of the same features."
            )
        dtype = np.result_type(*{sequence.dtype for sequence in sequences}) if sequences else np.dtype(np.float32)
        models = [method.tables.models() for method in self.methods_]
        blocks = []
        for part in _blocks(sequences):
            part = [sequence.astype(dtype, copy=False) for sequence in part]
            content, _ = encode_block(part, self.lattice_, self.methods_, models, tries_bins=self.tries_bins_)
            blocks.append(content)
        return pack(Header(layout, dtype, self._fingerprint(), self.n_features_in_, len(blocks)), blocks)

    def decode(self, data: bytes):
        """Decompress sequences.

        Parameters
        ----------
        data : bytes
            What `encode` returned.

        Returns
        -------
        X : array or list of arrays
            In the layout and dtype that was encoded.

        Raises
        ------
        seqembed.codec.InvalidStreamError
            A `ValueError`, for damaged bytes, and for those of another codec. A damaged block is named; `decode_block`
            reads the others.
        """
        check_is_fitted(self)
        header = self._checked_header(data)
        sequences = []
        for number in range(header.n_blocks):
            sequences += self.decode_block(data, number)
        if header.layout % 2 == 0:
            return sequences if header.layout == 0 else [sequence[:, 0] for sequence in sequences]
        if not sequences:
            return np.empty((0, 1, self.n_features_in_)[: 3 if header.layout == 1 else 2], header.dtype)
        stacked = np.stack(sequences)
        return stacked if header.layout == 1 else stacked[:, :, 0]

    def decode_block(self, data: bytes, number: int) -> list[np.ndarray]:
        """Decompress one block, without reading the others.

        Parameters
        ----------
        data : bytes
            What `encode` returned.
        number : int
            Of the block, from 0.

        Returns
        -------
        sequences : list of arrays of shape (n_timesteps, n_features)
            Those of the block.

        Raises
        ------
        seqembed.codec.InvalidStreamError
            See `decode`.
        """
        header = self._checked_header(data)
        places = locate_blocks(data)
        if not 0 <= number < len(places):
            raise ValueError(f"Got block {number}, expected one from 0 to {len(places) - 1}.")
        models = [method.tables.models() for method in self.methods_]
        return decode_block(block(data, places[number], number), header.dtype, self.lattice_, self.methods_, models)

    def report(self, X) -> dict[str, float]:
        """Encode and decode sequences, and say what came of it.

        Parameters
        ----------
        X : array-like or list of arrays
            See `encode`.

        Returns
        -------
        report : dict of str to float
            "bytes", "bits_per_value", "ratio" to the bytes of `X`, "rmse" and "largest_error" over finite values, in
            the units of `X`; "codec_bytes", the size of what the codec has learned, and "pays_back_after", the number
            of values after which that is saved beside xz of the values, infinity if never.
        """
        data = self.encode(X)
        sequences, _ = _checked(X)
        decoded, _ = _checked(self.decode(data))
        values, again = (np.concatenate([each.ravel() for each in some]) for some in (sequences, decoded))
        finite = np.isfinite(values)
        errors = np.abs(values[finite].astype(np.float64) - again[finite])
        n_bytes = sum(method.predictor.n_bytes + method.tables.frequencies.size * 4 for method in self.methods_)
        # Without predictors, what is left is xz of the bins.
        by_xz, _ = encode_block(sequences, self.lattice_, [], [], tries_bins=True)
        saved = (len(by_xz) - len(data)) / values.size
        return {
            "bytes": float(len(data)),
            "bits_per_value": 8 * len(data) / values.size,
            "ratio": values.nbytes / len(data),
            "rmse": float(np.sqrt(np.square(errors).mean())) if len(errors) else 0.0,
            "largest_error": float(errors.max(initial=0.0)),
            "codec_bytes": float(n_bytes),
            "pays_back_after": n_bytes / saved if saved > 0 else np.inf,
        }

    def _bound(self, values: np.ndarray) -> np.ndarray:
        bound = np.broadcast_to(np.asarray(self.max_error, np.float64), (values.shape[1],))
        if not (np.isfinite(bound) & (bound >= 0)).all():
            raise ValueError(f"Got max_error={self.max_error}, expected a number from 0, or one for each feature.")
        if not self.relative:
            return bound.copy()
        finite = np.isfinite(values)
        lowest = np.where(finite, values, np.inf).min(axis=0, initial=np.inf).astype(np.float64)
        highest = np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf).astype(np.float64)
        # A half each, since the whole may exceed the largest float.
        return np.where(highest > lowest, bound * (highest / 2 - lowest / 2) * 2, 0)

    def _checked_header(self, data: bytes) -> Header:
        header = unpack_header(data)
        if header.fingerprint != self._fingerprint():
            raise InvalidStreamError("Got bytes of another codec, or of this one before it was fitted again.")
        return header

    def _fingerprint(self) -> bytes:
        digest = hashlib.sha256()
        for each in (*self.lattice_, *(n for m in self.methods_ for n in (*m.predictor[:3], m.tables.frequencies))):
            digest.update(np.ascontiguousarray(each).astype(each.dtype.newbyteorder("<")).tobytes())
        digest.update(bytes(method.predictor.rounds for method in self.methods_))
        return digest.digest()[:8]


def _learn_method(integers: np.ndarray, lengths: np.ndarray, units_of_bin: np.ndarray, settings: dict):
    """Return the bits that a predictor needs on the training sequences, and the method."""
    predictor = learn_predictor(integers, lengths, units_of_bin, **settings)
    residuals, scales = [], []

    def observe(t, predicted, expected):
        found = (integers[: len(predicted), t] - predicted + (units_of_bin >> 1)) // units_of_bin
        residuals.append(found.ravel())
        scales.append(np.broadcast_to(expected, found.shape).ravel())
        return found

    run_predictor(predictor, units_of_bin, lengths, observe)
    residuals, scales = np.concatenate(residuals), np.concatenate(scales)
    tables = learn_tables(residuals, scales)
    return tables.count_bits(residuals, scales), Method(predictor, tables)


def _checked(X) -> tuple[list[np.ndarray], int]:
    """Return sequences as arrays of (n_timesteps, n_features), and their layout, see `Header`."""
    X = listed(X)
    if isinstance(X, np.ndarray) or not isinstance(X, (list, tuple)):
        values = as_numbers(X, "X")
        if values.ndim not in (2, 3):
            raise ValueError(f"Got X= of shape {values.shape}, expected (n_samples, n_timesteps[, n_features]).")
        _refuse_overlap(values)
        return list(values if values.ndim == 3 else values[:, :, np.newaxis]), 1 if values.ndim == 3 else 3
    arrays = [as_numbers(each, f"sequence {position}") for position, each in enumerate(X)]
    for position, array in enumerate(arrays):
        if array.ndim not in (1, 2) or array.ndim != arrays[0].ndim or array.shape[1:] != arrays[0].shape[1:]:
            raise ValueError(
                f"Got sequence {position} of shape {array.shape} beside sequence 0 of {arrays[0].shape}, expected "
                f"(n_timesteps, n_features) with the same features."
            )
    if arrays and arrays[0].ndim == 1:
        return [array[:, np.newaxis] for array in arrays], 2
    return arrays, 0


def _refuse_overlap(values: np.ndarray) -> None:
    """Refuse windows that share values: the recording holds each of them once."""
    n_timesteps = values.shape[1]
    if len(values) < 3:
        return
    for shift in range(1, n_timesteps - _FEWEST_SHARED + 1):
        shared = values[1:3, : n_timesteps - shift]
        varies = (shared != shared[:, :1]).any(axis=1).all()
        if varies and np.array_equal(values[:2, shift:], shared):
            raise ValueError(
                f"Got windows that overlap: each starts at row {shift} of the one before it. Encode the recording that "
                f"they come from, as [recording], and cut the windows after decoding."
            )


def _count_features(sequences: list[np.ndarray]) -> int:
    if not sequences or not sum(map(len, sequences)):
        raise ValueError("Got no value, expected sequences to learn from.")
    return sequences[0].shape[1]


def _sample(sequences: list[np.ndarray]) -> list[np.ndarray]:
    """Return sequences spread over all, of about a million values."""
    n_values = sum(sequence.size for sequence in sequences)
    stride = max(1, n_values // _TRAINING_VALUES)
    return sequences[::stride]


def _blocks(sequences: list[np.ndarray]):
    part, n_values = [], 0
    for sequence in sequences:
        part.append(sequence)
        n_values += sequence.size
        if n_values >= _VALUES_OF_BLOCK:
            yield part
            part, n_values = [], 0
    if part:
        yield part
