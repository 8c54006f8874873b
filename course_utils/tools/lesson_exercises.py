"""The exercises of a lesson, as tools ask for them."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable
from types import FunctionType, ModuleType
from typing import Any

from course_utils.exercises.engine import catalogue
from course_utils.exercises.engine.model import Exercise
from course_utils.tools import cells


def module_of(lesson: str) -> ModuleType | None:
    """The module of exercises of the lesson with these two digits, None where it has none."""
    return catalogue.load(lesson) if lesson in catalogue.lessons() else None


def exercises_by_id(lesson: str) -> dict[str, Exercise]:
    """Id -> exercise, of the lesson with these two digits."""
    found: Iterable[Exercise] = getattr(module_of(lesson), "EXERCISES", ())
    return {exercise.id: exercise for exercise in found}


def asked_in(source: str) -> list[str]:
    """Ids of the exercises that a cell checks."""
    return [id for id, _ in cells.checked(source)]


def source_of(answer: Any) -> str:
    """The text of an answer: a function's source, a value as Python writes it, nothing for a lambda."""
    if not callable(answer):
        return repr(answer)
    if not isinstance(answer, FunctionType) or answer.__name__ == "<lambda>":
        return ""
    return textwrap.dedent(inspect.getsource(answer)).rstrip()
