"""Grading: verdicts as the exercises' own engine gives them, and notebooks that spoil only their own rows."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
import torch
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_notebook

from course_utils.exercises.engine import catalogue
from course_utils.exercises.engine.judge import judge_function
from course_utils.exercises.engine.model import Exercise, Wrong
from course_utils.exercises.engine.outcomes import Outcome, outcomes
from course_utils.tools import cli, lessons
from course_utils.tools.grading import grade, isolation, process, values
from tests import sample
from tests.mutants import mutant

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
    torch.tensor([1.5], dtype=torch.bfloat16), torch.tensor([1 + 2j]),
]  # fmt: skip


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
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
    one, other = (values.decode(values.encode(value)) for value in (len, torch.Generator()))
    assert one != other
    assert one == values.decode(values.encode(print))  # of the same type


FORGED: list[Any] = [
    [], 3, 1.5, {}, {"pickle": "x"}, {"float": "x"}, {"int": "x"}, {"int": "9" * 5000}, {"stub": False},
    {"list": 3},
    {"tensor": "torch.float64", "shape": [10**12], "data": ""},
    {"tensor": "torch.float64", "shape": [-1], "data": "AAAAAAAAAAA="},
    {"tensor": "os.system", "shape": [1], "data": ""},
    {"tensor": "torch.float64", "shape": [1], "data": "AAAAAAAAAAA"},
    {"dict": [[{"list": []}, None]]},
    {"float": 3}, {"tensor": [], "shape": [], "data": ""},
]  # fmt: skip


@pytest.mark.parametrize("forged", FORGED, ids=repr)
def test_what_is_no_value_is_refused(forged: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        values.decode(forged)


def test_an_outcome_comes_back_with_the_kind_of_its_error() -> None:
    for error, kind in [
        (ZeroDivisionError("x"), ZeroDivisionError),
        (nbformat.ValidationError("x"), Exception),
    ]:
        back = values.decode_outcome(values.encode_outcome(Outcome(None, (1,), error)))
        assert type(back.error) is kind
        assert back.arguments == (1,)
    for forged in (None, {}, {"value": None, "arguments": None, "error": 3}):
        with pytest.raises(ValueError, match="not an outcome"):
            values.decode_outcome(forged)


def test_what_the_process_says_of_each_answer() -> None:
    """The process itself, spoken to without the grader, so without a ceiling that kills it."""
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
    request = {"cells": cells, "answers": answers, "skip": [3], "seconds": 60.0}
    ceilings = {"memory": 2_000_000_000, "processes": isolation.tasks() + 128}
    done = subprocess.run(
        [sys.executable, "-m", "course_utils.tools.grading.child"],
        input=json.dumps(request | ceilings).encode(),
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["index"] for event in events if event["event"] == "cell"] == [0, 1, 2, 4, 5, 6]
    assert events[-1] == {"event": "end"}
    said = {event["id"]: event for event in events if event["event"] in ("answer", "broken")}
    assert grade.judge(catalogue.find_exercise(DIFFERENCE), said[DIFFERENCE]) == ("correct", "")
    assert said[ERROR]["untouched"]
    assert said[SEEDS]["why"] == "a function is asked for, got a value of type int"
    assert said["00.false_claim"]["why"].startswith("raised ZeroDivisionError")
    assert said["00.peeking_error"]["event"] == "broken"
    calls = [event["index"] for event in events if event["event"] == "input" and event["id"] == DIFFERENCE]
    assert calls == list(range(len(calls)))
    assert len(calls) >= 2


# --- verdicts --------------------------------------------------------------------------------------


def said(exercise: Exercise, answer: Any) -> dict[str, Any]:
    """What the student's process says of an answer."""
    found = outcomes(exercise, answer)
    why = ["it raised" if one.error else "" for one in found]
    return {"event": "answer", "outcomes": [values.encode_outcome(one) for one in found], "why": why}


def check_as_the_engine(module: Any, number: str) -> None:
    """State and diagnosis as `check` gives them: the solution, each wrong answer, one that raises."""
    for exercise in catalogue.load(number).EXERCISES:
        for answer in [exercise.solution, *(wrong.answer for wrong in exercise.wrong), lambda *_: 1 // 0]:
            verdict = judge_function(exercise, answer)
            state, diagnosis = module.judge(exercise, said(exercise, answer))
            assert state == verdict.state, (exercise.id, answer)
            if state == "wrong":
                assert f"wrong: {diagnosis}" in verdict.lines[0], (exercise.id, answer)


@pytest.mark.parametrize("number", ["00", "05", "14"])
def test_verdicts_are_those_of_check(number: str) -> None:
    check_as_the_engine(grade, number)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("if all(agree):", "if any(agree):"),
        ("agrees(exercise, e, g) for", "agrees(exercise, g, g) for"),
        ("same(exercise, known, got, strict=strict)", "True"),
        ('return "raised", why[first]', 'return "wrong", why[first]'),
    ],
)
def test_a_mistake_in_judging_is_noticed(old: str, new: str) -> None:
    wrong = mutant(grade.__name__, old, new)
    with pytest.raises(AssertionError):
        check_as_the_engine(wrong, "00")


def test_what_cannot_be_judged_is_not_correct() -> None:
    exercise = catalogue.find_exercise(DIFFERENCE)
    good = said(exercise, exercise.solution)
    assert grade.judge(exercise, good) == ("correct", "")
    forged: list[dict[str, Any]] = [
        good | {"outcomes": good["outcomes"][:1], "why": [""]},
        good | {"outcomes": [], "why": []},
        good | {"outcomes": 3},
        good | {"why": None},
        {"event": "answer", "state": "correct"},
        {"event": "answer", "value": True},
    ]
    for event in forged:
        assert grade.judge(exercise, event) == ("raised", "what it returned cannot be read")
    assert grade.judge(exercise, None) == ("not attempted", "no cell checks it")
    assert grade.judge(exercise, {"event": "answer", "untouched": True}) == ("not attempted", "")
    assert grade.judge(exercise, said(exercise, lambda a, b: ...))[0] == "not attempted"


def test_a_changed_argument_is_said() -> None:
    def changes(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a.sub_(b).clone()

    state, diagnosis = grade.judge(exercise := catalogue.find_exercise(DIFFERENCE), said(exercise, changes))
    assert (state, diagnosis) == ("wrong", "the result is right, but an argument is changed")


def test_values_are_judged() -> None:
    exercise = Exercise(
        "98.value", title="A number", prompt="Which?", kind="core", minutes=1, solution=2.5, hints=("a", "b"),
        wrong=(Wrong(5.0, "Twice."),), stub="value = ...",
    )  # fmt: skip
    for value, expected in [(2.5, ("correct", "correct.")), (5.0, ("wrong", "Twice."))]:
        assert grade.judge(exercise, {"event": "answer", "value": values.encode(value)}) == expected
    assert grade.judge(exercise, {"event": "answer", "value": {"x": 1}})[0] == "raised"


# --- reading ---------------------------------------------------------------------------------------


def test_the_last_check_of_an_exercise_counts(tmp_path: Path) -> None:
    path = submit(
        tmp_path / "a.ipynb", "f = 1\ncheck('00.x', f)", "%time 1\ncheck('00.y', g)", "check('00.x', h(2))"
    )
    cells, answers = grade.read(path)
    assert cells[2] == grade.SMOKE
    assert cells[1] == sample.PARAMETERS
    assert answers == {4: [("00.y", "g")], 5: [("00.x", "h(2)")]}
    assert grade.checks("check('00.x')\nx.check('00.x', 1)\ncheck(name, 1)") == []


def test_a_notebook_is_of_the_lessons_it_names_or_checks() -> None:
    ids = [one.id for one in grade.expected(Path("ada_05_momentum.ipynb"), [DIFFERENCE])]
    assert ids == [one.id for number in ("00", "05") for one in catalogue.load(number).EXERCISES]
    with pytest.raises(lessons.LessonError, match="no exercise of the course"):
        grade.expected(Path("2024_ada.ipynb"), ["77.x"])


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("ada/05_momentum.ipynb", "ada"),
        ("ada/week 1/05_momentum.ipynb", "ada"),
        ("ada_05_momentum.ipynb", "ada"),
        ("Ada L-05_momentum.ipynb", "Ada L"),
        ("ada.ipynb", "ada"),
        ("05_momentum.ipynb", "05_momentum"),
    ],
)
def test_the_student_is_the_folder_or_the_name(name: str, who: str) -> None:
    assert grade.student(Path(name)) == who


def test_no_cell_of_the_table_is_a_formula() -> None:
    rows = [grade.Row("=cmd|' /C calc'!A0", "05.x", "wrong", 'a =b,"c"', "+a.ipynb")]
    (head, row) = csv.reader(grade.table(rows).splitlines())
    assert head == ["student", "exercise", "state", "diagnosis", "file"]
    assert row == ["'=cmd|' /C calc'!A0", "05.x", "wrong", 'a =b,"c"', "'+a.ipynb"]


def test_a_students_words_are_one_line_that_no_terminal_obeys() -> None:
    assert grade.plain("a\n\x1b[31mred\x07\0  b\u2028") == "a [31mred b"
    assert len(grade.plain("x" * 10**6)) == 500


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
LOOK = "import os\nassert not os.listdir({folder!r}), 'SEEN'\nnothing = 0"


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
    done = CliRunner().invoke(cli.commands, ["grade", str(folder), "--out", str(out)], catch_exceptions=False)
    assert done.exit_code == 1, done.output  # one could not be read
    assert "[  1/4] ada: ada/00_start_here.ipynb: 1 of 5 correct" in done.output
    with out.open(encoding="utf-8", newline="") as file:
        rows = {(row["student"], row["exercise"]): row for row in csv.DictReader(file)}
    assert {key: row["state"] for key, row in rows.items()} == {
        ("ada", DIFFERENCE): "correct",
        ("ada", ERROR): "not attempted",
        ("ada", SEEDS): "wrong",
        ("ada", "00.false_claim"): "raised",
        ("ada", "00.peeking_error"): "not attempted",
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
    found = process.attempt(cells, answers, seconds, limits=limits, hide=tmp_path)
    assert found[ERROR]["why"] == "stopped: it did not finish in its time"
    assert found[SEEDS]["why"] == "stopped: it ended its Python process"
    assert found["00.false_claim"]["why"] == "stopped: its cell did not finish in its time"
    assert grade.judge(catalogue.find_exercise(DIFFERENCE), found[DIFFERENCE]) == ("correct", "")
    hidden = "other submissions" in isolation.isolation(tmp_path)
    nothing = found["00.peeking_error"]["why"]  # 0 is no function; not even 0 where the folder was seen
    assert nothing.startswith("a function is asked for" if hidden else "raised AssertionError")


def test_the_whole_notebook_has_a_limit() -> None:
    begun = time.monotonic()
    limits = process.Limits(notebook=0.5)
    found = process.attempt(
        ["import time\ntime.sleep(60)"], {0: [(DIFFERENCE, "1")]}, {DIFFERENCE: 9}, limits=limits
    )
    assert found[DIFFERENCE]["why"] == "stopped: the notebook did not finish in its time"
    assert time.monotonic() - begun < 20


def test_the_environment_of_the_grader_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "secret")
    found = isolation.environment("/scratch")
    assert "MY_TOKEN" not in found
    assert found["HOME"] == found["TMPDIR"] == "/scratch"
    assert found["PATH"] == os.environ["PATH"]


def test_the_folder_that_a_process_works_in_is_not_hidden(tmp_path: Path) -> None:
    assert isolation.to_hide(tmp_path, tmp_path / "scratch") is None
    assert isolation.to_hide(isolation.ROOT, tmp_path) is None
    assert isolation.to_hide(None, tmp_path) is None
    assert isolation.to_hide(tmp_path / "in", tmp_path / "scratch") == tmp_path / "in"


def test_a_machine_without_unshare_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    isolation.shut_off.cache_clear()
    monkeypatch.setattr(isolation.shutil, "which", lambda name: None)
    assert "not shut off" in isolation.isolation(tmp_path)
    isolation.shut_off.cache_clear()


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.commands, ["grade", str(tmp_path)])
    assert done.exit_code == 2
    assert "need notebooks" in done.output
