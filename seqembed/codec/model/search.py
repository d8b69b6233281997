"""The search for the residual models that need the fewest bits."""

from __future__ import annotations

from typing import NamedTuple, TypedDict

import numpy as np

from seqembed.codec.bytes.symbols import coded_symbols
from seqembed.codec.model.contexts import exchange_with_contexts
from seqembed.codec.model.lattice import nearest_bins
from seqembed.codec.model.predictors import Predictor, learn_predictor, run_predictor
from seqembed.codec.model.residual_model import ResidualModel
from seqembed.codec.model.residual_network import ResidualNetwork, learn_residual_network
from seqembed.codec.model.tables import Tables, learn_tables


class PredictorSettings(TypedDict):
    """Parameters of `seqembed.codec.model.predictors.learn_predictor`."""

    n_lags: int
    by_timestep: bool
    rounds: bool
    uses_same_step: bool


# Predictors that are tried on the training sequences.
_CANDIDATES = [
    PredictorSettings(n_lags=n_lags, by_timestep=by_timestep, rounds=rounds, uses_same_step=False)
    for n_lags in (0, 1, 3, 8)
    for by_timestep in (False, True)
    for rounds in (False, True)
]
# The best three are kept, if they need at most 1.15 times the bits of the best.
_MOST_KEPT, _MOST_BITS_KEPT = 3, 1.15
# Predictions from the same timestep are slower. They are kept if they need at most this share of the bits.
_MOST_BITS_WITH_SAME_STEP = 0.98
# A network is slower than tables. It is kept if it needs at most this share of their bits.
_MOST_BITS_WITH_NETWORK = 0.97
# Values that a network learns from: with as many as 50,000, this takes seconds.
_MOST_VALUES_FOR_NETWORK, _FEWEST_VALUES_FOR_NETWORK = 50_000, 1000
# A regression takes time proportional to the cube of its inputs.
_MOST_REGRESSION_INPUTS = 512
# If features are coded one by one, the time is proportional to their number.
_MOST_FEATURES_ONE_BY_ONE = 32
# With fewer sequences, the mean of a timestep is mostly chance.
_FEWEST_SEQUENCES_BY_TIMESTEP = 10


class AlignedPieces(NamedTuple):
    """Pieces side by side, as integers.

    Parameters
    ----------
    integers : int64 array of shape (n_pieces, n_timesteps, n_features)
        The longest piece first. Values after the end of a piece are arbitrary.
    lengths : int array of shape (n_pieces,)
        Timesteps of each piece.
    reconstruction : int64 array of shape (n_pieces, n_timesteps, n_features) or None, default=None
        Reconstruction from embeddings of few bits.
    """

    integers: np.ndarray
    lengths: np.ndarray
    reconstruction: np.ndarray | None = None

    def every(self, step: int) -> AlignedPieces:
        """Return every `step`-th piece."""
        reconstruction = None if self.reconstruction is None else self.reconstruction[::step]
        return AlignedPieces(self.integers[::step], self.lengths[::step], reconstruction)


class SearchResult(NamedTuple):
    """Result of a search.

    Parameters
    ----------
    settings : list of PredictorSettings
        Settings of the best predictors, the best first.
    bits : float
        Bits that the best one needs on the held-out sequences, with tables.
    """

    settings: list[PredictorSettings]
    bits: float


def search_settings(training: AlignedPieces, held_out: AlignedPieces, bin_widths: np.ndarray) -> SearchResult:
    """Find the predictors that need the fewest bits on held-out sequences.

    Parameters
    ----------
    training, held_out : AlignedPieces
        Sequences to learn from, and sequences to count bits on.
    bin_widths : int64 array of shape (n_features,)
        See `seqembed.codec.model.lattice.Lattice`.
    """
    n_features = len(bin_widths)
    candidates = [
        settings
        for settings in _CANDIDATES
        if (len(training.lengths) >= _FEWEST_SEQUENCES_BY_TIMESTEP or not settings["by_timestep"])
        and settings["n_lags"] * n_features <= _MOST_REGRESSION_INPUTS
    ]
    bits = [count_held_out_bits(training, held_out, bin_widths, settings) for settings in candidates]
    if 1 < n_features <= _MOST_FEATURES_ONE_BY_ONE:
        best = candidates[int(np.argmin(bits))].copy()
        best["uses_same_step"] = True
        candidates.append(best)
        bits.append(count_held_out_bits(training, held_out, bin_widths, best) / _MOST_BITS_WITH_SAME_STEP)
    kept = [number for number in np.argsort(bits)[:_MOST_KEPT] if bits[number] <= _MOST_BITS_KEPT * min(bits)]
    return SearchResult([candidates[number] for number in kept], min(bits))


def count_held_out_bits(
    training: AlignedPieces, held_out: AlignedPieces, bin_widths: np.ndarray, settings: PredictorSettings
) -> float:
    """Count the bits that a predictor needs on held-out sequences, with tables."""
    predictor, tables = _learn_with_tables(training, bin_widths, settings)
    return tables.count_bits(*_residuals_and_scales(predictor, held_out, bin_widths))


def learn_residual_models(
    training: AlignedPieces,
    held_out: AlignedPieces,
    everything: AlignedPieces,
    bin_widths: np.ndarray,
    settings: list[PredictorSettings],
) -> list[ResidualModel]:
    """Learn predictors, and the distributions of their residuals.

    Parameters
    ----------
    training, held_out : AlignedPieces
        Sequences on which networks are compared with tables.
    everything : AlignedPieces
        Sequences that the models are learned from.
    bin_widths : int64 array of shape (n_features,)
        See `seqembed.codec.model.lattice.Lattice`.
    settings : list of PredictorSettings
        Settings of each predictor.

    Returns
    -------
    models : list of ResidualModel
        With networks if they save enough bits. Then the last model is the first one with tables: they adapt to
        sequences that are unlike those of the training.
    """
    models = [ResidualModel(*_learn_with_tables(everything, bin_widths, each)) for each in settings]
    if not _network_saves_bits(training, held_out, bin_widths, settings[0]):
        return models
    networks = [_learn_network(model.predictor, everything, bin_widths) for model in models]
    with_networks = [
        model if network is None else ResidualModel(model.predictor, network)
        for model, network in zip(models, networks, strict=True)
    ]
    return with_networks if networks[0] is None else [*with_networks, models[0]]


def _learn_with_tables(
    pieces: AlignedPieces, bin_widths: np.ndarray, settings: PredictorSettings
) -> tuple[Predictor, Tables]:
    predictor = learn_predictor(
        pieces.integers, pieces.lengths, bin_widths, reconstruction=pieces.reconstruction, **settings
    )
    return predictor, learn_tables(*_residuals_and_scales(predictor, pieces, bin_widths))


def _residuals_and_scales(
    predictor: Predictor, pieces: AlignedPieces, bin_widths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the residuals of a predictor, in bins, and their scales."""
    residuals, scales = [], []

    def observe(t: int, features: slice, predicted: np.ndarray, expected_sizes: np.ndarray) -> np.ndarray:
        integers = pieces.integers[: len(predicted), t, features]
        residuals_here = nearest_bins(integers - predicted, bin_widths[features])
        residuals.append(residuals_here.ravel())
        scales.append(expected_sizes.ravel())
        return residuals_here

    run_predictor(predictor, bin_widths, pieces.lengths, observe, reconstruction=pieces.reconstruction)
    return np.concatenate(residuals), np.concatenate(scales)


def _network_saves_bits(
    training: AlignedPieces, held_out: AlignedPieces, bin_widths: np.ndarray, settings: PredictorSettings
) -> bool:
    """Return whether a network needs far fewer bits than tables, on held-out sequences."""
    if len(bin_widths) > _MOST_FEATURES_ONE_BY_ONE:
        return False
    predictor, tables = _learn_with_tables(training, bin_widths, settings)
    network = _learn_network(predictor, training, bin_widths)
    if network is None:
        return False
    examples = _network_examples(predictor, held_out, bin_widths)
    table_bits = tables.count_bits(examples.residuals, examples.scales)
    return network.count_bits(*examples) < _MOST_BITS_WITH_NETWORK * table_bits


def _learn_network(predictor: Predictor, pieces: AlignedPieces, bin_widths: np.ndarray) -> ResidualNetwork | None:
    """Return a network, or None if there is too little to learn from."""
    examples = _network_examples(predictor, pieces, bin_widths)
    symbols = coded_symbols(examples.residuals, examples.scales)
    if len(symbols) < _FEWEST_VALUES_FOR_NETWORK or (symbols == symbols[0]).all():
        return None
    return learn_residual_network(examples.inputs, examples.features, symbols)


class _NetworkExamples(NamedTuple):
    """Contexts of residuals, with their features, the residuals and their scales: a row for each residual."""

    inputs: np.ndarray
    features: np.ndarray
    residuals: np.ndarray
    scales: np.ndarray


def _network_examples(predictor: Predictor, pieces: AlignedPieces, bin_widths: np.ndarray) -> _NetworkExamples:
    step = -(-int(pieces.lengths.sum()) * len(bin_widths) // _MOST_VALUES_FOR_NETWORK)
    integers, lengths, reconstruction = pieces.every(step)
    examples = []

    def observe(t: int, feature: int, predicted: np.ndarray, scales: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        residuals = nearest_bins(integers[: len(predicted), t, feature] - predicted, bin_widths[feature])
        examples.append((inputs, np.full(len(residuals), feature), residuals, scales))
        return residuals

    exchange = exchange_with_contexts(bin_widths, len(lengths), observe)
    run_predictor(predictor, bin_widths, lengths, exchange, reconstruction=reconstruction, one_by_one=True)
    return _NetworkExamples(*map(np.concatenate, zip(*examples, strict=True)))
