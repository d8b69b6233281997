import subprocess
import sys
import time

from seqembed.training.progress import Progress


def test_a_log_file_gets_a_line_every_ten_seconds_and_one_at_the_end(capsys, monkeypatch):
    now = iter(range(0, 100, 4))
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    shown = Progress(6)
    for epoch in range(1, 7):
        shown.update(epoch, {"loss": 0.5}, ended=epoch == 6)
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == ["Epoch 3 of 6", "Epoch 6 of 6"]


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = Progress(2)
    shown.update(1, {"loss": 0.5}, ended=False)
    shown.update(2, {"loss": 0.25}, ended=True)
    captured = capsys.readouterr()
    assert "2/2" in captured.err
    assert "loss=0.2500" in captured.err
    assert not captured.out


def test_showing_progress_needs_neither_keras_nor_tensorflow():
    code = (
        "import sys, numpy, seqembed; seqembed.LSTMAutoencoder(2, hidden_units=(), epochs=2, verbose=1).fit("
        "numpy.ones((9, 4, 1))); sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
