"""The engine: what check says of every kind of answer, that nothing it meets stops a lesson, what is kept."""

# ruff: noqa: E501  (what a learner reads is written here whole, to be compared to the letter)

from __future__ import annotations

import _thread
import json
import linecache
import os
import pickle
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

import course_utils.exercises as exercises
from course_utils.exercises.engine import (
    ask,
    catalogue,
    commands,
    compare,
    process,
    progress_file,
    quizzes,
    stub,
)
from course_utils.exercises.engine import judge as judging
from course_utils.exercises.engine import verdict as verdicts
from course_utils.exercises.engine.ask import verdict_on
from course_utils.exercises.engine.child import Child
from course_utils.exercises.engine.model import Exercise, Quiz, Wrong
from course_utils.exercises.engine.verdict import Verdict
from tests import lesson_98_made_up as made_up
from tests.mutants import mistakes

ROOT = Path(__file__).parents[2]
MEAN = "mean(x=torch.tensor([1.0, 2.0, 6.0], dtype=torch.float64))"
AGAIN = 'failing("98.mean") returns these arguments.'
HELP = f'hint("98.mean") helps; {AGAIN}'
SUM = [
    f"wrong on {MEAN}:",
    "  expected torch.tensor(3.0, dtype=torch.float64), got torch.tensor(9.0, dtype=torch.float64)",
    "Likely cause: This is the sum.",
]


@pytest.fixture(autouse=True)
def learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner with no progress yet, who has the made-up lesson."""
    monkeypatch.setattr(catalogue, "PACKAGES", [*catalogue.PACKAGES, "tests"])
    monkeypatch.setenv("COURSE_PROGRESS_DIR", str(tmp_path / "progress"))
    monkeypatch.delenv("COURSE_HEADLESS", raising=False)
    monkeypatch.setattr(commands, "_failing", {})
    return tmp_path / "progress"


def cell(source: str, name: str = "answer") -> Any:
    """A function as a notebook's cell makes it: its source is in linecache, in no file."""
    file = f"<cell {abs(hash(source))}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    names: dict[str, Any] = {"torch": torch}
    exec(compile(source, file, "exec"), names)
    return names[name]


def say(capsys: pytest.CaptureFixture[str], function: Callable[..., None], *args: Any) -> list[str]:
    capsys.readouterr()
    function(*args)
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out.splitlines()


def saved(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "progress.json").read_text())["exercises"]


# --- what check says -------------------------------------------------------------------------------

SAYS = [
    ("98.mean", "return x.mean()", ["correct.", "Sum over n."]),
    ("98.mean", "print('n', len(x))\n    return x.mean()",
     ["correct.", "Sum over n.", "It printed: n 3 (lines in all: 2)"]),
    ("98.mean", "return x.sum()", [*SUM, AGAIN]),
    ("98.mean", "y = x.sum()\n    x += 1\n    return y",
     [*SUM, "Also, your function changes its argument `x`.", AGAIN]),
    ("98.mean", "raise ArithmeticError if len(x) == 3 else x.sum()",
     ["raised ArithmeticError in line 2, `raise ArithmeticError if len(x) == 3 else x.sum()`.",
      f"This was on {MEAN}.", HELP]),
    ("98.mean", "x /= len(x)\n    return x.sum()",
     ["wrong: the result is right, but your function changes its argument `x`. Work on a copy (`.clone()`).",
      AGAIN]),
    ("98.mean", "return 0 * x[0]",
     [f"wrong on {MEAN}:", "  expected torch.tensor(3.0, dtype=torch.float64), got torch.tensor(0.0, dtype=torch.float64)", HELP]),
    ("98.mean", "return x[-1]",
     [f"wrong on {MEAN}:", "  expected torch.tensor(3.0, dtype=torch.float64), got torch.tensor(6.0, dtype=torch.float64)",
      "Right on 1 of 2 inputs.", HELP]),
    ("98.mean", "return x.mean() * float('nan')",
     [f"wrong on {MEAN}:", "  expected torch.tensor(3.0, dtype=torch.float64), got torch.tensor(nan, dtype=torch.float64) "
      "(NaN: look for 0/0, inf - inf, or the log or root of a negative number)", HELP]),
    ("98.mean", "x.mean()",
     [f"wrong on {MEAN}:", "  expected a tensor, got None: is a `return` missing?", HELP]),
    ("98.mean", "return x.mean().float()",
     [f"wrong on {MEAN}:", "  expected dtype torch.float64, got torch.float32", HELP]),
    ("98.mean", "return x.mean(0, keepdim=True)",
     [f"wrong on {MEAN}:", "  expected shape (), got (1,)", HELP]),
    ("98.mean", "return x.mean().item()",
     [f"wrong on {MEAN}:", "  expected a tensor, got a float: was .item() or float() one call too many?", HELP]),
    ("98.mean", "return x.mean().numpy()", ["correct.", "Sum over n."]),
    ("98.mean", "return (one for one in x)", [f"wrong on {MEAN}:", "  expected a tensor, got a generator", HELP]),
    ("98.mean", "return x.mean",
     [f"wrong on {MEAN}:", "  expected a tensor, got a builtin_function_or_method: is it a function that was not "
      "called?", HELP]),
    ("98.mean", "if len(x) == 1:\n        return x[0]\n    return undefined",
     ["raised NameError in line 4, `return undefined`: name 'undefined' is not defined",
      "This name is not known to your answer: a typing slip, a missing import, a cell not yet run?",
      f"This was on {MEAN}. Right on 1 of 2 inputs.", HELP]),
    ("98.mean", "w = torch.zeros(1, requires_grad=True)\n    w += 1\n    return w",
     ["raised RuntimeError in line 3, `w += 1`: a leaf Variable that requires grad is being used in an in-place "
      "operation.", "PyTorch refuses to change a parameter in place while it records: put the update under "
      "`with torch.no_grad():`, or build a new tensor.", f"This was on {MEAN}.", HELP]),
    ("98.mean", "return x @ torch.ones(7, dtype=x.dtype)",
     ["raised RuntimeError in line 2, `return x @ torch.ones(7, dtype=x.dtype)`: inconsistent tensor size, expected "
      "tensor [3] and src [7] to have the same number of elements, but got 3 and 7 elements respectively",
      "The shapes do not fit: print `.shape` of both sides, look for a missing or extra dimension.",
      f"This was on {MEAN}.", HELP]),
    ("98.mean", "return torch.arange(3).mean()",
     ["raised RuntimeError in line 2, `return torch.arange(3).mean()`: mean(): could not infer output dtype. Input "
      "dtype must be either a floating point or complex dtype. Got: Long",
      "The dtypes do not fit: make integer tensors floating (`.double()`) and keep one dtype throughout.",
      f"This was on {MEAN}.", HELP]),
    ("98.mean", "raise SystemExit(3)",
     ["raised SystemExit in line 2, `raise SystemExit(3)`: 3",
      "Give the answer by `return`; exit() ends the whole program.", f"This was on {MEAN}.", HELP]),
    ("98.mean", "return input()",
     ["raised EOFError in line 2, `return input()`: EOF when reading a line",
      "There is no keyboard here: use the arguments instead of input().", f"This was on {MEAN}.", HELP]),
    ("98.mean", "n = len(x)\n    return x.sum(), ...",
     [f"wrong on {MEAN}:", "  expected a tensor, got a tuple", HELP]),
    ("98.mean", "y = 1\n    return ... if y else x", ["not attempted yet: it still returns the stub's `...`."]),
    ("98.scale", "return 3 * int(x)", ["correct."]),
    ("98.scale", "return 2.0 * x",
     ["wrong on scale(x=1.0):", "  expected 3.0, got 2.0", "Right on 1 of 3 inputs.", 'hint("98.scale") helps; failing("98.scale") returns these arguments.']),
    ("98.scale", "return 3.00001 * x",
     ["wrong on scale(x=1.0):", "  expected 3.0, got 3.00001", "Right on 1 of 3 inputs.",
      'hint("98.scale") helps; failing("98.scale") returns these arguments.']),
    ("98.scale", "return 3.0000000001 * x", ["correct."]),
    ("98.scale", "return x == 0",
     ["wrong on scale(x=0.0):", "  expected a float, got a bool", 'hint("98.scale") helps; failing("98.scale") returns these arguments.']),
    ("98.noisy", "return torch.randn(x)", ["correct."]),
    ("98.noisy", "y = torch.randn(x)\n    y[-1] = 0\n    return y",
     ["wrong on noisy(3):", "  expected torch.tensor([1.541, -0.293429, -2.17879]), got torch.tensor([1.541, -0.293429, 0.0])",
      'hint("98.noisy") helps; failing("98.noisy") returns these arguments.']),
    ("98.pair", "return x + 1, {'mean': 2.0}", ["correct."]),
    ("98.pair", "return x + 1, {'mean': 1.0}",
     ["wrong on pair(x=torch.tensor([1.0, 3.0])):", "  in [1]['mean']: expected 2.0, got 1.0",
      'hint("98.pair") helps; failing("98.pair") returns these arguments.']),
    ("98.pair", "return x + 1, {'mean': 2.0}, 3",
     ["wrong on pair(x=torch.tensor([1.0, 3.0])):", "  expected 2 items, got 3", 'hint("98.pair") helps; failing("98.pair") returns these arguments.']),
    ("98.pair", "return [x + 1, {'mean': 2.0}]", ["correct."]),
    ("98.pair", "return {'mean': 2.0}, x + 1",
     ["wrong on pair(x=torch.tensor([1.0, 3.0])):",
      "  in [0]: expected a tensor, got a dict: the right results, in another order",
      'hint("98.pair") helps; failing("98.pair") returns these arguments.']),
]  # fmt: skip


@pytest.mark.parametrize(("id", "body", "lines"), SAYS)
def test_what_check_says(id: str, body: str, lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    answer = cell(f"def answer(x):\n    {body}\n")
    assert say(capsys, exercises.check, id, answer) == [f"{id}: {lines[0]}", *lines[1:]]
    assert len(lines) <= 6


STEP = "step_(p=torch.tensor([1.0]), g=torch.tensor([2.0]), lr=0.5)"
STEP_AGAIN = 'failing("98.step_in_place") returns these arguments.'
STEPS = [
    ("p -= lr * g", ["correct."]),
    ("p += lr * g", [
        f"wrong on {STEP}:",
        "  argument `p` afterwards, in ['value']: expected torch.tensor([0.0]), got torch.tensor([2.0])",
        "Likely cause: Uphill.", STEP_AGAIN]),
    ("p = p - lr * g", [
        f"wrong on {STEP}:", "  argument `p` afterwards, in ['value']: expected torch.tensor([0.0]), got torch.tensor([1.0])",
        'hint("98.step_in_place") helps; failing("98.step_in_place") returns these arguments.']),
    ("p -= lr * g; g.zero_()", [
        f"wrong on {STEP}:", "  argument `g` afterwards, in ['value']: expected torch.tensor([2.0]), got torch.tensor([0.0])",
        'hint("98.step_in_place") helps; failing("98.step_in_place") returns these arguments.']),
]  # fmt: skip


@pytest.mark.parametrize(("body", "lines"), STEPS)
def test_an_exercise_that_mutates(body: str, lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    answer = cell(f"def answer(p, g, lr):\n    {body}\n")
    assert say(capsys, exercises.check, "98.step_in_place", answer)[0] == f"98.step_in_place: {lines[0]}"
    assert verdict_on(made_up.EXERCISES[1], answer).lines == tuple(lines)


def test_arguments_that_do_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    lines = say(capsys, exercises.check, "98.mean", cell("def answer(x, y):\n    return x\n"))
    missing = "answer() missing 1 required positional argument: 'y'"
    assert lines[0] == f"98.mean: raised TypeError when it was called: {missing}"
    assert lines[1] == "The arguments do not fit: keep the stub's first line as it is."


VALUES = [
    (..., "not attempted yet."),
    (42, "correct."),
    (42.00001, "correct."),
    (13.0, "wrong: This is the sum."),
    (" Forty-Two", "wrong: In digits, please."),
    (41, "wrong: got 41, which is not it."),
    (True, "wrong: expected a float, got a bool."),
    (torch.tensor(42.0), "correct."),
    (np.array(42.0), "correct."),
    (torch.tensor(13.0), "wrong: This is the sum."),
    (torch.tensor(41), "wrong: got torch.tensor(41), which is not it."),
    (torch.tensor(True), "wrong: expected a float, got a bool."),
    (
        torch.tensor([42.0]),
        "wrong: expected a float, got a tensor: .item() takes the number out of a tensor.",
    ),
    (None, "wrong: expected a float, got None: is a `return` missing?"),
    (len, "wrong: a value is asked for, this is a function. Pass what it returns."),
    (float("nan"), "wrong: got nan, which is not it."),
]


@pytest.mark.parametrize(("value", "line"), VALUES)
def test_a_value_exercise(value: Any, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = say(capsys, exercises.check, "98.answer", value)
    assert said[0] == f"98.answer: {line}"
    assert not any("42" in line for line in said), "the expected value is given away"


STUBS = [
    'def mean(x):\n    """Anything."""\n    n = len(x)\n    return ...\n',
    "def mean(x):\n    n = len(x)\n    return ...\n",
    'def mean(x):\n    """The mean."""\n    ...\n',
    "def mean(x):\n    pass\n",
    "def mean(x):\n    return ...\n",
    "def mean(x):\n    return\n",
    "def mean(x):\n    raise NotImplementedError('later')\n",
    "mean = ...\n",
]
NOT_STUBS = [
    "def mean(x):\n    n = len(x)\n    return n\n",
    "def mean(x):\n    n = len(x)\n    return 3\n",
    "def mean(x):\n    n = sum(x)\n    return ...\n",
    "def mean(x):\n    return 5\n",
    "def mean(x):\n    return x\n",
    "def mean(x):\n    raise ValueError\n",
    "def mean(x):\n    yield\n",
    "mean = 0\n",
]


def check_stubs(not_attempted: Callable[[Exercise, Any], bool]) -> None:
    for source in STUBS:
        assert not_attempted(made_up.EXERCISES[0], cell(source, "mean")), source
    for source in NOT_STUBS:
        assert not not_attempted(made_up.EXERCISES[0], cell(source, "mean")), source


def test_a_stub_is_found_without_running_it(monkeypatch: pytest.MonkeyPatch) -> None:
    check_stubs(stub.not_attempted)
    monkeypatch.setattr(process, "ask", lambda *_: pytest.fail("the stub was run"))
    for source in STUBS:
        assert verdict_on(made_up.EXERCISES[0], cell(source, "mean")).state == "not attempted"


# --- nothing stops a lesson ------------------------------------------------------------------------


LOOP = "Look for a loop that never ends, or for work that grows fast with the size of the input."


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("def answer(x):\n    while True: pass\n",
         [f"stopped: it did not finish within 1 s on {MEAN}.", LOOP, AGAIN]),
        ("import time\ndef answer(x):\n    time.sleep(3600)\n",
         [f"stopped: it did not finish within 1 s on {MEAN}.", LOOP, AGAIN]),
        ("import os\ndef answer(x):\n    if len(x) == 1: os._exit(7)\n    return x.mean()\n",
         ["stopped: it ended its Python process on mean(x=torch.tensor([4.0], dtype=torch.float64)).",
          "Look for an exit, for memory that runs out, or a crash inside a library.", AGAIN]),
    ],
    ids=["hang", "sleep", "exit"],
)  # fmt: skip
def test_a_hang_or_a_crash_ends_in_the_child(source: str, lines: list[str]) -> None:
    exercise = made_up.EXERCISES[0]
    assert verdict_on(exercise, exercise.solution).state == "correct"
    verdict = verdict_on(exercise, cell(source))
    assert (verdict.state, verdict.lines) == ("raised", tuple(lines))
    assert process._worker is not None
    assert process._worker.child.alive, "a fresh process is started at once"
    assert verdict_on(exercise, exercise.solution).state == "correct"


def test_an_interrupt_gets_through_and_ends_the_child() -> None:
    exercise = made_up.EXERCISES[0]
    verdict_on(exercise, exercise.solution)
    before = process._worker
    threading.Timer(0.3, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        exercises.check("98.mean", cell("def answer(x):\n    while True: pass\n"))
    assert before is not None
    assert not before.child.alive


def test_a_child_serves_one_answer_after_another() -> None:
    exercise = made_up.EXERCISES[0]
    verdict_on(exercise, exercise.solution)
    before = process._worker
    for answer in (exercise.solution, torch.sum, cell("def answer(x):\n    raise SystemExit\n")):
        assert verdict_on(exercise, answer).state in ("correct", "wrong", "raised")
    assert process._worker is before


def test_what_the_child_says_on_its_pipe_and_that_it_ends_with_it() -> None:
    """The process itself, spoken to without its keeper: one line for each event, whatever answers print."""
    asked = [(id, f"def answer(x):\n    {body}\n", lines) for id, body, lines in SAYS]
    asked += [("98.step_in_place", f"def answer(p, g, lr):\n    {body}\n", lines) for body, lines in STEPS]
    exercise = {one.id: one for one in made_up.EXERCISES}
    requests = [ask._request(exercise[id], cell(source)) for id, source, _ in asked]
    requests.append(requests[0] | {"answer": b"no pickle"})
    done = subprocess.run(
        [sys.executable, "-m", "course_utils.exercises.engine.worker"],
        input=b"".join(map(pickle.dumps, requests)),
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=600,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events.pop(0) == {"event": "ready"}
    said = [event for event in events if event["event"] == "verdict"]
    assert [verdict["lines"] for verdict in said[:-1]] == [lines for *_, lines in asked]
    assert said[-1]["state"] == "failed"
    assert said[-1]["lines"][0].startswith("UnpicklingError")
    first = [event["event"] for event in events[:4]]
    assert first == ["input", "input", "called", "verdict"]


SILENT = [sys.executable, "-c", "import time; time.sleep(3600)"]
UNAVAILABLE = {
    "import sys": "the child process did not start",
    'print(\'{"event": "ready"}\', flush=True)\nimport sys; sys.stdin.buffer.read(9)': "the child process has ended",
}


@pytest.mark.parametrize("program", UNAVAILABLE)
def test_a_child_that_cannot_be_had_is_told_so(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a second try: a machine out of memory or of processes is no fault of the answer."""
    made = []

    def start(command: list[str], **how: Any) -> Any:
        made.append(Child([sys.executable, "-c", program], **how))
        return made[-1]

    monkeypatch.setattr(process, "_worker", None)
    monkeypatch.setattr(process, "Child", start)
    assert verdict_on(made_up.EXERCISES[0], made_up.EXERCISES[0].solution) == Verdict(
        "failed", (f"could not be tried: {UNAVAILABLE[program]}. Run this cell again.",)
    )
    assert len(made) == 2
    assert not any(child.alive for child in made)


def test_a_child_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_START", 0.3)
    monkeypatch.setattr(process, "_worker", None)
    monkeypatch.setattr(process, "Child", lambda command, **how: Child(SILENT, **how))
    assert verdict_on(made_up.EXERCISES[0], made_up.EXERCISES[0].solution) == Verdict(
        "failed", ("could not be tried: the child process did not reply. Run this cell again.",)
    )


def test_an_answer_that_cannot_be_read_over_there_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "_pickled", lambda answer: b"no pickle")
    verdict = verdict_on(made_up.EXERCISES[0], made_up.EXERCISES[0].solution)
    assert verdict.state == "failed"
    assert verdict.lines[0].startswith("could not be tried: UnpicklingError")


def test_starting_the_child_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_worker", None)
    monkeypatch.setattr(process, "Child", lambda command, **how: Child(SILENT, **how))
    worker = process.start()  # its child never says that it is ready
    assert process.start() is worker
    worker.child.end()
    assert not worker.child.alive


def test_the_child_ends_with_its_notebook() -> None:
    code = "from course_utils.exercises.engine import process; print(process.start().child.process.pid, flush=True); input()"
    notebook = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert notebook.stdout is not None
    child = int(notebook.stdout.readline())
    notebook.kill()
    notebook.communicate(timeout=600)
    import psutil

    def gone() -> bool:
        return not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE

    deadline = time.monotonic() + 600
    while not gone() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert gone()


class Hostile:
    """An object that raises wherever it is touched."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __reduce__(self) -> Any:
        raise RuntimeError("no")


@pytest.mark.parametrize("id", ["98.mean", "98.answer", "98.men", "5", "", 7, None])
@pytest.mark.parametrize(
    "answer",
    [
        Hostile(),
        (lambda h: lambda x: h)(Hostile()),
        (lambda lock: lambda x: lock)(threading.Lock()),
        int,
        {},
        "x",
    ],
    ids=["hostile", "holds-hostile", "holds-lock", "class", "dict", "str"],
)
def test_check_never_raises(id: Any, answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    lines = say(capsys, exercises.check, id, answer)
    assert 1 <= len(lines) <= 6
    assert "0x" not in "".join(lines)
    assert "correct" not in "".join(lines)


def test_an_answer_that_cannot_be_sent_is_told_so_and_not_counted(
    learner: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = threading.Lock()
    lines = say(capsys, exercises.check, "98.mean", lambda x: lock)
    assert lines[0].startswith("98.mean: could not be tried: it cannot be sent")
    assert not learner.exists()


def test_settings_that_an_answer_changes_do_not_reach_the_next() -> None:
    exercise = made_up.EXERCISES[3]
    answer = "def answer(n):\n    torch.set_default_dtype(torch.float64)\n    torch.set_grad_enabled(False)\n"
    assert verdict_on(exercise, cell(answer + "    return 1\n")).state == "wrong"
    assert verdict_on(exercise, cell("def answer(n):\n    return torch.randn(n)\n")).state == "correct"


def test_an_answer_from_a_module_is_sent_as_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "my_answers.py"
    file.write_text("def mean(x):\n    return helper(x)\ndef helper(x):\n    return x.sum()\n")
    module = __import__("my_answers")
    try:
        assert verdict_on(made_up.EXERCISES[0], module.mean).cause == "This is the sum."
        file.write_text(file.read_text().replace("x.sum()", "x.mean()"))
        exec(compile(file.read_text(), str(file), "exec"), module.__dict__)  # what importlib.reload does
        assert verdict_on(made_up.EXERCISES[0], module.mean).state == "correct"
    finally:
        del sys.modules["my_answers"]


def test_only_the_lesson_of_the_id_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def load(lesson: str) -> ModuleType:
        asked.append(lesson)
        return made_up

    monkeypatch.setattr(catalogue, "load", load)
    assert catalogue.find_exercise("98.mean") is made_up.EXERCISES[0]
    assert asked == ["98"]


UNKNOWN = [
    (exercises.check, "98.meen", 'there is no exercise "98.meen"; near ones: 98.mean'),
    (exercises.hint, "98.answr", 'there is no exercise "98.answr"; near ones: 98.answer'),
    (exercises.solution, "98.zzzzzz", 'there is no exercise "98.zzzzzz"; near ones: 98.mean'),
    (exercises.reset, "97.xxxxxx", 'there is no exercise "97.xxxxxx"; lessons with one: '),
    (exercises.quiz, "98.wich", 'there is no quiz "98.wich"; near ones: 98.which'),
    (exercises.quiz, "98.mean", 'there is no quiz "98.mean"; near ones: 98.which'),
    (exercises.check, 5, "the id comes first, in quotes, got int"),
    (exercises.progress, "97", "there is no lesson '97' with exercises; lessons: "),
]


@pytest.mark.parametrize(("function", "id", "start"), UNKNOWN)
def test_an_unknown_id_names_near_ones(
    function: Callable[..., None], id: Any, start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = say(capsys, function, id)
    assert line.startswith(start)


# --- hints, solutions, quizzes ---------------------------------------------------------------------


def test_hints_rise_and_the_last_points_to_the_solution(capsys: pytest.CaptureFixture[str]) -> None:
    last = ["Hint 3 of 3: the third hint", 'That is the last hint; solution("98.mean") shows an answer.']
    assert say(capsys, exercises.hint, "98.mean") == ["Hint 1 of 3: the first hint"]
    assert say(capsys, exercises.hint, "98.mean") == ["Hint 2 of 3: the second hint"]
    assert say(capsys, exercises.hint, "98.mean") == last
    assert say(capsys, exercises.hint, "98.mean") == last
    exercises.reset("98.mean")
    assert say(capsys, exercises.hint, "98.mean") == ["Hint 1 of 3: the first hint"]


def test_the_solution_is_its_plain_source_and_note(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["def mean(x):", "    return x.sum() / len(x)", "", "# Sum over n."]
    assert say(capsys, exercises.solution, "98.mean") == lines
    assert say(capsys, exercises.solution, "98.answer") == ["42.0"]


def test_a_quiz_in_html_has_one_name_no_script_and_says_right_or_wrong_in_words() -> None:
    page = quizzes.as_html(made_up.QUIZZES[0])
    assert page == quizzes.as_html(made_up.QUIZZES[0])
    assert re.findall(r'<details name="([^"]+)">', page) == ["quiz-98.which"] * 2
    assert "<script" not in page
    assert "color" not in page
    assert "<p><strong>Predict first.</strong> Is <code>1 &lt; 2</code>?</p>" in page
    assert "<summary>yes</summary><p><strong>Right.</strong> As everybody &lt;knows&gt;.</p>" in page
    assert "<summary>no</summary><p><strong>Wrong.</strong> That is the other way round.</p>" in page


def test_a_quiz_in_text(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        "Predict first. Is `1 < 2`?",
        "  a) yes",
        "  b) no",
        'quiz("98.which", "a") says what is behind choice a.',
    ]
    assert say(capsys, exercises.quiz, "98.which") == lines
    assert say(capsys, exercises.quiz, "98.which", "a") == ["a) yes", "Right. As everybody <knows>."]
    assert say(capsys, exercises.quiz, "98.which", "b") == ["b) no", "Wrong. That is the other way round."]
    assert say(capsys, exercises.quiz, "98.which", "c") == ["the choices are a, b"]
    assert say(capsys, exercises.quiz, "98.which", 2) == ["the choices are a, b"]
    assert say(capsys, exercises.quiz, "98.which")[-1] == "You chose b.", "the last choice is kept"
    assert say(capsys, exercises.quiz, "98.which", "A")[0] == "a) yes"
    assert '<details name="quiz-98.which" open><summary>yes' in quizzes.as_html(made_up.QUIZZES[0], "a")


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    made = InteractiveShell.instance()
    yield made
    InteractiveShell.clear_instance()
    sys.excepthook = sys.__excepthook__


def test_in_ipython(shell: InteractiveShell, learner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("from course_utils.exercises import check, quiz\nimport torch")
    source = "def mean(x):\n    y = x.mean()\n    return y + missing\n"
    capsys.readouterr()
    shell.run_cell(source + 'check("98.mean", mean)')
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "98.mean: raised NameError in line 3, `return y + missing`: name 'missing' is not defined"
    assert saved(learner)["98.mean"]["source"] == source
    shell.run_cell('quiz("98.which")')
    assert "Predict first." in capsys.readouterr().out


def test_failing_gives_the_arguments_to_try_again(capsys: pytest.CaptureFixture[str]) -> None:
    answer = cell("def answer(x):\n    return x.mean() if len(x) == 3 else 0 * x[0]\n")
    assert say(capsys, exercises.failing, "98.mean")[0].startswith("98.mean: no answer has failed")
    exercises.check("98.mean", answer)
    before = torch.get_rng_state(), random.getstate()
    (x,) = exercises.failing("98.mean") or ()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert x.tolist() == [4.0]
    assert answer(x) == 0
    x.zero_()
    assert (exercises.failing("98.mean") or ())[0].tolist() == [4.0], "made anew"
    exercises.check("98.mean", made_up.mean)
    assert exercises.failing("98.mean") is None


ORDER = [
    ("def step_(p, lr, g):\n    p -= 0.5 * g\n",
     "It is called with (p, g, lr), in this order; yours takes (p, lr, g).", "step_(torch.tensor([1.0])"),
    ("def step_(w, v, rate):\n    w += rate * v\n", "Likely cause: Uphill.", "step_(torch.tensor([1.0])"),
    ("def step_(p, g, lr, more=1):\n    p += lr * g\n", "Likely cause: Uphill.", "step_(p=torch.tensor([1.0])"),
    ("def step_(*all):\n    all[0].add_(all[1], alpha=all[2])\n", "Likely cause: Uphill.", "step_(p=torch"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "line", "call"), ORDER)
def test_a_failing_call_can_be_typed_in_as_it_is_shown(source: str, line: str, call: str) -> None:
    verdict = verdict_on(made_up.EXERCISES[1], cell(source, "step_"))
    assert line in verdict.lines
    assert call in dict(verdict.facts)["Input"]


def test_the_childs_default_dtype_is_the_notebooks() -> None:
    """Lesson 02 sets it to float64: an answer returns there what it returns in the next cell."""
    pair = made_up.EXERCISES[4]
    answer = cell("def answer(x):\n    return x + torch.ones(2), {'mean': 4.0}\n")
    assert "got 4.0" in verdict_on(pair, answer).lines[1]
    torch.set_default_dtype(torch.float64)
    try:
        assert "expected dtype torch.float32, got torch.float64" in verdict_on(pair, answer).lines[1]
        assert verdict_on(pair, made_up.pair).state == "correct"
    finally:
        torch.set_default_dtype(torch.float32)
    assert "got 4.0" in verdict_on(pair, answer).lines[1]


NOTEBOOK = [
    ("import functools\n@functools.cache\ndef mean(x):\n    return x.mean()\n", "correct."),
    ("import functools\n@functools.lru_cache(maxsize=3)\ndef f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)\n"
     "def mean(x):\n    return x.mean() * f(3) / 2\n", "correct."),
    ("def mean(x):\n    display(x)\n    get_ipython()\n    return x.mean()\n", "correct."),
    ("def mean(x):\n    exit()\n", "raised SystemExit in line 2, `exit()`"),
    ("def mean(x):\n    p = torch.nn.Parameter(x.mean()); p.grad = torch.zeros_like(p)\n"
     "    torch.optim.Adam([p]).step()\n    return p\n", "correct."),
]  # fmt: skip


@pytest.mark.parametrize(("source", "line"), NOTEBOOK)
def test_what_a_notebook_has_an_answer_has(
    source: str, line: str, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell("from course_utils.exercises import check\nimport torch")
    shell.run_cell(source)
    capsys.readouterr()
    shell.run_cell('check("98.mean", mean)')
    assert capsys.readouterr().out.startswith(f"98.mean: {line}")


def test_an_error_in_a_helper_of_another_cell_is_shown_there() -> None:
    helper = cell("def helper(x):\n    y = 1\n    return y / 0\n", "helper")
    answer = cell("def answer(x):\n    return helper(x)\n")
    answer.__globals__["helper"] = helper
    first = verdict_on(made_up.EXERCISES[0], answer).lines[0]
    assert first == "raised ZeroDivisionError in line 3 of `helper`, `return y / 0`: division by zero"


def test_an_answer_that_replaces_what_others_use_is_told_and_spoils_nothing() -> None:
    exercise = made_up.EXERCISES[0]
    for source in ("torch.sum = torch.Tensor.sum = lambda *a: 7", "import math; math.exp = None"):
        lines = verdict_on(exercise, cell(f"def answer(x):\n    {source}\n    return x.sum()\n")).lines
        assert any("for everything that comes after" in line for line in lines)
        assert verdict_on(exercise, exercise.solution).state == "correct"
        assert verdict_on(exercise, torch.sum).cause == "This is the sum."


def test_an_answer_that_takes_the_solution_is_told() -> None:
    imported = (
        "def answer(x):\n    from course_utils.exercises import lesson_00_start_here\n    return x.mean()\n"
    )
    by_name = "import sys\ndef answer(x):\n    sys.modules['course_utils.exercises.lesson_00']\n"
    helped = "from course_utils.exercises import lesson_00_start_here as l\ndef answer(x):\n    return l, x.mean()\n"
    for source in (imported, by_name, helped):
        assert verdicts.BORROWED in verdict_on(made_up.EXERCISES[0], cell(source)).lines
    own = cell("from course_utils.optimizers import SGD\ndef answer(x):\n    return SGD and x.mean()\n")
    assert verdict_on(made_up.EXERCISES[0], own).lines == ("correct.", "Sum over n.")


def test_time_is_for_each_input() -> None:
    """Two inputs of .6 s each, where 1 s is allowed; the slow one is named."""
    wait = "import time\ndef answer(x):\n    time.sleep(.6 if len(x) == 3 else {})\n    return x.mean()\n"
    assert verdict_on(made_up.EXERCISES[0], cell(wait.format(0.6))).state == "correct"
    assert "torch.tensor([4.0]" in verdict_on(made_up.EXERCISES[0], cell(wait.format(60))).lines[0]


def test_a_command_called_the_wrong_way_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    commands: Any = exercises
    assert say(capsys, commands.check) == ["check(id, answer): missing a required argument: 'id'"]
    assert say(capsys, commands.hint) == ["hint(id): missing a required argument: 'id'"]
    assert say(capsys, exercises.check, "98.mean", "mean")[0].endswith("Pass its name without quotes.")


WORDS = [
    (3, 3.0, ": int(...) makes a whole number of it"),
    (6931.1318, float(np.float32(6931.1312)), "compute in float64"),
    ([1, 2], range(1, 3), ": list(...) makes one of it"),
    ((1.0, 2.0), (2.0, 1.0), ": the right results, in another order"),
]


@pytest.mark.parametrize(("expected", "got", "words"), WORDS)
def test_a_difference_says_what_usually_causes_it(expected: Any, got: Any, words: str) -> None:
    taken = compare.snapshot(expected), compare.snapshot(got)
    found = compare.difference(*taken, rtol=1e-9, atol=1e-12)
    assert found is not None
    assert words in found.note
    far = compare.difference(6931.1318, 6950.5, rtol=1e-9, atol=1e-12)
    assert far is not None
    assert far.note == ""


# --- progress --------------------------------------------------------------------------------------


def test_progress_records_state_attempts_hints_and_source(
    learner: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong, right = (cell(f"def answer(x):\n    return x.{name}()\n") for name in ("sum", "mean"))
    exercises.check("98.mean", ...)
    assert not learner.exists(), "an untouched stub is no attempt"
    exercises.check("98.mean", wrong)
    assert saved(learner)["98.mean"] == {
        "state": "wrong", "attempts": 1, "source": "def answer(x):\n    return x.sum()\n"
    }  # fmt: skip
    exercises.hint("98.mean")
    exercises.check("98.mean", right)
    exercises.check("98.mean", wrong)
    record = saved(learner)["98.mean"]
    assert record["state"] == "correct", "solved stays solved"
    assert (record["attempts"], record["hints"], record["source"]) == (
        3,
        1,
        "def answer(x):\n    return x.sum()\n",
    )
    exercises.check("98.answer", 13)
    assert say(capsys, exercises.progress, "98") == [
        "98 made up: ■□□□□□ 1 of 6 solved, about 9 minutes left",
        "  98.mean           core     3 min  solved, 3 attempts, 1 hint",
        "  98.step_in_place  extra    4 min  not attempted",
        "  98.scale          core     2 min  not attempted",
        "  98.noisy          core     1 min  not attempted",
        "  98.pair           core     1 min  not attempted",
        "  98.answer         core     1 min  tried, 1 attempt",
        "Next: Scale (`98.scale`, core, 2 min).",
    ]
    assert say(capsys, exercises.progress)[0] == "98 made up: ■□□□□□ 1 of 6 solved, about 9 minutes left"
    first, *lines = say(capsys, exercises.progress, "all")
    assert re.fullmatch(r"00 start here: □+ 0 of \d+ solved, about \d+ minutes left", first)
    assert len(lines) == len(catalogue.lessons()), "a line for each other lesson, and what is next"
    assert lines[-2:] == [
        "98 made up: ■□□□□□ 1 of 6 solved, about 9 minutes left",
        "Next: Scale (`98.scale`, core, 2 min).",
    ]
    assert say(capsys, exercises.reset, "98.mean") == ["98.mean: begun anew."]
    record = saved(learner)["98.mean"]
    assert (record["state"], record["attempts"], record["hints"]) == ("not attempted", 0, 0)
    assert record["source"], "what a learner wrote is kept"


def test_a_runner_neither_reads_nor_writes_progress(
    learner: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    exercises.check("98.answer", 42)
    exercises.hint("98.answer")
    before = (learner / "progress.json").read_bytes()
    monkeypatch.setenv("COURSE_HEADLESS", "1")
    for _ in range(2):
        assert say(capsys, exercises.hint, "98.answer") == ["Hint 1 of 3: the first hint"]
        assert say(capsys, exercises.check, "98.answer", 13) == ["98.answer: wrong: This is the sum."]
    assert "  98.answer         core     1 min  not attempted" in say(capsys, exercises.progress, "98")
    exercises.reset("98.answer")
    assert (learner / "progress.json").read_bytes() == before


def bump(record: dict[str, Any]) -> None:
    record["attempts"] = record.get("attempts", 0) + 1


def check_damage(progress_file: ModuleType, folder: Path) -> None:
    damaged = [b"", b"{", b"\xff\xfe", b"[]", b'{"exercises": []}', b'{"exercises": {"98.mean": 3}}',
               b'{"exercises": {"98.mean": {"state": 3}}}', b'{"exercises": {"98.mean": {"hints": -3}}}',
               b'{"exercises": {}, "version": 99}', b"[" * 100_000]  # fmt: skip
    for n, content in enumerate(damaged, start=1):
        folder.mkdir(exist_ok=True)
        (folder / "progress.json").write_bytes(content)
        record, notes = progress_file.update("98.mean", lambda record: record.update(attempts=1))
        assert record == {"attempts": 1}
        aside = folder / f"progress.damaged-{n}.json"
        assert aside.exists(), content[:80]
        assert aside.read_bytes() == content
        assert notes == [
            f"(progress.json could not be read; it is kept as {aside.name} and a new one begins)"
        ]
        assert saved(folder) == {"98.mean": {"attempts": 1}}


def test_a_damaged_file_is_set_aside(learner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_damage(progress_file, learner)
    (learner / "progress.json").write_text("half a fi")
    lines = say(capsys, exercises.progress, "98")
    assert lines[-1].startswith("(progress.json could not be read; it is kept as progress.damaged-11.json")
    assert (learner / "progress.damaged-11.json").read_text() == "half a fi"


def check_sharing(progress_file: ModuleType, folder: Path) -> None:
    def work(id: str) -> None:
        for _ in range(15):
            progress_file.update(id, bump)

    threads = [threading.Thread(target=work, args=(id,)) for id in ("98.mean", "98.mean", "98.pair")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert saved(folder) == {"98.mean": {"attempts": 30}, "98.pair": {"attempts": 15}}


def test_two_notebooks_do_not_lose_each_others_results(learner: Path) -> None:
    check_sharing(progress_file, learner)
    code = (
        "from course_utils.exercises.engine import progress_file\n"
        "def bump(r): r['attempts'] = r.get('attempts', 0) + 1\n"
        "for _ in range(15): progress_file.update('98.scale', bump)\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(2)]
    assert [process.wait(timeout=600) for process in both] == [0, 0]
    assert saved(learner)["98.scale"] == {"attempts": 30}


def test_a_lock_left_behind_by_a_killed_notebook_holds_nothing(
    learner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import os; from course_utils.exercises.engine import progress_file\n"
        "progress_file.update('98.mean', lambda record: os._exit(1))\n"
    )
    learner.mkdir()
    environment = os.environ | {"COURSE_PROGRESS_DIR": str(learner)}
    # The first call of the change is on a blank record, outside the lock: skip it.
    code = code.replace(
        "lambda record: os._exit(1)", "lambda record, n=[]: n.append(1) or len(n) > 1 and os._exit(1)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=False).returncode == 1
    )
    assert (learner / "progress.lock").exists()
    monkeypatch.setattr(progress_file, "_WAIT", 0.0)
    assert progress_file.update("98.mean", bump) == ({"attempts": 1}, [])


def test_a_lock_that_is_held_is_waited_for_then_named(
    learner: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress_file, "_WAIT", 0.1)
    learner.mkdir()
    with FileLock(learner / "progress.lock"):
        lines = say(capsys, exercises.check, "98.answer", 42)
    assert lines == [
        "98.answer: correct.", "(progress not saved: another notebook holds progress.lock; run this again)"
    ]  # fmt: skip


def test_a_folder_that_cannot_be_made_is_named_and_the_lesson_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_PROGRESS_DIR", str(tmp_path / "file" / "inside"))
    first, note = say(capsys, exercises.check, "98.answer", 42)
    assert first == "98.answer: correct."
    assert note.startswith("(progress not saved: ")


# --- comparing -------------------------------------------------------------------------------------


def check_comparison(compare: ModuleType) -> None:
    def differ(one: Any, other: Any, rtol: float = 1e-6, atol: float = 1e-9) -> bool:
        taken = compare.snapshot(one), compare.snapshot(other)
        return compare.difference(*taken, rtol=rtol, atol=atol) is not None

    inf, nan = float("inf"), float("nan")
    x = torch.tensor([1.0, 2.0])
    alike = [
        (1.0, 1), (1.0, 1.0 + 1e-7), (0.0, 1e-10), (nan, nan), (inf, inf), ("a", "a"), (None, None),
        (x, x + 1e-7), (x, torch.nn.Parameter(x)), (torch.tensor([nan, inf]), torch.tensor([nan, inf])),
        ({"a": [1, (x,)]}, {"a": [1, (x,)]}), ([], []), (0.5, np.float32(0.5)), (0.5, np.float64(0.5)),
        (3, np.int64(3)), (True, np.bool_(True)), (np.arange(3.0), np.arange(3.0)), (1j, 1j * (1 + 1e-8)),
        (np.array([nan, inf]), np.array([nan, inf])), (len, print), (object(), object()),
        (1.0, torch.tensor(1.0)), (1.0, torch.tensor(1)), (0.5, torch.tensor(0.5, requires_grad=True)),
        (3, torch.tensor(3)), (True, torch.tensor(True)), (1j, torch.tensor(1j)), (nan, torch.tensor(nan)),
        (0.5, np.array(0.5)), ([1], (1,)), ((1, 2.0), [1, 2.0]), ([1.0], torch.tensor([1.0])),
        ([1, 2], np.array([1, 2])), (x, [1.0, 2.0]), (x, (1, 2)), (x, x.numpy()), (np.arange(3.0), [0, 1, 2]),
        (np.arange(3.0), torch.arange(3.0).double()), (x > 1, [False, True]), (x[None], [[1.0, 2.0]]), ([[1.0, 2.0]], x[None]),
        (torch.tensor([1, 2]), [1, 2]), (x.bfloat16(), [1.0, 2.0]), ([1.0, (2, "a")], [torch.tensor(1.0), (torch.tensor(2), "a")]),
    ]  # fmt: skip
    unlike = [
        (1, 1.0), (1.0, True), (1.0, 1.0 + 1e-5), (0.0, 1e-8), (nan, 0.0), (0.0, nan), (inf, -inf), (inf, 1.0), (1.0, inf),
        (1, True), (True, 1), (True, False), ("a", "b"), (None, 0), (0, None), (1.0, torch.tensor([1.0])),
        (1.0, torch.tensor(1.1)), (1, torch.tensor(1.0)), (1.0, torch.tensor(True)), ([1.0], torch.tensor([2.0])),
        (torch.tensor(1.0), 1.0), (1.0, np.array([1.0])), ("1", torch.tensor(1)), (1.0, torch.tensor(nan)),
        (x, x + 1e-4), (x, x.double()), (x, x[None]), (x, [1.0, 3.0]), (x, [1.0, True, 2.0]), (x, [[1.0], [2.0, 3.0]]), (x, ["a", "b"]), (x, x * nan), (x * nan, x),
        (torch.tensor([1, 2]), torch.tensor([1, 3])), ({"a": [1, (x,)]}, {"a": [1, (x + 1,)]}),
        (np.arange(3.0), np.arange(3.0) + 1e-4), (np.arange(3.0), np.arange(3)), (np.arange(3.0), np.zeros((3, 1))),
        (np.arange(3.0), [0.0, 1.0, 2.5]), (x, x.double().numpy()), (torch.tensor([1, 2]), [1.0, 2.0]),
        (x > 1, [0, 1]), (torch.tensor([0, 1]), [False, True]), ([1.0], torch.tensor(1.0)), ([1.0, 2.0], x[None]), ([1, 2], [1.0, 2.0]), (1j, 1j + 1e-4), (1j, "1j"), (3, np.float64(3.0)),
        (1.0, np.bool_(True)), (len, object()), (object(), len), (object(), "object"),
        ({"a": 1}, {"b": 1}), ([1, 2], [1]), ([1], [1, 2]), ([1], (2,)), ({"a": 1}, {"a": 1, "b": 2}),
    ]  # fmt: skip
    for one, other in alike:
        assert not differ(one, other), (one, other)
    for one, other in unlike:
        assert differ(one, other), (one, other)


def test_comparison() -> None:
    check_comparison(compare)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 0.1), st.floats(0, 0.1))
def test_the_tolerance_is_the_one_that_is_stated(e: float, g: float, rtol: float, atol: float) -> None:
    within = abs(g - e) <= atol + rtol * abs(e)
    assert (compare.difference(e, g, rtol=rtol, atol=atol) is None) == within


def test_a_long_tensor_names_the_first_element_that_differs() -> None:
    one = torch.arange(12.0).reshape(3, 4)
    other = one.clone()
    other[1, 2:] += 1e-3
    found = compare.difference(one, other, rtol=1e-6, atol=0)
    assert found is not None
    assert found.words == "at [1, 2] expected 6.0, got 6.001; 2 of 12 elements differ"


def test_as_many_digits_are_shown_as_it_takes() -> None:
    found = compare.difference(0.1, 0.1 + 2e-12, rtol=1e-13, atol=0)
    assert found is not None
    assert found.words == "expected 0.10000000000000001, got 0.100000000002"


def test_text_is_short_and_has_no_addresses() -> None:
    values = [torch.zeros(3, 5), torch.nn.Linear(2, 2), object(), lambda x: x, {"a": [1.0] * 50}, "x" * 500]
    texts = [compare.text(value) for value in values]
    assert all("0x" not in words and len(words) < 100 for words in texts)
    assert texts[:3] == ["a tensor of shape (3, 5), float32", "a Linear", "an object"]


BAD = [
    ({"id": "5.x"}, "need an id of the form NN.lower_case_words, got id='5.x'"),
    ({"kind": "hard"}, 'need kind "core" or "extra"'),
    ({"minutes": 0}, "need minutes > 0"),
    ({"hints": ("one",)}, "need two or three hints"),
    ({"inputs": ()}, "need inputs for a function exercise"),
    ({"solution": 3}, "need inputs for a function exercise, none for a value exercise"),
    ({"rtol": -1.0}, "need rtol >= 0"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_an_exercise_out_of_form_is_refused(change: dict[str, Any], message: str) -> None:
    good = dict(vars(made_up.EXERCISES[2]))
    Exercise(**good)
    with pytest.raises(ValueError, match=re.escape(message)):
        Exercise(**(good | change))


def test_a_stub_that_is_no_python_is_refused() -> None:
    with pytest.raises(SyntaxError):
        Exercise(**(vars(made_up.EXERCISES[2]) | {"stub": "def f(:"}))


def test_a_quiz_out_of_form_is_refused() -> None:
    with pytest.raises(ValueError, match="need a choice that is right"):
        Quiz("98.q", "Why?", (("a", "no", False), ("b", "no", False)))


def test_judging_calls_every_known_wrong_answer_only_when_needed() -> None:
    calls: list[str] = []

    def counted(x: float) -> float:
        calls.append("wrong")
        return x

    exercise = Exercise(**(vars(made_up.EXERCISES[2]) | {"wrong": (Wrong(counted, "x itself"),)}))
    assert judging.judge_function(exercise, lambda x: 3 * x).state == "correct"
    assert calls == []
    assert judging.judge_function(exercise, lambda x: x).cause == "x itself"
    assert calls == ["wrong"] * 3


# --- mistakes that the tests above must notice -----------------------------------------------------

ENGINE = "course_utils.exercises.engine."
MUTANTS = [
    (check_comparison, "compare", "if expected.dtype != got.dtype:", "if False:"),
    (check_comparison, "compare", "if expected.shape != got.shape:", "if False:"),
    (
        check_comparison,
        "compare",
        "isclose(other, rtol=rtol, atol=atol, equal_nan=True",
        "isclose(other, rtol, atol",
    ),
    (
        check_comparison,
        "compare",
        "(got, expected, rtol=rtol, atol=atol, equal_nan=True",
        "(got, expected, rtol, atol",
    ),
    (check_comparison, "compare", "atol + rtol * abs(expected)", "rtol * abs(expected)"),
    (check_comparison, "compare", "atol + rtol * abs(expected)", "10 * atol + rtol * abs(expected)"),
    (check_comparison, "compare", "cmath.isfinite(expected) and ", ""),
    (check_comparison, "compare", "expected.keys() != got.keys()", "expected.keys() - got.keys()"),
    (check_comparison, "compare", "if isinstance(expected, bool) or isinstance(got, bool):", "if False:"),
    (check_comparison, "compare", "        return value.item()", "        return value"),
    (check_comparison, "compare", "array and got.ndim == 0", "array and got.ndim <= 1"),
    (check_comparison, "compare", "return got.item() if array", "return float(got) if array"),
    (check_comparison, "compare", "_WIDTH[kind] > _WIDTH[wanted] or ", ""),
    (check_comparison, "compare", ' or (kind == "b") != (wanted == "b")', ""),
]


test_a_mistake_in_the_comparison_is_noticed = mistakes(ENGINE.strip("."), MUTANTS)


STUB_MUTANTS = [
    ("return value is None or value is ...", "return True"),
    ("return value is None or value is ...", "return value is None"),
    ("return _empty(code) or any(", "return any("),
    ("return _empty(code) or any(_same(code, inner) for inner in _inner(stub))", "return _empty(code)"),
    ("return constants[1:] if ", "return constants if "),
]


JUDGED = [
    ("return x.mean()", "correct."),
    ("return x.sum()", "Likely cause: This is the sum."),
    ("y = x.sum(); x += 1; return y", "Likely cause: This is the sum."),
    (
        "y = x.mean(); x += 1; return y",
        "wrong: the result is right, but your function changes its argument `x`.",
    ),
    ("return x[0]", f"wrong on {MEAN}:"),
    ("return x[0] if len(x) == 1 else ...", "not attempted yet: it still returns the stub's `...`."),
    ("return [][1]", "raised IndexError in line 2"),
    ("return x.median() if len(x) == 3 else 0 * x[0]", f"wrong on {MEAN}:"),
    ("return x.mean() if len(x) == 3 else x[1]", "raised IndexError in line 2"),
]


def check_judge(judged: ModuleType) -> None:
    for body, start in JUDGED:
        answer = cell(f"def answer(x):\n    {body}\n")
        verdict = judged.judge_function(made_up.EXERCISES[0], answer, code=answer.__code__)
        assert any(line.startswith(start) for line in verdict.lines), (body, verdict.lines)


def test_judging_in_this_process() -> None:
    check_judge(judging)


VERDICT_MUTANTS = [
    ("if all(agree):", "if any(agree):"),
    ("if any(one.value is ... for one in got):", "if False:"),
    ("if not cause and changed and same(exercise, expected, got, strict=False):", "if False:"),
    ("    if not cause and changed:\n", "    if False:\n"),
    ("in mistakes if same(exercise, outcomes, got))", "in mistakes if not same(exercise, outcomes, got))"),
    ("if error := got[first].error:", "if error := None:"),
    ("first = agree.index(False)", "first = len(agree) - 1"),
]


def check_judge_with(changed: ModuleType) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "verdict", changed)
        check_judge(judging)


test_a_mistake_about_verdicts_is_noticed = mistakes(
    verdicts.__name__, VERDICT_MUTANTS, check=check_judge_with
)
test_a_mistake_about_stubs_is_noticed = mistakes(
    ENGINE + "stub", STUB_MUTANTS, check=check_stubs, of="not_attempted"
)


PROGRESS_MUTANTS = [
    (check_damage, "os.replace(path, aside)", "path.unlink()"),
    (check_damage, ".exists():\n        n += 1", ".exists() and False:\n        n += 1"),
    (check_damage, "isinstance(record.get(k, t()), t)", "True"),
    (check_damage, 'content.get("version", _VERSION) == _VERSION and ', ""),
    (check_damage, ">= 0)", ">= -9)"),
    (check_sharing, 'with FileLock(folder() / "progress.lock", timeout=_WAIT):', "if True:"),
]


test_a_mistake_about_progress_is_noticed = mistakes(
    ENGINE + "progress_file", PROGRESS_MUTANTS, fixtures=["learner"]
)
