"""The layout that an estimator was fitted on: what fits it, and what is said of what does not."""

from __future__ import annotations

from seqembed.sequences.collection import Sequences


def is_table(sequences: Sequences) -> bool:
    """Whether scikit-learn would call the input a table, whose columns it counts."""
    return sequences.ndim == 2 and sequences.one_length


def refuse_lengths(lengths) -> None:
    """Refuse lengths beside an iterable of batches."""
    if lengths is not None:
        raise ValueError(
            "Got lengths= beside an iterable of batches: pass batches that are lists of arrays, which have lengths of "
            "their own."
        )


def shape_message(sequences: Sequences, expected: tuple[int, int], one_length: bool, estimator: str) -> str:
    """Say how sequences differ from the (n_timesteps, n_features) that an estimator was fitted on, and the remedy."""
    n_timesteps, n_features = expected
    given = (sequences.n_timesteps, sequences.n_features)
    if not one_length:
        return (
            f"X has {given[1]} features, but {estimator} was fitted on sequences of {n_features} features. Pass "
            f"sequences of shape (n_timesteps, {n_features})."
        )
    if not sequences.one_length:
        return (
            f"X has sequences of {sequences.lengths.min()} to {given[0]} timesteps, but {estimator} was fitted on "
            f"sequences of {n_timesteps} timesteps. Fit it on sequences of unequal lengths to transform such."
        )
    message = (
        f"X has {given[0]} timesteps of {given[1]} features, but {estimator} was fitted on {n_timesteps} timesteps of "
        f"{n_features} features."
    )
    if sequences.ndim == 3 and given[::-1] == expected:
        return f"{message} It looks transposed, time last: pass X.transpose(0, 2, 1)."
    if sequences.ndim == 2 and (len(sequences), given[0]) == expected:
        return f"{message} It looks like a single sequence: pass X[np.newaxis]."
    return f"{message} Pass sequences of shape (n_samples, {n_timesteps}, {n_features})."
