"""A learner's work is never overwritten, whatever an update brings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from course_utils.tools import lab
from course_utils.tools.cli import commands


class Course:
    """A course of text files (the hand-out does not read them) and one learner."""

    def __init__(self, folder: Path) -> None:
        self.notebooks, self.workspace = folder / "notebooks", folder / "workspace"
        self.notebooks.mkdir()

    def publish(self, **lessons: str) -> list[str]:
        for name, text in lessons.items():
            (self.notebooks / f"0{name[-1]}_{name}.ipynb").write_text(text, encoding="utf-8")
        return lab.hand_out(self.notebooks, self.workspace)

    def write(self, name: str, text: str) -> None:
        (self.workspace / name).write_text(text, encoding="utf-8")

    @property
    def copies(self) -> dict[str, str]:
        found = sorted(self.workspace.glob("*.ipynb"))
        return {path.name: path.read_text(encoding="utf-8") for path in found}


@pytest.fixture
def course(tmp_path: Path) -> Course:
    made = Course(tmp_path)
    assert made.publish(a1="one", b2="two") == [f"2 lessons copied to {made.workspace}"]
    return made


def test_first_copy(course: Course) -> None:
    assert course.copies == {"01_a1.ipynb": "one", "02_b2.ipynb": "two"}
    assert course.publish() == [f"your copies in {course.workspace} are up to date"]


def test_changed_copy_stays_and_the_new_edition_is_beside_it(course: Course) -> None:
    course.write("01_a1.ipynb", "mine")
    lines = course.publish(a1="one, second edition")
    assert course.copies == {
        "01_a1.ipynb": "mine",
        "01_a1.new-edition.ipynb": "one, second edition",
        "02_b2.ipynb": "two",
    }
    assert lines == [
        "01_a1.ipynb: yours stays as it is; the new edition is beside it, 01_a1.new-edition.ipynb"
    ]
    assert course.publish() == [f"your copies in {course.workspace} are up to date"], "said once"


def test_unchanged_copy_is_replaced(course: Course) -> None:
    assert course.publish(a1="second") == ["01_a1.ipynb: replaced by the new edition; you had not changed it"]
    assert course.copies["01_a1.ipynb"] == "second"


def test_new_edition_that_was_not_touched_is_replaced_by_the_next(course: Course) -> None:
    course.write("01_a1.ipynb", "mine")
    course.publish(a1="second")
    course.publish(a1="third")
    assert course.copies["01_a1.ipynb"] == "mine"
    assert course.copies["01_a1.new-edition.ipynb"] == "third"


def test_work_in_a_new_edition_is_kept_too(course: Course) -> None:
    course.write("01_a1.ipynb", "mine")
    course.publish(a1="second")
    course.write("01_a1.new-edition.ipynb", "mine, too")
    (line,) = course.publish(a1="third")
    assert "01_a1.new-edition-2.ipynb" in line
    assert course.copies["01_a1.ipynb"] == "mine"
    assert course.copies["01_a1.new-edition.ipynb"] == "mine, too"
    assert course.copies["01_a1.new-edition-2.ipynb"] == "third"


def test_deleted_copy_comes_back_and_a_new_lesson_arrives(course: Course) -> None:
    (course.workspace / "01_a1.ipynb").unlink()
    assert course.publish(c3="three") == [f"2 lessons copied to {course.workspace}"]
    assert course.copies == {"01_a1.ipynb": "one", "02_b2.ipynb": "two", "03_c3.ipynb": "three"}


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"01_a1.ipynb": 3}'])
def test_damaged_manifest_loses_nothing(course: Course, damage: str) -> None:
    course.write("01_a1.ipynb", "mine")
    (course.workspace / lab.MANIFEST).write_text(damage)
    course.publish(a1="second", b2="second")
    assert course.copies["01_a1.ipynb"] == "mine"
    assert course.copies["01_a1.new-edition.ipynb"] == "second"
    assert course.copies["02_b2.ipynb"] == "two", "without a manifest it may be the learner's"
    assert (course.workspace / ".handed-out.damaged.json").exists()
    assert set(json.loads((course.workspace / lab.MANIFEST).read_text())) == {"01_a1.ipynb", "02_b2.ipynb"}


def test_crash_between_copy_and_manifest(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    course.write("01_a1.ipynb", "mine")

    def crash(*arguments: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(lab, "_save", crash)
        with pytest.raises(OSError, match="no space"):
            course.publish(a1="second")
    course.publish()
    assert course.copies == {"01_a1.ipynb": "mine", "01_a1.new-edition.ipynb": "second", "02_b2.ipynb": "two"}


def test_command_copies_only(course: Course, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    arguments = ["lab", "--notebooks", str(course.notebooks), "--workspace", str(fresh), "--copy-only"]
    done = CliRunner().invoke(commands, arguments)
    assert done.exit_code == 0, done.output
    assert "2 lessons copied to" in done.output
    assert (fresh / "01_a1.ipynb").read_text() == "one"


def test_jupyterlab_opens_in_the_workspace_with_this_python(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    class Server:
        def __init__(self, command: list[str], env: dict[str, str]) -> None:
            calls.append((command, env))
            self.interrupts = 1

        def __enter__(self) -> Server:
            return self

        def __exit__(self, *problem: object) -> None: ...

        def wait(self) -> int:
            if self.interrupts:
                self.interrupts = 0
                raise KeyboardInterrupt
            return 7

    monkeypatch.setattr(subprocess, "Popen", Server)
    assert lab.open_lab(course.workspace, browser=False) == 7
    ((command, environment),) = calls
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert str(course.workspace.resolve()) in command
    assert "--no-browser" in command
    assert "COURSE_HEADLESS" not in environment, "a reader's kernel is not a runner's"
    assert environment["JUPYTER_PATH"]
