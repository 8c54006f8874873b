"""`new-lesson` makes a lesson that keeps every rule at once, and overwrites nothing.

That it passes smoke and regression, too, is shown at night, with a new course (test_new_course.py).
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from course_utils.exercises.engine import catalogue
from course_utils.tools import in_place
from course_utils.tools.lessons import LessonError
from course_utils.tools.template import lesson
from tests.notebooks import form, rules

PROJECT = Path(__file__).parents[3]
NAME = "20_mean_of_draws"
README = (
    "# A course\n\n| | Lesson | Question |\n|---|---|---|\n| | **Part** | |\n"
    "| 00 | [Start](notebooks/00_start.ipynb) | Why? |\n| 07 | [Adam](x) | How? |\n"
    "| 09 | Mean of draws | Planned? |\n\nWords.\n"
)
MADE = (
    f"notebooks/{NAME}.ipynb",
    f"course_utils/exercises/lesson_{NAME}.py",
    "course_utils/figures/mean_of_draws.py",
    "tests/figures/test_mean_of_draws.py",
)


def bare(folder: Path) -> Path:
    """A course without lessons: the package, the tests and the settings that judge a lesson."""
    left_out = shutil.ignore_patterns("__pycache__", "lesson_[0-9]*", "editions", "site", "files", "*.npz")
    shutil.copytree(PROJECT / "course_utils", folder / "course_utils", ignore=left_out)
    (folder / "tests" / "notebooks").mkdir(parents=True)
    (folder / "tests" / "exercises").mkdir()
    (folder / "tests" / "figures").mkdir()
    (folder / "notebooks").mkdir()
    for name in (
        "tests/__init__.py",
        "tests/mutants.py",
        "tests/exercises/__init__.py",
        "tests/figures/__init__.py",
        "tests/exercises/test_lessons.py",
        "tests/conftest.py",
    ):
        shutil.copy(PROJECT / name, folder / name)
    for name in ("pyproject.toml", "notebooks/ruff.toml", "requirements.lock"):
        shutil.copy(PROJECT / name, folder / name)
    (folder / "README.md").write_text(README, encoding="utf-8")
    return folder


def tool(course: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m ...` with the course's own package."""
    environment = {**os.environ, "PYTHONPATH": str(course), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-m", *arguments]
    return subprocess.run(line, cwd=course, env=environment, capture_output=True, text=True, timeout=900)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = bare(tmp_path_factory.mktemp("course"))
    done = tool(made, "course_utils", "new-lesson", NAME)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(str(made / path) in done.stdout for path in (*MADE, "README.md"))
    return made


@pytest.fixture
def made(course: Path, monkeypatch: pytest.MonkeyPatch) -> rules.Lesson:
    """The lesson as it is stored, with its exercises, which stand in the package of its course."""
    exercises = tmp_module(course / MADE[1])
    monkeypatch.setattr(catalogue, "lessons", lambda: {"20": exercises.__name__})
    monkeypatch.setitem(sys.modules, exercises.__name__, exercises)
    return rules.Lesson(course / MADE[0])


def tmp_module(path: Path) -> ModuleType:
    """A module from its file, under a name of its own."""
    spec = importlib.util.spec_from_file_location(f"made_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("rule", [*rules.RULES, *form.RULES], ids=lambda rule: rule.__name__)
def test_it_keeps_the_rule(made: rules.Lesson, rule: Any) -> None:
    assert rule(made) == []


def test_it_is_clean_for_ruff_and_mypy(course: Path) -> None:
    for arguments in (("check", *MADE), ("format", "--check", *MADE)):
        done = tool(course, "ruff", *arguments, "--no-cache")
        assert done.returncode == 0, done.stdout
    # without following imports, which takes a minute; `make types` follows them
    done = tool(
        course, "mypy", "--follow-imports=skip", "--no-warn-return-any", "--no-incremental", *MADE[1:3]
    )
    assert done.returncode == 0, done.stdout


def test_its_exercises_and_figures_pass_their_tests(course: Path) -> None:
    tests = [
        "tests/exercises/test_lessons.py",
        MADE[3],
        "-k",
        "20 or mean_of_draws",
        "-p",
        "no:cacheprovider",
    ]
    done = tool(course, "pytest", "-q", "-n", "0", *tests)
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None, done.stdout
    assert int(passed[1]) >= 39, done.stdout


def test_it_stands_in_the_readme_once(course: Path) -> None:
    text = (course / "README.md").read_text(encoding="utf-8")
    [row] = [line for line in text.splitlines() if line.startswith("| 20 ")]
    assert row == f"| 20 | [Mean of draws](notebooks/{NAME}.ipynb) | {lesson.QUESTION} |"
    assert text.replace(row + "\n", "") == README


def test_what_comes_next_is_the_lesson_after_it_and_after_the_last_the_first(tmp_path: Path) -> None:
    for name in ("00_start", "07_adam", "19_capstone"):
        (tmp_path / f"{name}.ipynb").touch()
    assert lesson.after("05_new", tmp_path) == "07_adam"
    assert lesson.after("20_last", tmp_path) == "00_start"
    assert lesson.after("00_only", tmp_path / "none") == "00_only"


# ---- what it refuses, and what a failure leaves


def test_the_row_goes_where_its_number_belongs() -> None:
    lines = lesson.with_row(README, "05", "new_one").splitlines()
    at = lines.index(f"| 05 | [New one](notebooks/05_new_one.ipynb) | {lesson.QUESTION} |")
    assert lines[at - 1].startswith("| 00 ")
    assert lines[at + 1].startswith("| 07 ")


def test_a_planned_row_is_linked_and_keeps_its_question() -> None:
    text = lesson.with_row(README, "09", "mean_of_draws")
    assert "| 09 | [Mean of draws](notebooks/09_mean_of_draws.ipynb) | Planned? |\n" in text
    assert len(text.splitlines()) == len(README.splitlines())


@pytest.mark.parametrize(
    ("readme", "message"),
    [(README, "has 09 as 'Mean of draws', not 'Other'"), ("# Nothing\n", "a table of lessons")],
)
def test_a_readme_that_does_not_fit_is_refused(readme: str, message: str) -> None:
    with pytest.raises(LessonError, match=message):
        lesson.with_row(readme, "09", "other")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mean_of_draws", "a name like"),
        ("20_Mean", "a name like"),
        ("20_mean.ipynb", "a name like"),
        ("20__mean", "a name like"),
        ("../20_mean", "a name like"),
        ("20_" + "m" * 40, "at most 40"),
        ("20_import", "Python can import"),
        ("07_other", "a number that is free, got 07: there is 07_adam.ipynb"),
        ("08_other", "there is lesson_08_x.py"),
        ("21_taken", r"files that are not there yet, found .*taken\.py"),
    ],
)
def test_a_name_is_refused(tmp_path: Path, name: str, message: str) -> None:
    for file in (
        "notebooks/07_adam.ipynb",
        "course_utils/exercises/lesson_08_x.py",
        "course_utils/figures/taken.py",
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("mine")
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(LessonError, match=message):
        lesson.new_lesson(name, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("problem", [None, KeyboardInterrupt, OSError])
def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Any) -> None:
    (tmp_path / "README.md").write_text(README, encoding="utf-8")

    def fail(folder: str, **options: object) -> dict[str, str]:
        if problem:
            raise problem
        return {NAME: "no kernel"}

    monkeypatch.setattr(in_place, "execute", fail)
    with pytest.raises(problem or LessonError):
        lesson.new_lesson(NAME, tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["README.md"]
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == README
