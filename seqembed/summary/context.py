"""The context of a sequence: its summary as an encoder reads it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqembed.sequences.collection import chunks
from seqembed.sequences.scaling import Batch, ScaledSequences, learn_scaling
from seqembed.summary.components import Summary, learn_summary
from seqembed.summary.description import drawn_rows

# Numbers beyond this are clipped: they saturate the cells that read them.
LARGEST_NUMBER = 4
# Sequences whose nearest neighbours decide the noise.
_SAMPLE = 1024
# Noise as a share of the distance to the nearest neighbour: with more, the encoder ignores the context.
_NOISE = 0.25
# Sequences whose squared distance is a smaller part of the typical one are the same.
_TWINS = 1e-6


class Context(NamedTuple):
    """How the context of a sequence is computed.

    Parameters
    ----------
    summary : Summary
        Learned from training sequences whose features have mean 0 and deviation 1.
    center, scale : float32 arrays of shape (n_features,)
        What is subtracted from each feature, as the network reads it, and what it is then divided by. 0 and 1 if the
        network reads scaled features.
    factor : float
        The components of the summary are multiplied by it: over the training sequences, their mean square is 1.
    noise : float32 array of shape (size,)
        Deviations of the noise that training adds to each number. See `learn_context`.
    """

    summary: Summary
    center: np.ndarray
    scale: np.ndarray
    factor: float
    noise: np.ndarray

    @property
    def size(self) -> int:
        """Numbers of a context."""
        return len(self.summary.offset)

    def compute(self, batch: Batch) -> np.ndarray:
        """Compute the contexts of sequences.

        Parameters
        ----------
        batch : Batch
            As the network reads them.

        Returns
        -------
        contexts : float32 array of shape (n_samples, size)
            From -4 to 4.
        """
        if self.center.any() or (self.scale != 1).any():
            batch = batch._replace(values=(batch.values - self.center) / self.scale)
        components = np.float32(self.factor) * self.summary.compute(batch)
        contexts: np.ndarray = np.clip(components, -LARGEST_NUMBER, LARGEST_NUMBER)
        return contexts


def learn_context(
    sequences: ScaledSequences, size: int, n_timesteps: int, targets: np.ndarray | None = None
) -> Context | None:
    """Learn the context of training sequences.

    An encoder could learn from its context which training sequence it reads, instead of reading the sequence. So
    training adds noise to each context, and the data decide how much: it makes neighbours hard to tell apart. In
    deviations of each number, the noise is a quarter of the median distance between the contexts of a sequence and of
    its nearest neighbour, as a share of the typical distance of two sequences. Where sequences fall into groups,
    neighbours are near, and the noise is small. Where all sequences differ from one another alike, as noisy ones do, it
    is larger, and the encoder learns to rely on the sequence.

    Parameters
    ----------
    sequences : ScaledSequences
        Training sequences, see `seqembed.summary.components.learn_summary`.
    size : int
        Most numbers of a context.
    n_timesteps : int
        Length of the longest training sequence.
    targets : float array of shape (n_samples, n_outputs), default=None
        Labels as numbers, NaN where a label is unknown: see `seqembed.summary.components.learn_summary`.

    Returns
    -------
    context : Context or None
        None if nothing tells the sequences apart.

    Examples
    --------
    >>> from seqembed.sequences.collection import check_sequences
    >>> checked = check_sequences(np.random.default_rng(0).normal(size=(50, 30, 2)))
    >>> sequences = ScaledSequences(checked, learn_scaling(checked, "standard"))
    >>> context = learn_context(sequences, size=8, n_timesteps=30)
    >>> context.compute(sequences.read(slice(0, 5))).shape, context.noise.shape
    ((5, 8), (8,))
    """
    other = own = sequences.scaling
    if own.is_identity:
        own = learn_scaling(sequences.sequences, "standard")
    standard = ScaledSequences(sequences.sequences, own)
    center, scale = (own.center - other.center) / other.scale, own.scale / other.scale
    summary = learn_summary(standard, size, n_timesteps, targets)
    rows = drawn_rows(len(sequences), _SAMPLE)
    batches = (standard.read(rows[part]) for part in chunks(len(rows), n_timesteps * sequences.sequences.n_features))
    components = np.concatenate([summary.compute(batch) for batch in batches]).astype(np.float64)
    deviations = components.std(axis=0)
    if not deviations.max() > 0:
        return None
    factor = float(1 / np.sqrt(np.square(deviations).mean()))
    noise = _NOISE * _neighbour_distance(components) * factor * deviations
    return Context(summary, center.astype(np.float32), scale.astype(np.float32), factor, np.asarray(noise, np.float32))


def _neighbour_distance(components: np.ndarray) -> float:
    """Return the median distance to the nearest neighbour, as a share of the root of the mean squared distance of two.

    Twins are no neighbours: noise could not make them harder to tell apart. Not scikit-learn's search, whose OpenMP
    threads wait for ever in a forked process.
    """
    squares = np.square(components).sum(axis=1)
    typical = 2 * components.var(axis=0).sum()
    nearest = []
    for rows in chunks(len(components), len(components)):
        distances = squares[rows, np.newaxis] + squares - 2 * components[rows] @ components.T
        nearest.append(np.where(distances > _TWINS * typical, distances, np.inf).min(axis=1))
    joined = np.concatenate(nearest)
    known = joined[np.isfinite(joined)]
    return float(np.sqrt(np.median(known) / typical)) if len(known) else 0.0
