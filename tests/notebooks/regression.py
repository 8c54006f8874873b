"""nbval over a folder of lessons, as `make regression` runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from course_utils.tools.running import kernel

HERE = Path(__file__).parent


def regression(
    notebooks: Path, scratch: Path, *, workers: int = 2, only: Sequence[Path] = ()
) -> subprocess.CompletedProcess[str]:
    """Execute the lessons of a folder and compare each stored output, two lessons at a time.

    Args:
        notebooks: the folder.
        scratch: an empty folder for the kernels' files and the claims' records.
        workers: lessons at a time; each stays whole on one worker.
        only: some of its lessons; empty for all.
    """
    records = scratch / "records"
    records.mkdir(parents=True)
    environment = {**os.environ, **kernel.environment(records, scratch)}
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-sanitize-with", str(HERE / "sanitize.cfg")]
    command += ["--nbval-cell-timeout", "300", "-p", "no:cacheprovider", "-q", "--color", "no"]
    command += ["--rootdir", str(notebooks)]  # ids begin with the lesson's name: loadscope keeps it whole
    command += ["-n", str(workers), "--dist", "loadscope"] if workers > 1 else ["-n", "0"]
    return subprocess.run(
        [*command, *map(str, only or sorted(notebooks.glob("*.ipynb")))],
        cwd=HERE.parents[1], env=environment, capture_output=True, text=True, timeout=1800,
    )  # fmt: skip
