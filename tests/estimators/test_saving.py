import io

import numpy as np
import pytest
from sklearn.decomposition import PCA

from seqembed import LSTMAutoencoder, ReconstructionDetector
from seqembed.estimators.saving import describe

X = np.random.default_rng(0).normal(size=(20, 4, 2))


def test_arrays_are_named_after_the_attributes_and_the_description_holds_no_numbers_of_them():
    autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=2).fit(X)
    description, arrays = describe(autoencoder)
    assert description["class"] == "LSTMAutoencoder"
    assert description["parameters"]["hidden_units"] == {"tuple": []}
    assert description["attributes"]["weights_"]["dict"]["output/bias"] == {"array": "weights_/output/bias"}
    assert arrays["weights_/output/bias"] is autoencoder.weights_["output/bias"]
    assert arrays["history_/loss"].tolist() == autoencoder.history_["loss"]


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (LSTMAutoencoder(activation=len), r"Got activation= of type builtins.builtin_function_or_method"),
        (ReconstructionDetector(PCA()), r"Got estimator=PCA\(\), which such a file can't hold"),
        (LSTMAutoencoder(hidden_units={1: 2}), "Got hidden_units= with keys that are no text"),
        (LSTMAutoencoder(hidden_units=np.array([1j])), "Got hidden_units= as an array of dtype complex128"),
        (LSTMAutoencoder(random_state=np.random.Generator(np.random.MT19937(0))), "Got random_state= with MT19937"),
        (LSTMAutoencoder(random_state=np.random.RandomState(np.random.PCG64(0))), "another generator than MT19937"),
    ],
)
def test_what_the_file_cannot_hold_is_refused_before_anything_is_written(estimator, message):
    file = io.BytesIO()
    with pytest.raises(TypeError, match=message):
        estimator.save(file)
    assert not file.getvalue()


class Subclass(LSTMAutoencoder):
    """An estimator that a reader of the file would not know."""


SameName = type("LSTMAutoencoder", (LSTMAutoencoder,), {})


@pytest.mark.parametrize("kind", [Subclass, SameName])
def test_subclasses_are_refused_rather_than_lost(kind):
    with pytest.raises(TypeError, match=r"Save it by joblib\.dump or skops"):
        kind(2, hidden_units=()).save(io.BytesIO())


def test_attributes_that_would_not_be_read_are_refused_rather_than_lost():
    autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(X)
    autoencoder.note = "mine"
    with pytest.raises(TypeError, match="expected the attributes of a fitted network"):
        autoencoder.save(io.BytesIO())


def test_weights_in_fortran_order_are_saved_right():
    autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(X)
    expected = autoencoder.transform(X)
    autoencoder.weights_ = {name: np.asfortranarray(weight) for name, weight in autoencoder.weights_.items()}
    from seqembed import load

    file = io.BytesIO()
    autoencoder.save(file)
    np.testing.assert_array_equal(load(file.getvalue()).transform(X), expected)
