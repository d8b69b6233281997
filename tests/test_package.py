import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_importing_seqembed_loads_neither_tensorflow_nor_keras():
    code = "import sys, seqembed, seqembed.datasets; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.skipif(not (ROOT / ".ci" / "run").exists(), reason="not run from a checkout")
def test_continuous_integration_runs_the_test_command_of_the_readme():
    commands = [
        line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line.endswith("-m pytest")
    ]
    assert len(commands) == 1
    assert commands[0] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
