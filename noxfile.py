"""The tests with other versions of Python and of what seqembed requires: ``pip install "nox[uv]"``, then ``nox``.

``nox -s lowest`` has the lower bounds of setup.cfg, ``nox -s newest-3.13`` the newest releases for a Python,
``nox -s prereleases`` the newest pre-releases that can be installed. ``nox -s installed`` builds the distributions and
runs what they install, and ``nox -s without_tensorflow`` what needs no TensorFlow. Words after ``--`` go to pytest:
``nox -s lowest -- -m ""`` runs the slow tests too.
"""

import configparser
import shutil
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13"]
nox.options.sessions = ["lowest", "newest", "prereleases", "installed", "without_tensorflow"]
nox.options.reuse_existing_virtualenvs = True
# uv installs in seconds what takes pip minutes.
nox.options.default_venv_backend = "uv"
# Versions of Python that a machine lacks are left out, not downloaded.
nox.options.download_python = "never"


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


@nox.session
def prereleases(session: nox.Session) -> None:
    """Run the tests with pre-releases of what computes: TensorFlow, NumPy and scikit-learn, with the Python of nox."""
    session.install("-e", ".[test]")
    session.install("--pre", "--upgrade", "tensorflow", "numpy", "scikit-learn")
    session.run("pytest", *session.posargs)


def build_distributions(session: nox.Session) -> Path:
    """Build the distributions into an empty folder of the session, and return it."""
    folder = Path(session.create_tmp()).resolve() / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    session.install("build")
    session.run("python", ".ci/build.py", str(folder), silent=True)
    return folder


@nox.session(python=PYTHONS[0])
@nox.parametrize("kind", ["*.whl", "*.tar.gz"], ids=["wheel", "source"])
def installed(session: nox.Session, kind: str) -> None:
    """Run the doctests of the package that a distribution installs, from a folder where no clone is."""
    (distribution,) = build_distributions(session).glob(f"seqembed-{kind}")
    session.install(f"seqembed[test] @ {distribution.as_uri()}")
    with session.chdir(session.create_tmp()):
        session.run("pytest", "-q", "-n", "2", "--doctest-modules", "--import-mode=importlib", "--pyargs", "seqembed")


@nox.session(python=PYTHONS)
def without_tensorflow(session: nox.Session) -> None:
    """Run what needs no TensorFlow, with the distribution that does not require it."""
    (wheel,) = build_distributions(session).glob("seqembed_core-*.whl")
    session.install(str(wheel), "pytest")
    session.run("uv", "pip", "check", external=True)
    session.run("python", "tests/without_tensorflow.py")
