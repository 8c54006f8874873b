"""Tries an answer on an exercise's inputs and finds the words for what came out (in the child process)."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import CodeType
from typing import Any

from course_utils.exercises.engine.compare import Difference, difference, snapshot, text
from course_utils.exercises.engine.explain import explain
from course_utils.exercises.engine.model import Exercise, Verdict
from course_utils.exercises.engine.outcomes import Outcome, agrees, build_inputs, differs, outcomes, same


def judge_value(exercise: Exercise, answer: Any) -> Verdict:
    """The verdict on the answer to a value exercise; it never shows the value that was expected."""
    if callable(answer) and not isinstance(answer, type):
        return Verdict("wrong", ("wrong: a value is asked for, this is a function. Pass what it returns.",))
    found = _value_difference(exercise, exercise.solution, answer)
    if found is None:
        return Verdict("correct", _correct(exercise))
    facts = (("Got", text(answer)),)
    for wrong in exercise.wrong:
        if _value_difference(exercise, wrong.answer, answer) is None:
            return Verdict("wrong", (f"wrong: {wrong.diagnosis}",), facts)
    words = found.words if found.kind == "form" else f"got {text(answer)}, which is not it"
    return Verdict("wrong", (f"wrong: {words}{'' if words.endswith('?') else '.'}", _help(exercise)), facts)


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
    first = agree.index(False)
    facts = _facts(exercise, first, expected[first], got[first])
    known = [(wrong, outcomes(exercise, wrong.answer)) for wrong in exercise.wrong]
    match = next((wrong for wrong, its in known if same(exercise, its, got)), None)
    if match is not None:
        return Verdict("wrong", (f"wrong: {match.diagnosis}", *said), facts)
    if changed and same(exercise, expected, got, strict=False):
        words = f"wrong: the result is right, but {changed} Work on a copy (`.clone()`)."
        return Verdict("wrong", (words, *said), facts)
    match = next((wrong for wrong, its in known if same(exercise, its, got, strict=False)), None)
    if match is not None and changed:
        return Verdict("wrong", (f"wrong: {match.diagnosis}", also, *said), facts)
    call = f"on {call_text(exercise, first)}"
    some = f"Right on {sum(agree)} of {len(agree)} inputs." if any(agree) else ""
    error = got[first].error
    if error is not None:
        lines = (*explain(error, code), f"This was {call}. {some}".rstrip(), also, *said, _help(exercise))
        return Verdict("raised", tuple(filter(None, lines)), facts)
    departure = _departure(exercise, expected[first], got[first])
    lines = (f"wrong {call}:", f"  {departure}", some, also, *said, _help(exercise))
    return Verdict("wrong", tuple(filter(None, lines)), facts, told=2)


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
    found = _first_difference(exercise, expected, got)
    return found.words if found else ""


def _first_difference(exercise: Exercise, expected: Outcome, got: Outcome) -> Difference | None:
    if expected.error is not None:
        return Difference("form", type(expected.error).__name__, text(got.value))
    if found := differs(exercise, expected.value, got.value):
        return found
    for name, its, answers in zip(_names(exercise), expected.arguments, got.arguments, strict=False):
        if left := differs(exercise, its, answers):
            return replace(left, where=f"argument `{name}` afterwards, {left.where}")
    return None


def _facts(exercise: Exercise, index: int, expected: Outcome, got: Outcome) -> tuple[tuple[str, str], ...]:
    """Input, expected, got, for a table."""
    facts = [("Input", call_text(exercise, index))]
    if got.error is not None:
        wanted = type(expected.error).__name__ if expected.error else text(expected.value)
        return (*facts, ("Expected", wanted), ("Got", type(got.error).__name__))
    found = _first_difference(exercise, expected, got)
    if found is None:
        return tuple(facts)
    if where := found.where.strip(" :,"):
        facts.append(("Where", where))
    facts.append(("Expected", found.expected))
    return (*facts, ("Got", f"{found.got}{found.note}")) if found.got else tuple(facts)


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
