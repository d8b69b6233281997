"""The context of sequences in standard Keras layers and operations."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from seqembed.summary.competition import GROUP_SIZE, LARGEST_COMPETING, count_contests, kernel_biases
from seqembed.summary.components import LARGEST_NUMBER
from seqembed.summary.context import LARGEST_NUMBER as LARGEST_CONTEXT
from seqembed.summary.context import Context
from seqembed.summary.description import LARGEST_VALUE
from seqembed.summary.shares import Shares, kernel_weights
from seqembed.summary.statistics import LAGS, MOST_FEATURES_IN_PAIRS, N_SEGMENTS, NOISE, QUANTILES

ops = keras.ops


def context_tensor(
    context: Context, sequences: keras.KerasTensor, lengths: keras.KerasTensor | None
) -> keras.KerasTensor:
    """Compute what `seqembed.summary.context.Context.compute` computes.

    Parameters
    ----------
    context : Context
        With its summary.
    sequences : tensor of shape (n_samples, n_timesteps, n_features)
        As the network reads them, without missing values.
    lengths : int32 tensor of shape (n_samples, 1), or None
        Timesteps of each sequence, if they differ.

    Returns
    -------
    contexts : tensor of shape (n_samples, context_size)
        In float32, so that the last digits differ from those of `Context.compute`.
    """
    summary, factor = context.summary, context.factor
    standard = keras.layers.Rescaling(
        (1 / context.scale).tolist(), (-context.center / context.scale).tolist(), name="context_scale"
    )(sequences)
    values = ops.clip(standard, -LARGEST_VALUE, LARGEST_VALUE)
    inside = None
    if lengths is not None:
        inside = _inside(values, lengths)
        values = values * inside
    statistics = _statistics(values, inside, lengths, summary.n_timesteps)
    numbers = ops.concatenate([statistics, _shares(summary.shares, values, lengths)], axis=1)
    standardised = keras.layers.Rescaling(
        summary.factors.tolist(), (-summary.means * summary.factors).tolist(), name="context_numbers"
    )(numbers)
    # Those of numbers that short sequences don't have.
    standardised = ops.where(ops.isnan(standardised), ops.zeros_like(standardised), standardised)
    standardised = ops.clip(standardised, -LARGEST_NUMBER, LARGEST_NUMBER)
    components = frozen(
        keras.layers.Dense(context.size, name="context"),
        standardised,
        summary.axes * factor,
        -summary.offset * factor,
    )
    return ops.clip(components, -LARGEST_CONTEXT, LARGEST_CONTEXT)


def frozen(layer: keras.layers.Layer, inputs: keras.KerasTensor, *weights: np.ndarray) -> keras.KerasTensor:
    """Call a layer whose weights training does not change."""
    outputs = layer(inputs)
    layer.set_weights([each.astype(np.float32) for each in weights])
    layer.trainable = False
    return outputs


def _inside(values: keras.KerasTensor, lengths: keras.KerasTensor) -> keras.KerasTensor:
    """Return 1 where a sequence has values, and 0 after its end: (n_samples, n_timesteps, 1)."""
    positions = ops.cumsum(ops.ones_like(values[:, :, :1], dtype="int32"), axis=1)
    return ops.cast(positions <= ops.expand_dims(lengths, 2), "float32")


def _shares(shares: Shares, values: keras.KerasTensor, lengths: keras.KerasTensor | None) -> keras.KerasTensor:
    """Compute what `seqembed.summary.shares.Shares.compute` computes."""
    n_timesteps = values.shape[1]
    computed: list[keras.KerasTensor] = []
    won: list[keras.KerasTensor] = []
    if shares.competes:
        values = ops.clip(values, -LARGEST_COMPETING, LARGEST_COMPETING)
    for number, (channels, thresholds) in enumerate(zip(shares.channels, shares.thresholds, strict=True)):
        if number > 1:
            values = keras.layers.ZeroPadding1D((0, 1), name=f"context_padding_{number + 1}")(values)
            values = keras.layers.AveragePooling1D(2, name=f"context_means_{number + 1}")(values)
        # (n_taps, n_features, n_kernels), once for each threshold.
        kernels = kernel_weights(channels.shape[1])[:, np.newaxis] * channels
        parameters = {"padding": "same", "dilation_rate": min(2, number + 1)}
        convolution = keras.layers.Conv1D(
            thresholds.size, len(kernels), **parameters, name=f"context_convolution_{number + 1}"
        )
        biases = kernel_biases(kernels.shape[2]) * np.float32(shares.competes)
        above = frozen(convolution, values, np.tile(kernels, (1, 1, len(thresholds))), (biases - thresholds).ravel())
        counted = [(computed, above > 0)]
        if shares.competes:
            longer = keras.layers.ZeroPadding1D((0, 1), name=f"context_end_{number + 1}")(values)
            competing = keras.layers.Conv1D(
                kernels.shape[2], len(kernels), **parameters, name=f"context_competition_{number + 1}"
            )
            convolved = frozen(competing, longer, kernels, biases)
            contests = [convolved[:, :-1]]
            if count_contests(number, len(shares.channels)) > 1:
                add_biases = keras.layers.Rescaling(1.0, biases.tolist(), name=f"context_biases_{number + 1}")
                contests.append(add_biases(convolved[:, 1:] - convolved[:, :-1]))
            counted += [(won, _wins(contest, best)) for best in (ops.max, ops.min) for contest in contests]
        halvings = max(0, number - 1)
        if lengths is not None:
            sizes = ops.maximum(ops.floor_divide(lengths, 1 << halvings), 1)
            inside, divisors = _inside(values, sizes), ops.cast(sizes, "float32")
        for results, each in counted:
            is_counted = ops.cast(each, "float32")
            if lengths is None:
                results.append(ops.mean(is_counted[:, : max(1, n_timesteps >> halvings)], axis=1))
            else:
                results.append(ops.sum(is_counted * inside, axis=1) / divisors)
    return ops.concatenate([*computed, *won], axis=1)


def _wins(convolved: keras.KerasTensor, best: Callable[..., keras.KerasTensor]) -> keras.KerasTensor:
    """Tell where kernels are the largest of their group, or the smallest."""
    _, n_timesteps, n_kernels = convolved.shape
    groups = ops.reshape(convolved, (-1, n_timesteps, n_kernels // GROUP_SIZE, GROUP_SIZE))
    return ops.reshape(ops.equal(groups, best(groups, axis=3, keepdims=True)), (-1, n_timesteps, n_kernels))


def _statistics(
    values: keras.KerasTensor, inside: keras.KerasTensor | None, lengths: keras.KerasTensor | None, n_timesteps: int
) -> keras.KerasTensor:
    """Compute what `seqembed.summary.statistics.sequence_statistics` computes, side by side."""
    known = ops.ones_like(values[:, :, :1]) if inside is None else inside
    counts = ops.sum(known, axis=1)
    mean = ops.sum(values, axis=1) / counts
    centred = (values - ops.expand_dims(mean, 1)) * known
    deviation = ops.sqrt(ops.sum(ops.square(centred), axis=1) / counts)
    standard = centred / ops.expand_dims(deviation + NOISE, 1)
    statistics = [
        mean,
        ops.log(deviation + NOISE),
        ops.sum(ops.absolute(centred), axis=1) / counts,
        ops.tanh(ops.sum(ops.square(standard) * standard, axis=1) / counts),
        *_quantiles(values, inside, lengths),
    ]
    for lag in (lag for lag in LAGS if lag < n_timesteps):
        products, pairs = (ops.sum(each[:, lag:] * each[:, :-lag], axis=1) for each in (standard, known))
        statistics.append(products / pairs)
    statistics += _log_details(centred, known, n_timesteps)
    statistics += _segment_means(values, known, lengths)
    n_features = values.shape[2]
    if 1 < n_features <= MOST_FEATURES_IN_PAIRS:
        products = ops.matmul(ops.transpose(standard, (0, 2, 1)), standard)
        pairs = [products[:, first, first + 1 :] for first in range(n_features - 1)]
        statistics.append(ops.concatenate(pairs, axis=1) / counts)
    return ops.concatenate(statistics, axis=1)


def _quantiles(
    values: keras.KerasTensor, inside: keras.KerasTensor | None, lengths: keras.KerasTensor | None
) -> list[keras.KerasTensor]:
    n_timesteps = values.shape[1]
    if inside is None or lengths is None:
        ordered = _sorted(values)
        return [ordered[:, :, int(np.round((n_timesteps - 1) * share))] for share in QUANTILES]
    # Larger than all values, which are clipped.
    ordered = _sorted(values * inside + (1 - inside) * (2 * LARGEST_VALUE))
    # Places by length: NumPy rounds them as it does where the summary is computed.
    places = np.round(np.multiply.outer(np.maximum(np.arange(n_timesteps + 1) - 1, 0), QUANTILES)).astype(int)
    chosen = []
    for number in range(len(QUANTILES)):
        place = ops.take(ops.convert_to_tensor(places[:, number].tolist(), "int32"), lengths, axis=0)
        is_there = ops.expand_dims(ops.one_hot(ops.squeeze(place, 1), n_timesteps), 1)
        chosen.append(ops.sum(ordered * is_there, axis=2))
    return chosen


def _sorted(values: keras.KerasTensor) -> keras.KerasTensor:
    """Sort the values of each feature; they are on the last axis, where exporters know how to sort."""
    return ops.sort(ops.transpose(values, (0, 2, 1)), axis=-1)


def _log_details(centred: keras.KerasTensor, known: keras.KerasTensor, n_timesteps: int) -> list[keras.KerasTensor]:
    details, width, smooth, both = [], 1, centred, known
    while 2 * width <= n_timesteps:
        last = 2 * (smooth.shape[1] // 2)
        first, second = smooth[:, :last:2], smooth[:, 1:last:2]
        both = both[:, :last:2] * both[:, 1:last:2]
        power = ops.sum(ops.square((second - first) * both), axis=1) / ops.sum(both, axis=1)
        details.append(ops.log(ops.sqrt(power) + NOISE))
        smooth = (first + second) * both / 2
        width *= 2
    return details


def _segment_means(
    values: keras.KerasTensor, known: keras.KerasTensor, lengths: keras.KerasTensor | None
) -> list[keras.KerasTensor]:
    if lengths is None:
        segments = N_SEGMENTS * np.arange(values.shape[1]) // values.shape[1]
        bounds = np.searchsorted(segments, np.arange(N_SEGMENTS + 1))
        # Fewer timesteps than segments leave some empty. The factors of their means are 0.
        return [
            ops.mean(values[:, start:stop], axis=1) if stop > start else ops.zeros_like(values[:, 0])
            for start, stop in zip(bounds.tolist(), bounds[1:].tolist(), strict=False)
        ]
    positions = ops.cumsum(ops.ones_like(known, dtype="int32"), axis=1) - 1
    segment = ops.floor_divide(N_SEGMENTS * positions, ops.expand_dims(lengths, 2))
    members = [ops.cast(ops.equal(segment, number), "float32") * known for number in range(N_SEGMENTS)]
    return [ops.sum(values * each, axis=1) / ops.sum(each, axis=1) for each in members]
