"""A summary as an ONNX model, from raw values to components."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seqembed.export.onnx_graph import Graph
from seqembed.inference.model import SummaryModel
from seqembed.summary.competition import GROUP_SIZE, LARGEST_COMPETING, count_contests, kernel_biases
from seqembed.summary.components import LARGEST_NUMBER, Summary
from seqembed.summary.description import LARGEST_VALUE
from seqembed.summary.shares import Shares, kernel_weights
from seqembed.summary.statistics import LAGS, MOST_FEATURES_IN_PAIRS, N_SEGMENTS, NOISE, QUANTILES

if TYPE_CHECKING:
    import onnx

_LAST = np.iinfo(np.int64).max


def build_onnx_summary(model: SummaryModel) -> onnx.ModelProto:
    """Build an ONNX model of a summary.

    Parameters
    ----------
    model : SummaryModel
        Summary, scaling and layout. If the fitted sequences differed in length, there is the input "lengths".

    Returns
    -------
    model : onnx.ModelProto
        Its input is "X", of raw values, NaN for missing ones, in float64 where float32 is too coarse, and its output is
        "Z". The number of sequences is free.

    Raises
    ------
    ImportError
        If onnx is not installed. ``pip install "seqembed[onnx]"`` installs it.

    Examples
    --------
    >>> from seqembed import SequenceSummary
    >>> X = np.random.default_rng(0).normal(size=(8, 10, 2))
    >>> model = build_onnx_summary(SequenceSummary(3).fit(X).model_)
    >>> [value.name for value in model.graph.output]
    ['Z']
    """
    summary, scaling, layout = model.summary, model.scaling, model.layout
    graph = SummaryGraph()
    sequences, lengths = graph.sequences(layout, scaling.dtype)
    components = graph.components(summary, graph.scaled(sequences, scaling), lengths)
    return graph.model(components, "Z", np.float32, ["n_samples", summary.axes.shape[1]])


class SummaryGraph(Graph):
    """A graph that can compute a summary."""

    def components(self, summary: Summary, scaled: str, lengths: str) -> str:
        """Compute what `seqembed.summary.components.Summary.compute` computes.

        Parameters
        ----------
        summary : Summary
            To be computed.
        scaled : str
            Scaled sequences of shape (n_samples, n_timesteps, n_features), NaN for missing values.
        lengths : str
            Timesteps of each sequence, empty if all have all.
        """
        length = self.at(self.add("Shape", scaled), 1)
        if not lengths:
            n_samples = self.add("Slice", self.add("Shape", scaled), self.integers(0), self.integers(1))
            lengths = self.add("Expand", length, n_samples)
        # Time on the last axis, as statistics and convolutions read it.
        scaled = self.add("Transpose", scaled, perm=[0, 2, 1])
        inside = self.add("Unsqueeze", self.inside(lengths, length), self.integers(1))
        known = self.add("And", self.add("Not", self.add("IsNaN", scaled)), inside)
        clipped = self.clipped(scaled, LARGEST_VALUE)
        values = self.add("Where", known, clipped, self.constant(np.float32(0)))
        n_features = summary.shares.channels.shape[1]
        statistics = self._statistics(values, known, lengths, summary.n_timesteps, n_features)
        numbers = self.add("Concat", statistics, self._shares(summary.shares, values, lengths), axis=1)
        standardised = self.add("Sub", numbers, self.constant(summary.means))
        standardised = self.add("Mul", standardised, self.constant(summary.factors))
        unknown = self.add("IsNaN", standardised)
        standardised = self.add("Where", unknown, self.constant(np.float32(0)), standardised)
        standardised = self.clipped(standardised, LARGEST_NUMBER)
        components = self.add("MatMul", self.cast(standardised, np.float64), self.constant(summary.axes))
        return self.cast(self.add("Sub", components, self.constant(summary.offset)), np.float32)

    def clipped(self, values: str, largest: float) -> str:
        """Bound float32 values."""
        bounded = self.add("Max", values, self.constant(np.float32(-largest)))
        return self.add("Min", bounded, self.constant(np.float32(largest)))

    def _statistics(self, values: str, known: str, lengths: str, n_timesteps: int, n_features: int) -> str:
        """Compute what `seqembed.summary.statistics.sequence_statistics` computes, side by side."""
        mask = self.cast(known, np.float32)
        counts = self._sum(mask)
        mean = self.add("Div", self._sum(self.add("Mul", values, mask)), counts)
        filled_mean = self.add("Where", self.add("IsNaN", mean), self.constant(np.float32(0)), mean)
        centred = self.add("Mul", self.add("Sub", values, self._column(filled_mean)), mask)
        squares = self._sum(self.add("Mul", centred, centred))
        deviation = self.add("Sqrt", self.add("Div", squares, counts))
        noisy = self.add("Add", deviation, self.constant(np.float32(NOISE)))
        standard = self.add("Div", centred, self._column(noisy))
        cubes = self._sum(self.add("Mul", self.add("Mul", standard, standard), standard))
        statistics = [
            mean,
            self.add("Log", noisy),
            self.add("Div", self._sum(self.add("Abs", centred)), counts),
            self.add("Tanh", self.add("Div", cubes, counts)),
            *self._quantiles(values, known, counts),
        ]
        for lag in (lag for lag in LAGS if lag < n_timesteps):
            products, n_pairs = (
                self._sum(self.add("Mul", self._cut(each, lag, _LAST), self._cut(each, 0, -lag)))
                for each in (standard, mask)
            )
            statistics.append(self.add("Div", products, n_pairs))
        statistics += self._log_details(centred, mask, n_timesteps)
        statistics += self._segment_means(values, mask, lengths)
        if 1 < n_features <= MOST_FEATURES_IN_PAIRS:
            statistics.append(self._correlations(standard, mask, n_features))
        return self.add("Concat", *statistics, axis=1)

    def _shares(self, shares: Shares, values: str, lengths: str) -> str:
        """Compute what `seqembed.summary.shares.Shares.compute` computes."""
        computed, won = [], []
        if shares.competes:
            values = self.clipped(values, LARGEST_COMPETING)
        for number, (channels, thresholds) in enumerate(zip(shares.channels, shares.thresholds, strict=True)):
            if number > 1:
                # The last of an odd number of timesteps is paired with a zero.
                values = self.add(
                    "AveragePool", values, kernel_shape=[2], strides=[2], pads=[0, 1], count_include_pad=1
                )
                lengths = self.add("Div", lengths, self.constant(np.int64(2)))
            own = self.add("Max", lengths, self.constant(np.int64(1)))
            inside = self.inside(own, self.at(self.add("Shape", values), 2))
            counted = self.cast(self.add("Unsqueeze", inside, self.integers(1)), np.float32)
            sizes = self._column(self.cast(own, np.float32))
            # (n_kernels, n_features, n_taps)
            kernels = channels.T[:, :, np.newaxis] * kernel_weights(channels.shape[1]).T[:, np.newaxis]
            dilation = min(2, number + 1)
            reach = dilation * (kernels.shape[2] // 2)
            pads = [reach, reach + shares.competes]
            biases = kernel_biases(len(kernels)) * np.float32(shares.competes)
            parameters = [self.constant(kernels), self.constant(biases)]
            convolved = self.add("Conv", values, *parameters, dilations=[dilation], pads=pads)
            if shares.competes:
                longer, convolved = convolved, self._cut(convolved, 0, -1)
                contests = [convolved]
                if count_contests(number, len(shares.channels)) > 1:
                    changes = self.add("Sub", self._cut(longer, 1, _LAST), convolved)
                    contests.append(self.add("Add", changes, self.constant(biases[:, np.newaxis])))
                for best in ("ReduceMax", "ReduceMin"):
                    for contest in contests:
                        won.append(self._share(self._wins(contest, best, len(kernels)), counted, sizes))
            for each in thresholds:
                exceeds = self.add("Greater", convolved, self.constant(each[:, np.newaxis]))
                computed.append(self._share(exceeds, counted, sizes))
        return self.add("Concat", *computed, *won, axis=1)

    def _share(self, flags: str, counted: str, sizes: str) -> str:
        """Compute for how much of a sequence something is true."""
        return self.add("Div", self._sum(self.add("Mul", self.cast(flags, np.float32), counted)), sizes)

    def _wins(self, convolved: str, best: str, n_kernels: int) -> str:
        """Tell where kernels are the largest of their group, or the smallest."""
        shape = self.add("Shape", convolved)
        n_samples, n_timesteps = (
            self.add("Slice", shape, self.integers(axis), self.integers(axis + 1)) for axis in (0, 2)
        )
        sizes = self.integers(n_kernels // GROUP_SIZE, GROUP_SIZE)
        grouped = self.add("Concat", n_samples, sizes, n_timesteps, axis=0)
        groups = self.add("Reshape", convolved, grouped, allowzero=1)
        is_best = self.add("Equal", groups, self.add(best, groups, axes=[2], keepdims=1))
        return self.add("Reshape", is_best, shape, allowzero=1)

    def _quantiles(self, values: str, known: str, counts: str) -> list[str]:
        beyond = self.add("Where", known, values, self.constant(np.float32(np.inf)))
        n_timesteps = self.add("Slice", self.add("Shape", values), self.integers(2), self.integers(3))
        ordered = self.add("TopK", beyond, n_timesteps, outputs=2, axis=2, largest=0, sorted=1)
        last = self.add("Sub", counts, self.constant(np.float32(1)))
        is_known = self.add("Greater", counts, self.constant(np.float32(0)))
        quantiles = []
        for share in QUANTILES:
            position = self.add("Mul", self.cast(last, np.float64), self.constant(np.float64(share)))
            # From -1, the position in no value at all.
            position = self.add("Max", self.cast(self.add("Round", position), np.int64), self.constant(np.int64(0)))
            taken = self.add("GatherElements", ordered, self._column(position), axis=2)
            taken = self.add("Squeeze", taken, self.integers(2))
            quantiles.append(self.add("Where", is_known, taken, self.constant(np.float32(np.nan))))
        return quantiles

    def _log_details(self, centred: str, mask: str, n_timesteps: int) -> list[str]:
        details, width, smooth, both = [], 1, centred, mask
        while 2 * width <= n_timesteps:
            # Of an odd number of timesteps the last one is left out.
            first, second = self._cut(smooth, 0, -1, step=2), self._cut(smooth, 1, _LAST, step=2)
            both = self.add("Mul", self._cut(both, 0, -1, step=2), self._cut(both, 1, _LAST, step=2))
            difference = self.add("Mul", self.add("Sub", second, first), both)
            power = self.add("Div", self._sum(self.add("Mul", difference, difference)), self._sum(both))
            noisy = self.add("Add", self.add("Sqrt", power), self.constant(np.float32(NOISE)))
            details.append(self.add("Log", noisy))
            halved = self.add("Mul", both, self.constant(np.float32(0.5)))
            smooth = self.add("Mul", self.add("Add", first, second), halved)
            width *= 2
        return details

    def _segment_means(self, values: str, mask: str, lengths: str) -> list[str]:
        length = self.at(self.add("Shape", values), 2)
        positions = self.add("Range", self.constant(np.int64(0)), length, self.constant(np.int64(1)))
        segments = self.add("Mul", positions, self.constant(np.int64(N_SEGMENTS)))
        segments = self.add("Div", segments, self.add("Unsqueeze", lengths, self.integers(1)))
        members = self.add("Equal", self._column(segments), self.constant(np.arange(N_SEGMENTS)))
        members = self.cast(members, np.float32)
        sums = self.add("MatMul", self.add("Mul", values, mask), members)
        means = self.add("Div", sums, self.add("MatMul", mask, members))
        return [self.add("Gather", means, self.constant(np.int64(each)), axis=2) for each in range(N_SEGMENTS)]

    def _correlations(self, standard: str, mask: str, n_features: int) -> str:
        products, n_pairs = (
            self.add("MatMul", each, self.add("Transpose", each, perm=[0, 2, 1])) for each in (standard, mask)
        )
        correlations = self.add("Div", products, n_pairs)
        correlations = self.add("Reshape", correlations, self.integers(-1, n_features * n_features))
        first, second = np.triu_indices(n_features, 1)
        return self.add("Gather", correlations, self.constant(first * n_features + second), axis=1)

    def _sum(self, values: str) -> str:
        return self.add("ReduceSum", values, self.integers(-1), keepdims=0)

    def _column(self, values: str) -> str:
        return self.add("Unsqueeze", values, self.integers(-1))

    def _cut(self, values: str, start: int, stop: int, step: int = 1) -> str:
        """Slice the last axis."""
        return self.add(
            "Slice", values, self.integers(start), self.integers(stop), self.integers(-1), self.integers(step)
        )
