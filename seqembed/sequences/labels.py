"""Labels as a user gives them: their shape, and the value that marks a rare event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqembed.sequences.containers import as_array, is_missing
from seqembed.sequences.wording import counted
from seqembed.user_warning import warn_user

# What becomes of a missing label, and of -1, when labels are converted to text.
_TEXT_OF_NO_LABEL = frozenset(["nan", "NaN", "NaT", "None", "<NA>", "-1", "-1.0"])


def as_labels(labels: npt.ArrayLike) -> np.ndarray:
    """Convert labels to an array, in which a missing one does not become text.

    Warns
    -----
    UserWarning
        For text such as "nan" and "-1", which counts as a class.

    Examples
    --------
    >>> as_labels(["walk", None, -1])
    array(['walk', None, -1], dtype=object)
    """
    # NumPy would make text of all values of a list that holds some.
    is_mixed = isinstance(labels, (list, tuple)) and len({type(label) for label in labels}) > 1
    array = np.array(labels, object) if is_mixed else as_array(labels)
    texts = {label for label in array.ravel().tolist() if isinstance(label, str)} if array.dtype.kind in "OU" else set()
    found = sorted(texts & _TEXT_OF_NO_LABEL)
    if found:
        warn_user(
            f"Got labels that are the text {' and '.join(map(repr, found))}, which is read as a class. If it stands "
            f"for no label, pass -1 in its place: [-1 if label in {found} else str(label) for label in labels]."
        )
    return array


def check_one_label_each(
    labels: np.ndarray, n_samples: int, name: str, *, noun: str = "sequence", remedy: str | None = None
) -> None:
    """Refuse labels that are not one for each sequence.

    Parameters
    ----------
    labels : array
        See `as_labels`.
    n_samples : int
        Number of sequences.
    name : str
        The parameter that had the labels, as the message names it.
    noun : str, default="sequence"
        What has a label, if it is something else.
    remedy : str, default=None
        What to do, by default to pass an array of the expected shape, and for a column the line that makes one.

    Raises
    ------
    ValueError
        For another shape than (n_samples,).

    Examples
    --------
    >>> check_one_label_each(np.array(["walk", "run"]), 2, "labels")
    """
    if labels.shape != (n_samples,):
        of_shape = f"numpy.ravel({name})" if labels.shape == (n_samples, 1) else f"an array of shape ({n_samples},)"
        raise ValueError(
            f"Got {name}= of shape {labels.shape} for {counted(n_samples, noun)}, expected one label for each. "
            f"{remedy or f'Pass {of_shape}.'}"
        )


def check_one_kind(labels: Iterable[Any], name: str) -> None:
    """Refuse labels that can't be sorted, such as text beside numbers.

    Parameters
    ----------
    labels : iterable of numbers or text
        Python's own, without those that are missing or stand for no class.
    name : str
        The parameter that had the labels, as the message names it.

    Raises
    ------
    ValueError
        For labels of several kinds.

    Examples
    --------
    >>> check_one_kind(["walk", "run"], "labels")
    """
    try:
        sorted(labels)
    except TypeError as error:
        raise ValueError(
            f"Got {name}= of several kinds, expected text or numbers alone: {error}. Pass [-1 if label == -1 else "
            f"str(label) for label in {name}]."
        ) from error


def rare_label(labels: Iterable[Any]) -> int | None:
    """Find the label that marks a rare event.

    Parameters
    ----------
    labels : iterable of numbers or truth values
        Python's own, as `numpy.ndarray.tolist` returns them. Pass all labels: some of them alone may hold no rare
        event.

    Returns
    -------
    label : {-1, 1} or None
        1 for truth values, and for the labels 0 (normal) and 1 (rare). -1 for the labels 1 (normal) and -1 (rare), and
        for integers that are all 1: nearly all sets with the labels 0 and 1 hold a 0. None for all other labels.

    Examples
    --------
    >>> rare_label([False, True]), rare_label([0, 1, 0]), rare_label([1, -1]), rare_label([1, 1]), rare_label([0, 2])
    (1, 1, -1, -1, None)
    """
    present = set(labels)
    # Truth values are looked at first: in Python, True equals 1.
    if all(isinstance(label, bool) for label in present):
        return 1
    if present <= {-1, 1}:
        return -1
    if present <= {0, 1}:
        return 1
    return None


def rare_and_unlabelled(y: npt.ArrayLike | None, n_samples: int, unlabelled: str | None) -> np.ndarray:
    """Find the sequences that are labelled as rare, and those without a label.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or None
        A label for each sequence, see `rare_label`. Other labels are ignored with a warning.
    n_samples : int
        Number of sequences.
    unlabelled : {"normal", "ignore"} or None
        What a missing label (NaN, None) means. "normal" takes the sequence as normal. None is an error.

    Returns
    -------
    masks : bool array of shape (2, n_samples)
        Which sequences are rare, and which are left out. All False without labels.

    Raises
    ------
    ValueError
        For labels of another shape than (n_samples,), and for missing ones if `unlabelled` is None.

    Examples
    --------
    >>> rare_and_unlabelled([1, -1, None], n_samples=3, unlabelled="ignore")
    array([[False,  True, False],
           [False, False,  True]])
    """
    if y is None:
        return np.zeros((2, n_samples), bool)
    y = as_array(y)
    check_one_label_each(y, n_samples, "y")
    labels = y.tolist()
    missing = np.array([is_missing(label) for label in labels])
    if missing.any() and unlabelled is None:
        raise ValueError(
            f"Got y= without a label for sequence {missing.argmax()}, expected -1 (rare) or 1 (normal) for each. Leave "
            f"out the {counted(int(missing.sum()), 'sequence')} without one, or say what "
            f"{'it is' if missing.sum() == 1 else 'they are'}: unlabelled='normal' or unlabelled='ignore'."
        )
    # Python's own numbers: a missing label makes floats of integers, and objects of truth values.
    known = [label for label, absent in zip(labels, missing, strict=True) if not absent]
    if missing.any() and known and all(label == 1 and not isinstance(label, bool) for label in known):
        raise ValueError(
            "Got y= whose known labels are all 1, and others are missing: it does not say whether 1 is rare or normal. "
            "Pass True (rare) or False (normal) for those that are known."
        )
    rare = rare_label(known)
    if rare is None:
        warn_user(
            f"Got y= with {counted(len(set(known)), 'different value')}, which is ignored: labels of rare events are "
            f"-1 (rare) and 1 (normal), or 1 (rare) and 0 (normal). Leave y out if it holds other labels."
        )
        return np.zeros((2, n_samples), bool)
    is_rare = np.zeros(n_samples, bool)
    is_rare[~missing] = np.array(known) == rare
    return np.stack([is_rare, missing & (unlabelled == "ignore")])


def checked_rare_label(y: Sequence[npt.ArrayLike]) -> int:
    """Find the label that marks a rare event in several recordings.

    Parameters
    ----------
    y : list of array-likes of shape (n_rows,)
        A label for each row of each recording, see `rare_label`.

    Returns
    -------
    label : {-1, 1}
        The same for all recordings.

    Raises
    ------
    ValueError
        For other labels.

    Examples
    --------
    >>> checked_rare_label([[1, 1, 1], [1, -1, 1]])
    -1
    """
    labels: set[Any] = set()
    for each in y:
        labels.update(as_array(each).ravel().tolist())
    rare = rare_label(labels)
    if rare is None:
        known = {label for label in labels if not is_missing(label)}
        remedy = "Pass y == ..., or a function as label=."
        if len(known) < len(labels) and rare_label(known) is not None:
            rule = "-1 if -1 in rows else rows.min()" if -1 in known else "1 if 1 in rows else rows.max()"
            remedy = (
                f"If NaN stands for no label, pass numbers as y= and label=lambda rows: {rule}, which is NaN where "
                f"nothing rare is known and some labels are missing."
            )
        shown = sorted({str(label) for label in labels})[:5]
        raise ValueError(
            f'Got label="any" with labels such as {shown}, expected truth values, 0 and 1, or -1 (rare) and 1 '
            f"(normal). {remedy}"
        )
    return rare
