import sys

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from seqembed import LSTMAutoencoder, LSTMReconstructor

mpl.use("Agg")


def texts(axes):
    return "\n".join(text.get_text() for text in axes.texts)


def test_the_figure_of_the_autoencoder_shows_where_the_sequence_is_one_vector():
    shown = texts(LSTMAutoencoder().layer_flow(3, 2).plot())
    assert "ONE vector of 64" in shown
    assert "the vector is repeated" in shown
    assert shown.count("kept") == 2  # the two timesteps that do not emit


def test_the_figure_of_the_regular_network_has_no_vector_in_the_middle():
    shown = texts(LSTMReconstructor(time_encoding=False).layer_flow(3, 2).plot())
    assert "vector" not in shown
    assert "kept" not in shown


def test_long_sequences_are_abridged():
    shown = texts(LSTMAutoencoder(patch_size=1).layer_flow(100, 6).plot())
    assert "t = 100" in shown
    assert "t = 50" not in shown


def test_the_figure_shows_how_many_timesteps_a_cell_reads():
    shown = texts(LSTMAutoencoder(patch_size=8).layer_flow(100, 6).plot())
    assert "a cell reads 8 timesteps at once" in shown
    assert "t = 1\nto 8" in shown
    assert "t = 97\nto 100" in shown
    assert "8 x 6" in shown
    assert "every step" in shown


def test_a_figure_goes_into_the_axes_given():
    axes = Figure().subplots()
    assert LSTMAutoencoder().layer_flow(3, 2).plot(axes) is axes


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "seqembed\[plot\]"'):
        LSTMAutoencoder().layer_flow(3, 2).plot()
