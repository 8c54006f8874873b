"""The verdict on what a student's process said of an exercise; nothing of it is believed but values."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator

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
from course_utils.tools.grading.values import decode, decode_outcome


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
