"""Finds exercises and quizzes by id; an id of lesson 05 imports the module of lesson 05 and no other."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import re
from types import ModuleType

from course_utils.exercises.engine.model import Exercise, Quiz

# Packages that hold `lesson_NN_*` modules. Append your own to add exercises without changing this one.
PACKAGES = ["course_utils.exercises"]
_LESSON = re.compile(r"lesson_(\d\d)_\w+")


class Unknown(LookupError):
    """No such id; the message names near ones."""


def lessons() -> dict[str, str]:
    """Two digits -> the module's full name, in the order of the course."""
    modules = {}
    for package in PACKAGES:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            if match := _LESSON.fullmatch(module.name):
                modules[match[1]] = f"{package}.{module.name}"
    return dict(sorted(modules.items()))


def load(lesson: str) -> ModuleType:
    """The module of the lesson with these two digits."""
    return importlib.import_module(lessons()[lesson])


def find_exercise(id: str) -> Exercise:
    """The exercise with this id. Raises: Unknown, naming near ids."""
    entry = _find(id, "EXERCISES")
    if not isinstance(entry, Exercise):
        raise Unknown(_unknown(id, "exercise", "EXERCISES"))
    return entry


def find_quiz(id: str) -> Quiz:
    """The quiz with this id. Raises: Unknown, naming near ids."""
    entry = _find(id, "QUIZZES")
    if not isinstance(entry, Quiz):
        raise Unknown(_unknown(id, "quiz", "QUIZZES"))
    return entry


def _find(id: str, table: str) -> Exercise | Quiz | None:
    lesson = id[:2] if isinstance(id, str) else ""
    entries = getattr(load(lesson), table, ()) if lesson in lessons() else ()
    return next((entry for entry in entries if entry.id == id), None)


def _unknown(id: object, what: str, table: str) -> str:
    if not isinstance(id, str):
        return f"the id comes first, in quotes, got {type(id).__name__}"
    ids = [entry.id for lesson in lessons() for entry in getattr(load(lesson), table, ())]
    near = difflib.get_close_matches(id, ids, n=3, cutoff=0.5)
    near = near or [one for one in ids if one[:2] == id[:2]]
    listed = (
        f"near ones: {', '.join(near)}"
        if near
        else f"lessons with one: {', '.join(sorted({i[:2] for i in ids}))}"
    )
    return f'there is no {what} "{id}"; {listed}'
