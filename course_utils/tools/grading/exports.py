"""Points in the forms that Canvas, Moodle and nbgrader use.

Canvas    Student,ID,SIS User ID,SIS Login ID,Section,<assignment>: the gradebook that Canvas exported, with
          one column filled; its row "Points Possible" says of how many points
Moodle    Identifier,Full name,…,Grade,Maximum grade,…,Last modified (grade): the worksheet that Moodle
          exported, with Grade filled
nbgrader  assignment,duedate,timestamp,student_id,…,raw_score,late_submission_penalty,score,max_score, as
          `nbgrader export` writes it; a row for each lesson of each student

A gradebook or worksheet is a roster: all its rows and columns are kept, whoever handed nothing in keeps what
the cell has. Where it says of how many points, ours are scaled to it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from course_utils.exercises.engine import catalogue
from course_utils.tools.grading.names import rows_of
from course_utils.tools.grading.rows import as_csv
from course_utils.tools.grading.scores import Scores, number
from course_utils.tools.lessons import LessonError

NBGRADER = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
    "late_submission_penalty", "score", "max_score",
)  # fmt: skip


@dataclass(frozen=True)
class Export:
    """A file for an LMS, and a line for each student of whom the roster does not tell which row is theirs."""

    name: str
    text: str
    lines: tuple[str, ...] = ()


def nbgrader(scores: Scores) -> Export:
    """Points as nbgrader exports them; dates, names and addresses, which are not known here, are empty."""
    rows = [
        {
            "assignment": topic(lesson), "student_id": one.name, "raw_score": number(one.total(lesson)),
            "late_submission_penalty": "0", "score": number(one.total(lesson)),
            "max_score": number(scores.most(lesson)),
        }
        for lesson in scores.lessons
        for one in scores.students
    ]  # fmt: skip
    return Export(
        "nbgrader.csv", as_csv([NBGRADER, *([row.get(key, "") for key in NBGRADER] for row in rows)])
    )


def filled(scores: Scores, roster: Path, assignment: str = "") -> Export:
    """The roster that Canvas or Moodle exported, with the points in it.

    Args:
        assignment: the column to fill; by default Moodle's `Grade`, in Canvas one named after the lessons.
            Canvas adds a number in brackets to its columns' names, which may be left out. A column that is
            not there is added.
    Raises: LessonError where the roster is of neither.
    """
    head, *rows = rows_of(roster) or [[]]
    rows = [row + [""] * (len(head) - len(row)) for row in rows if any(row)]
    moodle = {"Identifier", "Full name"} <= set(head)
    if not moodle and not {"Student", "ID"} <= set(head):
        raise LessonError(
            "need a roster with Student and ID (a gradebook of Canvas) or with Identifier and Full name (a "
            f"grading worksheet of Moodle) in its first line, got {','.join(head)!r} in {roster.name}"
        )
    name = assignment or ("Grade" if moodle else " ".join(map(topic, scores.lessons)))
    column = _column(head, name)
    if column == len(head):
        head, rows = [*head, name], [[*row, ""] for row in rows]
    possible = None if moodle else next((row for row in rows if "Points Possible" in row[0]), None)
    people = [row for row in rows if row is not possible]
    if possible is not None and not possible[column].strip():
        possible[column] = number(scores.most())
    maximum = head.index("Maximum grade") if "Maximum grade" in head else None
    lines = []
    keys = [set(_keys(head, row)) for row in people]
    for one in scores.students:
        own = set(_names(one.name))
        fitting = [row for row, known in zip(people, keys, strict=True) if known & own]
        exact = [row for row, known in zip(people, keys, strict=True) if known & set(_numbers(one.name))]
        fitting = exact or fitting
        if len(fitting) != 1:
            why = "no row" if not fitting else f"{len(fitting)} rows"
            lines.append(f"{roster.name}: {why} of {one.name}, {number(one.total())} points not entered")
            continue
        of = possible[column] if possible is not None else fitting[0][maximum] if maximum is not None else ""
        fitting[0][column] = number(one.total() * _scale(of, scores.most()))
    return Export("moodle.csv" if moodle else "canvas.csv", as_csv([head, *rows]), tuple(lines))


def topic(lesson: str) -> str:
    """The lesson's name, `05_topic`, from its two digits."""
    return catalogue.lessons().get(lesson, lesson).rpartition("lesson_")[2]


def _column(head: list[str], wanted: str) -> int:
    """Where the column of this name is; one beyond the last where there is none."""
    names = [re.sub(r"\s*\(\d+\)$", "", name).strip() for name in head]
    for known in (head, names):
        if wanted in known:
            return known.index(wanted)
    return len(head)


def _scale(maximum: str, most: float) -> float:
    try:
        return (
            float(maximum.replace(",", ".")) / most if most and float(maximum.replace(",", ".")) > 0 else 1.0
        )
    except ValueError:
        return 1.0


def _keys(head: list[str], row: list[str]) -> Iterator[str]:
    """By what a row of the roster can be known: ids, login, address, name in either order."""
    told = dict(zip(head, row, strict=False))
    for name in ("ID", "Identifier"):
        if digits := re.search(r"\d+$", told.get(name, "").strip()):
            yield f"#{digits[0]}"
    for name in ("SIS User ID", "SIS Login ID", "Email address", "ID number", "Username"):
        value = told.get(name, "").strip()
        yield from (_plain(part) for part in (value, value.partition("@")[0]) if part)
    name = told.get("Student", told.get("Full name", ""))
    last, _, first = name.partition(",")
    yield from (_plain(one) for one in (name, f"{first} {last}") if one.strip())


def _names(student: str) -> Iterator[str]:
    """By what a student can be known: the whole name, and the part before an LMS's number."""
    for one in (student, student.rpartition("/")[2], re.sub(r"_\d+$", "", student)):
        yield _plain(one)


def _numbers(student: str) -> Iterator[str]:
    """The number that an LMS has put behind a name."""
    if digits := re.search(r"_(\d+)$", student):
        yield f"#{digits[1]}"


def _plain(text: str) -> str:
    """A name without case, spaces, accents' form and signs, as Canvas writes it into the names of files."""
    return "".join(c for c in unicodedata.normalize("NFC", text).casefold() if c.isalnum())
