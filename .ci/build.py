"""Build the distributions into a folder: seqembed, and seqembed-core, which does not require TensorFlow.

    python .ci/build.py [FOLDER]

FOLDER is dist by default. Both have the same files, and differ in their names and requirements alone: pip can leave out
no requirement of a distribution, so that a second one is the way that it understands. It needs the package build.
"""

import configparser
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Build the source distribution, and both wheels from it."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve()
    with tempfile.TemporaryDirectory() as scratch:
        build("--sdist", ROOT, Path(scratch))
        (archive,) = Path(scratch).glob("seqembed-*.tar.gz")
        with tarfile.open(archive) as file:
            file.extractall(scratch, filter="data")
        source = archive.with_name(archive.name.removesuffix(".tar.gz"))
        build("--wheel", source, folder)
        shutil.move(archive, folder / archive.name)
        require_no_tensorflow(source / "setup.cfg")
        build("--wheel", source, folder)


def build(kind: str, source: Path, folder: Path) -> None:
    """Run the build backend in an environment of its own."""
    subprocess.run([sys.executable, "-m", "build", kind, "--outdir", folder, source], check=True)


def require_no_tensorflow(file: Path) -> None:
    """Change the name and the requirements in setup.cfg."""
    setup = configparser.RawConfigParser()
    setup.read(file, encoding="utf-8")
    required = setup["options"]["install_requires"].splitlines()
    left = [each for each in required if not each.startswith("tensorflow")]
    if len(left) != len(required) - 1:
        raise ValueError(f"Got install_requires={required} in {file}, expected one line that begins with tensorflow.")
    setup["options"]["install_requires"] = "\n".join(left)
    setup["metadata"]["name"] = "seqembed-core"
    setup["metadata"]["description"] += ". Without TensorFlow among the requirements."
    with file.open("w", encoding="utf-8") as opened:
        setup.write(opened)


if __name__ == "__main__":
    main()
