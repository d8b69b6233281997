import numpy as np
import pytest

from seqembed import LSTMAutoencoder
from seqembed.training.gradient import batch_gradient


@pytest.fixture(scope="session")
def waves():
    """Thirty noisy waves of seven timesteps and two features, far from zero and of very different scales."""
    random = np.random.default_rng(0)
    time = np.arange(7) + random.uniform(0, 7, (30, 1))
    X = np.stack([np.sin(time), 1000 * np.cos(time)], axis=2) + random.normal(0, 0.01, (30, 7, 2)) + 5
    return X.astype(np.float32)


@pytest.fixture(params=[False, True], ids=["numpy", "compiled"])
def compiled(request, monkeypatch):
    """Has every fit computed in NumPy, then every fit compiled."""
    monkeypatch.setattr(batch_gradient, "_is_worth_compiling", lambda *sizes: request.param)


@pytest.fixture(scope="session")
def fitted(waves):
    """An autoencoder fitted on `waves`: do not fit it again."""
    return LSTMAutoencoder(n_components=3, hidden_units=(5,), epochs=3, batch_size=8, random_state=0).fit(waves)
