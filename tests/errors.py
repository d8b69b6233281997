"""What users do by mistake, and what the library answers.

``python tests/errors.py`` prints the table.
"""

import io
import pickle
import textwrap
from datetime import datetime

import numpy as np
import pandas as pd
import polars as pl
import zarr
from scipy import sparse
from sklearn.pipeline import make_pipeline
from streams import NothingThere

from seqembed import (
    EventStream,
    LSTMAutoencoder,
    ReconstructionDetector,
    alarm_rate,
    detect_events,
    frame_from_sequences,
    load,
    merge_windows,
    sequences_from_frame,
    sequences_from_padded,
    sliding_windows,
    temporalize,
)
from seqembed.codec import SequenceCodec
from seqembed.inspection import component_influence, traverse, typical_sequences
from seqembed.plotting import plot_component, plot_events, plot_map
from seqembed.sequences.collection import check_sequences

WAVES = np.sin(np.arange(60.0)).reshape(10, 3, 2)
RAGGED = [wave[: 2 + number % 2] for number, wave in enumerate(WAVES)]
DAYS = pd.date_range("2026-01-01", periods=4)
# Clocks were set back from three to two.
AUTUMN = pd.DatetimeIndex(["2026-10-25 01:00", "2026-10-25 02:00", "2026-10-25 02:00", "2026-10-25 03:00"])
SORTED_AUTUMN = pd.DatetimeIndex(["2026-10-25 02:00", "2026-10-25 02:00", "2026-10-25 02:30", "2026-10-25 02:30"])
SUNDAY = pd.date_range("2026-10-24", periods=4, tz="Europe/Berlin")
LONG = pd.DataFrame({"machine": list("aabb"), "day": DAYS, "flow": [1.0, 2.0, 3.0, 4.0]})


def infinite():
    X = WAVES.copy()
    X[2, 1, 0] = np.inf
    return X


def group_of_arrays():
    group = zarr.group()
    group.create_array("flow", shape=(2, 3), dtype="f4")
    return group


def autoencoder(**changes):
    return LSTMAutoencoder(**{"n_components": 2, "hidden_units": (4,), "epochs": 1, "random_state": 0} | changes)


def updated(*times):
    """A stream that gets three rows at a time."""
    stream = EventStream(DETECTOR, 3)
    for each in times:
        stream.update(ROWS[:3], each)


def saved(estimator):
    file = io.BytesIO()
    estimator.save(file)
    return file.getvalue()


def exported(estimator):
    file = io.BytesIO()
    estimator.export_onnx(file)
    return file.getvalue()


FITTED = autoencoder().fit(WAVES)
DETECTOR = ReconstructionDetector(autoencoder()).fit(WAVES)
ROWS = WAVES.reshape(30, 2)
MACHINES = pd.DataFrame({"machine": "a", "day": range(30), "flow": ROWS[:, 0], "heat": ROWS[:, 1]})
CODEC = SequenceCodec(max_error=0.1).fit(WAVES)
# It has the module and the name of what duckdb returns.
RELATION = type("DuckDBPyRelation", (), {"__module__": "duckdb._relation"})()

# What the user did, the call, and the line that mends it, as the message must have it.
CASES = {
    # Containers
    "text among numbers": (lambda: check_sequences(LONG), "sequences_from_frame(frame, id=..., time=...)"),
    "numbers written as text": (lambda: check_sequences(np.array([["1", "2"]])), "pandas.to_numeric(values)"),
    "an array of dates": (lambda: check_sequences(DAYS.to_numpy()[np.newaxis]), "np.timedelta64(1, 's')"),
    "a frame with dates in a list": (lambda: check_sequences([LONG[["day", "flow"]]]), "np.timedelta64(1, 's')"),
    "Python's dates": (lambda: check_sequences([[datetime(2026, 1, 1)]]), "np.timedelta64(1, 's')"),
    "complex numbers": (lambda: check_sequences(WAVES + 1j), ".real and .imag"),
    "a mapping": (lambda: check_sequences({"a": WAVES[0]}), "list(X.values())"),
    "a mapping of features": (
        lambda: check_sequences({"flow": WAVES[..., 0], "heat": WAVES[..., 1]}),
        "numpy.stack(list(X.values()), axis=-1)",
    ),
    "groups of pandas": (
        lambda: check_sequences(LONG.groupby("machine")),
        "[group[columns] for key, group in groups]",
    ),
    "a group of a column of pandas": (
        lambda: check_sequences(LONG.groupby("machine")["flow"]),
        "sequences_from_frame(frame, id=..., time=...)",
    ),
    "groups of polars": (
        lambda: autoencoder().fit(pl.DataFrame(LONG.to_dict("list")).group_by("machine")),
        "sequences_from_frame(frame, id=..., time=...)",
    ),
    "keys and groups": (
        lambda: check_sequences(list(LONG.groupby("machine"))),
        "[group[columns] for key, group in groups]",
    ),
    "keys and groups of polars": (
        lambda: check_sequences(list(pl.DataFrame(LONG.to_dict("list")).group_by("machine"))),
        "[group[columns] for key, group in groups]",
    ),
    "None among sequences": (lambda: check_sequences([WAVES[0], None]), "[x for x in X if x is not None]"),
    "a sparse matrix in a list": (lambda: check_sequences([sparse.eye_array(3)]), ".toarray()"),
    "a structured array": (lambda: check_sequences(np.zeros(3, [("a", float)])), "structured_to_unstructured(array)"),
    "columns in another order": (
        lambda: check_sequences([LONG[["flow"]], LONG[["flow"]].rename(columns={"flow": "heat"})]),
        "[frame[X[0].columns] for frame in X]",
    ),
    "the result of sliding_windows": (
        lambda: check_sequences(sliding_windows(ROWS, 3)),
        "sliding_windows(...).windows",
    ),
    "a path": (lambda: check_sequences("flow.npy"), "numpy.load(path)"),
    "a group of zarr": (lambda: check_sequences(group_of_arrays()), "group['flow']"),
    "a lazy frame as X": (lambda: check_sequences(pl.LazyFrame({"flow": [1.0]})), "X.collect()"),
    # Shapes
    "a single sequence": (lambda: check_sequences(np.arange(5.0)), "np.reshape(X, (1, -1))"),
    "four dimensions": (lambda: check_sequences(WAVES[np.newaxis]), "X.reshape(*X.shape[:2], -1)"),
    "a list of batches": (lambda: check_sequences([WAVES, WAVES]), "np.concatenate(X)"),
    "an empty sequence": (lambda: check_sequences([WAVES[0], WAVES[1][:0]]), "Leave empty sequences out"),
    "an id without a sequence": (
        lambda: check_sequences(pd.Series([[1.0, 2.0], np.nan])),
        "[x for x in X if numpy.ndim(x)]",
    ),
    "a first id without a sequence": (
        lambda: check_sequences(pd.Series([np.nan, [1.0, 2.0]])),
        "[x for x in X if numpy.ndim(x)]",
    ),
    "an empty list of rows": (lambda: check_sequences([WAVES[0], []]), "Leave empty sequences out"),
    "an empty list of rows first": (lambda: check_sequences([[], WAVES[0]]), "Leave empty sequences out"),
    "sequences of other features": (lambda: check_sequences([WAVES[0], WAVES[1][:, :1]]), "sequence[:, columns]"),
    "infinity": (lambda: check_sequences(infinite()), "Mark missing values with NaN"),
    "a sequence without a value": (lambda: check_sequences([WAVES[0] * np.nan]), "Leave such sequences out"),
    "a feature without a value": (
        lambda: autoencoder().fit(np.where([True, False], WAVES, np.nan)),
        "np.delete(X, [1], axis=-1)",
    ),
    "values of 1e300": (lambda: autoencoder().fit(WAVES * 1e300), "Mark false values as missing (NaN)"),
    "lengths of another number": (
        lambda: check_sequences(WAVES, [3, 3]),
        "lengths=[len(sequence) for sequence in sequences]",
    ),
    "lengths beyond the array": (lambda: check_sequences(WAVES, [4] * 10), "Correct them"),
    "lengths beside a list": (lambda: check_sequences(RAGGED, [3] * 10), "Leave it out"),
    # Estimators
    "hidden_units=8": (lambda: autoencoder(hidden_units=8).fit(WAVES), "(8,)"),
    "a parameter out of range": (lambda: autoencoder(epochs=0).fit(WAVES), "epochs"),
    "a transposed array": (lambda: FITTED.transform(WAVES.transpose(0, 2, 1)), "X.transpose(0, 2, 1)"),
    "an array of another length": (lambda: FITTED.transform(WAVES[:, :2]), "list(X)"),
    "embeddings of another width": (lambda: FITTED.inverse_transform(np.ones((1, 3))), "Pass what transform returned"),
    "no lengths for unequal sequences": (
        lambda: autoencoder().fit(RAGGED).inverse_transform(np.ones((1, 2))),
        "lengths=[len(sequence) for sequence in X]",
    ),
    "out= of another shape": (
        lambda: FITTED.transform(WAVES, out=np.empty((10, 3))),
        "np.empty((10, 2), np.float32)",
    ),
    "the path of a file as out=": (
        lambda: FITTED.inverse_transform(np.ones((10, 2)), out="X.npy"),
        "np.lib.format.open_memmap(path, 'w+', np.float32, (10, 3, 2))",
    ),
    "the path of a file as out= of batches": (
        lambda: FITTED.transform(iter([WAVES]), out="Z.npy"),
        "np.lib.format.open_memmap(path, 'w+', np.float32, (n_samples, ...))",
    ),
    "an unknown per=": (lambda: FITTED.reconstruction_error(WAVES, per="window"), "'sequence', 'timestep', 'value'"),
    "a generator for fit_transform": (lambda: autoencoder().fit_transform(iter([WAVES])), "call the two with one each"),
    "a pair of sequences and labels": (
        lambda: autoencoder().fit(iter([(WAVES, np.ones(10))])),
        "(x for x, y in X)",
    ),
    "a generator of single sequences": (lambda: autoencoder().fit(iter(WAVES)), "list(X) if each is a sequence"),
    "labels of another number": (
        lambda: ReconstructionDetector(autoencoder()).fit(WAVES, [1, 1]),
        "an array of shape (10,)",
    ),
    "labels in a column": (
        lambda: ReconstructionDetector(autoencoder()).fit(WAVES, np.ones((10, 1))),
        "numpy.ravel(y)",
    ),
    "a label that is missing": (
        lambda: ReconstructionDetector(autoencoder()).fit(WAVES, [None] * 10),
        "Leave out the 10 sequences",
    ),
    "fewer sequences than blocks": (
        lambda: ReconstructionDetector(autoencoder(), cv=11).fit(WAVES),
        "Pass more sequences or a smaller cv=",
    ),
    # Events
    "one recording that is too short": (
        lambda: detect_events(DETECTOR, [ROWS, ROWS[:2]], 3),
        "Leave out shorter ones",
    ),
    "windows in place of a recording": (lambda: detect_events(DETECTOR, WAVES, 3), "list(recording)"),
    "a single row without its axis": (lambda: EventStream(DETECTOR, 3).update(ROWS[0]), "rows[numpy.newaxis]"),
    "an empty mapping of recordings": (lambda: detect_events(DETECTOR, {}, 3), "Check how it was made"),
    "an empty list of recordings": (lambda: detect_events(DETECTOR, [], 3), "Check how the list was made"),
    "windows of another length": (lambda: detect_events(DETECTOR, ROWS, 2), "timesteps=3"),
    "rows of several machines without id=": (
        lambda: detect_events(DETECTOR, MACHINES.assign(day=pd.Timestamp(0)), 3),
        "id='machine' and time='day'",
    ),
    "machines of groupby with their names": (
        lambda: detect_events(DETECTOR, dict(list(MACHINES.groupby("machine"))), 3),
        "rows.drop(columns='machine')",
    ),
    "the result of sliding_windows as a recording": (
        lambda: detect_events(DETECTOR, sliding_windows(ROWS, 3), 3),
        "Pass what sliding_windows got",
    ),
    "the frame of one window": (
        lambda: DETECTOR.explain(MACHINES[["flow", "heat"]][:3]),
        "sliding_windows(X, 3).windows",
    ),
    "times of one recording for several": (
        lambda: detect_events(DETECTOR, [ROWS, ROWS], 3, time=np.arange(30)),
        "Pass time=[...]",
    ),
    "a list of times for a mapping": (
        lambda: detect_events(DETECTOR, {"a": ROWS}, 3, time=[np.arange(30)]),
        "time={name: times of this recording, ...}",
    ),
    "ids beside an array": (lambda: detect_events(DETECTOR, ROWS, 3, id="machine"), "leave out id="),
    "ids without times": (lambda: detect_events(DETECTOR, MACHINES, 3, id="machine"), "recording.reset_index()"),
    "ids of an unknown column": (
        lambda: detect_events(DETECTOR, MACHINES, 3, id="pump", time="day"),
        "Choose id= and time= from ['machine', 'day', 'flow', 'heat']",
    ),
    "ids in a column that the table has": (
        lambda: detect_events(DETECTOR, MACHINES.rename(columns={"machine": "score"}), 3, id="score", time="day"),
        "recording.rename(columns={'score': 'machine'})",
    ),
    "rows of a stream that came before": (lambda: updated([0, 1, 2], [2, 3, 4]), "rows[time > last_time]"),
    "rows of a stream without times": (lambda: updated([0, 1, 2], None), "Pass time= in each update"),
    "events of several recordings in a figure": (
        lambda: plot_events(detect_events(DETECTOR, [ROWS], 3), ROWS),
        "plot_events(detect_events(detector, each, timesteps), each)",
    ),
    "the table of events alone in a figure": (
        lambda: plot_events(detect_events(DETECTOR, ROWS, 3).table, ROWS),
        "plot_events(detect_events(detector, recording, timesteps), recording)",
    ),
    "a figure of rows that are not on the grid": (
        lambda: plot_events(detect_events(DETECTOR, ROWS, 3), ROWS[:9]),
        "recording.asfreq(freq)",
    ),
    "the time of a row without a unit": (lambda: alarm_rate(DETECTOR, 3, every=60), "every='60s'"),
    "no time from row to row": (lambda: alarm_rate(DETECTOR, 3, every="0s"), "such as '1min'"),
    "a share of alarms out of range after the fit": (
        lambda: ReconstructionDetector(autoencoder()).fit(WAVES).set_params(contamination=2).predict(WAVES),
        "contamination",
    ),
    # Files
    "a file that takes nothing": (lambda: FITTED.save(NothingThere()), "save to io.BytesIO()"),
    "a file that waits for nothing": (lambda: load(NothingThere()), "os.set_blocking(file.fileno(), True)"),
    "a file opened as text": (lambda: FITTED.save(io.StringIO()), 'open(path, "wb")'),
    # Windows
    "a recording that is too short": (lambda: sliding_windows([np.ones(9), np.ones(2)], 3), 'too_short="drop"'),
    "timesteps that are no integer": (lambda: sliding_windows(np.ones(9), 3.0), "an integer of at least 1"),
    "a label for each recording": (
        lambda: sliding_windows([ROWS, ROWS], 3, y=["walk", "run"]),
        "y=[numpy.full(len(x), label) for x, label in zip(X, y)]",
    ),
    "labels of text": (
        lambda: sliding_windows(np.ones(4), 2, y=list("abab"), label="any"),
        "Pass y == ...",
    ),
    "times that run backwards": (
        lambda: sliding_windows(np.ones(4), 2, time=[0, 2, 1, 3], max_gap=2),
        "numpy.argsort(time)",
    ),
    "rows of a frame in another order": (
        lambda: sliding_windows(pd.Series(1.0, DAYS[::-1]), 2, max_gap=pd.Timedelta("1D")),
        "X.sort_index()",
    ),
    "rows of a frame that stand twice": (
        lambda: sliding_windows(pd.Series(1.0, DAYS[[0, 1, 1]]), 2, max_gap=pd.Timedelta("1D")),
        "X[~X.index.duplicated()]",
    ),
    "times given twice": (
        lambda: sliding_windows(np.ones(3), 2, time=[0, 1, 1], max_gap=2),
        "numpy.unique(time, return_index=True)[1]",
    ),
    "a time that is missing": (
        lambda: sliding_windows(np.ones(3), 2, time=[0, np.nan, 1], max_gap=2),
        "rows[numpy.isfinite(time)]",
    ),
    "times of another number": (lambda: sliding_windows(np.ones(3), 2, time=[0, 1], max_gap=2), "of shape (3,)"),
    "a gap without times": (lambda: sliding_windows(np.ones(3), 2, max_gap=2), "whose index holds times"),
    "a gap in another unit": (lambda: sliding_windows(np.ones(4), 2, time=DAYS, max_gap=2), "pandas.Timedelta"),
    "a gap of a month": (lambda: sliding_windows(np.ones(4), 2, time=DAYS, max_gap="MS"), "max_gap='31D'"),
    "a gap in words": (lambda: sliding_windows(np.ones(4), 2, time=DAYS, max_gap="soon"), "such as '5min'"),
    "starts that are no integers": (lambda: merge_windows(np.ones((2, 3)), [0.0, 1.0], 5), "as sliding_windows"),
    "windows beyond the rows": (lambda: merge_windows(np.ones((2, 3)), [0, 3], 5), "Pass as n_rows="),
    "scores of windows without timesteps": (lambda: merge_windows([0.1, 0.2], [0, 1], 5), "pass timesteps="),
    "too few rows for the post's windows": (lambda: temporalize(np.ones((3, 1)), [0] * 3, 3), "Use sliding_windows"),
    # Data frames
    "times as text": (
        lambda: sequences_from_frame(LONG.assign(day=LONG.day.astype(str)), "machine", "day"),
        "pandas.to_datetime(frame['day'])",
    ),
    "the time in the index": (
        lambda: sequences_from_frame(LONG.set_index("day"), "machine", "day"),
        "frame.reset_index()",
    ),
    "a column that does not exist": (lambda: sequences_from_frame(LONG, "machine", "hour"), "Choose from"),
    "the same time twice": (
        lambda: sequences_from_frame(LONG.assign(day=DAYS[0]), "machine", "day"),
        "frame.drop_duplicates(['machine', 'day'])",
    ),
    "an hour that comes twice in autumn": (
        lambda: sequences_from_frame(LONG.assign(day=AUTUMN, machine="a"), "machine", "day"),
        'frame[\'day\'].dt.tz_localize("Europe/Berlin", ambiguous="infer")',
    ),
    "an hour that comes twice to several machines": (
        lambda: sequences_from_frame(
            pd.concat([LONG.assign(day=AUTUMN, machine=name) for name in "ab"]), "machine", "day"
        ),
        'lambda each: each.dt.tz_localize("Europe/Berlin", ambiguous="infer")',
    ),
    "an index in which an hour comes twice": (
        lambda: sliding_windows(pd.Series(1.0, AUTUMN), 2, max_gap=pd.Timedelta("1h")),
        'X.index = X.index.tz_localize("Europe/Berlin", ambiguous="infer")',
    ),
    "an hour that comes twice in sorted rows": (
        lambda: sequences_from_frame(LONG.assign(day=SORTED_AUTUMN, machine="a"), "machine", "day"),
        "ambiguous=~frame.duplicated(['machine', 'day']).to_numpy()",
    ),
    "periods as times": (
        lambda: sequences_from_frame(LONG.assign(day=LONG.day.dt.to_period("D")), "machine", "day"),
        "frame['day'].dt.to_timestamp()",
    ),
    "a lazy frame": (
        lambda: sequences_from_frame(pl.DataFrame(LONG.to_dict("list")).lazy(), "machine", "day"),
        "frame.collect()",
    ),
    "times that are on no grid": (
        lambda: sequences_from_frame(LONG, "machine", "day", freq="7h"),
        ".dt.round(",
    ),
    "a day of 25 hours": (
        lambda: sequences_from_frame(LONG.assign(day=SUNDAY, machine="a"), "machine", "day", freq="24h"),
        "pass freq='1D'",
    ),
    "days that begin no month": (
        lambda: sequences_from_frame(LONG, "machine", "day", freq="MS"),
        "pandas.tseries.frequencies.to_offset('MS').rollback",
    ),
    "months between numbers": (
        lambda: sequences_from_frame(LONG.assign(day=range(4)), "machine", "day", freq="MS"),
        "Pass a number as the step between numbers",
    ),
    "sequences of another frame": (
        lambda: frame_from_sequences([np.ones((3, 1))] * 2, LONG, "machine", "day"),
        "Pass the frame from which the sequences were made",
    ),
    "a relation of duckdb": (
        lambda: sequences_from_frame(RELATION, "machine", "day"),
        "frame.df()",
    ),
    "a sequence of nothing but padding": (
        lambda: sequences_from_padded(np.zeros((2, 3)), value=0),
        "Leave such sequences out",
    ),
    # Inspection and its figures
    "a pipeline to be inspected": (
        lambda: component_influence(make_pipeline(autoencoder()).fit(WAVES), WAVES),
        "pipeline['lstmautoencoder']",
    ),
    "a component that is not there": (lambda: traverse(FITTED, WAVES, 2), "component=0"),
    "a single step": (lambda: traverse(FITTED, WAVES, 0, steps=1), "steps=7"),
    "labels of other sequences": (lambda: typical_sequences(FITTED, WAVES, [0, 1]), "fit_predict"),
    "probabilities of clusters": (lambda: typical_sequences(FITTED, WAVES, np.ones((10, 2))), "fit_predict"),
    "noise alone": (lambda: typical_sequences(FITTED, WAVES, [-1] * 10), "HDBSCAN(min_cluster_size=5)"),
    "a cluster that is missing": (
        lambda: typical_sequences(FITTED, WAVES, [np.nan] * 10),
        "pandas.Series(labels).fillna(-1)",
    ),
    "the influence of one component": (
        lambda: plot_component(FITTED, WAVES, 0, influence=np.ones((3, 2))),
        "component_influence(estimator, X)",
    ),
    "names of other features": (
        lambda: plot_component(FITTED, WAVES, 0, influence=np.ones((2, 3, 2)), feature_names=["flow"]),
        "Leave feature_names= out",
    ),
    "a map of sequences": (lambda: plot_map(WAVES), "Pass what transform returned"),
    "a map by another method": (lambda: plot_map(np.eye(3), method="tsne"), "'umap'"),
    # The codec
    "truth values": (lambda: SequenceCodec(max_error=0.1).fit(WAVES > 0), "X.astype(np.uint8)"),
    "a bound of text": (lambda: SequenceCodec(max_error="1%").fit(WAVES), "max_relative_error=0.01"),
    "bounds of another number": (
        lambda: SequenceCodec(max_error=[1, 2, 3]).fit(WAVES),
        "Pass max_error= with 2 numbers",
    ),
    "bounds for the columns of a bare recording": (
        lambda: SequenceCodec(max_error=[1, 2]).fit(ROWS),
        "If X is one recording of 2 features, pass [X]",
    ),
    # Files
    "a pickle": (lambda: load(pickle.dumps(WAVES)), "joblib.load(file)"),
    "a model of ONNX": (lambda: load(exported(FITTED)), "To load an estimator, save it with save"),
    "the file of a codec": (lambda: load(saved(CODEC)), "seqembed.codec.SequenceCodec.load(file)"),
    "the file of an estimator": (lambda: SequenceCodec.load(saved(FITTED)), "seqembed.load(file)"),
}


def answer(call) -> Exception:
    """The error that a call raises."""
    try:
        call()
    except (TypeError, ValueError, OSError) as error:
        return error
    raise AssertionError("the call raised no error")


if __name__ == "__main__":
    for mistake, (call, _) in CASES.items():
        error = answer(call)
        print(f"{mistake}: {type(error).__name__}")
        print(textwrap.fill(str(error), 110, initial_indent="    ", subsequent_indent="    "))
