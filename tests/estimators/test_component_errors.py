import numpy as np
import pytest
from sklearn.decomposition import PCA

from seqembed.estimators.component_errors import learn_normal_components


def curves(n_samples, random_state, n_values=40):
    random = np.random.default_rng(random_state)
    return random.normal(size=(n_samples, n_values)).cumsum(axis=1).astype(np.float32)


def halves(n_samples):
    first = np.arange(n_samples) < n_samples // 2
    return [first, ~first]


@pytest.mark.parametrize("n_references", [200, 20])
def test_errors_are_what_principal_components_leave_over(n_references):
    references, new = curves(n_references, 0), curves(30, 1)
    errors = learn_normal_components(references, halves(n_references)).errors(new)
    for of_half, half in zip(errors, halves(n_references), strict=True):
        pca = PCA(min(16, half.sum() - 1)).fit(references[half].astype(float))
        left = new - pca.inverse_transform(pca.transform(new))
        np.testing.assert_allclose(of_half, np.square(left).mean(axis=1), rtol=0.02)


@pytest.mark.parametrize("n_values", [1, 2, 40, 3000])
def test_errors_have_the_same_bits_beside_any_other_sequences(n_values):
    components, new = learn_normal_components(curves(60, 0, n_values), halves(60)), curves(50, 1, n_values)
    together = components.errors(new)
    for rows in (slice(0, 1), slice(7, 20), slice(49, 50)):
        np.testing.assert_array_equal(components.errors(new[rows]), together[:, rows])


def test_axes_that_are_rounding_error_describe_nothing():
    line = np.linspace(-1, 1, 40)
    normal = (np.random.default_rng(0).normal(size=(60, 1)) * line).astype(np.float32)
    components = learn_normal_components(normal, halves(60))
    assert (components.axes.any(axis=2).sum(axis=1) == 1).all()
    curve = line**2 - np.mean(line**2)
    errors = components.errors(curve[np.newaxis])
    np.testing.assert_allclose(errors[:, 0], curve.var(), rtol=1e-3)


def test_long_sequences_have_fewer_axes(monkeypatch):
    monkeypatch.setattr("seqembed.estimators.component_errors._MOST_NUMBERS", 150)
    assert learn_normal_components(curves(60, 0), halves(60)).axes.shape == (2, 3, 40)


@pytest.mark.parametrize(("n_references", "n_values"), [(2, 1), (2, 40), (3, 2), (60, 1)])
def test_few_sequences_and_few_values_are_no_reason_to_fail(n_references, n_values):
    components = learn_normal_components(np.ones((n_references, n_values), np.float32), halves(n_references))
    assert (components.errors(np.ones((3, n_values))) == 0).all()
    assert (components.errors(np.full((3, n_values), 3.0)) == 4).all()
