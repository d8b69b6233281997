"""The training loop: epochs, restarts after explosions, the best weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from seqembed.inference.model import TrainedModel
from seqembed.network.forward import ForwardPass
from seqembed.network.weights import flat_parameters, named_weights
from seqembed.parallel import run_batches, thread_pool
from seqembed.sequences.rows import rows_by_length
from seqembed.sequences.scaling import ScaledSequences
from seqembed.sequences.wording import counted
from seqembed.training.batches import TrainingBatches
from seqembed.training.ending import TrainingResult, loss_of_means
from seqembed.training.labels import Labels
from seqembed.training.progress import Progress
from seqembed.training.recipe import Recipe
from seqembed.training.schedule import warm_up_and_decay
from seqembed.training.state import TrainingState
from seqembed.training.workers import ALONE, Workers

# A loss this many times that of the untrained network counts as an explosion.
_EXPLOSION = 10
_FACTOR_AFTER_EXPLOSION = 0.2
_MOST_RESTARTS = 4
# The last weights are measured on this many sequences, spread evenly over the set. A larger sample gives the same
# answer.
_LOSS_SAMPLE = 512


def train(
    model: TrainedModel,
    sequences: ScaledSequences,
    recipe: Recipe,
    random: np.random.Generator,
    *,
    verbose: bool,
    labels: Labels | None = None,
    sample_weight: np.ndarray | None = None,
    workers: Workers = ALONE,
    resume_from: TrainingState | None = None,
    keep: Callable[[TrainingState], None] | None = None,
) -> TrainingResult:
    """Train a network to reconstruct its input.

    Parameters
    ----------
    model : TrainedModel
        The model to start from. It is not modified.
    sequences : ScaledSequences
        The sequences to learn from.
    recipe : Recipe
        The settings of training.
    random : numpy.random.Generator
        Draws the sequences that are held back. Varies and shuffles the other sequences in each epoch.
    verbose : bool
        Whether to show the losses and the time left, see `seqembed.training.progress.Progress`. False prints nothing.
    labels : Labels, default=None
        Labels of the sequences, whose error joins the loss.
    sample_weight : float64 array of shape (n_samples,), default=None
        How much each sequence counts in all losses, above 0. By default all count alike.
    workers : Workers, default=ALONE
        The workers that train the same network, each on sequences of its own. The starting weights are those of
        worker 0.
    resume_from : TrainingState, default=None
        The state of an earlier call with the same arguments that ended early. This call advances it.
    keep : callable, default=None
        Function of the state. It is called after each epoch but the last. The next epoch changes the state, so the
        function has to save or copy it.

    Returns
    -------
    result : TrainingResult
        The best weights, the losses, and how training ended.

    Raises
    ------
    FloatingPointError
        If the loss still explodes after four reductions of the learning rate.
    ConnectionError
        If another worker has ended or hangs.
    """
    with thread_pool(recipe.n_jobs) as pool:
        if resume_from is None:
            first_random = workers.all_gather_generators(random)
        else:
            first_random = resume_from.first_random
            random = copy.deepcopy(first_random[workers.rank])
        training_rows, validation_rows = _split_rows(len(sequences), recipe.n_validation, random)
        batches = TrainingBatches(
            model,
            sequences,
            training_rows,
            recipe,
            random,
            pool,
            labels=labels,
            sample_weight=sample_weight,
            workers=workers,
        )
        if labels is not None and not batches.labelled_share:
            raise ValueError(
                f"Got labels for {counted(int(labels.known.sum()), 'sequence')}, and validation_fraction= holds them "
                f"all back, expected some to train on. Use validation_fraction=0.0 or more labels."
            )
        weights = np.ones(len(sequences)) if sample_weight is None else sample_weight
        run = _Run(model, sequences, weights, recipe, batches, training_rows, validation_rows, workers)
        state = _first_state(run, first_random, random) if resume_from is None else resume_from
        progress = Progress(recipe.epochs, done=state.epoch) if verbose and workers.rank == 0 else None
        interrupted = ended = False
        try:
            while not ended:
                ended = _train_one_epoch(run, state)
                if progress is not None:
                    losses = {name: values[-1] for name, values in state.history.items()}
                    progress.update(state.epoch, losses, ended=ended)
                if keep is not None and not ended:
                    state.random = workers.all_gather_generators(state.random[workers.rank])
                    keep(state)
            _offer_present_weights(run, state)
        except KeyboardInterrupt:
            if state.best_parameters is None:
                raise
            interrupted = True
            # The other workers do not take part in a measurement after an interruption.
            if workers.size == 1:
                _offer_present_weights(run, state)
        finally:
            if progress is not None:
                progress.close()
    best_parameters = state.best_parameters
    if best_parameters is None or (not interrupted and _is_explosion(run, state, run.criterion, state.best_loss)):
        raise FloatingPointError(_explosion_message(run, state))
    return TrainingResult(
        model.weights | named_weights(model.network.weight_shapes, best_parameters),
        state.history,
        state.best_epoch,
        state.best_loss,
        state.n_explosions,
        state.peak,
        interrupted,
    )


class _Run(NamedTuple):
    """The parts of a training run that do not change from epoch to epoch.

    Parameters
    ----------
    model, sequences, sample_weight, recipe, workers
        As in `train`.
    batches : TrainingBatches
        The training sequences in batches.
    training_rows, validation_rows : int arrays
        Rows of the training sequences and of the sequences that are held back.
    """

    model: TrainedModel
    sequences: ScaledSequences
    sample_weight: np.ndarray
    recipe: Recipe
    batches: TrainingBatches
    training_rows: np.ndarray
    validation_rows: np.ndarray
    workers: Workers

    @property
    def criterion(self) -> str:
        """Name of the loss that decides which weights are the best."""
        return "val_loss" if self.recipe.n_validation else "loss"


def _first_state(
    run: _Run,
    first_random: list[np.random.Generator],
    random: np.random.Generator,
) -> TrainingState:
    readout, recipe, weights = run.batches.readout, run.recipe, run.model.weights
    if readout is not None:
        weights = weights | readout.initial_weights(run.model.network)
    start = run.workers.broadcast(flat_parameters(run.batches.shapes, weights))
    names = ["loss"]
    if readout is not None:
        names.append("readout_loss")
    if recipe.n_validation:
        names.append("val_loss")
    return TrainingState(
        start=start,
        first_random=first_random,
        random=[random if rank == run.workers.rank else each for rank, each in enumerate(first_random)],
        epoch=0,
        n_explosions=0,
        peak=recipe.learning_rate,
        scheduled_updates=recipe.epochs * run.batches.n_updates,
        parameters=start,
        moments=np.zeros((2, len(start)), np.float32),
        history={name: [] for name in (*names, "learning_rate")},
    )


def _train_one_epoch(run: _Run, state: TrainingState) -> bool:
    """Make one pass over the training sequences. Return whether training has ended."""
    recipe = run.recipe
    state.epoch += 1
    before = state.parameters

    def rate(update: int) -> float:
        return state.peak * warm_up_and_decay(update, state.scheduled_updates)

    epoch_losses = run.batches.train_one_epoch(state, rate, state.random[run.workers.rank])
    # Processors of different kinds round differently.
    state.parameters = run.workers.broadcast(state.parameters)
    if "loss" not in state.first_losses:
        state.first_losses["loss"] = epoch_losses.first
    losses = {"loss": epoch_losses.mean}
    if run.batches.readout is not None:
        losses["readout_loss"] = epoch_losses.readout
    if recipe.n_validation:
        if "val_loss" not in state.first_losses:
            state.first_losses["val_loss"] = _measured_loss(run, before, run.validation_rows)
        losses["val_loss"] = _measured_loss(run, state.parameters, run.validation_rows)
        state.offer(state.parameters, losses["val_loss"], state.epoch)
    else:
        # The loss of an epoch is close to that of the weights at its start, not at its end.
        state.offer(before, losses["loss"], state.epoch - 1)
    for name, value in (*losses.items(), ("learning_rate", rate(state.n_updates))):
        state.history[name].append(value)
    ended = state.epoch == recipe.epochs
    # The starting weights have no readout loss to compare with.
    if any(_is_explosion(run, state, name, losses[name]) for name in state.first_losses):
        if state.n_explosions == _MOST_RESTARTS:
            return True
        n_epochs_left = max(1, recipe.epochs - state.epoch)
        state.restart(_FACTOR_AFTER_EXPLOSION * state.peak, n_epochs_left * run.batches.n_updates)
        return ended
    return ended or (recipe.patience is not None and _epochs_without_better(run, state) >= recipe.patience)


def _is_explosion(run: _Run, state: TrainingState, name: str, loss: float) -> bool:
    """Return whether a loss is not finite, or far above that of the starting weights and that of the means."""
    if not math.isfinite(loss):
        return True
    # Sequences that are held back can lie at the means. Their first loss is then nearly 0.
    if loss <= _EXPLOSION * max(state.first_losses[name], state.first_losses["loss"]):
        return False
    # The first batch may lack the large sequences, which make up most of the loss where sizes differ by orders of
    # magnitude. And a network with a shortcut starts better than the means. This takes a pass over all sequences, once.
    of_means = loss_of_means(run.sequences, run.workers, run.sample_weight)
    state.first_losses["loss"] = max(state.first_losses["loss"], of_means)
    return loss > _EXPLOSION * state.first_losses["loss"]


def _epochs_without_better(run: _Run, state: TrainingState) -> int:
    # Without validation, the last known loss is that of the weights before this epoch.
    last_epoch = state.epoch if run.recipe.n_validation else state.epoch - 1
    return last_epoch - state.best_epoch


def _offer_present_weights(run: _Run, state: TrainingState) -> None:
    """Measure the present weights, and keep them if they are the best. With validation, they are measured already."""
    if not run.recipe.n_validation:
        stride = math.ceil(run.batches.n_sequences / _LOSS_SAMPLE)
        loss = _measured_loss(run, state.parameters, run.training_rows[::stride])
        state.offer(state.parameters, loss, state.epoch)


def _explosion_message(run: _Run, state: TrainingState) -> str:
    remedy = "" if run.model.network.activation == "tanh" else "activation='tanh', or "
    last = state.history[run.criterion][-1]
    expected = f"less than {_EXPLOSION} times that of the first weights" if math.isfinite(last) else "a finite one"
    return (
        f"The {run.criterion} was {last:.3g} after {state.n_explosions} restarts, the last with "
        f"learning_rate={state.peak:.2g}, expected {expected}. Use {remedy}a lower learning_rate, and look for extreme "
        f"values in X, far larger or smaller than 1; scale='standard' brings them near it."
    )


def _split_rows(n_samples: int, n_validation: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    shuffled = random.permutation(n_samples)
    return np.sort(shuffled[n_validation:]), np.sort(shuffled[:n_validation])


def _measured_loss(run: _Run, parameters: np.ndarray, rows: np.ndarray) -> float:
    """Compute the mean squared error of known values, weighted by sequence, over the rows of all workers."""
    weights = run.model.weights | named_weights(run.model.network.weight_shapes, parameters)
    rows = rows[rows_by_length(run.sequences.lengths[rows])]
    sums_and_counts = _sums_of_squares(replace(run.model, weights=weights), run.sequences, rows, run.recipe.n_jobs)
    # Not a product of matrices: its bits would depend on the number of threads.
    sums = (sums_and_counts * run.sample_weight[rows]).sum(axis=1)
    sum_of_squares, n_values = run.workers.all_reduce(sums)
    return float(sum_of_squares / n_values)


def _sums_of_squares(
    model: TrainedModel, sequences: ScaledSequences, rows: np.ndarray, n_jobs: int | None
) -> np.ndarray:
    """Sum the squared errors of the known values of each row, and count them: a float64 array of shape (2, n_rows)."""
    sums_and_counts = np.zeros((2, len(rows)))
    # Not the model's own, whose weights an update may have changed since.
    forward_pass = ForwardPass(model.network, model.weights)

    def measure(positions: slice | np.ndarray) -> None:
        chosen = rows[positions]
        batch = sequences.read(chosen, model.count_read(sequences.lengths[chosen].max()))
        with np.errstate(all="ignore"):
            squared = forward_pass.squared_errors(batch.values, batch.lengths, model.contexts(batch))
        sums_and_counts[0, positions] = squared.sum(axis=(1, 2), dtype=np.float64, where=batch.mask)
        sums_and_counts[1, positions] = batch.mask.sum(axis=(1, 2))

    run_batches(measure, len(rows), n_jobs)
    return sums_and_counts
