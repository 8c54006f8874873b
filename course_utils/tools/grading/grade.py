"""Grades a folder of submitted notebooks: every exercise's verdict as a row of a CSV file.

The student's code runs in a process of its own and gives values; the verdict comes from comparing these
here with the solution's and the known wrong answers'. What a notebook prints, or does to `check`, counts for
nothing.

What this does not protect from: an answer can call the course's own solutions, and one that copies them is
correct. What else a notebook's code can reach, `isolation` says.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from course_utils._files import write_whole
from course_utils.exercises.engine.child import Event
from course_utils.exercises.engine.model import Exercise
from course_utils.tools import lessons
from course_utils.tools.grading import isolation, kept, names, notebooks, submissions
from course_utils.tools.grading.judging import diagnosis, verdict_of
from course_utils.tools.grading.notebooks import Notebook
from course_utils.tools.grading.process import USUAL, Limits, attempt
from course_utils.tools.grading.rows import Row, plain, table
from course_utils.tools.grading.submissions import File, Found
from course_utils.tools.grading.unpack import unpack

MOST_MODULES, LARGEST_MODULE = 20, 1_000_000  # files, bytes: handed in beside a notebook
Say = Callable[[str], None]


@dataclass
class Grades:
    """What was graded: the rows, and a line for each file that gives none."""

    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every file that counts could be graded."""
        return all(row.state not in ("unreadable", "failed") for row in self.rows)


@dataclass
class _Submission:
    """A file that was handed in: who did, and what is in it, or why that cannot be told."""

    file: File
    student: str
    notebook: Notebook | None
    problem: str = ""
    modules: dict[str, Path] = field(default_factory=dict)
    lessons: set[str] = field(default_factory=set)  # for which it is the attempt that counts


def grade(
    folder: Path,
    out: Path,
    *,
    limits: Limits = USUAL,
    said: Path | None = None,
    anew: bool = False,
    say: Say = lambda line: None,
) -> Grades:
    """Grade every notebook below a folder, or in a zip, and write `out` after each, whole each time.

    Who handed a file in is told by `submissions.students`. The submissions are only read.

    Args:
        limits: seconds and memory for each notebook.
        said: a CSV file of who handed in what, for where names do not tell (`names`).
        anew: run every notebook, also those whose verdicts an earlier grading has kept (`kept`).
        say: called with a line for each notebook, and for each other file.
    Raises: LessonError where there is no notebook, where `said` cannot be read, and where a notebook that is
        not shut off has changed the course.
    """
    grades = Grades()

    def leave_out(line: str) -> None:
        grades.left_out.append(plain(line))
        say(plain(line))

    with tempfile.TemporaryDirectory(prefix="course-unpacked-") as scratch:
        handed_in = _gather(folder, Path(scratch), said, leave_out)
        _choose(handed_in, leave_out)
        hide = [(folder if folder.is_dir() else folder.parent).resolve(), Path(scratch), out.parent.resolve()]
        counting = [one for one in handed_in if one.lessons or one.notebook is None]
        for count, one in enumerate(counting, 1):
            begun = time.monotonic()
            graded, known = _rows(one, limits, hide=hide, kept_in=kept.folder(out), anew=anew)
            if isolation.way() is None and kept.digest() != kept.course():
                file = one.file.name.as_posix()
                cure = "install the course anew, and look at this notebook; verdicts before it stand"
                raise lessons.LessonError(plain(f"{file} has changed the course's own files: {cure}"))
            grades.rows += graded
            write_whole(out, table(grades.rows))
            result = summary(graded)
            name = plain(one.file.name.as_posix())
            took = "as before" if known else f"{time.monotonic() - begun:.1f} s"
            say(f"[{count:>3}/{len(counting)}] {one.student}: {name}: {result} ({took})")
    return grades


def summary(rows: list[Row]) -> str:
    """A notebook's rows in a few words."""
    right = sum(row.state == "correct" for row in rows)
    return f"{right} of {len(rows)} correct" if rows[0].exercise else rows[0].diagnosis


def _gather(folder: Path, scratch: Path, said: Path | None, leave_out: Say) -> list[_Submission]:
    """All files that were handed in, read, in the order of their names.

    Raises: LessonError where there is none.
    """
    found = (
        submissions.find(folder) if folder.is_dir() else Found(packed=[File(folder, PurePath(folder.name))])
    )
    refused = unpack(found, scratch)
    files = [*found.notebooks, *(file for file, _ in refused)]
    if not files:
        for line in found.left_out:
            leave_out(line)
        raise lessons.LessonError(f"need notebooks (*.ipynb) in {folder}, found none")
    all_names = [file.name for file in (*files, *found.modules)]
    who, unknown = names.read(said, all_names) if said else ({}, [])
    students = submissions.students(all_names, who)
    problems = {file.name: why for file, why in refused}
    handed_in = []
    for file in sorted(files, key=lambda file: file.name):
        one = _Submission(file, students[file.name], None, problems.get(file.name, ""))
        if not one.problem:
            _read(one)
        handed_in.append(one)
    for module in found.modules:
        if not _give(module, students[module.name], handed_in):
            found.left_out.append(f"left out, no notebook: {module.name.as_posix()}")
    for line in (*found.left_out, *unknown, *submissions.remarks(students)):
        leave_out(line)
    return handed_in


def _read(one: _Submission) -> None:
    try:
        one.notebook = notebooks.read(one.file.path, one.file.name)
        one.lessons = set(one.notebook.lessons)
    except lessons.LessonError as problem:
        one.problem = str(problem)
    except Exception as problem:  # whatever it is, the others are graded
        one.problem = f"could not be read: {type(problem).__name__}: {problem}"


def _give(module: File, student: str, handed_in: list[_Submission]) -> bool:
    """Put a module beside the notebooks that it was handed in with; False where there is none."""
    name, taken = submissions.base(module.name), False
    if module.path.is_symlink() or module.path.stat().st_size > LARGEST_MODULE:
        return False
    for one in handed_in:
        beside = one.student == student and one.file.name.parent == module.name.parent
        if beside and len(one.modules) < MOST_MODULES:
            one.modules[name], taken = module.path, True
    return taken


def _choose(handed_in: list[_Submission], leave_out: Say) -> None:
    """Of the attempts of a student at a lesson the latest counts that can be read; the others are named."""
    attempts: dict[tuple[str, str], list[_Submission]] = {}
    for one in handed_in:
        for number in one.lessons:
            attempts.setdefault((one.student, number), []).append(one)
    for (student, number), all_of_it in sorted(attempts.items()):
        *earlier, last = sorted(all_of_it, key=lambda one: submissions.attempt(one.file))
        for one in earlier:
            one.lessons.discard(number)
            leave_out(
                f"{student}: a later attempt at lesson {number} counts ({last.file.name.as_posix()}), "
                f"not {one.file.name.as_posix()}"
            )


def _rows(
    one: _Submission, limits: Limits, *, hide: Sequence[Path], kept_in: Path, anew: bool
) -> tuple[list[Row], bool]:
    """The rows of a notebook, whether they were known; where it cannot be graded, one without exercise."""
    name = plain(one.file.name.as_posix())
    if one.notebook is None:
        return [Row(one.student, "", "unreadable", plain(one.problem), name)], False
    exercises = [exercise for exercise in one.notebook.exercises if exercise.id[:2] in one.lessons]
    try:
        modules = {name: path.read_bytes() for name, path in one.modules.items()}
        mark = kept.fingerprint(one.file.path.read_bytes(), modules, exercises, limits)
        place = kept_in / f"{mark}.json"
        if not anew and (known := kept.load(place, one.student, name)):
            return known, True
        events = run(one.notebook, exercises, limits=limits, hide=hide, modules=modules)
        rows = [_row(one.student, exercise, events.get(exercise.id), name) for exercise in exercises]
        kept.save(place, rows)
        return rows, False
    except OSError as problem:  # of this machine: no process, no space, no right to read
        why = f"could not be run: {problem}"
    except Exception as problem:  # whatever it is, the others are graded
        why = f"could not be graded: {type(problem).__name__}: {problem}"
    return [Row(one.student, "", "failed", plain(why), name)], False


def run(
    notebook: Notebook,
    exercises: Iterable[Exercise],
    *,
    limits: Limits = USUAL,
    hide: Sequence[Path] = (),
    modules: Mapping[str, bytes] | None = None,
) -> dict[str, Event]:
    """Run a notebook's code; exercise id -> what its process said of the answer."""
    seconds = {one.id: one.seconds for one in exercises}
    answers = {i: [one for one in some if one[0] in seconds] for i, some in notebook.answers.items()}
    return attempt(notebook.cells, answers, seconds, limits=limits, hide=hide, modules=modules)


def _row(student: str, exercise: Exercise, event: Event | None, file: str) -> Row:
    verdict = verdict_of(exercise, event)
    lines = tuple(plain(line, 1000) for line in verdict.lines)
    facts = tuple((name, plain(text, 1000)) for name, text in verdict.facts)
    return Row(student, exercise.id, verdict.state, plain(diagnosis(verdict)), file, lines, facts)
