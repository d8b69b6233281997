import gc
import os
import sys

import hypothesis
import numpy as np
import pytest
import threadpoolctl

from seqembed import LSTMAutoencoder
from seqembed.sequences import collection
from seqembed.training.gradient import batch_gradient

if "PYTEST_XDIST_WORKER" in os.environ:
    # The workers of pytest-xdist share the cores: with several threads of BLAS each, they would wait for one another.
    # The variable is for libraries that are loaded later, and for processes that tests start. Plugins of pytest have
    # loaded NumPy already.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    threadpoolctl.threadpool_limits(1, user_api="blas")

# It needs atheris, which the tests don't.
collect_ignore = ["fuzz.py"]

# No deadline: a machine under load takes longer now and then.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=10_000)
hypothesis.settings.load_profile("default")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Marks the pages of the manual as slow: together they take as long as a thousand tests."""
    for item in items:
        if item.path.suffix == ".md":
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish():
    # Collection imports all libraries. Without this, each search for garbage goes through their millions of objects.
    gc.collect()
    gc.freeze()
    # Tests make many small objects, and hardly any circles of them.
    gc.set_threshold(20_000, 20, 50)


def make_waves():
    random = np.random.default_rng(0)
    time = np.arange(7) + random.uniform(0, 7, (30, 1))
    X = np.stack([np.sin(time), 1000 * np.cos(time)], axis=2) + random.normal(0, 0.01, (30, 7, 2)) + 5
    return X.astype(np.float32)


# Made anew for each test, since one may write into them.
@pytest.fixture
def waves():
    """Thirty noisy waves of seven timesteps and two features, far from zero and of very different scales."""
    return make_waves()


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.slow)], ids=["numpy", "compiled"])
def compiled(request, monkeypatch):
    """Has every fit computed in NumPy, then every fit compiled."""
    monkeypatch.setattr(batch_gradient, "is_worth_compiling", lambda *sizes: request.param)


@pytest.fixture
def small_chunks(monkeypatch):
    """Has collections read about a hundred values at a time, so that small ones are read as large ones are."""
    monkeypatch.setattr(collection, "_CHUNK", 100)


@pytest.fixture(autouse=True)
def _close_figures():
    """Closes the figures of a test. Matplotlib warns of the twentieth that is open, whichever test draws it."""
    yield
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")


@pytest.fixture(scope="session")
def fitted():
    """An autoencoder fitted on `waves`: do not fit it again."""
    options = {"n_components": 3, "hidden_units": (5,), "epochs": 3, "batch_size": 8, "random_state": 0}
    return LSTMAutoencoder(**options).fit(make_waves())


@pytest.fixture(scope="session")
def small():
    """A function that makes a small autoencoder, whose parameters can be changed."""

    def make(**changes):
        return LSTMAutoencoder(**{"n_components": 3, "hidden_units": (5,), "epochs": 2, "random_state": 0} | changes)

    return make


class Loader:
    """Batches that can be read again and again, as from a data loader."""

    def __init__(self, *batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


@pytest.fixture(scope="session")
def loader():
    """The class of a data loader, which takes its batches."""
    return Loader
