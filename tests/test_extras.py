import sys

import pytest

from seqembed.extras import import_extra


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'needs matplotlib: pip install "seqembed\[plot\]"'):
        import_extra("matplotlib.pyplot", extra="plot")


def test_a_package_that_is_there_is_returned():
    assert import_extra("numpy.linalg", extra="plot") is sys.modules["numpy.linalg"]
