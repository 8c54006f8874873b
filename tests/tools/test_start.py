"""The command line starts at once: only running a lesson loads torch, and only reading one loads nbformat."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from course_utils.tools.running.results import Folders, Result
from tests import sample

PACKAGE = Path(__file__).parents[2] / "course_utils"
WITHOUT = "import sys\nfor name in {names!r}: sys.modules[name] = None\n"  # an import of it then fails
COMMAND = "import sys; sys.argv[1:] = {arguments!r}\nfrom course_utils.__main__ import main; main()"


def python(code: str, *, without: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    code = WITHOUT.format(names=without) + code
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd)


@pytest.fixture
def build(tmp_path: Path) -> Path:
    records = Folders(tmp_path, "standard").records
    Result("01_good", claims={"holds": 1}).save(records)
    record = {"lesson": "01", "profile": "standard", "claims": [sample.claim("01.one", "One.")]}
    (records / "claims-01.json").write_text(json.dumps(record))
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"], ["run", "--help"], ["lab", "--help"], ["site", "--help"], ["grade", "--help"],
        ["doctor", "--help"], ["report", "--build", "."], ["ledger", "records/standard"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_only_reads_needs_neither_torch_nor_nbformat(arguments: list[str], build: Path) -> None:
    code = COMMAND.format(arguments=arguments)
    done = python(code, without=["torch", "numpy", "nbformat", "pandas"], cwd=build)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for folder in ("tools", "exercises/engine", "recorded")
    for path in (PACKAGE / folder).rglob("*.py")
    if path.name != "effects.py"
)
MODULES += [f"course_utils.{name}" for name in ("claims", "profiles", "intervals", "plotting", "exercises")]


def test_no_module_that_serves_any_course_needs_torch(tmp_path: Path) -> None:
    assert len(MODULES) > 50
    code = "import importlib\n" + "\n".join(
        f"importlib.import_module({name.removesuffix('.__init__')!r})" for name in MODULES
    )
    done = python(code, without=["torch"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr


LESSON = """
import os
os.environ["COURSE_RECORD_DIR"] = "."
import numpy as np
from course_utils import claims, profiles
from course_utils.intervals import mean_interval
run = profiles.start("standard", 3)
for device in ("cuda", "meta"):
    try:
        profiles.start("standard", 3, device)
    except ValueError as problem:
        print(problem)
claims.claim("01.number", "A number.", 1.0, about=1.0, tol=0.1)
claims.claim("01.numpy", "One of NumPy's.", np.float32(1.0), about=1.0, tol=0.1)
claims.claim("01.yes", "Yes.", np.bool_(True), at_least=1)
claims.claim("01.mean", "A mean.", mean_interval([1.0, 1.1, 0.9]), at_least=0.1)
claims.claim("01.largest", "The largest.", claims.largest(np.arange(3), [1.0]), at_most=2)
"""


def test_a_lesson_runs_without_torch(tmp_path: Path) -> None:
    done = python(LESSON, without=["torch"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("need a DEVICE that this machine has") == 2
    record = json.loads((tmp_path / "claims-01.json").read_text())
    assert set(record["versions"]) == {"python", "numpy"}
    assert {claim["verdict"] for claim in record["claims"]} == {"holds"}
    assert record["claims"][2]["measured"] is True


def test_a_lesson_seeds_torch_though_it_has_not_been_imported(tmp_path: Path) -> None:
    code = "from course_utils import profiles; profiles.start('standard', 7)\n"
    code += "import torch; print(torch.rand(1).item())"
    one, other = (python(code, without=[], cwd=tmp_path).stdout for _ in range(2))
    assert one == other != ""
