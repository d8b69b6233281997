"""The coder with a bound on every error: what it learns, and how it codes sequences."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqembed.codec.blocks import Method, arrange, bins_are_short, decode_block, encode_block, lengths_of
from seqembed.codec.contexts import in_context
from seqembed.codec.lattice import Lattice, learn_lattice, nearest_bins
from seqembed.codec.predictors import Predictor, learn_predictor, run_predictor
from seqembed.codec.range_coder import learn_tables, symbols_of
from seqembed.codec.residual_network import ResidualNetwork, learn_residual_network

# Values that predictors are learned from, and the timesteps that are left of a sequence at least.
_TRAINING_VALUES, _SHORTEST = 1 << 20, 512
# Predictors that are tried on the training sequences.
_CANDIDATES = [
    {"n_lags": n_lags, "by_timestep": by_timestep, "rounds": rounds}
    for n_lags in (0, 1, 3, 8)
    for by_timestep in (False, True)
    for rounds in (False, True)
]
# So many are kept, if they need at most so many times the bits of the best.
_KEPT, _NEAR = 3, 1.15
# The slower predictions from the same timestep have to bring the bits down to this share.
_LEAST_GAIN = 0.98
# A network is slower than tables, so it has to pay too. Learning takes seconds from so many values.
_LEAST_GAIN_OF_NETWORK, _VALUES_FOR_NETWORK, _FEWEST_VALUES_FOR_NETWORK = 0.97, 50_000, 1000
# Every fourth sequence, or the last fourth of each, judges predictors that were learned from the others.
_HELD_OUT = 4
# A regression takes the cube of its inputs. One for each feature takes as many times longer.
_MOST_INPUTS, _MOST_FEATURES_OF_SAME_STEP = 512, 32
# With fewer sequences, the mean of a timestep is mostly chance.
_FEWEST_BY_TIMESTEP = 10


class BoundedCoder(NamedTuple):
    """What was learned from typical sequences.

    Parameters
    ----------
    lattice : Lattice
        How values become integers.
    methods : list of Method
        The predictors that a block is tried with.
    tries_bins : bool
        Whether xz of the rounded values came near the predictions on the training sequences, so that it is tried.
    """

    lattice: Lattice
    methods: list[Method]
    tries_bins: bool

    def numbers(self) -> list[np.ndarray]:
        """All numbers that decoding depends on."""
        of_methods = [
            each
            for method in self.methods
            for each in (*method.predictor[:4], np.array([method.predictor.rounds]), *method.distribution)
        ]
        return [*self.lattice, *of_methods]

    def encode(self, sequences: list[np.ndarray]) -> bytes:
        """Encode sequences of one dtype."""
        return encode_block(sequences, self.lattice, self.methods, tries_bins=self.tries_bins)

    def decode(self, data: bytes, dtype) -> list[np.ndarray]:
        """Decode what `encode` returned."""
        return decode_block(data, dtype, self.lattice, self.methods)

    def count_bytes_of_xz(self, sequences: list[np.ndarray]) -> int:
        """Count the bytes that sequences take without predictors."""
        return len(encode_block(sequences, self.lattice, [], tries_bins=True))


def learn_bounded_coder(sequences: list[np.ndarray], bound: np.ndarray) -> BoundedCoder:
    """Learn the lattice, and the predictors that need the fewest bits on sequences that they were not learned from.

    Parameters
    ----------
    sequences : list of arrays of shape (n_timesteps, n_features)
        Typical ones.
    bound : float64 array of shape (n_features,)
        Largest error of each feature.
    """
    sequences = [sequence for sequence in sequences if len(sequence)]
    lattice = learn_lattice(np.concatenate(sequences), bound)
    training = _sample(sequences)
    parts = [_side_by_side(some, lattice) for some in _divided(training)]
    candidates = [
        each
        for each in _CANDIDATES
        if (len(training) >= _FEWEST_BY_TIMESTEP or not each["by_timestep"])
        and each["n_lags"] * len(bound) <= _MOST_INPUTS
    ]
    bits = [_held_out_bits(*parts, lattice.units_of_bin, settings) for settings in candidates]
    if 1 < len(bound) <= _MOST_FEATURES_OF_SAME_STEP:
        # It takes longer, so it has to pay.
        best = candidates[int(np.argmin(bits))] | {"same_step": True}
        candidates.append(best)
        bits.append(_held_out_bits(*parts, lattice.units_of_bin, best) / _LEAST_GAIN)
    kept = [number for number in np.argsort(bits)[:_KEPT] if bits[number] <= _NEAR * min(bits)]
    everything = _side_by_side(training, lattice)
    methods = [_learn_method(*everything, lattice.units_of_bin, candidates[number]) for number in kept]
    if _network_pays(*parts, lattice.units_of_bin, candidates[kept[0]]):
        # The tables of the best follow sequences that are unlike those learned from.
        methods = [
            *(
                Method(method.predictor, _learn_network(method.predictor, *everything, lattice.units_of_bin))
                for method in methods
            ),
            methods[0],
        ]
    return BoundedCoder(lattice, methods, bins_are_short(training, lattice, methods[0]))


def _side_by_side(sequences: list[np.ndarray], lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    """Return the integers of sequences in rows, and the lengths of the rows."""
    rows = arrange(lengths_of(sequences))
    integers, _ = lattice.integers(np.concatenate(sequences))
    return rows.padded(integers), rows.lengths


def _divided(sequences: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Hold back every fourth sequence; of fewer than four, the last fourth of each."""
    if len(sequences) >= _HELD_OUT:
        held_out = sequences[_HELD_OUT - 1 :: _HELD_OUT]
        return [x for row, x in enumerate(sequences, 1) if row % _HELD_OUT], held_out
    ends = [len(sequence) * (_HELD_OUT - 1) // _HELD_OUT for sequence in sequences]
    first = [sequence[:end] for sequence, end in zip(sequences, ends, strict=True)]
    last = [sequence[end:] for sequence, end in zip(sequences, ends, strict=True)]
    return (first, last) if sum(ends) else (sequences, sequences)


def _learn_method(integers: np.ndarray, lengths: np.ndarray, units_of_bin: np.ndarray, settings: dict) -> Method:
    predictor = learn_predictor(integers, lengths, units_of_bin, **settings)
    return Method(predictor, learn_tables(*_residuals(predictor, integers, lengths, units_of_bin)))


def _held_out_bits(
    training: tuple[np.ndarray, np.ndarray],
    held_out: tuple[np.ndarray, np.ndarray],
    units_of_bin: np.ndarray,
    settings: dict,
) -> float:
    """Count the bits that a predictor needs on sequences that it was not learned from."""
    method = _learn_method(*training, units_of_bin, settings)
    return method.distribution.count_bits(*_residuals(method.predictor, *held_out, units_of_bin))


def _residuals(
    predictor: Predictor, integers: np.ndarray, lengths: np.ndarray, units_of_bin: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return residuals in bins, and how large they were expected to be."""
    residuals, scales = [], []

    def observe(t, features, predicted, expected):
        found = nearest_bins(integers[: len(predicted), t, features] - predicted, units_of_bin[features])
        residuals.append(found.ravel())
        scales.append(expected.ravel())
        return found

    run_predictor(predictor, units_of_bin, lengths, observe)
    return np.concatenate(residuals), np.concatenate(scales)


def _network_pays(
    training: tuple[np.ndarray, np.ndarray],
    held_out: tuple[np.ndarray, np.ndarray],
    units_of_bin: np.ndarray,
    settings: dict,
) -> bool:
    """Tell whether a network needs far fewer bits than tables, on sequences that both were not learned from."""
    method = _learn_method(*training, units_of_bin, settings)
    network = _learn_network(method.predictor, *training, units_of_bin)
    if network is None:
        return False
    seen = _in_context(method.predictor, *held_out, units_of_bin)
    return network.count_bits(*seen) < _LEAST_GAIN_OF_NETWORK * method.distribution.count_bits(
        seen.residuals, seen.scales
    )


def _learn_network(
    predictor: Predictor, integers: np.ndarray, lengths: np.ndarray, units_of_bin: np.ndarray
) -> ResidualNetwork | None:
    """Return a network, or None where there is too little to learn from."""
    seen = _in_context(predictor, integers, lengths, units_of_bin)
    symbols = symbols_of(seen.residuals, seen.scales)
    if len(symbols) < _FEWEST_VALUES_FOR_NETWORK or (symbols == symbols[0]).all():
        return None
    return learn_residual_network(seen.inputs, seen.features, symbols)


class _Seen(NamedTuple):
    """Residuals with their contexts, features, and expected sizes."""

    inputs: np.ndarray
    features: np.ndarray
    residuals: np.ndarray
    scales: np.ndarray


def _in_context(predictor: Predictor, integers: np.ndarray, lengths: np.ndarray, units_of_bin: np.ndarray) -> _Seen:
    every = -(-int(lengths.sum()) * len(units_of_bin) // _VALUES_FOR_NETWORK)
    integers, lengths = integers[::every], lengths[::every]
    seen = []

    def observe(t, feature, predicted, scales, inputs):
        residuals = nearest_bins(integers[: len(predicted), t, feature] - predicted, units_of_bin[feature])
        seen.append((inputs, np.full(len(residuals), feature), residuals, scales))
        return residuals

    exchange = in_context(units_of_bin, len(lengths), observe)
    run_predictor(predictor, units_of_bin, lengths, exchange, one_by_one=True)
    return _Seen(*map(np.concatenate, zip(*seen, strict=True)))


def _sample(sequences: list[np.ndarray]) -> list[np.ndarray]:
    """Return sequences spread over all, of about a million values."""
    n_values = sum(sequence.size for sequence in sequences)
    chosen = sequences[:: max(1, n_values // _TRAINING_VALUES)]
    longest = max(1, _TRAINING_VALUES // (len(chosen) * sequences[0].shape[1]))
    # Of the few that are longer than their share, the start.
    return [sequence[: max(longest, _SHORTEST)] for sequence in chosen]
