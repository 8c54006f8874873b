"""Pages of a grading: one for each student, one of the class. Static, without a script, light and dark."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2

from course_utils.exercises.engine.catalogue import find_exercise
from course_utils.exercises.engine.pasted import pasted
from course_utils.tools.grading.exports import topic
from course_utils.tools.grading.rows import Row
from course_utils.tools.grading.scores import Scores, Student, number

MARKS = {
    "correct": ("good", "✓"), "wrong": ("bad", "✗"), "raised": ("bad", "✗"), "not attempted": ("plain", "○"),
    "unreadable": ("open", "!"), "failed": ("open", "!"),
}  # fmt: skip
MOST_MISTAKES = 5  # of an exercise, on the page of the class


def feedback(student: Student, scores: Scores, *, solutions: bool = False) -> str:
    """A student's page: each exercise's verdict, why, and the input that shows it, as `check` has them.

    Args:
        solutions: also each exercise's solution.
    """
    lessons = []
    for lesson in sorted({id[:2] for id in student.rows}):
        rows = [row for id, row in sorted(student.rows.items()) if id[:2] == lesson]
        lessons.append(
            {
                "name": topic(lesson),
                "file": rows[0].file,
                "points": number(student.total(lesson)),
                "most": number(scores.most(lesson)),
                "exercises": [_exercise(row, scores, solutions) for row in rows],
            }
        )
    return _render(
        "feedback.html.j2", student=student, lessons=lessons, points=number(student.total()), marks=MARKS
    )


def overview(scores: Scores, left_out: Sequence[str]) -> str:
    """The class's page: exercise by exercise how many are right and which mistakes there are."""
    rows = [row for one in scores.students for row in one.rows.values()]
    exercises = []
    for id in scores.weights:
        own = [row for row in rows if row.exercise == id]
        states = Counter(row.state for row in own)
        mistakes = Counter(row.diagnosis for row in own if row.state in ("wrong", "raised"))
        exercises.append(
            {
                "id": id, "title": find_exercise(id).title, "count": len(own), "right": states["correct"],
                "share": round(100 * states["correct"] / len(own)), "states": states,
                "mistakes": mistakes.most_common(MOST_MISTAKES),
                "others": sum(mistakes.values()) - sum(n for _, n in mistakes.most_common(MOST_MISTAKES)),
            }
        )  # fmt: skip
    faults = [row for one in scores.students for row in one.faults]
    totals = sorted(one.total() for one in scores.students)
    median = (totals[(len(totals) - 1) // 2] + totals[len(totals) // 2]) / 2 if totals else 0.0
    return _render(
        "overview.html.j2", scores=scores, exercises=exercises, faults=faults, left_out=left_out, marks=MARKS,
        most=number(scores.most()), median=number(median),
    )  # fmt: skip


def file_name(student: str) -> str:
    """The name of a student's page: letters that every system takes, and a number that no one else has."""
    letters = unicodedata.normalize("NFKD", student).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9]+", "-", letters).strip("-")[:60]
    return "-".join(filter(None, (words, hashlib.sha256(student.encode()).hexdigest()[:10]))) + ".html"


def _exercise(row: Row, scores: Scores, solutions: bool) -> dict[str, Any]:
    exercise = find_exercise(row.exercise)
    text = ""
    if solutions:
        text = pasted(exercise.solution, {}) if exercise.asks_for_function else repr(exercise.solution)
    lines = row.lines or (row.diagnosis,)
    said = ("correct.", "not attempted yet.")  # the mark beside the title says so
    return {
        "row": row,
        "title": exercise.title,
        "prompt": exercise.prompt,
        "points": number(scores.weights[row.exercise] if row.state == "correct" else 0.0),
        "most": number(scores.weights[row.exercise]),
        "lines": list(_kept(line for line in lines if line not in said)),
        "solution": text,
        "note": exercise.note if solutions else "",
    }


def _kept(lines: Iterable[str]) -> Iterable[str]:
    """Lines that help on paper: not the advice to call something in the notebook."""
    return (line for line in lines if line.strip() and not line.startswith(("failing(", "hint(")))


def _render(name: str, **values: Any) -> str:
    here = jinja2.FileSystemLoader(Path(__file__).parent)
    templates = jinja2.Environment(
        loader=here, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return templates.get_template(name).render(**values)
