"""Random calls of the public functions: a result, or an error in words, and the same from every container.

``python -m pytest tests/test_any_input.py --hypothesis-profile=thorough`` makes ten thousand calls instead of hundreds.
"""

import copy
import warnings

import dask.array as da
import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.exceptions import ConvergenceWarning

from seqembed import (
    LSTMAutoencoder,
    LSTMReconstructor,
    ReconstructionDetector,
    SequenceSummary,
    detect_events,
    merge_windows,
    sequences_from_frame,
    sequences_from_padded,
    sliding_windows,
    temporalize,
)
from seqembed.codec import SequenceCodec

# What the docstrings announce.
ERRORS = (ValueError, TypeError, FloatingPointError)
WARNINGS = (UserWarning, ConvergenceWarning)


def outcome(call):
    """The result of a call, or None after an error in words; only warnings in words may be given."""
    with warnings.catch_warnings(record=True) as given_warnings:
        warnings.simplefilter("always")
        try:
            result = call()
        except ERRORS as error:
            result, message = None, f"{type(error).__name__}: {error}"
            note(message)
            # Errors of Python and NumPy are short, or speak of ufuncs.
            if len(str(error)) <= 20 or "ufunc" in message:
                pytest.fail(message)
    for warning in given_warnings:
        assert warning.category in WARNINGS, warning.message
    return result


dtypes = st.sampled_from(["f4", "f8", "f2", "i4", "u1", "i8", "b1"])


def some_values(sequences, random):
    for sequence in sequences:
        sequence[random.uniform(size=sequence.shape) < 0.2] = np.nan


def a_stretch(sequences, random):
    """At the start, in the middle or at the end of a sequence."""
    sequence = sequences[random.integers(len(sequences))]
    first = random.integers(len(sequence))
    sequence[first : first + random.integers(1, 4)] = np.nan


def a_feature_of_a_sequence(sequences, random):
    sequences[random.integers(len(sequences))][:, 0] = np.nan


def a_feature_of_all(sequences, random):
    for sequence in sequences:
        sequence[:, -1] = np.nan


def a_sequence(sequences, random):
    sequences[random.integers(len(sequences))][:] = np.nan


# What an outage takes.
OUTAGES = [some_values, some_values, a_stretch, a_stretch, a_feature_of_a_sequence, a_feature_of_all, a_sequence]


@st.composite
def collections(draw):
    """Sequences of small shapes, as a list of arrays of shape (n_timesteps, n_features)."""
    n_samples, n_features, longest = (draw(st.integers(1, most)) for most in (5, 3, 6))
    lengths = [longest] * n_samples
    if draw(st.booleans()):
        lengths = [draw(st.integers(1, longest)) for _ in range(n_samples)]
    random, dtype = np.random.default_rng(draw(st.integers(0, 99))), np.dtype(draw(dtypes))
    sequences = [100 * random.uniform(size=(length, n_features)) for length in lengths]
    if dtype in (np.float32, np.float64) and draw(st.booleans()):
        # Sizes of very different orders of magnitude.
        sequences = [sequence * random.lognormal(0, 2.5) for sequence in sequences]
    outages = draw(st.lists(st.sampled_from(OUTAGES), max_size=2))
    sequences = [sequence.astype(dtype) for sequence in sequences]
    if outages and dtype.kind != "f":
        # What is missing among integers and truth values is masked, or NaN among floats.
        sequences = [sequence.astype(np.float64) for sequence in sequences]
    for take in outages:
        take(sequences, random)
    return sequences


def masked(values):
    """What is missing, under a mask that hides a number; integers where all values are."""
    mask = np.isnan(values)
    # NumPy warns of float16: it cannot hold what NumPy fills masked places with.
    numbers = np.where(mask, 77, values).astype(np.promote_types(values.dtype, np.float32))
    are_whole = (numbers == np.rint(numbers)).all() and np.abs(numbers).max() < 2**53
    return np.ma.array(numbers.astype(np.int64) if are_whole else numbers, mask=mask)


def lazy(values):
    """Masked blocks of a row or two."""
    return da.from_array(masked(values), chunks=(2, *values.shape[1:]))


def containers(sequences):
    """The same values in other containers, with their lengths= or None."""
    names = [f"feature {number}" for number in range(sequences[0].shape[1])]
    objects = np.empty(len(sequences), object)
    objects[:] = [sequence.tolist() for sequence in sequences]
    forms = {
        "tuple": (tuple(sequences), None),
        "nested lists": ([sequence.tolist() for sequence in sequences], None),
        "array of objects": (objects, None),
        "mapping view": (dict(enumerate(sequences)).values(), None),
        "masked arrays": ([masked(sequence) for sequence in sequences], None),
        "masked dask arrays": ([lazy(sequence) for sequence in sequences], None),
        "pandas frames": ([pd.DataFrame(sequence, columns=names) for sequence in sequences], None),
        "None for NaN": (
            [[[None if value != value else value for value in row] for row in each.tolist()] for each in sequences],
            None,
        ),
    }
    if sequences[0].dtype != np.float16:
        forms["polars frames"] = ([pl.DataFrame(sequence, schema=names) for sequence in sequences], None)
    lengths = np.array([len(sequence) for sequence in sequences])
    padded = np.full((len(sequences), lengths.max(), len(names)), 7, sequences[0].dtype)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    forms["padded array"] = (padded, lengths)
    if (lengths == lengths[0]).all():
        forms["array"], forms["Fortran's order"] = (padded, None), (np.asfortranarray(padded), None)
        forms["big-endian"] = (padded.astype(padded.dtype.newbyteorder(">")), None)
        forms["masked array"] = (masked(padded), None)
        forms["masked dask array"] = (lazy(padded), None)
    else:
        forms["masked padded array"], forms["lazy padded array"] = (masked(padded), lengths), (lazy(padded), lengths)
    return forms


@pytest.mark.slow
# An example makes some thirty calls.
@settings(max_examples=max(30, settings.default.max_examples // 30))
@given(collections(), st.sampled_from([LSTMAutoencoder, LSTMReconstructor]), st.booleans())
def test_every_container_of_the_same_values_gives_the_same_result(sequences, kind, univariate):
    if univariate:
        sequences = [sequence[:, :1] for sequence in sequences]
    make = {"n_components": 2, "hidden_units": (2,), "epochs": 1, "random_state": 0}

    def run(X, lengths):
        estimator = kind(**make).fit(X, lengths=lengths)
        errors = estimator.reconstruction_error(X, lengths=lengths)
        return [errors, np.concatenate([np.asarray(each).ravel() for each in estimator.reconstruct(X, lengths)])]

    expected = outcome(lambda: run(sequences, None))
    for name, form in containers(sequences).items():
        note(name)
        result = outcome(lambda form=form: run(*form))
        assert (result is None) == (expected is None), name
        for mine, other in zip(result or [], expected or [], strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-3, err_msg=name)


@pytest.mark.slow
@settings(max_examples=settings.default.max_examples // 2)
@given(collections())
def test_every_container_of_the_same_values_has_the_same_summary(sequences):
    expected = outcome(lambda: SequenceSummary(2).fit_transform(sequences))
    for name, (X, lengths) in containers(sequences).items():
        note(name)
        result = outcome(lambda X=X, lengths=lengths: SequenceSummary(2).fit_transform(X, lengths=lengths))
        assert (result is None) == (expected is None), name
        if expected is not None:
            # Where two components have the same variance, rounding chooses their axes, but not the distances.
            np.testing.assert_allclose(result @ result.T, expected @ expected.T, rtol=1e-3, atol=1e-3, err_msg=name)


numbers = st.one_of(
    st.none(),
    st.integers(-3, 9),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([True, 1e300, -1e20, 10**400, 2.0, np.int64(3), "auto", "5", b"x", (3,), [2], pd.NA, pd.NaT, 1j]),
)
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
arrays = st.one_of(
    hnp.arrays(dtypes, shapes),
    hnp.arrays(np.float64, shapes, elements=st.floats(-10, 10)),
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.floats(-10, 10)),
    hnp.arrays(st.sampled_from(["U2", "M8[s]", "m8[ns]", "c8", "O", "S1"]), shapes),
)
anything = st.one_of(
    arrays,
    numbers,
    st.lists(st.one_of(arrays, numbers), max_size=4),
    st.lists(numbers, max_size=6),
    hnp.arrays(np.float64, (4, 3), elements=st.floats(-10, 10)).map(pd.DataFrame),
    hnp.arrays(np.float64, (4, 3), elements=st.floats(-10, 10)).map(pl.DataFrame),
    arrays.map(lambda array: {"a": array}),
    arrays.map(lambda array: iter([array])),
    arrays.filter(lambda array: array.dtype.kind in "biuf").map(np.ma.masked_invalid),
    st.lists(st.one_of(st.none(), st.floats(), st.text(max_size=2)), max_size=4).map(
        lambda items: pd.Series(items, dtype=object)
    ),
)
parameters = st.fixed_dictionaries(
    {"epochs": st.just(1)},
    optional={
        name: st.one_of(numbers, st.just("auto"))
        for name in (
            "n_components",
            "hidden_units",
            "patch_size",
            "activation",
            "time_encoding",
            "scale",
            "augment",
            "learning_rate",
            "validation_fraction",
            "patience",
            "random_state",
        )
    },
)
frames = st.fixed_dictionaries(
    {
        "id": st.lists(st.one_of(st.integers(0, 2), st.none()), min_size=4, max_size=4),
        "time": st.one_of(
            st.lists(st.one_of(st.integers(0, 9), st.none(), st.floats(0, 1)), min_size=4, max_size=4),
            st.lists(st.datetimes(), min_size=4, max_size=4),
        ),
        "flow": st.lists(st.one_of(st.floats(), st.none()), min_size=4, max_size=4),
    }
).map(pd.DataFrame)
steps = st.one_of(numbers, st.timedeltas(), st.text(max_size=4))
WAVES = np.random.default_rng(0).normal(size=(6, 4, 2))
FITTED = LSTMAutoencoder(2, hidden_units=(2,), epochs=1, random_state=0).fit(WAVES)
SUMMARY = SequenceSummary(2).fit(WAVES)


@st.composite
def calls(draw):
    """A call of a public function with arguments of any kind, most of them wrong."""

    def maybe(strategy):
        return draw(st.one_of(st.none(), strategy))

    function = draw(
        st.sampled_from(
            [
                "fit",
                "partial_fit",
                "parameters",
                "transform",
                "inverse_transform",
                "reconstruct",
                "error",
                "score",
                "detector",
                "summary",
                "summary transform",
                "windows",
                "merge",
                "temporalize",
                "padded",
                "frame",
            ]
        )
    )
    X = draw(anything)
    small = {"hidden_units": (2,), "n_components": 2, "epochs": 1}
    arguments = {
        "fit": lambda: (LSTMAutoencoder(**small).fit, (X,), {"lengths": maybe(anything)}),
        "partial_fit": lambda: (LSTMAutoencoder(**small).partial_fit, (X,), {"lengths": maybe(anything)}),
        "parameters": lambda: (
            LSTMAutoencoder(**small | draw(parameters)).fit,
            (np.random.default_rng(0).normal(size=(4, 3, 2)),),
            {},
        ),
        "transform": lambda: (FITTED.transform, (X, maybe(anything)), {"out": maybe(anything)}),
        "inverse_transform": lambda: (FITTED.inverse_transform, (X, maybe(anything)), {"out": maybe(anything)}),
        "reconstruct": lambda: (FITTED.reconstruct, (X, maybe(anything)), {"out": maybe(anything)}),
        "error": lambda: (FITTED.reconstruction_error, (X, draw(st.sampled_from(["timestep", "value", "x", 3]))), {}),
        "score": lambda: (FITTED.score, (X,), {"lengths": maybe(anything)}),
        "detector": lambda: (copy.deepcopy(JUDGE).fit, (X, maybe(anything)), {}),
        "summary": lambda: (
            SequenceSummary(draw(st.one_of(st.integers(1, 3), numbers))).fit,
            (X,),
            {"lengths": maybe(anything)},
        ),
        "summary transform": lambda: (SUMMARY.transform, (X, maybe(anything)), {"out": maybe(anything)}),
        "windows": lambda: (
            sliding_windows,
            (X, draw(st.one_of(st.integers(1, 3), numbers)), draw(st.one_of(st.just(1), numbers))),
            {
                "y": maybe(anything),
                "label": draw(st.sampled_from(["last", "first", "any", "mode", max, None, 3])),
                "horizon": draw(st.one_of(st.just(0), numbers)),
                "time": maybe(anything),
                "max_gap": maybe(steps),
                "too_short": draw(st.sampled_from(["error", "drop", 0])),
            },
        ),
        "merge": lambda: (
            merge_windows,
            (X, draw(st.one_of(st.lists(st.integers(-1, 3), max_size=4), anything)), draw(numbers)),
            {"how": draw(st.sampled_from(["mean", "median", "max", 1])), "timesteps": maybe(numbers)},
        ),
        "temporalize": lambda: (temporalize, (X, draw(anything), draw(numbers)), {}),
        "padded": lambda: (sequences_from_padded, (X,), {"value": draw(numbers)}),
        "frame": lambda: (
            sequences_from_frame,
            (draw(st.one_of(frames, anything)), draw(st.sampled_from(["id", "x", 3])), "time"),
            {"max_gap": maybe(steps), "freq": maybe(steps)},
        ),
    }
    return arguments[function]()


@pytest.mark.slow
@given(calls())
def test_any_call_gives_a_result_or_an_error_in_words_that_leaves_the_estimator_as_it_was(call):
    function, positional, named = call
    estimator = getattr(function, "__self__", None)
    before = joblib.hash(vars(estimator)) if estimator is not None else None
    if outcome(lambda: function(*positional, **named)) is None and estimator is not None:
        assert joblib.hash(vars(estimator)) == before


JUDGE = ReconstructionDetector(LSTMReconstructor(2, hidden_units=(), epochs=1, random_state=0), contamination=0.4)
JUDGE.fit(np.random.default_rng(0).normal(size=(20, 2, 2)))
LOSSLESS = SequenceCodec(max_error=0).fit(WAVES)
# Functions of a recording of two features.
OF_RECORDINGS = {
    "windows": lambda rows: sliding_windows(rows, 2).windows,
    "windows of several": lambda rows: sliding_windows([rows, rows], 2, too_short="drop").windows,
    "post's windows": lambda rows: temporalize(rows, np.zeros(len(rows)), 2)[0],
    "merged": lambda rows: merge_windows(rows, np.arange(len(rows)), len(rows) + 1),
    "merged by the median": lambda rows: merge_windows(rows, np.arange(len(rows)), len(rows) + 1, how="median"),
    "unpadded": lambda rows: np.concatenate(sequences_from_padded(rows)),
    "events": lambda rows: detect_events(JUDGE, rows, 2).row_scores,
    "decoded": lambda rows: LOSSLESS.decode(LOSSLESS.encode([rows]))[0],
    "scores of a list": lambda rows: JUDGE.score_samples([rows, rows]),
}


@pytest.mark.slow
@given(
    st.sampled_from([*OF_RECORDINGS]),
    hnp.arrays(np.float64, st.tuples(st.integers(2, 9), st.just(2)), elements=st.integers(-99, 99)),
    st.data(),
)
def test_what_is_masked_is_missing_to_every_function(name, rows, data):
    rows[data.draw(hnp.arrays(bool, rows.shape))] = np.nan
    if data.draw(st.booleans()):
        rows = rows + 0.5
    expected = outcome(lambda: OF_RECORDINGS[name](rows))
    for form in (masked(rows), lazy(rows)):
        result = outcome(lambda form=form: OF_RECORDINGS[name](form))
        assert (result is None) == (expected is None)
        if expected is not None:
            np.testing.assert_array_equal(result, expected)
