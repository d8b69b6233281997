import importlib.util
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from seqembed.extras import import_extra, import_whole


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'needs matplotlib: pip install "seqembed\[plot\]"'):
        import_extra("matplotlib.pyplot", extra="plot")


def test_a_package_that_is_there_is_returned():
    assert import_extra("numpy.linalg", extra="plot") is sys.modules["numpy.linalg"]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is not None, reason="Keras can use JAX here")
@pytest.mark.parametrize("backend", ["jax", "unknown"])
def test_another_backend_of_keras_is_named_with_the_variable_and_not_a_package_that_is_installed(backend):
    code = """
import numpy as np
from seqembed import LSTMAutoencoder
from seqembed.training.gradient import batch_gradient
X = np.ones((2, 3)) * [[1], [2]]
autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=1).fit(X)
batch_gradient.is_worth_compiling = lambda *sizes: True
for call in (autoencoder.to_keras, lambda: autoencoder.set_keras_weights(None), lambda: autoencoder.fit(X)):
    try:
        call()
    except ImportError as error:
        print(error)
"""
    environment = os.environ | {"KERAS_BACKEND": backend}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    for line in lines:
        assert f"Got KERAS_BACKEND='{backend}'" in line
        assert "Set it to tensorflow, or unset it, before Python starts" in line
        assert "pip install" not in line


@pytest.fixture
def interrupted_by():
    """Let SIGINT interrupt, or call a function. Processes that a shell starts in the background ignore it."""
    before = signal.getsignal(signal.SIGINT)
    yield lambda handler: signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGINT, before)


def interrupting_module(folder, monkeypatch):
    interruption = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\n"
    (folder / "takes_long.py").write_text(interruption + "time.sleep(0.1)\nended = True\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "takes_long", raising=False)
    return "takes_long"


def test_a_module_is_imported_to_its_end_though_the_user_interrupts(tmp_path, monkeypatch, interrupted_by):
    name = interrupting_module(tmp_path, monkeypatch)
    interrupted_by(signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        import_whole(name)
    assert sys.modules.pop(name).ended
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_process_that_ignores_interruptions_imports_too(tmp_path, monkeypatch, interrupted_by):
    name = interrupting_module(tmp_path, monkeypatch)
    interrupted_by(signal.SIG_IGN)
    assert import_whole(name).ended
    assert sys.modules.pop(name).ended


def test_a_handler_of_the_user_hears_of_an_interruption_after_the_import(tmp_path, monkeypatch, interrupted_by):
    name, heard = interrupting_module(tmp_path, monkeypatch), []
    interrupted_by(lambda *received: heard.append(hasattr(sys.modules[name], "ended")))
    import_whole(name)
    assert sys.modules.pop(name).ended
    assert heard == [True]


def test_a_thread_imports_too():
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(import_whole, "calendar").result() is sys.modules["calendar"]
