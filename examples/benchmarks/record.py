"""Run a benchmark, and write what it prints into a file of the manual, with the command, the date and the commit.

    python examples/benchmarks/record.py bench_few_labels.py --labels 5

writes ``docs/benchmarks/bench_few_labels.txt``, which the page of benchmarks shows. ``--name`` chooses another name, if
one benchmark is shown twice. The first line that a benchmark prints describes the machine.
"""

from __future__ import annotations

import argparse
import datetime
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent
PRINTED = BENCHMARKS.parents[1] / "docs" / "benchmarks"


def main() -> None:
    """Run the benchmark, show its lines as they come, and write the file at its end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", help="of the file, by default that of the benchmark")
    parser.add_argument("benchmark", help="such as bench_few_labels.py")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    given = parser.parse_args()
    # Paths of one's own data say nothing to readers: only the names of their files are recorded.
    shown = [Path(each).name if each.endswith(".npz") else each for each in given.arguments]
    command = " ".join(["python examples/benchmarks/" + given.benchmark, *shown])
    header = f"$ {command}\n# {datetime.date.today()}, commit {commit()}\n"
    lines = []
    with subprocess.Popen(
        [sys.executable, BENCHMARKS / given.benchmark, *given.arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        sys.exit(f"{given.benchmark} ended with status {process.returncode}: nothing was written")
    PRINTED.mkdir(exist_ok=True)
    (PRINTED / f"{given.name or Path(given.benchmark).stem}.txt").write_text(header + "".join(lines), encoding="utf-8")


def commit() -> str:
    """Name the commit that is checked out, with a mark if files were changed since."""
    described = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(described, cwd=BENCHMARKS, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
