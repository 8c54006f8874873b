"""What is run again: a lesson whose notebook, modules, exercises, lock or versions changed, and no other."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_output

from course_utils.tools.cli import commands
from course_utils.tools.running import fingerprints, run
from course_utils.tools.running.fingerprints import fingerprint, modules
from tests.sample import RECORD, lesson

SOURCES = {
    "__init__.py": "",
    "top.py": "from course_utils.middle import thing\n",
    "middle.py": "def thing():\n    from course_utils import bottom\n    return bottom\n",
    "bottom.py": "import math\n",
    "folder/__init__.py": "from course_utils.folder.part import x\n",
    "folder/part.py": "x = 1\n",
    "data/__init__.py": "from course_utils.data.datasets import table",
    "data/datasets.py": "",
    "data/files/table.csv": "1,2\n",
    "other.py": "import course_utils.bottom\n",
    "exercises/__init__.py": "",
    "exercises/lesson_01_a.py": "",
    "exercises/lesson_02_b.py": "",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "course_utils"
    for name, text in SOURCES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "requirements.lock").write_text("torch==2\n")
    return folder


def names(path: Path, package: Path) -> set[str]:
    return {file.relative_to(package).as_posix() for file in modules(path, package)}


def test_modules_are_followed_through_their_imports(tmp_path: Path, package: Path) -> None:
    path = lesson(tmp_path / "01_a.ipynb", "from course_utils import top", "%magic", "import numpy as np")
    found = {"__init__.py", "top.py", "middle.py", "bottom.py", "exercises/lesson_01_a.py"}
    assert names(path, package) == found
    path = lesson(tmp_path / "03_c.ipynb", "from course_utils.folder import x")
    assert names(path, package) == {"__init__.py", "folder/__init__.py", "folder/part.py"}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("from .part import x", {"folder/part.py"}, id="beside"),
        pytest.param("from . import part", {"folder/part.py"}, id="beside, itself"),
        pytest.param("from .. import other", {"other.py", "bottom.py"}, id="above"),
        pytest.param("from ..other import thing", {"other.py", "bottom.py"}, id="of one above"),
        pytest.param("from ... import nothing", set(), id="outside"),
    ],
)
def test_relative_imports_are_followed_too(
    tmp_path: Path, package: Path, source: str, found: set[str]
) -> None:
    (package / "folder/__init__.py").write_text("from .near import x\n")
    (package / "folder/near.py").write_text(source + "\n")
    path = lesson(tmp_path / "03_c.ipynb", "from course_utils import folder")
    assert names(path, package) == {"__init__.py", "folder/__init__.py", "folder/near.py"} | found


CHANGES: dict[str, Callable[[Path], object]] = {
    "module": lambda p: (p / "top.py").write_text("from course_utils.middle import thing  # changed\n"),
    "module of a module, imported in a function": lambda p: (p / "bottom.py").write_text("import cmath\n"),
    "exercises": lambda p: (p / "exercises/lesson_01_a.py").write_text("1\n"),
    "lock": lambda p: (p.parent / "requirements.lock").write_text("torch==3\n"),
    "prose": lambda p: lesson(p.parent / "01_a.ipynb", "from course_utils import top, data", "1 + 1 "),
    "data file": lambda p: (p / "data/files/table.csv").write_text("1,3\n"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_lesson_stands_on_changes_its_fingerprint(tmp_path: Path, package: Path, change: str) -> None:
    path = lesson(tmp_path / "01_a.ipynb", "from course_utils import top, data", "1 + 1")
    before = fingerprint(path, {}, package)
    assert fingerprint(path, {}, package) == before
    CHANGES[change](package)
    text = nbformat.read(path, 4)
    text.cells[-1].source = text.cells[-1].source + ("2" if change == "prose" else "")
    nbformat.write(text, path)
    assert fingerprint(path, {}, package) != before


def test_what_it_does_not_stand_on_leaves_it(tmp_path: Path, package: Path) -> None:
    path = lesson(tmp_path / "01_a.ipynb", "from course_utils import top", "1 + 1")
    before = fingerprint(path, {}, package)
    (package / "other.py").write_text("changed = 1\n")
    (package / "exercises/lesson_02_b.py").write_text("changed = 1\n")
    (package / "data/files/table.csv").write_text("3\n")
    notebook = nbformat.read(path, 4)
    notebook.cells[-1].outputs = [new_output("stream", text="2")]
    nbformat.write(notebook, path)
    assert fingerprint(path, {}, package) == before


def test_parameters_and_torch_change_it(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lesson(tmp_path / "01_a.ipynb", "1")
    standard = fingerprint(path, {"PROFILE": "standard"}, package)
    assert fingerprint(path, {"PROFILE": "smoke"}, package) != standard
    monkeypatch.setattr(fingerprints, "_version", lambda name: "99")
    assert fingerprint(path, {"PROFILE": "standard"}, package) != standard


def test_a_changed_module_runs_its_lessons_again(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "fingerprint", functools.partial(fingerprint, package=package))
    notebooks, build = tmp_path / "notebooks", tmp_path / "build"
    lesson(notebooks / "01_a.ipynb", RECORD, "if 0:\n    from course_utils import top", 'record("01")')
    lesson(notebooks / "02_b.ipynb", RECORD, "if 0:\n    from course_utils import other", 'record("02")')
    lesson(notebooks / "03_c.ipynb", RECORD, 'record("03")')

    def again() -> list[str]:
        before = {p: p.stat().st_mtime_ns for p in build.rglob("run-*.json")}
        results = run.run(notebooks, build, parameters={"PROFILE": "smoke"}, bar=False, changed=True)
        assert [(r.lesson, r.state) for r in results] == [(n, "passed") for n in ("01_a", "02_b", "03_c")]
        return sorted(p.stem[4:6] for p in build.rglob("run-*.json") if before.get(p) != p.stat().st_mtime_ns)

    assert again() == ["01", "02", "03"]
    assert again() == []
    (package / "top.py").write_text("changed = 1\n")
    assert again() == ["01"]
    (package / "bottom.py").write_text("changed = 1\n")  # top no longer imports it
    assert again() == ["02"]
    (build / "executed" / "smoke" / "03_c.ipynb").unlink()
    assert again() == ["03"]


def test_ci_and_named_lessons_run_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def note(*args: Any, changed: bool, **others: Any) -> list[Any]:
        seen.append(changed)
        return []

    monkeypatch.setattr(run, "run", note)
    monkeypatch.setattr("course_utils.tools.report.report", lambda *args, **others: "page")
    line = ["run", "--notebooks", str(tmp_path), "--build", str(tmp_path)]
    monkeypatch.delenv("CI", raising=False)
    for extra in ([], ["--all"], ["05"], ["05", "--changed"]):
        assert CliRunner().invoke(commands, [*line, *extra]).exit_code == 0
    monkeypatch.setenv("CI", "true")
    CliRunner().invoke(commands, line)
    CliRunner().invoke(commands, [*line, "--changed"])
    assert seen == [True, False, False, True, False, True]
