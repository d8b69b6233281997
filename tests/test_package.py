import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import seqembed

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_importing_seqembed_loads_neither_tensorflow_nor_keras():
    code = "import sys, seqembed, seqembed.datasets; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.slow
def test_submodules_are_attributes_that_are_imported_when_they_are_first_read():
    code = """
import sys, seqembed
names = "codec", "datasets", "inspection", "plotting"
assert not {"matplotlib", "tensorflow", *(f"seqembed.{name}" for name in names)} & set(sys.modules)
assert set(names) <= set(dir(seqembed))
assert all(getattr(seqembed, name).__name__ == f"seqembed.{name}" for name in names)
assert not {"matplotlib", "tensorflow"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="module 'seqembed' has no attribute 'nothing'"):
        _ = seqembed.nothing


@pytest.mark.skipif(not (ROOT / ".ci" / "run").exists(), reason="not run from a checkout")
def test_continuous_integration_runs_the_test_command_of_the_readme():
    commands = [
        line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line.endswith("-m pytest")
    ]
    assert len(commands) == 1
    assert commands[0] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


PUBLIC = [
    (module, name)
    for module in (seqembed, seqembed.codec, seqembed.datasets, seqembed.inspection, seqembed.plotting)
    for name in module.__all__
    if not name.startswith("__")
]


@pytest.mark.parametrize(("module", "name"), PUBLIC, ids=lambda each: getattr(each, "__name__", each))
def test_every_public_name_has_an_example_and_a_place_in_the_manual(module, name):
    assert ">>>" in getattr(module, name).__doc__
    listed = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").split()
    assert {name, f"{module.__name__.removeprefix('seqembed.')}.{name}"} & set(listed)


@pytest.mark.slow
def test_python_started_beside_a_clone_imports_the_package_and_not_the_clone(tmp_path):
    (tmp_path / "seqembed").symlink_to(ROOT)
    code = "import seqembed; seqembed.LSTMAutoencoder"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".ci" / "run").exists(), reason="not run from a checkout")
def test_the_source_distribution_holds_all_that_its_tests_need(tmp_path):
    run = {"check": True, "capture_output": True, "text": True}
    # In this environment: one of its own would be filled from the network.
    subprocess.run([sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path, ROOT], **run)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    for folder in ("tests", "examples", "seqembed"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and not {"__pycache__", "figures"} & set(path.parts):
                assert (unpacked / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    chosen = ["-q", "-n0", "-p", "no:cacheprovider", "tests/summary/test_statistics.py"]
    chosen += ["-k", "test_padding_does_not_change_the_statistics"]
    passed = subprocess.run([sys.executable, "-m", "pytest", *chosen], cwd=unpacked, **run)
    assert "1 passed" in passed.stdout
    for name in ("CHANGELOG.md", "README.md", "examples/plot_quickstart.py", "examples/benchmarks/TRIED.md"):
        assert (unpacked / name).exists(), name


def test_what_functions_return_is_public_and_has_a_page_as_the_functions_do():
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").splitlines()
    for name in ("AlarmRate", "Events", "FrameSequences", "Windows"):
        assert name in seqembed.__all__
        assert getattr(seqembed, name).__name__ == name
        assert f"   {name}" in page
