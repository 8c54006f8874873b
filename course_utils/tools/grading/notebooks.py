"""A submitted notebook as the grader reads it: its code, what its text checks, the lessons it is of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from course_utils.exercises.engine import catalogue
from course_utils.exercises.engine.model import Exercise
from course_utils.tools import lessons
from course_utils.tools.cells import checked, names_of_check
from course_utils.tools.grading import submissions

LARGEST = 30_000_000  # bytes of a notebook
SMOKE = 'PROFILE = "smoke"'
_ID = re.compile(r"""["'](\d\d)\.\w+["']""")


@dataclass(frozen=True)
class Notebook:
    """A notebook's code and answers.

    Args:
        cells: its code cells, to the last that can check anything.
        answers: position of a cell -> (exercise id, expression of the answer) of each check that its text
            shows.
        exercises: all exercises of its lessons.
    """

    cells: Sequence[str]
    answers: Mapping[int, Sequence[tuple[str, str]]]
    exercises: Sequence[Exercise]

    @property
    def lessons(self) -> set[str]:
        """The two digits of each of its lessons."""
        return {one.id[:2] for one in self.exercises}


def read(path: Path, name: PurePath | None = None) -> Notebook:
    """A notebook from its file.

    Args:
        name: its path as it was handed in, where it lies somewhere else.
    Raises: LessonError where the file is no notebook, is a link, is too large, or is of no lesson.
    """
    name = name or path
    cells, answers = code(path, name)
    asked = {id[:2] for some in answers.values() for id, _ in some} | {submissions.lesson(name)}
    known = set(catalogue.lessons())
    found = asked & known or {number for cell in cells for number in _ID.findall(cell)} & known
    if not found:
        raise lessons.LessonError("no exercise of the course in it")
    exercises = [one for number in sorted(found) for one in catalogue.load(number).EXERCISES]
    ids = {one.id for one in exercises}
    wanted = {i: [one for one in some if one[0] in ids] for i, some in answers.items()}
    return Notebook(cells, wanted, exercises)


def code(path: Path, name: PurePath) -> tuple[list[str], dict[int, list[tuple[str, str]]]]:
    """The code cells up to the last that can check anything, and what their text says is checked.

    Raises: LessonError as `read` does.
    """
    if path.is_symlink() or not path.is_file():
        raise lessons.LessonError(f"{name.name} is no file of its own")
    if path.stat().st_size > LARGEST:
        raise lessons.LessonError(f"{name.name} has more than {LARGEST} bytes")
    cells: list[str] = []
    answers: dict[int, list[tuple[str, str]]] = {}
    for cell in lessons.read(path, name=name.name).cells:
        if cell.cell_type != "code":
            continue
        cells.append(cell.source)
        if found := checked(cell.source):
            answers[len(cells) - 1] = found
        if "parameters" in cell.metadata.get("tags", []):
            cells.append(SMOKE)
    words = names_of_check(cells)
    last = max((i for i, source in enumerate(cells) if words.search(source)), default=-1)
    return cells[: last + 1], answers
