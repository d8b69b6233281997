"""How far each timestep and each feature of sequences moves each component of their embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from seqembed.inference.model import TrainedModel
from seqembed.inspection.context_differences import context_differences
from seqembed.inspection.encoder_derivatives import embedding_derivatives
from seqembed.inspection.inputs import fitted_input, fitted_model
from seqembed.network.architecture import Network
from seqembed.parallel import one_blas_thread, thread_pool
from seqembed.sequences.collection import Sequences
from seqembed.sequences.containers import SequencesLike
from seqembed.sequences.scaling import Batch, ScaledSequences

if TYPE_CHECKING:
    from seqembed.estimators.autoencoder import LSTMAutoencoder

# Sequences that are looked at: with more, the root mean squares change by few per cent.
_MOST_SEQUENCES, _FEWEST_SEQUENCES = 500, 4
# Floating-point operations of a call: one core makes some 15 billion a second in backpropagation.
_OPERATIONS = 1e11
# What the contexts of a sequence take, for each pair of timesteps and each feature, in the same unit.
_OPERATIONS_OF_CONTEXTS = 50_000
# Sequences of a batch: larger ones do not stay in the cache. Fewer if their derivatives have more values than this.
_SEQUENCES_AT_ONCE, _VALUES_AT_ONCE = 4, 1 << 22
# Batches whose sums wait in memory to be added up.
_BATCHES_AT_ONCE = 32


def component_influence(
    estimator: LSTMAutoencoder, X: SequencesLike, *, lengths: npt.ArrayLike | None = None
) -> np.ndarray:
    """Measure how far each timestep and each feature moves each component of the embedding.

    For each sequence, the derivative of each component by each value is computed. The influence is the root mean square
    of these derivatives over the sequences: derivatives of both signs would cancel in a mean.

    Parameters
    ----------
    estimator : LSTMAutoencoder
        Fitted.
    X : array-like of shape (n_samples, n_timesteps, n_features) or (n_samples, n_timesteps), or list of arrays
        Sequences, of any kind that `transform` takes. Not all of a large set are looked at, see the notes.
    lengths : array-like of int of shape (n_samples,), default=None
        Timesteps of each sequence of a padded array.

    Returns
    -------
    influence : float32 array of shape (n_components, n_timesteps, n_features)
        What a change of a value by one standard deviation of its feature would do to each component, if the component
        went on changing as it does at first. With ``scale=None`` the change is by one unit of the data. The number of
        timesteps is that of the longest sequence. Timesteps that shorter sequences lack, and missing values, are left
        out of the mean. NaN where no sequence that was looked at has a known value.

    Raises
    ------
    ValueError
        For sequences that `transform` refuses.
    TypeError
        For an estimator without an embedding that can be decoded.
    sklearn.exceptions.NotFittedError
        For an estimator that is not fitted.

    Notes
    -----
    Derivatives are exact for all that passes through the layers and through the shortcut. The last encoder layer also
    reads the context of the sequence, and a part of the context are shares: of a sequence's timesteps, the share at
    which a convolution exceeds a threshold. A share is a count. It does not change until a convolution crosses its
    threshold, so its derivative is zero nearly everywhere, though values do move it. The part of the influence that
    passes through the context is therefore the exact derivative by the context, times a central difference of the
    context: each value is moved up and down by a tenth of its standard deviation. Without a context
    (``context_size=0``) all is exact.

    This difference takes two contexts for each value of a sequence. So the call looks at no more sequences than take
    about ten seconds of one core: at most 500, fewer the longer they are, and at least 4. About 30 are looked at if
    they have 100 timesteps of 6 features. With some 2,000 timesteps and more, 4 sequences take longer. The sequences
    that are looked at are spread evenly over `X`, or over the lengths, if these differ.

    Why derivatives, and not another measure of importance:

    - Occlusion and permutation replace values by others, such as the mean or those of another sequence. The result is
      no member of the data: it jumps where the replaced part begins. How a network that was trained on members answers
      it depends more on the jumps, and on what was put in, than on what was taken away.
    - Integrated gradients explain the difference of one sequence from a baseline, which has to be a sequence that means
      nothing. There is none: the mean of sequences whose phases differ is flat, and so is no member of the data.

    A derivative needs neither. It is local: where a component is near its bounds, -1 and 1, all its derivatives are
    small. To see what a component stands for over its whole range, use `traverse`.

    Examples
    --------
    The first feature is noise. The second has a level for each sequence, which is what a single component can tell.

    >>> from seqembed import LSTMAutoencoder
    >>> random = np.random.default_rng(0)
    >>> X = random.normal(size=(40, 5, 2))
    >>> X[:, :, 1] = X[:, :1, 1]
    >>> autoencoder = LSTMAutoencoder(1, hidden_units=(), epochs=30, random_state=0).fit(X)
    >>> influence = component_influence(autoencoder, X)
    >>> influence.shape
    (1, 5, 2)
    >>> by_feature = influence[0].mean(axis=0)
    >>> bool(by_feature[1] > 1.5 * by_feature[0])
    True
    """
    model = fitted_model(estimator)
    with fitted_input(estimator, X, lengths) as sequences:
        rows = _chosen_rows(sequences, model)
        n_timesteps, n_components = sequences.n_timesteps, model.network.n_components
        n_values = n_components * model.count_read(n_timesteps) * sequences.n_features
        n_rows = max(1, min(_SEQUENCES_AT_ONCE, _VALUES_AT_ONCE // n_values))
        parts = [rows[start : start + n_rows] for start in range(0, len(rows), n_rows)]
        sums = np.zeros((n_components, n_timesteps, sequences.n_features))
        counts = np.zeros(sums.shape[1:], np.int64)

        def run(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            n_read = model.count_read(sequences.lengths[part].max())
            return _sum_squares(model, ScaledSequences(sequences, model.scaling).read_bounded(part, n_read))

        with one_blas_thread(), thread_pool(estimator.n_jobs) as pool:
            # One group after the other: the results of all parts at once could fill the memory.
            for first in range(0, len(parts), _BATCHES_AT_ONCE):
                for squares, known in pool.map(run, parts[first : first + _BATCHES_AT_ONCE]):
                    n_own = min(n_timesteps, len(known))
                    sums[:, :n_own] += squares[:, :n_own]
                    counts[:n_own] += known[:n_own]
    with np.errstate(invalid="ignore"):
        influence: np.ndarray = np.sqrt(sums / counts).astype(np.float32)
    return influence


def _chosen_rows(sequences: Sequences, model: TrainedModel) -> np.ndarray:
    """Choose the sequences that are looked at: as many as there is time for, the longest among them."""
    n_timesteps = sequences.n_timesteps
    operations = _count_operations(model.network, n_timesteps)
    if model.context is not None:
        operations += _OPERATIONS_OF_CONTEXTS * n_timesteps**2 * sequences.n_features
    most = min(_MOST_SEQUENCES, max(_FEWEST_SEQUENCES, int(_OPERATIONS / operations)))
    places = np.unique(np.linspace(0, len(sequences) - 1, min(most, len(sequences))).round().astype(np.intp))
    return places if sequences.order is None else sequences.order[places]


def _count_operations(network: Network, n_timesteps: int) -> float:
    """Count the operations of the products in the backpropagation of a sequence."""
    of_layers = sum(8.0 * layer.units * (layer.units + layer.n_inputs) for layer in network.encoder)
    return of_layers * network.n_components * network.count_steps(n_timesteps)


def _sum_squares(model: TrainedModel, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Sum the squared derivatives over a batch, and count the known values.

    Returns
    -------
    sums : float64 array of shape (n_components, n_timesteps, n_features)
        Over the sequences that have a known value there.
    counts : int array of shape (n_timesteps, n_features)
        How many these are.
    """
    network, context = model.network, model.context
    derivatives = embedding_derivatives(network, model.weights, batch.values, batch.lengths, model.contexts(batch))
    total = derivatives.by_values
    if context is not None:
        for row, by_context in enumerate(derivatives.by_context):
            length = batch.lengths[row]
            one = slice(row, row + 1)
            sequence = Batch(batch.values[one, :length], batch.mask[one, :length], batch.lengths[one])
            total[row, :, :length] += np.tensordot(by_context, context_differences(context, sequence), axes=1)
    sums = np.einsum("nktf,nktf,ntf->ktf", total, total, batch.mask, dtype=np.float64)
    return sums, batch.mask.sum(axis=0)
