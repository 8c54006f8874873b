"""Grades a folder of submitted notebooks: every exercise's verdict as a row of a CSV file.

The student's code runs in a process of its own and gives values; the verdict comes from comparing these
here with the solution's and the known wrong answers'. What a notebook prints, or does to `check`, counts for
nothing.

What this does not protect from: without a container the student's code has the rights of whoever grades.
It can read, write and delete that user's files (on Linux with `unshare`, not the submissions, and it
reaches no network and no process), and fill the disk. It can call the course's own solutions, and an answer
that copies them is correct. For work of people whom you do not know, grade in a container or as a user who
owns nothing.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from course_utils._files import write_whole
from course_utils.exercises.engine import catalogue
from course_utils.exercises.engine.child import Event
from course_utils.exercises.engine.model import Exercise
from course_utils.exercises.engine.outcomes import (
    Outcome,
    build_inputs,
    default_dtype,
    outcomes,
    set_default_dtype,
)
from course_utils.exercises.engine.verdict import (
    BORROWED,
    NOT_ATTEMPTED,
    Known,
    Verdict,
    of_function,
    of_no_function,
    of_stopped,
    of_value,
)
from course_utils.tools import lessons
from course_utils.tools.cells import checked
from course_utils.tools.grading import submissions
from course_utils.tools.grading.process import USUAL, Limits, attempt
from course_utils.tools.grading.submissions import student as student
from course_utils.tools.grading.values import decode, decode_outcome

COLUMNS = ("student", "exercise", "state", "diagnosis", "file")
LARGEST = 30_000_000  # bytes of a notebook
SMOKE = 'PROFILE = "smoke"'
PACKED = ("", "unreadable", "a packed file; unpack it into a folder named after the student and grade again")


@dataclass(frozen=True)
class Row:
    """One line of the file. States: correct, wrong, raised, not attempted; unreadable, failed."""

    student: str
    exercise: str
    state: str
    diagnosis: str
    file: str


def grade(
    folder: Path,
    out: Path,
    *,
    limits: Limits = USUAL,
    say: Callable[[str], None] = lambda line: None,
) -> list[Row]:
    """Grade every notebook below a folder and write `out`, anew after each notebook and whole each time.

    Who handed a file in is told by `submissions.students`. The submissions are only read.

    Args:
        limits: seconds and memory for each notebook.
        say: called with a line for each notebook, and for each other file.
    Raises: LessonError where the folder holds no notebook.
    """
    found = submissions.find(folder)
    for line in found.left_out:
        say(plain(line))
    if not found.notebooks and not found.packed:
        raise lessons.LessonError(f"need notebooks (*.ipynb) in {folder}, found none")
    paths = sorted([*found.notebooks, *found.packed])
    students = submissions.students([path.relative_to(folder) for path in paths])
    for line in submissions.remarks(students):
        say(plain(line))
    rows: list[Row] = []
    for count, path in enumerate(paths, 1):
        begun = time.monotonic()
        who, name = students[path.relative_to(folder)], plain(path.relative_to(folder).as_posix())
        packed = path in found.packed
        verdict = [PACKED] if packed else verdicts(path, limits=limits, hide=folder)
        graded = [Row(who, id, state, plain(diagnosis), name) for id, state, diagnosis in verdict]
        rows += graded
        write_whole(out, table(rows))
        right = sum(row.state == "correct" for row in graded)
        result = f"{right} of {len(graded)} correct" if graded[0].exercise else graded[0].diagnosis
        say(f"[{count:>3}/{len(paths)}] {who}: {name}: {result} ({time.monotonic() - begun:.1f} s)")
    return rows


def verdicts(path: Path, *, limits: Limits, hide: Path | None = None) -> list[tuple[str, str, str]]:
    """(exercise, state, diagnosis) of one notebook; one that cannot be graded gives one without exercise."""
    try:
        return _verdicts(path, limits=limits, hide=hide)
    except lessons.LessonError as problem:
        return [("", "unreadable", str(problem))]
    except OSError as problem:  # of this machine: no process, no space, no right to read
        return [("", "failed", f"could not be run: {problem}")]
    except Exception as problem:  # whatever it is, the others are graded
        return [("", "failed", f"could not be graded: {type(problem).__name__}: {problem}")]


def _verdicts(path: Path, *, limits: Limits, hide: Path | None) -> list[tuple[str, str, str]]:
    cells, answers = read(path)
    ids = expected(path, [id for some in answers.values() for id, _ in some])
    exercises = {one.id: one for one in ids}
    wanted = {i: [one for one in some if one[0] in exercises] for i, some in answers.items()}
    seconds = {id: one.seconds for id, one in exercises.items()}
    events = attempt(cells, wanted, seconds, limits=limits, hide=hide)
    verdicts = [(one.id, verdict_of(one, events.get(one.id))) for one in ids]
    return [(id, verdict.state, diagnosis(verdict)) for id, verdict in verdicts]


def read(path: Path) -> tuple[list[str], dict[int, list[tuple[str, str]]]]:
    """A notebook's code cells, and position -> (exercise id, expression of the answer) of its last check.

    Raises: LessonError where the file is no notebook, is a link, or is too large.
    """
    if path.is_symlink() or not path.is_file():
        raise lessons.LessonError(f"{path.name} is no file of its own")
    if path.stat().st_size > LARGEST:
        raise lessons.LessonError(f"{path.name} has more than {LARGEST} bytes")
    cells: list[str] = []
    last: dict[str, tuple[int, str]] = {}
    for cell in lessons.read(path).cells:
        if cell.cell_type != "code":
            continue
        cells.append(cell.source)
        if "parameters" in cell.metadata.get("tags", []):
            cells.append(SMOKE)
        for id, name in checked(cell.source):
            last[id] = len(cells) - 1, name
    answers: dict[int, list[tuple[str, str]]] = {}
    for id, (index, name) in last.items():
        answers.setdefault(index, []).append((id, name))
    return cells, answers


def expected(path: Path, asked: list[str]) -> list[Exercise]:
    """All exercises of the lessons that a notebook belongs to, by its name or by what it checks.

    Raises: LessonError where it belongs to none.
    """
    known = sorted({*(id[:2] for id in asked), submissions.lesson(path)} & set(catalogue.lessons()))
    if not known:
        raise lessons.LessonError("no exercise of the course in it")
    return [one for number in known for one in catalogue.load(number).EXERCISES]


def verdict_of(exercise: Exercise, event: Event | None) -> Verdict:
    """The verdict from what a student's process said of an exercise, believing nothing but values."""
    match event:
        case None:
            return Verdict("not attempted", ("no cell checks it.",))
        case {"event": "broken", "index": int(index)} if index < len(build_inputs(exercise)):
            return of_stopped(exercise, str(event.get("why")), index)
        case {"event": "broken"}:
            return Verdict("raised", (str(event.get("why")),))
        case {"untouched": True}:
            return NOT_ATTEMPTED
        case {"no_function": str(kind)} if exercise.asks_for_function:
            return of_no_function(kind)
    try:
        if not exercise.asks_for_function:
            return of_value(exercise, decode(event.get("value")))
        got = [decode_outcome(one) for one in event["outcomes"]]
        dtype = "float64" if event.get("dtype") == "float64" else "float32"
        if len(got) != len(_expected(exercise.id, dtype)):
            raise ValueError("not as many results as inputs")
    except (ValueError, KeyError, TypeError):
        return Verdict("raised", ("what it returned cannot be read.",))
    expected, known = _expected(exercise.id, dtype), _known(exercise.id, dtype)
    verdict = of_function(exercise, expected, got, known, _names(event.get("parameters")))
    return verdict.add(BORROWED if event.get("borrows") is True else "")


def _names(said: object) -> list[str] | None:
    """The names of a function's arguments, as a student's process says; None where it says something else."""
    if not isinstance(said, list) or not all(isinstance(name, str) and name.isidentifier() for name in said):
        return None
    return said if len(said) <= 20 and max(map(len, said), default=0) <= 80 else None


def diagnosis(verdict: Verdict) -> str:
    """A verdict's reason in one line, without the state; "" for a correct answer of one's own."""
    if verdict.state == "correct":
        return BORROWED if BORROWED in verdict.lines else ""
    if verdict.cause:
        return verdict.cause
    first, *more = verdict.lines
    first = re.sub("^(wrong:? ?|not attempted yet[.:] ?)", "", first)
    return " ".join([first, *(line.strip() for line in more)]).strip()


@functools.lru_cache(maxsize=512)
def _expected(id: str, dtype: str) -> list[Outcome]:
    exercise = catalogue.find_exercise(id)
    with _default(dtype):
        return outcomes(exercise, exercise.solution)


@functools.lru_cache(maxsize=512)
def _known(id: str, dtype: str) -> list[Known]:
    exercise = catalogue.find_exercise(id)
    with _default(dtype):
        return [(wrong.diagnosis, outcomes(exercise, wrong.answer)) for wrong in exercise.wrong]


@contextlib.contextmanager
def _default(dtype: str) -> Iterator[None]:
    """torch's default dtype as the student's notebook has set it."""
    before = default_dtype()
    set_default_dtype(dtype)
    try:
        yield
    finally:
        set_default_dtype(before)


def table(rows: list[Row]) -> str:
    """The rows as CSV, safe to open in a spreadsheet: no cell is a formula or breaks a line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in COLUMNS])
    return text.getvalue()


def plain(text: str) -> str:
    """A student's text in one line, without what a terminal would obey, cut to 500 characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:500]


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def tally(rows: list[Row]) -> Iterator[str]:
    """Exercise by exercise: how many are correct, and the commonest diagnosis of the others."""
    for id in sorted({row.exercise for row in rows if row.exercise}):
        attempts = [row for row in rows if row.exercise == id]
        words = [row.diagnosis for row in attempts if row.state in ("wrong", "raised")]
        common = max(sorted(set(words)), key=words.count, default="")
        right = sum(row.state == "correct" for row in attempts)
        yield f"{id}: {right} of {len(attempts)} correct" + (
            f"; most often: {common[:120]}" if common else ""
        )
