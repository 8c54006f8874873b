"""Grading: verdicts as the exercises' own engine gives them, and notebooks that spoil only their own rows."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any

import nbformat
import numpy as np
import psutil
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook

from course_utils.exercises.engine import catalogue
from course_utils.exercises.engine.child import Event
from course_utils.exercises.engine.compare import Opaque, snapshot
from course_utils.exercises.engine.judge import judge_function
from course_utils.exercises.engine.model import Exercise, Wrong
from course_utils.exercises.engine.outcomes import Outcome, Raised, outcomes
from course_utils.tools import cli, lessons
from course_utils.tools.grading import (
    grade,
    isolation,
    judging,
    notebooks,
    process,
    rows,
    submissions,
    values,
)
from tests import sample
from tests.mutants import mistakes

HEAD = "import math\nimport os\nfrom pathlib import Path\nfrom course_utils.exercises import check"
DIFFERENCE, ERROR, SEEDS = "00.paired_difference", "00.paired_standard_error", "00.seeds_needed"
RIGHT = {
    DIFFERENCE: "def paired_difference(a, b):\n    return a - b",
    ERROR: "def paired_standard_error(a, b):\n    d = a - b\n    return (d.std() / math.sqrt(len(d))).item()",
    SEEDS: "def seeds_needed(d, s, z):\n    return math.ceil((z * s / d) ** 2)",
}


def asked(id: str, source: str | None = None) -> str:
    """A cell with an answer and its check."""
    return f'{source or RIGHT[id]}\n\n\ncheck("{id}", {id[3:]})'


def submit(path: Path, *cells: str) -> Path:
    book = new_notebook()
    parameters = new_code_cell(sample.PARAMETERS, metadata={"tags": ["parameters"]})
    book.cells = [new_code_cell(HEAD), parameters, *map(new_code_cell, cells)]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, path)
    return path


# --- what a process says ---------------------------------------------------------------------------

VALUES = [
    None, True, 3, -(10**30), 0.1, -0.0, math.inf, "é\n", (), [1, 2.5], (1, "a"), {"a": 1, 2: [None]}, ...,
    torch.tensor(2.5, dtype=torch.float64), torch.arange(6).reshape(2, 3), torch.zeros(0, 3),
    torch.tensor([True]), torch.linspace(-1, 1, 6).reshape(2, 3).t(),
    torch.tensor([1.5], dtype=torch.bfloat16), torch.tensor([1 + 2j]), 1 - 2.5j, Opaque("Generator"),
    Opaque("function", called=True), np.arange(6).reshape(2, 3), np.array(2.5), np.array([True]),
    np.zeros((0, 3), np.float32), np.linspace(-1, 1, 6).reshape(2, 3).T, np.array([1 + 2j], ">c16"),
]  # fmt: skip


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor | np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
    return (
        type(a) is type(b)
        and a == b
        and (not isinstance(a, float) or math.copysign(1, a) == math.copysign(1, b))
    )


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert same(values.decode(values.encode(value)), value)


def test_nan_and_objects_come_back() -> None:
    assert math.isnan(values.decode(values.encode(math.nan)))
    one, other, third = (
        values.decode(values.encode(snapshot(value))) for value in (len, torch.Generator(), print)
    )
    assert one != other
    assert one == third  # of the same type


FORGED: list[Any] = [
    [], 3, 1.5, {}, {"pickle": "x"}, {"float": "x"}, {"int": "x"}, {"int": "9" * 5000}, {"stub": False},
    {"list": 3},
    {"tensor": "torch.float64", "shape": [10**12], "data": ""},
    {"tensor": "torch.float64", "shape": [-1], "data": "AAAAAAAAAAA="},
    {"tensor": "os.system", "shape": [1], "data": ""},
    {"tensor": "torch.float64", "shape": [1], "data": "AAAAAAAAAAA"},
    {"dict": [[{"list": []}, None]]},
    {"array": "<f8", "shape": [10**12], "data": ""}, {"array": "O", "shape": [1], "data": "AAAAAAAAAAA="},
    {"array": "os.system", "shape": [1], "data": ""}, {"complex": [1, 2]}, {"complex": ["1"]},
    {"object": 3, "called": False}, {"object": "x"},
    {"float": 3}, {"tensor": [], "shape": [], "data": ""},
]  # fmt: skip


@pytest.mark.parametrize("forged", FORGED, ids=repr)
def test_what_is_no_value_is_refused(forged: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        values.decode(forged)


def test_an_outcome_comes_back_with_its_error() -> None:
    for one in (
        Outcome(2.0, (1,)),
        Outcome(None, (1,), Raised("torch._C.LinAlgError", ("it raised", "because"))),
    ):
        assert values.decode_outcome(json.loads(json.dumps(values.encode_outcome(one)))) == one
    bad_errors: list[Any] = [3, ["x"], [1, []], ["x", 1]]
    for forged in (None, {}, *({"value": None, "arguments": None, "error": error} for error in bad_errors)):
        with pytest.raises(ValueError, match="not an outcome"):
            values.decode_outcome(forged)


def speak(cells: list[str], **request: Any) -> list[dict[str, Any]]:
    """The events of the process itself, spoken to without the grader, so without a ceiling that kills it."""
    usual = {"answers": {}, "skip": [], "stopped": [], "wanted": list(RIGHT), "seconds": 60.0}
    ceilings = {"memory": 2_000_000_000, "processes": isolation.tasks() + 128}
    done = subprocess.run(
        [sys.executable, "-m", "course_utils.tools.grading.child"],
        input=json.dumps(usual | ceilings | {"cells": cells} | request).encode(),
        capture_output=True,
        timeout=600,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_the_process_says_of_each_answer() -> None:
    cells = [
        HEAD,
        RIGHT[DIFFERENCE] + f'\n\n\nprint("aside")\ncheck("{DIFFERENCE}", paired_difference)',
        "def paired_standard_error(a, b):\n    ...",
        "raise AssertionError('never run')",
        "seeds = 7",
        "1 / 0",
        "peeking = 0.25",
    ]
    answers = {
        "1": [(DIFFERENCE, "paired_difference")],
        "2": [(ERROR, "paired_standard_error")],
        "4": [(SEEDS, "seeds")],
        "5": [("00.false_claim", "not_there")],
        "6": [("00.peeking_error", "peeking")],
    }
    wanted = [one.id for one in catalogue.load("00").EXERCISES]
    events = speak(cells, answers=answers, skip=[3], wanted=wanted)
    assert [event["index"] for event in events if event["event"] == "cell"] == [0, 1, 2, 4, 5, 6]
    assert events[-1] == {"event": "end"}
    said = {event["id"]: event for event in events if event["event"] in ("answer", "broken")}
    assert judged(catalogue.find_exercise(DIFFERENCE), said[DIFFERENCE]) == ("correct", "")
    assert said[ERROR]["untouched"]
    assert judged(catalogue.find_exercise(SEEDS), said[SEEDS]) == (
        "wrong", "a function is asked for, got a value of type int. Pass its name alone."
    )  # fmt: skip
    assert said["00.false_claim"]["why"].startswith("raised ZeroDivisionError")
    assert said["00.peeking_error"]["no_function"] == "float"
    calls = [event["index"] for event in events if event["event"] == "input" and event["id"] == DIFFERENCE]
    assert calls == list(range(len(calls)))
    assert len(calls) >= 2


CALLS = [
    "r = check('{id}', {f})",
    "print(check('{id}', {f}))",
    "check('{id}', answer={f})",
    "check(id='{id}', answer={f})",
    "import course_utils.exercises as ex\nex.check('{id}', {f})",
    "from course_utils import exercises\nexercises.check('{id}', {f})",
    "import course_utils\ncourse_utils.exercises.check('{id}', {f})",
    "from course_utils.exercises import check as c\nc('{id}', {f})",
    "from course_utils.exercises.engine.commands import check\ncheck('{id}', {f})",
    "if True:\n    check('{id}', {f})",
    "try:\n    check('{id}', {f})\nexcept Exception:\n    pass",
    "for id, answer in [('{id}', {f})]:\n    check(id, answer)",
    "ID = '{id}'\ncheck(ID, {f})",
    "def run():\n    check('{id}', {f})\nrun()",
    "[check(*pair) for pair in {{'{id}': {f}}}.items()]",
    "%time check('{id}', {f})",
    "%%capture\ncheck('{id}', {f})",
    "%matplotlib inline\n%config InlineBackend.figure_format = 'svg'\ncheck('{id}', {f})",
    "%pylab\ncheck('{id}', {f})",
    "%gui qt\ncheck('{id}', {f})",
    "globals()['check']('{id}', {f})",
]


def test_a_call_of_check_is_heard_however_it_is_written() -> None:
    cells = [
        f"{HEAD}\n{RIGHT[DIFFERENCE]}",
        *(one.format(id=DIFFERENCE, f="paired_difference") for one in CALLS),
    ]
    events = speak(cells)
    heard = [event["cell"] - 1 for event in events if event["event"] == "answer"]
    assert [CALLS[i] for i in range(len(CALLS)) if i not in heard] == []
    exercise = catalogue.find_exercise(DIFFERENCE)
    assert {judged(exercise, event) for event in events if event["event"] == "answer"} == {("correct", "")}


def test_calls_that_check_nothing_disturb_nothing() -> None:
    cells = [
        "import torch\nfrom course_utils.exercises import *\n" + RIGHT[DIFFERENCE],
        f"torch.manual_seed(5)\nbefore = torch.get_rng_state()\ncheck('{DIFFERENCE}', paired_difference)\n"
        "assert (torch.get_rng_state() == before).all()",
        f"check()\ncheck('05.x', 1)\ncheck(3, 4)\ncheck('{DIFFERENCE}', 1, 2)\nhint(1)\nsolution()",
        f"deep = []\nfor _ in range(3000):\n    deep = [deep]\n"
        f"check('{SEEDS}', lambda d, s, z: check('{DIFFERENCE}', 3))\ncheck('{ERROR}', lambda a, b: deep)",
        f"check('{DIFFERENCE}', paired_difference)",
    ]
    events = speak(cells)
    said = [(event["cell"], event["id"]) for event in events if event["event"] in ("answer", "broken")]
    assert said == [(1, DIFFERENCE), (3, SEEDS), (3, ERROR), (4, DIFFERENCE)]


def test_a_call_that_stopped_a_process_is_left_out_and_a_later_one_is_not() -> None:
    cells = [
        f"{HEAD}\n{RIGHT[DIFFERENCE]}",
        f"for _ in range(3):\n    check('{DIFFERENCE}', paired_difference)",
    ]
    events = speak(cells, stopped=[[DIFFERENCE, 1, 1]])
    assert [event["number"] for event in events if event["event"] == "answer"] == [0, 2]


# --- verdicts --------------------------------------------------------------------------------------


def judged(exercise: Exercise, event: Event | None) -> tuple[str, str]:
    verdict = judging.verdict_of(exercise, event)
    return verdict.state, judging.diagnosis(verdict)


def said(exercise: Exercise, answer: Any) -> dict[str, Any]:
    """What the student's process says of an answer."""
    found = outcomes(exercise, answer)
    return {"event": "answer", "outcomes": [values.encode_outcome(one) for one in found]}


@pytest.mark.parametrize("number", ["00", "05", "14"])
def test_verdicts_are_those_of_check(number: str) -> None:
    """State and reasons as `check` gives them: the solution, each wrong answer, one that raises."""
    for exercise in catalogue.load(number).EXERCISES:
        for answer in [exercise.solution, *(wrong.answer for wrong in exercise.wrong), lambda *_: 1 // 0]:
            verdict = judge_function(exercise, answer)
            found = judging.verdict_of(exercise, said(exercise, answer))
            assert found.state == verdict.state, (exercise.id, answer)
            own = ("hint(", "failing(", "It takes something from")
            assert found.lines == tuple(line for line in verdict.lines if not line.startswith(own))


def test_what_cannot_be_judged_is_not_correct() -> None:
    exercise = catalogue.find_exercise(DIFFERENCE)
    good = said(exercise, exercise.solution)
    assert judged(exercise, good) == ("correct", "")
    forged: list[dict[str, Any]] = [
        good | {"outcomes": good["outcomes"][:1]},
        good | {"outcomes": []},
        good | {"outcomes": 3},
        good | {"outcomes": [3, 3]},
        {"event": "answer", "state": "correct"},
        {"event": "answer", "value": True},
    ]
    for event in forged:
        assert judged(exercise, event) == ("raised", "what it returned cannot be read.")
    assert judged(exercise, None) == ("not attempted", "no cell checks it.")
    assert judged(exercise, {"event": "answer", "untouched": True}) == ("not attempted", "")
    assert judged(exercise, said(exercise, lambda a, b: ...)) == (
        "not attempted", "it still returns the stub's `...`."
    )  # fmt: skip
    for index in (10**6, 2.0, "1", None):
        assert judged(exercise, {"event": "broken", "why": "it ran", "index": index}) == ("raised", "it ran")


def test_a_changed_argument_is_said() -> None:
    def changes(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a.sub_(b).clone()

    exercise = catalogue.find_exercise(DIFFERENCE)
    words = "the result is right, but your function changes its argument `a`. Work on a copy (`.clone()`)."
    assert judged(exercise, said(exercise, changes)) == ("wrong", words)


def test_values_are_judged() -> None:
    exercise = Exercise(
        "98.value", title="A number", prompt="Which?", kind="core", minutes=1, solution=2.5, hints=("a", "b"),
        wrong=(Wrong(5.0, "Twice."),), stub="value = ...",
    )  # fmt: skip
    for value, expected in [(2.5, ("correct", "")), (5.0, ("wrong", "Twice."))]:
        assert judged(exercise, {"event": "answer", "value": values.encode(value)}) == expected
    assert judged(exercise, {"event": "answer", "value": {"x": 1}})[0] == "raised"


# --- reading ---------------------------------------------------------------------------------------


def test_what_is_read_of_a_notebook(tmp_path: Path) -> None:
    path = submit(
        tmp_path / "00_start_here.ipynb", f"f = 1\ncheck('{DIFFERENCE}', f)", f"%time 1\ncheck('{ERROR}', g)",
        f"check('{DIFFERENCE}', h(2))\ncheck('77.x', 1)", "print('no more')",
    )  # fmt: skip
    book = notebooks.read(path)
    assert book.cells[2] == notebooks.SMOKE
    assert book.cells[1] == sample.PARAMETERS
    assert len(book.cells) == 6
    assert book.answers == {3: [(DIFFERENCE, "f")], 4: [(ERROR, "g")], 5: [(DIFFERENCE, "h(2)")]}


def test_a_notebook_is_of_the_lessons_it_names_or_checks(tmp_path: Path) -> None:
    path = submit(tmp_path / "ada_05_momentum.ipynb", f"check('{DIFFERENCE}', f)")
    assert notebooks.read(path).lessons == {"00", "05"}
    path = submit(tmp_path / "ada.ipynb", f"ID = '{DIFFERENCE}'\ncheck(ID, f)")
    assert notebooks.read(path).lessons == {"00"}
    with pytest.raises(lessons.LessonError, match="no exercise of the course"):
        notebooks.read(submit(tmp_path / "2024_ada.ipynb", "check('77.x', 1)"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_a_notebook(encoding: str, tmp_path: Path) -> None:
    path = submit(tmp_path / "05_momentum.ipynb", "x = 'é'")
    path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    assert lessons.read(path).cells[-1].source == "x = 'é'"


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("ada/05_momentum.ipynb", "ada"),
        ("ada/week 1/05_momentum.ipynb", "ada"),
        ("ada_05_momentum.ipynb", "ada"),
        ("Ada L-05_momentum.ipynb", "Ada L"),
        ("ada.ipynb", "ada"),
        ("05_momentum.ipynb", "05_momentum"),
        ("05_momentum (1).ipynb", "05_momentum (1)"),
        ("s1234567_05_momentum.ipynb", "s1234567"),
        ("20231234_05_momentum.ipynb", "20231234"),
        ("ada99_05_momentum.ipynb", "ada99"),
        ("ada05_momentum.ipynb", "ada"),
        ("ADA_05_MOMENTUM.IPYNB", "ADA"),
        ("ada-05-momentum.ipynb", "ada"),
        ("smithjohn_12345_678901_05_momentum-2.ipynb", "smithjohn_12345"),
        ("lovelaceada_LATE_12345_678901_05_momentum-1.ipynb", "lovelaceada_12345"),
        ("lovelaceada_12345_678901_my_homework.ipynb", "lovelaceada_12345"),
        ("lovelaceada_12345_678901_hw.zip/week1/05_momentum.ipynb", "lovelaceada_12345"),
        ("Ada_12_assignsubmission_file_05_momentum.ipynb", "Ada_12"),
        ("Ada Lovelace_123456_assignsubmission_file_/05_momentum.ipynb", "Ada Lovelace_123456"),
        ("Ada Lovelace_123456_assignsubmission_file/05_momentum.ipynb", "Ada Lovelace_123456"),
        ("submitted/ada/ps5/05_momentum.ipynb", "ada"),
        ("ada.zip/05_momentum.ipynb", "ada"),
        ("ada (1).zip/05_momentum.ipynb", "ada"),
        ("ada_05_momentum.zip/05_momentum.ipynb", "ada"),
        ("ada_05_momentum.ipynb.txt", "ada"),
        ("ada_05_momentum (2).IPYNB.TXT", "ada"),
        ("Zoe\u0308_05_momentum.ipynb", "Zo\u00eb"),
        ("ada_12_of_mine.ipynb", "ada_12_of_mine"),
        ("ada_05_momentum (1).ipynb", "ada"),
        ("ada_05_momentum-Copy1.ipynb", "ada"),
        ("ada_14_batch_norm - Copy (2).ipynb", "ada"),
        ("hw_05_momentum_ada2.ipynb", "hw_ada2"),
        ("hw_05_momentum_12.ipynb", "hw_12"),
    ],
)
def test_the_student_is_the_folder_or_the_name(name: str, who: str) -> None:
    assert submissions.student(Path(name)) == who


NAMES = st.text(st.sampled_from("ab1290_- ()é"), min_size=1, max_size=12)


@given(NAMES, NAMES)
def test_two_students_never_become_one(one: str, other: str) -> None:
    """Names before the lesson's: they are kept whole, but for the separators that end them."""
    found = {name: submissions.student(Path(f"{name}_05_momentum.ipynb")) for name in (one, other)}
    ends = {name: name.rstrip("-_ ") for name in (one, other)}
    lms = any(submissions.base(PurePath(f"{name}_05_momentum.ipynb"))[:2] != name[:2] for name in ends)
    if "" not in ends.values() and not lms:
        assert (found[one] == found[other]) == (ends[one] == ends[other])


def test_a_folder_of_several_names_is_no_student() -> None:
    paths = [Path(name) for name in ("ada/05_momentum.ipynb", "ada/hw_06_adaptive_rates.ipynb")]
    assert set(submissions.students(paths).values()) == {"ada"}
    paths += [Path(f"b/{name}_05_momentum.ipynb") for name in ("eve", "bob")]
    found = submissions.students(paths)
    assert sorted(found.values()) == ["ada", "ada", "b/bob", "b/eve"]
    assert list(submissions.remarks(found)) == [
        "b: files of several names, each counts as a student: b/bob, b/eve"
    ]


def test_names_that_cannot_be_shown_stay_apart() -> None:
    paths = [Path(f"Jos{letter}/05_momentum.ipynb") for letter in ("\udce9", "\udcea", "\x1b")]
    found = list(submissions.students(paths).values())
    assert found == ["Jos\\udce9", "Jos\\udcea", "Jos\\x1b"]


def test_every_file_has_a_row_or_a_line(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name in (
        "ada/05_momentum.ipynb", "ada/05_momentum (1).ipynb", "ada/.ipynb_checkpoints/05_momentum.ipynb",
        "zed/05_momentum.IPYNB", "__MACOSX/ada/._05.ipynb", "cyd.zip", "dan/notes.pdf", "dan/._notes.pdf",
        ".DS_Store",
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{torn")
    (folder / "eve").symlink_to(folder / "ada", target_is_directory=True)
    lines: list[str] = []
    found = grade.grade(folder, tmp_path / "grades.csv", say=lines.append).rows
    assert sorted((row.student, row.file, row.state) for row in found) == [
        ("ada", "ada/05_momentum (1).ipynb", "unreadable"),
        ("ada", "ada/05_momentum.ipynb", "unreadable"),
        ("cyd", "cyd.zip", "unreadable"),
        ("zed", "zed/05_momentum.IPYNB", "unreadable"),
    ]
    assert lines[:2] == ["left out, a link: eve", "left out, no notebook: dan/notes.pdf"]
    assert "unpack it" in next(line for line in lines if "cyd.zip" in line)


ODD_CELLS: dict[str, Any] = {
    "tags null": {"cell_type": "code", "metadata": {"tags": None}, "source": "x"},
    "tags a number": {"cell_type": "code", "metadata": {"tags": 5}, "source": "x"},
    "tags of numbers": {"cell_type": "code", "metadata": {"tags": [5]}, "source": "x"},
    "no source": {"cell_type": "code", "metadata": {}},
    "source null": {"cell_type": "markdown", "metadata": {}, "source": None},
    "no cell_type": {"metadata": {}, "source": "x"},
    "cell_type of another kind": {"cell_type": "essay", "metadata": {}, "source": "x"},
    "a cell that is a text": "x",
    "outputs null": {"cell_type": "code", "metadata": {}, "source": "x", "outputs": None},
    "an output without data": {
        "cell_type": "code", "metadata": {}, "source": "x", "outputs": [{"output_type": "display_data"}],
    },
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cell", ODD_CELLS.values(), ids=ODD_CELLS)
def test_one_malformed_notebook_costs_its_own_row(cell: Any, tmp_path: Path) -> None:
    book = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    for who in ("ada", "bob"):
        (tmp_path / who).mkdir()
        (tmp_path / who / "05_momentum.ipynb").write_text(json.dumps(book))
    found = grade.grade(tmp_path, tmp_path / "grades.csv").rows
    assert [(row.student, row.state) for row in found] == [("ada", "unreadable"), ("bob", "unreadable")]
    assert found[0].diagnosis.startswith("05_momentum.ipynb is not a readable notebook: ")


def test_a_fault_of_the_grader_costs_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*args: Any, **kwargs: Any) -> Any:
        raise TypeError("odd")

    submit(tmp_path / "05_momentum.ipynb")
    for module, name, state, did in (
        (grade, "run", "failed", "graded"),
        (notebooks, "code", "unreadable", "read"),
    ):
        monkeypatch.setattr(module, name, breaks)
        (row,) = grade.grade(tmp_path, tmp_path / "grades.csv").rows
        assert (row.state, row.diagnosis) == (state, f"could not be {did}: TypeError: odd")


def test_what_is_merely_left_out_is_no_fault(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "source": f"check('{DIFFERENCE}', f)", "metadata": {}}
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [cell], "nbformat": 4, "nbformat_minor": 4, "metadata": {}}))
    assert notebooks.code(path, path) == ([cell["source"]], {0: [(DIFFERENCE, "f")]})


def test_no_cell_of_the_table_is_a_formula() -> None:
    one = rows.Row("=cmd|' /C calc'!A0", "05.x", "wrong", 'a =b,"c"', "+a.ipynb")
    (head, row) = csv.reader(rows.table([one]).splitlines())
    assert head == ["student", "exercise", "state", "diagnosis", "file"]
    assert row == ["'=cmd|' /C calc'!A0", "05.x", "wrong", 'a =b,"c"', "'+a.ipynb"]


SAFE = {
    "ada;=1+1": "ada;'=1+1", 'ada; "=1+1"': "ada; \"'=1+1\"", "a\t@b": "a\t'@b", "  =1": "  '=1",
    "\uff1d1+1": "'\uff1d1+1",
    "a\n=1": "a =1", "a = b; c": "a = b; c", "-": "-", "-1.5": "-1.5", "+3": "+3", "-1+1": "'-1+1",
}  # fmt: skip


def check_formulas(module: ModuleType) -> None:
    assert {text: module.safe(text) for text in SAFE} == SAFE


def test_no_text_is_a_formula_behind_another_separator() -> None:
    check_formulas(rows)


test_a_mistake_about_formulas_is_noticed = mistakes(
    rows.__name__,
    [
        ("(^|[;\\t])", "(^|[\\t])"),
        ("(^|[;\\t])", "(^|[;])"),
        (r"""([\s"']*)""", "()"),
        (r"\uff1d\uff0b", r"\uff0b"),
        ("if _NUMBER.fullmatch(text):", "if False:"),
        ('" ".join(text.splitlines())', "text"),
    ],
    check=check_formulas,
)


def test_a_students_words_are_one_line_that_no_terminal_obeys() -> None:
    assert rows.plain("a\n\x1b[31mred\x07\0  b\u2028") == "a [31mred b"
    assert len(rows.plain("x" * 10**6)) == 500


# --- notebooks that misbehave ----------------------------------------------------------------------

FAKE = """
import course_utils.exercises.engine.compare as compare, course_utils.exercises.engine.outcomes as found
compare.difference, found.agrees = (lambda *a, **k: None), (lambda *a, **k: True)
print("00.paired_difference: correct.")
check = lambda id, answer: print(f"{id}: correct.")
for fd in range(3, 30):
    try:
        os.write(fd, b'{"event": "verdict", "id": "00.paired_difference", "state": "correct"}\\n[[[\\n')
    except OSError:
        pass
"""
LEAVE = "import subprocess\nsubprocess.Popen(['sleep', '97531'], start_new_session=True)"
LOOK = "assert not (os.path.isdir({folder!r}) and os.listdir({folder!r})), 'SEEN'\nnothing = 0"


@pytest.mark.slow
def test_a_folder_of_good_and_bad_notebooks(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out" / "grades.csv"
    submit(
        folder / "ada" / "00_start_here.ipynb",
        asked(DIFFERENCE),
        asked(ERROR, "def paired_standard_error(a, b):\n    ..."),
        asked(SEEDS, "def seeds_needed(d, s, z):\n    return math.floor((z * s / d) ** 2)"),
        asked("00.false_claim", "def false_claim(claims, t)\n    return 0"),
    )
    submit(
        folder / "mallory" / "00_start_here.ipynb",
        FAKE,
        LEAVE,
        "for _ in range(10**5):\n    print('x' * 100)",
        asked(DIFFERENCE, "def paired_difference(a, b):\n    return b - a"),
        "raise SystemExit",
        asked(ERROR),
        asked(SEEDS, "def seeds_needed(d, s, z):\n    return [bytearray(10**9) for _ in range(99)]"),
    )
    (folder / "torn_05_momentum.ipynb").write_text("{torn", encoding="utf-8")
    (folder / "link.ipynb").symlink_to(folder / "ada" / "00_start_here.ipynb")
    before = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.ipynb")}
    done = CliRunner().invoke(
        cli.commands, ["grade", str(folder), "--out", str(out), "--unsafe"], catch_exceptions=False
    )
    assert done.exit_code == 1, done.output  # one could not be read
    assert "[  1/4] ada: ada/00_start_here.ipynb: 1 of 6 correct" in done.output
    with out.open(encoding="utf-8", newline="") as file:
        rows = {(row["student"], row["exercise"]): row for row in csv.DictReader(file)}
    assert {key: row["state"] for key, row in rows.items()} == {
        ("ada", DIFFERENCE): "correct",
        ("ada", ERROR): "not attempted",
        ("ada", SEEDS): "wrong",
        ("ada", "00.false_claim"): "raised",
        ("ada", "00.peeking_error"): "not attempted",
        ("ada", "00.mean_difference"): "not attempted",
        ("mallory", "00.mean_difference"): "not attempted",
        ("mallory", DIFFERENCE): "wrong",
        ("mallory", ERROR): "correct",
        ("mallory", SEEDS): "raised",
        ("mallory", "00.false_claim"): "not attempted",
        ("mallory", "00.peeking_error"): "not attempted",
        ("torn", ""): "unreadable",
        ("link", ""): "unreadable",
    }
    assert "SyntaxError" in rows["ada", "00.false_claim"]["diagnosis"]
    assert "ipython-input" not in rows["ada", "00.false_claim"]["diagnosis"]
    assert "MemoryError" in rows["mallory", SEEDS]["diagnosis"]
    assert rows["mallory", DIFFERENCE]["diagnosis"].startswith("The sign is turned")
    assert rows["ada", SEEDS]["diagnosis"] == catalogue.find_exercise(SEEDS).wrong[1].diagnosis
    assert before == {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.ipynb")}
    assert not any(
        one.info["cmdline"][1:] == ["97531"]
        for one in psutil.process_iter(["cmdline"])
        if one.info["cmdline"]
    )


@pytest.mark.slow
def test_what_hangs_or_dies_costs_its_own_exercise(tmp_path: Path) -> None:
    (tmp_path / "other.ipynb").write_text("{}", encoding="utf-8")
    cells = [
        HEAD,
        LOOK.format(folder=str(tmp_path)),
        "def hangs(*a):\n    while True: pass",
        "def dies(*a):\n    os._exit(0)",
        "while True: pass",
        RIGHT[DIFFERENCE],
    ]
    answers = {
        1: [("00.peeking_error", "nothing")],
        2: [(ERROR, "hangs")],
        3: [(SEEDS, "dies")],
        4: [("00.false_claim", "1")],
        5: [(DIFFERENCE, "paired_difference")],
    }
    seconds = {id: 1.0 for some in answers.values() for id, _ in some}
    limits = process.Limits(notebook=60, cell=1.5)
    found = process.attempt(cells, answers, seconds, limits=limits, hide=[tmp_path])
    states = {id: judged(catalogue.find_exercise(id), event) for id, event in found.items()}
    assert states[ERROR][1].startswith("stopped: it did not finish within 1 s on paired_standard_error(a=")
    assert states[SEEDS][1].startswith("stopped: it ended its Python process on seeds_needed(d=")
    assert states["00.false_claim"] == ("raised", "stopped: its cell did not finish within 1.5 s")
    assert states[DIFFERENCE] == ("correct", "")
    hidden = isolation.way() is not None
    nothing = states["00.peeking_error"][1]  # 0 is no function; not even 0 where the folder was seen
    assert nothing.startswith("a function is asked for" if hidden else "raised AssertionError")


def test_the_whole_notebook_has_a_limit() -> None:
    limits = process.Limits(notebook=0.5)
    found = process.attempt(
        ["import time\ntime.sleep(3600)"], {0: [(DIFFERENCE, "1")]}, {DIFFERENCE: 9}, limits=limits
    )
    assert found[DIFFERENCE]["why"] == "stopped: the notebook did not finish within 0.5 s"


def test_the_environment_of_the_grader_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "secret")
    found = isolation.bare_environment("/scratch")
    assert "MY_TOKEN" not in found
    assert found["HOME"] == found["TMPDIR"] == "/scratch"
    assert found["PATH"] == os.environ["PATH"]


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.commands, ["grade", str(tmp_path), "--unsafe"])
    assert done.exit_code == 2
    assert "need notebooks" in done.output
