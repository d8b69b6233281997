import warnings

import numpy as np
import pandas as pd
import pytest

from seqembed.sequences.labels import (
    as_labels,
    check_one_label_each,
    checked_rare_label,
    rare_and_unlabelled,
    rare_label,
)
from seqembed.training.labels import read_labels


@pytest.mark.parametrize(
    ("labels", "rare"),
    [
        ([False, True], 1),
        ([True, True], 1),
        ([False, False], 1),
        ([0, 1], 1),
        ([0.0, 0.0], 1),
        ([1, -1], -1),
        ([-1.0, -1.0], -1),
        ([1, 1], -1),
        ([-1, 0, 1], None),
        ([0, 2], None),
        (["normal", "rare"], None),
        ([0, float("nan")], None),
    ],
)
def test_one_rule_says_which_label_is_rare_for_sequences_and_for_rows(labels, rare):
    assert rare_label(labels) == rare
    if rare is None:
        with pytest.raises(ValueError, match='Got label="any" with labels such as'):
            checked_rare_label([labels])
    else:
        assert checked_rare_label([labels[:1], labels[1:]]) == rare
        np.testing.assert_array_equal(rare_and_unlabelled(labels, len(labels), None)[0], np.equal(labels, rare))


@pytest.mark.parametrize("text", ["nan", "None", "<NA>", "-1"])
@pytest.mark.parametrize("make", [list, np.array, lambda labels: pd.Series(labels, dtype=object)])
def test_text_that_was_made_of_no_label_is_a_class_with_a_warning_and_the_line_mends_it(text, make):
    labels = make(["walk", text, "run"])
    with pytest.warns(UserWarning, match=rf"the text '{text}', which is read as a class") as caught:
        assert as_labels(labels).tolist() == ["walk", text, "run"]
    line = str(caught[0].message).partition("in its place: ")[2].rstrip(".")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_labels(eval(line, {"labels": labels}), 3).classes == ("run", "walk")


def test_missing_labels_and_other_text_need_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for labels in (["a", None], np.array(["a", np.nan], object), [1, -1], ["nano", "none"], [np.nan, 0.5]):
            as_labels(labels)


def test_a_masked_label_is_a_missing_label():
    with pytest.raises(ValueError, match="Got y= without a label for sequence 1"):
        rare_and_unlabelled(np.ma.masked_equal([1, -1, 1], -1), 3, None)[0]
    np.testing.assert_array_equal(rare_and_unlabelled(np.ma.array([1, -1]), 2, None)[0], [False, True])


def test_truth_values_among_objects_make_a_mask_of_truth_values():
    mask = rare_and_unlabelled(np.array([True, False], object), 2, None)[0]
    assert mask.dtype == bool
    assert mask.tolist() == [True, False]


@pytest.mark.parametrize("missing", [np.nan, None])
@pytest.mark.parametrize(("unlabelled", "left_out"), [("normal", False), ("ignore", True)])
def test_sequences_without_a_label_are_normal_or_left_out_as_the_user_says(missing, unlabelled, left_out):
    for labels in ([1, -1, missing, 1], [0, 1, missing, 0], [False, True, missing, False]):
        rare, ignored = rare_and_unlabelled(labels, 4, unlabelled)
        np.testing.assert_array_equal(rare, [False, True, False, False])
        np.testing.assert_array_equal(ignored, [False, False, left_out, False])


def test_labels_that_are_all_missing_are_no_labels():
    for unlabelled in ("normal", "ignore"):
        rare, ignored = rare_and_unlabelled([np.nan] * 3, 3, unlabelled)
        assert not rare.any()
        assert ignored.all() == (unlabelled == "ignore")


def test_known_labels_that_are_all_one_do_not_say_which_is_rare():
    with pytest.raises(ValueError, match="does not say whether 1 is rare or normal"):
        rare_and_unlabelled([1, np.nan, 1], 3, "normal")
    np.testing.assert_array_equal(rare_and_unlabelled([True, None, True], 3, "normal")[0], [True, False, True])


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        (np.zeros(2), r"Pass an array of shape \(3,\)\."),
        (np.zeros((3, 1)), r"Pass numpy\.ravel\(y\)\."),
        (np.array(1), r"Pass an array of shape \(3,\)\."),
    ],
)
def test_labels_that_are_not_one_for_each_are_refused_by_the_name_of_their_parameter(labels, line):
    check_one_label_each(np.zeros(3), 3, "y")
    with pytest.raises(ValueError, match=rf"Got y= of shape .* for 3 rows, .* {line}"):
        check_one_label_each(labels, 3, "y", noun="row")
    with pytest.raises(ValueError, match=r"Got labels= of shape .* for 3 sequences, .* each\. Pass others\."):
        check_one_label_each(labels, 3, "labels", remedy="Pass others.")
