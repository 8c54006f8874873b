"""`new-course`: what it copies is there, what it replaces is found, what is in the way is refused."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from course_utils import claim_records
from course_utils.tools.cli import commands
from course_utils.tools.lessons import LessonError
from course_utils.tools.template import course

PROJECT = Path(__file__).parents[3]


def test_the_machinery_is_there_and_no_algorithm_or_lesson_is() -> None:
    found = {path.relative_to(PROJECT).as_posix() for path in course._machinery(PROJECT)}
    assert {"Makefile", ".gitignore", ".ci/run", "course_utils/tools/cli.py", "tests/conftest.py"} <= found
    assert {"course_utils/_files.py", "course_utils/_checks.py"} <= found, "what the machinery imports"
    assert "course_utils/tools/template/lesson.txt" in found
    modules = {name.split("/")[1] for name in found if name.startswith("course_utils/")}
    assert modules == {
        "__init__.py", "__main__.py", "_checks.py", "_files.py", "_sliders", "claim_lines.py",
        "claim_records.py", "claims.py", "exercises", "figures",
        "intervals.py", "markup.py", "plotting.py", "profiles.py", "py.typed", "recorded", "tools",
    }  # fmt: skip
    left_out = [
        name for name in found if re.search(r"lesson_[0-8]\d|notebooks/\d\d|__pycache__|/files/", name)
    ]
    assert left_out == []


@pytest.mark.parametrize(("name", "pattern", "new"), course.CHANGES)
def test_what_is_replaced_is_found_and_gone_afterwards(name: str, pattern: str, new: str) -> None:
    text = (PROJECT / name).read_text(encoding="utf-8")
    changed, count = re.subn(pattern, new, text, flags=re.MULTILINE)
    assert count >= 1, (
        f"{name} has changed: say in course_utils/tools/template/course.py what is this course's own"
    )
    assert changed != text
    assert re.sub(pattern, new, changed, flags=re.MULTILINE) == changed, (
        "a course made from that one is no other"
    )


@pytest.mark.parametrize("what", ["file in it", "hidden file in it", "a file itself"])
def test_a_folder_in_use_is_refused(tmp_path: Path, what: str) -> None:
    target = tmp_path / "course"
    if what == "a file itself":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / (".git" if "hidden" in what else "mine")).write_text("mine")
    done = CliRunner().invoke(commands, ["new-course", str(target)])
    assert done.exit_code == 1
    assert "nothing was written: need a folder that is empty" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["course"]
    assert not target.is_dir() or len(list(target.iterdir())) == 1


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(draft: Path) -> None:
        raise LessonError("no kernel")

    monkeypatch.setattr(course, "_first_lesson", fail)
    with pytest.raises(LessonError, match="no kernel"):
        course.new_course(tmp_path / "course", PROJECT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", [False, True], ids=["not there yet", "empty"])
def test_the_folder_gets_the_course_when_its_first_lesson_runs(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, calls = tmp_path / "course", []

    def run(line: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
        calls.append((line, how["cwd"], how["env"]["PYTHONPATH"]))
        assert not target.exists() or not any(target.iterdir())
        return subprocess.CompletedProcess(line, len(calls) == 1, "", "the lesson does not run here\n")

    monkeypatch.setattr(subprocess, "run", run)
    if there:
        target.mkdir()
    with pytest.raises(LessonError, match=r"^the lesson does not run here$"):
        course.new_course(target, PROJECT)
    assert target.exists() == there
    course.new_course(target, PROJECT)
    assert (target / "Makefile").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["course"], "nothing is left beside it"
    for line, folder, package in calls:
        assert line[-2:] == ["new-lesson", course.FIRST]
        assert package == str(folder) != str(PROJECT), "by the new course's own package"


def test_a_project_without_its_tests_is_refused(tmp_path: Path) -> None:
    (tmp_path / "installed" / "course_utils").mkdir(parents=True)
    with pytest.raises(LessonError, match=r"need __main__\.py in .*a whole one, its tests included"):
        course.new_course(tmp_path / "course", tmp_path / "installed")


# ---- what is made

# What the course that it is made from is about. Its tests, which try the machinery on examples, may say it.
WORDS = re.compile(
    r"\badam|momentum|nesterov|adagrad|rmsprop|\bsgd\b|\bmuon\b|optimi[sz](?!e=True)|learning.?rate|dropout"
    r"|batch.?norm|overfit|regulari[sz]|weight.decay|gradient|neural|deep learning|mnist|\bloss(es)?\b"
    r"|augmentation|mixed.precision|kornia",
    re.IGNORECASE,
)
COPIES = (
    "docs/_static/vendor",
    "course_utils/tools/editions/vendor",
    "requirements.lock",
    "requirements-learner.lock",
    "tests",
)


def _words(text: str) -> list[str]:
    return [word[0].lower() for word in WORDS.finditer(text)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "course"
    course.new_course(folder, PROJECT)
    return folder


@pytest.mark.slow
def test_a_course_of_another_subject_shows_nothing_of_this_one(made: Path) -> None:
    files = [path for path in made.rglob("*") if path.is_file()]
    names = {path: path.relative_to(made).as_posix() for path in files}
    texts = {
        name: path.read_text(encoding="utf-8")
        for path, name in names.items()
        if not name.startswith(COPIES) and path.suffix not in (".pyc", ".svg")
    }
    assert {"README.md", "course_utils/tools/cli.py", "notebooks/00_start_here.ipynb", "docs/conf.py"} <= set(
        texts
    )
    pictures = re.compile(r'base64,\S+|"image/png": "[^"]+"')
    found = {name: sorted(set(_words(pictures.sub("", text)))) for name, text in texts.items()}
    found = {name: words for name, words in found.items() if words}
    assert found == {}


@pytest.mark.slow
def test_whatever_its_tests_import_is_there(made: Path) -> None:
    lost = set()
    for path in (made / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.ImportFrom)
                and node.module
                and re.match("(course_utils|tests)", node.module)
            ):
                place = made.joinpath(*node.module.split("."))
                if not place.is_dir() and not place.with_suffix(".py").exists():
                    lost.add((path.name, node.module))
    assert lost == set()


@pytest.mark.slow
def test_every_rule_of_its_makefile_is_listed(made: Path) -> None:
    text = (made / "Makefile").read_text(encoding="utf-8")
    lists = dict(re.findall(r"^([A-Z]+) +:= (.+)$", text, re.MULTILINE))
    [phony] = re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    listed = set(re.sub(r"\$\(([A-Z]+)\)", lambda found: lists[found[1]], phony).split())
    assert set(re.findall(r"^([a-z-]+):", text, re.MULTILINE)) == listed


def test_such_a_word_would_be_noticed() -> None:
    assert WORDS.search((PROJECT / "README.md").read_text(encoding="utf-8"))
    assert all(WORDS.search(text) for text in ("Adam", "the Learning rate", "a loss."))
    assert not WORDS.search("Madam, a glossary; save(file, optimize=True)")


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
import importlib, json, pathlib
root = pathlib.Path("course_utils")
names = sorted(".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in root.rglob("*.py"))
for name in names:
    if name != "course_utils.__main__":
        importlib.import_module(name)
from course_utils.exercises.engine import catalogue
from course_utils.exercises.engine.judge import judge_function
for exercise in catalogue.load("00").EXERCISES:
    assert judge_function(exercise, exercise.solution).state == "correct", exercise.id
    for wrong in exercise.wrong:
        assert judge_function(exercise, wrong.answer).cause == wrong.diagnosis, exercise.id
book = json.loads(pathlib.Path("notebooks/00_start_here.ipynb").read_text(encoding="utf-8"))
cells = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
space = {"__name__": "__main__"}
for cell in cells:
    exec(compile(cell, "<cell>", "exec"), space)
print(len(names), "modules,", len(cells), "cells")
"""


@pytest.mark.slow
def test_such_a_course_needs_no_torch(made: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(made),
        "COURSE_RECORD_DIR": str(tmp_path),
        "COURSE_HEADLESS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], cwd=made, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    [modules, cells] = map(int, re.findall(r"(\d+) (?:modules|cells)", done.stdout.splitlines()[-1]))
    assert modules > 60
    assert cells > 15
    record = claim_records.parse((tmp_path / "claims-00.json").read_bytes())
    assert {claim["verdict"] for claim in record["claims"]} == {"holds"}
    assert set(record["versions"]) == {"python", "numpy"}
