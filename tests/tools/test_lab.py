"""A learner's work is never overwritten, whatever an update brings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from course_utils.tools import lab
from course_utils.tools.cli import commands
from tests.mutants import mistakes


class Course:
    """A course of text files, which are no notebooks and handed out all the same, and one learner."""

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
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "4")
    first = course.workspace / "01_a 1.ipynb"
    assert lab.open_lab(course.workspace, first=first, browser=False) == 7
    ((command, environment),) = calls
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert str(course.workspace.resolve()) in command
    assert "--no-browser" in command
    assert "--allow-root" not in command
    assert command[command.index("--LabApp.default_url") + 1] == "/lab/tree/01_a%201.ipynb"
    assert (environment["OMP_NUM_THREADS"], environment["MKL_NUM_THREADS"]) == ("1", "4"), "unless told"
    assert "COURSE_HEADLESS" not in environment, "a reader's kernel is not a runner's"
    assert environment["JUPYTER_PATH"].split(os.pathsep)[-1] == str(lab.JUPYTERLAB)
    assert environment["JUPYTER_CONFIG_PATH"].split(os.pathsep)[0] == str(lab.JUPYTERLAB)
    assert (lab.JUPYTERLAB / "labextensions" / "course_lab" / "static" / "remoteEntry.js").exists()
    lab.open_lab(course.workspace, allow_root=True)
    assert "--allow-root" in calls[-1][0]
    assert "--no-browser" not in calls[-1][0]


# ---- notebooks: what counts as a change, and what becomes of answers

STUB = 'def step(p, lr):\n    """One step."""\n    ...\n\n\ncheck("01.step", step)'
ANSWER = STUB.replace("...", "return p - lr")
OTHER_STUB = 'choice = ...\ncheck("01.choice", choice)'
OTHER_ANSWER = OTHER_STUB.replace("...", "3")


class Lessons(Course):
    """One lesson, as a notebook, in its editions."""

    name = "01_a1.ipynb"

    def edition(self, *sources: str, ids: str = "abcdef", **more: Any) -> list[str]:
        return self.publish(a1=notebook(*sources, ids=ids, **more))

    def copy(self, name: str = name) -> Any:
        return json.loads((self.workspace / name).read_text(encoding="utf-8"))

    def sources(self, name: str = name) -> list[str]:
        return ["".join(cell["source"]) for cell in self.copy(name)["cells"]]

    def change(self, place: int, source: str, name: str = name) -> None:
        book = self.copy(name)
        book["cells"][place]["source"] = source
        self.write(name, json.dumps(book))


def notebook(*sources: str, ids: str = "abcdef", outputs: Sequence[str] = (), **metadata: Any) -> str:
    printed = [{"output_type": "stream", "name": "stdout", "text": text} for text in outputs]
    cells = [
        {
            "cell_type": "code",
            "id": id,
            "metadata": {},
            "source": source,
            "outputs": printed,
            "execution_count": 1,
        }
        for id, source in zip(ids, sources, strict=False)
    ]
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def lessons(tmp_path: Path) -> Lessons:
    made = Lessons(tmp_path)
    made.edition("x = 1", STUB, OTHER_STUB)
    return made


def test_what_jupyterlab_rewrites_is_no_change(lessons: Lessons) -> None:
    """Outputs, counts, metadata, the split of a source in lines, an empty cell at the end."""
    book = lessons.copy()
    book["metadata"] = {"kernelspec": {"name": "python3"}, "language_info": {"version": "3.12.1"}}
    for cell in book["cells"]:
        cell.update(
            outputs=[], execution_count=7, metadata={"trusted": True}, source=cell["source"].splitlines(True)
        )
    book["cells"].append({"cell_type": "code", "id": "new", "metadata": {}, "source": [], "outputs": []})
    lessons.write(lessons.name, json.dumps(book))
    assert lessons.publish() == [f"your copies in {lessons.workspace} are up to date"]
    lines = lessons.edition("x = 2", STUB, OTHER_STUB)
    assert lines == ["01_a1.ipynb: replaced by the new edition; you had not changed it"]
    assert lessons.sources()[0] == "x = 2"
    assert len(lessons.copies) == 1


@pytest.mark.parametrize("change", ["a source", "a new cell", "a kind", "an order"])
def test_what_a_learner_changes_is_a_change(lessons: Lessons, change: str) -> None:
    book = lessons.copy()
    if change == "a source":
        book["cells"][0]["source"] = "x = 7"
    elif change == "a new cell":
        book["cells"].append({"cell_type": "markdown", "id": "n", "metadata": {}, "source": "my note"})
    elif change == "a kind":
        book["cells"][0]["cell_type"] = "markdown"
    else:
        book["cells"].reverse()
    mine = json.dumps(book)
    lessons.write(lessons.name, mine)
    (line,) = lessons.edition("x = 2", STUB, OTHER_STUB)
    assert "yours stays as it is" in line
    assert lessons.copies[lessons.name] == mine


def test_answers_go_into_the_new_edition(lessons: Lessons) -> None:
    lessons.change(1, ANSWER)
    (line,) = lessons.edition(
        "x = 2", "print('new')", STUB, OTHER_STUB, ids="aebc", outputs=["not attempted yet"]
    )
    assert line.endswith("01_a1.new-edition.ipynb, with your answers to 01.step")
    assert lessons.sources("01_a1.new-edition.ipynb") == ["x = 2", "print('new')", ANSWER, OTHER_STUB]
    answered = lessons.copy("01_a1.new-edition.ipynb")["cells"][2]
    assert (answered["outputs"], answered["execution_count"]) == ([], None)
    assert lessons.sources() == ["x = 1", ANSWER, OTHER_STUB]
    lines = lessons.edition("x = 3", STUB, OTHER_STUB, ids="abc")
    assert lessons.sources("01_a1.new-edition.ipynb") == ["x = 3", ANSWER, OTHER_STUB]
    assert len(lessons.copies) == 2, lines


def test_the_answer_written_last_goes_on(lessons: Lessons) -> None:
    lessons.change(1, ANSWER)
    lessons.edition("x = 2", STUB, OTHER_STUB)
    lessons.change(1, ANSWER.replace("p - lr", "p - 2 * lr"), "01_a1.new-edition.ipynb")
    lessons.change(2, OTHER_ANSWER, "01_a1.new-edition.ipynb")
    lessons.edition("x = 3", STUB, OTHER_STUB)
    third = lessons.sources("01_a1.new-edition-2.ipynb")
    assert third == ["x = 3", ANSWER.replace("p - lr", "p - 2 * lr"), OTHER_ANSWER]
    assert lessons.sources("01_a1.new-edition.ipynb")[0] == "x = 2"


def test_an_old_stub_is_no_answer(lessons: Lessons) -> None:
    """The exercise was not attempted, and its stub is another one now."""
    lessons.change(0, "x = 5")
    better = STUB.replace("One step.", "One step of size lr.")
    (line,) = lessons.edition("x = 2", better, OTHER_STUB)
    assert "answers" not in line
    assert lessons.sources("01_a1.new-edition.ipynb")[1] == better


def test_a_copy_with_carried_answers_is_never_taken_for_an_untouched_one(lessons: Lessons) -> None:
    """A learner who goes on in the new edition, under the lesson's own name, keeps the answers."""
    lessons.change(1, ANSWER)
    lessons.edition("x = 2", STUB, OTHER_STUB)
    (lessons.workspace / "01_a1.new-edition.ipynb").replace(lessons.workspace / lessons.name)
    (line,) = lessons.edition("x = 3", STUB, OTHER_STUB)
    assert "yours stays as it is" in line
    assert lessons.sources() == ["x = 2", ANSWER, OTHER_STUB]
    assert lessons.sources("01_a1.new-edition.ipynb") == ["x = 3", ANSWER, OTHER_STUB]


def test_an_answer_in_another_cell_goes_along(lessons: Lessons) -> None:
    lessons.change(0, "x = 1\n\ndef mine(p, lr):\n    return p - lr")
    lessons.change(1, 'check("01.step", mine)')
    lessons.edition("x = 2", STUB, OTHER_STUB)
    answer = lessons.sources("01_a1.new-edition.ipynb")[1]
    assert answer == 'x = 1\n\ndef mine(p, lr):\n    return p - lr\n\n\ncheck("01.step", mine)'


def test_of_several_attempts_the_cell_of_the_exercise_counts(lessons: Lessons) -> None:
    lessons.change(1, ANSWER)
    lessons.change(0, 'x = 1\ncheck("01.step", lambda p, lr: p)')
    lessons.edition("x = 2", STUB, OTHER_STUB)
    assert lessons.sources("01_a1.new-edition.ipynb")[1] == ANSWER
    book = lessons.copy()
    book["cells"] = [{**cell, "id": f"{cell['id']}2"} for cell in book["cells"]]  # an editor gave new ids
    lessons.write(lessons.name, json.dumps(book))
    (lessons.workspace / "01_a1.new-edition.ipynb").unlink()
    lessons.edition("x = 3", STUB, OTHER_STUB)
    assert lessons.sources("01_a1.new-edition.ipynb")[1] == ANSWER


def test_a_damaged_copy_stays_and_stops_nothing(lessons: Lessons) -> None:
    lessons.write(lessons.name, '{"cells": [{"cell_type": "code"')
    (line,) = lessons.edition("x = 2", STUB, OTHER_STUB)
    assert "yours stays as it is" in line
    assert lessons.copies[lessons.name].startswith('{"cells": [{')
    assert lessons.sources("01_a1.new-edition.ipynb")[0] == "x = 2"


FOLDED: dict[str, bool] = {
    'claim("01.a", "A.", 1.0, at_most=2)': True,
    'with also_checked("more"):\n    claim("01.a", "A.", 1.0, at_most=2)': True,
    'plotting.show(figure(x), alt="what it shows")': True,
    'plotting.explore(f, {"x": [1]}, start={"x": 1}, alt="a")\nplotting.animate(f, 3, alt="b")': True,
    'y = 2\nplotting.show(figure(y), alt="what it shows")': False,
    "x = 1": False,
    "run(x)": False,
    "with open(x) as f:\n    claim(f)": False,
    "": False,
    "def broken(": False,
    STUB: False,
}


@pytest.mark.parametrize("source", FOLDED)
def test_code_that_only_shows_or_claims_is_folded_in_the_copy(lessons: Lessons, source: str) -> None:
    lessons.edition(source, STUB)
    folded, stub = (cell["metadata"].get("jupyter", {}) for cell in lessons.copy()["cells"])
    assert (folded, stub) == ({"source_hidden": True} if FOLDED[source] else {}, {})
    assert lessons.publish() == [f"your copies in {lessons.workspace} are up to date"]


def test_a_fresh_copy_stands_beside_and_is_never_over_work(lessons: Lessons) -> None:
    lessons.change(1, ANSWER)
    (path,) = lab.put_fresh(lessons.notebooks, lessons.workspace, ["01"])
    assert path.name == "01_a1.fresh.ipynb"
    assert lessons.sources(path.name) == ["x = 1", STUB, OTHER_STUB]
    assert lessons.sources()[1] == ANSWER
    assert lab.put_fresh(lessons.notebooks, lessons.workspace, ["01"]) == [path], "untouched, it is put again"
    lessons.change(1, ANSWER, path.name)
    (other,) = lab.put_fresh(lessons.notebooks, lessons.workspace, ["01_a1"])
    assert other.name == "01_a1.fresh-2.ipynb"
    assert lessons.sources(path.name)[1] == ANSWER


def test_what_was_worked_on_last_is_opened(course: Course) -> None:
    def opened() -> str:
        return lab.to_open(course.notebooks, course.workspace).name

    assert opened() == "01_a1.ipynb", "the first, where nothing was touched"
    course.write("02_b2.ipynb", "mine")
    assert opened() == "02_b2.ipynb"
    course.write("01_a1.ipynb", "mine")
    os.utime(course.workspace / "01_a1.ipynb", (1, 1))
    assert opened() == "02_b2.ipynb"
    course.publish(c3="three")
    assert opened() == "02_b2.ipynb", "a lesson that has just arrived is not one that was worked on"


# ---- work in notebooks/, which updates write to


@pytest.fixture
def checkout(lessons: Lessons) -> Lessons:
    git(lessons, "init", "-q")
    git(lessons, "add", "notebooks")
    git(lessons, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "first")
    return lessons


def git(lessons: Lessons, *words: str) -> None:
    subprocess.run(["git", "-C", str(lessons.notebooks.parent), *words], check=True)


def work_in_notebooks(lessons: Lessons, place: int, source: str) -> str:
    path = lessons.notebooks / lessons.name
    book = json.loads(path.read_text())
    book["cells"][place]["source"] = source
    path.write_text(json.dumps(book))
    return path.read_text()


def test_work_in_notebooks_is_moved_into_the_workspace(checkout: Lessons) -> None:
    mine = work_in_notebooks(checkout, 1, ANSWER)
    (line,) = checkout.publish()
    assert "your work is now in 01_a1.ipynb, and `git restore notebooks/01_a1.ipynb` lets updates in" in line
    assert checkout.copies == {"01_a1.ipynb": mine}
    git(checkout, "restore", "notebooks/01_a1.ipynb")
    assert checkout.publish() == [f"your copies in {checkout.workspace} are up to date"]
    assert checkout.copies == {"01_a1.ipynb": mine}, "it is nobody's edition"
    (checkout.notebooks / checkout.name).write_text(notebook("x = 2", STUB, OTHER_STUB))
    git(checkout, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "second")
    checkout.publish()
    assert checkout.sources("01_a1.new-edition.ipynb") == ["x = 2", ANSWER, OTHER_STUB]


def test_work_in_both_folders_is_kept(checkout: Lessons) -> None:
    checkout.change(2, OTHER_ANSWER)
    here = checkout.copies["01_a1.ipynb"]
    there = work_in_notebooks(checkout, 1, ANSWER)
    (line,) = checkout.publish()
    assert "your work is now in 01_a1.from-notebooks.ipynb" in line
    assert checkout.copies == {"01_a1.ipynb": here, "01_a1.from-notebooks.ipynb": there}
    (line,) = checkout.publish()
    assert "nothing in it is lost" in line
    assert len(checkout.copies) == 2, "moved once"


def test_a_lesson_that_was_only_run_in_notebooks_is_named(checkout: Lessons) -> None:
    path = checkout.notebooks / checkout.name
    path.write_text(path.read_text().replace('"execution_count": 1', '"execution_count": 2'))
    before = checkout.copies
    (line,) = checkout.publish()
    assert "was opened there; nothing in it is lost" in line
    assert checkout.copies == before


def test_progress_made_in_notebooks_is_added(lessons: Lessons) -> None:
    def keep(folder: Path, **states: str) -> None:
        folder.mkdir()
        records = {f"01.{name}": {"state": state, "attempts": 1} for name, state in states.items()}
        (folder / "progress.json").write_text(json.dumps({"version": 1, "exercises": records}))

    keep(lessons.notebooks / ".course", step="correct", choice="wrong")
    keep(lessons.workspace / ".course", choice="correct")
    lessons.publish()
    kept = json.loads((lessons.workspace / ".course" / "progress.json").read_text())["exercises"]
    assert {id: record["state"] for id, record in kept.items()} == {
        "01.step": "correct",
        "01.choice": "correct",
    }


# ---- mistakes that would lose somebody's work


def check_outputs_are_no_change(module: Any) -> None:
    ran, not_run = (notebook("x = 1", STUB, outputs=lines).encode() for lines in (["done"], []))
    assert module.digest(ran) == module.digest(not_run)


def check_kinds_are_a_change(module: Any) -> None:
    text = notebook("x = 1", STUB)
    assert module.digest(text.encode()) != module.digest(text.replace('"code"', '"markdown"', 1).encode())


def check_stubs_are_no_answers(module: Any) -> None:
    old, new = notebook("x = 1", STUB).encode(), notebook("x = 2", STUB.replace("One", "A")).encode()
    assert module.with_answers(new, [old], module.exercise_digests(old)) == (new, [])


def check_the_newest_answer_goes_on(module: Any) -> None:
    olds = [notebook("x = 1", STUB.replace("...", f"return {k}")).encode() for k in (1, 2)]
    answered, _ = module.with_answers(notebook("x = 2", STUB).encode(), olds, [])
    assert b"return 2" in answered


MUTANTS: dict[str, tuple[str, str, Callable[[Any], None]]] = {
    "every-byte-counts": (
        "    sources = [[cell",
        "    return _hash(content)\n    sources = [[cell",
        check_outputs_are_no_change,
    ),
    "kinds-do-not-count": (
        '[[cell["cell_type"], _source(cell)] for',
        "[_source(cell) for",
        check_kinds_are_a_change,
    ),
    "stubs-are-answers": ("_of_cell(source) not in unanswered:", "True:", check_stubs_are_no_answers),
    "oldest-first": ("for old in reversed(olds):", "for old in olds:", check_the_newest_answer_goes_on),
}

test_mistakes_are_caught = mistakes("course_utils.tools.copies", MUTANTS)
