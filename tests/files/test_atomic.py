import os
import signal
import stat
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from streams import Trickle

from seqembed.files import atomic
from seqembed.files.atomic import write

DATA = b"all of it" * 1000


def test_what_was_there_stays_when_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.write_bytes(b"before")

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        write(DATA, path)
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
    assert path.read_bytes() == b"before"


def test_a_link_stays_a_link_and_permissions_are_those_of_a_new_file(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "model")
    before = os.umask(0o027)
    try:
        write(DATA, tmp_path / "link")
    finally:
        os.umask(before)
    assert (tmp_path / "link").is_symlink()
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o640


def test_threads_that_write_at_once_leave_a_whole_file(tmp_path):
    threads = [threading.Thread(target=write, args=(DATA, tmp_path / "model")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model").read_bytes() == DATA


def test_an_unbuffered_file_that_takes_a_few_bytes_a_time_gets_all():
    file = Trickle(most=1000)
    write(DATA, file)
    assert file.getvalue() == DATA


def test_only_paths_and_files_are_written_to():
    with pytest.raises(TypeError, match="Got file= of type NoneType, expected a path or an open binary file"):
        write(DATA, None)


# Loads the module alone, which takes a fraction of the time of importing the package.
SAVES = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("atomic", sys.argv[1])
atomic = importlib.util.module_from_spec(spec)
spec.loader.exec_module(atomic)
number = 0
while True:
    number += 1
    atomic.write(bytes([number % 256]) * 200_000, sys.argv[2])
    if number == 1:
        print("saving", flush=True)
"""


# For more kills: SEQEMBED_KILLS=50 python -m pytest tests/files/test_atomic.py -k killed
def test_a_process_that_is_killed_leaves_a_whole_file(tmp_path):
    random, path = np.random.default_rng(0), tmp_path / "model"
    for _ in range(int(os.environ.get("SEQEMBED_KILLS", "8"))):
        process = subprocess.Popen([sys.executable, "-c", SAVES, atomic.__file__, str(path)], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(random.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        data = path.read_bytes()
        assert len(data) == 200_000
        assert len(set(data)) == 1


def test_processes_that_save_to_one_path_all_succeed(tmp_path):
    code = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('atomic', sys.argv[1])\n"
        "atomic = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(atomic)\n"
        "for number in range(100):\n"
        "    atomic.write(sys.argv[3].encode() * 10_000, sys.argv[2])\n"
    )
    path = tmp_path / "model"
    savers = [
        subprocess.Popen([sys.executable, "-c", code, atomic.__file__, str(path), str(number)]) for number in range(4)
    ]
    assert [saver.wait() for saver in savers] == [0, 0, 0, 0]
    assert len(set(path.read_bytes())) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
