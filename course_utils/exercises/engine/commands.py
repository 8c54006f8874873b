"""What a learner calls: check, failing, hint, solution, progress, reset, quiz. None of them raises."""

from __future__ import annotations

import functools
import inspect
import sys
import textwrap
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from course_utils import markup
from course_utils.exercises.engine import cards, progress_file, quizzes
from course_utils.exercises.engine.ask import verdict_on
from course_utils.exercises.engine.cards import Row, Standing
from course_utils.exercises.engine.catalogue import Unknown, find_exercise, find_quiz, lessons, load
from course_utils.exercises.engine.outcomes import build_inputs
from course_utils.exercises.engine.pasted import pasted
from course_utils.exercises.engine.progress_file import Record

P = ParamSpec("P")
T = TypeVar("T")
_failing: dict[str, int] = {}  # exercise -> the input that its last wrong answer failed on


def _never_raises(function: Callable[P, T]) -> Callable[P, T | None]:
    """A lesson runs top to bottom whatever happens here; an interrupt by the learner still gets through."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T | None:
        name = function.__name__
        try:
            signature.bind(*args, **kwargs)
        except TypeError as fault:
            print(f"{name}({', '.join(signature.parameters)}): {fault}")
            return None
        try:
            return function(*args, **kwargs)
        except Unknown as unknown:
            print(unknown)
        except Exception as fault:
            print(
                f"{name}() could not do this: {type(fault).__name__}: {fault}\nYour answer is not to blame."
            )
        return None

    return guarded


@_never_raises
def check(id: str, answer: object = ...) -> None:
    """Try an answer and say one of: not attempted yet; correct; wrong, and why; raised, and why.

    The answer runs in a process of its own, so that a loop without end or a crash stops there. Nothing is
    raised, whatever the answer does.

    Args:
        id: the exercise, "NN.slug".
        answer: the function itself (not what it returns), or the value where one is asked for.
    """
    exercise = find_exercise(id)
    verdict = verdict_on(exercise, answer)
    _failing.pop(id, None)
    if verdict.failing is not None:
        _failing[id] = verdict.failing
    notes: list[str] = []
    if verdict.state not in ("not attempted", "failed"):
        change = functools.partial(_attempted, state=verdict.state, source=_source(answer))
        _, notes = progress_file.update(id, change)
    first, *rest = verdict.lines
    markup.show(cards.verdict(id, verdict, notes), "\n".join([f"{id}: {first}", *rest, *notes]))


@_never_raises
def failing(id: str) -> tuple[Any, ...] | None:
    """The arguments on which the answer last checked went wrong: `your_function(*failing("05.x"))`.

    Made anew for every call, so that nothing is lost where your function changes them. None, and a line
    that says why, where there are none.
    """
    exercise = find_exercise(id)
    if id not in _failing:
        print(f'{id}: no answer has failed since this notebook started; check("{id}", ...) tries one.')
        return None
    return build_inputs(exercise)[_failing[id]]


@_never_raises
def hint(id: str) -> None:
    """Show the next hint, from the gentlest to the one that all but says it."""
    exercise = find_exercise(id)
    total = len(exercise.hints)
    record, notes = progress_file.update(id, functools.partial(_hinted, total=total))
    shown = record["hints"]
    text = exercise.hints[shown - 1]
    more = [f'That is the last hint; solution("{id}") shows an answer.'] if shown == total else []
    page = cards.hint(id, shown, total, text, [*more, *notes])
    markup.show(page, "\n".join([f"Hint {shown} of {total}: {text}", *more, *notes]))


@_never_raises
def solution(id: str) -> None:
    """Show the reference answer, as code to copy, and why it is so; as text the reason is a comment."""
    exercise = find_exercise(id)
    if exercise.asks_for_function:
        text = pasted(exercise.solution, vars(sys.modules["__main__"]))
    else:
        text = repr(exercise.solution)
    page = cards.solution(id, text, exercise.note)
    note = textwrap.fill(exercise.note, width=100, initial_indent="# ", subsequent_indent="# ")
    markup.show(page, f"{text}\n\n{note}" if note else text)


@_never_raises
def progress(lesson: str | None = None) -> None:
    """Show one lesson ("05"; the last tried by default), or a bar for each ("all"); then what comes next."""
    records, notes = progress_file.read()
    known = lessons()
    if lesson not in (None, "all", *known):
        raise Unknown(f"there is no lesson {lesson!r} with exercises; lessons: all, {', '.join(known)}")
    chosen = lesson or _latest(records) or min(known)
    standings = [_standing(number, module, records) for number, module in known.items()]
    shown = [one for one in standings if chosen in ("all", one.number)]
    ahead = _ahead(standings, shown[0].number if len(shown) == 1 else _latest(records))
    lines = [line for one in shown for line in (_table(one) if len(shown) == 1 else [_line(one)])]
    markup.show(cards.progress(shown, ahead, notes), "\n".join([*lines, ahead, *notes]))


@_never_raises
def reset(id: str) -> None:
    """Forget the state, attempts and hints of an exercise; the source last submitted is kept."""
    find_exercise(id)
    _, notes = progress_file.update(
        id, lambda record: record.update(state="not attempted", attempts=0, hints=0)
    )
    print("\n".join([f"{id}: begun anew.", *notes]))


@_never_raises
def quiz(id: str, choice: str | None = None) -> None:
    """Show a question to answer before running anything; `choice` ("a", "b", ...) is kept and opened."""
    question = find_quiz(id)
    if choice is None:
        kept = progress_file.read()[0].get(id, {}).get("choice", "")
        markup.show(quizzes.as_html(question, kept), quizzes.as_text(question, kept))
        return
    letter = str(choice).strip().lower()
    notes: list[str] = []
    if letter in quizzes.letters(question):
        _, notes = progress_file.update(id, lambda record: record.update(choice=letter))
    page, text = quizzes.note_as_html(question, letter), quizzes.note(question, letter)
    markup.show(page, "\n".join([text, *notes]))


def _source(answer: Any) -> str:
    """The text of an answer, as far as it can be had."""
    if not callable(answer):
        return repr(answer)[:10_000]
    try:
        return inspect.getsource(answer)
    except (OSError, TypeError):
        return ""


def _attempted(record: progress_file.Record, *, state: str, source: str) -> None:
    if record.get("state") != "correct":  # solved stays solved, until reset
        record["state"] = state
    record["attempts"] = record.get("attempts", 0) + 1
    if source:
        record["source"] = source


def _hinted(record: progress_file.Record, *, total: int) -> None:
    record["hints"] = min(record.get("hints", 0) + 1, total)


def _standing(number: str, module: str, records: dict[str, Record]) -> Standing:
    title = module.rpartition(".lesson_")[2][3:].replace("_", " ")
    words = {"correct": "solved", "wrong": "tried", "raised": "tried"}
    rows = []
    for exercise in load(number).EXERCISES:
        record = records.get(exercise.id, {})
        counts = tuple(
            f"{record[k]} {k[:-1] if record[k] == 1 else k}" for k in ("attempts", "hints") if record.get(k)
        )
        rows.append(Row(exercise, words.get(record.get("state", ""), "not attempted"), counts))
    return Standing(number, title, tuple(rows))


def _latest(records: dict[str, progress_file.Record]) -> str:
    """The last lesson with an exercise that was tried, "" before the first."""
    tried = (id[:2] for id, record in records.items() if record.get("attempts"))
    return max((lesson for lesson in tried if lesson in lessons()), default="")


def _ahead(standings: list[Standing], lesson: str) -> str:
    """What comes next: an exercise of this lesson, core ones first; where all are solved, the next lesson."""
    for one in standings:
        if one.number < lesson:
            continue
        left = [row.exercise for row in one.rows if row.state != "solved"]
        if left and one.number != lesson:
            return f"Next: lesson {one.number}, {one.title}."
        if left:
            first = next((exercise for exercise in left if exercise.kind == "core"), left[0])
            return f"Next: {first.title} (`{first.id}`, {first.kind}, {first.minutes:g} min)."
    return "Next: nothing is left; all is solved from here on."


def _line(one: Standing) -> str:
    bar = "■" * one.solved + "□" * (len(one.rows) - one.solved)
    return f"{one.number} {one.title}: {bar} {one.summary}"


def _table(one: Standing) -> list[str]:
    width = max((len(row.exercise.id) for row in one.rows), default=0)
    lines = [_line(one)]
    for row in one.rows:
        e = row.exercise
        status = ", ".join([row.state, *row.counts])
        lines.append(f"  {e.id:{width}}  {e.kind:5}  {e.minutes:3g} min  {status}")
    return lines
