"""The training loop: epochs, restarts after explosions, the best weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np

from seqembed.network.architecture import Network
from seqembed.network.forward import squared_errors
from seqembed.network.weights import flat_parameters, named_weights
from seqembed.parallel import run_batches, thread_pool
from seqembed.sequences.collection import rows_by_length
from seqembed.sequences.scaling import ScaledSequences
from seqembed.training.batches import Epoch
from seqembed.training.muon import Muon
from seqembed.training.progress import Progress
from seqembed.training.recipe import Recipe
from seqembed.training.schedule import warm_up_and_decay
from seqembed.training.workers import ALONE, Workers

# A loss this many times that of the untrained network counts as an explosion.
_EXPLOSION = 10
_FACTOR_AFTER_EXPLOSION = 0.2
_MOST_RESTARTS = 4
# The last weights are measured on so many sequences, spread evenly over the set: a larger sample gives the same answer.
_LOSS_SAMPLE = 512


class TrainingResult(NamedTuple):
    """The result of training, and how it ended.

    Parameters
    ----------
    weights : dict of str to float32 array
        Those of the epoch with the lowest validation loss, or training loss if nothing was held back.
    history : dict of str to list of float
        "loss", "readout_loss" (with a readout), "val_loss" (with held-back sequences) and "learning_rate", one entry
        per epoch.
    best_epoch : int
        The epoch that the weights are from; 0 means the weights that training started from.
    best_loss : float
        The loss of that epoch.
    n_explosions : int
        How often training went back to the best weights with a lower learning rate, because the loss exploded.
    last_peak : float
        Peak of the learning rate after the last explosion.
    interrupted : bool
        Whether Ctrl-C ended training early.
    """

    weights: dict[str, np.ndarray]
    history: dict[str, list[float]]
    best_epoch: int
    best_loss: float
    n_explosions: int
    last_peak: float
    interrupted: bool


class TrainingState(NamedTuple):
    """The state of training after an epoch, from which it goes on to the same bits.

    Parameters
    ----------
    start : float32 array of shape (n_parameters,)
        The weights that training started from.
    first_random, random : list of numpy.random.Generator
        A generator for each worker, as it was before training and as it is after the epoch.
    epoch, n_explosions : int
        How many epochs there were, and how many of them exploded.
    peak : float
        Peak of the present learning rate schedule.
    scheduled_updates : int
        Length of the schedule.
    parameters : float32 array of shape (n_parameters,)
        The present weights.
    moments : float32 array of shape (2, n_parameters)
        Moments of the gradient.
    n_updates : int
        Updates since the schedule began.
    best_parameters : float32 array of shape (n_parameters,) or None
        The best weights; None if no loss was finite.
    best_loss : float
        Their loss.
    best_epoch : int
        Their epoch.
    first_losses : dict of str to float
        Losses of the starting weights, by name.
    history : dict of str to list of float
        Losses and learning rate by epoch.
    """

    start: np.ndarray
    first_random: list[np.random.Generator]
    random: list[np.random.Generator]
    epoch: int
    n_explosions: int
    peak: float
    scheduled_updates: int
    parameters: np.ndarray
    moments: np.ndarray
    n_updates: int
    best_parameters: np.ndarray | None
    best_loss: float
    best_epoch: int
    first_losses: dict[str, float]
    history: dict[str, list[float]]


def train(
    network: Network,
    weights: dict[str, np.ndarray],
    sequences: ScaledSequences,
    recipe: Recipe,
    random: np.random.Generator,
    *,
    verbose: bool,
    workers: Workers = ALONE,
    resume_from: TrainingState | None = None,
    keep: Callable[[TrainingState], None] | None = None,
) -> TrainingResult:
    """Train a network to reconstruct its input.

    Parameters
    ----------
    network : Network
        Its architecture.
    weights : dict of str to float32 array
        Where to start; they are not modified.
    sequences : ScaledSequences
        What to learn from.
    recipe : Recipe
        How to train.
    random : numpy.random.Generator
        Draws the sequences that are held back, and varies and shuffles the others in each epoch.
    verbose : bool
        Whether to show a progress bar with the losses and the time left.
    workers : Workers, default=ALONE
        Who trains the same network on sequences of their own. The starting weights are those of worker 0.
    resume_from : TrainingState, default=None
        State of a call with the same arguments, which ended early.
    keep : callable, default=None
        Called with the state after each epoch but the last.

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
        if resume_from is not None:
            random = resume_from.first_random[workers.rank]
        first_random = copy.deepcopy(random)
        run = _Run(network, weights, sequences, recipe, random, pool, workers)
        if resume_from is not None:
            run.go_on_from(resume_from)
        progress = Progress(recipe.epochs) if verbose and workers.rank == 0 else None
        interrupted = False
        try:
            while not run.ended:
                run.make_epoch()
                if progress is not None:
                    losses = {name: values[-1] for name, values in run.history.items()}
                    progress.update(run.epoch, losses, ended=run.ended)
                if keep is not None and not run.ended:
                    keep(run.state(first_random))
            run.judge_present_weights()
        except KeyboardInterrupt:
            if run.best.parameters is None:
                raise
            interrupted = True
            # The other workers are not there to measure with.
            if workers.size == 1:
                run.judge_present_weights()
    best = run.best
    if best.parameters is None or (not interrupted and run.exploded(run.judged_by, best.loss)):
        remedy = "" if network.activation == "tanh" else "activation='tanh', or "
        raise FloatingPointError(
            f"The {run.judged_by} was {run.history[run.judged_by][-1]:.3g} after {run.n_explosions} restarts, the "
            f"last with learning_rate={run.peak:.2g}, expected a finite one. Use {remedy}a lower learning_rate, and "
            f"look for extreme values in X; scale='standard' makes them smaller."
        )
    return TrainingResult(
        named_weights(network.weight_shapes, best.parameters),
        run.history,
        best.epoch,
        best.loss,
        run.n_explosions,
        run.peak,
        interrupted,
    )


class _Best:
    """The parameters with the lowest loss so far."""

    def __init__(self):
        self.parameters, self.loss, self.epoch = None, math.inf, 0

    def offer(self, parameters: np.ndarray, loss: float, epoch: int) -> None:
        if loss < self.loss:
            self.parameters, self.loss, self.epoch = parameters, loss, epoch


class _Run:
    """One training run, epoch by epoch: the optimiser, the losses so far, the best parameters."""

    def __init__(
        self,
        network: Network,
        weights: dict[str, np.ndarray],
        sequences: ScaledSequences,
        recipe: Recipe,
        random: np.random.Generator,
        pool: Executor,
        workers: Workers,
    ):
        self._network, self._sequences, self._recipe, self._pool = network, sequences, recipe, pool
        self._random, self._workers = random, workers
        self._training_rows, self._validation_rows = _split_rows(len(sequences), recipe.n_validation, random)
        self._pass = Epoch(network, sequences, self._training_rows, recipe, random, pool, workers=workers)
        optional = {"readout_loss": self._pass.readout is not None, "val_loss": recipe.n_validation > 0}
        names = ("loss", *(name for name, is_shown in optional.items() if is_shown), "learning_rate")
        self.history: dict[str, list[float]] = {name: [] for name in names}
        if self._pass.readout is not None:
            weights = weights | self._pass.readout.initial_weights(network)
        self._start = workers.broadcast(flat_parameters(self._pass.shapes, weights))
        # Losses of the starting weights, by name: training sequences are varied, and those held back may be harder.
        self.best, self._first_losses = _Best(), {}
        self.judged_by = "val_loss" if recipe.n_validation else "loss"
        self.epoch, self.n_explosions, self.peak, self.ended = 0, 0, recipe.learning_rate, False
        self._muon = self._optimiser(self._start, recipe.epochs * self._pass.n_updates)

    def state(self, first_random: np.random.Generator) -> TrainingState:
        """Return all that is needed to go on later; `first_random` is the generator as it was before training."""
        return TrainingState(
            start=self._start,
            first_random=self._workers.all_gather_generators(first_random),
            random=self._workers.all_gather_generators(self._random),
            epoch=self.epoch,
            n_explosions=self.n_explosions,
            peak=self.peak,
            scheduled_updates=self._scheduled_updates,
            parameters=self._muon.parameters,
            moments=self._muon.moments,
            n_updates=self._muon.n_updates,
            best_parameters=self.best.parameters,
            best_loss=self.best.loss,
            best_epoch=self.best.epoch,
            first_losses=self._first_losses,
            history=self.history,
        )

    def go_on_from(self, state: TrainingState) -> None:
        """Take over a state, instead of that before the first epoch."""
        self._start, self.epoch, self.n_explosions, self.peak = state.start, state.epoch, state.n_explosions, state.peak
        self._random.bit_generator.state = state.random[self._workers.rank].bit_generator.state
        self._muon = self._optimiser(state.parameters, state.scheduled_updates, state.moments, state.n_updates)
        self.best.offer(state.best_parameters, state.best_loss, state.best_epoch)
        self._first_losses, self.history = dict(state.first_losses), copy.deepcopy(state.history)

    def make_epoch(self) -> None:
        """Make one pass over the training sequences, and decide whether there will be another."""
        self.epoch += 1
        before = self._muon.parameters
        of_batches = self._pass.run(self._muon)
        # Processors of different kinds round differently.
        self._muon.parameters = self._workers.broadcast(self._muon.parameters)
        self._first_losses.setdefault("loss", of_batches.first)
        losses = {"loss": of_batches.mean}
        if self._pass.readout is not None:
            losses["readout_loss"] = of_batches.readout
        if self._recipe.n_validation:
            if "val_loss" not in self._first_losses:
                self._first_losses["val_loss"] = self._measure(before, self._validation_rows)
            losses["val_loss"] = self._measure(self._muon.parameters, self._validation_rows)
            self.best.offer(self._muon.parameters, losses["val_loss"], self.epoch)
        else:
            # The loss of an epoch is close to that of the weights at its start, not at its end.
            self.best.offer(before, of_batches.mean, self.epoch - 1)
        for name, value in (*losses.items(), ("learning_rate", self._muon.rate)):
            self.history[name].append(value)
        if any(self.exploded(name, losses[name]) for name in self._first_losses):
            self._restart_or_end()
        elif self._recipe.patience is not None and self._epochs_without_better() >= self._recipe.patience:
            self.ended = True
        self.ended = self.ended or self.epoch == self._recipe.epochs

    def exploded(self, name: str, loss: float) -> bool:
        """Tell whether the loss of a name is not finite, or far above that of the starting weights."""
        # Held-back sequences that lie at the means have nearly no loss at first.
        return not math.isfinite(loss) or loss > _EXPLOSION * max(self._first_losses[name], self._first_losses["loss"])

    def judge_present_weights(self) -> None:
        """Measure the present weights, and keep them if they are the best; validation has already done so."""
        if not self._recipe.n_validation:
            stride = math.ceil(self._pass.n_sequences / _LOSS_SAMPLE)
            loss = self._measure(self._muon.parameters, self._training_rows[::stride])
            self.best.offer(self._muon.parameters, loss, self.epoch)

    def _epochs_without_better(self) -> int:
        # The last epoch for which there is a loss: without validation, that of the weights before this one.
        judged = self.epoch if self._recipe.n_validation else self.epoch - 1
        return judged - self.best.epoch

    def _restart_or_end(self) -> None:
        """Go back to the best weights with a lower learning rate, or end training after four restarts."""
        if self.n_explosions == _MOST_RESTARTS:
            self.ended = True
            return
        self.n_explosions += 1
        self.peak *= _FACTOR_AFTER_EXPLOSION
        good = self._start if self.best.parameters is None else self.best.parameters
        self._muon = self._optimiser(good, max(1, self._recipe.epochs - self.epoch) * self._pass.n_updates)

    def _optimiser(
        self, parameters: np.ndarray, scheduled_updates: int, moments: np.ndarray | None = None, n_updates: int = 0
    ) -> Muon:
        self._scheduled_updates = scheduled_updates
        schedule = _schedule(self.peak, scheduled_updates)
        return Muon(self._pass.shapes, parameters, schedule, self._pool, moments, n_updates)

    def _measure(self, parameters: np.ndarray, rows: np.ndarray) -> float:
        weights = named_weights(self._network.weight_shapes, parameters)
        sums = _sum_squared_errors(self._network, weights, self._sequences, rows, self._recipe.n_jobs)
        squared_errors, n_values = self._workers.all_reduce(sums)
        return float(squared_errors / n_values)


def _split_rows(n_samples: int, n_validation: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    shuffled = random.permutation(n_samples)
    return np.sort(shuffled[n_validation:]), np.sort(shuffled[:n_validation])


def _schedule(peak: float, n_updates: int) -> Callable[[int], float]:
    return lambda update: peak * warm_up_and_decay(update, n_updates)


def _sum_squared_errors(
    network: Network, weights: dict[str, np.ndarray], sequences: ScaledSequences, rows: np.ndarray, n_jobs: int | None
) -> np.ndarray:
    """Sum the squared errors of known values, and count the values: a float64 array of two."""
    rows = rows[rows_by_length(sequences.lengths[rows])]
    sums, counts = np.zeros(len(rows)), np.zeros(len(rows))

    def measure(positions):
        chosen = rows[positions]
        batch = sequences.read(chosen, network.whole_patches(sequences.lengths[chosen].max()))
        with np.errstate(all="ignore"):
            squared = squared_errors(network, weights, batch.values, batch.lengths)
        sums[positions] = squared.sum(axis=(1, 2), dtype=np.float64, where=batch.mask)
        counts[positions] = batch.mask.sum(axis=(1, 2))

    run_batches(measure, len(rows), n_jobs)
    return np.array([sums.sum(), counts.sum()])
