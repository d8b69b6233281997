"""What works in an environment without TensorFlow, and how the rest says what is missing. Not collected by pytest."""

import importlib.util
import io
import pickle
import warnings

import numpy as np
import pytest

from seqembed import LSTMAutoencoder, ReconstructionDetector, load
from seqembed.datasets import load_basic_motions, load_italy_power


def main():
    """Fit, embed, save and load; then ask for what needs TensorFlow."""
    assert importlib.util.find_spec("tensorflow") is None, "run this where TensorFlow is not installed"
    X = load_italy_power(split="train").data
    autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=20, random_state=0).fit(X)
    file = io.BytesIO()
    autoencoder.save(file)
    for copy in (load(file.getvalue()), pickle.loads(pickle.dumps(autoencoder))):
        np.testing.assert_array_equal(copy.transform(X), autoencoder.transform(X))
    ReconstructionDetector(autoencoder).fit(X).predict(X)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        autoencoder.partial_fit(X).inverse_transform(autoencoder.transform(X))
        LSTMAutoencoder(16, hidden_units=(32,), epochs=60).fit(load_basic_motions(split="train").data)
    messages = [str(each.message) for each in caught if "TensorFlow" in str(each.message)]
    assert len(messages) == 1, messages
    print(f"fits of any length run, with one warning: {messages[0]}")
    for call in (autoencoder.to_keras, lambda: autoencoder.set_keras_weights(None)):
        with pytest.raises(ImportError, match="which is not installed: pip install tensorflow"):
            call()
    print("Keras models name the command that installs TensorFlow")
    print("without TensorFlow, all is well")


if __name__ == "__main__":
    main()
