import errno
import io
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from streams import FullDisk, Trickle

import seqembed
from seqembed.files import atomic
from seqembed.files.atomic import write

DATA = b"all of it" * 1000


def stop(error):
    def stopping(*_, **__):
        raise error

    return stopping


STOPS = [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), MemoryError()]


@pytest.mark.parametrize("error", STOPS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
@pytest.mark.parametrize("before", [{}, {"model": b"before"}], ids=["new", "replaced"])
def test_what_was_there_stays_when_writing_stops(tmp_path, monkeypatch, moment, error, before):
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    if moment == "write":
        monkeypatch.setattr(FullDisk, "error", error)
        monkeypatch.setattr(atomic, "open", lambda *path: io.BufferedWriter(FullDisk(*path)), raising=False)
    else:
        monkeypatch.setattr(os, moment, stop(error))
    with pytest.raises(type(error)) as caught:
        write(DATA, tmp_path / "model")
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before
    if isinstance(error, OSError):
        assert str(caught.value) == f"[Errno 28] No space left on device: '{tmp_path / 'model'}'"


def test_a_link_stays_a_link_and_permissions_are_those_of_a_new_file(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "model")
    before = os.umask(0o027)
    try:
        write(DATA, tmp_path / "link")
    finally:
        os.umask(before)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "model").read_bytes() == DATA
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o640


def test_threads_that_write_at_once_all_succeed_and_leave_a_whole_file(tmp_path):
    path, contents, errors = tmp_path / "model", [bytes([number]) * 5000 for number in range(8)], []
    path.write_bytes(contents[0])

    def repeat(task):
        try:
            for _ in range(30):
                task()
        except BaseException as error:
            errors.append(error)

    def read():
        assert path.read_bytes() in contents

    tasks = [partial(write, content, path) for content in contents] + [read]
    threads = [threading.Thread(target=repeat, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
    assert path.read_bytes() in contents


def test_a_writer_neither_uses_nor_removes_the_hidden_file_of_another(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic.secrets, "token_hex", lambda n_bytes: "same")
    (tmp_path / ".same.saving").write_bytes(b"of another")
    with pytest.raises(FileExistsError):
        write(DATA, tmp_path / "model")
    assert [each.name for each in tmp_path.iterdir()] == [".same.saving"]
    assert (tmp_path / ".same.saving").read_bytes() == b"of another"


def test_an_unbuffered_file_that_takes_a_few_bytes_a_time_gets_all():
    file = Trickle(most=1000)
    write(DATA, file)
    assert file.getvalue() == DATA


def taking_no_new_files(monkeypatch, error=errno.EACCES):
    """Let every folder refuse new files, for the superuser too."""

    def refusing(path, mode="r", *args, **kwargs):
        if str(path).endswith(".saving"):
            raise OSError(error, os.strerror(error), str(path))
        return open(path, mode, *args, **kwargs)

    monkeypatch.setattr(atomic, "open", refusing, raising=False)


def renaming_nothing(monkeypatch, error):
    def refuse(source, target):
        raise OSError(error, os.strerror(error), str(source), None, str(target))

    monkeypatch.setattr(os, "replace", refuse)


@pytest.mark.parametrize("error", [errno.EBUSY, errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP], ids=errno.errorcode.get)
@pytest.mark.parametrize("before", [b"before", b"longer" * 10_000], ids=["shorter", "longer"])
def test_a_file_that_a_container_mounts_by_itself_is_written_with_a_warning(tmp_path, monkeypatch, error, before):
    path = tmp_path / "model"
    path.write_bytes(before)
    renaming_nothing(monkeypatch, error)
    with pytest.warns(
        UserWarning, match=r"model' is written over.*if the process stops, it stays broken and what it held is lost"
    ) as caught:
        write(DATA, path)
    assert caught[0].filename == __file__
    assert path.read_bytes() == DATA
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("error", [errno.EACCES, errno.EROFS], ids=errno.errorcode.get)
def test_a_file_in_a_folder_that_takes_no_new_files_is_written_with_a_warning(tmp_path, monkeypatch, error):
    (tmp_path / "model").write_bytes(b"before")
    (tmp_path / "link").symlink_to(tmp_path / "model")
    taking_no_new_files(monkeypatch, error)
    with pytest.warns(UserWarning, match="link' is written over"):
        write(DATA, tmp_path / "link")
    assert (tmp_path / "model").read_bytes() == DATA
    assert (tmp_path / "link").is_symlink()


@pytest.mark.filterwarnings("error")
def test_a_warning_that_is_an_error_leaves_what_was_there(tmp_path, monkeypatch):
    (tmp_path / "model").write_bytes(b"before")
    taking_no_new_files(monkeypatch)
    with pytest.raises(UserWarning, match="is written over"):
        write(DATA, tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == b"before"


@pytest.mark.filterwarnings("error")
def test_a_folder_that_may_not_be_listed_takes_a_file(tmp_path, monkeypatch):
    open_descriptor = os.open

    def refusing(path, flags, *args, **kwargs):
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return open_descriptor(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", refusing)
    write(DATA, tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == DATA


@pytest.mark.filterwarnings("error")
def test_errors_name_the_file_of_the_user(tmp_path, monkeypatch):
    def message(path):
        with pytest.raises(OSError, match="Errno") as caught:
            write(DATA, path)
        return str(caught.value)

    missing = tmp_path / "nowhere" / "model"
    assert message(missing) == f"[Errno 2] No such file or directory: {str(missing)!r}"
    assert message(tmp_path) == f"[Errno 21] Is a directory: {str(tmp_path)!r}"
    long = tmp_path / ("x" * 300)
    assert message(long) == f"[Errno 36] File name too long: {str(long)!r}"
    path = tmp_path / "model"
    renaming_nothing(monkeypatch, errno.EIO)
    assert message(path) == f"[Errno 5] Input/output error: {str(path)!r}"
    taking_no_new_files(monkeypatch, errno.ENOSPC)
    assert message(path) == f"[Errno 28] No space left on device: {str(path)!r}"
    assert not list(tmp_path.iterdir())


def test_a_file_in_a_folder_without_any_permission_is_named(tmp_path, monkeypatch):
    def refuse(path, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(atomic, "open", refuse, raising=False)
    with pytest.raises(PermissionError, match=r"Permission denied: '.*/model'$"):
        write(DATA, tmp_path / "model")


def test_a_name_that_is_as_long_as_names_may_be_is_written(tmp_path):
    write(DATA, tmp_path / ("x" * 255))
    assert (tmp_path / ("x" * 255)).read_bytes() == DATA


@pytest.mark.filterwarnings("error")
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes.")
def test_a_pipe_gets_the_bytes_and_stays_a_pipe(tmp_path):
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write(DATA, pipe)
    reader.join(timeout=10)
    assert received == [DATA]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]


def test_only_paths_and_files_are_written_to():
    with pytest.raises(TypeError, match="Got file= of type NoneType, expected a path or an open binary file"):
        write(DATA, None)


# Loads the files alone, which takes a fraction of the time of importing the package.
LOADS = """
import sys, types
sys.modules["seqembed"] = types.ModuleType("seqembed")
sys.modules["seqembed"].__path__ = [sys.argv[1]]
from seqembed.files.atomic import write
"""
PACKAGE = Path(seqembed.__file__).parent
SAVES = f"""{LOADS}
number = 0
while True:
    number += 1
    write(bytes([number % 256]) * 200_000, sys.argv[2])
    if number == 1:
        print("saving", flush=True)
"""


# For more kills: SEQEMBED_KILLS=50 python -m pytest tests/files/test_atomic.py -k killed
@pytest.mark.slow
def test_a_process_that_is_killed_leaves_a_whole_file(tmp_path):
    random, path = np.random.default_rng(0), tmp_path / "model"
    for _ in range(int(os.environ.get("SEQEMBED_KILLS", "8"))):
        process = subprocess.Popen([sys.executable, "-c", SAVES, PACKAGE, path], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(random.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        data = path.read_bytes()
        assert len(data) == 200_000
        assert len(set(data)) == 1


def test_processes_that_save_to_one_path_all_succeed(tmp_path):
    code = f"{LOADS}for _ in range(100):\n    write(sys.argv[3].encode() * 10_000, sys.argv[2])"
    path = tmp_path / "model"
    savers = [subprocess.Popen([sys.executable, "-c", code, PACKAGE, path, str(number)]) for number in range(4)]
    assert [saver.wait() for saver in savers] == [0, 0, 0, 0]
    assert len(set(path.read_bytes())) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
