"""How far sequences lie from the normal ones, in descriptions of them.

A network can reconstruct a rare sequence well: a sensor that sticks is easier to reconstruct than one that works. Its
description differs from those of all normal sequences. Descriptions are computed, not learned: statistics, and shares
of convolutions, see `seqembed.summary.description`. A third distance is that from principal components, see
`seqembed.estimators.component_errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np

from seqembed.estimators.component_errors import NormalComponents, learn_normal_components
from seqembed.estimators.reconstruction import interpolated
from seqembed.estimators.residuals import learn_length_exponent
from seqembed.sequences.collection import Sequences, chunks
from seqembed.sequences.rows import slices_of_rows
from seqembed.sequences.scaling import Batch, ScaledSequences, Scaling, learn_scaling
from seqembed.summary.description import LARGEST_VALUE, Description, drawn_rows, learn_description
from seqembed.summary.shares import MANY_KERNELS
from seqembed.summary.statistics import summed_by_feature

# A distance is the mean of those to so many nearest normal sequences. One alone could be as rare.
_N_NEAREST = 3
# Candidates for the nearest ones of each block: rounding could exchange the last of them.
_N_CANDIDATES = 5
# Standardised numbers are clipped there. With a smaller limit, the size of a sudden event would not count.
_LARGEST_NUMBER = 30
# Normal sequences that are read, and their values: fewer, if they are large.
_MOST_READ, _FEWEST_READ, _MOST_VALUES = 2048, 64, 1 << 24
# Sequences that are nearer, in standard deviations, are equal: they may differ by the rounding of float32.
_LEAST_DISTANCE = 1e-3
# Held-out windows of a recording are compared with windows that are at least this share of a block away. Windows beside
# a block are like those in it, and no window of a new recording has such neighbours: thresholds would be too low.
_APART = 0.5
# Sequences whose distances are computed exactly at once, so that the references of each fit into the cache.
_EXACT_AT_ONCE = 32
# What distances are computed in.
GROUPS = ("statistics", "convolutions", "components")
# Takes sequences and the block that they come from; returns distances of shape (n_samples, n_groups).
Distances: TypeAlias = Callable[[Sequences, np.ndarray], np.ndarray]


class Described(NamedTuple):
    """Some sequences, as distances are computed from them.

    Parameters
    ----------
    numbers : float32 array of shape (n_rows, n_numbers)
        Standardised statistics and shares of convolutions.
    values : float32 array of shape (n_rows, n_timesteps * n_features)
        Scaled values, up to the length of the longest training sequence.
    """

    numbers: np.ndarray
    values: np.ndarray


class NormalDescriptions(NamedTuple):
    """Descriptions of normal sequences, which others are compared with.

    Parameters
    ----------
    center, scale : float64 arrays of shape (n_features,)
        What is subtracted from each feature before it is described, and what it is then divided by.
    description : Description
        How sequences are described.
    references : float32 array of shape (n_references, n_numbers)
        Descriptions of normal sequences: of at most 2,048 of them, drawn with a fixed seed.
    blocks : int64 array of shape (n_references,)
        The block that each of them lies in, from 0.
    shortest : int
        Length of the shortest of them.
    length_exponents : float64 array of shape (n_groups,)
        Held-out distances grow as these powers of the number of timesteps. Distances are divided by this power of the
        length relative to that of the longest training sequence.
    components : NormalComponents or None, default=None
        Principal components of them. None in detectors of earlier files, which have no distance from them.
    """

    center: np.ndarray
    scale: np.ndarray
    description: Description
    references: np.ndarray
    blocks: np.ndarray
    shortest: int
    length_exponents: np.ndarray
    components: NormalComponents | None = None

    def described(self, sequences: Sequences, rows: np.ndarray) -> Described:
        """Describe some sequences. Missing values are interpolated in time.

        Parameters
        ----------
        sequences : Sequences
            Checked sequences.
        rows : int array of shape (n_rows,)
            Which of them.

        Returns
        -------
        described : Described
            A sequence has the same bits for any other rows.
        """
        scaled = ScaledSequences(_filled(sequences, rows), Scaling(self.center, self.center, self.scale))
        # Sums of arrays of another length have other last bits.
        n_timesteps = max(self.description.n_timesteps, int(sequences.lengths[rows].max()))
        batch = scaled.read(slice(0, len(rows)), n_timesteps)
        values = _side_by_side(batch, self.description.n_timesteps)
        return Described(self.description.compute(batch, _LARGEST_NUMBER), values)

    def distances(self, described: Described, lengths: np.ndarray) -> np.ndarray:
        """Compute how far sequences lie from the normal ones of all blocks but one, for each that is left out.

        So the distances of new sequences are like those of held-out ones. A sequence that equals a reference is never
        compared with its block, as when it was held out. The distance of two sequences is the root of the mean squared
        difference of their numbers.

        Parameters
        ----------
        described : Described
            From the method of this name.
        lengths : int array of shape (n_samples,)
            Timesteps of each sequence.

        Returns
        -------
        distances : float64 array of shape (n_blocks, n_samples, n_groups)
            Mean distance to the three nearest references, by statistics and by shares of convolutions, and squared
            distance from their principal components. NaN for a sequence that is shorter or longer than all of them:
            its description differs for that reason.
        """
        of_blocks = [
            _nearest_of_blocks(described.numbers[:, group], self.references[:, group], self.blocks)
            for group in self.description.groups
        ]
        equals = [_blocks_of_equals(each) for each in of_blocks]
        by_group = [_as_held_out(_without_each_block(each), own) for each, own in zip(of_blocks, equals, strict=True)]
        if self.components is not None:
            errors = np.maximum(self.components.errors(described.values), _LEAST_DISTANCE**2)
            by_group.append(_as_held_out(errors, equals[0]))
        distances: np.ndarray = np.stack(by_group, axis=2) / self._typical(lengths)
        return distances

    def distances_to(
        self, described: Described, lengths: np.ndarray, allowed: np.ndarray, components: NormalComponents
    ) -> np.ndarray:
        """Compute how far sequences lie from some of the references.

        Parameters
        ----------
        described, lengths
            See `distances`.
        allowed : bool array of shape (n_references,)
            Which references, at least one.
        components : NormalComponents
            Principal components of these references.

        Returns
        -------
        distances : float64 array of shape (n_samples, n_groups)
            See `distances`.
        """
        references, one_block = self.references[allowed], np.zeros(int(allowed.sum()), int)
        by_group = [
            _mean_nearest(_nearest_of_blocks(described.numbers[:, group], references[:, group], one_block))
            for group in self.description.groups
        ]
        by_group += list(np.maximum(components.errors(described.values), _LEAST_DISTANCE**2))
        distances: np.ndarray = np.stack(by_group, axis=1) / self._typical(lengths)
        return distances

    def feature_shares(self, numbers: np.ndarray) -> np.ndarray:
        """Divide the distances by statistics among the features.

        Convolutions read several features at once, and have no part in it.

        Parameters
        ----------
        numbers : float32 array of shape (n_samples, n_numbers)
            Those of `described`.

        Returns
        -------
        shares : float64 array of shape (n_samples, n_features)
            They add up to 1, or are 0 if the nearest reference has the same statistics.
        """
        group, _ = self.description.groups
        statistics, references, n_features = numbers[:, group], self.references[:, group], len(self.center)
        (nearest,) = _candidates(statistics, references, [np.arange(len(references))], _N_NEAREST)
        # In the same order for any number of rows.
        nearest = np.sort(nearest, axis=1)
        shares = np.empty((len(numbers), n_features))
        for part in slices_of_rows(len(numbers), _EXACT_AT_ONCE):
            squares = _squared_differences(statistics[part], references, nearest[part])
            shares[part] = summed_by_feature(squares.mean(axis=1), n_features)
        totals = shares.sum(axis=1, keepdims=True)
        normalised: np.ndarray = np.divide(shares, totals, out=np.zeros_like(shares), where=totals > 0)
        return normalised

    def _typical(self, lengths: np.ndarray) -> np.ndarray:
        longest = self.description.n_timesteps
        typical: np.ndarray = (lengths[:, np.newaxis] / longest) ** self.length_exponents
        typical[(lengths < self.shortest) | (lengths > longest)] = np.nan
        return typical


def learn_normal_descriptions(
    sequences: Sequences, rows: np.ndarray, blocks: Sequence[np.ndarray], gap: int = 0
) -> tuple[NormalDescriptions, np.ndarray, Distances]:
    """Describe normal sequences.

    Parameters
    ----------
    sequences : Sequences
        Checked sequences.
    rows : int array of shape (n_rows,)
        The normal ones.
    blocks : list of int arrays
        Positions of the sequences of each block among `rows`.
    gap : int, default=0
        Sequences on either side of a block that overlap with those of the block. If there are any, half as many
        sequences as the block has are left out of the comparison on either side of it, or `gap` if that is more.

    Returns
    -------
    descriptions : NormalDescriptions
        Of the normal sequences, or of a sample of them.
    heldout : float64 array of shape (n_rows, n_groups)
        How far the normal sequences lie from those outside their block and what is left out beside it.
    distances : callable
        Takes sequences and the block that they come from. Returns how far they lie from the normal sequences outside
        the block and what is left out beside it: a float64 array of shape (n_samples, n_groups).

    Examples
    --------
    >>> from seqembed.sequences.collection import check_sequences
    >>> sequences = check_sequences(np.random.default_rng(0).normal(size=(20, 30, 2)))
    >>> blocks = [np.arange(10), np.arange(10, 20)]
    >>> normal, heldout, distances = learn_normal_descriptions(sequences, np.arange(20), blocks)
    >>> described = normal.described(sequences, np.arange(3))
    >>> normal.distances(described, sequences.lengths[:3]).shape, normal.blocks
    ((2, 3, 3), array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]))
    >>> heldout.shape, distances(sequences, blocks[0]).shape
    ((20, 3), (20, 3))
    """
    n_values = sequences.n_timesteps * sequences.n_features
    read = drawn_rows(len(rows), min(_MOST_READ, max(_FEWEST_READ, _MOST_VALUES // n_values)))
    filled = _with_all_features(_filled(sequences, rows[read]))
    scaling = learn_scaling(filled, "standard")
    # With fewer kernels, half as many normal sequences again were flagged after an outage: see `TRIED.md`.
    scaled = ScaledSequences(filled, scaling)
    description, drawn, numbers = learn_description(scaled, sequences.n_timesteps, MANY_KERNELS)
    positions, block_of = read[drawn], np.empty(len(rows), np.int64)
    for number, block in enumerate(blocks):
        block_of[block] = number
    references = description.standardised(numbers, _LARGEST_NUMBER)
    lengths = sequences.lengths[rows]
    values = _side_by_side(scaled.read(drawn, sequences.n_timesteps), sequences.n_timesteps)
    of_references = block_of[positions]
    components = learn_normal_components(values, [of_references != block for block in np.unique(of_references)])
    parts = (scaling.center, scaling.scale, description, references, of_references, int(lengths.min()))
    normal = NormalDescriptions(*parts, np.zeros(len(GROUPS)), components)

    def outside(block: np.ndarray) -> np.ndarray:
        # Sequences without overlap may come from anywhere: those beside a block are like all others.
        left_out = max(gap, int(_APART * len(block))) if gap else 0
        far: np.ndarray = (positions < block[0] - left_out) | (positions > block[-1] + left_out)
        if far.any():
            return far
        # A large gap leaves few sequences, and the sample may have none of them.
        beside: np.ndarray = (positions < block[0]) | (positions > block[-1])
        return beside if beside.any() else np.ones(len(positions), bool)

    allowed = {int(block[0]): outside(block) for block in blocks}
    outside_components = {first: learn_normal_components(values, [each]) for first, each in allowed.items()}

    # By the exponents that `normal` has at the call: none for held-out distances, from which the exponents are learned.
    def compared(some: Sequences, chosen: np.ndarray, block: np.ndarray) -> np.ndarray:
        first = int(block[0])
        parts = normal.described(some, chosen), some.lengths[chosen], allowed[first], outside_components[first]
        return normal.distances_to(*parts)

    heldout = np.empty((len(rows), len(GROUPS)))
    for block in blocks:
        for part in chunks(len(block), max(n_values, len(description.means))):
            heldout[block[part]] = compared(sequences, rows[block[part]], block)
    exponents = np.array([learn_length_exponent(each, lengths) for each in heldout.T])
    normal = normal._replace(length_exponents=exponents)
    heldout /= normal._typical(lengths)

    return normal, heldout, lambda some, block: compared(some, np.arange(len(some)), block)


def no_distances(sequences: Sequences, block: np.ndarray) -> np.ndarray:
    """Return an array of shape (n_samples, 0): the distances of a detector that computes none."""
    return np.empty((len(sequences), 0))


def _side_by_side(batch: Batch, n_timesteps: int) -> np.ndarray:
    """Lay the first timesteps side by side: (n_samples, n_timesteps * n_features)."""
    values: np.ndarray = np.clip(batch.values[:, :n_timesteps], -LARGEST_VALUE, LARGEST_VALUE)
    return values.reshape(len(values), -1)


def _filled(sequences: Sequences, rows: np.ndarray) -> Sequences:
    """Choose some sequences, with their missing values interpolated."""
    chosen = [sequences.values[row] for row in rows]
    filled = chosen if sequences.complete else interpolated(chosen)
    values = np.stack(filled) if sequences.one_length else filled
    return replace(sequences, values=values, lengths=sequences.lengths[rows])


def _with_all_features(sequences: Sequences) -> Sequences:
    """Fill features that no sequence has with zeros, so that they have a scale."""
    missing = np.all([np.isnan(values).all(axis=0) for values in sequences.values], axis=0)
    if not missing.any():
        return sequences
    values = [np.where(missing, 0, each) for each in sequences.values]
    return replace(sequences, values=np.stack(values) if sequences.one_length else values)


def _nearest_of_blocks(numbers: np.ndarray, references: np.ndarray, blocks: np.ndarray) -> list[np.ndarray]:
    """Return the distances to some of the nearest references of each block, each of shape (n_samples, n_nearest).

    A matrix product finds candidates. Their distances are then computed one by one, because the bits of a product
    depend on the number of its rows.
    """
    of_blocks = [np.flatnonzero(blocks == block) for block in np.unique(blocks)]
    candidates = _candidates(numbers, references, of_blocks, _N_CANDIDATES)
    return [_exact_distances(numbers, references, each) for each in candidates]


def _candidates(
    numbers: np.ndarray, references: np.ndarray, of_blocks: list[np.ndarray], n_nearest: int
) -> list[np.ndarray]:
    """Return which references of each block are the nearest, up to rounding: (n_samples, n_nearest), in any order."""
    squares = np.square(references).sum(axis=1)
    found = [np.empty((len(numbers), min(len(own), n_nearest)), np.intp) for own in of_blocks]
    for rows in chunks(len(numbers), len(references)):
        approximate = squares - 2 * numbers[rows] @ references.T
        for own, nearest in zip(of_blocks, found, strict=True):
            nearest[rows] = own[_smallest(approximate[:, own], nearest.shape[1])]
    return found


def _without_each_block(of_blocks: list[np.ndarray]) -> np.ndarray:
    """Return the mean distance to the nearest references of all blocks but one: (n_blocks, n_samples)."""
    n_blocks = len(of_blocks)
    return np.stack([_mean_nearest(of_blocks[:block] + of_blocks[block + 1 :]) for block in range(n_blocks)])


def _blocks_of_equals(of_blocks: list[np.ndarray]) -> np.ndarray:
    """Return the first block with a reference that equals each sample, or -1 for none."""
    equals = np.stack([(each <= _LEAST_DISTANCE).any(axis=1) for each in of_blocks])
    chosen: np.ndarray = np.where(equals.any(axis=0), equals.argmax(axis=0), -1)
    return chosen


def _as_held_out(distances: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Give each sample that equals a reference the distance without its block: (n_blocks, n_samples)."""
    chosen: np.ndarray = np.where(blocks < 0, distances, distances[blocks, np.arange(len(blocks))])
    return chosen


def _mean_nearest(of_blocks: list[np.ndarray]) -> np.ndarray:
    joined = np.sort(np.concatenate(of_blocks, axis=1), axis=1)
    means: np.ndarray = joined[:, :_N_NEAREST].mean(axis=1)
    return means


def _smallest(values: np.ndarray, n_smallest: int) -> np.ndarray:
    """Return the columns of the smallest values of each row."""
    if values.shape[1] == n_smallest:
        return np.tile(np.arange(n_smallest), (len(values), 1))
    return np.argpartition(values, n_smallest - 1, axis=1)[:, :n_smallest]


def _exact_distances(numbers: np.ndarray, references: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    distances = np.empty(candidates.shape)
    for rows in slices_of_rows(len(numbers), _EXACT_AT_ONCE):
        squares = _squared_differences(numbers[rows], references, candidates[rows])
        distances[rows] = np.sqrt(squares.mean(axis=2))
    return np.maximum(distances, _LEAST_DISTANCE)


def _squared_differences(numbers: np.ndarray, references: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Square the differences of sequences and of some references: (n_samples, n_chosen, n_numbers)."""
    squares: np.ndarray = np.square(references[chosen] - numbers[:, np.newaxis], dtype=np.float64)
    return squares
