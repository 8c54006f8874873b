"""What a learner calls: check, hint, solution, progress, reset, quiz. None of them raises."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable
from typing import Any, ParamSpec

from course_utils.exercises.engine import progress_file, quizzes
from course_utils.exercises.engine.ask import verdict_on
from course_utils.exercises.engine.catalogue import Unknown, find_exercise, find_quiz, lessons, load
from course_utils.exercises.engine.model import Exercise
from course_utils.exercises.engine.progress_file import Record

P = ParamSpec("P")


def _never_raises(function: Callable[P, None]) -> Callable[P, None]:
    """A lesson runs top to bottom whatever happens here; an interrupt by the learner still gets through."""

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except Unknown as unknown:
            print(unknown)
        except Exception as fault:
            name = f"{function.__name__}()"
            print(f"{name} could not do this: {type(fault).__name__}: {fault}\nYour answer is not to blame.")

    return guarded


@_never_raises
def check(id: str, answer: object = ...) -> None:
    """Tries an answer and says one of: not attempted yet; correct; wrong, and why; raised, and why.

    The answer runs in a process of its own, so that a loop without end or a crash stops there. Nothing is
    raised, whatever the answer does.

    Args:
        id: the exercise, "NN.slug".
        answer: the function itself (not what it returns), or the value where one is asked for.
    """
    exercise = find_exercise(id)
    verdict = verdict_on(exercise, answer)
    notes: list[str] = []
    if verdict.state not in ("not attempted", "failed"):
        _, notes = progress_file.update(
            id, functools.partial(_attempted, state=verdict.state, source=_source(answer))
        )
    print("\n".join([f"{id}: {verdict.lines[0]}", *verdict.lines[1:], *notes]))


@_never_raises
def hint(id: str) -> None:
    """Shows the next hint, from the gentlest to the one that all but says it."""
    exercise = find_exercise(id)
    total = len(exercise.hints)
    record, notes = progress_file.update(id, functools.partial(_hinted, total=total))
    shown = record["hints"]
    lines = [f"Hint {shown} of {total}: {exercise.hints[shown - 1]}"]
    if shown == total:
        lines.append(f'That is the last hint; solution("{id}") shows an answer.')
    print("\n".join([*lines, *notes]))


@_never_raises
def solution(id: str) -> None:
    """Prints the reference answer, and why it is so."""
    exercise = find_exercise(id)
    if exercise.asks_for_function:
        text = textwrap.dedent(inspect.getsource(exercise.solution)).rstrip()
    else:
        text = repr(exercise.solution)
    print(f"{text}\n\n{exercise.note}" if exercise.note else text)


@_never_raises
def progress(lesson: str | None = None) -> None:
    """Prints a table of the exercises, of all lessons or of one ("05"): kind, minutes, state."""
    records, notes = progress_file.read()
    known = lessons()
    if lesson is not None and lesson not in known:
        raise Unknown(f"there is no lesson {lesson!r} with exercises; lessons: {', '.join(known)}")
    for number, module in known.items():
        if lesson in (None, number):
            title = module.rpartition(".lesson_")[2][3:].replace("_", " ")
            print("\n".join(_table(f"{number} {title}", load(number).EXERCISES, records)))
    for line in notes:
        print(line)


@_never_raises
def reset(id: str) -> None:
    """Forgets the state, attempts and hints of an exercise; the source last submitted is kept."""
    find_exercise(id)
    _, notes = progress_file.update(
        id, lambda record: record.update(state="not attempted", attempts=0, hints=0)
    )
    print("\n".join([f"{id}: begun anew.", *notes]))


@_never_raises
def quiz(id: str, choice: str | None = None) -> None:
    """Shows a question to answer before running anything; `choice` ("a", "b", ...) shows what it hides."""
    found = find_quiz(id)
    if choice is not None:
        print(quizzes.note(found, choice))
    elif in_notebook():
        forms = {"text/html": quizzes.as_html(found), "text/plain": quizzes.as_text(found)}
        importlib.import_module("IPython.display").display(forms, raw=True)
    else:
        print(quizzes.as_text(found))


def in_notebook() -> bool:
    """Whether IPython runs this, in a notebook or a terminal."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def _source(answer: Any) -> str:
    """The text of an answer, as far as it can be had."""
    if not callable(answer):
        return repr(answer)[:10_000]
    try:
        return inspect.getsource(answer)
    except (OSError, TypeError):
        return ""


def _attempted(record: Record, *, state: str, source: str) -> None:
    if record.get("state") != "correct":  # solved stays solved, until reset
        record["state"] = state
    record["attempts"] = record.get("attempts", 0) + 1
    if source:
        record["source"] = source


def _hinted(record: Record, *, total: int) -> None:
    record["hints"] = min(record.get("hints", 0) + 1, total)


def _table(title: str, exercises: tuple[Exercise, ...], records: dict[str, Record]) -> list[str]:
    words = {"correct": "solved", "wrong": "tried", "raised": "tried"}
    states = {e.id: words.get(records.get(e.id, {}).get("state", ""), "not attempted") for e in exercises}
    left = sum(e.minutes for e in exercises if states[e.id] != "solved")
    solved = sum(state == "solved" for state in states.values())
    lines = [f"{title}: {solved} of {len(exercises)} solved, about {left:g} minutes left"]
    width = max((len(e.id) for e in exercises), default=0)
    for e in exercises:
        record = records.get(e.id, {})
        counts = [
            f"{record[k]} {k[:-1] if record[k] == 1 else k}" for k in ("attempts", "hints") if record.get(k)
        ]
        lines.append(
            f"  {e.id:{width}}  {e.kind:5}  {e.minutes:3g} min  {', '.join([states[e.id], *counts])}"
        )
    return lines
