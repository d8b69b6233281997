import itertools
import math

import numpy as np
import pytest

from seqembed.sequences.scaling import Batch
from seqembed.summary.scratch import Scratch
from seqembed.summary.shares import MANY_KERNELS, convolve, count_kernels, learn_shares

ALL_TRIPLES = list(itertools.combinations(range(9), 3))
TRIPLES = {84: ALL_TRIPLES, 28: [each for each in ALL_TRIPLES if 4 in each]}


def draw(seed, n_samples, n_timesteps, n_features, missing=0.0):
    """Draw sequences of unequal lengths whose values are multiples of 1/4: their sums are exact in float32."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, n_timesteps + 1, n_samples)
    lengths[0] = n_timesteps
    values = (random.integers(-20, 20, (n_samples, n_timesteps, n_features)) / 4).astype(np.float32)
    inside = np.arange(n_timesteps) < lengths[:, np.newaxis]
    return Batch(values, inside[:, :, np.newaxis] & (random.random(values.shape) >= missing), lengths)


def sequences_of(batch):
    """Each sequence as a dict of its known values by (timestep, feature), with its length."""
    for values, mask, length in zip(*batch, strict=True):
        places = itertools.product(range(length), range(values.shape[1]))
        yield {(t, f): float(values[t, f]) for t, f in places if mask[t, f]}, int(length)


def scales_of(known, length, n_scales, n_features):
    """One sequence at each scale: its values by (place, feature), how many places it has, what taps are apart."""
    read = [(known, length, 1), (known, length, 2)]
    for number in range(2, n_scales):
        width = 2 ** (number - 1)
        means = {
            (place, f): sum(known.get((width * place + step, f), 0.0) for step in range(width)) / width
            for place, f in itertools.product(range(-(-length // width)), range(n_features))
        }
        read.append((means, max(1, length // width), 2))
    return read[:n_scales]


def naive_convolution(known, length, triple, dilation, channels):
    """The convolution of one sequence at each of its timesteps."""
    convolved = []
    for timestep in range(length):
        total = 0.0
        for tap in range(9):
            place = timestep + (tap - 4) * dilation
            weight = 2 if tap in triple else -1
            total += sum(weight * known.get((place, feature), 0.0) for feature in channels)
        convolved.append(total)
    return convolved


def naive_wins(shares, known, length):
    """Shares of the timesteps at which a kernel is the largest, or the smallest, of its seven: by value, by change."""
    result, (n_scales, _, n_kernels) = [], shares.thresholds.shape
    for number, (values, n_places, dilation) in enumerate(scales_of(known, length, *shares.channels.shape[:2])):
        kernels = [
            naive_convolution(
                values, n_places + 1, triple, dilation, np.flatnonzero(shares.channels[number][:, kernel])
            )
            for kernel, triple in enumerate(TRIPLES[n_kernels])
        ]
        changes = [[later - earlier for earlier, later in itertools.pairwise(each)] for each in kernels]
        contests = [kernels] if number == 0 and n_scales > 1 else [kernels, changes]
        for sign, competing in itertools.product((1, -1), contests):
            counts = [0] * n_kernels
            for place in range(n_places):
                for first in range(0, n_kernels, 7):
                    values_of = [sign * (competing[first + each][place] + 1e-4 * each) for each in range(7)]
                    counts[first + values_of.index(max(values_of))] += 1
            result += [count / n_places for count in counts]
    return result


def naive_shares(shares, known, length):
    result = []
    for number, scale in enumerate(scales_of(known, length, *shares.channels.shape[:2])):
        for thresholds in shares.thresholds[number]:
            for kernel, triple in enumerate(TRIPLES[shares.thresholds.shape[2]]):
                channels = np.flatnonzero(shares.channels[number][:, kernel]).tolist()
                convolved = naive_convolution(*scale[:2], triple, scale[2], channels)
                bias = 1e-4 * (kernel % 7) * shares.competes
                result.append(sum(each + bias > thresholds[kernel] for each in convolved) / scale[1])
    return result


def naive_thresholds(batch, shares):
    """Quantiles of all convolutions, at levels that are multiples of the golden ratio, counted over all thresholds."""
    thresholds, count = np.empty_like(shares.thresholds), 0
    read = [scales_of(known, length, *shares.channels.shape[:2]) for known, length in sequences_of(batch)]
    for number in range(len(shares.channels)):
        for row in range(len(shares.thresholds[number])):
            for kernel, triple in enumerate(TRIPLES[shares.thresholds.shape[2]]):
                count += 1
                level = min(0.98, max(0.02, count * (math.sqrt(5) - 1) / 2 % 1))
                channels = np.flatnonzero(shares.channels[number][:, kernel]).tolist()
                convolved = []
                for scales in read:
                    known, length, dilation = scales[number]
                    convolved += naive_convolution(known, length, triple, dilation, channels)
                convolved = [each + 1e-4 * (kernel % 7) * shares.competes for each in convolved]
                convolved.sort()
                below = int(level * (len(convolved) - 1))
                above = min(below + 1, len(convolved) - 1)
                thresholds[number, row, kernel] = (convolved[below] + convolved[above]) / 2 + 1e-5 * len(channels)
    return thresholds


@pytest.mark.parametrize(
    ("n_timesteps", "n_features", "missing"),
    [
        *[(1, 1, 0.0), (5, 2, 0.0), (9, 1, 0.3), (20, 1, 0.0), (20, 3, 0.2), (17, 12, 0.1)],
        *(pytest.param(*each, marks=pytest.mark.slow) for each in [(45, 1, 0.1), (70, 10, 0.0)]),
    ],
)
def test_thresholds_and_shares_are_those_of_plain_loops(n_timesteps, n_features, missing):
    batch = draw(n_timesteps, 4, n_timesteps, n_features, missing)
    shares = learn_shares(batch, n_timesteps, count_kernels(n_features))
    np.testing.assert_allclose(shares.thresholds, naive_thresholds(batch, shares), atol=4e-6)
    expected = [naive_shares(shares, known, length) for known, length in sequences_of(batch)]
    np.testing.assert_allclose(shares.compute(batch), expected, atol=1e-6)
    competing = learn_shares(batch, n_timesteps, count_kernels(n_features), competes=True)
    np.testing.assert_allclose(competing.thresholds, naive_thresholds(batch, competing), atol=4e-6)
    computed, n_thresholds = competing.compute(batch), competing.thresholds.size
    expected = [naive_shares(competing, known, length) for known, length in sequences_of(batch)]
    np.testing.assert_allclose(computed[:, :n_thresholds], expected, atol=1e-6)
    expected = [naive_wins(competing, known, length) for known, length in sequences_of(batch)]
    np.testing.assert_allclose(computed[:, n_thresholds:], expected, atol=1e-6)


def test_kernels_read_one_to_nine_features_and_most_of_them_few():
    shares = learn_shares(draw(0, 4, 40, 30), 40, MANY_KERNELS)
    counts = shares.channels.sum(axis=1).ravel()
    assert set(counts) == set(range(1, 10))
    assert 0.2 < (counts == 1).mean() < 0.4
    assert (shares.channels.sum(axis=(0, 2)) > 0).all()


@pytest.mark.parametrize("n_timesteps", [1, 8, 9, 16, 17, 100, 5000, 100_000])
def test_a_kernel_is_at_most_as_long_as_the_longest_sequence_and_has_a_threshold_at_each_scale(n_timesteps):
    batch = draw(0, 2, n_timesteps, 1)
    shares = learn_shares(batch, n_timesteps)
    n_scales, n_thresholds, n_kernels = shares.thresholds.shape
    assert n_scales == 1 or 8 * 2 ** (n_scales - 1) < n_timesteps
    assert 8 * 2**n_scales >= n_timesteps
    assert n_kernels == 28
    assert n_thresholds == max(1, round(500 / 28 / n_scales))
    assert shares.compute(batch).shape == (2, shares.thresholds.size)


def test_thresholds_of_a_sample_are_nearly_those_of_all(monkeypatch):
    batch = draw(0, 60, 40, 1)
    every = learn_shares(batch, 40).compute(batch)
    monkeypatch.setattr("seqembed.summary.shares._MOST_CONVOLUTIONS", 300)
    assert np.abs(learn_shares(batch, 40).compute(batch).mean(axis=0) - every.mean(axis=0)).max() < 0.15


@pytest.mark.parametrize("dilation", [1, 3])
def test_many_features_are_convolved_like_few(dilation):
    values = draw(1, 3, 30, 9).values.transpose(2, 1, 0)
    channels = np.random.default_rng(0).integers(0, 2, (9, 28)).astype(np.float32)
    wider, unread = np.concatenate([values, values]), np.zeros_like(channels)
    expected, convolved = np.empty((2, 28, 30 - 8 * dilation, 3), np.float32)
    convolve(values, dilation, channels, expected, Scratch())
    convolve(wider, dilation, np.concatenate([channels, unread]), convolved, Scratch())
    np.testing.assert_array_equal(convolved, expected)


@pytest.mark.parametrize("competes", [False, True])
def test_padding_pieces_and_the_global_generator_change_nothing(competes, monkeypatch):
    batch, state = draw(2, 6, 25, 2), np.random.get_state()  # noqa: NPY002 - users still do
    try:
        np.random.seed(1)  # noqa: NPY002
        shares = learn_shares(batch, 25, competes=competes)
        np.random.seed(2)  # noqa: NPY002
        again = learn_shares(batch, 25, competes=competes)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    np.testing.assert_array_equal(shares.channels, again.channels)
    padded = Batch(*(np.pad(each, ((0, 0), (0, 9), (0, 0))) for each in batch[:2]), batch.lengths)
    expected = shares.compute(batch)
    np.testing.assert_array_equal(shares.compute(padded), expected)
    monkeypatch.setattr("seqembed.summary.shares._CONVOLUTIONS_AT_ONCE", 28 * 7)
    np.testing.assert_array_equal(shares.compute(batch), expected)
    monkeypatch.setattr("seqembed.summary.shares._MOST_MEANS_AT_ONCE", 7)
    np.testing.assert_array_equal(shares.compute(batch), expected)


@pytest.mark.parametrize("n_features", [1, 9, 12])
@pytest.mark.parametrize("kind", ["on and off", "counts", "plateaus"])
@pytest.mark.parametrize("competes", [False, True])
def test_where_values_repeat_a_sequence_has_the_same_shares_alone_and_among_others(kind, n_features, competes):
    random = np.random.default_rng(0)
    lengths = random.integers(3, 60, 300)
    if kind == "counts":
        values = random.poisson(2, (300, 60, n_features))
    elif kind == "on and off":
        values = np.repeat(random.integers(0, 2, (300, 12, n_features)), 5, axis=1)
    else:
        values = np.repeat(random.normal(size=(300, 6, n_features)), 10, axis=1)
    values = ((values - values.mean()) / values.std()).astype(np.float32)
    mask = np.broadcast_to(np.arange(60)[:, np.newaxis] < lengths[:, np.newaxis, np.newaxis], values.shape)
    batch = Batch(values, mask, lengths)
    shares = learn_shares(batch, 60, competes=competes)
    together = shares.compute(batch)
    for row, length in enumerate(lengths):
        alone = Batch(values[row : row + 1, :length], mask[row : row + 1, :length], lengths[row : row + 1])
        np.testing.assert_array_equal(shares.compute(alone)[0], together[row])
