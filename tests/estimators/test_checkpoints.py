import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from communicators import run_workers

from seqembed import InvalidFileError, LSTMReconstructor, load
from seqembed.codec import SequenceCodec
from seqembed.estimators import base, checkpoints
from seqembed.training import loop

# How often the test with SIGKILL is repeated, each time at another moment.
KILLS = int(os.environ.get("SEQEMBED_KILLS", "1"))


class Killed(Exception):
    """Stands for the end of a process."""


@pytest.fixture(autouse=True)
def after_every_epoch(monkeypatch):
    """Write every checkpoint, however short the epochs are."""
    monkeypatch.setattr(checkpoints, "_LARGEST_SHARE", np.inf)


@pytest.fixture
def killed_after(monkeypatch):
    """A function: training ends with `Killed` after so many epochs."""
    train = base.train

    def kill(epoch):
        def killing(*args, keep, **kwargs):
            def keep_and_end(state):
                keep(state)
                if state.epoch == epoch:
                    raise Killed

            return train(*args, keep=keep_and_end, **kwargs)

        monkeypatch.setattr(base, "train", killing)

    yield kill
    monkeypatch.setattr(base, "train", train)


def assert_equal_fits(first, second):
    assert first.history_ == second.history_
    assert (first.n_iter_, first.best_epoch_) == (second.n_iter_, second.best_epoch_)
    for name, weight in first.weights_.items():
        np.testing.assert_array_equal(weight, second.weights_[name])


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("epoch", [1, 4, 7])
@pytest.mark.parametrize(
    "changes",
    [{}, {"validation_fraction": 0.2, "patience": 7}, {"activation": "relu", "learning_rate": 3.0, "patch_size": 1}],
    ids=["defaults", "validation", "explosion"],
)
def test_a_fit_that_was_killed_goes_on_to_the_same_bits(small, waves, tmp_path, killed_after, epoch, changes):
    settings = {"epochs": 8, "batch_size": 8} | changes
    whole = small(**settings).fit(waves)
    killed_after(epoch)
    with pytest.raises(Killed):
        small(**settings).fit(waves, checkpoint=tmp_path / "fit")
    killed_after(None)
    assert_equal_fits(small(**settings).fit(waves, checkpoint=tmp_path / "fit"), whole)
    assert not list(tmp_path.iterdir())


def test_a_network_without_bottleneck_and_lists_of_sequences_go_on_too(tmp_path, killed_after):
    random = np.random.default_rng(0)
    X = [random.normal(size=(length, 2)) for length in random.integers(2, 9, 30)]

    def make():
        return LSTMReconstructor(3, hidden_units=(), epochs=6, batch_size=8, augment=True, random_state=0)

    whole = make().fit(X)
    killed_after(3)
    with pytest.raises(Killed):
        make().fit(X, checkpoint=str(tmp_path / "fit"))
    killed_after(None)
    assert_equal_fits(make().fit(X, checkpoint=str(tmp_path / "fit")), whole)


def test_a_fit_without_a_seed_goes_on_from_its_own_draws(small, waves, tmp_path, killed_after):
    killed_after(3)
    settings = {"epochs": 6, "random_state": None, "validation_fraction": 0.2}
    with pytest.raises(Killed):
        small(**settings).fit(waves, checkpoint=tmp_path / "first")
    killed_after(None)
    shutil.copy(tmp_path / "first", tmp_path / "second")
    first, second = (small(**settings).fit(waves, checkpoint=tmp_path / name) for name in ("first", "second"))
    assert_equal_fits(first, second)


@pytest.mark.slow
def test_workers_go_on_together_from_the_file_of_the_first(small, waves, tmp_path, killed_after):
    settings = {"epochs": 6, "batch_size": 8, "validation_fraction": 0.1}

    def fit(rank, communicator):
        # Worker 1 has another file system.
        file = tmp_path / "fit" if rank == 0 else None
        return small(**settings).fit(waves[rank::2], checkpoint=file, communicator=communicator)

    whole, _ = run_workers(fit, 2)
    killed_after(3)
    with pytest.raises(Killed):
        run_workers(fit, 2)
    assert (tmp_path / "fit").exists()
    killed_after(None)
    for fitted in run_workers(fit, 2):
        assert_equal_fits(fitted, whole)


FIT = """
import sys
import numpy as np
from seqembed import LSTMAutoencoder
X = np.random.default_rng(0).normal(size=(60, 12, 2))
autoencoder = LSTMAutoencoder(6, hidden_units=(12,), epochs=150, batch_size=16, random_state=0)
print("starting", flush=True)
autoencoder.fit(X, checkpoint=sys.argv[1] or None).save(sys.argv[2])
"""


def start_fit(checkpoint, model):
    command = [sys.executable, "-W", "ignore", "-c", FIT, str(checkpoint), str(model)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.readline()
    return process


@pytest.mark.slow
def test_a_fit_that_was_killed_by_sigkill_ends_with_the_same_bits(tmp_path):
    started = time.monotonic()
    assert start_fit("", tmp_path / "whole").wait(120) == 0
    seconds, random, n_killed = time.monotonic() - started, np.random.default_rng(), 0
    for repeat in range(KILLS):
        checkpoint, model = tmp_path / f"checkpoint {repeat}", tmp_path / f"model {repeat}"
        # At any moment of a fit, or after it.
        moment = random.uniform(0, seconds)
        while not model.exists():
            process = start_fit(checkpoint, model)
            try:
                process.wait(moment)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                n_killed += 1
                moment = 60
        assert_equal_fits(load(model), load(tmp_path / "whole"))
    print(f"{n_killed} fits were killed")


def test_a_checkpoint_of_another_fit_is_refused(small, waves, tmp_path, killed_after):
    killed_after(2)
    with pytest.raises(Killed):
        small(epochs=5).fit(waves, checkpoint=tmp_path / "fit")
    killed_after(None)
    before = (tmp_path / "fit").read_bytes()
    for make, X, difference in (
        (small(epochs=6), waves, "epochs="),
        (small(epochs=5, random_state=1), waves, "random_state="),
        (small(epochs=5), waves + 1, "means of features"),
        (small(epochs=5), waves[1:], "number of sequences, means of features, scales of features"),
        (LSTMReconstructor(3, hidden_units=(5,), epochs=5, random_state=0), waves, "class"),
    ):
        with pytest.raises(ValueError, match=f"of another fit, which differs in {difference}"):
            make.fit(X, checkpoint=tmp_path / "fit")
        assert not hasattr(make, "weights_")
    assert (tmp_path / "fit").read_bytes() == before
    # What changes no result may change.
    small(epochs=5, n_jobs=1, verbose=1).fit(waves, checkpoint=tmp_path / "fit")


def test_a_checkpoint_of_layers_of_other_units_is_refused_also_if_an_array_holds_them(
    small, waves, tmp_path, killed_after
):
    killed_after(1)
    with pytest.raises(Killed):
        small(epochs=2, hidden_units=np.array([3, 5])).fit(waves, checkpoint=tmp_path / "fit")
    killed_after(None)
    # As many weights as before.
    with pytest.raises(ValueError, match="of another fit, which differs in network"):
        small(epochs=2, hidden_units=np.array([5, 3])).fit(waves, checkpoint=tmp_path / "fit")


def test_a_damaged_checkpoint_is_refused_and_stays(small, waves, tmp_path, fitted):
    fitted.save(tmp_path / "model")
    for data, what in ((b"nothing", "Got 7 bytes"), ((tmp_path / "model").read_bytes(), "Got a file that save wrote")):
        file = tmp_path / "fit"
        file.write_bytes(data)
        # A model that took the place of a checkpoint was to be removed, as the message said.
        why = rf"no checkpoint or a damaged one: {what}.*Name another file.*Remove this one only if it is a checkpoint"
        with pytest.raises(InvalidFileError, match=why):
            small().fit(waves, checkpoint=file)
        assert file.read_bytes() == data


def test_load_says_that_a_file_is_a_checkpoint_and_which_line_goes_on_from_it(small, waves, tmp_path, killed_after):
    killed_after(1)
    with pytest.raises(Killed):
        small().fit(waves, checkpoint=tmp_path / "fit")
    for read in (load, SequenceCodec.load):
        with pytest.raises(
            InvalidFileError, match=r"Got the checkpoint of a fit.*estimator\.fit\(X, checkpoint=file\)"
        ):
            read(tmp_path / "fit")


def test_an_empty_file_such_as_tempfile_makes_is_no_checkpoint_yet(small, waves, tmp_path):
    (tmp_path / "fit").touch()
    assert_equal_fits(small().fit(waves, checkpoint=tmp_path / "fit"), small().fit(waves))


def test_a_full_disk_leaves_the_former_checkpoint_and_the_estimator(small, waves, tmp_path, monkeypatch):
    whole, estimator = small(epochs=4).fit(waves), small(epochs=4)
    before, n_written = dict(vars(estimator)), []

    def fill(descriptor):
        n_written.append(descriptor)
        if len(n_written) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")

    # Each checkpoint syncs its file, then its folder.
    monkeypatch.setattr(os, "fsync", fill)
    with pytest.raises(OSError, match=r"No space left on device: '.*/fit'"):
        estimator.fit(waves, checkpoint=tmp_path / "fit")
    assert vars(estimator) == before
    assert [each.name for each in tmp_path.iterdir()] == ["fit"]
    assert_equal_fits(estimator.fit(waves, checkpoint=tmp_path / "fit"), whole)


def test_a_checkpoint_that_a_container_mounts_by_itself_is_emptied_when_the_fit_ends(
    small, waves, tmp_path, monkeypatch
):
    file, refuse = tmp_path / "fit", OSError(errno.EBUSY, "Device or resource busy")
    file.touch()
    unlink = Path.unlink

    def refusing(path, **kwargs):
        if path == file:
            raise refuse
        unlink(path, **kwargs)

    monkeypatch.setattr(os, "replace", Mock(side_effect=refuse))
    monkeypatch.setattr(Path, "unlink", refusing)
    with pytest.warns(UserWarning, match="fit' is written over") as caught:
        small().fit(waves, checkpoint=file)
    assert {each.filename for each in caught} == {__file__}
    assert file.read_bytes() == b""
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [(3, "checkpoint= of type int"), ("nowhere/fit", "in a folder that exists"), (".", "in a folder that exists")],
)
def test_a_checkpoint_that_could_not_be_written_is_refused_before_training(
    small, waves, checkpoint, message, monkeypatch
):
    def train(*args, **kwargs):
        raise AssertionError("training began")

    monkeypatch.setattr(base, "train", train)

    def fit(rank, communicator):
        # The path of worker 0 alone counts.
        file = checkpoint if rank == 0 else "elsewhere/fit"
        with pytest.raises(ValueError, match=message):
            small().fit(waves, checkpoint=file, communicator=communicator)

    run_workers(fit, 2)


def test_an_explosion_that_ends_a_fit_ends_its_checkpoint(small, waves, tmp_path):
    waves = waves.copy()
    waves[0, 0, 0] = 1e30
    with pytest.raises(FloatingPointError):
        small(scale=None, activation="relu", epochs=20).fit(waves, checkpoint=tmp_path / "fit")
    assert not list(tmp_path.iterdir())


def test_fits_that_follow_one_another_do_not_take_each_other_for_the_same(small, waves, tmp_path, killed_after):
    first = small(epochs=5, warm_start=True).fit(waves)
    killed_after(2)
    with pytest.raises(Killed):
        first.fit(waves, checkpoint=tmp_path / "fit")
    killed_after(None)
    with pytest.raises(ValueError, match="differs in starting weights"):
        small(epochs=5, warm_start=True).fit(waves, checkpoint=tmp_path / "fit")
    first.fit(waves, checkpoint=tmp_path / "fit")


def test_a_random_state_that_is_an_object_does_not_tell_fits_apart(small, waves, tmp_path, killed_after):
    whole = small(random_state=np.random.RandomState(3), epochs=5).fit(waves)
    killed_after(2)
    with pytest.raises(Killed):
        small(random_state=np.random.RandomState(3), epochs=5).fit(waves, checkpoint=tmp_path / "fit")
    killed_after(None)
    again = small(random_state=np.random.RandomState(3), epochs=5).fit_transform(waves, checkpoint=tmp_path / "fit")
    np.testing.assert_array_equal(again, whole.transform(waves))


def test_ctrl_c_leaves_the_checkpoint(small, waves, tmp_path, monkeypatch):
    whole = small(epochs=6).fit(waves)
    train_one_epoch = loop._train_one_epoch

    def interrupted(run, state):
        if state.epoch == 3:
            raise KeyboardInterrupt
        return train_one_epoch(run, state)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_train_one_epoch", interrupted)
        with pytest.warns(UserWarning, match="Training was interrupted after 3 of 6 epochs"):
            small(epochs=6).fit(waves, checkpoint=tmp_path / "fit")
    assert (tmp_path / "fit").exists()
    assert_equal_fits(small(epochs=6).fit(waves, checkpoint=tmp_path / "fit"), whole)


def test_short_epochs_do_not_write_all_the_time(small, waves, tmp_path, monkeypatch):
    monkeypatch.undo()
    writes = []
    monkeypatch.setattr(checkpoints, "write", lambda data, file: (writes.append(file), time.sleep(0.01)))
    small(epochs=50).fit(waves, checkpoint=tmp_path / "fit")
    assert 1 <= len(writes) < 25
