import importlib.util
import os
import subprocess
import sys

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


def test_a_module_is_imported_to_its_end_though_the_user_interrupts(tmp_path, monkeypatch):
    # The module interrupts its own import: on a busy machine, another thread may do so too late.
    interruption = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\n"
    (tmp_path / "takes_long.py").write_text(interruption + "time.sleep(0.2)\nended = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        import_whole("takes_long")
    assert sys.modules.pop("takes_long").ended
