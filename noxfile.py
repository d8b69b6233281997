"""The tests with other versions of Python and of what seqembed requires: ``pip install nox``, then ``nox``.

``nox -s lowest`` has the lower bounds of setup.cfg, ``nox -s newest-3.13`` the newest releases for a Python,
``nox -s prereleases`` the newest pre-releases that can be installed, and ``nox -s without_tensorflow`` runs what needs
none. Words after ``--`` go to pytest: ``nox -s lowest -- -m ""`` runs the slow tests too.
"""

import configparser
import shutil
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13"]
nox.options.sessions = ["lowest", "newest", "without_tensorflow"]
nox.options.reuse_existing_virtualenvs = True


def lower_bounds() -> list[str]:
    """Return what the tests require by setup.cfg, each pinned to its lower bound."""
    setup = configparser.ConfigParser()
    setup.read("setup.cfg", encoding="utf-8")
    lines = f"{setup['options']['install_requires']}\n{setup['options.extras_require']['test']}".splitlines()
    return [line.replace(">=", "==").replace("[distributed]", "") for line in lines if line]


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest versions that setup.cfg allows."""
    constraints = Path(session.create_tmp()) / "lowest.txt"
    constraints.write_text("\n".join(lower_bounds()), encoding="utf-8")
    session.install("-c", str(constraints), "-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS)
def newest(session: nox.Session) -> None:
    """Run the tests with the newest releases."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS[-1])
def prereleases(session: nox.Session) -> None:
    """Run the tests with pre-releases of what computes: TensorFlow, NumPy and scikit-learn."""
    session.install("-e", ".[test]")
    session.install("--pre", "--upgrade", "tensorflow", "numpy", "scikit-learn")
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS)
def without_tensorflow(session: nox.Session) -> None:
    """Run what needs no TensorFlow, with the distribution that does not require it."""
    folder = session.create_tmp()
    shutil.rmtree(folder)
    session.install("build", "pytest")
    session.run("python", ".ci/build.py", folder, silent=True)
    (wheel,) = Path(folder).glob("seqembed_core-*.whl")
    session.install(str(wheel))
    session.run("pip", "check")
    session.run("python", "tests/without_tensorflow.py")
