"""A new course made from this one: its own tests pass, with this environment and its own code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
VENV = Path(sys.prefix)

pytestmark = pytest.mark.skipif(os.name != "posix" or not shutil.which("make"), reason="needs make")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "course"
    line = [sys.executable, "-m", "course_utils", "new-course", str(folder)]
    done = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder


def make(course: Path, *targets: str) -> subprocess.CompletedProcess[str]:
    """`make` there. The environment is ours, as it is: `-o` keeps make from installing the course in it."""
    environment = {**os.environ, "PYTHONPATH": str(course), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("CI", None)
    line = ["make", "--no-print-directory", "-o", f"{VENV}/.stamp", f"VENV={VENV}", *targets]
    return subprocess.run(line, cwd=course, env=environment, capture_output=True, text=True, timeout=900)


def test_its_tests_pass(course: Path) -> None:
    [tiers] = re.findall(r"^TIERS +:= (.+)$", (course / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    before = {path: path.read_bytes() for path in (course / "notebooks").glob("*.ipynb")}
    done = make(course, "-k", *tiers.split())
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    assert {path: path.read_bytes() for path in (course / "notebooks").glob("*.ipynb")} == before


def test_a_mistake_in_it_turns_a_claim_red(course: Path) -> None:
    done = make(course, "mutants")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a sum in place of the mean: 00.package" in done.stdout
    assert "`00.package`" in (course / "docs" / "mutants.md").read_text(encoding="utf-8")


def test_the_next_lesson_and_the_next_course_are_made_in_it(course: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(course)}
    for arguments in (["new-lesson", "01_next"], ["new-course", "../grandchild"]):
        line = [sys.executable, "-m", "course_utils", *arguments]
        done = subprocess.run(line, cwd=course, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    assert (course / "notebooks" / "01_next.ipynb").exists()
    child, grandchild = course, course.parent / "grandchild"
    for name in ("Makefile", "pyproject.toml", "docs/conf.py", ".github/workflows/ci.yml", "CITATION.cff"):
        assert (grandchild / name).read_bytes() == (child / name).read_bytes(), name
