"""The arrows of docs/architecture.md: the contract in pyproject.toml notices one that points up."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
COMMAND = Path(sys.executable).with_name("lint-imports")
PLANTED = {
    "machinery-knows-an-optimizer": ("tools/report.py", "optimizers", "knows nothing"),
    "engine-knows-a-loss": ("exercises/engine/judge.py", "losses", "knows nothing"),
    "optimizer-knows-the-loop": ("optimizers/sgd.py", "training", "stands on torch"),
    "loop-knows-the-seeds": ("training/loop.py", "seeds", "Arrows point down"),
    "schedule-makes-a-claim": ("schedules.py", "claims", "stands on torch"),
}


def linted(folder: Path) -> subprocess.CompletedProcess[str]:
    line = [str(COMMAND), "--no-logo", "--no-cache"]
    return subprocess.run(line, cwd=folder, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True)


@pytest.mark.parametrize(("module", "imported", "contract"), PLANTED.values(), ids=PLANTED)
def test_an_arrow_that_points_up_is_noticed(
    tmp_path: Path, module: str, imported: str, contract: str
) -> None:
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    left_out = shutil.ignore_patterns("__pycache__", "files", "*.css", "*.j2", "vendor")
    package = shutil.copytree(PROJECT / "course_utils", tmp_path / "course_utils", ignore=left_out)
    with (package / module).open("a", encoding="utf-8") as file:
        file.write(f"\nimport course_utils.{imported}\n")
    done = linted(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(contract in row for row in done.stdout.splitlines() if row.endswith("BROKEN"))
