import subprocess
import sys
import time
from unittest.mock import Mock

import numpy as np
import pytest

from seqembed import LSTMAutoencoder, ReconstructionDetector
from seqembed.training.progress import Progress


def test_a_log_file_gets_a_line_every_ten_seconds_and_one_at_the_end(capsys, monkeypatch):
    now = iter(range(0, 100, 4))
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    shown = Progress(6)
    for epoch in range(1, 7):
        shown.update(epoch, {"loss": 0.5}, ended=epoch == 6)
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == ["Epoch 3 of 6", "Epoch 6 of 6"]


@pytest.fixture
def lines(capsys, monkeypatch):
    """The lines of steps that end at the given seconds after the start."""

    def shown(seconds, total, done=0):
        now = iter([0, *seconds])
        monkeypatch.setattr(time, "monotonic", lambda: next(now))
        progress = Progress(total, done=done)
        for number in range(done + 1, done + 1 + len(seconds)):
            progress.update(number, {}, ended=number == total)
        return capsys.readouterr().out.splitlines()

    return shown


def test_a_long_rest_is_told_after_the_second_step_and_not_estimated_from_a_first_one_that_compiles(lines):
    assert lines([8, 9, 10, 11], total=100) == ["Epoch 2 of 100, 9 s, about 2 min left"]


def test_a_first_step_of_half_a_minute_tells_the_rest(lines):
    assert lines([29], total=100) == ["Epoch 1 of 100, 29 s"]
    assert lines([40], total=100) == ["Epoch 1 of 100, 40 s, about 66 min left"]


def test_a_short_rest_is_told_with_the_lines_that_come_anyway(lines):
    assert lines([1, 2, 3], total=5) == []
    assert lines([6, 11, 16, 21, 26], total=5) == [
        "Epoch 2 of 5, 11 s, about 15 s left",
        "Epoch 4 of 5, 21 s, about 5 s left",
        "Epoch 5 of 5, 26 s",
    ]


def test_steps_of_an_earlier_run_do_not_count_as_fast(lines):
    assert lines([8, 9], total=200, done=40) == ["Epoch 42 of 200, 9 s, about 3 min left"]


def test_the_bar_goes_on_from_an_earlier_run(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = Progress(50, done=40)
    assert shown._bar.initial == 40
    shown.update(50, {}, ended=True)
    assert "50/50" in capsys.readouterr().err


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = Progress(2)
    shown.update(1, {"loss": 0.5}, ended=False)
    shown.update(2, {"loss": 0.25}, ended=True)
    captured = capsys.readouterr()
    assert "2/2" in captured.err
    assert "loss=0.2500" in captured.err
    assert not captured.out


class Interrupted(LSTMAutoencoder):
    """One that is stopped by Ctrl-C in its first fit."""

    def fit(self, X):
        raise KeyboardInterrupt


def interrupted_autoencoder(monkeypatch, X):
    monkeypatch.setattr("seqembed.training.loop._train_one_epoch", Mock(side_effect=KeyboardInterrupt))
    LSTMAutoencoder(2, hidden_units=(), verbose=1).fit(X)


def interrupted_detector(_, X):
    ReconstructionDetector(Interrupted(), verbose=1, cv=2).fit(X)


@pytest.mark.parametrize("fit", [interrupted_autoencoder, interrupted_detector])
def test_ctrl_c_leaves_no_bar_on_the_line_of_the_prompt(capsys, monkeypatch, fit):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(KeyboardInterrupt) as stopped:
        fit(monkeypatch, np.random.default_rng(0).normal(size=(9, 4, 1)))
    assert stopped, "which keeps the frames of the fit, and so the bar, which ends its line when it is forgotten"
    assert capsys.readouterr().err.endswith("\n")


@pytest.mark.slow
def test_showing_progress_needs_neither_keras_nor_tensorflow():
    code = (
        "import sys, numpy, seqembed; seqembed.LSTMAutoencoder(2, hidden_units=(), epochs=2, verbose=1).fit("
        "numpy.ones((9, 4, 1))); sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
