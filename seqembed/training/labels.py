"""Labels as numbers, which a linear layer predicts from the embedding in training."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils.multiclass import type_of_target

from seqembed.sequences.containers import is_missing
from seqembed.sequences.labels import as_labels, check_one_label_each
from seqembed.training.augmentation import Varied
from seqembed.training.workers import ALONE, Workers

# scikit-learn's mark of a sequence of unknown class.
_UNLABELLED = -1
# Standardised numbers beyond this are clipped: a single one must not decide what is learned.
_LARGEST_NUMBER = 10
# Squares of larger numbers are not finite. A variance that is a smaller part of the squares is rounding error.
_LARGEST_LABEL, _LEAST_VARIANCE = 1e150, 1e-14
# A missing label must not become the text "nan".
_LINE_TO_TEXT = "np.where(pandas.isna(y), None, y.astype(str))"
# Fewer numbers may all differ by chance.
_FEWEST_NUMBERS = 20
# What files can hold.
_TYPES = (str, bool, int, float)


class GivenLabels(NamedTuple):
    """Labels as the user gave them.

    Parameters
    ----------
    values : list of length n_samples
        Python's own values.
    known : bool array of shape (n_samples,)
        Whether a sequence has a label.
    classes : tuple or None
        The known classes, sorted. None if the labels are numbers to predict.
    """

    values: list[Any]
    known: np.ndarray
    classes: tuple[Any, ...] | None

    def chosen(self, rows: np.ndarray) -> GivenLabels:
        """Return the labels of some sequences. `classes` stay those of all."""
        return GivenLabels([self.values[row] for row in rows], self.known[rows], self.classes)


class Labels(NamedTuple):
    """Labels as numbers to predict.

    Parameters
    ----------
    values : float32 array of shape (n_samples, n_outputs)
        Standardised over the known labels. Zero where a label is unknown.
    known : float32 array of shape (n_samples, 1)
        1 for a known label and 0 for an unknown one. For a mixture of sequences, the share whose label is known.
    """

    values: np.ndarray
    known: np.ndarray

    def of_batch(self, rows: np.ndarray, varied: Varied) -> Labels:
        """Return the labels of a batch, mixed as its sequences were.

        Parameters
        ----------
        rows : int array of shape (n_rows,)
            The sequences of the batch.
        varied : Varied
            The batch after augmentation.
        """
        sums, known = varied.mix(self.values[rows]), varied.mix(self.known[rows])
        return Labels(np.divide(sums, known, out=np.zeros_like(sums), where=known > 0), known)


class LabelCode(NamedTuple):
    """How labels become numbers.

    A class becomes an indicator of each class, and a number itself. Both are standardised over the known labels: the
    squared error of the means, summed over the indicators, is 1 on average.

    Parameters
    ----------
    classes : tuple or None
        The classes, sorted. None for numbers.
    means : float64 array of shape (n_outputs,)
        Share of each class, or mean of the numbers.
    scale : float
        Standard deviation of the numbers, or of all indicators together.

    References
    ----------
    L. Hui, M. Belkin, "Evaluation of neural architectures trained with square loss vs cross-entropy in classification
    tasks" (2021), for the squared error of classes.
    """

    classes: tuple[Any, ...] | None
    means: np.ndarray
    scale: float

    def encode(self, given: GivenLabels | None, n_samples: int) -> Labels:
        """Return labels as numbers.

        Parameters
        ----------
        given : GivenLabels or None
            The labels. None means that no label is known.
        n_samples : int
            Number of sequences.

        Raises
        ------
        ValueError
            For a class that is none of `classes`.
        """
        values, known = np.zeros((n_samples, len(self.means)), np.float32), np.zeros((n_samples, 1), np.float32)
        if given is not None:
            known[given.known] = 1
            numbers = (_numbers(given, self.classes) - self.means) / self.scale
            values[given.known] = (
                np.clip(numbers, -_LARGEST_NUMBER, _LARGEST_NUMBER) if self.classes is None else numbers
            )
        return Labels(values, known)


def read_labels(y: npt.ArrayLike | None, n_samples: int, *, as_numbers: bool | None = None) -> GivenLabels:
    """Read labels, of which some may be unknown.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Classes (integers, text, truth values), with -1, NaN or None for an unknown one. Or numbers to predict, with NaN
        for an unknown one: numbers are floats of which some are no whole ones. Floats that are all whole ones are
        classes.
    n_samples : int
        Number of sequences.
    as_numbers : bool, default=None
        Whether they are numbers to predict. By default, it follows from the values.

    Returns
    -------
    labels : GivenLabels
        The same labels.

    Raises
    ------
    ValueError
        For labels of another shape or of other types, values that can't be sorted, and infinite numbers.

    Examples
    --------
    >>> read_labels(["walk", None, "run"], n_samples=3).classes
    ('run', 'walk')
    >>> read_labels([0.5, float("nan"), 2.0], n_samples=3).known
    array([ True, False,  True])
    """
    remedy = "Pass y=, with -1 or NaN for a sequence without a label, or use label_weight=0.0."
    if y is None:
        raise ValueError(f"Got label_weight= above 0 and no y=, expected a label for each sequence. {remedy}")
    labels = as_labels(y)
    check_one_label_each(labels, n_samples, "y")
    values = labels.tolist()
    known = np.array([not is_missing(value) for value in values])
    present = [value for value, is_known in zip(values, known, strict=True) if is_known]
    other = next((value for value in present if _is_no_label(value)), None)
    if other is not None:
        raise ValueError(
            f"Got y= with {other!r:.50}, expected text, truth values, integers of 64 bits or finite numbers. Pass "
            f"y.astype(str) if they are classes."
        )
    if as_numbers is None:
        as_numbers = bool(present) and type_of_target(np.array(present)) == "continuous"
    if as_numbers:
        return GivenLabels(values, known, None)
    known = np.array([bool(is_known and value != _UNLABELLED) for value, is_known in zip(values, known, strict=True)])
    try:
        classes = tuple(sorted({value for value, is_known in zip(values, known, strict=True) if is_known}))
    except TypeError as error:
        raise ValueError(
            f"Got y= with labels of several types, expected one type: {error}. Pass {_LINE_TO_TEXT}."
        ) from error
    return GivenLabels(values, known, classes)


def _is_no_label(value: Any) -> bool:
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return True
    return type(value) not in _TYPES or (isinstance(value, float) and abs(value) > _LARGEST_LABEL)


def classes_hint(given: GivenLabels) -> str | None:
    """Say that classes may be meant as numbers, if they are whole numbers of which most differ.

    Examples
    --------
    >>> classes_hint(read_labels(range(18, 68), n_samples=50))[:46]
    'Got y= with 50 different whole numbers for 50 '
    >>> classes_hint(read_labels([0, 1] * 25, n_samples=50))
    """
    classes, n_known = given.classes or (), int(given.known.sum())
    are_numbers = all(type(each) in (int, float) for each in classes)
    if not (are_numbers and n_known >= _FEWEST_NUMBERS and len(classes) > n_known / 2):
        return None
    return (
        f"Got y= with {len(classes)} different whole numbers for {n_known} labels: they are read as classes. If they "
        f"are numbers to predict, such as ages, pass y / 1000, which has decimals. If they are classes, pass "
        f"{_LINE_TO_TEXT}."
    )


def joint_labels(given: GivenLabels, workers: Workers) -> GivenLabels:
    """Give the labels of a worker the classes of all workers.

    Parameters
    ----------
    given : GivenLabels
        Those of this worker. It may have no label.
    workers : Workers
        All of them. Each gets the same classes.

    Returns
    -------
    labels : GivenLabels
        Numbers to predict, if they are that for any worker.

    Raises
    ------
    ValueError
        For classes of several types.
    """
    if workers.size == 1:
        return given
    own = json.dumps(given.classes).encode()
    sizes = workers.all_gather([len(own)]).astype(int)[:, 0]
    padded = np.frombuffer(own.ljust(sizes.max()), np.uint8)
    classes_of_all = [json.loads(bytes(row)) for row in workers.all_gather(padded).astype(np.uint8)]
    if any(classes is None for classes in classes_of_all):
        return given._replace(known=np.array([not is_missing(value) for value in given.values]), classes=None)
    try:
        return given._replace(classes=tuple(sorted({each for classes in classes_of_all for each in classes})))
    except TypeError as error:
        message = f"Got y= with labels of several types over all workers: {error}. Pass {_LINE_TO_TEXT}."
        raise ValueError(message) from error


def learn_label_code(given: GivenLabels, workers: Workers = ALONE) -> LabelCode:
    """Learn how labels become numbers.

    Parameters
    ----------
    given : GivenLabels
        Those of the training sequences.
    workers : Workers, default=ALONE
        Each passes labels of its own, of the same classes. All get the same code.

    Returns
    -------
    code : LabelCode
        To be used for all sequences.

    Raises
    ------
    ValueError
        If no label is known, or all known ones are equal.

    Examples
    --------
    >>> code = learn_label_code(read_labels([0, 1, 1, -1], n_samples=4))
    >>> code.means.round(3)
    array([0.333, 0.667])
    """
    numbers = _numbers(given, given.classes)
    counts_and_sums = workers.all_reduce(np.array([len(numbers), *numbers.sum(axis=0)], np.float64))
    means = counts_and_sums[1:] / max(1, counts_and_sums[0])
    variance = workers.all_reduce(np.square(numbers - means).sum().reshape(1))[0] / max(1, counts_and_sums[0])
    if variance <= _LEAST_VARIANCE * np.square(means).max(initial=0):
        found = "no known label" if not counts_and_sums[0] else "known labels that are all equal"
        raise ValueError(
            f"Got y= with {found}, expected at least two different ones: -1 and NaN mark sequences without a label. "
            f"Pass others, or use label_weight=0.0."
        )
    return LabelCode(given.classes, means, float(np.sqrt(variance)))


def _numbers(given: GivenLabels, classes: tuple[Any, ...] | None) -> np.ndarray:
    """Return the known labels as numbers that are not standardised, float64 of shape (n_known, n_outputs)."""
    present = [value for value, is_known in zip(given.values, given.known, strict=True) if is_known]
    if classes is None:
        try:
            return np.array(present, np.float64).reshape(-1, 1)
        except ValueError as error:
            raise ValueError(f"Got y= with text, expected numbers as before: {error}. Convert y to floats.") from error
    numbers = {value: number for number, value in enumerate(classes)}
    unknown = [value for value in present if value not in numbers]
    if unknown:
        raise ValueError(
            f"Got y= with the label {unknown[0]!r}, expected one of those that the first call had: "
            f"{', '.join(map(repr, classes[:10]))}. The first call of partial_fit must have a label of each class."
        )
    return np.eye(len(classes))[[numbers[value] for value in present]]
