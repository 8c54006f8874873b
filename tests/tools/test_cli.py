"""The commands: what each says and with what status it ends, where all goes well and where it does not."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from course_utils import __main__
from course_utils.tools import cli, in_place, lab, report
from course_utils.tools.doctor import PROJECT
from course_utils.tools.editions import instructor
from course_utils.tools.grading import grade
from course_utils.tools.lessons import LessonError
from course_utils.tools.running import run as runner
from course_utils.tools.running.results import Result as Outcome
from course_utils.tools.site import build as site
from course_utils.tools.template import course, lesson


@pytest.fixture(autouse=True)
def signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands set handlers of signals; those of the tests stay."""
    monkeypatch.setattr(cli, "_interruptible", lambda: None)


def say(*words: str) -> Result:
    return CliRunner().invoke(cli.commands, [*words])


def gives(value: Any) -> Any:
    """A function that gives a value, or raises it."""

    def function(*args: Any, **kwargs: Any) -> Any:
        if isinstance(value, BaseException):
            raise value
        return value

    return function


BROKEN = [
    (LessonError("no lesson '77'"), 2, "nothing was run:\nno lesson '77'"),
    (KeyboardInterrupt(), 130, "interrupted"),
    (OSError("disk full"), 1, "broke off"),
]


SAID: dict[str, tuple[Any, str, list[tuple[Any, int, str]]]] = {
    "run": (runner, "run", BROKEN),
    "notebooks": (
        in_place,
        "execute",
        [
            *BROKEN,
            ({"05_momentum": "false claim"}, 1, "left as it was: 05_momentum\nfalse claim"),
            ({}, 0, ""),
        ],
    ),
    "site": (
        site,
        "make",
        [
            (0, 0, "index.html"),
            (1, 1, "the site was built with warnings"),
            (LessonError("no lesson"), 1, "no lesson"),
            (
                ModuleNotFoundError("No module named 'sphinx'"),
                1,
                "pip install --no-deps -r requirements.lock",
            ),
        ],
    ),
    "new-lesson 20_topic": (
        lesson,
        "new_lesson",
        [
            ([Path("a.ipynb"), Path("b.py")], 0, "a.ipynb\nb.py\n"),
            (LessonError("taken"), 1, "nothing was written: taken"),
        ],
    ),
}


@pytest.mark.parametrize(
    ("words", "answer", "status", "text"),
    [(words, *case) for words, (_, _, cases) in SAID.items() for case in cases],
)
def test_status_and_words(
    words: str, answer: Any, status: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, function, _ = SAID[words]
    monkeypatch.setattr(module, function, gives(answer))
    done = say(*words.split())
    assert done.exit_code == status
    assert text in done.output


def test_run_passes_on_what_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def run(notebooks: Path, build: Path, **how: Any) -> list[Outcome]:
        asked.update(how)
        return [Outcome("05_momentum"), Outcome("07_adam", state="failed", error="false claim 07.x")]

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(report, "report", gives(tmp_path / "index.html"))
    words = [
        "--seed",
        "3",
        "--device",
        "cpu",
        "--profile",
        "smoke",
        "-p",
        "RATES",
        "[1, 2]",
        "-p",
        "NAME",
        "a b",
    ]
    done = say("run", "05", *words)
    assert done.exit_code == 1
    assert asked["parameters"] == {
        "PROFILE": "smoke", "SEED": 3, "DEVICE": "cpu", "RATES": "[1, 2]", "NAME": "a b"
    }  # fmt: skip
    assert asked["only"] == ("05",)
    assert not asked["changed"], "a lesson that is named runs whether it changed or not"
    assert "failed: 07_adam\nfalse claim 07.x" in done.output
    assert "1 of 2 lessons passed at smoke" in done.output


def test_a_parameter_that_has_an_option_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(runner, "run", lambda *place, **how: asked.update(how) or [])
    monkeypatch.setattr(report, "report", lambda build, **how: asked.update(how))
    assert "0 of 0 lessons passed at smoke" in say("run", "-p", "PROFILE", "smoke", "-p", "SEED", "3").output
    assert asked["parameters"] == {"PROFILE": "smoke", "SEED": "3"}
    assert asked["profile"] == "smoke"


@pytest.mark.parametrize(
    "words", ["--profile standard -p PROFILE smoke", "--seed 1 -p SEED 2", "-p LR 1 -p LR 2"]
)
def test_a_parameter_that_is_given_twice_is_refused(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "run", gives(AssertionError("it ran")))
    done = say("run", *words.split())
    assert done.exit_code == 2
    assert "need each parameter once, got" in done.output


def test_run_without_a_report_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "run", gives([Outcome("05_momentum")]))
    monkeypatch.setattr(report, "report", gives(OSError("disk full")))
    done = say("run")
    assert done.exit_code == 1
    assert "the report could not be written: disk full" in done.output


def test_new_course_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "new_course", gives(None))
    done = say("new-course", str(tmp_path / "mine"))
    assert done.exit_code == 0
    assert f"cd {tmp_path / 'mine'} && make test" in done.output


def test_the_guide_is_written_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def write(page: Path, notebooks: Path) -> Path:
        written.append((page, notebooks))
        return page

    monkeypatch.setattr(instructor, "write", write)
    assert say("editions", "--guide").exit_code == 0
    assert written == [(PROJECT / "docs" / "instructor.md", cli.NOTEBOOKS)]


def test_lab_that_cannot_copy_says_that_nothing_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "hand_out", gives(OSError("disk full")))
    monkeypatch.setattr(lab, "open_lab", gives(AssertionError("opened")))
    done = say("lab")
    assert done.exit_code == 1
    assert "yours are as they were: disk full" in done.output


def test_lab_ends_as_jupyterlab_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "hand_out", gives(["2 lessons copied"]))
    monkeypatch.setattr(lab, "open_lab", gives(7))
    monkeypatch.setattr(lab, "is_root", gives(False))
    done = say("lab")
    assert (done.exit_code, done.output) == (7, "2 lessons copied\n")


def test_lab_is_not_opened_by_root_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def open_lab(workspace: Path, **options: Any) -> int:
        opened.append(options)
        return 0

    monkeypatch.setattr(lab, "hand_out", gives(["2 lessons copied"]))
    monkeypatch.setattr(lab, "open_lab", open_lab)
    monkeypatch.setattr(lab, "is_root", gives(True))
    done = say("lab")
    assert (done.exit_code, opened) == (1, [])
    assert "2 lessons copied" in done.output
    assert "make lab ALLOW_ROOT=1" in done.output
    assert say("lab", "--copy-only").exit_code == 0
    assert say("lab", "--allow-root").exit_code == 0
    assert [one["allow_root"] for one in opened] == [True]


def test_lab_puts_a_fresh_copy_beside_and_opens_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def open_lab(workspace: Path, *, first: Path, **options: Any) -> int:
        opened.append(first.name)
        return 0

    monkeypatch.setattr(lab, "open_lab", open_lab)
    folders = ["--notebooks", str(cli.NOTEBOOKS), "--workspace", str(tmp_path), "--allow-root"]
    assert say("lab", *folders).exit_code == 0
    done = say("lab", *folders, "--fresh", "05")
    assert done.exit_code == 0
    assert "05_momentum.fresh.ipynb: as published; yours is as it was" in done.output
    assert opened == ["00_start_here.ipynb", "05_momentum.fresh.ipynb"]
    done = say("lab", *folders, "--fresh", "77")
    assert done.exit_code == 1
    assert "nothing was copied: no lesson '77'" in done.output
    assert len(opened) == 2


def test_grading_that_is_interrupted_says_where_the_rest_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grade, "grade", gives(KeyboardInterrupt()))
    before = signal.getsignal(signal.SIGTERM)
    try:
        done = say("grade", str(tmp_path), "--unsafe", "--out", str(tmp_path / "grades.csv"))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert done.exit_code == 130
    assert f"what was graded is in {tmp_path / 'grades.csv'}" in done.output


@pytest.mark.parametrize(
    "words", ["site", "new-lesson 20_topic", "new-course mine", "editions", "editions --guide"]
)
def test_what_works_on_a_checkout_is_refused_elsewhere(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "PROJECT", tmp_path)
    monkeypatch.chdir(tmp_path)
    done = say(*words.split())
    assert done.exit_code == 1
    assert f"need a checkout of the course, got {tmp_path}; run this in a checkout" in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_lessons_is_named(tmp_path: Path) -> None:
    done = say("lab", "--notebooks", str(tmp_path), "--workspace", str(tmp_path / "workspace"))
    assert done.exit_code == 1
    assert f"nothing was copied: need lessons named NN_topic.ipynb, found none in {tmp_path}" in done.output
    assert "run this in a checkout of the course" in done.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("called", "name"),
    [("/env/bin/course-utils", "course-utils"), ("/a/__main__.py", "python -m course_utils")],
)
def test_usage_names_the_command_as_it_was_called(
    called: str, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [called, "--help"])
    with pytest.raises(SystemExit):
        __main__.main()
    assert capsys.readouterr().out.startswith(f"Usage: {name} [OPTIONS] COMMAND")


def test_a_polite_end_is_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt):
        cli._interrupt(signal.SIGTERM, None)


def test_an_incomplete_environment_sends_to_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "course_utils.tools.cli", None)
    monkeypatch.setattr(sys, "argv", ["python -m course_utils", "run"])
    with pytest.raises(SystemExit, match=r"(?s)not complete.*python -m course_utils doctor"):
        __main__.main()
