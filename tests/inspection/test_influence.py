import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from seqembed import LSTMAutoencoder, LSTMReconstructor, SequenceSummary
from seqembed.inspection import component_influence, influence
from seqembed.inspection.encoder_derivatives import embedding_derivatives
from seqembed.sequences.collection import check_sequences
from seqembed.sequences.scaling import ScaledSequences

STEP = 0.02
PLAIN = {"context_size": 0, "augment": False, "epochs": 30}


def differences_of_transform(estimator, X):
    """Central differences of `transform`, for a change by a standard deviation, and their root mean square."""
    X = [np.array(x, np.float64).reshape(len(x), -1) for x in X]
    longest = max(map(len, X))
    n_components = estimator.transform([X[0]]).shape[1]
    squares = np.full((len(X), n_components, longest, X[0].shape[1]), np.nan)
    for row, x in enumerate(X):
        for t, feature in np.argwhere(~np.isnan(x)):
            up, down = x.copy(), x.copy()
            up[t, feature] += STEP * estimator.scale_[feature]
            down[t, feature] -= STEP * estimator.scale_[feature]
            more, less = estimator.transform([up, down]).astype(np.float64)
            squares[row, :, t, feature] = ((more - less) / (2 * STEP)) ** 2
    n_known = np.isfinite(squares).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.sqrt(np.nansum(squares, axis=0) / n_known)


@pytest.mark.parametrize(
    "changes",
    [
        {"patch_size": 1},
        {"patch_size": 3, "shortcut_size": 0},
        {"patch_size": 2, "hidden_units": ()},
        {"hidden_units": (6, 4), "shortcut_size": 3},
        {"activation": "relu", "patch_size": 1, "shortcut_size": 2},
        {"scale": None, "shortcut_size": 0, "epochs": 1},
    ],
)
def test_influence_is_that_of_small_changes(small, waves, changes):
    X = (waves[:5] - 5) / [1, 1000] if "scale" in changes else waves[:5]
    estimator = small(**PLAIN | changes).fit(X)
    measured = component_influence(estimator, X)
    assert measured.shape == (3, 7, 2)
    assert measured.dtype == np.float32
    np.testing.assert_allclose(measured, differences_of_transform(estimator, X), rtol=5e-3, atol=1e-4)


@pytest.mark.parametrize("layout", ["list", "padded"])
def test_unequal_lengths_and_missing_values_are_left_out_of_the_mean(small, waves, layout):
    X = [wave[: 3 + row % 4].copy() for row, wave in enumerate(waves[:8])]
    X[2][1, 0] = np.nan
    X[3][5] = np.nan
    X[7][5, 0] = np.nan
    estimator = small(**PLAIN, patch_size=4).fit(X)
    if layout == "padded":
        padded = np.full((8, 9, 2), 1e9)
        for row, sequence in zip(padded, X, strict=True):
            row[: len(sequence)] = sequence
        measured = component_influence(estimator, padded, lengths=[len(x) for x in X])
    else:
        measured = component_influence(estimator, X)
    # Only two sequences have a sixth timestep, and both lack its first value.
    np.testing.assert_array_equal(np.argwhere(np.isnan(measured)), [[component, 5, 0] for component in range(3)])
    np.testing.assert_allclose(measured, differences_of_transform(estimator, X), rtol=5e-3, atol=1e-4)


def naive_with_context(estimator, X):
    """A plain loop over sequences and values: derivative by the context times the difference of the context."""
    model = estimator.model_
    sequences = ScaledSequences(check_sequences(X), model.scaling)
    squares, known = 0.0, 0.0
    for row in range(len(X)):
        batch = sequences.read(slice(row, row + 1), model.count_read(X.shape[1]))
        own = model.contexts(batch)
        by_values, by_context = embedding_derivatives(model.network, model.weights, batch.values, batch.lengths, own)
        total = by_values[0, :, : X.shape[1]].astype(np.float64)
        mask = batch.mask[0, : X.shape[1]]
        for t, feature in np.argwhere(mask):
            contexts = []
            for sign in (1, -1):
                moved = batch.values.copy()
                moved[0, t, feature] += sign * 0.1 * model.context.scale[feature]
                contexts.append(model.contexts(batch._replace(values=moved))[0].astype(np.float64))
            total[:, t, feature] += by_context[0] @ (contexts[0] - contexts[1]) / (0.2 * model.context.scale[feature])
        squares, known = squares + np.where(mask, total**2, 0), known + mask
    return np.sqrt(squares / known)


@pytest.mark.parametrize("changes", [{}, {"patch_size": 3}, {"scale": None}])
def test_what_passes_through_the_context_is_its_difference_times_its_weight(small, waves, changes):
    X = waves[:6].astype(np.float64)
    X[1, 2, 0] = X[4, 6, 1] = np.nan
    if "scale" in changes:
        X = (X - 5) / [0.5, 1000]
    estimator = small(**changes, context_size=4).fit(X)
    measured = component_influence(estimator, X)
    np.testing.assert_allclose(measured, naive_with_context(estimator, X), rtol=1e-3, atol=1e-5)
    without = embedding_derivatives(
        estimator.network_, estimator.weights_, np.zeros((1, 9, 2), np.float32), np.array([9]), np.zeros((1, 4), "f4")
    )
    assert without.by_context.any(), "the embedding has to depend on the context"


def test_not_more_sequences_are_looked_at_than_there_is_time_for(small, waves, monkeypatch):
    X = [wave[: 3 + row % 5] for row, wave in enumerate(waves)]
    estimator = small().fit(X)
    monkeypatch.setattr(influence, "_MOST_SEQUENCES", 4)
    chosen = influence._chosen_rows(check_sequences(X), estimator.model_)
    assert sorted(len(X[row]) for row in chosen) == [3, 4, 6, 7]
    np.testing.assert_array_equal(
        component_influence(estimator, X), component_influence(estimator, [X[row] for row in chosen])
    )
    monkeypatch.setattr(influence, "_MOST_SEQUENCES", 1000)
    assert len(influence._chosen_rows(check_sequences(X), estimator.model_)) == 30
    monkeypatch.setattr(influence, "_OPERATIONS", 1.0)
    np.testing.assert_array_equal(influence._chosen_rows(check_sequences(waves), estimator.model_), [0, 10, 19, 29])


def test_batches_and_threads_change_nothing_but_rounding(small, waves, monkeypatch):
    estimator = small().fit(waves)
    expected = component_influence(estimator, waves)
    batches = (waves[start : start + 10] for start in (0, 10, 20))
    np.testing.assert_array_equal(component_influence(estimator, batches), expected)
    monkeypatch.setattr(influence, "_SEQUENCES_AT_ONCE", 1)
    monkeypatch.setattr(influence, "_BATCHES_AT_ONCE", 2)
    alone, shared = (component_influence(estimator.set_params(n_jobs=n_jobs), waves) for n_jobs in (1, 2))
    np.testing.assert_array_equal(shared, alone)
    np.testing.assert_allclose(alone, expected, rtol=1e-5)


def test_a_single_feature_may_lack_its_axis(small, waves):
    estimator = small().fit(waves[:, :, 0])
    assert component_influence(estimator, waves[:, :, 0]).shape == (3, 7, 1)


def test_only_a_fitted_autoencoder_has_components(small, waves):
    with pytest.raises(NotFittedError):
        component_influence(small(), waves)
    without = [
        LSTMReconstructor(2, hidden_units=(), epochs=1).fit(waves),
        SequenceSummary(2).fit(waves),
        PCA(2).fit(waves[:, :, 0]),
        make_pipeline(LSTMAutoencoder(2, hidden_units=(), epochs=1)).fit(waves),
    ]
    for estimator in without:
        with pytest.raises(TypeError, match="expected a fitted LSTMAutoencoder"):
            component_influence(estimator, waves)


def test_sequences_of_another_shape_are_refused(fitted, waves):
    with pytest.raises(ValueError, match="was fitted on 7 timesteps"):
        component_influence(fitted, waves[:, :5])
    with pytest.raises(ValueError, match="1 feature"):
        component_influence(fitted, waves[:, :, :1])
