import numpy as np
import pytest

from seqembed.inspection import context_differences as module
from seqembed.inspection.context_differences import context_differences
from seqembed.sequences.collection import check_sequences
from seqembed.sequences.scaling import ScaledSequences, learn_scaling
from seqembed.summary.context import learn_context


def naive_differences(context, sequence):
    """A plain loop over values: the context of one moved sequence after the other."""
    differences = np.zeros((context.size, *sequence.values.shape[1:]))
    for t, feature in np.argwhere(sequence.mask[0]):
        step = 0.1 * context.scale[feature]
        up, down = (sequence.values.copy() for _ in range(2))
        up[0, t, feature] += step
        down[0, t, feature] -= step
        more, less = (context.compute(sequence._replace(values=moved))[0].astype(float) for moved in (up, down))
        differences[:, t, feature] = (more - less) / (2 * step)
    return differences


@pytest.mark.parametrize("scale", ["standard", None])
@pytest.mark.parametrize("n_at_once", [3, 1000])
def test_differences_are_those_of_a_plain_loop(monkeypatch, scale, n_at_once):
    X = np.random.default_rng(0).normal(size=(40, 20, 2)) * [1, 50] + [0, 300]
    X[0, 3, 1] = X[0, 9] = np.nan
    checked = check_sequences(X)
    sequences = ScaledSequences(checked, learn_scaling(checked, scale))
    context = learn_context(sequences, size=4, n_timesteps=20)
    sequence = sequences.read(slice(0, 1))
    monkeypatch.setattr(module, "_VALUES_AT_ONCE", n_at_once * 2 * sequence.values.size)
    differences = context_differences(context, sequence)
    expected = naive_differences(context, sequence)
    np.testing.assert_allclose(differences, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    assert differences.any(axis=(0, 1)).all()
    assert not differences[:, 9].any()
    assert not differences[:, 3, 1].any()
