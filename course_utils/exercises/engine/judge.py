"""Tries an answer on an exercise's inputs and finds the words for what came out (in the child process)."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any, Literal

from course_utils.exercises.engine.compare import Difference, difference, snapshot, text
from course_utils.exercises.engine.explain import explain
from course_utils.exercises.engine.model import Exercise
from course_utils.exercises.engine.outcomes import Outcome, agrees, build_inputs, differs, outcomes, same

State = Literal["not attempted", "correct", "wrong", "raised"]


@dataclass(frozen=True)
class Verdict:
    """What `check` says: a state, and up to six lines."""

    state: State
    lines: tuple[str, ...]


def judge_value(exercise: Exercise, answer: Any) -> Verdict:
    """The verdict on the answer to a value exercise; it never shows the value that was expected."""
    if callable(answer) and not isinstance(answer, type):
        return Verdict("wrong", ("wrong: a value is asked for, this is a function. Pass what it returns.",))
    found = _value_difference(exercise, exercise.solution, answer)
    if found is None:
        return Verdict("correct", _correct(exercise))
    for wrong in exercise.wrong:
        if _value_difference(exercise, wrong.answer, answer) is None:
            return Verdict("wrong", (f"wrong: {wrong.diagnosis}",))
    words = found.words if found.kind == "form" else f"got {text(answer)}, which is not it"
    return Verdict("wrong", (f"wrong: {words}{'' if words.endswith('?') else '.'}", _help(exercise)))


def judge_function(
    exercise: Exercise,
    answer: Any,
    *,
    code: CodeType | None = None,
    before_call: Callable[[int], None] = lambda _: None,
    after_calls: Callable[[], None] = lambda: None,
) -> Verdict:
    """The verdict on the answer to a function exercise.

    Args:
        code: the answer's code object, to find its lines in a traceback.
        before_call: told the number of the input, from 0, before the answer runs on it.
        after_calls: told when the answer has run on all of them.
    """
    expected = outcomes(exercise, exercise.solution)
    printed = _Printed()
    with printed.kept():
        got = outcomes(exercise, answer, before_call)
    after_calls()
    said = (f"It printed: {printed.summary()}",) if printed.summary() else ()
    if any(one.value is ... for one in got):
        return Verdict("not attempted", ("not attempted yet: it still returns the stub's `...`.", *said))
    agree = [agrees(exercise, e, g) for e, g in zip(expected, got, strict=True)]
    if all(agree):
        return Verdict("correct", (*_correct(exercise), *said))
    changed = _changed(exercise, got)
    also = f"Also, {changed}" if changed else ""
    known = [(wrong, outcomes(exercise, wrong.answer)) for wrong in exercise.wrong]
    match = next((wrong for wrong, its in known if same(exercise, its, got)), None)
    if match is not None:
        return Verdict("wrong", (f"wrong: {match.diagnosis}", *said))
    if changed and same(exercise, expected, got, strict=False):
        words = f"wrong: the result is right, but {changed} Work on a copy (`.clone()`)."
        return Verdict("wrong", (words, *said))
    match = next((wrong for wrong, its in known if same(exercise, its, got, strict=False)), None)
    if match is not None and changed:
        return Verdict("wrong", (f"wrong: {match.diagnosis}", also, *said))
    first = agree.index(False)
    call = f"on {call_text(exercise, first)}"
    some = f"Right on {sum(agree)} of {len(agree)} inputs." if any(agree) else ""
    error = got[first].error
    if error is not None:
        lines = (*explain(error, code), f"This was {call}. {some}".rstrip(), also, *said, _help(exercise))
        return Verdict("raised", tuple(filter(None, lines)))
    departure = _departure(exercise, expected[first], got[first])
    lines = (f"wrong {call}:", f"  {departure}", some, also, *said, _help(exercise))
    return Verdict("wrong", tuple(filter(None, lines)))


def call_text(exercise: Exercise, index: int) -> str:
    """The call on one input, as the learner would write it."""
    arguments = build_inputs(exercise)[index]
    shown = ", ".join(f"{n}={text(a)}" for n, a in zip(_names(exercise), arguments, strict=False))
    short = shown if len(shown) <= 300 else shown[:297] + "..."
    return f"{exercise.solution.__name__}({short})"


def _correct(exercise: Exercise) -> tuple[str, ...]:
    return ("correct.", exercise.note) if exercise.note else ("correct.",)


def _help(exercise: Exercise) -> str:
    return f'hint("{exercise.id}") helps.'


def _value_difference(exercise: Exercise, expected: Any, got: Any) -> Difference | None:
    if isinstance(expected, str) and isinstance(got, str):
        expected, got = expected.strip().lower(), got.strip().lower()
    return differs(exercise, expected, got)


def _departure(exercise: Exercise, expected: Outcome, got: Outcome) -> str:
    if expected.error is not None:
        return f"expected {type(expected.error).__name__}, got {text(got.value)}"
    found = differs(exercise, expected.value, got.value)
    if found is not None:
        return found.words
    for name, its, answers in zip(_names(exercise), expected.arguments, got.arguments, strict=False):
        if left := differs(exercise, its, answers):
            return f"argument `{name}` afterwards, {left.words}"
    return ""


def _changed(exercise: Exercise, got: list[Outcome]) -> str:
    """Which argument an answer changed without being asked to, "" if none."""
    if exercise.mutates:
        return ""
    for before, after in zip(build_inputs(exercise), got, strict=True):
        for name, old, new in zip(_names(exercise), snapshot(before), after.arguments, strict=False):
            if difference(old, new, rtol=0.0, atol=0.0):
                return f"your function changes its argument `{name}`."
    return ""


def _names(exercise: Exercise) -> list[str]:
    return list(inspect.signature(exercise.solution).parameters)


class _Printed(io.StringIO):
    """What an answer prints, up to a few thousand characters."""

    def write(self, words: str) -> int:
        return super().write(words[: max(0, 4000 - self.tell())])

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        with contextlib.redirect_stdout(self), contextlib.redirect_stderr(io.StringIO()):
            yield

    def summary(self) -> str:
        lines = [line for line in self.getvalue().splitlines() if line.strip()]
        if not lines:
            return ""
        more = f" (lines in all: {len(lines)})" if len(lines) > 1 else ""
        return lines[0].strip()[:80] + more
