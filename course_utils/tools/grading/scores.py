"""Points: what each exercise counts, and what each student has.

    points of a student = sum of the weights of the exercises that are correct

Every exercise of a lesson that somebody handed in counts for everybody; its weight is 1 where the instructor
says nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.exercises.engine import catalogue
from course_utils.tools.grading.names import rows_of
from course_utils.tools.grading.rows import Row, as_csv
from course_utils.tools.lessons import LessonError


@dataclass(frozen=True)
class Student:
    """What a student has.

    Args:
        rows: exercise id -> the row of the attempt that counts.
        points: exercise id -> points; none of a lesson that was not handed in.
        faults: rows of files that could not be graded.
    """

    name: str
    rows: Mapping[str, Row] = field(default_factory=dict)
    points: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[Row, ...] = ()

    def total(self, lesson: str = "") -> float:
        """All points, or those of one lesson."""
        return sum(points for id, points in self.points.items() if id.startswith(lesson))


@dataclass(frozen=True)
class Scores:
    """The points of a class.

    Args:
        weights: exercise id -> points for a correct answer, of every exercise that counts.
    """

    students: tuple[Student, ...]
    weights: Mapping[str, float]

    def most(self, lesson: str = "") -> float:
        """The points that can be had, in all or in one lesson."""
        return sum(weight for id, weight in self.weights.items() if id.startswith(lesson))

    @property
    def lessons(self) -> list[str]:
        """The two digits of each lesson that was handed in."""
        return sorted({id[:2] for id in self.weights})


def score(rows: Iterable[Row], weights: Mapping[str, float] | None = None) -> Scores:
    """The points of everybody who has a row."""
    rows, weights = list(rows), weights or {}
    ids = sorted({row.exercise for row in rows if row.exercise})
    counted = {id: weights.get(id, 1.0) for id in ids}
    students = []
    for name in sorted({row.student for row in rows}):
        own = [row for row in rows if row.student == name]
        graded = {row.exercise: row for row in own if row.exercise}
        points = {id: counted[id] if row.state == "correct" else 0.0 for id, row in graded.items()}
        students.append(Student(name, graded, points, tuple(row for row in own if not row.exercise)))
    return Scores(tuple(students), counted)


def read_weights(path: Path) -> dict[str, float]:
    """Exercise id -> points, from a CSV file of `exercise,points`.

    Raises: LessonError where the file cannot be read, there is no such exercise, or points are no number
        >= 0.
    """
    weights = {}
    for number, row in enumerate(rows_of(path), 1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (number == 1 and cells[0] == "exercise"):
            continue
        try:
            id, points = cells[0], float(cells[1])
            catalogue.find_exercise(id)
        except catalogue.Unknown as problem:
            raise LessonError(f"line {number} of {path.name}: {problem}") from None
        except (IndexError, ValueError):
            points = math.nan
        if not 0 <= points < math.inf:
            raise LessonError(f"need points >= 0 in line {number} of {path.name}, got {','.join(row)!r}")
        weights[id] = points
    return weights


def table(scores: Scores) -> str:
    """students.csv: a row a student, a column an exercise; empty where its lesson was not handed in."""
    head = ["student", *scores.weights, "points", "of", "note"]
    body = [
        [
            one.name,
            *(number(one.points[id]) if id in one.points else "" for id in scores.weights),
            number(one.total()),
            number(scores.most()),
            "; ".join(f"{row.file}: {row.state}" for row in one.faults),
        ]
        for one in scores.students
    ]
    return as_csv([head, *body])


def number(points: float) -> str:
    """Points as people write them, to a hundredth."""
    return f"{round(points, 2):g}" if points < 1e6 else f"{points:.0f}"
