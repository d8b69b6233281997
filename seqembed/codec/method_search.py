"""The search for methods: predictors, and distributions of what they leave, that need the fewest bits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqembed.codec.blocks import Method
from seqembed.codec.contexts import in_context
from seqembed.codec.lattice import nearest_bins
from seqembed.codec.predictors import Predictor, learn_predictor, run_predictor
from seqembed.codec.range_coder import learn_tables, symbols_of
from seqembed.codec.residual_network import ResidualNetwork, learn_residual_network

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
# A regression takes the cube of its inputs. What takes features one by one takes as many times longer.
_MOST_INPUTS, _MOST_FEATURES_ONE_BY_ONE = 512, 32
# With fewer sequences, the mean of a timestep is mostly chance.
_FEWEST_BY_TIMESTEP = 10


class Aligned(NamedTuple):
    """Sequences side by side, as integers.

    Parameters
    ----------
    integers : int64 array of shape (n_rows, n_timesteps, n_features)
        The longest first, with anything after their ends.
    lengths : int array of shape (n_rows,)
        Timesteps of each.
    reconstruction : int64 array of shape (n_rows, n_timesteps, n_features) or None, default=None
        What embeddings of few bits tell of them.
    """

    integers: np.ndarray
    lengths: np.ndarray
    reconstruction: np.ndarray | None = None


class Found(NamedTuple):
    """What a search came to.

    Parameters
    ----------
    settings : list of dict
        Of the best predictors, the best first, see `seqembed.codec.predictors.learn_predictor`.
    bits : float
        That the best needs on the held-out sequences, with tables.
    """

    settings: list[dict]
    bits: float


def search_settings(training: Aligned, held_out: Aligned, units_of_bin: np.ndarray) -> Found:
    """Find the predictors that need the fewest bits on sequences that they were not learned from.

    Parameters
    ----------
    training, held_out : Aligned
        Sequences to learn from, and those to judge by.
    units_of_bin : int64 array of shape (n_features,)
        See `seqembed.codec.lattice.Lattice`.
    """
    n_features = len(units_of_bin)
    candidates = [
        each
        for each in _CANDIDATES
        if (len(training.lengths) >= _FEWEST_BY_TIMESTEP or not each["by_timestep"])
        and each["n_lags"] * n_features <= _MOST_INPUTS
    ]
    bits = [held_out_bits(training, held_out, units_of_bin, settings) for settings in candidates]
    if 1 < n_features <= _MOST_FEATURES_ONE_BY_ONE:
        # It takes longer, so it has to pay.
        best = candidates[int(np.argmin(bits))] | {"same_step": True}
        candidates.append(best)
        bits.append(held_out_bits(training, held_out, units_of_bin, best) / _LEAST_GAIN)
    kept = [number for number in np.argsort(bits)[:_KEPT] if bits[number] <= _NEAR * min(bits)]
    return Found([candidates[number] for number in kept], min(bits))


def held_out_bits(training: Aligned, held_out: Aligned, units_of_bin: np.ndarray, settings: dict) -> float:
    """Count the bits that a predictor needs, with tables, on sequences that it was not learned from."""
    method = _learn_method(training, units_of_bin, settings)
    return method.distribution.count_bits(*_residuals(method.predictor, held_out, units_of_bin))


def learn_methods(
    training: Aligned, held_out: Aligned, everything: Aligned, units_of_bin: np.ndarray, settings: list[dict]
) -> list[Method]:
    """Learn predictors and distributions.

    Parameters
    ----------
    training, held_out : Aligned
        What tells whether networks pay.
    everything : Aligned
        What methods are learned from.
    units_of_bin : int64 array of shape (n_features,)
        See `seqembed.codec.lattice.Lattice`.
    settings : list of dict
        Of each predictor.

    Returns
    -------
    methods : list of Method
        With networks where they pay, and with tables for the best.
    """
    methods = [_learn_method(everything, units_of_bin, each) for each in settings]
    if not _network_pays(training, held_out, units_of_bin, settings[0]):
        return methods
    networks = [_learn_network(method.predictor, everything, units_of_bin) for method in methods]
    with_networks = [
        method if network is None else Method(method.predictor, network)
        for method, network in zip(methods, networks, strict=True)
    ]
    # Tables follow sequences that are unlike those learned from.
    return with_networks if networks[0] is None else [*with_networks, methods[0]]


def _learn_method(some: Aligned, units_of_bin: np.ndarray, settings: dict) -> Method:
    predictor = learn_predictor(
        some.integers, some.lengths, units_of_bin, reconstruction=some.reconstruction, **settings
    )
    return Method(predictor, learn_tables(*_residuals(predictor, some, units_of_bin)))


def _residuals(predictor: Predictor, some: Aligned, units_of_bin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return residuals in bins, and how large they were expected to be."""
    residuals, scales = [], []

    def observe(t, features, predicted, expected):
        found = nearest_bins(some.integers[: len(predicted), t, features] - predicted, units_of_bin[features])
        residuals.append(found.ravel())
        scales.append(expected.ravel())
        return found

    run_predictor(predictor, units_of_bin, some.lengths, observe, reconstruction=some.reconstruction)
    return np.concatenate(residuals), np.concatenate(scales)


def _network_pays(training: Aligned, held_out: Aligned, units_of_bin: np.ndarray, settings: dict) -> bool:
    """Tell whether a network needs far fewer bits than tables, on sequences that both were not learned from."""
    if len(units_of_bin) > _MOST_FEATURES_ONE_BY_ONE:
        return False
    method = _learn_method(training, units_of_bin, settings)
    network = _learn_network(method.predictor, training, units_of_bin)
    if network is None:
        return False
    seen = _in_context(method.predictor, held_out, units_of_bin)
    by_tables = method.distribution.count_bits(seen.residuals, seen.scales)
    return network.count_bits(*seen) < _LEAST_GAIN_OF_NETWORK * by_tables


def _learn_network(predictor: Predictor, some: Aligned, units_of_bin: np.ndarray) -> ResidualNetwork | None:
    """Return a network, or None where there is too little to learn from."""
    seen = _in_context(predictor, some, units_of_bin)
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


def _in_context(predictor: Predictor, some: Aligned, units_of_bin: np.ndarray) -> _Seen:
    every = -(-int(some.lengths.sum()) * len(units_of_bin) // _VALUES_FOR_NETWORK)
    integers, lengths, reconstruction = (each if each is None else each[::every] for each in some)
    seen = []

    def observe(t, feature, predicted, scales, inputs):
        residuals = nearest_bins(integers[: len(predicted), t, feature] - predicted, units_of_bin[feature])
        seen.append((inputs, np.full(len(residuals), feature), residuals, scales))
        return residuals

    exchange = in_context(units_of_bin, len(lengths), observe)
    run_predictor(predictor, units_of_bin, lengths, exchange, reconstruction=reconstruction, one_by_one=True)
    return _Seen(*map(np.concatenate, zip(*seen, strict=True)))
