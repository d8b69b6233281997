"""The start of training: what workers must have in common, and the model that training goes on from."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from seqembed.files.safetensors_file import pack, unpack
from seqembed.files.values import Arrays, Kinds, decoded, encoded, record
from seqembed.inference.model import Layout, TrainedModel
from seqembed.network.architecture import Network
from seqembed.network.shortcut import shortcut_weights
from seqembed.network.weights import initial_weights
from seqembed.parallel import one_blas_thread
from seqembed.sequences.collection import Sequences
from seqembed.sequences.scaling import ScaledSequences, Scaling
from seqembed.summary.components import Summary
from seqembed.summary.context import Context, learn_context
from seqembed.summary.principal_axes import learn_principal_axes
from seqembed.summary.shares import Shares
from seqembed.training.labels import Labels
from seqembed.training.workers import SetShape, Workers

# Parameters that may differ between workers.
_FREE = ("random_state", "n_jobs", "verbose")
_CANNOT_GO_ON = (
    "Training can't go on from {} with {}. Call fit with warm_start=False, or use the parameters and features that the "
    "estimator was fitted with."
)
# What worker 0 sends to the others.
_KINDS: Kinds = {each.__name__: record(each) for each in (Context, Summary, Shares)}


def common_settings(estimator: BaseEstimator, before: TrainedModel | None, sequences: Sequences) -> dict[str, object]:
    """Return the settings that have to be the same for all workers of a fit, by the names that stand in errors.

    Parameters
    ----------
    estimator : estimator
        To be fitted.
    before : TrainedModel or None
        The fitted model that training goes on from, if there is one.
    sequences : Sequences
        Those of this worker.
    """
    fitted = None
    if before is not None:
        scaling = before.scaling
        fitted = (before.network, scaling.means.tolist(), scaling.center.tolist(), scaling.scale.tolist())
    settings = {name: value for name, value in estimator.get_params(deep=False).items() if name not in _FREE}
    return {
        "number of features": sequences.n_features,
        "number of axes": sequences.ndim,
        "column names": sequences.names,
        "parameters": (type(estimator).__name__, settings),
        "fit before": fitted,
    }


def joint_layout(sequences: Sequences, shape: SetShape, workers: Workers) -> Layout:
    """Describe the sequences of all workers.

    Parameters
    ----------
    sequences : Sequences
        Those of this worker.
    shape : SetShape
        Of the sequences of all workers.
    workers : Workers
        All of them. They have the same features.
    """
    own = Layout.from_sequences(sequences)
    longest = int(workers.all_gather([own.padded_length or 0]).max())
    return replace(own, n_timesteps=shape.n_timesteps, one_length=shape.one_length, padded_length=longest or None)


def new_model(
    network: Network,
    sequences: Sequences,
    scaling: Scaling,
    layout: Layout,
    labels: Labels | None,
    random: np.random.Generator,
    workers: Workers,
) -> TrainedModel:
    """Make the model that a new fit starts from.

    Parameters
    ----------
    network : Network
        The architecture. Context and shortcut become smaller if the sequences differ in fewer directions.
    sequences : Sequences
        Those of this worker.
    scaling : Scaling
        How they are scaled.
    layout : Layout
        That of the sequences of all workers.
    labels : Labels or None
        Those of the sequences of this worker, which the context predicts.
    random : numpy.random.Generator
        Draws the weights.
    workers : Workers
        All of them. The context and the shortcut are learned from the sequences of worker 0.
    """
    computed: tuple[Context | None, dict[str, np.ndarray]] = (None, {})
    if workers.rank == 0:
        computed = _learn_beside(network, ScaledSequences(sequences, scaling), layout.n_timesteps, labels)
    if workers.size > 1:
        arrays: Arrays = {}
        data = pack({"computed": encoded(computed, "computed", arrays, _KINDS)}, arrays)
        description, arrays = unpack(workers.broadcast_bytes(data))
        computed = decoded(description["computed"], arrays, _KINDS)
    context, fixed = computed
    context_size = 0 if context is None else context.size
    shortcut_size = len(fixed["shortcut/loadings"]) if fixed else 0
    network = replace(network, context_size=context_size, shortcut_size=shortcut_size)
    return TrainedModel(network, initial_weights(network, random) | fixed, scaling, layout, context)


def _learn_beside(
    network: Network, sequences: ScaledSequences, n_timesteps: int, labels: Labels | None
) -> tuple[Context | None, dict[str, np.ndarray]]:
    """Learn the context and the weights of the shortcut."""
    context, fixed = None, {}
    targets = None if labels is None or not labels.known.any() else np.where(labels.known, labels.values, np.nan)
    # NumPy's results depend on the number of its threads.
    with one_blas_thread():
        if network.context_size:
            context = learn_context(sequences, network.context_size, n_timesteps, targets)
        if network.shortcut_size:
            axes, deviations = learn_principal_axes(sequences, network.shortcut_size, n_timesteps)
            fixed = shortcut_weights(axes, deviations, sequences.means)
    return context, fixed


def continued_model(
    fitted: TrainedModel, network: Network, scale: str | None, layout: Layout, kept: list[str]
) -> TrainedModel:
    """Return the fitted model for sequences of a new layout.

    Parameters
    ----------
    fitted : TrainedModel
        The model before.
    network : Network
        The architecture for the new sequences.
    scale : {"standard"} or None
        The parameter. The scaling itself stays that of the first fit.
    layout : Layout
        That of the new sequences.
    kept : list of str
        Sizes that follow from the sequences, so that those of the fitted network hold. A context or a shortcut may also
        be smaller than asked for, if the sequences of the first fit gave no more.

    Raises
    ------
    ValueError
        If the two networks differ in something else than the length of sequences, or one is scaled and the other not.
    """
    before = fitted.network
    if network.encoded_timesteps and before.encoded_timesteps:
        network = replace(network, encoded_timesteps=before.encoded_timesteps)
    network = replace(network, **{name: getattr(before, name) for name in kept})
    not_given = []
    for name in ("context_size", "shortcut_size"):
        found, wanted = getattr(before, name), getattr(network, name)
        if 0 < found < wanted:
            network = replace(network, **{name: found})
        elif found < wanted:
            # They may have been asked for: sequences that differ in nothing, or noise, give none.
            not_given.append(f"{name}='auto'")
    if network != before:
        parameters = ", ".join(not_given)
        remedy = f" To go on without what the sequences before did not give, use {parameters}." if not_given else ""
        raise ValueError(_CANNOT_GO_ON.format(*_differences(before, network)) + remedy)
    scaling = fitted.scaling
    is_centred = np.array_equal(scaling.center, scaling.means)
    # Means of 0 are a centre of either kind.
    if (scale is None and not scaling.is_identity) or (scale is not None and not is_centred):
        fitted_scale = "standard" if scale is None else None
        raise ValueError(_CANNOT_GO_ON.format(f"scale={fitted_scale!r}", f"scale={scale!r}"))
    return replace(fitted, layout=layout)


def _differences(before: Network, network: Network) -> list[str]:
    """Write the fields in which two networks differ, once for each."""
    names = [field.name for field in fields(network) if getattr(before, field.name) != getattr(network, field.name)]
    written = (", ".join(f"{name}={getattr(each, name)!r}" for name in names) for each in (before, network))
    return [f"Network({each})" for each in written]


def new_generator(random_state: int | np.random.RandomState | None) -> np.random.Generator:
    """Make the generator of a fit. A RandomState is advanced, NumPy's global generator is not."""
    # check_random_state(None) would draw from, and so advance, NumPy's global generator.
    if random_state is None:
        return np.random.default_rng()
    return np.random.default_rng(check_random_state(random_state).randint(np.iinfo(np.int32).max))
